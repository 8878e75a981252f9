"""What streams are made of: power sums by group of ids, histograms with fixed edges. float64, one pass over a piece that fits the cache.

``np.dot`` and ``matmul`` are avoided: they start BLAS threads, which fight with XLA's for the cores; ``einsum`` does not.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mcengine.statistics.estimate import Estimate
from mcengine.statistics.sampling import Sampling

GROUPS = 128
"""Groups that ids are dealt to: an error made of 128 of them is itself known to 1/sqrt(256) = 6 %."""
CHUNK = 16_384
"""Paths handled at a time: 128 kB of float64, in the second cache with room for the next array."""
BINS = 4096


@dataclass(frozen=True)
class Layout:
    """Groups of path ids, id mod ``id_groups``, and how they make independent groups."""

    sampling: Sampling
    first: int

    @property
    def id_groups(self) -> int:
        return max(GROUPS, self.sampling.unit)

    def counts(self, count: int) -> np.ndarray:
        """Paths in each group of ids after ``count`` paths."""
        whole, rest = divmod(count, self.id_groups)
        return whole + ((np.arange(self.id_groups) - self.first % self.id_groups) % self.id_groups < rest).astype(np.float64)

    def fold(self, rows: np.ndarray) -> np.ndarray:
        """[k, id_groups] to [k, independent groups]: both of a pair in one, all of a randomisation in one."""
        if self.sampling.kind == "iid":
            return rows
        if self.sampling.kind == "windows":  # no two groups are independent: one group, which tells no error
            return rows.sum(axis=1, keepdims=True)
        if self.sampling.kind == "pairs":
            return rows.reshape(len(rows), -1, 2).sum(axis=2)
        return rows.reshape(len(rows), -1, self.sampling.size).sum(axis=1)


class Piece:
    """``size`` consecutive paths after the ``done`` before them, and their weights."""

    def __init__(self, layout: Layout, done: int, size: int, weights: np.ndarray | None) -> None:
        self.id_groups, self.size, self.weights = layout.id_groups, size, weights
        self.before = (layout.first + done) % self.id_groups
        self.after = -(self.before + size) % self.id_groups

    def table(self, values: np.ndarray) -> np.ndarray:
        """[rows, id_groups], nought where an id is of another piece."""
        if self.before or self.after:
            values = np.pad(values, (self.before, self.after))
        return values.reshape(-1, self.id_groups)


class Sums:
    """Sums of (y - shift)^k, k = 1 ... ``powers``, by group of ids; for pairs a last row of the products within pairs."""

    def __init__(self, layout: Layout, shift: float, powers: int) -> None:
        self.layout, self.shift, self.powers = layout, shift, powers
        self.pairs = layout.sampling.kind == "pairs"
        self.rows = np.zeros((powers + self.pairs, layout.id_groups))
        self.last = np.zeros((0, layout.id_groups))

    def add(self, y: np.ndarray, piece: Piece, weights: np.ndarray | None = None) -> None:
        d = piece.table(np.subtract(y, self.shift, dtype=np.float64))
        e = d if weights is None else piece.table(weights) * d
        rows = self.rows
        rows[0] += np.add.reduce(e, axis=0)
        rows[1] += np.einsum("mp,mp->p", e, d)
        if self.powers == 4:
            square = d * d
            rows[2] += np.einsum("mp,mp->p", e, square)
            rows[3] += np.einsum("mp,mp->p", square, square) if weights is None else np.einsum("mp,mp->p", e * d, square)
        if self.pairs:
            rows[-1, ::2] += np.einsum("mp,mp->p", d[:, ::2], d[:, 1::2])
        self.last = d

    def mean(self, count: int) -> Estimate:
        """Mean of y and its error as the sampling leaves draws independent."""
        sampling, total = self.layout.sampling, float(np.sum(self.rows[0]))
        value, kind = self.shift + total / count, sampling.kind
        if kind == "randomisations":
            means = self.layout.fold(self.rows[:1])[0] * (sampling.size / count)
            return Estimate(value, float(np.std(means, ddof=1)) / math.sqrt(sampling.size), sampling.size, kind)
        if kind == "windows":
            return Estimate(value, math.nan, 1, kind)
        draws, square = count, float(np.sum(self.rows[1]))
        if self.pairs:  # the mean m of a and b has 4 m^2 = a^2 + b^2 + 2 a b
            draws, total, square = count // 2, 0.5 * total, 0.25 * (square + 2.0 * float(np.sum(self.rows[-1])))
        if draws < 2:
            return Estimate(value, math.nan, draws, kind)
        variance = max(square - total * total / draws, 0.0) / (draws - 1)
        return Estimate(value, math.sqrt(variance / draws), draws, kind)

    def paired(self, other: "Sums", count: int) -> Estimate:
        """``other``'s mean minus this one's; the error from the groups' differences."""
        sums, paths = self.layout.fold(np.array([other.rows[0] - self.rows[0], self.layout.counts(count)]))
        sums, paths = sums[paths > 0], paths[paths > 0]
        apart = float(np.sum(sums)) / count
        groups = len(paths)
        square = float(np.sum((sums - paths * apart) ** 2))
        error = math.sqrt(square * groups / (groups - 1)) / count if groups > 1 else math.nan
        return Estimate(other.shift - self.shift + apart, error, groups, self.layout.sampling.kind)

    def effective(self, count: int) -> float:
        """(sum y)^2 / sum y^2."""
        total, square = float(np.sum(self.rows[0])), float(np.sum(self.rows[1]))
        whole = total + self.shift * count
        return whole**2 / max(square + 2.0 * self.shift * total + self.shift**2 * count, 1e-300)


class Histogram:
    """Counts (or weights) in ``BINS`` equal bins from ``low`` to ``high``, and below and above."""

    def __init__(self, low: float, high: float, weighted: bool) -> None:
        # An atom gets a width, a few units in the last place of float32.
        half = max(0.5 * (high - low), 1e-6 * max(abs(low), abs(high)), 1e-30)
        middle = 0.5 * (low + high)
        self.low, self.high, self.weighted = middle - half, middle + half, weighted
        self.width = (self.high - self.low) / BINS
        self.counts = np.zeros(BINS + 2)

    @classmethod
    def over(cls, values: np.ndarray, weighted: bool) -> "Histogram":
        """Over all of a sample but one in 10,000 on each side, and a quarter of that more."""
        n = values.size
        ranks = sorted({int(1e-4 * n), min(int((1.0 - 1e-4) * n), n - 1)})
        part = np.partition(values, ranks)
        low, high = float(part[ranks[0]]), float(part[ranks[-1]])
        return cls(low - 0.25 * (high - low), high + 0.25 * (high - low), weighted)

    @property
    def edges(self) -> np.ndarray:
        return self.low + self.width * np.arange(BINS + 1)

    def add(self, x: np.ndarray, weights: np.ndarray | None) -> None:
        self.counts += np.bincount(_places(x, self.low, self.width, BINS), weights if self.weighted else None, BINS + 2)

    def quantile(self, mass: float) -> float:
        """Where the counts from below reach ``mass``, by interpolation in a bin; not a number below the first edge or above the last."""
        sums = np.cumsum(self.counts)
        if not sums[0] <= mass <= sums[-2]:
            return math.nan
        k = max(1, int(np.searchsorted(sums, mass)))
        inside = (mass - sums[k - 1]) / self.counts[k] if self.counts[k] > 0.0 else 0.0
        return self.low + self.width * (k - 1 + float(inside))

    def mass_at(self, x: float) -> float:
        """Count of the bin that holds ``x``."""
        return float(self.counts[min(max(math.floor((x - self.low) / self.width) + 1, 0), BINS + 1)])

    def integral(self, a: float, b: float) -> float:
        """Integral from ``a`` to ``b`` of the counts at or below."""
        edges, sums = self.edges, np.cumsum(self.counts)[:-1]
        inside = edges[(edges > min(a, b)) & (edges < max(a, b))]
        at = np.array([min(a, b), *inside, max(a, b)])
        return math.copysign(float(np.trapezoid(np.interp(at, edges, sums), at)), b - a)


class Shares:
    """Paths (or weights) of each randomisation at or below the edges of ``bins`` equal bins from ``low`` to ``high``: the error of a share that is
    chosen only when all paths are known.
    """

    bins = 256

    def __init__(self, layout: Layout, low: float, high: float) -> None:
        self.size, self.low, self.width = layout.sampling.size, low, (high - low) / self.bins
        self.counts = np.zeros((self.size, self.bins + 2))

    def add(self, x: np.ndarray, piece: Piece) -> None:
        place = _places(x, self.low, self.width, self.bins)
        place += (piece.before + np.arange(piece.size)) % self.size * (self.bins + 2)
        self.counts += np.bincount(place, piece.weights, self.counts.size).reshape(self.counts.shape)

    def error(self, low: float, high: float, count: int, control: float) -> float:
        """Standard error of the share at or below a number, the largest for any between ``low`` and ``high``."""
        edges = [min(max(f((x - self.low) / self.width), 0), self.bins) for f, x in ((math.floor, low), (math.ceil, high))]
        sums = np.cumsum(self.counts, axis=1) * (self.size / count)
        draws = sums[:, edges[0] : edges[1] + 1] - control * (sums[:, -1:] - 1.0)
        return float(np.max(np.std(draws, axis=0, ddof=1))) / math.sqrt(self.size)


def _places(x: np.ndarray, low: float, width: float, bins: int) -> np.ndarray:
    """Index of each number's bin from 1 on; 0 below the first and ``bins`` + 1 above the last."""
    place = np.subtract(x, low, dtype=np.float64)
    place *= 1.0 / width
    place += 1.0
    np.clip(place, 0.0, bins + 1.0, out=place)
    return place.astype(np.intp)


def jackknife(statistic: Callable[[np.ndarray], np.ndarray], table: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(values, errors) of a smooth function of column sums ``table`` [sums, groups] when one group is left out in turn."""
    table = table[:, table[0] != 0.0]
    total, groups = table.sum(axis=1), table.shape[1]
    left = np.array([statistic(total - table[:, g]) for g in range(groups)])
    spread = np.sqrt((groups - 1) / groups * np.sum((left - left.mean(axis=0)) ** 2, axis=0)) if groups > 1 else np.full(left.shape[1:], np.nan)
    return statistic(total), spread
