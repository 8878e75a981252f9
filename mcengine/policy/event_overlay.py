"""Event overlay: short-dated options held over an announced date, bought some dates before it and sold after.

With m the move that the event is priced at, sqrt(variance it brings up to the expiry), V the wealth and v the vega of one unit of what is bought,
    units = vega m V / v:
a larger event is met by more. What is bought loses the event's variance when it passes, and gains where it moves by more than m.
"""

from itertools import pairwise
from typing import Annotated, Any, ClassVar, TypeAlias

import jax.numpy as jnp
import numpy as np

from mcengine._model import Scalar, model, number, static
from mcengine._spelling import near
from mcengine.instrument import AbstractSchedule, AbstractSlot, AroundEvent, OptionSlot, RollSchedule, Target
from mcengine.instrument.base import check_word
from mcengine.policy.base import AbstractStage, Kind, Setting, positive_ratio, validate_asset
from mcengine.policy.seen import Seen
from mcengine.pricing.black import root

LEGS = {"straddle": ("call", "put"), "call": ("call",), "put": ("put",)}
Dates: TypeAlias = Annotated[Any, int | list[int] | None]
"""One step, several that rise, or history's own."""


@model
class EventOverlay(AbstractStage):
    """Buys options ``before`` steps ahead of an event and sells them ``after`` steps past it.

    Dates are the same for all paths. Several share the slots: those of the market's events ``<event>_1``, ``<event>_2`` and so on, each sold before
    the next is bought. History runs window by window and needs your ``move``. There ``date`` is counted from the start of each window; left out,
    each window meets the event's own dates of the calendar (``Replay.announced``), all those whose purchase falls within it.

    Args:
        event: Name of the event in the market, and the beginning of the slots' names.
        date: Steps from the start to the event, or a list of them for events that come again; None: history's own dates.
        vega: Gain for a volatility higher by 1 (100 points) and a move of 1, fraction of wealth.
        move: Log-move that the event is priced at; None: the market's own of the asset.
        moneyness: Strike as a fraction of the spot on the day of the purchase.
        before: Steps from the purchase to the event, 2 at least where trades lag decisions.
        after: Steps from the event to the sale; 0 sells on the event's date, when the news is known.
        tenor: Steps from the purchase to the expiry.
        options: "straddle", "call" or "put".
        asset: The asset they are written on.

    Raises:
        ValueError: For an event that the market does not announce, or not for that date; a date beyond the horizon; options that expire before the
            sale; without a ``move``, a market that announces nothing.
    """

    event: str = static()
    date: Dates = static(default=None)
    vega: Scalar = number(default=0.5, low=0.0)
    move: Scalar | None = number(default=None, low=0.0, term=True)
    moneyness: Scalar = number(default=1.0, above=0.0)
    before: int = static(default=5)
    after: int = static(default=0)
    tenor: int = static(default=21)
    options: str = static(default="straddle")
    asset: str = static(default="equity")

    kind: ClassVar[Kind] = "overlay"
    needs: ClassVar[tuple[str, ...]] = ("vega",)

    def canonical(self) -> dict[str, Any]:
        check_word("EventOverlay.options", self.options, tuple(LEGS))
        date = tuple(self.date) if isinstance(self.date, list | tuple) else self.date
        dates = date if isinstance(date, tuple) else () if date is None else (date,)
        fields = [*(("date", one, 1) for one in dates), ("before", self.before, 1), ("after", self.after, 0), ("tenor", self.tenor, 1)]
        for field, value, least in fields:
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise ValueError(f"EventOverlay.{field}: expected a whole number of steps, at least {least}, got {value!r}")
        if date == ():
            raise ValueError("EventOverlay.date: expected at least one date, got none")
        if dates and self.before > dates[0]:
            raise ValueError(f"EventOverlay.before: expected at most date = {dates[0]} steps, got {self.before}")
        for one, other in pairwise(dates):
            if other - self.before <= one + self.after:
                least = one + self.before + self.after
                raise ValueError(f"EventOverlay.date: expected dates of which one is over before the next is bought, later than {least}, got {other}")
        if self.tenor <= self.before + self.after:
            raise ValueError(f"EventOverlay.tenor: expected more than before + after = {self.before + self.after} steps, got {self.tenor}")
        return {"date": date}

    def slots(self) -> dict[str, AbstractSlot]:
        return {f"{self.event}_{kind}": OptionSlot(kind, self.asset, self._schedule) for kind in LEGS[self.options]}

    @property
    def _schedule(self) -> AbstractSchedule:
        if self.date is None:
            return AroundEvent(self.event, self.before, self.tenor)
        bought = [date - self.before for date in self._dates]
        # A schedule begins on the first date: nothing is bought there unless that is the day.
        rolls = (0, *bought) if bought[0] else tuple(bought)
        return RollSchedule(rolls, tuple(roll + self.tenor for roll in rolls))

    @property
    def _dates(self) -> tuple[int, ...]:
        return self.date if isinstance(self.date, tuple) else (self.date,)

    @property
    def _events(self) -> tuple[str, ...]:
        """Names of the market's events."""
        return tuple(f"{self.event}_{k}" for k in range(1, len(self.date) + 1)) if isinstance(self.date, tuple) else (self.event,)

    def validate(self, setting: Setting) -> None:
        validate_asset("EventOverlay.asset", self.asset, setting.assets)
        known = setting.events
        if self.date is None:
            self._validate_calendar(setting)
        else:
            for event, date in zip(self._events, self._dates, strict=True):
                if date >= setting.steps:
                    raise ValueError(f"EventOverlay.date: expected a date before the horizon, step {setting.steps}, got {date}")
                if known and event not in known:
                    raise ValueError(f"EventOverlay.event: expected one that the market announces, got {event!r}{near(event, known)}")
                if known and known[event] != date:
                    raise ValueError(f"EventOverlay.date: expected {known[event]}, the step of {event!r} in the market, got {date}")
        for event in self._events:
            if self.move is None and not (known and self.asset in setting.market.events[event].names):
                why = f"{event!r} does not move {self.asset!r}" if known else "this market announces no event"
                raise ValueError(f"EventOverlay.move: expected a log-move, for {why}, got None")

    def _validate_calendar(self, setting: Setting) -> None:
        """Dates of history, of which one is over before the next is bought."""
        if not hasattr(setting.market, "event_rows"):
            raise ValueError(f"EventOverlay.date: expected the step of {self.event!r}, as only a replay has dates of the calendar, got None")
        if self.event not in setting.announced:
            known = near(self.event, setting.announced) if setting.announced else ", and this market announces none"
            raise ValueError(f"EventOverlay.event: expected one that the market announces, got {self.event!r}{known}; or a date of each window")
        rows = self._rows(setting)
        close = [k for k, (one, other) in enumerate(pairwise(rows)) if other - self.before <= one + self.after]
        if close:
            days = [setting.market.days.day(int(rows[k])) for k in (close[0], close[0] + 1)]
            most, got = self.before + self.after, rows[close[0] + 1] - rows[close[0]]
            raise ValueError(f"EventOverlay.before: expected more than before + after = {most} rows from {days[0]} to {days[1]}, got {got}")

    def _rows(self, setting: Setting) -> np.ndarray:
        rows = np.asarray(setting.market.event_rows(self.event))
        return rows[rows < setting.market.days.count]

    def remarks(self, setting: Setting) -> tuple[str, ...]:
        if not hasattr(setting.market, "days"):
            return ()
        if self.date is not None:
            steps = ", ".join(map(str, self._dates))
            return (f"{self.event}: window by window, on step{'s' * (len(self._dates) > 1)} {steps} of each, counted from its start",)
        rows, market = self._rows(setting), setting.market
        starts = int(market.first) + np.arange(market.windows(setting.steps))
        meets = (rows - self.before >= starts[:, None]) & (rows - self.before < starts[:, None] + setting.steps)
        given = f"{len(rows)} of {len(dict(market.announced)[self.event])} dates are within the data"
        met = meets.sum(axis=1)
        share = f"{np.count_nonzero(met):,} of {len(starts):,} windows meet one or more, {met.max(initial=0)} at most"
        return (f"{self.event}: window by window, on its dates in the calendar: {given}, {share}",)

    def terms(self, seen: Seen, memory: Any) -> dict[str, Any]:
        return dict.fromkeys(self.slots(), self.moneyness * seen.quotes[self.asset].spot)

    def act(self, target: Target, seen: Seen, memory: Any) -> tuple[Target, Any]:
        names = tuple(self.slots())
        if isinstance(self.date, int):
            until = self.date - seen.step
        else:
            opened = seen.dates[names[0]].chosen.opened
            until = opened + self.before - seen.step
            if self.date is not None:  # the first date rolls too, for none of them
                until = jnp.where(opened >= self._dates[0] - self.before, until, self._dates[0])
        move = root(seen.quotes[self.asset].event_variance(seen.dates[names[0]].chosen.expiry)) if self.move is None else self.move
        vega = sum(seen.on_offer(name).mark.greeks["vega"][self.asset] for name in names)  # type: ignore[union-attr]
        bought = positive_ratio(self.vega * move * seen.wealth, vega)
        opens, held = seen.rolls(names[0]) & (until == self.before), until > -self.after
        return target | {name: jnp.where(held, jnp.where(opens, bought, target[name]), 0.0) for name in names}, memory
