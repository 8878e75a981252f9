"""What was promised against what came: the gap, its drift's part, and the ranks of what came (probability integral transform, PIT).

Where the promise is true the rank of each year's outcome within its simulated ones is uniform and independent of the others (Rosenblatt 1952;
Diebold, Gunther & Tay 1998). Tested by Kolmogorov & Smirnov's distance, and by Anderson & Darling's A^2, which sees the tails; p-values are
exact for n years (of A^2 by draws).

The gap of a figure is what came less what was promised. Its drift's part is what the promise changes by when every asset drifts as it came; the
rest is the market's shape (volatility, path, correlation) and chance. What n years can detect, at a level of 5 % and with a power of 80 %, is
a mean gap of (1.960 + 0.842) s / sqrt(n), s the deviation of the gap from year to year; and of ranks the shift of the outcome, in its own
standard deviations, that the distance finds with that power.
"""

import math
from functools import lru_cache
from typing import Any

import numpy as np
from scipy import special, stats

from mcengine.backtest.walk_forward import RECORD, WalkForward
from mcengine.statistics import Estimate
from mcengine.statistics.dependence import long_run_variance

LEVEL, POWER = 0.05, 0.80
_DRAWS, _SEED, _FEWEST = 4000, 5, 3


def gaps(walk: WalkForward, book: str) -> Any:
    """One row a figure: its mean promised and come, the gap, the drift's part and the rest, and the gap that these years can detect.

    Args:
        walk: Of a back-test.
        book: Name of the rule.

    Returns:
        A pandas table of Estimates, errors from year to year; ``drift`` and ``rest`` are missing where the market has no drifts.
    """
    import pandas as pd

    rows = {}
    for figure in ("return", "volatility", "drawdown", "breach"):
        promised, came = (walk.values(book, figure, kind) for kind in ("promised", "came"))
        gap = over_years(came - promised)
        row: dict[str, Any] = {"promised": over_years(promised), "came": over_years(came), "gap": gap}
        if all(year["drifted"][book] is not None for year in walk.years):
            drifted = walk.values(book, figure, "drifted")
            row |= {"drift": over_years(drifted - promised), "rest": over_years(came - drifted)}
        rows[figure] = row | {"detectable": detectable_mean(gap.error)}
    return pd.DataFrame.from_dict(rows, orient="index")


def ranks(walk: WalkForward, book: str) -> Any:
    """One row a figure: the mean rank of what came, its error where ranks are uniform, the p-values of uniformity (pandas).

    Args:
        walk: Of a back-test.
        book: Name of the rule.
    """
    import pandas as pd

    return pd.DataFrame.from_dict({figure: uniformity(walk.values(book, figure, "rank")) for figure in RECORD}, orient="index")


def uniformity(u: np.ndarray) -> dict[str, float]:
    """Whether ranks are uniform.

    Args:
        u: Ranks between 0 and 1 [years].

    Returns:
        mean, its error under uniformity, lowest and highest, the p-values ``ks`` and ``ad``.
    """
    u = np.asarray(u, np.float64)
    distance = anderson_darling(u[None, :])[0]
    drawn = anderson_darling(np.random.default_rng(_SEED).random((_DRAWS, u.size)))
    return {
        "mean": float(np.mean(u)),
        "error": 1.0 / math.sqrt(12.0 * u.size),
        "lowest": float(np.min(u)),
        "highest": float(np.max(u)),
        "ks": float(stats.kstest(u, "uniform").pvalue),
        "ad": float((1 + np.sum(drawn >= distance)) / (_DRAWS + 1)),
    }


def anderson_darling(u: np.ndarray) -> np.ndarray:
    """A^2 = -n - (1/n) sum (2 i - 1) (ln u_(i) + ln(1 - u_(n+1-i))) of uniform samples (Anderson & Darling 1954).

    Args:
        u: Samples [samples, n]; at 0 or 1 taken as 1e-6 from it.
    """
    x = np.clip(np.sort(u, axis=1), 1e-6, 1.0 - 1e-6)
    n = x.shape[1]
    weights = 2.0 * np.arange(1, n + 1) - 1.0
    return np.asarray(-n - np.mean(weights * (np.log(x) + np.log1p(-x[:, ::-1])), axis=1))


def detectable_mean(error: float) -> float:
    """The mean that is told from 0 at a level of 5 % with a power of 80 %: 2.80 errors.

    Args:
        error: Standard error of the mean.
    """
    return float(special.ndtri(1.0 - LEVEL / 2.0) + special.ndtri(POWER)) * error


@lru_cache(maxsize=16)
def detectable_shift(years: int) -> float:
    """The shift of a normal outcome, in its standard deviations, that the Kolmogorov-Smirnov test of so many ranks finds in 80 % of cases.

    Args:
        years: Number of ranks.

    Returns:
        To .05; infinite where 2 is not found.
    """
    z = np.random.default_rng(_SEED).standard_normal((_DRAWS, years))
    critical = stats.kstwo.isf(LEVEL, years)
    above, below = np.arange(1, years + 1) / years, np.arange(years) / years
    for shift in np.arange(0.05, 2.01, 0.05):
        u = np.sort(special.ndtr(z + shift), axis=1)
        distance = np.maximum((above - u).max(axis=1), (u - below).max(axis=1))
        if np.mean(distance > critical) >= POWER:
            return float(round(shift, 2))
    return math.inf


def over_years(x: np.ndarray) -> Estimate:
    """The mean over years, with the error that fits how they follow each other: by the long-run variance, where there are years enough, at least the
    plain one.

    Args:
        x: A figure of each year [years].
    """
    x = np.asarray(x, np.float64)
    n = x.size
    if n < _FEWEST:
        return Estimate(float(np.mean(x)), math.nan, n, "windows")
    variance = float(np.var(x, ddof=1))
    long_run, _ = long_run_variance(x)
    return Estimate(float(np.mean(x)), math.sqrt(max(variance, long_run if math.isfinite(long_run) else 0.0) / n), n, "windows")
