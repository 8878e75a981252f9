"""What a book owes or is owed: a contract that is not traded, settled as it falls due."""

from collections.abc import Mapping
from typing import Any, ClassVar

from mcengine._model import Scalar, model, number, static
from mcengine.instrument.contract_slot import ContractSlot
from mcengine.instrument.schedule import AbstractSchedule, Life, ToHorizon
from mcengine.instrument.slot import AbstractSlot, Position, Quotes


@model
class LiabilitySlot(AbstractSlot):
    """A contract to the horizon, taken on at the start for what is received for it and carried at that until it is due, free of cost.

    Nobody prices it, so any contract will do that draws no numbers of its own.

    Args:
        contract: Any contract that expires at the horizon.
        received: For one unit owed, currency; of a ``relative`` contract a fraction of the first asset's spot.
        relative: Whether strikes, barriers and payoffs are fractions of each asset's spot at the start.
    """

    contract: Any
    received: Scalar = number(default=0.0, low=0.0, term=True)
    relative: bool = static(default=False)

    cost_class: ClassVar[str] = "linear"
    premium: ClassVar[bool] = False
    schedule: ClassVar[AbstractSchedule] = ToHorizon()  # type: ignore[misc]

    @property
    def asset(self) -> str:  # type: ignore[override]
        """The first it reads; none for a contract on the rate."""
        return self._held.asset

    @property
    def assets(self) -> tuple[str, ...]:
        return self._held.assets

    @property
    def _held(self) -> ContractSlot:
        return ContractSlot(self.contract, ToHorizon(), self.relative, True)

    def validate(self, where: str, setting: Any) -> None:
        AbstractSlot.validate(self, where, setting)
        name, expiry, horizon = type(self.contract).__name__, float(self.contract.expiry), setting.steps * setting.dt
        if self.contract.n_uniforms:
            raise ValueError(f"{where}: expected a contract that draws no numbers of its own, got {name}")
        if abs(expiry - horizon) > 1e-6 * setting.dt:
            raise ValueError(f"{where}: expected a contract that expires at the horizon of {horizon:g} years, got {name} of {expiry:g} years")

    def terms(self, quotes: Quotes, life: Life) -> dict[str, Scalar]:
        return self._held.terms(quotes, life)

    def open(self, terms: dict[str, Scalar], quotes: Quotes, life: Life) -> Any:
        return self._held.open(terms, quotes, life)

    def settle(self, held: Position, quotes: Quotes, row: Any, life: Life) -> tuple[Any, Scalar]:
        return self._held.settle(held, quotes, row, life)

    def price(self, terms: dict[str, Scalar], state: Any, quotes: Quotes, pricers: Mapping[str, Any], life: Life) -> Scalar:
        return self.received * (terms[self.asset] if terms and self.asset else 1.0)

    def by_name(self, terms: Any) -> dict[str, Any]:
        return self._held.by_name(terms)

    def notional(self, quotes: Quotes) -> Scalar:
        """None: nothing of it is traded."""
        return 0.0
