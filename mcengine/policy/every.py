"""A trigger on time: it fires every so many dates."""

from typing import Any

import numpy as np

from mcengine._model import Scalar, model, static
from mcengine.policy.seen import Seen
from mcengine.policy.trigger import AbstractTrigger


@model
class Every(AbstractTrigger):
    """Fires on the first date and every ``steps`` dates after it; ``Not(Every(1))`` never does.

    Args:
        steps: From one date to the next on which it fires.

    Raises:
        ValueError: Unless that is a whole number of 1 or more.

    Example:
        >>> import mcengine as mc
        >>> quarterly = mc.policy.Rebalance(mc.policy.Every(63))
        >>> list(mc.policy.chain(mc.policy.Mix(equity=1.0), mc.policy.Cppi(0.9), quarterly).stages)
        ['mix', 'cppi', 'rebalance']
    """

    steps: int = static()

    def check(self) -> None:
        if isinstance(self.steps, bool) or not isinstance(self.steps, int | np.integer) or self.steps < 1:
            raise ValueError(f"Every.steps: expected a whole number of 1 or more, got {self.steps!r}")

    def fires(self, seen: Seen, memory: Any) -> tuple[Scalar, Any]:
        return 1.0 * (seen.step % self.steps == 0), memory
