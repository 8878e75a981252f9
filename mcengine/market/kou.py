"""Kou (2002), "A jump-diffusion model for option pricing", Management Science 48(8): double exponential jumps on geometric Brownian motion.

dS/S = (mu - q - lambda k) dt + sigma dW + (e^J - 1) dN.   With probability p the jump is up and J exponential with mean a, else it is down
and -J exponential with mean b:   k = E[e^J] - 1 = p / (1 - a) + (1 - p) / (1 + b) - 1   (eta_1 = 1/a > 1, eta_2 = 1/b).
In a step N ~ Poisson(lambda dt) jumps come, and each has a uniform v for sign and size (the first that left by N, see ``jumps``), by inversion:
J = -a ln((1 - v)/p) where v >= 1 - p,   J = b ln(v/(1 - p)) where v < 1 - p.
No approximation but the count's: ``most_jumps`` = 3 a step are drawn, exact to 1e-7 up to 10 jumps a year on daily steps; more have to be asked
for, at a uniform each.
"""

from typing import ClassVar, NamedTuple

import jax.numpy as jnp

from mcengine._model import Scalar, model, number, replace, static
from mcengine.market import jumps
from mcengine.market.base import AbstractStandaloneAsset
from mcengine.noise.normal import BELOW_ONE
from mcengine.pricing import KouPricer


class _Row(NamedTuple):
    drift: Scalar
    scale: Scalar
    tails: jumps.Tails


@model
class Kou(AbstractStandaloneAsset):
    """Kou's jump diffusion (2002): double exponential jumps of the log price on geometric Brownian motion.

    Args:
        spot: Price today, currency.
        sigma: Volatility a year between jumps, under P; the quoted variance is its square.
        intensity: Jumps a year under P.
        up_probability: Share of jumps that go up.
        up_mean: Mean log jump of these, below 1; the price has a variance only where it is below 1/2.
        down_mean: Mean size of the other log jumps, under P.
        drift: Expected total return a year under P, jumps and dividends included.
        dividend: Dividend yield a year, continuously compounded.
        variance_premium: Variance between jumps under Q over that under P.
        intensity_premium: Intensity under Q over that under P.
        down_mean_premium: Mean size of falls under Q over that under P.
        shock: Log-return added in the first step; the derivative by it is a strategy's delta.
        most_jumps: Jumps a step that are drawn, at a uniform each.

    Raises:
        ValueError: ``most_jumps`` is out of its range.
    """

    spot: Scalar = number(above=0.0, term=True)
    sigma: Scalar = number(low=0.0)
    intensity: Scalar = number(low=0.0, pathwise=False)
    up_probability: Scalar = number(low=0.0, high=1.0, pathwise=False)
    up_mean: Scalar = number(above=0.0, below=1.0)
    down_mean: Scalar = number(above=0.0)
    drift: Scalar = number(default=0.0)
    dividend: Scalar = number(default=0.0)
    variance_premium: Scalar = number(default=1.0, above=0.0)
    intensity_premium: Scalar = number(default=1.0, low=0.0)
    down_mean_premium: Scalar = number(default=1.0, above=0.0)
    shock: Scalar = number(default=0.0, term=True)
    most_jumps: int = static(default=3)

    n_factors: ClassVar[int] = 1
    constant_volatility: ClassVar[bool] = True

    @property
    def n_uniforms(self) -> int:
        return self.most_jumps

    @property
    def jump_variance(self) -> Scalar:
        return self.intensity * 2.0 * (self.up_probability * self.up_mean**2 + (1.0 - self.up_probability) * self.down_mean**2)

    def check(self) -> None:
        jumps.check_most("Kou", self.most_jumps)

    def check_step(self, dt: float) -> None:
        """Check that steps are short enough to count the jumps of P and of Q.

        Args:
            dt: Years.

        Raises:
            ValueError: They are too long.
        """
        jumps.check_step("Kou", self.intensity * max(1.0, float(self.intensity_premium)), self.most_jumps, dt)

    def loadings(self) -> tuple[Scalar, ...]:
        return (1.0,)

    def table(self, times: Scalar, dt: Scalar) -> _Row:
        p, a, b = self.up_probability, self.up_mean, self.down_mean
        excess = p * a / (1.0 - a) - (1.0 - p) * b / (1.0 + b)  # k without its cancelling ones
        drift = (self.drift - self.dividend - 0.5 * self.sigma**2) * dt + self.shock * (jnp.arange(dt.shape[0]) == 0)
        return _Row(drift - self.intensity * excess * dt, self.sigma * jnp.sqrt(dt), jumps.tails(self.intensity * dt, self.most_jumps))

    def start(self) -> Scalar:
        return self.spot

    def step(self, state: Scalar, row: _Row, normals: tuple[Scalar, ...], uniforms: tuple[Scalar, ...]) -> Scalar:
        down, drawn = 1.0 - self.up_probability, jumps.draw(uniforms[0], row.tails)
        rises: Scalar = 1.0
        falls: Scalar = 1.0  # products of survival probabilities: two logarithms however many jumps
        for k, v in enumerate((jnp.clip(drawn.uniform, 2.0**-33, BELOW_ONE), *uniforms[1:])):
            comes, falling = drawn.number > k, v < down
            rises = rises * jnp.where(comes & ~falling, (1.0 - v) / (1.0 - down), 1.0)
            falls = falls * jnp.where(comes & falling, v / down, 1.0)
        jump = self.down_mean * jnp.log(falls) - self.up_mean * jnp.log(rises)
        return state * jnp.exp(row.drift + row.scale * normals[0] + jump)

    def own_scale(self, row: _Row, before: Scalar, after: Scalar) -> Scalar:
        return row.scale

    def log_probability(self, row: _Row, uniforms: tuple[Scalar, ...], dt: Scalar) -> Scalar:
        return jumps.log_probability(jumps.draw(uniforms[0], row.tails).number, self.intensity * dt)

    def observe(self, state: Scalar) -> tuple[Scalar, Scalar]:
        return state, self.sigma**2

    def pricer(self) -> KouPricer:
        variance, intensity = self.sigma**2 * self.variance_premium, self.intensity * self.intensity_premium
        return KouPricer(variance, intensity, self.up_probability, self.up_mean, self.down_mean * self.down_mean_premium)

    @property
    def mean_volatility(self) -> Scalar:
        """sigma under Q."""
        return self.sigma * jnp.sqrt(self.variance_premium)

    def risk_neutral(self, rate: Scalar) -> "Kou":
        return replace(
            self,
            drift=rate,
            sigma=self.sigma * jnp.sqrt(self.variance_premium),
            intensity=self.intensity * self.intensity_premium,
            down_mean=self.down_mean * self.down_mean_premium,
            variance_premium=1.0,
            intensity_premium=1.0,
            down_mean_premium=1.0,
        )
