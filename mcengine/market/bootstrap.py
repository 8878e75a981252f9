"""History resampled: the stationary block bootstrap (Politis & Romano 1994, "The stationary bootstrap", JASA 89), all assets' days together.

A path begins at any close, all equally likely. On each day it goes on to the next day of history with probability 1 - 1/L; else it goes on from
another close, drawn among the ``similarity`` share of closes whose variance (VIX) is nearest in rank: a block starts where the last one left the
level of volatility. Reflected at the ends of the ranking, that draw is symmetric, and every day stays equally likely on every date. History's last
close is followed by its first, as in the paper.

Days are kept in the order of their variance, so that alike ones are neighbours and a step is one row gathered. One uniform a step, by address.
The block length L is by default Politis & White's (2004, corrected 2009) for returns over the volatility at the close before and for the squares of
these, the longest over the assets: what the level of volatility carries from day to day the similarity carries from block to block.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np

from mcengine._model import Scalar, model, number
from mcengine.history import periods
from mcengine.history.days import Days, load_days
from mcengine.market.historical import AbstractHistory
from mcengine.market.rate import FlatRate
from mcengine.noise import Path as PathId
from mcengine.pricing import Calendar, Pricer, SurfacePricer
from mcengine.statistics import block_length

MINIMUM_DAYS = 63
"""A quarter: of fewer days neither a block nor days alike can be told."""


@model
class Bootstrap(AbstractHistory):
    """``days`` in the order of variance, the place of the close that a row leads to as its last column (see ``of``); ``block`` mean length in days,
    ``similarity`` the share of days that a block may start at (1: any). ``surface`` prices options as in ``Replay``.
    """

    days: Days
    block: Scalar = number(low=1.0, term=True)
    similarity: Scalar = number(default=0.05, above=0.0, high=1.0, term=True)
    surface: Any = None

    n_factors: ClassVar[int] = 0
    n_uniforms: ClassVar[int] = 1

    @classmethod
    def from_history(
        cls,
        assets: Mapping[str, Any] | None = None,
        *,
        data: str | Path | None = None,
        start: str | None = None,
        end: str | None = None,
        period: str | None = None,
        rate: str | float = "ust3m",
        block: float | None = None,
        similarity: float = 0.05,
        surface: Pricer | None = SurfacePricer(),  # noqa: B008 (frozen)
    ) -> "Bootstrap":
        """From the shipped file or a CSV, see ``history.load_days``; with a ``period`` from its days alone. ``block`` None is chosen by the data."""
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
        """Of the closes from ``first`` to ``last``. Days are alike by the variance of the first asset with an index of it, or of the first."""
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
        return cls(Days(moves, closes[order], dates[order], days.names, days.series, days.notes), block, similarity, surface)

    @property
    def rate(self) -> FlatRate:
        """The mean of what cash earned: for checks and summaries, no path reads it."""
        return FlatRate(float(np.mean(np.asarray(self.days.closes)[:, -1])))

    def begin(self, path: PathId, source: Any, calendar: Calendar) -> tuple[Scalar, Scalar]:
        """(the first close of a path, what stands there), by the uniform of the date after the last step, which no step draws."""
        (u,) = source.uniforms(calendar.steps, 1)
        place = _among(u, self.days.count)
        return place, jnp.asarray(self.days.closes)[place]

    def move(self, place: Scalar, uniforms: tuple[Scalar, ...]) -> tuple[Scalar, Scalar]:
        count, chance = self.days.count, 1.0 / self.block
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
