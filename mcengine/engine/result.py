"""What a run leaves: outcomes of the kept paths, streamed statistics of all of them, and the plain table.

A figure is a per-path column and a reduction (mean, quantile, tail mean). Up to ``keep`` paths all columns are kept and figures are
exact. Beyond, each figure goes on as the mean of its influence function, fixed on the kept paths:
    mean      x
    quantile  Q + (q - 1{x <= Q}) / f(Q)     (one Newton step from the kept quantile Q with the kept density f)
    tail mean Q + min(x - Q, 0) / share
so that memory does not grow; what is neglected is of second order in the error of the kept Q.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from mcengine._model import near
from mcengine.engine import estimate
from mcengine.engine.estimate import Estimate

Outcomes = Mapping[str, Mapping[str, np.ndarray]]


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

    def fixed(self, outcomes: Outcomes) -> Callable[[Outcomes], np.ndarray]:
        """The column, fixed on ``outcomes``."""
        if self.adapt is not None:
            return self.adapt(outcomes)
        if self.column is None:
            raise ValueError("Figure: expected column or adapt, got neither")
        return self.column

    def exact(self, outcomes: Outcomes) -> Estimate:
        x = self.fixed(outcomes)(outcomes)
        if self.how in ("mean", "probability"):
            return (estimate.mean if self.how == "mean" else estimate.probability)(x).scaled(self.factor)
        reduce = estimate.quantile if self.how == "quantile" else estimate.tail_mean
        return reduce(x, self.level).scaled(self.factor)

    def influence(self, values: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
        """Function of the column whose mean is the figure, fixed on the kept ``values``."""
        if self.how in ("mean", "probability"):
            return lambda x: x
        x = np.asarray(values, np.float64)
        q = float(np.quantile(x, self.level))
        if self.how == "tail_mean":
            return lambda x: q + np.minimum(x - q, 0.0) / self.level
        # Half a standard error of n^(1/5)-type smoothing on each side of the quantile.
        half = 0.5 * x.size**-0.2
        low, high = np.quantile(x, [max(0.0, self.level - half * self.level), min(1.0, self.level + half * (1 - self.level))])
        inside = float(np.mean((x > low) & (x <= high)))
        density = inside / max(high - low, 1e-12)
        return lambda x: q + (self.level - (x <= q)) / density


@dataclass
class Stream:
    """Sums in float64 of one figure's influence function over all paths."""

    column: Callable[[Outcomes], np.ndarray]
    transform: Callable[[np.ndarray], np.ndarray]
    factor: float = 1.0
    indicator: bool = False
    count: int = 0
    shift: float = 0.0
    total: float = 0.0
    square: float = 0.0

    def add(self, outcomes: Outcomes) -> None:
        x = np.asarray(self.transform(np.asarray(self.column(outcomes), np.float64)))
        if self.count == 0:
            self.shift = float(np.mean(x))  # sums of small deviations keep their digits
        x = x - self.shift
        self.count += x.size
        self.total += float(np.sum(x))
        self.square += float(np.sum(x * x))  # np.dot would start BLAS threads, which fight with XLA's for the cores

    def estimate(self) -> Estimate:
        mean = self.total / self.count
        if self.indicator:
            hits = round((self.shift + mean) * self.count)
            p = (hits + 1.0) / (self.count + 2.0)
            return Estimate(hits / self.count, math.sqrt(p * (1.0 - p) / self.count), self.count).scaled(self.factor)
        variance = max(self.square / self.count - mean * mean, 0.0)
        return Estimate(self.shift + mean, math.sqrt(variance / (self.count - 1)), self.count).scaled(self.factor)


def start_stream(figure: Figure, kept: Outcomes) -> Stream:
    """The stream of a figure, fixed on the kept outcomes and fed with them."""
    column = figure.fixed(kept)
    stream = Stream(column, figure.influence(column(kept)), figure.factor, figure.how == "probability")
    stream.add(kept)
    return stream


def column(book: str, figure: str) -> Callable[[Outcomes], np.ndarray]:
    """The per-path values of one outcome of one book."""
    return lambda outcomes: outcomes[book][figure]


def default_figures(books: Iterable[str], names: Mapping[str, Iterable[str]]) -> dict[str, Figure]:
    """Mean of every outcome; of wealth also the 20th percentile and the mean of the worst 5 %."""
    out: dict[str, Figure] = {}
    for book in books:
        for name in names[book]:
            out[f"{book}/{name}"] = Figure(column(book, name))
        if "wealth" in names[book]:
            out[f"{book}/wealth p20"] = Figure(column(book, "wealth"), "quantile", 0.20)
            out[f"{book}/wealth worst 5 %"] = Figure(column(book, "wealth"), "tail_mean", 0.05)
    return out


@dataclass
class Result:
    """Outcomes ``{book: {figure: array}}`` of the first ``kept`` of ``paths`` paths, and how they were made."""

    study: Any
    outcomes: dict[str, dict[str, np.ndarray]]
    paths: int
    kept: int
    seed: int
    stream: str
    first: int
    timings: dict[str, float]
    streams: dict[str, Stream] = field(default_factory=dict)

    @property
    def books(self) -> list[str]:
        return list(self.study.books)

    def __getitem__(self, book: str) -> dict[str, np.ndarray]:
        if book not in self.outcomes:
            raise ValueError(f"unknown book {book!r}{near(book, self.outcomes)}")
        return self.outcomes[book]

    @property
    def wealth(self) -> np.ndarray:
        """Final over starting wealth of a single policy."""
        if len(self.books) != 1:
            raise ValueError(f"Result.wealth: expected one policy, got {', '.join(self.books)}; use result[name]['wealth']")
        return self.outcomes[self.books[0]]["wealth"]

    def estimate(self, figure: Figure, name: str | None = None) -> Estimate:
        """A figure with its error: exact when every path was kept, else from the stream registered under ``name``."""
        if self.kept == self.paths:
            return figure.exact(self.outcomes)
        if name is None or name not in self.streams:
            raise ValueError(f"{self.paths:,} paths were run and {self.kept:,} kept: name figure {name!r} in run(figures=...), or raise keep")
        return self.streams[name].estimate()

    def figures(self) -> dict[str, Figure]:
        """The plain figures of every book."""
        return default_figures(self.books, {book: self.outcomes[book] for book in self.books})

    def estimates(self) -> dict[str, Estimate]:
        """Every plain figure with its error, by ``book/figure``."""
        return {name: self.estimate(figure, name) for name, figure in self.figures().items()}

    def table(self) -> Any:
        """One row a figure, one column a book, each value ± its standard error (a pandas table)."""
        import pandas as pd

        cells: dict[str, dict[str, str]] = {book: {} for book in self.books}
        for name, value in self.estimates().items():
            book, _, figure = name.partition("/")
            cells[book][figure] = str(value)
        return _printed_whole(pd.DataFrame(cells))

    def compare(self, other: "Result") -> Any:
        """This result against another of the same paths: both values and the paired difference, other minus this, ± its error.

        Raises ``ValueError`` when the two do not share seed, stream and path ids, for then nothing is paired.
        """
        import pandas as pd

        mine, theirs = (self.seed, self.stream, self.first, self.kept), (other.seed, other.stream, other.first, other.kept)
        if mine != theirs:
            raise ValueError(f"compare: expected the same seed, stream, first path and count, got {mine} and {theirs}")
        if len(self.books) != len(other.books):
            raise ValueError(f"compare: expected as many books, got {self.books} and {other.books}")
        rows = []
        for a, b in zip(self.books, other.books, strict=True):
            for name in self.outcomes[a]:
                x, y = self.outcomes[a][name], other.outcomes[b][name]
                difference = estimate.mean(np.asarray(y, np.float64) - np.asarray(x, np.float64))
                verdict = "" if abs(difference.value) > 2.0 * difference.error else "within the error"
                rows.append((a, name, str(estimate.mean(x)), str(estimate.mean(y)), str(difference), verdict))
        table = pd.DataFrame(rows, columns=["policy", "mean of", "before", "after", "difference", "note"])
        return _printed_whole(table.set_index(["policy", "mean of"]))


def _printed_whole(table: Any) -> Any:
    """The same table, which ``print`` shows with all its columns: pandas would leave out those beyond 80 characters."""
    import pandas as pd

    class Table(pd.DataFrame):
        __str__ = __repr__ = pd.DataFrame.to_string

    return Table(table)
