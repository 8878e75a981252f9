"""One path of a replay, a date at a time, by the pieces that the scan of a run is made of: trade, and move once the next close is known."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from mcengine._model import replace
from mcengine.engine import program
from mcengine.engine.book import BookState, book_slots
from mcengine.engine.explained import Explained
from mcengine.engine.path import Simulation
from mcengine.engine.recorder import AbstractRecorder, Day
from mcengine.engine.study import Study
from mcengine.history.days import Days
from mcengine.instrument import BUCKETS, ContractSlot, VarianceSwap, totals
from mcengine.instrument.expiries import within
from mcengine.ledger import prices
from mcengine.market import Replay
from mcengine.market.historical import START
from mcengine.noise import Path, make_key

BOOK = "policy"
WEEKDAYS = range(240, 263)
"""Rows a year of data on weekdays, holidays left out or not."""

GREEKS = ("delta", "gamma", "vega", "theta", "vanna", "volga")


@dataclass(frozen=True)
class AskForGreeks(AbstractRecorder):
    """Records nothing; marks carry the Greeks that a monitor prints."""

    needs = GREEKS

    def start(self, day: Day) -> tuple[()]:
        return ()

    def step(self, state: Any, day: Day) -> tuple[()]:
        return ()

    def finish(self, state: Any, day: Day) -> dict[str, Any]:
        return {}


class Traded(NamedTuple):
    """What a book did at a date.

    Args:
        wealth: After the trade, currency.
        cash: After the trade, currency.
        costs: Of the trade, currency.
        before: Units by slot before it.
        units: Units by slot after it.
        rolled: By slot, whether what was held was closed and another contract opened.
        closed: Price of a unit by slot, of what was held before it.
        prices: Of a unit by slot, after it.
        terms: By slot, of the contract held after it.
        greeks: Of the book after it.
        by_expiry: The same of contracts by years to expiry (see ``instrument.BUCKETS``).
        told: What its stages say.
    """

    wealth: Any
    cash: Any
    costs: Any
    before: dict[str, Any]
    units: dict[str, Any]
    rolled: dict[str, Any]
    closed: dict[str, Any]
    prices: dict[str, Any]
    terms: dict[str, Any]
    greeks: dict[str, Any]
    by_expiry: dict[str, dict[str, Any]]
    told: dict[str, Any]


def padded(days: Days, first: int, known: int, steps: int) -> Days:
    """Rows up to the close ``known`` and from there on nothing that moves, of the length that a window of ``steps`` from ``first`` needs.

    Args:
        days: All there are.
        first: The close the book opens at.
        known: The last close that is known.
        steps: Of the window.
    """
    rows = np.minimum(np.arange(first + steps + 1), known)
    closes = np.asarray(days.closes)[rows]
    moves = np.concatenate([np.zeros((len(rows) - 1, len(days.names))), closes[1:]], axis=1)
    moves[: min(known, len(moves))] = np.asarray(days.moves)[: min(known, len(moves))]
    dates = np.asarray(days.dates)[rows]
    dates[known:] = ahead(dates[min(known, len(dates) - 1)], max(len(rows) - known, 0), days.per_year)
    return replace(
        days, moves=moves, closes=closes, dates=dates, notes=(), remarks=()
    )  # notes speak of the rows there are: static, they compile anew


def ahead(day: float, count: int, per_year: int) -> np.ndarray:
    """Dates of rows that are still to come, the first known: weekdays where a year has about as many, else equally far apart.

    Args:
        day: Days since 1970.
        count: Of dates, the known one included.
        per_year: Rows a year.
    """
    if per_year in WEEKDAYS:
        return np.busday_offset(np.datetime64(int(day), "D"), np.arange(count), roll="forward").astype(int).astype(float)
    return day + np.round(np.arange(count) * 365.25 / per_year)


class Pieces:
    """Programs of one book's day, compiled once.

    Args:
        study: On a replay of ``padded`` days.
    """

    def __init__(self, study: Study) -> None:
        self.key = make_key(0, "test")
        self.on(study)

    def on(self, study: Study) -> None:
        """Go on with other numbers of the same study: days that have come in.

        Args:
            study: On a replay of ``padded`` days.
        """
        self._numbers = program.as_arrays(study)

    def open(self) -> Any:
        """What the path carries on its first date: states of the market, signals, the book, all in cash."""
        return self._call("open", _open, self.key)

    def trade(self, carried: Any, step: int) -> tuple[BookState, Traded]:
        """(the book after its trade, what it did).

        Args:
            carried: As it is at the date.
            step: Index of the date.
        """
        return self._call("trade", _trade, carried, np.int32(step))

    def move(self, carried: Any, after: BookState, step: int) -> Any:
        """What is carried to the next date.

        Args:
            carried: As it was at the date.
            after: The book after its trade.
            step: Index of the date.
        """
        return self._call("move", _move, carried, after, np.int32(step))

    def _call(self, name: str, fn: Any, *arguments: Any) -> Any:
        found = program.compiled(("monitor", name), fn, self._numbers, *arguments).call(self._numbers, *arguments)
        return jax.tree.map(np.asarray, found)


def _open(study: Study, key: Any) -> Any:
    path = Path(jnp.uint32(0), jnp.uint32(0))
    return Simulation(study).start(path, study.noise.begin(key, path, study.steps, 0))[:3]


def _row(simulation: Simulation, step: Any) -> Any:
    return jax.tree.map(lambda table: jnp.asarray(table)[step], simulation.rows())


def _trade(study: Study, carried: Any, step: Any) -> tuple[BookState, Traded]:
    simulation = Simulation(study)
    book, before = simulation.books[BOOK], carried[2][BOOK].account
    book.told = {}
    row = simulation.dated(_row(simulation, step), carried[0])
    after, made, _ = simulation.trade(carried, row)[BOOK]
    held, quotes = after.account.held, simulation.market.quotes(carried[0], step)
    expiries = {n: dates.held.expiry for n, dates in row["dates"][BOOK].items()}

    def greeks(bucket: str = "") -> dict[str, Any]:
        units = within(bucket, {n: one.units for n, one in held.items()}, expiries, step, simulation.dt)
        return totals({n: book.slots[n] for n in units}, units, {n: held[n].mark for n in units}, GREEKS).values

    return after, Traded(
        after.account.wealth,
        after.account.cash,
        before.wealth - after.account.wealth,
        {n: one.units for n, one in before.held.items()},
        {n: one.units for n, one in held.items()},
        {n: made.legs[n].closed > 0.0 for n in book.contracts},
        prices(before.held, book.slots, quotes),
        prices(held, book.slots, quotes),
        {n: book.contracts[n].by_name(held[n].terms) for n in book.contracts},
        greeks(),
        {bucket: greeks(bucket) for bucket in (BUCKETS if book.contracts else ())},
        dict(book.told),
    )


def _move(study: Study, carried: Any, after: BookState, step: Any) -> Any:
    simulation = Simulation(study)
    return simulation.move(carried, {BOOK: (after, None, 0.0)}, _row(simulation, step), ((), ()))


class Real(NamedTuple):
    """What turns a window, whose spots begin at 100, into the prices of the feed; amounts of currency are the same in both.

    Args:
        assets: Price on the first date over 100, by asset.
        slots: The same of a unit of each slot.
    """

    assets: dict[str, float]
    slots: dict[str, float]

    def shown(self, made: Traded) -> Traded:
        """What a book did, in units and prices of the feed.

        Args:
            made: In those of the window.
        """
        units = lambda by: {n: x / self.slots[n] for n, x in by.items()}  # noqa: E731
        worth = lambda by: {n: x * self.slots[n] for n, x in by.items()}  # noqa: E731
        terms = {n: {key: x * self.assets.get(key.removeprefix("written_on_"), self.slots[n]) for key, x in t.items()} for n, t in made.terms.items()}
        power = {"delta": 1, "gamma": 2, "vanna": 1}
        greeks = lambda some: {g: {a: x / self.assets[a] ** power[g] for a, x in by.items()} if g in power else by for g, by in some.items()}  # noqa: E731
        return made._replace(
            before=units(made.before),
            units=units(made.units),
            closed=worth(made.closed),
            prices=worth(made.prices),
            terms=terms,
            greeks=greeks(made.greeks),
            by_expiry={bucket: greeks(some) for bucket, some in made.by_expiry.items()},
        )


def real(study: Study, first: int) -> Real:
    """Of a study on a replay that begins at the close ``first``; a contract on no price's level keeps its units.

    Args:
        study: On a replay of ``padded`` days.
        first: The close.

    Raises:
        ValueError: For a contract struck at prices of the window, which the feed does not have.
    """
    assets = {name: study.market.days.level(name, first) / START for name in study.market.assets}
    slots = book_slots(study.books[BOOK], tuple(assets))
    own = {name: isinstance(slot, ContractSlot) and not slot.relative for name, slot in slots.items()}
    for name, slot in slots.items():
        if isinstance(slot, ContractSlot) and own[name] and slot.assets and not isinstance(slot.contract, VarianceSwap):
            kind = type(slot.contract).__name__
            raise ValueError(f"monitor: slot {name!r}: expected a contract of relative strikes, as the feed's prices do not begin at 100, got {kind}")
    return Real(assets, {name: 1.0 if own[name] or not slot.assets else assets[slot.assets[0]] for name, slot in slots.items()})


def study_of(policy: Any, market: Replay, **settings: Any) -> Study:
    """The study whose only path is followed; marks carry what a monitor prints.

    Args:
        policy: The rule.
        market: A replay of ``padded`` days.
        settings: Costs, years, steps, wealth and delay of ``Study``.
    """
    return Study(market, policy, recorders=(AskForGreeks(), Explained()), **settings)


def explained(carried: Any) -> dict[str, Any]:
    """What the book has gained over the step that ended last, by the parts of ``engine.Explained``, currency.

    Args:
        carried: As it is at the date.
    """
    return carried[2][BOOK].recorded[-1].today
