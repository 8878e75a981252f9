"""Slots: what a book can hold. Each holds one contract at a time.

Dates are the slot's ``schedule``, the same for all paths; ``terms`` (a strike) are the rule's, chosen on roll dates; ``state`` (an average, the last
settlement) is the ledger's. A new kind: one class, one line in ``__init__``, one row in the family's test table.
"""

import abc
from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple, TypeAlias

from mcengine._model import Scalar, model, static
from mcengine._spelling import near
from mcengine.instrument.exactness import check_carried
from mcengine.instrument.schedule import AbstractSchedule, Life
from mcengine.pricing import Quote

Quotes: TypeAlias = Mapping[str, Quote]
Target: TypeAlias = dict[str, Scalar]
"""Units wanted, by slot."""

COST_CLASSES = ("underlying", "option", "linear")
"""What a slot's trades pay by: the value traded, the premium, the notional of forwards and futures."""


class Mark(NamedTuple):
    """What one unit of a slot is worth.

    Args:
        price: Currency.
        greeks: Of one unit, by name: those that the book needs (see ``Greeks``).
    """

    price: Scalar
    greeks: dict[str, Any]


class Position(NamedTuple):
    """What a slot holds; of the underlying only units.

    Args:
        units: Held, negative if short.
        terms: On which the contract was opened, such as its strike.
        state: Of the contract, such as the price last settled at.
        mark: Price and Greeks of one unit.

    Example:
        >>> import mcengine as mc
        >>> mc.instrument.Position(units=2.0, terms=95.0)
        Position(units=2.0, terms=95.0, state=(), mark=())
    """

    units: Scalar
    terms: Any = ()
    state: Any = ()
    mark: Mark | tuple[()] = ()


class AbstractSlot(abc.ABC):
    """What a book can hold: one contract at a time, on one asset unless a class says otherwise."""

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

    def validate(self, where: str, setting: Any) -> None:
        """Check that the slot fits a study.

        Args:
            where: What an error message begins with.
            setting: The study's ``policy.Setting``.

        Raises:
            ValueError: Where it does not fit.
        """
        for asset in self.assets:
            if asset not in setting.assets:
                raise ValueError(f"{where}: unknown asset {asset!r}{near(asset, setting.assets)}")
            if self.cost_class != "underlying":
                check_carried(setting.market, asset, where)
        if self.cost_class not in COST_CLASSES:
            raise ValueError(f"{where}: expected a cost class {', '.join(COST_CLASSES)}, got {self.cost_class!r}")

    def terms(self, quotes: Quotes, life: Life) -> Any:
        """Terms on which it is opened where the rule does not choose them.

        Args:
            quotes: By asset, today.
            life: Dates of the contract to be opened.
        """
        return ()

    def open(self, terms: Any, quotes: Quotes, life: Life) -> Any:
        """State of a contract opened now.

        Args:
            terms: On which it is opened.
            quotes: By asset, today.
            life: Its dates.
        """
        return ()

    @abc.abstractmethod
    def settle(self, held: Position, quotes: Quotes, row: Any, life: Life) -> tuple[Any, Scalar]:
        """Income, variation margin or payoff on the date after a step.

        Args:
            held: Units, terms and state on the date before.
            quotes: By asset, on this date.
            row: The step's ``interest`` and ``income`` by asset, and whether it is the ``last``.
            life: Dates of the contract.

        Returns:
            (state, cash that the units held pay, currency).
        """

    @abc.abstractmethod
    def price(self, terms: Any, state: Any, quotes: Quotes, pricers: Mapping[str, Any], life: Life) -> Scalar:
        """Worth of one unit now, after settlement.

        Args:
            terms: On which it was opened.
            state: Of the contract.
            quotes: By asset, on this date.
            pricers: By asset, with correlations and rate (see ``joint``).
            life: Dates of the contract.

        Returns:
            Currency.
        """

    def by_name(self, terms: Any) -> dict[str, Any]:
        """Terms by name, for traces.

        Args:
            terms: Of one contract.
        """
        return {}

    def notional(self, quotes: Quotes) -> Scalar:
        """Notional of one unit, for costs and limits.

        Args:
            quotes: By asset, today.

        Returns:
            Currency.
        """
        return quotes[self.asset].spot

    def margin(self, quotes: Quotes) -> Scalar:
        """Margin that one unit, long or short, must post.

        Args:
            quotes: By asset, today.

        Returns:
            Currency.
        """
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
