"""Recorders: what is kept of each path, a handful of scalars. They see a day after the market moved and before the next trade."""

import abc
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple

import jax.numpy as jnp

from mcengine._model import Scalar
from mcengine.instrument import AbstractSlot, Greeks, Position, Quotes, Underlying, totals
from mcengine.instrument.expiries import within
from mcengine.ledger import Account, Trade


@dataclass(frozen=True)
class Day:
    """One step of one book: the trade at its start, the account at its end. Amounts in currency.

    Args:
        step: Index of the date at the end.
        dt: Years of the step.
        steps: Steps to the horizon.
        steps_per_year: Steps from one year-end to the next; 0 where years end between steps.
        start_wealth: Wealth at the start of the run.
        wealth_before: Wealth before the trade at the start of the step.
        trade: At the start of the step; None before the first date and at the finish.
        sleeve: Value of the underlyings after the trade.
        account: At the end.
        held: Positions after the trade, at their marks then.
        quotes: By asset, at the end.
        slots: By name, underlyings included.
        needs: Greeks that marks carry.
        martingale_increment: S' - E[S'] of an asset over the step, under P, by its name.
        gain: Of a slot over the step, by its name: what it paid and the change of its worth, costs apart.
        earlier: Quotes by asset at the start of the step.
        expiries: Of what is held over the step, indices of dates by slot; underlyings have none.
        interest: On cash over the step.
        paid: Costs of the step by name, those of the trade at its start included.
        carried: Those among them that are the price of holding (see ``AbstractCost.carried``).
        regime: In force over the step, its index as a float; None where the market has none.
    """

    step: Scalar
    dt: Scalar
    steps: int
    steps_per_year: int
    start_wealth: Scalar
    wealth_before: Scalar
    trade: Trade | None
    sleeve: Scalar
    account: Account
    held: Mapping[str, Position]
    quotes: Quotes
    slots: Mapping[str, AbstractSlot]
    needs: tuple[str, ...]
    martingale_increment: Callable[[str], Scalar] | None = None
    gain: Callable[[str], Scalar] | None = None
    earlier: Quotes = field(default_factory=dict)
    expiries: Mapping[str, Scalar] = field(default_factory=dict)
    interest: Scalar = 0.0
    paid: Mapping[str, Scalar] = field(default_factory=dict)
    carried: tuple[str, ...] = ()
    regime: Scalar | None = None

    def traded_greeks(self, bucket: str = "") -> Greeks:
        """Of what is held over the step, at the marks of its start: the risk that the book ran.

        Args:
            bucket: Contracts that count, by years to expiry (see ``instrument.BUCKETS``); empty for all, underlyings included.
        """
        units = within(bucket, {n: one.units for n, one in self.held.items()}, self.expiries, self.step - 1, self.dt)
        return totals({n: self.slots[n] for n in units}, units, {n: self.held[n].mark for n in units}, self.needs)

    @property
    def greeks(self) -> Greeks:
        """Of what is held at the end of the step: those that some stage, cost or recorder ``needs``."""
        held = self.account.held
        return totals(self.slots, {n: one.units for n, one in held.items()}, {n: one.mark for n, one in held.items()}, self.needs)

    @property
    def ruined(self) -> Scalar:
        """Whether wealth before the trade was at or below zero: the book has closed what it held and trades no more."""
        return self.wealth_before <= 0.0

    @property
    def per_wealth(self) -> Scalar:
        """1 over the wealth before the trade, 0 once the book is ruined."""
        return 1.0 / jnp.where(self.ruined, jnp.inf, self.wealth_before)

    @property
    def traded(self) -> Scalar:
        """Value of underlyings traded and notional of forwards and futures."""
        return 0.0 if self.trade is None else self.trade.turnover


class AbstractRecorder(abc.ABC):
    """A frozen dataclass: its state before the first date, after a day, and the outcomes it makes of it."""

    needs: ClassVar[tuple[str, ...]] = ()
    """Greeks it reads."""

    def check(self, study: Any) -> None:  # noqa: B027
        """Refuse a study that it does not fit; by default it fits every one.

        Args:
            study: The ``Study`` whose recorder it is.

        Raises:
            ValueError: For anything that does not fit, before compiling.
        """

    @abc.abstractmethod
    def start(self, day: Day) -> Any:
        """State before the first date.

        Args:
            day: The book all in cash.

        Returns:
            A pytree of scalars, carried from date to date.
        """

    @abc.abstractmethod
    def step(self, state: Any, day: Day) -> Any:
        """State after a day.

        Args:
            state: Before it.
            day: The step that has passed.
        """

    @abc.abstractmethod
    def finish(self, state: Any, day: Day) -> dict[str, Scalar]:
        """Outcomes of the path.

        Args:
            state: After the last day.
            day: The account at the horizon; nothing is quoted or traded.

        Returns:
            Scalars by name.
        """

    def columns(self, state: Any) -> dict[str, Any]:
        """What a trace shows of it, by name.

        Args:
            state: On every date.
        """
        return {}


@dataclass(frozen=True)
class Wealth(AbstractRecorder):
    """``wealth`` at the end and the ``lowest`` over all dates, both over the starting wealth."""

    def start(self, day: Day) -> Scalar:
        return day.account.wealth

    def step(self, state: Scalar, day: Day) -> Scalar:
        return jnp.minimum(state, day.account.wealth)

    def finish(self, state: Scalar, day: Day) -> dict[str, Scalar]:
        return {"wealth": day.account.wealth / day.start_wealth, "lowest": state / day.start_wealth}


@dataclass(frozen=True)
class Drawdown(AbstractRecorder):
    """Largest fall from the highest wealth so far, as a fraction of it."""

    def start(self, day: Day) -> Scalar:
        return jnp.zeros_like(day.account.wealth)

    def step(self, state: Scalar, day: Day) -> Scalar:
        return jnp.maximum(state, 1.0 - day.account.wealth / day.account.high_water)

    def finish(self, state: Scalar, day: Day) -> dict[str, Scalar]:
        return {"drawdown": state}


@dataclass(frozen=True)
class Volatility(AbstractRecorder):
    """Realised volatility a year: sqrt of the mean squared daily return over dt."""

    def start(self, day: Day) -> Scalar:
        return jnp.zeros_like(day.account.wealth)

    def step(self, state: Scalar, day: Day) -> Scalar:
        change = jnp.where(day.ruined, 0.0, day.account.wealth * day.per_wealth - 1.0)
        return state + change * change

    def finish(self, state: Scalar, day: Day) -> dict[str, Scalar]:
        # The floor keeps the square root's derivative finite on a path that sat in cash.
        return {"volatility": jnp.sqrt(jnp.maximum(state / (day.steps * day.dt), 1e-20))}


class _Trades(NamedTuple):
    turnover: Scalar
    exposure: Scalar


@dataclass(frozen=True)
class Trading(AbstractRecorder):
    """``turnover`` (underlyings traded, and notional of forwards and futures, over wealth, summed), mean
    ``exposure`` (sleeve over wealth), costs by kind over starting wealth. The trade that closes a ruined book is no turnover."""

    def start(self, day: Day) -> _Trades:
        zero = jnp.zeros_like(day.account.wealth)
        return _Trades(zero, zero)

    def step(self, state: _Trades, day: Day) -> _Trades:
        share = day.per_wealth
        return _Trades(state.turnover + day.traded * share, state.exposure + day.sleeve * share)

    def finish(self, state: _Trades, day: Day) -> dict[str, Scalar]:
        costs = day.account.costs
        return {
            "turnover": state.turnover,
            "exposure": state.exposure / day.steps,
            **{f"cost_{name}": paid / day.start_wealth for name, paid in costs.items()},
        }


@dataclass(frozen=True)
class Years(AbstractRecorder):
    """``year_1``, ``year_2``, ...: wealth at each whole year's end over wealth at its start, 0 where the book was ruined before it. Nothing for a
    run of less than two years, nor where years end between steps.
    """

    def start(self, day: Day) -> tuple[Scalar, ...]:
        years = day.steps // day.steps_per_year if day.steps_per_year else 0
        return () if years < 2 else (day.account.wealth,) * (years + 1)

    def step(self, state: tuple[Scalar, ...], day: Day) -> tuple[Scalar, ...]:
        return tuple(jnp.where(day.step == k * day.steps_per_year, day.account.wealth, w) for k, w in enumerate(state))

    def finish(self, state: tuple[Scalar, ...], day: Day) -> dict[str, Scalar]:
        return {f"year_{k}": _ratio(state[k], state[k - 1]) for k in range(1, len(state))}


def _ratio(after: Scalar, before: Scalar) -> Scalar:
    """0 where nothing was left; its derivatives are finite."""
    ruined = before <= 0.0
    return jnp.where(ruined, 0.0, after / jnp.where(ruined, 1.0, before))


@dataclass(frozen=True)
class Gains(AbstractRecorder):
    """``gain_<asset>``: what the book gained on each underlying beyond expectation, sum of units_t (S_{t+1} - E_t[S_{t+1}]) with interest to
    the horizon, over starting wealth. Units are known at t, so its mean is 0 exactly: a control variate (see ``variance_reduction``).
    """

    def start(self, day: Day) -> dict[str, Scalar]:
        return {name: jnp.zeros_like(day.account.wealth) for name in day.quotes}

    def step(self, state: dict[str, Scalar], day: Day) -> dict[str, Scalar]:
        assert day.martingale_increment is not None
        after = {}
        for name, total in state.items():
            held = [day.account.held[n].units for n, slot in day.slots.items() if isinstance(slot, Underlying) and slot.asset == name]
            after[name] = total + sum(held[1:], start=held[0]) * day.martingale_increment(name) / day.quotes[name].discount(day.steps)
        return after

    def finish(self, state: dict[str, Scalar], day: Day) -> dict[str, Scalar]:
        return {f"gain_{name}": total / day.start_wealth for name, total in state.items()}


DEFAULT = (Wealth(), Drawdown(), Volatility(), Trading(), Years())
