"""A fee for every ticket: each slot that trades on a date pays once."""

from typing import ClassVar

import jax.numpy as jnp

from mcengine._model import Scalar, model, number
from mcengine.ledger.base import AbstractCost, Trade


@model
class Fixed(AbstractCost):
    """``fee`` for each slot traded on a date, however much of it. Its derivative by how much is traded is 0 almost everywhere.

    Args:
        fee: Currency a trade.
        least: Trades of at most this notional are none, currency; in single precision rounding is 1e-7 of wealth.
    """

    fee: Scalar = number(default=0.0, low=0.0)
    least: Scalar = number(default=1e-9, low=0.0, term=True)

    names: ClassVar[tuple[str, ...]] = ("fixed",)
    linear: ClassVar[bool] = False

    def on_trade(self, trade: Trade) -> dict[str, Scalar]:
        tickets = [jnp.where(leg.units * leg.notional > self.least, 1.0, 0.0) for leg in trade.legs.values()]
        return {"fixed": self.fee * sum(tickets, start=0.0)}
