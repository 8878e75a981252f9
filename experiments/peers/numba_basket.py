"""The basket workload in numba: prange over all cores, fastmath, float32.

``run_counter``: the engine's noise, chunks of paths inside a step so that LLVM vectorises all of it, the exponential included.
``run_loop``: the same noise, a path after the other: the loop as one writes it first.
``run_random``: a path after the other, ``np.random.standard_normal``.
"""

# ruff: noqa: NPY002 (inside numba there is only the old interface)

import math

import numpy as np
from numba import float32, njit, prange, uint64

from mcengine.noise import make_key
from peers.numba_noise import INLINE, exp, normals
from peers.terms import BasketTerms

CHUNK = 256  # paths of a chunk: its state, 9 kB, stays in the first-level cache
SEEDED = 1024  # paths to a seed of np.random, whose generator costs 624 words to start
ASSETS = 8


@njit(**INLINE)
def _correlated(low, z0, z1, z2, z3, z4, z5, z6, z7):
    return (
        z0,
        low[1] * z0 + low[2] * z1,
        low[3] * z0 + low[4] * z1 + low[5] * z2,
        low[6] * z0 + low[7] * z1 + low[8] * z2 + low[9] * z3,
        low[10] * z0 + low[11] * z1 + low[12] * z2 + low[13] * z3 + low[14] * z4,
        low[15] * z0 + low[16] * z1 + low[17] * z2 + low[18] * z3 + low[19] * z4 + low[20] * z5,
        low[21] * z0 + low[22] * z1 + low[23] * z2 + low[24] * z3 + low[25] * z4 + low[26] * z5 + low[27] * z6,
        low[28] * z0 + low[29] * z1 + low[30] * z2 + low[31] * z3 + low[32] * z4 + low[33] * z5 + low[34] * z6 + low[35] * z7,
    )


@njit(parallel=True, fastmath=True)
def _counter(low, drift, scale, steps, key, prices, total):
    paths = total.size
    for chunk in prange((paths + CHUNK - 1) // CHUNK):
        state = np.ones((ASSETS, CHUNK), np.float32)
        running = np.zeros(CHUNK, np.float32)
        base = uint64(chunk * CHUNK)
        for k in range(steps):
            for j in range(CHUNK):
                z0, z1, z2, z3 = normals(base + uint64(j), k, 0, key[0], key[1])
                z4, z5, z6, z7 = normals(base + uint64(j), k, 1, key[0], key[1])
                x0, x1, x2, x3, x4, x5, x6, x7 = _correlated(low, z0, z1, z2, z3, z4, z5, z6, z7)
                a0, a1 = state[0, j] * exp(drift + scale * x0), state[1, j] * exp(drift + scale * x1)
                a2, a3 = state[2, j] * exp(drift + scale * x2), state[3, j] * exp(drift + scale * x3)
                a4, a5 = state[4, j] * exp(drift + scale * x4), state[5, j] * exp(drift + scale * x5)
                a6, a7 = state[6, j] * exp(drift + scale * x6), state[7, j] * exp(drift + scale * x7)
                state[0, j], state[1, j], state[2, j], state[3, j] = a0, a1, a2, a3
                state[4, j], state[5, j], state[6, j], state[7, j] = a4, a5, a6, a7
                running[j] += (((a0 + a1) + (a2 + a3)) + ((a4 + a5) + (a6 + a7))) * np.float32(0.125)
        start = chunk * CHUNK
        for j in range(min(CHUNK, paths - start)):
            total[start + j] = running[j]
            for a in range(ASSETS):
                prices[a, start + j] = state[a, j]


@njit(parallel=True, fastmath=True)
def _loop(low, drift, scale, steps, key, prices, total):
    for i in prange(total.size):
        a0 = a1 = a2 = a3 = a4 = a5 = a6 = a7 = np.float32(1.0)
        running = np.float32(0.0)
        for k in range(steps):
            z0, z1, z2, z3 = normals(uint64(i), k, 0, key[0], key[1])
            z4, z5, z6, z7 = normals(uint64(i), k, 1, key[0], key[1])
            x0, x1, x2, x3, x4, x5, x6, x7 = _correlated(low, z0, z1, z2, z3, z4, z5, z6, z7)
            a0, a1 = a0 * math.exp(drift + scale * x0), a1 * math.exp(drift + scale * x1)
            a2, a3 = a2 * math.exp(drift + scale * x2), a3 * math.exp(drift + scale * x3)
            a4, a5 = a4 * math.exp(drift + scale * x4), a5 * math.exp(drift + scale * x5)
            a6, a7 = a6 * math.exp(drift + scale * x6), a7 * math.exp(drift + scale * x7)
            running += (((a0 + a1) + (a2 + a3)) + ((a4 + a5) + (a6 + a7))) * np.float32(0.125)
        total[i] = running
        prices[0, i], prices[1, i], prices[2, i], prices[3, i] = a0, a1, a2, a3
        prices[4, i], prices[5, i], prices[6, i], prices[7, i] = a4, a5, a6, a7


@njit(parallel=True, fastmath=True)
def _random(low, drift, scale, steps, seed, prices, total):
    paths = total.size
    for chunk in prange((paths + SEEDED - 1) // SEEDED):
        np.random.seed(seed + chunk)
        z, last = np.empty(ASSETS, np.float32), np.empty(ASSETS, np.float32)
        for i in range(chunk * SEEDED, min(paths, (chunk + 1) * SEEDED)):
            last[:] = np.float32(1.0)
            running = np.float32(0.0)
            for _ in range(steps):
                for a in range(ASSETS):
                    z[a] = float32(np.random.standard_normal())
                x = _correlated(low, z[0], z[1], z[2], z[3], z[4], z[5], z[6], z[7])
                mean = np.float32(0.0)
                for a in range(ASSETS):
                    last[a] *= math.exp(drift + scale * x[a])
                    mean += last[a]
                running += mean * np.float32(0.125)
            total[i] = running
            for a in range(ASSETS):
                prices[a, i] = last[a]


def _arguments(terms: BasketTerms, paths: int) -> tuple:
    if terms.assets != ASSETS:
        raise ValueError(f"basket8: expected {ASSETS} assets, for they are written out, got {terms.assets}")
    factor = terms.factor()
    low = tuple(factor[i, j] for i in range(ASSETS) for j in range(i + 1))
    drift, scale = (np.float32(v) for v in terms.step())
    return (low, drift, scale, terms.steps), np.empty((ASSETS, paths), np.float32), np.empty(paths, np.float32)


def run_counter(terms: BasketTerms, paths: int, seed: int) -> dict[str, np.ndarray]:
    """The engine's paths."""
    numbers, prices, total = _arguments(terms, paths)
    _counter(*numbers, make_key(seed), prices, total)
    return terms.columns(prices, total)


def run_loop(terms: BasketTerms, paths: int, seed: int) -> dict[str, np.ndarray]:
    """The engine's paths."""
    numbers, prices, total = _arguments(terms, paths)
    _loop(*numbers, make_key(seed), prices, total)
    return terms.columns(prices, total)


def run_random(terms: BasketTerms, paths: int, seed: int) -> dict[str, np.ndarray]:
    """Other paths, by numba's own generator."""
    numbers, prices, total = _arguments(terms, paths)
    _random(*numbers, seed, prices, total)
    return terms.columns(prices, total)
