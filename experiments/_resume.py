"""A run that goes on: from which folder, with which overrides, and that it is the same run."""

import re
import shlex
from pathlib import Path
from typing import Any

from _command_line import CommandLine, script

from mcengine import config as configuration
from mcengine.engine.identity import differences, summarise
from mcengine.report import RunFolder
from mcengine.report.run_folder import as_json, read_json

_HOSTS = ("engine.platform", "engine.hosts", *(f"engine.hosts.{key}" for key in ("coordinator", "processes", "process")))
FREE = ("plots", "paths", "until.metric", "until.error", "seconds", "engine.block", "engine.devices", "engine.memory", *_HOSTS)
"""What may differ in a run that goes on: how far it is to go, and what changes no path's numbers."""


def resumed(name: str, line: CommandLine) -> list[str]:
    """The overrides with ``resume=<folder>`` replaced by those of the run there, before the others, and by its folder."""
    given = [value(o) for o in line.overrides if o.startswith("resume=") and o != "resume=null"]
    if not given:
        return line.overrides
    if line.multirun:
        raise ValueError("resume: expected one run; a sweep goes on when it is started again with hydra.sweep.dir=<its folder>")
    folder = Path(given[-1]).absolute()
    begun = read_json(folder / "begun.json")
    if not begun:
        raise ValueError(f"resume: expected the folder of a run of experiments/{name}.py, got {given[-1]}")
    if begun["experiment"] != name:
        raise ValueError(f"resume: {given[-1]} is a run of experiments/{begun['experiment']}.py, not of {name}.py")
    if (flags := begun.get("flags")) and not line.kept:  # a file in a run folder adds no code and no configurations: the command line does
        raise ValueError(f"resume: the run in {given[-1]} was begun with {shlex.join(flags)}; give that again")
    if any(re.match(r"-|[+~]*hydra\b|[^=]*@[^=]*\bhydra\b", o) for o in begun["overrides"]):
        raise ValueError(f"resume: {folder / 'begun.json'} is damaged: it has settings of Hydra itself")
    rest = [o for o in line.overrides if not o.startswith(("resume=", "hydra.run.dir="))]
    quoted = str(folder).replace("'", "\\'")
    return [*begun["overrides"], *rest, f"hydra.run.dir='{quoted}'"]


def value(override: str) -> str:
    """What an override sets, without the quotes around it."""
    found = override.partition("=")[2]
    return found[1:-1].replace("\\'", "'") if found[:1] == found[-1:] == "'" else found


def resumable(folder: RunFolder, config: dict[str, Any]) -> bool:
    """Whether the folder holds a run of this configuration that may go on. Raises ``ValueError`` with what differs when it holds another's."""
    begun = read_json(folder.path / "begun.json")
    if not begun or not folder.has_blocks:
        return False
    old, new = (configuration.flat(c) for c in (begun["config"], as_json(config)))
    found = differences({k: v for k, v in old.items() if k not in FREE}, {k: v for k, v in new.items() if k not in FREE})
    if found:
        finished = "finished" if (folder.path / "metrics.json").is_file() else "stopped"
        raise ValueError(f"{folder.path} holds the {finished} run of another configuration: {summarise(found)}; choose a folder of its own")
    return True


def how_to_go_on(name: str, folder: RunFolder, line: CommandLine) -> str:
    """The command, where something was finished."""
    return f"; go on with: {script(name, line, [f'resume={folder.path}'])}" if folder.has_blocks else ""
