"""European options, cash-settled, rolled on the dates of a schedule. The strike is the rule's."""

from collections.abc import Mapping
from typing import Any, ClassVar

import jax.numpy as jnp

from mcengine._model import Scalar, model, static
from mcengine.instrument.base import check_word
from mcengine.instrument.european import payoff
from mcengine.instrument.exactness import check_optioned
from mcengine.instrument.schedule import AbstractSchedule, Life, ToHorizon
from mcengine.instrument.slot import AbstractSlot, Position, Quotes
from mcengine.pricing import KINDS


@model
class OptionSlot(AbstractSlot):
    """One call or put at a time; its terms are the strike (currency).

    Args:
        kind: "call" or "put".
        asset: Name of the underlying.
        schedule: When it is rolled, and to which expiry.
        restrikes: Whether the strike may change on any date, which costs a second price on every date.

    Raises:
        ValueError: For another kind.

    Example:
        >>> import mcengine as mc
        >>> slot = mc.instrument.OptionSlot("put", "equity", mc.instrument.Rolled(tenor=63, roll=21))
        >>> slot.schedule.dates(steps=252).rolls[:22].nonzero()[0]
        array([ 0, 21])
    """

    kind: str = static()
    asset: str = static()
    schedule: AbstractSchedule = static(default=ToHorizon())
    restrikes: bool = static(default=False)

    cost_class: ClassVar[str] = "option"
    premium: ClassVar[bool] = True

    def canonical(self) -> dict[str, Any]:
        check_word("OptionSlot.kind", self.kind, KINDS)
        return {}

    def validate(self, where: str, setting: Any) -> None:
        AbstractSlot.validate(self, where, setting)
        check_optioned(setting.market, self.asset, where)

    def terms(self, quotes: Quotes, life: Life) -> Scalar:
        """At the money."""
        return quotes[self.asset].spot

    def settle(self, held: Position, quotes: Quotes, row: Any, life: Life) -> tuple[Any, Scalar]:
        quote = quotes[self.asset]
        return (), jnp.where(life.expiry == quote.step, held.units * payoff(self.kind, quote.spot, held.terms), 0.0)

    def price(self, terms: Scalar, state: Any, quotes: Quotes, pricers: Mapping[str, Any], life: Life) -> Scalar:
        return pricers[self.asset].option(self.kind, terms, life.expiry, quotes[self.asset])

    def by_name(self, terms: Any) -> dict[str, Any]:
        return {"strike": terms}
