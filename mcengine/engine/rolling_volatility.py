"""How steady a book's risk is: its volatility over the last steps, watched on every date on which there are as many."""

from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp

from mcengine._model import Scalar
from mcengine.engine.recorder import AbstractRecorder, Day
from mcengine.instrument import gate

LEAST = 1e-10
"""Of a variance a year, where the square root's derivative is cut off: a volatility of 0.001 %."""


class _Seen(NamedTuple):
    squares: Scalar  # of returns [window], a ring by step
    window: Scalar  # their sum
    total: Scalar
    square: Scalar
    inside: Scalar


@dataclass(frozen=True)
class RollingVolatility(AbstractRecorder):
    """``volatility_deviation``, the standard deviation over a path's dates of the volatility a year of its last ``window`` steps, and
    ``share_in_band``, the share of those dates on which it is between ``low`` and ``high``. Of the share the value is exact and the derivative that
    of a step as wide as ``width``.

    Args:
        window: Steps, 63 of which are three months.
        low: Of the band, volatility a year.
        high: Of the band.
        width: Of the step that is differentiated, volatility a year.
    """

    window: int = 63
    low: float = 0.0
    high: float = 1.0
    width: float = 0.005

    def start(self, day: Day) -> _Seen:
        zero = jnp.zeros_like(day.account.wealth)
        return _Seen(jnp.zeros(self.window, zero.dtype), zero, zero, zero, zero)

    def step(self, state: _Seen, day: Day) -> _Seen:
        change = jnp.where(day.ruined, 0.0, day.account.wealth * day.per_wealth - 1.0)
        at = (day.step - 1) % self.window
        # One in, one out: the sum of an array is taken in another order in blocks of another size.
        window = state.window + change * change - state.squares[at]
        volatility = jnp.sqrt(jnp.maximum(window / (self.window * day.dt), LEAST))
        counts = jnp.where(day.step >= self.window, 1.0, 0.0)
        inside = self._inside(volatility, 0.0)
        soft = self._inside(volatility, self.width)
        inside = inside + soft - jax.lax.stop_gradient(soft)
        squares = state.squares.at[at].set(change * change)
        total, square = state.total + counts * volatility, state.square + counts * volatility * volatility
        return _Seen(squares, window, total, square, state.inside + counts * inside)

    def finish(self, state: _Seen, day: Day) -> dict[str, Scalar]:
        dates = max(day.steps - self.window + 1, 1)
        mean = state.total / dates
        deviation = jnp.sqrt(jnp.maximum(state.square / dates - mean * mean, LEAST))
        return {"volatility_deviation": deviation, "share_in_band": state.inside / dates}

    def _inside(self, volatility: Scalar, width: float) -> Scalar:
        return gate(volatility - self.low, jnp.asarray(width)) * gate(self.high - volatility, jnp.asarray(width))
