"""The self-financing account of one book on one path.

wealth = cash + sum of units x price, always. Over a step: cash earns interest, assets pay income, prices move, expired options settle.
At a date: what is traded moves between cash and positions, and its cost leaves the account:
    wealth after the trade = wealth before - costs, to rounding.
"""

from typing import Any, NamedTuple

import jax.numpy as jnp

from mcengine._model import Scalar
from mcengine.instrument import OptionSlot, Position, Slot, Terms, payoff
from mcengine.ledger.costs import Proportional
from mcengine.policy import Target
from mcengine.pricing import Pricer, Quote


class Costs(NamedTuple):
    """Costs paid so far, by kind, in currency."""

    underlying: Scalar
    option: Scalar


class Account(NamedTuple):
    """What is carried from date to date. ``option_prices`` are the marks of held terms; an underlying's is its spot."""

    cash: Scalar
    held: Target
    option_prices: dict[str, Scalar]
    wealth: Scalar
    high_water: Scalar
    costs: Costs


def open_account(wealth: Scalar, slots: dict[str, Slot], quotes: dict[str, Quote]) -> Account:
    """All in cash."""
    dtype = jnp.result_type(float)
    zero = jnp.zeros((), dtype)
    wealth = jnp.asarray(wealth, dtype)
    held = {name: Position(zero, slot.start(quotes)) for name, slot in slots.items()}
    options = {name: zero for name, slot in slots.items() if isinstance(slot, OptionSlot)}
    return Account(wealth, held, options, wealth, wealth, Costs(zero, zero))


def prices(account: Account, slots: dict[str, Slot], quotes: dict[str, Quote]) -> dict[str, Scalar]:
    """Price of every slot: the mark of the option held, the spot of the underlying."""
    return {name: account.option_prices[name] if name in account.option_prices else quotes[slot.asset].spot for name, slot in slots.items()}


def trade(
    account: Account, target: Target, slots: dict[str, Slot], marks: dict[str, Scalar], new_marks: dict[str, Scalar], costs: Proportional
) -> tuple[Account, Scalar]:
    """(account holding ``target``, value of underlyings traded).

    ``marks`` are prices of what is held, ``new_marks`` of the target's terms. Where terms differ, the old option is closed and
    the new one opened, each at its cost; where they agree only the difference in units is traded.
    """
    cash = account.cash
    paid = {"underlying": jnp.zeros_like(cash), "option": jnp.zeros_like(cash)}
    traded = jnp.zeros_like(cash)
    for name, slot in slots.items():
        old, new = account.held[name], target[name]
        if isinstance(slot, OptionSlot):
            assert isinstance(old.terms, Terms)
            assert isinstance(new.terms, Terms)
            rolled = (old.terms.strike != new.terms.strike) | (old.terms.expiry != new.terms.expiry)
            value = jnp.where(
                rolled,
                jnp.abs(old.units) * marks[name] + jnp.abs(new.units) * new_marks[name],
                jnp.abs(new.units - old.units) * marks[name],
            )
            paid["option"] += costs.option(value)
            cash = cash + jnp.where(rolled, old.units * marks[name] - new.units * new_marks[name], (old.units - new.units) * marks[name])
        else:
            value = jnp.abs(new.units - old.units) * marks[name]
            paid["underlying"] += costs.underlying(value)
            traded = traded + value
            cash = cash - (new.units - old.units) * marks[name]
    cost = paid["underlying"] + paid["option"]
    spent = Costs(account.costs.underlying + paid["underlying"], account.costs.option + paid["option"])
    after = account._replace(
        cash=cash - cost,
        held={name: target[name] for name in slots},
        option_prices={name: new_marks[name] for name in account.option_prices},
        wealth=account.wealth - cost,
        costs=spent,
    )
    return after, traded


def advance(account: Account, row: Any, step: Scalar, slots: dict[str, Slot], quotes: dict[str, Quote], pricers: dict[str, Pricer]) -> Account:
    """The account at the next date ``step``: interest, income, settlement of what expires, new marks."""
    cash = account.cash * (1.0 + row["interest"])
    held, option_prices = dict(account.held), {}
    value = jnp.zeros_like(cash)
    for name, slot in slots.items():
        units, terms = account.held[name].units, account.held[name].terms
        if isinstance(slot, OptionSlot):
            assert isinstance(terms, Terms)
            due = terms.expiry == step
            cash = cash + jnp.where(due, units * payoff(slot.kind, quotes[slot.asset].spot, terms.strike), 0.0)
            units = jnp.where(due, 0.0, units)
            held[name] = Position(units, terms)
            option_prices[name] = slot.price(terms, quotes, pricers)
            value = value + units * option_prices[name]
        else:
            spot = quotes[slot.asset].spot
            cash = cash + units * spot * row["income"][slot.asset]
            value = value + units * spot
    wealth = cash + value
    return Account(cash, held, option_prices, wealth, jnp.maximum(account.high_water, wealth), account.costs)
