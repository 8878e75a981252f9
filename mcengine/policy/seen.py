"""What a rule may see at one date: nothing later."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp

from mcengine._model import Scalar
from mcengine._spelling import near
from mcengine.instrument import AbstractSlot, Dates, Greeks, Position, Target, totals
from mcengine.instrument.expiries import within
from mcengine.ledger import AbstractCost, chosen, order, total_cost
from mcengine.pricing import Quote


@dataclass(frozen=True)
class Seen:
    """What is known at one date. Amounts in currency.

    Args:
        step: Index of the date.
        time: Years from the start.
        dt: Years of one step.
        horizon: Index of the last date.
        quotes: By asset.
        prices: Of one unit of what is held, by slot.
        held: Positions before today's trade, by slot.
        wealth: Cash and positions at their marks.
        cash: Before today's trade.
        start_wealth: Wealth at the start.
        high_water: Highest wealth so far.
        costs: Paid so far, by name.
        risky: Slots of the sleeve: the market's assets.
        width: Of every gate; 0 for the rule as it is.
        slots: By name, underlyings included.
        dates: Of each slot but the underlyings.
        signals: Values by name.
        events: Steps to each announced event, by name.
        passed: Steps since each, by name.
        needs: Greeks that marks carry.
        cost: What trades cost.
        variance_of: Variance a year of a mix of underlyings, by share; read by ``variance``.
        price_of: Price of one unit of a slot on some terms, its asset's spot moved; read by ``price``.
        offered: What each slot would open today, on roll dates alone with a price of its own; see ``on_offer``.
        rolled: Whether each slot opens what it offers, for whatever units are wanted.
        target: Units wanted so far by slot, for triggers.
        told: What stages ``tell`` a monitor today, by name; None where nobody listens.
    """

    step: Scalar
    time: Scalar
    dt: Scalar
    horizon: int
    quotes: dict[str, Quote]
    prices: dict[str, Scalar]
    held: dict[str, Position]
    wealth: Scalar
    cash: Scalar
    start_wealth: Scalar
    high_water: Scalar
    costs: dict[str, Scalar]
    risky: tuple[str, ...]
    width: Scalar
    slots: Mapping[str, AbstractSlot]
    dates: Mapping[str, Dates]
    signals: Mapping[str, Any]
    events: Mapping[str, Scalar]
    passed: Mapping[str, Scalar]
    needs: tuple[str, ...]
    cost: AbstractCost
    variance_of: Callable[[dict[str, Scalar]], Scalar]
    price_of: Callable[[str, Any, Scalar], Scalar]
    offered: Mapping[str, Position] | None = None
    rolled: Mapping[str, Scalar] | None = None
    target: Target | None = None
    told: dict[str, Any] | None = None

    @property
    def first(self) -> Scalar:
        """Whether this is the first date, on which everything is traded."""
        return self.step == 0

    def discount(self, to: Scalar) -> Scalar:
        """Value now of 1 paid at a later date.

        Args:
            to: Index of that date.
        """
        return next(iter(self.quotes.values())).discount(to)

    def rolls(self, slot: str) -> Scalar:
        """Whether a slot opens a new contract today.

        Args:
            slot: Its name.
        """
        return self.dates[slot].rolls if self.rolled is None else self.rolled[slot]

    def price(self, slot: str, terms: Any, move: Scalar = 0.0) -> Scalar:
        """Price of one unit if opened today.

        Args:
            slot: Its name.
            terms: On which it would be opened.
            move: Of its asset's spot, currency.

        Returns:
            Currency.
        """
        return self.price_of(slot, terms, move)

    def tell(self, name: str, value: Any) -> None:
        """Say something to whoever watches the book: whether a trigger fires, the level of a ladder. No path is changed by it.

        Args:
            name: What it is; said twice, it gets a number.
            value: A number, or several by name.
        """
        if self.told is not None:
            again = sum(key == name or key.startswith(f"{name}_") for key in self.told)
            self.told[f"{name}_{again + 1}" if again else name] = value

    def on_offer(self, slot: str) -> Position:
        """The contract that units wanted today are units of.

        Args:
            slot: Its name.
        """
        assert self.offered is not None
        return chosen(self.rolls(slot), self.offered[slot], self.held[slot])

    def trading_cost(self, target: Target) -> Scalar:
        """Cost of the trade that leads from what is held to a target, of its slots alone.

        Args:
            target: Units wanted by slot.

        Returns:
            Currency.
        """
        slots = {name: self.slots[name] for name in target}
        made = order(self.held, target, self.offered or {}, self.rolled or {}, slots, self.quotes)
        return total_cost(self.cost.on_trade(made))

    def ask(self, slot: str, units: Scalar) -> Scalar:
        """What holding a slot's offer takes today, costs included.

        Args:
            slot: Its name.
            units: Wanted, negative to sell.

        Returns:
            Currency, negative where selling brings something in.
        """
        return units * self.on_offer(slot).mark.price + self.trading_cost({slot: units})  # type: ignore[union-attr]

    def greeks(self, target: Target | None = None, *, of: tuple[str, ...] | None = None, bucket: str = "") -> Greeks:
        """Greeks of a book: of ``target``, by default of what is held; of the slots ``of`` alone where named.

        Args:
            target: Units by slot.
            of: Slots that count.
            bucket: Contracts of a target that count, by years to expiry (see ``instrument.BUCKETS``); empty for all, underlyings included.

        Returns:
            Those that some stage, cost or recorder ``needs``.
        """
        if bucket and target is None:
            raise ValueError(f"greeks.bucket: expected a target, whose expiries are known before the trade, got none for {bucket!r}")
        names = tuple(self.slots) if of is None else of
        units = {n: self.held[n].units if target is None else target[n] for n in names}
        marks = {n: self.held[n].mark if target is None or n not in self.dates else self.on_offer(n).mark for n in names}
        units = within(bucket, units, {n: dates.chosen.expiry for n, dates in self.dates.items()}, self.step, self.dt)
        return totals({n: self.slots[n] for n in units}, units, marks, self.needs)

    def until(self, event: str) -> Scalar:
        """Steps to an announced event, 0 on its date, negative once it has passed; of several dates of history to the next.

        Args:
            event: Its name in the market.

        Raises:
            ValueError: For an event that the market does not announce.
        """
        if event not in self.events:
            raise ValueError(f"until: unknown event {event!r}{near(event, self.events)}")
        return self.events[event]

    def since(self, event: str) -> Scalar:
        """Steps since an announced event, 0 on its date, negative before; of several dates of history since the last, far away before the first.

        Args:
            event: Its name in the market.

        Raises:
            ValueError: For an event that the market does not announce.
        """
        self.until(event)
        return self.passed[event]

    def sleeve(self, target: Target) -> Scalar:
        """Value of the underlyings of a target.

        Args:
            target: Units by slot.

        Returns:
            Currency.
        """
        return sum((target[name] * self.prices[name] for name in self.risky), start=0.0)

    def variance(self, target: Target, *, at_first: bool = False) -> Scalar:
        """Variance a year of a target's sleeve, as the market has it; 0 of an empty one.

        Args:
            target: Units by slot.
            at_first: Whether it is asked for on the first date only: on all others it is 0 and costs nothing.
        """
        if at_first:
            return jax.lax.cond(self.first, lambda: self.variance(target), lambda: jnp.zeros_like(self.wealth))
        sleeve = self.sleeve(target)
        whole = jnp.where(sleeve > 0.0, sleeve, 1.0)
        return self.variance_of({name: target[name] * self.prices[name] / whole for name in self.risky})

    def floor_value(self, floor: Scalar) -> Scalar:
        """Present value of a floor due at the horizon.

        Args:
            floor: Fraction of the starting wealth.

        Returns:
            Currency.
        """
        return floor * self.start_wealth * self.discount(self.horizon)

    def scale(self, target: Target, factor: Scalar) -> Target:
        """The target with its sleeve multiplied; the rest goes to cash.

        Args:
            target: Units by slot.
            factor: Of the sleeve.
        """
        return target | {name: target[name] * factor for name in self.risky}

    def wanting(self, target: Target) -> "Seen":
        """The same date, with the target that a trigger may look at.

        Args:
            target: Units wanted so far by slot.
        """
        return replace(self, target=target)

    def drift(self) -> Scalar:
        """Value of the trade in the sleeve from what is held to what is wanted so far, currency."""
        assert self.target is not None
        return sum((jnp.abs(self.target[n] - self.held[n].units) * self.prices[n] for n in self.risky), start=0.0)
