"""Total-return index of a constant-maturity par bond, from its yields.

Each day a par bond is bought at yesterday's yield and sold at today's: of 10 years,
    R = [c/y (1 - d^20) + d^20] d^{-2 dt} - 1,   c = y_{k-1},  y = y_k,  d = 1/(1 + y/2).
"""

import numpy as np


def bond_index(yields: np.ndarray, dt: np.ndarray, *, maturity: float = 10.0) -> np.ndarray:
    """Total-return index of a constant-maturity par bond, starting at 100.

    ``yields`` are par yields as fractions, semi-annual; ``dt`` years between rows (one fewer).
    """
    coupon, now = yields[:-1], yields[1:]
    half_year = 1.0 / (1.0 + now / 2.0)
    payments = round(2.0 * maturity)
    at_issue = coupon / now * (1.0 - half_year**payments) + half_year**payments
    returns = at_issue * half_year ** (-2.0 * dt) - 1.0
    return 100.0 * np.concatenate([[1.0], np.cumprod(1.0 + returns)])
