"""Sequential quadratic programming in a trust region (Fletcher 1985; Nocedal & Wright, Numerical Optimization, 2nd ed. 2006, section 18.5).

Maximise f(x) where c(x) >= 0 and low <= x <= high. Each step solves, with g and A the derivatives of f and c and B an estimate of the Hessian of
-f - price . c (damped BFGS, section 18.3),
    min over d, t >= 0 of   -g.d + d.B d / 2 + mu sum(t)   where   c + A d + t >= 0,   |d| <= radius,   low <= x + d <= high.
The slack t makes it elastic: where no point holds all constraints, the step goes where they are broken least. A step is taken if the merit
    -f + mu sum(max(-c, 0))
falls by a share of what the model promised; the radius follows how well it promised. mu stays above every price. A step that is refused because the
constraints are curved is bent towards them: solved again with their values where it led, less A d (second-order correction, section 18.3).
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from scipy.optimize import minimize, nnls

TAKEN, GOOD = 0.05, 0.75
"""Shares of the promised fall from which a step is taken and from which the radius grows."""
BENT, ABOVE = 0.5, 1.5
"""Share of the promised fall that a bent step must promise to be tried, and of the highest price that mu is at least."""
BINDS, BROKEN = 1e-5, 2e-4
"""Margin below which a constraint binds, and sum of violations that is more than the kinks of a finite sample make."""
FLAT, SHORT = 1e-2, 1e-5
"""Curvature that is assumed at first, and a radius at which there is nothing to be gained by going on."""
NEAR = 0.05
"""Radius in which a constraint that stops the last step binds."""
STALLED, LITTLE, MUCH = 6, 10.0, 100.0
"""Steps that together gain less than a few tolerances end a search where nothing is broken: on the kinks of a finite sample they promise more than
there is. Where one within ``NEAR`` still promises many tolerances, the search stands still short of an optimum."""
STEEP = 1e4
"""Most that a unit of violation is ever charged; where even this leaves some, it cannot be met near here."""


@dataclass(frozen=True)
class Values:
    """Of the functions at a point.

    Args:
        f: Goal.
        c: Constraints [constraints], at least 0 where they hold.
        g: Slope of the goal [numbers].
        a: Slopes of the constraints [constraints, numbers].
    """

    f: float
    c: np.ndarray
    g: np.ndarray
    a: np.ndarray


@dataclass
class Solution:
    """Where a search ended.

    Args:
        x: The point [numbers].
        at: The functions there.
        prices: What one unit of each constraint costs of the goal [constraints].
        ended: "optimal", "infeasible", "standstill" or "evaluations".
        b: Estimate of the Hessian there, with which a search from near it begins [numbers, numbers].
        rows: Of each evaluation: point, functions, merit, radius, whether taken.
    """

    x: np.ndarray
    at: Values
    prices: np.ndarray
    ended: str
    b: np.ndarray
    rows: list[dict[str, Any]] = field(default_factory=list)


def solve(
    evaluate: Callable[[np.ndarray], Values | None],
    start: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    *,
    tolerance: float = 1e-6,
    radius: float = 0.5,
    evaluations: int = 40,
    b: np.ndarray | None = None,
) -> Solution:
    """Search from a start.

    Args:
        evaluate: The functions at a point; None where there is no such point.
        start: First point [numbers], scaled so that a step of ``radius`` makes sense in each.
        low: Least of each number.
        high: Most of each.
        tolerance: Of the merit: a step that promises less ends the search.
        radius: First trust region.
        evaluations: Most.
        b: Estimate of the Hessian of -f - price . c [numbers, numbers]; None for a nearly flat one.

    Returns:
        Where it ended, and why.

    Raises:
        ValueError: Where nothing can be evaluated at the start.
    """
    x = np.clip(start, low, high)
    first = evaluate(x)
    if first is None:
        raise ValueError("start: expected numbers at which the study can be made")
    at: Values = first
    b, mu, rows, ended = np.eye(x.size) * FLAT if b is None else b, 1.0, [_row(x, at, 1.0, radius, True)], "evaluations"
    gains: list[float] = []
    while len(rows) < evaluations:
        room = (low - x, high - x)
        d, slack = quadratic_step(at, b, mu, room, radius)
        if slack > tolerance:  # mu is raised until the step mends half of what can be mended here (Byrd, Nocedal & Waltz 2008)
            broken, least = violation(at.c), quadratic_step(at, b, STEEP, room, radius)[1]
            while broken - slack < 0.5 * (broken - least) - tolerance and mu < STEEP:
                mu = min(2.0 * mu, STEEP)
                d, slack = quadratic_step(at, b, mu, room, radius)
        promised = _promised(at, b, d, mu)
        if promised < tolerance:
            ended = "optimal" if violation(at.c) <= BROKEN else "infeasible"
            break
        tried = evaluate(x + d)
        fall, model = _fall(at, tried, mu), at
        rows.append(_row(x + d, tried or at, mu, radius, fall > TAKEN * promised))
        if tried is not None and fall <= TAKEN * promised and len(rows) < evaluations:
            curved = replace(at, c=tried.c - at.a @ d)
            bent, _ = quadratic_step(curved, b, mu, room, radius)
            worth = _promised(curved, b, bent, mu) + mu * (violation(at.c) - violation(curved.c)) > BENT * promised
            if worth and np.max(np.abs(bent - d)) > SHORT:
                second = evaluate(x + bent)
                again = _fall(at, second, mu)
                rows.append(_row(x + bent, second or at, mu, radius, again > TAKEN * promised))
                if rows[-1]["taken"]:
                    d, tried, fall, model = bent, second, again, curved
        if fall > GOOD * promised and np.max(np.abs(d)) > 0.99 * radius:
            radius *= 2.0
        elif fall < 0.25 * promised:
            radius = 0.5 * float(np.max(np.abs(d)))
        if tried is not None:
            gains.append(fall if rows[-1]["taken"] else 0.0)
            prices = multipliers(model, b, d, room)
            b = bfgs(b, d, -(tried.g - at.g) - (tried.a - at.a).T @ prices)
            mu = min(max(mu, ABOVE * float(np.max(prices, initial=0.0))), STEEP)
            if rows[-1]["taken"]:
                x, at = np.clip(x + d, low, high), tried
        met, stalled = violation(at.c) <= BROKEN, len(gains) >= STALLED and sum(gains[-STALLED:]) < LITTLE * tolerance
        if radius < SHORT or (met and stalled):
            ended = "optimal" if met else "infeasible"
            break
    room = (low - x, high - x)
    d, _ = quadratic_step(at, b, mu, room, max(radius, NEAR))  # what is near, and what it would run into next, is what binds
    if ended == "optimal" and _promised(at, b, d, mu) > MUCH * tolerance:
        ended = "standstill"
    prices = np.where(at.c <= BROKEN, multipliers(at, b, d, room, near=BINDS), 0.0)
    return Solution(x, at, prices, ended, b, rows)


def _promised(at: Values, b: np.ndarray, d: np.ndarray, mu: float) -> float:
    """By how much a step lowers the merit, by the model."""
    return float(at.g @ d - 0.5 * d @ b @ d + mu * (violation(at.c) - violation(at.c + at.a @ d)))


def _fall(at: Values, tried: Values | None, mu: float) -> float:
    """By how much a step lowered the merit."""
    return -np.inf if tried is None else merit(at, mu) - merit(tried, mu)


def quadratic_step(at: Values, b: np.ndarray, mu: float, room: tuple[np.ndarray, np.ndarray], radius: float) -> tuple[np.ndarray, float]:
    """(d, sum of t) of the quadratic program.

    Args:
        at: The functions at x.
        b: B.
        mu: Charge for a unit of slack.
        room: low - x and high - x.
        radius: Of the trust region.
    """
    n, m = at.g.size, at.c.size
    least, most = np.maximum(room[0], -radius), np.minimum(room[1], radius)
    whole = np.hstack([at.a, np.eye(m)])
    found = minimize(
        lambda z: float(-at.g @ z[:n] + 0.5 * z[:n] @ b @ z[:n] + mu * np.sum(z[n:])),
        np.concatenate([np.zeros(n), np.maximum(-at.c, 0.0)]),
        jac=lambda z: np.concatenate([-at.g + b @ z[:n], np.full(m, mu)]),
        bounds=[*zip(least, most, strict=True), *[(0.0, None)] * m],
        constraints=[{"type": "ineq", "fun": lambda z: at.c + whole @ z, "jac": lambda z: whole}] if m else [],
        method="SLSQP",
        options={"maxiter": 200, "ftol": 1e-12},
    )
    d = np.clip(found.x[:n], least, most)
    return d, violation(at.c + at.a @ d)


def multipliers(at: Values, b: np.ndarray, d: np.ndarray, room: tuple[np.ndarray, np.ndarray], near: float = 1e-7) -> np.ndarray:
    """Prices: g - B d + A' price + walls = 0 over what binds after d, prices and walls not negative, by least squares.

    Args:
        at: The functions at x.
        b: B.
        d: The step.
        room: low - x and high - x.
        near: Margin below which a constraint binds.

    Returns:
        [constraints].
    """
    binds = np.flatnonzero(at.c + at.a @ d <= near)
    prices, one = np.zeros(at.c.size), np.eye(d.size)
    if binds.size:
        walls = np.hstack([one[:, d <= room[0] + 1e-9], -one[:, d >= room[1] - 1e-9]])
        found, _ = nnls(np.hstack([at.a[binds].T, walls]), b @ d - at.g)
        prices[binds] = found[: binds.size]
    return prices


def bfgs(b: np.ndarray, d: np.ndarray, y: np.ndarray) -> np.ndarray:
    """B after a step d over which the Lagrangian's slope changed by y, damped so that it stays positive definite (Powell 1978).

    Args:
        b: Before.
        d: Step.
        y: Change of slope.
    """
    bd = b @ d
    curvature, old = float(d @ y), float(d @ bd)
    if old <= 1e-300:
        return b
    theta = 1.0 if curvature >= 0.2 * old else 0.8 * old / (old - curvature)
    r = theta * y + (1.0 - theta) * bd
    return b - np.outer(bd, bd) / old + np.outer(r, r) / float(d @ r)


def merit(at: Values, mu: float) -> float:
    """-f + mu times the sum of violations.

    Args:
        at: The functions.
        mu: Charge for a unit.
    """
    return -at.f + mu * violation(at.c)


def violation(c: np.ndarray) -> float:
    """Sum of max(-c, 0).

    Args:
        c: Constraints.
    """
    return float(np.sum(np.maximum(-c, 0.0)))


def _row(x: np.ndarray, at: Values, mu: float, radius: float, taken: bool) -> dict[str, Any]:
    return {"x": x.copy(), "f": at.f, "c": at.c.copy(), "merit": merit(at, mu), "radius": radius, "taken": taken}
