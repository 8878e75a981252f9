"""Forwards, futures and options on futures: contracts on a price at a later date."""

from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp

from mcengine._model import Scalar, is_concrete, model, number, static
from mcengine.instrument.base import AbstractContract, Formula, check_word, date_of, total_volatility
from mcengine.instrument.european import payoff
from mcengine.instrument.exactness import Gap
from mcengine.market.correlation import between
from mcengine.pricing import KINDS, Calendar, Quote, black


@model
class Forward(AbstractContract):
    """A forward contract: S_T - K at expiry.

    Args:
        strike: Delivery price K, currency.
        expiry: Years from today.
        asset: Name of the underlying.
    """

    strike: Scalar = number(low=0.0, term=True)
    expiry: Scalar = number(above=0.0, term=True)
    asset: str = static(default="asset")

    formula: ClassVar[Formula] = "pricer"
    reads_law: ClassVar[bool] = False

    def step(self, state: Any, quotes: Mapping[str, Quote], step: Scalar, calendar: Calendar) -> tuple[tuple[()], Scalar]:
        return (), jnp.where(step == date_of(self.expiry, calendar), quotes[self.asset].spot - self.strike, 0.0)

    def price(self, state: Any, quotes: Mapping[str, Quote], pricers: Mapping[str, Any], calendar: Calendar) -> Scalar:
        quote, date = quotes[self.asset], date_of(self.expiry, calendar)
        return quote.discount(date) * (quote.forward(date) - self.strike) * (date > quote.step)


class _Margin(NamedTuple):
    settled: Scalar  # the futures price last settled at
    balance: Scalar  # of the margin account
    owed: Scalar  # what was put into it, with interest
    posted: Scalar  # what is asked for


@model
class Future(AbstractContract):
    """Long one future: on every date the change of the futures price F(t), the forward price for its delivery, is paid or received.

    With a ``margin`` the changes go to a margin account that earns interest, and what it holds is paid back at expiry. The margin itself is borrowed:
    only margin calls and the last payment are cash. Its worth is the same on every path.

    Args:
        expiry: Years from today to the delivery.
        asset: Name of the underlying.
        margin: Initial margin as a share of today's futures price; 0 settles in cash each date.
        maintenance: Share of the initial margin below which the account is filled up to it again.

    Raises:
        ValueError: On use, for a market with a stochastic rate, where futures and forward prices differ.
    """

    expiry: Scalar = number(above=0.0, term=True)
    asset: str = static(default="asset")
    margin: Scalar = number(default=0.0, low=0.0, term=True)
    maintenance: Scalar = number(default=0.75, low=0.0, high=1.0, term=True)

    formula: ClassVar[Formula] = "pricer"
    reads_law: ClassVar[bool] = False

    def gap(self, market: Any) -> Gap | None:
        """Why its price is not 0.

        Args:
            market: The ``Market`` in which it is to be priced.
        """
        return Gap("a market whose rate is known", type(market.rate).__name__) if market.rate.n_factors else None

    def check_market(self, market: Any) -> None:
        found = self.gap(market)
        if found is not None:
            raise ValueError(f"Future.asset: expected {found.expected}, got {found.got}")

    def start(self, quotes: Mapping[str, Quote]) -> _Margin:
        price = jnp.asarray(self._price(quotes), jnp.result_type(float))
        return _Margin(price, self.margin * price, self.margin * price, self.margin * price)

    def step(self, state: _Margin, quotes: Mapping[str, Quote], step: Scalar, calendar: Calendar) -> tuple[_Margin, Scalar]:
        quote, date = quotes[self.asset], date_of(self.expiry, calendar)
        price, alive, due = self._price(quotes, calendar), step <= date, step == date
        gain = jnp.where(alive, price - state.settled, 0.0)
        growth = quote.growth()
        before = state.balance * growth + gain
        call = jnp.where(alive & (before < self.maintenance * state.posted), state.posted - before, 0.0)
        after, owed = before + call, state.owed * growth
        through_account = jnp.where(due, after - owed, 0.0) - call
        cash = jnp.where(self.margin > 0.0, through_account, gain)
        return _Margin(price, jnp.where(alive, after, 0.0), owed, state.posted), cash

    def price(self, state: _Margin, quotes: Mapping[str, Quote], pricers: Mapping[str, Any], calendar: Calendar) -> Scalar:
        """0 once settled; with a margin account what it holds over what was borrowed for it."""
        alive = date_of(self.expiry, calendar) > quotes[self.asset].step
        return jnp.where(alive & (self.margin > 0.0), state.balance - state.owed, 0.0)

    def _price(self, quotes: Mapping[str, Quote], calendar: Calendar | None = None) -> Scalar:
        quote = quotes[self.asset]
        date = jnp.round(self.expiry / quote.times[1]).astype(jnp.int32) if calendar is None else date_of(self.expiry, calendar)
        return quote.forward(date)


@model
class FutureOption(AbstractContract):
    """A call or put on a future (Black 1976).

    The future of an asset that is carried is its spot at expiry times a number known today, so the asset's own pricer prices it. That of one that
    reverts moves by the elasticity of its price by the spot, e^{-kappa (delivery - expiry)}.

    Args:
        kind: "call" or "put".
        strike: Currency.
        expiry: Years from today.
        delivery: Of the future, years from today.
        asset: Name of the underlying.

    Raises:
        ValueError: For an unknown kind, or a delivery before expiry; on use, for a market in which futures and forward prices differ.
    """

    kind: str = static()
    strike: Scalar = number(above=0.0, term=True)
    expiry: Scalar = number(above=0.0, term=True)
    delivery: Scalar = number(above=0.0, term=True)
    asset: str = static(default="asset")

    formula: ClassVar[Formula] = "pricer"

    def canonical(self) -> dict[str, Any]:
        check_word("FutureOption.kind", self.kind, KINDS)
        return {}

    def check(self) -> None:
        if float(self.delivery) < float(self.expiry):
            raise ValueError(f"FutureOption.delivery: expected years not before expiry = {float(self.expiry):g}, got {float(self.delivery):g}")

    def gap(self, market: Any) -> Gap | None:
        """Why its formula is not exact: futures and forward prices differ.

        Args:
            market: The ``Market`` in which it is to be priced.
        """
        if not market.rate.n_factors:
            return None
        correlated = between(market.correlation, self.asset, "rate")
        if market[self.asset].forward_curve() is not None and is_concrete(correlated) and float(correlated) == 0.0:
            return None
        return Gap("a market whose rate is known, or an asset with a futures curve not correlated with it", type(market.rate).__name__)

    def check_market(self, market: Any) -> None:
        found = self.gap(market)
        if found is not None:
            raise ValueError(f"FutureOption.asset: expected {found.expected}, got {found.got}")

    @property
    def dates(self) -> tuple[float, ...]:
        return (float(self.expiry), float(self.delivery))

    def step(self, state: Any, quotes: Mapping[str, Quote], step: Scalar, calendar: Calendar) -> tuple[tuple[()], Scalar]:
        future = quotes[self.asset].forward(date_of(self.delivery, calendar))
        return (), jnp.where(step == date_of(self.expiry, calendar), payoff(self.kind, future, self.strike), 0.0)

    def price(self, state: Any, quotes: Mapping[str, Quote], pricers: Mapping[str, Any], calendar: Calendar) -> Scalar:
        quote, date, delivery = quotes[self.asset], date_of(self.expiry, calendar), date_of(self.delivery, calendar)
        curve, pricer = quote.curve, pricers[self.asset]
        if curve is None:
            growth = quote.forward(delivery) / quote.forward(date)
            return growth * pricer.option(self.kind, self.strike / growth, date, quote)
        gap = quote.years(delivery) - quote.years(date)
        elasticity = jax.grad(lambda x: jnp.log(curve(jnp.exp(x), gap)))(jnp.log(jnp.asarray(quote.spot, jnp.result_type(float))))
        return black(self.kind, quote.forward(delivery), self.strike, elasticity * total_volatility(pricer, quote, date), quote.discount(date))
