"""Black (1976): a European option on a lognormal forward.

call = D [F N(d1) - K N(d2)],  put = D [K N(-d2) - F N(-d1)],  d1 = ln(F/K)/s + s/2,  d2 = d1 - s,  s = vol sqrt(T).
"""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax.custom_derivatives import SymbolicZero

from mcengine._model import Scalar

KINDS = ("call", "put")
_SQRT_HALF = 0.7071067811865476
_DENSITY = 0.3989422804014327
"""N'(0)."""


def normal_cdf(x: Scalar) -> Scalar:
    """Standard normal distribution function N(x), by ``erf``: cheaper than ``erfc`` and as good here, as prices need absolute accuracy.

    Args:
        x: Standard deviations.
    """
    return 0.5 * (1.0 + jax.lax.erf(x * _SQRT_HALF))


def black(kind: str, forward: Scalar, strike: Scalar, total_volatility: Scalar, discount: Scalar) -> Scalar:
    """Price of a European option on a lognormal forward (Black 1976): D [F N(d1) - K N(d2)] for a call.

    At zero total volatility the price is the discounted intrinsic value, and its derivatives are finite.

    Args:
        kind: call or put.
        forward: Forward price F for the expiry, currency.
        strike: K, currency.
        total_volatility: Volatility x sqrt(years to expiry).
        discount: Value now of 1 paid at expiry, D.

    Raises:
        ValueError: The kind is neither.

    Example:
        >>> price = mc.pricing.black("call", forward=100.0, strike=100.0, total_volatility=0.2, discount=0.97)
        >>> print(f"{float(price):.4f}")
        7.7266
    """
    if kind not in KINDS:
        raise ValueError(f"kind: expected 'call' or 'put', got {kind!r}")
    return signed_black(1.0 if kind == "call" else -1.0, forward, strike, total_volatility, discount)


@jax.jit
def signed_black(sign: Scalar, forward: Scalar, strike: Scalar, total_volatility: Scalar, discount: Scalar) -> Scalar:
    """The same, of a call where ``sign`` is 1, of a put where it is -1."""
    forward, strike, total_volatility, discount = (jnp.asarray(x, jnp.result_type(float)) for x in (forward, strike, total_volatility, discount))
    return _by_rule(sign, forward, strike, total_volatility, discount)


@jax.custom_jvp
def _by_rule(sign: Scalar, forward: Scalar, strike: Scalar, total_volatility: Scalar, discount: Scalar) -> Scalar:
    first, second, _ = _probabilities(sign, forward, strike, total_volatility)
    value = sign * (forward * first - strike * second)
    return discount * jnp.where(total_volatility > 0.0, value, jnp.maximum(sign * (forward - strike), 0.0))


def _probabilities(sign: Scalar, forward: Scalar, strike: Scalar, total_volatility: Scalar) -> tuple[Scalar, Scalar, Scalar]:
    """(N(sign d1), N(sign d2), d1)."""
    safe = jnp.where(total_volatility > 0.0, total_volatility, 1.0)
    d1 = jnp.log(forward / strike) / safe + 0.5 * safe
    return normal_cdf(sign * d1), normal_cdf(sign * (d1 - safe)), d1


@partial(_by_rule.defjvp, symbolic_zeros=True)
def _slopes(primals: tuple[Scalar, ...], tangents: tuple[Any, ...]) -> tuple[Scalar, Scalar]:
    """d price = D [sign N(sign d1) dF - sign N(sign d2) dK + F N'(d1) ds] + price/D dD: fewer operations than the chain rule, whose terms cancel."""
    sign, forward, strike, total_volatility, discount = primals
    alive = total_volatility > 0.0
    first, second, d1 = _probabilities(sign, forward, strike, total_volatility)
    paid = sign * (forward - strike)
    chance = jnp.where(paid == 0.0, 0.5, jnp.where(paid > 0.0, 1.0, 0.0))  # of what is not random: at the strike, half
    undiscounted = jnp.where(alive, sign * (forward * first - strike * second), jnp.maximum(paid, 0.0))
    by = (
        lambda: discount * sign * jnp.where(alive, first, chance),
        lambda: -discount * sign * jnp.where(alive, second, chance),
        lambda: discount * jnp.where(alive, forward * _DENSITY * jnp.exp(-0.5 * d1 * d1), 0.0),
        lambda: undiscounted,
    )
    price = discount * undiscounted
    total = jnp.zeros_like(price)
    for slope, tangent in zip(by, tangents[1:], strict=True):
        if not isinstance(tangent, SymbolicZero):
            total = total + slope() * tangent
    return price, total


def root(total: Scalar) -> Scalar:
    """Total volatility of a total variance, with a finite derivative at 0."""
    alive = total > 0.0
    return jnp.sqrt(jnp.where(alive, total, 1.0)) * alive
