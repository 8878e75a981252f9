"""Vasicek and Schwartz by exact likelihood: both are Gaussian autoregressions.

x' = m + e^{-kappa dt} (x - m) + s sqrt((1 - e^{-2 kappa dt})/(2 kappa)) z, for a rate or for the logarithm of a price. A short sample overstates
kappa (by about 4 over the years of history: Tang & Chen, J. Econometrics 149(1), 2009); the note says how much that is.
"""

import numpy as np

from mcengine.calibrate.asset_fit import Fit, ewma_volatility
from mcengine.calibrate.likelihood import Maximum, maximise
from mcengine.market import Schwartz, Vasicek

_LOG_2PI = 1.8378770664093453


def fit_vasicek(rates: np.ndarray, dt: float, *, name: str = "rate") -> Fit:
    """Fit Vasicek's rate by maximum likelihood. Nothing of the price of risk is in it: theta is the mean under P, the term premium 0.

    Args:
        rates: Short rates a year as fractions [rows].
        dt: Years between rows.
        name: What to call the series in an error.

    Raises:
        ValueError: The series does not revert to a mean.
    """
    found = _autoregression(rates, dt, name)
    p = {k: e.value for k, e in found.parameters.items()}
    asset = Vasicek(rate=float(rates[-1]), kappa=p["kappa"], theta=p["mean"], sigma=p["sigma"])
    parameters = {{"mean": "theta"}.get(k, k): e for k, e in found.parameters.items()}
    return _made("vasicek", asset, parameters, found, rates, dt)


def fit_schwartz(prices: np.ndarray, dt: float, *, name: str = "price") -> Fit:
    """Fit Schwartz's one-factor commodity by maximum likelihood. The spot tells no risk premium: it is 0, and futures are expected prices.

    Args:
        prices: Positive [rows].
        dt: Years between rows.
        name: What to call the series in an error.

    Raises:
        ValueError: The series does not revert to a mean.
    """
    x = np.log(prices)
    found = _autoregression(x, dt, name)
    p = {k: e.value for k, e in found.parameters.items()}
    level = float(np.exp(p["mean"]))
    asset = Schwartz(spot=float(prices[-1]), kappa=p["kappa"], level=level, sigma=p["sigma"])
    e = found.parameters
    parameters = {"kappa": e["kappa"], "level": type(e["mean"])(level, level * e["mean"].error, e["mean"].count), "sigma": e["sigma"]}
    return _made("schwartz", asset, parameters, found, x, dt)


def _autoregression(x: np.ndarray, dt: float, name: str) -> Maximum:
    before, after = x[:-1], x[1:]
    slope = float(np.cov(before, after, ddof=0)[0, 1] / before.var()) if before.std() > 0.0 else 1.0
    if not 0.0 < slope < 1.0:
        raise ValueError(
            f"{name}: expected a history that reverts to a mean, got one that does not (an autoregression of {slope:.6f} a row); "
            "take more years, or another model"
        )
    kappa = -np.log(slope) / dt
    spread = float(np.std(after - slope * before))

    def contributions(y: np.ndarray) -> np.ndarray:
        kappa, sigma = np.exp(y[1]), np.exp(y[2])
        variance = -(sigma**2) * np.expm1(-2.0 * kappa * dt) / (2.0 * kappa)
        e = after - y[0] - np.exp(-kappa * dt) * (before - y[0])
        return -0.5 * (_LOG_2PI + np.log(variance) + e**2 / variance)

    def report(y: np.ndarray) -> dict[str, float]:
        return {"kappa": float(np.exp(y[1])), "mean": float(y[0]), "sigma": float(np.exp(y[2]))}

    mean = float((after.mean() - slope * before.mean()) / (1.0 - slope))
    sigma = spread * np.sqrt(2.0 * kappa / -np.expm1(-2.0 * kappa * dt))
    return maximise(contributions, [mean, np.log(kappa), np.log(sigma)], report, scale=[float(x.std()), 0.3, 0.1])


def _made(model: str, asset: object, parameters: dict, found: Maximum, x: np.ndarray, dt: float) -> Fit:
    mean, kappa, sigma = found.x[0], np.exp(found.x[1]), np.exp(found.x[2])
    e = x[1:] - mean - np.exp(-kappa * dt) * (x[:-1] - mean)
    residuals = e / (sigma * np.sqrt(-np.expm1(-2.0 * kappa * dt) / (2.0 * kappa)))
    years = (x.size - 1) * dt
    notes = [
        f"kappa {kappa:.2f}, a half-life of {np.log(2.0) / kappa:.2f} years; of {years:.0f} years of history its bias is about +{4.0 / years:.2f}"
    ]
    unit = e / (ewma_volatility(e, dt) * np.sqrt(dt))
    return Fit(model, asset, parameters, found.log_likelihood, found.count, residuals, unit, np.full(e.size, sigma), notes)
