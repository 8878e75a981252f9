"""The difference of a figure between two samples of the same paths, with the error of the pairs.

Each figure is a mean of an influence over paths (see ``statistics.estimate``), so the error of the difference is that of the mean of the influences'
differences. A quantile's influence is -s 1{x <= Q}, with s such that its own error is Woodruff's.
"""

import math

import numpy as np

from mcengine.statistics import estimate
from mcengine.statistics.estimate import IID, Estimate
from mcengine.statistics.figure import Figure, Outcomes, path_weights
from mcengine.statistics.sampling import Sampling


def difference(one: Figure, here: Outcomes, two: Figure, there: Outcomes, sampling: Sampling = IID) -> Estimate:
    """The second figure less the first, of outcomes of the same paths in the same order.

    Args:
        one: Of ``here``.
        here: {book: {outcome: [paths]}}.
        two: Of ``there``, reduced as ``one`` is.
        there: {book: {outcome: [paths]}}.
        sampling: Dependence between paths.

    Returns:
        The difference; two probabilities that agree on every path have the error of one that no path shows.
    """
    first, second = one.exact(here, sampling), two.exact(there, sampling)
    apart = _influence(two, there, second, sampling) - _influence(one, here, first, sampling)
    found = estimate.mean(apart, sampling)
    error = found.error
    if error == 0.0 and one.how == "probability":
        error = estimate.binomial(0.0, apart.size).error if sampling.kind == "iid" else math.nan
    return Estimate(second.value - first.value, error, found.count, sampling.kind)


def apart(one: Estimate, two: Estimate) -> Estimate:
    """The second less the first, as if they were of independent paths.

    Args:
        one: An estimate.
        two: Another.
    """
    counts = [e.count for e in (one, two) if e.count]
    return Estimate(two.value - one.value, math.hypot(one.error, two.error), min(counts, default=0))


def _influence(figure: Figure, outcomes: Outcomes, found: Estimate, sampling: Sampling) -> np.ndarray:
    """[paths], whose mean has the figure's error."""
    x, weights = np.asarray(figure.fixed(outcomes)(outcomes), np.float64), path_weights(outcomes)
    value = found.value / figure.factor
    if figure.how == "quantile":
        below = estimate.controlled(x <= value, weights).astype(np.float64)
        spread = estimate.mean(below, sampling).error
        return -below * (found.error / spread if spread > 0.0 else math.nan)
    if figure.how == "tail_mean":
        q = estimate.quantile(x, figure.level, sampling, weights).value
        return figure.factor * estimate.controlled(np.minimum(x - q, 0.0) / figure.level, weights)
    return figure.factor * estimate.controlled(x, weights)
