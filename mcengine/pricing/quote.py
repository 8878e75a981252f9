"""What a market shows of one asset at one date. A view made each step, never carried."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.tree_util import Partial

from mcengine._model import Scalar
from mcengine.pricing.affine_rate import AffineRate

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


class Expiries(NamedTuple):
    """What a quote shows of dates ahead [dates] that is the same for all paths: today's curves, and what announced events may bring.

    Args:
        years: To each date.
        discount: Value now of 1 paid then, as today's curve has it.
        carry: Forward over spot, as today's curve has it.
        bump: Added to the total volatility to each date; none without a bump.
        probability: Of each outcome of events [dates, outcomes].
        growth: Of the forward in it.
        event_variance: Of the log about it, and what a stochastic rate adds.
    """

    years: Scalar
    discount: Scalar
    carry: Scalar
    bump: Scalar | None
    probability: Scalar
    growth: Scalar
    event_variance: Scalar


class Bump(NamedTuple):
    """A move of what is quoted: implied ``volatility`` at every strike and expiry, the ``rate`` of every maturity (both a year, parallel), and
    ``years`` that pass with spot and variance as they are. A derivative by one of them is vega, rho, theta.
    """

    volatility: Scalar = 0.0
    rate: Scalar = 0.0
    years: Scalar = 0.0


@dataclass(frozen=True)
class Quote:
    """What a market shows of one asset at one date: spot, variance, and tables over the dates of the calendar.

    Args:
        spot: Currency.
        variance: Instantaneous variance a year.
        step: Index of the date.
        times: Years from today [dates].
        discounts: Value today of 1 paid at each date [dates].
        carry: Forward of each date over the spot today [dates].
        curve: Forward by (spot, years) of an asset with a law of its own for it, a pytree of its numbers; ``carry`` is then not read.
        rate: The path's short rate where it is stochastic.
        events: Variance that announced events bring up to each date [dates].
        sides: Announced events with an up and a down side.
        extra: What the model hands its own pricer.
        bump: Move of volatility, rate or time, set while a Greek is taken.
        origin: Date from which a contract's view counts (see ``since``).

    Example:
        >>> market = mc.market.Market({"equity": mc.market.GBM(spot=100.0, sigma=0.2)}, rate=0.03)
        >>> prepared = market.prepare(mc.pricing.Calendar(years=1.0, steps=12))
        >>> quote = prepared.quotes(prepared.start(), 0)["equity"]
        >>> print(f"{float(quote.forward(12)):.2f} {float(quote.discount(12)):.4f}")
        103.05 0.9704
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
    bump: Bump | None = None
    origin: Scalar | None = None

    def bumped(self, spot: Scalar = 0.0, *, volatility: Scalar | None = None, rate: Scalar | None = None, years: Scalar | None = None) -> "Quote":
        """The same view with spot, implied volatility, rate and time moved: every Greek is a derivative by one of them, at 0.

        Args:
            spot: Added to the spot, currency.
            volatility: Added to every implied volatility, a year; none leaves them.
            rate: Added to every zero rate, a year, continuously compounded; forwards grow by it.
            years: Years that pass at once, less than a step; spot and variance stay.

        Returns:
            The quote moved.
        """
        moved = self.spot + spot
        if volatility is None and rate is None and years is None:
            return replace(self, spot=moved)
        return replace(self, spot=moved, bump=Bump(*(0.0 if x is None else x for x in (volatility, rate, years))))

    def since(self, opened: Scalar, unit: Scalar = 1.0) -> "Quote":
        """The view of a contract that counts dates from its opening and prices in a unit of its own.

        Args:
            opened: Index of the date it was opened.
            unit: Price of one unit, currency.
        """
        curve = self.curve
        scaled = None if curve is None else Partial(_in_units, curve, unit)
        return replace(self, spot=self.spot / unit, step=self.step - opened, origin=opened, curve=scaled)

    def _read(self, table: Scalar, dates: Scalar | slice) -> Scalar:
        """Rows of a table by date, at dates as the view counts them."""
        if self.origin is None:
            return table[dates]
        if isinstance(dates, slice):
            padded = jnp.concatenate([table, jnp.broadcast_to(table[-1], table.shape)])
            return jax.lax.dynamic_slice_in_dim(padded, dates.start + self.origin, dates.stop - dates.start)
        return table[jnp.clip(dates + self.origin, 0, table.shape[0] - 1)]

    def growth(self) -> Scalar:
        """What cash has earned over the step that ends now, as today's curve has it."""
        return self._read(self.discounts, self.step - 1) / self._read(self.discounts, self.step)

    def event_variance_now(self) -> Scalar:
        """Variance of the log-return that announced events have brought at the end of the step that ends now."""
        return 0.0 if self.events is None else self._read(self.events, self.step) - self._read(self.events, self.step - 1)

    def years(self, to: Scalar) -> Scalar:
        """Years from now to a date; 0 for one that has passed.

        Args:
            to: Index of the date.
        """
        left = self._read(self.times, to) - self._read(self.times, self.step)
        alive = left > 0.0
        return left * alive if self.bump is None else (left - self.bump.years) * alive

    def discount(self, to: Scalar) -> Scalar:
        """Value now of 1 paid at a date.

        Args:
            to: Index of the date.
        """
        today = self._discount(to)
        return today if self.rate is None else today * self.rate.factor(self.years(to))

    def _discount(self, to: Scalar) -> Scalar:
        """As today's curve has it."""
        return self._discount_bumped(self._read(self.discounts, to) / self._read(self.discounts, self.step), to)

    def _discount_bumped(self, today: Scalar, to: Scalar) -> Scalar:
        if self.bump is None:
            return today
        return today * jnp.exp(self.bump.years * self._rate_ahead(self.discounts) - self.bump.rate * self.years(to))

    def forward(self, to: Scalar) -> Scalar:
        """Forward price for a date, currency.

        Args:
            to: Index of the date.
        """
        if self.curve is not None:
            return self.curve(self.spot, self.years(to))
        grown = self.spot * self._carry(to)
        return grown if self.rate is None else grown / self.rate.factor(self.years(to))

    def _carry(self, to: Scalar) -> Scalar:
        """Forward over spot, as today's curve has it."""
        return self._carry_bumped(self._read(self.carry, to) / self._read(self.carry, self.step), to)

    def _carry_bumped(self, grown: Scalar, to: Scalar) -> Scalar:
        if self.bump is None:
            return grown
        return grown * jnp.exp(self.bump.years * self._rate_ahead(self.carry) + self.bump.rate * self.years(to))

    def _rate_ahead(self, table: Scalar) -> Scalar:
        """Rate a year at which a table by date falls over the coming step; 0 on its last date."""
        now = self.step if self.origin is None else self.step + self.origin
        following = jnp.minimum(now + 1, table.shape[0] - 1)
        return jnp.log(table[now] / table[following]) / (self.times[1] - self.times[0])

    def bumped_volatility(self, total: Scalar, to: Scalar) -> Scalar:
        """Total volatility to a date with the bump of volatility, which counts over the years to it.

        Args:
            total: Volatility x sqrt(years to the date).
            to: Index of the date.
        """
        return total if self.bump is None else total + self._volatility_bump(to)

    def _volatility_bump(self, to: Scalar) -> Scalar:
        assert self.bump is not None
        years = self.years(to)
        return self.bump.volatility * jnp.sqrt(jnp.where(years > 0.0, years, 1.0)) * (years > 0.0)

    def expiries(self, to: Scalar) -> Expiries:
        """What depends on dates alone, for several at once.

        Args:
            to: Indices of dates [dates].
        """

        def outcomes(date: Scalar) -> tuple[Scalar, ...]:
            found = self.outcomes(date)
            return tuple(jnp.stack([jnp.asarray(x, jnp.result_type(float)) for x in column]) for column in zip(*found, strict=True))

        bump = None if self.bump is None else self._volatility_bump(to)
        # Read as one table: of two, the derivatives are two scatters, which multi-output fusion may join into a kernel that XLA:CPU cannot make.
        both = jnp.stack([self.discounts, self.carry], axis=1)
        discount, carry = jnp.unstack(self._read(both, to) / self._read(both, self.step), axis=1)
        return Expiries(self.years(to), self._discount_bumped(discount, to), self._carry_bumped(carry, to), bump, *jax.vmap(outcomes)(to))

    def ahead(self, table: Scalar, to: Scalar) -> Scalar:
        """Row of a table by steps ahead, for those from now to a date; between two rows while time is bumped.

        Args:
            table: [steps, ...].
            to: Index of the date.
        """
        left = jnp.clip(to - self.step, 0, table.shape[0] - 1)
        if self.bump is None:
            return table[left]
        passed = self.bump.years / (self.times[1] - self.times[0])
        return table[left] - passed * (table[left] - table[jnp.maximum(left - 1, 0)])

    def event_variance(self, to: Scalar) -> Scalar:
        """Variance of the log-return that announced events bring between now and a date, beside the model's own; 0 without events.

        Args:
            to: Index of the date.
        """
        if self.events is None:
            return 0.0
        return jnp.maximum(self._read(self.events, to) - self._read(self.events, self.step), 0.0)

    def variance_beside(self, to: Scalar) -> Scalar:
        """Variance of the log of the forward between now and a date beside the model's own: of announced events, and of a stochastic rate.

        Args:
            to: Index of the date.
        """
        events, more = self.event_variance(to), self._rate_variance(to)
        return events if more is None else events + more

    def _rate_variance(self, to: Scalar) -> Scalar | None:
        """None where the rate adds none, so that no such market's program changes."""
        if self.rate is None or self.rate.volatility is None:
            return None
        return self.rate.forward_variance(self.years(to))

    def outcomes(self, to: Scalar) -> list[Outcome]:
        """All that announced events may bring between now and a date, beside the model's own moves, and what a stochastic rate adds to the variance.

        It depends on the date alone.

        Args:
            to: Index of the date.

        Returns:
            Outcomes whose probabilities sum to 1.
        """
        if self.sides is None:
            return [Outcome(1.0, 1.0, self.variance_beside(to))]
        variance = self.event_variance(to)
        ahead = (self._read(self.times, self.step) < self.sides.time) & (self.sides.time < self._read(self.times, to))
        spread = ahead * self.sides.probability * (1.0 - self.sides.probability) * (self.sides.up - self.sides.down) ** 2
        kept = jax.lax.top_k(spread, min(SIDES_KEPT, len(spread)))[1]
        out = [Outcome(1.0, 1.0, jnp.maximum(variance - jnp.sum(spread[kept]), 0.0))]
        for i in jnp.unstack(kept):
            p, rise, fall = self.sides.probability[i], jnp.exp(ahead[i] * self.sides.up[i]), jnp.exp(ahead[i] * self.sides.down[i])
            out = [Outcome(o.probability * share, o.growth * growth, o.variance) for o in out for share, growth in ((p, rise), (1.0 - p, fall))]
        more = self._rate_variance(to)
        return out if more is None else [o._replace(variance=o.variance + more) for o in out]

    def over_events(self, to: Scalar, price: Callable[[Scalar, Scalar], Scalar]) -> Scalar:
        """Mean of a price over what announced events may bring up to a date.

        Args:
            to: Index of the date.
            price: Function of (growth of the forward, variance of events).
        """
        return sum(o.probability * price(o.growth, o.variance) for o in self.outcomes(to))


def _in_units(curve: Callable[[Scalar, Scalar], Scalar], unit: Scalar, spot: Scalar, years: Scalar) -> Scalar:
    """The forward in units of a price, from the spot in these."""
    return curve(spot * unit, years) / unit
