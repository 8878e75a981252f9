"""Option-based portfolio insurance (Leland & Rubinstein 1976): q (S + put(K)) with q K the floor, so that q max(S_T, K) is what is left.

``Obpi`` buys the put; ``SyntheticPut`` makes it, by trading the sleeve against cash (Rubinstein & Leland 1981).
"""

from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from jax.scipy.special import ndtr

from mcengine._model import Scalar, model, number, static
from mcengine.instrument import AbstractSlot, OptionSlot, Target
from mcengine.policy.base import AbstractStage, Kind, Setting, positive_ratio, validate_asset
from mcengine.policy.floors import Floor, as_floor, scaled, validate_protected
from mcengine.policy.puts import covered
from mcengine.policy.seen import Seen

ITERATIONS = 8
"""Newton's steps, from any cushion and time to the horizon to rounding."""

LEAST = 1e-5
"""Of the cushion over the floor: below it exposure is proportional."""


@model
class Obpi(AbstractStage):
    """Puts to the horizon whose strike K is ``floor`` of what asset and put cost together: K = floor (S_0 + put(K)).

    Args:
        floor: Fraction of what is put into the asset and its puts that is left at the horizon.
        asset: The asset insured.
        slot: Name of the slot.

    Raises:
        ValueError: For a floor whose present value is not below 1, or an asset that the market lacks.
    """

    floor: Scalar = number(above=0.0, term=True)
    asset: str = static(default="equity")
    slot: str = static(default="obpi_put")

    kind: ClassVar[Kind] = "overlay"

    def slots(self) -> dict[str, AbstractSlot]:
        return {self.slot: OptionSlot("put", self.asset)}

    def validate(self, setting: Setting) -> None:
        validate_asset("Obpi.asset", self.asset, setting.assets)
        validate_protected("Obpi.floor", self.floor, setting)

    def terms(self, seen: Seen, memory: Any) -> dict[str, Any]:
        kept = jnp.asarray(seen.held[self.slot].terms)
        return {self.slot: jax.lax.cond(seen.dates[self.slot].rolls, lambda: jnp.asarray(self._strike(seen), kept.dtype), lambda: kept)}

    def act(self, target: Target, seen: Seen, memory: Any) -> tuple[Target, Any]:
        return covered(target, seen, self.slot, self.asset, 1.0), memory

    def _strike(self, seen: Seen) -> Scalar:
        spot = seen.quotes[self.asset].spot

        def newton(_: Any, strike: Scalar) -> Scalar:
            put, slope = jax.value_and_grad(lambda k: seen.price(self.slot, k))(strike)
            return strike - (strike - self.floor * (spot + put)) / (1.0 - self.floor * slope)

        return jax.lax.fori_loop(0, ITERATIONS, newton, self.floor * spot)


@model
class SyntheticPut(AbstractStage):
    """Holds of the sleeve what q calls on it and the floor in cash hold: q S N(d1), q and the moneyness being those at which they are worth V.

    With F the floor's value, x = S/K and s the total volatility to the horizon, x N(d1) - N(d2) = V/F - 1 gives x, d1 = ln x / s + s / 2, and the
    sleeve is x N(d1) F. So it needs no memory, and goes on from the wealth there is: V_T = max(q S_T, floor) if traded all the time.

    Args:
        floor: Fraction of the starting wealth, due at the horizon; or any floor, such as ``HighWater``.
        volatility: Of the sleeve against what the floor moves with, a year, as the rule takes it; None: the market's own.

    Raises:
        ValueError: For a floor whose present value is not below the starting wealth, or a market without an estimate of its own.

    Example:
        >>> import mcengine as mc
        >>> mc.policy.chain(mc.policy.Mix(equity=1.0), mc.policy.SyntheticPut(0.9)).stages["synthetic_put"]
        SyntheticPut(floor=0.9, volatility=None)
    """

    floor: Floor = number(low=0.0, term=True)
    volatility: Scalar | None = number(default=None, above=0.0)

    kind: ClassVar[Kind] = "scaler"

    def validate(self, setting: Setting) -> None:
        validate_protected("SyntheticPut.floor", self.floor, setting)
        if self.volatility is None and not hasattr(setting.market, "variance_of"):
            raise ValueError("SyntheticPut.volatility: expected a volatility a year, for this market has no estimate of its own, got None")

    def start(self, seen: Seen) -> Any:
        return as_floor(self.floor).start(seen)

    def act(self, target: Target, seen: Seen, memory: Any) -> tuple[Target, Any]:
        floor = as_floor(self.floor)
        value, memory = floor.value(seen, memory)
        value = jnp.maximum(value, LEAST * seen.start_wealth)
        total = jnp.sqrt(jnp.maximum(self._variance(target, floor.reserve, seen) * (seen.horizon - seen.step) * seen.dt, 1e-10))
        wanted = exposure(seen.wealth / value - 1.0, total) * value
        return scaled(target, jnp.minimum(positive_ratio(wanted, seen.sleeve(target)), 1.0), floor, seen), memory

    def _variance(self, target: Target, reserve: dict[str, Scalar], seen: Seen) -> Scalar:
        if self.volatility is not None:
            return self.volatility**2
        share = positive_ratio(1.0, seen.sleeve(target))
        return seen.variance_of({name: target[name] * seen.prices[name] * share - reserve.get(name, 0.0) for name in seen.risky})


def exposure(call: Scalar, total: Scalar) -> Scalar:
    """x N(d1) at the x of a price x N(d1) - N(d2) of a call struck at 1; the price is above LEAST, or it is proportional.

    The log of the price is concave in ln x, so that Newton's second step and all after it come from the left. The last two carry derivatives, to
    the second order.
    """
    price = jnp.maximum(call, LEAST)

    def parts(log: Scalar) -> tuple[Scalar, Scalar]:
        share = jnp.exp(log) * ndtr(log / total + 0.5 * total)
        return share, jnp.maximum(share - ndtr(log / total - 0.5 * total), 1e-5 * share)

    def newton(_: Any, log: Scalar) -> Scalar:
        share, value = parts(log)
        return jnp.maximum(log + jnp.log(price / value) * value / share, -5.5 * total)  # where a call is worth less than LEAST

    found = jax.lax.stop_gradient(jax.lax.fori_loop(0, ITERATIONS, newton, jnp.log1p(price)))
    for k in range(2):
        found = newton(k, found)
    return parts(found)[0] * jnp.clip(call / LEAST, 0.0, 1.0)
