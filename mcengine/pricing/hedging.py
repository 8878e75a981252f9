"""Formulas of hedging on discrete dates and with costs.

Leland, "Option pricing and replication with transactions costs", J. Finance 40(5), 1985; for books of both signs Hoggard, Whalley & Wilmott, Advances
in Futures and Options Research 7, 1994. Whalley & Wilmott, "An asymptotic analysis of an optimal hedging model for option pricing with transaction
costs", Math. Finance 7(3), 1997.
"""

import jax.numpy as jnp

from mcengine._model import Scalar

_SQRT_TWO_OVER_PI = 0.7978845608028654


def leland_volatility(volatility: Scalar, cost: Scalar, dt: Scalar, side: Scalar = -1.0) -> Scalar:
    """Volatility that options are hedged at where each trade costs: s sqrt(1 - side sqrt(2/pi) k / (s sqrt dt)).

    Args:
        volatility: s, a year.
        cost: Round trip k, a fraction of the value traded.
        dt: Years between trades of the hedge.
        side: -1 of options sold (Leland's), which cost more to hedge, 1 of options bought, which are worth less.

    Returns:
        A year; 0 of options bought that are not worth hedging on so many dates.
    """
    safe = jnp.where(volatility > 0.0, volatility, 1.0)
    factor = 1.0 - side * _SQRT_TWO_OVER_PI * cost / (safe * jnp.sqrt(dt))
    alive = (factor > 0.0) & (volatility > 0.0)
    return jnp.where(alive, safe * jnp.sqrt(jnp.where(alive, factor, 1.0)), 0.0)


def whalley_wilmott_width(gamma: Scalar, spot: Scalar, cost: Scalar, aversion: Scalar) -> Scalar:
    """Half-width of the band about delta in which no trade pays: (3 c G^2 S / (2 a))^{1/3}, of exponential utility and a small cost.

    Args:
        gamma: G of what is hedged, units of the asset a currency.
        spot: S, currency.
        cost: c of one trade, a fraction of its value.
        aversion: Absolute risk aversion a, 1 over currency.

    Returns:
        Units of the asset; its derivatives are finite.
    """
    cube = 1.5 * cost * gamma * gamma * spot / aversion
    alive = cube > 1e-30
    return jnp.where(alive, jnp.cbrt(jnp.where(alive, cube, 1.0)), 0.0)
