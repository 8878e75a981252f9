"""Exact bounds of a probability from hits in independent draws (Clopper & Pearson, Biometrika 26, 1934).

P(X <= k) for X binomial (n, p) is 1 - I_p(k + 1, n - k), with I the regularised incomplete beta function, here by its continued fraction (Press et
al., Numerical Recipes, 3rd ed. 2007, 6.4). The upper bound of confidence c is the p at which P(X <= hits) has fallen to 1 - c.
"""

import math

_TERMS = 10_000
_TINY = 1e-300


def at_most(hits: int, count: int, p: float) -> float:
    """P(X <= hits) of a binomial X.

    Args:
        hits: k.
        count: n.
        p: Probability of a hit.

    Example:
        >>> round(at_most(1, 3, 0.5), 12)
        0.5
    """
    if hits < 0:
        return 0.0
    return 1.0 if hits >= count else 1.0 - _beta(p, hits + 1.0, count - hits)


def upper_bound(hits: int, count: int, confidence: float) -> float:
    """The probability that the true one exceeds in at most 1 - ``confidence`` of all samples.

    Args:
        hits: Draws with a hit.
        count: Draws, independent.
        confidence: Above 0 and below 1.

    Example:
        >>> round(upper_bound(0, 100, 0.95), 6)  # 1 - 0.05^(1/100)
        0.029513
    """
    low, high = hits / count, 1.0
    for _ in range(60):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if at_most(hits, count, middle) > 1.0 - confidence else (low, middle)
    return high


def most_hits(count: int, limit: float, confidence: float) -> int:
    """Most hits with which the upper bound is not above ``limit``; -1 where not even none is enough.

    Args:
        count: Draws, independent.
        limit: Of the probability.
        confidence: Above 0 and below 1.
    """
    low, high = -1, count
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if at_most(middle, count, limit) <= 1.0 - confidence else (low, middle)
    return low


def _beta(x: float, a: float, b: float) -> float:
    """I_x(a, b)."""
    if x <= 0.0 or x >= 1.0:
        return float(x >= 1.0)
    front = math.exp(math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x))
    return front * _fraction(x, a, b) / a if x < (a + 1.0) / (a + b + 2.0) else 1.0 - front * _fraction(1.0 - x, b, a) / b


def _fraction(x: float, a: float, b: float) -> float:
    """Lentz's method."""
    c, d = 1.0, 1.0 / _safe(1.0 - (a + b) * x / (a + 1.0))
    h = d
    for m in range(1, _TERMS):
        for term in (m * (b - m) * x / ((a + 2 * m - 1.0) * (a + 2 * m)), -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1.0))):
            d, c = 1.0 / _safe(1.0 + term * d), _safe(1.0 + term / c)
            h *= c * d
        if abs(c * d - 1.0) < 1e-14:
            break
    return h


def _safe(x: float) -> float:
    return x if abs(x) > _TINY else _TINY
