"""A market whose steps carry the logarithm of their density: its derivative by a number of the market is that number's score.

Where an outcome jumps as a number moves, its derivative along a path says nothing of the jump; the density does (Broadie & Glasserman, "Estimating
security price derivatives using simulation", Management Science 42(2), 1996):
    d E[f] = E[f'] + E[f d ln p],   f' along the path as it moves, p the density of what does not move with the number.
Whole numbers never move: how many jumps come, which regime follows, which side an event takes; ln p always holds their probabilities.
With ``share`` 1 prices do not move either: of each asset the last normal y takes up whatever a number would have moved,
    y -> y - (move of the log-return) / (its scale by y),   ln p = -|z|^2/2 - sum ln(scale) - sum ln(L_kk),   z = L^{-1} y.
What is random beside (a variance, a rate) moves as it does, and the density is that of prices given it. All of it is meant for forward derivatives of
first order: values are those of the market as it is.
"""

from typing import Any

import jax
import jax.numpy as jnp

from mcengine._model import Scalar
from mcengine.market import correlation as corr
from mcengine.market import events as on_dates
from mcengine.market.discretised import PreparedMarket

LAW = "log_law"
"""Name of the logarithm of the density among the states."""


class ScoredMarket:
    """A prepared market whose states hold ``log_law``.

    Args:
        prepared: The market on a calendar.
        share: 1 where prices are held and their density moves, 0 where prices move.
    """

    def __init__(self, prepared: PreparedMarket, share: Scalar) -> None:
        self.prepared, self.share = prepared, share
        self.dt = prepared.times[1] - prepared.times[0]
        self.rows = prepared.rows
        if prepared.market.events:
            ends = prepared.times[1 : prepared.rows["interest"].shape[0] + 1]
            by_step = (on_dates.on(event.date, ends, self.dt[None]) * event.probability for event in prepared.market.events.values())
            self.rows = self.rows | {"up": sum(by_step)}

    def __getattr__(self, name: str) -> Any:
        return getattr(self.prepared, name)

    def start(self, path: Any = None, source: Any = None) -> dict[str, Any]:
        """States today, and a density of 1."""
        return self.prepared.start(path, source) | {LAW: jnp.zeros((), jnp.result_type(float))}

    def step(self, states: dict[str, Any], row: Any, normals: tuple[Scalar, ...], uniforms: tuple[Scalar, ...] = ()) -> dict[str, Any]:
        """States a step later, and the density that led there."""
        law, states = states[LAW], {name: state for name, state in states.items() if name != LAW}
        market, prepared = self.prepared.market, self.prepared
        shared, rows = normals[: market.n_shared], prepared.factor(states)
        y = [z + self.share * (jax.lax.stop_gradient(z) - z) for z in corr.correlate(rows, normals[market.n_shared :])]
        moved = prepared.step_by(states, row, shared, y, uniforms)
        density: Scalar = 0.0
        first = market.rate.n_factors
        for name, asset in market.assets.items():
            first += asset.n_factors
            scale = asset.own_scale(prepared.own_row(name, states, row), states[name], moved[name]) if asset.n_factors else None
            if scale is None:
                continue
            log_price = jnp.log(market.observe(name, moved)[0])
            known = scale > 0.0
            safe = jnp.where(known, scale, 1.0)
            y[first - 1] = y[first - 1] - self.share * known * (log_price - jax.lax.stop_gradient(log_price)) / safe
            density = density - jnp.log(safe)
        after = prepared.step_by(states, row, shared, y, uniforms)
        for k, z in enumerate(corr.decorrelate(rows, y)):
            density = density - 0.5 * z * z - jnp.log(jnp.asarray(rows[k][k]))
        return after | {LAW: law + self.share * density + self._counts(states, after, row, shared, uniforms)}

    def _counts(self, before: Any, after: Any, row: Any, shared: tuple[Scalar, ...], uniforms: tuple[Scalar, ...]) -> Scalar:
        """ln of the probabilities of jumps, of the next regime and of an event's side."""
        market, drawn = self.prepared.market, 0
        total: Scalar = jnp.zeros((), jnp.result_type(float))
        for name, asset in market.assets.items():
            taken = drawn + asset.n_uniforms
            total = total + asset.log_probability(self.prepared.own_row(name, before, row), tuple(uniforms[drawn:taken]), self.dt)
            drawn = taken
        if market.events:
            up, probability = shared[-2] < row["side"], row["up"]
            side = jnp.where(up, probability, 1.0 - probability)
            total = total + jnp.log(jnp.where((probability > 0.0) & (side > 0.0), side, 1.0))
        if market.regimes is not None and len(market.regimes.names) > 1:
            n, chances = len(market.regimes.names), self.prepared.transition
            assert chances is not None
            for i in range(n):
                for j in range(n):
                    took = (before["regimes"] == float(i)) & (after["regimes"] == float(j))
                    total = total + jnp.where(took, jnp.log(jnp.where(chances[i, j] > 0.0, chances[i, j], 1.0)), 0.0)
        return total


def scored(prepared: Any, share: Scalar) -> Any:
    """A prepared market with its density; history, which has none, as it is.

    Args:
        prepared: What ``Market.prepare`` gave.
        share: See ``ScoredMarket``.
    """
    return ScoredMarket(prepared, share) if isinstance(prepared, PreparedMarket) else prepared
