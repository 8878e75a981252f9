"""Hull-White to a curve: today's zero rates from par yields, reversion and volatility from how yields of several maturities moved.

Bootstrap: a par bond pays y/2 every half year; between quoted maturities yields are linear, so P(t_k) = (1 - y_k/2 sum P(t_j))/(1 + y_k/2) in turn.
History: a zero rate of T years moves by sigma B(T)/T times the short rate's noise, so var dz(T) = sigma^2 dt (B(T)/T)^2: kappa and sigma are the
least squares fit of log standard deviations over maturities, errors from a block bootstrap of the rows, as long as squares depend on each other.
"""

from typing import Any, NamedTuple

import numpy as np

from mcengine.market import HullWhite
from mcengine.statistics import Estimate
from mcengine.statistics.dependence import block_length

_DRAWS = 100


class CurveFit(NamedTuple):
    """Hull-White's model fitted to a history of yields.

    Args:
        rate: The model, on the last day's curve.
        parameters: kappa and sigma, a year.
        maturities: Years [maturities].
        moved: Volatility a year of the quoted yields [maturities].
        fitted: The model's [maturities].
        notes: What else to know, a line each.
    """

    rate: HullWhite
    parameters: dict[str, Estimate]
    maturities: np.ndarray
    moved: np.ndarray
    fitted: np.ndarray
    notes: list[str]


def zero_rates(maturities: Any, par: Any) -> tuple[np.ndarray, np.ndarray]:
    """Zero rates from par yields, by bootstrap on half years.

    Args:
        maturities: Years, at least two, rising [maturities].
        par: Semi-annual par yields as fractions [maturities].

    Returns:
        (years: those quoted below half a year, then every half year to the longest; continuously compounded zero rates a year).

    Raises:
        ValueError: Maturities do not rise, or a bond has a price of 0 or less.

    Example:
        >>> years, zeros = mc.calibrate.zero_rates([0.5, 1.0], [0.04, 0.04])
        >>> zeros.round(4)
        array([0.0396, 0.0396])
    """
    given, y = np.asarray(maturities, float), np.asarray(par, float)
    if given.ndim != 1 or given.shape != y.shape or given.size < 2 or not np.all(np.diff(given) > 0.0) or given[0] <= 0.0:
        raise ValueError(f"maturities: expected at least two that rise from above 0, and a yield for each, got {given.tolist()}")
    halves = np.arange(0.5, given[-1] + 1e-9, 0.5)
    at = np.interp(halves, given, y)
    discounts = np.empty(halves.size)
    for k, c in enumerate(at):
        discounts[k] = (1.0 - 0.5 * c * discounts[:k].sum()) / (1.0 + 0.5 * c)
    if not np.all(discounts > 0.0):
        raise ValueError(f"par: expected yields on which every bond has a price above 0, got {y.tolist()}")
    short = given[given < 0.5]
    bills = 2.0 * np.log1p(0.5 * y[: short.size])
    return np.concatenate([short, halves]), np.concatenate([bills, -np.log(discounts) / halves])


def fit_hull_white(yields: np.ndarray, maturities: Any, dt: float) -> CurveFit:
    """Fit Hull-White: today's curve exactly, reversion and volatility by how yields of several maturities moved.

    Args:
        yields: Par yields as fractions [days, maturities]; the last row is today's curve.
        maturities: Years [maturities].
        dt: Years between rows.

    Raises:
        ValueError: Maturities do not rise, or a bond has a price of 0 or less.
    """
    years = np.asarray(maturities, float)
    curve = zero_rates(years, yields[-1])
    changes = np.diff(yields, axis=0)
    kappa, sigma = _reversion(changes, years, dt)
    block = int(np.ceil(max(block_length(column**2) for column in changes.T)))
    random = np.random.default_rng(1)
    draws = []
    for _ in range(_DRAWS):
        starts = random.integers(0, len(changes), -(-len(changes) // block))
        rows = (starts[:, None] + np.arange(block)).ravel()[: len(changes)] % len(changes)
        draws.append(_reversion(changes[rows], years, dt))
    errors = np.std(np.array(draws), axis=0, ddof=1)
    rate = HullWhite(maturities=curve[0], zeros=curve[1], kappa=kappa, sigma=sigma)
    parameters = {n: Estimate(v, float(e), len(changes), "windows") for n, v, e in zip(("kappa", "sigma"), (kappa, sigma), errors, strict=True)}
    moved = changes.std(axis=0) / dt**0.5
    fitted = sigma * -np.expm1(-kappa * years) / (kappa * years)
    return CurveFit(rate, parameters, years, moved, fitted, [f"the curve has {curve[0].size} nodes; the model's volatility is one factor's"])


def _reversion(changes: np.ndarray, years: np.ndarray, dt: float) -> tuple[float, float]:
    from scipy.optimize import minimize_scalar

    logs = np.log(changes.std(axis=0) / dt**0.5)

    def gaps(log_kappa: float) -> np.ndarray:
        x = np.exp(log_kappa) * years
        return logs - np.log(-np.expm1(-x) / x)

    best = minimize_scalar(lambda k: float(np.var(gaps(k))), bounds=(np.log(1e-3), np.log(5.0)), method="bounded")
    return float(np.exp(best.x)), float(np.exp(np.mean(gaps(best.x))))
