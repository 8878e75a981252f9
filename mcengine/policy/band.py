"""No-trade band: keep what is held until the target is far enough away."""

from typing import Any, ClassVar

import jax.numpy as jnp

from mcengine._model import Scalar, model, number
from mcengine.instrument import Position, gate
from mcengine.policy.base import AbstractStage, Kind, Seen, Target

WIDER = 10.0
"""Times other gates' width at most."""


@model
class Band(AbstractStage):
    """Trades the underlyings, all together, when sum |target - held| exceeds ``tolerance`` as a fraction of wealth. Options pass through.

    Smoothed by ``Study.width`` w, the step is wider than other gates, up to ``WIDER`` w, until it is half as wide as the band. In one narrower
    than a third of the band, what is held overshoots its target, |d held' / d held| = |1 - g - x g'(x)| > 1: derivatives grow day by day.
    """

    tolerance: Scalar = number(default=0.01, low=0.0)

    kind: ClassVar[Kind] = "filter"

    def act(self, target: Target, seen: Seen, memory: Any) -> tuple[Target, Any]:
        distance = sum((jnp.abs(target[n].units - seen.held[n].units) * seen.prices[n] for n in seen.risky), start=0.0)
        band = self.tolerance * seen.wealth
        width = seen.width * seen.start_wealth
        width = jnp.maximum(width, jnp.minimum(0.5 * band, WIDER * width))
        trade = jnp.where(seen.first, 1.0, gate(distance - band, width))
        kept = {}
        for name in seen.risky:
            held = seen.held[name].units
            kept[name] = Position(held + trade * (target[name].units - held))
        return target | kept, memory
