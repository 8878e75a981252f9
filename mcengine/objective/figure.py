"""Figures of a hedged portfolio, each a per-path column and a reduction: the engine gives every one its standard error.

Wealth W is final over starting wealth, so a floor is a number such as 0.9: the undiscounted level floor x starting wealth.
"""

import math
from collections.abc import Callable

import numpy as np

from mcengine.statistics import Figure, Outcomes, estimate
from mcengine.statistics.figure import Column, path_weights


def mean_return(book: str) -> Figure:
    """E[W] - 1.

    Args:
        book: Name of the policy.
    """
    return Figure(lambda o: o[book]["wealth"] - 1.0)


def difference(book: str, benchmark: str) -> Figure:
    """E[W - W_A] on the same paths: its error is the paired one.

    Args:
        book: Name of the policy.
        benchmark: Name of the policy of W_A.
    """
    return Figure(lambda o: np.subtract(o[book]["wealth"], o[benchmark]["wealth"], dtype=np.float64))


def difference_at_equal_leverage(book: str, benchmark: str, rate: float, years: float) -> Figure:
    """E[W - W_A(e)] on the same paths, W_A(e) the benchmark run at the policy's mean gross exposure e, the rest in cash.

    Held at a constant fraction e, ln W_A(e) = e ln W_A + (1 - e)(r T + e QV / 2) with QV the realised variance of the benchmark's
    returns (Ito; exact in continuous time, and to O(dt) on dates): no second run. The error of e itself is left out. A benchmark that was
    ruined counts as worth nothing.

    Args:
        book: Name of the policy.
        benchmark: Name of the policy of W_A.
        rate: r, annual, continuously compounded.
        years: T, to the horizon.
    """

    def adapt(outcomes: Outcomes) -> Callable[[Outcomes], np.ndarray]:
        exposure = estimate.mean(outcomes[book]["exposure"], weights=path_weights(outcomes)).value

        def column(o: Outcomes) -> np.ndarray:
            a = o[benchmark]
            variation = np.square(a["volatility"], dtype=np.float64) * years
            gone = a["wealth"] <= 0.0
            growth = np.log(np.where(gone, 1.0, a["wealth"]), dtype=np.float64)
            scaled = exposure * growth + (1.0 - exposure) * (rate * years + 0.5 * exposure * variation)
            return o[book]["wealth"] - np.where(gone, 0.0, np.exp(np.where(gone, 0.0, scaled)))

        return column

    return Figure(adapt=adapt)


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
    return Figure(lambda o: o[book]["wealth"] < floor, "probability")


def breach_any_day(book: str, floor: float) -> Figure:
    """P(wealth < floor on any date).

    Args:
        book: Name of the policy.
        floor: Fraction of the starting wealth.
    """
    return Figure(lambda o: o[book]["lowest"] < floor, "probability")


def ruined(book: str) -> Figure:
    """P(wealth <= 0 on any date), which ends the book: positions closed, wealth kept.

    Args:
        book: Name of the policy.
    """
    return Figure(lambda o: o[book]["lowest"] <= 0.0, "probability")


def mean_shortfall(book: str, floor: float) -> Figure:
    """E[max(floor - W, 0)].

    Args:
        book: Name of the policy.
        floor: Fraction of the starting wealth.
    """
    return Figure(lambda o: np.maximum(floor - o[book]["wealth"], 0.0))


def cvar(book: str, level: float = 0.95) -> Figure:
    """CVaR: the mean loss 1 - W of the worst 1 - ``level`` of paths.

    Args:
        book: Name of the policy.
        level: Between 0 and 1.
    """
    return Figure(lambda o: o[book]["wealth"] - 1.0, "tail_mean", 1.0 - level, factor=-1.0)


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
