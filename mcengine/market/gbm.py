"""Geometric Brownian motion: dS/S = (mu - q) dt + sigma dW, stepped exactly.

ln S(t+dt) = ln S(t) + (mu - q - sigma^2/2) dt + sigma sqrt(dt) z.
"""

from typing import ClassVar, NamedTuple

import jax.numpy as jnp

from mcengine._model import Scalar, model, number, replace
from mcengine.market.base import AbstractStandaloneAsset
from mcengine.market.variance_law import VarianceLaw
from mcengine.pricing import BlackPricer


class _Row(NamedTuple):
    drift: Scalar
    scale: Scalar


@model
class GBM(AbstractStandaloneAsset):
    """Geometric Brownian motion: dS/S = (mu - q) dt + sigma dW.

    Args:
        spot: Price today, currency.
        sigma: Volatility a year under P.
        drift: Expected total return a year under P (mu), dividends included.
        dividend: Dividend yield a year (q), continuously compounded.
        variance_premium: Variance under Q, which options are priced by, over that under P.
        shock: Log-return added in the first step; the derivative by it is a strategy's delta.

    Example:
        >>> equity = mc.market.GBM(spot=100.0, sigma=0.2, drift=0.07, variance_premium=1.21)
        >>> equity.pricer()
        BlackPricer(variance=0.0484)
    """

    spot: Scalar = number(above=0.0, term=True)
    sigma: Scalar = number(low=0.0)
    drift: Scalar = number(default=0.0)
    dividend: Scalar = number(default=0.0)
    variance_premium: Scalar = number(default=1.0, above=0.0)
    shock: Scalar = number(default=0.0, term=True)

    n_factors: ClassVar[int] = 1
    n_uniforms: ClassVar[int] = 0
    constant_volatility: ClassVar[bool] = True

    def loadings(self) -> tuple[Scalar, ...]:
        return (1.0,)

    def table(self, times: Scalar, dt: Scalar) -> _Row:
        drift = (self.drift - self.dividend - 0.5 * self.sigma**2) * dt
        return _Row(drift + self.shock * (jnp.arange(dt.shape[0]) == 0), self.sigma * jnp.sqrt(dt))

    def start(self) -> Scalar:
        return self.spot

    def step(self, state: Scalar, row: _Row, normals: tuple[Scalar, ...], uniforms: tuple[Scalar, ...] = ()) -> Scalar:
        return state * jnp.exp(row.drift + row.scale * normals[0])

    def own_scale(self, row: _Row, before: Scalar, after: Scalar) -> Scalar:
        return row.scale

    def observe(self, state: Scalar) -> tuple[Scalar, Scalar]:
        return state, self.sigma**2

    def pricer(self) -> BlackPricer:
        return BlackPricer(variance=self.sigma**2 * self.variance_premium)

    @property
    def mean_volatility(self) -> Scalar:
        """sigma under Q."""
        return self.sigma * jnp.sqrt(self.variance_premium)

    @property
    def variance_law(self) -> VarianceLaw:
        """Of a variance that stays where it is, whatever kappa."""
        return VarianceLaw(1.0, self.sigma**2, 0.0, 0.0, self.variance_premium)

    def risk_neutral(self, rate: Scalar) -> "GBM":
        return replace(self, drift=rate, sigma=self.sigma * jnp.sqrt(self.variance_premium), variance_premium=1.0)
