"""``When``: a stage that acts as far as a trigger fires."""

from typing import Any

from mcengine._model import Scalar, model
from mcengine._spelling import snake_case
from mcengine.instrument import AbstractSlot, Target
from mcengine.market import Signals
from mcengine.policy.base import AbstractStage, Kind, Setting
from mcengine.policy.seen import Seen
from mcengine.policy.trigger import check_trigger


def blend(target: Target, wanted: Target, weight: Scalar) -> Target:
    """Units between two targets; those that are the same stay what they are, to the bit.

    Args:
        target: Units by slot, where the weight is 0.
        wanted: Units by slot, where it is 1.
        weight: Between 0 and 1.
    """
    return {name: units if units is target[name] else target[name] + weight * (units - target[name]) for name, units in wanted.items()}


@model
class When(AbstractStage):
    """Units are blended: target + w (what the stage makes of it - target), w the trigger's weight. Both keep their memories on every date.

    As far as the trigger does not fire the target is what the stages before made it; a slot of the stage then keeps the units held until they expire
    or its roll date comes, and is empty after. An overlay buys on its roll dates only, whenever the trigger fires.

    Args:
        trigger: When to act.
        stage: What to do then: any stage, or a chain of them.

    Raises:
        ValueError: For what is no trigger, or no stage.

    Example:
        >>> import mcengine as mc
        >>> mc.policy.When(mc.policy.Above(mc.market.Ewma("equity"), level=0.3), mc.policy.Cppi(floor=0.9)).kind
        'scaler'
    """

    trigger: Any
    stage: Any

    def canonical(self) -> dict[str, Any]:
        check_trigger("When.trigger", self.trigger)
        if not isinstance(self.stage, AbstractStage):
            raise ValueError(f"When.stage: expected a stage, got {type(self.stage).__name__}")
        return {}

    @property
    def kind(self) -> Kind:  # type: ignore[override]
        return self.stage.kind

    @property
    def needs(self) -> tuple[str, ...]:  # type: ignore[override]
        return tuple(dict.fromkeys((*self.trigger.needs, *self.stage.needs)))

    def slots(self) -> dict[str, AbstractSlot]:
        return self.stage.slots()

    def signals(self) -> Signals:
        return (*self.stage.signals(), *self.trigger.signals())

    def validate(self, setting: Setting) -> None:
        self.trigger.validate(setting)
        self.stage.validate(setting)

    def remarks(self, setting: Setting) -> tuple[str, ...]:
        return (*self.trigger.remarks(setting), *self.stage.remarks(setting))

    def start(self, seen: Seen) -> tuple[Any, Any]:
        return self.trigger.start(seen), self.stage.start(seen)

    def terms(self, seen: Seen, memory: tuple[Any, Any]) -> dict[str, Any]:
        return self.stage.terms(seen, memory[1])

    def act(self, target: Target, seen: Seen, memory: tuple[Any, Any]) -> tuple[Target, tuple[Any, Any]]:
        weight, waiting = self.trigger.fires(seen.wanting(target), memory[0])
        seen.tell(snake_case(self.trigger), weight)
        wanted, acting = self.stage.act(target, seen, memory[1])
        return blend(target, wanted, weight), (waiting, acting)
