"""Completion of a command line by Hydra, without importing JAX: a key that is pressed should not wait for seconds."""

import sys
from pathlib import Path

CONF = Path(__file__).resolve().parent.parent / "conf"
"""As ``mcengine.config.CONF``, which to import takes those seconds."""


def complete(script: str) -> None:
    """Answer ``-sc`` or ``--shell-completion``, where it is among the arguments of a script, and end the process."""
    if {"-sc", "--shell-completion"}.isdisjoint(word.partition("=")[0] for word in sys.argv[1:]):
        return
    import hydra

    hydra.main(config_path=str(CONF), config_name=Path(script).stem, version_base="1.3")(lambda config: None)()
    sys.exit(0)


if Path(sys.argv[0]).resolve().parent == Path(__file__).resolve().parent:
    complete(sys.argv[0])
