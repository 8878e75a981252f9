"""A Sharpe ratio and what is left of it once its own luck and the number of tries are counted.

With S the ratio of a row (not of a year), n rows, skew g3 and kurtosis g4 (3 of a normal), the probability that the true ratio exceeds S* is (Bailey
& Lopez de Prado 2012, "The Sharpe ratio efficient frontier")
    PSR(S*) = N( (S - S*) sqrt(n - 1) / sqrt(1 - g3 S + (g4 - 1)/4 S^2) ).
Of N tries of no skill whose ratios have variance V the best is expected at (Bailey & Lopez de Prado 2014, "The deflated Sharpe ratio")
    S0 = sqrt(V) ((1 - c) N^-1(1 - 1/N) + c N^-1(1 - 1/(N e))),   c = .5772... (Euler),
and the deflated Sharpe ratio is PSR(S0). The formula takes rows as independent; ``estimated`` does not.
"""

import math

import numpy as np
from scipy import special, stats

from mcengine.backtest.metrics import sharpe
from mcengine.statistics import Estimate
from mcengine.statistics.dependence import long_run_variance


def probabilistic_sharpe(ratio: float, benchmark: float, rows: int, skew: float, kurtosis: float) -> float:
    """PSR: the probability that the true ratio exceeds a benchmark.

    Args:
        ratio: Sharpe ratio of a row.
        benchmark: Of a row.
        rows: Number of returns.
        skew: Of the returns.
        kurtosis: Of the returns; 3 of a normal.
    """
    spread = 1.0 - skew * ratio + 0.25 * (kurtosis - 1.0) * ratio * ratio
    return float(special.ndtr((ratio - benchmark) * math.sqrt(rows - 1.0) / math.sqrt(spread)))


def expected_best(tries: int, variance: float) -> float:
    """S0: the ratio expected of the best of so many tries of no skill.

    Args:
        tries: Number of tries; of one nothing is expected.
        variance: Of the ratios of the tries.
    """
    if tries < 2:
        return 0.0
    near, far = special.ndtri(1.0 - 1.0 / tries), special.ndtri(1.0 - 1.0 / (tries * math.e))
    return math.sqrt(variance) * float((1.0 - np.euler_gamma) * near + np.euler_gamma * far)


def deflated_sharpe(excess: np.ndarray, ratios: np.ndarray) -> float:
    """Deflated Sharpe ratio: the probability that the true ratio exceeds what the best of all tries would have by luck.

    Args:
        excess: Returns over cash from row to row [n].
        ratios: Sharpe ratios of a row of all tries, this one included [tries].
    """
    ratios = np.asarray(ratios, np.float64)
    best = expected_best(ratios.size, float(np.var(ratios, ddof=1)) if ratios.size > 1 else 0.0)
    shape = float(stats.skew(excess)), float(stats.kurtosis(excess, fisher=False))
    return probabilistic_sharpe(sharpe(excess), best, len(excess), *shape)


def estimated(excess: np.ndarray, per_year: float) -> Estimate:
    """The Sharpe ratio a year, with the error that fits how returns follow each other (Lo 2002).

    Its influence is z - S (z^2 - 1)/2 with z the standardised return; the error is of that mean, by the long-run variance.

    Args:
        excess: Returns over cash from row to row [n].
        per_year: Rows a year.
    """
    excess = np.asarray(excess, np.float64)
    ratio = sharpe(excess)
    z = (excess - np.mean(excess)) / np.std(excess)
    variance, _ = long_run_variance(z - 0.5 * ratio * (z * z - 1.0))
    return Estimate(ratio, math.sqrt(variance / excess.size), excess.size, "windows").scaled(math.sqrt(per_year))
