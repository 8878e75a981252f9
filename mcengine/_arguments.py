"""What a node of a configuration gives, against the signature of what its ``_target_`` names: by name, by number, by annotation."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from mcengine._kinds import check_kind, kinds, shown
from mcengine._spelling import near

OPTIONS: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "_args_": ("a list", lambda value: isinstance(value, list | tuple)),
    "_partial_": ("true or false", lambda value: isinstance(value, bool)),
    "_recursive_": ("True or nothing", lambda value: value is True),
    "_convert_": ("'all' or nothing", lambda value: value == "all"),
}
"""Keys of a node, beside ``_target_``, that are no argument: what each may be. The last two are Hydra's, with no meaning here."""


def check_arguments(call: Callable[..., Any], node: Mapping[Any, Any], where: str = "") -> None:
    """Check what a node gives to a class or function.

    Args:
        call: What its ``_target_`` names.
        node: Plain, nodes for arguments included.
        where: Its dotted key, for messages.

    Raises:
        ValueError: An argument that is unknown, missing, given twice or of another kind; an option that is not understood.
    """
    at = f"{where}." if where else ""
    for option, (expected, fits) in OPTIONS.items():
        if option in node and not fits(node[option]):
            raise ValueError(f"{at}{option}: expected {expected}, got {shown(node[option])}")
    try:
        known = inspect.signature(call).parameters.values()
    except ValueError:  # of something written in C
        return
    hints = kinds(call.__init__ if isinstance(call, type) else call)  # type: ignore[misc]
    name = getattr(call, "__name__", str(call))
    listed = list(node.get("_args_", ()))
    placed = _placed(known, listed, name, at)
    for index, (key, item) in enumerate(zip(placed, listed, strict=True)):
        check_kind(item, hints.get(key, Any), f"{at}_args_[{index}]")
    named = [p.name for p in known if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    others = [p.name for p in known if p.kind is p.VAR_KEYWORD]
    for key in [key for key in node if key != "_target_" and key not in OPTIONS]:
        if key in named and key in placed:
            raise ValueError(f"{at}{key}: expected one value, got one in _args_ too")
        if not isinstance(key, str) or not (key in named or others):
            raise ValueError(f"{at}{key}: {name} has no such argument{near(key, named)}")
        check_kind(node[key], hints.get(key if key in named else others[0], Any), f"{at}{key}")
    needed = [p.name for p in known if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    missing = [key for key in needed if key not in node and key not in placed]
    if missing and not node.get("_partial_"):
        raise ValueError(f"{at}{missing[0]}: expected a value, which {name} needs, got nothing")


def _placed(known: Any, listed: list[Any], name: str, at: str) -> list[str]:
    """Name of the argument that each of ``_args_`` is."""
    places = [p.name for p in known if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    several = [p.name for p in known if p.kind is p.VAR_POSITIONAL]
    if len(listed) > len(places) and not several:
        raise ValueError(f"{at}_args_: expected at most {len(places)} values, which {name} takes, got {len(listed)}")
    return (places + several * len(listed))[: len(listed)]
