"""Barrier options: calls and puts that die (out) or come alive (in) when the spot meets a barrier below (down) or above (up).

``watch="continuous"``: between dates survival is the probability of a Brownian bridge, so that what is carried is a weight between 0 and 1, the
price has no bias from the dates, and the weight has a derivative. ``watch="daily"``: the spot on each date decides; there ``width`` smooths the
decision over ln(S/H), that of the extreme so far.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax.numpy as jnp

from mcengine._model import Scalar, model, number, static
from mcengine.instrument.base import AbstractContract, Formula, check_word, date_of, spot_today, total_volatility
from mcengine.instrument.european import payoff
from mcengine.instrument.monitoring import WATCHES, Point, point, step_variance, survives
from mcengine.instrument.smooth import gate
from mcengine.pricing import KINDS, Calendar, Quote
from mcengine.pricing.closed_forms import WATCH_SHIFT, knocked_out, survival, touch


class _State(NamedTuple):
    last: Point
    alive: Scalar  # weight of the barrier not having been met


@model
class Barrier(AbstractContract):
    """A call or put that dies (out) or comes alive (in) when the spot meets the barrier.

    Args:
        kind: "call" or "put".
        direction: "down" for a barrier below today's spot, "up" for one above.
        effect: "out" or "in".
        strike: Currency.
        barrier: Currency.
        expiry: Years from today.
        asset: Name of the underlying.
        rebate: Currency a unit, paid when an "out" is hit; an "in" that never came alive pays it at expiry.
        rebate_paid: When the rebate of an "out" is paid: "hit" or "expiry".
        watch: "continuous", or "daily" for the spot on each date of the calendar.
        width: Of the smoothed decision over ln(S/H), for ``watch="daily"``; 0 for the hard one.

    Raises:
        ValueError: For an unknown kind, direction, effect, rebate_paid or watch; on use, for a spot today on the wrong side of the barrier.

    Example:
        >>> import mcengine as mc
        >>> put = mc.instrument.Barrier("put", "down", "out", strike=100.0, barrier=80.0, expiry=1.0)
        >>> put.assets, put.formula
        (('asset',), 'lognormal')
    """

    kind: str = static()
    direction: str = static()
    effect: str = static()
    strike: Scalar = number(above=0.0, term=True)
    barrier: Scalar = number(above=0.0, term=True)
    expiry: Scalar = number(above=0.0, term=True)
    asset: str = static(default="asset")
    rebate: Scalar = number(default=0.0, low=0.0, term=True)
    rebate_paid: str = static(default="hit")
    watch: str = static(default="continuous")
    width: Scalar = number(default=0.0, low=0.0, term=True)

    def canonical(self) -> dict[str, Any]:
        check_word("Barrier.kind", self.kind, KINDS)
        check_word("Barrier.direction", self.direction, ("down", "up"))
        check_word("Barrier.effect", self.effect, ("out", "in"))
        check_word("Barrier.rebate_paid", self.rebate_paid, ("hit", "expiry"))
        check_word("Barrier.watch", self.watch, WATCHES)
        return {}

    @property
    def formula(self) -> Formula:  # type: ignore[override]
        return "lognormal" if self.watch == "continuous" else "approximate"

    @property
    def watched(self) -> bool:  # type: ignore[override]
        return self.watch == "daily"

    @property
    def _side(self) -> float:
        return 1.0 if self.direction == "down" else -1.0

    def check_market(self, market: Any) -> None:
        spot = spot_today(market, self.asset)
        if self._side * (spot - float(self.barrier)) <= 0.0:
            where = "below" if self.direction == "down" else "above"
            raise ValueError(f"Barrier.barrier: expected a level {where} today's spot {spot:g} of {self.asset}, got {float(self.barrier):g}")

    def start(self, quotes: Mapping[str, Quote]) -> _State:
        return _State(point(quotes[self.asset]), jnp.ones((), jnp.result_type(float)))

    def step(self, state: _State, quotes: Mapping[str, Quote], step: Scalar, calendar: Calendar) -> tuple[_State, Scalar]:
        quote, date = quotes[self.asset], date_of(self.expiry, calendar)
        now, level = point(quote), jnp.log(self.barrier)
        if self.watch == "continuous":
            share = survives(state.last.log_spot, now.log_spot, level, step_variance(state.last, now, quote, calendar), self._side)
        else:
            # The hard decision is "beyond or at": 1 - gate, which is 1 at the barrier itself.
            share = 1.0 - gate(self._side * (level - now.log_spot), self.width)
        # Of hard decisions the least is the product; of smooth ones it is that of the extreme, whose derivative does not grow with the dates.
        after = state.alive * share if self.watch == "continuous" else jnp.minimum(state.alive, share)
        alive = jnp.where(step <= date, after, state.alive)
        vanilla, due = payoff(self.kind, quote.spot, self.strike), step == date
        if self.effect == "in":
            return _State(now, alive), jnp.where(due, (1.0 - alive) * vanilla + alive * self.rebate, 0.0)
        if self.rebate_paid == "expiry":
            return _State(now, alive), jnp.where(due, alive * vanilla + (1.0 - alive) * self.rebate, 0.0)
        # Hit between two dates, paid on average in their middle; on a date, paid then.
        early = jnp.sqrt(quote.growth()) if self.watch == "continuous" else 1.0
        return _State(now, alive), jnp.where(due, alive * vanilla, 0.0) + (state.alive - alive) * self.rebate * early

    def price(self, state: _State, quotes: Mapping[str, Quote], pricers: Mapping[str, Any], calendar: Calendar) -> Scalar:
        """Reiner & Rubinstein's; watched on dates with the barrier moved away as Broadie, Glasserman & Kou have it."""
        quote, date = quotes[self.asset], date_of(self.expiry, calendar)
        s, forward, discount = total_volatility(pricers[self.asset], quote, date), quote.forward(date), quote.discount(date)
        barrier = self.barrier
        if self.watch == "daily":
            left = jnp.maximum(date - quote.step, 1)
            barrier = barrier * jnp.exp(-self._side * WATCH_SHIFT * s / jnp.sqrt(1.0 * left))
        at = (quote.spot, barrier, forward, s)
        out = knocked_out(self.kind, self.direction, quote.spot, self.strike, barrier, forward, s, discount)
        if self.effect == "in":
            vanilla = pricers[self.asset].option(self.kind, self.strike, date, quote)
            return vanilla - state.alive * (out - self.rebate * discount * survival(self.direction, *at))
        if self.rebate_paid == "expiry":
            alive = state.alive * survival(self.direction, *at)
            return state.alive * out + self.rebate * discount * (1.0 - alive) * (quote.years(date) > 0.0)
        return state.alive * (out + self.rebate * touch(self.direction, *at, discount) * (quote.years(date) > 0.0))
