"""Black (1976): a European option on a lognormal forward.

call = D [F N(d1) - K N(d2)],  put = D [K N(-d2) - F N(-d1)],  d1 = ln(F/K)/s + s/2,  d2 = d1 - s,  s = vol sqrt(T).
"""

import jax
import jax.numpy as jnp

from mcengine._model import Scalar

KINDS = ("call", "put")
_SQRT_HALF = 0.7071067811865476


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


def signed_black(sign: Scalar, forward: Scalar, strike: Scalar, total_volatility: Scalar, discount: Scalar) -> Scalar:
    """The same, of a call where ``sign`` is 1, of a put where it is -1."""
    alive = total_volatility > 0.0
    safe = jnp.where(alive, total_volatility, 1.0)
    d1 = jnp.log(forward / strike) / safe + 0.5 * safe
    d2 = d1 - safe
    value = sign * (forward * normal_cdf(sign * d1) - strike * normal_cdf(sign * d2))
    return discount * jnp.where(alive, value, jnp.maximum(sign * (forward - strike), 0.0))


def root(total: Scalar) -> Scalar:
    """Total volatility of a total variance, with a finite derivative at 0."""
    alive = total > 0.0
    return jnp.sqrt(jnp.where(alive, total, 1.0)) * alive
