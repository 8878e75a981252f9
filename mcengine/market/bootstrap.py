"""History resampled: the stationary block bootstrap (Politis & Romano 1994, "The stationary bootstrap", JASA 89), all assets' days together.

A path begins at any close, all equally likely. On each day it goes on to the next day of history with probability 1 - 1/L; else it goes on from
another close, drawn among the ``similarity`` share of closes whose variance (VIX) is nearest in rank: a block starts where the last one left the
level of volatility. Reflected at the ends of the ranking, that draw is symmetric, and every day stays equally likely on every date. History's last
close is followed by its first, as in the paper.

Days are kept in the order of their variance, so that alike ones are neighbours and a step is one row gathered. One uniform a step, by address.
The block length L is by default Politis & White's (2004, corrected 2009) for returns over the volatility at the close before and for the squares of
these, the longest over the assets: what the level of volatility carries from day to day the similarity carries from block to block.
"""

from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np

from mcengine._model import Scalar, model, number, replace
from mcengine.history import periods
from mcengine.history.days import Days, load_days
from mcengine.market.historical import AbstractHistory, Assets
from mcengine.market.rate import FlatRate
from mcengine.noise import Path as PathId
from mcengine.pricing import Calendar, Pricer, SurfacePricer
from mcengine.statistics import block_length

MINIMUM_DAYS = 63
"""A quarter: of fewer days neither a block nor days alike can be told."""


@model
class Bootstrap(AbstractHistory):
    """History resampled: the stationary block bootstrap (Politis & Romano 1994), all assets' days together.

    Args:
        days: The days in the order of variance; the last column of ``moves`` is the place of the close that a row leads to (see ``of``).
        block: Mean block length in days.
        similarity: Share of days, nearest in variance, that a block may start at; 1: any.
        surface: Prices options of assets with a volatility index; None: Black, flat at the index.
        rows: The first rows of ``days``, which alone are drawn from, as a number that may change without a new program; None: all.
    """

    days: Days
    block: Scalar = number(low=1.0, term=True)
    similarity: Scalar = number(default=0.05, above=0.0, high=1.0, term=True)
    surface: Any = None
    rows: Any = None

    n_factors: ClassVar[int] = 0
    n_uniforms: ClassVar[int] = 1

    @classmethod
    def from_history(
        cls,
        assets: Assets = None,
        *,
        data: Any = None,
        start: Any = None,
        end: Any = None,
        period: str | None = None,
        rate: str | float = "ust3m",
        block: float | None = None,
        similarity: float = 0.05,
        surface: Pricer | None = SurfacePricer(),  # noqa: B008 (frozen)
    ) -> "Bootstrap":
        """Bootstrap of the shipped history or a file of one's own.

        Args:
            assets: By name a ``Series``, its fields as a dict, or a column's name (see ``history.load_days``). None: the shipped
                ones, or every column of a file.
            data: File, table, dict of the arguments of ``history.read``, or ``Prices``; None: the shipped history.
            start: First date, like 2001-09-10, or None for the first there is.
            end: Last date, or None.
            period: One of ``history.named_periods()`` whose days alone are drawn, or None.
            rate: What cash earns: the column of a short rate (percent a year, simple), or one continuously compounded rate a year.
            block: Mean block length in days; None: Politis & White's (2004).
            similarity: Share of days, nearest in variance, that a block may start at; 1: any.
            surface: Prices options of assets with a volatility index; None: Black, flat at the index.

        Raises:
            ValueError: The data are not as expected, there are fewer than 63 days, or the period is unknown or not within them.
        """
        if period is not None:
            periods.find(period)
        days = load_days(assets, data=data, start=start, end=end, rate=rate)
        first, last = 0, days.count - 1
        if period is not None:
            one = periods.check_inside(period, days.day(0), days.day(days.count - 1), days.notes)
            first, last = days.between(one.start, one.end)
        return cls.of(days, first, last, block=block, similarity=similarity, surface=surface)

    @classmethod
    def of(
        cls, days: Days, first: int = 0, last: int | None = None, *, block: float | None = None, similarity: float = 0.05, surface: Any = None
    ) -> "Bootstrap":
        """Bootstrap of days; they are alike by the variance of the first asset with a volatility index, or of the first.

        Args:
            days: The days, in the order of time.
            first: Index of the first close.
            last: Index of the last; None: of all.
            block: Mean block length in days; None: Politis & White's (2004).
            similarity: Share of days, nearest in variance, that a block may start at; 1: any.
            surface: Prices options of assets with a volatility index; None: Black, flat at the index.

        Raises:
            ValueError: There are fewer than 63 days.
        """
        last = days.count - 1 if last is None else last
        count = last - first
        if count < MINIMUM_DAYS:
            raise ValueError(f"data: expected at least {MINIMUM_DAYS} days to draw from, got {count}")
        moves, closes, dates = (np.asarray(a)[first:last] for a in (days.moves, days.closes, days.dates))
        key = next((i for i, s in enumerate(days.series) if s.volatility is not None), 0)
        order = np.argsort(closes[:, key], kind="stable")
        place = np.empty(count, int)
        place[order] = np.arange(count)
        following = place[(order + 1) % count].astype(float)
        if block is None:
            unit = moves[:, : len(days.names)] / np.sqrt(np.maximum(closes[:, :-1], 1e-12))
            block = max(block_length(x) for z in unit.T for x in (z, z * z))
        moves = np.column_stack([moves[order], following])
        return cls(replace(days, moves=moves, closes=closes[order], dates=dates[order]), block, similarity, surface)

    @property
    def rate(self) -> FlatRate:
        """The mean of what cash earned: for checks and summaries, no path reads it."""
        return FlatRate(float(np.mean(np.asarray(self.days.closes)[:, -1])))

    @property
    def _count(self) -> Any:
        return self.days.count if self.rows is None else jnp.asarray(self.rows).astype(jnp.int32)

    def begin(self, path: PathId, source: Any, calendar: Calendar) -> tuple[Scalar, Scalar]:
        """(the first close of a path, what stands there), by the uniform of the date after the last step, which no step draws."""
        (u,) = source.uniforms(calendar.steps, 1)
        place = _among(u, self._count)
        return place, jnp.asarray(self.days.closes)[place]

    def correlations(self) -> Scalar:
        """Of the days that are drawn, all alike: what a path comes from has no later days [assets, assets]."""
        moves = jnp.asarray(self.days.moves)[:, : len(self.days.names)]
        if self.rows is None:
            return jnp.atleast_2d(jnp.corrcoef(moves, rowvar=False))
        drawn = (jnp.arange(moves.shape[0]) < self._count)[:, None]
        apart = jnp.where(drawn, moves - jnp.sum(jnp.where(drawn, moves, 0.0), axis=0) / self._count, 0.0)
        products = apart.T @ apart
        sizes = jnp.sqrt(jnp.diagonal(products))
        return products / (sizes[:, None] * sizes)

    def move(self, place: Scalar, uniforms: tuple[Scalar, ...]) -> tuple[Scalar, Scalar]:
        count, chance = self._count, 1.0 / self.block
        u = uniforms[0]
        again = u / chance  # uniform where a block ends
        reach = jnp.maximum(jnp.floor(0.5 * self.similarity * count), 1.0).astype(jnp.int32)
        near_by = place - reach + _among(again, 2 * reach + 1)
        near_by = jnp.where(near_by < 0, -1 - near_by, near_by)
        near_by = jnp.where(near_by >= count, 2 * count - 1 - near_by, near_by)
        anywhere = _among(again, count)
        place = jnp.where(u < chance, jnp.where(self.similarity < 1.0, near_by, anywhere), place)
        row = jnp.asarray(self.days.moves)[place]
        return row, row[-1].astype(jnp.int32)


def _among(u: Scalar, count: Any) -> Scalar:
    """A whole number from 0 on, below ``count``, by a uniform."""
    return jnp.clip(jnp.floor(u * count).astype(jnp.int32), 0, count - 1)
