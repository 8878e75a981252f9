"""What happens on a date: events announced in advance, and shocks that nobody expects.

On an event's date the log-return of each asset named takes one jump more,
    J = c + move of the side drawn + sd e,   side up with probability p,   e standard normal,   c such that E[e^J] = 1,
so that drifts stay expected total returns. The news is one: the same side and the same e move all assets named, by two normals. The date
is known to whoever looks (``Quote.event_variance``) and paid for in options that live past it. Under Q moves and sd are sqrt(variance_premium)
times as large. An option's price is the mean over the sides (``Quote.outcomes``) of its price on the forward that the side leads to,
    p C(F g_up) + (1-p) C(F g_down),   g = e^{move} / E[e^{move}],   with sd^2 more variance:
exact where the asset without the event is lognormal. Of many two-sided events ahead those that move least count by their variance alone.
"""

from collections.abc import Mapping
from typing import Annotated, Any, NamedTuple, TypeAlias

import jax.numpy as jnp
from jax.scipy.special import ndtri

from mcengine._model import Scalar, model, number, replace
from mcengine._spelling import near
from mcengine.market.base import check_models
from mcengine.pricing.quote import Sides

Moves: TypeAlias = Annotated[Any, Mapping[str, float] | None]
"""Log-moves by asset, 0 where none is given."""


@model
class Event:
    """A jump announced for a date: J = c + move of the side drawn + sd e, with c such that E[e^J] = 1.

    One event moves all assets it names by the same side and the same e. Its variance is in the price of options that live past it.

    Args:
        date: Years from today.
        up: Log-move on the up side by asset, ``{"equity": 0.04}``.
        down: Log-move on the down side by asset.
        sd: Standard deviation of the log-move about either, by asset.
        probability: Of the up side.
        variance_premium: Variance under Q over that under P: moves and sd grow by its root.

    Raises:
        ValueError: A standard deviation is below 0.

    Example:
        >>> vote = mc.market.Event(date=0.25, up={"equity": 0.04}, down={"equity": -0.06})
        >>> print(f"{vote.variance('equity'):.4f}")
        0.0025
    """

    date: Scalar = number(above=0.0, term=True)
    up: Moves = None
    down: Moves = None
    sd: Moves = None
    probability: Scalar = number(default=0.5, low=0.0, high=1.0, pathwise=False)
    variance_premium: Scalar = number(default=1.0, above=0.0)

    def canonical(self) -> dict[str, Any]:
        return {key: dict(getattr(self, key) or {}) for key in ("up", "down", "sd")}

    def check(self) -> None:
        for name, value in self.sd.items():
            if not float(value) >= 0.0:
                raise ValueError(f"Event.sd.{name}: expected a number not below 0, got {float(value):g}")

    @property
    def names(self) -> list[str]:
        """Assets it moves."""
        return list(dict.fromkeys([*self.up, *self.down, *self.sd]))

    def moves(self, name: str) -> tuple[Scalar, Scalar, Scalar]:
        """(up, down, sd) of one asset's log-move.

        Args:
            name: The asset.
        """
        return self.up.get(name, 0.0), self.down.get(name, 0.0), self.sd.get(name, 0.0)

    def variance(self, name: str) -> Scalar:
        """Variance of one asset's log-move under P.

        Args:
            name: The asset.
        """
        up, down, sd = self.moves(name)
        return sd**2 + self.probability * (1.0 - self.probability) * (up - down) ** 2

    def compensator(self, name: str) -> Scalar:
        """c = -ln E[e^{J - c}] of one asset.

        Args:
            name: The asset.
        """
        up, down, sd = self.moves(name)
        low = jnp.minimum(up, down)
        return -(low + 0.5 * sd**2 + jnp.log(self.probability * jnp.exp(up - low) + (1.0 - self.probability) * jnp.exp(down - low)))

    def risk_neutral(self) -> "Event":
        root = jnp.sqrt(jnp.asarray(self.variance_premium))
        larger = {key: {name: value * root for name, value in getattr(self, key).items()} for key in ("up", "down", "sd")}
        return replace(self, **larger, variance_premium=1.0)


@model
class Scenario:
    """A shock that nobody expects: it enters the drift of its step only; no price and no rule sees it coming.

    Args:
        date: Years from today.
        moves: Log-move by asset; of ``rate`` the move of the short rate, a year.

    Example:
        >>> market = mc.market.Market({"equity": mc.market.GBM(spot=100.0, sigma=0.2)})
        >>> list(mc.market.Scenario(date=0.5, moves={"equity": -0.3}).apply(market).scenarios)
        ['shock_1']
    """

    date: Scalar = number(above=0.0, term=True)
    moves: Moves = number(default=None, term=True)

    def canonical(self) -> dict[str, Any]:
        return {"moves": dict(self.moves or {})}

    def apply(self, market: Any) -> Any:
        """The market in which it happens, beside what happens there already.

        Args:
            market: A market of models.

        Raises:
            ValueError: The market is history, which nothing changes.
        """
        if not self.moves:
            return market
        check_models("scenario", market)
        before = dict(market.scenarios)
        return replace(market, scenarios=before | {f"shock_{len(before) + 1}": self})


class Hit(NamedTuple):
    """What the events of one asset do in each step: arrays over steps, 0 but on their dates."""

    up: Scalar
    down: Scalar
    sd: Scalar


def on(date: Scalar, times: Scalar, dt: Scalar) -> Scalar:
    """1 in the step at whose end the date is nearest, [steps]; never today."""
    steps = times.shape[0]
    index = jnp.maximum(jnp.round(date / dt[0]), 1.0)
    return (jnp.arange(1, steps + 1) == index) * 1.0


def hits(events: Mapping[str, Event], name: str, times: Scalar, dt: Scalar) -> Hit:
    """Of one asset, the compensator included."""
    zero = jnp.zeros(times.shape[0], jnp.result_type(float))
    up, down, variance = zero, zero, zero
    for event in events.values():
        if name in event.names:
            when, c, (rise, fall, sd) = on(event.date, times, dt), event.compensator(name), event.moves(name)
            up, down = up + when * (rise + c), down + when * (fall + c)
            variance = variance + when * sd**2
    return Hit(up, down, jnp.sqrt(jnp.where(variance > 0.0, variance, 1.0)) * (variance > 0.0))


def sides(events: Mapping[str, Event], times: Scalar, dt: Scalar) -> Scalar:
    """By step, the bound below which a normal is on the upper side."""
    zero = jnp.zeros(times.shape[0], jnp.result_type(float))
    return ndtri(sum((on(e.date, times, dt) * e.probability for e in events.values()), zero))


def jump(hit: Hit, up: Scalar, normal: Scalar) -> Scalar:
    """The jump of one asset's log, ``up`` saying which side; 0 in a step without event."""
    return jnp.where(up, hit.up, hit.down) + hit.sd * normal


def variance_by_date(events: Mapping[str, Event], name: str, times: Scalar, dt: Scalar) -> Scalar:
    """Variance that announced events of one asset have brought by each date, priced as under Q, [dates]."""
    return sum(
        (jnp.where(times >= _rounded(e.date, dt), e.variance(name) * e.variance_premium, 0.0) for e in events.values() if name in e.names),
        jnp.zeros_like(times),
    )


def two_sided(events: Mapping[str, Event], name: str, dt: Scalar) -> Sides | None:
    """What the sides of one asset's announced events do, priced as under Q; none where no event has any."""
    rows = []
    for event in events.values():
        if name in event.up or name in event.down:
            priced = event.risk_neutral()
            (up, down, sd), c = priced.moves(name), priced.compensator(name)
            rows.append((_rounded(event.date, dt), event.probability, up + c + 0.5 * sd**2, down + c + 0.5 * sd**2))
    return Sides(*(jnp.stack([jnp.asarray(x, jnp.result_type(float)) for x in column]) for column in zip(*rows, strict=True))) if rows else None


def _rounded(date: Scalar, dt: Scalar) -> Scalar:
    """The date's own time on the calendar, less a hair."""
    return (jnp.maximum(jnp.round(date / dt[0]), 1.0) - 0.5) * dt[0]


def names(events: Mapping[str, Event]) -> list[str]:
    """Assets that some event moves."""
    return list(dict.fromkeys(name for event in events.values() for name in event.names))


def check(events: Mapping[str, Event], scenarios: Mapping[str, Scenario], assets: Mapping[str, Any], *, stochastic_rate: bool) -> None:
    """Raise ``ValueError`` for an asset that the market lacks."""
    for title, event in events.items():
        for name in event.names:
            if name not in assets:
                raise ValueError(f"events.{title}: unknown asset {name!r}{near(name, assets)}")
    known = [*assets, *(["rate"] if stochastic_rate else [])]
    for title, scenario in scenarios.items():
        for name in scenario.moves:
            if name not in known:
                raise ValueError(f"scenarios.{title}: unknown asset {name!r}{near(name, known)}")


def check_step(events: Mapping[str, Event], dt: float) -> None:
    """Raise ``ValueError`` for two events in one step: its news is one."""
    taken: dict[int, str] = {}
    for title, event in events.items():
        other = taken.setdefault(max(round(float(event.date) / dt), 1), title)
        if other != title:
            raise ValueError(f"events.{title}: expected a step of its own, got that of {other}: name all assets that one date moves in one event")
