"""Greeks of a contract: derivatives of its price formula by automatic differentiation.

Prices and Greeks are programs of the market, the contract and the calendar: other numbers of the same structure compile nothing.
"""

from typing import Any

import jax
import jax.numpy as jnp

from mcengine._model import Scalar, parameters, with_parameters
from mcengine.engine.price import check_market, market_of, underlyings
from mcengine.instrument import check_formula, joint, least_steps, make_calendar
from mcengine.instrument.marks import moved
from mcengine.market import Market
from mcengine.pricing import Calendar


def value(instrument: Any, asset: Any, rate: Scalar = 0.0, *, steps: int | None = None, approximate: bool = False) -> Scalar:
    """Price today by the contract's formula.

    Args:
        instrument: Any contract.
        asset: Model of its underlying, or a whole ``Market``, which brings its own rate.
        rate: Annual, continuously compounded; of a contract on one asset.
        steps: To the last expiry; None for daily ones where the contract is watched on every date or the market's law is read by step (regimes,
            GJR-GARCH, a stochastic rate), else as few as its dates need.
        approximate: Whether a formula that is not exact for the market will do.

    Returns:
        Currency.

    Raises:
        ValueError: Where there is no formula, or, unless ``approximate``, no exact one.

    Example:
        >>> import mcengine as mc
        >>> put = mc.instrument.Put(strike=90.0, expiry=1.0)
        >>> round(float(mc.greeks.value(put, mc.market.GBM(spot=100.0, sigma=0.2), rate=0.03)), 2)
        2.77
    """
    market, calendar = _checked(instrument, asset, rate, steps, approximate)
    return _value(instrument, market, calendar)


def of(instrument: Any, asset: Any, *, rate: float = 0.0, steps: int | None = None, approximate: bool = False) -> dict[str, float]:
    """Price and Greeks today, derivatives of the contract's price formula.

    Args:
        instrument: Any contract.
        asset: Model of its underlying, or a whole ``Market``, which brings its own rate.
        rate: Annual, continuously compounded; of a contract on one asset.
        steps: As of ``value``.
        approximate: As of ``value``.

    Returns:
        ``delta`` and ``gamma`` by spot, ``vega`` and ``volga`` by volatility (sigma, or sqrt(v0) of a stochastic one), ``vanna`` by both, ``rho`` by
        the rate, ``theta`` for a year of time passing, spot and variance as they are (``Quote.bumped``). On several assets each by name:
        ``delta_first``, ``gamma_first``, ``cross_gamma_first_second``, ``vega_first``, ``vanna_first``, ``volga_first``, and ``cega_first_second`` by
        a correlation. What a market has no number for is left out: a bond index's spot.

    Raises:
        ValueError: As of ``value``.

    Example:
        >>> import mcengine as mc
        >>> found = mc.greeks.of(mc.instrument.Call(strike=100.0, expiry=1.0), mc.market.GBM(spot=100.0, sigma=0.2))
        >>> {name: round(x, 2) for name, x in found.items()}
        {'price': 7.97, 'delta': 0.54, 'gamma': 0.02, 'vega': 39.7, 'vanna': 0.2, 'volga': -1.98, 'rho': 46.02, 'theta': -3.97}
    """
    dtype = jnp.result_type(float)
    market, calendar = _checked(instrument, asset, rate, steps, approximate)
    assets = underlyings(instrument)
    known = parameters(market)
    start: dict[str, Any] = {
        "spot": {name: known[f"{name}.spot"] for name in assets if f"{name}.spot" in known},
        "volatility": {name: _volatility(known, name) for name in assets if {f"{name}.v0", f"{name}.sigma"} & set(known)},
        "correlation": {k: known[f"correlation.{k}"] for k in market.correlation if set(k.split("-")) <= set(assets)},
        "rate": known.get("rate.rate"),
        "passed": 0.0,
    }
    at = jax.tree.map(lambda x: jnp.asarray(x, dtype), start)
    worth, first, second, bent = jax.tree.map(float, _derivatives(instrument, market, calendar, at))
    out = {"price": worth}
    for name in assets:
        tail = f"_{name}" if len(assets) > 1 else ""
        if name in first["spot"]:
            out |= {f"delta{tail}": first["spot"][name], f"gamma{tail}": second[name]["spot"][name]}
        if name in first["volatility"]:
            out[f"vega{tail}"] = first["volatility"][name]
        if name in first["spot"] and name in first["volatility"]:
            out[f"vanna{tail}"] = second[name]["volatility"][name]
        if name in bent:
            out[f"volga{tail}"] = bent[name]
    for pair, cega in first["correlation"].items():
        a, b = pair.split("-")
        if a in first["spot"] and b in first["spot"]:
            out[f"cross_gamma_{a}_{b}"] = second[a]["spot"][b]
        out[f"cega_{a}_{b}"] = cega
    if first["rate"] is not None:
        out["rho"] = first["rate"]
    return out | {"theta": first["passed"]}


def _checked(instrument: Any, asset: Any, rate: Scalar, steps: int | None, approximate: bool) -> tuple[Market, Calendar]:
    """(the market, the contract's dates), where the contract's formula holds there."""
    market = market_of(instrument, asset, rate)
    check_market(instrument, market)
    check_formula(instrument, market, approximate=approximate)
    calendar = make_calendar({"contract": instrument}, steps, least_steps(instrument, market), market.events)
    for name in underlyings(instrument):
        if market[name].steps_matter:
            market[name].check_step(float(calendar.years) / calendar.steps)
    return market, calendar


def _price(instrument: Any, market: Market, calendar: Calendar, passed: Scalar | None = None) -> Scalar:
    """Today's price; that once so many years have ``passed``, spot and variance as they are."""
    ready = market.prepare(calendar)
    quotes = ready.quotes(ready.start(), 0)
    state = instrument.start(quotes)
    shown = quotes if passed is None else moved(quotes, years=passed)
    return instrument.price(state, shown, joint(market), calendar)


_value = jax.jit(_price)


@jax.jit
def _derivatives(instrument: Any, market: Market, calendar: Calendar, at: dict[str, Any]) -> tuple[Scalar, Any, dict[str, Any], dict[str, Any]]:
    """(price, its derivatives by the numbers ``at``, those of its slopes by each spot, second ones by each volatility)."""
    known = parameters(market)

    def price(at: dict[str, Any]) -> Scalar:
        changed = {f"{name}.spot": spot for name, spot in at["spot"].items()}
        changed |= {
            f"{name}.v0" if f"{name}.v0" in known else f"{name}.sigma": vol**2 if f"{name}.v0" in known else vol
            for name, vol in at["volatility"].items()
        }
        changed |= {f"correlation.{pair}": rho for pair, rho in at["correlation"].items()}
        if at["rate"] is not None:
            changed["rate.rate"] = at["rate"]
        return _price(instrument, with_parameters(market, changed), calendar, at["passed"])

    both = lambda spots: jax.value_and_grad(price)(at | {"spot": spots})  # noqa: E731
    worth, first = both(at["spot"]) if not at["spot"] else (None, None)
    second = {}
    for name in at["spot"]:
        towards = {other: jnp.ones_like(x) if other == name else jnp.zeros_like(x) for other, x in at["spot"].items()}
        (worth, first), (_, second[name]) = jax.jvp(both, (at["spot"],), (towards,))
    bent = {}
    for name, volatility in at["volatility"].items():
        along = lambda x, name=name: price(at | {"volatility": at["volatility"] | {name: x}})  # noqa: E731
        slope = lambda x, fn=along: jax.jvp(fn, (x,), (jnp.ones_like(x),))[1]  # noqa: E731
        bent[name] = jax.jvp(slope, (volatility,), (jnp.ones_like(volatility),))[1]
    return worth, first, second, bent


def _volatility(known: dict[str, Any], name: str) -> Scalar:
    return jnp.sqrt(jnp.asarray(known[f"{name}.v0"], jnp.result_type(float))) if f"{name}.v0" in known else known[f"{name}.sigma"]
