"""Static arbitrage between quoted volatilities, and Black's call on a forward of 1 that it is read from.

Within an expiry a call falls with its strike, by no more than the strike rises; its slope never falls (a butterfly costs something).
Between expiries s < t, total variance w at the same forward-moneyness k = ln K/F does not fall (Gatheral & Jacquier, "Arbitrage-free SVI volatility
surfaces", Quant. Finance 14, 2014, lemma 2.1). At the strikes of s, w of t is interpolated in k; beyond its quotes it is at most what the nearest of
them allows: a call falls, a put rises with its strike.
"""

from typing import Any

import numpy as np

CALENDAR = 0.01
"""By what share total variance may fall with expiry: a half per cent of a volatility, which rounding and quotes of other minutes explain."""
_ROUNDING = 1e-12


def call(k: np.ndarray, total_volatility: np.ndarray) -> np.ndarray:
    """Black's call on a forward of 1, ``k`` = ln K/F, ``total_volatility`` sigma sqrt(T)."""
    from scipy.special import ndtr

    d1 = -k / total_volatility + 0.5 * total_volatility
    return ndtr(d1) - np.exp(k) * ndtr(d1 - total_volatility)


def total_volatility(k: np.ndarray, price: np.ndarray, start: np.ndarray) -> np.ndarray:
    """Total volatility of a call's price, by Newton inside a bracket; the nearest where an error of the sum left no arbitrage-free price."""
    low, high = np.full_like(start, 1e-4), np.full_like(start, 10.0)
    s = start.copy()
    for _ in range(40):
        gap = call(k, s) - price
        low, high = np.where(gap < 0.0, s, low), np.where(gap < 0.0, high, s)
        d1 = -k / s + 0.5 * s
        step = s - gap / np.maximum(np.exp(-0.5 * d1 * d1) * 0.3989422804014327, 1e-300)
        s = np.where((step > low) & (step < high), step, 0.5 * (low + high))
    return s


def check(q: Any) -> None:
    """Raise ``ValueError``, naming strikes and expiries, for ``Quotes`` that cross arbitrage in strike or in time; butterflies are only counted."""
    expiries = _expiries(q)
    for days, (k, w, strike, price) in expiries.items():
        slope = np.diff(price) / np.diff(strike)
        bad = (slope > _ROUNDING) | (slope < -1.0 - _ROUNDING)
        if bad.any():
            i = int(np.argmax(bad))
            raise ValueError(
                f"quotes: {q.name}: the volatilities at strikes {strike[i]:g} and {strike[i + 1]:g}, {days / 365.0:.3f} years, are an "
                "arbitrage: a call has to fall with its strike, by no more than the strike rises"
            )
        for later, (k2, w2, _, _) in expiries.items():
            most = _most(k, w, k2, w2) if later > days else np.full_like(w, np.inf)
            if (w > (1.0 + CALENDAR) * most).any():
                i = int(np.argmax(w / most))
                raise ValueError(
                    f"quotes: {q.name}: strike {strike[i]:g} at {days:g} days and its like at {later:g} days are an arbitrage: expected a total "
                    f"variance that falls by at most {CALENDAR:.0%} with expiry, got {w[i]:.4g} and later {most[i]:.4g}"
                )


def butterflies(q: Any) -> dict[float, int]:
    """By days to expiry, at how many strikes a call's slope falls, where that happens: two calls there cost more than their neighbours."""
    found: dict[float, int] = {}
    for days, (_, _, strike, price) in _expiries(q).items():
        count = int((np.diff(np.diff(price) / np.diff(strike)) < -_ROUNDING).sum())
        found |= {days: count} if count else {}
    return found


def _expiries(q: Any) -> dict[float, tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]]:
    """By days: (ln K/F, total variance, strike, call in currency undiscounted), by strike."""
    out = {}
    for years in np.unique(q.years):
        rows = np.flatnonzero(q.years == years)
        rows = rows[np.argsort(q.strike[rows])]
        k, w = np.log(q.strike[rows] / q.forward[rows]), q.volatility[rows] ** 2 * years
        out[float(np.round(365.0 * years, 6))] = k, w, q.strike[rows], q.forward[rows] * call(k, np.sqrt(w))
    return out


def _most(k: np.ndarray, w: np.ndarray, later_k: np.ndarray, later_w: np.ndarray) -> np.ndarray:
    """The most that a later expiry's total variance can be at ``k``."""
    inside = np.interp(k, later_k, later_w)
    ends = call(later_k, np.sqrt(later_w))[[0, -1]]
    put = np.where(k < later_k[0], ends[0] - 1.0 + np.exp(later_k[0]), 0.0)
    price = np.where(k < later_k[0], put + 1.0 - np.exp(k), ends[1])
    beyond = (k < later_k[0]) | (k > later_k[-1])
    return np.where(beyond, total_volatility(k, price, np.sqrt(w)) ** 2, inside)
