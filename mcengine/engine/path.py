"""One path, start to finish, in scalars: the scan every program of the engine is made of.

At each date: the market is quoted, each book decides and trades, the market moves, each account is marked, recorders see the day.
Trading first and moving after makes N trades (today's included) and N marks (the horizon's included) in N steps.
"""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from mcengine._model import Scalar
from mcengine.engine.base import AbstractStudy
from mcengine.engine.book import Book, BookState, Moved, Now
from mcengine.market import AbstractSignal
from mcengine.market.scored import LAW, scored
from mcengine.noise import Path, draw_weighted, finish_density, start_density, stop_density
from mcengine.pricing import Quote, prepared


def pricers(study: AbstractStudy) -> dict[str, Any]:
    """Pricers by asset; where contracts are held, made ready for the study's dates."""
    found, calendar, held = study.pricers or study.market.pricers(), study.calendar, optioned(study)
    return {name: prepared(pricer, calendar) if name in held else pricer for name, pricer in found.items()}


def optioned(study: AbstractStudy) -> set[str]:
    """Assets on which some book holds options or other contracts that pricers price."""
    return {asset for policy in study.books.values() for slot in policy.slots().values() if slot.cost_class == "option" for asset in slot.assets}


def tied(books: Mapping[str, Any]) -> dict[str, AbstractSignal]:
    """Signals of all books by name.

    One that several stages name is one, with the mean of their numbers, which are equal: so each has its share of the derivative.
    """
    by_name: dict[str, list[Any]] = {}
    for policy in books.values():
        for name, signal in policy.signals():
            by_name.setdefault(name, []).append(signal)
    return {name: same[0] if len(same) == 1 else jax.tree.map(lambda *x: sum(x) / len(x), *same) for name, same in by_name.items()}


def unrolled() -> int:
    """Steps of a path that are one turn of its loop.

    What a path carries goes through a GPU's memory at every turn: of two steps a turn a run takes 0.68 of the time (H100, volatility target and
    CPPI on three assets, 2^20 paths: 21 ms for 31), of four 0.78, of eight 1.2, and each doubles the compile time. A CPU keeps it in its cache.
    """
    return 1 if jax.default_backend() == "cpu" else 2


class Simulation:
    """A study made ready inside one traced program: all that does not depend on the path is computed once, here.

    Args:
        study: What is simulated.
        share: Where given, the market's density is an outcome (``market.scored``).
    """

    def __init__(self, study: AbstractStudy, share: Scalar | None = None) -> None:
        self.study = study
        self.calendar = study.calendar
        self.market = study.market.prepare(self.calendar)
        if share is not None:
            self.market = scored(self.market, share)
        self.dt = self.market.times[1] - self.market.times[0]
        self.signals = tied(study.books)
        # What contracts on several assets and on the rate are priced by; history has no law of either.
        shared = {**study.market.correlation, "rate": study.market.rate} if hasattr(study.market, "correlation") else {}
        known = {**pricers(study), **shared}
        self.books = {name: Book(study, policy, known, self.dt) for name, policy in study.books.items()}

    def path(self, key: jax.Array, path: Path, *, checkpoint: bool = False, trace: bool = False) -> Any:
        """Outcomes of one path, ``{book: {figure: scalar}}`` with the last prices under ``"market"``; with ``trace`` also every state."""
        source = self.study.noise.begin(key, path, self.calendar.steps, self.market.n_factors)
        first = self.start(path, source)

        def body(carry: Any, row: Any) -> tuple[Any, Any]:
            states, signals, books, density = carry
            traded = self.trade((states, signals, books), row)
            step, drawn = row["step"], (self.market.n_factors, self.market.n_uniforms)
            normals, uniforms, density = draw_weighted(source.at(row["noise"]), step, *drawn, density)
            after = self.move((states, signals, books), traded, row, (normals, uniforms))
            density = stop_density(source, density, lambda name: after[2][name].account.wealth / self.study.wealth)
            return (*after, density), (after if trace else None)

        rows = self.rows() | {"noise": source.rows}
        if checkpoint:
            (states, _, books, density), records = jax.lax.scan(jax.checkpoint(body, prevent_cse=False), first, rows)
        else:
            (states, _, books, density), records = jax.lax.scan(body, first, rows, unroll=unrolled())
        outcomes = {name: self.books[name].outcomes(book) for name, book in books.items()}
        outcomes["market"] = {f"price_{name}": quote.spot for name, quote in self.market.quotes(states, self.calendar.steps).items()}
        outcomes["market"] |= finish_density(source, density) | {name: states[name] for name in (LAW,) if name in states}
        return (outcomes, first[:3], records) if trace else outcomes

    def rows(self) -> dict[str, Any]:
        """What a step reads that does not depend on the path: tables by step."""
        steps = jnp.arange(self.calendar.steps)
        dates = {name: book.dates() for name, book in self.books.items()}
        return self.market.rows | {"step": steps, "dates": dates, "last": steps == self.calendar.steps - 1}

    def trade(self, carried: tuple[Any, Any, dict[str, BookState]], row: Any) -> dict[str, Any]:
        """Every book decides and trades at the date of a row: by name what ``Book.decide_and_trade`` gives."""
        states, signals, books = carried
        row = self.dated(row, states)
        quotes = self.market.quotes(states, row["step"])
        now = lambda name: self._now(name, row["step"], quotes, (states, signals), row)  # noqa: E731
        return {name: self.books[name].decide_and_trade(book, now(name)) for name, book in books.items()}

    def move(self, carried: tuple[Any, Any, dict[str, BookState]], traded: dict[str, Any], row: Any, drawn: tuple[Any, Any]) -> tuple[Any, Any, Any]:
        """The market moves by what was ``drawn``, normals and uniforms, and every account is marked: what is carried to the next date."""
        states, signals, books = carried
        step, row = row["step"], self.dated(row, states)
        before, earlier = self.market.quotes(states, step), states
        states = self.market.step(states, row, *drawn)
        row = self.market.settle(earlier, states, row)
        quotes = self.market.quotes(states, step + 1)
        signals = {name: signal.step(signals[name], before, quotes, self.dt) for name, signal in self.signals.items()}
        increment = lambda asset: quotes[asset].spot - before[asset].spot * self.market.growth(asset, step)  # noqa: E731
        moved = Moved(before, increment, earlier.get("regimes"))
        for name, (after, *made) in traded.items():
            now = self._now(name, step + 1, quotes, (states, signals), row)
            books = books | {name: self.books[name].end(books[name], after, tuple(made), row, now, moved)}
        return states, signals, books

    def start(self, path: Path, source: Any) -> tuple[Any, Any, dict[str, BookState], Any]:
        """What the path carries from step to step, as it is today: states of the assets, of signals, books, the density of its weight."""
        states = self.market.start(path, source)
        quotes = self.market.quotes(states, 0)
        as_float = lambda leaf: jnp.asarray(leaf, jnp.result_type(float))  # noqa: E731
        signals = {name: jax.tree.map(as_float, signal.start(quotes)) for name, signal in self.signals.items()}
        today = {name: jax.tree.map(lambda table: table[0], book.dates()) for name, book in self.books.items()}
        row = self.dated({"step": 0, "dates": today}, states)
        books = {name: book.open(self._now(name, 0, quotes, (states, signals), row)) for name, book in self.books.items()}
        return states, signals, books, start_density(source)

    def dated(self, row: Any, states: Any) -> Any:
        """The row with those dates that are a window's own.

        Args:
            row: Of a step.
            states: The market's at its date.
        """
        dates = {name: row["dates"][name] | book.dates_on_path(states, row["step"]) for name, book in self.books.items()}
        return row | {"dates": dates}

    def _now(self, name: str, step: Scalar, quotes: dict[str, Quote], carried: tuple[Any, Any], row: Any) -> Now:
        states, signals = carried
        values = {key: signal.value(signals[key]) for key, signal in self.signals.items()}
        events = self.market.until_events(states) if hasattr(self.market, "until_events") else {}
        return Now(step, quotes, values, row["dates"][name], lambda shares: self.market.variance_of(shares, quotes, states), events)
