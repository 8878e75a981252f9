"""Run fingerprint: every input that determines the results, as {dotted name: JSON value}; compared before a resume.

Two runs of equal identity give the same bits, so finished blocks of one may stand in the other; of unequal ones the names that differ are said.
Left out is what changes no number: how many paths are asked, how many devices of one kind share them, in what blocks.
"""

import dataclasses
import hashlib
import os
import re
from collections.abc import Mapping
from functools import lru_cache, partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jax
import numpy as np

from mcengine import _runtime
from mcengine.engine.base import AbstractStudy
from mcengine.engine.source import is_own, source

_SHOWN, _LONG = 5, 200  # differences, characters of a value
_NUMBERS_PASS_BY = (
    *("calibrate", "report", "config", "experiments", "_arguments.py", "_config_dir.py", "_console.py"),
    *("_files.py", "_made.py", "_noted.py", "_settings.py", "_targets.py", "_yaml.py"),
)
"""Code that makes no path's numbers: what calibration finds is among the study's, and the others read and write."""


def identity(study: AbstractStudy, **options: Any) -> dict[str, Any]:
    """Run fingerprint: the study's structure and numbers, options, precision, device, compiler flags and versions.

    Args:
        study: What is simulated.
        options: Whatever else determines the numbers, such as ``seed``.

    Returns:
        JSON values by dotted name.
    """
    device = jax.devices()[0]
    machine = {
        "precision": str(jax.numpy.result_type(float)),
        "device": f"{device.platform} {device.device_kind}",
        "processor": _runtime.processor() if device.platform == "cpu" else "",
        "xla_flags": os.environ.get("XLA_FLAGS", ""),
        "version of mcengine": f"{version('mcengine')} (code {_code()})",
        **{f"version of {name}": version(name) for name in ("jax", "jaxlib", "numpy")},
    }
    return {**plain(study, "study"), **{k: v for name, option in options.items() for k, v in plain(option, name).items()}, **machine}


def plain(value: Any, name: str) -> dict[str, Any]:
    """Everything in ``value`` as JSON values by dotted name: an array as its shape and hash, a function as its name and what it holds.

    A class or function that is not mcengine's goes by its module too, and by a hash of its source.
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        children: Any = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    elif isinstance(value, Mapping):
        children = value
    elif isinstance(value, tuple | list):
        children = dict(enumerate(value))
    elif callable(value) and hasattr(value, "__qualname__"):
        held = zip(value.__code__.co_freevars, value.__closure__ or (), strict=True) if hasattr(value, "__code__") else ()
        children = {variable: cell.cell_contents for variable, cell in held}
    elif isinstance(value, partial):
        children = {"func": value.func, "args": value.args, **value.keywords}
    elif is_own(type(value)) and hasattr(value, "__dict__"):
        children = vars(value)
    else:
        return {name: _leaf(value)}
    out = {name: _kind(value)}
    for key, child in children.items():
        out |= plain(child, f"{name}.{key}")
    return out


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """``name: old there, new here`` for every name whose value differs; long ones are cut."""

    def shown(values: Mapping[str, Any], name: str) -> str:
        return repr(values[name]) if name in values else "nothing"

    pairs = [(name, shown(old, name), shown(new, name)) for name in {**old, **new}]
    return [f"{name[:_LONG]}: {a[:_LONG]} there, {b[:_LONG]} here" for name, a, b in pairs if a != b]


def summarise(found: list[str]) -> str:
    """The first few differences in one sentence."""
    return "; ".join(found[:_SHOWN]) + (f"; and {len(found) - _SHOWN} more" if len(found) > _SHOWN else "")


def _leaf(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float | np.generic | np.ndarray | jax.Array):
        array = np.asarray(value)
        if array.size == 1 and array.ndim == 0:
            return array.item()
        return f"{array.dtype} {list(array.shape)} {hashlib.sha256(np.ascontiguousarray(array).data).hexdigest()[:16]}"
    return re.sub(r" at 0x[0-9a-f]+", "", repr(value))  # an address says nothing in another process


def _kind(value: Any) -> str:
    owner = value if hasattr(value, "__qualname__") else type(value)
    return f"{owner.__module__}.{owner.__qualname__} (source {source(owner)})" if is_own(owner) else str(owner.__qualname__)


def _code_files() -> dict[str, Path]:
    """Every file of mcengine's that makes numbers, by its name in the package."""
    root = Path(__file__).resolve().parent.parent
    files = {file.relative_to(root): file for file in sorted(root.rglob("*.py"))}
    return {name.as_posix(): file for name, file in files.items() if name.parts[0] not in _NUMBERS_PASS_BY}


@lru_cache(maxsize=1)
def _code() -> str:
    digest = hashlib.sha256()
    for name, file in _code_files().items():
        digest.update(name.encode() + file.read_bytes())
    return digest.hexdigest()[:12]
