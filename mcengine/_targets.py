"""What a configuration may build: public names of mcengine and of optax, and of modules that the user names himself.

A ``_target_`` is called, and the file that holds it may be another's. So it names nothing else, and no file adds to the list: the command line
does (``--code``), the environment (``MC_CODE``), or the caller of ``build(node, allow=...)``.
"""

import dataclasses
import functools
import importlib
import inspect
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, TypeAlias

from mcengine._arguments import OPTIONS, check_arguments
from mcengine._runtime import environment
from mcengine._spelling import near

Modules: TypeAlias = Iterable[str | ModuleType]

ROOMS = ("noise", "pricing", "history", "market", "instrument", "ledger", "policy", "objective", "calibrate")
"""What these list is for configurations to name. Other rooms write files and start processes: of them only frozen dataclasses."""

_MANY = 50  # names that no message lists

_named = [word.strip() for word in os.environ.get("MC_CODE", "").split(",") if word.strip()]
"""Read once, at the start: what a configuration makes of the environment later adds nothing."""


def build(node: Any, where: str = "", allow: Modules = ()) -> Any:
    """What a node of plain dicts and lists describes: ``_target_`` called with its other keys (and ``_args_``), the innermost first.

    Nothing is called before every target is resolved and every argument checked; what a node has built is checked once more. With
    ``_partial_: true`` a ``functools.partial`` in place of a call.

    Raises:
        ValueError: What ``check_nodes`` refuses.
    """
    return _built(node, where, check_nodes(node, where, allow))


def check_nodes(node: Any, where: str = "", allow: Modules = ()) -> dict[str, Callable[..., Any]]:
    """Resolve every target of a node at any depth, and check the arguments that it is given by name and by annotation.

    Args:
        node: Plain dicts and lists.
        where: Its dotted key, for messages.
        allow: As of ``resolve``.

    Returns:
        What each target names.

    Raises:
        ValueError: A target that ``resolve`` refuses, an argument that is unknown, missing or of another kind, or an option of Hydra's that has no
            meaning here.
    """
    calls = {target: resolve(target, at, allow) for at, target, _ in _nodes(node, where)}
    for at, target, inner in _nodes(node, where):
        check_arguments(calls[target], inner, at)
    return calls


def targets(node: Any, where: str = "") -> Iterator[tuple[str, str]]:
    """(dotted key of its node, target) of every ``_target_`` at any depth."""
    yield from ((at, target) for at, target, _ in _nodes(node, where))


def resolve(target: str, where: str = "", allow: Modules = ()) -> Callable[..., Any]:
    """The class or function that ``target`` names.

    Args:
        target: dotted name, as ``mcengine.market.Heston`` or ``my_rules.MyStage``.
        where: dotted key of the node that has it, for messages.
        allow: modules, or their names, that it may name beside mcengine, optax and those of ``--code`` and ``MC_CODE``.

    Raises:
        ValueError: it is not a public name of one of these, or was not defined there.
    """
    at, homes = _key(where, "_target_"), _homes(allow)
    home = max((name for name in homes if target.startswith(f"{name}.")), key=len, default=None)
    if home is None:
        raise ValueError(f"{at}: expected a public name of mcengine or optax, or of a module named by --code or MC_CODE, got {target!r}")
    given = homes[home]
    found: Any = given if isinstance(given, ModuleType) else own(home)
    words = target.removeprefix(f"{home}.").split(".")
    for word in words:
        if not _is_public(found, word, home):
            others = _listed(found)
            hint = near(word, others) if len(others) < _MANY else ""
            raise ValueError(f"{at}: {getattr(found, '__name__', home)} has no public name {word!r} to build from{hint}")
        found = getattr(found, word)
    if not callable(found) or (home == "mcengine" and words[0] not in ROOMS and not _is_data(found)):
        raise ValueError(f"{at}: {target} is not for a configuration to call")
    return found


def is_own(target: str) -> bool:
    """Whether a target is neither mcengine's nor optax's."""
    return target.partition(".")[0] not in ("mcengine", "optax")


def own(name: str) -> ModuleType:
    """The module of that name: the one beside the working directory, else one that is installed.

    Raises:
        ValueError: there is none, it fails as it is imported, or another of its name was imported before.
    """
    here = Path.cwd()
    if str(here) not in sys.path:
        sys.path.append(str(here))  # last: a file of the user's replaces no library
    stem = here.joinpath(*name.split("."))
    beside = [file for file in (stem.with_suffix(".py"), stem / "__init__.py") if file.is_file()]
    try:
        module = importlib.import_module(name)
    except Exception as error:
        if isinstance(error, ModuleNotFoundError) and error.name == name and not beside:
            raise ValueError(f"code {name}: expected a module beside the working directory or installed, found none") from None
        raise ValueError(f"code {name}: cannot be imported: {type(error).__name__}: {error}") from error
    if beside and Path(module.__file__ or "").resolve() != beside[0].resolve():
        raise ValueError(f"code {name}: another module of that name is {module.__file__}; rename yours")
    return module


def module_name(text: str) -> str:
    """``my_rules`` for ``my_rules.py``, ``rules.mine`` for ``rules/mine.py``."""
    name = text.strip().removeprefix("./").removesuffix(".py").replace("/", ".").replace(os.sep, ".")
    if not all(word.isidentifier() for word in name.split(".")):
        raise ValueError(f"code: expected a module beside the working directory, as my_rules.py, got {text!r}")
    return name


@contextmanager
def allowing(names: Iterable[str]) -> Iterator[None]:
    """Within it targets may name these modules too, in this process and those it starts. They are imported at once."""
    global _named
    before = _named
    _named = [*before, *names]
    try:
        for name in _named:
            own(module_name(name))
        with environment("MC_CODE", ",".join(_named) or None):
            yield
    finally:
        _named = before


def _homes(allow: Modules) -> dict[str, ModuleType | None]:
    """Modules that a target may begin with; None: to be imported."""
    given: dict[str, ModuleType | None] = {module_name(name): None for name in _named}
    given |= {(m.__name__ if isinstance(m, ModuleType) else module_name(m)): (m if isinstance(m, ModuleType) else None) for m in allow}
    return given | {name: importlib.import_module(name) for name in ("mcengine", "optax")}


def _is_public(owner: Any, name: str, home: str) -> bool:
    """Whether ``owner`` has it for others to use, and it was defined in ``home``: no walk leads through a module to what it imports."""
    if name.startswith("_"):
        return False
    if isinstance(owner, type):  # another way to construct it
        return isinstance(inspect.getattr_static(owner, name, None), classmethod | staticmethod) and _is_of(home, getattr(owner, name))
    found = getattr(owner, name, None) if isinstance(owner, ModuleType) else None
    if isinstance(found, ModuleType):
        own_part = found.__name__ == f"{owner.__name__}.{name}"
        return own_part and (home != "mcengine" or name in _listed(owner))
    return found is not None and name in _listed(owner) and _is_of(home, found)


def _is_of(home: str, found: Any) -> bool:
    found = found.func if isinstance(found, functools.partial) else found
    name = getattr(found, "__qualname__", "_")
    return f"{getattr(found, '__module__', None)}.".startswith(f"{home}.") and not any(word.startswith("_") for word in name.split("."))


def _listed(owner: Any) -> list[str]:
    return [name for name in getattr(owner, "__all__", vars(owner)) if not name.startswith("_")]


def _is_data(found: Any) -> bool:
    return isinstance(found, type) and dataclasses.is_dataclass(found) and found.__dataclass_params__.frozen  # type: ignore[attr-defined]


def _nodes(node: Any, where: str) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """(dotted key, target, itself) of every node with a ``_target_`` at any depth."""
    if isinstance(node, list | tuple):
        for index, item in enumerate(node):
            yield from _nodes(item, f"{where}[{index}]")
    if isinstance(node, Mapping):
        if "_target_" in node:
            yield where, str(node["_target_"]), node
        for key, item in node.items():
            yield from _nodes(item, _key(where, key))


def _built(node: Any, where: str, calls: Mapping[str, Callable[..., Any]]) -> Any:
    if isinstance(node, list | tuple):
        return [_built(item, f"{where}[{index}]", calls) for index, item in enumerate(node)]
    if not isinstance(node, Mapping):
        return node
    inner = {key: _built(item, _key(where, key), calls) for key, item in node.items()}
    if "_target_" not in node:
        return inner
    call = calls[str(node["_target_"])]
    check_arguments(call, inner, where)
    named = {key: item for key, item in inner.items() if key != "_target_" and key not in OPTIONS}
    positional = inner.get("_args_", [])
    return functools.partial(call, *positional, **named) if node.get("_partial_") else call(*positional, **named)


def _key(where: str, key: Any) -> str:
    return f"{where}.{key}" if where else str(key)
