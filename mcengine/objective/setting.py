"""What figures read of a study and of a wish, beside the outcomes."""

import math
from dataclasses import dataclass

from mcengine.engine import AbstractStudy


@dataclass(frozen=True)
class Setting:
    """What figures read of a study and of a wish.

    Args:
        floor: Fraction of the starting wealth.
        years: T.
        rate: r, annual, continuously compounded.
        steps: To the horizon.
        costs: Names of the costs.
        yearly: Whole years whose ends lie on a step; 0 for less than two.
        band: Of volatility a year, for ``share_in_band``.
    """

    floor: float
    years: float = 1.0
    rate: float = 0.0
    steps: int = 252
    costs: tuple[str, ...] = ()
    yearly: int = 0
    band: tuple[float, float] | None = None

    @classmethod
    def of(cls, study: AbstractStudy, floor: float, band: tuple[float, float] | None = None) -> "Setting":
        """Of a study.

        Args:
            study: What is simulated.
            floor: Fraction of the starting wealth.
            band: Of volatility a year.
        """
        years = study.steps // study.year_steps if study.year_steps else 0
        return cls(floor, float(study.years), float(study.market.rate.rate), study.steps, tuple(study.costs.names), years if years >= 2 else 0, band)

    @property
    def cash(self) -> float:
        """R."""
        return math.exp(self.rate * self.years)
