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
    """Of one asset, ``asset``, paid at ``expiry`` (years), unless a contract says otherwise."""

    asset: str
    expiry: Scalar
    formula: ClassVar[Formula] = "lognormal"
    n_uniforms: int = 0  # drawn anew each step; ``step`` then takes them as its last argument
    watched: bool = False  # whether its worth depends on how many dates there are

    @property
    def assets(self) -> tuple[str, ...]:
        """The underlyings it reads."""
        return (self.asset,)

    @property
    def dates(self) -> tuple[float, ...]:
        """Years from today to the dates on which it reads or pays; the calendar must have them."""
        return (float(self.expiry),)

    def check_market(self, market: Any) -> None:
        """Raise ``ValueError`` where the terms do not fit the market as it stands today."""

    def start(self, quotes: Mapping[str, Quote]) -> Any:
        """State today."""
        return ()

    def step(self, state: Any, quotes: Mapping[str, Quote], step: Scalar, calendar: Calendar) -> tuple[Any, Scalar]:
        """(state, cash paid on this date)."""
        raise NotImplementedError

    def price(self, state: Any, quotes: Mapping[str, Quote], pricers: Mapping[str, Any], calendar: Calendar) -> Scalar:
        """Price now, after the cash of this date."""
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
        return pricer.variance * quote.years(date) + quote.event_variance(date)
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
    """All that prices of contracts on a market read: its pricers, correlations and rate."""
    return {**market.pricers(), **market.correlation, "rate": market.rate}


def check_formula(contract: Any, market: Any, *, approximate: bool) -> None:
    """Raise ``ValueError`` where a contract has no price formula, or, unless ``approximate``, none that is exact for the market."""
    formula, name = getattr(contract, "formula", "pricer"), type(contract).__name__
    if formula == "none":
        raise ValueError(f"{name}: expected a contract with a price formula, got one without; mc.price prices it by Monte Carlo")
    if approximate or formula == "pricer":
        return
    fit = "mc.price prices it by Monte Carlo, approximate=True takes the formula as it is"
    if formula == "approximate":
        raise ValueError(f"{name}: expected a contract with an exact price formula, got one whose formula is an approximation; {fit}")
    pricers = market.pricers()
    odd = [name for name in contract.assets if not isinstance(pricers[name], BlackPricer)]
    if odd or market.rate.n_factors or market.regimes is not None or market.events:
        seen = f"{type(market[odd[0]]).__name__} for {odd[0]}" if odd else "a market with a stochastic rate, regimes or events"
        raise ValueError(f"{name}: expected lognormal assets and a known rate, for which its formula is exact, got {seen}; {fit}")


def check_word(where: str, word: str, words: tuple[str, ...]) -> None:
    """One of a few words."""
    if word not in words:
        known = " or ".join(repr(w) for w in words)
        raise ValueError(f"{where}: expected {known}, got {word!r}")


def on_dates(years: float, steps: int, dates: Iterable[float]) -> bool:
    """Whether ``steps`` equal steps to ``years`` (and beyond) meet all the dates."""
    at = [date / years * steps for date in dates]
    return all(abs(x - round(x)) <= _ON_DATE for x in at)


def make_calendar(contracts: Mapping[str, Any], steps: int | None, least: int | None = None) -> Calendar:
    """The dates on which contracts are followed: to the last expiry, and beyond it where one reads a later maturity.

    Without ``steps``: the fewest from ``least`` (by default 252 a year) on that meet every contract's dates.
    Raises ``ValueError`` for a contract whose dates fall between those of the calendar.
    """
    years = max(float(contract.expiry) for contract in contracts.values())
    dates = {name: getattr(contract, "dates", (float(contract.expiry),)) for name, contract in contracts.items()}
    every = [date for one in dates.values() for date in one]
    if steps is None:
        first = max(1, round(STEPS_PER_YEAR * years)) if least is None else least
        # Among so many every calendar of whole days, weeks, months has its match.
        steps = next((n for n in range(first, first + 2000) if on_dates(years, n, every)), first)
    for name, own in dates.items():
        missed = [date for date in own if not on_dates(years, steps, [date])]
        if missed:
            raise ValueError(f"steps: expected a number of equal steps to {years:g} years that meets {name} at {missed[0]:g} years, got {steps}")
    beyond = max(0, round(max(every) / years * steps) - steps)
    return Calendar(years, steps, beyond)


def least_steps(contract: Any) -> int | None:
    """1 where only the dates it names matter; none (252 a year) for a contract that is watched on every date."""
    return None if getattr(contract, "watched", False) else 1


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
