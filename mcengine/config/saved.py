"""A configuration as plain data: resolved, or as it may be kept in a file."""

import hashlib
from collections.abc import Iterator, Mapping
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import yaml  # type: ignore[import-untyped]


def plain(config: Any) -> dict[str, Any]:
    """A configuration as plain dicts, every interpolation resolved.

    Args:
        config: A configuration.
    """
    from omegaconf import OmegaConf

    container = OmegaConf.to_container(config, resolve=True)
    assert isinstance(container, dict)
    return {str(key): value for key, value in container.items()}


class Saved(NamedTuple):
    """A configuration as it may be kept in a file.

    Args:
        tree: Plain dicts, every interpolation resolved but those that read the environment, which stay as they are written.
        environment: What those stand for now, by dotted key.
        hidden: Texts that were read from the environment, each with the interpolation it came from.
    """

    tree: dict[str, Any]
    environment: dict[str, Any]
    hidden: dict[str, str]


def saved(config: Any) -> Saved:
    """A configuration as it may be kept in a file: what was read from the environment stays an interpolation.

    Args:
        config: A configuration.
    """
    from omegaconf import Container, ListConfig, OmegaConf
    from omegaconf.resolvers import oc

    out, heard = Saved({}, {}, {}), {}

    def listening(key: str, *default: Any) -> Any:
        heard[key] = oc.env(key, *default)
        return heard[key]

    def kept(node: Any, key: Any, name: str) -> Any:
        heard.clear()
        value, raw = node[key], node._get_node(key)
        if heard:
            out.environment[name] = OmegaConf.to_container(value, resolve=True) if isinstance(value, Container) else value
            out.hidden.update({str(text): f"${{oc.env:{variable}}}" for variable, text in heard.items()})
            out.hidden.update({str(value): raw._value()} if "oc.env" in raw._value() else {})
            return raw._value()
        if not isinstance(value, Container):
            return value
        inner = list(range(len(value))) if isinstance(value, ListConfig) else list(value)
        found = {k: kept(value, k, f"{name}.{k}") for k in inner}
        return list(found.values()) if isinstance(value, ListConfig) else found

    OmegaConf.register_new_resolver("oc.env", listening, replace=True)
    try:
        out.tree.update({str(key): kept(config, key, str(key)) for key in config if key != "hydra"})
    finally:
        OmegaConf.register_new_resolver("oc.env", oc.env, replace=True)
    return out


def files(found: Saved) -> dict[str, Any]:
    """Hashes of the files that a configuration names: a run of one of them is not that of another.

    Args:
        found: What ``saved`` gave.

    Returns:
        ``{"files": {dotted key: hash}}``; empty where it names none.
    """
    hashes = {key: hashed for key, text in texts({**found.tree, **found.environment}) if (hashed := content(text)) is not None}
    return {"files": hashes} if hashes else {}


def content(text: str) -> str | None:
    """Hash of the file of that name; None where there is none.

    Args:
        text: Of a configuration.
    """
    try:
        file = Path(text)
        if not file.is_file():
            return None
        state = file.stat()
        return _hash(file.resolve(), state.st_mtime_ns, state.st_size, state.st_ino)
    except (OSError, ValueError):
        return None


@lru_cache(maxsize=64)
def _hash(file: Path, *state: int) -> str:
    """Of a file in a state: the points of a sweep name the same."""
    return hashlib.sha256(file.read_bytes()).hexdigest()


def texts(tree: Any, prefix: str = "") -> Iterator[tuple[str, str]]:
    """(dotted key, text) at any depth.

    Args:
        tree: Plain dicts, lists and values.
        prefix: Of the keys.
    """
    if isinstance(tree, str):
        yield prefix, tree
    inner = tree.items() if isinstance(tree, Mapping) else enumerate(tree) if isinstance(tree, list | tuple) else ()
    for key, value in inner:
        yield from texts(value, f"{prefix}.{key}" if prefix else str(key))


def as_yaml(config: Any) -> str:
    """A configuration as yaml text, interpolations as they are.

    Args:
        config: A configuration, or plain dicts.
    """
    from omegaconf import OmegaConf

    tree = OmegaConf.to_container(config, resolve=False) if OmegaConf.is_config(config) else config
    return str(yaml.dump(tree, Dumper=_dumper(), default_flow_style=False, allow_unicode=True, sort_keys=False))


@cache
def _dumper() -> Any:
    """OmegaConf's own way to write yaml, by the fast writer where there is one: ten times as fast."""
    from omegaconf._utils import get_omega_conf_dumper

    own = get_omega_conf_dumper()
    fast: Any = type("Dumper", (getattr(yaml, "CDumper", yaml.Dumper),), {})
    fast.add_representer(str, own.str_representer)
    return fast
