"""Jumps that arrive as a Poisson process: how many come in a step, and what their sum is.

The number in a step of mean l is drawn by inversion of one uniform u: N = sum over k of 1{u < P(N >= k)}, with P(N >= k), k = 1 ... most, a
table over steps. More than ``most`` are counted as ``most``: a calendar on which they come with a probability above 1e-7 a step is refused
(1e-7 is what a 24-bit uniform tells apart).
N moves by whole jumps, so no number that only N depends on has a pathwise derivative: such fields are ``number(pathwise=False)``.
"""

import jax.numpy as jnp
import numpy as np
from scipy.special import gammaincinv

from mcengine._model import Scalar

TOLERANCE = 1e-7
"""Largest probability of more jumps in a step than are counted."""

_BEYOND = 6  # terms of the tail summed beyond ``most``: the next is below 1e-9 of the sum at the largest mean


def most_mean(most: int) -> float:
    """The largest mean number of jumps a step at which P(N > most) <= 1e-7: P(N > n) is the regularised gamma function P(n + 1, mean)."""
    return float(gammaincinv(most + 1, TOLERANCE))


def check_most(name: str, most: int) -> None:
    """Raise ``ValueError`` unless ``most`` is a number of jumps a step can be told to count."""
    if isinstance(most, bool) or not isinstance(most, int | np.integer) or not 1 <= most <= 16:
        raise ValueError(f"{name}.most_jumps: expected a whole number from 1 to 16, got {most!r}")


def check_step(name: str, intensity: Scalar, most: int, dt: float) -> None:
    """Raise ``ValueError`` where more jumps than are counted would come too often on steps of ``dt`` years."""
    if float(intensity) * dt > most_mean(most):
        raise ValueError(
            f"{name}.intensity: expected at most {most_mean(most) / dt:.4g} jumps a year on steps of {dt:.4g} years with most_jumps = {most}, "
            f"got {float(intensity):g}; take more steps, or raise most_jumps"
        )


def tails(mean: Scalar, most: int) -> Scalar:
    """P(N >= k) for k = 1 ... most, [steps, most], N Poisson with ``mean`` [steps]; not a number where check_step would refuse."""
    mean = jnp.where(mean <= most_mean(most) * (1.0 + 1e-5), mean, jnp.nan)
    terms = [jnp.exp(-mean)]
    for k in range(1, most + _BEYOND + 1):
        terms.append(terms[-1] * mean / k)
    sums = [jnp.zeros_like(mean)]
    for term in reversed(terms[1:]):  # smallest first, so that no digit is lost
        sums.append(sums[-1] + term)
    return jnp.stack(sums[: -most - 1 : -1], axis=-1)


def count(uniform: Scalar, tails: Scalar) -> Scalar:
    """N, from a uniform and a row of ``tails``."""
    return sum(jnp.where(uniform < tails[k], 1.0, 0.0) for k in range(tails.shape[0]))


def lognormal_excess(mean: Scalar, deviation: Scalar) -> Scalar:
    """E[e^J] - 1 of J normal."""
    return jnp.expm1(mean + 0.5 * deviation**2)


def normal_sum(number: Scalar, mean: Scalar, deviation: Scalar, z: Scalar) -> Scalar:
    """Sum of ``number`` normal jumps, by one normal: its mean is N m and its variance N s^2."""
    return number * mean + jnp.sqrt(number) * (deviation * z)
