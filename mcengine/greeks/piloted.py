"""Derivatives of simulated figures by number: a pilot chooses the estimator, paths of their own tell the value."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from mcengine._runtime import capped
from mcengine.engine import NotFiniteError
from mcengine.engine.checks import check_paths
from mcengine.greeks.bumps import differences, outcomes_at, stencil
from mcengine.greeks.choose import AT_LEVEL, BUMPS, Choice, Plan, choose, first_of_pilot, least_error
from mcengine.greeks.derivatives import Derivatives, as_row, from_row
from mcengine.greeks.figures import Derivable
from mcengine.statistics import estimate
from mcengine.statistics.estimate import Estimate


def derivatives(
    subject: Any, figures: Mapping[str, Derivable], *, paths: int, pilot: int, width: float, tolerance: float, seed: int, journal: Any
) -> Derivatives:
    """Every figure's derivative by every number of a subject, each by the estimator that its pilot found best.

    Args:
        subject: A study's paths, or a contract's.
        figures: By name.
        paths: Of each derivative.
        pilot: Paths on which estimators are compared.
        width: Of the gates where they are smoothed.
        tolerance: Of an error, a fraction of the derivative.
        seed: Of the random numbers.
        journal: Keeps every number's derivatives; None for none.

    Raises:
        ValueError: For no figure or number, or a width or tolerance that is not above 0.
        NotFiniteError: For a path that breaks.
    """
    if not figures or not subject.names:
        raise ValueError(f"{'names' if figures else 'figures'}: expected at least one, got none")
    if not width > 0.0:
        raise ValueError(f"width: expected a number above 0, of the gates where they are smoothed, got {width!r}")
    if not tolerance > 0.0:
        raise ValueError(f"tolerance: expected a number above 0, a fraction of a derivative, got {tolerance!r}")
    plan = Plan(capped(check_paths(pilot, "pilot"), 2048), capped(check_paths(paths), 8192), width, tolerance, seed)
    plan = plan._replace(paths=subject.available(plan.paths, 0), pilot=subject.available(plan.pilot, first_of_pilot(subject)))
    recall = journal or (lambda compute: compute())
    choices: list[Choice] = []
    values: list[Estimate | None] = []
    for name in subject.names:
        for row in recall(partial(_by_number, subject, figures, name, plan)):
            choice, value = from_row(row)
            choices.append(choice)
            values.append(value)
    order = sorted(range(len(choices)), key=lambda k: list(figures).index(choices[k].figure))
    return Derivatives(tuple(choices[k] for k in order), tuple(values[k] for k in order), plan.paths, plan.pilot, subject.sampling)


def _by_number(subject: Any, figures: Mapping[str, Derivable], name: str, plan: Plan) -> list[dict[str, Any]]:
    """Choices and derivatives by one number, as rows that a journal can keep."""
    found = choose(subject, figures, name, plan)
    values = _run(subject, figures, name, plan, found)
    found = [_sitting(c, plan) if c.taken and c.figure not in values else c for c in found]
    return [as_row(choice, values.get(choice.figure)) for choice in found]


def _sitting(choice: Choice, plan: Plan) -> Choice:
    """None: of the pilot's few paths the kernel reached past those at the level, of all paths it does not."""
    return replace(choice, taken="", why=f"{AT_LEVEL}: seen on {plan.paths:,} paths, not on the pilot's", within=False)


def _run(subject: Any, figures: Mapping[str, Derivable], name: str, plan: Plan, choices: Iterable[Choice]) -> dict[str, Estimate]:
    """Each figure's derivative by the estimator taken; none where paths sit at its level."""
    options = {"seed": plan.seed, "stream": "pilot"}
    taken = {choice.figure: choice for choice in choices if choice.taken}
    samples: dict[tuple[float | None, float], Any] = {}

    def sample(estimator: str) -> Any:
        at = (plan.width if estimator == "smoothed" else None, 1.0 if estimator == "likelihood" else 0.0)
        if at not in samples:
            samples[at] = subject.moved(name, *at, plan.paths, 0, **options)
        return samples[at]

    weights: dict[str, dict[int, float]] = {}
    found, score = None, np.zeros(plan.paths)
    if any(choice.taken in BUMPS for choice in taken.values()):
        found = stencil(subject.model, name, subject.check)
        for title, choice in taken.items():
            if choice.taken in BUMPS:
                weights[title] = found.single if choice.taken == "bump" else found.extrapolated
        offsets = sorted({k for each in weights.values() for k in each})
        bumped = outcomes_at(lambda values: subject.at(values, plan.paths, 0, **options), subject.model, name, found, offsets)
    values = {}
    for title, choice in taken.items():
        figure = figures[title]
        if title in weights:
            y = differences(figure, {k: columns[figure.outcome] for k, columns in bumped.items()}, weights[title])
        else:
            one = sample(choice.taken)
            slope, score = one.slopes[figure.outcome], one.score
            if choice.taken == "likelihood" and choice.chosen is not None and choice.chosen.exact:
                slope = np.zeros_like(slope)
            y = figure.slopes(one.outcomes[figure.outcome], slope, one.score)
        moved = bumped.values() if title in weights else [one.outcomes, one.slopes]
        if figure.steps and not np.any(np.isfinite(y)) and all(np.all(np.isfinite(columns[figure.outcome])) for columns in moved):
            continue
        if not np.all(np.isfinite(y)):
            ids = np.flatnonzero(~np.isfinite(y)).tolist()
            raise NotFiniteError(ids, f"in the derivative of {title} by {name}", plan.seed, "pilot")
        value = estimate.mean(y, subject.sampling)
        hidden = 0.0 if choice.chosen is None else choice.chosen.hidden
        error = max(value.error, least_error(choice.taken, figure, found, score))
        values[title] = Estimate(value.value, math.hypot(error, hidden), value.count, value.sampling)
    return values
