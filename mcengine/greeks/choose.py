"""Which estimator of a derivative: a pilot of a few thousand paths runs each, and holds it to bumps of the same paths.

    pathwise       the derivative along each path, with the score of what moves by whole numbers (jumps, regimes, sides of events)
    kernel         of a probability or a quantile: the same, weighted by how near a path is to the level
    smoothed       either of them with the gates at a width
    likelihood     prices held, their density differentiated: for prices that have one
    bump           a difference on common paths
    extrapolated   differences of three sizes, extrapolated: the yardstick
The bias of each is its distance from the yardstick, path by path: where the two move together, as they do without a step, it is known
far better than either. What an estimator may hide, |bias| or the error that it is known with, is part of its expected error on the paths to be run,
    total^2 = error^2 pilot / paths + hidden^2,
nothing for the yardstick, nor for a likelihood ratio that leaves nothing to move. The least total is taken, in the order above within a quarter.
A step that the bumps of no path crossed is in no estimator: of 8,192 paths it is rarer than 3 in 8,192 of the bump (the rule of three).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from mcengine._model import field_metadata, parameters
from mcengine.greeks.bumps import Stencil, differences, outcomes_at, stencil
from mcengine.greeks.figures import Derivable
from mcengine.statistics import Sampling, estimate
from mcengine.statistics.estimate import Estimate

ESTIMATORS = ("pathwise", "kernel", "smoothed", "likelihood", "bump", "extrapolated")
BUMPS = ("bump", "extrapolated")
PILOT_FIRST = 1 << 40  # ids of pilots, but of windows: those of the derivatives themselves lie below
AT_LEVEL = "paths sit at the level, where they have no density"

_NEAR = 1.25  # of the least total: pilots tell no finer
_CARRIED = 0.25  # of a variance by one path: more, and its error is not known
_EXPLODED = 100.0  # errors of the yardstick
_STILL = 1e-4  # of the slopes of moving prices: less is rounding


@dataclass(frozen=True)
class Candidate:
    """One estimator on the pilot.

    Args:
        estimator: One of ``ESTIMATORS``.
        value: Of the derivative; None where it is not possible.
        bias: Its distance from the yardstick; None where it is the yardstick.
        hidden: Bias that it may have.
        total: Expected error on the paths to be run, ``hidden`` within.
        exact: Whether it is a likelihood ratio that leaves nothing to move.
        note: What should be known of it.
    """

    estimator: str
    value: Estimate | None = None
    bias: Estimate | None = None
    hidden: float = 0.0
    total: float = math.inf
    exact: bool = False
    note: str = ""

    def __str__(self) -> str:
        if self.value is None:
            return f"  {self.estimator:<13} not possible: {self.note}"
        bias = "the yardstick" if self.bias is None else str(self.bias)
        return f"  {self.estimator:<13} {self.value!s:>22}   bias {bias:<22} then ± {self.total:.2g}{f'   {self.note}' if self.note else ''}"


@dataclass(frozen=True)
class Choice:
    """What was measured of each estimator of one figure by one number; printed, it says which was taken and why.

    Args:
        figure: Name of the figure.
        number: Dotted name of the number.
        candidates: Every estimator that was tried.
        taken: The one that is run; empty for none.
        why: In words.
        within: Whether its expected error is within the tolerance.
    """

    figure: str
    number: str
    candidates: tuple[Candidate, ...]
    taken: str
    why: str
    within: bool

    def __str__(self) -> str:
        lines = "\n".join(map(str, self.candidates))
        return f"{self.figure} by {self.number}\n{lines}\n  taken: {self.taken or 'none'}, {self.why}"

    @property
    def chosen(self) -> Candidate | None:
        """The candidate that was taken."""
        return next((c for c in self.candidates if c.estimator == self.taken), None)


class Plan(NamedTuple):
    """How a choice is made: paths of the ``pilot`` and of what is run after it, width of smoothed gates, tolerance of a derivative, seed."""

    pilot: int
    paths: int
    width: float
    tolerance: float
    seed: int


def choose(subject: Any, figures: Mapping[str, Derivable], name: str, plan: Plan) -> list[Choice]:
    """Measure every estimator of the figures by one number, and choose for each figure.

    Args:
        subject: ``StudyPaths`` or ``ContractPaths``.
        figures: By name.
        name: Dotted name of the number.
        plan: Sizes and tolerance.
    """
    first = first_of_pilot(subject)
    pilot = subject.available(plan.pilot, first)
    options = {"seed": plan.seed, "stream": "pilot"}
    try:
        found = stencil(subject.model, name, subject.check)
        bumped = outcomes_at(lambda values: subject.at(values, pilot, first, **options), subject.model, name, found, found.offsets)
    except ValueError as error:
        refused = tuple(Candidate(one, note=str(error)) for one in BUMPS)
        return [Choice(one, name, refused, "", "no bump to hold any estimator to", within=False) for one in figures]
    hard = subject.moved(name, None, 0.0, pilot, first, **options)
    soft = subject.moved(name, plan.width, 0.0, pilot, first, **options)
    held = subject.moved(name, None, 1.0, pilot, first, **options)
    choices = []
    for title, figure in figures.items():
        samples = tuple((one.outcomes[figure.outcome], one.slopes[figure.outcome], one.score) for one in (hard, soft, held))
        slopes, exact = _slopes(subject.model, name, figure, samples)
        outcomes = {k: columns[figure.outcome] for k, columns in bumped.items()}
        against = differences(figure, outcomes, found.extrapolated)
        every = {**slopes, "bump": differences(figure, outcomes, found.single), "extrapolated": against}
        tried = [one for one in ESTIMATORS if one in every]
        least = {one: least_error(one, figure, found, held.score) for one in tried}
        measured = tuple(_measured(one, every[one], against, subject.sampling, plan, exact, least) for one in tried)
        unseen = figure.how != "probability" and not np.any(against) and bool(np.any(samples[1][1]))
        choices.append(_unseen(title, name, measured, pilot) if unseen else _chosen(title, name, measured, plan))
    return choices


def first_of_pilot(subject: Any) -> int:
    """Id of the pilot's first path; of windows of history, which are all there is, that of the derivatives themselves.

    Args:
        subject: ``StudyPaths`` or ``ContractPaths``.
    """
    return 0 if subject.sampling.kind == "windows" else PILOT_FIRST


def least_error(estimator: str, figure: Derivable, found: Stencil | None, score: np.ndarray) -> float:
    """What one path on the other side of a probability's step counts for: what an estimator that has seen none may be off by.

    Args:
        estimator: One of ``ESTIMATORS``.
        figure: What is differentiated.
        found: Where the number is moved to.
        score: Of the number at held prices [paths].
    """
    if figure.how != "probability":
        return 0.0
    if estimator == "likelihood":
        return float(np.std(score)) / score.size
    if estimator not in BUMPS or found is None:
        return 0.0
    offsets = found.single if estimator == "bump" else found.extrapolated
    return 1.0 / (score.size * (max(offsets) - min(offsets)) * found.size)


def still(held: np.ndarray, moving: np.ndarray) -> bool:
    """Whether an outcome no longer moves along paths whose prices are held.

    Args:
        held: Slopes at held prices [paths].
        moving: Slopes at moving ones [paths].
    """
    return bool(np.max(np.abs(held)) <= _STILL * max(float(np.max(np.abs(moving))), 1e-3))


def _slopes(model: Any, name: str, figure: Derivable, samples: Sequence[tuple[np.ndarray, ...]]) -> tuple[dict[str, Any], bool]:
    """(what each path adds to the derivative by estimator [paths], or why there is none, in words; whether the likelihood leaves nothing to move)."""
    hard, soft, held = samples
    found: dict[str, Any] = {}
    plain = "kernel" if figure.steps else "pathwise"
    if figure.steps:
        found["pathwise"] = f"a {figure.how} is of a step of the outcome, whose derivative along a path is 0"
    nothing = float(parameters(model)[name]) == 0.0
    if not field_metadata(model, name).get("pathwise", True) and (nothing or not np.any(hard[2])):
        said = "at 0 it has no score" if nothing else "it moves paths by whole jumps, and has no score here"
        return found | {plain: said, "likelihood": said}, False
    found[plain] = figure.slopes(*hard)
    if not (np.array_equal(hard[0], soft[0]) and np.array_equal(hard[1], soft[1])):
        found["smoothed"] = figure.slopes(*soft)
    if not np.any(held[2]):
        return found | {"likelihood": "the density of prices does not depend on it"}, False
    exact = still(held[1], hard[1])
    found["likelihood"] = figure.slopes(held[0], 0.0 * held[1] if exact else held[1], held[2])
    return found, exact


def _measured(name: str, y: Any, against: np.ndarray, sampling: Sampling, plan: Plan, exact: bool, least: Mapping[str, float]) -> Candidate:
    """One estimator from what each path adds to it; ``exact`` for a likelihood that leaves nothing to move, ``least`` errors by estimator."""
    if isinstance(y, str):
        return Candidate(name, note=y)
    if not np.all(np.isfinite(y)):
        bad = int(np.sum(~np.isfinite(y)))
        return Candidate(name, note=AT_LEVEL if bad == y.size else f"not a finite number on {bad} paths")
    value = estimate.mean(y, sampling)
    value = Estimate(value.value, max(value.error, least[name]), value.count, value.sampling)
    bias = None if name == "extrapolated" or not np.all(np.isfinite(against)) else estimate.mean(y - against, sampling)
    exact = exact and name == "likelihood"
    hidden = 0.0
    if bias is not None:
        yardstick, floor = estimate.mean(against, sampling), least["extrapolated"]
        if value.error > _EXPLODED * max(yardstick.error, floor, abs(yardstick.value)):
            return Candidate(name, note=f"its variance explodes: {value.value:.2g} ± {value.error:.2g}")
        if not np.any(y) and np.any(against):
            return Candidate(name, note="0 on every path, while bumps are not: it does not see the step")
        hidden = 0.0 if exact and abs(bias.value) <= 4.0 * bias.error else max(abs(bias.value), bias.error, floor)
    deviations = np.square(y - value.value)
    share = float(np.max(deviations)) / max(float(np.sum(deviations)), 1e-300)
    note = f"one path carries {share:.0%} of its variance" if share > _CARRIED else ""
    return Candidate(name, value, bias, hidden, math.hypot(value.error * math.sqrt(y.size / plan.paths), hidden), exact, note)


def _unseen(title: str, number: str, candidates: tuple[Candidate, ...], pilot: int) -> Choice:
    """None: outcomes, with gates smoothed, depend on the number, but bumps of the rule as it is changed nothing of the figure."""
    why = f"no bump changed the figure on any of {pilot:,} paths, though the smoothed rule's outcomes move: take a larger pilot"
    return Choice(title, number, candidates, "", why, within=False)


def _chosen(title: str, number: str, candidates: tuple[Candidate, ...], plan: Plan) -> Choice:
    """The least expected error, of the yardstick and those whose error is known."""
    able = [c for c in candidates if c.value is not None and math.isfinite(c.total)]
    if not able or all(c.estimator != "extrapolated" for c in able):
        return Choice(title, number, candidates, "", "no bump to hold any estimator to", within=False)
    known = [c for c in able if not c.note or c.estimator == "extrapolated"]
    least = min(c.total for c in known)
    best = next(c for c in known if c.total <= _NEAR * least)
    assert best.value is not None
    size = abs(best.value.value)
    within = best.total <= plan.tolerance * size
    why = f"its error over {plan.paths:,} paths, hidden bias within, is the least" if best.total == least else "within a quarter of the least error"
    if best.total == 0.0 and size == 0.0:
        why = "no path depends on it, neither smoothed nor bumped"
    if not within:
        share = f"{best.total / size:.0%} of it" if size > 0.0 else "of a derivative that the pilot did not see"
        why += f"; NOT within the tolerance of {plan.tolerance:.0%}: an error of {best.total:.2g} is {share}, take more paths"
    return Choice(title, number, candidates, best.estimator, why, within)
