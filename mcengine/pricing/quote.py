"""What a market shows of one asset at one date. A view made each step, never carried."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from mcengine._model import Scalar

SIDES_KEPT = 2
"""Two-sided events ahead, those that move most, whose sides are priced apart: an option then costs 4 prices. Of any others the variance counts."""


class Sides(NamedTuple):
    """Announced events with two sides, [events]: each comes just after ``time`` in years, up with ``probability``; then the forward's log has moved
    by ``up``, else by ``down``, its noise apart (p e^up + (1 - p) e^down = 1).
    """

    time: Scalar
    probability: Scalar
    up: Scalar
    down: Scalar


class Outcome(NamedTuple):
    """What announced events may bring: the ``growth`` of the forward with a ``probability``, and ``variance`` of the log about it."""

    probability: Scalar
    growth: Scalar
    variance: Scalar


@dataclass(frozen=True)
class AffineRate:
    """A short rate that has left its forward curve by ``deviation`` x: bonds are P(0,T)/P(0,t) exp(-B x - B^2 y/2), B = (1 - e^{-kappa (T-t)})/kappa,
    ``variance`` y(t) that of x seen from today.
    """

    deviation: Scalar
    kappa: Scalar
    variance: Scalar

    def factor(self, years: Scalar) -> Scalar:
        """Price of a bond of that many years over what today's curve makes it."""
        b = -jnp.expm1(-self.kappa * years) / self.kappa
        return jnp.exp(-b * (self.deviation + 0.5 * b * self.variance))


@dataclass(frozen=True)
class Quote:
    """``spot`` (currency), ``variance`` (a year, instantaneous), and the asset's time-only tables over all dates of the calendar.

    ``times[j]`` in years, ``discounts[j]`` the value today of 1 paid at date j, ``carry[j]`` the forward of date j over the spot today;
    ``curve(spot, years)`` is the forward of an asset that has its own law of it, and whose ``carry`` then is not read.

    ``rate`` is the path's short rate where it is stochastic. ``events[j]`` is the variance that announced events bring up to date j, ``sides`` are
    those with two. ``extra`` is for a model and its own pricer.
    """

    spot: Scalar
    variance: Scalar
    step: Scalar
    times: Scalar
    discounts: Scalar
    carry: Scalar
    curve: Callable[[Scalar, Scalar], Scalar] | None = None
    rate: AffineRate | None = None
    events: Scalar | None = None
    sides: Sides | None = None
    extra: Any = None

    def years(self, to: Scalar) -> Scalar:
        """Years from now to date ``to``; 0 for a date that has passed."""
        left = self.times[to] - self.times[self.step]
        return left * (left > 0.0)

    def discount(self, to: Scalar) -> Scalar:
        """Value now of 1 paid at date ``to``."""
        today = self.discounts[to] / self.discounts[self.step]
        return today if self.rate is None else today * self.rate.factor(self.years(to))

    def forward(self, to: Scalar) -> Scalar:
        """Forward price for date ``to``."""
        if self.curve is not None:
            return self.curve(self.spot, self.years(to))
        grown = self.spot * (self.carry[to] / self.carry[self.step])
        return grown if self.rate is None else grown / self.rate.factor(self.years(to))

    def event_variance(self, to: Scalar) -> Scalar:
        """Variance of the log-return that announced events bring between now and date ``to``, beside the model's own; 0 without events."""
        if self.events is None:
            return 0.0
        return jnp.maximum(self.events[to] - self.events[self.step], 0.0)

    def outcomes(self, to: Scalar) -> list[Outcome]:
        """All that announced events may bring between now and date ``to``, beside the model's own moves; they depend on the date alone."""
        variance = self.event_variance(to)
        if self.sides is None:
            return [Outcome(1.0, 1.0, variance)]
        ahead = (self.times[self.step] < self.sides.time) & (self.sides.time < self.times[to])
        spread = ahead * self.sides.probability * (1.0 - self.sides.probability) * (self.sides.up - self.sides.down) ** 2
        kept = jax.lax.top_k(spread, min(SIDES_KEPT, len(spread)))[1]
        out = [Outcome(1.0, 1.0, jnp.maximum(variance - jnp.sum(spread[kept]), 0.0))]
        for i in jnp.unstack(kept):
            p, rise, fall = self.sides.probability[i], jnp.exp(ahead[i] * self.sides.up[i]), jnp.exp(ahead[i] * self.sides.down[i])
            out = [Outcome(o.probability * share, o.growth * growth, o.variance) for o in out for share, growth in ((p, rise), (1.0 - p, fall))]
        return out

    def over_events(self, to: Scalar, price: Callable[[Scalar, Scalar], Scalar]) -> Scalar:
        """Mean of ``price(growth of the forward, variance of events)`` over what announced events may bring up to date ``to``."""
        return sum(o.probability * price(o.growth, o.variance) for o in self.outcomes(to))
