"""Stop-loss: out of the sleeve, for good, on the first date on which wealth is at the floor's present value.

What is left of the sleeve is the least gate so far. A product of gates is the same where they are hard; where they are smooth its derivative grows
with the number of dates (its sd by the floor, smoothed over 3 % of wealth: 1.9 on 52 dates, 4.3 on 4,032; that of the least is .9 on both).
"""

from typing import Any, ClassVar

import jax.numpy as jnp

from mcengine._model import Scalar, model, number
from mcengine.instrument import Target, gate
from mcengine.policy.base import AbstractStage, Kind, Setting
from mcengine.policy.floors import Floor, as_floor, scaled, validate_buffer, validate_protected
from mcengine.policy.seen import Seen


@model
class StopLoss(AbstractStage):
    """Sells when V < (1 + ``buffer``) F, F the floor's value today: of a number, ``floor`` x V_0 x D(T), to which the proceeds grow by the horizon.

    Args:
        floor: Fraction of the starting wealth, due at the horizon; or any floor, such as ``HighWater``.
        buffer: Fraction of the floor's present value by which it sells early.

    Raises:
        ValueError: For a floor whose present value, or that with its buffer, is not below the starting wealth.
    """

    floor: Floor = number(low=0.0, term=True)
    buffer: Scalar = number(default=0.0, low=0.0)

    kind: ClassVar[Kind] = "scaler"

    def validate(self, setting: Setting) -> None:
        validate_protected("StopLoss.floor", self.floor, setting)
        validate_buffer("StopLoss.buffer", self.buffer, self.floor, setting)

    def start(self, seen: Seen) -> tuple[Scalar, Any]:
        return jnp.ones_like(seen.wealth), as_floor(self.floor).start(seen)

    def act(self, target: Target, seen: Seen, memory: tuple[Scalar, Any]) -> tuple[Target, tuple[Scalar, Any]]:
        floor = as_floor(self.floor)
        value, kept = floor.value(seen, memory[1])
        invested = jnp.minimum(memory[0], gate(seen.wealth - (1.0 + self.buffer) * value, seen.width * seen.start_wealth))
        return scaled(target, invested, floor, seen), (invested, kept)
