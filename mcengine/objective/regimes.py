"""The table of what each policy does in each regime of its market."""

import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from mcengine._spelling import near
from mcengine.engine import AbstractStudy, InRegimes, Result, summarise
from mcengine.objective.figure import mean_of
from mcengine.objective.measure import Measure
from mcengine.statistics import Estimate, Figure

KINDS = ("annual_return", "annual_difference", "volatility", "mean_drawdown")
"""Of the figures of a policy in a regime, beside the time spent in it."""


def regime_figures(study: AbstractStudy, books: Iterable[str] | None = None, benchmark: str | None = "unhedged") -> dict[str, Figure]:
    """Figures of every policy in every regime k, T_k the years spent in it and r the daily returns there: ``time_in_<k>``, E T_k / T;
    ``annual_return_in_<k>``, E[sum r] / E T_k; ``annual_difference_in_<k>``, that over the benchmark on the same paths; ``volatility_in_<k>``,
    sqrt(E[sum r^2] / E T_k); ``mean_drawdown_in_<k>``, of the fall from the highest wealth so far over the days there.

    The annual return is the arithmetic sum of daily returns a year, not compounded as ``mean_return`` is.
    Errors are those of the ratios, by the delta method.

    Args:
        study: What is simulated, with the recorder ``engine.InRegimes``.
        books: Names of the policies; None for all.
        benchmark: Policy that returns are compared with; None for no comparison.

    Returns:
        By ``book/key``.

    Raises:
        ValueError: For a study without that recorder, or a book it does not have.
    """
    names = _recorded(study)
    if benchmark is not None and benchmark not in study.books:
        raise ValueError(f"benchmark: unknown book {benchmark!r}{near(benchmark, study.books)}")
    out: dict[str, Figure] = {}
    for book in study.books if books is None else books:
        if book not in study.books:
            raise ValueError(f"by_regime: unknown book {book!r}{near(book, study.books)}")
        for name in names:
            out[f"{book}/time_in_{name}"] = mean_of(book, f"regime_{name}_time")
            for kind in KINDS:
                if kind != "annual_difference" or benchmark not in (None, book):
                    out[f"{book}/{kind}_in_{name}"] = _measure(kind, name, float(study.years)).figure(book, benchmark)
    return out


def by_regime(
    result: Result,
    books: Iterable[str] | None = None,
    benchmark: str | None = "unhedged",
    estimate: Callable[[Result, Figure, str], Estimate] | None = None,
) -> Any:
    """What each policy does in each regime: the share of time, its return a year and that over the benchmark, volatility, mean drawdown.

    Args:
        result: Of a run.
        books: Names of the policies; None for all.
        benchmark: Policy that returns are compared with; None for no comparison.
        estimate: ``estimate(result, figure, name)`` reads a figure; None for ``result.estimate``.

    Returns:
        A pandas table of Estimates, one row a book, one column a figure (see ``regime_figures``). ``attrs`` has ``about``, what was run, and
        ``regimes``, their names.

    Raises:
        ValueError: As of ``regime_figures``.
    """
    import pandas as pd

    rows: dict[str, dict[str, Estimate]] = {}
    for key, figure in regime_figures(result.study, books, benchmark).items():
        book, _, name = key.partition("/")
        rows.setdefault(book, {})[name] = result.estimate(figure, key) if estimate is None else estimate(result, figure, key)
    made = pd.DataFrame.from_dict(rows, orient="index").reindex(columns=max((list(row) for row in rows.values()), key=len))
    made.attrs |= {"about": summarise(result.study, result.paths, result.seed), "regimes": _recorded(result.study)}
    return made


def _recorded(study: AbstractStudy) -> tuple[str, ...]:
    for one in study.recorders:
        if isinstance(one, InRegimes):
            return one.regimes
    raise ValueError("by_regime: expected a study with the recorder InRegimes, got none; give Study(recorders=(..., *InRegimes.of(market)))")


def _measure(kind: str, name: str, years: float) -> Measure:
    """Of sums over days and the time spent, both means over paths."""
    time, what = f"regime_{name}_time", {"volatility": "square", "mean_drawdown": "drawdown"}.get(kind, "gain")
    outcome, per = f"regime_{name}_{what}", 1.0 if kind == "mean_drawdown" else years

    def columns(own: Any, benchmark: Any) -> tuple[Any, ...]:
        total = np.asarray(own[outcome], np.float64)
        return total - np.asarray(benchmark[outcome], np.float64) if kind == "annual_difference" else total, own[time]

    def ratio(total: float, share: float) -> float:
        if not share > 0.0:  # a regime that no path has been in
            return math.nan
        return math.sqrt(max(total, 0.0) / (per * share)) if kind == "volatility" else total / (per * share)

    return Measure(f"{kind}_in_{name}", columns, combine=ratio, needs=(outcome, time))
