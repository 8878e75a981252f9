"""The command line of an experiment: overrides, Hydra's flags, and ``--code``, which names modules that a ``_target_`` may name too.

Flags work as Hydra documents them, in any place, but for those that are refused by name in ``_REFUSED``.
"""

import hashlib
import json
import os
import re
import shlex
from argparse import ArgumentParser
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NoReturn

from mcengine import _targets
from mcengine import config as configuration
from mcengine._console import command
from mcengine.engine.source import source

_REFUSED = {
    "config_name": "an experiment has one configuration, conf/<its name>.yaml; keep yours in a folder by group and name that by --config-dir",
    "config_path": "an experiment reads mcengine's conf/; keep yours in a folder by group and name that by --config-dir",
    "experimental_rerun": "a pickle is not run; a run goes on with resume=<its folder>",
}
_HYDRA = {
    r"[+~]*hydra\.searchpath\b": "hydra.searchpath: name a folder of configurations by --config-dir",
    r"[+~]*hydra(\.callbacks\b|\.[^=]*_target_|=\s*\{)": "hydra: what Hydra calls is fixed; name a module of your own by --code",
    r"[^=]*@_?(global_\.)?hydra\b": "hydra: a group of configurations is not for Hydra's own settings",
    r"\+hydra\.(?!job\.env_set\b)": "hydra: Hydra reads no settings but its own; leave the + out",
}
"""Overrides that are refused: what they begin with, and why."""
_LONGEST = 80
"""Bytes of what is swept in the name of a run's folder."""
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
    for name in _REFUSED:  # also without the value that Hydra wants
        next(a for a in parser._actions if a.dest == name).nargs = "?"
    found = parser.parse_intermixed_args(list(arguments))
    for name, reason in _REFUSED.items():
        flag = f"--{name.replace('_', '-')}"
        if getattr(found, name) is not None or any(word.partition("=")[0] == flag for word in arguments):
            raise ValueError(f"{flag}: {reason}")
    if sum(map(bool, (found.run, found.multirun, found.cfg, found.info, found.shell_completion))) > 1:
        raise ValueError("expected one of --run, --multirun, --cfg, --info and --shell-completion, got several")
    if (found.resolve and not (found.cfg or found.help)) or (found.package and not found.cfg):
        raise ValueError(f"--{'resolve' if found.resolve else 'package'}: expected --cfg beside it, which it is about")
    for pattern, reason in _HYDRA.items():
        if any(re.match(pattern, override) for override in found.overrides):
            raise ValueError(reason)
    if found.config_dir is not None:
        configuration.check_folder(Path(found.config_dir))
    code = [_targets.module_name(name) for given in found.code for name in given.split(",")]
    multirun = found.multirun or "hydra.mode=MULTIRUN" in found.overrides
    return CommandLine(configuration.spelled_out(found.overrides), multirun, found.config_dir, code, _shown(found))


def script(name: str, line: CommandLine, overrides: Sequence[str]) -> str:
    """The command that runs this again."""
    return shlex.join([*command(name), *line.kept, *overrides])


def quoted(value: str) -> str:
    """Text as the value of an override, in quotes where Hydra would read something else into it."""
    if re.fullmatch(r"[\w./-]+", value, re.ASCII):
        return value
    text = re.sub(r"(\\*)'", r"\1\1\\'", value)
    text = re.sub(r"\\+$", lambda end: 2 * end[0], text).replace("${", "\\${")
    return f"'{text}'"


def folder_name(swept: Mapping[str, str], config: Any) -> str:
    """Name of a sweep's run folder: what is swept, at most ``_LONGEST`` bytes of it, and 8 digits of the hash of the resolved configuration and
    of the files it names.

    Sources of code of the user's own and what the environment gives are part of it: a run of other code is another run.

    Args:
        swept: Values by key, as on the command line.
        config: The run's configuration, Hydra's own settings in it or not.
    """
    saved = configuration.saved(config)
    tree = {key: value for key, value in saved.tree.items() if key != "search"}
    given = [
        tree | configuration.files(saved),
        _sources(tree),
        _slowly(json.dumps(saved.environment, sort_keys=True, default=str)),
        os.environ.get("MC_SMALL") == "1",
    ]
    digest = hashlib.sha256(json.dumps(given, sort_keys=True, default=str).encode()).hexdigest()[:8]
    last = [key.rpartition(".")[2] for key in swept]
    for names in (list(swept), last):
        head = "_".join(f"{_plain(key)}={_plain(shortest(value))}" for key, value in zip(names, swept.values(), strict=True))
        if len(head.encode()) <= _LONGEST:
            break
    return f"{head[:_LONGEST]}_{digest}" if head else digest


def _sources(tree: Any) -> dict[str, str]:
    """Source hashes of the user's own code in a configuration; of none that cannot be read, which its run refuses."""
    found = {}
    for at, target in _targets.targets(tree):
        with suppress(ValueError):
            found |= {target: source(_targets.resolve(target, at))} if _targets.is_own(target) else {}
    return found


@cache
def _slowly(text: str) -> str:
    """A hash that is slow to try: what the environment gives may be a secret."""
    return hashlib.scrypt(text.encode(), salt=b"folder", n=1 << 14, r=8, p=1, dklen=8).hex() if text != "{}" else ""


def shortest(value: str) -> str:
    """A number with no more digits than tell it from its neighbours in a sweep."""
    try:
        return value if re.fullmatch(r"[+-]?\d+", value) else f"{float(value):.12g}"
    except ValueError:
        return value


def _plain(text: str) -> str:
    """A text as a part of a folder's name on any system."""
    inner = re.sub(r"^[^\w+-]+|[^\w+-]+$", "", text, flags=re.ASCII)
    return re.sub(r"[^\w.+-]+", "-", inner, flags=re.ASCII) or "-"


def _shown(found: Any) -> list[str]:
    given = {f"--{name.replace('_', '-')}": getattr(found, name) for name in _SHOWING}
    return [word for flag, value in given.items() if value for word in ([flag] if value is True else [flag, value])]


def _refuse(message: str) -> NoReturn:
    raise ValueError(f"{message}; --hydra-help lists the flags")
