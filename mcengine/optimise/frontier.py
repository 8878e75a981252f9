"""The frontier of protection against cost: a wish at several limits of one constraint, each search begun where the last one ended."""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from mcengine._spelling import near
from mcengine.engine import Study
from mcengine.objective import Wish
from mcengine.optimise.answer import Fit, Term
from mcengine.optimise.fitting import fit
from mcengine.optimise.problem import MOST_TRIES

FLOOR = "floor"
"""Stands for the wish's floor in place of a constraint."""


def frontier(study: Study, wish: Wish, constraint: str, levels: Sequence[float], **options: Any) -> list[Fit]:
    """Fits at several limits of one constraint, each judged on paths of its own, so that what one level says is no part of what another does.

    All levels are searched on the same paths, so that their differences are precise.

    Args:
        study: Of one policy.
        wish: What is to be best, and what must hold.
        constraint: Name of the one that varies; "floor" for the wish's floor.
        levels: Its limits, in their order.
        options: Of ``fit``.

    Returns:
        A Fit for each level.

    Raises:
        ValueError: For a constraint that the wish does not have, or has more than once, or no levels.
    """
    names = [one.name for one in wish.constraints]
    if constraint != FLOOR and constraint not in names:
        raise ValueError(f"frontier: unknown constraint {constraint!r}{near(constraint, [*names, FLOOR])}")
    if names.count(constraint) > 1:
        given = ", ".join(f"{'at most' if one.sign < 0.0 else 'at least'} {one.limit:g}" for one in wish.constraints if one.name == constraint)
        raise ValueError(f"frontier: expected a wish with one limit of {constraint}, which is to vary, got {given}")
    if not levels:
        raise ValueError("frontier: expected at least one level, got none")
    fits: list[Fit] = []
    for at, level in enumerate(levels):
        start = fits[-1].study if fits else study
        fits.append(fit(start, at_level(wish, constraint, float(level)), judges=MOST_TRIES * at, **options))
    return fits


def at_level(wish: Wish, constraint: str, level: float) -> Wish:
    """The wish at another limit.

    Args:
        wish: Goal and constraints.
        constraint: Name of one, or "floor".
        level: Its limit.
    """
    if constraint == FLOOR:
        return wish.at_floor(level)
    moved = [
        (replace(one, most=level) if one.least is None else replace(one, least=level)) if one.name == constraint else one for one in wish.constraints
    ]
    return replace(wish, constraints=tuple(moved))


def frontier_table(fits: Sequence[Fit], constraint: str, levels: Sequence[float]) -> Any:
    """Goal, price and numbers by level (pandas).

    A constraint may be several: of each year, in each market. Its price is the sum of theirs, its value and bound are those nearest to the limit.

    Args:
        fits: Of ``frontier``.
        constraint: Name of the one that varied.
        levels: Its limits.
    """
    import pandas as pd

    rows = []
    for one, level in zip(fits, levels, strict=True):
        terms = [term for term in one.terms if constraint != FLOOR and _is_of(term, constraint, one.wish)]
        worst = min(terms, key=_room, default=None)
        value = {} if worst is None else {f"{constraint}_value": worst.verdict.estimate, f"{constraint}_bound": worst.verdict.bound}
        price = one.floor_price if worst is None else sum(term.price for term in terms)
        rows.append({constraint: level, one.wish.goal_name: one.goal, **value, "price": price, "holds": one.feasible, **dict(one.table()["after"])})
    return pd.DataFrame(rows).set_index(constraint)


def _is_of(term: Term, constraint: str, wish: Wish) -> bool:
    """Whether a term is of the constraint: the figure itself or that of a year, in any market, at the limit of the wish."""
    found = term.condition.constraint
    named = found.name == constraint or re.fullmatch(rf"{re.escape(constraint)}_year_\d+", found.name) is not None
    return named and any(
        one.name == constraint and (one.most, one.least, one.floor) == (found.most, found.least, found.floor) for one in wish.constraints
    )


def _room(term: Term) -> float:
    """From the bound to the limit, positive inside."""
    return term.condition.constraint.sign * (term.verdict.bound - term.condition.limit)
