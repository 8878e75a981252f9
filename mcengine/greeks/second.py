"""Second derivatives of a study's mean outcome by Hessian-vector products, held to second differences on common paths.

A derivative along paths twice over sees no kink: of an outcome with kinks (an option paid at the horizon, an exposure at its cap) it leaves out what
they are worth. The differences see them,
    [f(a, b) - f(a, -b) - f(-a, b) + f(-a, -b)] / 4ab,   [f(a) - 2 f(0) + f(-a)] / a^2,   extrapolated from two sizes,
so the distance from them, with its error from batches of the same paths, says whether the product is to be believed.
"""

import math
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import numpy as np

from mcengine._model import parameters, replace, with_parameters
from mcengine._runtime import capped
from mcengine.engine import Study
from mcengine.engine.curvature import BatchCurvature
from mcengine.greeks.bumps import stencil
from mcengine.greeks.samples import StudyPaths
from mcengine.noise import make_key
from mcengine.statistics import Estimate

_BATCHES = 32
_ROUNDING = 1e-3  # of second differences in single precision


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
        pilot: Paths of the differences that it is held to.
        width: Of the rule's gates.
        seed: Of the random numbers.
        book: Name of the policy; None for the first.

    Returns:
        A pandas table by name: ``derivative``, ``bias`` (its distance from second differences on the pilot's paths) and ``smooth``, whether that is
        within 3 errors.

    Raises:
        ValueError: For an unknown book or name, or a number without a derivative along paths.
    """
    import pandas as pd

    wanted = (towards,) if names is None else tuple(names)
    subject = StudyPaths(study, book, [*wanted, towards], ("wealth",))
    book, rule = subject.book, replace(subject.model, width=width)

    def loss(outcomes: Any, extra: Any) -> Any:
        return outcomes[book]["wealth"], {}

    key = make_key(seed, "pilot")

    program = BatchCurvature(rule, loss, subject.names, label=("second", book), batch=max(1, capped(paths, 8192) // _BATCHES))
    size, count = program.paths, max(8, round(capped(paths, 8192) / program.paths))
    rows = [program({towards: 1.0}, rule, key, k) for k in range(count)]
    few = rows[: max(8, round(capped(pilot, 2048) / size))]

    def mean(values: dict[str, float]) -> np.ndarray:
        moved, count = with_parameters(rule, values), len(few) * size
        wealth = moved.run(count, seed=seed, stream="pilot", keep=count, progress=False).outcomes[book]["wealth"]
        return np.asarray(wealth, np.float64).reshape(len(few), size).mean(axis=1)

    table = {}
    for name in wanted:
        value, by_batch = _of_batches([row[name] for row in rows]), _differences(mean, rule, towards, name)
        bias = _of_batches([row[name] - y for row, y in zip(few, by_batch, strict=True)])
        table[name] = {"derivative": value, "bias": bias, "smooth": abs(bias.value) <= 3.0 * bias.error + _ROUNDING * abs(value.value)}
    return pd.DataFrame.from_dict(table, orient="index")


def _differences(mean: Callable[[dict[str, float]], np.ndarray], rule: Study, first: str, second: str) -> np.ndarray:
    """Second differences of ``mean`` of two sizes, extrapolated [batches]."""
    known = parameters(rule)
    size = {name: 2.0 * stencil(rule, name, partial(with_parameters, rule)).size for name in (first, second)}

    def at(a: int, b: int) -> np.ndarray:
        moved = {first: float(known[first]) + a * size[first]}
        return mean(moved | ({second: float(known[second]) + b * size[second]} if second != first else {}))

    def of(k: int) -> np.ndarray:
        if first == second:
            return (at(k, 0) - 2.0 * at(0, 0) + at(-k, 0)) / (k * size[first]) ** 2
        return (at(k, k) - at(k, -k) - at(-k, k) + at(-k, -k)) / (4.0 * k * k * size[first] * size[second])

    return (4.0 * of(1) - of(2)) / 3.0


def _of_batches(means: list[float]) -> Estimate:
    return Estimate(float(np.mean(means)), float(np.std(means, ddof=1)) / math.sqrt(len(means)), len(means), "batches")
