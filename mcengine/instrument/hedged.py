"""A contract less the gains of its delta hedge: worth as much, varying less.

On each date up to expiry ``coefficient`` x delta units of each underlying are held against the contract, delta by its price formula, and
    delta_t (S_{t+1} - F_t(t+1)),   F the forward,
is taken off its cash: of mean 0 under Q whatever the formula, so that a rough one costs precision, not bias. (Glasserman 2004, section 4.1.2;
Clewlow & Carverhill, "On the simulation of contingent claims", J. Derivatives 2, 1994.)
"""

import dataclasses
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from mcengine._model import Scalar, model, number, replace
from mcengine.pricing import Calendar, Pricer, Quote, prepared


class _State(NamedTuple):
    inside: Any
    units: dict[str, Scalar]
    forwards: dict[str, Scalar]


@model
class Hedged:
    """A contract less the gains of its delta hedge, a control variate of mean 0.

    Args:
        contract: Any contract with a price formula.
        pricers: By asset, with correlations and rate (see ``joint``); they give the hedge's deltas.
        calendar: Dates of the hedge.
        coefficient: Units of the hedge for each delta.

    Raises:
        ValueError: For a contract without a price formula.
    """

    contract: Any
    pricers: dict[str, Pricer]
    calendar: Calendar
    coefficient: Scalar = number(default=1.0, term=True)

    def canonical(self) -> dict[str, Any]:
        if not hasattr(self.contract, "price") or getattr(self.contract, "formula", "") == "none":
            raise ValueError(f"Hedged.contract: expected a contract with a price formula, got {type(self.contract).__name__}")
        return {}

    @property
    def expiry(self) -> Scalar:
        return self.contract.expiry

    @property
    def assets(self) -> tuple[str, ...]:
        return tuple(self.contract.assets) if hasattr(self.contract, "assets") else (self.contract.asset,)

    def prepare(self) -> "Hedged":
        """With the tables of its pricers, computed once a program."""
        return replace(self, pricers={name: prepared(pricer, self.calendar) for name, pricer in self.pricers.items()})

    @property
    def dates(self) -> tuple[float, ...]:
        return tuple(self.contract.dates) if hasattr(self.contract, "dates") else (float(self.contract.expiry),)

    @property
    def n_uniforms(self) -> int:
        return getattr(self.contract, "n_uniforms", 0)

    def check_market(self, market: Any) -> None:
        """As of ``AbstractContract``.

        Args:
            market: The ``Market``.
        """
        if hasattr(self.contract, "check_market"):
            self.contract.check_market(market)

    def start(self, quotes: dict[str, Quote]) -> _State:
        """State today: the contract's own, and the first hedge.

        Args:
            quotes: Of every asset of the market, today.
        """
        return self._hold(self.contract.start(quotes), quotes, 0)

    def step(self, state: _State, quotes: dict[str, Quote], step: Scalar, calendar: Calendar, *uniforms: Any) -> tuple[_State, Scalar]:
        """The contract's own step, less the gain of the hedge.

        Args:
            state: On the date before.
            quotes: Of every asset of the market, on this date.
            step: Index of this date, 1 for the first after today.
            calendar: Dates on which the contract is followed.
            uniforms: Random numbers of this step, for a contract that draws its own.

        Returns:
            (state, cash paid on this date, currency).
        """
        inside, cash = self.contract.step(state.inside, quotes, step, calendar, *uniforms)
        gain = sum(units * (quotes[name].spot - state.forwards[name]) for name, units in state.units.items())
        return self._hold(inside, quotes, step), cash - self.coefficient * gain

    def price(self, state: _State, quotes: dict[str, Quote], pricers: dict[str, Pricer], calendar: Calendar) -> Scalar:
        """The contract's own price: a hedge is worth nothing when it is opened.

        Args:
            state: On this date.
            quotes: Of every asset of the market, on this date.
            pricers: By asset, with correlations and rate (see ``joint``).
            calendar: Dates on which the contract is followed.
        """
        return self.contract.price(state.inside, quotes, pricers, calendar)

    def _hold(self, inside: Any, quotes: dict[str, Quote], step: Scalar) -> _State:
        """The hedge from date ``step`` to the next; none from expiry on."""

        def price(spots: dict[str, Scalar]) -> Scalar:
            moved = quotes | {name: dataclasses.replace(quotes[name], spot=spot) for name, spot in spots.items()}
            return self.contract.price(inside, moved, self.pricers, self.calendar)

        spots = {name: jnp.asarray(quotes[name].spot, jnp.result_type(float)) for name in self.assets}
        delta = jax.grad(price)(spots)
        alive = (step + 0.5) * (self.calendar.years / self.calendar.steps) < self.expiry
        units = {name: jnp.where(alive, delta[name], 0.0) for name in self.assets}
        return _State(inside, units, {name: quotes[name].forward(step + 1) for name in self.assets})
