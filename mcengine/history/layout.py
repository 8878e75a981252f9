"""From rows of cells to a table: which column has the dates, what stands above and below it, and what each column is called.

Above the first date stand a preamble and the header: one row, or several where the last holds nothing but the dates' own name (as pandas writes
columns of two levels: field and ticker).
"""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from mcengine._spelling import near
from mcengine.history import dates as dating
from mcengine.history import numbers
from mcengine.history.dialect import Rows

WORDS = ("date", "day", "time", "timestamp", "datetime", "observation_date", "dates", "trade date", "date/time", "period", "month", "timeperiod", "caldt")
"""Headings of a column of dates, in lower case."""

_MOST_LEVELS, _SAMPLE = 3, 200


class Table(NamedTuple):
    """A file's table, all text.

    Args:
        levels: Headings from top to bottom, each as wide as the table.
        columns: Cells by column [columns][rows].
        lines: The line of the file that each row ends on.
        dates: Which column has the dates.
        said: What was found, in words.
    """

    levels: list[list[str]]
    columns: list[list[str]]
    lines: list[int]
    dates: int
    said: list[str]


def arrange(rows: Rows, name: str, heading: str | None = None) -> Table:
    """The table in the rows of a file; ``heading`` that of its dates, where it is known.

    Raises:
        ValueError: No column has dates or two have, a row has too few or too many cells, or a date is missing.
    """
    cells, lines, said = [list(row) for row in rows.cells], list(rows.lines), []
    width = Counter(map(len, cells)).most_common(1)[0][0]
    whole = [row for row in cells if len(row) == width]
    if width > 2 and not any(row[-1] for row in whole):
        cells = [row[:-1] if len(row) == width else row for row in cells]
        width -= 1
        said.append("a comma at the end of each row")
    at = _date_column([row for row in cells if len(row) == width], width, name, _headings(cells, width), heading)
    dated = [_is_date(row, at, width) for row in cells]
    if not any(dated):
        raise ValueError(f"data: {name} has no row with a date in column {heading}")
    top, bottom = dated.index(True), len(dated) - dated[::-1].index(True)
    levels, above = _header(cells[:top], width, at, lines, name)
    if above:
        said.append(f"{_count(above, 'row')} above the header left out")
    if not levels:
        said.append("no header")
    names = levels[-1] if levels else []
    body, kept = [], []
    repeated = 0
    for k in range(top, bottom):
        row = cells[k]
        if row == names or (not dated[k] and any(row == [c for c in level if c] or row == level for level in levels)):
            repeated += 1
        elif len(row) != width:
            raise ValueError(f"data: {name} row {lines[k]}: expected {width} cells, got {len(row)}")
        elif not dated[k] and not any(row):
            continue
        else:
            body.append(row)
            kept.append(lines[k])
    if repeated:
        said.append(f"header repeated {_count(repeated, 'time')}")
    below = [row for row in cells[bottom:] if any(row)]
    for k, row in enumerate(cells[bottom:]):
        if len(row) == width and any(c and numbers.share([c]) == 1.0 for c in _others(row, at)):
            title = levels[-1][at] if levels else "of dates"
            raise ValueError(f"data: {name} row {lines[bottom + k]} column {title}: expected a date like 2001-09-10, got {row[at]!r}")
    if below:
        said.append(f"{_count(len(below), 'row')} below the last date left out")
    return Table(levels, [list(column) for column in zip(*body, strict=True)], kept, at, said)


def _count(n: int, what: str) -> str:
    return f"{n} {what}{'s' if n != 1 else ''}"


def _others(row: Sequence[str], at: int) -> list[str]:
    return [c for j, c in enumerate(row) if j != at]


def _is_date(row: Sequence[str], at: int, width: int) -> bool:
    return len(row) == width and (dating.looks_like(row[at]) or dating.is_serial(row[at]))


def _headings(cells: list[list[str]], width: int) -> list[str]:
    """What the columns may be called, to tell the dates by: of the rows at the top the last with a word for dates."""
    for row in reversed(cells[:50]):
        full = ["", *row] if len(row) == width - 1 else row
        if len(full) == width and any(_plain(c) in WORDS for c in full) and not any(dating.looks_like(c) for c in full):
            return full
    return ["", *cells[0]] if len(cells[0]) == width - 1 else cells[0] if len(cells[0]) == width else [""] * width


def _plain(heading: str) -> str:
    return heading.strip(" <>*").lower()


def _date_column(whole: list[list[str]], width: int, name: str, headings: list[str], given: str | None) -> int:
    if given is not None:
        if given not in headings:
            raise ValueError(f"data.date: {name} has no column {given!r}{near(given, headings)}")
        return headings.index(given)
    some = whole[:: max(1, len(whole) // _SAMPLE)]
    written = [j for j in range(width) if 2 * sum(dating.looks_like(row[j]) for row in some) > len(some)]
    if not written:
        counts = [j for j in range(width) if dating.serials([row[j] for row in whole])]
        written = [j for j in counts if _plain(headings[j]) in WORDS] or [j for j in counts if j == 0 and not headings[0]]
    called = [j for j in written if _plain(headings[j]) in WORDS]
    if len(written) == 1 or len(called) == 1:
        return called[0] if len(called) == 1 else written[0]
    if written:
        found = ", ".join(headings[j] or f"column {j + 1}" for j in written)
        raise ValueError(f"data: {name} has {len(written)} columns of dates, {found}; say which by data.date=")
    close = [j for j in range(width) if _plain(headings[j]) in WORDS]
    row = whole[min(len(whole) - 1, 1)]
    shown = f"{row[close[0]]!r} in column {headings[close[0]]}" if close else ", ".join(row)[:60]
    raise ValueError(f"data: {name}: expected a column of dates like 2001-09-10, got {shown}")


def _header(above: list[list[str]], width: int, at: int, lines: list[int], name: str) -> tuple[list[list[str]], int]:
    """(levels of headings, how many rows stand above them)."""
    full = [["", *row] if len(row) == width - 1 and k == len(above) - 1 else row for k, row in enumerate(above)]
    full = [row + [""] * (width - len(row)) if 1 < len(row) < width and _plain(row[0]) in WORDS else row for row in full]
    named = [k for k, row in enumerate(full) if len(row) == width]
    if not named:
        return [], len(above)
    last = named[-1]
    row = full[last]
    values = [c for c in _others(row, at) if c]
    if len(named) > 1 and row[at] and values and all(numbers.share([c]) == 1.0 for c in values) and numbers.share(_others(full[last - 1], at)) != 1.0:
        raise ValueError(f"data: {name} row {lines[last]}: expected a date like 2001-09-10, got {row[at]!r}")
    if row[at] and not values:  # nothing but the name of the dates: the levels stand above
        levels = [full[k] for k in range(max(0, last - _MOST_LEVELS), last) if len(full[k]) == width]
        levels = [[row[at] if j == at else c for j, c in enumerate(level)] for level in levels]
        return (levels or [row]), last - len(levels)
    if not row[at] and last > 0 and len(full[last - 1]) == width and _plain(full[last - 1][at]) in WORDS:  # units below the header
        return [full[last - 1]], last - 1
    return [row], last
