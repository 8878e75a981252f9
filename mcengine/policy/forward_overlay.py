"""Forward overlay: exposure taken on or off by forwards or futures, the sleeve left as it is."""

from typing import Any, ClassVar

from mcengine._model import Scalar, model, number, static
from mcengine.instrument import AbstractSchedule, AbstractSlot, ForwardSlot, FutureSlot, Target
from mcengine.instrument.base import check_word
from mcengine.policy.base import AbstractStage, Kind, Setting, validate_asset
from mcengine.policy.puts import scheduled
from mcengine.policy.seen import Seen


@model
class ForwardOverlay(AbstractStage):
    """Holds ``ratio`` contracts for each unit of the asset wanted in the sleeve, every date: -.5 halves the exposure, .5 levers it by half.

    Args:
        ratio: Contracts for each unit.
        asset: The asset overlaid.
        through: "forward" or "future".
        slot: Name of the slot.
        tenor: Steps from a roll to the delivery.
        roll: Steps from one roll to the next, at most the tenor.
        schedule: Calendar dates that take the place of tenor and roll.

    Raises:
        ValueError: For an asset that the market lacks, or a roll longer than the tenor.
    """

    ratio: Scalar = number(default=-0.5)
    asset: str = static(default="equity")
    through: str = static(default="forward")
    slot: str = static(default="forward")
    tenor: int = static(default=63)
    roll: int = static(default=63)
    schedule: AbstractSchedule | None = static(default=None)

    kind: ClassVar[Kind] = "hedge"

    def canonical(self) -> dict[str, Any]:
        check_word("ForwardOverlay.through", self.through, ("forward", "future"))
        scheduled("ForwardOverlay", self)
        return {}

    def slots(self) -> dict[str, AbstractSlot]:
        made = ForwardSlot if self.through == "forward" else FutureSlot
        return {self.slot: made(self.asset, scheduled("ForwardOverlay", self))}

    def validate(self, setting: Setting) -> None:
        validate_asset("ForwardOverlay.asset", self.asset, setting.assets)

    def act(self, target: Target, seen: Seen, memory: Any) -> tuple[Target, Any]:
        return target | {self.slot: self.ratio * target[self.asset]}, memory
