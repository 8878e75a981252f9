"""The self-financing account of one book on one path.

wealth = cash + sum of units x price, always. Over a step: cash earns interest, slots pay income, margin and payoffs, prices move, what is held costs.
At a date: what is traded moves between cash and positions, and its cost leaves the account:
    wealth after the trade = wealth before - costs, to rounding.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp

from mcengine._model import Scalar
from mcengine.instrument import AbstractSlot, Dates, Life, Mark, Position, Quotes, Target, Underlying
from mcengine.instrument.marks import nothing
from mcengine.ledger.base import AbstractCost, Holding, Leg, Trade, added, total_cost

Slots: TypeAlias = Mapping[str, AbstractSlot]
Marker: TypeAlias = Callable[[dict[str, Position], dict[str, Life]], dict[str, Mark]]
"""Marks of positions by slot, on the lives given."""


class Account(NamedTuple):
    """What a book carries from date to date.

    Args:
        cash: Currency.
        held: Positions by slot.
        wealth: Cash and positions at their marks, currency.
        high_water: Highest wealth so far, currency.
        costs: Paid so far by name, currency.
    """

    cash: Scalar
    held: dict[str, Position]
    wealth: Scalar
    high_water: Scalar
    costs: dict[str, Scalar]


def open_account(wealth: Scalar, slots: Slots, quotes: Quotes, cost: AbstractCost, wanted: tuple[str, ...]) -> Account:
    """All in cash.

    Args:
        wealth: Currency.
        slots: By name.
        quotes: Of today.
        cost: What trades will cost.
        wanted: Greeks that marks carry.
    """
    zero = jnp.zeros((), jnp.result_type(float))
    wealth, held = jnp.asarray(wealth, zero.dtype), {}
    never = Life(jnp.zeros((), jnp.int32), jnp.zeros((), jnp.int32))
    for name, slot in slots.items():
        if isinstance(slot, Underlying):
            held[name] = Position(zero)
            continue
        terms = _as_carried(slot.terms(quotes, never))
        worthless = Mark(zero, nothing(slot.assets, wanted, zero))
        held[name] = Position(zero, terms, _as_carried(slot.open(terms, quotes, never)), worthless)
    return Account(wealth, held, wealth, wealth, dict.fromkeys(cost.names, zero))


def prices(held: Mapping[str, Position], slots: Slots, quotes: Quotes) -> dict[str, Scalar]:
    """Price of one unit of what is held.

    Args:
        held: Positions by slot.
        slots: By name.
        quotes: By asset, today.

    Returns:
        Currency, by slot.
    """
    return {name: quotes[slot.asset].spot if isinstance(slot, Underlying) else held[name].mark.price for name, slot in slots.items()}  # type: ignore[union-attr]


def trade(
    account: Account, target: Target, offered: Mapping[str, Position], rolled: Mapping[str, Scalar], slots: Slots, quotes: Quotes, cost: AbstractCost
) -> tuple[Account, Trade]:
    """Trade to a target and pay for it.

    Where a slot rolls, what is held is closed at its mark and the contract offered is opened at its own; else the difference in units is traded.

    Args:
        account: Before the trade.
        target: Units wanted by slot.
        offered: What each slot would open, with its mark; underlyings are left out.
        rolled: Whether each slot opens what it offers.
        slots: By name.
        quotes: By asset, today.
        cost: What the trade costs.

    Returns:
        (the account holding the target, the trade).
    """
    made = order(account.held, target, offered, rolled, slots, quotes)
    cash, held = account.cash, {}
    for name, slot in slots.items():
        old, units = account.held[name], target[name]
        if isinstance(slot, Underlying):
            cash = cash - (units - old.units) * quotes[slot.asset].spot
            held[name] = Position(units)
            continue
        new, today = offered[name], old.mark.price  # type: ignore[union-attr]
        proceeds = jnp.where(rolled[name], old.units * today - units * new.mark.price, (old.units - units) * today)  # type: ignore[union-attr]
        cash = cash + proceeds
        held[name] = chosen(rolled[name], new, old)._replace(units=units)
    paid = cost.on_trade(made)
    spent = total_cost(paid)
    return account._replace(cash=cash - spent, held=held, wealth=account.wealth - spent, costs=added(account.costs, paid)), made


def order(
    held: Mapping[str, Position], target: Target, offered: Mapping[str, Position], rolled: Mapping[str, Scalar], slots: Slots, quotes: Quotes
) -> Trade:
    """The trade that leads from what is held to a target, before it is made.

    Args:
        held: Positions by slot.
        target: Units wanted by slot.
        offered: What each slot would open, with its mark; underlyings are left out.
        rolled: Whether each slot opens what it offers.
        slots: By name.
        quotes: By asset, today.
    """
    legs, times = {}, next(iter(quotes.values())).times
    for name, slot in slots.items():
        old, units, quote = held[name], target[name], quotes.get(slot.asset)
        change, notional = jnp.abs(units - old.units), slot.notional(quotes)
        if isinstance(slot, Underlying):
            value = change * quotes[slot.asset].spot
            legs[name] = Leg(slot, 0.0, change, 0.0, value, notional, quote, (), ())
            continue
        new, roll, today = offered[name], rolled[name], old.mark.price  # type: ignore[union-attr]
        closed, opened = jnp.where(roll, jnp.abs(old.units), 0.0), jnp.where(roll, jnp.abs(units), change)
        closed_value = jnp.where(roll, jnp.abs(old.units) * jnp.abs(today), 0.0)
        opened_value = jnp.where(roll, jnp.abs(units) * jnp.abs(new.mark.price), change * jnp.abs(today))  # type: ignore[union-attr]
        marks = old.mark, chosen(roll, new, old).mark
        legs[name] = Leg(slot, closed, opened, closed_value, opened_value, notional, quote, *marks)
    return Trade(legs, times[1] - times[0])


def chosen(roll: Scalar, new: Position, old: Position) -> Position:
    """The new contract where a slot rolls, else the old one.

    Args:
        roll: Whether it rolls.
        new: What it would open.
        old: What it holds.
    """
    return jax.tree.map(lambda a, b: a if a is b else jnp.where(roll, a, b), new, old)


def advance(account: Account, row: Any, dates: Mapping[str, Dates], slots: Slots, quotes: Quotes, marker: Marker, cost: AbstractCost) -> Account:
    """The account at the end of a step: interest, income, settlement of what expires, new marks, the cost of what was held.

    Args:
        account: After the trade.
        row: The step's ``interest``, ``income`` by asset, and whether it is the ``last``.
        dates: By slot, the lives held.
        slots: By name.
        quotes: At the end of the step.
        marker: Marks positions.
        cost: What holding costs.
    """
    cash = account.cash * (1.0 + row["interest"])
    lives = {name: dates[name].held for name in dates}
    held = {}
    for name, slot in slots.items():
        state, paid = slot.settle(account.held[name], quotes, row, lives.get(name, _NO_LIFE))
        cash = cash + paid
        held[name] = account.held[name]._replace(state=state)
    marks = marker({name: one for name, one in held.items() if name in lives}, lives)
    held |= {name: held[name]._replace(mark=found) for name, found in marks.items()}
    step = next(iter(quotes.values())).step
    units = {n: jnp.where(lives[n].expiry == step, 0.0, one.units) if n in lives else one.units for n, one in held.items()}
    paid_for = cost.on_hold(_holding(account, held, units, row, slots, quotes))
    if paid_for:
        cash = cash - total_cost(paid_for)
    value = jnp.zeros_like(cash)
    for name, slot in slots.items():
        if isinstance(slot, Underlying):
            value = value + held[name].units * quotes[slot.asset].spot
            continue
        held[name] = held[name]._replace(units=units[name])
        value = value + held[name].units * held[name].mark.price  # type: ignore[union-attr]
    wealth = cash + value
    return Account(cash, held, wealth, jnp.maximum(account.high_water, wealth), added(account.costs, paid_for))


def _holding(account: Account, held: Mapping[str, Position], left: Target, row: Any, slots: Slots, quotes: Quotes) -> Holding:
    """``left`` are the units that have not expired."""
    nothing = {name: jnp.zeros_like(account.cash) for name in slots}
    closing = order({name: one._replace(units=left[name]) for name, one in held.items()}, nothing, held, dict.fromkeys(slots, False), slots, quotes)
    margins = {name: slot.margin(quotes) for name, slot in slots.items()}
    return Holding(slots, held, prices(held, slots, quotes), margins, account.cash, closing.dt, row["last"], closing)


def _as_carried(tree: Any) -> Any:
    """Floats of the process's precision, as a scan carries them."""
    return jax.tree.map(lambda x: jnp.asarray(x, jnp.result_type(float)), tree)


_NO_LIFE = Life(0, 0)
