"""Statistics of a run as it streams: memory does not grow with paths, and every error is made of what the sampling leaves independent.

All is fixed on a first batch of outcomes (shifts, quantiles to start from, edges), then fed with every batch in the order of ids; sums are
float64. Ids are dealt to groups, id mod ``GROUPS``, and sums are kept by group: unions of groups are independent, which gives paired errors of
differences (between books, and between runs of the same paths) and, by the jackknife, errors of variance, skewness, kurtosis and covariance. How each
kind of figure is reduced stands in ``statistics.reducers``.
"""

import copy
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from mcengine._spelling import near
from mcengine.statistics.accumulators import CHUNK, Histogram, Layout, Piece, Sums, jackknife
from mcengine.statistics.estimate import MINIMUM, Estimate
from mcengine.statistics.figure import Figure, Outcomes, path_weights
from mcengine.statistics.reducers import Mean, Reducer, reducer
from mcengine.statistics.sampling import Sampling


class Moments(NamedTuple):
    """Moments of one outcome.

    Args:
        mean: In the unit of the outcome.
        variance: In the unit squared.
        skewness: Of the standardised outcome.
        kurtosis: That above a normal's 3.
    """

    mean: Estimate
    variance: Estimate
    skewness: Estimate
    kurtosis: Estimate


class _Source:
    """One outcome of one book, or what a figure makes of several, and all that is reduced from it."""

    def __init__(self, column: Callable[[Outcomes], np.ndarray]) -> None:
        self.column = column
        self.reducers: dict[Any, Reducer] = {}
        self.moments: Sums | None = None
        self.wide: Histogram | None = None


class Statistics:
    """Figures of a stream of outcomes: fixed on the first ones, then ``add`` for every further batch in the order of ids.

    The same ids give the same bits however they were cut into batches, where the cuts are multiples of ``CHUNK`` ids from the first.

    Args:
        figures: Figures by name.
        sampling: Dependence between paths.
        kept: Outcomes of the first batch, {book: {outcome: [paths]}}; shifts, edges and starting quantiles are fixed on them.
        first: Id of the first path.
        state: ``state()`` of statistics of the same figures fixed on the same outcomes, to go on from; None starts from ``kept``.

    Raises:
        ValueError: The ids do not fit the sampling.
    """

    def __init__(
        self,
        figures: Mapping[str, Figure],
        sampling: Sampling,
        kept: Outcomes,
        first: int = 0,
        *,
        state: Mapping[str, np.ndarray] | None = None,
    ) -> None:
        sampling.check_run(_length(kept), first)
        self.figures, self.sampling, self.first, self.count = dict(figures), sampling, first, 0
        self.layout = Layout(sampling, first)
        weights = path_weights(kept)
        self.weights = None if weights is None else Sums(self.layout, 1.0, 2)
        self._sources: dict[Any, _Source] = {}
        self._place: dict[str, tuple[_Source, Any]] = {}
        for name, figure in self.figures.items():
            self._place[name] = self._reduced(name, figure, kept, weights)
        shared: dict[str, list[str]] = {}
        for place, one in self._sources.items():
            if isinstance(place, tuple) and one.moments is not None:
                shared.setdefault(place[1], []).append(place[0])
        self._books = {name: books for name, books in shared.items() if len(books) > 1}  # outcomes whose mean is taken in several books
        self._cross = {name: np.zeros((len(books) * (len(books) - 1) // 2, self.layout.id_groups)) for name, books in self._books.items()}
        if state is None:
            self.add(kept)
        else:
            self.load(state)

    def _reduced(self, name: str, figure: Figure, kept: Outcomes, weights: np.ndarray | None) -> tuple["_Source", Any]:
        """Where a figure is reduced: (the source of its values, which of its reducers)."""
        column, shared = figure.fixed(kept), figure.source is not None
        values = np.asarray(column(kept))
        place = name if figure.source is None else (figure.source.book, figure.source.outcome)
        source, key = self._sources.setdefault(place, _Source(column)), (figure.how, figure.level)
        if key not in source.reducers:
            source.reducers[key] = reducer(figure, self.layout, values, weights, shared)
        mean = source.reducers[key]
        if shared and isinstance(mean, Mean) and figure.how == "mean" and source.moments is None:
            # Unweighted, the mean's own sums are the moments'.
            source.moments = mean.sums if weights is None else Sums(self.layout, float(np.mean(values, dtype=np.float64)), 4)
        if (figure.how == "quantile" or (figure.how == "tail_mean" and shared)) and source.wide is None:
            source.wide = Histogram.over(values, weights is not None)
        return source, key

    def add(self, outcomes: Outcomes) -> None:
        """Add the next batch.

        Args:
            outcomes: {book: {outcome: [paths]}}, ids following those added before.

        Raises:
            ValueError: The batch cuts a pair or a randomisation, or is weighted where others are not.
        """
        total = _length(outcomes)
        self.sampling.check_run(total)
        at = 0
        while at < total:
            size = min(total - at, CHUNK - self.count % CHUNK)
            self._add({b: {n: x[at : at + size] for n, x in columns.items()} for b, columns in outcomes.items()}, size)
            at += size

    def _add(self, outcomes: Outcomes, size: int) -> None:
        piece = Piece(self.layout, self.count, size, path_weights(outcomes))
        if (self.weights is None) != (piece.weights is None):
            raise ValueError("outcomes: expected all batches weighted or none, got log_weight in some")
        if self.weights is not None and piece.weights is not None:
            self.weights.add(piece.weights, piece)
        tables: dict[Any, np.ndarray] = {}
        for key, source in self._sources.items():
            x = np.asarray(source.column(outcomes))
            for one in source.reducers.values():
                one.add(x, piece)
            if source.wide is not None:
                source.wide.add(x, piece.weights)
            if source.moments is not None:
                if piece.weights is not None:
                    source.moments.add(x, piece, piece.weights)
                if key[1] in self._books:
                    tables[key] = source.moments.last
        for name, books in self._books.items():
            deviations = [tables[book, name] for book in books]
            row = 0
            for i, a in enumerate(deviations):
                wa = a if piece.weights is None else piece.table(piece.weights) * a
                for b in deviations[:i]:
                    self._cross[name][row] += np.einsum("mp,mp->p", wa, b)
                    row += 1
        self.count += size

    def _parts(self) -> Iterator[np.ndarray]:
        if self.weights is not None:
            yield self.weights.rows
        for source in self._sources.values():
            for one in source.reducers.values():
                yield from one.parts()
            if source.wide is not None:
                yield source.wide.counts
            if source.moments is not None and self.weights is not None:
                yield source.moments.rows
        yield from self._cross.values()

    def state(self) -> dict[str, np.ndarray]:
        """Sufficient statistics so far: arrays of float64, from which ``load`` goes on."""
        return {"count": np.array(self.count), "sums": np.concatenate([part.ravel() for part in self._parts()])}

    def load(self, state: Mapping[str, np.ndarray]) -> None:
        """Go on from a saved state.

        Args:
            state: ``state()`` of statistics of the same figures, fixed on the same outcomes.

        Raises:
            ValueError: It is the state of other figures.
        """
        parts = list(self._parts())
        if set(state) != {"count", "sums"} or np.ndim(state["count"]) != 0:
            raise ValueError(f"state: expected count, a number, and sums, got {', '.join(sorted(state)) or 'nothing'}")
        sums = np.asarray(state["sums"])
        if sums.size != sum(part.size for part in parts):
            raise ValueError(f"state: expected {sum(part.size for part in parts):,} sums for these figures, got {sums.size:,}")
        self.count, at = int(state["count"]), 0
        for part in parts:
            part[...] = sums[at : at + part.size].reshape(part.shape)
            at += part.size

    def estimate(self, name: str) -> Estimate:
        """One figure with its error.

        Args:
            name: A figure's name.

        Raises:
            ValueError: There is no such figure.
        """
        source, key = self._find(name)
        return source.reducers[key].estimate(self.count, source.wide, self._mean_weight).scaled(self.figures[name].factor)

    def under(self, prefix: str) -> "Statistics":
        """The figures whose names begin with a prefix, named without it; the sums are shared.

        Args:
            prefix: A book's name and ``/``, say.
        """
        one = copy.copy(self)
        one.figures = {name.removeprefix(prefix): f for name, f in self.figures.items() if name.startswith(prefix)}
        one._place = {name.removeprefix(prefix): place for name, place in self._place.items() if name.startswith(prefix)}
        return one

    def moments(self, book: str, outcome: str) -> Moments:
        """Mean, variance, skewness and kurtosis of an outcome; errors by the jackknife over groups of ids.

        Args:
            book: A book's name.
            outcome: One of its outcomes, whose mean is a figure.

        Raises:
            ValueError: Its mean is not among the figures.
        """
        sums = self._moments(book, outcome)
        table = np.vstack([self._weight_rows(), self.layout.fold(sums.rows[:4])])
        kind = self.sampling.kind

        def central(t: np.ndarray) -> np.ndarray:
            m1, m2, m3, m4 = t[1:] / t[0]
            second, third = m2 - m1 * m1, m3 - 3 * m1 * m2 + 2 * m1**3
            fourth = m4 - 4 * m1 * m3 + 6 * m1 * m1 * m2 - 3 * m1**4
            safe = np.maximum(second, 1e-300)
            return np.array([second, third / safe**1.5, fourth / safe**2 - 3.0])

        values, errors = jackknife(central, table)
        mean = self._mean_of(book, outcome)
        return Moments(mean, *(Estimate(float(v), float(e), mean.count, kind) for v, e in zip(values, errors, strict=True)))

    def covariance(self, outcome: str) -> dict[tuple[str, str], Estimate]:
        """Covariance of an outcome between books; errors by the jackknife over groups of ids.

        Args:
            outcome: An outcome whose mean is a figure of two books or more.

        Returns:
            Estimates by pair of books, variances on the diagonal.

        Raises:
            ValueError: Fewer than two books have its mean among their figures.
        """
        books = self._books.get(outcome)
        if books is None:
            raise ValueError(f"covariance: expected an outcome whose mean is a figure of two books, got {outcome!r}{near(outcome, self._books)}")
        out: dict[tuple[str, str], Estimate] = {}
        weight, row = self._weight_rows(), 0
        for i, a in enumerate(books):
            for b in books[: i + 1]:
                x, y = (self._moments(k, outcome).rows for k in (a, b))
                product = x[1] if a == b else self._cross[outcome][row]
                row += a != b
                table = np.vstack([weight, self.layout.fold(np.array([x[0], y[0], product]))])
                value, error = jackknife(lambda t: np.array([t[3] / t[0] - t[1] * t[2] / t[0] ** 2]), table)
                out[a, b] = out[b, a] = Estimate(float(value[0]), float(error[0]), len(table[0]), self.sampling.kind)
        return out

    def difference(self, name: str, other: "Statistics | None" = None, other_name: str | None = None) -> Estimate:
        """Paired difference of two means or probabilities: the second figure minus the first.

        The error is made of the differences by group of ids: for independent paths it is itself known to 6 %.

        Args:
            name: The figure subtracted.
            other: Statistics of the same paths that the second figure is read from; None takes these.
            other_name: The second figure; None takes the same name.

        Raises:
            ValueError: The paths differ, or a figure is neither a mean nor a probability.
        """
        other = self if other is None else other
        if (self.sampling, self.first, self.count) != (other.sampling, other.first, other.count):
            raise ValueError("difference: expected statistics of the same paths")
        a, b = self._linear(name), other._linear(other_name or name)
        scale = self.figures[name].factor
        return a.paired(b, self.count).scaled(scale)

    def quantile(self, book: str, outcome: str, level: float) -> Estimate:
        """Any quantile of an outcome that has a quantile or tail figure, from its histogram.

        For independent unweighted paths only: of others the error of an unregistered level is not known.

        Args:
            book: A book's name.
            outcome: One of its outcomes.
            level: Above 0 and below 1.

        Raises:
            ValueError: The outcome has no such figure, or paths are dependent or weighted.
        """
        source = self._outcome(book, outcome)
        for key, one in source.reducers.items():
            if key == ("quantile", level):
                return one.estimate(self.count, source.wide, self._mean_weight)
        if source.wide is None or self.sampling.kind != "iid" or self.weights is not None:
            raise ValueError(f"{book}/{outcome}: register Figure(column, 'quantile', {level:g}) in run(figures=...), or raise keep")
        n, spread = self.count, math.sqrt(level * (1.0 - level) / self.count)
        value, low, high = (source.wide.quantile(n * q) for q in (level, level - spread, level + spread))
        error = math.hypot(0.5 * (high - low), source.wide.width) if n * min(level, 1.0 - level) >= MINIMUM else math.nan
        return Estimate(value, error, n)

    def histogram(self, book: str, outcome: str) -> tuple[np.ndarray, np.ndarray]:
        """Histogram of an outcome that has a quantile or tail figure.

        Args:
            book: A book's name.
            outcome: One of its outcomes.

        Returns:
            (edges [BINS + 1] in the outcome's unit, share of paths [BINS + 2], below the first edge and above the last included).

        Raises:
            ValueError: The outcome has no such figure.
        """
        source = self._outcome(book, outcome)
        if source.wide is None:
            raise ValueError(f"{book}/{outcome}: a histogram needs a quantile or tail figure of it in run(figures=...), or raise keep")
        return source.wide.edges, source.wide.counts / self.count / self._mean_weight

    def effective_size(self, name: str | None = None) -> float:
        """Number of equally weighted paths that would tell as much (Kish 1965).

        Args:
            name: A figure: of the paths in a probability's event, a quantile's or a tail mean's tail. None: of all paths.

        Raises:
            ValueError: The paths are not weighted.
        """
        if self.weights is None:
            raise ValueError("effective_size: expected weighted paths, got a run without importance sampling")
        if name is None:
            return self.weights.effective(self.count)
        source, key = self._find(name)
        hits = source.reducers[key].hits
        return self.weights.effective(self.count) if hits is None else hits.effective(self.count)

    @property
    def _mean_weight(self) -> float:
        return 1.0 if self.weights is None else self.weights.mean(self.count).value

    def _weight_rows(self) -> np.ndarray:
        counts = self.layout.fold(self.layout.counts(self.count)[None])
        return counts if self.weights is None else counts + self.layout.fold(self.weights.rows[:1])

    def _find(self, name: str) -> tuple[_Source, Any]:
        if name not in self._place:
            raise ValueError(f"unknown figure {name!r}{near(name, self._place)}")
        return self._place[name]

    def _outcome(self, book: str, outcome: str) -> _Source:
        if (book, outcome) not in self._sources:
            known = ["/".join(key) for key in self._sources if isinstance(key, tuple)]
            raise ValueError(f"no figure of {f'{book}/{outcome}'!r}{near(f'{book}/{outcome}', known)}")
        return self._sources[book, outcome]

    def _moments(self, book: str, outcome: str) -> Sums:
        moments = self._outcome(book, outcome).moments
        if moments is None:
            raise ValueError(f"{book}/{outcome}: expected its mean among the figures")
        return moments

    def _mean_of(self, book: str, outcome: str) -> Estimate:
        return self._outcome(book, outcome).reducers["mean", 0.0].estimate(self.count, None, self._mean_weight)

    def _linear(self, name: str) -> Sums:
        source, key = self._find(name)
        one = source.reducers[key]
        if not isinstance(one, Mean):
            raise ValueError(f"difference: expected a mean or a probability, got the {key[0]} {name!r}")
        return one.sums


def _length(outcomes: Outcomes) -> int:
    return len(next(iter(next(iter(outcomes.values())).values())))
