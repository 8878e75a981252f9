"""Bates (1996), "Jumps and stochastic volatility", Rev. Financial Studies 9(1): Heston's variance with Merton's jumps.

dS/S = (mu - q - lambda k) dt + sqrt(v) dW_S + (e^J - 1) dN,   dv = kappa (theta - v) dt + xi sqrt(v) dW_v,   J ~ N(m, s^2),
k = e^{m + s^2/2} - 1,   corr(dW_S, dW_v) = rho; jumps independent of both. The diffusion is Heston's QE-M step, the jumps are exact in law.
"""

from typing import Any, ClassVar, NamedTuple

import jax.numpy as jnp

from mcengine._model import Scalar, model, number, replace, static
from mcengine.market import jumps
from mcengine.market.base import AbstractStandaloneAsset
from mcengine.market.heston import Heston
from mcengine.pricing import BatesPricer


class _Row(NamedTuple):
    diffusion: Scalar  # Heston's row, its drift less the jumps' mean
    tails: jumps.Tails


@model
class Bates(AbstractStandaloneAsset):
    """Bates's model (1996): Heston's variance, and independent normal jumps of the log price.

    Args:
        spot: Price today, currency.
        v0: Variance a year between jumps today, under P; it is the quoted one.
        kappa: Mean reversion a year.
        theta: Long-run variance a year between jumps, under P.
        vol_of_vol: xi, a year, under P.
        rho: Correlation of the Brownian motions of spot and variance.
        intensity: Jumps a year under P.
        jump_mean: Mean of a log jump under P.
        jump_sd: Standard deviation of a log jump.
        drift: Expected total return a year under P, jumps and dividends included.
        dividend: Dividend yield a year, continuously compounded.
        variance_premium: Variance between jumps under Q over that under P.
        intensity_premium: Intensity under Q over that under P.
        jump_mean_premium: Mean log jump under Q less that under P.
        shock: Log-return added in the first step; the derivative by it is a strategy's delta.
        most_jumps: Jumps a step that are counted.

    Raises:
        ValueError: ``most_jumps`` is out of its range.
    """

    spot: Scalar = number(above=0.0, term=True)
    v0: Scalar = number(low=0.0)
    kappa: Scalar = number(above=0.0)
    theta: Scalar = number(low=0.0)
    vol_of_vol: Scalar = number(above=0.0)
    rho: Scalar = number(above=-1.0, below=1.0)
    intensity: Scalar = number(low=0.0, pathwise=False)
    jump_mean: Scalar = number()
    jump_sd: Scalar = number(low=0.0)
    drift: Scalar = number(default=0.0)
    dividend: Scalar = number(default=0.0)
    variance_premium: Scalar = number(default=1.0, above=0.0)
    intensity_premium: Scalar = number(default=1.0, low=0.0)
    jump_mean_premium: Scalar = number(default=0.0)
    shock: Scalar = number(default=0.0, term=True)
    most_jumps: int = static(default=4)

    n_factors: ClassVar[int] = 2
    n_uniforms: ClassVar[int] = 1

    @property
    def jump_variance(self) -> Scalar:
        return self.intensity * (self.jump_mean**2 + self.jump_sd**2)

    def check(self) -> None:
        jumps.check_most("Bates", self.most_jumps)

    def check_step(self, dt: float) -> None:
        """Check that steps are short enough to count the jumps of P and of Q.

        Args:
            dt: Years.

        Raises:
            ValueError: They are too long.
        """
        jumps.check_step("Bates", self.intensity * max(1.0, float(self.intensity_premium)), self.most_jumps, dt)

    @property
    def diffusion(self) -> Heston:
        """The same asset without jumps, and with the drift it has between them."""
        drift = self.drift - self.intensity * jumps.lognormal_excess(self.jump_mean, self.jump_sd)
        numbers = (self.spot, self.v0, self.kappa, self.theta, self.vol_of_vol, self.rho, drift, self.dividend, self.variance_premium, self.shock)
        return Heston(*numbers)

    @property
    def feller(self) -> Scalar:
        """2 kappa theta / xi^2: below 1 the variance touches zero, which QE handles."""
        return self.diffusion.feller

    def loadings(self) -> tuple[Scalar, ...]:
        return self.diffusion.loadings()

    def table(self, times: Scalar, dt: Scalar) -> _Row:
        return _Row(self.diffusion.table(times, dt), jumps.tails(self.intensity * dt, self.most_jumps))

    def start(self) -> Scalar:
        return self.diffusion.start()

    def step(self, state: Scalar, row: _Row, normals: tuple[Scalar, ...], uniforms: tuple[Scalar, ...]) -> Scalar:
        jump = jumps.normal_sum(jumps.draw(uniforms[0], row.tails), self.jump_mean, self.jump_sd)
        return self.diffusion.step(state, row.diffusion._replace(drift=row.diffusion.drift + jump), normals)

    def own_scale(self, row: _Row, before: Any, after: Any) -> Scalar:
        return self.diffusion.own_scale(row.diffusion, before, after)

    def log_probability(self, row: _Row, uniforms: tuple[Scalar, ...], dt: Scalar) -> Scalar:
        return jumps.log_probability(jumps.draw(uniforms[0], row.tails).number, self.intensity * dt)

    def with_return(self, row: _Row, move: Scalar) -> _Row:
        return row._replace(diffusion=row.diffusion._replace(drift=row.diffusion.drift + move))

    def observe(self, state: Scalar) -> tuple[Scalar, Scalar]:
        return state.spot, state.variance

    def pricer(self) -> BatesPricer:
        jump = (self.intensity * self.intensity_premium, self.jump_mean + self.jump_mean_premium, self.jump_sd)
        return BatesPricer(self.kappa, self.theta, self.vol_of_vol, self.rho, *jump, self.variance_premium)

    @property
    def mean_volatility(self) -> Scalar:
        """Heston's."""
        return self.diffusion.mean_volatility

    def risk_neutral(self, rate: Scalar) -> "Bates":
        p = self.variance_premium
        return replace(
            self,
            drift=rate,
            v0=p * self.v0,
            theta=p * self.theta,
            vol_of_vol=jnp.sqrt(p) * self.vol_of_vol,
            intensity=self.intensity * self.intensity_premium,
            jump_mean=self.jump_mean + self.jump_mean_premium,
            variance_premium=1.0,
            intensity_premium=1.0,
            jump_mean_premium=0.0,
        )
