"""Rules through named stretches of history: from the peak, from every other start, and over years drawn from the stretch's own days.

A window begins at a close of the period and ends with it. A rule's floor is a year's, so a period of more than a year is traded as years in a row,
each of which starts anew at what the one before left. That a period is looked at from its peak is hindsight, so all its starts stand beside it;
all end on one day, so they are one draw, not many, and have no error. What a year of such days brings is told, with errors, by the block
bootstrap of the period's own days.

Rules have the numbers that were fitted for the year in which the period begins, where there are such, else those they were given.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from tqdm import tqdm

from mcengine._model import replace
from mcengine.backtest.history import Window
from mcengine.backtest.plan import Plan
from mcengine.backtest.walk_forward import WalkForward
from mcengine.engine import Study, trace
from mcengine.history import named_periods
from mcengine.market import Bootstrap
from mcengine.market.bootstrap import MINIMUM_DAYS
from mcengine.objective import figure

_AT_ONCE = 64  # starts that one call of a trace takes anyway


def through(
    plan: Plan, walk: WalkForward | None = None, names: Iterable[str] | None = None, *, paths: int = 4096, progress: bool | None = None
) -> Any:
    """Every rule through every named period.

    Args:
        plan: Of the back-test.
        walk: Whose fitted numbers are used; None: rules as given.
        names: Of the periods; None: all that history covers.
        paths: Years drawn from a period's days; 0: none.
        progress: Whether to show a bar; None for on a terminal only.

    Returns:
        A pandas table by (period, book): ``from_peak`` (return) and ``lowest`` from the period's first close; of all starts the ``mean`` and the
        ``worst`` return, the lowest wealth ``lowest_any`` and the share ``breach`` below the floor on some day; of drawn years the Estimates
        ``drawn_mean``, ``drawn_p05`` (of wealth) and ``drawn_breach``, missing for a period of fewer days than a bootstrap takes.

    Raises:
        ValueError: For an unknown name, where prices cover none of them, and what ``check`` refuses.
    """
    import pandas as pd

    known = named_periods()
    wanted = set(known if names is None else names)
    if unknown := wanted - set(known):
        raise ValueError(f"periods: expected some of {', '.join(known)}, got {', '.join(sorted(unknown))}")
    found = {name: window for name, window in covered(plan).items() if name in wanted}
    if not found:
        raise ValueError(f"periods: expected some that the prices cover, got {', '.join(sorted(wanted))}")
    check(plan, found)
    fitted = {} if walk is None else {str(year["year"]): year["numbers"] for year in walk.years}
    record = {} if walk is None else {"recorders": (walk.recorder,)}  # the walk's program
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    for name, window in tqdm(found.items(), desc="periods", unit="period", disable=None if progress is None else not progress, leave=False):
        market = plan.history.replay(window, plan.steps, window.rows)
        books = plan.with_numbers(market, plan.rules(window), fitted.get(window.start[:4]))
        drawn = _drawn(plan, window, books, paths)
        for book, (grown, lowest) in _starts(plan.study(market, books, **record), window).items():
            facts = {"calm": known[name].calm, "assets": len(window.assets), "rows": window.rows, "fitted": fitted.get(window.start[:4]) is not None}
            peak = {"from_peak": float(grown[0] - 1.0), "lowest": float(lowest[0])}
            every = {"mean": float(grown.mean() - 1.0), "worst": float(grown.min() - 1.0), "lowest_any": float(lowest.min())}
            every |= {"breach": float(np.mean(lowest < plan.floor))}
            rows[name, book] = facts | peak | every | drawn.get(book, {})
    table = pd.DataFrame.from_dict(rows, orient="index")
    table.index = pd.MultiIndex.from_tuples(rows, names=["period", "book"])
    return table


def check(plan: Plan, names: Iterable[str]) -> None:
    """Refuse, before a walk, what ``through`` would be refused for after it.

    Args:
        plan: Of the back-test.
        names: Of periods that are ``covered``.

    Raises:
        ValueError: The plan has fewer steps than a year has rows, or a rule cannot do with the assets of a period; it is named.
    """
    windows = covered(plan)
    plan.check([windows[name] for name in names], plan.history.per_year)


def covered(plan: Plan) -> dict[str, Window]:
    """The named periods that prices cover and weights are in force in, in the order of time.

    Args:
        plan: Of the back-test.
    """
    windows = {name: plan.history.period(name, one) for name, one in named_periods().items()}
    return {name: window for name, window in windows.items() if window is not None and plan.has_weights(window)}


def notes(plan: Plan) -> list[str]:
    """What is left out of which period, a line each.

    Args:
        plan: Of the back-test.
    """
    windows = covered(plan)
    missing = [name for name in named_periods() if name not in windows]
    said = [f"no asset is quoted, or no weights are in force, through {', '.join(missing)}"] if missing else []
    return [*said, *(note for window in windows.values() for note in window.notes)]


def _starts(study: Study, window: Window) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """By book (wealth at the period's end, lowest on the way), each over that at the start, by start."""
    books, year, count = list(study.books), study.market.days.per_year, window.rows
    wealth: dict[str, list[np.ndarray]] = {book: [] for book in books}
    for at in range(0, count, _AT_ONCE):
        found = trace(study, list(range(at, min(at + _AT_ONCE, count))))
        for book in books:
            column = f"{book}.wealth" if len(books) > 1 else "wealth"
            wealth[book].append(found[column].to_numpy().reshape(-1, study.steps + 1))
    out = {}
    for book, parts in wealth.items():
        path = np.concatenate(parts)
        grown, lowest = np.ones(count), np.ones(count)
        for start in reversed(range(count)):  # a later start is a later year of an earlier one
            rows = min(count - start, year)
            grown[start], lowest[start] = path[start, rows], path[start, : rows + 1].min()
            if start + rows < count:
                lowest[start] = min(lowest[start], grown[start] * lowest[start + rows])
                grown[start] *= grown[start + rows]
        out[book] = grown, lowest
    return out


def _drawn(plan: Plan, window: Window, books: Mapping[str, Any], paths: int) -> dict[str, dict[str, Any]]:
    """By book figures of years drawn from the period's days."""
    if not paths or window.rows < MINIMUM_DAYS:
        return {}
    days = plan.history.days(window.assets)
    one = Bootstrap.of(days, window.first, window.first + window.rows, surface=plan.history.surface)
    # Rows that are never drawn bring every period to one size, so that all are one program.
    filled = lambda rows: np.concatenate([np.asarray(rows), np.repeat(np.asarray(rows)[-1:], days.count - len(rows), axis=0)])  # noqa: E731
    table = replace(one.days, moves=filled(one.days.moves), closes=filled(one.days.closes), dates=filled(one.days.dates))
    market = replace(one, days=table, rows=float(window.rows))
    result = plan.study(market, books).run(paths, seed=plan.seed, progress=False)
    figures = {"drawn_mean": figure.mean_return, "drawn_p05": lambda b: figure.percentile(b, 0.05)}
    return {
        book: {name: result.estimate(of(book)) for name, of in figures.items()}
        | {"drawn_breach": result.estimate(figure.breach_any_day(book, plan.floor))}
        for book in books
    }
