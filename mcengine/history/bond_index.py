"""Total-return index of a constant-maturity par bond, from its yields.

Each day a par bond is bought at yesterday's yield and sold at today's: of 10 years,
    R = [c/y (1 - d^20) + d^20] d^{-2 dt} - 1,   c = y_{k-1},  y = y_k,  d = 1/(1 + y/2).
"""

import numpy as np


def bond_index(yields: np.ndarray, dt: np.ndarray, *, maturity: float = 10.0) -> np.ndarray:
    """Total-return index of a constant-maturity par bond, starting at 100.

    Each day a par bond is bought at yesterday's yield and sold at today's.

    Args:
        yields: Semi-annual par yields as fractions [days].
        dt: Years between rows [days - 1].
        maturity: Years, a multiple of half a year.

    Returns:
        Index [days].

    Example:
        >>> mc.history.bond_index(np.array([0.04, 0.04, 0.05]), np.array([0.5, 0.5])).round(1)
        array([100. , 102. ,  96.4])
    """
    coupon, now = yields[:-1], yields[1:]
    half_year = 1.0 / (1.0 + now / 2.0)
    payments = round(2.0 * maturity)
    at_issue = coupon / now * (1.0 - half_year**payments) + half_year**payments
    returns = at_issue * half_year ** (-2.0 * dt) - 1.0
    return 100.0 * np.concatenate([[1.0], np.cumprod(1.0 + returns)])
