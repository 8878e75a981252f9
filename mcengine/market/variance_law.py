"""The law of a variance that reverts to its mean, as far as what is paid on it needs: dv = kappa (theta - v) dt + xi sqrt(v) dW.

    E int_t^{t+y} v = theta y + B(y) (v - theta),   B(y) = (1 - e^{-kappa y}) / kappa
    over a step of h:  int v = theta h + w (v - theta + v' - theta),   w = B(h) / (1 + e^{-kappa h})
where the last is the trapezoid with the weight by which its mean, given v, is that of the integral: what is paid on it is a martingale on any dates.
"""

from typing import NamedTuple

import jax.numpy as jnp

from mcengine._model import Scalar
from mcengine.pricing.black import root


class VarianceLaw(NamedTuple):
    """Of the variance that an asset shows, under P.

    Args:
        kappa: Mean reversion a year, above 0.
        theta: Long-run variance a year.
        vol_of_vol: xi, a year; 0 for a variance that is known.
        rho: Correlation of W with the price's Brownian motion.
        premium: Variance under Q over that under P, at all times.
    """

    kappa: Scalar
    theta: Scalar
    vol_of_vol: Scalar
    rho: Scalar
    premium: Scalar

    def reach(self, years: Scalar) -> Scalar:
        """B: what the integral to come is expected to move by, for a move of v, years.

        Args:
            years: To its end.
        """
        return -jnp.expm1(-self.kappa * years) / self.kappa

    def expected(self, variance: Scalar, years: Scalar) -> Scalar:
        """Integral to come as it is priced, under Q.

        Args:
            variance: v, a year.
            years: To its end.
        """
        return self.premium * (self.theta * years + self.reach(years) * (variance - self.theta))

    def weight(self, dt: Scalar) -> Scalar:
        """w: the integral over a step is theta h + w (v - theta + v' - theta), years.

        Args:
            dt: h, years.
        """
        return self.reach(dt) / (1.0 + jnp.exp(-self.kappa * dt))

    def deviation(self, variance: Scalar, years: Scalar) -> Scalar:
        """By how much what is expected moves, in standard deviations over the root of a year.

        Args:
            variance: v, a year.
            years: To its end.
        """
        return self.premium * self.reach(years) * self.vol_of_vol * root(variance)
