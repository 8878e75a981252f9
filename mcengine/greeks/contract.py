"""Greeks of a contract: derivatives of its price formula by automatic differentiation."""

from typing import Any

import jax
import jax.numpy as jnp

from mcengine._model import Scalar, with_parameters
from mcengine.market import Market
from mcengine.pricing import Calendar


def value(instrument: Any, asset: Any, rate: Scalar = 0.0) -> Scalar:
    """Price today by the asset's pricer."""
    calendar = Calendar(instrument.expiry, 1)
    market = Market({instrument.asset: asset}, rate=rate).prepare(calendar)
    quotes = market.quotes(market.start(), 0)
    return instrument.price(instrument.start(quotes), quotes, market.market.pricers(), calendar)


def of(instrument: Any, asset: Any, *, rate: float = 0.0) -> dict[str, float]:
    """Price and Greeks today.

    ``delta`` and ``gamma`` by spot, ``vega`` by volatility (sigma, or sqrt(v0) of a stochastic one), ``vanna`` by both, ``rho`` by the rate,
    ``theta`` for a year of time passing.
    """
    dtype = jnp.result_type(float)
    stochastic = hasattr(asset, "v0")
    variance_name = "v0" if stochastic else "sigma"
    start = jnp.sqrt(jnp.asarray(asset.v0, dtype)) if stochastic else jnp.asarray(asset.sigma, dtype)

    def price(spot: Scalar, volatility: Scalar, rate: Scalar, expiry: Scalar) -> Scalar:
        moved = with_parameters(asset, {"spot": spot, variance_name: volatility**2 if stochastic else volatility})
        return value(with_parameters(instrument, {"expiry": expiry}), moved, rate)

    at = (jnp.asarray(asset.spot, dtype), start, jnp.asarray(rate, dtype), jnp.asarray(instrument.expiry, dtype))

    def all_greeks(*at: Scalar) -> dict[str, Scalar]:
        delta, vega, rho, decay = jax.grad(price, argnums=(0, 1, 2, 3))(*at)
        gamma, vanna = jax.grad(jax.grad(price), argnums=(0, 1))(*at)
        return {"price": price(*at), "delta": delta, "gamma": gamma, "vega": vega, "vanna": vanna, "rho": rho, "theta": -decay}

    return {name: float(x) for name, x in jax.jit(all_greeks)(*at).items()}
