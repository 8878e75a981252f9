"""Combinations: a weighted sum of contracts, named ones from two or three options."""

from collections.abc import Mapping
from functools import reduce
from typing import Any

import jax.numpy as jnp

from mcengine._model import Scalar, is_concrete, model, number
from mcengine.instrument.base import FORMULAS, AbstractContract, Formula
from mcengine.instrument.european import Call, Put
from mcengine.pricing import Calendar, Quote


@model
class Combination(AbstractContract):
    """A weighted sum of contracts; its price formula is as exact as the least exact of theirs.

    Args:
        legs: Contracts by name.
        units: Units of each leg, by the same names; a negative number is sold.

    Raises:
        ValueError: Where legs and units differ in their names.
    """

    legs: dict[str, Any] = number(term=True)
    units: dict[str, Scalar] = number(term=True)

    def canonical(self) -> dict[str, Any]:
        if not self.legs or set(self.legs) != set(self.units):
            raise ValueError(f"Combination.units: expected a number for each of the legs {', '.join(self.legs)}, got {', '.join(self.units)}")
        return {"legs": dict(self.legs), "units": {name: self.units[name] for name in self.legs}}

    @property
    def expiry(self) -> Scalar:
        """Of the leg that lives longest."""
        each = [leg.expiry for leg in self.legs.values()]
        return max(each) if is_concrete(each) else reduce(jnp.maximum, each)

    @property
    def assets(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(name for leg in self.legs.values() for name in leg.assets))

    @property
    def dates(self) -> tuple[float, ...]:
        return tuple(sorted({date for leg in self.legs.values() for date in leg.dates}))

    @property
    def formula(self) -> Formula:  # type: ignore[override]
        """The least exact of its legs'."""
        return max((leg.formula for leg in self.legs.values()), key=FORMULAS.index)

    @property
    def n_uniforms(self) -> int:  # type: ignore[override]
        return max(leg.n_uniforms for leg in self.legs.values())

    @property
    def watched(self) -> bool:  # type: ignore[override]
        return any(leg.watched for leg in self.legs.values())

    def check_market(self, market: Any) -> None:
        for leg in self.legs.values():
            leg.check_market(market)

    def start(self, quotes: Mapping[str, Quote]) -> dict[str, Any]:
        return {name: leg.start(quotes) for name, leg in self.legs.items()}

    def step(
        self, state: dict[str, Any], quotes: Mapping[str, Quote], step: Scalar, calendar: Calendar, uniforms: tuple[Scalar, ...] = ()
    ) -> tuple[dict[str, Any], Scalar]:
        """Legs that need random numbers share them.

        Args:
            uniforms: Random numbers of this step, the most that a leg draws.
        """
        after, cash = {}, 0.0
        for name, leg in self.legs.items():
            drawn = (uniforms[: leg.n_uniforms],) if leg.n_uniforms else ()
            after[name], paid = leg.step(state[name], quotes, step, calendar, *drawn)
            cash = cash + self.units[name] * paid
        return after, cash

    def price(self, state: dict[str, Any], quotes: Mapping[str, Quote], pricers: Mapping[str, Any], calendar: Calendar) -> Scalar:
        return sum(self.units[name] * leg.price(state[name], quotes, pricers, calendar) for name, leg in self.legs.items())


def Straddle(strike: Scalar, expiry: Scalar, asset: str = "asset") -> Combination:  # noqa: N802
    """A call and a put of one strike.

    Args:
        strike: Currency.
        expiry: Years from today.
        asset: Name of the underlying.
    """
    return Combination({"call": Call(strike, expiry, asset), "put": Put(strike, expiry, asset)}, {"call": 1.0, "put": 1.0})


def Strangle(low: Scalar, high: Scalar, expiry: Scalar, asset: str = "asset") -> Combination:  # noqa: N802
    """A put struck low and a call struck high.

    Args:
        low: Strike of the put, currency.
        high: Strike of the call, currency, above ``low``.
        expiry: Years from today.
        asset: Name of the underlying.

    Raises:
        ValueError: Unless low < high.
    """
    _rising("Strangle", low, high)
    return Combination({"put": Put(low, expiry, asset), "call": Call(high, expiry, asset)}, {"put": 1.0, "call": 1.0})


def Collar(low: Scalar, high: Scalar, expiry: Scalar, asset: str = "asset") -> Combination:  # noqa: N802
    """A put struck low, paid for by a call sold at a higher strike: with the asset held, its value stays between the two.

    Args:
        low: Strike of the put, currency.
        high: Strike of the call, currency, above ``low``.
        expiry: Years from today.
        asset: Name of the underlying.

    Raises:
        ValueError: Unless low < high.
    """
    _rising("Collar", low, high)
    return Combination({"put": Put(low, expiry, asset), "call": Call(high, expiry, asset)}, {"put": 1.0, "call": -1.0})


def CallSpread(low: Scalar, high: Scalar, expiry: Scalar, asset: str = "asset") -> Combination:  # noqa: N802
    """A call struck low less one struck high: pays at most high - low.

    Args:
        low: Strike of the call bought, currency.
        high: Strike of the call sold, currency, above ``low``.
        expiry: Years from today.
        asset: Name of the underlying.

    Raises:
        ValueError: Unless low < high.
    """
    _rising("CallSpread", low, high)
    return Combination({"low": Call(low, expiry, asset), "high": Call(high, expiry, asset)}, {"low": 1.0, "high": -1.0})


def PutSpread(low: Scalar, high: Scalar, expiry: Scalar, asset: str = "asset") -> Combination:  # noqa: N802
    """A put struck high less one struck low: pays at most high - low.

    Args:
        low: Strike of the put sold, currency.
        high: Strike of the put bought, currency, above ``low``.
        expiry: Years from today.
        asset: Name of the underlying.

    Raises:
        ValueError: Unless low < high.
    """
    _rising("PutSpread", low, high)
    return Combination({"high": Put(high, expiry, asset), "low": Put(low, expiry, asset)}, {"high": 1.0, "low": -1.0})


def _rising(name: str, low: Scalar, high: Scalar) -> None:
    if not float(low) < float(high):
        raise ValueError(f"{name}.high: expected a strike above low = {float(low):g}, got {float(high):g}")
