"""The one reader of prices: from a file or a table as people have them to ``Prices``, or one line that says why not.

    source   what the file is, unpacked and decoded      columns    which columns are prices
    dialect  cells by separator                          dates      one form for all
    layout   header, dates, body                         numbers    one decimal mark for all
    checks   order, holes, splits, quotes that stand     frequency  rows a year

Nothing is guessed between two readings: where both fit, both are shown, with the argument that chooses.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from mcengine.history import dates, frequency, periods
from mcengine.history.body import Body, read_body
from mcengine.history.inspection import KINDS, inspect
from mcengine.history.prices import Prices
from mcengine.history.span import common, listed, quoted_all

DECIMALS = {"decimal_point": ".", "decimal_comma": ","}
OPTIONS = ("columns", "date", "format", "kind", "adjust")
"""Arguments of ``read`` that a configuration has under ``data``, beside ``file``."""


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
    body, dropped = common(read_body(data, _asked(columns), date, _formats(format), levels), first, last, every=kind in KINDS[1:])
    rate = frequency.rows_per_year(body.days)
    values, warnings = inspect(body, kind, adjust, rate, levels)
    return _prices(body, values, rate, dropped, warnings)


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
        if len(frame) < 2:
            raise ValueError(f"data: the prices have {len(frame)} days between {start} and {end}; they run from {data.frame.index[0]:%Y-%m-%d}")
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


def _prices(body: Body, values: dict[str, np.ndarray], rate: float, remarks: list[str], warnings: list[str]) -> Prices:
    import pandas as pd

    days = body.days
    if any(len(v) > len(days) for v in values.values()):  # prices of returns: one more, an interval before the first
        days = np.concatenate([[days[0] - np.median(np.diff(days).astype(int)).astype(int).astype("timedelta64[D]")], days])
        values = {n: v if len(v) == len(days) else np.concatenate([v[:1], v]) for n, v in values.items()}
    frame = pd.DataFrame(values, index=pd.DatetimeIndex(days.astype("datetime64[us]"), name="date"))
    often = frequency.called(rate)
    taken = (
        f"{body.name}: {len(frame):,} rows from {days[0]} to {days[-1]} on which {quoted_all(body.titles)}, "
        f"{often}, {rate:.1f} a year; taken as {'; '.join(body.taken)}"
    )
    renamed = [f"{t} is called {n}" for n, t in body.titles.items() if n != t]
    left = [f"left out: {listed(body.left_out)}"] if body.left_out else []
    odd = [f"the rows are irregular, {rate:.1f} a year"] if often == "irregular" else []
    return Prices(frame, body.titles, taken, [*([listed(renamed)] if renamed else []), *left, *remarks], [*odd, *warnings])
