"""Several assets, correlated, and a rate: how the whole market moves along one path."""

from typing import Any

import jax
import jax.numpy as jnp

from mcengine._model import Scalar, model, near, number, replace
from mcengine.market import correlation as corr
from mcengine.market.base import Asset
from mcengine.market.rate import FlatRate
from mcengine.pricing import Calendar, Pricer, Quote


@model
class Market:
    """``assets`` by name, ``correlation`` between their prices' Brownian motions (a matrix in their order, or pairs ``"equity-bond"``), ``rate``."""

    assets: dict[str, Any] = number(flat=True)
    correlation: Any = None
    rate: Any = 0.0

    def canonical(self) -> dict[str, Any]:
        if not self.assets:
            raise ValueError("Market.assets: expected at least one asset, got none")
        for name in self.assets:
            if name in ("assets", "correlation", "rate"):
                raise ValueError(f"Market.assets: expected names that are no field of Market, got {name!r}")
            if not name.isidentifier():
                raise ValueError(f"Market.assets: expected names made of letters, digits and underscores, got {name!r}")
        rate = self.rate if hasattr(self.rate, "discounts") else FlatRate(self.rate)
        return {"assets": dict(self.assets), "correlation": corr.to_pairs(self.correlation, list(self.assets)), "rate": rate}

    def check(self) -> None:
        corr.check(self.correlation, list(self.assets))

    def __getitem__(self, name: str) -> Asset:
        if name not in self.assets:
            raise ValueError(f"unknown asset {name!r}{near(name, self.assets)}")
        return self.assets[name]

    @property
    def n_factors(self) -> int:
        return sum(asset.n_factors for asset in self.assets.values())

    @property
    def n_uniforms(self) -> int:
        return sum(asset.n_uniforms for asset in self.assets.values())

    def check_steps(self, years: Scalar, steps: int) -> None:
        """Raise ``ValueError`` where an asset cannot take steps of that size."""
        for name, asset in self.assets.items():
            if hasattr(asset, "check_step"):
                try:
                    asset.check_step(float(years) / steps)
                except ValueError as error:
                    raise ValueError(f"{name}: {error}") from None

    def pricers(self) -> dict[str, Pricer]:
        """For each asset the pricer with its own parameters under Q."""
        return {name: asset.pricer() for name, asset in self.assets.items()}

    def risk_neutral(self) -> "Market":
        """The market under Q: every discounted total return a martingale, variances as options are priced by."""
        rate = self.rate.rate
        return replace(self, assets={name: asset.risk_neutral(rate) for name, asset in self.assets.items()})

    def prepare(self, calendar: Calendar) -> "PreparedMarket":
        """All that does not depend on the path, computed once a run inside the program."""
        return PreparedMarket(self, calendar)


class PreparedMarket:
    """A market on a calendar: tables by step and the Cholesky factor. Lives inside one traced program."""

    def __init__(self, market: Market, calendar: Calendar) -> None:
        names = list(market.assets)
        self.market = market
        self.n_factors, self.n_uniforms = market.n_factors, market.n_uniforms
        self.times = calendar.times()
        self.discounts = market.rate.discounts(self.times)
        dt = jnp.diff(self.times)[: calendar.steps]
        at = self.times[: calendar.steps]
        self.rows = {
            "assets": {name: asset.table(at, dt) for name, asset in market.assets.items()},
            # What cash earns over the step, and what one unit of each asset pays out of its value at the end.
            "interest": self.discounts[:-1][: calendar.steps] / self.discounts[1:][: calendar.steps] - 1.0,
            "income": {name: jnp.expm1(getattr(asset, "dividend", 0.0) * dt) for name, asset in market.assets.items()},
        }
        self._carry = {name: jnp.exp(-getattr(asset, "dividend", 0.0) * self.times) / self.discounts for name, asset in market.assets.items()}
        self._factor = corr.factor(market.correlation, names, [asset.loadings() for asset in market.assets.values()])

    def growth(self, name: str, step: Scalar) -> Scalar:
        """E[next spot] / spot under P over a step: e^{(mu - q) dt}, of assets whose ``drift`` is a number.

        Raises ``ValueError`` for an asset that has none.
        """
        asset = self.market.assets[name]
        if not hasattr(asset, "drift"):
            raise ValueError(f"controls: expected assets with a drift, under which their expected gains are known, got {name!r} without")
        return jnp.exp((asset.drift - asset.dividend) * (self.times[1] - self.times[0]) + getattr(asset, "shock", 0.0) * (step == 0))

    def start(self) -> dict[str, Any]:
        # One dtype and no weak types: the scan's carry must look the same before and after a step.
        as_float = lambda leaf: jnp.asarray(leaf, jnp.result_type(float))  # noqa: E731
        return {name: jax.tree.map(as_float, asset.start()) for name, asset in self.market.assets.items()}

    def step(self, states: dict[str, Any], row: Any, normals: tuple[Scalar, ...], uniforms: tuple[Scalar, ...] = ()) -> dict[str, Any]:
        z = corr.correlate(self._factor, normals)
        new, first, drawn = {}, 0, 0
        for name, asset in self.market.assets.items():
            last, taken = first + asset.n_factors, drawn + asset.n_uniforms
            new[name] = asset.step(states[name], row["assets"][name], tuple(z[first:last]), tuple(uniforms[drawn:taken]))
            first, drawn = last, taken
        return new

    def with_income(self, states: dict[str, Any], row: Any) -> Any:
        """The row of a step begun in ``states``, with the income of those assets that pay by their state and not by time alone."""
        own = {
            name: asset.income(states[name], row["assets"][name], row["interest"])
            for name, asset in self.market.assets.items()
            if hasattr(asset, "income")
        }
        return row | {"income": row["income"] | own} if own else row

    def quotes(self, states: dict[str, Any], step: Scalar) -> dict[str, Quote]:
        out = {}
        for name, asset in self.market.assets.items():
            spot, variance = asset.observe(states[name])
            out[name] = Quote(spot, variance, step, self.times, self.discounts, self._carry[name], curve=getattr(asset, "forward", None))
        return out
