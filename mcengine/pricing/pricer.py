"""Pricers: what an option is worth given a quote. They hold the parameters under Q; paths move under P.

``BlackPricer``: constant variance.
``HestonPricer``: Black at the implied volatility of the first-order expansion in vol of vol (Bergomi & Guyon, "Stochastic
volatility's orderly smiles", Risk 2012, eqs 10-11), an approximation until the Fourier table: with w the expected variance to
expiry and C = rho xi int_0^T E[v_s] (1 - e^{-kappa (T-s)})/kappa ds,
    vol(k) = sqrt(w/T) [1 + C/(4 w) + C k/(2 w^2)],   k = ln(K/F),
held between half and twice sqrt(w/T). Every coefficient depends on time only, so a smile costs little more than Black.
"""

from typing import Protocol

import jax.numpy as jnp

from mcengine._model import Scalar, model, number
from mcengine.pricing.black import black
from mcengine.pricing.quote import Quote


class Pricer(Protocol):
    """Prices European options on one asset."""

    def option(self, kind: str, strike: Scalar, expiry: Scalar, quote: Quote) -> Scalar:
        """Price now; ``expiry`` is the index of a calendar date common to all paths."""
        ...


@model
class BlackPricer:
    """Constant variance ``variance`` a year under Q."""

    variance: Scalar = number(low=0.0)

    def option(self, kind: str, strike: Scalar, expiry: Scalar, quote: Quote) -> Scalar:
        years = quote.years(expiry)
        deviation = jnp.sqrt(jnp.where(years > 0.0, self.variance * years, 1.0)) * (years > 0.0)
        return black(kind, quote.forward(expiry), strike, deviation, quote.discount(expiry))


@model
class HestonPricer:
    """Heston's parameters, and the premium of implied over expected variance (see ``market.Heston``)."""

    kappa: Scalar = number(above=0.0)
    theta: Scalar = number(low=0.0)
    vol_of_vol: Scalar = number(low=0.0)
    rho: Scalar = number(low=-1.0, high=1.0)
    premium: Scalar = number(default=1.0, above=0.0)

    def option(self, kind: str, strike: Scalar, expiry: Scalar, quote: Quote) -> Scalar:
        years = quote.years(expiry)
        alive = years > 0.0
        t = jnp.where(alive, years, 1.0)
        decay = jnp.exp(-self.kappa * t)
        b = (1.0 - decay) / self.kappa
        gap = quote.variance - self.theta
        total = self.premium * (self.theta * t + gap * b)
        # premium x v is again a Heston variance, with theta times premium and xi times sqrt(premium).
        covariance = self.premium * jnp.sqrt(self.premium) * self.rho * self.vol_of_vol / self.kappa * (self.theta * (t - b) + gap * (b - t * decay))
        total = jnp.maximum(total, 1e-8)
        forward = quote.forward(expiry)
        skew = covariance / (2.0 * total)
        tilt = 1.0 + 0.5 * skew + skew / total * jnp.log(strike / forward)
        deviation = jnp.sqrt(total) * jnp.clip(tilt, 0.5, 2.0) * alive
        return black(kind, forward, strike, deviation, quote.discount(expiry))
