"""A book of options of several strikes and expiries, bought or sold, each rolled on dates of its own."""

from typing import Any, ClassVar

import jax.numpy as jnp

from mcengine._model import Scalar, model, number, static
from mcengine.instrument import AbstractSchedule, AbstractSlot, OptionSlot, Target
from mcengine.instrument.base import check_word
from mcengine.policy.base import AbstractStage, Kind, Setting, validate_asset
from mcengine.policy.puts import scheduled
from mcengine.policy.seen import Seen
from mcengine.pricing import KINDS


@model
class OptionLeg:
    """One option of an ``OptionBook``.

    Args:
        kind: "call" or "put".
        moneyness: Strike as a fraction of the spot on the roll date.
        coverage: Contracts for each unit of the asset, negative to sell them.
        tenor: Steps from a roll to the expiry.
        roll: Steps from one roll to the next, at most the tenor.
        schedule: Calendar dates that take the place of tenor and roll, such as ``RollSchedule.listed``.

    Raises:
        ValueError: For another kind, or a roll longer than the tenor.
    """

    kind: str = static(default="put")
    moneyness: Scalar = number(default=1.0, above=0.0)
    coverage: Scalar = number(default=1.0)
    tenor: int = static(default=63)
    roll: int = static(default=63)
    schedule: AbstractSchedule | None = static(default=None)

    def canonical(self) -> dict[str, Any]:
        check_word("OptionLeg.kind", self.kind, KINDS)
        scheduled("OptionLeg", self)
        return {}


@model
class OptionBook(AbstractStage):
    """Holds several options on one asset, each in a slot of its own: ladders, spreads, straddles, calendars.

    Args:
        legs: An ``OptionLeg`` by name of its slot.
        asset: The asset they are on.
        per: What coverage counts: units wanted of the "asset", or those that the "wealth" would buy, for a book without a sleeve.

    Raises:
        ValueError: For what is no leg, or an asset that the market lacks.

    Example:
        >>> import mcengine as mc
        >>> leg = mc.policy.OptionLeg
        >>> legs = {"put": leg("put", 0.95), "low": leg("put", 0.85, coverage=-1.0), "call": leg("call", 1.05, tenor=126)}
        >>> list(mc.policy.OptionBook(legs).slots())
        ['put', 'low', 'call']
    """

    legs: dict[str, Any] = number()
    asset: str = static(default="equity")
    per: str = static(default="asset")

    kind: ClassVar[Kind] = "overlay"

    def canonical(self) -> dict[str, Any]:
        check_word("OptionBook.per", self.per, ("asset", "wealth"))
        if not isinstance(self.legs, dict) or not self.legs:
            raise ValueError(f"OptionBook.legs: expected a dict of legs by slot, got {self.legs!r}")
        for name, leg in self.legs.items():
            if not isinstance(leg, OptionLeg):
                raise ValueError(f"OptionBook.legs.{name}: expected an OptionLeg, got {type(leg).__name__}")
        return {}

    def slots(self) -> dict[str, AbstractSlot]:
        return {name: OptionSlot(leg.kind, self.asset, scheduled("OptionLeg", leg)) for name, leg in self.legs.items()}

    def validate(self, setting: Setting) -> None:
        validate_asset("OptionBook.asset", self.asset, setting.assets)

    def terms(self, seen: Seen, memory: Any) -> dict[str, Any]:
        return {name: leg.moneyness * seen.quotes[self.asset].spot for name, leg in self.legs.items()}

    def act(self, target: Target, seen: Seen, memory: Any) -> tuple[Target, Any]:
        units = target[self.asset] if self.per == "asset" else seen.wealth / seen.prices[self.asset]
        return target | {n: jnp.where(seen.rolls(n), leg.coverage * units, target[n]) for n, leg in self.legs.items()}, memory
