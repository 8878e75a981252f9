"""Serial dependence of a sequence: how far it reaches, what it does to the error of a mean, how long bootstrap blocks should be.

With R(k) the autocovariance and the flat-top weight l(k) = min(1, 2 - |k|/m)+ (Politis & Romano 1995), m the reach of the dependence,
    long-run variance  g = sum l(k) R(k),    standard error of the mean = sqrt(g / n).
R(k) is taken about the sample's own mean, which takes about g/n out of every R(k): g is divided by 1 - sum l(k) / n. It is known as well as a
variance from n / sum l(k)^2 independent draws is.

Block length of the stationary bootstrap (Politis & White 2004; corrected by Patton, Politis & White 2009):
    b = (G / g)^(2/3) n^(1/3),   G = sum l(k) |k| R(k),
the reach m being the smallest after which K = max(5, sqrt(log10 n)) autocorrelations in a row lie within 2 sqrt(log10 n / n).
"""

import math

import numpy as np

_RUN, _BAND = 5, 2.0  # K and the number of standard errors in Politis & White (2004), section 3.2
FEWEST = 3.0
"""Independent draws below which an error of a mean is not known."""


def autocovariance(x: np.ndarray) -> np.ndarray:
    """R(0) ... R(n-1) of a sequence about its mean, each sum over n."""
    d = np.asarray(x, np.float64) - np.mean(x, dtype=np.float64)
    n = d.size
    spectrum = np.fft.rfft(d, 1 << (2 * n - 1).bit_length())
    return np.fft.irfft(spectrum * np.conj(spectrum))[:n] / n


def _weights(reach: int, lags: int) -> np.ndarray:
    """l(0) ... of the lags that have a weight."""
    return np.clip(2.0 - np.arange(min(2 * reach + 1, lags)) / max(reach, 1), 0.0, 1.0)


def _run(n: int) -> int:
    return max(_RUN, math.ceil(math.sqrt(math.log10(max(n, 10)))))


def _furthest(n: int) -> int:
    """Lags beyond which no covariance is looked at (Patton's choice)."""
    return math.ceil(math.sqrt(n)) + _run(n)


def reach(covariance: np.ndarray, least: int = 0) -> int:
    """Lags over which a sequence depends on itself, at least ``least``.

    The band is 2 sqrt(log10 n / n) times the root of the sum of squared correlations up to ``least``, by which dependence that is known of
    (of overlapping windows, say) widens the scatter of the others (Bartlett 1946).
    """
    n = covariance.size
    if not covariance[0] > 0.0:
        return least
    correlation = covariance / covariance[0]
    widened = 1.0 + 2.0 * float(np.sum(correlation[1 : least + 1] ** 2))
    band = _BAND * math.sqrt(math.log10(max(n, 10)) / n * widened)
    run = _run(n)
    last = max(least, min(_furthest(n), n - 1))
    inside = np.abs(correlation[: last + run + 1]) < band
    for m in range(least, last):
        if np.all(inside[m + 1 : m + run + 1]):
            return m
    return last


def long_run_variance(x: np.ndarray, least: int = 0) -> tuple[float, float]:
    """Long-run variance of a sequence, n times the squared error of its mean.

    Where the flat top gives less than half of what Bartlett's weights over twice the reach give, which are never negative, it is these.

    Args:
        x: The sequence [n].
        least: Lags over which it is known to depend on itself.

    Returns:
        (variance in the unit squared, number of independent draws it is known from).
    """
    x = np.asarray(x, np.float64)
    n = x.size
    covariance = autocovariance(x)
    m = reach(covariance, least)
    weights = _weights(m, n)
    twice = np.where(np.arange(weights.size) == 0, 1.0, 2.0)
    taken, known = float(np.sum(twice * weights)), n / float(np.sum(twice * weights**2))
    if not (taken < 0.75 * n and known >= FEWEST):
        return math.nan, known
    flat = float(np.sum(twice * weights * covariance[: weights.size])) / (1.0 - taken / n)
    triangle = 1.0 - np.arange(weights.size) / max(weights.size, 1)
    safe = float(np.sum(twice * triangle * covariance[: weights.size])) / (1.0 - float(np.sum(twice * triangle)) / n)
    return max(flat, 0.5 * safe), known


def block_length(x: np.ndarray) -> float:
    """Mean block length of the stationary bootstrap for the mean of a sequence (Politis & White 2004, corrected 2009).

    Args:
        x: The sequence [n].

    Returns:
        Steps, at least 1.
    """
    covariance = autocovariance(x)
    n = covariance.size
    m = max(reach(covariance), 1)
    weights = _weights(min(m, _furthest(n) // 2), n)
    lags = np.arange(weights.size)
    g = covariance[0] + 2.0 * float(np.sum(weights[1:] * covariance[1 : weights.size]))
    moment = 2.0 * float(np.sum(weights * lags * covariance[: weights.size]))
    if not (covariance[0] > 0.0 and g > 0.0):
        return 1.0
    longest = math.ceil(min(3.0 * math.sqrt(n), n / 3.0))
    return float(np.clip(abs(moment / g) ** (2.0 / 3.0) * n ** (1.0 / 3.0), 1.0, longest))
