"""Paying for overlays: the mix is scaled so that it and all that is bought for a premium cost exactly the wealth there is.

With V the wealth, n_k P_k the premium of what is bought today, H the worth of what is kept, and costs c_0 of closing and c(s) of buying,
    s V + s sum n_k P_k + c(s) = V - H - c_0:
the sleeve, the cash beside it and the contracts bought today are all scaled by s, so that each stays in proportion to what it covers.
"""

from typing import Any, ClassVar

import jax.numpy as jnp

from mcengine._model import Scalar, model
from mcengine.instrument import Target
from mcengine.policy.base import AbstractStage, Kind, positive_ratio
from mcengine.policy.seen import Seen

LEAST = 1e-6
"""Of s: where what is kept is worth more than there is, next to nothing else is held."""

ITERATIONS = 4
"""Of s, where costs are not proportional: each is smaller than the last by the cost over the wealth, some thousandth."""


@model
class Fund(AbstractStage):
    """Stands after the overlays of a chain; ``chain`` puts it there. The target before it is stated for all the wealth there
    is, as allocators state it. Costs of the sleeve's own trades are paid in cash."""

    kind: ClassVar[Kind] = "overlay"

    def act(self, target: Target, seen: Seen, memory: Any) -> tuple[Target, Any]:
        bought = [name for name, slot in seen.slots.items() if slot.premium]
        if not bought:
            return target, memory
        worth = {name: target[name] * seen.on_offer(name).mark.price for name in bought}  # type: ignore[union-attr]
        fresh = sum((jnp.where(seen.rolls(name), worth[name], 0.0) for name in bought), start=0.0)
        kept = sum((jnp.where(seen.rolls(name), 0.0, worth[name]) for name in bought), start=0.0)

        def scaled(factor: Scalar) -> Target:
            return {name: jnp.where(seen.rolls(name), target[name] * factor, target[name]) for name in bought}

        closing = seen.trading_cost(scaled(0.0))
        left = seen.wealth - kept - closing
        factor: Scalar = 1.0
        for _ in range(1 if seen.cost.linear else ITERATIONS):
            factor = positive_ratio(left, seen.wealth + fresh + (seen.trading_cost(scaled(factor)) - closing) / factor)
            factor = jnp.maximum(factor, LEAST)
        return seen.scale(target, factor) | scaled(factor), memory
