"""What a back-test does in every year, as data: which rules, calibrated how, fitted how, at what cost, with what weights."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mcengine._model import parameters, with_parameters
from mcengine._spelling import near
from mcengine.backtest.history import History, Window, pro_rata
from mcengine.engine import Study
from mcengine.ledger import AbstractCost, Proportional
from mcengine.policy import AbstractStage

Weights = Mapping[str, float]
_DATE = re.compile(r"\d{4}(-\d\d(-\d\d)?)?")
GIVEN = " as given"
"""Ends the name under which the fitted rule runs with its numbers as they were before the fit."""


@dataclass(frozen=True)
class Plan:
    """What a back-test does in every year.

    Args:
        history: Prices to trade on.
        books: ``books(weights)``: rules by name, for a mix of these weights.
        calibrate: ``calibrate(assets, end)``: the market of these assets as the days up to ``end`` (a date, included) show it.
        weights: Fraction of wealth by asset; or such weights by date (2005-01-03, 2005-01 or 2005), in force for
            the years and periods whose first traded day is not before it.
        fit: ``fit(study)``: the study of one rule with better numbers; None: rules stay as given.
        fitted: Name of the rule that is fitted, if any.
        costs: What trading and holding cost.
        steps: Rows of a path, at least those of the longest year.
        delay: Dates from decision to trade.
        floor: Fraction of a year's starting wealth.
        paths: Simulated, of what a year is promised to be.
        seed: Of the random numbers.

    Raises:
        ValueError: For weights by something that is no date, or by dates and by assets at once.
    """

    history: History
    books: Callable[[Weights], Mapping[str, AbstractStage]]
    calibrate: Callable[[tuple[str, ...], str], Any]
    weights: Mapping[Any, Any]
    fit: Callable[[Study], Study] | None = None
    fitted: str | None = None
    costs: AbstractCost = Proportional()  # noqa: RUF009 (frozen)
    steps: int = 252
    delay: int = 1
    floor: float = 0.9
    paths: int = 16_384
    seed: int = 0

    def __post_init__(self) -> None:
        if self.fit is not None and self.fitted is None:
            raise ValueError("Plan.fitted: expected the name of the rule that is fitted, got none")
        dated = [key for key, value in self.weights.items() if isinstance(value, Mapping)]
        for key in dated:
            if not _DATE.fullmatch(str(key)):
                raise ValueError(f"weights: expected weights by asset, or by a date like 2005-01-03, 2005-01 or 2005, got {str(key)!r}")
        if plain := [str(key) for key in self.weights if dated and key not in dated]:
            raise ValueError(f"weights: expected all by date or none, got {', '.join(plain)} beside {', '.join(map(str, dated))}")

    def weights_at(self, window: Window) -> dict[str, float]:
        """The weights in force on the first day that a window is traded, those of missing assets given to the others.

        Args:
            window: What is traded.

        Raises:
            ValueError: For an asset without prices, or where no weights are in force yet.
        """
        weights = in_force(self.weights, self.first_traded(window))
        for name in weights:
            if name not in self.history.names:
                raise ValueError(f"weights: unknown asset {name!r}{near(name, self.history.names)}")
        return pro_rata(weights, window.assets)

    def has_weights(self, window: Window) -> bool:
        """Whether weights are in force on the first day that a window is traded.

        Args:
            window: What is traded.
        """
        dated = [str(key) for key, value in self.weights.items() if isinstance(value, Mapping)]
        return not dated or min(dated) <= self.first_traded(window)

    def first_traded(self, window: Window) -> str:
        """The first day of a window on which anything can be traded: the one after its first close.

        Args:
            window: What is traded.
        """
        return self.history.days(window.assets).day(window.first + 1)

    def rules(self, window: Window) -> dict[str, AbstractStage]:
        """The rules of a window by name, as given.

        Args:
            window: What is traded.

        Raises:
            ValueError: There is no rule of the name that is fitted.
        """
        books = dict(self.books(self.weights_at(window)))
        if self.fitted is not None and self.fitted not in books:
            raise ValueError(f"Plan.fitted: expected one of {', '.join(books)}, got {self.fitted!r}")
        return books

    def study(self, market: Any, books: Mapping[str, AbstractStage], **options: Any) -> Study:
        """A year of some books on a market, simulated or replayed.

        Args:
            market: A ``Market`` or history.
            books: Rules by name.
            options: Further fields of ``Study``.
        """
        years = self.steps / self.history.per_year
        return Study(market, dict(books), costs=self.costs, years=years, steps=self.steps, delay=self.delay, **options)

    def check(self, windows: Sequence[Window], most: int | None = None) -> None:
        """Refuse before any work what the last of some windows would be refused for.

        Args:
            windows: What is traded.
            most: Rows of one that a path takes at once; None: all of them.

        Raises:
            ValueError: One has more rows than the plan has steps, no weights are in force, or a rule cannot do with its assets; it is named.
        """
        rows = {window.name: window.rows if most is None else min(window.rows, most) for window in windows}
        for window in sorted(windows, key=lambda window: -rows[window.name])[:1]:
            if (least := rows[window.name]) > self.steps:
                part = "" if least == window.rows else "a year of "
                raise ValueError(f"steps: expected at least {least}, the rows of {part}{window.name}, got {self.steps}")
        seen = set()
        for window in windows:
            kind = (window.assets, *sorted(self.weights_at(window).items()))
            if kind not in seen:
                seen.add(kind)
                try:
                    self.study(self.history.replay(window, self.steps), self.rules(window))
                except ValueError as error:
                    raise ValueError(f"{window.name}, with {', '.join(window.assets)}: {error}") from None

    def with_numbers(self, market: Any, books: Mapping[str, AbstractStage], numbers: Mapping[str, Any] | None) -> dict[str, AbstractStage]:
        """The books, the fitted rule with its numbers and beside it as it was given.

        Args:
            market: On which they are valid.
            books: Rules by name, as given.
            numbers: Of the fitted rule, by dotted name; None: as given.
        """
        if self.fit is None or self.fitted is None:
            return dict(books)
        given = books[self.fitted]
        rule = given if numbers is None else with_parameters(self.study(market, {self.fitted: given}), numbers).books[self.fitted]
        return {**books, self.fitted + GIVEN: given, self.fitted: rule}

    def numbers(self, study: Study) -> dict[str, Any]:
        """Numbers of a study's rules by dotted name, as JSON keeps them.

        Args:
            study: Of the fitted rule.
        """
        import numpy as np

        return {name: np.asarray(value, np.float64).tolist() for name, value in parameters(study).items() if name.startswith("policy.")}


def in_force(weights: Mapping[Any, Any], date: str) -> dict[str, float]:
    """The weights of the last date not after ``date``; weights without dates are those of all.

    Args:
        weights: By asset, or by date.
        date: Like 2007-12-31.

    Raises:
        ValueError: The first date is a later one.
    """
    dated = {str(key): value for key, value in weights.items() if isinstance(value, Mapping)}
    if not dated:
        return {str(name): float(weight) for name, weight in weights.items()}
    known = [key for key in sorted(dated) if key <= date]
    if not known:
        raise ValueError(f"weights: expected some that are in force on {date}, got the first for {min(dated)}")
    return {str(name): float(weight) for name, weight in dated[known[-1]].items()}
