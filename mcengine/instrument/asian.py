"""Asian options: calls and puts on the average of the spot over fixing dates, arithmetic or geometric."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import jax.numpy as jnp

from mcengine._model import Scalar, model, number, static
from mcengine.instrument.base import AbstractContract, Formula, check_count, check_word, date_of, equally, total_volatility
from mcengine.instrument.european import payoff
from mcengine.pricing import KINDS, Calendar, Quote
from mcengine.pricing.closed_forms import geometric_asian, two_moments


class _Ahead(NamedTuple):
    """Fixings to come, arrays over all dates of the calendar after today, 0 where there is none."""

    fixed: Scalar
    share: Scalar  # of the variance to expiry that has passed by then
    later: Scalar  # number of fixings after it
    forward: Scalar


@model
class Asian(AbstractContract):
    """A call or put on the average of the spot over the fixing dates; today's spot is none of them.

        max(A - K, 0) of a call, max(K - A, 0) of a put,   A the arithmetic or geometric mean of the fixings.

    Args:
        kind: "call" or "put".
        strike: K, currency.
        expiry: Years from today to the payment, the last fixing.
        average: "arithmetic" or "geometric".
        fixings: Number of equally spaced fixing dates; 0 takes every date of the calendar.
        asset: Name of the underlying.

    Raises:
        ValueError: For an unknown kind or average, or a number of fixings that is not whole.
    """

    kind: str = static()
    strike: Scalar = number(above=0.0, term=True)
    expiry: Scalar = number(above=0.0, term=True)
    average: str = static(default="arithmetic")
    fixings: int = static(default=0)
    asset: str = static(default="asset")

    def canonical(self) -> dict[str, Any]:
        check_word("Asian.kind", self.kind, KINDS)
        check_word("Asian.average", self.average, ("arithmetic", "geometric"))
        check_count("Asian.fixings", self.fixings, 0)
        return {}

    @property
    def formula(self) -> Formula:  # type: ignore[override]
        return "lognormal" if self.average == "geometric" else "approximate"

    @property
    def watched(self) -> bool:  # type: ignore[override]
        return self.fixings == 0

    @property
    def dates(self) -> tuple[float, ...]:
        return equally(self.expiry, self.fixings or 1)

    def start(self, quotes: Mapping[str, Quote]) -> Scalar:
        return jnp.zeros((), jnp.result_type(float))

    def step(self, state: Scalar, quotes: Mapping[str, Quote], step: Scalar, calendar: Calendar) -> tuple[Scalar, Scalar]:
        """The state is the sum of fixings so far, of their logarithms for a geometric average."""
        spot, date = quotes[self.asset].spot, date_of(self.expiry, calendar)
        fixed = self._fixed(step, date)
        total = state + jnp.where(fixed, jnp.log(spot) if self.average == "geometric" else spot, 0.0)
        mean = total / self._count(date)
        mean = jnp.exp(jnp.where(step == date, mean, 0.0)) if self.average == "geometric" else mean
        return total, jnp.where(step == date, payoff(self.kind, mean, self.strike), 0.0)

    def price(self, state: Scalar, quotes: Mapping[str, Quote], pricers: Mapping[str, Any], calendar: Calendar) -> Scalar:
        """Kemna & Vorst's for the geometric average; Levy's two moments for the arithmetic one, an approximation."""
        quote, date = quotes[self.asset], date_of(self.expiry, calendar)
        discount, count = quote.discount(date), self._count(date)
        ahead = self._ahead(quote, date, calendar)
        w = total_volatility(pricers[self.asset], quote, date) ** 2
        passed = w * ahead.share
        if self.average == "geometric":
            logs = jnp.where(ahead.fixed, jnp.log(quote.spot * ahead.forward) - 0.5 * passed, 0.0)
            spread = jnp.sum(passed * (2.0 * ahead.later + 1.0)) / count**2
            return geometric_asian(self.kind, (state + jnp.sum(logs)) / count, spread, self.strike, discount)
        # E[(sum S_i)^2] = sum_i F_i e^{w_i} (F_i + 2 sum_{j later} F_j)
        forwards = jnp.where(ahead.fixed, ahead.forward, 0.0)
        after = jnp.cumsum(forwards[::-1])[::-1] - forwards
        square = quote.spot**2 * jnp.sum(forwards * jnp.exp(passed) * (forwards + 2.0 * after))
        return two_moments(self.kind, quote.spot * jnp.sum(forwards), square, count * self.strike - state, discount) / count

    def _count(self, date: Scalar) -> Scalar:
        return 1.0 * (self.fixings or date)

    def _fixed(self, step: Scalar, date: Scalar) -> Scalar:
        every = True if self.fixings == 0 else (step * self.fixings) % date == 0
        return (step <= date) & every

    def _ahead(self, quote: Quote, date: Scalar, calendar: Calendar) -> _Ahead:
        # A slice, not an array of indices: gathers around an average's sums make the CPU compiler's fusion fail.
        dates, every = jnp.arange(1, calendar.steps + 1), slice(1, calendar.steps + 1)
        fixed = self._fixed(dates, date) & (dates > quote.step)
        years = quote.years(date)
        share = jnp.where(fixed, quote.years(every), 0.0) / jnp.where(years > 0.0, years, 1.0)
        rank = (dates * self.fixings) // date if self.fixings else dates
        # Of a unit: what depends on dates only is not computed once a path.
        return _Ahead(fixed, share, jnp.where(fixed, self._count(date) - rank, 0.0), replace(quote, spot=1.0).forward(every))
