"""Pricers of laws known by their characteristic function (``characteristic``): exact by cosines, and from a table once prepared.

``option`` and ``digital`` sum a cosine series of ``terms`` terms (``cosine``): what a contract's price and Greeks are made of. ``prepare`` gives
the pricer of a run, which reads a smile tabulated over moneyness and variance (``smile``): one polynomial and Black's formula a price.
Of announced events the sides are priced apart (``Quote.outcomes``); their noise adds its variance to the law's, as a normal shock independent of it.
"""

from functools import partial
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from mcengine._model import Scalar, model
from mcengine.pricing import characteristic, cosine, smile
from mcengine.pricing.black import KINDS
from mcengine.pricing.calendar import Calendar
from mcengine.pricing.precise import precise
from mcengine.pricing.quote import Quote
from mcengine.pricing.vanilla import AbstractVanillaPricer, Vanilla

TERMS = 4096
_NOTHING = 1e-10
"""A total variance below this is none: the option is worth what it pays at the forward."""


class AbstractLaw:
    """A law of X = ln(S_T / F) under Q, known by its characteristic function E[e^{iuX}] = exp(A(u) + B(u) v), v the variance now."""

    nodes: ClassVar[tuple[int, int]] = (16, 8)
    """Of its table: moneyness, variance."""

    def exponents(self, u: Scalar, years: Scalar) -> tuple[Scalar, Scalar]:
        """(A, B) of the characteristic function.

        Args:
            u: Frequency, complex.
            years: To expiry.
        """
        raise NotImplementedError

    def moment(self, p: Scalar, years: Scalar) -> Scalar:
        """Whether E[e^{pX}] is finite.

        Args:
            p: Real power.
            years: To expiry.
        """
        raise NotImplementedError

    def expected(self, variance: Scalar, years: Scalar) -> Scalar:
        """Expected quadratic variation of X up to expiry: all of it, not a year's.

        Args:
            variance: State now, variance a year under Q.
            years: To expiry.
        """
        raise NotImplementedError

    @property
    def level(self) -> Scalar:
        """Variance a year around which the state moves."""
        return 1.0

    @property
    def lean(self) -> Scalar:
        """Which tail is heavier, from -1 (the left) to 1."""
        return 0.0

    def state(self, quote: Quote | Vanilla) -> Scalar:
        """Variance a year now under Q.

        Args:
            quote: What the market shows of the asset now.
        """
        return 0.0

    def variation(self, quote: Quote, to: Scalar) -> Scalar:
        """Expected sum of squared log-returns from now to a date, without announced events.

        Args:
            quote: What the market shows of the asset now.
            to: Index of the date.
        """
        return self.expected(self.state(quote), quote.years(to))

    def option(self, kind: str, strike: Scalar, expiry: Scalar, quote: Quote) -> Scalar:
        """Price now of a European option by a cosine series, currency.

        Args:
            kind: call or put.
            strike: Currency.
            expiry: Index of a calendar date.
            quote: What the market shows of the asset now.

        Raises:
            ValueError: The kind is neither.
        """
        if kind not in KINDS:
            raise ValueError(f"kind: expected 'call' or 'put', got {kind!r}")
        forward = quote.forward(expiry)
        waves = quote.over_events(expiry, lambda growth, more: growth * self._by_cosines("put", strike / growth, expiry, quote, more))
        put = jnp.where(quote.years(expiry) > 0.0, forward * waves, jnp.maximum(strike - forward, 0.0))
        return quote.discount(expiry) * (put if kind == "put" else put + forward - strike)

    def digital(self, kind: str, strike: Scalar, expiry: Scalar, quote: Quote) -> Scalar:
        """Price now of 1 paid where the spot ends above (call) or below (put) the strike.

        Args:
            kind: call or put.
            strike: Currency.
            expiry: Index of a calendar date.
            quote: What the market shows of the asset now.

        Raises:
            ValueError: The kind is neither.
        """
        if kind not in KINDS:
            raise ValueError(f"kind: expected 'call' or 'put', got {kind!r}")
        chance = quote.over_events(expiry, lambda growth, more: self._by_cosines("below", strike / growth, expiry, quote, more))
        return quote.discount(expiry) * (chance if kind == "put" else 1.0 - chance)

    def prepare(self, calendar: Calendar) -> "Tabulated":
        """The pricer of a run, which reads a smile tabulated over moneyness, variance and time.

        Args:
            calendar: Dates of the run.
        """
        leaves, tree = jax.tree.flatten(self)
        steps, size = calendar.dates - 1, self.nodes

        def table(dt: Scalar, *numbers: Scalar) -> smile.Smile:
            law = jax.tree.unflatten(tree, numbers)
            return smile.tabulate(partial(smile.affine_ratios, law), law.level, law.lean, dt, steps, size)

        return Tabulated(self, precise(table)(calendar.years / calendar.steps, *leaves))

    def _by_cosines(self, what: str, strike: Scalar, expiry: Scalar, quote: Quote, more: Scalar) -> Scalar:
        """E[max(K/F - e^X, 0)], or P(X < ln K/F): before expiry; ``more`` variance is of events."""
        leaves, tree = jax.tree.flatten(self)
        years = quote.years(expiry)
        alive = years > 0.0

        def sum_of_waves(moneyness: Scalar, years: Scalar, variance: Scalar, events: Scalar, *numbers: Scalar) -> Scalar:
            law = jax.tree.unflatten(tree, numbers)
            total = law.expected(variance, years) + events
            moves = total > _NOTHING
            total_volatility = jnp.sqrt(jnp.where(moves, total, 1.0))

            def exponent(u: Scalar) -> Scalar:
                a, b = law.exponents(u, years)
                return jnp.where(moves, a + b * variance + events * characteristic.gaussian(u), characteristic.gaussian(u))

            bounds = jax.lax.stop_gradient(cosine.interval(exponent, lambda p: law.moment(p, years) | ~moves, total_volatility))
            if what == "put":
                return jnp.where(moves, cosine.put(exponent, bounds, moneyness, TERMS), jnp.maximum(jnp.expm1(moneyness), 0.0))
            return jnp.where(moves, cosine.below(exponent, bounds, moneyness, TERMS), jnp.where(moneyness > 0.0, 1.0, 0.0))

        moneyness = jnp.log(strike / quote.forward(expiry))
        value = precise(sum_of_waves)(moneyness, jnp.where(alive, years, 1.0), self.state(quote), more, *leaves)
        return jnp.where(alive, value, jnp.where(moneyness > 0.0, 1.0, 0.0))


@model
class Tabulated(AbstractVanillaPricer):
    """A law and its table on a calendar."""

    law: Any
    table: smile.Smile

    def total_volatility(self, option: Vanilla) -> tuple[Scalar, tuple[Scalar, ...]]:
        alive, variance = option.years > 0.0, self.law.state(option)
        total = jnp.maximum(self.law.expected(variance, jnp.where(alive, option.years, 1.0)), _NOTHING)
        place = self.table.place(-jnp.log(option.forward / option.strike) * jax.lax.rsqrt(total), variance)
        ratio = smile.polynomial(option.row, *place) + option.shift
        return jnp.sqrt(total * ratio * ratio + option.event_variance) * alive, place

    def split(self, quote: Quote, to: Scalar) -> tuple[Any, Any]:
        rows = jnp.tensordot(quote.ahead(self.table.spread, to), self.table.knots, 1)
        return Tabulated(self.law, jax.lax.stop_gradient(self.table._replace(knots=(), spread=()))), rows
