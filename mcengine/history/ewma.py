"""Exponentially weighted means of a series of days."""

import numpy as np

HALF_LIFE = 42.0
"""Days: two months, over which a volatility is remembered where none is quoted."""


def ewma(values: np.ndarray, start: float, half_life: float = HALF_LIFE) -> np.ndarray:
    """m_k = d m_{k-1} + (1 - d) x_k from m_{-1} = ``start``, d = 2^{-1/half-life}: the mean known once each of ``values`` is."""
    from scipy.signal import lfilter

    decay = 0.5 ** (1.0 / half_life)
    smoothed, _ = lfilter([1.0 - decay], [1.0, -decay], values, zi=[decay * start])
    return smoothed
