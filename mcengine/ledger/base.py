"""What every cost is: paid on a trade, or while a position is held. A new one: one file here, one line in ``__init__``, one yaml, one row in the
family's test table.
"""

import abc
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from mcengine._model import Scalar
from mcengine.instrument import AbstractSlot, Mark, Position
from mcengine.pricing import Quote


@dataclass(frozen=True)
class Leg:
    """One slot's part in a trade. A change of units on unchanged terms is all in ``opened``; no amount is negative.

    Args:
        slot: What is traded.
        closed: Units closed.
        opened: Units opened.
        closed_value: Worth of the units closed, currency.
        opened_value: Worth of the units opened, currency.
        notional: Of one unit, currency.
        quote: Of its asset; None for a contract on the rate.
        closed_mark: Price and Greeks of one unit closed; empty for an underlying.
        opened_mark: Price and Greeks of one unit opened; empty for an underlying.
    """

    slot: AbstractSlot
    closed: Scalar
    opened: Scalar
    closed_value: Scalar
    opened_value: Scalar
    notional: Scalar
    quote: Quote | None
    closed_mark: Mark | tuple[()]
    opened_mark: Mark | tuple[()]

    @property
    def value(self) -> Scalar:
        """Worth of all that is traded."""
        return self.opened_value if self.slot.schedule is None else self.closed_value + self.opened_value

    @property
    def units(self) -> Scalar:
        """Units traded, closed and opened."""
        return self.opened if self.slot.schedule is None else self.closed + self.opened

    def vegas(self) -> tuple[Scalar, Scalar]:
        """Vega of a unit closed and of a unit opened, on one volatility, none negative."""
        closed, opened = (sum(abs(v) for v in mark.greeks["vega"].values()) for mark in (self.closed_mark, self.opened_mark))  # type: ignore[union-attr]
        return closed, opened


@dataclass(frozen=True)
class Trade:
    """What a book trades on one date.

    Args:
        legs: By slot.
        dt: Years of a step.
    """

    legs: dict[str, Leg]
    dt: Scalar

    def of(self, *cost_classes: str) -> list[Leg]:
        """The legs of some cost classes.

        Args:
            cost_classes: Among ``instrument.slot.COST_CLASSES``.
        """
        return [leg for leg in self.legs.values() if leg.slot.cost_class in cost_classes]

    @property
    def turnover(self) -> Scalar:
        """Value of underlyings traded and notional of forwards and futures, currency."""
        value = sum((leg.value for leg in self.of("underlying")), start=0.0)
        return sum((leg.units * leg.notional for leg in self.of("linear")), start=value)


@dataclass(frozen=True)
class Holding:
    """What a book has held over a step, at its end and before what expired is taken out.

    Args:
        slots: By name.
        held: Positions by slot.
        prices: Of a unit, by slot, currency.
        margins: That a unit must post, by slot, currency.
        cash: Over the step, currency.
        dt: Years of the step.
        last: Whether the step ends at the horizon.
        closing: The trade that would close everything.
    """

    slots: Mapping[str, AbstractSlot]
    held: Mapping[str, Position]
    prices: Mapping[str, Scalar]
    margins: Mapping[str, Scalar]
    cash: Scalar
    dt: Scalar
    last: Scalar
    closing: Trade


class AbstractCost(abc.ABC):
    """A cost of trading or holding, reported by name; a method that is not overridden costs nothing."""

    names: ClassVar[tuple[str, ...]]
    """All it ever reports."""
    needs: ClassVar[tuple[str, ...]] = ()
    """Greeks of what is traded that it reads."""
    linear: ClassVar[bool] = True
    """Whether trading s times as much costs s times as much; else the units that an overlay can pay for are found by iteration."""
    carried: ClassVar[tuple[str, ...]] = ()
    """Names that are the price of holding, as interest and fees: where a day's gain is explained they are carry."""

    def on_trade(self, trade: Trade) -> dict[str, Scalar]:
        """Cost of a trade.

        Args:
            trade: What is traded on one date.

        Returns:
            Currency, by name.
        """
        return {}

    def on_hold(self, holding: Holding) -> dict[str, Scalar]:
        """Cost of what was held over a step.

        Args:
            holding: Positions, prices and cash at its end.

        Returns:
            Currency, by name.
        """
        return {}


def total_cost(costs: Mapping[str, Scalar]) -> Scalar:
    """Sum of costs.

    Args:
        costs: By name, currency.
    """
    return sum(costs.values(), start=0.0)


def added(so_far: Mapping[str, Scalar], paid: Mapping[str, Scalar]) -> dict[str, Scalar]:
    """Costs so far with what is paid now; names not reported stay."""
    unknown = sorted(set(paid) - set(so_far))
    if unknown:
        raise ValueError(f"costs: expected names {', '.join(so_far)}, got {', '.join(unknown)}; add them to the cost's names")
    return {name: value + paid[name] if name in paid else value for name, value in so_far.items()}
