"""European call and put as contracts: strike in currency, expiry in years."""

from typing import Any

import jax.numpy as jnp

from mcengine._model import Scalar, model, number, static
from mcengine.pricing import Calendar, Pricer, Quote


def payoff(kind: str, spot: Scalar, strike: Scalar) -> Scalar:
    """max(S - K, 0) of a call, max(K - S, 0) of a put."""
    return jnp.maximum(spot - strike, 0.0) if kind == "call" else jnp.maximum(strike - spot, 0.0)


@model
class Option:
    """A European option. ``asset`` names its underlying in a market of several."""

    kind: str = static()
    strike: Scalar = number(above=0.0, term=True)
    expiry: Scalar = number(above=0.0, term=True)
    asset: str = static(default="asset")

    def start(self, quotes: dict[str, Quote]) -> tuple[()]:
        """State along the path: none, the payoff needs the last spot only."""
        return ()

    def step(self, state: Any, quotes: dict[str, Quote], step: Scalar, calendar: Calendar) -> tuple[tuple[()], Scalar]:
        """(state, cash paid on this date)."""
        due = step == self._date(calendar)
        return (), jnp.where(due, payoff(self.kind, quotes[self.asset].spot, self.strike), 0.0)

    def price(self, state: Any, quotes: dict[str, Quote], pricers: dict[str, Pricer], calendar: Calendar) -> Scalar:
        """Price now, by the asset's pricer."""
        return pricers[self.asset].option(self.kind, self.strike, self._date(calendar), quotes[self.asset])

    def _date(self, calendar: Calendar) -> Scalar:
        return jnp.round(self.expiry / calendar.years * calendar.steps).astype(jnp.int32)


def Call(strike: Scalar, expiry: Scalar, asset: str = "asset") -> Option:  # noqa: N802
    """The right to buy at ``strike`` in ``expiry`` years."""
    return Option("call", strike, expiry, asset)


def Put(strike: Scalar, expiry: Scalar, asset: str = "asset") -> Option:  # noqa: N802
    """The right to sell at ``strike`` in ``expiry`` years."""
    return Option("put", strike, expiry, asset)
