"""Slots: what a book can hold. Each holds one contract at a time.

Dates are the slot's ``schedule``, the same for all paths; ``terms`` (a strike) are the rule's, chosen on roll dates; ``state`` (an average, the last
settlement) is the ledger's. A new kind: one class, one line in ``__init__``, one row in the family's test table.
"""

import abc
from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple, TypeAlias

from mcengine._model import Scalar, model, static
from mcengine.instrument.schedule import AbstractSchedule, Life
from mcengine.pricing import Quote

Quotes: TypeAlias = Mapping[str, Quote]
Target: TypeAlias = dict[str, Scalar]
"""Units wanted, by slot."""

COST_CLASSES = ("underlying", "option", "linear")
"""What a slot's trades pay by: the value traded, the premium, the notional of forwards and futures."""


class Mark(NamedTuple):
    """What one unit is worth, and those of its Greeks that the book needs, by name."""

    price: Scalar
    greeks: dict[str, Any]


class Position(NamedTuple):
    """``units`` held, on ``terms``, in a ``state``, and their ``mark``; of the underlying only units."""

    units: Scalar
    terms: Any = ()
    state: Any = ()
    mark: Mark | tuple[()] = ()


class AbstractSlot(abc.ABC):
    """One contract in the loop, on one asset unless it says otherwise."""

    asset: str
    cost_class: ClassVar[str]
    premium: ClassVar[bool]
    """Whether it is bought for a premium, for which the sleeve makes room; else cash pays and is paid."""
    schedule: AbstractSchedule | None
    restrikes: bool = False
    """Whether terms may change on any date, which costs a second price on every date."""

    @property
    def assets(self) -> tuple[str, ...]:
        """The assets its price reads."""
        return (self.asset,)

    def validate(self, where: str, setting: Any) -> None:  # noqa: B027  (most slots fit every study)
        """Raise ``ValueError`` where it does not fit the study; ``where`` is what the message begins with."""

    def terms(self, quotes: Quotes, life: Life) -> Any:
        """What it is opened on where the rule does not say."""
        return ()

    def open(self, terms: Any, quotes: Quotes, life: Life) -> Any:
        """State of a contract opened now."""
        return ()

    @abc.abstractmethod
    def settle(self, held: Position, quotes: Quotes, row: Any, life: Life) -> tuple[Any, Scalar]:
        """(state, cash that the units held pay) on the date after a step: income, variation margin, payoff."""

    @abc.abstractmethod
    def price(self, terms: Any, state: Any, quotes: Quotes, pricers: Mapping[str, Any], life: Life) -> Scalar:
        """Worth of one unit now, currency."""

    def by_name(self, terms: Any) -> dict[str, Any]:
        """Terms by name, for traces."""
        return {}

    def notional(self, quotes: Quotes) -> Scalar:
        """What one unit moves like, currency: for costs and limits."""
        return quotes[self.asset].spot

    def margin(self, quotes: Quotes) -> Scalar:
        """Margin that one unit, long or short, must post, currency."""
        return 0.0


@model
class Underlying(AbstractSlot):
    """The asset itself.

    Args:
        asset: Its name in the market.
    """

    asset: str = static()

    cost_class: ClassVar[str] = "underlying"
    premium: ClassVar[bool] = False
    schedule: ClassVar[AbstractSchedule | None] = None  # type: ignore[misc]

    def settle(self, held: Position, quotes: Quotes, row: Any, life: Life) -> tuple[Any, Scalar]:
        return (), held.units * quotes[self.asset].spot * row["income"][self.asset]

    def price(self, terms: Any, state: Any, quotes: Quotes, pricers: Mapping[str, Any], life: Life) -> Scalar:
        return quotes[self.asset].spot
