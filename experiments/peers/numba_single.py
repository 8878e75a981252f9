"""One asset in numba, a path after the other, prange over all cores, ``np.random``: the Asian barrier call, and Heston by QE-M."""

# ruff: noqa: NPY002 (inside numba there is only the old interface)

import math

import numpy as np
from numba import float32, njit, prange

from peers.terms import BarrierTerms, HestonTerms

SEEDED = 1024  # paths to a seed of np.random, whose generator costs 624 words to start


@njit(parallel=True, fastmath=True)
def _barrier(spot, strike, barrier, growth, scale, discount, steps, seed, price, value):
    paths = price.size
    for chunk in prange((paths + SEEDED - 1) // SEEDED):
        np.random.seed(seed + chunk)
        for i in range(chunk * SEEDED, min(paths, (chunk + 1) * SEEDED)):
            s, total, alive = spot, np.float32(0.0), True
            for k in range(steps):
                s *= growth + scale * float32(np.random.standard_normal())
                total += s
                alive = alive and total > barrier * np.float32(k + 1)
            price[i] = s
            value[i] = discount * max(total / np.float32(steps) - strike, np.float32(0.0)) if alive else np.float32(0.0)


def asian_barrier(terms: BarrierTerms, paths: int, seed: int) -> dict[str, np.ndarray]:
    """Discounted payoff and last price of every path."""
    dt = terms.years / terms.steps
    numbers = (terms.spot, terms.strike, terms.barrier, 1.0 + terms.drift * dt, terms.sigma * math.sqrt(dt), math.exp(-terms.rate * terms.years))
    price, value = np.empty(paths, np.float32), np.empty(paths, np.float32)
    _barrier(*(np.float32(v) for v in numbers), terms.steps, seed, price, value)
    return {"call": value, "price_asset": price}


@njit(parallel=True, fastmath=True)
def _heston(v0, decay, pull, spread_v, spread_0, k2, k34, drift, steps, seed, price, variance):
    paths = price.size
    a_weight = k2 + 0.5 * k34
    for chunk in prange((paths + SEEDED - 1) // SEEDED):
        np.random.seed(seed + chunk)
        for i in range(chunk * SEEDED, min(paths, (chunk + 1) * SEEDED)):
            x, v = 0.0, v0
            for _ in range(steps):
                mean = pull + decay * v
                psi = (spread_0 + spread_v * v) / (mean * mean)
                if psi <= 1.5:
                    twice = 2.0 / psi
                    b2 = twice - 1.0 + math.sqrt(twice * (twice - 1.0))
                    a = mean / (1.0 + b2)
                    root = math.sqrt(b2) + np.random.standard_normal()
                    after = a * root * root
                    spare = 1.0 - 2.0 * a_weight * a
                    k0 = -a_weight * b2 * a / spare + 0.5 * math.log(spare)
                else:
                    p = (psi - 1.0) / (psi + 1.0)
                    beta = (1.0 - p) / mean
                    u = np.random.random()
                    after = 0.0 if u <= p else math.log((1.0 - p) / (1.0 - u)) / beta
                    k0 = -math.log(p + beta * (1.0 - p) / (beta - a_weight))
                x += drift + k0 - 0.5 * k34 * v + k2 * after + math.sqrt(k34 * (v + after)) * np.random.standard_normal()
                v = after
            price[i], variance[i] = math.exp(x), v


def heston(terms: HestonTerms, paths: int, seed: int) -> dict[str, np.ndarray]:
    """Discounted payoff, last price and last variance of every path. Andersen (2008): QE-M, psi_c 1.5, central weights."""
    dt, kappa, xi, rho = terms.years / terms.steps, terms.kappa, terms.vol_of_vol, terms.rho
    decay = math.exp(-kappa * dt)
    slope = 0.5 * dt * (kappa * rho / xi - 0.5)
    k34 = 0.5 * dt * (1.0 - rho**2)
    # K1 v drops out of Andersen's corrected constant K0* + K1 v = -ln E[e^(A v')] - K3 v / 2.
    numbers = (
        terms.v0,
        decay,
        terms.theta * (1.0 - decay),
        xi**2 * decay * (1.0 - decay) / kappa,
        terms.theta * xi**2 * (1.0 - decay) ** 2 / (2.0 * kappa),
        slope + rho / xi,
        k34,
        terms.rate * dt,
    )
    price, variance = np.empty(paths, np.float32), np.empty(paths, np.float32)
    _heston(*numbers, terms.steps, seed, price, variance)
    price *= np.float32(terms.spot)
    value = math.exp(-terms.rate * terms.years) * np.maximum(price - np.float32(terms.spot), 0.0)
    return {"call": value.astype(np.float32), "price_asset": price, "variance": variance}
