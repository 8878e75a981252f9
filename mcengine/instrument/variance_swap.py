"""Variance swaps: on the squared log-returns of an asset from today to expiry."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar, NamedTuple

import jax.numpy as jnp

from mcengine._model import Scalar, model, number, static
from mcengine.instrument.base import AbstractContract, Formula, date_of, total_volatility
from mcengine.instrument.exactness import Gap
from mcengine.pricing import Calendar, Quote
from mcengine.pricing.black import root
from mcengine.pricing.closed_forms_rates import replicated_variance


class _Realised(NamedTuple):
    log_spot: Scalar
    total: Scalar


@model
class VarianceSwap(AbstractContract):
    """Pays notional x (realised variance - K) at expiry.

        realised variance = sum over all dates of squared log-returns / years
    The fair strike makes the price 0: e^{rT} x the price at strike 0 and notional 1.

    Args:
        strike: K, a variance a year.
        expiry: Years from today.
        asset: Name of the underlying.
        notional: Currency for a variance of 1.
    """

    strike: Scalar = number(low=0.0, term=True)
    expiry: Scalar = number(above=0.0, term=True)
    asset: str = static(default="asset")
    notional: Scalar = number(default=1.0, term=True)

    formula: ClassVar[Formula] = "pricer"
    watched = True

    def start(self, quotes: Mapping[str, Quote]) -> _Realised:
        log_spot = jnp.asarray(jnp.log(quotes[self.asset].spot), jnp.result_type(float))
        return _Realised(log_spot, jnp.zeros_like(log_spot))

    def step(self, state: _Realised, quotes: Mapping[str, Quote], step: Scalar, calendar: Calendar) -> tuple[_Realised, Scalar]:
        date, now = date_of(self.expiry, calendar), jnp.log(quotes[self.asset].spot)
        total = state.total + jnp.where(step <= date, (now - state.log_spot) ** 2, 0.0)
        return _Realised(now, total), jnp.where(step == date, self.notional * (total / self.expiry - self.strike), 0.0)

    def gap(self, market: Any) -> Gap | None:
        """Why its formula is not exact.

        Args:
            market: The ``Market`` in which it is to be priced.
        """
        if not hasattr(market.pricers()[self.asset], "variation"):
            return Gap("an asset whose squared returns add up to a variance its law knows", type(market[self.asset]).__name__)
        return Gap("a known rate, as interest adds its squares", type(market.rate).__name__) if market.rate.n_factors else None

    def price(self, state: _Realised, quotes: Mapping[str, Quote], pricers: Mapping[str, Any], calendar: Calendar) -> Scalar:
        """Variance so far and that to come: the law's expected quadratic variation and the squares of announced jumps, or what replicates it from
        options (Carr & Madan 1998).

        Each date's mean return adds its square, exactly where all dates are alike and nothing jumps.
        """
        quote, date, pricer = quotes[self.asset], date_of(self.expiry, calendar), pricers[self.asset]
        law = getattr(pricer, "law", pricer)  # behind a run's table
        if hasattr(law, "variation"):
            total = law.variation(quote, date) + _squared_jumps(quote, date)
            if quote.bump is not None:
                total = quote.bumped_volatility(root(total), date) ** 2
        else:
            ahead = total_volatility(pricer, quote, date)
            total = replicated_variance(lambda kind, k: pricer.option(kind, k, date, quote), quote.forward(date), ahead, quote.discount(date))
        mean = jnp.log(quote.forward(date) / quote.spot) - 0.5 * total
        to_come = total + mean * mean / jnp.maximum(date - quote.step, 1)
        alive = date > quote.step
        return jnp.where(alive, quote.discount(date) * self.notional * ((state.total + to_come) / self.expiry - self.strike), 0.0)


def _squared_jumps(quote: Quote, to: Scalar) -> Scalar:
    """E[J^2] of the log-moves that announced events bring up to a date: with growth g and variance v, J has mean ln g - v/2."""
    if quote.events is None:
        return 0.0
    outcomes = replace(quote, rate=None).outcomes(to)
    return sum(o.probability * ((jnp.log(o.growth) - 0.5 * o.variance) ** 2 + o.variance) for o in outcomes)
