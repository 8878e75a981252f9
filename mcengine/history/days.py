"""Historical returns as one array [rows, columns], shared by Replay and Bootstrap.

Row k of ``moves`` leads from close k to the next: the return of each asset, then each asset's variance and the short rate as they stand at the close
it leads to. A step is a row: of the shipped history a trading day, 1/252 of a year; of a file what its dates say (1/365, 1/52, 1/12). A variance is
the square of the volatility index where the asset has one (VIX: what options are priced by), else the exponentially weighted realised one, half-life
two months, known at the close.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from mcengine._model import model, number, static
from mcengine._spelling import near
from mcengine.history import checks, shipped
from mcengine.history.bond_index import bond_index
from mcengine.history.ewma import HALF_LIFE, ewma
from mcengine.history.prices import Prices
from mcengine.history.reader import given as read_given
from mcengine.history.reader import is_shipped

DAYS_PER_YEAR = 252
"""Trading days, as the shipped history has them."""

LEAST_POINTS = 1.0
"""A volatility index that never reaches 1 % is in fractions."""

_FEWEST = 12
"""Rows over which a variance is remembered at least: of fewer it is mostly noise."""


class Series(NamedTuple):
    """How an asset is made from the columns of a file.

    Args:
        column: Name of its column.
        kind: price (a level) or yield (of par bonds, in percent; turned into a ten-year total-return index).
        dividend: Yield a year that the level leaves out.
        volatility: Column of its volatility index, in points, or None.
    """

    column: str
    kind: str = "price"
    dividend: float = 0.0
    volatility: str | None = None


SHIPPED = {
    "equity": Series(shipped.COLUMNS["equity"], dividend=shipped.DIVIDEND, volatility="vix"),
    "bond": Series(shipped.COLUMNS["bond"], "yield"),
    "commodity": Series(shipped.COLUMNS["commodity"]),
}


@model
class Days:
    """Historical daily returns as arrays over days, shared by Replay and Bootstrap.

    Row k of ``moves`` leads from the close of day k to the next: each asset's return, then each asset's variance and the short rate at that close.

    Args:
        moves: Returns, variances a year and the rate a year [days - 1, 2 assets + 1].
        closes: Variances a year and the rate a year at each close [days, assets + 1].
        dates: Days since 1970 [days].
        names: The assets.
        series: How each was made.
        notes: What was used, dropped and missing.
        per_year: Rows a year: steps that make one.
        remarks: What is to be said before they are used: of a file of one's own what it was taken to be, and what may be wrong with it.
        correlation: Of the returns, as it is known where paths start [assets, assets]; None: of all days, later ones too.
    """

    moves: Any = number(term=True)
    closes: Any = number(term=True)
    dates: Any = number(term=True)
    names: tuple[str, ...] = static()
    series: tuple[Series, ...] = static()
    notes: tuple[str, ...] = static(default=())
    per_year: int = static(default=DAYS_PER_YEAR)
    remarks: tuple[str, ...] = static(default=())
    correlation: Any = None

    @property
    def count(self) -> int:
        return len(self.closes)

    def day(self, k: int) -> str:
        """Date of a close, as 2001-09-10.

        Args:
            k: Index of the close.
        """
        return str(np.datetime64(int(np.asarray(self.dates)[k]), "D"))

    def between(self, start: str, end: str) -> tuple[int, int]:
        """First and last close in a range of dates.

        Args:
            start: Date like 2001-09-10, included.
            end: Date like 2001-09-10, included.
        """
        dates = np.asarray(self.dates)
        low, high = (int(np.datetime64(d, "D").astype(int)) for d in (start, end))
        return int(np.searchsorted(dates, low)), int(np.searchsorted(dates, high, side="right")) - 1


def load_days(
    assets: Mapping[str, Any] | None = None,
    *,
    data: Any = None,
    start: Any = None,
    end: Any = None,
    rate: str | float = "ust3m",
) -> Days:
    """History of several assets, on the days all their columns are quoted.

    Args:
        assets: By name a ``Series``, its fields as a dict, or a column's name; an asset that is None is left out. None: ``SHIPPED``, or every column
            of a file.
        data: File, table, dict of the arguments of ``read``, or ``Prices``; None: the shipped history.
        start: First date, like 2001-09-10, or None for the first there is.
        end: Last date, or None.
        rate: What cash earns: the column of a short rate (percent a year, simple), or one continuously compounded rate a year.

    Raises:
        ValueError: The file, a column or a price is not as expected, or an asset's name or field is unknown; it is named.

    Example:
        >>> days = mc.history.load_days({"equity": "spx"}, start="2008-01-01", end="2008-12-31")
        >>> days.count, days.day(0)
        (248, '2008-01-02')
    """
    bill = [rate] if isinstance(rate, str) else []
    if assets is None and not is_shipped(data):
        table = read_given(data, start=start, end=end, levels=bill)
        assets = {name: title for name, title in table.titles.items() if not {name, title} & set(bill)}
    else:
        table = None
    chosen = {name: _series(name, given) for name, given in (SHIPPED if assets is None else assets).items() if given is not None}
    if not chosen:
        raise ValueError("assets: expected at least one asset, got none")
    if table is None:
        indices = [s.volatility for s in chosen.values() if s.volatility is not None]
        levels = [*(s.column for s in chosen.values() if s.kind == "yield"), *indices, *bill]
        columns = tuple(dict.fromkeys([*(s.column for s in chosen.values()), *levels]))
        table = shipped.load(data, start=start, end=end, columns=columns, levels=levels)
    per_year = DAYS_PER_YEAR if is_shipped(data) else table.steps_per_year
    remarks = () if is_shipped(data) else tuple(table.notes)
    return _days(table, chosen, rate, (per_year, remarks))


def _days(table: Prices, chosen: dict[str, Series], rate: str | float, of: tuple[int, tuple[str, ...]]) -> Days:
    """The days of a table; ``of`` are the rows that make a year, and what is to be said of them."""
    per_year, remarks = of
    frame, called = table.frame, {title: name for name, title in table.titles.items()}
    column = lambda c: frame[called.get(c, c)].to_numpy(float)  # noqa: E731
    if isinstance(rate, str) and called.get(rate, rate) not in frame.columns:
        raise ValueError(f"rate: the data have no column {rate!r}; give one of {', '.join(frame.columns)}, or a number, as rate=0.02")
    elapsed = np.diff(frame.index.to_numpy()).astype("timedelta64[D]").astype(float) / 365.25
    returns, variances = [], []
    for name, s in chosen.items():
        level = column(s.column)
        if not (level > 0.0).all():
            day = str(frame.index[int(np.argmax(level <= 0.0))])[:10]
            raise ValueError(f"data: column {s.column} of {name} on {day}: expected a positive number, got {level[level <= 0.0][0]:g}")
        if s.kind == "price" and checks.still(level, per_year):
            raise ValueError(f"data: column {s.column} of {name}: expected prices that move, got {level[0]:g} to {level[-1]:g}")
        level = bond_index(level / 100.0, elapsed) if s.kind == "yield" else level
        returns.append(level[1:] / level[:-1] - 1.0)
        variances.append(_weighted_variance(level, per_year) if s.volatility is None else _quoted_variance(column(s.volatility), s.volatility))
    bill = np.log1p(column(rate) / 100.0) if isinstance(rate, str) else np.full(len(frame), float(rate))
    closes = np.column_stack([*variances, bill])
    dates = frame.index.to_numpy().astype("datetime64[D]").astype(int).astype(float)
    moves = np.column_stack([*returns, closes[1:]])
    return Days(moves, closes, dates, tuple(chosen), tuple(chosen.values()), tuple(table.notes), per_year, remarks)


def _series(name: str, given: Any) -> Series:
    if not name.isidentifier() or name in ("rate", "place"):
        raise ValueError(f"assets: expected names made of letters, digits and underscores, other than rate and place, got {name!r}")
    if isinstance(given, Series):
        return given
    fields = {"column": given} if isinstance(given, str) else dict(given)
    for key in fields:
        if key not in Series._fields:
            raise ValueError(f"assets.{name}: unknown key {key!r}{near(key, Series._fields)}")
    if "column" not in fields:
        raise ValueError(f"assets.{name}: expected the column it is made from, got {fields}")
    one = Series(**fields)
    if one.kind not in ("price", "yield"):
        raise ValueError(f"assets.{name}.kind: expected price or yield, got {one.kind!r}")
    return one._replace(dividend=float(one.dividend))


def _quoted_variance(index: np.ndarray, title: str) -> np.ndarray:
    """Variance a year of an index in points. Raises ``ValueError`` for one that is not above 0, or so low that it must be fractions."""
    if not (index > 0.0).all() or index.max() < LEAST_POINTS:
        raise ValueError(f"data: column {title}: expected volatilities in points, as 20 for 20 %, got {index.min():g} to {index.max():g}")
    return (index / 100.0) ** 2


def _weighted_variance(level: np.ndarray, per_year: int) -> np.ndarray:
    """Variance a year at each close, from squared log returns up to it; before the first quarter is over, the mean of that."""
    square = np.diff(np.log(level)) ** 2 * per_year
    begin = float(np.mean(square[: max(round(per_year / 4), _FEWEST)]))
    return np.concatenate([[begin], ewma(square, begin, max(HALF_LIFE * per_year / DAYS_PER_YEAR, _FEWEST))])
