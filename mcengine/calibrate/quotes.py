"""Heston and Bates from quoted implied volatilities: least squares in volatility points, every quote alike.

A price is Lewis' integral ("Option valuation under stochastic volatility", 2000) less that of Black at the expected variance w, whose pole it shares:
    call/F = Black(w) + sqrt(K/F)/pi int_0^inf Re{e^{-iuk} [phi_w(u - i/2) - phi(u - i/2)]} du/(u^2 + 1/4),   k = ln K/F,
by one Gauss-Legendre rule, and its volatility follows by Newton's method. The sum of squared errors has long flat valleys (kappa against vol of
vol): the best of several starts is kept, and errors are those of the linearised fit, s^2 (J'J)^{-1}.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from mcengine.calibrate import arbitrage
from mcengine.calibrate.quote_chain import Quotes, read_quotes
from mcengine.market import Bates, Heston, Market
from mcengine.statistics import Estimate

_NODES, _SCALE = 256, 6.0
_LOWER = {"v0": 1e-4, "kappa": 1e-2, "theta": 1e-4, "vol_of_vol": 1e-2, "rho": -0.999, "intensity": 1e-4, "jump_mean": -1.0, "jump_sd": 1e-3}
_UPPER = {"v0": 2.0, "kappa": 30.0, "theta": 2.0, "vol_of_vol": 6.0, "rho": 0.999, "intensity": 20.0, "jump_mean": 0.5, "jump_sd": 1.0}
_STARTS = {
    "heston": ([0.1, 1.0, 0.1, 0.5, -0.5], [0.15, 5.0, 0.08, 1.5, -0.6]),
    "bates": ([0.1, 1.0, 0.1, 0.5, -0.5, 0.3, -0.1, 0.1], [0.12, 2.0, 0.07, 0.5, -0.6, 1.0, -0.05, 0.1], [0.1, 1.0, 0.1, 0.4, -0.6, 0.1, -0.3, 0.2]),
}


@dataclass(frozen=True)
class SurfaceFit:
    """A model fitted to quoted volatilities.

    Args:
        model: heston or bates.
        asset: The model fitted, under Q (drift 0).
        parameters: Fitted numbers by name.
        quotes: The quotes.
        fitted: The model's volatilities [quotes].
        squares: Sum of squared errors, volatility points squared.
    """

    model: str
    asset: Any
    parameters: dict[str, Estimate]
    quotes: Quotes
    fitted: np.ndarray
    squares: float

    @property
    def market(self) -> Market:
        """The asset as ``equity`` under Q, on the curve of the quotes: forwards, and so prices, are those fitted."""
        return Market({"equity": self.asset}, rate=self.quotes.rate, measure="Q")

    @property
    def root_mean_square(self) -> float:
        """Typical error in points."""
        return float(np.sqrt(self.squares / self.fitted.size))

    def table(self) -> Any:
        """One row a quote (pandas): years, strike, quoted and fitted volatility, error in points."""
        import pandas as pd

        q = self.quotes
        columns = {
            "years": q.years,
            "strike": q.strike,
            "quoted": q.volatility,
            "fitted": self.fitted,
            "points": 100.0 * (self.fitted - q.volatility),
        }
        return pd.DataFrame(columns)


def fit_quotes(model: str = "heston", quotes: Quotes | None = None) -> SurfaceFit:
    """Fit Heston's or Bates's model to quoted volatilities by least squares, every quote alike.

    Args:
        model: heston or bates.
        quotes: The quotes, or None for the shipped ones.

    Raises:
        ValueError: The model is neither, or there are fewer quotes than twice its parameters.
    """
    from scipy.optimize import least_squares

    if model not in _STARTS:
        raise ValueError(f"model: expected heston or bates, got {model!r}")
    q = read_quotes() if quotes is None else quotes
    names = list(_LOWER)[: len(_STARTS[model][0])]
    if q.strike.size < 2 * len(names):
        raise ValueError(f"quotes: expected at least {2 * len(names)} for {model}, got {q.strike.size}")
    bounds = ([_LOWER[n] for n in names], [_UPPER[n] for n in names])
    errors = lambda x: 100.0 * (implied(x, q) - q.volatility)  # noqa: E731
    scale = np.array([0.05, 1.0, 0.05, 0.5, 0.3, 0.3, 0.1, 0.1])[: len(names)]
    tried = [least_squares(errors, start, bounds=bounds, x_scale=scale, xtol=1e-10, ftol=1e-10) for start in _STARTS[model]]
    best = min(tried, key=lambda t: t.cost)
    squares = float(2.0 * best.cost)
    slopes = np.asarray(best.jac, float)
    curvature = slopes.T @ slopes
    # A number at its bound has no error; the others' are those with it held.
    free = np.flatnonzero(np.min(np.abs(best.x - np.array(bounds)), axis=0) > 1e-3 * scale)
    spread = np.full(len(names), np.nan)
    spread[free] = np.sqrt(np.diag(np.linalg.pinv(curvature[np.ix_(free, free)])) * squares / max(q.strike.size - free.size, 1))
    point = dict(zip(names, (float(v) for v in best.x), strict=True))
    parameters = {n: Estimate(v, float(e), q.strike.size) for (n, v), e in zip(point.items(), spread, strict=True)}
    asset: Any = {"heston": Heston, "bates": Bates}[model]
    asset = asset(spot=q.spot, **point)
    return SurfaceFit(model, asset, parameters, q, implied(best.x, q), squares)


def implied(x: Any, q: Quotes) -> np.ndarray:
    """Volatilities of all quotes under (v0, kappa, theta, vol_of_vol, rho[, intensity, jump_mean, jump_sd])."""
    k = np.log(q.strike / q.forward)
    years, which = np.unique(q.years, return_inverse=True)
    full = np.concatenate([np.asarray(x, float), np.array([0.0, 0.0, 0.1])[: 8 - len(x)] if len(x) < 8 else []])
    v0, kappa, theta, _, _, intensity, mean, sd = full
    w = theta * years - (v0 - theta) * np.expm1(-kappa * years) / kappa + intensity * years * (mean**2 + sd**2)
    total_volatility = np.sqrt(w)
    z, weight = _rule()
    u = z[None, :] / total_volatility[:, None]
    phi = _phi(full, u - 0.5j, years[:, None])
    gap = (np.exp(-0.5 * (z**2 + 0.25 * w[:, None])) - phi) * weight / (total_volatility[:, None] * (u**2 + 0.25))
    wave = np.real(np.exp(-1j * u[which] * k[:, None]) * gap[which]).sum(axis=1)
    price = arbitrage.call(k, total_volatility[which]) + np.exp(0.5 * k) / np.pi * wave
    return arbitrage.total_volatility(k, price, total_volatility[which]) / np.sqrt(q.years)


def _phi(x: np.ndarray, u: np.ndarray, years: np.ndarray) -> np.ndarray:
    import jax

    from mcengine.pricing import characteristic

    with jax.enable_x64(True):
        v0, kappa, theta, xi, rho, intensity, mean, sd = (float(value) for value in x)
        a, b = characteristic.heston(u, years, kappa, theta, xi, rho)
        return np.asarray(np.exp(np.asarray(a) + np.asarray(b) * v0 + intensity * years * np.asarray(characteristic.normal_jumps(u, mean, sd))))


@lru_cache(maxsize=1)
def _rule() -> tuple[np.ndarray, np.ndarray]:
    t, weight = np.polynomial.legendre.leggauss(_NODES)
    t = 0.5 * (t + 1.0)
    return _SCALE * t / (1.0 - t), 0.5 * _SCALE * weight / (1.0 - t) ** 2
