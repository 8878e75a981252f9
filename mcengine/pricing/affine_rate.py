"""A short rate that reverts to its curve (Vasicek, Hull-White), as prices see it: bonds, and what it adds to the variance of forwards.

With r of reversion kappa and volatility sigma a bond moves by -sigma B(T-t) dW_r, B(s) = (1 - e^{-kappa s})/kappa. The forward S/P(t,T) of an
asset that interest grows, of volatility s and correlated c with the rate, is then lognormal with total variance
    int_0^T (s^2 + 2 c s sigma B + sigma^2 B^2) du
(Brigo & Mercurio, "Interest Rate Models", 2006, appendix B; Merton 1973). Options are priced by it under the forward measure.
"""

from typing import NamedTuple

import jax.numpy as jnp

from mcengine._model import Scalar

_SMALL = 0.5  # below it a series, above it the formula: neither loses more than two digits
_TERMS = 18


class AffineRate(NamedTuple):
    """A short rate that has left its forward curve by ``deviation`` x: bonds are P(0,T)/P(0,t) exp(-B x - B^2 y/2), B = (1 - e^{-kappa (T-t)})/kappa,
    ``variance`` y(t) that of x seen from today.

    ``volatility`` sigma and ``covariance`` c s sigma (see above) say what it adds to the variance of the asset's forward; none where the asset's law
    has the rate in it already, or the rate is history.
    """

    deviation: Scalar
    kappa: Scalar
    variance: Scalar
    volatility: Scalar | None = None
    covariance: Scalar | None = None

    def factor(self, years: Scalar) -> Scalar:
        """Price of a bond of that many years over what today's curve makes it."""
        b = -jnp.expm1(-self.kappa * years) / self.kappa
        return jnp.exp(-b * (self.deviation + 0.5 * b * self.variance))

    def forward_variance(self, years: Scalar) -> Scalar:
        """Variance of the log of the forward for a date in so many years beside the asset's own: int 2 c s sigma B + sigma^2 B^2."""
        if self.volatility is None or self.covariance is None:
            return 0.0
        return 2.0 * self.covariance * lag(self.kappa, years) + bond_variance(self.kappa, self.volatility, years)


def duration(kappa: Scalar, years: Scalar) -> Scalar:
    """B = (1 - e^{-kappa T})/kappa."""
    return -jnp.expm1(-kappa * years) / kappa


def lag(kappa: Scalar, years: Scalar) -> Scalar:
    """(T - B(T))/kappa = int_0^T B(s) ds."""
    u = kappa * years
    small = jnp.minimum(u, _SMALL)
    series = sum((-1.0) ** n * small**n / _factorial(n) for n in range(2, _TERMS))
    return jnp.where(u < _SMALL, series, u + jnp.expm1(-u)) / kappa**2


def bond_variance(kappa: Scalar, sigma: Scalar, years: Scalar) -> Scalar:
    """V(T) = sigma^2 int_0^T B(s)^2 ds: variance of the integral of r over T years."""
    u = kappa * years
    small = jnp.minimum(u, _SMALL)
    # (1 - e^{-s})^2 = sum_n (-1)^n (2^n - 2) s^n / n!
    series = sum((-1.0) ** n * (2.0**n - 2.0) * small ** (n + 1) / _factorial(n + 1) for n in range(2, _TERMS))
    exact = u + 2.0 * jnp.expm1(-u) - 0.5 * jnp.expm1(-2.0 * u)
    return sigma**2 * jnp.where(u < _SMALL, series, exact) / kappa**3


def variance(kappa: Scalar, sigma: Scalar, years: Scalar) -> Scalar:
    """y(T): variance of x after T years."""
    return sigma**2 * duration(2.0 * kappa, years)


def _factorial(n: int) -> float:
    return float(n) * _factorial(n - 1) if n else 1.0
