"""Black at a variance that reverts to its mean.

Total variance over tau, from a variance v a year now:  w = p [theta tau + (v - theta) (1 - e^{-kappa tau}) / kappa].
With theta = 0 it is that of an Ornstein-Uhlenbeck log price of reversion kappa / 2, and the price is exact.
"""

import jax.numpy as jnp

from mcengine._model import Scalar, model, number
from mcengine.pricing.black import black, root
from mcengine.pricing.quote import Quote


@model
class RevertingPricer:
    """``kappa`` a rate a year, ``theta`` a variance a year under P, ``premium`` p of implied over expected variance."""

    kappa: Scalar = number(above=0.0)
    theta: Scalar = number(low=0.0)
    premium: Scalar = number(default=1.0, above=0.0)

    def total_variance(self, quote: Quote, expiry: Scalar) -> Scalar:
        """Variance of the log price from now to the date ``expiry``, that of announced events included."""
        return self._own(quote, expiry) + quote.event_variance(expiry)

    def option(self, kind: str, strike: Scalar, expiry: Scalar, quote: Quote) -> Scalar:
        own, forward, discount = self._own(quote, expiry), quote.forward(expiry), quote.discount(expiry)

        def price(growth: Scalar, more: Scalar) -> Scalar:
            return black(kind, forward * growth, strike, quote.bumped_volatility(root(own + more), expiry), discount)

        return quote.over_events(expiry, price)

    def _own(self, quote: Quote, expiry: Scalar) -> Scalar:
        years = quote.years(expiry)
        fade = -jnp.expm1(-self.kappa * years) / self.kappa
        return self.premium * (self.theta * years + (quote.variance - self.theta) * fade)
