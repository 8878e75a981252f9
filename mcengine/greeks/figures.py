"""Figures that have a derivative here, and what one path adds to it: every estimator is a mean over paths, so that any two are compared path by path.

With x' the derivative of an outcome x along a path and S the score of what does not move with the number (``market.scored``),
    mean          x' + (x - E[x]) S
    shortfall     of h = max(c - x, 0):  -1{x < c} x' + (h - E[h]) S
    probability   of x < c:  -K(x - c) x' + (1{x < c} - p) S
    quantile      q:  v = (E[K(x - q) x'] - E[1{x <= q} S]) / f,  f = E[K(x - q)]
    tail mean     of the worst share a, h = min(x - q, 0):  E[1{x < q} x']/a + E[h S]/a
(Glasserman, "Monte Carlo Methods in Financial Engineering", 2004, chapter 7; Hong, Operations Research 57(1), 2009, for the quantile; Hong & Liu,
Management Science 55(2), 2009, for the tail mean). K is Epanechnikov's kernel, which reaches to the k-th nearest path, k = 2 n^0.6: wide
where paths are few. Where x' = 0 and S tells all, no kernel is in the result. Errors contain that of q and f.
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

import numpy as np

from mcengine._spelling import near

_LEAST = 64  # paths that a kernel reaches at least

How: TypeAlias = Literal["mean", "shortfall", "probability", "quantile", "tail_mean"]


@dataclass(frozen=True)
class Derivable:
    """A figure of one outcome, by how it is reduced.

    Args:
        outcome: Of a path, such as ``wealth`` or ``lowest``, over the starting wealth.
        how: mean, shortfall (below ``level``), probability (of an outcome below ``level``), quantile or tail_mean (of share ``level``).
        level: The floor, or the share of paths.
        factor: Multiplies value and derivative.

    Raises:
        ValueError: For an unknown ``how``, or a share that is not above 0 and below 1.
    """

    outcome: str = "wealth"
    how: How = "mean"
    level: float = 0.0
    factor: float = 1.0

    def __post_init__(self) -> None:
        if self.how not in (known := get_args(How)):
            raise ValueError(f"Derivable.how: expected one of {', '.join(known)}, got {self.how!r}{near(self.how, known)}")
        if self.how in ("quantile", "tail_mean") and not 0.0 < self.level < 1.0:
            raise ValueError(f"Derivable.level: expected a share above 0 and below 1 for a {self.how}, got {self.level!r}")

    @property
    def steps(self) -> bool:
        """Whether it is of a step of the outcome, which has no derivative along a path."""
        return self.how in ("probability", "quantile")

    def draws(self, x: np.ndarray) -> np.ndarray:
        """What each path adds to the figure: their mean is the figure.

        Args:
            x: The outcome [paths].
        """
        x, floor = np.asarray(x, np.float64), self._floor(x)
        if self.how == "mean":
            y = x
        elif self.how == "shortfall":
            y = np.maximum(floor - x, 0.0)
        elif self.how == "probability":
            y = (x < floor).astype(np.float64)
        else:
            q = _quantile(x, self.level)
            y = q - ((x <= q) - self.level) / _kernel(x, q).mean() if self.how == "quantile" else q + np.minimum(x - q, 0.0) / self.level
        return self.factor * y

    def slopes(self, x: np.ndarray, slope: np.ndarray, score: np.ndarray) -> np.ndarray:
        """What each path adds to the derivative: their mean is the derivative.

        Args:
            x: The outcome [paths].
            slope: Its derivative along the path [paths].
            score: Of the number [paths].
        """
        floor, own = self._floor(x), x
        x, slope, score = (np.asarray(a, np.float64) for a in (x, slope, score))
        if self.how == "mean":
            y = slope + (x - x.mean()) * score
        elif self.how in ("shortfall", "probability"):
            h = self.draws(own) / self.factor
            moved = (x < floor) if self.how == "shortfall" else _kernel(x, floor) if np.any(slope) else 0.0
            y = -1.0 * moved * slope + (h - h.mean()) * score
        else:
            q, a = _quantile(x, self.level), self.level
            kernel = _kernel(x, q)
            f = kernel.mean()
            if self.how == "quantile":
                below, at_q = (x <= q) - a, np.mean(kernel * score) / f
                paths, law = np.mean(kernel * slope) / f, -np.mean(((x <= q) - a) * score) / f
                # What the result owes to where q lies: how x' and the density change there, by least squares within the kernel.
                apart = kernel * (x - q)
                square = np.mean(apart * (x - q))
                turn = np.mean(apart * (slope - paths)) / square - law * np.mean(apart) / square
                y = (kernel * slope - below * (score - at_q)) / f - (paths + law) * (kernel / f - 1.0) - turn * below / f
            else:
                below, at, h = (x < q) * 1.0, x == q, np.minimum(x - q, 0.0)
                below += at * (a - below.mean()) / at.mean()  # where paths sit at q, as many of them as make up the share
                v = np.mean((kernel * slope - (below - a) * score) / f) if np.isfinite(f) else 0.0
                y = (below * slope + (h - h.mean()) * score) / a - v * (below / a - 1.0)
        return self.factor * y

    def _floor(self, x: np.ndarray) -> float:
        """The level in the outcome's precision, in which tables of objectives compare: a path at the floor has not breached it."""
        dtype = np.asarray(x).dtype
        return float(dtype.type(self.level)) if np.issubdtype(dtype, np.floating) else self.level


def standard(floor: float) -> dict[str, Derivable]:
    """The figures of a hedged outcome, by the names that tables of objectives have.

    Args:
        floor: Fraction of the starting wealth.
    """
    return {
        "mean_return": Derivable(),
        "p20": Derivable(how="quantile", level=0.2),
        "cvar_95": Derivable(how="tail_mean", level=0.05, factor=-1.0),
        "mean_shortfall": Derivable(how="shortfall", level=floor),
        "breach_at_end": Derivable(how="probability", level=floor),
        "breach_any_day": Derivable("lowest", "probability", floor),
    }


def _quantile(x: np.ndarray, level: float) -> float:
    k = min(int(x.size * level), x.size - 1)
    return float(np.partition(x, k)[k])


def _kernel(x: np.ndarray, at: float) -> np.ndarray:
    """K(x - at); not a number where more paths than it should reach sit there, so that they have no density."""
    distance = np.abs(x - at)
    k = min(max(_LEAST, int(2.0 * x.size**0.6)), x.size - 1)
    reach = float(np.partition(distance, k)[k])
    if not reach > 1e-6 * max(abs(at), 1e-6):
        return np.full(x.shape, np.nan)
    return np.maximum(0.75 / reach * (1.0 - (distance / reach) ** 2), 0.0)
