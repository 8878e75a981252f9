"""History replayed: path k is the window that starts at the k-th close and runs to the horizon. Nothing is drawn.

Windows overlap, so that their results are as dependent as they look: over n windows of h days there are about n/h independent ones, and the i.i.d.
error of a mean is too small by about sqrt(2 h / 3) to sqrt(h). ``sampling`` says so to whoever makes an error (``statistics.dependence``).
"""

from collections.abc import Mapping
from itertools import pairwise
from typing import Annotated, Any, ClassVar, TypeAlias

import jax.numpy as jnp
import numpy as np

from mcengine._model import Scalar, model, number, static
from mcengine._spelling import near
from mcengine.history import periods
from mcengine.history.days import Days, load_days
from mcengine.market.historical import FAR, AbstractHistory, Assets
from mcengine.market.rate import FlatRate
from mcengine.noise import Path as PathId
from mcengine.pricing import Calendar, Pricer, SurfacePricer
from mcengine.statistics import Sampling

Announced: TypeAlias = Annotated[Any, Mapping[str, list[str]] | None]
"""Dates by event."""

LEAST = 12
"""Rows of which a correlation is known at least."""


@model
class Replay(AbstractHistory):
    """History replayed: path k is the window that starts at the k-th close and runs to the horizon. Nothing is drawn.

    All windows begin at spots of 100, in the order of their dates; they overlap, which the errors take into account. A path id beyond the
    number of windows starts over.

    Args:
        days: The days.
        first: Index of the first close that a window starts at.
        last: Index of the last.
        surface: Prices options of assets with a volatility index, at the variance quoted; None: Black, flat at the index.
        period: Name of the period that windows start within, if any; they may run on past its end.
        announced: (name, dates like 2008-01-30) of events that rules know of beforehand. One on a day without a close is known at the next.

    Raises:
        ValueError: For dates that are none, or do not rise.
    """

    days: Days
    first: Scalar = number(low=0.0, term=True)
    last: Scalar = number(low=0.0, term=True)
    surface: Any = None
    period: str = static(default="")
    announced: tuple[tuple[str, tuple[str, ...]], ...] = static(default=())

    n_factors: ClassVar[int] = 0
    n_uniforms: ClassVar[int] = 0

    def canonical(self) -> dict[str, Any]:
        given = self.announced.items() if isinstance(self.announced, Mapping) else self.announced or ()
        return {"announced": tuple((name, _rising(f"Replay.announced.{name}", dates)) for name, dates in given)}

    @classmethod
    def from_history(
        cls,
        assets: Assets = None,
        *,
        data: Any = None,
        start: Any = None,
        end: Any = None,
        period: str | None = None,
        announced: Announced = None,
        rate: str | float = "ust3m",
        surface: Pricer | None = SurfacePricer(),  # noqa: B008 (frozen)
    ) -> "Replay":
        """Replay of the shipped history or a file of one's own.

        Args:
            assets: By name a ``Series``, its fields as a dict, or a column's name (see ``history.load_days``). None: the shipped
                ones, or every column of a file.
            data: File, table, dict of the arguments of ``history.read``, or ``Prices``; None: the shipped history.
            start: First date, like 2001-09-10, or None for the first there is.
            end: Last date, or None.
            period: One of ``history.named_periods()`` that windows start within, or None.
            announced: Dates, like 2008-01-30, of events that rules know of beforehand, by name.
            rate: What cash earns: the column of a short rate (percent a year, simple), or one continuously compounded rate a year.
            surface: Prices options of assets with a volatility index; None: Black, flat at the index.

        Raises:
            ValueError: The data are not as expected, or the period is unknown or not within them.

        Example:
            >>> replay = mc.market.Replay.from_history({"equity": "spx"}, period="covid_2020")
            >>> replay.windows(steps=21), replay.start_date(0)
            (24, '2020-02-19')
        """
        if period is not None:
            periods.find(period)
        days = load_days(assets, data=data, start=start, end=end, rate=rate)
        first, last = 0, days.count - 1
        if period is not None:
            one = periods.check_inside(period, days.day(0), days.day(days.count - 1), days.notes)
            first, last = days.between(one.start, one.end)
        return cls(days, first, last, surface, period or "", announced or ())

    @property
    def rate(self) -> FlatRate:
        """The mean of what cash earned from the first start on: for checks and summaries, no path reads it."""
        return FlatRate(float(np.mean(np.asarray(self.days.closes)[int(self.first) :, -1])))

    def windows(self, steps: int) -> int:
        """How many windows there are.

        Args:
            steps: Days of a window.
        """
        return max(min(int(self.last), self.days.count - 1 - steps) - int(self.first) + 1, 0)

    def start_date(self, path: int) -> str:
        """Date of the close a path starts at.

        Args:
            path: Its id.
        """
        return self.days.day(int(self.first) + path)

    def check_steps(self, years: Scalar, steps: int) -> None:
        """Check that a step is one trading day, and that there is a window to the horizon.

        Args:
            years: Horizon in years.
            steps: Steps to it.

        Raises:
            ValueError: It is not, or there is none.
        """
        super().check_steps(years, steps)
        if not self.windows(steps):
            within = f"from {self.days.day(int(self.first))} to {self.days.day(int(self.last))}" + (f" ({self.period})" if self.period else "")
            over = self.days.day(self.days.count - 1)
            raise ValueError(f"Study.steps: expected a window of {steps} days that starts {within}, got none: the data end on {over}")

    def sampling(self, steps: int) -> Sampling:
        """How windows depend on each other: neighbours share all their days but one.

        Args:
            steps: Days of a window.
        """
        return Sampling("windows", steps)

    def event_rows(self, event: str) -> Scalar:
        """Rows at whose close each date of an event is known, [dates]; far away for one after the last.

        Args:
            event: Its name.

        Raises:
            ValueError: For an event that is not announced.
        """
        known = dict(self.announced)
        if event not in known:
            raise ValueError(f"unknown event {event!r}{near(event, known)}")
        on = np.array(known[event], "datetime64[D]").astype(int)
        rows = jnp.searchsorted(jnp.asarray(self.days.dates), jnp.asarray(on, jnp.result_type(float)))
        return jnp.where(rows < self.days.count, rows, FAR).astype(jnp.int32)

    def begin(self, path: PathId, source: Any, calendar: Calendar) -> tuple[Scalar, Scalar]:
        """(the first close of a path, what stands there)."""
        first = jnp.asarray(self.first).astype(jnp.uint32)
        last = jnp.minimum(jnp.asarray(self.last).astype(jnp.uint32), jnp.uint32(self.days.count - 1 - calendar.steps))
        place = (first + jnp.asarray(path.low, jnp.uint32) % (last - first + jnp.uint32(1))).astype(jnp.int32)
        return place, jnp.asarray(self.days.closes)[place]

    def correlations(self) -> Scalar:
        """About a mean of 0, of all days up to each close; 1 where these are fewer than a quarter [days, assets, assets]."""
        moves = jnp.asarray(self.days.moves)[:, : len(self.days.names)]
        sums = jnp.cumsum(moves[:, :, None] * moves[:, None, :], axis=0)
        sums = jnp.concatenate([jnp.zeros_like(sums[:1]), sums])
        known = (jnp.arange(self.days.count) >= max(round(self.days.per_year / 4), LEAST))[:, None, None]
        squares = jnp.where(known[:, 0], jnp.diagonal(sums, axis1=1, axis2=2), 1.0)
        return jnp.where(known, sums / jnp.sqrt(squares[:, :, None] * squares[:, None, :]), 1.0)

    def move(self, place: Scalar, uniforms: tuple[Scalar, ...]) -> tuple[Scalar, Scalar]:
        return jnp.asarray(self.days.moves)[place], place + 1


def _rising(where: str, given: Any) -> tuple[str, ...]:
    """Dates as ISO has them."""
    if isinstance(given, str) or not isinstance(given, list | tuple) or not given:
        raise ValueError(f"{where}: expected a list of dates like 2008-01-30, got {given!r}")
    try:
        days = [np.datetime64(str(day), "D") for day in given]
    except ValueError:
        raise ValueError(f"{where}: expected dates like 2008-01-30, got {', '.join(map(str, given))}") from None
    for day, following in pairwise(days):
        if not day < following:
            raise ValueError(f"{where}: expected dates that rise, got {following} after {day}")
    return tuple(map(str, days))
