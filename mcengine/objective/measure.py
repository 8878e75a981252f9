"""A figure that can be a goal or a constraint: its value and error on paths, and a per-path form whose mean has the figure's derivative.

With c the per-path columns of a figure, made of outcomes by smooth functions, x the one column of a quantile or tail, and statistics s of the sample,
which are held fixed, the per-path form is
  mean of h(E c_1, E c_2, ...)     sum_k dh/dm_k c_k
  tail mean of the worst share a   min(x - q, 0) / a, q the a-quantile: the derivative of q takes no part (Rockafellar & Uryasev 2000)
  quantile                         x over the paths between two ranks about the level: dq = E[dx | x = q] (Hong 2009)
  probability of x < f             -x over the paths about f, over the width of their range: dP = -density(f) E[dx | x = f] (Hong 2009)
Columns are written for arrays of NumPy or JAX alike, so that the value, its error and the derivative are of one definition.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np

from mcengine.statistics import Estimate, Figure, Outcomes, Sampling, estimate
from mcengine.statistics.estimate import IID
from mcengine.statistics.figure import Column, path_weights

Own = Mapping[str, Any]
"""Outcomes of one book by name: arrays [paths], or scalars of one path."""

NEIGHBOURS = 2.0
"""Standard errors of its rank to either side over which a quantile's derivative is averaged: enough to average, few enough to be near."""
FEWEST = 8
"""Paths to either side at least, where there are as many."""


@dataclass(frozen=True)
class Measure:
    """One figure of a book.

    Args:
        key: What it is called.
        columns: ``columns(own, benchmark)`` from outcomes of the book and of the benchmark to per-path values: one, or as many as ``combine`` takes.
        how: mean, probability, quantile, or tail_mean (of the lowest share).
        level: Of a quantile or tail, above 0 and below 1; of a probability the threshold f of P(x < f).
        combine: Function of the columns' means, for a figure that is no plain mean.
        factor: Multiplies the result.
        needs: Outcomes of the book that it reads.
        of_benchmark: Outcomes of the benchmark that it reads.
        recorders: That make outcomes which no study has by default.
        plain: Whether its one column is the one outcome it needs, as it is.
        own_figure: Of (book, benchmark), in place of the one made here.
        origin: What tells it from others of its key; None: only itself.
        annual: 1 / years for a return over the whole horizon, by which its price is shown a year; else 1.
    """

    key: str
    columns: Callable[[Own, Own], tuple[Any, ...]]
    how: Literal["mean", "probability", "quantile", "tail_mean"] = "mean"
    level: float = 0.0
    combine: Callable[..., Any] | None = None
    factor: float = 1.0
    needs: tuple[str, ...] = ("wealth",)
    of_benchmark: tuple[str, ...] = ()
    recorders: tuple[Any, ...] = field(default=())
    plain: bool = False
    own_figure: Callable[[str, str], Figure] | None = None
    origin: Any = None
    annual: float = 1.0

    @property
    def label(self) -> Any:
        """What a program that it is part of is found again by."""
        return self if self.origin is None else (self.key, self.origin)

    def figure(self, book: str, benchmark: str | None = None) -> Figure:
        """The figure that a run estimates with its error, hard triggers and all.

        Args:
            book: Name of the policy.
            benchmark: Name of the one it is compared with, for a figure that compares.
        """

        def columns(outcomes: Outcomes) -> tuple[Any, ...]:
            return self.columns(outcomes[book], outcomes[benchmark] if benchmark is not None else {})

        if self.own_figure is not None:
            return self.own_figure(book, str(benchmark))
        if self.plain and self.how != "probability":
            return Figure(Column(book, self.needs[0]), self.how, self.level, self.factor)
        if self.how == "probability":
            return Figure(lambda o: columns(o)[0] < self.level, "probability", factor=self.factor)
        if self.how != "mean":
            return Figure(lambda o: columns(o)[0], self.how, self.level, self.factor)
        if self.combine is None:
            return Figure(lambda o: columns(o)[0], factor=self.factor)

        def adapt(kept: Outcomes) -> Callable[[Outcomes], np.ndarray]:
            weights = path_weights(kept)
            means = np.array([estimate.mean(c, weights=weights).value for c in columns(kept)])
            value, slopes = self._combined(means)
            return lambda o: value + sum(s * (np.asarray(c, np.float64) - m) for s, c, m in zip(slopes, columns(o), means, strict=True))

        return Figure(adapt=adapt, factor=self.factor)

    def statistics(self, own: Own, benchmark: Own) -> dict[str, Any]:
        """Numbers of a sample that the per-path form holds fixed.

        Args:
            own: Outcomes of the book [paths].
            benchmark: Of the benchmark.
        """
        columns = [np.asarray(c, np.float64) for c in self.columns(own, benchmark)]
        if self.how == "mean":
            return {"slopes": self._combined(np.array([np.mean(c) for c in columns]))[1] if self.combine else np.ones(1)}
        (x,) = columns
        n, ordered = x.size, np.sort(x)
        if self.how == "tail_mean":
            return {"quantile": ordered[min(int(n * self.level), n - 1)]}
        rank = float(np.searchsorted(ordered, self.level)) if self.how == "probability" else n * self.level
        near = NEIGHBOURS * math.sqrt(max(rank * (n - rank), 0.0) / n)
        if self.how == "probability":
            apart = np.sort(np.abs(x - self.level))[min(int(2.0 * max(near, FEWEST)), n - 1)]
            return {"low": self.level - apart, "high": self.level + apart, "share": 2.0 * max(apart, 1e-12)}
        near = min(max(near, FEWEST), 0.75 * min(rank, n - rank))
        low, high = (ordered[min(max(int(r), 0), n - 1)] for r in (rank - near, rank + near))
        return {"low": low, "high": high, "share": np.mean((x >= low) & (x <= high))}

    def per_path(self, own: Own, benchmark: Own, statistics: Mapping[str, Any]) -> Any:
        """The per-path form.

        Args:
            own: Outcomes of the book.
            benchmark: Of the benchmark.
            statistics: Of a sample.
        """
        columns = self.columns(own, benchmark)
        if self.how == "mean":
            return self.factor * sum(slope * c for slope, c in zip(statistics["slopes"], columns, strict=True))
        (x,) = columns
        if self.how == "tail_mean":
            return self.factor * jnp.minimum(x - statistics["quantile"], 0.0) / self.level
        inside = (x >= statistics["low"]) & (x <= statistics["high"])
        sign = -1.0 if self.how == "probability" else 1.0
        return sign * self.factor * jnp.where(inside, x, 0.0) / statistics["share"]

    def sampled(self, own: Own, benchmark: Own, sampling: Sampling = IID) -> Estimate:
        """The figure as its derivative sees it: of a quantile the mean between two ranks, of a probability the step made a ramp as wide as its range.

        Args:
            own: Outcomes of the book [paths].
            benchmark: Of the benchmark.
            sampling: Dependence between paths.
        """
        exact = self.figure("own", "benchmark").exact({"own": own, "benchmark": benchmark}, sampling)
        if self.how not in ("quantile", "probability"):
            return exact
        found = self.statistics(own, benchmark)
        x = np.asarray(self.columns(own, benchmark)[0], np.float64)
        if self.how == "quantile":
            value = float(np.mean(x[(x >= found["low"]) & (x <= found["high"])]))
        else:
            value = float(np.mean(np.clip((found["high"] - x) / found["share"], 0.0, 1.0)))
        return Estimate(self.factor * value, exact.error, exact.count, exact.sampling)

    def slope(self, own: Own, benchmark: Own, tangents: Own) -> np.ndarray:
        """Derivative of the figure by each number.

        Args:
            own: Outcomes of the book [paths].
            benchmark: Of the benchmark; no number moves it.
            tangents: Of the book's outcomes [paths, numbers].

        Returns:
            [numbers].
        """
        found = self.statistics(own, benchmark)
        benchmark = {name: jnp.asarray(benchmark[name]) for name in self.of_benchmark}
        needed = {name: jnp.asarray(own[name]) for name in self.needs}

        def mean_slope(k: int) -> float:
            moved = {name: jnp.asarray(tangents[name][:, k]) for name in self.needs}
            _, slopes = jax.jvp(lambda o: self.per_path(o, benchmark, found), (needed,), (moved,))
            return float(np.mean(np.asarray(slopes), dtype=np.float64))

        numbers = tangents[self.needs[0]].shape[1]
        return np.array([mean_slope(k) for k in range(numbers)])

    def _combined(self, means: np.ndarray) -> tuple[float, np.ndarray]:
        """h and its slopes, by central differences in float64 whatever the process computes in: h is a plain function of a few means."""
        assert self.combine is not None
        value, slopes = float(self.combine(*means)), []
        for k, m in enumerate(means):
            step = 1e-6 * max(abs(m), 1e-3)
            up, down = (self.combine(*(x + s * step * (j == k) for j, x in enumerate(means))) for s in (1.0, -1.0))
            slopes.append((float(up) - float(down)) / (2.0 * step))
        return value, np.array(slopes)
