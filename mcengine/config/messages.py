"""What Hydra and OmegaConf refuse, in one line that a user can act on."""

import re
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path

from mcengine._config_dir import CONF
from mcengine._files import flat
from mcengine._kinds import shown
from mcengine._spelling import near
from mcengine._yaml import problem
from mcengine.config.compose import compose, unreadable


def explain(error: BaseException, overrides: Sequence[str], name: str, config_dir: str | Path | None = None) -> str:
    """One line for an error of Hydra or OmegaConf: what was not understood, and the names nearest to it.

    Args:
        error: That was raised.
        overrides: As on the command line.
        name: Of the experiment.
        config_dir: A folder of configurations of one's own.
    """
    from hydra.errors import MissingConfigException, OverrideParseException
    from yaml import YAMLError  # type: ignore[import-untyped]

    text = str(error)
    if isinstance(error, RecursionError):
        return "an override or a configuration is nested too deep, or in a circle"
    if type(error) is ValueError and not text.startswith("Config group override"):
        unread = re.match(r"unknown key '([^']+)'", text)
        return (unread and _of_study(unread.group(1), overrides, name)) or text
    if isinstance(error, YAMLError):
        return f"a configuration is not yaml: {problem(error)}"
    if text.startswith("Config group override") or isinstance(error, TypeError):
        given = [o.partition("=") for o in overrides]
        group = next((g for g, _, value in given if g and (CONF / g).is_dir() and (value == "null" or not value.isidentifier())), None)
        if group is not None:
            return f"{group}: expected the name of a configuration in conf/{group}, got no text; an option of it is {group}.<key>=<value>"
    if (there := re.search(r"already at '([^']+)'", text)) is not None:
        return f"{there.group(1)}: expected without +, for it is there already"
    if (twice := re.match(r"Multiple values for ([^\s.]+)\. To override", text)) is not None:
        return f"{twice.group(1)}: expected without +, for it is there already"
    if text.startswith("Ambiguous value"):
        override = text.splitlines()[0].rpartition("argument ")[2]
        return f"{override}: several values need -m, which makes one run of each; a list is written key=[a,b]"
    if isinstance(error, OverrideParseException):
        read = str(error.override)
        typed = next((o for o in overrides if o == read.removeprefix("+")), read)
        said = "expected key=value" if read.isidentifier() else text.splitlines()[0][:200]  # Hydra says no more than that it could not
        return f"cannot read the override {shown(typed)}: {said}"
    if isinstance(error, MissingConfigException) and error.options:
        group, _, option = str(error.missing_cfg_file).rpartition("/")
        return f"unknown {group} {option!r}{near(option, error.options)}"
    if (kept := re.search(r"delete from config. The value of '([^']+)' is (.*) and not", text)) is not None:
        return f"~{kept.group(1)}: expected its value, {kept.group(2)}, or none"
    unknown = re.search(r"Could not (?:override|delete from config|append to config)[^']*'([^']+)'", text)
    if unknown is None:
        where = str(getattr(error, "full_key", None) or "")
        return ": ".join(part.splitlines()[0] for part in (where, text, str(error.__cause__ or "")) if part)
    key = unknown.group(1)
    inner = re.search(r"full_key: (\S+)", str(error.__cause__ or ""))
    key = inner.group(1) if inner else key
    if told := _of_study(key, overrides, name):
        return told
    if "delete from config" in text and key in _keys([], name, config_dir):
        return f"~{key}: expected a key that has a value, got one that is null"
    others = [o for o in overrides if o.lstrip("+~").split("=")[0].split("@")[0] != key]
    return f"unknown key {key!r}{_near_keys(key, _keys(others, name, config_dir))}"


def _of_study(key: str, overrides: Sequence[str], name: str) -> str:
    """What is to be said of a study by name that sets a key which the experiment does not read, or where it takes none; empty for any other key."""
    if key == "experiment":
        return f"experiment: expected none, for experiments/{name}.py is on stated numbers"
    given = {o.lstrip("+~").partition("=")[0].partition("@")[0]: o.partition("=")[2] for o in overrides}
    if given.get("experiment") is None or any(f"{word}.".startswith(f"{key.partition('.')[0]}.") for word in given):
        return ""
    return f"experiment={given['experiment']}: sets {key}, which experiments/{name}.py does not read: it is a study of other experiments"


def _near_keys(key: str, known: Sequence[str]) -> str:
    """A key of that name within a node, where none is given; what its node has, where there is such a node; else keys spelled like it."""
    parent, _, last = key.rpartition(".")
    siblings = [k.rpartition(".")[2] for k in known if k.rpartition(".")[0] == parent and not k.endswith("_")]
    close = [] if parent else [k for k in known if k.rpartition(".")[2] == last][:3]
    close = close or get_close_matches(last, siblings, n=2, cutoff=0.6)
    if not close and parent not in known:
        close = get_close_matches(key, known, n=2, cutoff=0.6)
        parent = ""
    if close:
        return f"; did you mean {' or '.join(f'{parent}.{c}' if parent else c for c in close)}?"
    return f"; known: {', '.join(siblings or known)}"


def _keys(overrides: Sequence[str], name: str, config_dir: str | Path | None) -> list[str]:
    """Every key of the configuration, groups included; without the overrides where they do not compose."""
    from omegaconf import OmegaConf

    for attempt in (list(overrides), []):
        try:
            container = OmegaConf.to_container(compose(attempt, name, config_dir), resolve=False)
        except unreadable():
            continue
        assert isinstance(container, dict)
        known = list(flat({str(k): v for k, v in container.items()}))
        nodes = {".".join(k.split(".")[:i]) for k in known for i in range(1, k.count(".") + 1)}
        return sorted(nodes) + known
    return []
