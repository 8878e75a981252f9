"""Overlays of puts, bought once or rolled. The premium comes out of the mix, which is scaled down to pay for it.

On a buying date, with u units of the asset in the target, puts at price P (ask) on c s u units and the mix scaled by s cost exactly
the wealth V when s = V / (V + c u P). On other dates the mix runs on what the puts leave: s = 1 - (value of the puts) / V.
"""

from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from jax.scipy.special import ndtri

from mcengine._model import Scalar, model, number, static
from mcengine.instrument import OptionSlot, Position, RollSchedule, Slot, Terms
from mcengine.policy.base import AbstractStage, Kind, Seen, Target, validate_asset
from mcengine.pricing.closed_forms import implied_deviation


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
    """Puts of ``tenor`` steps struck at ``moneyness`` times the spot, sold and bought anew every ``roll`` steps.

    A ``schedule`` of calendar dates takes the place of tenor and roll.
    """

    moneyness: Scalar = number(above=0.0)
    coverage: Scalar = number(default=1.0, low=0.0)
    tenor: int = static(default=63)
    roll: int = static(default=63)
    asset: str = static(default="equity")
    slot: str = static(default="rolled_put")
    schedule: RollSchedule | None = static(default=None)

    kind: ClassVar[Kind] = "overlay"

    def check(self) -> None:
        _check_roll("RolledPut", self.tenor, self.roll)

    def slots(self) -> dict[str, Slot]:
        return {self.slot: OptionSlot("put", self.asset)}

    def beyond(self) -> int:
        return self.schedule.longest if self.schedule else self.tenor

    def validate(self, assets: tuple[str, ...], discount: float) -> None:
        validate_asset("RolledPut.asset", self.asset, assets)

    def act(self, target: Target, seen: Seen, memory: Any) -> tuple[Target, Any]:
        buy, expiry = _dates(seen, self.tenor, self.roll, self.schedule)
        terms = Terms(self.moneyness * seen.quotes[self.asset].spot, expiry)
        return _with_puts(target, seen, slot=self.slot, asset=self.asset, coverage=self.coverage, buy=buy, terms=terms), memory


@model
class DeltaPut(AbstractStage):
    """Rolled like ``RolledPut``, struck where a put's delta is ``-delta``: .25 loses a quarter of what the spot gains.

    The strike is solved on buying dates from the asset's own prices, skew included: Black's at the volatility at the money, then Newton's steps in
    ln K, ``iterations`` of them.
    """

    delta: Scalar = number(above=0.0, below=1.0)
    coverage: Scalar = number(default=1.0, low=0.0)
    tenor: int = static(default=63)
    roll: int = static(default=63)
    asset: str = static(default="equity")
    slot: str = static(default="delta_put")
    schedule: RollSchedule | None = static(default=None)
    iterations: int = static(default=3)

    kind: ClassVar[Kind] = "overlay"

    def check(self) -> None:
        _check_roll("DeltaPut", self.tenor, self.roll)

    def slots(self) -> dict[str, Slot]:
        return {self.slot: OptionSlot("put", self.asset)}

    def beyond(self) -> int:
        return self.schedule.longest if self.schedule else self.tenor

    def validate(self, assets: tuple[str, ...], discount: float) -> None:
        validate_asset("DeltaPut.asset", self.asset, assets)

    def act(self, target: Target, seen: Seen, memory: Any) -> tuple[Target, Any]:
        buy, expiry = _dates(seen, self.tenor, self.roll, self.schedule)
        held = seen.held[self.slot].terms
        assert isinstance(held, Terms)
        strike = jax.lax.cond(buy, lambda: self._strike(seen, expiry), lambda: held.strike)
        return _with_puts(target, seen, slot=self.slot, asset=self.asset, coverage=self.coverage, buy=buy, terms=Terms(strike, expiry)), memory

    def _strike(self, seen: Seen, expiry: Scalar) -> Scalar:
        quote = seen.quotes[self.asset]
        forward, discount = quote.forward(expiry), quote.discount(expiry)
        deviation = implied_deviation(seen.quote_option(self.slot, Terms(forward, expiry)), forward, discount)
        # -delta = -(D F/S) N(-d1)
        share = jnp.clip(self.delta * quote.spot / (discount * forward), 1e-4, 1.0 - 1e-4)
        log_strike = jnp.log(forward) + deviation * ndtri(share) + 0.5 * deviation * deviation
        gap = lambda x: seen.delta(self.slot, Terms(jnp.exp(x), expiry)) + self.delta  # noqa: E731

        def newton(_: Any, x: Scalar) -> Scalar:
            value, slope = jax.value_and_grad(gap)(x)
            # Deltas of puts fall as strikes rise; no step is longer than a deviation.
            return x - jnp.clip(value / jnp.minimum(slope, -1e-3), -deviation, deviation)

        # A loop, so that the price and its derivatives are compiled once.
        return jnp.exp(jax.lax.fori_loop(0, self.iterations, newton, log_strike))


def _dates(seen: Seen, tenor: int, roll: int, schedule: RollSchedule | None) -> tuple[Scalar, Scalar]:
    """(whether today is a buying date, the expiry bought)."""
    if schedule is None:
        return seen.step % roll == 0, jnp.int32(seen.step + tenor)
    return schedule.rolls_at(seen.step), schedule.expiry(seen.step)


def _check_roll(name: str, tenor: Any, roll: Any) -> None:
    if not (isinstance(roll, int) and isinstance(tenor, int) and 1 <= roll <= tenor):
        raise ValueError(f"{name}.roll: expected whole numbers of steps, roll from 1 to tenor, got roll {roll} and tenor {tenor}")
