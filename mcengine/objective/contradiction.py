"""Constraints that contradict each other whatever the rule, refused before anything is run."""

import re
from typing import Any

from mcengine.objective.constraint import Constraint


def check_once(constraints: tuple[Constraint, ...], floor: float) -> None:
    """Check that each side of a figure has one limit at a floor: of two the looser says nothing.

    Args:
        constraints: Of a wish.
        floor: The wish's, of constraints without one of their own.

    Raises:
        ValueError: For two.
    """
    known = dict[Any, Constraint]()
    for one in constraints:
        other = known.setdefault((one.name, one.sign, floor if one.floor is None else one.floor), one)
        if other is not one:
            side = "most" if one.sign < 0.0 else "least"
            raise ValueError(f"constraints.{one.name}.{side}: expected one limit, got two, {other.limit:g} and {one.limit:g}")


def check_consistent(constraints: tuple[Constraint, ...], whole: bool = False) -> None:
    """Check that no figure a, never above b, is to be at least more than what b may be at most.

    Args:
        constraints: Of a wish.
        whole: Whether ``p<k>`` is of the wealth over the whole horizon, not of each year's.

    Raises:
        ValueError: For two limits that no outcomes keep.
    """
    for lower in constraints:
        for upper in constraints:
            if lower.least is not None and upper.most is not None and _never_above(lower, upper, whole) and lower.least > upper.most:
                raise ValueError(
                    f"constraints: {lower.name} at least {lower.least:g} and {upper.name} at most {upper.most:g} contradict each other, "
                    f"for {lower.name} is never above {upper.name}"
                    if lower.name != upper.name
                    else f"constraints: {lower.name} at least {lower.least:g} and at most {upper.most:g} contradict each other"
                )


def _never_above(a: Constraint, b: Constraint, whole: bool) -> bool:
    """Whether figure ``a`` is at most figure ``b`` on any outcomes."""
    same_floor = a.floor == b.floor
    if a.name == b.name:
        return same_floor
    any_day = ("breach", "breach_any_day")
    if a.name in (*any_day, "breach_at_end") and b.name in any_day:
        return same_floor
    found = [re.fullmatch(r"(p|lowest_p)(\d+(?:\.\d+)?)((?:_year_\d+)?)", one.name) for one in (a, b)]
    if None in found:
        return False
    (kind, k, year), (kind_b, k_b, year_b) = (one.groups() for one in found)  # type: ignore[union-attr]
    return year == year_b and (kind == kind_b or (whole and (kind, kind_b) == ("lowest_p", "p"))) and float(k) <= float(k_b)
