"""Volatility target: hold the sleeve at target / estimated volatility, the rest in cash.

The estimate is the exponentially weighted realised variance of the sleeve itself, as the rule before it would hold it:
    var_k = d var_{k-1} + (1 - d) r_k^2 / dt,   d = 2^{-1/halflife},   factor = min(target / sqrt(var_k), leverage x V / sleeve).
The first estimate is the market's own of the sleeve, unless one is given: what a desk reads off quotes on the day it begins.
"""

from typing import ClassVar, NamedTuple

import jax.numpy as jnp

from mcengine._model import Scalar, model, number
from mcengine.instrument import Target
from mcengine.policy.base import AbstractStage, Kind, Setting, positive_ratio
from mcengine.policy.seen import Seen


class _Memory(NamedTuple):
    variance: Scalar
    basket: dict[str, Scalar]  # units of each underlying in one currency unit of the sleeve, on the date before


@model
class VolTarget(AbstractStage):
    """Scales the sleeve to a volatility.

    Args:
        target: Volatility a year.
        halflife: Of the weights of past returns, steps.
        initial: The estimate on the first date, volatility a year; None: the market's own of the sleeve.
        leverage: Most that the sleeve may be, as a multiple of wealth.

    Example:
        >>> import mcengine as mc
        >>> mc.policy.VolTarget(target=0.1)
        VolTarget(target=0.1, halflife=20, initial=None, leverage=1)
    """

    target: Scalar = number(above=0.0)
    halflife: Scalar = number(default=20.0, above=0.0)
    initial: Scalar | None = number(default=None, above=0.0, term=True)
    leverage: Scalar = number(default=1.0, above=0.0, term=True)

    kind: ClassVar[Kind] = "scaler"

    def validate(self, setting: Setting) -> None:
        if self.initial is None and not hasattr(setting.market, "variance_of"):
            raise ValueError("VolTarget.initial: expected a volatility a year, for this market has no estimate of its own, got None")

    def start(self, seen: Seen) -> _Memory:
        first = self.target if self.initial is None else self.initial
        return _Memory(first**2 * jnp.ones_like(seen.wealth), {name: jnp.zeros_like(seen.wealth) for name in seen.risky})

    def act(self, target: Target, seen: Seen, memory: _Memory) -> tuple[Target, _Memory]:
        value = sum((memory.basket[name] * seen.prices[name] for name in seen.risky), start=0.0)
        weight = jnp.where(value > 0.0, 1.0 - jnp.exp2(-1.0 / self.halflife), 0.0)  # nothing was held before the first date
        variance = memory.variance + weight * ((value - 1.0) ** 2 / seen.dt - memory.variance)
        if self.initial is None:
            own = seen.variance(target, at_first=True)
            variance = jnp.where(seen.first & (own > 0.0), own, variance)
        sleeve = seen.sleeve(target)
        factor = jnp.minimum(self.target / jnp.sqrt(variance), positive_ratio(self.leverage * seen.wealth, sleeve))
        share = positive_ratio(1.0, sleeve)
        return seen.scale(target, factor), _Memory(variance, {name: target[name] * share for name in seen.risky})
