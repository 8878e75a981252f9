"""Costs proportional to what is traded: half of bid-ask, commissions."""

from typing import ClassVar

from mcengine._model import Scalar, model, number
from mcengine.ledger.base import AbstractCost, Trade


@model
class Proportional(AbstractCost):
    """A share of what is traded.

    Args:
        rate: Of the value of underlyings traded, and of the notional of forwards and futures.
        option_spread: Half of bid-ask, of the premium of options and other contracts traded.

    Example:
        >>> import mcengine as mc
        >>> mc.ledger.Proportional(rate=5e-4, option_spread=0.01)
        Proportional(rate=0.0005, option_spread=0.01)
    """

    rate: Scalar = number(default=0.0, low=0.0, below=1.0)
    option_spread: Scalar = number(default=0.0, low=0.0, below=1.0)

    names: ClassVar[tuple[str, ...]] = ("underlying", "option")

    def on_trade(self, trade: Trade) -> dict[str, Scalar]:
        spot = sum((self.rate * leg.value for leg in trade.of("underlying")), start=0.0)
        linear = sum((self.rate * leg.units * leg.notional for leg in trade.of("linear")), start=spot)
        premium = sum((leg.value for leg in trade.of("option")), start=0.0)
        return {"underlying": linear, "option": self.option_spread * premium}
