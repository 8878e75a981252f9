"""A hedge ratio that follows signals: it tightens as trend, correlation or volatility worsen, and loosens in calm."""

from typing import Any, ClassVar

import jax.numpy as jnp

from mcengine._model import Scalar, model, number, static
from mcengine.instrument import Target
from mcengine.market import AbstractSignal, Signals
from mcengine.policy.base import AbstractStage, Kind, Setting, validate_asset
from mcengine.policy.seen import Seen


@model
class Lean:
    """What a signal adds to a hedge ratio: ``weight`` (signal - ``normal``).

    Args:
        signal: Any signal of ``mcengine.market``, such as ``Trend`` (with a weight below 0), ``RealisedCorrelation`` or ``Forecast``.
        weight: Ratio for each unit of the signal.
        normal: The signal in normal times, where nothing is added.

    Raises:
        ValueError: For what is no signal.
    """

    signal: Any
    weight: Scalar = number()
    normal: Scalar = number(default=0.0)

    def canonical(self) -> dict[str, Any]:
        if not isinstance(self.signal, AbstractSignal):
            raise ValueError(f"Lean.signal: expected a signal such as Trend, got {type(self.signal).__name__}")
        return {}


@model
class AdaptiveHedge(AbstractStage):
    """Sells the share h = clip(``ratio`` + sum of weight (signal - normal), ``low``, ``high``) of the sleeve, or of one asset.

    Args:
        ratio: In normal times.
        leans: By the name under which the signal is known, and shared.
        low: Least.
        high: Most.
        asset: The asset hedged; "" is the whole sleeve.

    Raises:
        ValueError: For bounds out of order, what is no lean, or an asset that the market lacks.

    Example:
        >>> import mcengine as mc
        >>> leans = {"trend": mc.policy.Lean(mc.market.Trend("equity"), weight=-2.0)}
        >>> mc.policy.AdaptiveHedge(0.2, leans).kind
        'scaler'
    """

    ratio: Scalar = number()
    leans: dict[str, Any] = number()
    low: Scalar = number(default=0.0, term=True)
    high: Scalar = number(default=1.0, term=True)
    asset: str = static(default="")

    kind: ClassVar[Kind] = "scaler"

    def canonical(self) -> dict[str, Any]:
        for name, lean in self.leans.items():
            if not isinstance(lean, Lean):
                raise ValueError(f"AdaptiveHedge.leans.{name}: expected a Lean, got {type(lean).__name__}")
        return {}

    def check(self) -> None:
        if not self.low < self.high:
            raise ValueError(f"AdaptiveHedge.low: expected a number below high = {float(self.high):g}, got {float(self.low):g}")

    def validate(self, setting: Setting) -> None:
        if self.asset:
            validate_asset("AdaptiveHedge.asset", self.asset, setting.assets)

    def signals(self) -> Signals:
        return tuple((name, lean.signal) for name, lean in self.leans.items())

    def act(self, target: Target, seen: Seen, memory: Any) -> tuple[Target, Any]:
        added = sum((lean.weight * (seen.signals[name] - lean.normal) for name, lean in self.leans.items()), start=0.0)
        kept = 1.0 - jnp.clip(self.ratio + added, self.low, self.high)
        if self.asset:
            return target | {self.asset: kept * target[self.asset]}, memory
        return seen.scale(target, kept), memory
