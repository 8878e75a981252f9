"""Volatility target on any forecast, for the whole sleeve or for one asset of it: factor = min(target / sqrt(forecast variance), leverage)."""

from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
from jax.scipy.special import ndtri

from mcengine._model import Scalar, model, number, static
from mcengine.instrument import AbstractSlot, OptionSlot, Rolled, Target
from mcengine.market.volatility import Implied, check_volatility
from mcengine.policy.base import AbstractStage, Kind, Setting, positive_ratio, validate_asset
from mcengine.policy.seen import Seen


class _Memory(NamedTuple):
    forecast: Any
    basket: dict[str, Scalar]  # units of each underlying in one currency unit of what is scaled, on the date before


@model
class ForecastVolTarget(AbstractStage):
    """Multiplies the sleeve, or one asset, by target / forecast volatility, at most by ``leverage``.

    The forecast is of the mix as the stages before want it: its returns, and the market's own variance of it. ``VolTarget`` is the same on an
    exponentially weighted estimate. With ``Own()`` and dates without end ln V_T ~ N((r - target^2/2) T, target^2 T) under Heston with drift r.

    Args:
        target: Volatility a year, of what is scaled.
        volatility: ``Rolling``, ``Garch``, ``Har``, ``Implied`` or ``Own``, of ``mcengine.market``.
        asset: The asset scaled; "" is the whole sleeve.
        leverage: Most that it is multiplied by.

    Raises:
        ValueError: For what is no forecast, an asset or an estimate that the market lacks.
    """

    target: Scalar = number(above=0.0)
    volatility: Any
    asset: str = static(default="")
    leverage: Scalar = number(default=1.0, above=0.0, term=True)

    kind: ClassVar[Kind] = "scaler"

    def canonical(self) -> dict[str, Any]:
        check_volatility("ForecastVolTarget.volatility", self.volatility)
        if isinstance(self.volatility, Implied) and not self.asset:
            raise ValueError("ForecastVolTarget.asset: expected the asset whose options are read for Implied, got the whole sleeve")
        return {}

    def validate(self, setting: Setting) -> None:
        if self.asset:
            validate_asset("ForecastVolTarget.asset", self.asset, setting.assets)
        if not hasattr(setting.market, "variance_of"):
            raise ValueError("ForecastVolTarget: expected a market with an estimate of its own (variance_of) to begin with, got none")

    def _names(self, seen: Seen) -> tuple[str, ...]:
        return (self.asset,) if self.asset else seen.risky

    @property
    def _slot(self) -> str:
        return f"implied_{self.asset}"

    def slots(self) -> dict[str, AbstractSlot]:
        """A call that is priced on every date and never bought, where its implied volatility is read."""
        return {self._slot: OptionSlot("call", self.asset, Rolled(self.volatility.steps, 1))} if isinstance(self.volatility, Implied) else {}

    def terms(self, seen: Seen, memory: Any) -> dict[str, Any]:
        return {name: seen.quotes[self.asset].forward(seen.dates[name].chosen.expiry) for name in self.slots()}

    def _own(self, part: Target, seen: Seen) -> Scalar:
        """The market's own variance a year; by options at the money forward C = D F (2 N(s / 2) - 1), s the total volatility."""
        if not isinstance(self.volatility, Implied):
            return seen.variance(part, at_first=not self.volatility.reads_own)
        quote, expiry = seen.quotes[self.asset], seen.dates[self._slot].chosen.expiry
        value = seen.on_offer(self._slot).mark.price / (quote.discount(expiry) * quote.forward(expiry))  # type: ignore[union-attr]
        return (2.0 * ndtri(0.5 + 0.5 * value)) ** 2 / quote.years(expiry)

    def start(self, seen: Seen) -> _Memory:
        none = jnp.zeros_like(seen.wealth)
        return _Memory(self.volatility.start(none), dict.fromkeys(self._names(seen), none))

    def act(self, target: Target, seen: Seen, memory: _Memory) -> tuple[Target, _Memory]:
        names = self._names(seen)
        part = {name: target[name] if name in names else jnp.zeros_like(target[name]) for name in seen.risky}
        own = self._own(part, seen)
        own = jnp.where(own > 0.0, own, self.target**2)  # of a sleeve that is empty: it is multiplied by 1
        value = sum((memory.basket[name] * seen.prices[name] for name in names), start=0.0)
        held = value > 0.0
        move = jnp.log(jnp.where(held, value, 1.0))
        stepped = self.volatility.step(memory.forecast, move**2 / seen.dt, move < 0.0)
        known = jax.tree.map(lambda new, old: jnp.where(held, new, old), stepped, memory.forecast)
        known = jax.tree.map(lambda first, later: jnp.where(seen.first, first, later), self.volatility.start(own), known)
        variance = jnp.maximum(self.volatility.variance(known, own), 1e-12)
        factor = jnp.minimum(self.target / jnp.sqrt(variance), self.leverage)
        share = positive_ratio(1.0, seen.sleeve(part))
        return target | {name: target[name] * factor for name in names}, _Memory(known, {name: target[name] * share for name in names})
