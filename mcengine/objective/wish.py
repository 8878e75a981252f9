"""A wish: what is to be as high, or as low, as can be, and what must hold.

``Wish("mean_return", {"breach": {"most": 0.005}, "p20": {"least": 0.97}, "turnover": {"most": 2}}, floor=0.9)``
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any

from mcengine._kinds import shown
from mcengine.engine import AbstractStudy
from mcengine.objective.constraint import CONFIDENCE, LARGEST, Constraint, Limits, constraints_of, measure_of
from mcengine.objective.contradiction import check_consistent, check_once
from mcengine.objective.measure import Measure
from mcengine.objective.setting import Setting

LOWER_IS_BETTER = (
    *("mean_shortfall", "squared_shortfall", "breach", "breach_any_day", "breach_at_end", "ruined", "deviation", "tracking_error"),
    *("volatility_deviation", "turnover", "cost", "drawdown", "volatility", "cvar_", "cdar_", "cost_"),
)
"""Figures that a goal makes low, by name or by the name's beginning."""


@dataclass(frozen=True)
class Wish:
    """A goal and constraints.

    Args:
        goal: Name of the figure that is to be best (``objective.NAMES``), or a ``Measure`` of one's own.
        constraints: By name of the figure ``{"most": ...}`` or ``{"least": ...}``, with a ``confidence`` and a ``floor`` of its own if wanted; or a
            list of ``Constraint``.
        floor: Fraction of the starting wealth, which shortfalls and breaches are measured from. It is not the rule's.
        maximise: Whether the goal is to be high; None for what its name says: risks and costs low, all else high.
        band: Of volatility a year, for ``share_in_band``.

    Raises:
        ValueError: For what is not understood, or constraints that contradict each other.

    Example:
        >>> import mcengine as mc
        >>> wish = mc.objective.Wish("mean_return", {"breach": {"most": 0.005}}, floor=0.9)
        >>> wish.constraints[0].limit
        0.005
    """

    goal: str | Measure = "mean_return"
    constraints: Annotated[Any, Mapping[str, Limits] | list[Constraint] | tuple[Constraint, ...]] = ()
    floor: float = 0.9
    maximise: bool | None = None
    band: list[float] | tuple[float, float] | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.goal, str | Measure):
            raise ValueError(f"goal: expected the name of a figure or a Measure, got {shown(self.goal)}")
        given = self.constraints
        if isinstance(given, Mapping):
            given = [one for name, limits in given.items() for one in constraints_of(name, limits)]
        if not (given is None or isinstance(given, list | tuple)) or not all(isinstance(one, Constraint) for one in given or ()):
            raise ValueError(f"constraints: expected limits by name, as {{breach: {{most: 0.005}}}}, or a list of Constraint, got {shown(given)}")
        object.__setattr__(self, "constraints", tuple(given or ()))
        if isinstance(self.floor, bool) or not isinstance(self.floor, int | float) or not 0.0 < self.floor < LARGEST:
            raise ValueError(f"floor: expected a number above 0, a fraction of the starting wealth, got {self.floor!r}")
        if self.band is not None:
            object.__setattr__(self, "band", _band(self.band))
        check_once(self.constraints, self.floor)
        check_consistent(self.constraints)

    def __str__(self) -> str:
        limits = [f"{one.name} {'at most' if one.sign < 0.0 else 'at least'} {one.limit:g}" for one in self.constraints]
        kept = f" with {', '.join(limits)}" if limits else ""
        return f"{'highest' if self.sign > 0.0 else 'lowest'} {self.goal_name}{kept}, floor {self.floor:g}"

    @property
    def goal_name(self) -> str:
        """Of the figure."""
        return self.goal if isinstance(self.goal, str) else self.goal.key

    @property
    def sign(self) -> float:
        """1 where the goal is to be high, -1 where low."""
        if self.maximise is not None:
            return 1.0 if self.maximise else -1.0
        low = any(self.goal_name == name or (name.endswith("_") and self.goal_name.startswith(name)) for name in LOWER_IS_BETTER)
        return -1.0 if low else 1.0

    def at_floor(self, floor: float) -> "Wish":
        """The same wish at another floor; what has a floor of its own moves by as much.

        Args:
            floor: Fraction of the starting wealth.
        """
        moved = [one if one.floor is None else replace(one, floor=one.floor + floor - self.floor) for one in self.constraints]
        return replace(self, floor=floor, constraints=tuple(moved))

    def setting(self, study: AbstractStudy) -> Setting:
        """What its figures read of a study.

        Args:
            study: What is simulated.
        """
        return Setting.of(study, self.floor, None if self.band is None else (self.band[0], self.band[1]))

    def goal_measure(self, study: AbstractStudy) -> Measure:
        """The measure of the goal.

        Args:
            study: What is simulated.
        """
        return measure_of(self.goal, self.setting(study))

    def measures(self, study: AbstractStudy) -> dict[str, tuple[Constraint, Measure]]:
        """Constraints and their measures by name; a percentile over several years is one of each year.

        Args:
            study: What is simulated.

        Raises:
            ValueError: For two limits of one side of one figure, or limits that contradict each other over this horizon.
        """
        setting, out = self.setting(study), dict[str, tuple[Constraint, Measure]]()
        if not setting.yearly:
            check_consistent(self.constraints, whole=True)
        for one in self.constraints:
            names = [one.figure]
            if isinstance(one.figure, str) and re.fullmatch(r"p\d+(\.\d+)?", one.figure) and setting.yearly:
                names = [f"{one.figure}_year_{year}" for year in range(1, setting.yearly + 1)]
            for name in names:
                each = Constraint(name, one.most, one.least, one.confidence, one.floor)
                key = each.name if one.floor is None else f"{each.name} at {one.floor:g}"
                if key in out:
                    if out[key][0].sign == each.sign:
                        raise ValueError(f"constraints.{name}: expected one limit of a side, got two, for p<k> is of every year")
                    key = f"{key} {'least' if one.most is None else 'most'}"
                out[key] = (each, each.measure(setting))
        return out


def floor_protection(floor: float, probability: float = 0.005, confidence: float = CONFIDENCE) -> Wish:
    """The highest mean return with P(any day below the floor) at most a probability.

    Args:
        floor: Fraction of the starting wealth.
        probability: Most of a breach.
        confidence: That it holds.

    Example:
        >>> import mcengine as mc
        >>> mc.objective.floor_protection(0.9).constraints[0].name
        'breach_any_day'
    """
    return Wish("mean_return", (Constraint("breach_any_day", most=probability, confidence=confidence),), floor)


def _band(given: Any) -> tuple[float, float]:
    numbers = isinstance(given, list | tuple) and all(isinstance(x, int | float) and not isinstance(x, bool) for x in given)
    if not numbers or len(given) != 2 or not 0.0 <= given[0] < given[1]:
        raise ValueError(f"band: expected two volatilities a year that rise, as [0.08,0.12], got {shown(given)}")
    return float(given[0]), float(given[1])
