"""A figure and its standard error, and the plain statistics: mean, quantile, tail mean.

Errors of a sample of n independent paths:
  mean       s / sqrt(n)
  probability  with k hits p = k/n, error from (k+1)/(n+2), so that no hit in n paths still has an error of about 1/n
  quantile   the order statistics at n q -/+ sqrt(n q (1-q)) are one standard error to either side (binomial count; no density estimate needed)
  tail mean  of the worst share a: with q the a-quantile, the influence of one path is q + min(x - q, 0)/a, so sd / sqrt(n) of that
             (Manistre & Hancock 2005; Chen 2008).
"""

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

Sampling = Literal["iid", "pairs", "randomisations", "windows", "batches"]


@dataclass(frozen=True)
class Estimate:
    """``value`` and its standard ``error``, from ``count`` draws taken as ``sampling`` says."""

    value: float
    error: float
    count: int = 0
    sampling: Sampling = "iid"

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
        """The same figure in other units."""
        return Estimate(self.value * factor, self.error * abs(factor), self.count, self.sampling)

    def z(self, reference: float) -> float:
        """How many standard errors the value lies above a reference."""
        return (
            (self.value - reference) / self.error
            if self.error > 0.0
            else math.copysign(math.inf, self.value - reference)
            if self.value != reference
            else 0.0
        )


def mean(x: Any) -> Estimate:
    """Mean of per-path values, summed in float64."""
    x = np.asarray(x)
    n = x.size
    value = float(np.mean(x, dtype=np.float64))
    if n < 2:
        return Estimate(value, math.nan, n)
    return Estimate(value, float(np.std(x, dtype=np.float64, ddof=1)) / math.sqrt(n), n)


def probability(hits: Any) -> Estimate:
    """Share of paths on which ``hits`` is true (or 1)."""
    hits = np.asarray(hits)
    n, k = hits.size, float(np.sum(hits, dtype=np.float64))
    p = (k + 1.0) / (n + 2.0)
    return Estimate(k / n, math.sqrt(p * (1.0 - p) / n), n)


def quantile(x: Any, q: float) -> Estimate:
    """The q-quantile of per-path values."""
    x = np.asarray(x)
    n = x.size
    spread = math.sqrt(n * q * (1.0 - q))
    ranks = [min(max(math.floor(r), 0), n - 1) for r in (n * q - spread, n * q, n * q + spread)]
    part = np.partition(x, sorted(set(ranks)))
    low, value, high = (float(part[r]) for r in ranks)
    return Estimate(value, 0.5 * (high - low) if n * min(q, 1.0 - q) >= 5 else math.nan, n)


def tail_mean(x: Any, share: float) -> Estimate:
    """Mean of the lowest ``share`` of per-path values: minus the expected shortfall of the loss."""
    x = np.asarray(x)
    n = x.size
    q = float(np.partition(x, min(int(share * n), n - 1))[min(int(share * n), n - 1)])
    influence = q + np.minimum(x - q, 0.0, dtype=np.float64) / share
    value = float(np.mean(influence))
    return Estimate(value, float(np.std(influence, ddof=1)) / math.sqrt(n) if n * share >= 5 else math.nan, n)
