"""Frozen dataclasses whose numbers are arrays: the ``@model`` every parameterised thing in the engine is.

A number given as a Python float becomes a float64 array at construction, so a second call with new numbers meets the same
compiled program and every number has a derivative. Numbers, dicts of numbers and nested models are pytree leaves, in the order
they were given (JAX itself would sort a dict's keys); fields made with ``static`` are part of the program.
"""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from types import UnionType
from typing import Annotated, Any, TypeAlias, TypeVar, Union, dataclass_transform, get_args, get_origin

import jax
import numpy as np

from mcengine._kinds import as_array, check_kind, is_plain, kinds, shown
from mcengine._spelling import near

Scalar: TypeAlias = Annotated[Any, float]
"""A number of one path: a Python float, a NumPy or JAX scalar, or a tracer."""

_ONE = (float, Scalar, Scalar | None)

T = TypeVar("T")
_MISSING = dataclasses.MISSING


def static(*, default: Any = _MISSING) -> Any:
    """A field that is part of the program: a name, a count, a switch.

    Args:
        default: Where none is given; hashable, like every value of it.
    """
    return dataclasses.field(default=default, metadata={"static": True})


def number(
    *,
    default: Any = _MISSING,
    above: float | None = None,
    low: float | None = None,
    high: float | None = None,
    below: float | None = None,
    term: bool = False,
    flat: bool = False,
    pathwise: bool = True,
) -> Any:
    """A numeric field, or a dict of numbers or models, with its range.

    Args:
        default: Where none is given.
        above: x > above.
        low: x >= low.
        high: x <= high.
        below: x < below.
        term: Whether it is a term of a contract, which is never trained unless named.
        flat: Whether a dict's items are named without the field: ``policy.cppi``, not ``policy.stages.cppi``.
        pathwise: Whether the outcome is continuous in it; else a pathwise derivative would be biased and is refused.

    Example:
        >>> import mcengine as mc
        >>> mc.policy.Cppi(floor=-0.1)
        Traceback (most recent call last):
        ValueError: Cppi.floor: expected a number not below 0, got -0.1
    """
    bounds = {k: v for k, v in {"above": above, "low": low, "high": high, "below": below}.items() if v is not None}
    return dataclasses.field(default=default, metadata={"bounds": bounds, "term": term, "flat": flat, "pathwise": pathwise})


def _is_static(field: dataclasses.Field) -> bool:
    return bool(field.metadata.get("static", False))


def _as_numbers(value: Any, where: str) -> Any:
    if isinstance(value, bool | str):
        raise ValueError(f"{where}: expected a number, got {value!r}")
    if is_plain(value) and not isinstance(value, int | float | list | tuple | Mapping):
        raise ValueError(f"{where}: expected a number, got {shown(value)}")
    if isinstance(value, jax.Array) and not isinstance(value, jax.core.Tracer):
        value = np.asarray(value)  # a computed number is checked like a given one
    if isinstance(value, int | float | np.generic | np.ndarray | list | tuple) and not hasattr(value, "_fields"):
        plain = as_array(value, where)
        return plain.astype(np.float64)
    if isinstance(value, Mapping):
        return {name: _as_numbers(item, f"{where}.{name}") for name, item in value.items()}
    return value


def _check_single(value: Any, kind: Any, where: str) -> None:
    """Of what is annotated as a number, or numbers by name, none is a list."""
    if get_origin(kind) is dict and isinstance(value, Mapping):
        for name, item in value.items():
            _check_single(item, get_args(kind)[1], f"{where}.{name}")
    elif kind in _ONE and isinstance(value, np.ndarray) and value.ndim:
        raise ValueError(f"{where}: expected a number, got {value.size} of them")


def _check_bounds(value: Any, bounds: Mapping[str, float], where: str) -> None:
    if isinstance(value, Mapping):
        for name, item in value.items():
            _check_bounds(item, bounds, f"{where}.{name}")
        return
    if not isinstance(value, np.ndarray):
        return
    if not np.all(np.isfinite(value)):
        raise ValueError(f"{where}: expected a finite number, got {value}")
    tests = {
        "above": (lambda x, b: x > b, "a number above"),
        "below": (lambda x, b: x < b, "a number below"),
        "low": (lambda x, b: x >= b, "a number not below"),
        "high": (lambda x, b: x <= b, "a number not above"),
    }
    for kind, bound in bounds.items():
        holds, words = tests[kind]
        if not np.all(holds(value, bound)):
            raise ValueError(f"{where}: expected {words} {bound:g}, got {value}")


def is_concrete(tree: Any) -> bool:
    """Whether every leaf is a plain number, so that it can be checked.

    Args:
        tree: Any pytree.
    """
    return all(isinstance(leaf, np.ndarray | np.generic | float | int) for leaf in jax.tree.leaves(tree))


def _by_name(kind: Any) -> bool:
    """Whether an annotation is of a dict, or of one or nothing."""
    members = get_args(kind) if get_origin(kind) in (Union, UnionType) else (kind,)
    return all(dict in (one, get_origin(one)) for one in members if one is not type(None))


def _normalise(self: Any) -> None:
    cls: Any = type(self)
    name, annotated = cls.__name__, kinds(cls)
    for field in dataclasses.fields(self):  # before ``canonical``, which may count on a mapping
        value = getattr(self, field.name)
        if _by_name(annotated.get(field.name)) and not isinstance(value, Mapping) and not (value is None and field.default is None):
            raise ValueError(f"{name}.{field.name}: expected a dict by name, got {shown(value)}")
    canonical = getattr(self, "canonical", None)
    if canonical is not None:
        for field_name, value in canonical().items():
            object.__setattr__(self, field_name, value)
    for field in dataclasses.fields(self):
        value, where = getattr(self, field.name), f"{name}.{field.name}"
        if _is_static(field):
            check_kind(value, annotated.get(field.name, Any), where)
            continue
        if value is None and field.default is None:
            continue
        if value is None:
            raise ValueError(f"{where}: expected a number, got nothing")
        kind = annotated.get(field.name, Any)
        check_kind(value, kind, where)
        value = _as_numbers(value, where)
        _check_single(value, kind, where)
        object.__setattr__(self, field.name, value)
        _check_bounds(value, field.metadata.get("bounds", {}), where)
    check = getattr(self, "check", None)
    if check is not None and is_concrete(self):
        with np.errstate(all="ignore"):  # a number beyond all sense is refused, or found on the paths
            check()


def _items(field: dataclasses.Field, value: Any) -> Iterator[tuple[str, Any]]:
    """A numeric field's children by name: itself, or a dict's items one by one in the order given."""
    if isinstance(value, dict):
        prefix = "" if field.metadata.get("flat") else f"{field.name}."
        yield from ((prefix + key, item) for key, item in value.items())
    else:
        yield field.name, value


def _children(self: Any) -> Iterator[tuple[str, Any]]:
    for field in dataclasses.fields(self):
        if not _is_static(field):
            yield from _items(field, getattr(self, field.name))


def _shape(self: Any) -> tuple:
    """What is not numbers: static values, and the keys of dict fields."""
    out: list[Any] = []
    for field in dataclasses.fields(self):
        value = getattr(self, field.name)
        if _is_static(field):
            out.append(value)
        else:
            out.append(tuple(value) if isinstance(value, dict) else None)
    return tuple(out)


def _register(cls: type) -> None:
    def flatten(self: Any) -> tuple[tuple, tuple]:
        return tuple(value for _, value in _children(self)), _shape(self)

    def flatten_with_keys(self: Any) -> tuple[tuple, tuple]:
        return tuple((jax.tree_util.GetAttrKey(name), value) for name, value in _children(self)), _shape(self)

    def unflatten(shape: tuple, leaves: Any) -> Any:
        self: Any = object.__new__(cls)
        values = iter(leaves)
        for field, aux in zip(dataclasses.fields(cls), shape, strict=True):
            if _is_static(field):
                value = aux
            elif aux is None:
                value = next(values)
            else:
                value = {key: next(values) for key in aux}
            object.__setattr__(self, field.name, value)
        return self

    jax.tree_util.register_pytree_with_keys(cls, flatten_with_keys, unflatten, flatten)


@dataclass_transform(frozen_default=True, field_specifiers=(static, number))
def model(cls: type[T]) -> type[T]:
    """Class decorator: a frozen dataclass and a pytree, whose fields are numbers (see ``number``), models, or ``static``.

    A ``canonical`` method gives fields in their stored form, from any form they may be given in; a ``check`` method sees plain numbers only,
    never a tracer.

    Example:
        >>> import mcengine as mc
        >>> @mc.model
        ... class Fade:
        ...     years: mc.Scalar = mc.number(above=0.0)
        ...     shape: str = mc.static(default="linear")
        >>> Fade(years=2)
        Fade(years=2, shape='linear')
    """
    own_init = "__init__" in cls.__dict__
    cls.__post_init__ = _normalise  # type: ignore[attr-defined]
    cls = dataclasses.dataclass(frozen=True, eq=False, repr=False, init=not own_init)(cls)
    cls.__repr__ = _repr  # type: ignore[method-assign]
    _register(cls)
    return cls


def _repr(self: Any) -> str:
    def show(value: Any) -> str:
        if isinstance(value, np.ndarray) and value.ndim == 0:
            return f"{float(value):.6g}"
        if isinstance(value, dict):
            return "{" + ", ".join(f"{k}: {show(v)}" for k, v in value.items()) + "}"
        return repr(value)

    inner = ", ".join(f"{f.name}={show(getattr(self, f.name))}" for f in dataclasses.fields(self))
    return f"{type(self).__name__}({inner})"


def replace(self: T, **changes: Any) -> T:
    """A copy of a model with some fields changed, checked as at construction.

    Args:
        changes: New values by field.

    Raises:
        ValueError: For a field that it does not have, or a value out of its range.

    Example:
        >>> import mcengine as mc
        >>> mc.replace(mc.policy.Cppi(floor=0.9), multiplier=6.0)
        Cppi(floor=0.9, multiplier=6, leverage=1, exposure='scale')
    """
    names = {f.name for f in dataclasses.fields(self)}  # type: ignore[arg-type]
    unknown = set(changes) - names
    if unknown:
        raise ValueError(f"{type(self).__name__}: no field {sorted(unknown)}; fields are {sorted(names)}")
    new = object.__new__(type(self))
    for name in names:
        object.__setattr__(new, name, changes.get(name, getattr(self, name)))
    _normalise(new)
    return new


def parameters(self: Any) -> dict[str, Any]:
    """Every number of a model by its dotted name: ``policy.cppi.multiplier``."""
    leaves, _ = jax.tree_util.tree_flatten_with_path(self)
    return {_dotted(path): leaf for path, leaf in leaves}


def with_parameters(self: T, values: Mapping[str, Any]) -> T:
    """A copy of a model with the named numbers changed, every model they belong to checked again.

    Args:
        values: New numbers by dotted name.

    Raises:
        ValueError: For an unknown name, or a value out of its range.
    """
    known = parameters(self)
    for name in values:
        if name not in known:
            raise ValueError(f"unknown parameter {name!r}{near(name, known)}")
    leaves, tree = jax.tree_util.tree_flatten_with_path(self)
    new = [_as_numbers(values.get(_dotted(path), leaf), _dotted(path)) for path, leaf in leaves]
    changed = jax.tree_util.tree_unflatten(tree, new)
    if is_concrete(changed):
        _recheck(changed)
    return changed


def _recheck(self: Any) -> None:
    if isinstance(self, Mapping):
        for value in self.values():
            _recheck(value)
    if not dataclasses.is_dataclass(self):
        return
    for _, value in _children(self):
        _recheck(value)
    _normalise(self)


def trainable(self: Any) -> list[str]:
    """Dotted names of a model's numbers that may move in a fit: those not declared a contract's ``term``, with a derivative along paths."""
    names = []
    for path, leaf in jax.tree_util.tree_flatten_with_path(self)[0]:
        metadata = field_metadata(self, _dotted(path))
        if leaf is not None and not metadata.get("term", False) and metadata.get("pathwise", True):
            names.append(_dotted(path))
    return names


def check_pathwise(self: Any, names: Iterable[str]) -> None:
    """Check that numbers of a model have a pathwise derivative.

    Args:
        names: Dotted names of the numbers.

    Raises:
        ValueError: Naming the first that has none.
    """
    for name in names:
        if not field_metadata(self, name).get("pathwise", True):
            raise ValueError(
                f"{name}: expected a number that paths move smoothly by, got one that moves them by whole jumps; "
                "bump it on common paths, or differentiate a price formula"
            )


def field_metadata(self: Any, name: str, owner: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Metadata of the field that holds a number of a model, or of a dict of them: bounds, whether it is a term, whether it is pathwise.

    Args:
        name: Dotted name of the number.
        owner: Metadata of the field that holds the dict.

    Raises:
        ValueError: For an unknown name.
    """
    if isinstance(self, Mapping):
        key, _, rest = name.partition(".")
        return field_metadata(self[key], rest, owner) if rest else dict(owner or {})
    for field in dataclasses.fields(self):
        value = getattr(self, field.name)
        for child, item in _items(field, value):
            if child == name:
                return dict(field.metadata)
            if name.startswith(child + ".") and not isinstance(item, np.ndarray):
                return field_metadata(item, name[len(child) + 1 :], field.metadata)
    raise ValueError(f"unknown parameter {name!r}{near(name, parameters(self))}")


def bounds(model: Any, name: str) -> tuple[float | None, float | None]:
    """Least and most that a number of a model, or of a dict of them, may be; None where there is no bound.

    Args:
        model: That has it.
        name: Dotted name of the number.
    """
    found = field_metadata(model, name).get("bounds", {})
    return found.get("above", found.get("low")), found.get("below", found.get("high"))


def _dotted(path: tuple) -> str:
    return ".".join(str(getattr(key, "name", getattr(key, "key", getattr(key, "idx", key)))) for key in path)
