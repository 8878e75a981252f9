"""Second derivatives of a study's mean outcome by Hessian-vector products, held to second differences on common paths.

A derivative along paths twice over sees no kink: of an outcome with kinks (an option paid at the horizon, an exposure at its cap) it leaves out what
they are worth. The differences see them,
    [f(a, b) - f(a, -b) - f(-a, b) + f(-a, -b)] / 4ab,   [f(a) - 2 f(0) + f(-a)] / a^2,   extrapolated from two sizes,
and of a number at its bound those of one side, with errors of the same order. So the distance from them, with its error from batches of the same
paths, says whether the product is to be believed.
"""

import math
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import numpy as np

from mcengine._model import parameters, replace, with_parameters
from mcengine._runtime import capped
from mcengine.engine import Study
from mcengine.engine.checks import check_paths
from mcengine.engine.curvature import BatchCurvature
from mcengine.greeks.bumps import Stencil, stencil
from mcengine.greeks.samples import StudyPaths, listed
from mcengine.noise import make_key
from mcengine.statistics import Estimate

_BATCHES = 32  # at least, of all paths
_LEAST = 8  # batches, of the pilot
_SLOPES = {0: {-1: -0.5, 1: 0.5}, 1: {0: -1.5, 1: 2.0, 2: -0.5}, -1: {0: 1.5, -1: -2.0, -2: 0.5}}  # weights by offset, by side
_CURVES = {0: {-1: 1.0, 0: -2.0, 1: 1.0}} | {side: {0: 2.0, side: -5.0, 2 * side: 4.0, 3 * side: -1.0} for side in (1, -1)}
_PRECISION = float(np.finfo(np.float32).eps)  # of outcomes, over the square of a difference
_ROUNDING = 1e-3  # of second differences in single precision
_UNSEEN = 0.1  # of the derivative's own error: a distance that changes nothing of it


def second(
    study: Study,
    towards: str,
    names: Iterable[str] | None = None,
    *,
    paths: int = 262_144,
    pilot: int = 16_384,
    width: float = 0.0,
    seed: int = 0,
    book: str | None = None,
) -> Any:
    """Second derivatives of E[final / starting wealth] by one number and by others: gamma by ``towards`` a shock itself, cross-gammas, vanna.

    Args:
        study: What is simulated.
        towards: Dotted name of the one number.
        names: Dotted names of the others; None for ``towards`` itself.
        paths: Number of paths.
        pilot: Paths of the differences that it is held to, the first of all paths; in 8 batches or more.
        width: Of the rule's gates.
        seed: Of the random numbers.
        book: Name of the policy; None for the first.

    Returns:
        A pandas table by name: ``derivative``, ``bias`` (its distance from second differences on the pilot's paths) and ``smooth``, whether that is
        within 3 errors, or is nothing beside the derivative's own.

    Raises:
        ValueError: For an unknown book or name, a number without a derivative along paths, numbers of paths that are none, or windows of history.
    """
    import pandas as pd

    wanted = [towards] if names is None else listed("names", names)
    paths, pilot = capped(check_paths(paths), 8192), capped(check_paths(pilot, "pilot"), 2048)
    subject = StudyPaths(study, book, [*wanted, towards], ("wealth",))
    if subject.sampling.kind == "windows":
        raise ValueError("study: expected independent paths for second derivatives, got windows of history")
    book, rule = subject.book, replace(subject.model, width=width)

    def loss(outcomes: Any, extra: Any) -> Any:
        return outcomes[book]["wealth"], {}

    key = make_key(seed, "pilot")

    batch = max(1, min(paths // _BATCHES, pilot // _LEAST))
    program = BatchCurvature(rule, loss, subject.names, label=("second", book), batch=batch)
    size, count = program.paths, max(_LEAST, round(paths / program.paths))
    rows = [program({towards: 1.0}, rule, key, k) for k in range(count)]
    few = rows[: max(_LEAST, round(pilot / size))]

    def mean(values: dict[str, float]) -> np.ndarray:
        moved, count = with_parameters(rule, values), len(few) * size
        wealth = moved.run(count, seed=seed, stream="pilot", keep=count, progress=False).outcomes[book]["wealth"]
        return np.asarray(wealth, np.float64).reshape(len(few), size).mean(axis=1)

    table = {}
    for name in wanted:
        value, (by_batch, rounding) = _of_batches([row[name] for row in rows]), _differences(mean, rule, towards, name)
        bias = _of_batches([row[name] - y for row, y in zip(few, by_batch, strict=True)])
        allowed = max(_ROUNDING * abs(value.value), rounding) + _UNSEEN * value.error
        table[name] = {"derivative": value, "bias": bias, "smooth": abs(bias.value) <= 3.0 * bias.error + allowed}
    return pd.DataFrame.from_dict(table, orient="index")


def _differences(mean: Callable[[dict[str, float]], np.ndarray], rule: Study, first: str, second: str) -> tuple[np.ndarray, float]:
    """Second differences of ``mean`` of two sizes, extrapolated; at a bound, to one side of it [batches]; and what these owe to rounding."""
    known = parameters(rule)
    sides = {name: _side(stencil(rule, name, partial(with_parameters, rule))) for name in (first, second)}
    means: dict[tuple[float, float], np.ndarray] = {}

    def at(a: float, b: float) -> np.ndarray:
        if (a, b) not in means:
            means[a, b] = mean({name: float(known[name]) + by for name, by in ((first, a), (second, b)) if by})
        return means[a, b]

    def of(k: int) -> np.ndarray:
        if first == second:
            size, side = k * sides[first][0], sides[first][1]
            return sum((w * at(n * size, 0.0) for n, w in _CURVES[side].items()), start=0.0 * at(0.0, 0.0)) / size**2
        (one, a), (other, b) = ((k * size, _SLOPES[side]) for size, side in (sides[first], sides[second]))
        terms = (v * w * at(n * one, m * other) for n, v in a.items() for m, w in b.items())
        return sum(terms, start=0.0 * at(0.0, 0.0)) / (one * other)

    found = (4.0 * of(1) - of(2)) / 3.0
    return found, _PRECISION * float(np.max(np.abs(at(0.0, 0.0)))) / (sides[first][0] * sides[second][0])


def _side(found: Stencil) -> tuple[float, int]:
    """(least difference, all of whose multiples here lie within what the stencil has tried; 0 for both sides, or the sign of the one)."""
    offsets = found.offsets
    return (2.0 * found.size, 0) if min(offsets) < 0 < max(offsets) else (4.0 / 3.0 * found.size, 1 if max(offsets) > 0 else -1)


def _of_batches(means: list[float]) -> Estimate:
    return Estimate(float(np.mean(means)), float(np.std(means, ddof=1)) / math.sqrt(len(means)), len(means), "batches")
