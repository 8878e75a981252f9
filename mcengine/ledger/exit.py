"""What it costs to close the book at the horizon; without it a book is worth its marks."""

from typing import Annotated, Any, ClassVar

import jax.numpy as jnp

from mcengine._model import model
from mcengine.ledger.base import AbstractCost, Holding, total_cost


@model
class Exit(AbstractCost):
    """``cost`` of trading every position to zero, paid at the horizon.

    Args:
        cost: Any cost of trades.
    """

    cost: Annotated[Any, AbstractCost]

    def canonical(self) -> dict[str, Any]:
        if not isinstance(self.cost, AbstractCost):
            raise ValueError(f"Exit.cost: expected a cost such as Proportional, got {type(self.cost).__name__}")
        return {}

    names: ClassVar[tuple[str, ...]] = ("exit",)

    @property
    def needs(self) -> tuple[str, ...]:  # type: ignore[override]
        return self.cost.needs

    def on_hold(self, holding: Holding) -> dict[str, Any]:
        return {"exit": jnp.where(holding.last, total_cost(self.cost.on_trade(holding.closing)), 0.0)}
