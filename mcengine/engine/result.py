"""What a run leaves: outcomes of the kept paths, streamed statistics of all of them, and the plain table.

Up to ``keep`` paths all columns are kept and figures are exact. Beyond, those named in the run are streamed (``statistics.stream``). In both
cases the study's noise says how paths depend on each other, and every error follows it: there is no way to ask for another.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from mcengine._spelling import near
from mcengine.engine.base import AbstractStudy
from mcengine.engine.metrics import default_figures
from mcengine.statistics import Sampling, estimate
from mcengine.statistics.accumulators import BINS
from mcengine.statistics.estimate import Estimate
from mcengine.statistics.figure import Column, Figure, path_weights
from mcengine.statistics.stream import Moments, Statistics


@dataclass
class Result:
    """What a run leaves: the outcomes of the kept paths, statistics of all of them, and how they were made.

    Args:
        study: What was simulated.
        outcomes: ``{book: {outcome: array [kept]}}``, the market's under ``market``.
        paths: Number of paths run.
        kept: How many of them are kept, the first ones.
        seed: Of the random numbers.
        stream: Of the random numbers.
        first: Id of the first path.
        timings: Seconds, by name.
        statistics: Of all paths, where not every one was kept.
        stopped: Why the run ended, in words.

    Raises:
        ValueError: For ids that do not fit the noise: an odd number of antithetic paths, randomisations of unequal length.
    """

    study: AbstractStudy
    outcomes: dict[str, dict[str, np.ndarray]]
    paths: int
    kept: int
    seed: int
    stream: str
    first: int
    timings: dict[str, float]
    statistics: Statistics | None = None
    stopped: str = ""

    def __post_init__(self) -> None:
        self.sampling.check_run(self.paths, self.first)

    @property
    def sampling(self) -> Sampling:
        """How the paths depend on each other."""
        return self.study.sampling

    @property
    def books(self) -> list[str]:
        """Names of the policies."""
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

    @property
    def weights(self) -> np.ndarray | None:
        """Likelihood ratios of the kept paths, or nothing where importance sampling is off."""
        return path_weights(self.outcomes)

    @property
    def all_kept(self) -> bool:
        """Whether every path was kept."""
        return self.kept == self.paths

    def estimate(self, figure: Figure, name: str | None = None) -> Estimate:
        """A figure with its error: exact when every path was kept, else streamed.

        Args:
            figure: What to estimate.
            name: Under which it was streamed.

        Raises:
            ValueError: For a figure that was not streamed, where not every path was kept.
        """
        if self.all_kept:
            return figure.exact(self.outcomes, self.sampling)
        if self.statistics is None or name is None or name not in self.statistics.figures:
            raise ValueError(f"{self.paths:,} paths were run and {self.kept:,} kept: name figure {name!r} in run(figures=...), or raise keep")
        return self.statistics.estimate(name)

    def under(self, prefix: str) -> "Result":
        """The same result with only the streamed figures whose names begin so, named without it.

        Args:
            prefix: Such as "cppi/".
        """
        if self.statistics is None:
            return self
        return dataclasses.replace(self, statistics=self.statistics.under(prefix))

    def figures(self) -> dict[str, Figure]:
        """The plain figures of every book."""
        return default_figures(self.books, {book: self.outcomes[book] for book in self.books})

    def estimates(self) -> dict[str, Estimate]:
        """Every plain figure with its error, by ``book/figure``."""
        return {name: self.estimate(figure, name) for name, figure in self.figures().items()}

    def table(self) -> Any:
        """Every plain figure with its error.

        Returns:
            A pandas table of text, one row a figure, one column a book.

        Example:
            >>> import mcengine as mc
            >>> market = mc.market.Market({"equity": mc.market.GBM(spot=100.0, sigma=0.2, drift=0.07)}, rate=0.03)
            >>> result = mc.Study(market, mc.policy.Mix(equity=0.6), steps=12).run(paths=64)
            >>> result.table().loc["wealth", "policy"]
            '1.056 ± 0.016'
        """
        import pandas as pd

        cells: dict[str, dict[str, str]] = {book: {} for book in self.books}
        for name, value in self.estimates().items():
            book, _, figure = name.partition("/")
            cells[book][figure] = str(value)
        return _printed_whole(pd.DataFrame(cells))

    def moments(self, book: str, outcome: str) -> Moments:
        """Mean, variance, skewness and excess kurtosis of an outcome, each with its error.

        Args:
            book: Name of the policy.
            outcome: Name of the outcome.
        """
        self._check(book, outcome)
        if self.sampling.kind == "windows":
            return Moments(*estimate.moments(self.outcomes[book][outcome], self.sampling))
        return self._of({f"{book}/{outcome}": Figure(Column(book, outcome))}).moments(book, outcome)

    def covariance(self, outcome: str = "wealth") -> Any:
        """Covariance of an outcome between books.

        Args:
            outcome: Name of the outcome.

        Returns:
            A pandas table of Estimates, [books, books].
        """
        import pandas as pd

        having = [book for book in self.books if outcome in self.outcomes[book]]
        if self.sampling.kind == "windows":
            columns = {book: np.asarray(self.outcomes[book][outcome], np.float64) for book in having}
            apart = {book: x - x.mean() for book, x in columns.items()}
            cells = {(a, b): estimate.mean(apart[a] * apart[b], self.sampling) for a in having for b in having}
        else:
            cells = self._of({f"{book}/{outcome}": Figure(Column(book, outcome)) for book in having}).covariance(outcome)
        names = list(dict.fromkeys(a for a, _ in cells))
        return _printed_whole(pd.DataFrame([[cells[a, b] for b in names] for a in names], names, names))

    def quantile(self, book: str, outcome: str, level: float) -> Estimate:
        """A quantile of an outcome; of a streamed run to a bin of the histogram, which the error contains.

        Args:
            book: Name of the policy.
            outcome: Name of the outcome.
            level: Share of paths below it, between 0 and 1.
        """
        self._check(book, outcome)
        if self.all_kept:
            return self.estimate(Figure(Column(book, outcome), "quantile", level))
        return self._of({}).quantile(book, outcome, level)

    def histogram(self, book: str, outcome: str, bins: int = 128) -> tuple[np.ndarray, np.ndarray]:
        """Distribution of an outcome between its outer quantiles, for pictures: shares have no errors, a ``probability`` figure has one.

        Args:
            book: Name of the policy.
            outcome: Name of the outcome.
            bins: A power of two up to ``accumulators.BINS``.

        Returns:
            (edges [bins + 1], share of paths in each bin [bins]).

        Raises:
            ValueError: For another number of bins.
        """
        self._check(book, outcome)
        if bins < 1 or bins > BINS or bins & (bins - 1):
            raise ValueError(f"bins: expected a power of two from 1 to {BINS}, got {bins!r}")
        edges, shares = self._of({"": Figure(Column(book, outcome), "quantile", 0.5)}).histogram(book, outcome)
        return edges[:: BINS // bins], shares[1:-1].reshape(bins, -1).sum(axis=1)

    def effective_size(self, figure: Figure | None = None, name: str | None = None) -> float:
        """Effective number of weighted paths: (sum w)^2 / sum w^2.

        Args:
            figure: Counts only paths in its event or tail; None for all paths.
            name: Under which it was streamed.
        """
        if self.all_kept:
            return self._of({} if figure is None else {"figure": figure}).effective_size(None if figure is None else "figure")
        return self._of({}).effective_size(name)

    def difference(self, other: "Result", figure: Figure, name: str | None = None, **theirs: Any) -> Estimate:
        """A mean or probability of another result minus that of this one, on the same paths, with the paired error.

        Args:
            other: The other result; this one for one book against another.
            figure: Of this result, and of the other where ``theirs`` names none.
            name: Under which it was streamed here.
            theirs: ``figure_there`` and ``name_there`` of the other result.

        Raises:
            ValueError: Where the two do not share seed, stream, path ids and noise, so that nothing is paired.
        """
        mine, other_s = (self.seed, self.stream, self.first, self.paths), (other.seed, other.stream, other.first, other.paths)
        if mine != other_s:
            raise ValueError(f"compare: expected the same seed, stream, first path and count, got {mine} and {other_s}")
        if self.sampling != other.sampling:
            raise ValueError(f"compare: expected paths sampled alike, got {self.sampling} and {other.sampling}")
        there, name_there = theirs.get("figure_there", figure), theirs.get("name_there", name)
        if {figure.how, there.how} - {"mean", "probability"}:
            raise ValueError(f"difference: expected means or probabilities, got {figure.how} and {there.how}")
        if self.all_kept and other.all_kept:
            x, y = (np.asarray(f.fixed(r.outcomes)(r.outcomes), np.float64) for f, r in ((figure, self), (there, other)))
            w, v = self.weights, other.weights
            if w is None and v is None:
                return estimate.mean(y - x, self.sampling).scaled(figure.factor)
            same = w is not None and v is not None and np.array_equal(w, v)
            one = estimate.mean(y - x, self.sampling, w) if same else estimate.mean(_times(y, v) - _times(x, w), self.sampling)
            return one.scaled(figure.factor)
        for result, asked in ((self, name), (other, name_there)):
            result.estimate(figure, asked)  # says what is missing
        a, b = self._of({name or "": figure}), other._of({name_there or "": there})
        return a.difference(name or "", b, name_there or "")

    def compare(self, other: "Result") -> Any:
        """Means of every outcome in this result and in another of the same paths, and their paired differences, other minus this.

        Of streamed runs the error is made of the differences by 128 groups of paths (see ``statistics.stream``).

        Args:
            other: A result of as many books, compared in their order.

        Returns:
            A pandas table of text, one row a policy and outcome.

        Raises:
            ValueError: Where the two do not share seed, stream, path ids and noise, so that nothing is paired.
        """
        import pandas as pd

        if len(self.books) != len(other.books):
            raise ValueError(f"compare: expected as many books, got {self.books} and {other.books}")
        rows = []
        for a, b in zip(self.books, other.books, strict=True):
            for name in self.outcomes[a]:
                before, after = Figure(Column(a, name)), Figure(Column(b, name))
                difference = self.difference(other, before, f"{a}/{name}", figure_there=after, name_there=f"{b}/{name}")
                values = self.estimate(before, f"{a}/{name}"), other.estimate(after, f"{b}/{name}")
                verdict = "" if abs(difference.value) > difference.half_width() else "within the error"
                rows.append((a, name, *map(str, values), str(difference), verdict))
        table = pd.DataFrame(rows, columns=["policy", "mean_of", "before", "after", "difference", "note"])
        return _printed_whole(table.set_index(["policy", "mean_of"]))

    def _of(self, figures: Mapping[str, Figure]) -> Statistics:
        """Statistics of all paths: those streamed, or of ``figures`` from the outcomes kept."""
        if not self.all_kept and self.statistics is not None:
            return self.statistics
        return Statistics(figures, self.sampling, self.outcomes, self.first)

    def _check(self, book: str, outcome: str) -> None:
        if outcome not in self[book]:
            raise ValueError(f"unknown outcome {outcome!r} of {book}{near(outcome, self[book])}")


def _times(values: np.ndarray, weights: np.ndarray | None) -> np.ndarray:
    return values if weights is None else weights * values


def _printed_whole(table: Any) -> Any:
    """The same table, which ``print`` shows with all its columns: pandas would leave out those beyond 80 characters."""
    import pandas as pd

    class Table(pd.DataFrame):
        __str__ = __repr__ = pd.DataFrame.to_string

    return Table(table)
