"""Put spread: a put bought and one struck lower sold, on what is held of an asset: cheaper, and worth at most the distance of the strikes."""

from typing import Any, ClassVar

from mcengine._model import Scalar, model, number, static
from mcengine.instrument import AbstractSchedule, AbstractSlot, OptionSlot, Target
from mcengine.policy.base import AbstractStage, Kind, Setting, validate_asset
from mcengine.policy.puts import covered, scheduled
from mcengine.policy.seen import Seen


@model
class PutSpread(AbstractStage):
    """Puts at ``upper`` bought and at ``lower`` times the spot sold, rolled.

    Args:
        upper: Strike of the put bought as a fraction of the spot on the roll date.
        lower: Strike of the put sold.
        coverage: Of each, for each unit of the asset held then.
        tenor: Steps from a roll to the expiry.
        roll: Steps from one roll to the next, at most the tenor.
        asset: The asset insured.
        slot: What the names of both slots begin with.
        schedule: Takes the place of tenor and roll: ``ToHorizon()``, or calendar dates.

    Raises:
        ValueError: For strikes out of order, an asset that the market lacks, or a roll longer than the tenor.

    Example:
        >>> import mcengine as mc
        >>> list(mc.policy.PutSpread(upper=0.95, lower=0.8).slots())
        ['put_spread_upper', 'put_spread_lower']
    """

    upper: Scalar = number(above=0.0)
    lower: Scalar = number(above=0.0)
    coverage: Scalar = number(default=1.0, low=0.0)
    tenor: int = static(default=63)
    roll: int = static(default=63)
    asset: str = static(default="equity")
    slot: str = static(default="put_spread")
    schedule: AbstractSchedule | None = static(default=None)

    kind: ClassVar[Kind] = "overlay"

    def canonical(self) -> dict[str, Any]:
        scheduled("PutSpread", self)
        return {}

    def check(self) -> None:
        if not float(self.lower) < float(self.upper):
            raise ValueError(f"PutSpread.lower: expected a number below upper = {float(self.upper):g}, got {float(self.lower):g}")

    def slots(self) -> dict[str, AbstractSlot]:
        return {f"{self.slot}_{leg}": OptionSlot("put", self.asset, scheduled("PutSpread", self)) for leg in ("upper", "lower")}

    def validate(self, setting: Setting) -> None:
        validate_asset("PutSpread.asset", self.asset, setting.assets)

    def terms(self, seen: Seen, memory: Any) -> dict[str, Any]:
        spot = seen.quotes[self.asset].spot
        return {f"{self.slot}_upper": self.upper * spot, f"{self.slot}_lower": self.lower * spot}

    def act(self, target: Target, seen: Seen, memory: Any) -> tuple[Target, Any]:
        bought = covered(target, seen, f"{self.slot}_upper", self.asset, self.coverage)
        return covered(bought, seen, f"{self.slot}_lower", self.asset, -self.coverage), memory
