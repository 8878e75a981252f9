"""GJR-GARCH(1,1) by quasi maximum likelihood: Glosten, Jagannathan & Runkle (1993); errors by Bollerslev & Wooldridge's sandwich (1992).

With e = r - c, h' = omega + (alpha + gamma 1{e < 0}) e^2 + beta h; h before the first day is a mean of the first 75 days' squares with weights .94^k
(RiskMetrics' decay), which stands for every term of the day before it. News are normal, or Student's t of variance 1. The fit moves
(c, theta, alpha, gamma, persistence), all of which have scales of their own; what is read is annual.
"""

from typing import Any

import numpy as np

from mcengine.calibrate.fit import Fit, gaussianise
from mcengine.calibrate.likelihood import maximise
from mcengine.market import GJRGARCH

_LOG_2PI = 1.8378770664093453
_LARGEST = 0.99999  # persistence


def fit_gjr_garch(prices: np.ndarray, dt: float, *, dividend: float = 0.0, news: str = "normal") -> Fit:
    """``news`` is ``"normal"`` or ``"t"``. A year has 252 days where ``dt`` is near that, as the model's steps are days."""
    from scipy.special import gammaln
    from scipy.stats import t as student

    if news not in ("normal", "t"):
        raise ValueError(f"news: expected 'normal' or 't', got {news!r}")
    r = np.diff(np.log(prices))
    days = 252.0 if 245.0 < 1.0 / dt < 262.0 else float(round(1.0 / dt))
    level = float(r.var())

    def numbers(x: np.ndarray) -> tuple[Any, ...]:
        alpha, gamma = np.exp(x[2]), np.exp(x[3])
        persistence = _LARGEST / (1.0 + np.exp(-x[4]))
        return x[0], np.exp(x[1]), alpha, gamma, persistence - alpha - 0.5 * gamma

    def variances(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        c, theta, alpha, gamma, beta = numbers(x)
        return r - c, recursion(r - c, theta * (1.0 - alpha - 0.5 * gamma - beta), alpha, gamma, beta)[:-1]

    def contributions(x: np.ndarray) -> np.ndarray:
        if numbers(x)[4] < 0.0:
            return np.full(r.size, -np.inf)
        e, h = variances(x)
        if news == "normal":
            return -0.5 * (_LOG_2PI + np.log(h) + e**2 / h)
        nu = 2.0 + np.exp(x[5])
        constant = gammaln(0.5 * (nu + 1.0)) - gammaln(0.5 * nu) - 0.5 * np.log(np.pi * (nu - 2.0))
        return constant - 0.5 * np.log(h) - 0.5 * (nu + 1.0) * np.log1p(e**2 / (h * (nu - 2.0)))

    def report(x: np.ndarray) -> dict[str, float]:
        c, theta, alpha, gamma, beta = numbers(x)
        out = {"theta": theta * days, "alpha": alpha, "gamma": gamma, "beta": beta, "drift": c * days + 0.5 * theta * days + dividend}
        out |= {"degrees": 2.0 + np.exp(x[5])} if news == "t" else {}
        return {name: float(value) for name, value in out.items()}

    start = [r.mean(), np.log(level), np.log(0.04), np.log(0.08), np.log(0.97 / (_LARGEST - 0.97))] + ([np.log(6.0)] if news == "t" else [])
    scale = [level**0.5 / r.size**0.5, 0.5, 0.5, 0.3, 0.5] + ([0.3] if news == "t" else [])
    found = maximise(contributions, start, report, scale=scale)
    p = {k: e.value for k, e in found.parameters.items()}
    _, theta, alpha, gamma, beta = numbers(found.x)
    e, _ = variances(found.x)
    h = recursion(e, theta * (1.0 - alpha - 0.5 * gamma - beta), alpha, gamma, beta)
    z = e / np.sqrt(h[:-1])
    residuals = gaussianise(student.cdf(z * np.sqrt(p["degrees"] / (p["degrees"] - 2.0)), p["degrees"])) if news == "t" else z
    asset = GJRGARCH(spot=float(prices[-1]), v0=float(h[-1]) * days, dividend=dividend, days=days, **p)
    notes = [f"a half-life of shocks of {np.log(0.5) / np.log(alpha + 0.5 * gamma + beta):.0f} days"]
    return Fit("gjr_garch", asset, found.parameters, found.log_likelihood, found.count, residuals, z, np.sqrt(h[:-1] * days), notes)


def recursion(e: np.ndarray, omega: float, alpha: float, gamma: float, beta: float) -> np.ndarray:
    """h of each day and of the one after the last: linear in h, so one filter."""
    from scipy.signal import lfilter

    head = e[:75] ** 2
    weights = 0.94 ** np.arange(head.size)
    before = float(head @ weights / weights.sum())
    shock = np.concatenate([[(alpha + 0.5 * gamma) * before], (alpha + gamma * (e < 0.0)) * e**2])
    out, _ = lfilter([1.0], [1.0, -beta], omega + shock, zi=[beta * before])
    return out
