"""Contracts on several assets or on averages, and an asset stepped by arithmetic Euler: what the market-only workloads price."""

from collections.abc import Iterable
from typing import Any, ClassVar, NamedTuple

import jax.numpy as jnp

import mcengine as mc
from mcengine._model import Scalar, model, number, static
from mcengine.instrument import payoff


def _mean(quotes: dict[str, Any], assets: tuple[str, ...]) -> Scalar:
    return sum(quotes[name].spot for name in assets) * (1.0 / len(assets))


@model
class AsianBasketCall:
    """max(A - K, 0) at expiry, A the mean over all dates after today of the mean of the assets."""

    assets: tuple[str, ...] = static()
    strike: Scalar = number(above=0.0, term=True)
    expiry: Scalar = number(default=1.0, above=0.0, term=True)

    def start(self, quotes: dict[str, Any]) -> Scalar:
        return jnp.zeros((), jnp.result_type(float))

    def step(self, state: Scalar, quotes: dict[str, Any], step: Scalar, calendar: Any) -> tuple[Scalar, Scalar]:
        total = state + _mean(quotes, self.assets)
        return total, jnp.where(step == calendar.steps, payoff("call", total * (1.0 / calendar.steps), self.strike), 0.0)


class _Average(NamedTuple):
    total: Scalar
    alive: Scalar


@model
class AsianBarrierCall:
    """max(A - K, 0) on the average A over all dates, worthless once the running average is at the barrier or below it."""

    strike: Scalar = number(above=0.0, term=True)
    barrier: Scalar = number(above=0.0, term=True)
    expiry: Scalar = number(default=1.0, above=0.0, term=True)
    asset: str = static(default="asset")

    def start(self, quotes: dict[str, Any]) -> _Average:
        zero = jnp.zeros((), jnp.result_type(float))
        return _Average(zero, zero + 1.0)

    def step(self, state: _Average, quotes: dict[str, Any], step: Scalar, calendar: Any) -> tuple[_Average, Scalar]:
        total = state.total + quotes[self.asset].spot
        alive = jnp.where(total > self.barrier * step, state.alive, 0.0)
        return _Average(total, alive), jnp.where(step == calendar.steps, alive * payoff("call", total * (1.0 / calendar.steps), self.strike), 0.0)


@model
class BasketDelta:
    """The pathwise derivative of a call on the mean of the assets by the first asset's spot, for lognormal assets: 1{mean > K} S(T) / S(0) / n."""

    assets: tuple[str, ...] = static()
    strike: Scalar = number(above=0.0, term=True)
    expiry: Scalar = number(default=1.0, above=0.0, term=True)

    def start(self, quotes: dict[str, Any]) -> Scalar:
        return quotes[self.assets[0]].spot

    def step(self, state: Scalar, quotes: dict[str, Any], step: Scalar, calendar: Any) -> tuple[Scalar, Scalar]:
        slope = quotes[self.assets[0]].spot / (state * len(self.assets))
        inside = _mean(quotes, self.assets) > self.strike
        return state, jnp.where((step == calendar.steps) & inside, slope, 0.0)


@model
class BasketCrossGamma:
    """The second derivative of a call on the mean of the assets by the first two spots: its pathwise delta times the score of S_2(0).

    For n lognormal assets of one volatility and one correlation rho the score is [x_2 - c sum x] / ((1 - rho) S_2(0)), with
    x_i = (ln S_i(T)/S_i(0) - m) / sigma^2 T and c = rho / (1 + (n - 1) rho) (Sherman & Morrison for the inverse of the correlation).
    """

    assets: tuple[str, ...] = static()
    strike: Scalar = number(above=0.0, term=True)
    sigma: Scalar = number(above=0.0, term=True)
    rho: Scalar = number(term=True)
    rate: Scalar = number(term=True)
    expiry: Scalar = number(default=1.0, above=0.0, term=True)

    def start(self, quotes: dict[str, Any]) -> tuple[Scalar, ...]:
        return tuple(quotes[name].spot for name in self.assets)

    def step(self, state: tuple[Scalar, ...], quotes: dict[str, Any], step: Scalar, calendar: Any) -> tuple[tuple[Scalar, ...], Scalar]:
        n, variance = len(self.assets), self.sigma**2 * self.expiry
        x = [(jnp.log(quotes[a].spot / s) - self.rate * self.expiry + 0.5 * variance) / variance for a, s in zip(self.assets, state, strict=True)]
        score = (x[1] - self.rho / (1.0 + (n - 1) * self.rho) * sum(x)) / ((1.0 - self.rho) * state[1])
        slope = quotes[self.assets[0]].spot / (state[0] * n)
        inside = _mean(quotes, self.assets) > self.strike
        return state, jnp.where((step == calendar.steps) & inside, slope * score, 0.0)


@model
class EulerGBM(mc.market.AbstractStandaloneAsset):
    """S(t+dt) = S(t) [1 + mu dt + sigma sqrt(dt) z]: arithmetic Euler, the scheme of the problem and not of a model. Its drift is meant as given."""

    spot: Scalar = number(above=0.0, term=True)
    sigma: Scalar = number(low=0.0)
    drift: Scalar = number(default=0.0)
    dividend: Scalar = number(default=0.0, term=True)

    n_factors: ClassVar[int] = 1
    n_uniforms: ClassVar[int] = 0

    def loadings(self) -> tuple[Scalar, ...]:
        return (1.0,)

    def table(self, times: Scalar, dt: Scalar) -> tuple[Scalar, Scalar]:
        return 1.0 + self.drift * dt, self.sigma * jnp.sqrt(dt)

    def start(self) -> Scalar:
        return self.spot

    def step(self, state: Scalar, row: tuple[Scalar, Scalar], normals: tuple[Scalar, ...], uniforms: tuple[Scalar, ...]) -> Scalar:
        return state * (row[0] + row[1] * normals[0])

    def observe(self, state: Scalar) -> tuple[Scalar, Scalar]:
        return state, self.sigma**2

    def pricer(self) -> mc.pricing.BlackPricer:
        return mc.pricing.BlackPricer(variance=self.sigma**2)

    def risk_neutral(self, rate: Scalar) -> "EulerGBM":
        return self


def mean_call(terms: Any, assets: Iterable[str]) -> mc.instrument.Basket:
    """A call on the mean of the assets, at the end."""
    names = tuple(assets)
    return mc.instrument.Basket("call", terms.strike, terms.years, dict.fromkeys(names, 1.0 / len(names)))


def basket_market(count: int = 8, *, sigma: float = 0.2, rho: float = 0.5, rate: float = 0.02) -> mc.market.Market:
    """``count`` lognormal assets from 1, one volatility, one correlation."""
    names = [f"a{i}" for i in range(count)]
    pairs = {f"{a}-{b}": rho for i, b in enumerate(names) for a in names[:i]}
    return mc.market.Market({name: mc.market.GBM(spot=1.0, sigma=sigma, drift=rate) for name in names}, pairs, rate=rate)
