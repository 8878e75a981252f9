"""Overlays of puts, bought once or rolled, on a share of what is held of their asset. ``Fund`` scales the mix to pay for them."""

from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from jax.scipy.special import ndtri

from mcengine._model import Scalar, model, number, static
from mcengine.instrument import AbstractSchedule, AbstractSlot, OptionSlot, Rolled, Target
from mcengine.instrument.base import check_count
from mcengine.policy.base import AbstractStage, Kind, Setting, validate_asset
from mcengine.policy.seen import Seen
from mcengine.pricing.closed_forms import implied_total_volatility


def covered(target: Target, seen: Seen, slot: str, asset: str, coverage: Scalar) -> Target:
    """The target with ``coverage`` contracts for each unit of ``asset`` wanted, bought where the slot rolls and held until then."""
    return target | {slot: jnp.where(seen.rolls(slot), coverage * target[asset], target[slot])}


@model
class StaticPut(AbstractStage):
    """Puts bought at the start, expiring at the horizon.

    Args:
        floor: Strike as a fraction of the spot at the start.
        coverage: Puts for each unit of the asset held then.
        asset: The asset insured.
        slot: Name of the slot.

    Raises:
        ValueError: For an asset that the market lacks.

    Example:
        >>> import mcengine as mc
        >>> mc.policy.chain(mc.policy.Mix(equity=1.0), mc.policy.StaticPut(floor=0.9)).slots()
        {'put': OptionSlot(kind='put', asset='equity', schedule=ToHorizon(), restrikes=False)}
    """

    floor: Scalar = number(above=0.0, term=True)
    coverage: Scalar = number(default=1.0, low=0.0)
    asset: str = static(default="equity")
    slot: str = static(default="put")

    kind: ClassVar[Kind] = "overlay"

    def slots(self) -> dict[str, AbstractSlot]:
        return {self.slot: OptionSlot("put", self.asset)}

    def validate(self, setting: Setting) -> None:
        validate_asset("StaticPut.asset", self.asset, setting.assets)

    def terms(self, seen: Seen, memory: Any) -> dict[str, Any]:
        return {self.slot: self.floor * seen.quotes[self.asset].spot}

    def act(self, target: Target, seen: Seen, memory: Any) -> tuple[Target, Any]:
        return covered(target, seen, self.slot, self.asset, self.coverage), memory


@model
class RolledPut(AbstractStage):
    """Puts sold and bought anew on roll dates.

    Args:
        moneyness: Strike as a fraction of the spot on the roll date.
        coverage: Puts for each unit of the asset held then.
        tenor: Steps from a roll to the expiry.
        roll: Steps from one roll to the next, at most the tenor.
        asset: The asset insured.
        slot: Name of the slot.
        schedule: Calendar dates that take the place of tenor and roll.

    Raises:
        ValueError: For an asset that the market lacks, or a roll longer than the tenor.

    Example:
        >>> import mcengine as mc
        >>> rule = mc.policy.chain(mc.policy.Mix(equity=1.0), mc.policy.RolledPut(moneyness=0.95, tenor=63, roll=21))
        >>> list(rule.stages)
        ['mix', 'rolled_put', 'fund']
    """

    moneyness: Scalar = number(above=0.0)
    coverage: Scalar = number(default=1.0, low=0.0)
    tenor: int = static(default=63)
    roll: int = static(default=63)
    asset: str = static(default="equity")
    slot: str = static(default="rolled_put")
    schedule: AbstractSchedule | None = static(default=None)

    kind: ClassVar[Kind] = "overlay"

    def canonical(self) -> dict[str, Any]:
        scheduled("RolledPut", self)
        return {}

    def slots(self) -> dict[str, AbstractSlot]:
        return {self.slot: OptionSlot("put", self.asset, scheduled("RolledPut", self))}

    def validate(self, setting: Setting) -> None:
        validate_asset("RolledPut.asset", self.asset, setting.assets)

    def terms(self, seen: Seen, memory: Any) -> dict[str, Any]:
        return {self.slot: self.moneyness * seen.quotes[self.asset].spot}

    def act(self, target: Target, seen: Seen, memory: Any) -> tuple[Target, Any]:
        return covered(target, seen, self.slot, self.asset, self.coverage), memory


@model
class DeltaPut(AbstractStage):
    """Rolled like ``RolledPut``, struck where a put's delta is ``-delta``: .25 loses a quarter of what the spot gains.

    The strike is solved on roll dates from the asset's own prices, skew included: Black's at the volatility at the money, then Newton's steps in
    ln K.

    Args:
        delta: Of the put bought, without its sign.
        coverage: Puts for each unit of the asset held then.
        tenor: Steps from a roll to the expiry.
        roll: Steps from one roll to the next, at most the tenor.
        asset: The asset insured.
        slot: Name of the slot.
        schedule: Calendar dates that take the place of tenor and roll.
        iterations: Newton's steps.

    Raises:
        ValueError: For an asset that the market lacks, or a roll longer than the tenor.
    """

    delta: Scalar = number(above=0.0, below=1.0)
    coverage: Scalar = number(default=1.0, low=0.0)
    tenor: int = static(default=63)
    roll: int = static(default=63)
    asset: str = static(default="equity")
    slot: str = static(default="delta_put")
    schedule: AbstractSchedule | None = static(default=None)
    iterations: int = static(default=3)

    kind: ClassVar[Kind] = "overlay"

    def canonical(self) -> dict[str, Any]:
        scheduled("DeltaPut", self)
        check_count("DeltaPut.iterations", self.iterations, 0)
        return {}

    def slots(self) -> dict[str, AbstractSlot]:
        return {self.slot: OptionSlot("put", self.asset, scheduled("DeltaPut", self))}

    def validate(self, setting: Setting) -> None:
        validate_asset("DeltaPut.asset", self.asset, setting.assets)

    def terms(self, seen: Seen, memory: Any) -> dict[str, Any]:
        kept = seen.held[self.slot].terms
        return {self.slot: jax.lax.cond(seen.dates[self.slot].rolls, lambda: self._strike(seen), lambda: kept)}

    def act(self, target: Target, seen: Seen, memory: Any) -> tuple[Target, Any]:
        return covered(target, seen, self.slot, self.asset, self.coverage), memory

    def _strike(self, seen: Seen) -> Scalar:
        quote, expiry = seen.quotes[self.asset], seen.dates[self.slot].chosen.expiry
        forward, discount = quote.forward(expiry), quote.discount(expiry)
        deviation = implied_total_volatility(seen.price(self.slot, forward), forward, discount)
        # -delta = -(D F/S) N(-d1)
        share = jnp.clip(self.delta * quote.spot / (discount * forward), 1e-4, 1.0 - 1e-4)
        log_strike = jnp.log(forward) + deviation * ndtri(share) + 0.5 * deviation * deviation

        def gap(x: Scalar) -> Scalar:
            return jax.grad(lambda move: seen.price(self.slot, jnp.exp(x), move))(jnp.zeros_like(x)) + self.delta

        def newton(_: Any, x: Scalar) -> Scalar:
            value, slope = jax.value_and_grad(gap)(x)
            # Deltas of puts fall as strikes rise; no step is longer than a deviation.
            return x - jnp.clip(value / jnp.minimum(slope, -1e-3), -deviation, deviation)

        # A loop, so that the price and its derivatives are compiled once.
        return jnp.exp(jax.lax.fori_loop(0, self.iterations, newton, log_strike))


def scheduled(name: str, stage: Any) -> AbstractSchedule:
    """A stage's ``schedule``, or that of its tenor and roll."""
    if stage.schedule is not None:
        return stage.schedule
    try:
        return Rolled(stage.tenor, stage.roll)
    except ValueError as error:
        raise ValueError(f"{name}.{error}") from None
