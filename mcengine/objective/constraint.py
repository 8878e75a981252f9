"""A constraint: a figure, the most or the least that it may be, and how sure that must be."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, TypedDict

from mcengine._kinds import shown
from mcengine._spelling import near
from mcengine.objective.measure import Measure
from mcengine.objective.measures import measure
from mcengine.objective.setting import Setting

CONFIDENCE = 0.99
"""With which a constraint is to hold, where none is given."""
LARGEST = 1e300
"""A number beyond it is none."""
_KEYS = ("most", "least", "confidence", "floor")


@dataclass(frozen=True)
class Constraint:
    """A figure and the most, or least, that it may be.

    Args:
        figure: Name of a figure, or a ``Measure`` of one's own.
        most: Upper limit, or None.
        least: Lower limit, or None.
        confidence: That it holds, of a one-sided bound on paths that the fit has not seen.
        floor: Fraction of the starting wealth, in place of the wish's.

    Raises:
        ValueError: For no limit or two, or a number out of its range.
    """

    figure: str | Measure
    most: float | None = None
    least: float | None = None
    confidence: float = CONFIDENCE
    floor: float | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.figure, str | Measure):
            raise ValueError(f"constraints.figure: expected the name of a figure or a Measure, got {shown(self.figure)}")
        if (self.most is None) == (self.least is None):
            raise ValueError(f"constraints.{self.name}: expected most or least, one of the two, got {'neither' if self.most is None else 'both'}")
        for key in _KEYS:
            value = getattr(self, key)
            number = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < LARGEST
            if value is not None and not number:
                raise ValueError(f"constraints.{self.name}.{key}: expected a number, got {shown(value)}")
        if self.floor is not None and not self.floor > 0.0:
            raise ValueError(f"constraints.{self.name}.floor: expected a number above 0, a fraction of the starting wealth, got {self.floor!r}")
        if not 0.5 <= self.confidence < 1.0:
            raise ValueError(f"constraints.{self.name}.confidence: expected a number from 0.5 to below 1, got {self.confidence!r}")

    @property
    def name(self) -> str:
        """Of the figure."""
        return self.figure if isinstance(self.figure, str) else self.figure.key

    @property
    def limit(self) -> float:
        """The most or least."""
        return float(self.most if self.most is not None else self.least)  # type: ignore[arg-type]

    @property
    def sign(self) -> float:
        """1 for least, -1 for most: sign (value - limit) is the margin."""
        return 1.0 if self.most is None else -1.0

    def measure(self, setting: Setting) -> Measure:
        """The measure.

        Args:
            setting: Of the study, at the wish's floor.

        Raises:
            ValueError: For a probability limited outside 0 to 1.
        """
        found = measure_of(self.figure, setting if self.floor is None else replace(setting, floor=float(self.floor)))
        if found.how == "probability" and not 0.0 < self.limit < 1.0:
            raise ValueError(f"constraints.{self.name}: expected a limit of a probability, above 0 and below 1, got {self.limit:g}")
        return found


class Limits(TypedDict, total=False):
    """A constraint as a file gives it, by the name of its figure."""

    most: float
    least: float
    confidence: float
    floor: float


def constraints_of(name: str, limits: Any) -> list[Constraint]:
    """Constraints of one figure: at most, at least, or both.

    Args:
        name: Of the figure.
        limits: ``{"most": ..., "least": ..., "confidence": ..., "floor": ...}``.

    Raises:
        ValueError: For what is not understood.
    """
    if not isinstance(name, str):
        raise ValueError(f"constraints: expected names of figures, got {shown(name)}")
    if not isinstance(limits, Mapping):
        raise ValueError(f"constraints.{name}: expected most or least, as {{most: 0.01}}, got {shown(limits)}")
    for key in limits:
        if key not in _KEYS:
            raise ValueError(f"constraints.{name}: unknown key {key!r}{near(key, _KEYS)}")
    rest = {key: value for key, value in limits.items() if key not in ("most", "least")}
    sides = [key for key in ("most", "least") if limits.get(key) is not None]
    return [Constraint(name, **rest, **{side: limits[side]}) for side in sides] if sides else [Constraint(name, **rest)]


def measure_of(figure: str | Measure, setting: Setting) -> Measure:
    """A measure from a name or a measure.

    Args:
        figure: Name or measure.
        setting: Of the study.
    """
    return figure if isinstance(figure, Measure) else measure(figure, setting)
