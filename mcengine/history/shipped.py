"""Daily market history: the shipped file or the user's own, checked before anything is computed from it.

Columns: ``date``; ``spx`` a price index; ``vix`` in points; ``ust3m``, ``ust10y`` par yields in percent; ``wti`` in USD. More are allowed.
"""

from collections.abc import Collection
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from mcengine.history.prices import Prices
from mcengine.history.reader import given, is_shipped

COLUMNS = {"equity": "spx", "bond": "ust10y", "commodity": "wti"}
"""Assets of the shipped file: a price index, a par yield that ``bond_index`` makes an index of, a spot price."""

YIELDS = {"ust3m": 0.25, "ust2y": 2.0, "ust10y": 10.0}
"""Maturities in years of its columns of yields."""

DIVIDEND = 0.019
"""A year, of the S&P 500 over its history: the index leaves it out."""

NEEDED = ("spx", "vix", "ust3m", "ust10y", "wti")
POSITIVE = ("spx", "vix", "wti", "ust10y")
"""What a lognormal model, a square-root variance or the par-bond formula needs above 0; a bill may yield nothing, or less."""

FILE = "us_daily.csv.gz"


def load(data: Any = None, *, start: Any = None, end: Any = None, columns: tuple[str, ...] = NEEDED, levels: Collection[str] = ()) -> Prices:
    """Daily history of the shipped file or one with its columns, on the days all of them are quoted.

    Args:
        data: File, table, dict or ``Prices`` (see ``read.given``), or None for the shipped one.
        start: First date, like 2001-09-10, or None for the first there is.
        end: Last date, or None.
        columns: Columns needed: price indices, yields in percent, volatility indices in points.
        levels: Those that are no prices, of a file of one's own; of the shipped one nothing needs looking for.

    Raises:
        ValueError: What ``read`` refuses, or a price or yield that is not positive.
    """
    if is_shipped(data):
        file = Path(str(files("mcengine.history") / "data" / FILE))
        prices = given(file, columns=columns, start=start, end=end, levels=columns)
    else:
        try:
            prices = given(data, columns=columns, start=start, end=end, levels=levels)
        except ValueError as error:
            if " has no columns " not in str(error):
                raise
            raise ValueError(f"{error}; market=prices takes any (mc.calibrate.fit_prices)") from None
    _check_positive(prices)
    return prices


def _check_positive(prices: Prices) -> None:
    for c in set(POSITIVE) & set(prices.frame.columns):
        values = prices.frame[c].to_numpy()
        if (values <= 0.0).any():
            k = int(np.argmax(values <= 0.0))
            day = str(prices.frame.index[k])[:10]
            raise ValueError(f"data: column {c} on {day}: expected a positive number, for the model of it is lognormal, got {values[k]:g}")
