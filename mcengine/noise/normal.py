"""Random words to uniforms and normals: by inversion, a word a normal, or by Box and Muller's method, a pair of words a pair of normals.

Inversion is increasing in the word, so that points laid out evenly stay so. The top bit of a word chooses the half, the other bits a tail probability
p in (0, 1/2]; working from p and not from 1 - p keeps full relative accuracy out to 6.3 standard deviations in float32 (8.2 in float64, which takes
two words).
float32: a rational approximation of our own in w = -log(4p(1-p)), the variable of Giles (2010), "Approximating the erfinv function"; relative
accuracy 7e-7, so that neighbouring words may step back by a few units in the last place.
float64: Wichura (1988), algorithm AS 241 (PPND16), relative accuracy 1e-15.

Box & Muller (1958): for u and v uniform, sqrt(-2 ln u) (cos 2 pi v, sin 2 pi v) are two independent normals. It has no tail to approximate and
takes half of the time. float32: u of 31 bits, so that the largest is 6.66; the angle within a quadrant of 30 bits, the quadrant by two signs;
absolute accuracy 6e-7 for the u and the angle as rounded to 24 bits.
"""

import jax
import jax.numpy as jnp
import numpy as np

from mcengine.noise.bit_generators import Word

# fmt: off
# -Phi^{-1}(p) = (1 - 2p) numerator(w) / denominator(w), w = -log(4p(1-p)), for 0 <= w < 21.5: weighted least squares driven to equal ripple,
# relative error 1.2e-7; highest power first. One quotient in place of two polynomials, a square root and a choice for each coefficient.
_NUMERATOR = (2.9287162578727803e-05, 9.992390478740034e-04, 1.187379266217543e-02, 8.982389380094673e-02, 4.523765428871622e-01, 1.2533142752015298)
_DENOMINATOR = (1.0084036725352583e-06, 1.697700132524354e-04, 2.2793252841989404e-03, 3.2669520231880314e-02, 9.914762734075028e-02, 1.0)
# log(1 + f) = f poly(f) on sqrt(1/2) <= 1 + f < sqrt(2), absolute error 3.4e-8: enough where w is wanted and not its logarithm's digits.
_LOG_SHORT = (
    -0.101023322360127, 0.16420002934452327, -0.17333435527382196, 0.19873043136379873, -0.24959346616757766,
    0.33336182227064387, -0.5000066731669367, 0.9999998138880319,
)

# sin(x) = x + x^3 poly(x^2) and cos(x) = 1 - x^2/2 + x^4 poly(x^2) for |x| <= pi/4; Moshier's Cephes sinf and cosf, highest power first.
_SIN = (-1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1)
_COS = (2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2)

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
BELOW_ONE = 1.0 - 2.0**-24
"""The largest float32 below 1."""


def _polynomial(coefficients: tuple[float, ...], x: jax.Array) -> jax.Array:
    total = jnp.full_like(x, coefficients[0])
    for c in coefficients[1:]:
        total = total * x + c
    return total


def _split(y: jax.Array) -> tuple[jax.Array, jax.Array]:
    """(exponent, f) with y = 2^exponent (1 + f), 1 + f in [sqrt(1/2), sqrt(2))."""
    bits = jax.lax.bitcast_convert_type(y, jnp.int32)
    # Subtracting the bits of sqrt(1/2) first makes the exponent that of the mantissa's range.
    exponent = (bits - np.int32(0x3F3504F3)) >> 23
    return exponent.astype(jnp.float32), jax.lax.bitcast_convert_type(bits - (exponent << 23), jnp.float32) - 1.0


def log_float32(y: jax.Array) -> jax.Array:
    """Natural logarithm of a normal positive float32, within 2 ulp; plain arithmetic that vectorises and fuses everywhere."""
    exponent, f = _split(y)
    return f + (f * f * (f * _polynomial(_LOG, f) - 0.5) + exponent * _LOG_2)


def _minus_log(y: jax.Array) -> jax.Array:
    """-ln y of a normal positive float32, to 4e-8 beside the rounding of the sum."""
    exponent, f = _split(y)
    return exponent * -_LOG_2 - f * _polynomial(_LOG_SHORT, f)


def _normal_float32(p: jax.Array) -> jax.Array:
    """-Phi^{-1}(p) for a float32 tail probability 0 < p <= 1/2."""
    y = 4.0 * p
    w = _minus_log(y - y * p)
    return (1.0 - 2.0 * p) * (_polynomial(_NUMERATOR, w) / _polynomial(_DENOMINATOR, w))


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
    m = signed ^ flip
    if low is None:
        return upper, (m.astype(dtype) + 0.5) * 2.0**-32
    low = low ^ jax.lax.bitcast_convert_type(flip, jnp.uint32)
    return upper, (m.astype(dtype) * 2.0**21 + (low >> 11).astype(dtype) + 0.5) * 2.0**-53


def normal_from_words(high: Word, low: Word | None, dtype: np.dtype) -> jax.Array:
    """Standard normal by inversion, increasing in the word.

    Args:
        high: Random uint32 word.
        low: A second one for float64, None for float32.
        dtype: float32 or float64.
    """
    upper, p = tail_from_words(high, low, dtype)
    z = _normal_float32(p) if low is None else _normal_float64(p)
    return jnp.where(upper, z, -z)


def _signed(x: jax.Array, sign: jax.Array) -> jax.Array:
    """x with its sign turned where the word's top bit is set."""
    bits = jax.lax.bitcast_convert_type(x, jnp.uint32) ^ (sign & np.uint32(0x80000000))
    return jax.lax.bitcast_convert_type(bits, jnp.float32)


def normals_by_box_muller(first: Word, second: Word) -> tuple[jax.Array, jax.Array]:
    """Two independent standard normals in float32 (Box & Muller 1958).

    Args:
        first: Random uint32 word, of the radius.
        second: Random uint32 word, of the angle and both signs.
    """
    first, second = jnp.asarray(first, jnp.uint32), jnp.asarray(second, jnp.uint32)
    low = jax.lax.bitcast_convert_type(first & np.uint32(0x7FFFFFFF), jnp.int32).astype(jnp.float32)
    radius = jnp.sqrt(jnp.maximum(_minus_log(low * 2.0**-31 + 2.0**-32), 0.0))
    # From the middle of the quadrant: cos(pi/4 + x) = (cos x - sin x) / sqrt(2), and the sine with a plus; the roots of 2 cancel.
    x = jax.lax.bitcast_convert_type(second & np.uint32(0x3FFFFFFF), jnp.int32).astype(jnp.float32) * (np.pi / 2 * 2.0**-30) - np.pi / 4
    square = x * x
    sine = x + x * square * _polynomial(_SIN, square)
    cosine = 1.0 - square * (0.5 - square * _polynomial(_COS, square))
    return _signed(radius * (cosine - sine), second), _signed(radius * (cosine + sine), second + second)


def normals_by_box_muller_float64(first: tuple[Word, Word], second: tuple[Word, Word]) -> tuple[jax.Array, jax.Array]:
    """sqrt(-2 ln u) (cos 2 pi v, sin 2 pi v), float64, u and v of two random words each."""
    u, v = (uniform_from_words(high, low, jnp.dtype("float64")) for high, low in (first, second))
    radius = jnp.sqrt(-2.0 * jnp.log(u))
    return radius * jnp.cos(2.0 * np.pi * v), radius * jnp.sin(2.0 * np.pi * v)


def normal_from_uniform(u: jax.Array) -> jax.Array:
    """Inverse of the normal distribution function, held within 6.3 standard deviations in float32 and 8.2 in float64.

    A draw, not a function to differentiate: its derivative is 0.

    Args:
        u: Probability from 0 to 1; its dtype is the result's.
    """
    u = jax.lax.stop_gradient(u)
    single = u.dtype == jnp.float32
    p = jnp.maximum(jnp.minimum(u, 1.0 - u), 2.0**-33 if single else 2.0**-54)
    z = _normal_float32(p) if single else _normal_float64(p)
    return jnp.where(u < 0.5, -z, z)


def uniform_from_words(high: Word, low: Word | None, dtype: np.dtype) -> jax.Array:
    """Uniform on (0, 1), never 0 or 1.

    Near 0 a float32 keeps all 32 bits of the word: what happens rarely should happen where u is small.

    Args:
        high: Random uint32 word.
        low: A second one for float64, None for float32.
        dtype: float32 or float64.
    """
    if low is None:
        upper, p = tail_from_words(high, None, dtype)
        return jnp.where(upper, jnp.minimum(1.0 - p, BELOW_ONE), p)
    return (jnp.asarray(high).astype(dtype) * 2.0**20 + (low >> 12).astype(dtype) + 0.5) * 2.0**-52
