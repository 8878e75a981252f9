"""GJR-GARCH(1,1) of Glosten, Jagannathan & Runkle (J. Finance 48(5), 1993): daily returns whose variance answers falls more than rises.

With h the variance of the coming day, known today, and innovations e of mean 0 and variance 1:
    ln S' = ln S + (mu - q) dt - h/2 + sqrt(h) e,
    h'    = omega + (alpha + gamma 1{e < c}) h (e - c)^2 + beta h,   omega = (1 - persistence) theta dt,   persistence = alpha + gamma/2 + beta.
Under P c = 0. Under Q, by Duan's locally risk-neutral valuation (Math. Finance 5(1), 1995), returns drift at the rate, h stays the variance of
the day and the innovations are shifted: c = price_of_risk sqrt(dt), the excess return that a volatility of one would earn in a day; that raises
the variance expected after today. ``variance_premium`` p scales all variances besides: p h is again such a process, with p theta.

Innovations are normal, or Student's t scaled to variance 1. The t is drawn exactly from two normals: with r^2 = z^2 + y^2,
    e = z sqrt((nu - 2) (e^{r^2/nu} - 1) / r^2)
(Bailey, Math. Comp. 62, 1994, with the uniforms of his polar method taken from Box and Muller's); it rises with z, the normal that is correlated
with other assets, and tends to z as nu grows. E[e^{e}] is then infinite: the drift is mu to order h^2, and Q has normal innovations, of
which every price is finite.
"""

from typing import ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from mcengine._model import Scalar, model, number, replace
from mcengine.market.base import AbstractStandaloneAsset
from mcengine.pricing.gjr import GJRPricer

_SQRT_HALF = 0.7071067811865476
_INVERSE_ROOT_2PI = 0.3989422804014327
_SMALL = 1e-6  # r^2 below this is this: the quotient by r^2 stays finite


class _Row(NamedTuple):
    drift: Scalar


class _State(NamedTuple):
    spot: Scalar
    variance: Scalar  # of the coming day, a day


@model
class GJRGARCH(AbstractStandaloneAsset):
    """GJR-GARCH(1,1) (Glosten, Jagannathan & Runkle 1993): daily returns whose variance answers falls more than rises.

    Args:
        spot: Price today, currency.
        v0: Variance a year of the coming day.
        theta: Long-run variance a year, under P.
        alpha: Weight of the squared innovation.
        gamma: Weight added to it where the innovation is negative.
        beta: Weight of the variance before.
        degrees: Degrees of freedom of Student's t, above 2; None for normal innovations.
        drift: Expected total return a year under P, dividends included.
        dividend: Dividend yield a year, continuously compounded.
        variance_premium: Variances under Q over those under P, beside what the price of risk makes of them.
        price_of_risk: Excess return a year for a volatility of 1; it shifts the innovations under Q (Duan 1995).
        innovation_shift: c in (e - c)^2, 0 under P.
        days: Trading days a year; a step is one day.
        shock: Log-return added in the first step; the derivative by it is a strategy's delta.

    Raises:
        ValueError: The variance is not stationary under P, or not under Q.
    """

    spot: Scalar = number(above=0.0, term=True)
    v0: Scalar = number(low=0.0)
    theta: Scalar = number(low=0.0)
    alpha: Scalar = number(low=0.0)
    gamma: Scalar = number(low=0.0)
    beta: Scalar = number(low=0.0)
    degrees: Scalar = number(default=None, above=2.0)
    drift: Scalar = number(default=0.0)
    dividend: Scalar = number(default=0.0)
    variance_premium: Scalar = number(default=1.0, above=0.0)
    price_of_risk: Scalar = number(default=0.0)
    innovation_shift: Scalar = number(default=0.0, term=True)
    days: Scalar = number(default=252.0, above=0.0, term=True)
    shock: Scalar = number(default=0.0, term=True)

    n_uniforms: ClassVar[int] = 0
    steps_matter: ClassVar[bool] = True

    @property
    def n_factors(self) -> int:
        return 1 if self.degrees is None else 2

    @property
    def persistence(self) -> Scalar:
        """By which a variance's distance from its long run shrinks a day, under P."""
        return self.alpha + 0.5 * self.gamma + self.beta

    def check(self) -> None:
        if not self.persistence < 1.0:
            raise ValueError(f"GJRGARCH: expected a stationary variance, alpha + gamma/2 + beta below 1, got {float(self.persistence):.6g}")
        if not self._persistence(self._shift_q) < 1.0:
            raise ValueError(
                f"GJRGARCH.price_of_risk: expected a variance that is stationary under Q too, got a persistence of "
                f"{float(self._persistence(self._shift_q)):.6g} with {float(self.price_of_risk):g}"
            )

    def check_step(self, dt: float) -> None:
        """Check that a step is one day: the process has no other.

        Args:
            dt: Years.

        Raises:
            ValueError: It is not.
        """
        if abs(dt * float(self.days) - 1.0) > 1e-4:
            raise ValueError(
                f"GJRGARCH: expected steps of one day, 1/{float(self.days):g} year, got {dt:.6g} years; "
                f"take years x {float(self.days):g} steps, a whole number"
            )

    def loadings(self) -> tuple[Scalar, ...]:
        return (1.0,) if self.degrees is None else (1.0, 0.0)

    def table(self, times: Scalar, dt: Scalar) -> _Row:
        daily = jnp.where(jnp.abs(dt * self.days - 1.0) < 1e-3, dt, jnp.nan)
        return _Row((self.drift - self.dividend) * daily + self.shock * (jnp.arange(dt.shape[0]) == 0))

    def start(self) -> _State:
        return _State(self.spot, self.v0 / self.days)

    def step(self, state: _State, row: _Row, normals: tuple[Scalar, ...], uniforms: tuple[Scalar, ...] = ()) -> _State:
        h = state.variance
        innovation = normals[0] if self.degrees is None else student(normals[0], normals[1], self.degrees)
        move = innovation - self.innovation_shift
        weight = self.alpha + jnp.where(move < 0.0, self.gamma, 0.0)
        following = (1.0 - self.persistence) * self.theta / self.days + h * (weight * move * move + self.beta)
        return _State(state.spot * jnp.exp(row.drift - 0.5 * h + _root(h) * innovation), following)

    def own_scale(self, row: _Row, before: _State, after: _State) -> Scalar | None:
        return _root(before.variance) if self.degrees is None else None

    def observe(self, state: _State) -> tuple[Scalar, Scalar]:
        return state.spot, state.variance * self.days

    def pricer(self) -> GJRPricer:
        omega = (1.0 - self.persistence) * self.theta
        return GJRPricer(omega, self.alpha, self.gamma, self.beta, self._shift_q, self.variance_premium, self.days)

    @property
    def mean_volatility(self) -> Scalar:
        """Root of the long-run variance under Q."""
        return jnp.sqrt(self.pricer().level)

    def risk_neutral(self, rate: Scalar) -> "GJRGARCH":
        p = self.variance_premium
        shift = self._shift_q
        return replace(
            self, drift=rate, v0=p * self.v0, theta=p * self.theta, degrees=None, innovation_shift=shift, variance_premium=1.0, price_of_risk=0.0
        )

    @property
    def _shift_q(self) -> Scalar:
        return self.innovation_shift + self.price_of_risk / self.days**0.5

    def _persistence(self, c: Scalar) -> Scalar:
        """alpha E[(e - c)^2] + gamma E[(e - c)^2 1{e < c}] + beta for normal innovations."""
        if isinstance(c, np.ndarray | float):
            from scipy.special import ndtr

            below = (1.0 + c * c) * ndtr(c) + c * _INVERSE_ROOT_2PI * np.exp(-0.5 * c * c)
        else:
            below = (1.0 + c * c) * 0.5 * (1.0 + jax.lax.erf(c * _SQRT_HALF)) + c * _INVERSE_ROOT_2PI * jnp.exp(-0.5 * c * c)
        return self.alpha * (1.0 + c * c) + self.gamma * below + self.beta


def student(z: Scalar, y: Scalar, degrees: Scalar) -> Scalar:
    """Student's t of variance 1 from two independent normals; of the sign of ``z`` and rising with it."""
    square = jnp.maximum(z * z + y * y, _SMALL)
    return z * jnp.sqrt((degrees - 2.0) * jnp.expm1(square / degrees) / square)


def _root(h: Scalar) -> Scalar:
    """sqrt(h) with a finite derivative at 0."""
    return jnp.sqrt(jnp.maximum(h, 1e-30))
