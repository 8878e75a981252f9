"""Laws of X = ln(S_T / F) under Q, F the forward, by their characteristic exponents: E[e^{iuX}] = exp(A(u) + B(u) v), v the variance now.

Every E[e^X] is 1. A law also says for which real p the moment E[e^{pX}] is finite: a sum of waves is cut where these moments say that hardly
anything is left.
    Heston        dv = kappa (theta - v) dt + xi sqrt(v) dW_v, corr rho: the form of Albrecher, Mayer, Schoutens & Tistaert, "The little Heston trap",
                  Wilmott, January 2007, with (b - d)/xi^2 = -(iu + u^2)/(b + d), which holds its digits as xi falls to 0. Its moments end when
                  Andersen & Piterbarg, "Moment explosions in stochastic volatility models", Finance Stoch. 11, 2007, proposition 3.1, say.
    normal jumps  Merton (1976): lambda a year, J ~ N(mean, sd^2);   with Heston: Bates (1996)
    double exponential jumps  Kou (2002): up with probability p and mean up_mean, else down with mean down_mean
    variance gamma  Madan, Carr & Chang (1998): theta G + sigma sqrt(G) Z, G gamma of mean T and variance nu T
"""

import jax.numpy as jnp

from mcengine._model import Scalar


def gaussian(u: Scalar) -> Scalar:
    """Exponent of a normal X of variance 1, E[e^X] = 1."""
    return -0.5 * (u * u + 1j * u)


def heston(u: Scalar, years: Scalar, kappa: Scalar, theta: Scalar, vol_of_vol: Scalar, rho: Scalar) -> tuple[Scalar, Scalar]:
    """(A, B)."""
    square, q = vol_of_vol**2, u * u + 1j * u
    b = kappa - 1j * rho * vol_of_vol * u
    d = jnp.sqrt(b * b + square * q)
    slope, fade = -q / (b + d), jnp.exp(-d * years)
    ratio = slope / (b + d)  # the trap's g, over xi^2
    inside = ratio * (1.0 - fade) / (1.0 - square * ratio)
    return kappa * theta * (slope * years - 2.0 * inside * _log1p_over(square * inside)), slope * (1.0 - fade) / (1.0 - square * ratio * fade)


def _log1p_over(x: Scalar) -> Scalar:
    """ln(1 + x) / x."""
    small = jnp.abs(x) < 1e-3
    safe = jnp.where(small, 1.0, x)
    return jnp.where(small, 1.0 - x * (0.5 - x * (1.0 / 3.0 - x * (0.25 - 0.2 * x))), jnp.log(1.0 + safe) / safe)


def heston_moment(p: Scalar, years: Scalar, kappa: Scalar, vol_of_vol: Scalar, rho: Scalar) -> Scalar:
    """Whether E[e^{pX}] is finite."""
    pull = rho * vol_of_vol * p - kappa
    square = pull * pull - vol_of_vol**2 * (p * p - p)
    root = jnp.sqrt(jnp.abs(square))
    # Real roots and a drift that is pulled out: ln((pull + root) / (pull - root)) / root; pulled in: never.
    split = jnp.where(pull > root, jnp.log((pull + root) / jnp.where(pull > root, pull - root, 1.0)) / jnp.maximum(root, 1e-12), jnp.inf)
    turning = 2.0 * jnp.arctan2(root, pull) / jnp.maximum(root, 1e-12)
    return ((p >= 0.0) & (p <= 1.0)) | (years < 0.99 * jnp.where(square < 0.0, turning, split))


def normal_jumps(u: Scalar, mean: Scalar, sd: Scalar) -> Scalar:
    """A of one jump a year."""
    return jnp.exp(1j * u * mean - 0.5 * sd * sd * u * u) - 1.0 - 1j * u * jnp.expm1(mean + 0.5 * sd * sd)


def exponential_jumps(u: Scalar, up_probability: Scalar, up_mean: Scalar, down_mean: Scalar) -> Scalar:
    """A of one jump a year."""
    up, down = up_probability, 1.0 - up_probability
    drift = up / (1.0 - up_mean) + down / (1.0 + down_mean) - 1.0
    return up / (1.0 - 1j * u * up_mean) + down / (1.0 + 1j * u * down_mean) - 1.0 - 1j * u * drift


def variance_gamma(u: Scalar, years: Scalar, sigma: Scalar, nu: Scalar, theta: Scalar) -> Scalar:
    """A."""
    drift = jnp.log(1.0 - theta * nu - 0.5 * sigma**2 * nu) / nu
    return years * (1j * u * drift - jnp.log(1.0 - 1j * u * theta * nu + 0.5 * sigma**2 * nu * u * u) / nu)
