"""From a file or a table to values by date: what all the parts of the reader find, put together."""

from collections.abc import Collection
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mcengine.history import checks, columns, dates, dialect, layout, numbers, source, table
from mcengine.history.columns import Column


class Body(NamedTuple):
    """What was read, before anything is looked for in it.

    Args:
        name: Of the file.
        days: Dates [rows].
        values: Numbers by column, NaN where none is quoted [rows].
        titles: The file's own headings by name.
        taken: What the file was taken to be, in words.
        left_out: Columns that were left out, and why.
    """

    name: str
    days: np.ndarray
    values: dict[str, np.ndarray]
    titles: dict[str, str]
    taken: list[str]
    left_out: list[str]


def read_body(data: Any, asked: list[str] | None, date: str | None, formats: dict[str, str | None], levels: Collection[str]) -> Body:
    """Every column asked for, by date and in the order of time.

    Args:
        data: File or pandas table.
        asked: Headings or tickers, or None.
        date: Heading of the dates, or None.
        formats: By ``date`` and ``decimal`` what was said of them, or None.
        levels: Headings of columns that are no prices.

    Raises:
        ValueError: As ``read``.
    """
    name, rows = _rows(data)
    found = layout.arrange(rows, name, date, formats["date"])
    if len(found.lines) < 2:
        raise ValueError(f"data: {name} has {len(found.lines)} rows of prices; expected several days")
    heading = found.levels[0][found.dates] if found.levels else ""
    days = dates.parse(found.columns[found.dates], name, heading, found.lines, formats["date"])
    described = columns.described(found)
    several = [c.title for c in described if c.share >= 0.5]
    if asked is None and not found.levels and len(several) > 1:
        raise ValueError(f"data: {name} has no header and several columns of numbers; say which are prices by data.columns, as [{several[0]}]")
    by = columns.tickers(described) if len(np.unique(days.days)) < len(days.days) else None
    if by is None:
        chosen, left_out = columns.choose(described, asked, levels, name)
    else:
        wanted = None if asked is None or set(asked) <= set(by.cells) else asked
        chosen, left_out = columns.choose([c for c in described if c is not by], wanted, (), name)
    decimal = formats["decimal"] or numbers.decimal_mark((c.cells for c in chosen), name, rows.separator or ",")
    values = [_numbers(c, decimal, name, found.lines, c.title in levels or columns.name_of(c.title) in levels) for c in chosen]
    taken = [f"{dialect.SEPARATORS.get(rows.separator, repr(rows.separator))} between cells"] if rows.separator else []
    taken += [f"decimal {'commas' if decimal == ',' else 'points'}"]
    taken += [f"dates {days.form}" + (f" in {heading}" if heading else "") + (", the time of day dropped" if days.timed else ""), *found.said]
    if days.timed and checks.are_a_day_early(days.days):
        raise ValueError(
            f"data: {name}: expected the exchange's own dates, got Sundays and no Friday: time stamps in UTC, a day early; convert them first"
        )
    if by is not None:
        table, titles = _long(name, chosen, values, (by, days.days, found.lines), asked)
        return Body(name, np.unique(days.days), table, titles, [*taken, f"long, an asset for each {by.title}"], left_out)
    taken += ["newest first"] if checks.order(days.days, name, found.lines, days.timed) else []
    titles = _names([c.title for c in chosen], name)
    order = np.argsort(days.days, kind="stable")
    return Body(name, days.days[order], {n: v[order] for n, v in zip(titles, values, strict=True)}, titles, taken, left_out)


def _rows(data: Any) -> tuple[str, dialect.Rows]:
    """(name, rows of cells) of a file or a table."""
    if hasattr(data, "to_frame") and hasattr(data, "index"):  # one column
        data = data.to_frame("price" if data.name is None else data.name)
    if hasattr(data, "columns") and hasattr(data, "index"):
        return "the table", table.rows_of(data)
    if not isinstance(data, str | Path):
        raise ValueError(f"data: expected a file or a pandas table, got {type(data).__name__} {str(data)[:40]!r}")
    found = source.text_or_table(Path(data))
    name = Path(data).name
    return name, dialect.split(found, name) if isinstance(found, str) else table.rows_of(found)


def _numbers(column: Column, decimal: str, name: str, lines: list[int], is_level: bool) -> np.ndarray:
    found = numbers.parse(column.cells, decimal, f"{name}|{column.title or 'without a heading'}", lines)
    return found.values / 100.0 if found.percent and not is_level else found.values


def _long(
    name: str, chosen: list[Column], values: list[np.ndarray], of: tuple[Column, np.ndarray, list[int]], asked: list[str] | None
) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """(values by asset, titles) of a table with a row for each date and ticker; ``of`` are its tickers, days and lines."""
    by, days, lines = of
    if len(chosen) != 1:
        found = ", ".join(c.title for c in chosen)
        raise ValueError(f"data: {name}: expected one column of prices beside the dates and {by.title}, got {found}; choose by data.columns=")
    wanted = asked if asked is not None and set(asked) <= set(by.cells) else list(dict.fromkeys(by.cells))
    place = {ticker: j for j, ticker in enumerate(wanted)}
    which = np.array([place.get(ticker, -1) for ticker in by.cells])
    row = np.unique(days, return_inverse=True)[1]
    used = np.flatnonzero(which >= 0)
    again = np.setdiff1d(np.arange(len(used)), np.unique(row[used] * len(wanted) + which[used], return_index=True)[1])
    if len(again):
        k = int(used[again[0]])
        raise ValueError(f"data: {name} row {lines[k]}: expected each date once of {by.cells[k] or by.title}, got {days[k]} again")
    out = np.full((len(wanted), int(row.max()) + 1), np.nan)
    out[which[used], row[used]] = values[0][used]
    titles = _names(wanted, name)
    return dict(zip(titles, out, strict=True)), titles


def _names(titles: list[str], file: str) -> dict[str, str]:
    out: dict[str, str] = {}
    for title in titles:
        name = columns.name_of(title)
        if name in out:
            raise ValueError(f"data: {file} has two columns that are called {name}: {out[name]!r} and {title!r}")
        out[name] = title
    return out
