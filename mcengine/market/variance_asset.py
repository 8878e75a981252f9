"""A variance swap as an asset: what an asset's variance has come to so far and what is priced of the rest, paid on a date.

X(t) = e^{-r(T-t)} ( int_0^t v du + E^Q int_t^T v du ), so that it is a martingale as any price under Q is, and int_0^T v du at maturity. From then on
it is cash at the market's rate. It is the second asset of Buehler, Gonon, Teichmann & Wood ("Deep hedging", Quantitative Finance 19(8), 2019, section
5.2), with which Heston's market is complete.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple

import jax.numpy as jnp

from mcengine._model import Scalar, model, number, static
from mcengine.market.base import AbstractAsset
from mcengine.pricing import Quote


class _Row(NamedTuple):
    left: Scalar  # years to maturity at the step's end, negative after it
    level: Scalar  # int v over the step: level + weight (v + v')
    weight: Scalar
    theta: Scalar


class _State(NamedTuple):
    total: Scalar  # int v so far
    left: Scalar


@model
class VarianceAsset(AbstractAsset):
    """The variance of another asset from today to a date, by its law: a variance swap of strike 0 and notional 1, but without mean returns' squares.

    Args:
        of: Name of the asset whose variance it is, before it in the market.
        maturity: Years from today to its payment, a whole number of steps.

    Raises:
        ValueError: For an asset that the market lacks, comes later, or has no law of its variance, which GBM and Heston have; for one that events
            or scenarios move, whose squares it would miss; for a stochastic rate.

    Example:
        >>> heston = mc.market.Heston(spot=100.0, v0=0.04, kappa=1.0, theta=0.04, vol_of_vol=2.0, rho=-0.7)
        >>> market = mc.market.Market({"equity": heston, "variance": mc.market.VarianceAsset(of="equity", maturity=0.5)})
        >>> prepared = market.prepare(mc.pricing.Calendar(years=0.5, steps=126))
        >>> print(f"{float(prepared.quotes(prepared.start(), 0)['variance'].spot):.4f}")
        0.0200
    """

    of: str = static()
    maturity: Scalar = number(above=0.0, term=True)

    n_factors: ClassVar[int] = 0
    n_uniforms: ClassVar[int] = 0

    def loadings(self) -> tuple[Scalar, ...]:
        return ()

    def check_market(self, market: Any, name: str) -> None:
        before = list(market.assets)[: list(market.assets).index(name)]
        if self.of not in before:
            raise ValueError(f"{name}: expected the name of an asset before it in the market ({', '.join(before) or 'none is'}), got {self.of!r}")
        if market[self.of].variance_law is None:
            raise ValueError(f"{name}: expected an asset whose variance has a law that prices it (GBM, Heston), got {type(market[self.of]).__name__}")
        if market.rate.n_factors:
            raise ValueError(f"{name}: expected a market whose rate is known for VarianceAsset, got {type(market.rate).__name__}")
        jumps = [title for title, event in market.events.items() if self.of in event.names]
        jumps += [title for title, scenario in market.scenarios.items() if self.of in scenario.moves]
        if jumps:
            raise ValueError(f"{name}: expected no event or scenario that moves {self.of}, whose square it would miss, got {jumps[0]}")

    def check_step(self, dt: float) -> None:
        steps = float(self.maturity) / dt
        if round(steps) < 1 or abs(steps - round(steps)) > 1e-4 * max(1.0, steps):
            raise ValueError(f"VarianceAsset.maturity: expected a whole number of steps of {dt:g} years, got {float(self.maturity):g} years")

    def table_in(self, market: Any, times: Scalar, dt: Scalar, discounts: tuple[Scalar, Scalar]) -> _Row:
        law = market[self.of].variance_law
        # Counted in steps: of a difference of times rounding would leave something at maturity.
        left = (jnp.round(self.maturity / dt) - jnp.arange(1, dt.shape[0] + 1)) * dt
        weight = law.weight(dt)
        alive = left > -0.5 * dt
        return _Row(left, alive * law.theta * (dt - 2.0 * weight), alive * weight, law.theta + jnp.zeros_like(dt))

    def start(self) -> _State:
        return _State(0.0, self.maturity)

    def step_in(
        self, state: _State, row: _Row, normals: tuple[Scalar, ...], uniforms: tuple[Scalar, ...], before: Mapping[str, Any], after: Mapping[str, Any]
    ) -> _State:
        v: Scalar = getattr(before[self.of], "variance", row.theta)  # GBM's state has none: it stays theta
        later: Scalar = getattr(after[self.of], "variance", row.theta)
        return _State(state.total + row.level + row.weight * (v + later), row.left)

    def observe_in(self, state: _State, market: Any, states: Mapping[str, Any]) -> tuple[Scalar, Scalar]:
        """(price, variance a year of its return)."""
        law, left = market[self.of].variance_law, jnp.maximum(state.left, 0.0)
        _, variance = market.observe(self.of, states)
        worth = state.total + law.expected(variance, left)
        positive = worth > 0.0
        moves = jnp.where(positive, law.deviation(variance, left) / jnp.where(positive, worth, 1.0), 0.0)
        return jnp.exp(-market.rate.rate * state.left) * worth, moves**2

    def driver(self, market: Any, name: str) -> tuple[str, Scalar]:
        return self.of, market[self.of].variance_law.rho

    def pricer_in(self, market: Any) -> "NoOptions":
        return NoOptions(self.of)

    def risk_neutral(self, rate: Scalar) -> "VarianceAsset":
        """Itself: its law follows from the asset's."""
        return self


@model
class NoOptions:
    """The pricer of a variance, on which there are no options.

    Args:
        of: Whose variance it is.
    """

    of: str = static()

    def option(self, kind: str, strike: Scalar, expiry: Scalar, quote: Quote) -> Scalar:
        """Refuse.

        Args:
            kind: call or put.
            strike: Currency.
            expiry: Index of a calendar date.
            quote: What the market shows of the asset now.

        Raises:
            ValueError: Always.
        """
        raise ValueError(f"expected options on an asset for which they have a price, got some on the variance of {self.of}, a VarianceAsset")
