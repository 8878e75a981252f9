"""Triggers of the calendar: every so many dates, and about an announced event."""

from typing import Any

from mcengine._model import Scalar, model, static
from mcengine._spelling import near
from mcengine.instrument.base import check_count
from mcengine.policy.base import Setting
from mcengine.policy.seen import Seen
from mcengine.policy.trigger import AbstractTrigger


@model
class Every(AbstractTrigger):
    """Fires every ``steps`` dates, the first on date ``first``.

    Args:
        steps: From one date to the next.
        first: Index of the first.

    Raises:
        ValueError: For what is no count of steps, or a first date that is not before the horizon.
    """

    steps: int = static(default=21)
    first: int = static(default=0)

    def canonical(self) -> dict[str, Any]:
        check_count("Every.steps", self.steps, 1)
        check_count("Every.first", self.first, 0)
        return {}

    def validate(self, setting: Setting) -> None:
        if self.first >= setting.steps:
            raise ValueError(f"Every.first: expected a date before the horizon, step {setting.steps}, got {self.first}")

    def fires(self, seen: Seen, memory: Any) -> tuple[Scalar, Any]:
        return 1.0 * ((seen.step >= self.first) & ((seen.step - self.first) % self.steps == 0)), memory


@model
class NearEvent(AbstractTrigger):
    """Fires on the ``before`` dates ahead of an announced event, and on the ``after`` dates from its own on.

    What is held from the last of the dates ahead meets the event; on its own date the move is known. Of an event that history announces for several
    dates each counts.

    Args:
        event: Its name in the market.
        before: Dates ahead.
        after: Dates from the event's on.

    Raises:
        ValueError: For an event that the market does not announce, or one after the horizon; for dates that are none.
    """

    event: str = static()
    before: int = static(default=5)
    after: int = static(default=0)

    def canonical(self) -> dict[str, Any]:
        check_count("NearEvent.before", self.before, 0)
        check_count("NearEvent.after", self.after, 0)
        if self.before + self.after == 0:
            raise ValueError("NearEvent.before: expected a date before or after the event to fire on, got 0 and 0")
        return {}

    def validate(self, setting: Setting) -> None:
        announced = (*setting.events, *setting.announced)
        if self.event not in announced:
            known = near(self.event, announced) if announced else ", and this market announces none"
            raise ValueError(f"NearEvent.event: expected one that the market announces, got {self.event!r}{known}")
        if self.event in setting.announced:
            return
        if setting.events[self.event] > setting.steps:
            raise ValueError(
                f"NearEvent.event: expected an event by the horizon, step {setting.steps}, got {self.event!r} on step {setting.events[self.event]}"
            )

    def fires(self, seen: Seen, memory: Any) -> tuple[Scalar, Any]:
        until, since = seen.until(self.event), seen.since(self.event)
        return 1.0 * ((until > 0) & (until <= self.before) | (since >= 0) & (since < self.after)), memory
