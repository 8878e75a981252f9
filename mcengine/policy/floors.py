"""Floors: what wealth is not to fall below, today's value of it. Rules that take a floor take a number or one of these.

A number is due at the horizon: with F of the starting wealth V_0 and the discount D, its value is F V_0 D(t, T).
"""

import abc
from itertools import pairwise
from typing import Annotated, Any, TypeAlias

import jax.numpy as jnp
import numpy as np

from mcengine._model import Scalar, model, number, static
from mcengine.instrument import Target
from mcengine.instrument.base import check_count
from mcengine.policy.base import AbstractPart, Setting, validate_asset, validate_floor
from mcengine.policy.paper import Paper, invested, open_paper, worth
from mcengine.policy.seen import Seen


class AbstractFloor(AbstractPart, abc.ABC):
    """A floor by date, currency. A new one: a class, a line in ``__init__``, a row in the family's test table."""

    @property
    def reserve(self) -> dict[str, Scalar]:
        """Fractions by asset of the mix that moves as the floor does, where wealth waits that is not in the sleeve; the rest of it is cash."""
        return {}

    @abc.abstractmethod
    def present(self, setting: Setting) -> float:
        """Its value on the first date, a fraction of the starting wealth.

        Args:
            setting: The study's.
        """

    @abc.abstractmethod
    def value(self, seen: Seen, memory: Any) -> tuple[Scalar, Any]:
        """Its value today.

        Args:
            seen: What is known today.
            memory: From the date before.

        Returns:
            (currency, memory for the next date).
        """


Floor: TypeAlias = Annotated[Any, float | AbstractFloor]
"""A number, which is due at the horizon, or a floor."""


@model
class Level(AbstractFloor):
    """An amount due at the horizon, F V_0 D(t, T): what a number stands for.

    Args:
        level: F, fraction of the starting wealth.
    """

    level: Scalar = number(low=0.0, term=True)

    def present(self, setting: Setting) -> float:
        return float(self.level) * setting.discount

    def value(self, seen: Seen, memory: Any) -> tuple[Scalar, Any]:
        return seen.floor_value(self.level), memory


@model
class Stepped(AbstractFloor):
    """Levels that hold from their dates on: the larger of today's and, discounted, of each still to come, so that cash alone meets them all.

    Args:
        levels: Fractions of the starting wealth, [levels].
        dates: Indices of the dates from which they hold, rising from 0.

    Raises:
        ValueError: For dates that do not rise from 0, as many as levels, or that lie beyond the horizon.

    Example:
        >>> import mcengine as mc
        >>> mc.policy.Cppi(mc.policy.Stepped(levels=(0.85, 0.9), dates=(0, 126))).floor.dates
        (0, 126)
    """

    levels: Annotated[Any, list[float]] = number(low=0.0, term=True)
    dates: tuple[int, ...] = static(default=(0,))

    def canonical(self) -> dict[str, Any]:
        dates = tuple(self.dates) if isinstance(self.dates, list | tuple) else (self.dates,)
        for date in dates:
            check_count("Stepped.dates", date, 0)
        if not dates or dates[0] != 0 or any(b <= a for a, b in pairwise(dates)):
            raise ValueError(f"Stepped.dates: expected dates that rise from 0, got {list(dates)}")
        return {"dates": dates}

    def check(self) -> None:
        if np.shape(self.levels) != (len(self.dates),):
            raise ValueError(f"Stepped.levels: expected {len(self.dates)} levels, one for each date, got {np.size(self.levels)}")

    def validate(self, setting: Setting) -> None:
        if self.dates[-1] > setting.steps:
            raise ValueError(f"Stepped.dates: expected dates up to the horizon {setting.steps}, got {self.dates[-1]}")

    def present(self, setting: Setting) -> float:
        return max(float(x) * setting.discount ** (date / setting.steps) for x, date in zip(self.levels, self.dates, strict=True))

    def value(self, seen: Seen, memory: Any) -> tuple[Scalar, Any]:
        ends = (*self.dates[1:], seen.horizon + 1)
        due = [
            self.levels[i] * seen.discount(jnp.maximum(date, seen.step)) * (seen.step < end)
            for i, (date, end) in enumerate(zip(self.dates, ends, strict=True))
        ]
        return jnp.max(jnp.stack(due)) * seen.start_wealth, memory


@model
class HighWater(AbstractFloor):
    """A share of the highest wealth so far, which ratchets up and never falls: under ``Cppi`` time-invariant portfolio protection, TIPP (Estep &
    Kritzman 1988), and with its multiplier the drawdown control of Grossman & Zhou (1993).

    Args:
        share: Of the highest wealth.

    Example:
        >>> import mcengine as mc
        >>> mc.policy.Cppi(mc.policy.HighWater(0.9), multiplier=3.0)
        Cppi(floor=HighWater(share=0.9), multiplier=3, leverage=1, exposure='scale')
    """

    share: Scalar = number(low=0.0, below=1.0, term=True)

    def present(self, setting: Setting) -> float:
        return float(self.share)

    def value(self, seen: Seen, memory: Any) -> tuple[Scalar, Any]:
        return self.share * seen.high_water, memory


@model
class Relative(AbstractFloor):
    """A share of what a mix of assets, rebalanced on every date, would have made of the starting wealth, income included and free of cost.

    What a rule does not hold of its sleeve it holds of that mix, without which a floor that moves could not be kept.

    Args:
        share: Of the benchmark's worth.
        weights: Of the benchmark by asset, fractions; the rest is cash.

    Raises:
        ValueError: For an asset that the market lacks.

    Example:
        >>> import mcengine as mc
        >>> mc.policy.Cppi(mc.policy.Relative(0.9, {"bond": 1.0}), multiplier=4.0).floor
        Relative(share=0.9, weights={bond: 1})
    """

    share: Scalar = number(low=0.0, below=1.0, term=True)
    weights: dict[str, Scalar] = number(term=True)

    @property
    def reserve(self) -> dict[str, Scalar]:
        return self.weights

    def validate(self, setting: Setting) -> None:
        for name in self.weights:
            validate_asset("Relative.weights", name, setting.assets)

    def present(self, setting: Setting) -> float:
        return float(self.share)

    def start(self, seen: Seen) -> Paper:
        return open_paper(seen)

    def value(self, seen: Seen, memory: Paper) -> tuple[Scalar, Paper]:
        benchmark = worth(memory, seen)
        return self.share * benchmark, invested(benchmark, self.weights, seen)


def as_floor(floor: Any) -> AbstractFloor:
    """A floor from a number or a floor.

    Args:
        floor: Of a rule.
    """
    return floor if isinstance(floor, AbstractFloor) else Level(floor)


def scaled(target: Target, factor: Scalar, floor: AbstractFloor, seen: Seen) -> Target:
    """The target with its sleeve multiplied; the rest goes to the floor's reserve.

    Args:
        target: Units by slot.
        factor: Of the sleeve.
        floor: Whose reserve it is.
        seen: What is known today.
    """
    after = seen.scale(target, factor)
    if not floor.reserve:
        return after
    left = seen.wealth - seen.sleeve(after)
    return after | {name: after[name] + share * left / seen.prices[name] for name, share in floor.reserve.items()}


def validate_protected(where: str, floor: Any, setting: Setting) -> None:
    """Check that a floor fits a study, and that it can be protected.

    Args:
        where: What a message begins with.
        floor: A number or a floor.
        setting: The study's.
    """
    as_floor(floor).validate(setting)
    validate_floor(where, floor, as_floor(floor).present(setting))


def validate_buffer(where: str, buffer: Scalar, floor: Any, setting: Setting) -> None:
    """Check that a rule that sells a fraction above its floor does not sell on the first date.

    Args:
        where: What a message begins with.
        buffer: Fraction of the floor.
        floor: A number or a floor.
        setting: The study's.
    """
    present = as_floor(floor).present(setting)
    if (1.0 + float(buffer)) * present >= 1.0:
        most = f"{1.0 / present - 1.0:.4g}, which a floor worth {present:.4g} leaves"
        raise ValueError(f"{where}: expected a number below {most}, got {float(buffer):g}: it would sell on the first date")
