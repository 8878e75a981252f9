"""What slots are worth, and their Greeks: derivatives of each slot's own price by bumps of the quotes, one definition for every pricer.

delta, gamma by the spot (currency); vega, volga by implied volatility, all strikes and expiries alike (a year), vanna by both; variance_vega,
variance_volga, variance_vanna the same by the variance that is seen (a year), the law as it is; rho by the rate (a year), all maturities alike,
rate_rho by the short rate that is seen, the law as it is; theta by time passing (a year), spot and variance as they are; cross_gamma by two spots.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp

from mcengine._model import Scalar
from mcengine.instrument.option_slot import OptionSlot
from mcengine.instrument.schedule import Life
from mcengine.instrument.slot import AbstractSlot, Mark, Position, Quotes, Underlying
from mcengine.pricing import Quote, options

OF_BOOK = ("theta", "rho", "rate_rho")
"""Greeks of no asset."""

BENT = {"volatility": ("vega", "vanna", "volga"), "variance": ("variance_vega", "variance_vanna", "variance_volga")}
"""First derivative, mixed one with the spot and second one, by what is moved."""

GREEKS = ("delta", "gamma", "vega", "theta", "rho", "cross_gamma", "variance_vega", "vanna", "volga", "variance_vanna", "variance_volga", "rate_rho")

POWERS = {"delta": 1, "gamma": 2, "vega": 0, "theta": 0, "rho": 0, "vanna": 1, "volga": 0}
"""Of the spot, which make currency of a Greek."""


@dataclass(frozen=True)
class Greeks:
    """Of a book: ``cross_gamma`` by pair "first-second", ``theta``, ``rho`` and ``rate_rho`` of all, others by asset; what was asked for.

    Args:
        values: By name, numbers or dicts of them.
    """

    values: dict[str, Any]

    def __getattr__(self, name: str) -> Any:
        values = object.__getattribute__(self, "values")
        if name in values:
            return values[name]
        if name in GREEKS:
            raise ValueError(f"greeks.{name}: expected it in the ``needs`` of the stage, cost or recorder that reads it, got {sorted(values)}")
        raise AttributeError(name)


def marks(
    slots: Mapping[str, AbstractSlot],
    held: Mapping[str, Position],
    quotes: Quotes,
    pricers: Mapping[str, Any],
    lives: Mapping[str, Life],
    wanted: tuple[str, ...] = (),
) -> dict[str, Mark]:
    """Price of a unit of every slot, and its Greeks ``wanted``; options of one asset are priced together.

    Args:
        slots: By name, no underlyings.
        held: Terms and states by slot; units and marks are not read.
        quotes: Of every asset of the market.
        pricers: By asset, and what contracts on several need beside them.
        lives: Dates by slot.
        wanted: Names among ``GREEKS``.

    Returns:
        Marks by slot; Greeks by asset hold the slot's own assets only.
    """
    return {name: one for group in groups(slots) for name, one in _together(group, held, quotes, pricers, lives, wanted).items()}


def groups(slots: Mapping[str, AbstractSlot]) -> list[dict[str, AbstractSlot]]:
    """Slots that one piece of program prices: options of one asset together, any other slot alone.

    Args:
        slots: By name.

    Returns:
        Slots by name, one dict a group; underlyings are left out.
    """
    out: dict[Any, dict[str, AbstractSlot]] = {}
    for name, slot in slots.items():
        if not isinstance(slot, Underlying):
            out.setdefault(("option", slot.asset) if isinstance(slot, OptionSlot) else name, {})[name] = slot
    return list(out.values())


def _together(
    slots: Mapping[str, AbstractSlot],
    held: Mapping[str, Position],
    quotes: Quotes,
    pricers: Mapping[str, Any],
    lives: Mapping[str, Life],
    wanted: tuple[str, ...],
) -> dict[str, Mark]:
    names, first = list(slots), next(iter(slots.values()))

    def price(shown: Quotes) -> list[Scalar]:
        if isinstance(first, OptionSlot):
            kinds = [slot.kind for slot in slots.values()]  # type: ignore[attr-defined]
            strikes, expiries = [held[n].terms for n in names], [lives[n].expiry for n in names]
            return options(pricers[first.asset], kinds, strikes, expiries, shown[first.asset])
        return [slot.price(held[n].terms, held[n].state, shown, pricers, lives[n]) for n, slot in slots.items()]

    values, by_name = _derivatives(price, first.assets, quotes, wanted)
    return {n: Mark(values[i], jax.tree.map(lambda x, i=i: x[i], by_name, is_leaf=lambda x: isinstance(x, list))) for i, n in enumerate(names)}


def _derivatives(
    price: Callable[[Quotes], list[Scalar]], assets: tuple[str, ...], quotes: Quotes, wanted: tuple[str, ...]
) -> tuple[list[Scalar], dict[str, Any]]:
    """(prices, Greeks by name, each a list like the prices)."""
    zero = jnp.zeros((), jnp.result_type(float))
    slope = lambda fn: jax.jvp(fn, (zero,), (jnp.ones_like(zero),))  # noqa: E731
    out: dict[str, Any] = {name: {} for name in wanted if name not in OF_BOOK}
    values = None
    for what, (vega, vanna, volga) in BENT.items():
        for asset in assets if {vanna, volga} & set(wanted) else ():

            def at(x: Scalar, y: Scalar, asset: str = asset, what: str = what) -> list[Scalar]:
                return price(bent(quotes, asset, spot=x, **{what: y}))

            found = _bent(at, zero, vanna in wanted, volga in wanted)
            values = found["values"]
            for greek, key in (("delta", "x"), (vega, "y"), ("gamma", "xx"), (vanna, "xy"), (volga, "yy")):
                if greek in wanted and key in found:
                    out[greek][asset] = found[key]
    for asset in assets if {"delta", "gamma"} & set(wanted) else ():
        if all(asset in out[greek] for greek in ("delta", "gamma") if greek in wanted):
            continue
        along = lambda x, a=asset: price(moved(quotes, spots={a: x}))  # noqa: E731
        if "gamma" in wanted:
            (values, delta), (_, out["gamma"][asset]) = slope(lambda x, fn=along: jax.jvp(fn, (x,), (jnp.ones_like(x),)))
        else:
            values, delta = slope(along)
        if "delta" in wanted:
            out["delta"][asset] = delta
    for what, (vega, *_) in BENT.items():
        for asset in assets if vega in wanted else ():
            if asset not in out[vega]:
                values, out[vega][asset] = slope(lambda x, a=asset, w=what: price(bent(quotes, a, **{w: x})))
    for name, move in (("theta", "years"), ("rho", "rate")):
        if name in wanted:
            values, out[name] = slope(lambda x, m=move: price(moved(quotes, **{m: x})))
    if "rate_rho" in wanted and any(quote.rate is not None for quote in quotes.values()):
        values, out["rate_rho"] = slope(lambda x: price(_with_rate(quotes, x)))
    for i, a in enumerate(assets if "cross_gamma" in wanted else ()):
        for b in assets[i + 1 :]:
            both = lambda x, y, a=a, b=b: price(moved(quotes, spots={a: x, b: y}))  # noqa: E731
            _, (_, out["cross_gamma"][f"{a}-{b}"]) = slope(lambda x, f=both: slope(lambda y: f(x, y)))
    values = price(quotes) if values is None else values
    if "rate_rho" in wanted and "rate_rho" not in out:
        out["rate_rho"] = [jnp.zeros_like(value) for value in values]
    return values, out


def _bent(price: Callable[[Scalar, Scalar], list[Scalar]], zero: Scalar, mixed: bool, second: bool) -> dict[str, list[Scalar]]:
    """Prices at (0, 0), their slopes by x and y and, where wanted, second ones by x and x, x and y (``mixed``), y and y (``second``).

    Both first slopes are read off one evaluation of the pricer's rule, so that each second one costs a tangent of it.
    """
    one = jnp.ones_like(zero)

    def slopes(x: Scalar, y: Scalar) -> tuple[list[Scalar], list[Scalar], list[Scalar]]:
        values, linear = jax.linearize(price, x, y)
        return values, linear(one, zero), linear(zero, one)

    out: dict[str, list[Scalar]] = {}
    if mixed:
        (out["values"], out["x"], out["y"]), (_, out["xx"], out["xy"]) = jax.jvp(slopes, (zero, zero), (one, zero))
    if second:
        (out["values"], out["x"], out["y"]), (_, _, out["yy"]) = jax.jvp(slopes, (zero, zero), (zero, one))
    return out


def totals(slots: Mapping[str, AbstractSlot], units: Mapping[str, Scalar], marks: Mapping[str, Mark | tuple[()]], wanted: tuple[str, ...]) -> Greeks:
    """Greeks of a book: sum over its slots of units x the Greek of one unit.

    Args:
        slots: By name.
        units: By slot.
        marks: By slot; an underlying's is not read.
        wanted: Names among ``GREEKS``.
    """
    out: dict[str, Any] = {name: 0.0 if name in OF_BOOK else {} for name in wanted}
    for name, slot in slots.items():
        if isinstance(slot, Underlying):
            own: dict[str, Any] = {"delta": {slot.asset: 1.0}}
        else:
            own = marks[name].greeks  # type: ignore[union-attr]
        for greek in wanted:
            found = own.get(greek, {})
            if isinstance(out[greek], dict):
                for key, value in found.items():
                    out[greek][key] = out[greek].get(key, 0.0) + units[name] * value
            elif not isinstance(found, dict):
                out[greek] = out[greek] + units[name] * found
    for greek in (name for name in GREEKS if name not in (*OF_BOOK, "cross_gamma")):
        for slot in slots.values() if greek in out else ():
            for asset in slot.assets:
                out[greek].setdefault(asset, jnp.zeros((), jnp.result_type(float)))
    return Greeks(out)


def nothing(assets: tuple[str, ...], wanted: tuple[str, ...], zero: Scalar) -> dict[str, Any]:
    """Greeks of a unit that is worth nothing, as a mark has them.

    Args:
        assets: Of the slot.
        wanted: Names among ``GREEKS``.
        zero: In the dtype carried.
    """
    pairs = [f"{a}-{b}" for i, a in enumerate(assets) for b in assets[i + 1 :]]
    return {name: zero if name in OF_BOOK else dict.fromkeys(pairs if name == "cross_gamma" else assets, zero) for name in wanted}


def bent(quotes: Quotes, asset: str, spot: Scalar = 0.0, volatility: Scalar | None = None, variance: Scalar | None = None) -> dict[str, Quote]:
    """Quotes with one asset's moved.

    Args:
        quotes: By asset.
        asset: Whose is moved.
        spot: Added to the spot, currency.
        volatility: Added to every implied volatility, a year.
        variance: Added to the variance that is seen, a year.
    """
    quote = quotes[asset] if variance is None else replace(quotes[asset], variance=quotes[asset].variance + variance)
    return {**quotes, asset: quote.bumped(spot, volatility=volatility)}


def _with_rate(quotes: Quotes, move: Scalar) -> dict[str, Quote]:
    """Quotes with the short rate moved, where it is stochastic."""
    at = lambda q: q if q.rate is None else replace(q, rate=q.rate._replace(deviation=q.rate.deviation + move))  # noqa: E731
    return {name: at(quote) for name, quote in quotes.items()}


def moved(
    quotes: Quotes,
    spots: Mapping[str, Scalar] | None = None,
    volatilities: Mapping[str, Scalar] | None = None,
    rate: Scalar | None = None,
    years: Scalar | None = None,
) -> dict[str, Quote]:
    """Quotes moved: spots and volatilities by asset, the rate and time of all."""
    spots, volatilities, out = spots or {}, volatilities or {}, dict(quotes)
    for name, quote in quotes.items():
        if name in spots or name in volatilities or rate is not None or years is not None:
            out[name] = quote.bumped(spots.get(name, 0.0), volatility=volatilities.get(name), rate=rate, years=years)
    return out
