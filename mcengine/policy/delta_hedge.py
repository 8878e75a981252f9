"""Delta hedge: options held at a net delta of zero, or any other, by the asset itself, a forward or a future in a slot of its own.

With D the delta of the hedged contracts and d that of one unit of the hedge, ``ratio`` x (``target`` - D) / d units are held.
"""

from typing import Any, ClassVar

from mcengine._model import Scalar, model, number, static
from mcengine.instrument import AbstractSlot, ForwardSlot, FutureSlot, Target, Underlying
from mcengine.instrument.base import check_word
from mcengine.policy.base import AbstractStage, Kind, Setting, validate_asset
from mcengine.policy.puts import scheduled
from mcengine.policy.seen import Seen

THROUGH = ("underlying", "forward", "future")


@model
class DeltaHedge(AbstractStage):
    """Hedges the delta that options and other contracts on one asset have; the sleeve itself is left alone, and no scaler touches the hedge.

    Args:
        ratio: Share of the gap to the target that is hedged.
        target: Delta wanted of contracts and hedge together, in units of the asset for each unit of currency of starting wealth.
        asset: The asset hedged.
        through: "underlying", "forward" or "future".
        slot: Name of the hedge's slot.
        tenor: Steps from a roll of a forward or future to its delivery.
        roll: Steps from one roll to the next, at most the tenor.
        schedule: Calendar dates that take the place of tenor and roll.

    Raises:
        ValueError: For an asset that the market lacks, or a book without contracts on it.

    Example:
        >>> import mcengine as mc
        >>> rule = mc.policy.chain(mc.policy.Mix(equity=1.0), mc.policy.RolledPut(0.95), mc.policy.DeltaHedge())
        >>> sorted(rule.slots())
        ['delta_hedge', 'rolled_put']
    """

    ratio: Scalar = number(default=1.0, low=0.0)
    target: Scalar = number(default=0.0)
    asset: str = static(default="equity")
    through: str = static(default="underlying")
    slot: str = static(default="delta_hedge")
    tenor: int = static(default=63)
    roll: int = static(default=63)
    schedule: Any = static(default=None)

    kind: ClassVar[Kind] = "hedge"
    needs: ClassVar[tuple[str, ...]] = ("delta",)

    def canonical(self) -> dict[str, Any]:
        check_word("DeltaHedge.through", self.through, THROUGH)
        scheduled("DeltaHedge", self)
        return {}

    def slots(self) -> dict[str, AbstractSlot]:
        if self.through == "underlying":
            return {self.slot: Underlying(self.asset)}
        made = ForwardSlot if self.through == "forward" else FutureSlot
        return {self.slot: made(self.asset, scheduled("DeltaHedge", self))}

    def validate(self, setting: Setting) -> None:
        validate_asset("DeltaHedge.asset", self.asset, setting.assets)
        if not self._hedged(setting.slots):
            raise ValueError(f"DeltaHedge.asset: expected a book with options or contracts on {self.asset!r}, got none")

    def act(self, target: Target, seen: Seen, memory: Any) -> tuple[Target, Any]:
        delta = seen.greeks(target, of=self._hedged(seen.slots)).delta[self.asset]
        unit = 1.0 if self.through == "underlying" else seen.on_offer(self.slot).mark.greeks["delta"][self.asset]  # type: ignore[union-attr]
        wanted = self.target * seen.start_wealth
        return target | {self.slot: self.ratio * (wanted - delta) / unit}, memory

    def _hedged(self, slots: Any) -> tuple[str, ...]:
        return tuple(name for name, slot in slots.items() if slot.premium and self.asset in slot.assets)
