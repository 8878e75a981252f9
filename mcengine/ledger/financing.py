"""What is paid while positions are held: interest over the market's rate on borrowed cash, fees on shorts, interest lost on margin."""

from typing import ClassVar

import jax.numpy as jnp

from mcengine._model import Scalar, model, number
from mcengine.ledger.base import AbstractCost, Holding


@model
class Financing(AbstractCost):
    """``spread`` a year on cash below zero, over the rate that all cash earns or pays.

    Args:
        spread: A year, simple over a step.
    """

    spread: Scalar = number(default=0.0, low=0.0)

    names: ClassVar[tuple[str, ...]] = ("financing",)
    carried: ClassVar[tuple[str, ...]] = names

    def on_hold(self, holding: Holding) -> dict[str, Scalar]:
        return {"financing": self.spread * holding.dt * jnp.maximum(-holding.cash, 0.0)}


@model
class Borrow(AbstractCost):
    """``fee`` a year on the value of each underlying that is short, a hedge's slot and the sleeve taken together.

    Args:
        fee: A year, simple over a step.
    """

    fee: Scalar = number(default=0.0, low=0.0)

    names: ClassVar[tuple[str, ...]] = ("borrow",)
    carried: ClassVar[tuple[str, ...]] = names

    def on_hold(self, holding: Holding) -> dict[str, Scalar]:
        net: dict[str, Scalar] = {}
        worth: dict[str, Scalar] = {}
        for name, slot in holding.slots.items():
            if slot.cost_class == "underlying":
                net[slot.asset] = net.get(slot.asset, 0.0) + holding.held[name].units
                worth[slot.asset] = holding.prices[name]
        short = [jnp.maximum(-units, 0.0) * worth[asset] for asset, units in net.items()]
        return {"borrow": self.fee * holding.dt * sum(short, start=0.0)}


@model
class Margin(AbstractCost):
    """Posted margin is cash that earns ``spread`` a year less than other cash.

    Args:
        spread: A year, simple over a step.
    """

    spread: Scalar = number(default=0.0, low=0.0)

    names: ClassVar[tuple[str, ...]] = ("margin",)
    carried: ClassVar[tuple[str, ...]] = names

    def on_hold(self, holding: Holding) -> dict[str, Scalar]:
        posted = sum((jnp.abs(holding.held[name].units) * holding.margins[name] for name in holding.slots), start=0.0)
        return {"margin": self.spread * holding.dt * posted}
