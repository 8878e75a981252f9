"""Heston and Bates from returns, with the variance seen through an implied volatility, or not seen at all.

Euler steps of a day, Brownian motions W_S, W_v of correlation rho, jumps of Bates N(m, s^2), at most one a day:
    v' = v + kappa (theta - v) dt + xi sqrt(v dt) z_v,   r = a dt - v dt/2 + sqrt(v dt) (rho z_v + sqrt(1 - rho^2) z) + J.
Seen: V = (quoted volatility)^2 / p is the total variance, p its mean over the realised one (the premium), and v = V - lambda (m^2 + s^2), at least a
twentieth of V. A 30-day quote moves b = (1 - e^{-30 kappa/365})/(30 kappa/365) as much as v: its noise is b xi. theta is the mean of v.
Unseen: y = 2 sqrt(v)/xi has noise of 1, so v lives on a grid even in y, and the likelihood is Hamilton's filter over it: a sum over (v, v') of
    p(v) q(v'|v) f(r | v, v'),   q normal in y, its drift (2 kappa theta/xi^2 - 1/2)/y - kappa y/2,   z_v = (y' - y - drift dt)/sqrt(dt).
The grid's step is a fraction of sqrt(dt), where such sums are exact to many digits. theta is the mean squared return less jumps: three numbers
(kappa, xi, rho) are searched, and three of jumps.
"""

from typing import Any, NamedTuple

import numpy as np

from mcengine.calibrate.asset_fit import Fit, gaussianise
from mcengine.calibrate.jumps import MOST_A_YEAR, free_rate, most_jumps, rate
from mcengine.calibrate.likelihood import maximise
from mcengine.market import Bates, Heston
from mcengine.statistics import Estimate

_LOG_2PI = 1.8378770664093453
_VIX_YEARS = 30.0 / 365.0
_STEP, _REACH = 0.8, 5.0  # of the grid, and how far a day moves, in standard deviations of y
_CHUNK = 256  # days whose densities are held at once


class _Numbers(NamedTuple):
    kappa: float
    xi: float
    rho: float
    intensity: float
    mean: float
    sd: float

    @property
    def jump_variance(self) -> float:
        return self.intensity * (self.mean**2 + self.sd**2)


def _numbers(x: np.ndarray) -> _Numbers:
    jumps = (rate(x[3]), x[4], np.exp(x[5])) if x.size > 3 else (0.0, 0.0, 1.0)
    return _Numbers(float(np.exp(x[0])), float(np.exp(x[1])), float(np.tanh(x[2])), *(float(j) for j in jumps))


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
    start = [np.log(4.0), np.log(0.4), np.arctanh(-0.5)]
    scale = [0.4, 0.2, 0.2]
    if model == "bates":
        start, scale = [*start, free_rate(3.0), -0.01, np.log(3.0 * total**0.5 * dt**0.5)], [*scale, 0.5, 0.01, 0.3]

    def report(x: np.ndarray) -> dict[str, float]:
        n = _numbers(x)
        out = {"kappa": n.kappa, "theta": way.theta(n), "vol_of_vol": n.xi, "rho": n.rho}
        if model == "bates":
            out |= {"intensity": n.intensity, "jump_mean": n.mean, "jump_sd": n.sd}
        return out

    found = maximise(lambda x: way.run(_numbers(x)).logs, start, report, scale=scale)
    n, p = _numbers(found.x), {k: e.value for k, e in found.parameters.items()}
    seen = way.run(n, whole=True)
    unit = np.where(seen.jump > 0.5, np.nan, r / (seen.volatility * dt**0.5))
    drift = growth + _excess(n) + dividend
    theta_error = float(np.std(_block_means(r**2 / dt), ddof=1)) / np.sqrt(max(r.size // _BLOCK, 2))
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
    if model == "bates":
        notes.append(f"{int((seen.jump > 0.5).sum())} of {r.size} days are likelier than not to hold a jump")
        if n.intensity > 0.999 * MOST_A_YEAR:
            notes.append(f"jumps came out as often as they are looked for, {MOST_A_YEAR:g} a year: quotes move by more than a diffusion")
    return Fit(model, asset, errors, found.log_likelihood, found.count, gaussianise(seen.below), unit, seen.volatility, notes)


class _Run(NamedTuple):
    logs: np.ndarray  # log density a day
    below: Any = None  # probability of a return below the day's, given those before
    jump: Any = None  # probability of a jump, given the day's return
    volatility: Any = None  # known the day before
    last: float = 0.0  # variance now
    nodes: int = 0


class _Seen:
    def __init__(self, r: np.ndarray, dt: float, total: float, growth: float, implied: np.ndarray) -> None:
        self.r, self.dt, self.total, self.growth = r, dt, total, growth
        self.premium = float(np.mean(implied[:-1] ** 2)) / total
        self.quoted = implied**2 / self.premium

    def theta(self, n: _Numbers) -> float:
        return max(self.total - n.jump_variance, 1e-6)

    def run(self, n: _Numbers, whole: bool = False) -> _Run:
        from scipy.special import ndtr

        r, dt = self.r, self.dt
        v = np.maximum(self.quoted - n.jump_variance, 0.05 * self.quoted)
        before, after = v[:-1], v[1:]
        xi = n.xi * -np.expm1(-n.kappa * _VIX_YEARS) / (n.kappa * _VIX_YEARS)
        root = np.sqrt(before * dt)
        z = (after - before - n.kappa * (self.theta(n) - before) * dt) / (xi * root)
        logs = -0.5 * (_LOG_2PI + z**2) - np.log(xi * root)
        mean = (self.growth - _jump_mean(n) - 0.5 * before) * dt + n.rho * root * z
        spread = (1.0 - n.rho**2) * before * dt
        chance = -np.expm1(-n.intensity * dt)
        calm, jumpy = _normal(r, mean, spread), _normal(r, mean + n.mean, spread + n.sd**2)
        mixed = calm if chance == 0.0 else np.logaddexp(np.log1p(-chance) + calm, np.log(chance) + jumpy)
        if not whole:
            return _Run(logs + mixed)
        jump = chance * np.exp(jumpy - mixed)
        below = (1.0 - chance) * ndtr((r - mean) / np.sqrt(spread)) + chance * ndtr((r - mean - n.mean) / np.sqrt(spread + n.sd**2))
        return _Run(logs + mixed, below, jump, np.sqrt(before), float(v[-1]), 0)


class _Unseen:
    def __init__(self, r: np.ndarray, dt: float, total: float, growth: float) -> None:
        self.r, self.dt, self.total, self.growth = r, dt, total, growth
        # The largest volatility the grid holds: half as much again as that of the worst fortnight.
        window = np.convolve(r**2, np.full(10, 0.1 / dt), mode="valid") if r.size >= 10 else r**2 / dt
        self.top = 1.5 * max(float(np.sqrt(window.max())), 2.0 * total**0.5)

    def theta(self, n: _Numbers) -> float:
        return max(self.total - n.jump_variance, 1e-6)

    def run(self, n: _Numbers, whole: bool = False) -> _Run:
        from scipy.special import ndtr

        r, dt, theta = self.r, self.dt, self.theta(n)
        step = _STEP * dt**0.5
        count = int(np.clip(2.0 * self.top / n.xi / step, 12, 240))
        y = 2.0 * self.top / n.xi * (np.arange(count) + 0.5) / count
        drift = (2.0 * n.kappa * theta / n.xi**2 - 0.5) / np.maximum(y, 2.0 * dt**0.5) - 0.5 * n.kappa * y
        z = (y[None, :] - y[:, None] - drift[:, None] * dt) / dt**0.5
        log_q = -0.5 * z**2
        log_q -= np.log(np.exp(log_q).sum(axis=1, keepdims=True))
        near = np.abs(z) < _REACH + 1.0
        i, j = np.nonzero(near)
        v = (0.5 * n.xi * y) ** 2
        mean = (self.growth - _jump_mean(n) - 0.5 * v[i]) * dt + n.rho * np.sqrt(v[i] * dt) * z[i, j]
        spread = (1.0 - n.rho**2) * v[i] * dt
        chance = -np.expm1(-n.intensity * dt)
        weight = np.exp(log_q[i, j])
        p = np.exp(-0.5 * ((y - 2.0 * theta**0.5 / n.xi) / (0.5 * 2.0 * theta**0.5 / n.xi + dt**0.5)) ** 2)
        p /= p.sum()
        out = _Run(np.empty(r.size), np.empty(r.size), np.empty(r.size), np.empty(r.size), 0.0, count)
        scale, far = weight / np.sqrt(2.0 * np.pi * spread), spread + n.sd**2
        scale_far = weight / np.sqrt(2.0 * np.pi * far)
        for first in range(0, r.size, _CHUNK):
            day = r[first : first + _CHUNK, None]
            calm = (1.0 - chance) * scale * np.exp(-0.5 * (day - mean) ** 2 / spread)
            jumpy = chance * scale_far * np.exp(-0.5 * (day - mean - n.mean) ** 2 / far) if chance > 0.0 else None
            density = calm if jumpy is None else calm + jumpy
            for k in range(day.size):
                t = first + k
                if whole:
                    out.volatility[t] = np.sqrt(float(p @ v))
                    below = (1.0 - chance) * ndtr((r[t] - mean) / np.sqrt(spread)) + chance * ndtr((r[t] - mean - n.mean) / np.sqrt(far))
                    out.below[t] = float(p[i] @ (weight * below))
                    out.jump[t] = 0.0 if jumpy is None else float(p[i] @ jumpy[k]) / float(p[i] @ density[k])
                p = np.bincount(j, p[i] * density[k], count)
                likelihood = float(p.sum())
                if not likelihood > 1e-290:
                    return out._replace(logs=np.full(r.size, -np.inf))
                out.logs[t] = np.log(likelihood)
                p = p / likelihood
        return out._replace(last=float(p @ v))


_BLOCK = 63


def _block_means(x: np.ndarray) -> np.ndarray:
    blocks = max(x.size // _BLOCK, 2)
    return np.array([b.mean() for b in np.array_split(x, blocks)])


def _jump_mean(n: _Numbers) -> float:
    """What of the mean log return plus half the whole variance is not a, a year."""
    return n.intensity * n.mean + 0.5 * n.jump_variance


def _excess(n: _Numbers) -> float:
    """From the mean log return plus half the variance to the expected return a year: lambda (E e^J - 1 - m - (m^2 + s^2)/2)."""
    return n.intensity * float(np.expm1(n.mean + 0.5 * n.sd**2) - n.mean) - 0.5 * n.jump_variance


def _normal(r: np.ndarray, mean: np.ndarray, variance: np.ndarray) -> np.ndarray:
    return -0.5 * (_LOG_2PI + np.log(variance) + (r - mean) ** 2 / variance)
