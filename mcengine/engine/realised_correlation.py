"""Correlations, target and realised: what the schemes make of the target between Brownian motions.

Increments over a step are divided by what their variance at its start says, so that a volatile time counts no more than a calm one; steps begun
at less than 5 % of the mean variance are left out, for their return is not made by the variance they began with. Announced events and scenarios are
left out too. Of an asset with a variance of its own both the price and the variance are looked at: there QE-M realises less than the target.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from mcengine._model import replace
from mcengine.engine.sample import sample
from mcengine.market import Market, correlation

_CALM = 0.05


@dataclass(frozen=True)
class Correlations:
    """Correlations between Brownian motions, wanted and realised.

    Args:
        names: Assets, ``rate``, and variances such as ``equity.variance``.
        target: Matrix [names, names].
        realised: Matrix [names, names].
        error: Standard error of what was realised, [names, names].
    """

    names: tuple[str, ...]
    target: np.ndarray
    realised: np.ndarray
    error: np.ndarray

    def table(self) -> Any:
        """A pandas table, one row a pair."""
        import pandas as pd

        rows = {
            f"{a}-{b}": {"target": self.target[i, j], "realised": self.realised[i, j], "error": self.error[i, j]}
            for j, b in enumerate(self.names)
            for i, a in enumerate(self.names[:j])
        }
        return pd.DataFrame.from_dict(rows, orient="index")


def correlations(market: Market, paths: int = 1024, *, years: float = 1.0, steps: int = 252, seed: int = 0) -> dict[str, Correlations]:
    """Correlations that sampled paths realise under P. A bond index is left out: its noise is the rate's.

    Args:
        market: A ``Market``.
        paths: Number of paths.
        years: To the horizon.
        steps: To the horizon.
        seed: Of the random numbers.

    Returns:
        By regime; ``all`` where the market has none.

    Raises:
        ValueError: For a regime in which the paths spend fewer than 3 steps.
    """
    market = replace(market, events=None, scenarios=None)
    spots, variances = sample(market, paths, years=years, steps=steps, seed=seed)
    dt = years / steps
    prices = market.correlated
    own = [n for n in prices if n != "rate" and hasattr(market.assets[n], "v0") and hasattr(market.assets[n], "vol_of_vol")]
    columns, usual = [], np.ones(spots[prices[0]][:, 1:].shape, bool) if prices else np.ones(0, bool)
    for name in prices:
        v = variances[name]
        change = np.diff(spots[name] if name == "rate" else np.log(spots[name]), axis=1)
        columns.append(change / np.sqrt(np.maximum(v[:, :-1] * dt, 1e-30)))
        usual &= v[:, :-1] >= _CALM * v.mean()
    for name in own:
        v = variances[name]
        columns.append(np.diff(v, axis=1) / np.sqrt(np.maximum(v[:, :-1] * dt, 1e-30)))
    increments = np.stack(columns, axis=-1)
    names = (*prices, *(f"{name}.variance" for name in own))
    out, models = {}, dict[str, Any](market.assets)
    for k, regime in enumerate(market.regimes.names if market.regimes is not None else ("all",)):
        chosen = usual & (np.round(spots["regimes"][:, :-1]) == k) if market.regimes is not None else usual
        pairs = market.correlation
        if market.regimes is not None and market.regimes.correlation:
            pairs = market.regimes.correlation.get(regime, pairs)
        target = _target(correlation.to_matrix(pairs, prices), [float(models[n].rho) if n in own else None for n in prices])
        count = int(chosen.sum())
        if count < 3:
            raise ValueError(f"correlations: expected at least 3 steps in regime {regime!r}, got {count} on {paths:,} paths")
        realised = correlation.realised(increments[chosen])
        out[regime] = Correlations(names, target, realised, (1.0 - realised**2) / np.sqrt(count))
    return out


def _target(between: np.ndarray, rhos: list[float | None]) -> np.ndarray:
    """Prices' matrix with the variances' rows: a variance meets other assets through its own price only."""
    n = len(rhos)
    own = [i for i, rho in enumerate(rhos) if rho is not None]
    load = np.zeros((n + len(own), n))
    load[:n] = np.eye(n)
    for row, i in enumerate(own):
        load[n + row, i] = rhos[i]
    full = load @ between @ load.T
    np.fill_diagonal(full, 1.0)
    return full
