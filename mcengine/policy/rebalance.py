"""Filters of the sleeve: keep what is held until a trigger says to trade."""

from typing import Any, ClassVar

import jax.numpy as jnp

from mcengine._model import Scalar, model, number
from mcengine._spelling import snake_case
from mcengine.instrument import Target
from mcengine.market import Signals
from mcengine.policy.base import AbstractStage, Kind, Setting
from mcengine.policy.drift import Drift
from mcengine.policy.seen import Seen
from mcengine.policy.trigger import check_trigger


@model
class Rebalance(AbstractStage):
    """Trades the sleeve to its target on the first date, and as far as ``trigger`` fires: held + w (target - held). Other slots pass through.

    Args:
        trigger: When to trade; ``AnyOf``, ``AllOf`` and ``Not`` combine several.

    Raises:
        ValueError: For what is no trigger.
    """

    trigger: Any

    kind: ClassVar[Kind] = "filter"

    def canonical(self) -> dict[str, Any]:
        check_trigger("Rebalance.trigger", self.trigger)
        return {}

    @property
    def needs(self) -> tuple[str, ...]:  # type: ignore[override]
        return self.trigger.needs

    def signals(self) -> Signals:
        return self.trigger.signals()

    def validate(self, setting: Setting) -> None:
        self.trigger.validate(setting)

    def start(self, seen: Seen) -> Any:
        return self.trigger.start(seen)

    def act(self, target: Target, seen: Seen, memory: Any) -> tuple[Target, Any]:
        weight, memory = self.trigger.fires(seen.wanting(target), memory)
        weight = jnp.where(seen.first, 1.0, weight)
        seen.tell(snake_case(self.trigger), weight)
        kept = {}
        for name in seen.risky:
            held = seen.held[name].units
            kept[name] = held + weight * (target[name] - held)
        return target | kept, memory


@model
class Band(AbstractStage):
    """No-trade band: ``Rebalance`` on ``Drift``. Trades the underlyings, all together, when they are ``tolerance`` of wealth away from their target.

    Args:
        tolerance: Fraction of wealth.

    Example:
        >>> import mcengine as mc
        >>> mc.policy.chain(mc.policy.Mix(equity=0.6), mc.policy.Band(tolerance=0.02)).stages["band"]
        Band(tolerance=0.02)
    """

    tolerance: Scalar = number(default=0.01, low=0.0)

    kind: ClassVar[Kind] = "filter"

    def act(self, target: Target, seen: Seen, memory: Any) -> tuple[Target, Any]:
        return Rebalance(Drift(self.tolerance)).act(target, seen, memory)
