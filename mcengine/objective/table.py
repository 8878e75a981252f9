"""The table of a study: for each policy return, protection, risk and cost, every figure an Estimate."""

import math
from collections.abc import Callable, Collection, Iterable
from typing import Any

from mcengine._spelling import near
from mcengine.engine import AbstractStudy, Result, summarise
from mcengine.objective import figure as f
from mcengine.statistics import Estimate, Figure


def figures(study: AbstractStudy, floor: float, books: Iterable[str] | None = None, benchmark: str | None = "unhedged") -> dict[str, Figure]:
    """Figures of the table, to be read from a result or streamed through a long run (``run(figures=...)``).

    Args:
        study: What is simulated.
        floor: Fraction of the starting wealth.
        books: Names of the policies; None for all.
        benchmark: Policy that returns are compared with; None for no comparison.

    Returns:
        By ``book/key`` (see ``engine.METRICS``).

    Raises:
        ValueError: For a book that the study does not have.
    """
    chosen = _chosen(study, books)
    if benchmark is not None and benchmark not in study.books:
        raise ValueError(f"benchmark: unknown book {benchmark!r}{near(benchmark, study.books)}")
    rate, years = float(study.market.rate.rate), float(study.years)
    whole_years = study.steps // study.year_steps if study.year_steps else 0
    names = [f"year_{k}" for k in range(1, whole_years + 1)] if whole_years >= 2 else ["wealth"]
    out: dict[str, Figure] = {}
    for book in chosen:
        rows: dict[str, Figure] = {"mean_return": f.mean_return(book)}
        if benchmark is not None and book != benchmark:
            rows["difference"] = f.difference(book, benchmark)
            rows["difference_at_equal_leverage"] = f.difference_at_equal_leverage(book, benchmark, rate, years)
        for name in names:
            rows["p20" if name == "wealth" else f"p20_{name}"] = f.percentile(book, 0.20, name)
        rows["breach_at_end"] = f.breach_at_end(book, floor)
        rows["breach_any_day"] = f.breach_any_day(book, floor)
        rows["mean_shortfall"] = f.mean_shortfall(book, floor)
        rows["ruined"] = f.ruined(book)
        rows["cvar_95"] = f.cvar(book, 0.95)
        outcomes = ("drawdown", "volatility", "exposure", "turnover", *(f"cost_{name}" for name in study.costs.names))
        rows |= {name: f.mean_of(book, name) for name in outcomes}
        out |= {f"{book}/{name}": figure for name, figure in rows.items()}
    return out


def table(
    result: Result,
    floor: float,
    books: Iterable[str] | None = None,
    benchmark: str | None = "unhedged",
    estimate: Callable[[Result, Figure, str], Estimate] | None = None,
) -> Any:
    """Return, protection, risk and cost of each policy, every figure an Estimate.

    The annualised return is added and, over several years that end on a step, the lowest yearly 20th percentile. Cells that have no meaning
    (the benchmark's difference to itself) are missing.

    Args:
        result: Of a run.
        floor: Fraction of the starting wealth.
        books: Names of the policies; None for all.
        benchmark: Policy that returns are compared with.
        estimate: ``estimate(result, figure, name)`` reads a figure; None for ``result.estimate``.

    Returns:
        A pandas table of Estimates, one row a book, one column a figure. ``attrs["about"]`` says in a line what was run.
    """
    import pandas as pd

    if benchmark is not None and benchmark not in result.study.books:
        benchmark = None
    rows: dict[str, dict[str, Estimate]] = {}
    years = float(result.study.years)
    for key, figure in figures(result.study, floor, books, benchmark).items():
        book, _, name = key.partition("/")
        row = rows.setdefault(book, {})
        row[name] = result.estimate(figure, key) if estimate is None else estimate(result, figure, key)
        if name == "mean_return":
            mean = row[name]
            row["annualised_return"] = Estimate(*f.annualised(mean.value, mean.error, years), mean.count, mean.sampling)
        if name.startswith("p20_year_"):
            lowest = row.get("p20_lowest_year")
            row["p20_lowest_year"] = row[name] if lowest is None or row[name].value < lowest.value else lowest
    made = pd.DataFrame.from_dict(rows, orient="index").reindex(columns=_columns(rows.values()))
    made.attrs["about"] = summarise(result.study, result.paths, result.seed)
    return made


def binding(estimates: Any, floor: float, *, probability: float = 0.005) -> list[str]:
    """What tests the floor of each policy: the 20th percentile, the end, any day, or nothing; and where it was ruined.

    Args:
        estimates: The table of ``objective.table``.
        floor: Fraction of the starting wealth.
        probability: Limit on the probability of any day below the floor.

    Returns:
        A sentence for each policy, with the errors.
    """
    lines = []
    for book, row in estimates.iterrows():
        p20 = row["p20_lowest_year"] if "p20_lowest_year" in row else row["p20"]
        any_day, end = row["breach_any_day"], row["breach_at_end"]
        percentile = f"its 20th percentile {p20} is {'below' if p20.value < floor else 'above'} the floor {floor:g}"
        if p20.value < floor:
            lines.append(f"{book}: {percentile}: the percentile binds")
        elif any_day.value - (any_day.half_width() if math.isfinite(any_day.error) else 0.0) > probability:
            lines.append(f"{book}: {percentile}, so the floor is tested by the days: P(any day below) = {any_day} > {probability:g} binds")
        else:
            lines.append(f"{book}: {percentile}, P(any day below) = {any_day}, at the end {end}: nothing binds at {probability:g}")
        if "ruined" in row and row["ruined"].value > 0.0:
            lines[-1] += f"; ruined on {row['ruined'].scaled(100.0)} % of paths, where wealth at or below 0 closed the book and stays as it was"
    return lines


def _chosen(study: AbstractStudy, books: Iterable[str] | None) -> list[str]:
    chosen = list(study.books) if books is None else list(books)
    for book in chosen:
        if book not in study.books:
            raise ValueError(f"unknown book {book!r}{near(book, study.books)}")
    return chosen


def _columns(rows: Collection[dict[str, Any]]) -> list[str]:
    """Columns in the order of the fullest row."""
    return max((list(row) for row in rows), key=len)
