"""GJR-GARCH(1,1) by quasi maximum likelihood: Glosten, Jagannathan & Runkle (1993); errors by Bollerslev & Wooldridge's sandwich (1992).

With e = r - c, h' = omega + (alpha + gamma 1{e < 0}) e^2 + beta h; h before the first day is a mean of the first 75 days' squares with weights .94^k
(RiskMetrics' decay), which stands for every term of the day before it. News are normal, or Student's t of variance 1. The fit moves
(c, theta, alpha, gamma, persistence), all of which have scales of their own; what is read is annual. drift is c and half the sample's variance.
Where persistence is 1 to within its error no level is left in the data: theta is then the sample's variance (Francq, Horvath & Zakoian, J. Financial
Econometrics 9(4), 2011), which a note says.
"""

from typing import Any

import numpy as np

from mcengine.calibrate.asset_fit import Fit, gaussianise
from mcengine.calibrate.likelihood import maximise
from mcengine.market import GJRGARCH
from mcengine.statistics import Estimate

_LOG_2PI = 1.8378770664093453
_LARGEST = 0.99999  # persistence


def fit_gjr_garch(prices: np.ndarray, dt: float, *, dividend: float = 0.0, innovations: str = "normal") -> Fit:
    """Fit GJR-GARCH(1,1) by quasi maximum likelihood (Bollerslev & Wooldridge 1992).

    Args:
        prices: Positive, a row a day [days].
        dt: Years between rows; near 1/252 a year is taken to have 252 days.
        dividend: Yield a year, added to the drift.
        innovations: normal, or t for Student's.

    Raises:
        ValueError: ``innovations`` is neither.
    """
    from scipy.special import gammaln
    from scipy.stats import t as student

    if innovations not in ("normal", "t"):
        raise ValueError(f"innovations: expected 'normal' or 't', got {innovations!r}")
    r = np.diff(np.log(prices))
    days = 252.0 if 245.0 < 1.0 / dt < 262.0 else float(round(1.0 / dt))
    level = float(r.var())

    targeted = False

    def numbers(x: np.ndarray) -> tuple[Any, ...]:
        x = np.insert(x, 1, np.log(level)) if targeted else x
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
        if innovations == "normal":
            return -0.5 * (_LOG_2PI + np.log(h) + e**2 / h)
        nu = 2.0 + np.exp(x[-1])
        constant = gammaln(0.5 * (nu + 1.0)) - gammaln(0.5 * nu) - 0.5 * np.log(np.pi * (nu - 2.0))
        return constant - 0.5 * np.log(h) - 0.5 * (nu + 1.0) * np.log1p(e**2 / (h * (nu - 2.0)))

    def report(x: np.ndarray) -> dict[str, float]:
        c, theta, alpha, gamma, beta = numbers(x)
        out = {"theta": theta * days, "alpha": alpha, "gamma": gamma, "beta": beta, "drift": (c + 0.5 * level) * days + dividend}
        out |= {"degrees": 2.0 + np.exp(x[-1])} if innovations == "t" else {}
        return {name: float(value) for name, value in out.items()}

    start = [r.mean(), np.log(level), np.log(0.04), np.log(0.08), np.log(0.97 / (_LARGEST - 0.97))] + ([np.log(6.0)] if innovations == "t" else [])
    scale = [level**0.5 / r.size**0.5, 0.5, 0.5, 0.3, 0.5] + ([0.3] if innovations == "t" else [])
    found = maximise(contributions, start, report, scale=scale)
    free = found.parameters["theta"]
    if not (free.error < free.value and 0.2 < free.value / (level * days) < 5.0):
        targeted = True
        found = maximise(contributions, np.delete(start, 1), report, scale=np.delete(scale, 1))
    parameters = found.parameters
    if targeted:
        blocks = np.array([b.mean() for b in np.array_split((r - r.mean()) ** 2, max(r.size // 63, 2))])
        parameters = parameters | {"theta": Estimate(level * days, float(blocks.std(ddof=1)) * days / blocks.size**0.5, r.size)}
    p = {k: e.value for k, e in parameters.items()}
    _, theta, alpha, gamma, beta = numbers(found.x)
    e, _ = variances(found.x)
    h = recursion(e, theta * (1.0 - alpha - 0.5 * gamma - beta), alpha, gamma, beta)
    z = e / np.sqrt(h[:-1])
    residuals = gaussianise(student.cdf(z * np.sqrt(p["degrees"] / (p["degrees"] - 2.0)), p["degrees"])) if innovations == "t" else z
    asset = GJRGARCH(spot=float(prices[-1]), v0=float(h[-1]) * days, dividend=dividend, days=days, **p)
    notes = [f"a half-life of shocks of {np.log(0.5) / np.log(alpha + 0.5 * gamma + beta):.0f} days"]
    if targeted:
        notes.append(f"theta is the sample's variance: left free it is {free}, as persistence is near 1")
    return Fit("gjr_garch", asset, parameters, found.log_likelihood, found.count, residuals, z, np.sqrt(h[:-1] * days), notes)


def recursion(e: np.ndarray, omega: float, alpha: float, gamma: float, beta: float) -> np.ndarray:
    """h of each day and of the one after the last: linear in h, so one filter."""
    from scipy.signal import lfilter

    head = e[:75] ** 2
    weights = 0.94 ** np.arange(head.size)
    before = float(head @ weights / weights.sum())
    shock = np.concatenate([[(alpha + 0.5 * gamma) * before], (alpha + gamma * (e < 0.0)) * e**2])
    out, _ = lfilter([1.0], [1.0, -beta], omega + shock, zi=[beta * before])
    return out
