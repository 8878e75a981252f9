"""``Monitor``: a policy in use, followed day by day on a feed."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np

from mcengine._model import replace
from mcengine._spelling import near
from mcengine.engine.identity import plain
from mcengine.ledger import AbstractCost, Proportional
from mcengine.market import Replay
from mcengine.monitor.day import BOOK, Pieces, Real, Traded, explained, padded, real, study_of
from mcengine.monitor.saved import Saved, digest, from_json, to_json

FEWEST = 63
"""Rows before a book opens: what is known of an asset's variance by then no longer changes with what comes after."""


class Monitor:
    """A policy in use: on every day of a feed it decides as a back-test does, and says what it holds, orders and sees.

    Args:
        policy: The rule, as a ``Study`` takes it.
        start: Date from which the book may open, like 2008-01-02.
        folder: Where its state and lines are kept; None to keep nothing.
        costs: What trading and holding cost.
        years: To the horizon.
        steps: To the horizon; None for as many as the feed has rows.
        wealth: Starting wealth, currency.
        delay: Dates from decision to trade.
        gap: Most days from one row to the next; a longer hole is refused.

    Raises:
        ValueError: The folder is another monitor's, damaged, or in use.

    Example:
        >>> import mcengine as mc
        >>> rule = mc.policy.chain(mc.policy.Mix(equity=0.6), mc.policy.Cppi(floor=0.9), mc.policy.Band(0.01))
        >>> watched = mc.monitor.Monitor(rule, start="2008-01-02", years=0.25)
        >>> days = watched.update(mc.market.Replay.from_history({"equity": "spx"}, end="2008-01-10"))
        >>> len(days), days[0]["date"], days[0]["orders"]["equity"]["units"] > 0.0
        (7, '2008-01-02', True)
    """

    def __init__(
        self,
        policy: Any,
        start: str,
        folder: str | Path | None = None,
        *,
        costs: AbstractCost = Proportional(),  # noqa: B008 (frozen)
        years: float = 1.0,
        steps: int | None = None,
        wealth: float = 1.0,
        delay: int = 0,
        gap: int = 10,
    ) -> None:
        try:
            self.start = str(np.datetime64(start, "D"))
        except ValueError:
            raise ValueError(f"monitor.start: expected a date like 2008-01-02, got {start!r}") from None
        self.policy, self.steps, self.gap = policy, steps, gap
        self._settings = {"costs": costs, "years": years, "wealth": wealth, "delay": delay}
        told = {**plain(policy, "policy"), **plain(costs, "costs"), "years": years, "wealth": wealth, "delay": delay, "start": self.start}
        self._saved = None if folder is None else Saved(folder, digest(np.frombuffer(json.dumps(told, sort_keys=True).encode(), np.uint8)))
        self._pieces: Pieces | None = None
        self._carried: Any = None  # at the last date, before its trade
        self._after: Any = None  # the book after it
        self._prices: dict[str, Any] = {}
        self._real: Real | None = None
        self._step, self._days, self._rows, self._date, self._market = -1, 0, "", "", ""

    @property
    def date(self) -> str:
        """The last date that was followed; empty before the first."""
        return self._date

    def update(self, market: Replay, most: int | None = None) -> list[dict[str, Any]]:
        """Follow the feed as far as it goes.

        Args:
            market: A replay of all that the feed has; rows already followed must be what they were.
            most: Days at most; None for all there are.

        Returns:
            One dict a new day, in currency and in units and prices of the feed: date, step, wealth, cash, cost, units, orders, prices, terms, greeks,
            by_expiry (the Greeks of contracts by years to expiry), told, and from the second day gained: the parts of the wealth gained since the day
            before, as ``engine.Explained`` has them: from before that day's trade to before this one's, where wealth is after the trade.

        Raises:
            ValueError: A row that is stale, out of order, changed, or after a hole. Where days before it are new they are returned, and the next
                call refuses it; the book does not move.
        """
        days = market.days
        out: list[dict[str, Any]] = []
        first = int(np.searchsorted(np.asarray(days.dates), int(np.datetime64(self.start, "D").astype(int))))
        if first >= days.count:
            return []
        if first < FEWEST:
            raise ValueError(f"monitor.start: expected at least {FEWEST} rows of the feed before {self.start}, got {first}")
        self._resume(market, first)
        for known in range(first + self._step + 1, days.count):
            if self._step >= self._length(days) or len(out) == most:
                break
            try:
                self._check(days, first, known)
            except ValueError:
                if out:  # the days before it are told first; the next call refuses it
                    break
                raise
            out.append(self._one(market, first, known))
        return out

    def correct(self, *, cash: float | None = None, units: Mapping[str, float] | None = None) -> None:
        """Put the book as it really is in place of what was ordered on the last date.

        Args:
            cash: Currency; None to leave it.
            units: By slot, as they are traded; others stay.

        Raises:
            ValueError: Before the first date, or for a slot that the book has not.
        """
        if self._after is None:
            raise ValueError("monitor.correct: expected a book that has been followed, got none yet")
        account = self._after.account
        for name in units or {}:
            if name not in account.held:
                raise ValueError(f"monitor.correct: unknown slot {name!r}{near(name, account.held)}")
        assert self._real is not None
        like = lambda x, old: np.asarray(x, np.asarray(old).dtype)  # noqa: E731
        given = {n: x * self._real.slots[n] for n, x in (units or {}).items()}
        held = {n: one._replace(units=like(given.get(n, one.units), one.units)) for n, one in account.held.items()}
        prices = self._prices
        cash = float(account.cash) if cash is None else cash
        wealth = cash + sum(float(one.units) * float(prices[n]) for n, one in held.items())
        self._after = self._after._replace(account=account._replace(cash=like(cash, account.cash), held=held, wealth=like(wealth, account.wealth)))
        line = json.dumps({"date": self._date, "corrected": {"cash": cash, "units": dict(units or {}), "wealth": wealth}})
        self._keep(line)

    def close(self) -> None:
        """Let another process follow the same folder."""
        if self._saved is not None:
            self._saved.close()

    def _length(self, days: Any) -> int:
        return round(self._settings["years"] * days.per_year) if self.steps is None else self.steps

    def _made(self, market: Replay, first: int, known: int) -> Any:
        steps = self._length(market.days)
        window = replace(market, days=padded(market.days, first, known, steps), first=float(first), last=float(first), period="")
        return study_of(self.policy, window, steps=steps, **self._settings)

    def _resume(self, market: Replay, first: int) -> None:
        """Open the book, or find it as it was left."""
        if self._pieces is None:
            made = self._made(market, first, first)
            self._pieces, self._real = Pieces(made), real(made, first)
            self._carried = self._pieces.open()
            state = None if self._saved is None else self._saved.state
            if state is not None:
                book = self._carried[2][BOOK]
                like = (self._carried, book, dict.fromkeys(book.account.held, book.account.cash))
                self._carried, self._after, self._prices = from_json(state["carried"], like)
                self._step, self._days, self._rows, self._date = state["step"], state["days"], state["rows"], state["date"]
                self._market = state.get("market", "")  # of a folder begun before it was kept
        if self._market not in ("", _priced(market, self._date)):
            raise ValueError(f"the feed: expected the assets, surface and events announced up to {self._date} as they were when followed, got others")
        if self._step >= 0:
            known = first + self._step
            if market.days.count <= known or self._digest(market.days, known) != self._rows:
                raise ValueError(f"the feed: expected the rows up to {self._date} as they were when they were followed, got others")

    def _check(self, days: Any, first: int, known: int) -> None:
        """Refuse a row that cannot be today's."""
        dates, day = np.asarray(days.dates), days.day(known)
        if known > first:
            hole = int(dates[known] - dates[known - 1])
            if hole <= 0:
                raise ValueError(f"the feed: expected a row after {days.day(known - 1)}, got {day}")
            if hole > self.gap:
                raise ValueError(f"the feed: expected a row at most {self.gap} days after {days.day(known - 1)}, got {day}; monitor.gap allows more")
            if _still(days, known):
                raise ValueError(f"the feed: expected prices of {day}, got those of {days.day(known - 1)} again")

    def _one(self, market: Replay, first: int, known: int) -> dict[str, Any]:
        assert self._pieces is not None
        assert self._real is not None
        self._pieces.on(self._made(market, first, known))
        step, last = self._step + 1, self._length(market.days)
        if self._step >= 0:
            self._carried = self._pieces.move(self._carried, self._after, self._step)
        day = market.days.day(known)
        if step < last:
            self._after, made = self._pieces.trade(self._carried, step)
            self._prices = made.prices
            said = _said(day, step, self._real.shown(made))
            said |= {"gained": _numbers(explained(self._carried))} if step else {}
        else:
            account = self._carried[2][BOOK].account
            said = {"date": day, "step": step, "wealth": float(account.wealth), "cash": float(account.cash), "ended": True}
            said |= {"gained": _numbers(explained(self._carried))}
        self._step, self._date, self._rows = step, day, self._digest(market.days, known)
        self._market = _priced(market, day)
        self._keep(json.dumps(said))
        return said

    def _keep(self, line: str) -> None:
        self._days += 1
        if self._saved is not None:
            cash = np.asarray(self._after.account.cash)
            prices = {name: np.asarray(price, cash.dtype) for name, price in self._prices.items()}
            carried = to_json((self._carried, self._after, prices))
            facts = {"start": self.start, "date": self._date, "days": self._days, "step": self._step, "rows": self._rows}
            facts["market"] = self._market
            self._saved.write({**facts, "carried": carried, "line": line})

    @staticmethod
    def _digest(days: Any, known: int) -> str:
        return digest(np.asarray(days.dates)[: known + 1], np.asarray(days.moves)[:known], np.asarray(days.closes)[: known + 1])


def _priced(market: Replay, day: str) -> str:
    """Of what the feed is read as: its assets, what prices options, and the events announced up to a day, for more may be announced later."""
    events = [[name, [date for date in dates if date <= day]] for name, dates in market.announced]
    known = {**plain([market.days.names, market.surface], "market"), "announced": [one for one in events if one[1]]}
    return digest(np.frombuffer(json.dumps(known, sort_keys=True).encode(), np.uint8))


def _still(days: Any, known: int) -> bool:
    """Whether nothing that is quoted moved: prices, volatility indices, the rate. One price alone may close twice at the same level."""
    quoted = [i for i, series in enumerate(days.series) if series.volatility is not None]
    before, now = (np.asarray(days.closes)[k][[*quoted, -1]] for k in (known - 1, known))
    return not np.any(np.asarray(days.moves)[known - 1, : len(days.names)]) and bool(np.all(before == now)) and len(days.names) + len(quoted) > 1


def _numbers(tree: Any) -> Any:
    return jax.tree.map(lambda x: round(float(x), 10), tree)


def _held(by_expiry: dict[str, Any]) -> dict[str, Any]:
    """Without buckets in which nothing is held."""
    return {bucket: greeks for bucket, greeks in by_expiry.items() if any(float(x) for x in jax.tree.leaves(greeks))}


def _said(day: str, step: int, made: Traded) -> dict[str, Any]:
    orders: dict[str, Any] = {}
    for name, units in made.units.items():
        before, after = float(made.before[name]), float(units)
        if name in made.rolled and bool(made.rolled[name]):
            value = after * float(made.prices[name]) - before * float(made.closed[name])
            orders[name] = {"close": before, "open": after, "value": value, **_numbers(made.terms[name])}
        elif after != before:
            orders[name] = {"units": after - before, "value": (after - before) * float(made.prices[name]), **_numbers(made.terms.get(name, {}))}
    shown = {"units": made.units, "prices": made.prices, "greeks": made.greeks, "by_expiry": _held(made.by_expiry), "told": made.told}
    facts = {"wealth": made.wealth, "cash": made.cash, "cost": made.costs}
    return {"date": day, "step": step, **_numbers(facts), "orders": orders, **_numbers(shown), "terms": _numbers(made.terms)}
