"""The names that a misspelt one may have meant, for error messages."""

import difflib
from typing import Any


def near(name: Any, known: Any) -> str:
    """``; did you mean ...?`` from the closest known names, or the list of them when none is close."""
    name, known = str(name), [str(k) for k in known]
    close = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    if not close:
        tails = {k.rsplit(".", 1)[-1]: k for k in known}
        close = [tails[t] for t in difflib.get_close_matches(name.rsplit(".", 1)[-1], list(tails), n=3, cutoff=0.5)]
    if close:
        return f"; did you mean {' or '.join(close)}?"
    return f"; known: {', '.join(known)}" if known else ""
