"""Heston (1993) stepped by Andersen's QE-M scheme ("Efficient simulation of the Heston model", J. Comp. Finance 11(3), 2008).

dS/S = (mu - q) dt + sqrt(v) dW_S,   dv = kappa (theta - v) dt + xi sqrt(v) dW_v,   corr(dW_S, dW_v) = rho.
The variance is matched in its first two conditional moments m, s^2: a squared normal where psi = s^2/m^2 <= 1.5, a mass at zero with an
exponential tail above (sections 3.2.1-3.2.3); the price uses the martingale-corrected constant K0* (section 4.3). Both branches are
driven by the same normal, the exponential through its uniform N(z), so a path moves little when a parameter does.
"""

from typing import ClassVar, NamedTuple

import jax
import jax.numpy as jnp

from mcengine._model import Scalar, model, number, replace
from mcengine.market.base import AbstractStandaloneAsset
from mcengine.market.variance_law import VarianceLaw
from mcengine.pricing import HestonPricer

_PSI_CRITICAL = 1.5  # Andersen's choice; anything in [1, 2] serves
_SQRT_HALF = 0.7071067811865476
_TINY = 1e-15  # a variance below this is this: square roots and quotients, and their derivatives, stay finite in float32
_STEADY = 1e18  # 1/psi above this is this: the variance is as good as known
_SMALLEST = 3e-8  # half the smallest step of 1 - N(z) in float32


class _Row(NamedTuple):
    drift: Scalar  # (mu - q) dt, and the shock
    decay: Scalar  # e^{-kappa dt}
    pull: Scalar  # theta (1 - e^{-kappa dt})
    spread_v: Scalar  # conditional variance: spread_v v + spread_0
    spread_0: Scalar
    k0: Scalar
    k1: Scalar
    k2: Scalar
    k34: Scalar  # K3 = K4 with central weights


class _State(NamedTuple):
    spot: Scalar
    variance: Scalar


@model
class Heston(AbstractStandaloneAsset):
    """Heston's stochastic variance (1993): dS/S = (mu - q) dt + sqrt(v) dW_S, dv = kappa (theta - v) dt + xi sqrt(v) dW_v.

    Stepped by Andersen's QE-M scheme (2008).

    Args:
        spot: Price today, currency.
        v0: Variance a year today, under P.
        kappa: Mean reversion a year.
        theta: Long-run variance a year, under P.
        vol_of_vol: xi, a year, under P.
        rho: Correlation of dW_S and dW_v.
        drift: Expected total return a year under P (mu), dividends included.
        dividend: Dividend yield a year (q), continuously compounded.
        variance_premium: p, variance under Q over that under P: p v is again Heston's, with p theta and sqrt(p) xi.
        shock: Log-return added in the first step; the derivative by it is a strategy's delta.

    Example:
        >>> equity = mc.market.Heston(spot=100.0, v0=0.04, kappa=2.0, theta=0.04, vol_of_vol=0.5, rho=-0.7)
        >>> print(f"{equity.feller:.2f}")
        0.64
    """

    spot: Scalar = number(above=0.0, term=True)
    v0: Scalar = number(low=0.0)
    kappa: Scalar = number(above=0.0)
    theta: Scalar = number(low=0.0)
    vol_of_vol: Scalar = number(above=0.0)
    rho: Scalar = number(above=-1.0, below=1.0)
    drift: Scalar = number(default=0.0)
    dividend: Scalar = number(default=0.0)
    variance_premium: Scalar = number(default=1.0, above=0.0)
    shock: Scalar = number(default=0.0, term=True)

    n_factors: ClassVar[int] = 2
    n_uniforms: ClassVar[int] = 0

    def loadings(self) -> tuple[Scalar, ...]:
        return (self.rho, jnp.sqrt(1.0 - self.rho**2))

    def table(self, times: Scalar, dt: Scalar) -> _Row:
        kappa, xi, rho = self.kappa, self.vol_of_vol, self.rho
        decay = jnp.exp(-kappa * dt)
        fade = -jnp.expm1(-kappa * dt)
        slope = 0.5 * dt * (kappa * rho / xi - 0.5)
        return _Row(
            drift=(self.drift - self.dividend) * dt + self.shock * (jnp.arange(dt.shape[0]) == 0),
            decay=decay,
            pull=self.theta * fade,
            spread_v=xi**2 * decay * fade / kappa,
            spread_0=self.theta * xi**2 * fade**2 / (2.0 * kappa),
            k0=-rho * kappa * self.theta * dt / xi,
            k1=slope - rho / xi,
            k2=slope + rho / xi,
            k34=0.5 * dt * (1.0 - rho**2),
        )

    def start(self) -> _State:
        return _State(self.spot, self.v0)

    def step(self, state: _State, row: _Row, normals: tuple[Scalar, ...], uniforms: tuple[Scalar, ...] = ()) -> _State:
        z_variance, z_price = normals
        v = state.variance
        mean = row.pull + row.decay * v
        weight = row.k2 + 0.5 * row.k34
        following, innovation, excess, finite = quadratic_exponential(mean, row.spread_0 + row.spread_v * v, z_variance, weight)
        # K0* + K1 v; where E[e^{A v'}] is infinite (rho > 0 and a large step) Andersen's uncorrected K0 + K1 v stands.
        # Both are written about the mean of v': rho / xi is large where xi is small, and v' - mean then holds the digits.
        constant = jnp.where(finite, -excess - 0.5 * row.k34 * (v + mean), row.k0 + row.k1 * v + row.k2 * mean)
        noise = jnp.sqrt(jnp.maximum(row.k34 * (v + following), _TINY**2)) * z_price
        step = row.drift + constant + row.k2 * innovation + noise
        return _State(state.spot * jnp.exp(step), following)

    def own_scale(self, row: _Row, before: _State, after: _State) -> Scalar:
        return jnp.sqrt(jnp.maximum(row.k34 * (before.variance + after.variance), _TINY**2))

    def observe(self, state: _State) -> tuple[Scalar, Scalar]:
        return state.spot, state.variance

    def pricer(self) -> HestonPricer:
        return HestonPricer(self.kappa, self.theta, self.vol_of_vol, self.rho, self.variance_premium)

    @property
    def mean_volatility(self) -> Scalar:
        """E[sqrt(v)] in the long run under Q: sqrt(p) theta / sqrt(theta + xi^2/(8 kappa)), within 1 % where 2 kappa theta = xi^2."""
        return jnp.sqrt(self.variance_premium) * self.theta / jnp.sqrt(self.theta + self.vol_of_vol**2 / (8.0 * self.kappa))

    def risk_neutral(self, rate: Scalar) -> "Heston":
        p = self.variance_premium
        return replace(self, drift=rate, v0=p * self.v0, theta=p * self.theta, vol_of_vol=jnp.sqrt(p) * self.vol_of_vol, variance_premium=1.0)

    @property
    def variance_law(self) -> VarianceLaw:
        return VarianceLaw(self.kappa, self.theta, self.vol_of_vol, self.rho, self.variance_premium)

    @property
    def feller(self) -> Scalar:
        """2 kappa theta / xi^2: below 1 the variance touches zero, which QE handles."""
        return 2.0 * self.kappa * self.theta / self.vol_of_vol**2


def quadratic_exponential(mean: Scalar, spread: Scalar, z: Scalar, weight: Scalar) -> tuple[Scalar, Scalar, Scalar, Scalar]:
    """(next variance v', v' - mean, ln E[e^{A (v' - mean)}], whether that mean is finite) for ``weight`` A: Andersen's eqs 23-30 and proposition 9.

    ``mean`` and ``spread`` are the conditional mean and variance of v', ``z`` the normal that drives it.
    """
    mean = jnp.maximum(mean, _TINY)
    inverse = jnp.minimum(mean * mean / jnp.maximum(spread, _TINY**2), _STEADY)  # 1 / psi
    quadratic = inverse >= 1.0 / _PSI_CRITICAL

    # Each branch is evaluated where it is safe: a value not taken must not spoil the derivative of the one that is.
    twice = 2.0 * jnp.where(quadratic, inverse, 1.0)
    b2 = twice - 1.0 + jnp.sqrt(twice * (twice - 1.0))
    a = mean / (1.0 + b2)
    b = jnp.sqrt(b2)
    root = b + z

    low = jnp.where(quadratic, 0.5, inverse)
    upper = jnp.maximum(0.5 - 0.5 * jax.lax.erf(z * _SQRT_HALF), _SMALLEST)  # 1 - N(z)
    share = 1.0 / ((1.0 + low) * upper)
    survive = 2.0 * low * share * upper  # 1 - p
    mean_life = 0.5 * mean * (1.0 + low) / low  # 1 / beta
    tail = jnp.maximum(jnp.log(2.0 * low * share), 0.0) * mean_life

    remainder = 1.0 - weight * jnp.where(quadratic, 2.0 * a, mean_life)
    finite = remainder > 0.0
    remainder = jnp.where(finite, remainder, 1.0)
    reciprocal = 1.0 / remainder
    log = jnp.log(jnp.where(quadratic, remainder, 1.0 - survive + survive * reciprocal))
    push = weight * a
    excess = jnp.where(quadratic, 2.0 * push * push * b2 * reciprocal - 0.5 * log - push, log - weight * mean)
    innovation = jnp.where(quadratic, a * (2.0 * b * z + z * z - 1.0), tail - mean)
    return jnp.where(quadratic, a * root * root, tail), innovation, excess, finite
