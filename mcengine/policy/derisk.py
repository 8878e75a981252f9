"""Holding less: a share of the sleeve, or of one asset, the rest in cash."""

from typing import Any, ClassVar

from mcengine._model import Scalar, model, number, static
from mcengine.instrument import Target
from mcengine.policy.base import AbstractStage, Kind, Setting, validate_asset
from mcengine.policy.seen import Seen


@model
class Derisk(AbstractStage):
    """Holds ``share`` of what the stages before want of the sleeve.

    Args:
        share: 0 sells all, 1 changes nothing.
        asset: The asset that is held back; "" is the whole sleeve.

    Raises:
        ValueError: For an asset that the market lacks.
    """

    share: Scalar = number(default=0.5, low=0.0)
    asset: str = static(default="")

    kind: ClassVar[Kind] = "scaler"

    def validate(self, setting: Setting) -> None:
        if self.asset:
            validate_asset("Derisk.asset", self.asset, setting.assets)

    def act(self, target: Target, seen: Seen, memory: Any) -> tuple[Target, Any]:
        if self.asset:
            return target | {self.asset: self.share * target[self.asset]}, memory
        return seen.scale(target, self.share), memory
