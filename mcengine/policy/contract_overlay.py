"""Overlay of any contract: barrier, digital, Asian, spread, bond option, option on a future, variance swap; bought once or rolled."""

from typing import Any, ClassVar

from mcengine._model import Scalar, model, number, static
from mcengine.instrument import AbstractSchedule, AbstractSlot, ContractSlot, Target, ToHorizon
from mcengine.instrument.base import AbstractContract
from mcengine.policy.base import AbstractStage, Kind, Setting, validate_asset
from mcengine.policy.puts import covered
from mcengine.policy.seen import Seen


@model
class ContractOverlay(AbstractStage):
    """Holds ``coverage`` contracts for each unit of an asset wanted in the sleeve.

    Args:
        contract: Its expiry in years from each roll; strikes and barriers as fractions of the spots then, where ``relative``.
        coverage: Contracts for each unit of ``asset``; negative sells them.
        asset: The asset of the sleeve that is covered.
        slot: Name of the slot.
        schedule: When it is rolled: ``Rolled(tenor, roll)``, listed dates, or by default once, to the horizon.
        relative: Whether the contract is written on fractions of the spots.
        approximate: Whether a formula that is not exact for the market may mark it.

    Raises:
        ValueError: For an asset that the market lacks, or a contract that does not fit the schedule.

    Example:
        >>> import mcengine as mc
        >>> barrier = mc.instrument.Barrier("put", "down", "out", strike=1.0, barrier=0.8, expiry=0.25, asset="equity")
        >>> mc.policy.ContractOverlay(barrier, schedule=mc.instrument.Rolled(tenor=63, roll=63)).slots()["contract"].premium
        True
    """

    contract: AbstractContract
    coverage: Scalar = number(default=1.0)
    asset: str = static(default="equity")
    slot: str = static(default="contract")
    schedule: AbstractSchedule = static(default=ToHorizon())
    relative: bool = static(default=True)
    approximate: bool = static(default=False)

    kind: ClassVar[Kind] = "overlay"

    def slots(self) -> dict[str, AbstractSlot]:
        return {self.slot: ContractSlot(self.contract, self.schedule, self.relative, self.approximate)}

    def validate(self, setting: Setting) -> None:
        validate_asset("ContractOverlay.asset", self.asset, setting.assets)

    def act(self, target: Target, seen: Seen, memory: Any) -> tuple[Target, Any]:
        return covered(target, seen, self.slot, self.asset, self.coverage), memory
