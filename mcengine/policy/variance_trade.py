"""Variance trade: long or short volatility where what options imply differs from what is forecast.

With the implied volatility i, the forecast f, the wealth V and the vega v of one straddle, strangle or variance swap, on roll dates
    units = clip(size (f - i), -cap, cap) V / v   where |f - i| >= threshold, else none:
bought where options are cheap, sold where they are dear. On average they are dear (Carr & Wu 2009; Bollerslev, Tauchen & Zhou 2009), and what is sold
has no floor: the cap is on vega. Straddles with ``DeltaHedge`` after them leave the variance that comes, weighted by gamma, against the variance paid
for; a variance swap pays just that, and i^2 is its fair strike.
"""

from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from mcengine._model import Scalar, model, number, static
from mcengine.instrument import AbstractSchedule, AbstractSlot, ContractSlot, OptionSlot, Target, VarianceSwap, gate
from mcengine.market import AbstractSignal, Signals
from mcengine.policy.base import AbstractStage, Kind, Setting, positive_ratio, validate_asset
from mcengine.policy.puts import scheduled
from mcengine.policy.seen import Seen
from mcengine.pricing.black import root
from mcengine.pricing.closed_forms import implied_total_volatility


@model
class VarianceTrade(AbstractStage):
    """Holds straddles, strangles or a variance swap, sized by the gap between forecast and implied volatility.

    Args:
        forecast: A signal that is a volatility a year, such as ``Ewma``.
        size: Vega for a gap of 1, as a fraction of wealth: 5 at a gap of -.04 loses .2 % of wealth for each point that volatility rises.
        cap: Most vega, long or short, as a fraction of wealth.
        threshold: Least gap that is traded, a volatility a year; smoothed by ``Study.width``.
        strangle: Log-distance of either strike from the spot on the roll date; None for a straddle.
        tenor: Steps from a roll to the expiry.
        roll: Steps from one roll to the next, at most the tenor.
        asset: The asset they are written on.
        slot: Beginning of the names of both slots; of that of a swap the whole.
        schedule: Calendar dates that take the place of tenor and roll.
        swap: Held in place of options, its expiry in years from each roll. At strike 0 all of its variance is paid for in advance.

    Raises:
        ValueError: For what is no signal, an asset that the market lacks, a roll longer than the tenor, or a swap on another asset, sold, or beside a
            strangle.
    """

    forecast: Any
    size: Scalar = number(default=5.0, low=0.0)
    cap: Scalar = number(default=0.2, low=0.0)
    threshold: Scalar = number(default=0.01, low=0.0)
    strangle: Scalar | None = number(default=None, low=0.0)
    tenor: int = static(default=21)
    roll: int = static(default=21)
    asset: str = static(default="equity")
    slot: str = static(default="variance")
    schedule: AbstractSchedule | None = static(default=None)
    swap: VarianceSwap | None = None

    kind: ClassVar[Kind] = "overlay"
    needs: ClassVar[tuple[str, ...]] = ("vega",)

    def canonical(self) -> dict[str, Any]:
        if not isinstance(self.forecast, AbstractSignal):
            raise ValueError(f"VarianceTrade.forecast: expected a signal such as Ewma, got {type(self.forecast).__name__}")
        scheduled("VarianceTrade", self)
        if isinstance(self.swap, VarianceSwap) and self.swap.asset != self.asset:
            raise ValueError(f"VarianceTrade.swap: expected one on asset = {self.asset!r}, got one on {self.swap.asset!r}")
        return {}

    def check(self) -> None:
        if self.swap is not None and not self.swap.notional > 0.0:
            raise ValueError(f"VarianceTrade.swap: expected a notional above 0, got {float(self.swap.notional):g}; the trade says how many are sold")
        if self.swap is not None and self.strangle is not None:
            raise ValueError(f"VarianceTrade.strangle: expected None with a swap, which has no strikes to part, got {float(self.strangle):g}")

    @property
    def names(self) -> tuple[str, ...]:
        """Of its slots: the call, the put; or the swap."""
        return (self.slot,) if self.swap is not None else (f"{self.slot}_call", f"{self.slot}_put")

    def slots(self) -> dict[str, AbstractSlot]:
        if self.swap is not None:
            return {self.slot: ContractSlot(self.swap, scheduled("VarianceTrade", self))}
        return {name: OptionSlot(kind, self.asset, scheduled("VarianceTrade", self)) for name, kind in zip(self.names, ("call", "put"), strict=True)}

    def signals(self) -> Signals:
        return ((f"{self.slot}_forecast", self.forecast),)

    def validate(self, setting: Setting) -> None:
        validate_asset("VarianceTrade.asset", self.asset, setting.assets)

    def terms(self, seen: Seen, memory: Any) -> dict[str, Any]:
        if self.swap is not None:
            return {}
        spot = seen.quotes[self.asset].spot
        apart = 0.0 if self.strangle is None else self.strangle
        return {name: spot * jnp.exp(sign * apart) for name, sign in zip(self.names, (1.0, -1.0), strict=True)}

    def act(self, target: Target, seen: Seen, memory: Any) -> tuple[Target, Any]:
        forecast = seen.signals[f"{self.slot}_forecast"]
        # Off the roll dates nothing is priced.
        implied = jax.lax.cond(seen.dates[self.names[0]].rolls, lambda: self._implied(seen), lambda: jnp.asarray(forecast, jnp.result_type(float)))
        gap = forecast - implied
        wanted = jnp.clip(self.size * gap, -self.cap, self.cap) * gate(jnp.abs(gap) - self.threshold, seen.width)
        vega = sum(seen.on_offer(name).mark.greeks["vega"][self.asset] for name in self.names)  # type: ignore[union-attr]
        units = positive_ratio(wanted * seen.wealth, vega)
        return target | {name: jnp.where(seen.rolls(name), units, target[name]) for name in self.names}, memory

    def _implied(self, seen: Seen) -> Scalar:
        quote, expiry = seen.quotes[self.asset], seen.dates[self.names[0]].chosen.expiry
        if self.swap is not None:  # the strike at which it would be worth nothing
            fair = self.swap.strike + seen.price(self.slot, {}) / (self.swap.notional * quote.discount(expiry))
            return root(fair)
        forward = quote.forward(expiry)
        total = implied_total_volatility(seen.price(self.names[0], forward), forward, quote.discount(expiry))
        return total * (1.0 / jnp.sqrt(quote.years(expiry)))  # a quotient by what all paths share is rounded otherwise on two devices
