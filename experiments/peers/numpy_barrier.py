"""The Asian barrier workload in numpy: vectorised over blocks of paths, a thread for each core."""

import math
import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from peers.terms import BarrierTerms

BLOCK = 16_384


def run(terms: BarrierTerms, paths: int, seed: int) -> dict[str, np.ndarray]:
    """Discounted payoff and last price of every path."""
    price, value = np.empty(paths, np.float32), np.empty(paths, np.float32)
    starts = range(0, paths, BLOCK)
    streams = np.random.SeedSequence(seed).spawn(len(starts))
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(lambda at, stream: _block(terms, price[at : at + BLOCK], value[at : at + BLOCK], stream), starts, streams))
    return {"call": value, "price_asset": price}


def _block(terms: BarrierTerms, price: np.ndarray, value: np.ndarray, stream: np.random.SeedSequence) -> None:
    draws, dt = np.random.Generator(np.random.SFC64(stream)), terms.years / terms.steps
    growth, scale = np.float32(1.0 + terms.drift * dt), np.float32(terms.sigma * math.sqrt(dt))
    z, total, alive = np.empty_like(price), np.zeros_like(price), np.ones(price.size, bool)
    price[:] = terms.spot
    for k in range(1, terms.steps + 1):
        draws.standard_normal(dtype=np.float32, out=z)
        z *= scale
        z += growth
        price *= z
        total += price
        alive &= total > np.float32(terms.barrier * k)
    value[:] = math.exp(-terms.rate * terms.years) * alive * np.maximum(total / np.float32(terms.steps) - np.float32(terms.strike), 0.0)
