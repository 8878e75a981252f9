"""``fit``: the numbers of a rule that meet a wish."""

import math
import time
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

import numpy as np
from tqdm import tqdm

from mcengine._model import parameters, with_parameters
from mcengine._runtime import capped
from mcengine.engine import Study
from mcengine.objective import Wish
from mcengine.optimise.answer import Fit, Term
from mcengine.optimise.few import Found, search
from mcengine.optimise.many import descend
from mcengine.optimise.numbers import chosen_names
from mcengine.optimise.problem import Problem, verdict
from mcengine.statistics import Estimate
from mcengine.statistics.paired import apart

FEW = 16
"""Most numbers that are searched with all their derivatives along each path; more go down a gradient on fresh paths."""
HALVED = 8
"""Numbers beyond which half the paths are searched, for the time of each grows with the numbers."""
SEARCH_PATHS, DESCENT_PATHS = 65_536, 8_192
METHODS = ("auto", "sqp", "adam")


def fit(
    study: Study,
    wish: Wish,
    *,
    method: str = "auto",
    paths: int | None = None,
    validation_paths: int = 1_048_576,
    train: Iterable[str] | None = None,
    benchmark: Any = None,
    also: Mapping[str, Study] | None = None,
    width: float = 0.002,
    starts: int = 1,
    evaluations: int = 60,
    check: bool = False,
    steps: int = 200,
    learning_rate: float = 0.05,
    price_rate: float = 0.05,
    seed: int = 0,
    judges: int = 0,
    journal: Callable[[Callable[[], Any]], Any] | None = None,
    progress: bool | None = None,
) -> Fit:
    """Fit the numbers of a rule to a wish.

    Args:
        study: Of one policy.
        wish: What is to be best, and what must hold.
        method: "sqp" for up to ``FEW`` numbers, "adam" for more; "auto" for the one that fits.
        paths: Of the search: fixed ones, or fresh ones in each step; None for ``SEARCH_PATHS`` (of many numbers half) or ``DESCENT_PATHS``.
        validation_paths: Unseen ones that say whether the wish holds.
        train: Dotted names of the numbers that move; None for ``default_names``. The rule's floor moves where it is named.
        benchmark: Policy for figures that compare with one.
        also: Other studies of the same rule by name, in which the constraints must hold too.
        width: Smooths the rule's gates in the search, as a fraction of wealth.
        starts: Searches by sqp, from the numbers as they are and from others drawn about them.
        evaluations: Most of a search.
        check: Whether to search on from the answer without derivatives, on the hard rule.
        steps: Of a descent.
        learning_rate: Of its Adam at the start, in the unconstrained numbers.
        price_rate: By which the logarithm of a price moves in a step, at most three times that.
        seed: Of the random numbers.
        judges: Runs on unseen paths that other fits of this seed may have had: this one's are other paths.
        journal: An ``engine.Journal`` that keeps every evaluation and verdict, so that a fit that was killed goes on with the same bits.
        progress: Whether to show a bar; None for on a terminal only.

    Raises:
        ValueError: For unknown names, where nothing can move, or for a wish that cannot be told to hold.

    Example:
        >>> import mcengine as mc
        >>> market = mc.market.Market({"equity": mc.market.GBM(spot=100.0, sigma=0.2, drift=0.07)}, rate=0.02)
        >>> study = mc.Study(market, mc.policy.chain(mc.policy.Mix(equity=1.0), mc.policy.Cppi(floor=0.9)), steps=12)
        >>> fit = mc.optimise.fit(study, mc.objective.Wish("mean_return", {"breach": {"most": 0.01}}), paths=1024, validation_paths=16_384)
        >>> fit.feasible, fit.terms[0].binds
        (True, True)
    """
    started = time.perf_counter()
    if method not in METHODS:
        raise ValueError(f"optimise.method: expected one of {', '.join(METHODS)}, got {method!r}")
    counts = {"paths": SEARCH_PATHS if paths is None else paths, "validation_paths": validation_paths}
    for name, value in (counts | {"starts": starts, "evaluations": evaluations, "steps": steps}).items():
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ValueError(f"optimise.{name}: expected a whole number of at least 1, got {value!r}")
    for name, rate in {"learning_rate": learning_rate, "price_rate": price_rate}.items():
        if isinstance(rate, bool) or not isinstance(rate, int | float) or not 0.0 < rate < math.inf:
            raise ValueError(f"optimise.{name}: expected a number above 0, got {rate!r}")
    names = chosen_names(study, train)
    numbers = sum(np.size(parameters(study)[name]) for name in names)
    if method == "sqp" and numbers > FEW:
        raise ValueError(f"optimise.method: expected adam for {numbers} numbers, for sqp takes {FEW} at most, got 'sqp'")
    descends = method == "adam" or numbers > FEW
    replayed = [name or "the study" for name, one in {"": study, **(also or {})}.items() if one.sampling.kind == "windows"]
    if descends and replayed:
        raise ValueError(
            f"optimise.method: expected sqp ({FEW} numbers at most) where {replayed[0]} replays history, whose windows run out, got adam"
        )
    paths = paths or (DESCENT_PATHS if descends else SEARCH_PATHS if numbers <= HALVED else SEARCH_PATHS // 2)
    problem = Problem(study, wish, names, capped(paths, 512), capped(validation_paths, 16_384), seed, width, benchmark, dict(also or {}), judges)
    recall = journal or (lambda compute: compute())
    with tqdm(desc="fit", unit="run", disable=None if progress is None else not progress, leave=False) as bar:

        def tell(words: str) -> None:
            bar.set_postfix_str(words)
            bar.update()

        if descends:
            rates = {"learning_rate": learning_rate, "price_rate": price_rate}
            found = descend(problem, recall, steps=capped(steps, 4), **rates, tell=tell)
        else:
            found = search(problem, recall, starts=starts, evaluations=evaluations, check=check, tell=tell)
    judged = found.judged
    terms = tuple(
        Term(one, verdict(fields), float(price * per))
        for one, fields, price, per in zip(problem.conditions, judged["verdicts"], found.prices, judged["per_limit"], strict=True)
    )
    floor_price = float(found.prices @ judged["per_floor"]) if terms else 0.0
    lost = _lost(problem, found, recall)
    timings = {"seconds": time.perf_counter() - started}
    checked = None if found.checked is None else found.checked[0]
    after = with_parameters(study, found.values)
    goal, idle = Estimate(*judged["goal"]), tuple(found.idle)
    return Fit(after, study, names, wish, found.rows, goal, terms, floor_price, found.ended, idle, checked, lost, problem.paths, timings)


def _lost(problem: Problem, found: Found, recall: Callable[[Callable[[], Any]], Any]) -> Estimate | None:
    """By how much the start's goal is better on the paths that judged the answer, where every limit holds there too.

    Searched paths only tell whether to look, to two errors of theirs: they are fewer, others and of the smooth rule.
    """
    first, (goal, error, *_) = found.rows[0], found.judged["goal"]
    kept = all(one.constraint.sign * (first[one.name] - one.limit) >= 0.0 for one in problem.conditions)
    doubt = 2.0 * error * math.sqrt(problem.judged / problem.paths)
    if not kept or problem.wish.sign * (first[problem.wish.goal_name] - goal) <= -doubt:
        return None
    began = recall(partial(problem.judge, problem.point.start, found.turn))
    held = all(Term(one, verdict(fields), 0.0).holds for one, fields in zip(problem.conditions, began["verdicts"], strict=True))
    gain = apart(Estimate(*found.judged["goal"]), Estimate(*began["goal"]))
    return gain.scaled(problem.wish.sign) if held else None
