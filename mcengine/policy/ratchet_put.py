"""Puts that are tightened in a rally: struck higher as the spot rises, never lower, and fewer as the cushion grows.

With S the spot, K the strike before, V the wealth, F the floor's present value, on roll dates
    K' = max(m S, m S + r (K - m S)),   puts for each unit of the asset = coverage x max(1 - ((V - F) / V) / enough, 0).
A strike once reached is kept, as in a ladder (Hull, Options, Futures, and Other Derivatives, on exotic options).
"""

from typing import Any, ClassVar

import jax.numpy as jnp

from mcengine._model import Scalar, model, number, static
from mcengine.instrument import AbstractSchedule, AbstractSlot, OptionSlot, Target
from mcengine.policy.base import AbstractStage, Kind, Setting, validate_asset, validate_floor
from mcengine.policy.puts import covered, scheduled
from mcengine.policy.seen import Seen


@model
class RatchetPut(AbstractStage):
    """Rolled puts whose strike follows the spot up and not down, and whose number falls as wealth leaves the floor.

    Args:
        moneyness: Strike as a fraction of the spot on the roll date, where the last one was not higher.
        floor: From which the cushion counts, fraction of the starting wealth, due at the horizon.
        enough: Cushion as a fraction of wealth that needs no puts.
        ratchet: Share of what the last strike was higher that is kept; 1 never lowers it.
        coverage: Puts for each unit of the asset, without a cushion.
        tenor: Steps from a roll to the expiry.
        roll: Steps from one roll to the next, at most the tenor.
        since: Steps before which no puts are bought, such as those to an event; the first are bought on the next roll date.
        asset: The asset insured.
        slot: Name of the slot.
        schedule: Calendar dates that take the place of tenor and roll.

    Raises:
        ValueError: For an asset that the market lacks, a floor that cannot be protected, a roll longer than the tenor, a ``since`` that is no date
            before the horizon.
    """

    moneyness: Scalar = number(default=0.95, above=0.0)
    floor: Scalar = number(default=0.9, low=0.0, term=True)
    enough: Scalar = number(default=0.5, above=0.0)
    ratchet: Scalar = number(default=1.0, low=0.0, high=1.0)
    coverage: Scalar = number(default=1.0, low=0.0)
    tenor: int = static(default=63)
    roll: int = static(default=21)
    since: int = static(default=0)
    asset: str = static(default="equity")
    slot: str = static(default="ratchet_put")
    schedule: AbstractSchedule | None = static(default=None)

    kind: ClassVar[Kind] = "overlay"

    def canonical(self) -> dict[str, Any]:
        scheduled("RatchetPut", self)
        if isinstance(self.since, bool) or not isinstance(self.since, int) or self.since < 0:
            raise ValueError(f"RatchetPut.since: expected a whole number of steps, at least 0, got {self.since!r}")
        return {}

    def slots(self) -> dict[str, AbstractSlot]:
        return {self.slot: OptionSlot("put", self.asset, scheduled("RatchetPut", self))}

    def validate(self, setting: Setting) -> None:
        validate_asset("RatchetPut.asset", self.asset, setting.assets)
        if self.since >= setting.steps:
            raise ValueError(f"RatchetPut.since: expected a date before the horizon, step {setting.steps}, got {self.since}")
        validate_floor("RatchetPut.floor", self.floor, setting.discount)

    def start(self, seen: Seen) -> Scalar:
        """1 once there is a strike to keep."""
        return jnp.zeros_like(seen.wealth)

    def terms(self, seen: Seen, memory: Scalar) -> dict[str, Any]:
        fresh = self.moneyness * seen.quotes[self.asset].spot
        return {self.slot: fresh + memory * self.ratchet * jnp.maximum(seen.held[self.slot].terms - fresh, 0.0)}

    def act(self, target: Target, seen: Seen, memory: Scalar) -> tuple[Target, Scalar]:
        begun = seen.step >= self.since
        cushion = 1.0 - seen.floor_value(self.floor) / seen.wealth
        cover = jnp.where(begun, self.coverage * jnp.clip(1.0 - cushion * (1.0 / self.enough), 0.0, 1.0), 0.0)
        return covered(target, seen, self.slot, self.asset, cover), jnp.where(seen.rolls(self.slot) & begun, 1.0, memory)
