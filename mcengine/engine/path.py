"""One path, start to finish, in scalars: the scan every program of the engine is made of.

At each date: the market is quoted, each book decides and trades, the market moves, each account is marked, recorders see the day.
Trading first and moving after makes N trades (today's included) and N marks (the horizon's included) in N steps.
"""

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from mcengine._model import Scalar
from mcengine.engine.base import AbstractStudy as Study
from mcengine.engine.recorder import Day
from mcengine.instrument import OptionSlot, Position, Slot, Terms, Underlying
from mcengine.ledger import Account, advance, open_account, prices, trade
from mcengine.noise import Path, draw_weighted, finish_density, start_density, stop_density
from mcengine.policy import AbstractStage, Seen, Target
from mcengine.pricing import Quote, prepared


class BookState(NamedTuple):
    """What one book carries."""

    account: Account
    memory: Any
    pending: Target  # decided at the last date, traded at this one; empty without delay
    recorded: tuple[Any, ...]


def pricers(study: "Study") -> dict[str, Any]:
    """Pricers by asset; where options are held, made ready for the study's dates."""
    found, calendar, held = study.pricers or study.market.pricers(), study.calendar, optioned(study)
    return {name: prepared(pricer, calendar) if name in held else pricer for name, pricer in found.items()}


def optioned(study: "Study") -> set[str]:
    """Assets on which some book holds options."""
    return {slot.asset for policy in study.books.values() for slot in policy.slots().values() if isinstance(slot, OptionSlot)}


class Simulation:
    """A study made ready inside one traced program: all that does not depend on the path is computed once, here."""

    def __init__(self, study: "Study") -> None:
        self.study = study
        self.calendar = study.calendar
        self.market = study.market.prepare(self.calendar)
        self.dt = self.market.times[1] - self.market.times[0]
        self.assets = tuple(study.market.assets)
        self.slots: dict[str, dict[str, Slot]] = {
            name: {**{a: Underlying(a) for a in self.assets}, **policy.slots()} for name, policy in study.books.items()
        }
        self.pricers = pricers(study)

    def path(self, key: jax.Array, path: Path, *, checkpoint: bool = False, trace: bool = False) -> Any:
        """Outcomes of one path, ``{book: {figure: scalar}}`` with the last prices under ``"market"``; with ``trace`` also every state."""
        source = self.study.noise.begin(key, path, self.calendar.steps, self.market.n_factors)
        first = self.start(path, source)

        def body(carry: Any, row: Any) -> tuple[Any, Any]:
            states, books, density = carry
            step = row["step"]
            quotes = self.market.quotes(states, step)
            traded = {name: self._decide_and_trade(name, book, quotes, step) for name, book in books.items()}
            normals, uniforms, density = draw_weighted(source.at(row["noise"]), step, self.market.n_factors, self.market.n_uniforms, density)
            earlier, states = states, self.market.step(states, row, normals, uniforms)
            row = self.market.settle(earlier, states, row)
            before, quotes = quotes, self.market.quotes(states, step + 1)
            surprise = lambda asset: quotes[asset].spot - before[asset].spot * self.market.growth(asset, step)  # noqa: E731
            books = {name: self._end_day(name, books[name], *traded[name], row, quotes, surprise, step + 1) for name in books}
            density = stop_density(source, density, lambda name: books[name].account.wealth / self.study.wealth)
            return (states, books, density), ((states, books) if trace else None)

        rows = self.market.rows | {"step": jnp.arange(self.calendar.steps), "noise": source.rows}
        if checkpoint:
            (states, books, density), records = jax.lax.scan(jax.checkpoint(body, prevent_cse=False), first, rows)
        else:
            (states, books, density), records = jax.lax.scan(body, first, rows)
        outcomes = {name: self._finish(book) for name, book in books.items()}
        outcomes["market"] = {f"price_{name}": quote.spot for name, quote in self.market.quotes(states, self.calendar.steps).items()}
        outcomes["market"] |= finish_density(source, density)
        return (outcomes, first[:2], records) if trace else outcomes

    def start(self, path: Path, source: Any) -> tuple[Any, dict[str, BookState], Any]:
        """What the path carries from step to step, as it is today: states of the assets, books, the density of its weight."""
        states = self.market.start(path, source)
        quotes = self.market.quotes(states, 0)
        return states, {name: self._open(name, policy, quotes) for name, policy in self.study.books.items()}, start_density(source)

    def _open(self, name: str, policy: AbstractStage, quotes: dict[str, Quote]) -> BookState:
        account = open_account(self.study.wealth, self.slots[name], quotes)
        memory = policy.start(self._seen(name, account, quotes, 0))
        recorded = tuple(r.start(self._day(account, quotes, account, 0.0, 0.0, 0)) for r in self.study.recorders)
        return BookState(account, memory, dict(account.held) if self.study.delay else {}, recorded)

    def _decide_and_trade(self, name: str, book: BookState, quotes: dict[str, Quote], step: Scalar) -> tuple[BookState, Scalar, Scalar]:
        """(the book after its trade, value of underlyings traded, value of the sleeve held over the step)."""
        policy = self.study.books[name]
        account, pending, memory = book.account, book.pending, book.memory
        if self.study.delay:
            account, traded = self._trade(name, account, self._still_alive(name, pending, step), quotes)
            seen = self._seen(name, account, quotes, step)
            pending, memory = policy.act(account.held, seen, memory)
        else:
            seen = self._seen(name, account, quotes, step)
            target, memory = policy.act(account.held, seen, memory)
            account, traded = self._trade(name, account, target, quotes)
        sleeve = seen.sleeve(account.held)
        return BookState(account, memory, pending, book.recorded), traded, sleeve

    def _still_alive(self, name: str, pending: Target, step: Scalar) -> Target:
        """Yesterday's decision less the options that have expired since."""
        alive = dict(pending)
        for slot in self.study.books[name].slots():
            units, terms = pending[slot]
            assert isinstance(terms, Terms)
            alive[slot] = Position(jnp.where(terms.expiry > step, units, 0.0), terms)
        return alive

    def _trade(self, name: str, account: Account, target: Target, quotes: dict[str, Quote]) -> tuple[Account, Scalar]:
        slots = self.slots[name]
        new_marks = {n: self._mark(account, n, s, target[n].terms, quotes) for n, s in slots.items() if isinstance(s, OptionSlot)}
        return trade(account, target, slots, prices(account, slots, quotes), new_marks, self.study.costs)

    def _mark(self, account: Account, name: str, slot: OptionSlot, terms: Any, quotes: dict[str, Quote]) -> Scalar:
        """Price of an option on the target's terms. On most dates these are held already, and so is their price."""

        def fresh() -> Scalar:
            return slot.price(terms, quotes, self.pricers)

        if slot.restrikes:
            return fresh()
        held = account.held[name].terms
        assert isinstance(held, Terms)
        kept = jnp.where(terms.strike == held.strike, account.option_prices[name], jnp.nan)  # a promise that was broken is heard of
        return jax.lax.cond(terms.expiry != held.expiry, jax.checkpoint(fresh), lambda: kept)

    def _end_day(
        self,
        name: str,
        before: BookState,
        after: BookState,
        traded: Scalar,
        sleeve: Scalar,
        row: Any,
        quotes: dict[str, Quote],
        surprise: Callable[[str], Scalar],
        step: Scalar,
    ) -> BookState:
        account = advance(after.account, row, step, self.slots[name], quotes, self.pricers)
        day = dataclasses.replace(self._day(account, quotes, before.account, traded, sleeve, step), surprise=surprise)
        recorded = tuple(r.step(state, day) for r, state in zip(self.study.recorders, before.recorded, strict=True))
        return after._replace(account=account, recorded=recorded)

    def _finish(self, book: BookState) -> dict[str, Scalar]:
        day = self._day(book.account, {}, book.account, 0.0, 0.0, self.calendar.steps)
        return {k: v for r, state in zip(self.study.recorders, book.recorded, strict=True) for k, v in r.finish(state, day).items()}

    def _day(self, account: Account, quotes: dict[str, Quote], before: Account, traded: Scalar, sleeve: Scalar, step: Scalar) -> Day:
        return Day(
            step=step,
            dt=self.dt,
            steps=self.calendar.steps,
            steps_per_year=self.study.year_steps,
            start_wealth=self.study.wealth,
            wealth_before=before.wealth,
            traded=traded,
            sleeve=sleeve,
            account=account,
            quotes=quotes,
        )

    def _seen(self, name: str, account: Account, quotes: dict[str, Quote], step: Scalar) -> Seen:
        slots = self.slots[name]

        def quote_option(slot: str, terms: Terms, move: Scalar = 0.0) -> Scalar:
            asset = slots[slot].asset
            moved = quotes | {asset: dataclasses.replace(quotes[asset], spot=quotes[asset].spot + move)}
            return slots[slot].price(terms, moved, self.pricers)

        return Seen(
            step=step,
            time=self.market.times[step],
            dt=self.dt,
            horizon=self.calendar.steps,
            quotes=quotes,
            prices=prices(account, slots, quotes),
            held=account.held,
            wealth=account.wealth,
            cash=account.cash,
            start_wealth=self.study.wealth,
            high_water=account.high_water,
            costs=account.costs,
            cost_terms=self.study.costs,
            risky=self.assets,
            width=self.study.width,
            quote_option=quote_option,
        )
