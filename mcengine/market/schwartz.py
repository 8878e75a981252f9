"""Schwartz (1997), "The stochastic behavior of commodity prices", J. Finance 52(3), model 1: a log price that reverts to a level.

Under P  d ln S = kappa (ln L - ln S) dt + sigma dW, stepped exactly; under Q the level is L* = L e^{-risk_premium}, and futures are
    F(tau) = E^Q[S_tau] = exp[e^{-kappa tau} ln S + (1 - e^{-kappa tau}) ln L* + sigma^2 (1 - e^{-2 kappa tau}) / (4 kappa)].
The spot itself is no asset that could be carried: whoever holds it earns a convenience yield, paid here as an income so large that
spot and income together are worth S e^{r dt} under Q. That is the return of a nearby future held on full collateral.
"""

from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple

import jax.numpy as jnp
from jax.tree_util import Partial

from mcengine._model import Scalar, model, number, replace
from mcengine.market import correlation as corr
from mcengine.market.base import AbstractStandaloneAsset
from mcengine.pricing.affine_rate import duration
from mcengine.pricing.reverting import RevertingPricer


class _Row(NamedTuple):
    decay: Scalar  # e^{-kappa dt}
    drift: Scalar
    scale: Scalar
    curve: Scalar  # ln F(dt) = decay ln S + curve


@model
class Schwartz(AbstractStandaloneAsset):
    """Schwartz's one-factor commodity (1997): d ln S = kappa (ln L - ln S) dt + sigma dW under P.

    Args:
        spot: Price today, currency.
        kappa: Mean reversion a year.
        level: L, the price that the median reverts to under P, currency.
        sigma: Volatility a year under P.
        risk_premium: Log of the level under P over that under Q (market price of risk x sigma / kappa); above 0 futures pay more than they cost.
        variance_premium: Variance under Q, in futures and options, over that under P.
        shock: Log-return added in the first step; the derivative by it is a strategy's delta.
    """

    spot: Scalar = number(above=0.0, term=True)
    kappa: Scalar = number(above=0.0)
    level: Scalar = number(above=0.0)
    sigma: Scalar = number(low=0.0)
    risk_premium: Scalar = number(default=0.0)
    variance_premium: Scalar = number(default=1.0, above=0.0)
    shock: Scalar = number(default=0.0, term=True)

    n_factors: ClassVar[int] = 1
    n_uniforms: ClassVar[int] = 0
    takes_interest: ClassVar[bool] = False  # nobody carries it: its income makes up for that
    constant_volatility: ClassVar[bool] = True

    def loadings(self) -> tuple[Scalar, ...]:
        return (1.0,)

    def table(self, times: Scalar, dt: Scalar) -> _Row:
        fade = -jnp.expm1(-self.kappa * dt)
        drift = fade * jnp.log(self.level) + self.shock * (jnp.arange(dt.shape[0]) == 0)
        scale = self.sigma * jnp.sqrt(-0.5 * jnp.expm1(-2.0 * self.kappa * dt) / self.kappa)
        return _Row(jnp.exp(-self.kappa * dt), drift, scale, self._curve(dt))

    def start(self) -> Scalar:
        return jnp.log(self.spot)

    def step(self, state: Scalar, row: _Row, normals: tuple[Scalar, ...], uniforms: tuple[Scalar, ...] = ()) -> Scalar:
        return row.decay * state + row.drift + row.scale * normals[0]

    def own_scale(self, row: _Row, before: Scalar, after: Scalar) -> Scalar:
        return row.scale

    def observe(self, state: Scalar) -> tuple[Scalar, Scalar]:
        return jnp.exp(state), self.sigma**2

    def income(self, state: Scalar, row: _Row, interest: Scalar) -> Scalar:
        """What a unit pays at the end of a step begun in ``state``, over its price then: (1 + interest) S / F(dt) - 1."""
        return (1.0 + interest) * jnp.exp(state - row.decay * state - row.curve) - 1.0

    def forward(self, spot: Scalar, years: Scalar) -> Scalar:
        """Futures price F(tau), currency.

        Args:
            spot: Price now, currency.
            years: To delivery.
        """
        return jnp.exp(jnp.exp(-self.kappa * years) * jnp.log(spot) + self._curve(years))

    def forward_curve(self) -> Callable[[Scalar, Scalar], Scalar]:
        return Partial(Schwartz.forward, self)  # its numbers are seen where a price is differentiated

    @property
    def mean_volatility(self) -> None:
        """None: interest does not grow it."""
        return None

    def forward_curve_in(self, market: Any, name: str) -> Callable[[Scalar, Scalar], Scalar]:
        """Under a stochastic rate E^T[S_T] of the forward measure: the futures price times exp(-c s sigma_r int_0^tau e^{-kappa u} B(u) du)."""
        if not market.rate.n_factors:
            return self.forward_curve()
        volatility = self.sigma * jnp.sqrt(self.variance_premium)
        covariance = volatility * market.rate.sigma * corr.between(market.correlation, name, "rate")
        return Partial(Schwartz._forward_under_rate, self, market.rate.kappa, covariance)

    def _forward_under_rate(self, kappa: Scalar, covariance: Scalar, spot: Scalar, years: Scalar) -> Scalar:
        overlap = (duration(self.kappa, years) - duration(self.kappa + kappa, years)) / kappa
        return self.forward(spot, years) * jnp.exp(-covariance * overlap)

    def _curve(self, years: Scalar) -> Scalar:
        """ln F(tau) - e^{-kappa tau} ln S."""
        pull = -jnp.expm1(-self.kappa * years) * (jnp.log(self.level) - self.risk_premium)
        return pull - self.variance_premium * self.sigma**2 * jnp.expm1(-2.0 * self.kappa * years) / (4.0 * self.kappa)

    def pricer(self) -> RevertingPricer:
        """Black on the future that expires with the option; exact, for total variance sigma^2 (1 - e^{-2 kappa tau}) / (2 kappa)."""
        return RevertingPricer(2.0 * self.kappa, 0.0, self.variance_premium)

    def risk_neutral(self, rate: Scalar) -> "Schwartz":
        return replace(
            self,
            level=self.level * jnp.exp(-self.risk_premium),
            risk_premium=0.0,
            sigma=self.sigma * jnp.sqrt(self.variance_premium),
            variance_premium=1.0,
        )
