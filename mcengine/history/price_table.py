"""A table of prices from a user's own file: a date column and any number of others, CSV (also .gz) or parquet."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mcengine._spelling import near

LONGEST_HOLE = 40
"""Days without a common row: more than a month is a gap in the data, not a holiday."""


@dataclass(frozen=True)
class Prices:
    """Prices of a user's own file.

    Args:
        frame: pandas table of prices [days, assets], by date, on the days all are quoted.
        titles: The file's own headings by name.
        notes: What was used, renamed and dropped.
    """

    frame: Any
    titles: dict[str, str]
    notes: list[str]

    @property
    def days_per_year(self) -> float:
        """Rows a year on average."""
        return (len(self.frame) - 1) / ((self.frame.index[-1] - self.frame.index[0]).days / 365.25)


def read_prices(data: str | Path, *, start: str | None = None, end: str | None = None, columns: Any = None, reserved: Collection[str] = ()) -> Prices:
    """Prices from a CSV (also .gz) or parquet file, on the days all columns are quoted.

    A heading becomes a name of letters, digits and underscores: "S&P 500" is S_P_500.

    Args:
        data: The file: a column of dates and any number of others.
        start: First date, like 2001-09-10, or None for the first there is.
        end: Last date, or None.
        columns: Headings to use, or None for all.
        reserved: Names that no column may have; one that does gets an underscore at its end.

    Raises:
        ValueError: Dates or numbers are none, dates are out of order or twice, two headings have one name, there is a hole of more than 40 days,
            or no common day; file, row and column are named.
    """
    import pandas as pd

    path = Path(data)
    raw = _table(path)
    heading = next((c for c in raw.columns if str(c).strip().lower() in ("date", "day", "time", "timestamp")), raw.columns[0])
    dates = pd.to_datetime(raw[heading].astype(str).str.strip(), format="ISO8601", errors="coerce")
    if dates.isna().any():
        k = int(np.argmax(dates.isna().to_numpy()))
        raise ValueError(f"data: {path.name} row {k + 2} column {heading}: expected a date like 2001-09-10, got {str(raw[heading].iloc[k])!r}")
    steps = np.diff(dates.to_numpy()).astype("timedelta64[s]").astype(float)
    if (steps <= 0.0).any():
        k = int(np.argmax(steps <= 0.0))
        days = [str(dates.iloc[k + i])[:10] for i in (0, 1)]
        raise ValueError(f"data: {path.name} row {k + 3}: expected dates in order, each once, got {days[1]} after {days[0]}")
    titles = _names([str(c) for c in raw.columns if c != heading], path.name, reserved)
    frame: Any = pd.DataFrame({n: _numbers(raw[t], t, path.name) for n, t in titles.items()}).set_index(pd.DatetimeIndex(dates, name="date"))
    if columns is not None:
        by_title = {t: n for n, t in titles.items()}
        chosen = [by_title.get(str(c), str(c)) for c in columns]
        for name in chosen:
            if name not in titles:
                raise ValueError(f"data: {path.name} has no column {name!r}{near(name, titles)}")
        frame, titles = frame[chosen], {n: titles[n] for n in chosen}
    if not titles:
        raise ValueError(f"data: {path.name} has no column of prices beside {heading!r}")
    whole = frame.loc[start:end]
    used = whole.dropna()
    if len(used) < 3:
        raise ValueError(f"data: {path.name} has {len(used)} days between {start} and {end} on which {', '.join(titles)} are all quoted")
    inside = whole.loc[used.index[0] : used.index[-1]]
    gaps = np.diff(used.index.to_numpy()).astype("timedelta64[D]").astype(int)
    notes = [f"{path.name}: {len(used):,} rows from {_day(used.index[0])} to {_day(used.index[-1])} on which {', '.join(titles)} are all quoted"]
    renamed = [f"{t} is called {n}" for n, t in titles.items() if n != t]
    notes += ["; ".join(renamed)] if renamed else []
    if len(inside) > len(used):
        notes.append(f"{len(inside) - len(used)} rows inside the range were dropped for an empty cell")
    if gaps.max() > LONGEST_HOLE:
        k = int(np.argmax(gaps))
        raise ValueError(
            f"data: {path.name} has a hole of {gaps[k]} days from {_day(used.index[k])} to {_day(used.index[k + 1])}; expected at most {LONGEST_HOLE}"
        )
    return Prices(used, titles, notes)


def _day(stamp: Any) -> str:
    return str(stamp)[:10]


def _table(path: Path) -> Any:
    import pandas as pd

    if not path.is_file():
        raise ValueError(f"data: expected a CSV or parquet file, got {str(path)!r} which does not exist")
    if path.suffix in (".parquet", ".pq"):
        try:
            table = pd.read_parquet(path)
        except ImportError:
            needed = "which pandas reads where pyarrow or fastparquet is installed; pip install 'mcengine[parquet]'"
            raise ValueError(f"data: {path.name} is parquet, {needed}") from None
        except (OSError, ValueError) as error:
            raise ValueError(f"data: {path.name} is not a parquet file that can be read: {str(error).splitlines()[0]}") from None
        return table.reset_index() if isinstance(table.index, pd.DatetimeIndex) else table
    try:
        return pd.read_csv(path, dtype=str, keep_default_na=False)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError, OSError) as error:
        raise ValueError(f"data: {path.name} is not a CSV file that can be read: {str(error).strip().splitlines()[-1]}") from None


def _names(titles: list[str], file: str, reserved: Collection[str]) -> dict[str, str]:
    out: dict[str, str] = {}
    for title in titles:
        name = re.sub(r"\W+", "_", title.strip(), flags=re.ASCII).strip("_") or "unnamed"
        name = f"_{name}" if name[0].isdigit() else name
        name = f"{name}_" if name in reserved else name
        if name in out:
            raise ValueError(f"data: {file} has two columns that are called {name}: {out[name]!r} and {title!r}")
        out[name] = title
    return out


def _numbers(column: Any, title: str, file: str) -> np.ndarray:
    import pandas as pd

    text = column.astype(str).str.strip()
    numbers = np.asarray(pd.to_numeric(text, errors="coerce"), float)
    # Missing numbers stay missing as text where they come from parquet.
    empty = column.isna().to_numpy() | text.str.lower().isin(["", "nan", "none", "na", "n/a", "<na>"]).to_numpy()
    bad = ~empty & ~np.isfinite(numbers)
    if bad.any():
        k = int(np.argmax(bad))
        raise ValueError(f"data: {file} row {k + 2} column {title}: expected a number, got {text.iloc[k]!r}")
    return np.where(empty, np.nan, numbers)
