"""The table of what was gained, explained: by Greeks, carry, cost and a rest."""

from collections.abc import Callable, Iterable
from typing import Any

from mcengine._spelling import near
from mcengine.engine import AbstractStudy, Explained, Result
from mcengine.engine.explained import PARTS
from mcengine.objective.figure import mean_of, mean_return
from mcengine.statistics import Estimate, Figure


def explained_figures(study: AbstractStudy, books: Iterable[str] | None = None) -> dict[str, Figure]:
    """Means of the parts that ``engine.Explained`` records, and their sum, the mean return.

    Args:
        study: What is simulated, with that recorder.
        books: Names of the policies; None for all.

    Returns:
        By ``book/key``.

    Raises:
        ValueError: For a study that does not record it, or a book it does not have.
    """
    if not any(isinstance(one, Explained) for one in study.recorders):
        raise ValueError("explained: expected a study with the recorder Explained, got none; give Study(recorders=(..., mc.engine.Explained()))")
    out: dict[str, Figure] = {}
    for book in study.books if books is None else books:
        if book not in study.books:
            raise ValueError(f"explained: unknown book {book!r}{near(book, study.books)}")
        out |= {f"{book}/explained_{part}": mean_of(book, f"explained_{part}") for part in PARTS}
        out[f"{book}/mean_return"] = mean_return(book)
    return out


def explained(result: Result, books: Iterable[str] | None = None, estimate: Callable[[Result, Figure, str], Estimate] | None = None) -> Any:
    """What each policy has gained, by parts: means over paths of their sums over days, over the starting wealth; they add up to the mean return.

    Args:
        result: Of a run.
        books: Names of the policies; None for all.
        estimate: ``estimate(result, figure, name)`` reads a figure; None for ``result.estimate``.

    Returns:
        A pandas table of Estimates, one row a book, one column a part.

    Raises:
        ValueError: As of ``explained_figures``.
    """
    import pandas as pd

    rows: dict[str, dict[str, Estimate]] = {}
    for key, figure in explained_figures(result.study, books).items():
        book, _, name = key.partition("/")
        rows.setdefault(book, {})[name] = result.estimate(figure, key) if estimate is None else estimate(result, figure, key)
    return pd.DataFrame.from_dict(rows, orient="index")
