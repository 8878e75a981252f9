"""The basket workload in numpy: vectorised over blocks of paths that fit the cache, a thread for each core (numpy lets go of the lock)."""

import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from peers.terms import BasketTerms

BLOCK = 8192  # paths: 32 kB a row of float32, some twenty-five rows in a megabyte of second-level cache


def run(terms: BasketTerms, paths: int, seed: int) -> dict[str, np.ndarray]:
    """Both calls and the last prices of every path."""
    prices, total = np.empty((terms.assets, paths), np.float32), np.empty(paths, np.float32)
    starts = range(0, paths, BLOCK)
    streams = np.random.SeedSequence(seed).spawn(len(starts))
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(lambda at, stream: _block(terms, prices[:, at : at + BLOCK], total[at : at + BLOCK], stream), starts, streams))
    return terms.columns(prices, total)


def _block(terms: BasketTerms, prices: np.ndarray, total: np.ndarray, stream: np.random.SeedSequence) -> None:
    draws = np.random.Generator(np.random.SFC64(stream))
    drift, scale = (np.float32(v) for v in terms.step())
    factor = scale * terms.factor()
    z, state = np.empty((terms.assets, total.size), np.float32), np.ones((terms.assets, total.size), np.float32)
    total[:] = 0.0
    for _ in range(terms.steps):
        draws.standard_normal(dtype=np.float32, out=z)
        moves = factor @ z
        moves += drift
        np.exp(moves, out=moves)
        state *= moves
        total += state.mean(axis=0)
    prices[:] = state
