"""Forwards and futures, opened at no cost and rolled on the dates of a schedule."""

from collections.abc import Mapping
from typing import Any, ClassVar

import jax.numpy as jnp

from mcengine._model import Scalar, model, number, static
from mcengine.instrument.schedule import AbstractSchedule, Life, ToHorizon
from mcengine.instrument.slot import AbstractSlot, Position, Quotes


@model
class ForwardSlot(AbstractSlot):
    """One forward at a time, D(T) (F(T) - K) a unit; its terms are the delivery price K (currency), by default the forward price when it is opened.

    Args:
        asset: Name of the underlying.
        schedule: When it is rolled, and to which delivery; by default opened at the start for the horizon.
    """

    asset: str = static()
    schedule: AbstractSchedule = static(default=ToHorizon())

    cost_class: ClassVar[str] = "linear"
    premium: ClassVar[bool] = False

    def terms(self, quotes: Quotes, life: Life) -> Scalar:
        return quotes[self.asset].forward(life.expiry)

    def settle(self, held: Position, quotes: Quotes, row: Any, life: Life) -> tuple[Any, Scalar]:
        quote = quotes[self.asset]
        return (), jnp.where(life.expiry == quote.step, held.units * (quote.spot - held.terms), 0.0)

    def price(self, terms: Scalar, state: Any, quotes: Quotes, pricers: Mapping[str, Any], life: Life) -> Scalar:
        quote = quotes[self.asset]
        return quote.discount(life.expiry) * (quote.forward(life.expiry) - terms)

    def by_name(self, terms: Any) -> dict[str, Any]:
        return {"delivery_price": terms}


@model
class FutureSlot(AbstractSlot):
    """One future at a time, settled daily: each date pays the change of the futures price F(T), which is the forward price where the rate is known.

    Its state is the price last settled at, so that its worth is 0 after each settlement and its Greeks are those of F(T).

    Args:
        asset: Name of the underlying.
        schedule: When it is rolled, and to which delivery; by default opened at the start for the horizon.
        initial_margin: Share of the notional that a unit posts, long or short (see ``ledger.Margin``).

    Raises:
        ValueError: Against a market with a stochastic rate, where futures and forward prices differ.
    """

    asset: str = static()
    schedule: AbstractSchedule = static(default=ToHorizon())
    initial_margin: Scalar = number(default=0.1, low=0.0, high=1.0, term=True)

    cost_class: ClassVar[str] = "linear"
    premium: ClassVar[bool] = False

    def validate(self, where: str, setting: Any) -> None:
        AbstractSlot.validate(self, where, setting)
        if setting.stochastic_rate:
            raise ValueError(f"{where}: expected a market whose rate is known for a future, got a stochastic one; take a forward")

    def open(self, terms: Any, quotes: Quotes, life: Life) -> Scalar:
        return quotes[self.asset].forward(life.expiry)

    def settle(self, held: Position, quotes: Quotes, row: Any, life: Life) -> tuple[Any, Scalar]:
        price = quotes[self.asset].forward(life.expiry)
        return price, held.units * (price - held.state)

    def price(self, terms: Any, state: Scalar, quotes: Quotes, pricers: Mapping[str, Any], life: Life) -> Scalar:
        return quotes[self.asset].forward(life.expiry) - state

    def margin(self, quotes: Quotes) -> Scalar:
        return self.initial_margin * self.notional(quotes)
