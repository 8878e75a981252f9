"""What every stage of a rule is, and what it may see.

A stage is a frozen model with ``start`` and ``act``; ``chain`` composes stages as optax composes transforms. Four kinds:
allocator (sets the risky sleeve), scaler (multiplies it), overlay (adds slots), filter (target or what is held).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, TypeAlias

import jax
import jax.numpy as jnp

from mcengine._model import Scalar
from mcengine._spelling import near
from mcengine.instrument import Position, Slot, Terms
from mcengine.pricing import Quote

Target: TypeAlias = dict[str, Position]
Kind: TypeAlias = Literal["allocator", "scaler", "overlay", "filter"]


@dataclass(frozen=True)
class Seen:
    """What is known at one date, nothing later. Amounts in currency; ``held`` and ``prices`` by slot."""

    step: Scalar
    time: Scalar
    dt: Scalar  # years of one step
    horizon: int  # index of the last date
    quotes: dict[str, Quote]
    prices: dict[str, Scalar]
    held: Target
    wealth: Scalar
    cash: Scalar
    start_wealth: Scalar
    high_water: Scalar
    costs: Any  # costs paid so far, by kind
    cost_terms: Any
    risky: tuple[str, ...]  # slots of underlyings
    width: Scalar  # of every gate; 0 for the rule as it is
    quote_option: Callable[..., Scalar]  # (slot, terms, move=0): price of any terms in an option slot, the spot moved by so much

    @property
    def first(self) -> Scalar:
        """Whether this is the first date, on which everything is traded."""
        return self.step == 0

    def discount(self, to: Scalar) -> Scalar:
        """Value now of 1 paid at date ``to``."""
        return next(iter(self.quotes.values())).discount(to)

    def delta(self, slot: str, terms: Terms) -> Scalar:
        """Derivative of an option's price by its asset's spot."""
        return jax.grad(lambda move: self.quote_option(slot, terms, move))(jnp.zeros_like(self.wealth))

    def gamma(self, slot: str, terms: Terms) -> Scalar:
        """Second derivative of an option's price by its asset's spot."""
        return jax.grad(jax.grad(lambda move: self.quote_option(slot, terms, move)))(jnp.zeros_like(self.wealth))

    def sleeve(self, target: Target) -> Scalar:
        """Value of the underlyings in a target."""
        return sum((target[name].units * self.prices[name] for name in self.risky), start=0.0)

    def floor_value(self, floor: Scalar) -> Scalar:
        """Present value of ``floor`` times the starting wealth, due at the horizon."""
        return floor * self.start_wealth * self.discount(self.horizon)

    def scale(self, target: Target, factor: Scalar) -> Target:
        """The target with its underlyings multiplied; the rest goes to cash."""
        return target | {name: Position(target[name].units * factor, target[name].terms) for name in self.risky}


class AbstractStage:
    """One part of a rule. Most stages need only ``act``."""

    kind: ClassVar[Kind]

    def slots(self) -> dict[str, Slot]:
        """Option slots this stage trades, by name."""
        return {}

    def beyond(self) -> int:
        """How many steps its contracts may outlive the run."""
        return 0

    def validate(self, assets: tuple[str, ...], discount: float) -> None:
        """Raise ``ValueError`` when the stage does not fit the study: its assets, or the discount to its horizon."""

    def start(self, seen: Seen) -> Any:
        """Memory before the first date."""
        return ()

    def act(self, target: Target, seen: Seen, memory: Any) -> tuple[Target, Any]:
        """(target changed, memory for the next date)."""
        raise NotImplementedError


def positive_ratio(numerator: Scalar, denominator: Scalar) -> Scalar:
    """numerator / denominator, 0 where the denominator is not positive; finite derivatives."""
    alive = denominator > 0.0
    return jnp.where(alive, numerator / jnp.where(alive, denominator, 1.0), 0.0)


def validate_floor(name: str, floor: Scalar, discount: float) -> None:
    """A floor can be protected only when its present value is below the starting wealth."""
    present = float(floor) * discount
    if present >= 1.0:
        raise ValueError(
            f"{name}: expected a floor whose present value is below the starting wealth, got {float(floor):g} worth {present:.4g} of it today"
        )


def validate_asset(name: str, asset: str, assets: tuple[str, ...]) -> None:
    """An asset that the market has."""
    if asset not in assets:
        raise ValueError(f"{name}: unknown asset {asset!r}{near(asset, assets)}")
