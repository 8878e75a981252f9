"""Filters: keep what is held of the sleeve, or of other slots, until a trigger says to trade."""

from typing import Any, ClassVar

import jax.numpy as jnp

from mcengine._model import Scalar, model, number, static
from mcengine._spelling import near, snake_case
from mcengine.instrument import Target
from mcengine.market import Signals
from mcengine.policy.base import AbstractStage, Kind, Setting, slot_names
from mcengine.policy.drift import Drift
from mcengine.policy.seen import Seen
from mcengine.policy.trigger import check_trigger


@model
class Rebalance(AbstractStage):
    """Trades the sleeve to its target on the first date, and as far as ``trigger`` fires: held + w (target - held). Other slots pass through.

    Args:
        trigger: When to trade; ``AnyOf``, ``AllOf`` and ``Not`` combine several.
        only: Slots that are kept in place of the sleeve's, such as that of a ``DeltaHedge``; one that rolls is opened at its target.

    Raises:
        ValueError: For what is no trigger, or a slot that the book lacks.
    """

    trigger: Any
    only: tuple[str, ...] = static(default=())

    kind: ClassVar[Kind] = "filter"

    def canonical(self) -> dict[str, Any]:
        check_trigger("Rebalance.trigger", self.trigger)
        return {"only": slot_names("Rebalance.only", self.only)}

    @property
    def needs(self) -> tuple[str, ...]:  # type: ignore[override]
        return self.trigger.needs

    def signals(self) -> Signals:
        return self.trigger.signals()

    def validate(self, setting: Setting) -> None:
        self.trigger.validate(setting)
        for name in self.only:
            if name not in setting.slots:
                raise ValueError(f"Rebalance.only: unknown slot {name!r}{near(name, setting.slots)}")

    def start(self, seen: Seen) -> Any:
        return self.trigger.start(seen)

    def act(self, target: Target, seen: Seen, memory: Any) -> tuple[Target, Any]:
        weight, memory = self.trigger.fires(seen.wanting(target), memory)
        weight = jnp.where(seen.first, 1.0, weight)
        seen.tell(snake_case(self.trigger), weight)
        kept = {}
        for name in self.only or seen.risky:
            held = seen.held[name].units
            trades = jnp.where(seen.rolls(name), 1.0, weight) if name in seen.dates else weight
            kept[name] = held + trades * (target[name] - held)
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
