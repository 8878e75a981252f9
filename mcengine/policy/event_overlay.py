"""Event overlay: short-dated options held over an announced date, bought some dates before it and sold after.

With m the move that the event is priced at, sqrt(variance it brings up to the expiry), V the wealth and v the vega of one unit of what is bought,
    units = vega m V / v:
a larger event is met by more. What is bought loses the event's variance when it passes, and gains where it moves by more than m.
"""

from typing import Any, ClassVar

import jax.numpy as jnp

from mcengine._model import Scalar, model, number, static
from mcengine._spelling import near
from mcengine.instrument import AbstractSlot, OptionSlot, RollSchedule, Target
from mcengine.instrument.base import check_word
from mcengine.policy.base import AbstractStage, Kind, Setting, positive_ratio, validate_asset
from mcengine.policy.seen import Seen
from mcengine.pricing.black import root

LEGS = {"straddle": ("call", "put"), "call": ("call",), "put": ("put",)}


@model
class EventOverlay(AbstractStage):
    """Buys options ``before`` steps ahead of an event and sells them ``after`` steps past it.

    Dates are the same for all paths. A market that announces nothing, as history, needs your ``move``; there ``date`` is counted from the start of
    each window, window by window. For one date of the calendar, replay the one window that starts ``date`` rows before it.

    Args:
        event: Name of the event in the market, and the beginning of the slots' names.
        date: Steps from the start to the event.
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
    date: int = static()
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
        for field, least in (("date", 1), ("before", 1), ("after", 0), ("tenor", 1)):
            value = getattr(self, field)
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise ValueError(f"EventOverlay.{field}: expected a whole number of steps, at least {least}, got {value!r}")
        if self.before > self.date:
            raise ValueError(f"EventOverlay.before: expected at most date = {self.date} steps, got {self.before}")
        if self.tenor <= self.before + self.after:
            raise ValueError(f"EventOverlay.tenor: expected more than before + after = {self.before + self.after} steps, got {self.tenor}")
        return {}

    def slots(self) -> dict[str, AbstractSlot]:
        bought = self.date - self.before
        # A schedule begins on the first date: nothing is bought there unless that is the day.
        schedule = RollSchedule((0, bought), (self.tenor, bought + self.tenor)) if bought else RollSchedule((0,), (self.tenor,))
        return {f"{self.event}_{kind}": OptionSlot(kind, self.asset, schedule) for kind in LEGS[self.options]}

    def validate(self, setting: Setting) -> None:
        validate_asset("EventOverlay.asset", self.asset, setting.assets)
        if self.date >= setting.steps:
            raise ValueError(f"EventOverlay.date: expected a date before the horizon, step {setting.steps}, got {self.date}")
        known = setting.events
        if known and self.event not in known:
            raise ValueError(f"EventOverlay.event: expected one that the market announces, got {self.event!r}{near(self.event, known)}")
        if known and known[self.event] != self.date:
            raise ValueError(f"EventOverlay.date: expected {known[self.event]}, the step of {self.event!r} in the market, got {self.date}")
        if self.move is None and not (known and self.asset in setting.market.events[self.event].names):
            why = f"{self.event!r} does not move {self.asset!r}" if known else "this market announces no event"
            raise ValueError(f"EventOverlay.move: expected a log-move, for {why}, got None")

    def terms(self, seen: Seen, memory: Any) -> dict[str, Any]:
        return dict.fromkeys(self.slots(), self.moneyness * seen.quotes[self.asset].spot)

    def act(self, target: Target, seen: Seen, memory: Any) -> tuple[Target, Any]:
        names, until = tuple(self.slots()), self.date - seen.step
        move = root(seen.quotes[self.asset].event_variance(seen.dates[names[0]].chosen.expiry)) if self.move is None else self.move
        vega = sum(seen.on_offer(name).mark.greeks["vega"][self.asset] for name in names)  # type: ignore[union-attr]
        bought = positive_ratio(self.vega * move * seen.wealth, vega)
        opens, held = seen.rolls(names[0]) & (until == self.before), until > -self.after
        return target | {name: jnp.where(held, jnp.where(opens, bought, target[name]), 0.0) for name in names}, memory
