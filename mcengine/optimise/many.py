"""Many numbers, as of a network: Adam (optax) down the gradient of fresh paths, with a price for each constraint.

Each number x is moved through an unconstrained u that keeps it in its range: x = low + (x_0 - low) e^u for a number with a lower bound, else
x_0 + u max(|x_0|, 1). On the paths of a step the hard rule is run first: it tells how far each condition is from holding, in errors, by which the
logarithm of its price moves (clipped), and fixes what the per-path forms hold fixed. Then the smooth program gives the gradient of
    (-goal - sum of price x margin) / (1 + sum of prices).
The learning rate falls as a cosine to nothing. The result is the mean of the last quarter's iterates. Where a judge does not accept it, it goes on
from there at higher prices.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, partial
from typing import Any

import jax.numpy as jnp
import numpy as np
import optax

from mcengine._model import bounds, replace
from mcengine.engine import BatchGradient
from mcengine.noise import make_key
from mcengine.optimise.condition import Condition
from mcengine.optimise.few import Found
from mcengine.optimise.numbers import one_by_one
from mcengine.optimise.problem import BENCHMARK, MOST_TRIES, Problem, Scene, verdict

LATER, TIGHTER = 0.3, 1.5
"""After a judge's no: the learning rate over the first one, and what the price of what was broken is raised by."""
ERRORS = 4.0
"""By as many of its errors a condition must miss for its price to move at the full rate."""
FORGETS = 0.95
"""Of Adam's mean square of the gradient, a step: a far start's steep first steps are forgotten in some twenty."""
AT_ONCE = 0.5
"""Of a miss, what the logarithm of a price moves at once."""
UP, DOWN = 3.0, -1.0
"""Most that a price moves in a step, of the rate: faster up than down."""
FAR = 6.0
"""Errors by which a limit is missed, at four turns of rising prices, from which it is said that it cannot be met."""
HALVED = 10
"""Most often that a step is halved."""


def descend(
    problem: Problem,
    recall: Callable[[Callable[[], Any]], Any],
    *,
    steps: int = 200,
    learning_rate: float = 0.05,
    price_rate: float = 0.05,
    tell: Callable[[str], Any] = lambda words: None,
) -> Found:
    """Descend, then judge.

    Args:
        problem: What is to be solved; its ``paths`` are those of a step.
        recall: Keeps the results of computations, so that a fit that was stopped goes on.
        steps: Of the optimiser.
        learning_rate: Of Adam at the start, in the unconstrained numbers.
        price_rate: By which the logarithm of a price moves in a step.
        tell: Is told of each step.
    """
    start = problem.point.start
    ends = {name: bounds(problem.study, name) for name in start}
    programs = [_Program(problem, scene) for scene in problem.scenes]
    moved: dict[str, Any] = {name: jnp.zeros(np.shape(x)) for name, x in start.items()}
    prices, miss = np.ones(len(problem.conditions)), np.zeros(len(problem.conditions))
    rows: list[dict[str, Any]] = []
    seen = {name: np.zeros(np.shape(x), bool) for name, x in start.items()}

    def differentiate(values: Mapping[str, Any], prices: np.ndarray, step: int) -> dict[str, Any]:
        parts = [one(values, prices, step) for one in programs]
        whole = {key: [x for part in parts for x in part[key]] for key in ("misses", "value")}
        gradient = {name: np.sum([part["gradient"][name] for part in parts], axis=0).tolist() for name in start}
        return {"goal": parts[0]["goal"], "gradient": gradient, **whole}

    kept: Found | None = None
    for turn in range(MOST_TRIES):
        length, rate = (steps, learning_rate) if not turn else (max(1, steps // 2), LATER * learning_rate)
        optimiser = optax.adam(optax.cosine_decay_schedule(rate, length), b2=FORGETS)
        state = optimiser.init(moved)
        trail: list[dict[str, np.ndarray]] = []
        charges: list[np.ndarray] = []
        for _ in range(length):
            values = _at(moved, start, ends)
            # The last step's miss moves the price at once, and for good by a little: the first damps what the second alone would swing.
            charged = prices * np.exp(AT_ONCE * miss)
            found = recall(partial(differentiate, values, charged, len(rows)))
            miss = np.clip(np.array(found["misses"]), DOWN, UP)
            rows.append(_row(problem, len(rows), found, charged, values))
            tell(f"{problem.wish.goal_name} {found['goal']:.6g}")
            slopes = {name: np.asarray(found["gradient"][name]) for name in start}
            seen = {name: seen[name] | (slopes[name] != 0.0) for name in start}
            dtype = jnp.result_type(float)
            chained = {name: jnp.asarray(slopes[name] * _slope(values[name], start[name], ends[name][0]), dtype) for name in start}
            updates, state = optimiser.update(chained, state)
            moved = _accepted(moved, updates, lambda u: problem.accepts(_at(u, start, ends)))
            charges.append(np.where(miss > DOWN, charged, 0.0))
            trail.append({name: np.asarray(u, np.float64) for name, u in moved.items()})
            prices = np.clip(prices * np.exp(price_rate * miss), 1e-4, 1e4)
        last = max(1, length // 4)
        middle = {name: np.mean([t[name] for t in trail[-last:]], axis=0) for name in start}
        if not problem.accepts(_at(middle, start, ends)):
            middle = trail[-1]
        moved = {name: jnp.asarray(u, jnp.result_type(float)) for name, u in middle.items()}
        values = _at(middle, start, ends)
        judged = recall(partial(problem.judge, values, turn))
        # Of a probability the price is of one unit of it; of its gap, which the rest reads, that over the slope of its quantile.
        per = [each if one.measure.how == "probability" else 1.0 for one, each in zip(problem.conditions, judged["per_limit"], strict=True)]
        price, gaps = np.mean(charges[-last:], axis=0), np.array([one[6] for one in judged["verdicts"]])
        ended = "infeasible" if any(map(_far, problem.conditions, judged["verdicts"])) else "steps"
        kept = Found(values, ended, judged, price / np.maximum(per, 1e-12), gaps, turn, rows)
        if all(one[4] for one in judged["verdicts"]):
            break
        prices = prices * np.where([one[4] for one in judged["verdicts"]], 1.0, TIGHTER)
    assert kept is not None
    kept.idle = [label for label, flag in one_by_one(seen).items() if not flag]
    return kept


class _Program:
    """Of one scene: the hard run of a step's paths and the gradient there."""

    def __init__(self, problem: Problem, scene: Scene) -> None:
        self.problem, self.scene = problem, scene
        self.conditions = [one for one in problem.conditions if one.scene == scene.name]
        self.at = [k for k, one in enumerate(problem.conditions) if one.scene == scene.name]
        self.names = {name: scene.named(name) for name in problem.names}
        self.smooth = replace(scene.both, width=problem.width)
        self.key = make_key(problem.seed, "train")

    def __call__(self, values: Mapping[str, Any], prices: np.ndarray, step: int) -> dict[str, Any]:
        paths, conditions = self.gradient.paths, self.conditions
        own, benchmark, study = self.problem.run(self.scene, values, paths, "train", step * paths)
        numbers = {self.names[name]: x for name, x in values.items()}
        answer = self.gradient(numbers, self.smooth, self.key, step, self._extra(own, benchmark, prices))
        self.gradient.check(answer, numbers, self.smooth, step, seed=self.problem.seed, stream="train")
        return {
            "goal": self.problem.goal.sampled(own, benchmark, study.sampling).value,
            "value": [one.measure.sampled(own, benchmark, study.sampling).value for one in conditions],
            "misses": [one.misses(own, benchmark, study.sampling) / ERRORS for one in conditions],
            "gradient": {name: np.asarray(answer[2][full], np.float64) for name, full in self.names.items()},
        }

    @cached_property
    def gradient(self) -> BatchGradient:
        """Compiled where it is first asked for: a fit whose journal has every step compiles nothing."""
        problem, book, goal, conditions = self.problem, self.scene.book, self.problem.goal, self.conditions
        own, benchmark, _ = problem.run(self.scene, problem.point.start, problem.paths, "train", 0)

        def loss(outcomes: Any, extra: Any) -> Any:
            own, benchmark = outcomes[book], outcomes.get(BENCHMARK, {})
            total = jnp.zeros_like(own["wealth"])
            if not self.scene.name:
                total -= problem.wish.sign * goal.per_path(own, benchmark, extra["goal"])
            for k, one in enumerate(conditions):
                total -= extra["prices"][k] * one.per_path(own, benchmark, extra["fixed"][k])
            return total / extra["whole"], {}  # so that a high price makes no steep gradient, which Adam would remember

        label = ("descent", book, self.scene.name == "", problem.wish.sign, goal.label, *(one.label for one in conditions))
        extra = self._extra(own, benchmark, np.ones(len(problem.conditions)))
        return BatchGradient(self.smooth, loss, self.names.values(), extra=extra, label=label, batch=problem.paths)

    def _extra(self, own: Any, benchmark: Any, prices: np.ndarray) -> dict[str, Any]:
        fixed = [one.measure.statistics(own, benchmark) for one in self.conditions]
        whole = np.array(1.0 + np.sum(prices))  # of all markets: the gradients of all are one sum
        own_prices = np.array([prices[k] for k in self.at])
        return {"goal": self.problem.goal.statistics(own, benchmark), "fixed": fixed, "prices": own_prices, "whole": whole}


def _far(one: Condition, fields: Sequence[Any]) -> bool:
    """Whether a judge found a condition broken by so many errors that more paths or steps mend nothing."""
    found = verdict(fields).estimate
    return one.constraint.sign * (found.value - one.limit) < -FAR * found.error


def _row(problem: Problem, step: int, found: Mapping[str, Any], prices: np.ndarray, values: Mapping[str, Any]) -> dict[str, Any]:
    figures = {one.name: value for one, value in zip(problem.conditions, found["value"], strict=True)}
    of_prices = {f"price of {one.name}": float(price) for one, price in zip(problem.conditions, prices, strict=True)}
    return {"step": step, problem.wish.goal_name: found["goal"], **figures, **of_prices, **one_by_one(values)}


def _accepted(moved: Mapping[str, Any], updates: Mapping[str, Any], accepts: Callable[[Mapping[str, Any]], bool]) -> dict[str, Any]:
    """After the step, or after the half, quarter ... of it that leaves numbers which do not contradict each other; where none does, as before."""
    for _ in range(HALVED):
        there: dict[str, Any] = optax.apply_updates(moved, updates)
        if accepts(there):
            return there
        updates = {name: 0.5 * step for name, step in updates.items()}
    return dict(moved)


def _at(u: Mapping[str, Any], start: Mapping[str, Any], ends: Mapping[str, Any]) -> dict[str, Any]:
    """Numbers by name from the unconstrained ones."""
    return {name: _value(np.asarray(x, np.float64), start[name], *ends[name]) for name, x in u.items()}


def _value(u: Any, start: Any, low: float | None, high: float | None) -> Any:
    x = start + u * np.maximum(np.abs(start), 1.0) if low is None else low + (start - low) * np.exp(u)
    return x if high is None else np.minimum(x, high - 1e-6 * np.maximum(np.abs(start), 1e-3))


def _slope(value: Any, start: Any, low: float | None) -> Any:
    return np.maximum(np.abs(start), 1.0) if low is None else value - low
