"""When options of a slot are rolled, and to which expiry: dates of the calendar, by their index."""

from bisect import bisect_left
from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np

from mcengine._model import Scalar


@dataclass(frozen=True)
class RollSchedule:
    """On date ``rolls[i]`` what is held is sold and an option expiring on date ``expiries[i]`` bought.

    Raises ``ValueError`` unless the rolls rise from 0, and the expiries too, each later than its roll.
    """

    rolls: tuple[int, ...]
    expiries: tuple[int, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "rolls", tuple(self.rolls))
        object.__setattr__(self, "expiries", tuple(self.expiries))
        integer = all(isinstance(date, int | np.integer) and not isinstance(date, bool) for date in (*self.rolls, *self.expiries))
        if not integer or not self.rolls or self.rolls[0] != 0 or any(b <= a for a, b in zip(self.rolls, self.rolls[1:], strict=False)):
            raise ValueError(f"RollSchedule.rolls: expected dates that rise from 0, got {list(self.rolls)}")
        later = all(e > r for r, e in zip(self.rolls, self.expiries, strict=False))
        rising = all(b > a for a, b in zip(self.expiries, self.expiries[1:], strict=False))
        if len(self.expiries) != len(self.rolls) or not (later and rising):
            raise ValueError(
                f"RollSchedule.expiries: expected for each roll a later date, later than the last, got {list(self.expiries)} for {list(self.rolls)}"
            )

    @property
    def longest(self) -> int:
        """Most steps from a roll to its expiry."""
        return max(e - r for r, e in zip(self.rolls, self.expiries, strict=True))

    def rolls_at(self, step: Scalar) -> Scalar:
        """Whether a date is one of the rolls."""
        return jnp.any(jnp.asarray(self.rolls) == step)

    def expiry(self, step: Scalar) -> Scalar:
        """Expiry of what was bought at the last roll up to a date."""
        last = jnp.searchsorted(jnp.asarray(self.rolls), step, side="right") - 1
        return jnp.asarray(self.expiries, jnp.int32)[last]

    @classmethod
    def listed(cls, start: str, steps: int, *, months: int = 1, tenor: int = 3) -> "RollSchedule":
        """Rolls on listed expiries (third Fridays) ``months`` apart, into the listed expiry ``tenor`` months after each.

        One step is a weekday from ``start`` ("2024-01-02") on; at the start the option is bought that expires ``tenor`` months after the month's
        own expiry, or after the next if that one has passed.
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
