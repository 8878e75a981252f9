"""Gaussian short rates with mean reversion: what Vasicek and Hull-White share.

r(t) = f(0,t) + x(t), f today's instantaneous forward rate, and under Q (Hull & White 1990; in this form Andersen & Piterbarg, "Interest Rate
Modeling" II, 2010, section 10.1.2.2)
    dx = (y(t) - kappa x) dt + sigma dW,   x(0) = 0,   y(t) = sigma^2 (1 - e^{-2 kappa t})/(2 kappa),
    P(t,T) = P(0,T)/P(0,t) exp(-B x - B^2 y(t)/2),   B = (1 - e^{-kappa (T-t)})/kappa.
Over a step (x, integral of r) is Gaussian: with D the step, B = B(D),
    mean x' = e^{-kappa D} x + y e^{-kappa D} B + sigma^2 B^2/2,              variance sigma^2 (1 - e^{-2 kappa D})/(2 kappa),
    mean of the integral = ln P(0,t)/P(0,t+D) + B x + (B^2 y + V)/2,           variance V = sigma^2 G(kappa D)/kappa^3,
    covariance sigma^2 B^2/2,   G(u) = int_0^u (1 - e^{-s})^2 ds,
drawn exactly from two normals. Under P dW is dW^P - lambda dt, lambda the ``term_premium``: a bond of volatility sigma B earns lambda sigma B a
year more than cash. A rate of this kind has ``kappa``, ``sigma``, ``term_premium``, ``discounts(times)`` (today's curve), ``forwards(times)`` (f) and
``risk_neutral()``.
"""

from typing import Any, NamedTuple

import jax.numpy as jnp

from mcengine._model import Scalar
from mcengine.pricing.affine_rate import AffineRate, bond_variance, duration, lag, variance


class Row(NamedTuple):
    """One step; what depends on time only."""

    decay: Scalar  # e^{-kappa D}
    duration: Scalar  # B(D)
    pull: Scalar  # mean of x' less decay x
    interest: Scalar  # mean of the integral less B x
    spread: Scalar  # sd of x'
    shared: Scalar  # of the integral, per unit of the first normal
    own: Scalar  # and of the second


class State(NamedTuple):
    """``deviation`` x; ``accrued`` the integral of r over the last step, ``total`` since today."""

    deviation: Scalar
    accrued: Scalar
    total: Scalar


def loadings(rate: Any, dt: Scalar) -> tuple[Scalar, Scalar]:
    """By what the Brownian motion's own increment over a step, standardised, loads on the two normals.

    A unit vector, for sigma dW = dx + (kappa x - ...) dt makes the increment a sum of both; (1, 0) but for terms in kappa dt.
    """
    spread, shared, own = _factors(rate.kappa, dt)
    root = jnp.sqrt(dt)
    first = duration(rate.kappa, dt) / (root * spread)
    return first, (lag(rate.kappa, dt) / root - shared * first) / own


def table(rate: Any, times: Scalar, dt: Scalar, discounts: tuple[Scalar, Scalar]) -> Row:
    """Rows of all steps; ``discounts`` today's at the start and the end of each."""
    kappa, sigma, premium = rate.kappa, rate.sigma, rate.term_premium
    b, decay, y = duration(kappa, dt), jnp.exp(-kappa * dt), variance(kappa, sigma, times)
    spread, shared, own = _factors(kappa, dt)
    return Row(
        decay=decay,
        duration=b,
        pull=y * decay * b + 0.5 * (sigma * b) ** 2 - premium * sigma * b,
        interest=jnp.log(discounts[0] / discounts[1]) + 0.5 * (b * b * y + bond_variance(kappa, sigma, dt)) - premium * sigma * lag(kappa, dt),
        spread=sigma * spread,
        shared=sigma * shared,
        own=sigma * own,
    )


def view(rate: Any, state: "State", time: Scalar, exposure: Scalar | None) -> AffineRate:
    """What bonds, and forwards of an asset, are priced by at a time; ``exposure`` is the asset's volatility x its correlation with the rate, none
    where its own law has the rate in it.
    """
    seen = AffineRate(state.deviation, rate.kappa, variance(rate.kappa, rate.sigma, time))
    return seen if exposure is None else seen._replace(volatility=rate.sigma, covariance=exposure * rate.sigma)


def start() -> State:
    return State(0.0, 0.0, 0.0)


def step(state: State, row: Row, normals: tuple[Scalar, ...]) -> State:
    """(x, integral of r) a step later."""
    following = row.decay * state.deviation + row.pull + row.spread * normals[0]
    accrued = row.duration * state.deviation + row.interest + row.shared * normals[0] + row.own * normals[1]
    return State(following, accrued, state.total + accrued)


def _factors(kappa: Scalar, dt: Scalar) -> tuple[Scalar, Scalar, Scalar]:
    """Cholesky factor of (x', integral), a unit of sigma: (sd of x', the integral's loadings on the first normal and on the second)."""
    spread = jnp.sqrt(duration(2.0 * kappa, dt))
    shared = 0.5 * duration(kappa, dt) ** 2 / spread
    own = jnp.sqrt(bond_variance(kappa, 1.0, dt) - shared**2)  # at least a quarter of V
    return spread, shared, own
