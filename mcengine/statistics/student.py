"""Student's distribution: how many errors either side of a figure an interval takes whose error is itself estimated (Gosset 1908).

The share A of the distribution between -t and t is a finite sum in theta = atan(t / sqrt(n)) for a whole number n of degrees (Abramowitz & Stegun
1964, 26.7.3 and 26.7.4). Beyond ``_MOST`` degrees t is the expansion about the normal quantile z (26.7.5), there good to 1e-6.
"""

import math
from functools import lru_cache
from statistics import NormalDist

_MOST = 100


@lru_cache(maxsize=256)
def errors_either_side(coverage: float, degrees: int | None = None) -> float:
    """t with P(-t < T < t) = ``coverage``.

    Args:
        coverage: Above 0 and below 1.
        degrees: Of freedom, at least 1; None for the normal distribution.
    """
    z = NormalDist().inv_cdf(0.5 * (1.0 + coverage))
    if degrees is None:
        return z
    if degrees > _MOST:
        first, second = (z**3 + z) / 4.0, (5.0 * z**5 + 16.0 * z**3 + 3.0 * z) / 96.0
        third = (3.0 * z**7 + 19.0 * z**5 + 17.0 * z**3 - 15.0 * z) / 384.0
        return z + first / degrees + second / degrees**2 + third / degrees**3
    low, high = 0.0, 0.5 * math.pi
    for _ in range(60):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if _between(middle, degrees) < coverage else (low, middle)
    return math.sqrt(degrees) * math.tan(low)


def _between(theta: float, degrees: int) -> float:
    """A, the share between -t and t."""
    odd, square = degrees % 2, math.cos(theta) ** 2
    term = math.cos(theta) if odd else 1.0
    total = 0.0
    for k in range(degrees // 2):
        total += term
        term *= square * ((2 * k + 2) / (2 * k + 3) if odd else (2 * k + 1) / (2 * k + 2))
    return 2.0 / math.pi * (theta + math.sin(theta) * total) if odd else math.sin(theta) * total
