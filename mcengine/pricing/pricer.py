"""Pricers: what an option is worth given a quote. They hold the parameters under Q; paths move under P.

``BlackPricer``: constant variance.
``HestonPricer``: Black at the implied volatility of the second-order expansion in vol of vol (Bergomi & Guyon, "Stochastic volatility's
orderly smiles", Risk, May 2012, eqs 10-13), an approximation until the Fourier table. With h(u) = (1 - e^{-kappa u})/kappa, w the expected
variance to expiry, k = ln(K/F), y = k/w and, each over w,
    a = rho xi int E[v_s] h(T-s) ds,   b = xi^2 int E[v_s] h(T-s)^2 ds,   c = (rho xi)^2 int E[v_s] int_0^{T-s} e^{-kappa u} h(T-s-u) du ds:
    vol / sqrt(w/T) = 1 + a/4 + [12 a^2 - (w+4) b + 4 (w-4) c]/(32 w) + y [a/2 + (4c - 3a^2)/8] + y^2 [4c + b - 6a^2]/8,
held between 1/2 and 2. All but w and y depends on time only, so a smile costs little more than Black.
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
        total = self.variance * years
        deviation = jnp.sqrt(jnp.where(total > 0.0, total, 1.0)) * (total > 0.0)
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
        kappa, t = self.kappa, jnp.where(alive, years, 1.0)
        decay = jnp.exp(-kappa * t)
        h, h2 = (1.0 - decay) / kappa, (1.0 - decay * decay) / (2.0 * kappa)
        # premium x v is again a Heston variance, with theta times premium and xi times sqrt(premium).
        theta, gap = self.premium * self.theta, self.premium * (quote.variance - self.theta)
        drive, spread = self.rho * self.vol_of_vol * jnp.sqrt(self.premium), self.premium * self.vol_of_vol**2
        inner = (h - t * decay) / kappa
        w = jnp.maximum(theta * t + gap * h, 1e-8)
        a = drive * (theta * (t - h) / kappa + gap * inner) / w
        b = spread * (theta * (t - 2.0 * h + h2) + gap * (h - 2.0 * t * decay + decay * h)) / (kappa**2 * w)
        c = drive**2 * (theta * (t - 2.0 * h + t * decay) / kappa**2 + gap * (inner - 0.5 * decay * t * t) / kappa) / w
        forward = quote.forward(expiry)
        y = jnp.log(strike / forward) / w
        level = 1.0 + 0.25 * a + (12.0 * a * a - (w + 4.0) * b + 4.0 * (w - 4.0) * c) / (32.0 * w)
        tilt = level + y * (0.5 * a + 0.125 * (4.0 * c - 3.0 * a * a)) + y * y * 0.125 * (4.0 * c + b - 6.0 * a * a)
        deviation = jnp.sqrt(w) * jnp.clip(tilt, 0.5, 2.0) * alive
        return black(kind, forward, strike, deviation, quote.discount(expiry))
