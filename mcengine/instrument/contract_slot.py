"""Any contract of the room in a book: it counts its own dates from the day it is opened, and is marked by its formula."""

from collections.abc import Mapping
from typing import Any, ClassVar

import jax
import numpy as np

from mcengine._model import Scalar, model, static
from mcengine.instrument.base import date_of
from mcengine.instrument.exactness import check_formula
from mcengine.instrument.schedule import AbstractSchedule, Life, ToHorizon
from mcengine.instrument.slot import AbstractSlot, Position, Quotes
from mcengine.pricing import Calendar, Quote

TIMES = ("expiry", "delivery", "maturity")
"""Fields of contracts that are dates, in years: the same for all paths."""


@model
class ContractSlot(AbstractSlot):
    """One contract at a time, its ``expiry`` counted from the day it is opened. Its terms are the spots it is written on, where it is ``relative``.

    Args:
        contract: Any contract with a price formula that draws no numbers of its own.
        schedule: When it is rolled; each life must be as long as the contract's.
        relative: Whether strikes, barriers and payoffs are fractions of each asset's spot on the day it is opened; a unit is then worth so much of
            the first asset's spot.
        approximate: Whether a formula that is not exact for the market may mark it.

    Raises:
        ValueError: For a contract without a formula, or one whose life is not the schedule's.
    """

    contract: Any
    schedule: AbstractSchedule = static(default=ToHorizon())
    relative: bool = static(default=False)
    approximate: bool = static(default=False)

    cost_class: ClassVar[str] = "option"
    premium: ClassVar[bool] = True

    @property
    def asset(self) -> str:  # type: ignore[override]
        """The first it reads; none for a contract on the rate."""
        return next(iter(self.assets), "")

    @property
    def assets(self) -> tuple[str, ...]:
        return tuple(self.contract.assets)

    def validate(self, where: str, setting: Any) -> None:
        AbstractSlot.validate(self, where, setting)
        name = type(self.contract).__name__
        if self.contract.n_uniforms:
            raise ValueError(f"{where}: expected a contract that draws no numbers of its own, got {name}")
        check_formula(self.contract, setting.market, approximate=self.approximate)
        rolls, expiries = self.schedule.plan(setting.steps)
        own, dt = round(float(self.contract.expiry) / setting.dt), setting.dt
        lives = (expiries - np.arange(setting.steps))[rolls]
        if abs(own * dt - float(self.contract.expiry)) > 1e-6 * dt or (lives != own).any():
            odd = int(lives[lives != own][0]) if (lives != own).any() else int(lives[0])
            raise ValueError(
                f"{where}: expected a contract that lives as long as the schedule says, {odd} steps of {dt:.4g} years, got {name} of "
                f"{float(self.contract.expiry):g} years"
            )

    def terms(self, quotes: Quotes, life: Life) -> dict[str, Scalar]:
        return {name: quotes[name].spot for name in self.assets} if self.relative else {}

    def open(self, terms: dict[str, Scalar], quotes: Quotes, life: Life) -> Any:
        own, _ = self._view(terms, quotes, life)
        return self._per_path(quotes).start(own)

    def settle(self, held: Position, quotes: Quotes, row: Any, life: Life) -> tuple[Any, Scalar]:
        own, calendar = self._view(held.terms, quotes, life)
        state, cash = self._per_path(quotes).step(held.state, own, next(iter(own.values())).step, calendar)
        return state, held.units * self._unit(held.terms) * cash

    def price(self, terms: dict[str, Scalar], state: Any, quotes: Quotes, pricers: Mapping[str, Any], life: Life) -> Scalar:
        own, calendar = self._view(terms, quotes, life)
        return self._unit(terms) * self._per_path(quotes).price(state, own, pricers, calendar)

    def by_name(self, terms: Any) -> dict[str, Any]:
        return {f"written_on_{name}": spot for name, spot in terms.items()}

    def notional(self, quotes: Quotes) -> Scalar:
        return quotes[self.asset].spot if self.asset else 1.0

    def _per_path(self, quotes: Quotes) -> Any:
        """The contract with all its numbers but the dates made the path's own.

        A quotient by a number common to all paths may be compiled as a product with its reciprocal, on two devices and not on one.
        """
        nothing = 0.0 * next(iter(quotes.values())).spot
        own = lambda path, x: x if getattr(path[-1], "name", "") in TIMES else x + nothing  # noqa: E731
        return jax.tree_util.tree_map_with_path(own, self.contract)

    def _unit(self, terms: dict[str, Scalar]) -> Scalar:
        return terms[self.asset] if self.relative and self.asset else 1.0

    def _view(self, terms: dict[str, Scalar], quotes: Quotes, life: Life) -> tuple[dict[str, Quote], Calendar]:
        """(quotes as the contract counts and measures, a calendar of its steps)."""
        times = next(iter(quotes.values())).times
        steps = min(self.schedule.longest(times.shape[0] - 1), times.shape[0] - 1)
        calendar = Calendar(times[steps], steps)
        # Not the day it was traded: where trades lag decisions, a contract is traded a date into its life.
        begun = life.expiry - date_of(self.contract.expiry, calendar)
        return {name: quote.since(begun, terms.get(name, 1.0)) for name, quote in quotes.items()}, calendar
