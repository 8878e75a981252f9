"""What every contract is: terms, the state it carries along a path, its cash, and its price where a formula knows it.

A new one: one class, one line in ``__init__``, one yaml, one row in the family's test table. ``quotes`` holds every asset of the market;
``pricers`` its pricers by asset, the correlations of their Brownian motions by pair ``"first-second"``, and the ``rate`` (see ``joint``).
"""

import math
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Literal, TypeAlias

import jax.numpy as jnp

from mcengine._model import Scalar
from mcengine.pricing import BlackPricer, Calendar, Quote
from mcengine.pricing.closed_forms import implied_total_volatility

Formula: TypeAlias = Literal["pricer", "lognormal", "approximate", "none"]
FORMULAS: tuple[Formula, ...] = ("pricer", "lognormal", "approximate", "none")
"""What ``price`` is: exact for whatever the pricers say; exact where assets are lognormal at one volatility and rates known; never exact; absent."""

_ON_DATE = 1e-6  # of a step
STEPS_PER_YEAR = 252


class AbstractContract:
    """A contract's terms, its state along a path and its price: on one ``asset``, paid at ``expiry`` (years), unless a class says otherwise."""

    asset: str
    expiry: Scalar
    formula: ClassVar[Formula] = "lognormal"
    n_uniforms: int = 0  # drawn anew each step; ``step`` then takes them as its last argument
    watched: bool = False  # whether its worth depends on how many dates there are
    reads_law: ClassVar[bool] = True  # whether its price needs more of an asset than its forward

    @property
    def assets(self) -> tuple[str, ...]:
        """The underlyings it reads."""
        return (self.asset,)

    @property
    def dates(self) -> tuple[float, ...]:
        """Years from today to the dates on which it reads or pays; the calendar must have them."""
        return (float(self.expiry),)

    def check_market(self, market: Any) -> None:
        """Check the terms against the market as it stands today.

        Args:
            market: The ``Market``.

        Raises:
            ValueError: Where they do not fit, as a barrier on the wrong side of the spot.
        """

    def start(self, quotes: Mapping[str, Quote]) -> Any:
        """State today.

        Args:
            quotes: Of every asset of the market, today.

        Returns:
            A pytree of scalars, carried from date to date.
        """
        return ()

    def step(self, state: Any, quotes: Mapping[str, Quote], step: Scalar, calendar: Calendar) -> tuple[Any, Scalar]:
        """State and cash on the date after a step.

        Args:
            state: On the date before.
            quotes: Of every asset of the market, on this date.
            step: Index of this date, 1 for the first after today.
            calendar: Dates on which the contract is followed.

        Returns:
            (state, cash paid on this date, currency).
        """
        raise NotImplementedError

    def price(self, state: Any, quotes: Mapping[str, Quote], pricers: Mapping[str, Any], calendar: Calendar) -> Scalar:
        """Price now, after the cash of this date.

        Args:
            state: On this date.
            quotes: Of every asset of the market, on this date.
            pricers: By asset, with correlations by pair and the rate (see ``joint``).
            calendar: Dates on which the contract is followed.

        Returns:
            Currency.
        """
        raise NotImplementedError


def date_of(years: Scalar, calendar: Calendar) -> Scalar:
    """Index of the date in so many years from today."""
    return jnp.round(years / calendar.years * calendar.steps).astype(jnp.int32)


def any_quote(quotes: Mapping[str, Quote]) -> Quote:
    """Discounts are the same in all of them."""
    return next(iter(quotes.values()))


def total_variance(pricer: Any, quote: Quote, date: Scalar) -> Scalar | None:
    """Variance of the log price to a date by a pricer that makes it lognormal; none by any other."""
    if isinstance(pricer, BlackPricer):
        return pricer.variance * quote.years(date) + quote.variance_beside(date)
    return pricer.total_variance(quote, date) if hasattr(pricer, "total_variance") else None


def total_volatility(pricer: Any, quote: Quote, date: Scalar) -> Scalar:
    """Volatility times root time to a date: the pricer's own where it is lognormal, else that of its option struck at the forward."""
    total = total_variance(pricer, quote, date)
    if total is None:
        forward = quote.forward(date)
        return implied_total_volatility(pricer.option("call", forward, date, quote), forward, quote.discount(date))
    alive = total > 0.0
    return quote.bumped_volatility(jnp.where(alive, jnp.sqrt(jnp.where(alive, total, 1.0)), 0.0), date)


def correlation(pricers: Mapping[str, Any], first: str, second: str) -> Scalar:
    """Between the Brownian motions of two assets."""
    for key in (f"{first}-{second}", f"{second}-{first}"):
        if key in pricers:
            return pricers[key]
    raise ValueError(f"pricers: expected the correlation {first}-{second} beside the assets' pricers, got {', '.join(pricers)}")


def joint(market: Any) -> dict[str, Any]:
    """What the prices of all contracts on a market read.

    Args:
        market: The ``Market``.

    Returns:
        Pricers by asset, correlations of Brownian motions by pair "first-second", and the model of the ``rate``.
    """
    return {**market.pricers(), **market.correlation, "rate": market.rate}


def check_word(where: str, word: str, words: tuple[str, ...]) -> None:
    """One of a few words."""
    if word not in words:
        known = " or ".join(repr(w) for w in words)
        raise ValueError(f"{where}: expected {known}, got {word!r}")


def on_dates(years: float, steps: int, dates: Iterable[float]) -> bool:
    """Whether ``steps`` equal steps to ``years`` (and beyond) meet all the dates."""
    at = [date / years * steps for date in dates]
    return all(abs(x - round(x)) <= _ON_DATE for x in at)


def make_calendar(contracts: Mapping[str, Any], steps: int | None, least: int | None = None, events: Mapping[str, Any] | None = None) -> Calendar:
    """The dates on which contracts are followed: to the last expiry, and beyond it where one reads a later maturity.

    Args:
        contracts: By name.
        steps: Equal steps to the last expiry; None takes the fewest, from ``least`` on, that meet every contract's dates.
        least: Fewest steps tried; None for ``STEPS_PER_YEAR`` a year.
        events: The market's, by name: on the calendar none may change sides with a contract's date.

    Raises:
        ValueError: For a contract whose dates fall between those of the calendar, or fall together with an event's that comes later.
    """
    years = max(float(contract.expiry) for contract in contracts.values())
    dates = {name: getattr(contract, "dates", (float(contract.expiry),)) for name, contract in contracts.items()}
    every = [date for one in dates.values() for date in one]
    announced = {name: float(event.date) for name, event in (events or {}).items()}
    if steps is None:
        first = max(1, round(STEPS_PER_YEAR * years)) if least is None else least
        # Among so many every calendar of whole days, weeks, months has its match.
        fits = lambda n: on_dates(years, n, every) and not any(_confused(years / n, date, every) for date in announced.values())  # noqa: E731
        steps = next((n for n in range(first, first + 2000) if fits(n)), first)
    for name, own in dates.items():
        missed = [date for date in own if not on_dates(years, steps, [date])]
        if missed:
            raise ValueError(f"steps: expected a number of equal steps to {years:g} years that meets {name} at {missed[0]:g} years, got {steps}")
        for title, at in announced.items():
            if _confused(years / steps, at, own):
                raise ValueError(
                    f"steps: expected a number of equal steps to {years:g} years that tells the event {title} at {at:g} years "
                    f"from the dates of {name}, got {steps}"
                )
    beyond = max(0, round(max(every) / years * steps) - steps)
    return Calendar(years, steps, beyond)


def _confused(dt: float, event: float, dates: Iterable[float]) -> bool:
    """Whether an event, moved to the calendar's nearest date, passes one of the dates."""
    at = max(round(event / dt), 1)
    return any((at <= round(date / dt)) != (event <= date + _ON_DATE * dt) for date in dates)


def least_steps(contract: Any, market: Any) -> int | None:
    """Fewest steps for pricing a contract by formula: ``make_calendar``'s ``least``.

    Args:
        contract: Any contract.
        market: The ``Market`` in which it is to be priced.

    Returns:
        1 where only the dates it names matter; None (so many a year) where it is watched on every date, or an asset's law or today's curve is read
        by step.
    """
    by_step = market.rate.n_factors or any(market[name].steps_matter for name in contract.assets)
    return None if by_step or getattr(contract, "watched", False) else 1


def equally(expiry: Scalar, count: int, start: Scalar = 0.0) -> tuple[float, ...]:
    """``count`` equally spaced times after ``start``, the last at ``expiry``."""
    first, last = float(start), float(expiry)
    return tuple(first + (last - first) * k / count for k in range(1, count + 1))


def check_count(where: str, value: Any, least: int) -> None:
    """A whole number of at least ``least``."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ValueError(f"{where}: expected a whole number of at least {least}, got {value!r}")


def spot_today(market: Any, name: str) -> float:
    """Today's price of an asset, NaN where it is not known before the run."""
    spot = getattr(market.assets[name], "spot", math.nan)
    return float(spot)
