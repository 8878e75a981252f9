"""A market as a yaml file, and back: the form of conf/market, every number written with all its digits, so that paths are the same.

A node is a mapping with ``_target_: mcengine.market.<name>`` and its arguments; only what ``mcengine.market`` lists is built, and models of one's own
in a module that ``--code`` or ``MC_CODE`` names.
"""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from mcengine import market as room
from mcengine._noted import note_file
from mcengine._spelling import near
from mcengine._targets import build, is_own, resolve, targets
from mcengine._yaml import read_yaml
from mcengine.market import Market

_PREFIX = "mcengine.market."
SHIPPED = "us.yaml"
"""What experiments/calibrate.py makes of the shipped history."""


def to_yaml(market: Market, *, comment: str = "") -> str:
    """The market as yaml text, every number with all its digits, so that paths are the same.

    Args:
        market: A market of models that ``mcengine.market`` lists, or of one's own.
        comment: Written above it, a line each.

    Raises:
        ValueError: It holds something else.
    """
    import yaml  # type: ignore[import-untyped]

    head = "".join(f"# {line}\n" for line in comment.splitlines())
    return head + yaml.safe_dump(_plain(market, "market"), sort_keys=False, width=150, allow_unicode=True)


def from_file(file: str | Path | None = None) -> Market:
    """The market in a yaml file made by ``to_yaml``.

    Args:
        file: Its path, or None for the shipped one.

    Raises:
        ValueError: The file is no yaml, or holds something that is no market; it is named.

    Example:
        >>> market = mc.calibrate.from_file()
        >>> list(market.assets)
        ['equity', 'bond', 'commodity']
    """
    source = files("mcengine.calibrate") / "data" / SHIPPED if file is None else Path(file)
    if not source.is_file():
        raise ValueError(f"market.file: expected a yaml file made by experiments/calibrate.py, got {str(file)!r} which does not exist")
    try:
        tree = read_yaml(source)
        note_file(source, source.read_bytes())
        for where, target in targets(tree, "market"):
            _check_model(target, where)
        market = build(tree, "market")
    except (ValueError, TypeError) as error:
        raise ValueError(f"market.file: {source.name}: {' '.join(str(error).split())}") from None
    if not isinstance(market, Market):
        raise ValueError(f"market.file: {source.name}: expected _target_: {_PREFIX}Market at the top, got {type(market).__name__}")
    return market


def _plain(value: Any, where: str) -> Any:
    """Only what yaml has: mappings, lists, numbers, text."""
    if isinstance(value, Mapping):
        return {str(k): _plain(v, f"{where}.{k}") for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v, where) for v in value]
    if value is None or isinstance(value, bool | str | int):
        return value
    if isinstance(value, float | np.generic | np.ndarray) or hasattr(value, "__array__"):
        return np.asarray(value, np.float64).tolist()
    name = type(value).__name__
    target = _PREFIX + name if getattr(room, name, None) is type(value) else f"{type(value).__module__}.{type(value).__qualname__}"
    if not target.startswith(_PREFIX) and _own(target) is not type(value):
        raise ValueError(f"{where}: expected something of mcengine.market, got {name}")
    inner = {f.name: getattr(value, f.name) for f in fields(value)}
    given = {k: v for k, v in inner.items() if not _is_default(value, k, v)}
    return {"_target_": target} | {k: _plain(v, f"{where}.{k}") for k, v in given.items()}


def _is_default(owner: Any, name: str, value: Any) -> bool:
    default = next(f.default for f in fields(owner) if f.name == name)
    if isinstance(value, Mapping):
        return not value and default is None
    if value is None or isinstance(value, bool | str):
        return bool(value == default)
    return isinstance(default, int | float) and np.ndim(value) == 0 and not hasattr(value, "__dataclass_fields__") and float(value) == float(default)


def _own(target: str) -> Any:
    """The user's model of that name, in a module that ``--code`` or ``MC_CODE`` names; None where it is none."""
    try:
        found = resolve(target) if is_own(target) else None
    except ValueError:
        return None
    return found if isinstance(found, type) and is_dataclass(found) else None


def _check_model(target: str, where: str) -> None:
    """Raise ``ValueError`` unless it is a class that ``mcengine.market`` lists, or a model of the user's own."""
    name = target.removeprefix(_PREFIX)
    known = [n for n in room.__all__ if isinstance(getattr(room, n), type)]
    if not (target.startswith(_PREFIX) and name in known) and _own(target) is None:
        raise ValueError(f"{where}._target_: expected something of mcengine.market, got {target!r}{near(name, known)}")
