"""Overlays of puts, bought once or rolled. The premium comes out of the mix, which is scaled down to pay for it.

On a buying date, with u units of the asset in the target, puts at price P (ask) on c s u units and the mix scaled by s cost exactly
the wealth V when s = V / (V + c u P). On other dates the mix runs on what the puts leave: s = 1 - (value of the puts) / V.
"""

from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from mcengine._model import Scalar, model, number, static
from mcengine.instrument import OptionSlot, Position, Slot, Terms
from mcengine.policy.base import AbstractStage, Kind, Seen, Target, validate_asset


def _with_puts(target: Target, seen: Seen, *, slot: str, asset: str, coverage: Scalar, buy: Scalar, terms: Terms) -> Target:
    held = seen.held[slot]
    assert isinstance(held.terms, Terms)
    terms = Terms(jnp.where(buy, terms.strike, held.terms.strike), jnp.where(buy, terms.expiry, held.terms.expiry))
    # Priced anew on buying dates alone, which are the same for all paths; kept whole on the way back, where what the price is made of is many.
    price = jax.lax.cond(buy, jax.checkpoint(lambda: seen.quote_option(slot, terms)), lambda: seen.prices[slot])
    units = coverage * target[asset].units
    scale_new = seen.wealth / (seen.wealth + units * price * (1.0 + seen.cost_terms.option_spread))
    scale = jnp.where(buy, scale_new, 1.0 - held.units * price / seen.wealth)
    return seen.scale(target, scale) | {slot: Position(jnp.where(buy, units * scale_new, held.units), terms)}


@model
class StaticPut(AbstractStage):
    """Puts bought at the start on ``coverage`` of the units of ``asset`` held then, struck at ``floor`` times its spot, expiring at the horizon."""

    floor: Scalar = number(above=0.0, term=True)
    coverage: Scalar = number(default=1.0, low=0.0)
    asset: str = static(default="equity")
    slot: str = static(default="put")

    kind: ClassVar[Kind] = "overlay"

    def slots(self) -> dict[str, Slot]:
        return {self.slot: OptionSlot("put", self.asset)}

    def validate(self, assets: tuple[str, ...], discount: float) -> None:
        validate_asset("StaticPut.asset", self.asset, assets)

    def act(self, target: Target, seen: Seen, memory: Any) -> tuple[Target, Any]:
        terms = Terms(self.floor * seen.quotes[self.asset].spot, jnp.int32(seen.horizon))
        return _with_puts(target, seen, slot=self.slot, asset=self.asset, coverage=self.coverage, buy=seen.first, terms=terms), memory


@model
class RolledPut(AbstractStage):
    """Puts of ``tenor`` steps struck at ``moneyness`` times the spot, sold and bought anew every ``roll`` steps."""

    moneyness: Scalar = number(above=0.0)
    coverage: Scalar = number(default=1.0, low=0.0)
    tenor: int = static(default=63)
    roll: int = static(default=63)
    asset: str = static(default="equity")
    slot: str = static(default="rolled_put")

    kind: ClassVar[Kind] = "overlay"

    def check(self) -> None:
        if not (isinstance(self.roll, int) and isinstance(self.tenor, int) and 1 <= self.roll <= self.tenor):
            raise ValueError(f"RolledPut.roll: expected whole numbers of steps, roll from 1 to tenor, got roll {self.roll} and tenor {self.tenor}")

    def slots(self) -> dict[str, Slot]:
        return {self.slot: OptionSlot("put", self.asset)}

    def beyond(self) -> int:
        return self.tenor

    def validate(self, assets: tuple[str, ...], discount: float) -> None:
        validate_asset("RolledPut.asset", self.asset, assets)

    def act(self, target: Target, seen: Seen, memory: Any) -> tuple[Target, Any]:
        terms = Terms(self.moneyness * seen.quotes[self.asset].spot, jnp.int32(seen.step + self.tenor))
        buy = seen.step % self.roll == 0
        return _with_puts(target, seen, slot=self.slot, asset=self.asset, coverage=self.coverage, buy=buy, terms=terms), memory
