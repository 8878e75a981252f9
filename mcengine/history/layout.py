"""From rows of cells to a table: which column has the dates, what stands above and below it, and what each column is called.

Above the first date stand a preamble and the header: one row, or several where the last holds nothing but the dates' own name (as pandas writes
columns of two levels: field and ticker).
"""

import re
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from mcengine._spelling import near
from mcengine.history import dates as dating
from mcengine.history import numbers
from mcengine.history.dialect import Rows

_WORD = re.compile(
    r"((trade|observation) )?dates?|day|time( ?stamp)?|date[ /]?time|(time ?)?period|month|caldate|caldt|datum|fecha|data|jour|tag", re.IGNORECASE
)
"""Headings of a column of dates."""

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


def arrange(rows: Rows, name: str, heading: str | None = None, given: str | None = None) -> Table:
    """The table in the rows of a file; ``heading`` that of its dates and ``given`` their format, where they are known.

    Raises:
        ValueError: No column has dates or two have, a row has too few or too many cells, or a date is missing.
    """
    cells, width, said = _trimmed(rows.cells)
    at = _date_column([row for row in cells if len(row) == width], name, _headings(cells, width), (heading, given))
    dated = [len(row) == width and (dating.looks_like(row[at], given) or dating.is_serial(row[at])) for row in cells]
    if not any(dated):
        raise ValueError(f"data: {name} has no row with a date in column {heading}")
    top, bottom = dated.index(True), len(dated) - dated[::-1].index(True)
    levels, above = _header(cells[:top], width, at, rows.lines, name)
    said += [f"{_count(above, 'row')} above the header left out"] if above else []
    said += [] if levels else ["no header"]
    headers = [kind for level in levels for kind in (level, [c for c in level if c])]
    kept = [k for k in range(top, bottom) if (dated[k] or cells[k] not in headers) and any(cells[k])]
    for k in kept:
        if len(cells[k]) != width:
            raise ValueError(f"data: {name} row {rows.lines[k]}: expected {width} cells, got {len(cells[k])}")
    for k in range(bottom, len(cells)):  # a row of numbers whose date is none is no footnote
        row = cells[k]
        if len(row) == width and any(c and numbers.share([c]) == 1.0 for c in _others(row, at)):
            title = levels[-1][at] if levels else "of dates"
            raise ValueError(f"data: {name} row {rows.lines[k]} column {title}: expected a date like 2001-09-10, got {row[at]!r}")
    repeated = sum(any(row) for row in cells[top:bottom]) - len(kept)
    said += [f"header repeated {_count(repeated, 'time')}"] if repeated else []
    said += [f"{_count(len(cells) - bottom, 'row')} below the last date left out"] if bottom < len(cells) else []
    columns = [list(column) for column in zip(*(cells[k] for k in kept), strict=True)]
    return Table(levels, columns, [rows.lines[k] for k in kept], at, said)


def _trimmed(given: list[list[str]]) -> tuple[list[list[str]], int, list[str]]:
    """(rows without an empty last cell that all have, the number of cells that most have, what was found, in words)."""
    width = Counter(map(len, given)).most_common(1)[0][0]
    if width <= 2 or any(row[-1] for row in given if len(row) == width):
        return given, width, []
    return [row[:-1] if len(row) == width else row for row in given], width - 1, ["a comma at the end of each row"]


def _count(n: int, what: str) -> str:
    return f"{n} {what}{'s' if n != 1 else ''}"


def _others(row: Sequence[str], at: int) -> list[str]:
    return [c for j, c in enumerate(row) if j != at]


def _headings(cells: list[list[str]], width: int) -> list[str]:
    """What the columns may be called, to tell the dates by: of the rows at the top the last with a word for dates."""
    for row in reversed(cells[:50]):
        full = ["", *row] if len(row) == width - 1 else row
        if len(full) == width and any(map(_is_word, full)) and not any(dating.looks_like(c) for c in full):
            return full
    return ["", *cells[0]] if len(cells[0]) == width - 1 else cells[0] if len(cells[0]) == width else [""] * width


def _is_word(heading: str) -> bool:
    return bool(_WORD.fullmatch(plain_heading(heading)))


def plain_heading(heading: str) -> str:
    """A heading as it is compared: in lower case, without marks around it."""
    return heading.strip(" <>*#").lower().replace("_", " ")


def _date_column(whole: list[list[str]], name: str, headings: list[str], said: tuple[str | None, str | None]) -> int:
    """Which column has the dates; ``said`` are its heading and their format, or None."""
    heading, given = said
    if heading is not None:
        headings = next((row for row in whole[:50] if heading in row), headings)
        if heading not in headings:
            raise ValueError(f"data.date: {name} has no column {heading!r}{near(heading, headings)}")
        return headings.index(heading)
    if len(whole) < 2:
        raise ValueError(f"data: {name} has {len(whole)} rows; expected a header and prices on several days")
    width, some = len(whole[0]), whole[:: max(1, len(whole) // _SAMPLE)]
    written = [j for j in range(width) if 2 * sum(dating.looks_like(row[j], given) for row in some) >= len(some)]
    if not written:
        counts = [j for j in range(width) if dating.serials([row[j] for row in whole])]
        written = [j for j in counts if _is_word(headings[j])] or [j for j in counts if j == 0 and not headings[0]]
    called = [j for j in written if _is_word(headings[j])]
    plainly = [j for j in called if plain_heading(headings[j]) == "date"]
    called = plainly if len(plainly) == 1 else called
    if len(written) == 1 or len(called) == 1:
        return called[0] if len(called) == 1 else written[0]
    if written:
        found = ", ".join(headings[j] or f"column {j + 1}" for j in written)
        raise ValueError(f"data: {name} has {len(written)} columns of dates, {found}; say which by data.date=")
    close = [j for j in range(width) if _is_word(headings[j])]
    row = whole[min(len(whole) - 1, 1)]
    shown = f"{row[close[0]]!r} in column {headings[close[0]]}" if close else ", ".join(row)[:60]
    raise ValueError(f"data: {name}: expected a column of dates like 2001-09-10, got {shown}; say how they are written by data.format=, as %Y%m")


def _header(above: list[list[str]], width: int, at: int, lines: list[int], name: str) -> tuple[list[list[str]], int]:
    """(levels of headings, how many rows stand above them)."""
    full = [["", *row] if len(row) == width - 1 and k == len(above) - 1 else row for k, row in enumerate(above)]
    full = [row + [""] * (width - len(row)) if 1 < len(row) < width and _is_word(row[0]) else row for row in full]
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
    if not row[at] and last > 0 and len(full[last - 1]) == width and _is_word(full[last - 1][at]):  # units below the header
        return [full[last - 1]], last - 1
    return [row], last
