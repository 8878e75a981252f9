"""Total-return index of a constant-maturity zero bond: on every date a zero of M years is bought, a step D later sold at M - D years.

ln I'/I = ln P(t+D, t+M)/P(t, t+M)
        = ln P(0,t)/P(0,t+D) + B(M) x - B(M-D) x' + [B(M)^2 y(t) - B(M-D)^2 y(t+D)]/2
in the rate's deviation x, with B and y of ``short_rate``. It has no noise of its own: volatility sigma B(M), and under P lambda sigma B(M) a year
above cash, lambda the rate's ``term_premium``. A par bond's index is near that of a zero as long as its duration.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple

import jax.numpy as jnp

from mcengine._model import Scalar, model, number
from mcengine.market import short_rate
from mcengine.market.base import AbstractAsset
from mcengine.pricing.black import root
from mcengine.pricing.vanilla import AbstractVanillaPricer, Vanilla


class _Row(NamedTuple):
    drift: Scalar
    before: Scalar  # of x at the start
    after: Scalar  # of x' at the end


@model
class BondIndex(AbstractAsset):
    """Total-return index of a constant-maturity zero bond, driven by the market's short rate, which has to be stochastic.

    Args:
        spot: Index today.
        maturity: Of the bond in years, at least a step.
        shock: Log-return added in the first step; the derivative by it is a strategy's delta.
    """

    spot: Scalar = number(above=0.0, term=True)
    maturity: Scalar = number(default=8.0, above=0.0, term=True)
    shock: Scalar = number(default=0.0, term=True)

    n_factors: ClassVar[int] = 0
    n_uniforms: ClassVar[int] = 0
    takes_interest: ClassVar[bool] = False  # the rate drives it
    constant_volatility: ClassVar[bool] = True

    def loadings(self) -> tuple[Scalar, ...]:
        return ()

    def check_market(self, market: Any, name: str) -> None:
        if not market.rate.n_factors:
            raise ValueError(f"{name}: expected a market with a stochastic rate for BondIndex, got {type(market.rate).__name__}")

    def table_in(self, market: Any, times: Scalar, dt: Scalar, discounts: tuple[Scalar, Scalar]) -> _Row:
        rate = market.rate
        b, left = short_rate.duration(rate.kappa, self.maturity), short_rate.duration(rate.kappa, self.maturity - dt)
        y, later = (short_rate.variance(rate.kappa, rate.sigma, t) for t in (times, times + dt))
        drift = jnp.log(discounts[0] / discounts[1]) + 0.5 * (b * b * y - left * left * later)
        return _Row(drift + self.shock * (jnp.arange(dt.shape[0]) == 0), b + jnp.zeros_like(dt), left)

    def start(self) -> Scalar:
        return self.spot

    def step_in(
        self, state: Scalar, row: _Row, normals: tuple[Scalar, ...], uniforms: tuple[Scalar, ...], before: Mapping[str, Any], after: Mapping[str, Any]
    ) -> Scalar:
        return state * jnp.exp(row.drift + row.before * before["rate"].deviation - row.after * after["rate"].deviation)

    def observe_in(self, state: Scalar, market: Any, states: Mapping[str, Any]) -> tuple[Scalar, Scalar]:
        """(index, variance a year)."""
        return state, (market.rate.sigma * short_rate.duration(market.rate.kappa, self.maturity)) ** 2

    def pricer_in(self, market: Any) -> "BondIndexPricer":
        return BondIndexPricer(market.rate.kappa, market.rate.sigma, self.maturity)

    @property
    def mean_volatility(self) -> None:
        """None: its own law has the rate in it."""
        return None

    def risk_neutral(self, rate: Scalar) -> "BondIndex":
        """Itself: its law follows from the rate's."""
        return self


@model
class BondIndexPricer(AbstractVanillaPricer):
    """Black on the forward I/P(t,T), lognormal with variance sigma^2 int_0^T (B(M) - B(s))^2 ds, the bond to expiry taken out."""

    kappa: Scalar = number(above=0.0)
    sigma: Scalar = number(low=0.0)
    maturity: Scalar = number(above=0.0)

    def total_volatility(self, option: Vanilla) -> tuple[Scalar, tuple[Scalar, ...]]:
        b = short_rate.duration(self.kappa, self.maturity)
        crossed = b * (b * option.years - 2.0 * short_rate.lag(self.kappa, option.years))
        own = self.sigma**2 * crossed + short_rate.bond_variance(self.kappa, self.sigma, option.years)
        return root(own + option.event_variance), ()
