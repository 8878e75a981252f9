"""``Total``: several costs as one."""

from typing import Annotated, Any

from mcengine._model import Scalar, model, number
from mcengine._spelling import numbered
from mcengine.ledger.base import AbstractCost, Holding, Trade


@model
class Total(AbstractCost):
    """The sum of costs; those of one name are added.

    Args:
        costs: Costs, each named after its class: ``costs.proportional.rate``.

    Raises:
        ValueError: For what is no cost.

    Example:
        >>> import mcengine as mc
        >>> costs = mc.ledger.Total(mc.ledger.Proportional(5e-4), mc.ledger.Fixed(1e-5), mc.ledger.Financing(0.01))
        >>> costs.names
        ('underlying', 'option', 'fixed', 'financing')
    """

    costs: dict[str, Any] = number(flat=True)

    def __init__(self, *costs: Annotated[Any, AbstractCost]) -> None:
        for cost in costs:
            if not isinstance(cost, AbstractCost):
                raise ValueError(f"Total: expected costs such as Proportional, got {type(cost).__name__}")
        object.__setattr__(self, "costs", numbered(costs))
        self.__post_init__()  # type: ignore[attr-defined]

    @property
    def names(self) -> tuple[str, ...]:  # type: ignore[override]
        return tuple(dict.fromkeys(name for cost in self.costs.values() for name in cost.names))

    @property
    def needs(self) -> tuple[str, ...]:  # type: ignore[override]
        return tuple(dict.fromkeys(name for cost in self.costs.values() for name in cost.needs))

    @property
    def carried(self) -> tuple[str, ...]:  # type: ignore[override]
        return tuple(dict.fromkeys(name for cost in self.costs.values() for name in cost.carried))

    @property
    def linear(self) -> bool:  # type: ignore[override]
        return all(cost.linear for cost in self.costs.values())

    def on_trade(self, trade: Trade) -> dict[str, Scalar]:
        return _added([cost.on_trade(trade) for cost in self.costs.values()])

    def on_hold(self, holding: Holding) -> dict[str, Scalar]:
        return _added([cost.on_hold(holding) for cost in self.costs.values()])


def _added(parts: list[dict[str, Scalar]]) -> dict[str, Scalar]:
    out: dict[str, Scalar] = {}
    for part in parts:
        for name, cost in part.items():
            out[name] = out[name] + cost if name in out else cost
    return out
