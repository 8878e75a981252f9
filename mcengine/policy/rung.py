"""One level of an escalation ladder."""

from typing import Any

from mcengine._model import Scalar, model, number, static
from mcengine.policy.base import AbstractStage
from mcengine.policy.calendar import check_count
from mcengine.policy.trigger import check_trigger


@model
class Rung:
    """One level of a ladder.

    Args:
        enter: Of the gauge: at or above it the level is entered.
        leave: Of the gauge, below ``enter``: below it the level is left.
        stage: What is done at this level and above, after the rungs below; None changes nothing.
        alarm: A trigger that enters it whatever the gauge says.
        cooldown: Dates in a row below ``leave``, with no rung above, after which it is left.
        latch: Whether it is never left.

    Raises:
        ValueError: For thresholds out of order, or what is no stage, trigger or count.

    Example:
        >>> import mcengine as mc
        >>> mc.policy.Rung(enter=0.05, leave=0.08)
        Traceback (most recent call last):
        ValueError: Rung.leave: expected a number below enter = 0.05, got 0.08
    """

    enter: Scalar = number()
    leave: Scalar = number()
    stage: Any = None
    alarm: Any = None
    cooldown: int = static(default=1)
    latch: bool = static(default=False)

    def canonical(self) -> dict[str, Any]:
        if self.stage is not None and not isinstance(self.stage, AbstractStage):
            raise ValueError(f"Rung.stage: expected a stage, got {type(self.stage).__name__}")
        if self.alarm is not None:
            check_trigger("Rung.alarm", self.alarm)
        check_count("Rung.cooldown", self.cooldown, 1)
        return {}

    def check(self) -> None:
        if not self.leave < self.enter:
            raise ValueError(f"Rung.leave: expected a number below enter = {float(self.enter):g}, got {float(self.leave):g}")
