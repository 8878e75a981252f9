"""A run that goes on: from which folder, with which overrides, and that it is the same run."""

import hashlib
import json
import re
import secrets
import shlex
from pathlib import Path
from typing import Any

from _command_line import CommandLine, quoted, script

from mcengine import config as configuration
from mcengine.report import RunFolder
from mcengine.report.run_folder import as_json, differing

_HOSTS = ("engine.platform", "engine.hosts", *(f"engine.hosts.{key}" for key in ("coordinator", "processes", "process")))
FREE = ("plots", "outcomes", "paths", "until.metric", "until.error", "seconds", "engine.block", "engine.devices", "engine.memory", *_HOSTS)
"""What may differ in a run that goes on: how far it is to go, and what changes no path's numbers."""
_LONGEST = 10_000  # characters of an override; its parser takes seconds for more


def resumed(name: str, line: CommandLine) -> list[str]:
    """The overrides with ``resume=<folder>`` replaced by those of the run there, before the others, and by its folder."""
    given = [value(o) for o in line.overrides if o.startswith("resume=") and o != "resume=null"]
    if not given:
        return line.overrides
    if line.multirun:
        raise ValueError("resume: expected one run; a sweep goes on when it is started again with hydra.sweep.dir=<its folder>")
    folder = RunFolder(Path(given[-1]).absolute())
    begun = folder.begun()
    if not begun:
        raise ValueError(f"resume: expected the folder of a run of experiments/{name}.py, got {given[-1]}")
    if begun["experiment"] != name:
        raise ValueError(f"resume: {given[-1]} is a run of experiments/{begun['experiment']}.py, not of {name}.py")
    if (flags := begun["flags"]) and not line.kept:  # a file in a run folder adds no code and no configurations: the command line does
        raise ValueError(f"resume: the run in {given[-1]} was begun with {shlex.join(flags)}; give that again")
    for override in begun["overrides"]:
        _check(override, folder.path / "begun.json")
    rest = [o for o in line.overrides if not o.startswith(("resume=", "hydra.run.dir="))]
    return [*begun["overrides"], *rest, f"hydra.run.dir={quoted(str(folder.path))}"]


def value(override: str) -> str:
    """What an override sets, without the quotes around it."""
    found = override.partition("=")[2]
    return found[1:-1].replace("\\'", "'") if found[:1] == found[-1:] == "'" else found


def kept(config: Any, saved: configuration.Saved, folder: RunFolder) -> dict[str, Any]:
    """The configuration as it may be kept, with what says which run it is: hashes of code of one's own, of the files it names, and of what
    the environment gave.

    The hash is salted and slow to try: what is in the environment may be a secret.
    """
    values = {key: found for key, found in saved.environment.items() if key not in FREE}
    before = folder.begun().get("config", {}).get("environment") if values else None
    salt = before.get("salt") if isinstance(before, dict) else None
    salt = salt if isinstance(salt, str) else secrets.token_hex(8)
    environment = {"environment": {"salt": salt, **{key: _hashed(found, salt) for key, found in values.items()}}} if values else {}
    return {**saved.tree, **configuration.sources(config), **configuration.files(saved), **environment}


def resumable(folder: RunFolder, config: dict[str, Any]) -> bool:
    """Whether the folder holds a run of this configuration that may go on. Raises ``ValueError`` with what differs when it holds another's."""
    begun = folder.begun()
    if not begun or not folder.holds_run:
        return False
    if found := differing(begun["config"], as_json(config), FREE):
        finished = "finished" if (folder.path / "metrics.json").is_file() else "stopped"
        other = "choose a folder of its own, or remove that one"
        raise ValueError(f"{folder.path} holds the {finished} run of another configuration: {found}; {other}")
    return True


def how_to_go_on(name: str, folder: RunFolder, line: CommandLine) -> str:
    """The command, where something was finished."""
    return f"; go on with: {script(name, line, [f'resume={folder.path}'])}" if folder.has_blocks else ""


def _hashed(value: Any, salt: str) -> str:
    return hashlib.scrypt(json.dumps(value).encode(), salt=salt.encode(), n=1 << 14, r=8, p=1, dklen=8).hex()


def _check(override: str, file: Path) -> None:
    """Raise ``ValueError`` unless an override that a file holds is one of a single run's configuration."""
    if override.startswith("-"):
        raise ValueError(f"{file} is damaged: it has settings of Hydra itself")
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    try:
        found = None if len(override) > _LONGEST else OverridesParser.create().parse_override(override)
    except (HydraException, RecursionError):
        found = None
    if found is None:
        raise ValueError(f"{file} is damaged: overrides: cannot read {override!r:.80}") from None
    if "hydra" in re.split(r"[./@:]", f"{found.key_or_group}@{found.package or ''}"):
        raise ValueError(f"{file} is damaged: it has settings of Hydra itself")
    if found.is_sweep_override():
        raise ValueError(f"{file} is damaged: overrides: expected those of one run, got {override!r:.80}")
