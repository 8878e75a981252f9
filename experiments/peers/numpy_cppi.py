"""The CPPI workload in numpy: vectorised over blocks of paths that fit the cache, a thread for each core (numpy lets go of the lock)."""

import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from peers.terms import ASSETS, Terms, outcomes

BLOCK = 8192  # paths: 32 kB a row of float32, some fifteen rows in a megabyte of second-level cache


def run(terms: Terms, paths: int, seed: int) -> dict[str, np.ndarray]:
    """Terminal wealth, its lowest, and the four prices of every path."""
    rows = np.empty((2 + ASSETS, paths), np.float32)
    starts = range(0, paths, BLOCK)
    streams = np.random.SeedSequence(seed).spawn(len(starts))
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(lambda at, stream: _block(terms, rows[:, at : at + BLOCK], stream), starts, streams))
    return outcomes(rows)


def _block(terms: Terms, out: np.ndarray, stream: np.random.SeedSequence) -> None:
    draws = np.random.Generator(np.random.SFC64(stream))
    n = terms.numbers()
    interest, floors = terms.tables()
    factor = n.scale * np.linalg.cholesky(terms.correlations()).astype(np.float32)
    size = out.shape[1]
    prices, units = np.ones((ASSETS, size), np.float32), np.zeros((ASSETS, size), np.float32)
    z, trade = np.empty_like(prices), np.empty_like(prices)
    cash, wealth, lowest = (np.ones(size, np.float32) for _ in range(3))
    for k in range(terms.steps):
        # Each asset is worth wealth x factor / 4; value traded is |new units - old units| x price.
        scaled = np.minimum(n.multiplier * np.maximum(wealth - floors[k], 0.0), wealth) * np.float32(1.0 / ASSETS)
        np.divide(scaled, prices, out=trade)
        trade -= units
        units += trade
        trade *= prices
        cash -= trade.sum(axis=0)
        np.abs(trade, out=trade)
        cash -= n.cost * trade.sum(axis=0)
        draws.standard_normal(dtype=np.float32, out=z)
        moves = factor @ z
        moves += n.drift
        np.exp(moves, out=moves)
        prices *= moves
        cash *= 1.0 + interest[k]
        wealth = cash + np.einsum("ij,ij->j", units, prices)
        np.minimum(lowest, wealth, out=lowest)
    out[0], out[1], out[2:] = wealth, lowest, prices
