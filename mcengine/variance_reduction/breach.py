"""The breach that weighted paths make common, and what their weights say of an estimate: how many equal paths they are worth."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from mcengine._spelling import near
from mcengine.engine.study import Study
from mcengine.statistics import estimate
from mcengine.statistics.estimate import Estimate

EVENTS = ("any_day", "end")
LEAST_EFFECTIVE, MOST_SHARE = 100.0, 0.05
"""Weights are refused when the breaching paths are worth fewer than this many equal ones, or one of them carries more than this share."""


@dataclass(frozen=True)
class Breach:
    """A book's wealth below a floor.

    Args:
        floor: Fraction of the starting wealth.
        book: Name of the policy.
        event: "any_day", or "end" for the horizon only.
    """

    floor: float
    book: str
    event: str = "any_day"

    @staticmethod
    def of(study: Study, floor: float, book: str | None = None, event: str = "any_day") -> "Breach":
        """The breach of a study's book.

        Args:
            study: Whose book it is.
            floor: Fraction of the starting wealth.
            book: Name of the policy; None for the last.
            event: "any_day", or "end" for the horizon only.

        Raises:
            ValueError: For what the study does not have.
        """
        name = list(study.books)[-1] if book is None else book
        if name not in study.books:
            raise ValueError(f"book: unknown book {name!r}{near(name, study.books)}")
        if event not in EVENTS:
            raise ValueError(f"event: expected one of {', '.join(EVENTS)}, got {event!r}")
        if isinstance(floor, bool) or not isinstance(floor, int | float | np.number) or not 0.0 < floor < math.inf:
            raise ValueError(f"floor: expected a positive share of the starting wealth, got {floor!r}")
        return Breach(float(floor), name, event)

    def __str__(self) -> str:
        return f"P({self.book} below {self.floor:g} {'on any day' if self.event == 'any_day' else 'at the end'})"

    def values(self, outcomes: Any) -> np.ndarray:
        """What is below the floor on a breach, over the starting wealth.

        Args:
            outcomes: ``{book: {outcome: array [paths]}}``.

        Returns:
            Array [paths].
        """
        return np.asarray(outcomes[self.book]["lowest" if self.event == "any_day" else "wealth"])


@dataclass(frozen=True)
class Weights:
    """How a sample is weighted.

    Args:
        paths: Number of paths.
        mean: Of the weights, which should be 1 within its error.
        effective: (sum w)^2 / sum w^2 of all paths.
        effective_tail: The same of the breaching ones.
        largest: Greatest share of the estimate on one path.
    """

    paths: int
    mean: Estimate
    effective: float
    effective_tail: float
    largest: float

    def check(self) -> None:
        """Check that value and error can be trusted.

        Raises:
            ValueError: Where the weights have degenerated.
        """
        if not self.effective_tail >= LEAST_EFFECTIVE or not self.largest <= MOST_SHARE:
            raise ValueError(
                f"importance sampling: expected breaching paths worth at least {LEAST_EFFECTIVE:.0f} equal ones and none with more than "
                f"{MOST_SHARE:.0%} of the estimate, got {self.effective_tail:.1f} and {self.largest:.1%} of {self.paths:,} paths; "
                "more paths, a higher floor or plain noise will do"
            )


def weights(result: Any, floor: float, book: str | None = None, event: str = "any_day") -> Weights:
    """The weights of a run on shifted noise, seen from a breach.

    Args:
        result: Of a study whose noise is ``Shifted``.
        floor: Fraction of the starting wealth.
        book: Name of the policy; None for the last.
        event: "any_day", or "end" for the horizon only.

    Raises:
        ValueError: For a run without weights.
    """
    breach = Breach.of(result.study, floor, book, event)
    if "log_weight" not in result.outcomes["market"]:
        raise ValueError("weights: expected a run of shifted noise, got one without weights")
    return weights_of(result.outcomes, breach, result.study.sampling)[1]


def weights_of(outcomes: Any, breach: Breach, sampling: Any) -> tuple[Estimate, Weights]:
    """(probability of the breach, weights)."""
    w = np.exp(np.asarray(outcomes["market"]["log_weight"], np.float64))
    hits = breach.values(outcomes) < breach.floor
    hit = np.where(hits, w, 0.0)
    tail, largest = (estimate.effective_size(hit), float(hit.max() / hit.sum())) if hit.any() else (0.0, 1.0)
    return estimate.probability(hits, sampling, w), Weights(w.size, estimate.mean(w, sampling), estimate.effective_size(w), tail, largest)
