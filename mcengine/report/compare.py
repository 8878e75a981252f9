"""``compare``: the figures of two runs side by side, their difference with the error that fits: paired where they are of the same paths."""

from collections.abc import Sequence
from typing import Any

from mcengine._spelling import near
from mcengine.objective import figure as f
from mcengine.report.run import Run, run_at
from mcengine.statistics import Estimate, Figure
from mcengine.statistics.paired import apart, difference

_NEAR = 1e-6
"""Relative: a figure that the outcomes do not give again (it had a control variate, say) is not paired by them."""


def compare(a: Any, b: Any, figures: Sequence[str] | None = None) -> Any:
    """The figures of two runs, and their differences with errors: paired where both have the outcomes of the same paths, else as if independent.

    Paths are the same where noise, seed, stream, precision and ids are. Where the market is the same too the runs differ by their rules alone; where
    it is not the pairs share random numbers, which the table says.

    Args:
        a: A run: its folder, or what ``mc.load`` gave.
        b: Another, which ``a`` is taken from.
        figures: Names as of ``Run.figures``; None for all that both have.

    Returns:
        pandas table of Estimates, one row a figure: ``a``, ``b``, ``difference``, and ``errors``, which says paired or independent, and why.

    Raises:
        ValueError: For no folder of a finished run, or a figure that one of them lacks, with the near names.

    Example:
        >>> mc.compare("outputs/hedge/monday", "outputs/hedge/tuesday", ["mean_return", "p20"])  # doctest: +SKIP
    """
    import pandas as pd

    one, two = (x if isinstance(x, Run) else Run(run_at(x)) for x in (a, b))
    known = [name for name, value in one.figures.items() if isinstance(value, Estimate) and isinstance(two.figures.get(name), Estimate)]
    for name in figures or []:
        if name not in known:
            raise ValueError(f"compare: {name!r} is no figure of both runs{near(name, known)}")
    reason = _why_not(one, two)
    rows = {name: _row(name, one, two, reason) for name in (known if figures is None else figures)}
    return pd.DataFrame.from_dict(rows, orient="index", columns=["a", "b", "difference", "errors"]).rename_axis("figure")


def _row(name: str, one: Run, two: Run, reason: str) -> list[Any]:
    values = one.figures[name], two.figures[name]
    first, second = (None, None) if reason else (_figure(name, one), _figure(name, two))
    if first is None or second is None:
        return [*values, apart(*values), f"independent: {reason or 'it is not made of the outcomes kept'}"]
    if not (_gives(first, one, values[0]) and _gives(second, two, values[1])):
        return [*values, apart(*values), "independent: it had an estimator of its own"]
    return [*values, difference(first, one.outcomes, second, two.outcomes, one.sampling), f"paired: {_shared(one, two)}"]


def _shared(one: Run, two: Run) -> str:
    """What two runs of the same random numbers have in common."""
    other = {key for key in {*one.driver, *two.driver} if one.driver.get(key) != two.driver.get(key)}
    if not other:
        return "same paths"
    return f"same random numbers, {'other dates' if other <= {'study.years', 'study.steps'} else 'another market'}"


def _gives(figure: Figure, run: Run, value: Estimate) -> bool:
    """Whether the run's outcomes have this value of the figure."""
    return abs(figure.exact(run.outcomes, run.sampling).value - value.value) <= _NEAR * max(abs(value.value), _NEAR)


def _why_not(one: Run, two: Run) -> str:
    """Why nothing is paired; empty where it is."""
    if not (one.address and two.address):
        return "no paths were kept"
    for key in sorted({*one.address, *two.address}):
        if one.address.get(key) != two.address.get(key):
            return f"{key.removeprefix('study.')} is {one.address.get(key)} and {two.address.get(key)}"
    if one.paths != two.paths:
        return f"{one.paths:,} and {two.paths:,} paths"
    if one.sampling != two.sampling or (one.sampling.kind == "windows" and one.driver != two.driver):
        return "paths are windows of other histories" if one.sampling.kind == "windows" else "paths are sampled in other ways"
    if any(len(values) != run.paths for run in (one, two) for book in run.outcomes.values() for values in book.values()) or not one.outcomes:
        return "not every path was kept"
    return ""


def _figure(name: str, run: Run) -> Figure | None:
    """The figure of that name, made of the run's outcomes; None for one that is none of a book."""
    words, outcomes = name.split("/"), run.outcomes
    books = [book for book in outcomes if book != "market"]
    floor, key = run.config.get("floor"), words[-1]
    if words[0].startswith("floor_") and len(words) == 3:
        floor = float(words[0].removeprefix("floor_"))
        book = next((book for book in (words[1], f"{words[1]} {floor:g}") if book in books), None)
    elif len(words) == 2:
        book = words[0] if words[0] in books else None
    else:
        others = [book for book in books if book != "unhedged"] or books
        book = others[0] if len(words) == 1 and len(others) == 1 else None
    benchmark = next((one for one in ("unhedged", "before") if one in books and one != book), None)
    if book is None or floor is None:
        return None
    return _of_book(key, book, float(floor), benchmark, run)


def _of_book(key: str, book: str, floor: float, benchmark: str | None, run: Run) -> Figure | None:
    plain = {"mean_return": f.mean_return, "ruined": f.ruined, "cvar_95": f.cvar, "p20": f.percentile}
    of_floor = {"breach_at_end": f.breach_at_end, "breach_any_day": f.breach_any_day, "mean_shortfall": f.mean_shortfall}
    years = float(run.config.get("years", 0.0))
    if key in plain or (key == "annualised_return" and years == 1.0):
        return plain.get(key, f.mean_return)(book)
    if key in of_floor:
        return of_floor[key](book, floor)
    if key.startswith("p20_year_"):
        return f.percentile(book, 0.20, key.removeprefix("p20_"))
    if key in ("difference", "difference_to_before") and benchmark is not None:
        return f.difference(book, benchmark)
    rate = run.driver.get("study.market.rate.rate")
    if key == "difference_at_equal_leverage" and benchmark is not None and isinstance(rate, int | float):
        return f.difference_at_equal_leverage(book, benchmark, float(rate), years)
    return f.mean_of(book, key) if key in run.outcomes[book] else None
