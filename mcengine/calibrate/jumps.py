"""GBM, Merton and Kou from returns, by exact likelihood.

A day's log return is a + sigma sqrt(dt) z + sum of N jumps, N ~ Poisson(lambda dt), days independent.
  GBM     no jumps: closed form
  Merton  a mixture of normals by N
  Kou     density and distribution from the characteristic function exp(i u a - sigma^2 u^2 dt/2 + lambda dt (E[e^{iuJ}] - 1)) by one FFT on a grid
          that holds every return; the density between its points is linear in the logarithm
drift = (a + compensated jumps)/dt: the expected total return a year, dividends added. The volatility is constant, so squares of the residuals stay
autocorrelated on any real series, and without a limit the likeliest jumps would be all days of high volatility (111 a year for Merton, 236
for Kou, of the S&P 500): at most ``MOST_A_YEAR`` are looked for.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from mcengine.calibrate.asset_fit import Fit, ewma_volatility, gaussianise
from mcengine.calibrate.likelihood import Maximum, maximise
from mcengine.market import GBM, Kou, Merton
from mcengine.market.jumps import most_mean

_LOG_2PI = 1.8378770664093453
_MOST = 8  # jumps a day summed over
MOST_A_YEAR = 25.0
"""Jumps a year at most: rarer than every second week."""


def fit_gbm(prices: np.ndarray, dt: float, *, dividend: float = 0.0) -> Fit:
    """Fit geometric Brownian motion by maximum likelihood.

    Args:
        prices: Positive [rows].
        dt: Years between rows.
        dividend: Yield a year, added to the drift.

    Example:
        >>> fit = mc.calibrate.fit_gbm(np.array([100.0, 102.0, 101.0, 103.0, 102.0]), dt=1.0 / 12.0)
        >>> print(f"{float(fit.asset.sigma):.3f}")
        0.051
    """
    r = np.diff(np.log(prices))

    def report(x: np.ndarray) -> dict[str, float]:
        variance = float(np.exp(2.0 * x[1])) / dt
        return {"sigma": variance**0.5, "drift": float(x[0]) / dt + 0.5 * variance + dividend}

    found = maximise(lambda x: _normal(r, x[0], np.exp(2.0 * x[1])), [r.mean(), np.log(r.std())], report, scale=[r.std() / r.size**0.5, 1.0])
    p = {k: e.value for k, e in found.parameters.items()}
    e = (r - r.mean()) / r.std()
    asset = GBM(spot=float(prices[-1]), sigma=p["sigma"], drift=p["drift"], dividend=dividend)
    return _made("gbm", asset, found, r, e, dt, np.full(r.size, p["sigma"]), np.zeros(r.size))


def fit_merton(prices: np.ndarray, dt: float, *, dividend: float = 0.0) -> Fit:
    """Fit Merton's jump diffusion by maximum likelihood; of several starts the likeliest fit.

    Args:
        prices: Positive [rows].
        dt: Years between rows.
        dividend: Yield a year, added to the drift.
    """
    r = np.diff(np.log(prices))

    def parts(x: np.ndarray) -> np.ndarray:
        """log of P(N = n) f(r | n), [n, days]."""
        (a, m), (variance, s2) = x[[0, 3]], np.exp([2.0 * x[1], 2.0 * x[4]])
        mean_number = rate(x[2]) * dt
        n = np.arange(_MOST + 1.0)
        log_weight = -mean_number + n * np.log(mean_number) - np.concatenate([[0.0], np.cumsum(np.log(n[1:]))])
        return log_weight[:, None] + _normal(r[None, :], a + n[:, None] * m, variance + n[:, None] * s2)

    def report(x: np.ndarray) -> dict[str, float]:
        sigma, intensity, m, s = np.exp(x[1]) / dt**0.5, rate(x[2]), x[3], np.exp(x[4])
        drift = x[0] / dt + 0.5 * sigma**2 + intensity * np.expm1(m + 0.5 * s**2) + dividend
        return _floats(sigma=sigma, intensity=intensity, jump_mean=m, jump_sd=s, drift=drift)

    sd = float(r.std())
    starts = [[r.mean(), np.log(0.8 * sd), free_rate(often), 0.0, np.log(k * sd)] for often, k in ((3.0, 5.0), (12.0, 3.0))]
    found = _likeliest(lambda x: np.logaddexp.reduce(parts(x), axis=0), starts, report, [sd / r.size**0.5, 0.3, 0.5, sd, 0.3])
    p, x = {k: e.value for k, e in found.parameters.items()}, found.x
    from scipy.special import ndtr

    logs = parts(x)
    n, weight = np.arange(_MOST + 1.0), np.exp(logs - np.logaddexp.reduce(logs, axis=0))
    deviation = np.sqrt(np.exp(2.0 * x[1]) + n * np.exp(2.0 * x[4]))[:, None]
    poisson = np.exp(-p["intensity"] * dt + n * np.log(p["intensity"] * dt) - np.concatenate([[0.0], np.cumsum(np.log(n[1:]))]))
    below = (poisson[:, None] * ndtr((r[None, :] - x[0] - n[:, None] * x[3]) / deviation)).sum(axis=0)
    asset = Merton(spot=float(prices[-1]), dividend=dividend, most_jumps=most_jumps(p["intensity"] * dt, 4), **p)
    variance = p["sigma"] ** 2 + p["intensity"] * (p["jump_mean"] ** 2 + p["jump_sd"] ** 2)
    return _made("merton", asset, found, r, gaussianise(below), dt, np.full(r.size, variance**0.5), 1.0 - weight[0])


def fit_kou(prices: np.ndarray, dt: float, *, dividend: float = 0.0) -> Fit:
    """Fit Kou's jump diffusion by maximum likelihood; of several starts the likeliest fit.

    Args:
        prices: Positive [rows].
        dt: Years between rows.
        dividend: Yield a year, added to the drift.
    """
    r = np.diff(np.log(prices))
    sd = float(r.std())
    reach = 2.0 * float(np.abs(r).max()) + 10.0 * sd
    size = 1 << int(np.ceil(np.log2(2.0 * reach / (0.02 * sd))))
    grid = -reach + 2.0 * reach / size * np.arange(size)
    u = 2.0 * np.pi * np.fft.fftfreq(size, 2.0 * reach / size)

    def density(x: np.ndarray) -> np.ndarray:
        sigma2, up, down = np.exp([2.0 * x[1], x[4], x[5]])
        share = 1.0 / (1.0 + np.exp(-x[3]))
        jump = share / (1.0 - 1j * u * up) + (1.0 - share) / (1.0 + 1j * u * down) - 1.0
        phi = np.exp(1j * u * x[0] - 0.5 * sigma2 * u**2 + rate(x[2]) * dt * jump)
        wave = np.real(np.fft.fft(phi * np.exp(1j * u * reach))) / (2.0 * reach)
        return np.maximum(wave, 1e-12)

    def report(x: np.ndarray) -> dict[str, float]:
        sigma, intensity, share = np.exp(x[1]) / dt**0.5, rate(x[2]), 1.0 / (1.0 + np.exp(-x[3]))
        up, down = np.exp(x[4]), np.exp(x[5])
        drift = x[0] / dt + 0.5 * sigma**2 + intensity * (share / (1.0 - up) + (1.0 - share) / (1.0 + down) - 1.0) + dividend
        return _floats(sigma=sigma, intensity=intensity, up_probability=share, up_mean=up, down_mean=down, drift=drift)

    def contributions(x: np.ndarray) -> np.ndarray:
        return np.interp(r, grid, np.log(density(x)))

    starts = [[r.mean(), np.log(0.8 * sd), free_rate(often), 0.0, np.log(k * sd), np.log(k * sd)] for often, k in ((3.0, 3.0), (12.0, 2.0))]
    found = _likeliest(contributions, starts, report, [sd / r.size**0.5, 0.3, 0.5, 0.5, 0.3, 0.3])
    p, f = {k: e.value for k, e in found.parameters.items()}, density(found.x)
    below = np.interp(r, grid, (np.cumsum(f) - 0.5 * f) * (grid[1] - grid[0]))
    quiet = np.exp(-p["intensity"] * dt + _normal(r, found.x[0], p["sigma"] ** 2 * dt) - contributions(found.x))
    asset = Kou(spot=float(prices[-1]), dividend=dividend, most_jumps=most_jumps(p["intensity"] * dt, 3), **p)
    square = 2.0 * (p["up_probability"] * p["up_mean"] ** 2 + (1.0 - p["up_probability"]) * p["down_mean"] ** 2)
    volatility = np.full(r.size, (p["sigma"] ** 2 + p["intensity"] * square) ** 0.5)
    return _made("kou", asset, found, r, gaussianise(below), dt, volatility, 1.0 - quiet)


def rate(x: float) -> float:
    """Jumps a year, from a free coordinate."""
    return float(MOST_A_YEAR / (1.0 + np.exp(-x)))


def free_rate(rate: float) -> float:
    """The coordinate of so many jumps a year."""
    return float(-np.log(MOST_A_YEAR / rate - 1.0))


def most_jumps(mean: float, least: int) -> int:
    """How many jumps a step have to be counted where ``mean`` come."""
    return next((n for n in range(least, 16) if most_mean(n) > 1.05 * mean), 16)


def _likeliest(contributions: Callable[[np.ndarray], np.ndarray], starts: list[list[float]], report: Any, scale: list[float]) -> Maximum:
    return max((maximise(contributions, start, report, scale=scale) for start in starts), key=lambda found: found.log_likelihood)


def _normal(r: np.ndarray, mean: Any, variance: Any) -> np.ndarray:
    return -0.5 * (_LOG_2PI + np.log(variance) + (r - mean) ** 2 / variance)


def _made(model: str, asset: Any, found: Maximum, r: np.ndarray, e: np.ndarray, dt: float, volatility: np.ndarray, jump: np.ndarray) -> Fit:
    """The Fit; ``jump`` is each day's probability of one. Increments are standardised by the volatility of their time, whatever the model's."""
    unit = np.where(jump > 0.5, np.nan, r / (ewma_volatility(r, dt) * dt**0.5))
    notes = [f"{int((jump > 0.5).sum())} of {r.size} days are likelier than not to hold a jump"] if jump.any() else []
    if model != "gbm" and asset.intensity > 0.999 * MOST_A_YEAR:
        notes.append(f"jumps came out as often as they are looked for, {MOST_A_YEAR:g} a year: they stand for days of high volatility")
    return Fit(model, asset, found.parameters, found.log_likelihood, found.count, e, unit, volatility, notes)


def _floats(**values: Any) -> dict[str, float]:
    return {name: float(value) for name, value in values.items()}
