"""Square-root market impact: a trade moves the price by its volatility over a day times the root of its share of the day's volume.

    cost = coefficient sigma sqrt(dt) sqrt(q / volume) q,   q the value traded,
(Almgren, Thum, Hauptmann & Li, "Direct estimation of equity market impact", Risk 18, 2005; Bouchaud et al., "Trades, quotes and prices", 2018,
chapter 12.)
"""

from typing import ClassVar

import jax.numpy as jnp

from mcengine._model import Scalar, model, number
from mcengine.ledger.base import AbstractCost, Leg, Trade


@model
class Impact(AbstractCost):
    """Of underlyings, forwards and futures.

    Args:
        volume: What the market trades in one step of the study, in the currency of ``Study.wealth``.
        coefficient: Near 1 in most studies.
    """

    volume: Scalar = number(above=0.0, term=True)
    coefficient: Scalar = number(default=1.0, low=0.0)

    names: ClassVar[tuple[str, ...]] = ("impact",)
    linear: ClassVar[bool] = False

    def on_trade(self, trade: Trade) -> dict[str, Scalar]:
        return {"impact": sum((self._of(leg, trade.dt) for leg in trade.of("underlying", "linear")), start=0.0)}

    def _of(self, leg: Leg, dt: Scalar) -> Scalar:
        value = leg.units * leg.notional
        traded = value > 0.0
        root = jnp.sqrt(jnp.where(traded, value / self.volume, 1.0)) * traded
        variance = leg.quote.variance * dt  # type: ignore[union-attr]
        return self.coefficient * jnp.sqrt(jnp.maximum(variance, 1e-20)) * root * value
