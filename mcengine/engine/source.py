"""The source of what is not mcengine's: a run that goes on must meet the very rules, recorders and models it was begun with."""

import hashlib
import sys
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

_VERSIONED = {"mcengine", "jax", "jaxlib", "numpy", *sys.stdlib_module_names}
_hashes: dict[str, tuple[Any, bytes]] = {}
"""By module: its specification, which a reload makes anew, and its hash as first asked, whatever was written to the file since."""


def is_own(owner: Any) -> bool:
    """Whether a class or function is the user's, or of a library that a run's identity has no version of."""
    return str(owner.__module__).partition(".")[0] not in _VERSIONED


def source(owner: Any) -> str:
    """Hash of the files that define a class or function: its module's and those beside it that this imports; the same of base classes.

    Of what has no file, as in a notebook, the hash of its code.
    """
    digest = hashlib.sha256()
    for part in getattr(owner, "__mro__", (owner,)):
        if is_own(part):
            module = sys.modules.get(part.__module__)
            digest.update(_of_module(module) if getattr(module, "__file__", None) and module else _of_code(part))
    return digest.hexdigest()[:12]


def _of_module(module: ModuleType) -> bytes:
    known = _hashes.get(module.__name__)
    if known is None or known[0] is not module.__spec__:
        found = b"".join(hashlib.sha256(file.read_bytes()).digest() for file in _files(module))
        known = _hashes[module.__name__] = module.__spec__, found
    return known[1]


def _files(module: ModuleType) -> list[Path]:
    """A module's file, and those of its folder or package that it imports; of an installed one its file alone."""
    first, package = Path(str(module.__file__)), module.__name__.partition(".")[0]
    found, todo = {first}, [module]
    while todo and "site-packages" not in first.parts:
        for value in list(vars(todo.pop()).values()):
            other = value if isinstance(value, ModuleType) else sys.modules.get(str(getattr(value, "__module__", "")))
            file = Path(str(getattr(other, "__file__", "")))
            beside = other is not None and (file.parent == first.parent or other.__name__.partition(".")[0] == package)
            if other is not None and beside and file.suffix == ".py" and file not in found:
                found.add(file)
                todo.append(other)
    return sorted(found)


def _of_code(part: Any) -> bytes:
    """Bytecode, names and constants of a function, or of a class's methods."""
    if isinstance(part, type):
        return b"".join(name.encode() + _of_code(value) for name, value in sorted(vars(part).items()) if not isinstance(value, type))
    part = getattr(part, "fget", None) or getattr(part, "__func__", part)
    code = getattr(part, "__code__", part)
    if not isinstance(code, CodeType):
        return b""
    constants = [_of_code(c) or repr(sorted(map(repr, c)) if isinstance(c, frozenset) else c).encode() for c in code.co_consts]
    return b" ".join([code.co_code, repr(code.co_names).encode(), *constants])
