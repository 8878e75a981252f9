"""Volatility target of each asset by itself: what is calm is held at its weight or more, what is wild at less.

    units_i x min(target_i / sigma_i, most),   sigma_i^2 = d sigma_i^2 + (1 - d) r_i^2 / dt,   d = 2^{-1/halflife},
r_i the log-return, sigma_i at first what the asset's quote shows (Moskowitz, Ooi & Pedersen 2012, eq. 5, hold each leg at 40 %).
"""

from typing import Any, ClassVar, NamedTuple

import jax.numpy as jnp

from mcengine._model import Scalar, model, number
from mcengine.instrument import Target
from mcengine.policy.base import AbstractStage, Kind, Setting, positive_ratio, validate_asset
from mcengine.policy.seen import Seen


class _Memory(NamedTuple):
    variances: dict[str, Scalar]
    spots: dict[str, Scalar]


@model
class LegTarget(AbstractStage):
    """Scales each leg to a volatility of its own; assets not named are left as they are.

    Args:
        targets: Volatility a year by asset, of the leg itself whatever its weight.
        halflife: Of the weights of past returns, steps.
        most: Most that a leg is scaled by.
        leverage: Most that all legs may be, in absolute value, as a multiple of wealth; they are then scaled down together.

    Raises:
        ValueError: For no target, one that is not above 0, or an asset that the market lacks.
    """

    targets: dict[str, Scalar] = number(above=0.0)
    halflife: Scalar = number(default=20.0, above=0.0)
    most: Scalar = number(default=2.0, above=0.0, term=True)
    leverage: Scalar = number(default=1.0, above=0.0, term=True)

    kind: ClassVar[Kind] = "scaler"

    def canonical(self) -> dict[str, Any]:
        if not self.targets:
            raise ValueError("LegTarget.targets: expected a volatility by asset, got none")
        return {"targets": dict(self.targets)}

    def validate(self, setting: Setting) -> None:
        for asset in self.targets:
            validate_asset("LegTarget.targets", asset, setting.assets)

    def start(self, seen: Seen) -> _Memory:
        quotes, zero = seen.quotes, jnp.zeros_like(seen.wealth)
        return _Memory({n: jnp.maximum(quotes[n].variance, 1e-8) + zero for n in self.targets}, {n: quotes[n].spot + zero for n in self.targets})

    def act(self, target: Target, seen: Seen, memory: _Memory) -> tuple[Target, _Memory]:
        weight = jnp.where(seen.first, 0.0, 1.0 - jnp.exp2(-1.0 / self.halflife))
        spots = {name: seen.prices[name] for name in self.targets}
        moves = {name: jnp.log(spots[name] / memory.spots[name]) ** 2 / seen.dt for name in spots}
        variances = {name: old + weight * (moves[name] - old) for name, old in memory.variances.items()}
        scaled = {name: target[name] * jnp.minimum(goal / jnp.sqrt(variances[name]), self.most) for name, goal in self.targets.items()}
        target = target | scaled
        gross = sum((jnp.abs(target[name]) * seen.prices[name] for name in seen.risky), start=0.0)
        factor = jnp.minimum(positive_ratio(self.leverage * seen.wealth, gross), 1.0)
        return seen.scale(target, factor), _Memory(variances, spots)
