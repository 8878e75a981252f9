"""A tear sheet of one sequence of returns: returns by month and year, the deepest drawdowns with their dates, rolling volatility."""

from typing import Any

import numpy as np

from mcengine.backtest.metrics import drawdown

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def monthly(returns: Any) -> Any:
    """Returns by month, a row a year, the year's last; a month without a row is missing (pandas).

    Args:
        returns: From row to row, by date (pandas).
    """
    import pandas as pd

    grown = (1.0 + returns).groupby([returns.index.year, returns.index.month]).prod() - 1.0
    table = grown.unstack().reindex(columns=range(1, 13))
    table.columns = pd.Index(_MONTHS)
    table["year"] = (1.0 + returns).groupby(returns.index.year).prod() - 1.0
    return table.rename_axis("year")


def drawdowns(returns: Any, most: int = 10) -> Any:
    """The deepest drawdowns: peak, trough and recovery with their dates, depth and length in calendar days (pandas).

    One that has not recovered has no date of recovery, and its length is to the last date. A peak before the first return is on the first date.

    Args:
        returns: From row to row, by date (pandas).
        most: Of them.
    """
    import pandas as pd

    under = drawdown(returns.to_numpy())
    below = np.concatenate([[False], under < 0.0, [False]])
    begins, ends = np.flatnonzero(~below[:-1] & below[1:]), np.flatnonzero(below[:-1] & ~below[1:])
    rows = []
    for begin, end in zip(begins, ends, strict=True):  # under water on the rows begin to end - 1
        trough = begin + int(np.argmin(under[begin:end]))
        back = returns.index[end] if end < len(under) else pd.NaT
        peak, last = returns.index[max(begin - 1, 0)], returns.index[min(end, len(under) - 1)]
        rows.append({"peak": peak, "trough": returns.index[trough], "recovery": back, "depth": under[trough], "days": (last - peak).days})
    columns = ["peak", "trough", "recovery", "depth", "days"]
    return pd.DataFrame(rows, columns=columns).sort_values("depth", kind="stable").head(most).reset_index(drop=True)


def rolling_volatility(returns: Any, per_year: float, rows: int) -> Any:
    """Volatility a year over the last rows, as of each date (pandas).

    Args:
        returns: From row to row, by date (pandas).
        per_year: Rows a year.
        rows: Over which it is taken.
    """
    return returns.rolling(rows).std() * np.sqrt(per_year)


def underwater(returns: Any) -> Any:
    """Wealth under its highest so far, by date (pandas).

    Args:
        returns: From row to row, by date (pandas).
    """
    import pandas as pd

    return pd.Series(drawdown(returns.to_numpy()), returns.index)
