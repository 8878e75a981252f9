"""Stop-loss: out of the sleeve, for good, on the first date on which wealth is at the floor's present value."""

from typing import ClassVar

import jax.numpy as jnp

from mcengine._model import Scalar, model, number
from mcengine.instrument import Target, gate
from mcengine.policy.base import AbstractStage, Kind, Setting, validate_floor
from mcengine.policy.seen import Seen


@model
class StopLoss(AbstractStage):
    """Sells when V < (1 + ``buffer``) x ``floor`` x V_0 x D(T), D(T) the discount to the horizon; the proceeds grow to the floor by then.

    Args:
        floor: Fraction of the starting wealth, due at the horizon.
        buffer: Fraction of the floor's present value by which it sells early.

    Raises:
        ValueError: For a floor whose present value is not below the starting wealth.
    """

    floor: Scalar = number(low=0.0, term=True)
    buffer: Scalar = number(default=0.0, low=0.0)

    kind: ClassVar[Kind] = "scaler"

    def validate(self, setting: Setting) -> None:
        validate_floor("StopLoss.floor", self.floor, setting.discount)

    def start(self, seen: Seen) -> Scalar:
        return jnp.ones_like(seen.wealth)

    def act(self, target: Target, seen: Seen, memory: Scalar) -> tuple[Target, Scalar]:
        invested = memory * gate(seen.wealth - (1.0 + self.buffer) * seen.floor_value(self.floor), seen.width * seen.start_wealth)
        return seen.scale(target, invested), invested
