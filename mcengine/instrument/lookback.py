"""Lookbacks: options on the highest or the lowest spot from today to expiry, today's included.

``watch="continuous"`` draws the extreme between two dates from the Brownian bridge, by one uniform a step: no bias from the dates.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax.numpy as jnp

from mcengine._model import Scalar, model, number, static
from mcengine.instrument.base import AbstractContract, Formula, check_word, date_of, total_volatility
from mcengine.instrument.monitoring import WATCHES, Point, extreme, point, step_variance
from mcengine.pricing import KINDS, Calendar, Quote
from mcengine.pricing.closed_forms import WATCH_SHIFT, fixed_lookback, floating_lookback


class _State(NamedTuple):
    last: Point
    seen: Scalar  # log of the extreme so far


class _Lookback(AbstractContract):
    """What the two have in common; ``_side`` is 1 where the highest price counts, -1 where the lowest does."""

    kind: str
    watch: str
    _side: float

    @property
    def formula(self) -> Formula:  # type: ignore[override]
        return "lognormal" if self.watch == "continuous" else "approximate"

    @property
    def n_uniforms(self) -> int:  # type: ignore[override]
        return 1 if self.watch == "continuous" else 0

    @property
    def watched(self) -> bool:  # type: ignore[override]
        return self.watch == "daily"

    def start(self, quotes: Mapping[str, Quote]) -> _State:
        now = point(quotes[self.asset])
        return _State(now, now.log_spot)

    def step(
        self, state: _State, quotes: Mapping[str, Quote], step: Scalar, calendar: Calendar, uniforms: tuple[Scalar, ...] = ()
    ) -> tuple[_State, Scalar]:
        """Follow the extreme; between two dates it is drawn where the lookback is watched continuously.

        Args:
            uniforms: The random number of this step.
        """
        quote, date = quotes[self.asset], date_of(self.expiry, calendar)
        now = point(quote)
        reached = now.log_spot
        if self.n_uniforms:
            reached = extreme(state.last.log_spot, now.log_spot, step_variance(state.last, now, quote, calendar), uniforms[0], self._side)
        furthest = jnp.maximum(state.seen, reached) if self._side > 0.0 else jnp.minimum(state.seen, reached)
        seen = jnp.where(step <= date, furthest, state.seen)
        return _State(now, seen), jnp.where(step == date, self._paid(quote.spot, jnp.exp(seen)), 0.0)

    def price(self, state: _State, quotes: Mapping[str, Quote], pricers: Mapping[str, Any], calendar: Calendar) -> Scalar:
        """On dates: the continuous price of an extreme seen further off by one shift, less what the shift adds (Broadie, Glasserman & Kou)."""
        quote, date = quotes[self.asset], date_of(self.expiry, calendar)
        s = total_volatility(pricers[self.asset], quote, date)
        shift: Scalar = 1.0
        if self.watch == "daily":
            shift = jnp.exp(self._side * WATCH_SHIFT * s / jnp.sqrt(1.0 * jnp.maximum(date - quote.step, 1)))
        return self._worth(quote.spot, jnp.exp(state.seen), shift, (quote.forward(date), s, quote.discount(date)))

    def _paid(self, spot: Scalar, seen: Scalar) -> Scalar:
        raise NotImplementedError

    def _worth(self, spot: Scalar, seen: Scalar, shift: Scalar, at: tuple[Scalar, Scalar, Scalar]) -> Scalar:
        raise NotImplementedError


@model
class FixedLookback(_Lookback):
    """max(highest - K, 0) of a call, max(K - lowest, 0) of a put.

    Args:
        kind: "call" or "put".
        strike: K, currency.
        expiry: Years from today.
        asset: Name of the underlying.
        watch: "continuous", or "daily" for the spots on the calendar's dates.

    Raises:
        ValueError: For an unknown kind or watch.
    """

    kind: str = static()
    strike: Scalar = number(above=0.0, term=True)
    expiry: Scalar = number(above=0.0, term=True)
    asset: str = static(default="asset")
    watch: str = static(default="continuous")

    def canonical(self) -> dict[str, Any]:
        check_word("FixedLookback.kind", self.kind, KINDS)
        check_word("FixedLookback.watch", self.watch, WATCHES)
        return {}

    @property
    def _side(self) -> float:  # type: ignore[override]
        return 1.0 if self.kind == "call" else -1.0

    def _paid(self, spot: Scalar, seen: Scalar) -> Scalar:
        return jnp.maximum(self._side * (seen - self.strike), 0.0)

    def _worth(self, spot: Scalar, seen: Scalar, shift: Scalar, at: tuple[Scalar, Scalar, Scalar]) -> Scalar:
        return fixed_lookback(self.kind, spot, seen * shift, self.strike * shift, *at) / shift


@model
class FloatingLookback(_Lookback):
    """S_T - lowest of a call, highest - S_T of a put.

    Args:
        kind: "call" or "put".
        expiry: Years from today.
        asset: Name of the underlying.
        watch: "continuous", or "daily" for the spots on the calendar's dates.

    Raises:
        ValueError: For an unknown kind or watch.
    """

    kind: str = static()
    expiry: Scalar = number(above=0.0, term=True)
    asset: str = static(default="asset")
    watch: str = static(default="continuous")

    def canonical(self) -> dict[str, Any]:
        check_word("FloatingLookback.kind", self.kind, KINDS)
        check_word("FloatingLookback.watch", self.watch, WATCHES)
        return {}

    @property
    def _side(self) -> float:  # type: ignore[override]
        return -1.0 if self.kind == "call" else 1.0

    def _paid(self, spot: Scalar, seen: Scalar) -> Scalar:
        return self._side * (seen - spot)

    def _worth(self, spot: Scalar, seen: Scalar, shift: Scalar, at: tuple[Scalar, Scalar, Scalar]) -> Scalar:
        forward, _, discount = at
        continuous = floating_lookback(self.kind, spot, seen * shift, *at) + self._side * discount * forward
        return continuous / shift - self._side * discount * forward
