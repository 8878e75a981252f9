"""Jumps that arrive as a Poisson process: how many come in a step, and what their sum is.

The number in a step of mean l is drawn by inversion of one uniform u: N >= k where u < P(N >= k), k = 1 ... most, from a table over steps.
Where u then lies in [P(N >= n + 1), P(N >= n)) is a uniform again, independent of n, and makes the first jump or the sum of all: near 0 a
float32 uniform has 32 bits, of which a probability of 1/252 leaves 24. More than ``most`` jumps are counted as ``most``: a calendar on which
they come with a probability above 1e-7 a step is refused.
N moves by whole jumps, so no number that only N depends on has a pathwise derivative: such fields are ``number(pathwise=False)``.
"""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from scipy.special import gammaincinv

from mcengine._model import Scalar
from mcengine.noise.normal import normal_from_uniform

TOLERANCE = 1e-7
"""Largest probability of more jumps in a step than are counted."""

_BEYOND = 8  # terms of the tail summed beyond ``most``: those left out are below 1e-12


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


class Tails(NamedTuple):
    """For k = 1 ... most, [steps, most]: P(N >= k), P(N >= k + 1) (0 for the last, which holds all that come after), 1 / their difference."""

    high: Scalar
    low: Scalar
    scale: Scalar


def tails(mean: Scalar, most: int) -> Tails:
    """The table of N Poisson with ``mean`` [steps]; not a number where ``check_step`` would refuse."""
    mean = jnp.where(mean <= most_mean(most) * (1.0 + 1e-5), mean, jnp.nan)
    terms = [jnp.exp(-mean)]
    for k in range(1, most + _BEYOND + 1):
        terms.append(terms[-1] * mean / k)
    sums = [jnp.zeros_like(mean)]
    for term in reversed(terms[1:]):  # smallest first, so that no digit is lost
        sums.append(sums[-1] + term)
    tails = jnp.stack(sums[: -most - 1 : -1], axis=-1)
    lows = jnp.concatenate([tails[:, 1:], jnp.zeros_like(tails[:, :1])], axis=-1)
    return jax.lax.stop_gradient(Tails(tails, lows, 1.0 / jnp.maximum(tails - lows, 1e-30)))


class Drawn(NamedTuple):
    """``number`` of jumps in a step, its square ``root``, and a ``uniform`` on [0, 1] independent of it where that is not 0."""

    number: Scalar
    root: Scalar
    uniform: Scalar


def draw(uniform: Scalar, tails: Tails) -> Drawn:
    """The jumps of a step, from a uniform and a row of ``tails``."""
    number = root = low = scale = jnp.zeros_like(uniform)
    for k in range(tails.high.shape[0]):
        comes = uniform < tails.high[k]
        number, root = jnp.where(comes, k + 1.0, number), jnp.where(comes, math.sqrt(k + 1.0), root)
        low, scale = jnp.where(comes, tails.low[k], low), jnp.where(comes, tails.scale[k], scale)
    return Drawn(number, root, (uniform - low) * scale)


def log_probability(number: Scalar, mean: Scalar) -> Scalar:
    """ln P(N = number) of N Poisson with ``mean``, but for ln N!: its derivative, N / mean - 1 by the mean, is the score. A mean of 0 has none."""
    return number * jnp.log(jnp.where(mean > 0.0, mean, 1.0)) - mean


def lognormal_excess(mean: Scalar, deviation: Scalar) -> Scalar:
    """E[e^J] - 1 of J normal."""
    return jnp.expm1(mean + 0.5 * deviation**2)


def normal_sum(drawn: Drawn, mean: Scalar, deviation: Scalar) -> Scalar:
    """Sum of normal jumps: normal again given their number, with mean N m and variance N s^2."""
    return drawn.number * mean + drawn.root * (deviation * normal_from_uniform(drawn.uniform))
