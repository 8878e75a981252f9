"""The rows between two dates on which all columns are quoted."""

from collections.abc import Collection

import numpy as np

from mcengine.history import checks, frequency
from mcengine.history.body import Body

_SHOWN = 6


def common(body: Body, first: str | None, last: str | None, every: bool = False) -> tuple[Body, list[str]]:
    """(the rows on which all is quoted, what was dropped and is not used, a line each).

    Args:
        body: What was read.
        first: First date, or None.
        last: Last date, or None.
        every: Whether no row may be dropped: returns around it are not compounded without it.

    Raises:
        ValueError: There are fewer than two, a hole among them, or rows of two frequencies.
    """
    name, days = body.name, body.days
    inside = np.ones(len(days), bool)
    inside &= days >= np.datetime64(first, "D") if first is not None else True
    inside &= days <= np.datetime64(last, "D") if last is not None else True
    if not inside.any():
        raise ValueError(f"data: {name} has no day between {first} and {last}; it runs from {days[0]} to {days[-1]}")
    days, quoted = days[inside], {n: np.isfinite(v[inside]) for n, v in body.values.items()}
    empty = [body.titles[n] for n, has in quoted.items() if not has.any()]
    if empty:
        raise ValueError(f"data: {name} has no {listed(empty)} between {days[0]} and {days[-1]}")
    begins, ends = ({n: int(rows[at]) for n, rows in ((n, np.flatnonzero(has)) for n, has in quoted.items())} for at in (0, -1))
    begin, end = max(begins.values()), min(ends.values())
    whole = np.all(list(quoted.values()), axis=0)
    if whole.sum() < 2:
        why = f"; {listed([n for n, e in ends.items() if e == end])} ends on {days[end]}" if end < len(days) - 1 else ""
        raise ValueError(f"data: {name} has {_count(int(whole.sum()))} from {days[0]} to {days[-1]} on which {quoted_all(body.titles)}{why}")
    used = days[whole]
    checks.holes(used, name)
    frequency.check_even(used, name)
    dropped = _dropped(quoted, begin, end)
    if dropped and every:
        raise ValueError(f"data: {name}: expected a return in every row, for those around it are not compounded without it; {dropped[0]}")
    later = [f"{n} to {days[e]}" for n, e in ends.items() if e > end]
    short = [n for n, e in ends.items() if e == end]
    unused = [f"not used: {listed(later)}, for {listed(short)} end{'s' if len(short) == 1 else ''} on {days[end]}"] if later else []
    return body._replace(days=used, values={n: v[inside][whole] for n, v in body.values.items()}), [*dropped, *unused]


def _dropped(quoted: dict[str, np.ndarray], begin: int, end: int) -> list[str]:
    missing = {n: int((~has[begin : end + 1]).sum()) for n, has in quoted.items()}
    count = int((~np.all(list(quoted.values()), axis=0)[begin : end + 1]).sum())
    cells = listed([f"{n}: {m}" for n, m in missing.items() if m])
    return [f"{count} rows inside the range were dropped for an empty cell ({cells})"] if count else []


def _count(days: int) -> str:
    return f"{days} day{'s' if days != 1 else ''}"


def quoted_all(names: Collection[str]) -> str:
    """That every one of them has a quote, in words."""
    return f"{listed(names)} {'are all' if len(names) > 1 else 'is'} quoted"


def listed(names: Collection[str]) -> str:
    """Names in a message: the first of many."""
    shown = ", ".join(list(names)[:_SHOWN])
    return f"{shown} and {len(names) - _SHOWN} more" if len(names) > _SHOWN else shown
