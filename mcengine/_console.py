"""The command ``mcengine``: every experiment from any folder, ``mcengine hedge policy=cppi``. Outputs go below the working directory."""

import ast
import runpy
import sys
from collections.abc import Sequence
from pathlib import Path

from mcengine._config_dir import CONF
from mcengine._spelling import near

EXPERIMENTS = CONF.parent / "experiments"
running = False
"""Whether this process is one of the command's, which then stands in the commands that are printed."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the experiment that is named first, as its script would.

    Args:
        arguments: Its name, overrides and flags; None for those of the process.

    Returns:
        The exit code.
    """
    global running
    words = list(sys.argv[1:] if arguments is None else arguments)
    known = experiments()
    if not words or words[0] in ("-h", "--help"):
        print(_help(known))
        return 0 if words else 2
    name, *rest = words
    if name not in known:
        print(f"error: mcengine: unknown experiment {name!r}{near(name, known)}; mcengine --help lists them", file=sys.stderr)
        return 2
    running, sys.argv = True, [str(known[name]), *rest]
    sys.path.insert(0, str(EXPERIMENTS))
    try:
        runpy.run_path(str(known[name]), run_name="__main__")
    except SystemExit as done:
        return int(done.code or 0)
    return 0


def experiments() -> dict[str, Path]:
    """Scripts by name."""
    return {file.stem: file for file in sorted(EXPERIMENTS.glob("*.py")) if not file.stem.startswith("_")}


def command(name: str) -> list[str]:
    """The words that start an experiment as this process was started.

    Args:
        name: Of the experiment.
    """
    return ["mcengine", name] if running else ["python", f"experiments/{name}.py"]


def _help(known: dict[str, Path]) -> str:
    lines = [(ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or "").partition("\n")[0] for file in known.values()]
    width = max(map(len, known))
    listed = "\n".join(f"  {name.ljust(width)}  {line}" for name, line in zip(known, lines, strict=True))
    example = "  mcengine hedge policy=cppi policy.multiplier=5\n  mcengine study market=prices data=my.csv\n  mcengine hedge --help"
    return f"usage: mcengine <experiment> [key=value ...]\n\n{listed}\n\nexamples\n{example}"
