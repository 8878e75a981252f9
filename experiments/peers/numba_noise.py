"""The engine's noise in numba: philox4x32-10, one word a normal, the same addresses and polynomials; and an exponential that vectorises."""

import math
from typing import Any

import numpy as np
from numba import float32, int32, njit, types, uint32, uint64
from numba.extending import intrinsic

from mcengine.noise import normal as polynomials

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
_HALF, _ONE, _TWO, _FOUR = (np.float32(v) for v in (0.5, 1.0, 2.0, 4.0))
_UNIT = np.float32(2.0**-32)
INLINE: dict[str, Any] = {"fastmath": True, "inline": "always"}


@intrinsic
def _bits(typing: Any, x: Any) -> Any:
    return types.int32(types.float32), lambda context, builder, _, a: builder.bitcast(a[0], context.get_value_type(types.int32))


@intrinsic
def _float(typing: Any, x: Any) -> Any:
    return types.float32(types.int32), lambda context, builder, _, a: builder.bitcast(a[0], context.get_value_type(types.float32))


@njit(**INLINE)
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


@njit(**INLINE)
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


@njit(**INLINE)
def normals(path, step, block, key0, key1):
    x0, x1, x2, x3 = uint32(path), uint32(path >> uint64(32)), uint32(step), uint32(block)
    k0, k1 = uint32(key0), uint32(key1)
    for _ in range(10):
        wide0, wide1 = uint64(x0) * _M0, uint64(x2) * _M1
        x0, x1 = uint32(uint32(wide1 >> uint64(32)) ^ x1 ^ k0), uint32(wide1)
        x2, x3 = uint32(uint32(wide0 >> uint64(32)) ^ x3 ^ k1), uint32(wide0)
        k0, k1 = uint32(k0 + _W0), uint32(k1 + _W1)
    return _normal(x0), _normal(x1), _normal(x2), _normal(x3)


@njit(**INLINE)
def exp(x):
    n = math.floor(x * _LOG2_E + _HALF)
    r = x - n * _LN2_HIGH - n * _LN2_LOW
    total = _EXP[0] * r + _EXP[1]
    total = total * r + _EXP[2]
    total = total * r + _EXP[3]
    total = total * r + _EXP[4]
    total = total * r + _EXP[5]
    return (total * r * r + r + _ONE) * _float(int32((int32(n) + int32(127)) << int32(23)))
