"""Laws known by their characteristic function: Heston, Bates, Merton, Kou and variance gamma. How they price is ``fourier``."""

from typing import ClassVar

import jax.numpy as jnp

from mcengine._model import Scalar, model, number
from mcengine.pricing import characteristic
from mcengine.pricing.fourier import AbstractLaw
from mcengine.pricing.quote import Quote
from mcengine.pricing.vanilla import Vanilla


def _cir(variance: Scalar, years: Scalar, kappa: Scalar, theta: Scalar) -> Scalar:
    """E[int v dt] = theta T + (v - theta) (1 - e^{-kappa T}) / kappa."""
    return theta * years - (variance - theta) * jnp.expm1(-kappa * years) / kappa


@model
class HestonPricer(AbstractLaw):
    """Heston's law (1993): dv = kappa (theta - v) dt + xi sqrt(v) dW_v, with a premium of implied over expected variance.

    Premium times v is again a Heston variance, of level premium x theta and vol of vol sqrt(premium) x xi.

    Args:
        kappa: Mean reversion a year.
        theta: Long-run variance a year under P.
        vol_of_vol: xi, a year, under P.
        rho: Correlation of the spot and its variance.
        premium: Variance under Q over that under P.

    Example:
        >>> market = mc.market.Market({"equity": mc.market.Heston(100.0, v0=0.04, kappa=2.0, theta=0.04, vol_of_vol=0.5, rho=-0.7)})
        >>> prepared = market.prepare(mc.pricing.Calendar(years=1.0, steps=12))
        >>> quote = prepared.quotes(prepared.start(), 0)["equity"]
        >>> pricer = mc.pricing.HestonPricer(kappa=2.0, theta=0.04, vol_of_vol=0.5, rho=-0.7)
        >>> print(f"{float(pricer.option('put', 100.0, 12, quote)):.3f}")
        7.193
    """

    kappa: Scalar = number(above=0.0)
    theta: Scalar = number(low=0.0)
    vol_of_vol: Scalar = number(low=0.0)
    rho: Scalar = number(low=-1.0, high=1.0)
    premium: Scalar = number(default=1.0, above=0.0)

    def exponents(self, u: Scalar, years: Scalar) -> tuple[Scalar, Scalar]:
        return characteristic.heston(u, years, self.kappa, self.premium * self.theta, jnp.sqrt(self.premium) * self.vol_of_vol, self.rho)

    def moment(self, p: Scalar, years: Scalar) -> Scalar:
        return characteristic.heston_moment(p, years, self.kappa, jnp.sqrt(self.premium) * self.vol_of_vol, self.rho)

    def expected(self, variance: Scalar, years: Scalar) -> Scalar:
        return _cir(variance, years, self.kappa, self.premium * self.theta)

    @property
    def level(self) -> Scalar:
        return jnp.maximum(self.premium * self.theta, 1e-3)

    @property
    def lean(self) -> Scalar:
        return jnp.clip(2.0 * self.rho, -1.0, 1.0)

    def state(self, quote: Quote | Vanilla) -> Scalar:
        return self.premium * quote.variance


@model
class BatesPricer(AbstractLaw):
    """Bates's law (1996): Heston's, and independent normal jumps of the log price.

    Args:
        kappa: Mean reversion a year.
        theta: Long-run variance a year between jumps, under P.
        vol_of_vol: xi, a year, under P.
        rho: Correlation of the spot and its variance.
        intensity: Jumps a year under Q.
        jump_mean: Mean of a log jump under Q.
        jump_sd: Standard deviation of a log jump.
        premium: Variance between jumps under Q over that under P.
    """

    kappa: Scalar = number(above=0.0)
    theta: Scalar = number(low=0.0)
    vol_of_vol: Scalar = number(low=0.0)
    rho: Scalar = number(low=-1.0, high=1.0)
    intensity: Scalar = number(low=0.0)
    jump_mean: Scalar = number()
    jump_sd: Scalar = number(low=0.0)
    premium: Scalar = number(default=1.0, above=0.0)

    nodes: ClassVar[tuple[int, int]] = (16, 9)

    @property
    def heston(self) -> HestonPricer:
        """The diffusion."""
        return HestonPricer(self.kappa, self.theta, self.vol_of_vol, self.rho, self.premium)

    def exponents(self, u: Scalar, years: Scalar) -> tuple[Scalar, Scalar]:
        a, b = self.heston.exponents(u, years)
        return a + self.intensity * years * characteristic.normal_jumps(u, self.jump_mean, self.jump_sd), b

    def moment(self, p: Scalar, years: Scalar) -> Scalar:
        return self.heston.moment(p, years)

    def expected(self, variance: Scalar, years: Scalar) -> Scalar:
        return self.heston.expected(variance, years) + self.intensity * years * (self.jump_mean**2 + self.jump_sd**2)

    @property
    def level(self) -> Scalar:
        return self.heston.level

    @property
    def lean(self) -> Scalar:
        return self.heston.lean

    def state(self, quote: Quote | Vanilla) -> Scalar:
        return self.heston.state(quote)


@model
class MertonPricer(AbstractLaw):
    """Merton's law (1976): constant variance and normal jumps of the log price, under Q.

    Args:
        variance: Variance a year between jumps.
        intensity: Jumps a year.
        jump_mean: Mean of a log jump.
        jump_sd: Standard deviation of a log jump.
    """

    variance: Scalar = number(low=0.0)
    intensity: Scalar = number(low=0.0)
    jump_mean: Scalar = number()
    jump_sd: Scalar = number(low=0.0)

    nodes: ClassVar[tuple[int, int]] = (32, 1)

    def exponents(self, u: Scalar, years: Scalar) -> tuple[Scalar, Scalar]:
        jumps = self.intensity * characteristic.normal_jumps(u, self.jump_mean, self.jump_sd)
        return years * (self.variance * characteristic.gaussian(u) + jumps), 0.0 * u

    def moment(self, p: Scalar, years: Scalar) -> Scalar:
        return p == p

    def expected(self, variance: Scalar, years: Scalar) -> Scalar:
        return (self.variance + self.intensity * (self.jump_mean**2 + self.jump_sd**2)) * years + 0.0 * variance


@model
class KouPricer(AbstractLaw):
    """Kou's law (2002): constant variance and double exponential jumps of the log price, under Q.

    Args:
        variance: Variance a year between jumps.
        intensity: Jumps a year.
        up_probability: Share of jumps that go up.
        up_mean: Mean log jump of these, below 1.
        down_mean: Mean size of the other log jumps.
    """

    variance: Scalar = number(low=0.0)
    intensity: Scalar = number(low=0.0)
    up_probability: Scalar = number(low=0.0, high=1.0)
    up_mean: Scalar = number(above=0.0, below=1.0)
    down_mean: Scalar = number(above=0.0)

    nodes: ClassVar[tuple[int, int]] = (32, 1)

    def exponents(self, u: Scalar, years: Scalar) -> tuple[Scalar, Scalar]:
        jumps = self.intensity * characteristic.exponential_jumps(u, self.up_probability, self.up_mean, self.down_mean)
        return years * (self.variance * characteristic.gaussian(u) + jumps), 0.0 * u

    def moment(self, p: Scalar, years: Scalar) -> Scalar:
        return (p * self.up_mean < 0.99) & (-p * self.down_mean < 0.99)

    def expected(self, variance: Scalar, years: Scalar) -> Scalar:
        square = 2.0 * (self.up_probability * self.up_mean**2 + (1.0 - self.up_probability) * self.down_mean**2)
        return (self.variance + self.intensity * square) * years + 0.0 * variance


@model
class VarianceGammaPricer(AbstractLaw):
    """Variance gamma law (Madan, Carr & Chang 1998): X - drift = theta G + sigma sqrt(G) Z under Q, G gamma of mean T and variance nu T.

    Args:
        sigma: Volatility a year of the time-changed Brownian motion.
        nu: Variance of the time change, years.
        theta: Drift a year of the time-changed Brownian motion.

    Raises:
        ValueError: theta nu + sigma^2 nu / 2 is not below 1: the price has no mean.
    """

    sigma: Scalar = number(above=0.0)
    nu: Scalar = number(above=0.0)
    theta: Scalar = number(default=0.0)

    nodes: ClassVar[tuple[int, int]] = (32, 1)

    def check(self) -> None:
        if self.theta * self.nu + 0.5 * self.sigma**2 * self.nu >= 1.0:
            raise ValueError(
                f"VarianceGammaPricer.nu: expected theta nu + sigma^2 nu / 2 below 1, else the price has no mean; got nu {float(self.nu):g}"
            )

    def exponents(self, u: Scalar, years: Scalar) -> tuple[Scalar, Scalar]:
        return characteristic.variance_gamma(u, years, self.sigma, self.nu, self.theta), 0.0 * u

    def moment(self, p: Scalar, years: Scalar) -> Scalar:
        return self.theta * self.nu * p + 0.5 * self.sigma**2 * self.nu * p * p < 0.99

    def expected(self, variance: Scalar, years: Scalar) -> Scalar:
        return (self.sigma**2 + self.theta**2 * self.nu) * years + 0.0 * variance
