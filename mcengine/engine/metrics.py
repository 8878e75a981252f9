"""What figures are called: one list of keys, each with the label and the unit that printed tables and pictures show.

A key is the figure's name in code, in metrics.json, in ``until={"metric": ...}`` and in pandas; with several books ``book/key``. The mean of an
outcome is called as the outcome is. Keys that a study makes (``cost_<name>``, ``p20_year_<k>``) get their label from themselves, and so do those of a
user, whose unit is not known: they are shown as they are.
"""

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from mcengine._spelling import near
from mcengine.statistics.figure import Column, Figure


class Metric(NamedTuple):
    """What a figure is called.

    Args:
        key: In code, files and tables of pandas.
        label: In print.
        unit: "%" for a fraction, shown times 100, or "" for a number shown as it is.
    """

    key: str
    label: str
    unit: str = "%"

    @property
    def factor(self) -> float:
        """What a value is multiplied by where it is shown."""
        return 100.0 if self.unit == "%" else 1.0

    @property
    def heading(self) -> str:
        """Label and unit."""
        return f"{self.label}, {self.unit}" if self.unit else self.label


_LISTED = (
    Metric("wealth", "wealth"),
    Metric("p20", "p20 of wealth"),
    Metric("worst_5", "mean wealth of the worst 5 %"),
    Metric("lowest", "lowest wealth"),
    Metric("mean_return", "mean return"),
    Metric("annualised_return", "annualised return"),
    Metric("difference", "difference to A"),
    Metric("difference_at_equal_leverage", "difference at equal leverage"),
    Metric("p20_lowest_year", "p20, lowest year"),
    Metric("breach_at_end", "P(below floor) at end"),
    Metric("breach_any_day", "P(below floor) any day"),
    Metric("mean_shortfall", "mean shortfall"),
    Metric("ruined", "P(ruined)"),
    Metric("cvar_95", "CVaR 95 (loss)"),
    Metric("drawdown", "max drawdown"),
    Metric("volatility", "volatility"),
    Metric("exposure", "exposure", ""),
    Metric("turnover", "turnover", ""),
    Metric("cost_underlying", "cost: underlyings"),
    Metric("cost_option", "cost: options"),
    Metric("deviation", "deviation of wealth"),
    Metric("squared_shortfall", "mean squared shortfall", ""),
    Metric("sharpe", "Sharpe ratio", ""),
    Metric("sortino", "Sortino ratio", ""),
    Metric("information_ratio", "information ratio", ""),
    Metric("omega", "omega", ""),
    Metric("upside_capture", "upside capture", ""),
    Metric("volatility_deviation", "deviation of volatility"),
    Metric("share_in_band", "volatility in its band"),
    Metric("aic", "AIC", ""),
    Metric("price", "price", ""),
    Metric("cost", "cost"),
    Metric("tracking_error", "tracking error"),
    Metric("floor", "floor"),
)
METRICS = {one.key: one for one in _LISTED}
"""Every key that is not made from a study's own names."""
_MADE = re.compile(
    r"(cost|explained|cvar|cdar|difference|gain|pnl)_.+|p[\d.]+(_year_\d+)?|(lowest_p|entropic_|power_|mean_variance_)[\d.]+|year_\d+"
    r"|(time|annual_return|annual_difference|volatility|mean_drawdown)_in_.+"
)
_SHORT = {"breach": "breach_any_day"}
"""Keys by which wishes call what is listed."""


def is_metric(key: str) -> bool:
    """Whether a column of a table is a figure, listed or made from a study's own names.

    Args:
        key: As in a table's columns, without its book.

    Returns:
        False for one of a user's own, whose unit is not known.
    """
    return _SHORT.get(key, key) in METRICS or _MADE.fullmatch(key) is not None


def metric(key: str) -> Metric:
    """The metric of a key: ``cost_levy`` is "cost: levy", ``explained_vega`` "gained: vega", any other that is not listed its own words.

    Args:
        key: As in a table's columns, without its book.

    Returns:
        Its label and unit: "" for a key of a user's own, else "%" where nothing else is listed.
    """
    key = _SHORT.get(key, key)
    if key in METRICS:
        return METRICS[key]
    head, _, rest = key.partition("_")
    if head == "explained" and rest:
        return Metric(key, f"gained: {rest}")
    words = f"cost: {rest}" if head == "cost" and rest else re.sub(r"^(p[\d.]+)_year_", r"\1 of year ", key)
    if re.fullmatch(r"p[\d.]+", key):
        words = f"{key} of wealth"
    elif head in ("cvar", "cdar"):
        words = f"{'CVaR' if head == 'cvar' else 'CDaR'} {rest} ({'loss' if head == 'cvar' else 'drawdown'})"
    return Metric(key, words.replace("_", " "), "%" if is_metric(key) else "")


def near_metric(name: str, known: Iterable[str]) -> str:
    """``near`` for keys, which also finds one by its label.

    Args:
        name: What was asked for.
        known: Keys, with or without their book.
    """
    known = list(known)
    split = {key: key.rpartition("/") for key in known}
    return near(name, known, {f"{book}{mark}{metric(tail).label}": key for key, (book, mark, tail) in split.items()})


def default_figures(books: Iterable[str], names: Mapping[str, Iterable[str]]) -> dict[str, Figure]:
    """Mean of every outcome; of wealth also the 20th percentile and the mean of the worst 5 %.

    Args:
        books: By name.
        names: Names of each book's outcomes.

    Returns:
        Figures by ``book/key``.
    """
    out: dict[str, Figure] = {}
    for book in books:
        for name in names[book]:
            out[f"{book}/{name}"] = Figure(Column(book, name))
        if "wealth" in names[book]:
            out[f"{book}/p20"] = Figure(Column(book, "wealth"), "quantile", 0.20)
            out[f"{book}/worst_5"] = Figure(Column(book, "wealth"), "tail_mean", 0.05)
    return out
