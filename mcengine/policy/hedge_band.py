"""Hedging in bands: the hedge of a book of options is traded only as far as it has left a band about what is wanted.

Hedge = the one held, clamped to wanted +- half-width: a number, or Whalley & Wilmott's (1997), which is wider where gamma, and so the cost of
following delta, is higher. (Trading at intervals, or by any other trigger: ``Rebalance(trigger, only=...)``.)
"""

from typing import Annotated, Any, ClassVar, TypeAlias

import jax.numpy as jnp

from mcengine._model import Scalar, model, number, static
from mcengine._spelling import near
from mcengine.instrument import Target, Underlying
from mcengine.policy.base import AbstractStage, Kind, Setting
from mcengine.policy.seen import Seen
from mcengine.pricing.hedging import whalley_wilmott_width


@model
class WhalleyWilmott:
    """The half-width (3 c G^2 S / (2 a))^{1/3} in which no trade pays (``pricing.hedging.whalley_wilmott_width``); interest is left out.

    Args:
        cost: c of one trade, a fraction of its value.
        aversion: Risk aversion a, in wealth over the starting wealth.
    """

    cost: Scalar = number(default=5e-4, above=0.0)
    aversion: Scalar = number(default=1.0, above=0.0)


Width: TypeAlias = Annotated[Any, float | WhalleyWilmott]
"""A number, or by gamma."""


@model
class HedgeBand(AbstractStage):
    """Trades the hedge in ``slot`` to the nearer edge of a band about what is wanted of it; a hedge that rolls is opened at what is wanted.

    Args:
        width: Half-width, the value of that much hedge as a fraction of wealth, or ``WhalleyWilmott``.
        slot: Name of the hedge's slot.

    Raises:
        ValueError: For a slot that the book lacks, or a width by gamma in a book without options on its asset.

    Example:
        >>> import mcengine as mc
        >>> put, band = mc.policy.RolledPut(0.95), mc.policy.HedgeBand(mc.policy.WhalleyWilmott(cost=1e-3))
        >>> list(mc.policy.chain(mc.policy.Mix(equity=1.0), put, mc.policy.DeltaHedge(), band).stages)
        ['mix', 'rolled_put', 'fund', 'delta_hedge', 'hedge_band']
    """

    width: Width = number(low=0.0)
    slot: str = static(default="delta_hedge")

    kind: ClassVar[Kind] = "filter"

    @property
    def needs(self) -> tuple[str, ...]:  # type: ignore[override]
        return ("gamma",) if isinstance(self.width, WhalleyWilmott) else ()

    def validate(self, setting: Setting) -> None:
        if self.slot not in setting.slots:
            raise ValueError(f"HedgeBand.slot: unknown slot {self.slot!r}{near(self.slot, setting.slots)}")
        asset = setting.slots[self.slot].asset
        if self.needs and not self._hedged(setting.slots, asset):
            raise ValueError(f"HedgeBand.width: expected a book with options or contracts on {asset!r}, whose gamma sets it, got none")

    def act(self, target: Target, seen: Seen, memory: Any) -> tuple[Target, Any]:
        wanted, half = target[self.slot], self._half_width(target, seen)
        units = jnp.clip(seen.held[self.slot].units, wanted - half, wanted + half)
        if not isinstance(seen.slots[self.slot], Underlying):
            units = jnp.where(seen.rolls(self.slot), wanted, units)
        return target | {self.slot: units}, memory

    def _half_width(self, target: Target, seen: Seen) -> Scalar:
        asset = seen.slots[self.slot].asset
        if not isinstance(self.width, WhalleyWilmott):
            return self.width * seen.wealth / seen.quotes[asset].spot
        gamma = seen.greeks(target, of=self._hedged(seen.slots, asset)).gamma[asset]
        return whalley_wilmott_width(gamma, seen.quotes[asset].spot, self.width.cost, self.width.aversion / seen.start_wealth)

    def _hedged(self, slots: Any, asset: str) -> tuple[str, ...]:
        return tuple(name for name, slot in slots.items() if slot.premium and asset in slot.assets)
