"""What a book has gained, explained: each day's change of wealth by the Greeks at its start, what was carried and paid, and a rest.

With Greeks of what is held after the trade, moves dS of spots, dv of variances, dx of the short rate and dt of time,
    dW = sum_i delta_i dS_i + 1/2 sum_i gamma_i dS_i^2 + theta dt + sum_i vega_i dv_i + cross + rate + carry - cost + rest,
    cross = sum_{i<j} gamma_ij dS_i dS_j + sum_i vanna_i dS_i dv_i + 1/2 sum_i volga_i dv_i^2.
Vega, vanna and volga are by the variance that the market shows, the law as it is: the number that moves. The rest is what contracts have gained
beyond these, a Taylor remainder: where all that moves is continuous and seen it is O(dt^{3/2}) a day, and over a span its RMS falls as dt (as
dt^{3/4} for options held to their expiry, where gamma bends within a step). Jumps, a variance that no quote shows and second moves of a stochastic
rate leave a rest that does not fall.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from mcengine._model import Scalar
from mcengine.engine.recorder import AbstractRecorder, Day
from mcengine.instrument import Underlying

PARTS = ("delta", "gamma", "theta", "vega", "cross", "rate", "carry", "cost", "rest")


class _Kept(NamedTuple):
    today: dict[str, Scalar]
    sum: dict[str, Scalar]


@dataclass(frozen=True)
class Explained(AbstractRecorder):
    """``explained_<part>`` of what was gained, summed over days, over the starting wealth: delta, gamma, theta, vega, cross, rate, carry (interest,
    income of underlyings, financing and fees), cost, rest. They add up to wealth - 1. In a trace every day's, in currency; they add up to its change
    of wealth.

    Args:
        cross: Whether vanna and volga are computed; else what they explain is in the rest.
    """

    cross: bool = True

    @property
    def needs(self) -> tuple[str, ...]:  # type: ignore[override]
        first = ("delta", "gamma", "theta", "cross_gamma", "variance_vega", "rate_rho")
        return (*first, "variance_vanna", "variance_volga") if self.cross else first

    def start(self, day: Day) -> _Kept:
        nothing = dict.fromkeys(PARTS, jnp.zeros_like(day.account.wealth))
        return _Kept(nothing, nothing)

    def step(self, state: _Kept, day: Day) -> _Kept:
        parts = self._by_greeks(day)
        cost = {name: -paid for name, paid in day.paid.items()}
        gains = {name: day.gain(name) for name in day.slots}  # type: ignore[misc]
        bought = sum((gain for name, gain in gains.items() if not isinstance(day.slots[name], Underlying)), start=0.0)
        own = sum((gain for name, gain in gains.items() if isinstance(day.slots[name], Underlying)), start=0.0)
        moved = sum((day.held[n].units * _move(day, slot.asset) for n, slot in day.slots.items() if isinstance(slot, Underlying)), start=0.0)
        parts["rest"] = bought + moved - sum(parts.values())
        interest = jnp.where(day.ruined, 0.0, day.interest)
        parts["carry"] = interest + (own - moved) + sum((cost[n] for n in day.carried), start=0.0)
        parts["cost"] = sum((paid for n, paid in cost.items() if n not in day.carried), start=0.0)
        today = {name: parts[name] + jnp.zeros_like(day.account.wealth) for name in PARTS}
        return _Kept(today, jax.tree.map(jnp.add, state.sum, today))

    def _by_greeks(self, day: Day) -> dict[str, Scalar]:
        greeks, spots = day.traded_greeks(), {name: _move(day, name) for name in day.quotes}
        variances = {name: quote.variance - day.earlier[name].variance for name, quote in day.quotes.items()}
        total = lambda greek, *moves: sum((value * _product(name, moves) for name, value in getattr(greeks, greek).items()), start=0.0)  # noqa: E731
        cross: Scalar = sum((g * spots[a] * spots[b] for (a, b), g in ((k.split("-"), g) for k, g in greeks.cross_gamma.items())), start=0.0)
        if self.cross:
            cross = cross + total("variance_vanna", spots, variances) + 0.5 * total("variance_volga", variances, variances)
        rates = [(q.rate.deviation, day.earlier[name].rate.deviation) for name, q in day.quotes.items() if q.rate is not None]  # type: ignore[union-attr]
        return {
            "delta": total("delta", spots),
            "gamma": 0.5 * total("gamma", spots, spots),
            "theta": greeks.theta * day.dt,
            "vega": total("variance_vega", variances),
            "cross": cross,
            "rate": greeks.rate_rho * (rates[0][0] - rates[0][1]) if rates else 0.0,
        }

    def finish(self, state: _Kept, day: Day) -> dict[str, Scalar]:
        return {f"explained_{name}": total / day.start_wealth for name, total in state.sum.items()}

    def columns(self, state: _Kept) -> dict[str, Any]:
        return {f"explained_{name}": value for name, value in state.today.items()}


def _move(day: Day, asset: str) -> Scalar:
    return day.quotes[asset].spot - day.earlier[asset].spot


def _product(name: str, moves: tuple[dict[str, Scalar], ...]) -> Scalar:
    out = moves[0][name]
    for move in moves[1:]:
        out = out * move[name]
    return out
