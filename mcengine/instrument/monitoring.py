"""Between two dates: what a Brownian bridge in the log price says of a barrier and of an extreme.

Given both ends a, b and variance w of the step, P(a level h outside both is met) = exp(-2 (a - h)(b - h)/w), and the highest point given a uniform u
is (a + b + sqrt((b - a)^2 - 2 w ln u))/2, the lowest with the root subtracted (Karatzas & Shreve 1991, section 2.8; Glasserman 2004, section 6.4).
Exact where the variance over the step is known, as of a lognormal asset; else the mean of the variances at both ends is taken for it.
"""

from typing import NamedTuple

import jax.numpy as jnp

from mcengine._model import Scalar
from mcengine.pricing import Calendar, Quote

WATCHES = ("continuous", "daily")
_LEAST = 1e-12  # variance of a step below which it is a straight line


class Point(NamedTuple):
    """The last date's log price and variance a year."""

    log_spot: Scalar
    variance: Scalar


def point(quote: Quote) -> Point:
    dtype = jnp.result_type(float)
    return Point(jnp.asarray(jnp.log(quote.spot), dtype), jnp.asarray(quote.variance, dtype))


def step_variance(before: Point, now: Point, quote: Quote, calendar: Calendar) -> Scalar:
    """Variance of the log price over the step that ended now, announced events included."""
    own = 0.5 * (before.variance + now.variance) * (calendar.years / calendar.steps)
    return own + quote.event_variance_now()


def survives(before: Scalar, now: Scalar, level: Scalar, variance: Scalar, side: float) -> Scalar:
    """Probability that a bridge between two log prices stays above (side 1) or below (-1) the log level; 0 where an end is not."""
    first, last = side * (before - level), side * (now - level)
    inside = (first > 0.0) & (last > 0.0)
    product = jnp.where(inside, first * last, 1.0)
    return jnp.where(inside, -jnp.expm1(-2.0 * product / jnp.maximum(variance, _LEAST)), 0.0)


def extreme(before: Scalar, now: Scalar, variance: Scalar, uniform: Scalar, side: float) -> Scalar:
    """Log of the highest (side 1) or lowest (-1) price of a bridge."""
    gap = now - before
    return 0.5 * (before + now + side * jnp.sqrt(gap * gap - 2.0 * jnp.maximum(variance, _LEAST) * jnp.log(uniform)))
