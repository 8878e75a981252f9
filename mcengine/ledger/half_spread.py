"""Half of bid-ask by instrument: options in points of volatility, turned into money by their vega."""

from typing import ClassVar

import jax.numpy as jnp

from mcengine._model import Scalar, model, number
from mcengine.ledger.base import AbstractCost, Leg, Trade


@model
class HalfSpread(AbstractCost):
    """Underlyings, forwards and futures pay a share of their value or notional; options ``max(volatility x vega, floor x spot)`` a unit.

    Args:
        underlying: Share of the value of underlyings traded.
        linear_rate: Share of the notional of forwards and futures traded.
        volatility: Half-spread of options in volatility (0.005 is half a point).
        floor: Least half-spread of an option as a share of its underlying's spot.
    """

    underlying: Scalar = number(default=0.0, low=0.0, below=1.0)
    linear_rate: Scalar = number(default=0.0, low=0.0, below=1.0)
    volatility: Scalar = number(default=0.0, low=0.0)
    floor: Scalar = number(default=0.0, low=0.0, below=1.0)

    names: ClassVar[tuple[str, ...]] = ("underlying", "linear", "option")
    needs: ClassVar[tuple[str, ...]] = ("vega",)

    def on_trade(self, trade: Trade) -> dict[str, Scalar]:
        spot = sum((leg.value for leg in trade.of("underlying")), start=0.0)
        notional = sum((leg.units * leg.notional for leg in trade.of("linear")), start=0.0)
        options = sum((self._option(leg) for leg in trade.of("option")), start=0.0)
        return {"underlying": self.underlying * spot, "linear": self.linear_rate * notional, "option": options}

    def _option(self, leg: Leg) -> Scalar:
        closed, opened = (jnp.maximum(self.volatility * vega, self.floor * leg.notional) for vega in leg.vegas())
        return leg.closed * closed + leg.opened * opened
