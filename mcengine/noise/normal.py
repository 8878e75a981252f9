"""Random words to uniforms and normals, by inversion: monotone, so that antithetic, Sobol and shifted draws keep order.

The top bit of a word chooses the half, the other bits a tail probability p in (0, 1/2]; working from p and not from 1 - p keeps full
relative accuracy out to 6.3 standard deviations in float32 (8.2 in float64, which takes two words).
float32: Giles (2010), "Approximating the erfinv function", single-precision polynomials in w = -log(4p(1-p)).
float64: Wichura (1988), algorithm AS 241 (PPND16), relative accuracy 1e-16.
"""

import jax
import jax.numpy as jnp
import numpy as np

from mcengine.noise.words import Word

# fmt: off
# erfinv(x) = x * poly(w - 2.5) for w < 5, x * poly(sqrt(w) - 3) beyond; highest power first; times sqrt(2) for normals.
_CENTRE = (
    2.81022636e-08, 3.43273939e-07, -3.5233877e-06, -4.39150654e-06, 0.00021858087, -0.00125372503, -0.00417768164, 0.246640727,
    1.50140941,
)
_TAIL = (
    -2.10632279e-05, -0.000111677706, 0.00114796055, -0.00342799677, 0.00581831578, -0.00770497322, 0.00942594558, 1.00168097, 2.83297729,
)

# AS 241: numerator and denominator in each of three regions, highest power first.
_A = (
    2.5090809287301226727e3, 3.3430575583588128105e4, 6.7265770927008700853e4, 4.5921953931549871457e4, 1.3731693765509461125e4,
    1.9715909503065514427e3, 1.3314166789178437745e2, 3.3871328727963666080e0,
)
_B = (
    5.2264952788528545610e3, 2.8729085735721942674e4, 3.9307895800092710610e4, 2.1213794301586595867e4, 5.3941960214247511077e3,
    6.8718700749205790830e2, 4.2313330701600911252e1, 1.0,
)
_C = (
    7.74545014278341407640e-4, 2.27238449892691845833e-2, 2.41780725177450611770e-1, 1.27045825245236838258e0, 3.64784832476320460504e0,
    5.76949722146069140550e0, 4.63033784615654529590e0, 1.42343711074968357734e0,
)
_D = (
    1.05075007164441684324e-9, 5.47593808499534494600e-4, 1.51986665636164571966e-2, 1.48103976427480074590e-1,
    6.89767334985100004550e-1, 1.67638483018380384940e0, 2.05319162663775882187e0, 1.0,
)
_E = (
    2.01033439929228813265e-7, 2.71155556874348757815e-5, 1.24266094738807843860e-3, 2.65321895265761230930e-2,
    2.96560571828504891230e-1, 1.78482653991729133580e0, 5.46378491116411436990e0, 6.65790464350110377720e0,
)
_F = (
    2.04426310338993978564e-15, 1.42151175831644588870e-7, 1.84631831751005468180e-5, 7.86869131145613259100e-4,
    1.48753612908506148525e-2, 1.36929880922735805310e-1, 5.99832206555887937690e-1, 1.0,
)

# log(1 + f) = f - f^2/2 + f^3 poly(f) on sqrt(1/2) <= 1 + f < sqrt(2); Moshier's Cephes logf, highest power first.
_LOG = (
    7.0376836292e-2, -1.1514610310e-1, 1.1676998740e-1, -1.2420140846e-1, 1.4249322787e-1, -1.6668057665e-1, 2.0000714765e-1,
    -2.4999993993e-1, 3.3333331174e-1,
)
# fmt: on
_LOG_2 = 0.6931471805599453


def _polynomial(coefficients: tuple[float, ...], x: jax.Array) -> jax.Array:
    total = jnp.full_like(x, coefficients[0])
    for c in coefficients[1:]:
        total = total * x + c
    return total


def log_float32(y: jax.Array) -> jax.Array:
    """Natural logarithm of a normal positive float32, within 2 ulp; plain arithmetic that vectorises and fuses everywhere."""
    bits = jax.lax.bitcast_convert_type(y, jnp.int32)
    # Subtracting the bits of sqrt(1/2) first makes the exponent that of the mantissa range [sqrt(1/2), sqrt(2)).
    exponent = (bits - np.int32(0x3F3504F3)) >> 23
    f = jax.lax.bitcast_convert_type(bits - (exponent << 23), jnp.float32) - 1.0
    return f + (f * f * (f * _polynomial(_LOG, f) - 0.5) + exponent.astype(jnp.float32) * _LOG_2)


def _normal_float32(p: jax.Array) -> jax.Array:
    """-Phi^{-1}(p) for a float32 tail probability 0 < p <= 1/2."""
    w = -log_float32(4.0 * p * (1.0 - p))
    tail = w >= 5.0
    x = jnp.where(tail, jnp.sqrt(jnp.maximum(w, 5.0)) - 3.0, w - 2.5)
    total = jnp.where(tail, np.float32(_TAIL[0]), np.float32(_CENTRE[0]))
    for centre, far in zip(_CENTRE[1:], _TAIL[1:], strict=True):
        total = total * x + jnp.where(tail, np.float32(far), np.float32(centre))
    return (1.0 - 2.0 * p) * total * np.float32(np.sqrt(2.0))


def _normal_float64(p: jax.Array) -> jax.Array:
    """-Phi^{-1}(p) for a float64 tail probability 0 < p <= 1/2."""
    q = 0.5 - p
    r = 0.180625 - q * q
    centre = q * _polynomial(_A, r) / _polynomial(_B, r)
    root = jnp.sqrt(-jnp.log(p))
    near = _polynomial(_C, root - 1.6) / _polynomial(_D, root - 1.6)
    far = _polynomial(_E, root - 5.0) / _polynomial(_F, root - 5.0)
    return jnp.where(q <= 0.425, centre, jnp.where(root <= 5.0, near, far))


def tail_from_words(high: Word, low: Word | None, dtype: np.dtype) -> tuple[jax.Array, jax.Array]:
    """(is upper half, p): p = (m + 1/2) / 2^32 of 31 bits m in float32, or / 2^53 of 52 bits in float64.

    The upper half counts its bits downwards, so that the normal increases with the word.
    """
    signed = jax.lax.bitcast_convert_type(jnp.asarray(high, jnp.uint32), jnp.int32)
    upper, flip = signed < 0, signed >> 31
    m = (signed ^ flip) & np.int32(0x7FFFFFFF)
    if low is None:
        return upper, (m.astype(dtype) + 0.5) * 2.0**-32
    low = low ^ jax.lax.bitcast_convert_type(flip, jnp.uint32)
    return upper, (m.astype(dtype) * 2.0**21 + (low >> 11).astype(dtype) + 0.5) * 2.0**-53


def normal_from_words(high: Word, low: Word | None, dtype: np.dtype) -> jax.Array:
    """Standard normal of one random word (float32) or two (float64); increasing in the word."""
    upper, p = tail_from_words(high, low, dtype)
    z = _normal_float32(p) if low is None else _normal_float64(p)
    return jnp.where(upper, z, -z)


def uniform_from_words(high: Word, low: Word | None, dtype: np.dtype) -> jax.Array:
    """Uniform on (0, 1) of one random word (float32) or two (float64), never 0 or 1."""
    if low is None:
        return (jnp.asarray(high >> 9).astype(jnp.int32).astype(dtype) + 0.5) * 2.0**-23
    return (jnp.asarray(high).astype(dtype) * 2.0**20 + (low >> 12).astype(dtype) + 0.5) * 2.0**-52
