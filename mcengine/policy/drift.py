"""A trigger and the filter made of it: trade when what is held has drifted from what is wanted."""

from typing import Any

import jax.numpy as jnp

from mcengine._model import Scalar, model, number
from mcengine.instrument import gate
from mcengine.policy.seen import Seen
from mcengine.policy.trigger import AbstractTrigger

WIDER = 10.0
"""Times other gates' width at most."""


@model
class Drift(AbstractTrigger):
    """Fires when sum |target - held| over the sleeve exceeds a fraction of wealth.

    Smoothed by ``Study.width`` w, the step is wider than other gates, up to ``WIDER`` w, until it is half as wide as the tolerance. In one narrower
    than a third of it, what is held overshoots its target, |d held' / d held| = |1 - g - x g'(x)| > 1: derivatives grow day by day.

    Args:
        tolerance: Fraction of wealth.

    Example:
        >>> import mcengine as mc
        >>> mc.policy.Rebalance(mc.policy.AnyOf(mc.policy.Drift(tolerance=0.05), mc.policy.Not(mc.policy.Drift(0.01)))).kind
        'filter'
    """

    tolerance: Scalar = number(default=0.01, low=0.0)

    def fires(self, seen: Seen, memory: Any) -> tuple[Scalar, Any]:
        band = self.tolerance * seen.wealth
        width = seen.width * seen.start_wealth
        width = jnp.maximum(width, jnp.minimum(0.5 * band, WIDER * width))
        return gate(seen.drift() - band, width), memory
