"""A figure and its standard error, and the plain statistics: mean, quantile, tail mean.

Every figure is a mean of an influence y over paths, and its error is s / sqrt(m) over the m independent draws that the sampling makes of
y: the paths themselves, the means of pairs, or the means over each randomisation's points. With weights w (likelihood ratios) the
influence is w y - c (w - 1), for E[w] = 1 is known: a control variate, c = Cov(w y, w) / Var(w).
  mean         y = x
  probability  y = 1 on a hit. With k hits in n independent draws the error is that of (k+1)/(n+2): no hit still has an error of about 1/n
  quantile     y = 1{x <= Q}: with e its error, half the distance of the quantiles at q - e and q + e (Woodruff 1952; for independent paths
               the order statistics at n q -/+ sqrt(n q (1-q))): no density is estimated, and an atom of the distribution does no harm.
               Where randomised points make e so small that only a few lie between, the distance is read further out (``slope_from``)
  tail mean    of the worst share a: with q the a-quantile, y = q + min(x - q, 0) / a (Manistre & Hancock 2005; Chen 2008)
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from mcengine.statistics.dependence import long_run_variance
from mcengine.statistics.sampling import Sampling
from mcengine.statistics.student import errors_either_side

IID = Sampling()
MINIMUM = 5.0
"""Draws in a tail below which its quantile or mean gets no error."""
NEIGHBOURS = 50.0
"""Ranks to either side from which the slope of randomised points is read: known to 1/sqrt(100) where they lie as if drawn independently."""


@dataclass(frozen=True)
class Estimate:
    """A figure with its standard error.

    Of few draws (32 randomisations, say) value -/+ 1.96 errors covers less than 95 %: see ``half_width``.

    Args:
        value: The figure, in its own unit.
        error: Standard error, same unit; NaN where there are too few draws.
        count: Independent draws the error is made of.
        sampling: How they were drawn: iid, pairs (of paths), randomisations, windows (of history) or batches (of paths).

    Example:
        >>> estimate = mc.Estimate(1.23456, 0.0123, count=1000)
        >>> print(estimate)
        1.235 ± 0.012
        >>> print(f"{estimate.z(1.2):.1f}")
        2.8
        >>> few = mc.Estimate(1.23456, 0.0123, count=32, sampling="randomisations")
        >>> print(f"{estimate.half_width() / 0.0123:.2f}, {few.half_width() / 0.0123:.2f}")
        1.96, 2.04
    """

    value: float
    error: float
    count: int = 0
    sampling: str = "iid"

    def __str__(self) -> str:
        if not math.isfinite(self.error):
            return f"{self.value:.4g} (no error: too few draws)"
        if self.error <= 1e-6 * abs(self.value):  # the same on every path, but for rounding
            return f"{self.value:.6g} ± {self.error:.1g}"
        if self.error == 0.0:
            return f"{self.value:g} ± 0"
        digits = max(0, 1 - math.floor(math.log10(self.error)))
        return f"{self.value:.{digits}f} ± {self.error:.{digits}f}"

    def scaled(self, factor: float) -> "Estimate":
        """The same figure in other units.

        Args:
            factor: Multiplies the value; its absolute value multiplies the error.
        """
        return Estimate(self.value * factor, self.error * abs(factor), self.count, self.sampling)

    def half_width(self, coverage: float = 0.95) -> float:
        """Half the width of the confidence interval value -/+ t error, t of Student's distribution with ``count`` - 1 degrees of freedom.

        Args:
            coverage: Share of such intervals that hold the true figure, above 0 and below 1.
        """
        return errors_either_side(coverage, max(self.count - 1, 1) if self.count else None) * self.error

    def z(self, reference: float) -> float:
        """Number of standard errors by which the value lies above a reference.

        Args:
            reference: In the unit of the value.
        """
        return (
            (self.value - reference) / self.error
            if self.error > 0.0
            else math.copysign(math.inf, self.value - reference)
            if self.value != reference
            else 0.0
        )


def mean(x: Any, sampling: Sampling = IID, weights: Any = None) -> Estimate:
    """Mean of per-path values, summed in float64.

    Args:
        x: Values [paths].
        sampling: Dependence between paths.
        weights: Likelihood ratios [paths], or None.
    """
    x = np.asarray(x)
    y = controlled(x, weights)
    value = float(np.mean(y, dtype=np.float64))
    error, count = _error(y, sampling)
    return Estimate(value, error, count, sampling.kind)


def probability(hits: Any, sampling: Sampling = IID, weights: Any = None) -> Estimate:
    """Share of paths on which an event happens.

    Where no draw differs from another, randomisations and weighted paths tell no error: what no hit in n means is known of independent
    paths, and of pairs, only.

    Args:
        hits: True (or 1) where it happens [paths].
        sampling: Dependence between paths.
        weights: Likelihood ratios [paths], or None.
    """
    hits = np.asarray(hits)
    if sampling.kind == "iid" and weights is None:
        return binomial(float(np.sum(hits, dtype=np.float64)), hits.size)
    return or_rare(mean(hits, sampling, weights), weights is not None)


def binomial(hits: float, count: int) -> Estimate:
    """Share of ``hits`` in ``count`` independent draws."""
    p = (hits + 1.0) / (count + 2.0)
    return Estimate(hits / count, math.sqrt(p * (1.0 - p) / count), count)


def or_rare(one: Estimate, weighted: bool) -> Estimate:
    """A probability of paths that are not independent or are weighted; where its draws all agree, what error that leaves."""
    if one.error > 0.0:
        return one
    rare = binomial(one.value * one.count, one.count).error if one.sampling == "pairs" and not weighted else math.nan
    return Estimate(one.value, rare, one.count, one.sampling)


def quantile(x: Any, q: float, sampling: Sampling = IID, weights: Any = None) -> Estimate:
    """The q-quantile of per-path values.

    Args:
        x: Values [paths].
        q: Level, above 0 and below 1.
        sampling: Dependence between paths.
        weights: Likelihood ratios [paths], or None.
    """
    x = np.asarray(x)
    n = x.size
    if weights is not None:
        return _weighted_quantile(x, q, sampling, np.asarray(weights, np.float64))
    at = np.partition(x, min(int(n * q), n - 1))[min(int(n * q), n - 1)]
    if sampling.kind == "iid":
        spread, count = math.sqrt(n * q * (1.0 - q)), n
    else:
        below, count = _error(x < at, sampling)
        spread = n * max(below, _error(x <= at, sampling)[0])
    spread, reach = slope_from(spread, n * min(q, 1.0 - q), 1.0, sampling)
    if not (n / sampling.overlap * min(q, 1.0 - q) >= MINIMUM and math.isfinite(spread)):
        return Estimate(float(at), math.nan, count, sampling.kind)
    ranks = [min(max(math.floor(r), 0), n - 1) for r in (n * q - reach, n * q + reach)]
    part = np.partition(x, sorted(set(ranks)))
    low, high = (float(part[r]) for r in ranks)
    return Estimate(float(at), 0.5 * (high - low) * (spread / reach), count, sampling.kind)


def slope_from(spread: float, tail: float, path: float, sampling: Sampling) -> tuple[float, float]:
    """(error of a quantile's level, levels to either side at which values are read for it).

    Randomised points may be so regular that the error is of two or three ranks. A value between two is then known to a rank, and how fast values
    rise is read from ``NEIGHBOURS`` of them: from five it is so uncertain that intervals are missed twice as often as they should be.

    Args:
        spread: Error of the level, by the sampling.
        tail: Paths in the tail.
        path: What a path counts: 1 where levels are ranks, 1 over their number where they are shares.
        sampling: Dependence between paths.
    """
    if sampling.kind != "randomisations":
        return spread, spread
    spread = math.hypot(spread, path)
    return spread, max(spread, path * min(NEIGHBOURS, tail))


def tail_mean(x: Any, share: float, sampling: Sampling = IID, weights: Any = None) -> Estimate:
    """Mean of the lowest values: minus the expected shortfall of the loss.

    Args:
        x: Values [paths].
        share: Of paths in the tail, above 0 and below 1.
        sampling: Dependence between paths.
        weights: Likelihood ratios [paths], or None.
    """
    x = np.asarray(x)
    n = x.size
    if weights is None:
        q = float(np.partition(x, min(int(share * n), n - 1))[min(int(share * n), n - 1)])
        enough = n / sampling.overlap * share >= MINIMUM
    else:
        q = _weighted_quantile(x, share, sampling, np.asarray(weights, np.float64)).value
        enough = effective_size(weights * (x <= q)) >= MINIMUM
    y = controlled(np.minimum(x - q, 0.0, dtype=np.float64) / share, weights)
    error, count = _error(y, sampling)
    return Estimate(q + float(np.mean(y)), error if enough else math.nan, count, sampling.kind)


def moments(x: Any, sampling: Sampling) -> list[Estimate]:
    """Mean, variance, skewness g and kurtosis above 3, k - 3, each with the error of its influence: of z = (x - mean) / sd
    s^2 (z^2 - 1),   z^3 - g - 3 z - 3/2 g (z^2 - 1),   z^4 - k - 4 g z - 2 k (z^2 - 1).
    """
    x = np.asarray(x, np.float64)
    variance = float(np.var(x))
    z = (x - np.mean(x)) / math.sqrt(max(variance, 1e-300))
    square = z * z
    g, k = float(np.mean(square * z)), float(np.mean(square * square))
    apart = square - 1.0
    influences = (variance * apart, square * z - 3.0 * z - 1.5 * g * apart, square * square - 4.0 * g * z - 2.0 * k * apart)
    values = (variance, g, k - 3.0)
    return [mean(x, sampling), *(Estimate(v, *_error(y, sampling), sampling.kind) for v, y in zip(values, influences, strict=True))]


def effective_size(weights: Any) -> float:
    """(sum w)^2 / sum w^2: equally weighted draws that would tell as much (Kish 1965)."""
    w = np.asarray(weights, np.float64)
    return float(np.sum(w)) ** 2 / max(float(np.sum(w * w)), 1e-300)


def slope(values: Any, weights: np.ndarray) -> float:
    """Cov(w y, w) / Var(w), the coefficient of the weights' known mean."""
    apart = weights - np.mean(weights)
    return float(np.sum(weights * values * apart)) / max(float(np.sum(apart * apart)), 1e-300)


def controlled(values: np.ndarray, weights: Any) -> np.ndarray:
    """w y - c (w - 1)."""
    if weights is None:
        return values
    weights = np.asarray(weights, np.float64)
    return weights * values - slope(values, weights) * (weights - 1.0)


def _error(influence: np.ndarray, sampling: Sampling) -> tuple[float, int]:
    """(standard error of the mean, how many independent draws it is made of)."""
    if sampling.kind == "windows":
        variance, known = long_run_variance(influence, sampling.size - 1)
        return math.sqrt(variance / influence.size) if math.isfinite(variance) else math.nan, math.floor(known) + 1
    draws = sampling.draws(influence)
    count = len(draws)
    return (float(np.std(draws, dtype=np.float64, ddof=1)) / math.sqrt(count) if count > 1 else math.nan), count


def _weighted_quantile(x: np.ndarray, q: float, sampling: Sampling, weights: np.ndarray) -> Estimate:
    """Where the weights of the sorted values, summed and over n, pass q + c (mean weight - 1)."""
    order = np.argsort(x, kind="stable")
    sums, ordered = np.cumsum(weights[order]) / x.size, x[order]

    def at(level: float) -> float:
        return float(ordered[min(int(np.searchsorted(sums, level)), x.size - 1)])

    start = at(q * float(sums[-1]))
    hits = x <= start
    level = q + slope(hits, weights) * (float(sums[-1]) - 1.0)
    inside, count = _error(controlled(hits, weights), sampling)
    spread = max(inside, _error(controlled(x < start, weights), sampling)[0])
    tail = min(effective_size(weights * hits), effective_size(weights * ~hits))
    spread, reach = slope_from(spread, tail, 1.0 / x.size, sampling)
    known = tail >= MINIMUM and math.isfinite(spread)
    error = 0.5 * (at(level + reach) - at(level - reach)) * (spread / reach) if known else math.nan
    return Estimate(at(level), error, count, sampling.kind)
