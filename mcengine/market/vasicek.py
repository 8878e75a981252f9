"""Vasicek (J. Financial Economics 5(2), 1977): dr = kappa (theta - r) dt + sigma dW under Q; today's curve is what follows from it.

ln P(0,T) = -r B(T) - theta (T - B(T)) + V(T)/2, with B and V of ``short_rate``.
"""

from typing import ClassVar

import jax.numpy as jnp

from mcengine._model import Scalar, model, number, replace
from mcengine.market import short_rate


@model
class Vasicek:
    """Vasicek's short rate (1977): dr = kappa (theta - r) dt + sigma dW under Q.

    Args:
        rate: Short rate a year today.
        kappa: Mean reversion a year.
        theta: Long-run mean under Q, a year; under P it is theta - term_premium sigma / kappa.
        sigma: Volatility a year of the rate.
        term_premium: Excess return a year of bonds per unit of their volatility, under P.
    """

    rate: Scalar = number()
    kappa: Scalar = number(above=0.0)
    theta: Scalar = number()
    sigma: Scalar = number(low=0.0)
    term_premium: Scalar = number(default=0.0)

    n_factors: ClassVar[int] = 2

    def discounts(self, times: Scalar) -> Scalar:
        """Value today of 1 paid at each time.

        Args:
            times: Years from today [times].
        """
        drift = self.rate * short_rate.duration(self.kappa, times) + self.theta * self.kappa * short_rate.lag(self.kappa, times)
        return jnp.exp(0.5 * short_rate.bond_variance(self.kappa, self.sigma, times) - drift)

    def forwards(self, times: Scalar) -> Scalar:
        """Today's instantaneous forward rate a year.

        Args:
            times: Years from today [times].
        """
        b = short_rate.duration(self.kappa, times)
        return self.rate + (self.theta - self.rate) * self.kappa * b - 0.5 * (self.sigma * b) ** 2

    def risk_neutral(self) -> "Vasicek":
        return replace(self, term_premium=0.0)
