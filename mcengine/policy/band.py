"""No-trade band: keep what is held until the target is far enough away."""

from typing import Any, ClassVar

import jax.numpy as jnp

from mcengine._model import Scalar, model, number
from mcengine.instrument import Position, gate
from mcengine.policy.base import AbstractStage, Kind, Seen, Target


@model
class Band(AbstractStage):
    """Trades the underlyings, all together, when sum |target - held| exceeds ``tolerance`` as a fraction of wealth. Options pass through."""

    tolerance: Scalar = number(default=0.01, low=0.0)

    kind: ClassVar[Kind] = "filter"

    def act(self, target: Target, seen: Seen, memory: Any) -> tuple[Target, Any]:
        distance = sum((jnp.abs(target[n].units - seen.held[n].units) * seen.prices[n] for n in seen.risky), start=0.0)
        trade = jnp.where(seen.first, 1.0, gate(distance - self.tolerance * seen.wealth, seen.width * seen.start_wealth))
        kept = {}
        for name in seen.risky:
            held = seen.held[name].units
            kept[name] = Position(held + trade * (target[name].units - held))
        return target | kept, memory
