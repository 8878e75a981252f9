"""Figures of a hedged portfolio by book: each is a ``Measure`` (see ``measures``) of one policy, to be read from a run with its error.

Wealth W is final over starting wealth, so a floor is a number such as 0.9: the undiscounted level floor x starting wealth.
"""

import math

from mcengine.objective.measures import measure
from mcengine.objective.setting import Setting
from mcengine.statistics import Figure
from mcengine.statistics.figure import Column

_ANY = Setting(floor=1.0)
"""Of figures that read nothing of it."""


def mean_return(book: str) -> Figure:
    """E[W] - 1.

    Args:
        book: Name of the policy.
    """
    return measure("mean_return", _ANY).figure(book)


def difference(book: str, benchmark: str) -> Figure:
    """E[W - W_A] on the same paths: its error is the paired one.

    Args:
        book: Name of the policy.
        benchmark: Name of the policy of W_A.
    """
    return measure("difference", _ANY).figure(book, benchmark)


def difference_at_equal_leverage(book: str, benchmark: str, rate: float, years: float) -> Figure:
    """E[W - W_A(e)] on the same paths, W_A(e) the benchmark run at the policy's mean gross exposure e, the rest in cash (``measures.at_exposure``).

    Args:
        book: Name of the policy.
        benchmark: Name of the policy of W_A.
        rate: r, annual, continuously compounded.
        years: T, to the horizon.
    """
    return measure("difference_at_equal_leverage", Setting(floor=1.0, years=years, rate=rate)).figure(book, benchmark)


def percentile(book: str, level: float = 0.20, name: str = "wealth") -> Figure:
    """Quantile of an outcome.

    Args:
        book: Name of the policy.
        level: Share of paths below it, between 0 and 1.
        name: Of the outcome; ``year_k`` is year-end over year-start wealth.
    """
    return Figure(Column(book, name), "quantile", level)


def breach_at_end(book: str, floor: float) -> Figure:
    """P(W < floor).

    Args:
        book: Name of the policy.
        floor: Fraction of the starting wealth.
    """
    return measure("breach_at_end", Setting(floor)).figure(book)


def breach_any_day(book: str, floor: float) -> Figure:
    """P(wealth < floor on any date).

    Args:
        book: Name of the policy.
        floor: Fraction of the starting wealth.
    """
    return measure("breach_any_day", Setting(floor)).figure(book)


def ruined(book: str) -> Figure:
    """P(wealth <= 0 on any date), which ends the book: positions closed, wealth kept.

    Args:
        book: Name of the policy.
    """
    return measure("ruined", _ANY).figure(book)


def mean_shortfall(book: str, floor: float) -> Figure:
    """E[max(floor - W, 0)].

    Args:
        book: Name of the policy.
        floor: Fraction of the starting wealth.
    """
    return measure("mean_shortfall", Setting(floor)).figure(book)


def cvar(book: str, level: float = 0.95) -> Figure:
    """CVaR: the mean loss 1 - W of the worst 1 - ``level`` of paths.

    Args:
        book: Name of the policy.
        level: Between 0 and 1.
    """
    return measure(f"cvar_{100.0 * level:g}", _ANY).figure(book)


def mean_of(book: str, name: str) -> Figure:
    """Mean of an outcome.

    Args:
        book: Name of the policy.
        name: Of the outcome.
    """
    return Figure(Column(book, name))


def annualised(value: float, error: float, years: float) -> tuple[float, float]:
    """(1 + R)^(1/T) - 1 of a mean return R and its error by the delta method.

    Args:
        value: R.
        error: Standard error of R.
        years: T.

    Returns:
        (annualised return, its standard error).
    """
    growth = math.copysign(abs(1.0 + value) ** (1.0 / years), 1.0 + value)
    return growth - 1.0, error * abs(growth / ((1.0 + value) * years))
