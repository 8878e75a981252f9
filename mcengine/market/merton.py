"""Merton (1976): lognormal jumps on geometric Brownian motion.

dS/S = (mu - q - lambda k) dt + sigma dW + (e^J - 1) dN,   J ~ N(m, s^2),   k = E[e^J] - 1 = e^{m + s^2/2} - 1.
A step is exact in law, whatever its size:
ln S(t+dt) = ln S(t) + (mu - q - sigma^2/2 - lambda k) dt + sigma sqrt(dt) z + N m + s sqrt(N) z_J,   N ~ Poisson(lambda dt),
with N and z_J from one uniform (see ``jumps``).
"""

from typing import ClassVar, NamedTuple

import jax.numpy as jnp

from mcengine._model import Scalar, model, number, replace, static
from mcengine.market import jumps
from mcengine.market.base import AbstractStandaloneAsset
from mcengine.pricing import MertonPricer


class _Row(NamedTuple):
    drift: Scalar
    scale: Scalar
    tails: jumps.Tails


@model
class Merton(AbstractStandaloneAsset):
    """Merton's jump diffusion (1976): normal jumps of the log price on geometric Brownian motion.

    Args:
        spot: Price today, currency.
        sigma: Volatility a year between jumps, under P; the quoted variance is its square.
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
    sigma: Scalar = number(low=0.0)
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

    n_factors: ClassVar[int] = 1
    n_uniforms: ClassVar[int] = 1
    constant_volatility: ClassVar[bool] = True

    @property
    def jump_variance(self) -> Scalar:
        return self.intensity * (self.jump_mean**2 + self.jump_sd**2)

    def check(self) -> None:
        jumps.check_most("Merton", self.most_jumps)

    def check_step(self, dt: float) -> None:
        """Check that steps are short enough to count the jumps of P and of Q.

        Args:
            dt: Years.

        Raises:
            ValueError: They are too long.
        """
        jumps.check_step("Merton", self.intensity * max(1.0, float(self.intensity_premium)), self.most_jumps, dt)

    def loadings(self) -> tuple[Scalar, ...]:
        return (1.0,)

    def table(self, times: Scalar, dt: Scalar) -> _Row:
        compensator = self.intensity * jumps.lognormal_excess(self.jump_mean, self.jump_sd)
        drift = (self.drift - self.dividend - 0.5 * self.sigma**2) * dt + self.shock * (jnp.arange(dt.shape[0]) == 0)
        return _Row(drift - compensator * dt, self.sigma * jnp.sqrt(dt), jumps.tails(self.intensity * dt, self.most_jumps))

    def start(self) -> Scalar:
        return self.spot

    def step(self, state: Scalar, row: _Row, normals: tuple[Scalar, ...], uniforms: tuple[Scalar, ...]) -> Scalar:
        jump = jumps.normal_sum(jumps.draw(uniforms[0], row.tails), self.jump_mean, self.jump_sd)
        return state * jnp.exp(row.drift + row.scale * normals[0] + jump)

    def own_scale(self, row: _Row, before: Scalar, after: Scalar) -> Scalar:
        return row.scale

    def log_probability(self, row: _Row, uniforms: tuple[Scalar, ...], dt: Scalar) -> Scalar:
        return jumps.log_probability(jumps.draw(uniforms[0], row.tails).number, self.intensity * dt)

    def observe(self, state: Scalar) -> tuple[Scalar, Scalar]:
        return state, self.sigma**2

    def pricer(self) -> MertonPricer:
        variance, intensity = self.sigma**2 * self.variance_premium, self.intensity * self.intensity_premium
        return MertonPricer(variance, intensity, self.jump_mean + self.jump_mean_premium, self.jump_sd)

    @property
    def mean_volatility(self) -> Scalar:
        """sigma under Q."""
        return self.sigma * jnp.sqrt(self.variance_premium)

    def risk_neutral(self, rate: Scalar) -> "Merton":
        return replace(
            self,
            drift=rate,
            sigma=self.sigma * jnp.sqrt(self.variance_premium),
            intensity=self.intensity * self.intensity_premium,
            jump_mean=self.jump_mean + self.jump_mean_premium,
            variance_premium=1.0,
            intensity_premium=1.0,
            jump_mean_premium=0.0,
        )
