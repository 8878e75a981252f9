"""What a hedged book of options earns and pays, kept apart: gains of gamma, theta, and all costs."""

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import jax.numpy as jnp

from mcengine._model import Scalar
from mcengine.engine.recorder import AbstractRecorder, Day
from mcengine.instrument import totals


class _Kept(NamedTuple):
    spots: dict[str, Scalar]
    scalping: Scalar
    theta: Scalar


@dataclass(frozen=True)
class Scalping(AbstractRecorder):
    """``scalping``, sum of gamma (dS)^2 / 2 over steps and assets; ``theta``, sum of theta dt; ``paid``, costs of all kinds; over starting wealth.

    Greeks are those of what is held after each trade. Of a book hedged on every date the first two are, to the next order in dt, what the options and
    their hedge earn over interest: int gamma S^2 (realised - implied variance) / 2 dt.
    """

    needs: ClassVar[tuple[str, ...]] = ("gamma", "theta")

    def start(self, day: Day) -> _Kept:
        zero = jnp.zeros_like(day.account.wealth)
        return _Kept({name: quote.spot + 0.0 * zero for name, quote in day.quotes.items()}, zero, zero)

    def step(self, state: _Kept, day: Day) -> _Kept:
        units, marks = ({n: getattr(one, what) for n, one in day.held.items()} for what in ("units", "mark"))
        greeks = totals(day.slots, units, marks, self.needs)
        spots: dict[str, Any] = {name: day.quotes[name].spot for name in state.spots}
        gains = sum((0.5 * gamma * (spots[name] - state.spots[name]) ** 2 for name, gamma in greeks.gamma.items() if name in spots), start=0.0)
        return _Kept(spots, state.scalping + gains, state.theta + greeks.theta * day.dt)

    def finish(self, state: _Kept, day: Day) -> dict[str, Scalar]:
        paid = sum(day.account.costs.values(), start=0.0 * day.account.wealth)
        return {"scalping": state.scalping / day.start_wealth, "theta": state.theta / day.start_wealth, "paid": paid / day.start_wealth}
