"""Black at a variance that reverts to its mean.

Total variance over tau, from a variance v a year now:  w = p [theta tau + (v - theta) (1 - e^{-kappa tau}) / kappa].
With theta = 0 it is that of an Ornstein-Uhlenbeck log price of reversion kappa / 2, and the price is exact.
"""

import jax.numpy as jnp

from mcengine._model import Scalar, model, number
from mcengine.pricing.black import root
from mcengine.pricing.quote import Quote
from mcengine.pricing.vanilla import AbstractVanillaPricer, Vanilla


@model
class RevertingPricer(AbstractVanillaPricer):
    """``kappa`` a rate a year, ``theta`` a variance a year under P, ``premium`` p of implied over expected variance."""

    kappa: Scalar = number(above=0.0)
    theta: Scalar = number(low=0.0)
    premium: Scalar = number(default=1.0, above=0.0)

    def total_variance(self, quote: Quote, expiry: Scalar) -> Scalar:
        """Variance of the log price from now to the date ``expiry``, that of announced events included."""
        return self._own(quote.variance, quote.years(expiry)) + quote.variance_beside(expiry)

    def total_volatility(self, option: Vanilla) -> tuple[Scalar, tuple[Scalar, ...]]:
        return root(self._own(option.variance, option.years) + option.event_variance), ()

    def _own(self, variance: Scalar, years: Scalar) -> Scalar:
        fade = -jnp.expm1(-self.kappa * years) / self.kappa
        return self.premium * (self.theta * years + (variance - self.theta) * fade)
