"""Pricers of laws known by their characteristic function (``characteristic``): exact by cosines, and from a table once prepared.

``option`` and ``digital`` sum a cosine series of ``terms`` terms (``cosine``): what a contract's price and Greeks are made of. ``prepare`` gives
the pricer of a run, which reads a smile tabulated over moneyness and variance (``smile``): one polynomial and Black's formula a price.
Of announced events the sides are priced apart (``Quote.outcomes``); their noise adds its variance to the law's, as a normal shock independent of it.
"""

from functools import partial
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from mcengine._model import Scalar, model, number
from mcengine.pricing import characteristic, cosine, smile
from mcengine.pricing.black import KINDS
from mcengine.pricing.calendar import Calendar
from mcengine.pricing.precise import precise
from mcengine.pricing.quote import Quote
from mcengine.pricing.vanilla import AbstractVanillaPricer, Vanilla

TERMS = 4096
_NOTHING = 1e-10
"""A total variance below this is none: the option is worth what it pays at the forward."""


class AbstractLaw:
    """A law of X = ln(S_T / F) under Q, known by its characteristic function E[e^{iuX}] = exp(A(u) + B(u) v), v the variance now."""

    nodes: ClassVar[tuple[int, int]] = (16, 8)
    """Of its table: moneyness, variance."""

    def exponents(self, u: Scalar, years: Scalar) -> tuple[Scalar, Scalar]:
        """(A, B) of the characteristic function.

        Args:
            u: Frequency, complex.
            years: To expiry.
        """
        raise NotImplementedError

    def moment(self, p: Scalar, years: Scalar) -> Scalar:
        """Whether E[e^{pX}] is finite.

        Args:
            p: Real power.
            years: To expiry.
        """
        raise NotImplementedError

    def expected(self, variance: Scalar, years: Scalar) -> Scalar:
        """Expected quadratic variation of X up to expiry: all of it, not a year's.

        Args:
            variance: State now, variance a year under Q.
            years: To expiry.
        """
        raise NotImplementedError

    @property
    def level(self) -> Scalar:
        """Variance a year around which the state moves."""
        return 1.0

    @property
    def lean(self) -> Scalar:
        """Which tail is heavier, from -1 (the left) to 1."""
        return 0.0

    def state(self, quote: Quote | Vanilla) -> Scalar:
        """Variance a year now under Q.

        Args:
            quote: What the market shows of the asset now.
        """
        return 0.0

    def variation(self, quote: Quote, to: Scalar) -> Scalar:
        """Expected sum of squared log-returns from now to a date, without announced events.

        Args:
            quote: What the market shows of the asset now.
            to: Index of the date.
        """
        return self.expected(self.state(quote), quote.years(to))

    def option(self, kind: str, strike: Scalar, expiry: Scalar, quote: Quote) -> Scalar:
        """Price now of a European option by a cosine series, currency.

        Args:
            kind: call or put.
            strike: Currency.
            expiry: Index of a calendar date.
            quote: What the market shows of the asset now.

        Raises:
            ValueError: The kind is neither.
        """
        if kind not in KINDS:
            raise ValueError(f"kind: expected 'call' or 'put', got {kind!r}")
        forward = quote.forward(expiry)
        waves = quote.over_events(expiry, lambda growth, more: growth * self._by_cosines("put", strike / growth, expiry, quote, more))
        put = jnp.where(quote.years(expiry) > 0.0, forward * waves, jnp.maximum(strike - forward, 0.0))
        return quote.discount(expiry) * (put if kind == "put" else put + forward - strike)

    def digital(self, kind: str, strike: Scalar, expiry: Scalar, quote: Quote) -> Scalar:
        """Price now of 1 paid where the spot ends above (call) or below (put) the strike.

        Args:
            kind: call or put.
            strike: Currency.
            expiry: Index of a calendar date.
            quote: What the market shows of the asset now.

        Raises:
            ValueError: The kind is neither.
        """
        if kind not in KINDS:
            raise ValueError(f"kind: expected 'call' or 'put', got {kind!r}")
        chance = quote.over_events(expiry, lambda growth, more: self._by_cosines("below", strike / growth, expiry, quote, more))
        return quote.discount(expiry) * (chance if kind == "put" else 1.0 - chance)

    def prepare(self, calendar: Calendar) -> "Tabulated":
        """The pricer of a run, which reads a smile tabulated over moneyness, variance and time.

        Args:
            calendar: Dates of the run.
        """
        leaves, tree = jax.tree.flatten(self)
        steps, size = calendar.dates - 1, self.nodes

        def table(dt: Scalar, *numbers: Scalar) -> smile.Smile:
            law = jax.tree.unflatten(tree, numbers)
            return smile.tabulate(partial(smile.affine_ratios, law), law.level, law.lean, dt, steps, size)

        return Tabulated(self, precise(table)(calendar.years / calendar.steps, *leaves))

    def _by_cosines(self, what: str, strike: Scalar, expiry: Scalar, quote: Quote, more: Scalar) -> Scalar:
        """E[max(K/F - e^X, 0)], or P(X < ln K/F): before expiry; ``more`` variance is of events."""
        leaves, tree = jax.tree.flatten(self)
        years = quote.years(expiry)
        alive = years > 0.0

        def sum_of_waves(moneyness: Scalar, years: Scalar, variance: Scalar, events: Scalar, *numbers: Scalar) -> Scalar:
            law = jax.tree.unflatten(tree, numbers)
            total = law.expected(variance, years) + events
            moves = total > _NOTHING
            total_volatility = jnp.sqrt(jnp.where(moves, total, 1.0))

            def exponent(u: Scalar) -> Scalar:
                a, b = law.exponents(u, years)
                return jnp.where(moves, a + b * variance + events * characteristic.gaussian(u), characteristic.gaussian(u))

            bounds = jax.lax.stop_gradient(cosine.interval(exponent, lambda p: law.moment(p, years) | ~moves, total_volatility))
            if what == "put":
                return jnp.where(moves, cosine.put(exponent, bounds, moneyness, TERMS), jnp.maximum(jnp.expm1(moneyness), 0.0))
            return jnp.where(moves, cosine.below(exponent, bounds, moneyness, TERMS), jnp.where(moneyness > 0.0, 1.0, 0.0))

        moneyness = jnp.log(strike / quote.forward(expiry))
        value = precise(sum_of_waves)(moneyness, jnp.where(alive, years, 1.0), self.state(quote), more, *leaves)
        return jnp.where(alive, value, jnp.where(moneyness > 0.0, 1.0, 0.0))


@model
class Tabulated(AbstractVanillaPricer):
    """A law and its table on a calendar."""

    law: Any
    table: smile.Smile

    def total_volatility(self, option: Vanilla) -> tuple[Scalar, tuple[Scalar, ...]]:
        alive, variance = option.years > 0.0, self.law.state(option)
        total = jnp.maximum(self.law.expected(variance, jnp.where(alive, option.years, 1.0)), _NOTHING)
        place = self.table.place(-jnp.log(option.forward / option.strike) * jax.lax.rsqrt(total), variance)
        ratio = smile.polynomial(option.row, *place) + option.shift
        return jnp.sqrt(total * ratio * ratio + option.event_variance) * alive, place

    def split(self, quote: Quote, to: Scalar) -> tuple[Any, Any]:
        rows = jnp.tensordot(quote.ahead(self.table.spread, to), self.table.knots, 1)
        return Tabulated(self.law, jax.lax.stop_gradient(self.table._replace(knots=(), spread=()))), rows


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
