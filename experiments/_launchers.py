"""Hydra's own launchers: whether one is installed, and what the processes that it starts need."""

import os
from contextlib import AbstractContextManager
from importlib.util import find_spec
from pathlib import Path

from _command_line import CommandLine

from mcengine import config as configuration
from mcengine._runtime import environment

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


def importable() -> AbstractContextManager[None]:
    """While it lasts, processes that are started can import the scripts and mcengine."""
    before = os.environ.get("PYTHONPATH")
    here = [str(Path(__file__).resolve().parent), str(Path(configuration.__file__).parents[2])]  # never the package's own folder: it has a statistics
    return environment("PYTHONPATH", os.pathsep.join([*here, *([before] if before else [])]))
