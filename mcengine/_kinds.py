"""What a value may be, by the annotation of the argument that it is for: checked on plain data, before anything is built.

``Scalar`` is ``Annotated[Any, float]``: any number to the type checker, a number in a file. A class of mcengine is a node with a ``_target_``, or an
object; a ``TypedDict`` a mapping with these keys and no others. What an annotation leaves open, or a library's or user's own class, is not checked.
"""

import math
import numbers
import types
import typing
from collections.abc import Iterable, Mapping
from datetime import date, time
from functools import cache
from pathlib import PurePath
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import numpy as np

from mcengine._spelling import near

_PLAIN = (bool, int, float, str, bytes, list, tuple, Mapping, set, frozenset, date, time, PurePath, type(None))
"""What a file or a command line can hold; anything else is an object of Python's."""

_LARGEST = 1 << 63
_SHOWN = 80  # characters of a value that a message repeats
_WORDS: dict[Any, str] = {float: "a number", int: "a whole number", bool: "true or false", str: "text", type(None): "nothing", PurePath: "text"}
_MANY: dict[Any, str] = {float: "numbers", int: "whole numbers", bool: "truth values", str: "texts"}
_AS: dict[Any, str] = {float: "[0.7,0.9]", int: "[1,2]", str: "[a,b]"}


@cache
def kinds(call: Any) -> dict[str, Any]:
    """Annotations by name: of a function's arguments, of a class's fields."""
    try:
        return typing.get_type_hints(call, include_extras=True)
    except (NameError, TypeError, AttributeError):  # of a user's own, with names that only a type checker knows
        return {}


def is_plain(value: Any) -> bool:
    """Whether a value is what a file can hold, and no object of Python's."""
    return isinstance(value, _PLAIN) and not hasattr(value, "_fields")


def as_array(value: Any, where: str) -> np.ndarray:
    """Numbers, or lists of them of one length, as float64. Raises ``ValueError`` for anything else."""
    try:
        found = np.asarray(value)
        if found.dtype.kind in "fiu":
            return found.astype(np.float64)
    except (ValueError, OverflowError):  # lists of several lengths
        pass
    raise ValueError(f"{where}: expected numbers, got {shown(value)}")


def check_kind(value: Any, kind: Any, where: str) -> None:
    """Check plain data by an annotation.

    Args:
        value: Of a file, an override or an argument; a mapping with a ``_target_`` is what it builds.
        kind: The annotation.
        where: Dotted key, for messages.

    Raises:
        ValueError: It is of another kind; of a mapping or a list, naming the item.
    """
    kind = _bare(kind)
    origin, inner = get_origin(kind), get_args(kind)
    if kind is Any:
        return
    if origin in (Union, types.UnionType):
        _check_union(value, inner, kind, where)
    elif not _outer(value, kind):
        raise ValueError(f"{where}: expected {words(kind)}, got {shown(value)}")
    elif kind is float and isinstance(value, int | float) and not _is_finite(value):
        raise ValueError(f"{where}: expected a finite number, got {shown(value)}")
    elif typing.is_typeddict(kind):
        if missing := [key for key in kinds(kind) if key in kind.__required_keys__ and key not in value]:
            raise ValueError(f"{where}.{missing[0]}: expected {words(kinds(kind)[missing[0]])}, got nothing")
        check_keys(value, kinds(kind), where)
    elif isinstance(value, Mapping) and "_target_" not in value and len(inner) == 2:
        for key, item in value.items():
            if inner[0] is str and not isinstance(key, str):
                raise ValueError(f"{where}: expected names, which are text, got {shown(key)}")
            check_kind(item, inner[1], f"{where}.{key}")
    elif isinstance(value, list | tuple) and (len(inner) == 1 or inner[1:] == (Ellipsis,)):
        for index, item in enumerate(value):
            check_kind(item, inner[0], f"{where}[{index}]")


def check_keys(given: Mapping[Any, Any], known: Mapping[str, Any], where: str = "") -> None:
    """Check the values of a mapping whose keys are known.

    Args:
        given: The mapping.
        known: Annotations by key.
        where: Its dotted key, for messages.

    Raises:
        ValueError: An unknown key, with the near names, or a value of another kind.
    """
    for key, item in given.items():
        name = f"{where}.{key}" if where else str(key)
        if key not in known:
            raise ValueError(f"unknown key {name!r}{near(key, known)}")
        check_kind(item, known[key], name)


def words(kind: Any) -> str:
    """An annotation in words: ``a list of numbers``."""
    kind = _bare(kind)
    origin, inner = get_origin(kind) or kind, get_args(kind) or (Any, Any)
    if kind in _WORDS:
        return _WORDS[kind]
    if origin in (Union, types.UnionType):
        return " or ".join(dict.fromkeys(words(k) for k in inner if k is not type(None) or len(inner) == 1))
    if origin is Literal:
        return " or ".join(repr(value) for value in inner)
    if typing.is_typeddict(kind):
        return f"a mapping with {', '.join(kinds(kind))}"
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return f"{_several(inner[1])} by name, as {{equity: ...}}"
    if isinstance(origin, type) and issubclass(origin, Iterable):
        return f"a list of {_several(inner[0])}, as {_AS.get(_bare(inner[0]), '[[1,0],[0,1]]')}"
    if isinstance(kind, type) and issubclass(kind, PurePath):
        return "text"
    name = str(getattr(kind, "__name__", kind)).removeprefix("Abstract")
    return f"{'an' if name[0] in 'AEIOU' else 'a'} {name}, as {{_target_: ...}}"


def shown(value: Any) -> str:
    """A value as a message repeats it: short, on one line."""
    if value is None:
        return "nothing"
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= _LARGEST:
        return f"a number of {len(hex(abs(value))) * 1.2:.0f} digits"
    if isinstance(value, Mapping) and "_target_" in value:
        return f"what {value['_target_']} builds"
    text = " ".join(repr(value).split())
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 4]} ..."


def _bare(kind: Any) -> Any:
    """Of ``Annotated[Any, kind]`` the kind: the type checker sees any."""
    if get_origin(kind) is Annotated:
        seen = get_args(kind)[0]
        return _bare(kind.__metadata__[0] if seen is Any else seen)
    return type(None) if kind is None else kind


def _several(kind: Any) -> str:
    return _MANY.get(_bare(kind), "lists of numbers" if get_origin(_bare(kind)) else "parts")


def _check_union(value: Any, members: tuple[Any, ...], kind: Any, where: str) -> None:
    refused = ValueError(f"{where}: expected {words(kind)}, got {shown(value)}")
    for member in members:
        if _outer(value, _bare(member)):
            try:
                check_kind(value, member, where)
            except ValueError as error:
                refused = error
            else:
                return
    raise refused


def _outer(value: Any, kind: Any) -> bool:
    """Whether a value is of a kind, whatever it holds."""
    origin = get_origin(kind) or kind
    if origin is Literal:
        return any(value == allowed and type(value) is type(allowed) for allowed in get_args(kind))
    if typing.is_typeddict(kind):
        return isinstance(value, Mapping)
    if kind in (Any, object) or not isinstance(origin, type):
        return True
    if kind in _WORDS:
        return _is(value, kind)
    if issubclass(origin, PurePath):
        return isinstance(value, str | PurePath)
    if issubclass(origin, Mapping):
        return isinstance(value, Mapping) and "_target_" not in value
    if issubclass(origin, Iterable) and origin.__module__ in ("builtins", "collections.abc"):
        return isinstance(value, list | tuple) or not is_plain(value)
    if not origin.__module__.startswith("mcengine") or (isinstance(value, Mapping) and "_target_" in value):
        return True
    return isinstance(value, origin) if getattr(origin, "_is_runtime_protocol", True) else not is_plain(value)


def _is(value: Any, kind: Any) -> bool:
    """Whether a value is a finite number, a whole one, true or false, text or null; what a user's own function builds may be any of them."""
    if isinstance(value, Mapping) and "_target_" in value:
        return not str(value["_target_"]).startswith(("mcengine.", "optax."))
    if kind is float:
        return isinstance(value, numbers.Number) and not isinstance(value, bool) if is_plain(value) else hasattr(value, "dtype")
    if kind is int:
        return isinstance(value, int | np.integer) and not isinstance(value, bool) and abs(int(value)) < _LARGEST
    return isinstance(value, kind) or (kind is bool and type(value).__name__ == "bool")  # NumPy's own too


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(float(value))
    except OverflowError:  # of a whole number
        return False
