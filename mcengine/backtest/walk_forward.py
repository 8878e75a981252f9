"""Walk-forward: every year is calibrated and fitted on what came before it, then traded on what really happened.

    for each year: days before it -> market -> fit on simulated paths -> promise on other paths -> the year itself, from its last close before

What is decided in a year reads no row behind the one it is decided on: the calibration ends at the last close before the year, correlations that
rules read are of the rows up to the close at which they are read, and volatilities are quoted or of the past. A year is one path of ``Replay``, its
books begin in cash with a wealth of 1 and are read at the year's own last row, so that all years that have the same assets share one program.

The promise is the same books on the calibrated market, read at the same row; and once more with every asset's drift as it came (the drift by which
its expectation is the return that it had): what that changes is the drift's part of the gap.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from tqdm import tqdm

from mcengine.backtest.at_rows import AtRows
from mcengine.backtest.plan import Plan
from mcengine.backtest.year import one_year

RECORD = ("return", "volatility", "drawdown", "lowest")
"""Figures that are promised and ranked, by name."""


@dataclass(frozen=True)
class WalkForward:
    """What came, year by year, beside what was promised.

    Args:
        years: Of each year what it was, was promised and what came: JSON values.
        floor: Fraction of a year's starting wealth.
        per_year: Rows that make a year.
    """

    years: list[dict[str, Any]]
    floor: float
    per_year: int

    @property
    def books(self) -> list[str]:
        """Names of the rules."""
        return list(self.years[0]["came"])

    @property
    def recorder(self) -> AtRows:
        """What reads every year at its own last row."""
        return AtRows(tuple(sorted({year["rows"] for year in self.years})))

    @property
    def notes(self) -> list[str]:
        """What was left out, a line each."""
        return [note for year in self.years for note in year["notes"]]

    @property
    def returns(self) -> Any:
        """Returns from close to close by book, and of cash (pandas, by date)."""
        return self._daily("wealth", lambda x: x[1:] / x[:-1] - 1.0)

    @property
    def exposure(self) -> Any:
        """Underlyings held over wealth, at each close, by book (pandas, by date)."""
        return self._daily("exposure", lambda x: x[1:])

    def _daily(self, what: str, of: Callable[[np.ndarray], np.ndarray]) -> Any:
        import pandas as pd

        frames = []
        for year in self.years:
            days = year["days"]
            columns = {book: of(np.asarray(x)) for book, x in days[what].items()}
            columns |= {"cash": np.asarray(days["cash"])} if what == "wealth" else {}
            frames.append(pd.DataFrame(columns, index=pd.DatetimeIndex(days["dates"][1:], name="date")))
        return pd.concat(frames)

    def values(self, book: str, figure: str, kind: str = "came") -> np.ndarray:
        """A figure of every year.

        Args:
            book: Name of the rule.
            figure: return, volatility, drawdown, lowest or breach.
            kind: came, promised, drifted (promised with the drifts that came) or rank (of what came within what was promised).
        """
        return np.array([year[kind][book][figure] for year in self.years], np.float64)

    def table(self, book: str) -> Any:
        """One row a year: return and lowest wealth that came and were promised, their ranks, the cost (pandas).

        Args:
            book: Name of the rule.
        """
        import pandas as pd

        rows = {}
        for year in self.years:
            came, promised, rank = (year[kind][book] for kind in ("came", "promised", "rank"))
            rows[year["year"]] = {
                "assets": len(year["assets"]),
                "return": came["return"],
                "promised_return": promised["return"],
                "promised_return_p05": promised["return_p05"],
                "promised_return_p95": promised["return_p95"],
                "rank_return": rank["return"],
                "volatility": came["volatility"],
                "promised_volatility": promised["volatility"],
                "lowest": came["lowest"],
                "promised_lowest_p05": promised["lowest_p05"],
                "rank_lowest": rank["lowest"],
                "promised_breach": promised["breach"],
                "cost": came["cost"],
            }
        return pd.DataFrame.from_dict(rows, orient="index").rename_axis("year")

    def numbers(self) -> Any:
        """The fitted rule's numbers, a row a year; those that no year moved are left out (pandas)."""
        import pandas as pd

        moved = {name for year in self.years for name, value in (year["numbers"] or {}).items() if value != year["given"][name]}
        rows = {year["year"]: {k: v for k, v in (year["numbers"] or {}).items() if k in moved} for year in self.years}
        return pd.DataFrame.from_dict(rows, orient="index").rename_axis("year")


def walk_forward(plan: Plan, years: Sequence[int], *, journal: Any = None, progress: bool | None = None) -> WalkForward:
    """Calibrate, fit and trade year by year on what was known before each.

    Args:
        plan: What is done in each.
        years: Calendar years, in order.
        journal: An ``engine.Journal`` that keeps every year, so that a walk that was killed goes on with the same bits.
        progress: Whether to show a bar; None for on a terminal only.

    Raises:
        ValueError: A year has no two years of quotes before it, more rows than the plan has steps, or assets that a rule cannot do with.
    """
    windows = [plan.history.year(year) for year in years]
    if not windows:
        raise ValueError("years: expected at least one, got none")
    plan.check(windows)
    record = AtRows(tuple(sorted({window.rows for window in windows})))
    recall = journal or (lambda compute: compute())
    bar = tqdm(list(enumerate(windows)), desc="walk", unit="year", disable=None if progress is None else not progress, leave=False)
    found = []
    for k, window in bar:
        bar.set_postfix_str(window.name)
        found.append(recall(partial(one_year, plan, window, record, k * plan.paths)))
    return WalkForward(found, plan.floor, plan.history.per_year)
