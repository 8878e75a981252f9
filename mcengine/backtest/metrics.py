"""Figures of one sequence of returns, as empyrical defines them: what a user of it or of quantstats looks for, to the last digit.

With r the returns from row to row, N of them a year, n in all, W_k = prod (1 + r) and c the returns of cash (empyrical's ``risk_free``):
  annual return      W_n^(N/n) - 1               annual volatility   s(r) sqrt(N)
  Sharpe             mean(r - c) / s(r - c) sqrt(N)        Sortino   N mean(r - c) / (sqrt(mean min(r - c, 0)^2) sqrt(N))
  max drawdown       min W_k / max_{j<=k} W_j - 1, W_0 = 1 Calmar    annual return / |max drawdown|
  Omega              sum (r - c)+ / sum (c - r)+           tail      |95th percentile of r| / |5th|
  stability          R^2 of ln W on time                   VaR, CVaR 5th percentile of r; mean of the worst 5 %
s divides by n - 1, the root below it by n.
"""

import math
from typing import Any

import numpy as np
from scipy import stats

from mcengine.statistics import Sampling, estimate


def summary(returns: np.ndarray, per_year: float, cash: np.ndarray | float = 0.0) -> dict[str, float]:
    """All figures of a sequence of returns.

    Args:
        returns: From row to row [n].
        per_year: Rows a year.
        cash: What cash earned from row to row [n], or one number.

    Returns:
        Numbers by name; NaN where one is not defined.
    """
    r = np.asarray(returns, np.float64)
    excess = r - cash
    wealth = np.concatenate([[1.0], np.cumprod(1.0 + r)])
    annual, low = float(wealth[-1] ** (per_year / r.size) - 1.0), max_drawdown(r)
    downside = math.sqrt(float(np.mean(np.minimum(excess, 0.0) ** 2)) * per_year)
    lost = float(-np.sum(excess[excess < 0.0]))
    cut = int((r.size - 1) * 0.05)
    return {
        "total_return": float(wealth[-1] - 1.0),
        "annual_return": annual,
        "annual_volatility": float(np.std(r, ddof=1)) * math.sqrt(per_year),
        "sharpe": sharpe(excess) * math.sqrt(per_year),
        "sortino": _over(float(np.mean(excess)) * per_year, downside),
        "calmar": _over(annual, abs(low)),
        "omega": _over(float(np.sum(excess[excess > 0.0])), lost),
        "max_drawdown": low,
        "tail_ratio": _over(abs(float(np.percentile(r, 95))), abs(float(np.percentile(r, 5)))),
        "stability": float(stats.linregress(np.arange(r.size), np.log(wealth[1:])).rvalue ** 2) if (wealth > 0.0).all() else math.nan,
        "value_at_risk": float(np.percentile(r, 5)),
        "cvar": float(np.mean(np.partition(r, cut)[: cut + 1])),
        "skew": float(stats.skew(r)),
        "kurtosis": float(stats.kurtosis(r, fisher=False)),
        "best_day": float(np.max(r)),
        "worst_day": float(np.min(r)),
        "win_share": float(np.mean(r[r != 0.0] > 0.0)) if np.any(r) else math.nan,
    }


def sharpe(excess: np.ndarray) -> float:
    """Mean over standard deviation of excess returns, a row's.

    Args:
        excess: Over cash, from row to row [n].
    """
    return _over(float(np.mean(excess)), float(np.std(excess, ddof=1)))


def drawdown(returns: np.ndarray) -> np.ndarray:
    """W_k / max_{j<=k} W_j - 1, W_0 = 1 counted.

    Args:
        returns: From row to row [n].
    """
    wealth = np.concatenate([[1.0], np.cumprod(1.0 + np.asarray(returns, np.float64))])
    return np.asarray(wealth / np.maximum.accumulate(wealth) - 1.0)[1:]


def max_drawdown(returns: np.ndarray) -> float:
    """The lowest of ``drawdown``.

    Args:
        returns: From row to row [n].
    """
    return float(np.min(drawdown(returns)))


def table(walk: Any) -> Any:
    """``summary`` of every rule of a back-test, over cash: a column a rule (pandas).

    Args:
        walk: Of ``walk_forward``.
    """
    import pandas as pd

    returns = walk.returns
    cash = returns["cash"].to_numpy()
    return pd.DataFrame({book: summary(returns[book].to_numpy(), walk.per_year, cash) for book in walk.books})


def any_year(walk: Any) -> Any:
    """What a year from any day on brought: every window of a year, by rule; errors are those of windows that overlap.

    Args:
        walk: Of ``walk_forward``.

    Returns:
        A pandas table of Estimates: mean return, 5th percentile of wealth, share that ends below the floor; and the worst return.
    """
    import pandas as pd

    rows, size = {}, walk.per_year
    for book, returns in walk.returns[walk.books].items():
        log = np.concatenate([[0.0], np.cumsum(np.log1p(returns.to_numpy()))])
        if log.size <= size:
            break
        wealth, windows = np.exp(log[size:] - log[:-size]), Sampling("windows", size)
        shares = {"p05": estimate.quantile(wealth, 0.05, windows), "breach_at_end": estimate.probability(wealth < walk.floor, windows)}
        rows[book] = {"mean_return": estimate.mean(wealth - 1.0, windows), **shares, "worst": float(wealth.min() - 1.0)}
    return pd.DataFrame.from_dict(rows, orient="index")


def _over(a: float, b: float) -> float:
    return a / b if b else math.nan
