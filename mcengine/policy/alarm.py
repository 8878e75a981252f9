"""Triggers of alarm: a volatility that has sprung up, a move nobody announced, costs that have run away. Smoothed as fractions of their levels."""

from typing import Any, NamedTuple

import jax.numpy as jnp

from mcengine._model import Scalar, model, number, static
from mcengine.instrument import gate
from mcengine.market import Signals, VolRatio
from mcengine.policy.base import Setting, validate_asset
from mcengine.policy.drift import WIDER
from mcengine.policy.seen import Seen
from mcengine.policy.trigger import AbstractTrigger


@model
class VolSpike(AbstractTrigger):
    """Fires while realised volatility of late is ``ratio`` times that of the longer past, or more (``mcengine.market.VolRatio``).

    Args:
        asset: The asset watched.
        ratio: Of the two volatilities.
        fast: Halflife of the first, steps.
        slow: Halflife of the second, steps.
        name: Under which the signal is known, and shared.

    Raises:
        ValueError: For a fast halflife that is not below the slow one, or an asset that the market lacks.
    """

    asset: str = static(default="equity")
    ratio: Scalar = number(default=1.5, above=0.0)
    fast: Scalar = number(default=5.0, above=0.0)
    slow: Scalar = number(default=60.0, above=0.0)
    name: str = static(default="")

    def canonical(self) -> dict[str, Any]:
        return {"name": self.name or f"volratio_{self.asset}"}

    def check(self) -> None:
        if not self.fast < self.slow:
            raise ValueError(f"VolSpike.fast: expected a halflife below slow = {float(self.slow):g}, got {float(self.fast):g}")

    def validate(self, setting: Setting) -> None:
        validate_asset("VolSpike.asset", self.asset, setting.assets)

    def signals(self) -> Signals:
        return ((self.name, VolRatio(self.asset, self.fast, self.slow)),)

    def fires(self, seen: Seen, memory: Any) -> tuple[Scalar, Any]:
        return gate(seen.signals[self.name] / self.ratio - 1.0, seen.width), memory


class _Expected(NamedTuple):
    spot: Scalar
    sd: Scalar  # of the log-return of the step that follows


@model
class Shock(AbstractTrigger):
    """Fires on the date after a move of ``deviations`` standard deviations of the day: -ln(S'/S) >= n sqrt(v dt + e).

    v is the variance a year that was quoted before the move and e the variance of what was announced for the day, so an event that comes as
    announced is no shock. A variance quoted of history is that of its volatility index.

    Args:
        asset: The asset watched.
        deviations: Standard deviations.
        side: "down", "up" or "either".

    Raises:
        ValueError: For another side, or an asset that the market lacks.
    """

    asset: str = static(default="equity")
    deviations: Scalar = number(default=4.0, above=0.0)
    side: str = static(default="down")

    def canonical(self) -> dict[str, Any]:
        if self.side not in ("down", "up", "either"):
            raise ValueError(f"Shock.side: expected 'down', 'up' or 'either', got {self.side!r}")
        return {}

    def validate(self, setting: Setting) -> None:
        validate_asset("Shock.asset", self.asset, setting.assets)

    def start(self, seen: Seen) -> _Expected:
        return self._expected(seen)

    def _expected(self, seen: Seen) -> _Expected:
        quote = seen.quotes[self.asset]
        variance = quote.variance * seen.dt + quote.event_variance(seen.step + 1)
        return _Expected(quote.spot, jnp.sqrt(jnp.maximum(variance, 1e-12)))

    def fires(self, seen: Seen, memory: _Expected) -> tuple[Scalar, _Expected]:
        move = jnp.log(seen.quotes[self.asset].spot / memory.spot) / memory.sd
        size = {"down": -move, "up": move, "either": jnp.abs(move)}[self.side]
        return gate(size / self.deviations - 1.0, seen.width), self._expected(seen)


@model
class CostBudget(AbstractTrigger):
    """Fires while what has been paid is ``allowance`` + ``rate`` x years so far, or more; ``Not(CostBudget(...))`` while there is something left.

    Smoothed, its step is ``WIDER`` than others, as that of ``Drift``: one trade, a tenth of a budget or so, must not cross it and come back.

    Args:
        rate: Of the starting wealth a year: it accrues, so a budget that is spent comes back.
        allowance: Of the starting wealth, for the first trade.
    """

    rate: Scalar = number(default=0.002, low=0.0)
    allowance: Scalar = number(default=0.001, above=0.0)

    def fires(self, seen: Seen, memory: Any) -> tuple[Scalar, Any]:
        budget = (self.allowance + self.rate * seen.time) * seen.start_wealth
        return gate(sum(seen.costs.values(), start=0.0) / budget - 1.0, WIDER * seen.width), memory
