"""What every stage of a rule is.

A stage is a frozen model with ``start`` and ``act``; ``chain`` composes stages as optax composes transforms. Five kinds: allocator (sets the risky
sleeve), scaler (multiplies it), overlay (adds slots bought for a premium), hedge (adds slots that cash pays for), filter (target or what is held).
A new one: one file, one line in ``__init__``, one yaml, one row in the family's test table.
"""

import abc
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, TypeAlias

import jax.numpy as jnp

from mcengine._kinds import shown
from mcengine._model import Scalar
from mcengine._spelling import near
from mcengine.instrument import AbstractSlot, Target
from mcengine.market import Signals
from mcengine.policy.seen import Seen

Kind: TypeAlias = Literal["allocator", "scaler", "overlay", "hedge", "filter"]


@dataclass(frozen=True)
class Setting:
    """The study that a rule is to fit.

    Args:
        assets: Names.
        discount: What 1 at the horizon is worth today.
        steps: Steps to the horizon.
        dt: Years of one.
        market: The market itself.
        events: Announced events by name, steps from today to each.
        slots: All slots of the book by name, underlyings included.
        needs: Greeks that marks carry.
    """

    assets: tuple[str, ...]
    discount: float
    steps: int
    dt: float
    market: Any
    events: dict[str, int]
    slots: dict[str, AbstractSlot]
    needs: tuple[str, ...]

    @property
    def announced(self) -> tuple[str, ...]:
        """Events that history announces by the calendar, each on dates of its own in every window."""
        return tuple(name for name, _ in getattr(self.market, "announced", ()))

    @property
    def stochastic_rate(self) -> bool:
        """Whether the short rate moves."""
        return bool(getattr(self.market.rate, "n_factors", 0)) or not hasattr(self.market, "scenarios")


class AbstractPart:
    """What stages and triggers have in common: Greeks and signals they read, and a memory. Most override none of it."""

    needs: ClassVar[tuple[str, ...]] = ()
    """Greeks it reads, among ``instrument.GREEKS``."""

    def signals(self) -> Signals:
        """(name, signal) of each that it reads; all that name the same one share it."""
        return ()

    def validate(self, setting: Setting) -> None:
        """Check that it fits a study.

        Args:
            setting: The study's assets, dates and slots.

        Raises:
            ValueError: Where it does not fit.
        """

    def remarks(self, setting: Setting) -> tuple[str, ...]:
        """What is to be said of it before a run.

        Args:
            setting: The study's assets, dates and slots.
        """
        return ()

    def start(self, seen: Seen) -> Any:
        """Memory before the first date.

        Args:
            seen: The first date.

        Returns:
            A pytree of scalars, carried from date to date.
        """
        return ()


class AbstractStage(AbstractPart, abc.ABC):
    """One part of a rule. Most stages need only ``act``."""

    kind: ClassVar[Kind]

    def slots(self) -> dict[str, AbstractSlot]:
        """Slots this stage trades beside the underlyings, by name."""
        return {}

    def terms(self, seen: Seen, memory: Any) -> dict[str, Any]:
        """Terms that its slots offer today, where they are not the slot's own; read on roll dates only.

        Args:
            seen: What is known today.
            memory: From the date before.

        Returns:
            Terms by slot.
        """
        return {}

    @abc.abstractmethod
    def act(self, target: Target, seen: Seen, memory: Any) -> tuple[Target, Any]:
        """Change the target.

        Args:
            target: Units wanted so far by slot.
            seen: What is known today.
            memory: From the date before.

        Returns:
            (units wanted by slot, memory for the next date).
        """


def positive_ratio(numerator: Scalar, denominator: Scalar) -> Scalar:
    """numerator / denominator, 0 where the denominator is not positive; its derivatives are finite.

    Args:
        numerator: Any number.
        denominator: Any number.
    """
    alive = denominator > 0.0
    return jnp.where(alive, numerator / jnp.where(alive, denominator, 1.0), 0.0)


def slot_names(where: str, given: Any) -> tuple[str, ...]:
    """Names of slots, of which one may stand alone."""
    names = (given,) if isinstance(given, str) else given
    if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
        raise ValueError(f"{where}: expected names of slots, got {shown(given)}")
    return tuple(names)


def validate_floor(name: str, floor: Any, present: float) -> None:
    """A floor can be protected only when its present value is below the starting wealth."""
    if present >= 1.0:
        shown = floor if hasattr(floor, "__dataclass_fields__") else f"{float(floor):g}"
        raise ValueError(f"{name}: expected a floor whose present value is below the starting wealth, got {shown} worth {present:.4g} of it today")


def validate_asset(name: str, asset: str, assets: tuple[str, ...]) -> None:
    """An asset that the market has."""
    if asset not in assets:
        raise ValueError(f"{name}: unknown asset {asset!r}{near(asset, assets)}")
