"""``--help``: what a script is for, examples, its groups (what is chosen in brackets) and keys."""

import re
import shlex
from pathlib import Path
from typing import Any

from _command_line import CommandLine, script
from _points import described

from mcengine import config as configuration
from mcengine._console import command

_MORE = (["--cfg", "job"], ["-m", "seed=0,1,2"], ["seed=1"])
"""Arguments of further examples, which all scripts take; the first prints the configuration in place of a run."""
_FEWEST = 3
_FOOTER = """\
--config-dir <folder>: configurations of your own by group; <folder>/policy/mine.yaml is policy=mine
--code <file.py>: a module of your own beside the working directory, which a _target_ may name (or MC_CODE=<module>,<module>)
-m: one run for each combination of values, as key=1,2,3 or key=range(1,4); a sweep
--cfg job: the whole configuration, in place of a run
--hydra-help: all flags
"""


def text(name: str, line: CommandLine, doc: str) -> str:
    """What ``--help`` prints.

    Args:
        name: Of the experiment.
        line: Its command line.
        doc: Docstring of the script, its examples included.
    """
    examples = re.findall(r"^python experiments/.*$", doc, re.MULTILINE)
    examples = [one.replace(f"python experiments/{name}.py", shlex.join(command(name))) for one in examples]
    said = re.sub(r"^python experiments/.*\n?", "", doc, flags=re.MULTILINE).strip()
    examples += [script(name, line, more) for more in _MORE][: max(_FEWEST - len(examples), 0)]
    choices, keys = described(name, line)
    width = max(map(len, choices))
    groups = [f"  {group.ljust(width)}  {_options(group, now, line)}" for group, now in choices.items()]
    return "\n".join(
        [
            said,
            "",
            "Examples",
            *(f"  {one}" for one in examples),
            "",
            "Groups, as policy=cppi",
            *groups,
            "",
            "Keys",
            f"  {', '.join(keys)}",
            "",
            _FOOTER,
        ]
    )


def _options(group: str, now: Any, line: CommandLine) -> str:
    folders = [configuration.CONF, *([] if line.config_dir is None else [Path(line.config_dir)])]
    found = sorted({file.stem for folder in folders for file in (folder / group).glob("*.yaml")})
    return ", ".join(f"[{name}]" if name == now else name for name in found)
