"""European prices from a characteristic function by cosines: Fang & Oosterlee, "A novel pricing method for European options based on Fourier-cosine
series expansions", SIAM J. Sci. Comput. 31, 2008.

On [a, b] the density of X is the sum of Re[phi(u_j) e^{-i u_j a}] cos(u_j (x - a)) 2/(b - a), u_j = j pi/(b - a), the first term halved; a payoff
below ln K/F is integrated against each cosine in closed form (their eqs 22-24). Calls follow by parity, for a put's payoff is bounded.
The paper takes [a, b] from cumulants, which misses the tails of a law whose moments end. Here every finite moment bounds them,
    P(X < a) <= e^{K(-p) + p a},   P(X > b) <= e^{K(p) - p b},   K(p) = ln E[e^{pX}],
and the best p of a grid puts less than e^{-30} outside. An error then comes from the number of terms alone.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from mcengine._model import Scalar

_TAIL = 30.0
_GRID = 8.0 * 2.0 ** (-0.5 * np.arange(28))
"""Moments tried, in units of 1 / standard deviation of X; a normal law's best is 7.7."""

_WIDEST = 60.0
"""Where no moment of the grid is finite."""


def interval(exponent: Callable[[Scalar], Scalar], finite: Callable[[Scalar], Scalar], total_volatility: Scalar) -> tuple[Scalar, Scalar]:
    """(a, b) outside of which X is found with probability below 1e-13. ``exponent(u)`` is ln phi(u), ``total_volatility`` that of X, about."""
    p = _GRID / total_volatility

    def reach(p: Scalar) -> Scalar:
        usable = finite(p)
        cumulant = jnp.real(exponent(-1j * jnp.where(usable, p, 0.5)))
        return jnp.min(jnp.where(usable, (_TAIL + cumulant) / jnp.abs(p), _WIDEST))

    return -reach(-p), reach(p)


def put(exponent: Callable[[Scalar], Scalar], bounds: tuple[Scalar, Scalar], moneyness: Scalar, terms: int) -> Scalar:
    """E[max(K/F - e^X, 0)] at ``moneyness`` ln K/F."""
    a, k, u, weight = _series(exponent, bounds, moneyness, terms)
    angle = u * (k - a)
    cosine, sine = jnp.cos(angle), jnp.sin(angle)
    flat = jnp.where(u > 0.0, sine / jnp.where(u > 0.0, u, 1.0), k - a)
    exponential = (jnp.exp(k) * (cosine + u * sine) - jnp.exp(a)) / (1.0 + u * u)
    return jnp.maximum(jnp.sum(weight * (jnp.exp(moneyness) * flat - exponential)), 0.0)


def below(exponent: Callable[[Scalar], Scalar], bounds: tuple[Scalar, Scalar], moneyness: Scalar, terms: int) -> Scalar:
    """P(X < ln K/F): a digital put of 1, undiscounted."""
    a, k, u, weight = _series(exponent, bounds, moneyness, terms)
    return jnp.clip(jnp.sum(weight * jnp.where(u > 0.0, jnp.sin(u * (k - a)) / jnp.where(u > 0.0, u, 1.0), k - a)), 0.0, 1.0)


def _series(
    exponent: Callable[[Scalar], Scalar], bounds: tuple[Scalar, Scalar], moneyness: Scalar, terms: int
) -> tuple[Scalar, Scalar, Scalar, Scalar]:
    """(a, ln K/F held inside, frequencies, density's coefficients)."""
    a, b = jax.lax.stop_gradient(bounds)
    j = jnp.arange(terms)
    u = j * jnp.pi / (b - a)
    phi = jnp.exp(exponent(u) - 1j * u * a)
    return a, jnp.clip(moneyness, a, b), u, jnp.real(phi) * jnp.where(j == 0, 1.0, 2.0) / (b - a)
