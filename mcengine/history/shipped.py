"""Daily market history: the shipped file or the user's own, checked before anything is computed from it.

Columns: ``date``; ``spx`` a price index; ``vix`` in points; ``ust3m``, ``ust10y`` par yields in percent; ``wti`` in USD. More are allowed.
"""

from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

COLUMNS = {"equity": "spx", "bond": "ust10y", "commodity": "wti"}
"""Assets of the shipped file: a price index, a par yield that ``bond_index`` makes an index of, a spot price."""

YIELDS = {"ust3m": 0.25, "ust2y": 2.0, "ust10y": 10.0}
"""Maturities in years of its columns of yields."""

DIVIDEND = 0.019
"""A year, of the S&P 500 over its history: the index leaves it out."""

NEEDED = ("spx", "vix", "ust3m", "ust10y", "wti")
POSITIVE = ("spx", "vix", "wti", "ust10y")
"""What a lognormal model, a square-root variance or the par-bond formula needs above 0; a bill may yield nothing, or less."""

LONGEST_HOLE = 10
"""Days without any row that a range may contain: the longest in the shipped file is 7, around 11 September 2001."""


@dataclass(frozen=True)
class History:
    """Daily market history, checked.

    Args:
        frame: pandas table of the columns used, by date.
        notes: What was used, dropped and missing.
    """

    frame: Any
    notes: list[str]

    @property
    def days_per_year(self) -> float:
        """Rows a year on average."""
        span = (self.frame.index[-1] - self.frame.index[0]).days / 365.25
        return float((len(self.frame) - 1) / span)


def load(data: str | Path | None = None, *, start: str | None = None, end: str | None = None, columns: tuple[str, ...] = NEEDED) -> History:
    """Daily history of the shipped file or one with its columns, on the days all of them are quoted.

    Args:
        data: CSV file (also .gz), or None for the shipped one.
        start: First date, like 2001-09-10, or None for the first there is.
        end: Last date, or None.
        columns: Columns needed: price indices, yields in percent, volatility indices in points.

    Raises:
        ValueError: Columns are missing, dates unsorted or twice, numbers text, prices or yields not positive, a hole is longer than ten days, or
            there is no common day; the file is named.
    """
    name, whole = _read(data, columns)
    if whole.empty:
        raise ValueError(f"data: {name} has no row")
    frame: Any = whole.loc[start:end]
    if frame.empty:
        raise ValueError(f"data: {name} has no day between {start} and {end}; it runs from {_day(whole.index[0])} to {_day(whole.index[-1])}")
    empty = [c for c in columns if frame[c].notna().sum() == 0]
    if empty:
        raise ValueError(f"data: {name} has no {', '.join(empty)} between {_day(frame.index[0])} and {_day(frame.index[-1])}")
    ends = {c: frame[c].last_valid_index() for c in columns}
    common = frame.loc[max(frame[c].first_valid_index() for c in columns) : min(ends.values())]
    used = common.dropna()
    if len(used) < 2:
        raise ValueError(f"data: {name} has no common range of {', '.join(columns)}")
    _check_positive(used, name)
    _check_holes(used, name)
    return History(used, _notes(name, common, used, ends))


def _day(stamp: Any) -> str:
    return str(stamp)[:10]


def _read(data: str | Path | None, columns: tuple[str, ...]) -> tuple[str, Any]:
    """(the file's name, its columns as numbers by date), text, order and names checked."""
    import pandas as pd

    source = files("mcengine.history") / "data" / "us_daily.csv.gz" if data is None else Path(data)
    name = source.name
    if not source.is_file():
        raise ValueError(f"data: expected a CSV file, got {str(data)!r} which does not exist")
    with source.open("rb") as stream:
        try:
            raw: Any = pd.read_csv(stream, compression="gzip" if name.endswith(".gz") else None, dtype=str, keep_default_na=False)
        except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError, OSError) as error:
            raise ValueError(f"data: {name} is not a CSV file that can be read: {str(error).strip().splitlines()[-1]}") from None
    missing = [c for c in ("date", *columns) if c not in raw.columns]
    if missing:
        raise ValueError(f"data: {name} lacks columns {', '.join(missing)}; it has {', '.join(map(str, raw.columns))}")
    dates = pd.to_datetime(raw["date"].str.strip(), format="%Y-%m-%d", errors="coerce")
    if dates.isna().any():
        row = int(np.argmax(dates.isna().to_numpy()))
        raise ValueError(f"data: {name} row {row + 2}: expected a date like 2001-09-10, got {raw['date'].iloc[row]!r}")
    _check_order(dates, name)
    return name, pd.DataFrame({c: _numbers(raw[c], c, name) for c in columns}).set_index(pd.DatetimeIndex(dates, name="date"))


def _days_between(index: Any) -> np.ndarray:
    return np.diff(index.to_numpy()).astype("timedelta64[D]").astype(int)


def _check_order(dates: Any, name: str) -> None:
    steps = _days_between(dates)
    if (steps == 0).any():
        k = int(np.argmax(steps == 0))
        raise ValueError(f"data: {name} row {k + 3}: date {_day(dates.iloc[k])} comes twice")
    if (steps < 0).any():
        k = int(np.argmax(steps < 0))
        raise ValueError(f"data: {name} row {k + 3}: expected dates in order, got {_day(dates.iloc[k + 1])} after {_day(dates.iloc[k])}")


def _numbers(column: Any, title: str, name: str) -> np.ndarray:
    import pandas as pd

    text = column.str.strip()
    numbers = np.asarray(pd.to_numeric(text, errors="coerce"), float)
    bad = (text != "").to_numpy() & ~np.isfinite(numbers)
    if bad.any():
        k = int(np.argmax(bad))
        raise ValueError(f"data: {name} row {k + 2} column {title}: expected a number, got {text.iloc[k]!r}")
    return numbers


def _check_positive(used: Any, name: str) -> None:
    for c in set(POSITIVE) & set(used.columns):
        values = used[c].to_numpy()
        if (values <= 0.0).any():
            k = int(np.argmax(values <= 0.0))
            day = _day(used.index[k])
            raise ValueError(f"data: {name} column {c} on {day}: expected a positive number, for the model of it is lognormal, got {values[k]:g}")


def _check_holes(used: Any, name: str) -> None:
    gaps = _days_between(used.index)
    if gaps.max() > LONGEST_HOLE:
        k = int(np.argmax(gaps))
        ends = f"{_day(used.index[k])} to {_day(used.index[k + 1])}"
        raise ValueError(f"data: {name} has a hole of {gaps[k]} days from {ends}; expected at most {LONGEST_HOLE}")


def _notes(name: str, common: Any, used: Any, ends: dict[str, Any]) -> list[str]:
    last = min(ends.values())
    notes = [f"{name}: {len(used):,} days from {_day(used.index[0])} to {_day(used.index[-1])} on which {', '.join(ends)} are all quoted"]
    cells = {c: int(common[c].isna().sum()) for c in ends}
    if len(common) > len(used):
        where = ", ".join(f"{c}: {n}" for c, n in cells.items() if n)
        notes.append(f"{len(common) - len(used)} days inside the range were dropped for an empty cell ({where})")
    later = [f"{c} to {_day(e)}" for c, e in ends.items() if e > last]
    if later:
        short = ", ".join(c for c, e in ends.items() if e == last)
        notes.append(f"not used: {', '.join(later)}, for {short} ends on {_day(last)}")
    return notes
