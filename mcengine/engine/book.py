"""One book's day: it is opened, decides, trades, and is marked and recorded at the day's end. It knows nothing of how the market moves.

Rules say on which terms their slots would open, all of these are priced together, then rules say how many units they want.

A book whose wealth is at or below zero at a day's end is ruined: it closes at its marks, free of cost, on the next date and trades no more, and its
wealth, its costs and its turnover stay what they are. Wealth then says so itself, so nothing more is carried.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from types import MappingProxyType
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from mcengine._kernel import in_one_kernel
from mcengine._model import Scalar
from mcengine._spelling import near
from mcengine.engine.base import AbstractStudy
from mcengine.engine.recorder import Day
from mcengine.instrument import GREEKS, AbstractSlot, AroundEvent, Dates, Life, Mark, Position, Quotes, Target, Underlying, groups, marks
from mcengine.instrument.marks import moved
from mcengine.ledger import Account, Trade, advance, open_account, prices, trade
from mcengine.policy import AbstractStage, Seen

_IN_TURN = 8  # kernels of a branch that XLA:CPU runs one after another; more are dealt to threads


class Pending(NamedTuple):
    """Decided at the last date, traded at this one."""

    units: Target
    terms: dict[str, Any]


class BookState(NamedTuple):
    """What one book carries."""

    account: Account
    memory: Any
    pending: Pending | tuple[()]  # nothing without delay
    recorded: tuple[Any, ...]


class Now(NamedTuple):
    """What a book is shown of a date: its index, quotes by asset, values of signals, its slots' dates, the variance a year of a mix by shares, and
    steps to and since events of history."""

    step: Scalar
    quotes: Quotes
    signals: Mapping[str, Any]
    dates: Mapping[str, Dates]
    variance_of: Callable[[dict[str, Scalar]], Scalar]
    events: Mapping[str, tuple[Scalar, Scalar]] = MappingProxyType({})


class Moved(NamedTuple):
    """How the market has moved over a step: quotes at its start, of an asset's price over its expectation, by name, and the regime in force."""

    earlier: Quotes
    increment: Any
    regime: Scalar | None = None


UNSEEN = Moved({}, None)
"""Where no recorder looks at it."""


def book_slots(policy: AbstractStage, assets: tuple[str, ...]) -> dict[str, AbstractSlot]:
    """All a rule can hold, the market's assets first."""
    return {**{asset: Underlying(asset) for asset in assets}, **policy.slots()}


def book_needs(study: AbstractStudy, policy: AbstractStage) -> tuple[str, ...]:
    """Greeks that the marks of a book carry: those that its rule, the costs or a recorder ask for."""
    asked = {*policy.needs, *study.costs.needs, *(name for recorder in study.recorders for name in getattr(recorder, "needs", ()))}
    for name in asked:
        if name not in GREEKS:
            raise ValueError(f"needs: unknown Greek {name!r}{near(name, GREEKS)}")
    return tuple(name for name in GREEKS if name in asked)


class Book:
    """One policy of a study, inside one traced program.

    Args:
        study: Market, costs, dates and recorders.
        policy: The rule.
        pricers: By asset, and what contracts on several need beside them.
        dt: Years of a step.
    """

    def __init__(self, study: AbstractStudy, policy: AbstractStage, pricers: Mapping[str, Any], dt: Scalar) -> None:
        self.study, self.policy, self.pricers, self.dt = study, policy, pricers, dt
        self.assets = tuple(study.market.assets)
        self.slots = book_slots(policy, self.assets)
        self.contracts = {name: slot for name, slot in self.slots.items() if not isinstance(slot, Underlying)}
        self.needs = book_needs(study, policy)
        self.horizon = study.steps
        self.told: dict[str, Scalar] | None = None

    def dates(self) -> dict[str, Dates]:
        """Tables of the slots' dates by step, but of those whose dates are each path's own."""
        common = {name: slot.schedule for name, slot in self.contracts.items() if not isinstance(slot.schedule, AroundEvent)}
        return {name: schedule.dates(self.horizon, self.study.delay) for name, schedule in common.items()}  # type: ignore[union-attr]

    def dates_on_path(self, states: Any, step: Scalar) -> dict[str, Dates]:
        """Dates at one step of the slots that follow history's calendar."""
        by_event = {name: slot.schedule for name, slot in self.contracts.items() if isinstance(slot.schedule, AroundEvent)}
        rows = {name: self.study.market.event_rows(schedule.event) for name, schedule in by_event.items()}
        return {name: schedule.on_path(rows[name], states["place"], step, self.study.delay) for name, schedule in by_event.items()}

    def open(self, now: Now) -> BookState:
        """The book before the first date, all in cash."""
        account = open_account(self.study.wealth, self.slots, now.quotes, self.study.costs, self.needs)
        memory = self.policy.start(self._seen(account, now))
        recorded = tuple(r.start(self._day(account, now.quotes, (account, account), None, 0.0, 0)) for r in self.study.recorders)
        units, terms = ({n: one.units for n, one in account.held.items()}, {n: account.held[n].terms for n in self.contracts})
        return BookState(account, memory, Pending(units, terms) if self.study.delay else (), recorded)

    def decide_and_trade(self, state: BookState, now: Now) -> tuple[BookState, Trade, Scalar]:
        """(the book after its trade, the trade, value of the sleeve held over the step)."""
        account, pending = state.account, state.pending
        if not self.study.delay:
            seen, decided, memory, offered = self._decide(account, state.memory, now)
            units = self._tradable(decided.units, account, now)
            account, made = trade(account, units, offered, seen.rolled or {}, self.slots, now.quotes, self.study.costs)
            return BookState(account, memory, pending, state.recorded), made, _sleeve(seen, account)
        assert isinstance(pending, Pending)
        offered, rolled = self._offer(account, pending.terms, now, traded=True)
        units = self._tradable(pending.units, account, now)
        account, made = trade(account, units, offered, rolled, self.slots, now.quotes, self.study.costs)
        seen, decided, memory, _ = self._decide(account, state.memory, now)
        return BookState(account, memory, decided, state.recorded), made, _sleeve(seen, account)

    def end(self, before: BookState, after: BookState, made: tuple[Trade, Scalar], row: Any, now: Now, moved: Moved = UNSEEN) -> BookState:
        """The book at the end of a step.

        Args:
            before: At its start, before the trade.
            after: After the trade.
            made: The trade and the value of the sleeve.
            row: The step's ``interest``, ``income`` by asset, and whether it is the ``last``.
            now: The date at the step's end; its ``dates`` are those of the trade.
            moved: What recorders see of the market's move.
        """
        lives = lambda held, on: marks({n: self.slots[n] for n in held}, held, now.quotes, self.pricers, on, self.needs)  # noqa: E731
        account = advance(after.account, row, now.dates, self.slots, now.quotes, lives, self.study.costs)
        ruined = before.account.wealth <= 0.0
        still = lambda stopped, moved: jnp.where(ruined, stopped, moved)  # noqa: E731
        cash, wealth = still(before.account.wealth, account.cash), still(before.account.wealth, account.wealth)
        account = account._replace(cash=cash, wealth=wealth, costs=jax.tree.map(still, before.account.costs, account.costs))
        day = self._day(account, now.quotes, (before.account, after.account), made[0], made[1], now.step)
        gain = partial(self._gain, (after.account, account), row, now, moved.earlier)
        day = replace(
            day,
            martingale_increment=moved.increment,
            gain=gain,
            earlier=moved.earlier,
            expiries={name: dates.held.expiry for name, dates in now.dates.items()},
            interest=after.account.cash * row["interest"],
            paid={name: paid - before.account.costs[name] for name, paid in account.costs.items()},
            carried=self.study.costs.carried,
            regime=moved.regime,
        )
        recorded = tuple(r.step(state, day) for r, state in zip(self.study.recorders, before.recorded, strict=True))
        return after._replace(account=account, recorded=recorded)

    def _gain(self, accounts: tuple[Account, Account], row: Any, now: Now, earlier: Quotes, name: str) -> Scalar:
        """Of a slot over a step, from after the trade to the day's end; what has expired there is held no more."""
        slot, held, left = self.slots[name], accounts[0].held[name], accounts[1].held[name]
        if isinstance(slot, Underlying):
            _, paid = slot.settle(held, now.quotes, row, Life(0, 0))
            return paid + held.units * (now.quotes[slot.asset].spot - earlier[slot.asset].spot)
        _, paid = slot.settle(held, now.quotes, row, now.dates[name].held)
        return paid + left.units * left.mark.price - held.units * held.mark.price  # type: ignore[union-attr]

    def outcomes(self, state: BookState) -> dict[str, Scalar]:
        """Figures of the path by name."""
        day = self._day(state.account, {}, (state.account, state.account), None, 0.0, self.horizon)
        return {k: v for r, one in zip(self.study.recorders, state.recorded, strict=True) for k, v in r.finish(one, day).items()}

    def _tradable(self, units: Target, account: Account, now: Now) -> Target:
        """Units wanted; none of what has expired, and none at all once the book is ruined."""
        ruined = account.wealth <= 0.0
        none = {n: ruined | (now.dates[n].held.expiry <= now.step) if n in self.contracts else ruined for n in units}
        return {n: jnp.where(none[n], 0.0, u) for n, u in units.items()}

    def _decide(self, account: Account, memory: Any, now: Now) -> tuple[Seen, Pending, Any, dict[str, Position]]:
        """(what was seen, what is wanted, memory, what was offered)."""
        seen = self._seen(account, now)
        wanted = self.policy.terms(seen, memory)
        _check_names("terms", wanted, self.contracts)
        own = {n: slot.terms(now.quotes, now.dates[n].chosen) for n, slot in self.contracts.items() if n not in wanted}
        terms = {n: _like(account.held[n].terms, wanted.get(n, own.get(n))) for n in self.contracts}
        offered, rolled = self._offer(account, terms, now)
        seen = replace(seen, offered=offered, rolled=rolled)
        start = {n: one.units for n, one in account.held.items()}
        start |= {n: jnp.where(now.dates[n].rolls, 0.0, start[n]) for n in self.contracts}
        target, memory = self.policy.act(start, seen, memory)
        _check_names("target", target, start)
        units = {n: _like(one.units, {**start, **target}[n]) for n, one in account.held.items()}
        return seen, Pending(units, terms), memory, offered

    def _offer(self, account: Account, terms: Mapping[str, Any], now: Now, *, traded: bool = False) -> tuple[dict[str, Position], dict[str, Scalar]]:
        """(the contract each slot would open, whether it opens it): priced anew on roll dates alone, all of one group at once."""
        offered: dict[str, Position] = {}
        rolled: dict[str, Scalar] = {}
        for group in groups(self.contracts):
            lives = {n: now.dates[n].held if traded else now.dates[n].chosen for n in group}
            rolls = {n: now.dates[n].trades if traded else now.dates[n].rolls for n in group}
            fresh = {n: self._opened(slot, terms[n], account.held[n], now.quotes, lives[n]) for n, slot in group.items()}

            def price(group: Any = group, fresh: Any = fresh, lives: Any = lives) -> dict[str, Mark]:
                return marks(group, fresh, now.quotes, self.pricers, lives, self.needs)

            if any(slot.restrikes for slot in group.values()):
                found = price()
                for n in (name for name, slot in group.items() if slot.restrikes):
                    changes = jax.tree.map(jnp.not_equal, terms[n], account.held[n].terms)
                    rolls[n] = jax.tree.reduce(jnp.logical_or, changes, rolls[n])
            else:
                # Kept whole on the way back, where what the price is made of is many; kept by one kernel, as more than eight are dealt to threads.
                some = jnp.any(jnp.stack([jnp.asarray(flag) for flag in rolls.values()]))
                kept = {n: account.held[n].mark for n in group}
                found = jax.lax.cond(some, jax.checkpoint(price), lambda kept=kept: _in_one_kernel(kept))
            offered |= {n: one._replace(mark=found[n]) for n, one in fresh.items()}
            rolled |= rolls
        return offered, rolled

    def _opened(self, slot: AbstractSlot, terms: Any, held: Position, quotes: Quotes, life: Life) -> Position:
        return Position(jnp.zeros_like(held.units), terms, _like(held.state, slot.open(terms, quotes, life)))

    def _day(self, account: Account, quotes: Quotes, earlier: tuple[Account, Account], made: Trade | None, sleeve: Scalar, step: Scalar) -> Day:
        return Day(
            step=step,
            dt=self.dt,
            steps=self.horizon,
            steps_per_year=self.study.year_steps,
            start_wealth=self.study.wealth,
            wealth_before=earlier[0].wealth,
            trade=made,
            sleeve=sleeve,
            account=account,
            held=earlier[1].held,
            quotes=quotes,
            slots=self.slots,
            needs=self.needs,
        )

    def _seen(self, account: Account, now: Now) -> Seen:
        quotes = now.quotes
        ahead = {name: _steps(event, self.dt) - now.step for name, event in getattr(self.study.market, "events", {}).items()}

        def price_of(slot: str, terms: Any, move: Scalar) -> Scalar:
            kind, life = self.slots[slot], now.dates[slot].chosen
            return kind.price(terms, kind.open(terms, quotes, life), moved(quotes, spots={kind.asset: move}), self.pricers, life)

        return Seen(
            step=now.step,
            time=next(iter(quotes.values())).times[now.step],
            dt=self.dt,
            horizon=self.horizon,
            quotes=dict(quotes),
            prices=prices(account.held, self.slots, quotes),
            held=account.held,
            wealth=jnp.where(account.wealth <= 0.0, self.study.wealth, account.wealth),  # a ruined book's rule may still divide by it
            cash=account.cash,
            start_wealth=self.study.wealth,
            high_water=account.high_water,
            costs=account.costs,
            risky=self.assets,
            width=self.study.width,
            slots=self.slots,
            dates=now.dates,
            signals=now.signals,
            events=ahead | {name: until for name, (until, _) in now.events.items()},
            passed={name: -until for name, until in ahead.items()} | {name: since for name, (_, since) in now.events.items()},
            needs=self.needs,
            cost=self.study.costs,
            told=self.told,
            variance_of=now.variance_of,
            price_of=price_of,
        )


def _sleeve(seen: Seen, account: Account) -> Scalar:
    return sum((account.held[name].units * seen.prices[name] for name in seen.risky), start=0.0)


def _check_names(what: str, given: Any, known: Any) -> None:
    for name in given:
        if name not in known:
            raise ValueError(f"{what}: unknown slot {name!r}{near(name, known)}")


def _in_one_kernel(kept: Any) -> Any:
    leaves, tree = jax.tree.flatten(kept)
    if len(leaves) <= _IN_TURN:
        return kept
    return jax.tree.unflatten(tree, in_one_kernel(tuple(leaves)))


def _like(held: Any, new: Any) -> Any:
    """In the dtypes that the scan carries."""
    return jax.tree.map(lambda old, value: jnp.asarray(value, jnp.asarray(old).dtype), held, new)


def _steps(event: Any, dt: Scalar) -> Scalar:
    """Steps from today to an event's date, at whose end it comes."""
    return jnp.maximum(jnp.round(event.date / dt), 1.0)
