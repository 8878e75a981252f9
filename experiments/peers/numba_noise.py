"""The engine's noise in numba: philox4x32-10 and Box-Muller, the same addresses and polynomials; and an exponential that vectorises."""

import math
from typing import Any

import numpy as np
from numba import float32, int32, njit, types, uint32, uint64
from numba.extending import intrinsic

from mcengine.noise import normal as polynomials

_M0, _M1 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_W0, _W1 = np.uint32(0x9E3779B9), np.uint32(0xBB67AE85)
_LOG = tuple(np.float32(c) for c in polynomials._LOG_SHORT)
_LOG_2 = np.float32(math.log(2.0))
_EXP = tuple(
    np.float32(c) for c in (1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1)
)  # Moshier's Cephes expf
_LOG2_E, _LN2_HIGH, _LN2_LOW = np.float32(1.44269504), np.float32(0.693359375), np.float32(-2.12194440e-4)
_SIN, _COS = (tuple(np.float32(c) for c in of) for of in (polynomials._SIN, polynomials._COS))
_ZERO, _HALF, _ONE = (np.float32(v) for v in (0.0, 0.5, 1.0))
_UNIT, _LOWEST = np.float32(2.0**-31), np.float32(2.0**-32)
_ANGLE, _MIDDLE = np.float32(math.pi / 2 * 2.0**-30), np.float32(math.pi / 4)
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
def _turned(x, sign):
    return _float(int32(_bits(x) ^ int32(sign & uint32(0x80000000))))


@njit(**INLINE)
def _pair(first, second):
    u = float32(int32(first & uint32(0x7FFFFFFF))) * _UNIT + _LOWEST
    radius = math.sqrt(max(-_log(u), _ZERO))
    x = float32(int32(second & uint32(0x3FFFFFFF))) * _ANGLE - _MIDDLE
    square = x * x
    sine = x + x * square * ((_SIN[0] * square + _SIN[1]) * square + _SIN[2])
    cosine = _ONE - square * (_HALF - square * ((_COS[0] * square + _COS[1]) * square + _COS[2]))
    one, other = radius * (cosine - sine), radius * (cosine + sine)
    return _turned(one, second), _turned(other, second << uint32(1))


@njit(**INLINE)
def normals(path, step, block, key0, key1):
    x0, x1, x2, x3 = uint32(path), uint32(path >> uint64(32)), uint32(step), uint32(block)
    k0, k1 = uint32(key0), uint32(key1)
    for _ in range(10):
        wide0, wide1 = uint64(x0) * _M0, uint64(x2) * _M1
        x0, x1 = uint32(uint32(wide1 >> uint64(32)) ^ x1 ^ k0), uint32(wide1)
        x2, x3 = uint32(uint32(wide0 >> uint64(32)) ^ x3 ^ k1), uint32(wide0)
        k0, k1 = uint32(k0 + _W0), uint32(k1 + _W1)
    z0, z1 = _pair(x0, x1)
    z2, z3 = _pair(x2, x3)
    return z0, z1, z2, z3


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
