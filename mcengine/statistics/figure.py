"""A figure: a per-path column and a reduction of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from mcengine.statistics import estimate
from mcengine.statistics.estimate import IID, Estimate
from mcengine.statistics.sampling import Sampling

Outcomes = Mapping[str, Mapping[str, np.ndarray]]


@dataclass(frozen=True)
class Column:
    """The per-path values of one ``outcome`` of one ``book``."""

    book: str
    outcome: str

    def __call__(self, outcomes: Outcomes) -> np.ndarray:
        return outcomes[self.book][self.outcome]


@dataclass(frozen=True)
class Figure:
    """Per-path values, reduced by ``how``; ``level`` is the quantile or the tail's share, ``factor`` multiplies the result.

    ``column(outcomes)`` gives the values. With ``adapt``, ``column`` is ``adapt(outcomes)``: it first fixes what it needs to know of the
    sample (a mean exposure, say) on the kept paths.
    """

    column: Callable[[Outcomes], np.ndarray] | None = None
    how: Literal["mean", "probability", "quantile", "tail_mean"] = "mean"
    level: float = 0.0
    factor: float = 1.0
    adapt: Callable[[Outcomes], Callable[[Outcomes], np.ndarray]] | None = None

    def __post_init__(self) -> None:
        if self.how in ("quantile", "tail_mean") and not 0.0 < self.level < 1.0:
            raise ValueError(f"Figure.level: expected a number above 0 and below 1 for a {self.how}, got {self.level!r}")

    @property
    def source(self) -> Column | None:
        """The one outcome whose values these are, as they are: what is reduced from it can be shared. None where figures make their own."""
        return self.column if isinstance(self.column, Column) else None

    def fixed(self, outcomes: Outcomes) -> Callable[[Outcomes], np.ndarray]:
        """The column, fixed on ``outcomes``."""
        if self.adapt is not None:
            return self.adapt(outcomes)
        if self.column is None:
            raise ValueError("Figure: expected column or adapt, got neither")
        return self.column

    def exact(self, outcomes: Outcomes, sampling: Sampling = IID) -> Estimate:
        """The figure of outcomes that are all there, taken as ``sampling`` says and weighted where they carry weights."""
        x, weights = self.fixed(outcomes)(outcomes), path_weights(outcomes)
        if self.how in ("mean", "probability"):
            reduce = estimate.mean if self.how == "mean" else estimate.probability
            return reduce(x, sampling, weights).scaled(self.factor)
        of_level = estimate.quantile if self.how == "quantile" else estimate.tail_mean
        return of_level(x, self.level, sampling, weights).scaled(self.factor)


def path_weights(outcomes: Outcomes) -> np.ndarray | None:
    """Likelihood ratio of each path in float64, or nothing where importance sampling is off."""
    log_weight = outcomes.get("market", {}).get("log_weight")
    return None if log_weight is None else np.exp(np.asarray(log_weight, np.float64))
