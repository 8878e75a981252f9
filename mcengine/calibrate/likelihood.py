"""Maximum likelihood in free coordinates, errors in the ones that are read.

x maximises the mean of l_t(x), the log density of observation t given those before. Its covariance is the sandwich of White (Econometrica 50(1),
1982), valid where the model is wrong but its scores are not autocorrelated:
    C = A^{-1} B A^{-1} / n,   A = -mean d2 l,   B = mean (dl)(dl)',
and what is reported, g(x), has covariance J C J', J = dg/dx. Derivatives that are not given
are central differences.
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


Scored = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]


def maximise(
    contributions: Callable[[np.ndarray], np.ndarray],
    start: Any,
    report: Callable[[np.ndarray], Mapping[str, float]],
    *,
    scale: Any = 1.0,
    scored: Scored | None = None,
) -> Maximum:
    """Maximise the sum of ``contributions(x)`` [n] from ``start``; ``report(x)`` names what is read; ``scale`` is a coordinate's natural size;
    ``scored(x)``, where there is one, gives their derivatives [k, n] with them.

    Raises ``ValueError`` where no likelihood is finite at the start. An error is not a number where the data do not determine a parameter.
    """
    from scipy.optimize import minimize

    start = np.asarray(start, float)
    unit = np.broadcast_to(np.asarray(scale, float), start.shape)

    def loss(y: np.ndarray) -> float:
        with np.errstate(all="ignore"):
            value = -float(np.mean(contributions(start + unit * y)))
        return value if np.isfinite(value) else 1e10

    def sloped(y: np.ndarray) -> tuple[float, np.ndarray]:
        assert scored is not None
        with np.errstate(all="ignore"):
            values, slopes = scored(start + unit * y)
            value, slope = -float(np.mean(values)), -unit * slopes.mean(axis=1)
        return (value, slope) if np.isfinite(value) and np.all(np.isfinite(slope)) else (1e10, np.zeros_like(y))

    if loss(np.zeros_like(start)) >= 1e10:
        raise ValueError("maximise: expected a finite likelihood at the start; the data may hold a value the model cannot make")
    options: dict[str, Any] = {"gtol": 1e-6, "maxiter": 200}
    if scored:  # the scores' outer product is about the curvature (Berndt, Hall, Hall & Hausman 1974), and ten evaluations are saved
        slopes = unit[:, None] * scored(start)[1]
        outer = slopes @ slopes.T / slopes.shape[1]
        inverse = np.linalg.inv(outer + 1e-3 * np.trace(outer) * np.eye(start.size))
        options |= {"gtol": 3e-5, "hess_inv0": 0.5 * (inverse + inverse.T)}
    best = minimize(sloped if scored else loss, np.zeros_like(start), jac=bool(scored) or None, method="BFGS", options=options)
    if not scored and not best.success and np.max(np.abs(best.jac)) > 1e-4:
        simplex = minimize(loss, best.x, method="Nelder-Mead", options={"maxiter": 250 * start.size, "xatol": 1e-5, "fatol": 1e-10})
        best = simplex if simplex.fun < best.fun else best
    x = start + unit * best.x
    values = contributions(x)
    outer, bend = _by_slopes(scored, x, unit) if scored else _by_differences(lambda y: contributions(start + unit * y), best.x)
    covariance = unit[:, None] * _sandwich(outer, bend, values.size) * unit
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


def _by_slopes(scored: Scored, x: np.ndarray, unit: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(B, -A) in units of each coordinate, from first derivatives."""
    with np.errstate(all="ignore"):
        slopes = scored(x)[1] * unit[:, None]
        moved = [[scored(x + sign * e)[1].mean(axis=1) * unit for sign in (1.0, -1.0)] for e in np.diag(_STEP * unit)]
        bend = np.stack([(up - down) / (2.0 * _STEP) for up, down in moved])
    return slopes @ slopes.T / slopes.shape[1], 0.5 * (bend + bend.T)


def _by_differences(contributions: Callable[[np.ndarray], np.ndarray], x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(B, -A), from the values alone."""
    k, h = x.size, _STEP
    shifts = h * np.eye(k)
    with np.errstate(all="ignore"):
        up, down = (np.stack([contributions(x + sign * e) for e in shifts]) for sign in (1.0, -1.0))
        middle = float(np.mean(contributions(x)))
        scores = (up - down) / (2.0 * h)
        mean_up, mean_down = up.mean(axis=1), down.mean(axis=1)
        bend = np.diag((mean_up - 2.0 * middle + mean_down) / h**2)
        for i in range(k):
            for j in range(i):
                both = [float(np.mean(contributions(x + sign * (shifts[i] + shifts[j])))) for sign in (1.0, -1.0)]
                edges = mean_up[i] + mean_down[i] + mean_up[j] + mean_down[j]
                bend[i, j] = bend[j, i] = (sum(both) + 2.0 * middle - edges) / (2.0 * h**2)
        return scores @ scores.T / scores.shape[1], bend


def _sandwich(outer: np.ndarray, bend: np.ndarray, count: int) -> np.ndarray:
    """Covariance of the maximum [k, k], of ``count`` observations."""
    # A coordinate at a limit (a saturated logistic) has no curvature: the others' errors are those with it held.
    moves = np.diag(-bend) > 1e-7
    inside = np.ix_(moves, moves)
    if not np.all(np.isfinite(bend)) or not moves.any() or np.linalg.eigvalsh(-bend[inside])[0] <= 1e-12:
        return np.full(bend.shape, np.nan)
    inverse, out = np.linalg.inv(-bend[inside]), np.zeros(bend.shape)
    out[inside] = inverse @ outer[inside] @ inverse / count
    return out
