"""Names: what a misspelt one may have meant, and those that parts of a whole get from their classes."""

import difflib
import re
from collections.abc import Mapping, Sequence
from typing import Any


def near(name: Any, known: Any, labels: Mapping[str, str] | None = None) -> str:
    """``; did you mean ...?`` from the closest known names, or the list of them when none is close. ``labels`` are other words for known names."""
    name, known = str(name), [str(k) for k in known]
    meant = {**(labels or {}), **{k: k for k in known}}
    close = list(dict.fromkeys(meant[word] for word in difflib.get_close_matches(name, meant, n=3, cutoff=0.5)))
    if not close:
        tails = {k.rsplit(".", 1)[-1]: k for k in known}
        close = [tails[t] for t in difflib.get_close_matches(name.rsplit(".", 1)[-1], list(tails), n=3, cutoff=0.5)]
    if close:
        return f"; did you mean {' or '.join(close)}?"
    return f"; known: {', '.join(known)}" if known else ""


def snake_case(part: Any) -> str:
    """The name of a part's class, as ``any_of``."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", type(part).__name__).lower()


def numbered(parts: Sequence[Any]) -> dict[str, Any]:
    """Parts by the name of their class in snake_case, a class met twice with a number: ``band``, ``band_2``."""
    named: dict[str, Any] = {}
    for part in parts:
        base = snake_case(part)
        copies = sum(name.rstrip("0123456789").rstrip("_") == base for name in named)
        named[base if not copies else f"{base}_{copies + 1}"] = part
    return named
