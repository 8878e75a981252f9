"""Hydra's own launchers: whether one is installed, and what the processes that it starts need."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from _command_line import CommandLine

from mcengine import config as configuration

EXTRAS = {
    "joblib": ("hydra_joblib_launcher", "joblib"),
    "submitit_local": ("hydra_submitit_launcher", "slurm"),
    "submitit_slurm": ("hydra_submitit_launcher", "slurm"),
}
"""By the name of a launcher: its module, and the extra that brings it."""


def check(line: CommandLine) -> None:
    """Raise ``ValueError`` for a launcher that is not installed."""
    for word in line.overrides:
        key, _, name = word.partition("=")
        module, extra = EXTRAS.get(name, ("", ""))
        if key == "hydra/launcher" and module and not (find_spec("hydra_plugins") and find_spec(f"hydra_plugins.{module}")):
            raise ValueError(f"{word}: expected its package, which the extra mcengine[{extra}] brings")


@contextmanager
def importable() -> Iterator[None]:
    """While it lasts, processes that are started can import the scripts and mcengine."""
    before = os.environ.get("PYTHONPATH")
    here = [str(Path(__file__).resolve().parent), str(configuration.CONF.parent)]
    os.environ["PYTHONPATH"] = os.pathsep.join([*here, *([before] if before else [])])
    try:
        yield
    finally:
        if before is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = before
