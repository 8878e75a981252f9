"""The CPPI workload in numba, three times: prange over both cores, fastmath, float32.

``run_counter``: the engine's noise (philox4x32-10, one word a normal, the same addresses and polynomials), chunks of paths inside a step so
that LLVM vectorises (a path after the other is three times slower), ``math.exp``, which numba calls for one number at a time.
``run_vector``: the same with an exponential of its own, so that all of it vectorises: about what numba can be made to do.
``run_random``: a path after the other, ``np.random.standard_normal``.
"""

# ruff: noqa: NPY002 (inside numba there is only the old interface)

import math
from typing import Any

import numpy as np
from numba import float32, int32, njit, prange, types, uint32, uint64
from numba.extending import intrinsic

from mcengine.noise import make_key
from mcengine.noise import normal as polynomials
from peers.terms import ASSETS, Terms, outcomes

CHUNK = 256  # paths of a chunk: its state, 11 kB, stays in the first-level cache
SEEDED = 1024  # paths to a seed of np.random, whose generator costs 624 words to start

_M0, _M1 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_W0, _W1 = np.uint32(0x9E3779B9), np.uint32(0xBB67AE85)
_NUMERATOR = tuple(np.float32(c) for c in polynomials._NUMERATOR)
_DENOMINATOR = tuple(np.float32(c) for c in polynomials._DENOMINATOR)
_LOG = tuple(np.float32(c) for c in polynomials._LOG_SHORT)
_LOG_2 = np.float32(math.log(2.0))
_EXP = tuple(
    np.float32(c) for c in (1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1)
)  # Moshier's Cephes expf
_LOG2_E, _LN2_HIGH, _LN2_LOW = np.float32(1.44269504), np.float32(0.693359375), np.float32(-2.12194440e-4)
_ZERO, _HALF, _ONE, _TWO, _FOUR = (np.float32(v) for v in (0.0, 0.5, 1.0, 2.0, 4.0))
_QUARTER, _UNIT = np.float32(0.25), np.float32(2.0**-32)
_INLINE: dict[str, Any] = {"fastmath": True, "inline": "always"}


@intrinsic
def _bits(typing: Any, x: Any) -> Any:
    return types.int32(types.float32), lambda context, builder, _, a: builder.bitcast(a[0], context.get_value_type(types.int32))


@intrinsic
def _float(typing: Any, x: Any) -> Any:
    return types.float32(types.int32), lambda context, builder, _, a: builder.bitcast(a[0], context.get_value_type(types.float32))


@njit(**_INLINE)
def _log(y):
    bits = _bits(y)
    exponent = (bits - int32(0x3F3504F3)) >> int32(23)
    f = _float(int32(bits - (exponent << int32(23)))) - _ONE
    total = _LOG[0]
    total = total * f + _LOG[1]
    total = total * f + _LOG[2]
    total = total * f + _LOG[3]
    total = total * f + _LOG[4]
    total = total * f + _LOG[5]
    total = total * f + _LOG[6]
    total = total * f + _LOG[7]
    return float32(exponent) * _LOG_2 + f * total


@njit(**_INLINE)
def _normal(word):
    signed = int32(word)
    p = (float32(int32(signed ^ (signed >> int32(31)))) + _HALF) * _UNIT
    w = -_log(_FOUR * p * (_ONE - p))
    above = _NUMERATOR[0]
    above = above * w + _NUMERATOR[1]
    above = above * w + _NUMERATOR[2]
    above = above * w + _NUMERATOR[3]
    above = above * w + _NUMERATOR[4]
    above = above * w + _NUMERATOR[5]
    below = _DENOMINATOR[0]
    below = below * w + _DENOMINATOR[1]
    below = below * w + _DENOMINATOR[2]
    below = below * w + _DENOMINATOR[3]
    below = below * w + _DENOMINATOR[4]
    below = below * w + _DENOMINATOR[5]
    z = (_ONE - _TWO * p) * (above / below)
    return z if signed < int32(0) else -z


@njit(**_INLINE)
def _normals(path, step, key0, key1):
    x0, x1, x2, x3 = uint32(path), uint32(path >> uint64(32)), uint32(step), uint32(0)
    k0, k1 = uint32(key0), uint32(key1)
    for _ in range(10):
        wide0, wide1 = uint64(x0) * _M0, uint64(x2) * _M1
        x0, x1 = uint32(uint32(wide1 >> uint64(32)) ^ x1 ^ k0), uint32(wide1)
        x2, x3 = uint32(uint32(wide0 >> uint64(32)) ^ x3 ^ k1), uint32(wide0)
        k0, k1 = uint32(k0 + _W0), uint32(k1 + _W1)
    return _normal(x0), _normal(x1), _normal(x2), _normal(x3)


@njit(**_INLINE)
def _exp(x):
    n = math.floor(x * _LOG2_E + _HALF)
    r = x - n * _LN2_HIGH - n * _LN2_LOW
    total = _EXP[0] * r + _EXP[1]
    total = total * r + _EXP[2]
    total = total * r + _EXP[3]
    total = total * r + _EXP[4]
    total = total * r + _EXP[5]
    return (total * r * r + r + _ONE) * _float(int32((int32(n) + int32(127)) << int32(23)))


@njit(**_INLINE)
def _call_exp(x):
    return math.exp(x)


@njit(**_INLINE)
def _moves(exp, n, z0, z1, z2, z3):
    return (
        exp(n.drift + n.scale * z0),
        exp(n.drift + n.scale * (n.l10 * z0 + n.l11 * z1)),
        exp(n.drift + n.scale * (n.l20 * z0 + n.l21 * z1 + n.l22 * z2)),
        exp(n.drift + n.scale * (n.l30 * z0 + n.l31 * z1 + n.l32 * z2 + n.l33 * z3)),
    )


@njit(**_INLINE)
def _trade(n, floor, wealth, cash, a0, a1, a2, a3, u0, u1, u2, u3):
    value = min(n.multiplier * max(wealth - floor, _ZERO), wealth) * _QUARTER
    n0, n1, n2, n3 = value / a0, value / a1, value / a2, value / a3
    t0, t1, t2, t3 = (n0 - u0) * a0, (n1 - u1) * a1, (n2 - u2) * a2, (n3 - u3) * a3
    return cash - (t0 + t1 + t2 + t3) - n.cost * (abs(t0) + abs(t1) + abs(t2) + abs(t3)), n0, n1, n2, n3


def _same_noise(exp):
    @njit(parallel=True, fastmath=True)
    def run(n, interest, floors, key, first, out):
        paths = out.shape[1]
        for chunk in prange((paths + CHUNK - 1) // CHUNK):
            state = np.zeros((11, CHUNK), np.float32)  # 4 prices, 4 units, cash, wealth, lowest
            state[:4], state[8:] = _ONE, _ONE
            base = uint64(first) + uint64(chunk * CHUNK)
            for k in range(interest.size):
                floor, growth = floors[k], _ONE + interest[k]
                for j in range(CHUNK):
                    a0, a1, a2, a3 = state[0, j], state[1, j], state[2, j], state[3, j]
                    cash, u0, u1, u2, u3 = _trade(
                        n, floor, state[9, j], state[8, j], a0, a1, a2, a3, state[4, j], state[5, j], state[6, j], state[7, j]
                    )
                    z0, z1, z2, z3 = _normals(base + uint64(j), k, key[0], key[1])
                    m0, m1, m2, m3 = _moves(exp, n, z0, z1, z2, z3)
                    a0, a1, a2, a3 = a0 * m0, a1 * m1, a2 * m2, a3 * m3
                    cash *= growth
                    wealth = cash + (u0 * a0 + u1 * a1 + u2 * a2 + u3 * a3)
                    state[0, j], state[1, j], state[2, j], state[3, j] = a0, a1, a2, a3
                    state[4, j], state[5, j], state[6, j], state[7, j] = u0, u1, u2, u3
                    state[8, j], state[9, j], state[10, j] = cash, wealth, min(state[10, j], wealth)
            start = chunk * CHUNK
            for j in range(min(CHUNK, paths - start)):
                out[0, start + j], out[1, start + j] = state[9, j], state[10, j]
                for a in range(4):
                    out[2 + a, start + j] = state[a, j]

    return run


_counter, _vector = _same_noise(_call_exp), _same_noise(_exp)


@njit(parallel=True, fastmath=True)
def _random(n, interest, floors, seed, out):
    paths = out.shape[1]
    for chunk in prange((paths + SEEDED - 1) // SEEDED):
        np.random.seed(seed + chunk)
        for i in range(chunk * SEEDED, min(paths, (chunk + 1) * SEEDED)):
            a0 = a1 = a2 = a3 = cash = wealth = lowest = _ONE
            u0 = u1 = u2 = u3 = _ZERO
            for k in range(interest.size):
                cash, u0, u1, u2, u3 = _trade(n, floors[k], wealth, cash, a0, a1, a2, a3, u0, u1, u2, u3)
                z0, z1 = float32(np.random.standard_normal()), float32(np.random.standard_normal())
                z2, z3 = float32(np.random.standard_normal()), float32(np.random.standard_normal())
                m0, m1, m2, m3 = _moves(_call_exp, n, z0, z1, z2, z3)
                a0, a1, a2, a3 = a0 * m0, a1 * m1, a2 * m2, a3 * m3
                cash *= _ONE + interest[k]
                wealth = cash + (u0 * a0 + u1 * a1 + u2 * a2 + u3 * a3)
                lowest = min(lowest, wealth)
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


def run_random(terms: Terms, paths: int, seed: int) -> dict[str, np.ndarray]:
    """Other paths, by numba's own generator."""
    out = np.empty((2 + ASSETS, paths), np.float32)
    _random(terms.numbers(), *terms.tables(), seed, out)
    return outcomes(out)
