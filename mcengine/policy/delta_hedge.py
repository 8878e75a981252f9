"""Delta hedge: options held at a net delta of zero, or any other, by the asset itself, a forward or a future in a slot of its own.

With D the delta of the hedged contracts and d that of one unit of the hedge, ``ratio`` x (``target`` - D) / d units are held. D is the market's own,
a derivative of the prices it quotes, or Black's at a volatility of the rule's choice.
"""

from typing import Any, ClassVar

from mcengine._model import Scalar, model, number, static
from mcengine.instrument import AbstractSchedule, AbstractSlot, ForwardSlot, FutureSlot, OptionSlot, Target, Underlying
from mcengine.instrument.base import check_word
from mcengine.market import Signals
from mcengine.policy.base import AbstractStage, Kind, Setting, validate_asset
from mcengine.policy.delta_volatility import check_volatility, delta_at, signals_of
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
        volatility: At which deltas are taken, a number a year, ``Implied``, ``Realised`` or ``Leland``; None: the market's own deltas.

    Raises:
        ValueError: For an asset that the market lacks, or a book without contracts on it; for a volatility in a book of other contracts than options.

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
    schedule: AbstractSchedule | None = static(default=None)
    volatility: Any = None

    kind: ClassVar[Kind] = "hedge"
    needs: ClassVar[tuple[str, ...]] = ("delta",)

    def canonical(self) -> dict[str, Any]:
        check_word("DeltaHedge.through", self.through, THROUGH)
        scheduled("DeltaHedge", self)
        if self.volatility is not None:
            check_volatility("DeltaHedge.volatility", self.volatility)
        return {}

    def signals(self) -> Signals:
        return signals_of(self.volatility)

    def slots(self) -> dict[str, AbstractSlot]:
        if self.through == "underlying":
            return {self.slot: Underlying(self.asset)}
        made = ForwardSlot if self.through == "forward" else FutureSlot
        return {self.slot: made(self.asset, scheduled("DeltaHedge", self))}

    def validate(self, setting: Setting) -> None:
        validate_asset("DeltaHedge.asset", self.asset, setting.assets)
        if not self._hedged(setting.slots):
            raise ValueError(f"DeltaHedge.asset: expected a book with options or contracts on {self.asset!r}, got none")
        other = ", ".join(name for name in self._hedged(setting.slots) if not isinstance(setting.slots[name], OptionSlot))
        if other and self.volatility is not None:
            raise ValueError(f"DeltaHedge.volatility: expected options alone on {self.asset!r}, got {other}; leave the volatility out")

    def act(self, target: Target, seen: Seen, memory: Any) -> tuple[Target, Any]:
        hedged = self._hedged(seen.slots)
        if self.volatility is None:
            delta = seen.greeks(target, of=hedged).delta[self.asset]
        else:
            delta = sum((target[name] * delta_at(self.volatility, seen, name, target[name]) for name in hedged), start=0.0)
        unit = 1.0 if self.through == "underlying" else seen.on_offer(self.slot).mark.greeks["delta"][self.asset]  # type: ignore[union-attr]
        wanted = self.target * seen.start_wealth
        return target | {self.slot: self.ratio * (wanted - delta) / unit}, memory

    def _hedged(self, slots: Any) -> tuple[str, ...]:
        return tuple(name for name, slot in slots.items() if slot.premium and self.asset in slot.assets)
