"""Maximum likelihood in free coordinates, errors in the ones that are read.

x maximises the mean of l_t(x), the log density of observation t given those before. Its covariance is the sandwich of White (Econometrica 50(1),
1982), valid where the model is wrong but its scores are not autocorrelated:
    C = A^{-1} B A^{-1} / n,   A = -mean d2 l,   B = mean (dl)(dl)',
and what is reported, g(x), has covariance J C J', J = dg/dx. Derivatives are central differences.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from mcengine.statistics import Estimate

_STEP = 1e-3  # coordinates are logarithms and the like, of order 1: second differences of a mean of float64s keep 9 digits


@dataclass(frozen=True)
class Maximum:
    """``x`` where the likelihood is largest, ``parameters`` as they are read, ``log_likelihood`` in all, ``count`` of coordinates."""

    x: np.ndarray
    parameters: dict[str, Estimate]
    log_likelihood: float
    count: int


def maximise(
    contributions: Callable[[np.ndarray], np.ndarray], start: Any, report: Callable[[np.ndarray], Mapping[str, float]], *, scale: Any = 1.0
) -> Maximum:
    """Maximise the sum of ``contributions(x)`` [n] from ``start``; ``report(x)`` names what is read; ``scale`` is a coordinate's natural size.

    Raises ``ValueError`` where no likelihood is finite at the start. An error is not a number where the data do not determine a parameter.
    """
    from scipy.optimize import minimize

    start = np.asarray(start, float)
    unit = np.broadcast_to(np.asarray(scale, float), start.shape)

    def loss(y: np.ndarray) -> float:
        with np.errstate(all="ignore"):
            value = -float(np.mean(contributions(start + unit * y)))
        return value if np.isfinite(value) else 1e10

    if loss(np.zeros_like(start)) >= 1e10:
        raise ValueError("maximise: expected a finite likelihood at the start; the data may hold a value the model cannot make")
    best = minimize(loss, np.zeros_like(start), method="BFGS", options={"gtol": 1e-6, "maxiter": 200})
    if not best.success and np.max(np.abs(best.jac)) > 1e-4:
        simplex = minimize(loss, best.x, method="Nelder-Mead", options={"maxiter": 250 * start.size, "xatol": 1e-5, "fatol": 1e-10})
        best = simplex if simplex.fun < best.fun else best
    x = start + unit * best.x
    values = contributions(x)
    covariance = unit[:, None] * _sandwich(lambda y: contributions(start + unit * y), best.x) * unit
    return Maximum(x, reported(report, x, covariance, values.size, unit), float(values.sum()), start.size)


def reported(
    report: Callable[[np.ndarray], Mapping[str, float]], x: np.ndarray, covariance: np.ndarray, count: int, unit: Any = 1.0
) -> dict[str, Estimate]:
    """``report(x)`` as Estimates, their errors by the delta method."""
    point = report(x)
    steps = 1e-5 * np.broadcast_to(np.asarray(unit, float), x.shape)
    jacobian = np.stack([(_values(report(x + e)) - _values(report(x - e))) / (2.0 * h) for h, e in zip(steps, np.diag(steps), strict=True)], axis=1)
    with np.errstate(invalid="ignore"):
        errors = np.sqrt(np.einsum("ij,jk,ik->i", jacobian, covariance, jacobian))
    errors[errors == 0.0] = np.nan  # held at a limit
    return {name: Estimate(float(value), float(error), count) for (name, value), error in zip(point.items(), errors, strict=True)}


def _values(point: Mapping[str, float]) -> np.ndarray:
    return np.array(list(point.values()), float)


def _sandwich(contributions: Callable[[np.ndarray], np.ndarray], x: np.ndarray) -> np.ndarray:
    """Covariance of the maximum, [k, k]."""
    k, h = x.size, _STEP
    shifts = h * np.eye(k)
    with np.errstate(all="ignore"):
        up, down = (np.stack([contributions(x + sign * e) for e in shifts]) for sign in (1.0, -1.0))
        middle = float(np.mean(contributions(x)))
        scores = (up - down) / (2.0 * h)
        outer = scores @ scores.T / scores.shape[1]
        mean_up, mean_down = up.mean(axis=1), down.mean(axis=1)
        bend = np.diag((mean_up - 2.0 * middle + mean_down) / h**2)
        for i in range(k):
            for j in range(i):
                both = [float(np.mean(contributions(x + sign * (shifts[i] + shifts[j])))) for sign in (1.0, -1.0)]
                edges = mean_up[i] + mean_down[i] + mean_up[j] + mean_down[j]
                bend[i, j] = bend[j, i] = (sum(both) + 2.0 * middle - edges) / (2.0 * h**2)
    # A coordinate at a limit (a saturated logistic) has no curvature: the others' errors are those with it held.
    moves = np.diag(-bend) > 1e-7
    inside = np.ix_(moves, moves)
    if not np.all(np.isfinite(bend)) or not moves.any() or np.linalg.eigvalsh(-bend[inside])[0] <= 1e-12:
        return np.full((k, k), np.nan)
    inverse, out = np.linalg.inv(-bend[inside]), np.zeros((k, k))
    out[inside] = inverse @ outer[inside] @ inverse / scores.shape[1]
    return out
