"""Heston and Bates from returns, with the variance seen through an implied volatility, or not seen at all.

Euler steps of a day, Brownian motions W_S, W_v of correlation rho, jumps of Bates N(m, s^2), at most one a day:
    v' = v + kappa (theta - v) dt + xi sqrt(v dt) z_v,   r = a dt - v dt/2 + sqrt(v dt) (rho z_v + sqrt(1 - rho^2) z) + J.
Seen: V = (quoted volatility)^2 / p is the total variance, p its mean over the realised one (the premium), and v = V - lambda (m^2 + s^2), at least a
twentieth of V. A 30-day quote moves b = (1 - e^{-30 kappa/365})/(30 kappa/365) as much as v: its noise is b xi. theta is the mean of v.
Unseen: v is filtered from the returns (see ``variance_filter``). theta is the mean squared return less jumps: three numbers (kappa, xi, rho) are
searched, and three of jumps.
"""

from typing import Any, NamedTuple

import numpy as np

from mcengine.calibrate.asset_fit import Fit, gaussianise
from mcengine.calibrate.jumps import MOST_A_YEAR, free_rate, most_jumps
from mcengine.calibrate.likelihood import maximise
from mcengine.calibrate.variance_filter import FASTEST, Numbers, filtered, moments, numbers, scored
from mcengine.market import Bates, Heston
from mcengine.statistics import Estimate
from mcengine.statistics.dependence import long_run_variance

_LOG_2PI = 1.8378770664093453
_VIX_YEARS = 30.0 / 365.0


def fit_heston(prices: np.ndarray, dt: float, *, implied: np.ndarray | None = None, dividend: float = 0.0) -> Fit:
    """Fit Heston's model by maximum likelihood, with the variance seen through an implied volatility, or filtered from returns.

    Args:
        prices: Positive, a row a day [days].
        dt: Years between rows.
        implied: Quoted 30-day volatility as a fraction [days], or None.
        dividend: Yield a year, added to the drift.
    """
    return _fit("heston", prices, dt, implied, dividend)


def fit_bates(prices: np.ndarray, dt: float, *, implied: np.ndarray | None = None, dividend: float = 0.0) -> Fit:
    """Fit Bates's model by maximum likelihood, with the variance seen through an implied volatility, or filtered from returns.

    Args:
        prices: Positive, a row a day [days].
        dt: Years between rows.
        implied: Quoted 30-day volatility as a fraction [days], or None.
        dividend: Yield a year, added to the drift.
    """
    return _fit("bates", prices, dt, implied, dividend)


def _fit(model: str, prices: np.ndarray, dt: float, implied: np.ndarray | None, dividend: float) -> Fit:
    r = np.diff(np.log(prices))
    total, growth = float(np.mean(r**2)) / dt, float(r.mean()) / dt
    growth += 0.5 * total  # E[ln S'/S] + v dt/2 with no jumps; their part moves with them
    way: Any = _Unseen(r, dt, total, growth) if implied is None else _Seen(r, dt, total, growth, implied)
    start = [-np.log(FASTEST / 4.0 - 1.0), np.log(0.4), np.arctanh(-0.5)]
    scale = [0.4, 0.2, 0.2]
    if model == "bates":
        start, scale = [*start, free_rate(3.0), -0.01, np.log(3.0 * total**0.5 * dt**0.5)], [*scale, 0.5, 0.01, 0.3]

    def report(x: np.ndarray) -> dict[str, float]:
        n = numbers(x, way.least_xi)
        out = {"kappa": n.kappa, "theta": way.theta(n), "vol_of_vol": n.xi, "rho": n.rho}
        if model == "bates":
            out |= {"intensity": n.intensity, "jump_mean": n.mean, "jump_sd": n.sd}
        return out

    found = maximise(way.logs, start, report, scale=scale, scored=way.scored)
    n, p = numbers(found.x, way.least_xi), {k: e.value for k, e in found.parameters.items()}
    seen = way.whole(found.x)
    unit = np.where(seen.jump > 0.5, np.nan, r / (seen.volatility * dt**0.5))
    drift = growth + _excess(n) + dividend
    theta_error = float(np.sqrt(long_run_variance(r**2 / dt)[0] / r.size))
    errors = found.parameters | {
        "theta": Estimate(p["theta"], theta_error, r.size),
        "drift": Estimate(drift, float(r.std()) / dt / r.size**0.5, r.size),
    }
    premium = {} if implied is None else {"variance_premium": way.premium}
    if implied is not None:
        errors["variance_premium"] = Estimate(way.premium, way.premium * theta_error / total, r.size)
    common = {"spot": float(prices[-1]), "v0": seen.last, "drift": drift, "dividend": dividend, **premium, **p}
    if model == "heston":
        asset: Any = Heston(**common)
    else:
        more = 1.0 if implied is None else way.premium
        asset = Bates(**common, intensity_premium=more, most_jumps=most_jumps(n.intensity * max(more, 1.0) * dt, 4))
    feller = float(asset.feller)
    notes = [
        "variance from the quoted volatility" if implied is not None else f"variance filtered from returns on a grid of {seen.nodes} values",
        f"2 kappa theta / xi^2 = {feller:.2f}" + ("" if feller >= 1.0 else ", below 1: the variance touches zero, which QE-M handles"),
    ]
    if n.kappa > 0.999 * FASTEST or n.xi < 1.001 * way.least_xi:
        notes.append("kappa or vol_of_vol is at a limit: a variance that comes and goes is not seen in these returns; compare gbm and merton by AIC")
    if model == "bates":
        notes.append(f"{int((seen.jump > 0.5).sum())} of {r.size} days are likelier than not to hold a jump")
        if n.intensity > 0.999 * MOST_A_YEAR:
            notes.append(f"jumps came out as often as they are looked for, {MOST_A_YEAR:g} a year: quotes move by more than a diffusion")
    return Fit(model, asset, errors, found.log_likelihood, found.count, gaussianise(seen.below), unit, seen.volatility, notes)


class _Days(NamedTuple):
    below: np.ndarray  # probability of a return below the day's, given those before
    jump: np.ndarray  # probability of a jump, given the day's return
    volatility: np.ndarray  # known the day before
    last: float  # variance now
    nodes: int = 0


class _Seen:
    scored = None  # a likelihood in closed form: differences are cheap
    least_xi = 0.0

    def __init__(self, r: np.ndarray, dt: float, total: float, growth: float, implied: np.ndarray) -> None:
        self.r, self.dt, self.total, self.growth = r, dt, total, growth
        self.premium = float(np.mean(implied[:-1] ** 2)) / total
        self.quoted = implied**2 / self.premium

    def theta(self, n: Numbers) -> float:
        return max(self.total - n.jump_variance, 1e-6)

    def logs(self, x: np.ndarray) -> np.ndarray:
        return self._run(x)[0]

    def whole(self, x: np.ndarray) -> _Days:
        from scipy.special import ndtr

        n, r = numbers(x), self.r
        _, v, mean, spread, chance, likelier = self._run(x)
        below = (1.0 - chance) * ndtr((r - mean) / np.sqrt(spread)) + chance * ndtr((r - mean - n.mean) / np.sqrt(spread + n.sd**2))
        return _Days(below, chance * np.exp(likelier), np.sqrt(v[:-1]), float(v[-1]))

    def _run(self, x: np.ndarray) -> tuple[np.ndarray, ...]:
        """(log density, variance, mean and variance of the return given it, chance of a jump, log of its density over the whole)."""
        n, r, dt = numbers(x), self.r, self.dt
        v = np.maximum(self.quoted - n.jump_variance, 0.05 * self.quoted)
        before, after = v[:-1], v[1:]
        xi = n.xi * -np.expm1(-n.kappa * _VIX_YEARS) / (n.kappa * _VIX_YEARS)
        root = np.sqrt(before * dt)
        z = (after - before - n.kappa * (self.theta(n) - before) * dt) / (xi * root)
        logs = -0.5 * (_LOG_2PI + z**2) - np.log(xi * root)
        mean = (self.growth - n.jump_mean - 0.5 * before) * dt + n.rho * root * z
        spread = (1.0 - n.rho**2) * before * dt
        chance = -np.expm1(-n.intensity * dt)
        calm, jumpy = _normal(r, mean, spread), _normal(r, mean + n.mean, spread + n.sd**2)
        mixed = calm if chance == 0.0 else np.logaddexp(np.log1p(-chance) + calm, np.log(chance) + jumpy)
        return logs + mixed, v, mean, spread, chance, jumpy - mixed


class _Unseen:
    def __init__(self, r: np.ndarray, dt: float, total: float, growth: float) -> None:
        self.r, self.total, self.moments = r, total, moments(r, dt, total, growth)
        self.least_xi = self.moments.least_xi

    def theta(self, n: Numbers) -> float:
        return max(self.total - n.jump_variance, 1e-6)

    def logs(self, x: np.ndarray) -> np.ndarray:
        return self.scored(x)[0]

    def scored(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return scored(x, self.r, self.moments)

    def whole(self, x: np.ndarray) -> _Days:
        found, nodes = filtered(x, self.r, self.moments)
        return _Days(found.below, found.jump, np.sqrt(found.variance), float(found.last), nodes)


def _excess(n: Numbers) -> float:
    """From the mean log return plus half the variance to the expected return a year: lambda (E e^J - 1 - m - (m^2 + s^2)/2)."""
    return n.intensity * float(np.expm1(n.mean + 0.5 * n.sd**2) - n.mean) - 0.5 * n.jump_variance


def _normal(r: np.ndarray, mean: np.ndarray, variance: np.ndarray) -> np.ndarray:
    return -0.5 * (_LOG_2PI + np.log(variance) + (r - mean) ** 2 / variance)
