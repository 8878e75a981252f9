"""Constant-proportion portfolio insurance (Black & Jones 1987; Perold 1986).

With the floor's present value F_t (of a number: floor x V_0 x D(t, T)) and the cushion C_t = max(V_t - F_t, 0), the risky sleeve is worth m C_t.
Where a gap takes wealth through the floor the sleeve is empty until wealth is above it again.
"""

from typing import Any, ClassVar

import jax.numpy as jnp

from mcengine._model import Scalar, model, number, static
from mcengine.instrument import Target
from mcengine.policy.base import AbstractStage, Kind, Setting, positive_ratio
from mcengine.policy.floors import Floor, as_floor, scaled, validate_protected
from mcengine.policy.seen import Seen


@model
class Cppi(AbstractStage):
    """Scales the sleeve by min(1, ``multiplier`` x cushion / sleeve); with ``exposure="set"`` sets it to ``multiplier`` x cushion, up to
    ``leverage`` x wealth.

    Args:
        floor: Fraction of the starting wealth, due at the horizon; or any floor, such as ``HighWater``.
        multiplier: Of the cushion.
        leverage: Most that the sleeve may be, as a multiple of wealth, where the exposure is set.
        exposure: "scale" or "set".

    Raises:
        ValueError: For a floor whose present value is not below the starting wealth.

    Example:
        >>> import mcengine as mc
        >>> mc.policy.Cppi(floor=0.9, multiplier=5)
        Cppi(floor=0.9, multiplier=5, leverage=1, exposure='scale')
    """

    floor: Floor = number(low=0.0, term=True)
    multiplier: Scalar = number(default=4.0, low=0.0)
    leverage: Scalar = number(default=1.0, above=0.0, term=True)
    exposure: str = static(default="scale")

    kind: ClassVar[Kind] = "scaler"

    def check(self) -> None:
        if self.exposure not in ("scale", "set"):
            raise ValueError(f"Cppi.exposure: expected 'scale' or 'set', got {self.exposure!r}")

    def validate(self, setting: Setting) -> None:
        validate_protected("Cppi.floor", self.floor, setting)

    def start(self, seen: Seen) -> Any:
        return as_floor(self.floor).start(seen)

    def act(self, target: Target, seen: Seen, memory: Any) -> tuple[Target, Any]:
        floor = as_floor(self.floor)
        value, memory = floor.value(seen, memory)
        cushion = jnp.maximum(seen.wealth - value, 0.0)
        wanted = self.multiplier * cushion
        sleeve = seen.sleeve(target)
        if self.exposure == "set":
            factor = positive_ratio(jnp.minimum(wanted, self.leverage * seen.wealth), sleeve)
        else:
            factor = jnp.minimum(positive_ratio(wanted, sleeve), 1.0)
        return scaled(target, factor, floor, seen), memory
