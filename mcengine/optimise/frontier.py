"""The frontier of protection against cost: a wish at several limits of one constraint, each search begun where the last one ended."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from mcengine._spelling import near
from mcengine.engine import Study
from mcengine.objective import Wish
from mcengine.optimise.answer import Fit
from mcengine.optimise.fitting import fit

FLOOR = "floor"
"""Stands for the wish's floor in place of a constraint."""


def frontier(study: Study, wish: Wish, constraint: str, levels: Sequence[float], **options: Any) -> list[Fit]:
    """Fits at several limits of one constraint.

    Args:
        study: Of one policy.
        wish: What is to be best, and what must hold.
        constraint: Name of the one that varies; "floor" for the wish's floor.
        levels: Its limits, in their order.
        options: Of ``fit``.

    Returns:
        A Fit for each level.

    Raises:
        ValueError: For a constraint that the wish does not have, or no levels.
    """
    names = [one.name for one in wish.constraints]
    if constraint != FLOOR and constraint not in names:
        raise ValueError(f"frontier: unknown constraint {constraint!r}{near(constraint, [*names, FLOOR])}")
    if not levels:
        raise ValueError("frontier: expected at least one level, got none")
    fits: list[Fit] = []
    for level in levels:
        fits.append(fit(fits[-1].study if fits else study, at_level(wish, constraint, float(level)), **options))
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

    Args:
        fits: Of ``frontier``.
        constraint: Name of the one that varied.
        levels: Its limits.
    """
    import pandas as pd

    rows = []
    for one, level in zip(fits, levels, strict=True):
        term = next((term for term in one.terms if term.name == constraint), None)
        value = {} if term is None else {f"{constraint}_value": term.verdict.estimate, f"{constraint}_bound": term.verdict.bound}
        price = one.floor_price if term is None else term.price
        rows.append({constraint: level, one.wish.goal_name: one.goal, **value, "price": price, "holds": one.feasible, **dict(one.table()["after"])})
    return pd.DataFrame(rows).set_index(constraint)
