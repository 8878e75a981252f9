"""A constraint as a search sees it, a margin with a slope, and as a judge does: whether it holds, with what confidence.

P(x < F) <= p is written as q_a(x) >= F, the a-quantile with a the share of hits that a judge of n paths is likely to accept: k - sqrt(k) of n, with
k the most hits whose upper bound (Clopper & Pearson) is p; the sqrt(k) is for the chance of the judge's own paths. Pairs and randomised points are
judged no more lightly: by the wider of this bound and Student's. Any other figure keeps as many of its errors on the judge's paths from its limit as
the confidence asks for, and one for the same chance.
"""

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from mcengine.objective import Constraint, Measure
from mcengine.objective.measure import Own
from mcengine.statistics import Estimate, Sampling
from mcengine.statistics.clopper_pearson import most_hits, upper_bound
from mcengine.statistics.estimate import MINIMUM, binomial

CLOSE = 1e-4
"""A gap below which a search is at its limit."""
ROUNDING = 1e-6
"""In single precision, by which a figure that is the same on every path may miss its limit."""


@dataclass(frozen=True)
class Verdict:
    """What unseen paths say of a constraint.

    Args:
        estimate: Of the figure.
        holds: Whether it keeps its limit at the confidence.
        bound: The figure's one-sided bound on the side of its limit.
        gap: What the search is to reach, by which the condition is met; in its own unit.
    """

    estimate: Estimate
    holds: bool
    bound: float
    gap: float


@dataclass(frozen=True)
class Condition:
    """A constraint in one market.

    Args:
        name: Of the figure, and of the market where there are several.
        scene: Of the market; "" for the study's own.
        constraint: The limit.
        measure: The figure.
        confidence: With which one run must say that it holds.
        judged: Paths of that run.
        sampling: How they depend on each other.

    Raises:
        ValueError: Where so few paths can never say that a probability keeps its limit.
    """

    name: str
    scene: str
    constraint: Constraint
    measure: Measure
    confidence: float
    judged: int
    sampling: Sampling

    def __post_init__(self) -> None:
        if self.measure.how == "probability" and not 0.0 < self.level < 1.0:
            tail = min(self.limit, 1.0 - self.limit)
            least = max(math.ceil(30.0 / tail) * self.sampling.overlap, 2 * self.judged)
            told = f"to tell that {self.name} keeps {self.limit:g}"
            if self.sampling.kind == "windows":
                raise ValueError(f"history: too short {told}: expected some {least:,} overlapping windows or more, got {self.judged:,}")
            raise ValueError(f"validation_paths: expected some {least:,} or more {told}, got {self.judged:,}")
        if self.measure.how in ("quantile", "tail_mean") and self.judged < self.fewest:
            raise self._too_few("validation_paths", self.judged)

    @property
    def limit(self) -> float:
        """Of the figure."""
        return self.constraint.limit

    @property
    def unit(self) -> float:
        """What a margin is divided by, so that those of all constraints compare: 1, or the limit where that is more."""
        return 1.0 if self.measure.how == "probability" else max(1.0, abs(self.limit))

    @cached_property
    def level(self) -> float:
        """a: the share of paths below F that a probability aims at."""
        return self._aim(self.limit)

    @property
    def neutral(self) -> float:
        """The correction that corrects nothing."""
        return 1.0 if self.measure.how == "probability" else 0.0

    def corrected(self, before: float, verdict: "Verdict", gap: float) -> float:
        """The correction of the next search, by which this point would have seemed to the last one what it was to the judge.

        Of a probability a factor of its level, for wealth that hugs the floor has a quantile there that tells nothing of the share beyond; it is let
        be where the search was not at its limit. Of any other figure what is added to its gap.

        Args:
            before: Of the last search.
            verdict: Of the judge.
            gap: Of the last search where it ended, corrected.
        """
        if self.measure.how != "probability":
            return before + verdict.gap - gap
        below = self.constraint.sign < 0.0
        share, aim = (verdict.estimate.value, self.level) if below else (1.0 - verdict.estimate.value, 1.0 - self.level)
        if gap > CLOSE and share <= aim:
            return before
        return before * float(np.clip(aim / max(share, 0.5 / self.judged), 0.5, 2.0))

    @property
    def fewest(self) -> int:
        """Paths from which the figure has an error; 0 where its kind does not tell."""
        if self.measure.how not in ("quantile", "tail_mean"):
            return 0
        tail = self.measure.level if self.measure.how == "tail_mean" else min(self.measure.level, 1.0 - self.measure.level)
        return math.ceil(MINIMUM * self.sampling.overlap / tail)

    def _too_few(self, name: str, given: int) -> ValueError:
        if self.sampling.kind == "windows" and given >= self.judged:
            return ValueError(
                f"history: too short for an error of {self.name}: expected {max(self.fewest, given + 1):,} windows or more, got {given:,}"
            )
        return ValueError(f"{name}: expected {max(self.fewest, given + 1):,} or more for {self.name}, got {given:,}")

    def _checked(self, found: Estimate, own: Own, name: str) -> Estimate:
        """The estimate, refused where too few paths leave it no error: a search would take the NaN for an answer."""
        if not math.isfinite(found.error):
            raise self._too_few(name, len(own[self.measure.needs[0]]))
        return found

    def gap(self, own: Own, benchmark: Own, sampling: Sampling, correction: float | None = None) -> float:
        """By how much the condition is met, not negative where it is.

        Args:
            own: Outcomes of the book [paths].
            benchmark: Of the benchmark.
            sampling: Dependence between these paths.
            correction: Of a judge; None for none, as on the judge's own paths.

        Raises:
            ValueError: Where there are too few paths for an error of the figure.
        """
        name = "validation_paths" if correction is None else "paths"
        correction = self.neutral if correction is None else correction
        if self.measure.how == "probability":
            return -self.constraint.sign * (self.aimed(correction).sampled(own, benchmark, sampling).value - self.measure.level)
        found = self._checked(self.measure.sampled(own, benchmark, sampling), own, name)
        there = math.sqrt(len(own[self.measure.needs[0]]) / self.judged)
        margin = (_errors(self.confidence, found) + 1.0) * there * found.error
        return (self.constraint.sign * (found.value - self.limit) - margin) / self.unit + correction

    def slope(self, own: Own, benchmark: Own, tangents: Own, correction: float) -> np.ndarray:
        """Derivative of the gap, its error held [numbers].

        Args:
            own: Outcomes of the book [paths].
            benchmark: Of the benchmark.
            tangents: Of the book's outcomes [paths, numbers].
            correction: Of a judge.
        """
        if self.measure.how == "probability":
            return -self.constraint.sign * self.aimed(correction).slope(own, benchmark, tangents)
        return self.constraint.sign * self.measure.slope(own, benchmark, tangents) / self.unit

    @property
    def label(self) -> Any:
        """What its per-path form depends on."""
        return self.measure.label, self.constraint.sign, self.unit

    def per_path(self, own: Own, benchmark: Own, statistics: Any) -> Any:
        """Of each path a number whose mean has the slope of the margin, sign (figure - limit): of a probability itself, which levels off inside.

        Args:
            own: Outcomes of the book.
            benchmark: Of the benchmark.
            statistics: Of the measure on a sample.
        """
        return self.constraint.sign / self.unit * self.measure.per_path(own, benchmark, statistics)

    def misses(self, own: Own, benchmark: Own, sampling: Sampling) -> float:
        """Errors by which the figure of these paths misses what is aimed at; negative inside.

        Args:
            own: Outcomes of the book under the hard rule [paths].
            benchmark: Of the benchmark.
            sampling: Dependence between the paths.
        """
        found = self.measure.figure("own", "benchmark").exact({"own": own, "benchmark": benchmark}, sampling)
        if self.measure.how != "probability":
            found = self._checked(found, own, "paths")
        elif not math.isfinite(found.error):  # no draw differs from another: as if the paths were independent, for a price that moves on
            n = max(1, len(own[self.measure.needs[0]]) // sampling.overlap)
            found = binomial(found.value * n, n)
        sign = self.constraint.sign
        margin = (_errors(self.confidence, found) + 1.0) * math.sqrt(len(own[self.measure.needs[0]]) / self.judged) * found.error
        aim = self.level if self.measure.how == "probability" else self.limit + sign * margin
        return -sign * (found.value - aim) / max(found.error, 1e-12)

    def verdict(self, own: Own, benchmark: Own, sampling: Sampling) -> Verdict:
        """What paths that no search has seen say.

        Args:
            own: Outcomes of the book under the hard rule [paths].
            benchmark: Of the benchmark.
            sampling: Dependence between the paths.
        """
        figure = self.measure.figure("own", "benchmark")
        found = figure.exact({"own": own, "benchmark": benchmark}, sampling)
        sign = self.constraint.sign
        if self.measure.how != "probability":
            bound, rounding = found.value - sign * _errors(self.confidence, found) * found.error, ROUNDING * self.unit
        else:
            bound, rounding = self._bound(found, len(own[self.measure.needs[0]]), sampling), 0.0
        return Verdict(found, bool(sign * (bound - self.limit) >= -rounding), bound, self.gap(own, benchmark, sampling))

    def _bound(self, found: Estimate, count: int, sampling: Sampling) -> float:
        """Of a probability: that of independent paths (Clopper & Pearson), or Student's where draws are others and it is further out.

        Student's alone trusts the error of what few hits there are, which 32 randomisations with a hit each put at nothing.
        """
        sign = self.constraint.sign
        exact = _clopper_pearson(found.value, max(1, count // sampling.overlap), self.confidence, sign)
        if sampling.kind == "iid":
            return exact
        if math.isfinite(found.error):
            other = found.value - sign * _errors(self.confidence, found) * found.error
        else:  # all draws agree: what as many draws of hit or miss would leave open, for a share is less
            other = _clopper_pearson(found.value, max(found.count, 1), self.confidence, sign)
        return max(exact, other) if sign < 0.0 else min(exact, other)

    def per_limit(self, own: Own, benchmark: Own) -> float:
        """By how much the gap falls for one unit more of protection asked: 1 / unit, for a probability the slope of its quantile.

        Args:
            own: Outcomes of the book [paths].
            benchmark: Of the benchmark.
        """
        if self.measure.how != "probability":
            return 1.0 / self.unit
        x, a = np.asarray(self.measure.columns(own, benchmark)[0], np.float64), self.level
        apart = min(0.5 * min(a, 1.0 - a), 4.0 * math.sqrt(a * (1.0 - a) / x.size))
        low, high = np.quantile(x, [a - apart, a + apart])
        step = 0.1 * min(self.limit, 1.0 - self.limit)
        aimed = (self._aim(self.limit + step) - self._aim(self.limit - step)) / (2.0 * step)
        return float(high - low) / (2.0 * apart) * aimed

    def aimed(self, correction: float) -> Measure:
        """The quantile that stands for a probability.

        Args:
            correction: Of a judge.
        """
        below = self.constraint.sign < 0.0
        level = self.level * correction if below else 1.0 - (1.0 - self.level) * correction
        return replace(self.measure, how="quantile", level=float(np.clip(level, 1e-9, 1.0 - 1e-9)), factor=1.0)

    def _aim(self, limit: float) -> float:
        below = self.constraint.sign < 0.0
        p = limit if below else 1.0 - limit
        if self.sampling.kind == "windows":
            error = math.sqrt(p * (1.0 - p) * self.sampling.overlap / self.judged)
            most = self.judged * (p - _errors(self.confidence, Estimate(p, error)) * error)
        else:
            most = float(most_hits(self.judged, p, self.confidence))
        share = (most - math.sqrt(max(most, 0.0))) / self.judged
        return share if below else 1.0 - share


def _errors(confidence: float, found: Any) -> float:
    """Errors on one side: Student's, of a one-sided interval."""
    one = Estimate(0.0, 1.0, found.count)
    return one.half_width(2.0 * confidence - 1.0) if confidence > 0.5 else 0.0


def _clopper_pearson(share: float, count: int, confidence: float, sign: float) -> float:
    """The one-sided bound of a share: from above for sign -1, from below for 1."""
    hits = math.ceil(round((share if sign < 0.0 else 1.0 - share) * count, 6))
    bound = upper_bound(hits, count, confidence)
    return bound if sign < 0.0 else 1.0 - bound
