"""Static arbitrage between quoted volatilities, and Black's call on a forward of 1 that it is read from.

Within an expiry a call falls with its strike, by no more than the strike rises; its slope never falls (a butterfly costs something).
Between expiries s < t, total variance w at the same forward-moneyness k = ln K/F does not fall (Gatheral & Jacquier, "Arbitrage-free SVI volatility
surfaces", Quant. Finance 14, 2014, lemma 2.1). At the strikes of s, w of t is interpolated in k; beyond its quotes it is at most what the nearest of
them allows: a call falls, a put rises with its strike.
"""

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

CALENDAR = 0.01
"""By what share total variance may fall with expiry: a half per cent of a volatility, which rounding and quotes of other minutes explain."""
_ROUNDING = 1e-12
_BY_ROW = ("years", "strike", "forward", "volatility", "low", "high")


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


class Crossing(NamedTuple):
    """Two quotes that are an arbitrage, by their rows, and what is wrong in words."""

    first: int
    second: int
    words: str


def crossings(q: Any, *, at: str = "middle") -> list[Crossing]:
    """Pairs of ``Quotes`` that cross arbitrage in strike or in time, at their middles or, ``at`` "best", even at the kindest of bid and ask."""
    kind = at == "best" and q.low is not None
    low, high = (q.low, q.high) if kind else (q.volatility, q.volatility)
    expiries = {days: _Expiry.of(q, rows, low, high) for days, rows in _expiries(q).items()}
    found: list[Crossing] = []
    for days, e in expiries.items():
        rise = np.diff(e.strike)
        upward = e.cheap[1:] > e.dear[:-1] + _ROUNDING * rise
        steep = e.cheap[:-1] - e.dear[1:] > rise * (1.0 + _ROUNDING)
        for i in np.flatnonzero(upward | steep):
            words = f"of strikes {e.strike[i]:g} and {e.strike[i + 1]:g} a call has to fall with its strike, by no more than the strike rises"
            found.append(Crossing(int(e.rows[i]), int(e.rows[i + 1]), words))
        for later, f in expiries.items():
            if later <= days:
                continue
            most = _most(e.k, e.low, f.k, f.high)
            for i in np.flatnonzero(e.low > (1.0 + CALENDAR) * most):
                words = f"a total variance of {e.low[i]:.4g} at {days:g} days may fall by at most {CALENDAR:.0%}, got {most[i]:.4g} at {later:g} days"
                found.append(Crossing(int(e.rows[i]), int(f.rows[np.argmin(np.abs(f.k - e.k[i]))]), words))
    return found


def without_crossings(q: Any) -> tuple[np.ndarray, list[str]]:
    """(rows that stay, what is wrong with each that does not): the row of most crossings beyond bid and ask goes, one after the other, until none is
    left; of two alike the one further from the volatilities beside it.
    """
    stays = np.arange(q.strike.size)
    faults: list[str] = []
    while True:
        kept = replace(q, **{n: None if getattr(q, n) is None else getattr(q, n)[stays] for n in _BY_ROW})
        found = crossings(kept, at="best")
        if not found:
            return stays, faults
        count = np.bincount([r for c in found for r in (c.first, c.second)], minlength=stays.size).astype(float)
        tied = np.flatnonzero(count == count.max())
        worst = max(tied.tolist(), key=lambda r: _oddness(kept, r))
        words = next(c.words for c in found if worst in (c.first, c.second))
        faults.append(f"strike {kept.strike[worst]:g} at {365.0 * kept.years[worst]:g} days ({words})")
        stays = np.delete(stays, worst)


def _oddness(q: Any, row: int) -> tuple[float, float]:
    """How far a volatility is from those beside it, and its strike from the forward."""
    k = np.log(q.strike / q.forward)
    others = np.flatnonzero((q.years == q.years[row]) & (np.arange(k.size) != row))
    order = others[np.argsort(k[others])]
    expected = np.interp(k[row], k[order], q.volatility[order]) if order.size else q.volatility[row]
    return abs(float(q.volatility[row] - expected)), abs(float(k[row]))


def butterflies(q: Any) -> dict[float, int]:
    """By days to expiry, at how many strikes a call's slope falls, where that happens: two calls there cost more than their neighbours."""
    found: dict[float, int] = {}
    for days, rows in _expiries(q).items():
        e = _Expiry.of(q, rows, q.volatility, q.volatility)
        count = int((np.diff(np.diff(e.cheap) / np.diff(e.strike)) < -_ROUNDING).sum())
        found |= {days: count} if count else {}
    return found


class _Expiry(NamedTuple):
    """Of one expiry, by strike: rows, ln K/F, strike, total variances and undiscounted calls, at the lower and at the higher of two volatilities."""

    rows: np.ndarray
    k: np.ndarray
    strike: np.ndarray
    low: np.ndarray
    high: np.ndarray
    cheap: np.ndarray
    dear: np.ndarray

    @classmethod
    def of(cls, q: Any, rows: np.ndarray, low: np.ndarray, high: np.ndarray) -> "_Expiry":
        strike, forward, root = q.strike[rows], q.forward[rows], np.sqrt(q.years[rows])
        k = np.log(strike / forward)
        cheap, dear = (forward * call(k, v[rows] * root) for v in (low, high))
        return cls(rows, k, strike, (low[rows] * root) ** 2, (high[rows] * root) ** 2, cheap, dear)


def _expiries(q: Any) -> dict[float, np.ndarray]:
    """Rows by days, in the order of strikes."""
    out = {}
    for years in np.unique(q.years):
        rows = np.flatnonzero(q.years == years)
        out[float(np.round(365.0 * years, 6))] = rows[np.argsort(q.strike[rows])]
    return out


def _most(k: np.ndarray, w: np.ndarray, later_k: np.ndarray, later_w: np.ndarray) -> np.ndarray:
    """The most that a later expiry's total variance can be at ``k``."""
    inside = np.interp(k, later_k, later_w)
    ends = call(later_k, np.sqrt(later_w))[[0, -1]]
    put = np.where(k < later_k[0], ends[0] - 1.0 + np.exp(later_k[0]), 0.0)
    price = np.where(k < later_k[0], put + 1.0 - np.exp(k), ends[1])
    beyond = (k < later_k[0]) | (k > later_k[-1])
    return np.where(beyond, total_volatility(k, price, np.sqrt(w)) ** 2, inside)
