"""The CPPI workload in numba, four times: prange over both cores, fastmath, float32.

``run_counter``: the engine's noise (philox4x32-10 and Box-Muller, the same addresses and polynomials), chunks of paths inside a step so
that LLVM vectorises, ``math.exp``, which numba calls for one number at a time.
``run_vector``: the same with an exponential of its own, so that all of it vectorises: about what numba can be made to do.
``run_loop``: the same noise, a path after the other: the loop as one writes it first.
``run_random``: a path after the other, ``np.random.standard_normal``.
"""

# ruff: noqa: NPY002 (inside numba there is only the old interface)

import math

import numpy as np
from numba import float32, njit, prange, uint64

from mcengine.noise import make_key
from peers.numba_noise import INLINE, exp, normals
from peers.terms import ASSETS, Terms, outcomes

CHUNK = 256  # paths of a chunk: its state, 11 kB, stays in the first-level cache
SEEDED = 1024  # paths to a seed of np.random, whose generator costs 624 words to start

_ZERO, _QUARTER, _ONE = (np.float32(v) for v in (0.0, 0.25, 1.0))


@njit(**INLINE)
def _call_exp(x):
    return math.exp(x)


@njit(**INLINE)
def _moves(exp, n, z0, z1, z2, z3):
    return (
        exp(n.drift + n.scale * z0),
        exp(n.drift + n.scale * (n.l10 * z0 + n.l11 * z1)),
        exp(n.drift + n.scale * (n.l20 * z0 + n.l21 * z1 + n.l22 * z2)),
        exp(n.drift + n.scale * (n.l30 * z0 + n.l31 * z1 + n.l32 * z2 + n.l33 * z3)),
    )


@njit(**INLINE)
def _trade(n, floor, wealth, cash, a0, a1, a2, a3, u0, u1, u2, u3):
    value = min(n.multiplier * max(wealth - floor, _ZERO), wealth) * _QUARTER
    n0, n1, n2, n3 = value / a0, value / a1, value / a2, value / a3
    t0, t1, t2, t3 = (n0 - u0) * a0, (n1 - u1) * a1, (n2 - u2) * a2, (n3 - u3) * a3
    return cash - (t0 + t1 + t2 + t3) - n.cost * (abs(t0) + abs(t1) + abs(t2) + abs(t3)), n0, n1, n2, n3


@njit(**INLINE)
def _day(exp, n, floor, interest, z0, z1, z2, z3, wealth, lowest, cash, a0, a1, a2, a3, u0, u1, u2, u3):
    """A trade and a move of one path."""
    cash, u0, u1, u2, u3 = _trade(n, floor, wealth, cash, a0, a1, a2, a3, u0, u1, u2, u3)
    m0, m1, m2, m3 = _moves(exp, n, z0, z1, z2, z3)
    a0, a1, a2, a3 = a0 * m0, a1 * m1, a2 * m2, a3 * m3
    cash *= _ONE + interest
    wealth = cash + (u0 * a0 + u1 * a1 + u2 * a2 + u3 * a3)
    return wealth, min(lowest, wealth), cash, a0, a1, a2, a3, u0, u1, u2, u3


def _same_noise(exp):
    @njit(parallel=True, fastmath=True)
    def run(n, interest, floors, key, first, out):
        paths = out.shape[1]
        for chunk in prange((paths + CHUNK - 1) // CHUNK):
            state = np.zeros((11, CHUNK), np.float32)  # 4 prices, 4 units, cash, wealth, lowest
            state[:4], state[8:] = _ONE, _ONE
            base = uint64(first) + uint64(chunk * CHUNK)
            for k in range(interest.size):
                for j in range(CHUNK):
                    z0, z1, z2, z3 = normals(base + uint64(j), k, 0, key[0], key[1])
                    a0, a1, a2, a3, u0, u1, u2, u3 = (
                        state[0, j],
                        state[1, j],
                        state[2, j],
                        state[3, j],
                        state[4, j],
                        state[5, j],
                        state[6, j],
                        state[7, j],
                    )
                    wealth, lowest, cash, a0, a1, a2, a3, u0, u1, u2, u3 = _day(
                        exp, n, floors[k], interest[k], z0, z1, z2, z3, state[9, j], state[10, j], state[8, j], a0, a1, a2, a3, u0, u1, u2, u3
                    )
                    state[0, j], state[1, j], state[2, j], state[3, j] = a0, a1, a2, a3
                    state[4, j], state[5, j], state[6, j], state[7, j] = u0, u1, u2, u3
                    state[8, j], state[9, j], state[10, j] = cash, wealth, lowest
            start = chunk * CHUNK
            for j in range(min(CHUNK, paths - start)):
                out[0, start + j], out[1, start + j] = state[9, j], state[10, j]
                for a in range(4):
                    out[2 + a, start + j] = state[a, j]

    return run


_counter, _vector = _same_noise(_call_exp), _same_noise(exp)


@njit(parallel=True, fastmath=True)
def _loop(n, interest, floors, key, out):
    for i in prange(out.shape[1]):
        a0 = a1 = a2 = a3 = cash = wealth = lowest = _ONE
        u0 = u1 = u2 = u3 = _ZERO
        for k in range(interest.size):
            z0, z1, z2, z3 = normals(uint64(i), k, 0, key[0], key[1])
            wealth, lowest, cash, a0, a1, a2, a3, u0, u1, u2, u3 = _day(
                _call_exp, n, floors[k], interest[k], z0, z1, z2, z3, wealth, lowest, cash, a0, a1, a2, a3, u0, u1, u2, u3
            )
        out[0, i], out[1, i], out[2, i], out[3, i], out[4, i], out[5, i] = wealth, lowest, a0, a1, a2, a3


@njit(parallel=True, fastmath=True)
def _random(n, interest, floors, seed, out):
    paths = out.shape[1]
    for chunk in prange((paths + SEEDED - 1) // SEEDED):
        np.random.seed(seed + chunk)
        for i in range(chunk * SEEDED, min(paths, (chunk + 1) * SEEDED)):
            a0 = a1 = a2 = a3 = cash = wealth = lowest = _ONE
            u0 = u1 = u2 = u3 = _ZERO
            for k in range(interest.size):
                z0, z1 = float32(np.random.standard_normal()), float32(np.random.standard_normal())
                z2, z3 = float32(np.random.standard_normal()), float32(np.random.standard_normal())
                wealth, lowest, cash, a0, a1, a2, a3, u0, u1, u2, u3 = _day(
                    _call_exp, n, floors[k], interest[k], z0, z1, z2, z3, wealth, lowest, cash, a0, a1, a2, a3, u0, u1, u2, u3
                )
            out[0, i], out[1, i], out[2, i], out[3, i], out[4, i], out[5, i] = wealth, lowest, a0, a1, a2, a3


def run_vector(terms: Terms, paths: int, seed: int) -> dict[str, np.ndarray]:
    """The engine's paths, the exponential vectorised too."""
    out = np.empty((2 + ASSETS, paths), np.float32)
    _vector(terms.numbers(), *terms.tables(), make_key(seed), 0, out)
    return outcomes(out)


def run_counter(terms: Terms, paths: int, seed: int) -> dict[str, np.ndarray]:
    """The engine's paths."""
    out = np.empty((2 + ASSETS, paths), np.float32)
    _counter(terms.numbers(), *terms.tables(), make_key(seed), 0, out)
    return outcomes(out)


def run_loop(terms: Terms, paths: int, seed: int) -> dict[str, np.ndarray]:
    """The engine's paths."""
    out = np.empty((2 + ASSETS, paths), np.float32)
    _loop(terms.numbers(), *terms.tables(), make_key(seed), out)
    return outcomes(out)


def run_random(terms: Terms, paths: int, seed: int) -> dict[str, np.ndarray]:
    """Other paths, by numba's own generator."""
    out = np.empty((2 + ASSETS, paths), np.float32)
    _random(terms.numbers(), *terms.tables(), seed, out)
    return outcomes(out)
