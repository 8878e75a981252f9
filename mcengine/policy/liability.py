"""Liability: a contract that the book owes at the horizon, whatever it does."""

from typing import Any, ClassVar

from mcengine._model import Scalar, model, number, static
from mcengine.instrument import AbstractSlot, LiabilitySlot, Target
from mcengine.instrument.base import AbstractContract
from mcengine.policy.base import AbstractStage, Kind
from mcengine.policy.seen import Seen


@model
class Liability(AbstractStage):
    """Owes ``units`` of a contract from the start to the horizon: carried at what was received for it until it is due, paid then, free of costs.

    Nobody prices it, so no hedge by Greeks sees it. With nothing received the risk of wealth at the horizon, as ``cvar_50``, is the price for which
    it is 0 (the indifference price).

    Args:
        contract: Any contract that expires at the horizon.
        units: Owed, for each unit of currency of starting wealth; negative is owned. Where ``relative``, 1 is on as much of the asset as wealth buys.
        received: For one unit, currency; of a ``relative`` contract a fraction of the asset's spot at the start.
        slot: Name of the slot.
        relative: Whether strikes, barriers and payoffs are fractions of each asset's spot at the start.

    Raises:
        ValueError: For a contract that draws numbers of its own, or does not expire at the horizon.

    Example:
        >>> import mcengine as mc
        >>> call = mc.instrument.Call(strike=1.0, expiry=0.25, asset="equity")
        >>> list(mc.policy.Liability(call).slots())
        ['liability']
    """

    contract: AbstractContract
    units: Scalar = number(default=1.0, term=True)
    received: Scalar = number(default=0.0, low=0.0, term=True)
    slot: str = static(default="liability")
    relative: bool = static(default=True)

    kind: ClassVar[Kind] = "hedge"

    def slots(self) -> dict[str, AbstractSlot]:
        return {self.slot: LiabilitySlot(self.contract, self.received, self.relative)}

    def start(self, seen: Seen) -> Scalar:
        """Price at the start of what a unit is on, currency."""
        asset = next(iter(self.contract.assets), "") if self.relative else ""
        return seen.quotes[asset].spot if asset else 1.0

    def act(self, target: Target, seen: Seen, memory: Scalar) -> tuple[Target, Any]:
        return target | {self.slot: -self.units * seen.start_wealth / memory}, memory
