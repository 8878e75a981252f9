"""Few numbers, any constraints: search fixed paths, judge on unseen ones, correct what the search took for true, search again.

The search knows each condition's gap on few, smooth, fixed paths; the judge finds it for the hard rule on more. The next search corrects what it sees
by how the two differed where it was judged (``Condition.corrected``). What a judge accepts is kept, and the best of these is the answer.

Of more than ``ROUGH`` numbers an evaluation is dear and the way is long: there a search of an eighth of the paths goes ahead, and that of all begins
where it ended.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from scipy.optimize import minimize

from mcengine.optimise.numbers import one_by_one
from mcengine.optimise.problem import MOST_TRIES, Problem, verdict
from mcengine.optimise.sqp import Solution, Values, merit, solve

RADIUS, LATER = 0.5, 0.1
"""First trust regions, of a search from a start and of one from where a judge was: of each number's size."""
ROUGH = 4
"""Numbers beyond which a rough search goes ahead."""
SPARE = 0.25
"""Of the goal's error: what is left of the limits is used up where it would gain less."""
AWAY = np.log(2.0)
"""Other starts lie between a half and twice the first, in each number."""


@dataclass
class Found:
    """Where a search and its judges ended.

    Args:
        values: Numbers by name.
        ended: Of the last search: "optimal", "infeasible", "standstill" or "evaluations".
        judged: What the judge said there (see ``Problem.judge``).
        prices: Of the conditions, goal for a unit of gap [conditions].
        gaps: On the searched paths, corrected [conditions].
        turn: Of that judge.
        rows: Of each evaluation.
        idle: Numbers whose gradient was exactly zero on every path wherever it was looked at.
        checked: Of the derivative-free search: its goal less this one's, and the numbers; None where none was asked.
    """

    values: dict[str, np.ndarray]
    ended: str
    judged: dict[str, Any]
    prices: np.ndarray
    gaps: np.ndarray
    turn: int
    rows: list[dict[str, Any]] = field(default_factory=list)
    idle: list[str] = field(default_factory=list)
    checked: tuple[float, dict[str, np.ndarray]] | None = None


def search(
    problem: Problem,
    recall: Callable[[Callable[[], Any]], Any],
    *,
    starts: int = 1,
    evaluations: int = 60,
    check: bool = False,
    tell: Callable[[str], Any] = lambda words: None,
) -> Found:
    """Search, judge, correct.

    Args:
        problem: What is to be solved.
        recall: Keeps the results of computations, so that a search that was stopped goes on.
        starts: How many; others than the first are drawn about it.
        evaluations: Most of each search.
        check: Whether to search the hard rule from the answer on without derivatives.
        tell: Is told of each evaluation.

    Raises:
        ValueError: Where no number moves anything, or nothing can be made at the start.
    """
    point, rows = problem.point, list[dict[str, Any]]()
    corrections = {one.name: one.neutral for one in problem.conditions}
    # By each judge: the mean of the last two is less of a chance than the last, and forgets points left behind.
    told: dict[str, list[float]] = {one.name: [] for one in problem.conditions}
    moves = np.zeros(point.scale.size, bool)
    scale, known = np.array([1.0]), dict[bytes, dict[str, Any]]()

    def evaluate(x: np.ndarray, turn: int, first: bool = False, paths: int = problem.paths) -> Values | None:
        nonlocal moves
        values = point.values(x)
        if first:
            problem.check(values)
        elif not problem.accepts(values):
            return None  # numbers that contradict each other: the step was too long
        this = x.tobytes() + repr((paths, corrections)).encode()
        if this in known:
            return as_values(known[this])
        found = known[this] = recall(partial(problem.evaluate, values, dict(corrections), paths))
        moves |= np.array(found["moves"])
        goal = {problem.wish.goal_name: problem.wish.sign * found["f"]}
        figures = {one.name: value for one, value in zip(problem.conditions, found["value"], strict=True)}
        row = {"turn": turn, **goal, **figures, **one_by_one(values)}
        if not rows or any(rows[-1][label] != row[label] for label in point.labels):
            rows.append({"evaluation": len(rows), **row})
        tell(f"{problem.wish.goal_name} {problem.wish.sign * found['f']:.6g}")
        return as_values(found)

    def as_values(found: dict[str, Any]) -> Values:
        c, a = np.array(found["c"], float), np.array(found["a"], float).reshape(-1, point.scale.size)
        return Values(found["f"] / scale[0], c, np.array(found["g"]) / scale[0], a)

    fewer = problem.fewer if point.scale.size > ROUGH else problem.paths
    evaluate(point.x, 0, first=True, paths=fewer)
    if not np.any(moves):
        raise ValueError(
            f"train: the gradient by {', '.join(point.labels)} is exactly zero on all paths: nothing that is wished for depends on it. "
            "A hard trigger has no gradient: give width > 0; else name other numbers"
        )
    scale[0] = max(abs(rows[0][problem.wish.goal_name]), 1.0)

    def searched(x: np.ndarray, turn: int, paths: int = problem.paths, radius: float = LATER, b: np.ndarray | None = None) -> Solution:
        return solve(partial(evaluate, turn=turn, paths=paths), x, point.low, point.high, radius=radius, evaluations=evaluations, b=b)

    solutions = [searched(x, 0, fewer, RADIUS) for x in _starts(point.x, point, problem.seed, starts)]
    steep = max(1.0, *(2.0 * float(np.max(s.prices, initial=0.0)) for s in solutions))
    solution = min(solutions, key=lambda s: merit(s.at, steep))
    if fewer < problem.paths:
        solution = searched(solution.x, 0, b=solution.b)
    kept, best = None, (False, -np.inf)
    for turn in range(MOST_TRIES):
        if turn:
            solution = searched(solution.x, turn, b=solution.b)
        values = point.values(solution.x)
        judged = recall(partial(problem.judge, values, turn))
        found = Found(values, solution.ended, judged, solution.prices * scale[0], solution.at.c, turn)
        holds = all(one[4] for one in judged["verdicts"])
        # Of those that hold the best; else the one that is nearest to it.
        rank = (holds, solution.at.f if holds else min((one[6] for one in judged["verdicts"]), default=0.0))
        if kept is None or rank >= best:
            kept, best = found, rank
        spare = sum(price * scale[0] * max(one[6], 0.0) for price, one in zip(solution.prices, judged["verdicts"], strict=True))
        used = spare < SPARE * judged["goal"][1]
        if (solution.ended == "infeasible" and not holds) or not problem.conditions or (holds and used):
            break
        for one, fields, gap in zip(problem.conditions, judged["verdicts"], solution.at.c, strict=True):
            told[one.name].append(one.corrected(corrections[one.name], verdict(fields), float(gap)))
            corrections[one.name] = float(np.mean(told[one.name][-2:]))
    assert kept is not None
    kept.rows, kept.idle = rows, [label for label, moved in zip(point.labels, moves, strict=True) if not moved]
    if check:
        kept.checked = _without_derivatives(problem, kept, recall, corrections)
    return kept


def _starts(x: np.ndarray, point: Any, seed: int, count: int) -> list[np.ndarray]:
    draws = np.random.default_rng(seed).uniform(-AWAY, AWAY, (count - 1, x.size))
    return [x, *(np.clip(x * np.exp(draw), point.low, point.high) for draw in draws)]


def _without_derivatives(problem: Problem, found: Found, recall: Callable[[Callable[[], Any]], Any], corrections: Any) -> tuple[float, Any]:
    """By how much COBYQA (Ragonneau & Zhang 2024) finds a better goal of the hard rule on the same paths, from the answer on."""
    point = problem.point
    x = np.concatenate([np.ravel(value) for value in found.values.values()]) / point.scale
    known: dict[bytes, dict[str, Any]] = {}

    def at(x: np.ndarray) -> dict[str, Any]:
        if x.tobytes() not in known:
            values = point.values(np.clip(x, point.low, point.high))
            found = recall(partial(problem.hard, values, corrections)) if not known or problem.accepts(values) else refused
            known[x.tobytes()] = {**found, "values": values}
        return known[x.tobytes()]

    refused: dict[str, Any] = {}
    start = at(x)
    refused |= {"f": start["f"] - max(1.0, abs(start["f"])), "c": [-1.0] * len(problem.conditions)}  # of numbers that contradict each other
    slack = np.minimum(np.array(start["c"]), 0.0)  # it need not be better than the answer in what must hold
    limits = [{"type": "ineq", "fun": lambda x: np.array(at(x)["c"]) - slack}] if problem.conditions else []
    box = list(zip(point.low, point.high, strict=True))
    minimize(lambda x: -at(x)["f"], x, method="COBYQA", bounds=box, constraints=limits, options={"initial_tr_radius": 0.1, "maxfev": 60})
    best = max((one for one in known.values() if np.all(np.array(one["c"]) >= slack)), key=lambda one: one["f"])  # the answer itself is one
    return best["f"] - start["f"], best["values"]
