"""When what a slot holds is rolled, and to which expiry: dates of the calendar, by their index, the same for all paths.

A date that depended on the path would be priced on every date of every path; so a rule moves units and strikes, never dates.
"""

import abc
from bisect import bisect_left
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from mcengine._model import Scalar

NEVER = -100_000
"""Opened, counted from the start of a window that has met no event yet."""


class Life(NamedTuple):
    """Dates of one contract in a slot.

    Args:
        opened: Index of the date on which it was opened.
        expiry: Index of the date on which it expires.
    """

    opened: Scalar
    expiry: Scalar


class Dates(NamedTuple):
    """A slot's dates at one step, or tables of them, [steps]; choice and trade differ only where trades lag decisions.

    Args:
        rolls: Whether a contract may be chosen today.
        chosen: Life of the contract chosen today.
        trades: Whether the contract is traded today.
        held: Life of what is held after today's trade.
    """

    rolls: Scalar
    chosen: Life
    trades: Scalar
    held: Life


class AbstractSchedule(abc.ABC):
    """Roll dates and expiries."""

    @abc.abstractmethod
    def plan(self, steps: int) -> tuple[np.ndarray, np.ndarray]:
        """Roll dates and expiries of a run.

        Args:
            steps: Steps to the horizon.

        Returns:
            (whether each date rolls, index of the expiry of what is held after it), arrays [steps]; the first date rolls.
        """

    @abc.abstractmethod
    def longest(self, steps: int) -> int:
        """Most steps from a roll to its expiry.

        Args:
            steps: Steps to the horizon.
        """

    def past_horizon(self, steps: int) -> int:
        """Most steps by which a contract outlives the run.

        Args:
            steps: Steps to the horizon.
        """
        return self.longest(steps)

    def dates(self, steps: int, delay: int = 0) -> Dates:
        """Tables by step, for a run that may trade later than it decides.

        Args:
            steps: Steps to the horizon.
            delay: Dates from decision to trade.
        """
        rolls, expiries = self.plan(steps)
        every = np.arange(steps)

        def opened(flags: np.ndarray) -> np.ndarray:
            return np.maximum.accumulate(np.where(flags, every, 0))

        later = lambda x, first: np.concatenate([np.full(delay, first, x.dtype), x[: steps - delay]])  # noqa: E731
        trades, held = later(rolls, False), later(expiries, 0)
        as_life = lambda flags, ends: Life(opened(flags).astype(np.int32), ends.astype(np.int32))  # noqa: E731
        return Dates(rolls, as_life(rolls, expiries), trades, as_life(trades, held))


@dataclass(frozen=True)
class ToHorizon(AbstractSchedule):
    """Bought at the start, expiring at the horizon."""

    def plan(self, steps: int) -> tuple[np.ndarray, np.ndarray]:
        return np.arange(steps) == 0, np.full(steps, steps)

    def longest(self, steps: int) -> int:
        return steps

    def past_horizon(self, steps: int) -> int:
        return 0


@dataclass(frozen=True)
class Rolled(AbstractSchedule):
    """A contract of one tenor, closed and opened anew at equal intervals.

    Args:
        tenor: Steps from a roll to the expiry.
        roll: Steps from one roll to the next, at most the tenor.

    Raises:
        ValueError: Unless both are whole and 1 <= roll <= tenor.

    Example:
        >>> import mcengine as mc
        >>> rolls, expiries = mc.instrument.Rolled(tenor=3, roll=2).plan(steps=5)
        >>> rolls.nonzero()[0], expiries
        (array([0, 2, 4]), array([3, 3, 5, 5, 7]))
    """

    tenor: int
    roll: int

    def __post_init__(self) -> None:
        if not (_whole(self.roll) and _whole(self.tenor) and 1 <= self.roll <= self.tenor):
            raise ValueError(f"roll: expected whole numbers of steps, roll from 1 to tenor, got roll {self.roll} and tenor {self.tenor}")

    def plan(self, steps: int) -> tuple[np.ndarray, np.ndarray]:
        every = np.arange(steps)
        return every % self.roll == 0, every - every % self.roll + self.tenor

    def longest(self, steps: int) -> int:
        return self.tenor


@dataclass(frozen=True)
class RollSchedule(AbstractSchedule):
    """On date ``rolls[i]`` what is held is sold and a contract that expires on date ``expiries[i]`` is bought.

    Args:
        rolls: Indices of the roll dates, rising from 0.
        expiries: Indices of the expiries, rising, each later than its roll.

    Raises:
        ValueError: For other dates.

    Example:
        >>> import mcengine as mc
        >>> mc.instrument.RollSchedule(rolls=(0, 21), expiries=(63, 84)).longest(steps=252)
        63
    """

    rolls: tuple[int, ...]
    expiries: tuple[int, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "rolls", tuple(self.rolls))
        object.__setattr__(self, "expiries", tuple(self.expiries))
        integer = all(_whole(date) for date in (*self.rolls, *self.expiries))
        if not integer or not self.rolls or self.rolls[0] != 0 or any(b <= a for a, b in zip(self.rolls, self.rolls[1:], strict=False)):
            raise ValueError(f"RollSchedule.rolls: expected dates that rise from 0, got {list(self.rolls)}")
        later = all(e > r for r, e in zip(self.rolls, self.expiries, strict=False))
        rising = all(b > a for a, b in zip(self.expiries, self.expiries[1:], strict=False))
        if len(self.expiries) != len(self.rolls) or not (later and rising):
            raise ValueError(
                f"RollSchedule.expiries: expected for each roll a later date, later than the last, got {list(self.expiries)} for {list(self.rolls)}"
            )

    def plan(self, steps: int) -> tuple[np.ndarray, np.ndarray]:
        every = np.arange(steps)
        last = np.searchsorted(self.rolls, every, side="right") - 1
        return np.isin(every, self.rolls), np.asarray(self.expiries)[last]

    def longest(self, steps: int) -> int:
        return max(e - r for r, e in zip(self.rolls, self.expiries, strict=True))

    @classmethod
    def listed(cls, start: str, steps: int, *, months: int = 1, tenor: int = 3) -> "RollSchedule":
        """Rolls on listed expiries (third Fridays) into later listed ones; one step is a weekday.

        At the start the contract is bought that expires ``tenor`` months after the month's own expiry, or after the next if that one has passed.

        Args:
            start: First date, such as "2024-01-02".
            steps: Weekdays to the horizon.
            months: From one roll to the next, at most the tenor.
            tenor: Months from a roll to its expiry.

        Raises:
            ValueError: Unless 1 <= months <= tenor.

        Example:
            >>> import mcengine as mc
            >>> mc.instrument.RollSchedule.listed("2024-01-02", steps=60, months=1, tenor=3)
            RollSchedule(rolls=(0, 13, 33, 53), expiries=(53, 78, 98, 123))
        """
        if not 1 <= months <= tenor:
            raise ValueError(f"RollSchedule.months: expected a whole number from 1 to tenor = {tenor}, got {months}")
        first = np.datetime64(start, "M")
        fridays = np.busday_offset(first + np.arange(steps // 15 + tenor + 3), 2, roll="forward", weekmask="Fri")
        dates = [int(d) for d in np.busday_count(np.datetime64(start, "D"), fridays)]
        own = bisect_left(dates, 1)  # the first listed expiry after the start
        at = [own - 1 + months * k for k in range(1, len(dates)) if own - 1 + months * k + tenor < len(dates)]
        rolls = [0, *(dates[k] for k in at if dates[k] < steps)]
        expiries = [dates[own - 1 + tenor], *(dates[k + tenor] for k in at if dates[k] < steps)]
        return cls(tuple(rolls), tuple(expiries))


@dataclass(frozen=True)
class AroundEvent(AbstractSchedule):
    """A contract bought ``before`` steps ahead of each date of an event that history announces by the calendar; its sale is the rule's.

    Every window of history has steps of its own, by where it starts. Windows are paths of one program, so what is held by it is priced on every date.

    Args:
        event: Its name in the market.
        before: Steps from the purchase to the event.
        tenor: Steps from the purchase to the expiry.
    """

    event: str
    before: int
    tenor: int

    def plan(self, steps: int) -> tuple[np.ndarray, np.ndarray]:
        """Of a window that meets no event: nothing is bought where the first date rolls."""
        return np.arange(steps) == 0, np.full(steps, self.tenor)

    def longest(self, steps: int) -> int:
        return self.tenor

    def on_path(self, rows: Any, place: Scalar, step: Scalar, delay: int = 0) -> Dates:
        """Dates at one step of one window.

        Args:
            rows: Of history, on which the event is known, [events].
            place: Row of the step.
            step: Its index in the window.
            delay: Dates from decision to trade.
        """
        start, rows = place - step, jnp.asarray(rows) - self.before

        def life(at: Scalar) -> tuple[Scalar, Life]:
            last = jnp.max(jnp.where((rows >= start) & (rows <= at), rows, start + NEVER), initial=-(1 << 30))
            opened = last - start
            return (at == start) | (last == at), Life(opened, jnp.where(opened >= 0, opened, 0) + self.tenor)

        rolls, chosen = life(place)
        if not delay:
            return Dates(rolls, chosen, rolls, chosen)
        (trades, held), begun = life(place - delay), step >= delay
        none = jnp.zeros_like(held.expiry)
        return Dates(rolls, chosen, begun & trades, Life(jnp.where(begun, held.opened + delay, none), jnp.where(begun, held.expiry, none)))


def _whole(value: Any) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool)
