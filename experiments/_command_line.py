"""The command line of an experiment: overrides, Hydra's flags, and ``--code``, which names modules that a ``_target_`` may name too.

Flags work as Hydra documents them, in any place, but for those that are refused by name in ``_REFUSED``.
"""

import shlex
from argparse import ArgumentParser
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from mcengine import _targets
from mcengine import config as configuration

_REFUSED = {
    "config_name": "an experiment has one configuration, conf/<its name>.yaml; keep yours in a folder by group and name that by --config-dir",
    "config_path": "an experiment reads mcengine's conf/; keep yours in a folder by group and name that by --config-dir",
    "experimental_rerun": "a pickle is not run; a run goes on with resume=<its folder>",
}
_SHOWING = ("help", "hydra_help", "cfg", "resolve", "package", "shell_completion", "info")


@dataclass(frozen=True)
class CommandLine:
    """What was asked. ``kept`` are the flags that a run that goes on needs again; ``shown`` those that show something in place of a run."""

    overrides: list[str]
    multirun: bool
    config_dir: str | None
    code: list[str]
    shown: list[str]

    @property
    def kept(self) -> list[str]:
        where = [] if self.config_dir is None else ["--config-dir", self.config_dir]
        return where + [word for name in self.code for word in ("--code", name)]

    @property
    def hydra(self) -> list[str]:
        """Flags for Hydra itself."""
        where = [] if self.config_dir is None else ["--config-dir", self.config_dir]
        return where + ["--multirun"] * self.multirun + self.shown


def read(arguments: Sequence[str]) -> CommandLine:
    """The command line taken apart.

    Raises:
        ValueError: a flag that is unknown or refused, a folder or a module that cannot be used.
    """
    from hydra._internal.utils import get_args_parser  # the very parser of hydra.main: names, short forms, choices

    parser: ArgumentParser = get_args_parser()
    parser.add_argument("--code", action="append", default=[])
    parser.error = _refuse  # type: ignore[method-assign]
    found = parser.parse_intermixed_args(list(arguments))
    for name, reason in _REFUSED.items():
        if getattr(found, name) is not None:
            raise ValueError(f"--{name.replace('_', '-')}: {reason}")
    if sum(map(bool, (found.run, found.multirun, found.cfg, found.info, found.shell_completion))) > 1:
        raise ValueError("expected one of --run, --multirun, --cfg, --info and --shell-completion, got several")
    if (found.resolve and not (found.cfg or found.help)) or (found.package and not found.cfg):
        raise ValueError(f"--{'resolve' if found.resolve else 'package'}: expected --cfg beside it, which it is about")
    if any(o.lstrip("+~").startswith("hydra.searchpath") for o in found.overrides):
        raise ValueError("hydra.searchpath: name a folder of configurations by --config-dir")
    if found.config_dir is not None:
        configuration.check_folder(Path(found.config_dir))
    code = [_targets.module_name(name) for given in found.code for name in given.split(",")]
    multirun = found.multirun or "hydra.mode=MULTIRUN" in found.overrides
    return CommandLine(configuration.spelled_out(found.overrides), multirun, found.config_dir, code, _shown(found))


def script(name: str, line: CommandLine, overrides: Sequence[str]) -> str:
    """The command that runs this again."""
    return shlex.join(["python", f"experiments/{name}.py", *line.kept, *overrides])


def _shown(found: Any) -> list[str]:
    given = {f"--{name.replace('_', '-')}": getattr(found, name) for name in _SHOWING}
    return [word for flag, value in given.items() if value for word in ([flag] if value is True else [flag, value])]


def _refuse(message: str) -> NoReturn:
    raise ValueError(f"{message}; --hydra-help lists the flags")
