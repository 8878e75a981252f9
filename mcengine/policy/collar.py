"""Collar: a put bought and a call sold on what is held of an asset; the call pays for part of the put, or for all of it."""

from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from mcengine._model import Scalar, model, number, static
from mcengine.instrument import AbstractSchedule, AbstractSlot, OptionSlot, Target
from mcengine.policy.base import AbstractStage, Kind, Setting, validate_asset
from mcengine.policy.puts import covered, scheduled
from mcengine.policy.seen import Seen

ITERATIONS = 8
"""Newton's steps to the strike of a call that costs what the put does, from the strike that is right without a skew but for the forward over it.

A skew leads the first of them to the forward; from there 8 are at rounding and 4 up to 7 bp of the spot off (floors of .70 to .95).
"""


@model
class Collar(AbstractStage):
    """Puts at ``floor`` and sold calls at ``cap`` times the spot, rolled. Once, to the horizon, S becomes min(max(S, floor S_0), cap S_0).

    Args:
        floor: Strike of the put as a fraction of the spot on the roll date.
        cap: Strike of the call sold; None: where it brings in what the put costs.
        coverage: Of each, for each unit of the asset held then.
        tenor: Steps from a roll to the expiry.
        roll: Steps from one roll to the next, at most the tenor.
        asset: The asset insured.
        slot: What the names of both slots begin with.
        schedule: Takes the place of tenor and roll: ``ToHorizon()``, or calendar dates.

    Raises:
        ValueError: For a cap that is not above the floor, an asset that the market lacks, or a roll longer than the tenor.

    Example:
        >>> import mcengine as mc
        >>> list(mc.policy.Collar(floor=0.95).slots())
        ['collar_put', 'collar_call']
    """

    floor: Scalar = number(above=0.0)
    cap: Scalar | None = number(default=None, above=0.0)
    coverage: Scalar = number(default=1.0, low=0.0)
    tenor: int = static(default=63)
    roll: int = static(default=63)
    asset: str = static(default="equity")
    slot: str = static(default="collar")
    schedule: AbstractSchedule | None = static(default=None)

    kind: ClassVar[Kind] = "overlay"

    def canonical(self) -> dict[str, Any]:
        scheduled("Collar", self)
        return {}

    def check(self) -> None:
        if self.cap is not None and not float(self.cap) > float(self.floor):
            raise ValueError(f"Collar.cap: expected a number above floor = {float(self.floor):g}, got {float(self.cap):g}")

    def slots(self) -> dict[str, AbstractSlot]:
        return {f"{self.slot}_{kind}": OptionSlot(kind, self.asset, scheduled("Collar", self)) for kind in ("put", "call")}

    def validate(self, setting: Setting) -> None:
        validate_asset("Collar.asset", self.asset, setting.assets)

    def terms(self, seen: Seen, memory: Any) -> dict[str, Any]:
        put, call, spot = f"{self.slot}_put", f"{self.slot}_call", seen.quotes[self.asset].spot
        low = self.floor * spot
        if self.cap is not None:
            return {put: low, call: self.cap * spot}
        kept = jnp.asarray(seen.held[call].terms)
        solve = lambda: jnp.asarray(self._costless(seen, low), kept.dtype)  # noqa: E731
        return {put: low, call: jax.lax.cond(seen.dates[call].rolls, solve, lambda: kept)}

    def act(self, target: Target, seen: Seen, memory: Any) -> tuple[Target, Any]:
        bought = covered(target, seen, f"{self.slot}_put", self.asset, self.coverage)
        return covered(bought, seen, f"{self.slot}_call", self.asset, -self.coverage), memory

    def _costless(self, seen: Seen, low: Scalar) -> Scalar:
        """Strike at which the call costs what the put does: prices are convex in it, so Newton's steps from below stay below."""
        call = f"{self.slot}_call"
        paid = seen.price(f"{self.slot}_put", low)

        def newton(_: Any, strike: Scalar) -> Scalar:
            value, slope = jax.value_and_grad(lambda k: seen.price(call, k))(strike)
            return jnp.maximum(strike + (value - paid) / jnp.maximum(-slope, 1e-3), least)

        forward = seen.quotes[self.asset].forward(seen.dates[call].chosen.expiry)
        least = jnp.where(low < forward, forward, 0.0)  # call and put cost the same at the forward
        return jax.lax.fori_loop(0, ITERATIONS, newton, forward * jnp.maximum(forward / low, 1.0))
