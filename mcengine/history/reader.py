"""The one reader of prices: from a file or a table as people have them to ``Prices``, or one line that says why not.

    source   what the file is, unpacked and decoded      columns    which columns are prices
    dialect  cells by separator                          dates      one form for all
    layout   header, dates, body                         numbers    one decimal mark for all
    checks   order, holes, splits, quotes that stand     frequency  rows a year

Nothing is guessed between two readings: where both fit, both are shown, with the argument that chooses.
"""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mcengine.history import checks, columns, dates, dialect, frequency, layout, numbers, periods, source
from mcengine.history.columns import Column
from mcengine.history.prices import Prices

KINDS = ("prices", "returns", "percent_returns")
DECIMALS = {"decimal_point": ".", "decimal_comma": ","}
OPTIONS = ("columns", "date", "format", "kind", "adjust")
"""Arguments of ``read`` that a configuration has under ``data``, beside ``file``."""

_TABLE, _SHOWN = "the table", 6


class _Body(NamedTuple):
    """What was read, before anything is looked for in it: days [rows], values by name, headings by name, and what was found, in words."""

    name: str
    days: np.ndarray
    values: dict[str, np.ndarray]
    titles: dict[str, str]
    taken: list[str]
    left_out: list[str]


def read(
    data: Any,
    *,
    columns: Sequence[str] | None = None,
    date: str | None = None,
    format: str | Sequence[str] | None = None,
    kind: str | None = None,
    adjust: bool = False,
    start: Any = None,
    end: Any = None,
    levels: Collection[str] = (),
) -> Prices:
    """Prices from a file or a table, on the days on which all columns are quoted.

    Args:
        data: CSV file (also packed), parquet file, or pandas table: wide, or long with a column of tickers.
        columns: Headings (or tickers) to use; None: all prices, of an open, high, low and close the adjusted close.
        date: Heading of the dates; None: found.
        format: How dates and numbers are written, any of dmy, mdy, excel or a pattern as %d.%m.%y, and decimal_comma or decimal_point; None: found.
        kind: prices, returns (fractions) or percent_returns; None: prices, and what looks like returns is refused.
        adjust: Whether prices before a split or a change of unit are put on the scale of what follows.
        start: First date, as 2001-09-10, 2001-09 or 2001; None: the first there is.
        end: Last date, or None.
        levels: Headings of columns that are no prices: yields and indices of volatility, in percent.

    Returns:
        Prices; a heading becomes a name of letters, digits and underscores ("S&P 500" is S_P_500).

    Raises:
        ValueError: The file is damaged, can be read in two ways, or is no table of prices; file, row and column are named.

    Example:
        >>> import pandas as pd
        >>> table = pd.DataFrame({"Date": ["31.01.2020", "29.02.2020", "31.03.2020"], "fund": ["1.000,0", "1.010,5", "990,25"]})
        >>> mc.history.read(table).frame["fund"].tolist()
        [1000.0, 1010.5, 990.25]
    """
    if kind not in (None, *KINDS):
        raise ValueError(f"data.kind: expected one of {', '.join(KINDS)}, got {kind!r}")
    if not isinstance(adjust, bool):
        raise ValueError(f"data.adjust: expected true or false, got {adjust!r}")
    first, last = periods.bound("start", start), periods.bound("end", end)
    if first is not None and last is not None and first > last:
        raise ValueError(f"end: expected a date after start, {first}, got {last}")
    asked = _asked(columns)
    body = _body(data, asked, date, _formats(format), levels)
    body, dropped, later = _common(body, first, last, kind)
    rate = frequency.rows_per_year(body.days)
    values, warnings = _looked_at(body, kind, adjust, rate, levels)
    return _prices(body, values, rate, [*dropped, *later], warnings)


def given(data: Any, *, columns: Sequence[str] | None = None, start: Any = None, end: Any = None, levels: Collection[str] = ()) -> Prices:
    """Prices from whatever ``data=`` may be: what ``read`` takes, its arguments as a dict with the file under ``file``, or prices that were read.

    Args:
        data: File, table, dict or ``Prices``.
        columns: Headings to use; None: those that the dict names, or all.
        start: First date, or None.
        end: Last date, or None.
        levels: Headings of columns that are no prices.

    Raises:
        ValueError: For an unknown key, and what ``read`` refuses.
    """
    if isinstance(data, Prices):
        frame = data.frame.loc[periods.bound("start", start) : periods.bound("end", end)]
        names = {title: name for name, title in data.titles.items()}
        chosen = list(frame.columns) if columns is None else [names.get(c, c) for c in columns]
        missing = [c for c in chosen if c not in frame.columns]
        if missing:
            raise ValueError(f"data: the prices have no column {missing[0]!r}; they have {', '.join(frame.columns)}")
        if len(frame) < 3:  # noqa: PLR2004
            raise ValueError(f"data: the prices have {len(frame)} days between {start} and {end}")
        return Prices(frame[chosen], {n: data.titles[n] for n in chosen}, data.taken, data.remarks, data.warnings)
    options: dict[str, Any] = {}
    if isinstance(data, Mapping):
        unknown = [key for key in data if key not in ("file", *OPTIONS)]
        if unknown:
            raise ValueError(f"data: unknown key {unknown[0]!r}; known: file, {', '.join(OPTIONS)}")
        options = {key: data[key] for key in OPTIONS if data.get(key) is not None}
        data = data["file"]
    if columns is not None:
        options["columns"] = columns
    return read(data, start=start, end=end, levels=levels, **options)


def is_shipped(data: Any) -> bool:
    """Whether ``data`` names no file: then the shipped history is meant.

    Args:
        data: As ``given`` takes it.
    """
    return data is None or (isinstance(data, Mapping) and data.get("file") is None)


def _asked(given: Any) -> list[str] | None:
    if given is None:
        return None
    if isinstance(given, str) or not isinstance(given, Sequence) or not given:
        raise ValueError(f"columns: expected a list of headings, as [SPY,TLT], got {given!r}")
    return [str(c).strip() for c in given]


def _formats(given: Any) -> dict[str, str | None]:
    """By ``date`` and ``decimal``: what was said of them, or None."""
    out: dict[str, str | None] = {"date": None, "decimal": None}
    for word in [given] if isinstance(given, str) else given or []:
        if word in DECIMALS:
            out["decimal"] = DECIMALS[word]
        elif word in dates.FORMATS or (isinstance(word, str) and "%" in word):
            out["date"] = word
        else:
            raise ValueError(f"data.format: expected any of {', '.join((*dates.FORMATS, *DECIMALS))}, or a pattern as %d.%m.%y, got {word!r}")
    return out


def _rows(data: Any) -> tuple[str, dialect.Rows]:
    """(name, rows of cells) of a file or a table."""
    if hasattr(data, "columns") and hasattr(data, "index"):
        return _TABLE, _of_table(data)
    if not isinstance(data, str | Path):
        raise ValueError(f"data: expected a file or a pandas table, got {data!r}")
    found = source.text_or_table(Path(data))
    name = Path(data).name
    return name, dialect.split(found, name) if isinstance(found, str) else _of_table(found)


def _of_table(table: Any) -> dialect.Rows:
    """A pandas table as rows of cells, its dates first where they are its index."""
    import pandas as pd

    counted = isinstance(table.index, pd.RangeIndex) or (table.index.dtype.kind in "iu" and table.index.name is None)
    names = [c if isinstance(c, tuple) else (c,) for c in table.columns]
    text = [_cells(table.iloc[:, j]) for j in range(len(names))]
    if not counted:
        own = table.index.name if table.index.name is not None else "date"
        for level in reversed(range(table.index.nlevels)):
            title = own if table.index.nlevels == 1 else table.index.names[level]
            names.insert(0, (str(title),))
            text.insert(0, _cells(table.index.get_level_values(level)))
    deep = max(map(len, names), default=1)
    header = [[str(n[k]) if k < len(n) else "" for n in names] for k in range(deep)]
    if deep > 1 and not counted:  # as pandas writes columns of several levels: the dates' name in a row of its own
        header = [["" if len(n) < deep else str(n[k]) for n in names] for k in range(deep)]
        header.append([str(n[0]) if len(n) < deep else "" for n in names])
    cells = [*header, *map(list, zip(*text, strict=True))] if text else header
    return dialect.Rows(cells, list(range(1 - len(header), 1 - len(header) + len(cells))), "")


def _cells(column: Any) -> list[str]:
    """A column of a table as text that reads back to the same numbers and dates."""
    import pandas as pd

    kind = getattr(column.dtype, "kind", "O")
    if kind == "f":
        return ["" if x != x else repr(x) for x in column.to_numpy(float).tolist()]
    return ["" if x is None or x is pd.NaT or x is pd.NA or x != x else str(x).strip() for x in column.tolist()]


def _body(data: Any, asked: list[str] | None, date: str | None, formats: dict[str, str | None], levels: Collection[str]) -> _Body:
    name, rows = _rows(data)
    table = layout.arrange(rows, name, date)
    if not table.columns or len(table.lines) < 2:  # noqa: PLR2004
        raise ValueError(f"data: {name} has {len(table.lines)} rows; expected prices on several days")
    heading = table.levels[0][table.dates] if table.levels else ""
    days = dates.parse(table.columns[table.dates], name, heading, table.lines, formats["date"])
    found = columns.described(table)
    by = columns.tickers(found) if len(np.unique(days.days)) < len(days.days) else None
    taken = [] if rows.separator in ("", ",") else [f"{dialect.SEPARATORS.get(rows.separator, repr(rows.separator))} between cells"]
    taken += [f"dates {days.form}" + (f" in {heading}" if heading else "") + (", the time of day dropped" if days.timed else "")]
    if by is None:
        chosen, left_out = columns.choose(found, asked, levels, name)
    else:
        left = [c for c in found if c is not by]
        of_values = None if asked is None or set(asked) <= set(by.cells) else asked
        chosen, left_out = columns.choose(left, of_values, (), name)
        taken.append(f"long, an asset for each {by.title}")
    decimal = formats["decimal"] or _decimal(chosen, name, rows)
    taken += ["decimal commas"] if decimal == "," else []
    taken += table.said
    if by is not None:
        return _long(name, chosen, by, days, decimal, table.lines, asked, taken, left_out)
    if checks.order(days.days, name, table.lines, days.timed):
        taken.append("newest first")
    titles = _names([c.title for c in chosen], name)
    values = {n: _numbers(c, decimal, name, table.lines, n in levels or c.title in levels) for n, c in zip(titles, chosen, strict=True)}
    order = np.argsort(days.days, kind="stable")
    return _Body(name, days.days[order], {n: v[order] for n, v in values.items()}, titles, taken, left_out)


def _decimal(chosen: list[Column], name: str, rows: dialect.Rows) -> str:
    # Cells of a table that are numbers already have points; one such is enough to know.
    return numbers.decimal_mark((c.cells for c in chosen), name, rows.separator or ",")


def _numbers(column: Column, decimal: str, name: str, lines: list[int], is_level: bool) -> np.ndarray:
    found = numbers.parse(column.cells, decimal, f"{name}|{column.title or 'without a heading'}", lines)
    return found.values / 100.0 if found.percent and not is_level else found.values


def _long(
    name: str, chosen: list[Column], by: Column, days: dates.Dates, decimal: str, lines: list[int], asked: Any, taken: list[str], left_out: list[str]
) -> _Body:
    """One column an asset, of a table with a row for each date and ticker."""
    if len(chosen) != 1:
        found = ", ".join(c.title for c in chosen)
        raise ValueError(f"data: {name}: expected one column of prices beside the dates and {by.title}, got {found}; choose by data.columns=")
    wanted = asked if asked is not None and set(asked) <= set(by.cells) else list(dict.fromkeys(by.cells))
    values = _numbers(chosen[0], decimal, name, lines, is_level=False)
    known = {ticker: j for j, ticker in enumerate(wanted)}
    where = np.array([known.get(ticker, -1) for ticker in by.cells])
    all_days, row = np.unique(days.days, return_inverse=True)
    cell = row * len(wanted) + where
    used = where >= 0
    twice = np.flatnonzero(used)[_later(cell[used])]
    if len(twice):
        k = int(twice[0])
        raise ValueError(f"data: {name} row {lines[k]}: expected each date once of {by.cells[k] or by.title}, got {days.days[k]} again")
    table = np.full((len(all_days), len(wanted)), np.nan)
    table[row[used], where[used]] = values[used]
    titles = _names(wanted, name)
    return _Body(name, all_days, dict(zip(titles, table.T, strict=True)), titles, taken, left_out)


def _later(values: np.ndarray) -> np.ndarray:
    """Indices of values that came before."""
    return np.setdiff1d(np.arange(len(values)), np.unique(values, return_index=True)[1])


def _names(titles: list[str], file: str) -> dict[str, str]:
    out: dict[str, str] = {}
    for title in titles:
        name = columns.name_of(title)
        if name in out:
            raise ValueError(f"data: {file} has two columns that are called {name}: {out[name]!r} and {title!r}")
        out[name] = title
    return out


def _common(body: _Body, first: Any, last: Any, kind: str | None) -> tuple[_Body, list[str], list[str]]:
    """(what lies between two dates on days on which all is quoted, what was dropped, which columns end later)."""
    name, days = body.name, body.days
    inside = np.ones(len(days), bool)
    inside &= days >= np.datetime64(first, "D") if first is not None else True
    inside &= days <= np.datetime64(last, "D") if last is not None else True
    if not inside.any():
        raise ValueError(f"data: {name} has no day between {first} and {last}; it runs from {days[0]} to {days[-1]}")
    days, table = days[inside], {n: v[inside] for n, v in body.values.items()}
    quoted = {n: np.flatnonzero(np.isfinite(v)) for n, v in table.items()}
    empty = [body.titles[n] for n, rows in quoted.items() if not len(rows)]
    if empty:
        raise ValueError(f"data: {name} has no {', '.join(empty)} between {days[0]} and {days[-1]}")
    ends = {n: int(rows[-1]) for n, rows in quoted.items()}
    begin, end = max(int(rows[0]) for rows in quoted.values()), min(ends.values())
    whole = np.all([np.isfinite(v) for v in table.values()], axis=0)
    whole[:begin] = whole[end + 1 :] = False
    if whole.sum() < 3:  # noqa: PLR2004
        raise ValueError(f"data: {name} has {whole.sum()} days between {first} and {last} on which {_list(body.titles)} are all quoted")
    missing = {n: int((~np.isfinite(v[begin : end + 1])).sum()) for n, v in table.items()}
    count, dropped = end + 1 - begin - int(whole.sum()), []
    if count and kind in KINDS[1:]:
        n = max(missing, key=lambda n: missing[n])
        k = begin + int(np.argmax(~np.isfinite(table[n][begin : end + 1])))
        raise ValueError(f"data: {name} column {body.titles[n]} on {days[k]}: expected a return, for those around it are not compounded without it, got none")
    if count:
        shown = ", ".join(f"{n}: {m}" for n, m in missing.items() if m)
        dropped = [f"{count} rows inside the range were dropped for an empty cell ({shown})"]
    later = [f"{n} to {days[e]}" for n, e in ends.items() if e > end]
    short = [n for n, e in ends.items() if e == end]
    days = days[whole]
    checks.holes(days, name)
    frequency.check_even(days, name)
    unused = [f"not used: {', '.join(later)}, for {_list(short)} end{'s' if len(short) == 1 else ''} on {days[-1]}"] if later else []
    return body._replace(days=days, values={n: v[whole] for n, v in table.items()}), dropped, unused


def _list(names: Collection[str]) -> str:
    shown = list(names)[:_SHOWN]
    return ", ".join(shown) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")


def _looked_at(body: _Body, kind: str | None, adjust: bool, rate: float, levels: Collection[str]) -> tuple[dict[str, np.ndarray], list[str]]:
    """(prices, what may be wrong with them)."""
    out, warnings = {}, []
    for n, v in body.values.items():
        title = body.titles[n]
        if n in levels or title in levels:
            out[n] = v
            continue
        if kind in KINDS[1:]:
            v, said = _compounded(v, f"{body.name} column {title}", kind == "percent_returns", rate)
            warnings += said
        elif kind is None and checks.looks_like_returns(v):
            offered = "percent_returns" if checks.are_percent(v, rate) else "returns"
            raise ValueError(
                f"data: {body.name} column {title} has returns, it seems, not prices ({np.mean(v < 0.0):.0%} of {len(v):,} are below 0, "
                f"{frequency.frequency(rate)}): data.kind={offered} makes prices of them, data.kind=prices takes them as they are"
            )
        found = checks.jumps(v)
        dates_of = np.concatenate([body.days[:1], body.days]) if len(v) > len(body.days) else body.days
        if found and adjust:
            v = checks.mended(v, found)
        warnings += [_jump(title, v, dates_of, jump, adjust) for jump in found[:3]]
        if len(found) > 3:  # noqa: PLR2004
            warnings.append(f"{title}: {len(found) - 3} more rows like that")
        stands = checks.standstill(v)
        if checks.still(v, rate):
            warnings.append(f"{title} does not move, or hardly: {v[0]:g} to {v[-1]:g}")
        elif stands is not None:
            first, last = stands
            warnings.append(f"{title} stands at {v[first]:g} for {last - first + 1} rows, from {dates_of[first]} to {dates_of[last]}")
        out[n] = v
    return out, warnings


def _jump(title: str, values: np.ndarray, days: np.ndarray, jump: checks.Jump, adjusted: bool) -> str:
    times = f"{jump.factor:g} times" if jump.factor > 1.0 else f"one part in {1.0 / jump.factor:g} of"
    if adjusted:
        return f"{title} on {days[jump.row]} was {times} the row before, as a split or a change of unit makes it: mended"
    return (
        f"{title} on {days[jump.row]} is some {times} the row before ({values[jump.row - 1]:g}, then {values[jump.row]:g}), "
        "as a split or a change of unit makes it; data.adjust=true mends it"
    )


def _compounded(values: np.ndarray, where: str, percent: bool, rate: float) -> tuple[np.ndarray, list[str]]:
    """(prices from 100 on, one row more than returns; what may be wrong)."""
    returns = values / 100.0 if percent else values
    if (returns <= -1.0).any():
        hint = "" if percent else "; data.kind=percent_returns, if they are percents"
        raise ValueError(f"data: {where}: expected returns above -100 %, got {returns.min():.4g} as a fraction{hint}")
    said = []
    if checks.are_percent(returns, rate):
        said = [f"{where.rpartition(' ')[2]} moves {returns.std() * rate**0.5:.0%} a year; data.kind=percent_returns, if its returns are percents"]
    return 100.0 * np.concatenate([[1.0], np.cumprod(1.0 + returns)]), said


def _prices(body: _Body, values: dict[str, np.ndarray], rate: float, remarks: list[str], warnings: list[str]) -> Prices:
    import pandas as pd

    days = body.days
    if any(len(v) > len(days) for v in values.values()):  # prices of returns: one more, an interval before the first
        days = np.concatenate([[days[0] - np.median(np.diff(days).astype(int)).astype(int).astype("timedelta64[D]")], days])
        values = {n: v if len(v) == len(days) else np.concatenate([v[:1], v]) for n, v in values.items()}
    frame = pd.DataFrame(values, index=pd.DatetimeIndex(days.astype("datetime64[us]"), name="date"))
    often = frequency.frequency(rate)
    taken = (
        f"{body.name}: {len(frame):,} rows from {days[0]} to {days[-1]} on which {_list(list(body.titles))} are all quoted, "
        f"{often}, {rate:.1f} a year; taken as {'; '.join(body.taken)}"
    )
    renamed = [f"{t} is called {n}" for n, t in body.titles.items() if n != t]
    left = [f"left out: {', '.join(body.left_out)}"] if body.left_out else []
    odd = [f"the rows are irregular, {rate:.1f} a year"] if often == "irregular" else []
    return Prices(frame, body.titles, taken, [*(["; ".join(renamed)] if renamed else []), *left, *remarks], [*odd, *warnings])
