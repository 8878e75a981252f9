"""Stretches of history with names: dates and what they were, in ``data/periods.yaml``."""

import re
from functools import lru_cache
from importlib.resources import files
from typing import Any, NamedTuple

import numpy as np

from mcengine._spelling import near


class Period(NamedTuple):
    """A named stretch of history.

    Args:
        start: First date, like 2001-09-10.
        end: Last date, included.
        calm: Whether it was calm, else a crisis.
        what: What happened.
        source: Where the dates are from.
    """

    start: str
    end: str
    calm: bool
    what: str
    source: str


@lru_cache(maxsize=1)
def named_periods() -> dict[str, Period]:
    """Named stretches of history, in the order of time.

    Returns:
        ``Period`` by name.

    Example:
        >>> mc.history.named_periods()["covid_2020"].start
        '2020-02-19'
    """
    import yaml  # type: ignore[import-untyped]

    text = (files("mcengine.history") / "data" / "periods.yaml").read_text()
    return {name: Period(str(r["start"]), str(r["end"]), bool(r["calm"]), r["what"], r["source"]) for name, r in yaml.safe_load(text).items()}


def find(name: str) -> Period:
    """A period by its name.

    Args:
        name: One of ``named_periods()``.

    Raises:
        ValueError: There is none of that name; those near it are told.
    """
    known = named_periods()
    if name not in known:
        raise ValueError(f"period: unknown period {name!r}{near(name, known)}")
    return known[name]


def check_inside(name: str, first: str, last: str, notes: tuple[str, ...]) -> Period:
    """The period, where the days from ``first`` to ``last`` hold it. Raises ``ValueError`` with the dates there are."""
    one = find(name)
    if one.start < first or one.end > last:
        shorter = [note for note in notes if note.startswith("not used: ")]
        why = f" ({'; '.join(shorter)})" if shorter else ""
        raise ValueError(
            f"period: {name} runs from {one.start} to {one.end}, but the days on which all assets are quoted run from {first} to {last}{why}"
        )
    return one


def bound(name: str, given: Any) -> str | None:
    """A first or last date as 2001-09-10; of a month or a year its first day, or its last where ``name`` is ``end``.

    Args:
        name: ``start`` or ``end``, for messages.
        given: A date, 2001-09-10, 2001-09 or 2001, or None.

    Raises:
        ValueError: For anything else: day and month are told apart by no other order.
    """
    if given is None:
        return None
    text = str(given)[:10] if hasattr(given, "year") else str(given).strip()
    try:
        if isinstance(given, bool) or not re.fullmatch(r"\d{4}(-\d{2}(-\d{2})?)?", text):
            raise ValueError
        first = np.datetime64(text)  # of a year, a month or a day, as it is written
        if name != "end":
            return str(first.astype("datetime64[D]"))
        unit: Any = np.datetime_data(first.dtype)[0]
        return str((first + np.timedelta64(1, unit)).astype("datetime64[D]") - np.timedelta64(1, "D"))
    except ValueError:
        raise ValueError(f"{name}: expected a date like 2001-09-10, got {given!r}") from None
