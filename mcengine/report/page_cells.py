"""Cells and tables of a page, and what a folder's JSON gives for them: numbers where they are numbers, else text."""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from mcengine.report.tables import cell
from mcengine.statistics import Estimate


class Cell(NamedTuple):
    """What is shown, and the number it is sorted by."""

    text: str
    value: float | None = None


class Table(NamedTuple):
    """A table as the page's template takes it."""

    title: str
    heads: list[str]
    rows: list[list[Cell]]
    note: str = ""
    sortable: bool = False
    folded: bool = False


def shown(value: Any, error: Any, factor: float = 1.0) -> Cell:
    """A number times ``factor`` with its error, where it has one; else its text."""
    known, off = number(value), number(error)
    if known is None:
        return Cell("" if value is None or str(value) == "nan" else str(value))
    return plain(known * factor, None if off is None else off * factor)


def plain(value: Any, error: Any) -> Cell:
    """A number with its error, where there is one; else its text."""
    known, off = number(value), number(error)
    if known is None:
        return Cell(str(value))
    return Cell(f"{known:.6g}" if off is None else cell(Estimate(known, off, 0)), known)


def number(value: Any) -> float | None:
    try:
        found = float(value)
    except (TypeError, ValueError):
        return None
    return found if math.isfinite(found) and not isinstance(value, bool) else None


def estimates(row: Any) -> dict[str, Estimate]:
    """The figures with an error in a mapping of metrics.json; of too few draws it is null, and NaN here."""
    known = row.items() if isinstance(row, Mapping) else ()
    pairs = {key: (number(one.get("value")), number(one.get("error"))) for key, one in known if isinstance(one, Mapping) and "error" in one}
    return {key: Estimate(value, math.nan if error is None else error, 0) for key, (value, error) in pairs.items() if value is not None}


def mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
