"""A market of days as they were: the steps, quotes and pricers that ``Replay`` and ``Bootstrap`` share."""

import abc
from collections.abc import Mapping
from typing import Annotated, Any, Literal, NamedTuple, NoReturn, TypeAlias, TypedDict

import jax.numpy as jnp
import numpy as np

from mcengine._model import Scalar, model, number
from mcengine._spelling import near
from mcengine.history.days import Days, Series
from mcengine.noise import Path
from mcengine.pricing import Calendar, Pricer, Quote
from mcengine.pricing.affine_rate import AffineRate
from mcengine.pricing.black import root
from mcengine.pricing.vanilla import AbstractVanillaPricer, Vanilla

START = 100.0
"""Spot of every asset at the start of every path."""

FAR = 1 << 29
"""Steps to what does not come."""

_FLAT = 1e-6  # mean reversion of a rate that stays where it is: a bond of T years is e^{-r T} to 1e-6 of r T^2 / 2


class SeriesFields(TypedDict, total=False):
    """A ``Series`` in a file."""

    column: str
    kind: Literal["price", "yield"]
    dividend: float
    volatility: str | None


Assets: TypeAlias = Annotated[Any, Mapping[str, SeriesFields | str | None] | None]
"""By name how an asset is made: a ``Series``, its fields, or a column's name; None leaves it out."""


class Observed(NamedTuple):
    """State of one asset: what can be seen of it."""

    spot: Scalar
    variance: Scalar


def mixed(names: tuple[str, ...], shares: Mapping[str, Scalar], variances: Mapping[str, Scalar], correlations: Scalar, place: Scalar) -> Scalar:
    """Variance a year of a mix.

    Args:
        names: The assets, in the order of the correlations.
        shares: By asset, of the mix.
        variances: By asset, a year.
        correlations: As ``AbstractHistory.correlations``.
        place: Row of them, where there is one for each close.
    """
    size = jnp.stack([shares[n] * root(variances[n]) for n in names])
    return size @ (correlations[place] if correlations.ndim == 3 else correlations) @ size


def check_price_paths(what: str) -> NoReturn:
    """History has no law: there is no Q to price under. Raises ``ValueError``."""
    raise ValueError(f"{what}: expected a model of a market, which has a risk-neutral law, got history")


@model
class QuotedVariance(AbstractVanillaPricer):
    """Black at the variance quoted on the day: the volatility index at every strike and expiry."""

    scale: Scalar = number(default=1.0, above=0.0, term=True)

    def total_volatility(self, option: Vanilla) -> tuple[Scalar, tuple[Scalar, ...]]:
        return root(self.scale * option.variance * option.years), ()


class AbstractHistory(abc.ABC):
    """A market of historical days: what ``Replay`` and ``Bootstrap`` share.

    Attributes:
        days: The days.
        surface: Prices options of assets with a volatility index.
    """

    days: Days
    surface: Any

    @abc.abstractmethod
    def begin(self, path: Path, source: Any, calendar: Calendar) -> tuple[Scalar, Scalar]:
        """Where a path begins.

        Args:
            path: Id of the path.
            source: Its random numbers.
            calendar: Dates of the run.

        Returns:
            (place of its first close in the table, what stands there [assets + 1]).
        """

    @abc.abstractmethod
    def move(self, place: Scalar, uniforms: tuple[Scalar, ...]) -> tuple[Scalar, Scalar]:
        """One step of a path.

        Args:
            place: Place in the table before the step.
            uniforms: Independent uniforms on (0, 1) [n_uniforms].

        Returns:
            (row of ``days.moves``, place after the step).
        """

    @property
    def assets(self) -> dict[str, Series]:
        return dict(zip(self.days.names, self.days.series, strict=True))

    def __getitem__(self, name: str) -> Series:
        if name not in self.assets:
            raise ValueError(f"unknown asset {name!r}{near(name, self.assets)}")
        return self.assets[name]

    @property
    def remarks(self) -> tuple[str, ...]:
        return self.days.remarks

    def check_steps(self, years: Scalar, steps: int) -> None:
        """Check that a step is one row of history.

        Args:
            years: Horizon in years.
            steps: Steps to it.

        Raises:
            ValueError: It is not.
        """
        per_year = self.days.per_year
        wanted = round(float(years) * per_year)
        if wanted != steps:
            raise ValueError(
                f"Study.steps: expected a step a row, {per_year} a year, for {float(years):g} years of this history, got {steps}; give steps={wanted}"
            )

    def pricers(self) -> dict[str, Pricer]:
        """For an asset with a volatility index the ``surface``; for others, or without one, Black at the variance of the day."""
        return {name: QuotedVariance() if self.surface is None or s.volatility is None else self.surface for name, s in self.assets.items()}

    def observe(self, name: str, states: dict[str, Any]) -> Observed:
        """(spot, variance a year) of an asset.

        Args:
            name: The asset.
            states: The market's states by name.
        """
        return states[name]

    def dates(self, states: dict[str, Any]) -> np.ndarray:
        """Dates of the closes that were reached or drawn.

        Args:
            states: States along traced paths.

        Returns:
            numpy dates, of the states' shape.
        """
        return np.asarray(self.days.dates)[np.asarray(states["place"])].astype("datetime64[D]")

    @abc.abstractmethod
    def correlations(self) -> Scalar:
        """Correlations of the assets' returns: of all days alike [assets, assets], or as known at each close [days, assets, assets]."""

    def variance_of(self, shares: Mapping[str, Scalar], variances: Mapping[str, Scalar], place: Scalar) -> Scalar:
        """Variance a year of a mix: each asset's as quoted on the day, correlated as ``correlations`` has it.

        Args:
            shares: By asset, of the mix.
            variances: By asset, as observed.
            place: In the table, where a path is.
        """
        return mixed(self.days.names, shares, variances, self.correlations(), place)

    def risk_neutral(self) -> NoReturn:
        check_price_paths("market")

    def prepare(self, calendar: Calendar) -> "PreparedDays":
        """The market on the dates of a run.

        Args:
            calendar: Dates of the run.
        """
        return PreparedDays(self, calendar)


class PreparedDays:
    """A market of days on a calendar. ``market.begin(path, source, calendar)`` is the first place in the table and its close,
    ``market.move(place, uniforms)`` the row of a step and the place it leads to. States: ``place``, ``rate`` (known at the start of a step, earned
    over it) and each asset's.
    """

    def __init__(self, market: Any, calendar: Calendar) -> None:
        self.market, self.calendar = market, calendar
        self.n_factors, self.n_uniforms = market.n_factors, market.n_uniforms
        self.names, series = market.days.names, market.days.series
        self.times = calendar.times()
        self.discounts = jnp.ones_like(self.times)  # all interest is the path's own
        self._dt = self.times[1] - self.times[0]
        per_step = jnp.diff(self.times)[: calendar.steps]
        dividends = {name: s.dividend for name, s in zip(self.names, series, strict=True)}
        self.rows = {
            "interest": jnp.zeros_like(per_step),
            "income": {name: jnp.expm1(q * per_step) for name, q in dividends.items()},
        }
        self._carry = {name: jnp.exp(-q * self.times) for name, q in dividends.items()}
        self._correlations = market.correlations()

    def start(self, path: Any = None, source: Any = None) -> dict[str, Any]:
        if path is None:
            check_price_paths("start")
        place, close = self.market.begin(path, source, self.calendar)
        spot = jnp.asarray(START, jnp.result_type(float))
        states: dict[str, Any] = {name: Observed(spot, close[i]) for i, name in enumerate(self.names)}
        return states | {"rate": close[len(self.names)], "place": place}

    def until_events(self, states: dict[str, Any]) -> dict[str, tuple[Scalar, Scalar]]:
        """By announced event: steps to its next date, negative after the last; steps since its last one, far away before the first.

        Args:
            states: The market's.
        """
        out = {}
        for name, _ in getattr(self.market, "announced", ()):
            ahead = self.market.event_rows(name) - states["place"]
            since = jnp.min(jnp.where(ahead <= 0, -ahead, FAR))
            coming = jnp.min(jnp.where(ahead >= 0, ahead, FAR))
            out[name] = (jnp.where(coming < FAR, coming, -since), since)
        return out

    def step(self, states: dict[str, Any], row: Any, normals: tuple[Scalar, ...], uniforms: tuple[Scalar, ...] = ()) -> dict[str, Any]:
        move, place = self.market.move(states["place"], uniforms)
        count = len(self.names)
        new: dict[str, Any] = {name: Observed(states[name].spot + states[name].spot * move[i], move[count + i]) for i, name in enumerate(self.names)}
        return new | {"rate": move[2 * count], "place": place}

    def settle(self, before: dict[str, Any], after: dict[str, Any], row: Any) -> Any:
        """The row with the interest of the rate that stood at the start of the step."""
        return row | {"interest": jnp.expm1(before["rate"] * self._dt)}

    def growth(self, name: str, step: Scalar) -> Scalar:
        check_price_paths("controls")

    def variance_of(self, shares: Mapping[str, Scalar], quotes: Mapping[str, Quote], states: dict[str, Any]) -> Scalar:
        """As the market's, at the close where a path is."""
        return mixed(self.names, shares, {name: quotes[name].variance for name in shares}, self._correlations, states["place"])

    def quotes(self, states: dict[str, Any], step: Scalar) -> dict[str, Quote]:
        rate = AffineRate(states["rate"], jnp.asarray(_FLAT, self.times.dtype), jnp.zeros_like(self._dt))
        return {
            name: Quote(states[name].spot, states[name].variance, step, self.times, self.discounts, self._carry[name], rate=rate)
            for name in self.names
        }
