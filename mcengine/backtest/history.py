"""What history there is to trade on: the years, the assets quoted through each, and one table of days for each set of assets.

An asset that is not quoted to the end of a year, or for less than two years before it, is left out of that year, and its weight goes to the others
pro rata. Each set of assets is a table of its own (the days on which all of them are quoted) and a program of its own; all years, and all periods,
that have the same assets share one. Behind its last close a table has rows on which nothing moves, so that a window fits that begins late.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from mcengine._model import replace
from mcengine.history.days import SHIPPED, Days, load_days
from mcengine.history.periods import Period
from mcengine.history.reader import is_shipped
from mcengine.market import Replay
from mcengine.pricing import Pricer, SurfacePricer

_LATE = 10  # days before the end of a year by which one asset may stop to be quoted: markets keep holidays of their own


@dataclass(frozen=True)
class Window:
    """A stretch of history that is traded.

    Args:
        name: Of the year or the period.
        assets: Quoted through it.
        first: Index of the close that it starts at, the last one before it.
        rows: From there to its end.
        start: Date of that close, like 2007-12-31.
        end: Date of its last close.
        notes: What is left out, a line each.
    """

    name: str
    assets: tuple[str, ...]
    first: int
    rows: int
    start: str
    end: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class History:
    """Prices to trade on. What it tells is found when it is first asked.

    Args:
        assets: By name a ``Series``, its fields as a dict, or a column's name (see ``history.load_days``); None: the shipped ones.
        data: File, table, dict of the arguments of ``history.read``, or ``Prices``; None: the shipped history.
        rate: What cash earns: the column of a short rate (percent a year, simple), or one continuously compounded rate a year.
        surface: Prices options of assets with a volatility index; None: Black, flat at the index.

    Raises:
        ValueError: What ``history.load_days`` refuses.

    Example:
        >>> history = mc.backtest.History()
        >>> history.year(2019).assets, history.year(2019).notes[0][:60]
        (('equity', 'bond'), 'commodity is left out of 2019, for it ends on 2019-01-03: it')
    """

    assets: Any = None
    data: Any = None
    rate: str | float = "ust3m"
    surface: Pricer | None = SurfacePricer()  # noqa: RUF009 (frozen)

    @cached_property
    def _spans(self) -> dict[str, Days]:
        """Every asset's own days."""
        if self.assets is None and not is_shipped(self.data):
            raise ValueError("assets: expected the columns to trade, by name, for a file of one's own, got none")
        chosen: Mapping[str, Any] = SHIPPED if self.assets is None else self.assets
        return {name: load_days({name: one}, data=self.data, rate=self.rate) for name, one in chosen.items() if one is not None}

    @cached_property
    def _tables(self) -> dict[tuple[str, ...], Days]:
        return {}

    @property
    def names(self) -> tuple[str, ...]:
        """All assets."""
        return tuple(self._spans)

    @property
    def per_year(self) -> int:
        """Rows that make a year."""
        return next(iter(self._spans.values())).per_year

    @property
    def remarks(self) -> tuple[str, ...]:
        """What a file of one's own was taken to be, and what may be wrong with it."""
        return tuple(dict.fromkeys(remark for days in self._spans.values() for remark in days.remarks))

    def days(self, names: tuple[str, ...]) -> Days:
        """The days on which all of some assets are quoted.

        Args:
            names: The assets.
        """
        if names not in self._tables:
            chosen = {name: self._spans[name].series[0] for name in names}
            # Notes would be a part of the program.
            self._tables[names] = replace(load_days(chosen, data=self.data, rate=self.rate), notes=(), remarks=())
        return self._tables[names]

    def year(self, year: int) -> Window:
        """A calendar year, from the last close before it.

        Args:
            year: Like 2008.

        Raises:
            ValueError: No asset is quoted through it and two years before it.
        """
        begin, end = f"{year}-01-01", f"{year}-12-31"
        last = {name: days.day(days.between(begin, end)[1]) for name, days in self._spans.items() if _quoted(days, begin, end)}
        notes, kept = [], []
        for name, days in self._spans.items():
            before = days.between("0001-01-01", begin)[1]
            if days.day(0) > end:
                notes.append((name, f"it begins on {days.day(0)}"))
            elif name not in last or _days_between(last[name], max(last.values())) > _LATE:
                notes.append((name, f"it ends on {days.day(days.count - 1)}"))
            elif before < 2 * days.per_year:
                notes.append((name, f"it is quoted on {max(before, 0)} days before it, where {2 * days.per_year} are needed"))
            else:
                kept.append(name)
        if not kept:
            runs = "; ".join(f"{name} from {days.day(0)} to {days.day(days.count - 1)}" for name, days in self._spans.items())
            raise ValueError(f"year: expected one with two years of quotes before it, got {year}: {runs}")
        said = [f"{name} is left out of {year}, for {why}: its weight goes to {', '.join(kept)} pro rata" for name, why in notes]
        found = self.days(tuple(kept))
        first, stop = found.between("0001-01-01", begin)[1], found.between(begin, end)[1]
        if found.day(stop)[5:] < "12-25" or found.day(first)[5:] < "12-25":
            said.append(f"{year} is traded from the close of {found.day(first)} to that of {found.day(stop)}")
        return Window(str(year), tuple(kept), first, stop - first, found.day(first), found.day(stop), tuple(said))

    def period(self, name: str, period: Period) -> Window | None:
        """A named period, from its first close; None where no asset is quoted through it.

        Args:
            name: Of the period.
            period: Its dates.
        """
        kept = tuple(n for n, days in self._spans.items() if days.day(0) <= period.start and _days_between(days.day(days.count - 1), period.end) <= 0)
        if not kept:
            return None
        gone = [n for n in self._spans if n not in kept]
        found = self.days(kept)
        first, stop = found.between(period.start, period.end)
        if stop - first < 2:
            return None
        said = [f"{n} is left out of {name}, where it is not quoted: its weight goes to {', '.join(kept)} pro rata" for n in gone]
        return Window(name, kept, first, stop - first, found.day(first), found.day(stop), tuple(said))

    def replay(self, window: Window, steps: int, starts: int = 1) -> Replay:
        """The window as a market: path k starts at its k-th close.

        Args:
            window: What is traded.
            steps: Rows of a path; those behind the last close there is do not move.
            starts: Closes that paths start at.
        """
        days = _still(self.days(window.assets), steps)
        return Replay(days, window.first, window.first + starts - 1, self.surface)


def pro_rata(weights: Mapping[str, float], assets: tuple[str, ...]) -> dict[str, float]:
    """Weights with those of assets that are not there given to the others in proportion: the share of cash stays.

    Args:
        weights: Fraction of wealth by asset.
        assets: That are there.

    Raises:
        ValueError: None of them has a weight.
    """
    kept = {name: float(weight) for name, weight in weights.items() if name in assets}
    whole = sum(kept.values())
    if not whole > 0.0:
        raise ValueError(f"weights: expected a weight above 0 for one of {', '.join(assets)}, got {dict(weights)}")
    total = sum(float(weight) for weight in weights.values())
    return kept if len(kept) == len(weights) else {name: weight * total / whole for name, weight in kept.items()}


def _quoted(days: Days, begin: str, end: str) -> bool:
    first, last = days.between(begin, end)
    return last >= first


def _days_between(early: str, late: str) -> int:
    return int((np.datetime64(late, "D") - np.datetime64(early, "D")).astype(int))


def _still(days: Days, rows: int) -> Days:
    """The days, and behind them ``rows`` on which nothing moves."""
    closes = np.asarray(days.closes)
    after = np.repeat(closes[-1:], rows, axis=0)
    moves = np.concatenate([np.zeros((rows, len(days.names))), after], axis=1)
    dates = np.asarray(days.dates)
    return replace(
        days,
        moves=np.concatenate([np.asarray(days.moves), moves]),
        closes=np.concatenate([closes, after]),
        dates=np.concatenate([dates, dates[-1] + 1.0 + np.arange(rows)]),
    )
