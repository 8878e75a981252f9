"""The numbers of the workloads; of the CPPI workload also what depends on the date only.

CPPI: four assets, dS/S = mu dt + sigma dW, one correlation between all; held at equal weights, scaled by min(1, m x cushion / wealth) with the
cushion over floor x discount to the horizon; a proportional cost on what is traded, interest on cash.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

ASSETS = 4


class Numbers(NamedTuple):
    """What does not change from date to date, in float32 (numba reads it by name)."""

    drift: np.float32  # (mu - sigma^2 / 2) dt
    scale: np.float32  # sigma sqrt(dt)
    l10: np.float32
    l11: np.float32
    l20: np.float32
    l21: np.float32
    l22: np.float32
    l30: np.float32
    l31: np.float32
    l32: np.float32
    l33: np.float32
    multiplier: np.float32
    cost: np.float32


@dataclass(frozen=True)
class Terms:
    """The workload: annual rates, ``floor`` of the starting wealth 1, prices from 1."""

    steps: int = 252
    years: float = 1.0
    sigma: float = 0.2
    drift: float = 0.08
    rate: float = 0.02
    correlation: float = 0.5
    floor: float = 0.9
    multiplier: float = 4.0
    cost: float = 5e-4

    def correlations(self) -> np.ndarray:
        return np.full((ASSETS, ASSETS), self.correlation) + (1.0 - self.correlation) * np.eye(ASSETS)

    def numbers(self) -> Numbers:
        dt = self.years / self.steps
        factor = np.linalg.cholesky(self.correlations())
        rows = [factor[i, j] for i in range(1, ASSETS) for j in range(i + 1)]
        values = ((self.drift - 0.5 * self.sigma**2) * dt, self.sigma * math.sqrt(dt), *rows, self.multiplier, self.cost)
        return Numbers(*(np.float32(v) for v in values))

    def tables(self) -> tuple[np.ndarray, np.ndarray]:
        """(interest over each step, the floor's present value at its start), float32."""
        discounts = np.exp(-self.rate * np.arange(self.steps + 1) * (self.years / self.steps))
        interest = discounts[:-1] / discounts[1:] - 1.0
        return interest.astype(np.float32), (self.floor * discounts[-1] / discounts[:-1]).astype(np.float32)


def outcomes(rows: np.ndarray) -> dict[str, np.ndarray]:
    """The six rows a peer fills, by name."""
    return dict(zip(("wealth", "lowest", *(f"price_a{i}" for i in range(ASSETS))), rows, strict=True))


@dataclass(frozen=True)
class BasketTerms:
    """Lognormal assets from 1 at the rate ``rate``, one volatility, one correlation; calls struck at 1 on their mean, at the end and averaged."""

    steps: int = 252
    assets: int = 8
    years: float = 1.0
    sigma: float = 0.2
    correlation: float = 0.5
    rate: float = 0.02
    strike: float = 1.0

    def step(self) -> tuple[float, float]:
        """(drift, deviation) of a log-price over a step."""
        dt = self.years / self.steps
        return (self.rate - 0.5 * self.sigma**2) * dt, self.sigma * math.sqrt(dt)

    def correlations(self) -> np.ndarray:
        return np.full((self.assets, self.assets), self.correlation) + (1.0 - self.correlation) * np.eye(self.assets)

    def factor(self) -> np.ndarray:
        """The lower Cholesky factor of the correlation, float32."""
        return np.linalg.cholesky(self.correlations()).astype(np.float32)

    def columns(self, prices: np.ndarray, total: np.ndarray) -> dict[str, np.ndarray]:
        """What every peer returns, from last prices [assets, paths] and the sum over dates of the mean price."""
        discount = np.float32(math.exp(-self.rate * self.years))
        end = discount * np.maximum(prices.mean(axis=0) - np.float32(self.strike), 0.0)
        average = discount * np.maximum(total / np.float32(self.steps) - np.float32(self.strike), 0.0)
        return {"end": end, "average": average} | {f"price_a{i}": row for i, row in enumerate(prices)}


@dataclass(frozen=True)
class BarrierTerms:
    """An Asian call knocked out by its own running average, arithmetic Euler with the drift as given."""

    steps: int = 365
    years: float = 1.0
    spot: float = 120.0
    strike: float = 110.0
    barrier: float = 100.0
    sigma: float = 0.35
    drift: float = 0.1
    rate: float = 0.05


@dataclass(frozen=True)
class HestonTerms:
    """A call struck at the spot under Heston."""

    steps: int = 252
    years: float = 1.0
    spot: float = 1.0
    v0: float = 0.04
    kappa: float = 1.5
    theta: float = 0.04
    vol_of_vol: float = 0.5
    rho: float = -0.7
    rate: float = 0.02


@dataclass(frozen=True)
class HedgeTerms:
    """A call sold and hedged in Whalley and Wilmott's band: no interest, no drift, the entropic risk of what is left (risk aversion 1)."""

    steps: int = 20
    years: float = 20.0 / 250.0
    sigma: float = 0.2
    strike: float = 1.0
    cost: float = 1e-4


@dataclass(frozen=True)
class HedgedTerms:
    """A study by the names of its numbers (``market.equity.v0``), those to differentiate by, and the put's dates in steps."""

    steps: int
    numbers: dict[str, float]
    names: tuple[str, ...]
    tenor: int = 63
    roll: int = 63
