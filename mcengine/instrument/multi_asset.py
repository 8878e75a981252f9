"""Contracts on several assets: basket, exchange, spread, best-of and worst-of."""

from collections.abc import Mapping
from functools import reduce
from typing import Any, ClassVar

import jax.numpy as jnp

from mcengine._model import Scalar, is_concrete, model, number, static
from mcengine.instrument.base import AbstractContract, Formula, check_word, correlation, date_of, total_volatility
from mcengine.instrument.european import payoff
from mcengine.pricing import KINDS, Calendar, Quote
from mcengine.pricing import closed_forms_multi_asset as closed


def _terms(quotes: Mapping[str, Quote], pricers: Mapping[str, Any], assets: tuple[str, ...], date: Scalar) -> tuple[Any, Any, Scalar]:
    """(forwards, total volatilities, discount) of assets to a date."""
    forwards = tuple(quotes[name].forward(date) for name in assets)
    return forwards, tuple(total_volatility(pricers[name], quotes[name], date) for name in assets), quotes[assets[0]].discount(date)


def _check_pair(where: str, assets: tuple[Any, ...]) -> None:
    if len(set(assets)) != len(assets) or len(assets) < 2 or not all(isinstance(name, str) for name in assets):
        raise ValueError(f"{where}: expected the names of two or more different assets, got {', '.join(map(str, assets)) or 'none'}")


@model
class Basket(AbstractContract):
    """A call or put on a weighted sum of spots: max(±(sum of w_i S_i - K), 0).

    Args:
        kind: "call" or "put".
        strike: K, currency.
        expiry: Years from today.
        weights: Units w_i by asset, none negative (a difference is a ``Spread``).

    Raises:
        ValueError: For an unknown kind, or weights without one above 0.
    """

    kind: str = static()
    strike: Scalar = number(above=0.0, term=True)
    expiry: Scalar = number(above=0.0, term=True)
    weights: dict[str, Scalar] = number(low=0.0, term=True)

    formula: ClassVar[Formula] = "approximate"

    def canonical(self) -> dict[str, Any]:
        check_word("Basket.kind", self.kind, KINDS)
        if not self.weights:
            raise ValueError("Basket.weights: expected at least one asset, got none")
        return {"weights": dict(self.weights)}

    def check(self) -> None:
        if is_concrete(self.weights) and not any(float(w) > 0.0 for w in self.weights.values()):
            raise ValueError("Basket.weights: expected one above 0, got none")

    @property
    def assets(self) -> tuple[str, ...]:
        return tuple(self.weights)

    def step(self, state: Any, quotes: Mapping[str, Quote], step: Scalar, calendar: Calendar) -> tuple[tuple[()], Scalar]:
        worth = sum(weight * quotes[name].spot for name, weight in self.weights.items())
        return (), jnp.where(step == date_of(self.expiry, calendar), payoff(self.kind, worth, self.strike), 0.0)

    def price(self, state: Any, quotes: Mapping[str, Quote], pricers: Mapping[str, Any], calendar: Calendar) -> Scalar:
        """Levy's lognormal of equal mean and variance: an approximation, and a good control."""
        forwards, s, discount = _terms(quotes, pricers, self.assets, date_of(self.expiry, calendar))
        rho = [[1.0 if a == b else correlation(pricers, a, b) for b in self.assets] for a in self.assets]
        return closed.basket(self.kind, forwards, list(self.weights.values()), self.strike, s, rho, discount)


@model
class Exchange(AbstractContract):
    """The right to give one asset for another: max(S_receive - S_give, 0) (Margrabe 1978).

    Args:
        receive: Name of the asset received.
        give: Name of the asset given.
        expiry: Years from today.

    Raises:
        ValueError: Unless the two names differ.
    """

    receive: str = static()
    give: str = static()
    expiry: Scalar = number(above=0.0, term=True)

    def canonical(self) -> dict[str, Any]:
        _check_pair("Exchange.give", self.assets)
        return {}

    @property
    def assets(self) -> tuple[str, ...]:
        return (self.receive, self.give)

    def step(self, state: Any, quotes: Mapping[str, Quote], step: Scalar, calendar: Calendar) -> tuple[tuple[()], Scalar]:
        gain = jnp.maximum(quotes[self.receive].spot - quotes[self.give].spot, 0.0)
        return (), jnp.where(step == date_of(self.expiry, calendar), gain, 0.0)

    def price(self, state: Any, quotes: Mapping[str, Quote], pricers: Mapping[str, Any], calendar: Calendar) -> Scalar:
        (f1, f2), (s1, s2), discount = _terms(quotes, pricers, self.assets, date_of(self.expiry, calendar))
        return closed.margrabe(f1, f2, s1, s2, correlation(pricers, self.receive, self.give), discount)


@model
class Spread(AbstractContract):
    """A call or put on a difference of spots: max(±(S_first - S_second - K), 0), priced by one integral.

    Args:
        kind: "call" or "put".
        strike: K, currency, of either sign.
        expiry: Years from today.
        first: Name of the asset added.
        second: Name of the asset subtracted.

    Raises:
        ValueError: For an unknown kind, or unless the two names differ.
    """

    kind: str = static()
    strike: Scalar = number(term=True)
    expiry: Scalar = number(above=0.0, term=True)
    first: str = static()
    second: str = static()

    def canonical(self) -> dict[str, Any]:
        check_word("Spread.kind", self.kind, KINDS)
        _check_pair("Spread.second", self.assets)
        return {}

    @property
    def assets(self) -> tuple[str, ...]:
        return (self.first, self.second)

    def step(self, state: Any, quotes: Mapping[str, Quote], step: Scalar, calendar: Calendar) -> tuple[tuple[()], Scalar]:
        gap = quotes[self.first].spot - quotes[self.second].spot
        return (), jnp.where(step == date_of(self.expiry, calendar), payoff(self.kind, gap, self.strike), 0.0)

    def price(self, state: Any, quotes: Mapping[str, Quote], pricers: Mapping[str, Any], calendar: Calendar) -> Scalar:
        (f1, f2), (s1, s2), discount = _terms(quotes, pricers, self.assets, date_of(self.expiry, calendar))
        return closed.spread(self.kind, f1, f2, self.strike, s1, s2, correlation(pricers, self.first, self.second), discount)


@model
class Rainbow(AbstractContract):
    """A call or put on the best or the worst of several assets; Stulz's (1982) price for two.

    Args:
        kind: "call" or "put".
        of: "best" or "worst".
        strike: Currency.
        expiry: Years from today.
        names: Of the assets, two or more.

    Raises:
        ValueError: For an unknown kind, or another ``of`` than these, or a name given twice; by ``price``, for more than two assets.
    """

    kind: str = static()
    of: str = static()
    strike: Scalar = number(above=0.0, term=True)
    expiry: Scalar = number(above=0.0, term=True)
    names: tuple[str, ...] = static()

    def canonical(self) -> dict[str, Any]:
        check_word("Rainbow.kind", self.kind, KINDS)
        check_word("Rainbow.of", self.of, ("best", "worst"))
        _check_pair("Rainbow.names", tuple(self.names))
        return {"names": tuple(self.names)}

    @property
    def assets(self) -> tuple[str, ...]:
        return self.names

    @property
    def formula(self) -> Formula:  # type: ignore[override]
        return "lognormal" if len(self.names) == 2 else "none"

    def step(self, state: Any, quotes: Mapping[str, Quote], step: Scalar, calendar: Calendar) -> tuple[tuple[()], Scalar]:
        chosen = reduce(jnp.maximum if self.of == "best" else jnp.minimum, (quotes[name].spot for name in self.names))
        return (), jnp.where(step == date_of(self.expiry, calendar), payoff(self.kind, chosen, self.strike), 0.0)

    def price(self, state: Any, quotes: Mapping[str, Quote], pricers: Mapping[str, Any], calendar: Calendar) -> Scalar:
        if len(self.names) != 2:
            raise ValueError(f"Rainbow.names: expected two assets for a price by formula, got {len(self.names)}")
        forwards, s, discount = _terms(quotes, pricers, self.names, date_of(self.expiry, calendar))
        return closed.rainbow(self.kind, self.of, forwards, self.strike, s, correlation(pricers, *self.names), discount)


def BestOf(kind: str, strike: Scalar, expiry: Scalar, names: tuple[str, ...]) -> Rainbow:  # noqa: N802
    """A ``Rainbow`` on the dearest of the assets at expiry.

    Args:
        kind: "call" or "put".
        strike: Currency.
        expiry: Years from today.
        names: Of the assets, two or more.
    """
    return Rainbow(kind, "best", strike, expiry, tuple(names))


def WorstOf(kind: str, strike: Scalar, expiry: Scalar, names: tuple[str, ...]) -> Rainbow:  # noqa: N802
    """A ``Rainbow`` on the cheapest of the assets at expiry.

    Args:
        kind: "call" or "put".
        strike: Currency.
        expiry: Years from today.
        names: Of the assets, two or more.
    """
    return Rainbow(kind, "worst", strike, expiry, tuple(names))
