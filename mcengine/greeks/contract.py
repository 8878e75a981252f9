"""Greeks of a contract: derivatives of its price formula by automatic differentiation."""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from mcengine._model import Scalar, parameters, with_parameters
from mcengine.engine.price import check_market, market_of
from mcengine.instrument import check_formula, joint, least_steps, make_calendar
from mcengine.market import Market
from mcengine.pricing import Calendar


@dataclass(frozen=True)
class _Later:
    """A calendar on which every date but today comes ``by`` years later: the derivative by it is the price of time."""

    calendar: Calendar
    by: Scalar

    def __getattr__(self, name: str) -> Any:
        return getattr(self.calendar, name)

    def times(self) -> Scalar:
        times = self.calendar.times()
        return times + self.by * (times > 0.0)


def value(instrument: Any, asset: Any, rate: Scalar = 0.0, *, steps: int | None = None, approximate: bool = False) -> Scalar:
    """Price today by the contract's formula.

    Args:
        instrument: Any contract.
        asset: Model of its underlying, or a whole ``Market``, which brings its own rate.
        rate: Annual, continuously compounded; of a contract on one asset.
        steps: To the last expiry; None for daily ones where the contract is watched on every date, else as few as its dates need.
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
    market = market_of(instrument, asset, rate)
    check_formula(instrument, market, approximate=approximate)
    check_market(instrument, market)
    return _value(instrument, market, make_calendar({"contract": instrument}, steps, least_steps(instrument)))


def _value(instrument: Any, market: Market, calendar: Any) -> Scalar:
    ready = market.prepare(calendar)
    quotes = ready.quotes(ready.start(), 0)
    return instrument.price(instrument.start(quotes), quotes, joint(market), calendar)


def of(instrument: Any, asset: Any, *, rate: float = 0.0, steps: int | None = None, approximate: bool = False) -> dict[str, float]:
    """Price and Greeks today, derivatives of the contract's price formula.

    Args:
        instrument: Any contract.
        asset: Model of its underlying, or a whole ``Market``, which brings its own rate.
        rate: Annual, continuously compounded; of a contract on one asset.
        steps: As of ``value``.
        approximate: As of ``value``.

    Returns:
        ``delta`` and ``gamma`` by spot, ``vega`` by volatility (sigma, or sqrt(v0) of a stochastic one), ``vanna`` by both, ``rho`` by the rate,
        ``theta`` for a year of time passing. On several assets each by name: ``delta_first``, ``gamma_first``, ``cross_gamma_first_second``,
        ``vega_first``, ``vanna_first``, and ``cega_first_second`` by a correlation. What a market has no number for is left out: a bond index's spot.

    Raises:
        ValueError: As of ``value``.

    Example:
        >>> import mcengine as mc
        >>> found = mc.greeks.of(mc.instrument.Call(strike=100.0, expiry=1.0), mc.market.GBM(spot=100.0, sigma=0.2))
        >>> {name: round(x, 2) for name, x in found.items()}
        {'price': 7.97, 'delta': 0.54, 'gamma': 0.02, 'vega': 39.7, 'vanna': 0.2, 'rho': 46.02, 'theta': -3.97}
    """
    dtype = jnp.result_type(float)
    market = market_of(instrument, asset, rate)
    check_formula(instrument, market, approximate=approximate)
    check_market(instrument, market)
    calendar = make_calendar({"contract": instrument}, steps, least_steps(instrument))
    assets = tuple(instrument.assets) if hasattr(instrument, "assets") else (instrument.asset,)
    known = parameters(market)
    start: dict[str, Any] = {
        "spot": {name: known[f"{name}.spot"] for name in assets if f"{name}.spot" in known},
        "volatility": {name: _volatility(known, name) for name in assets if {f"{name}.v0", f"{name}.sigma"} & set(known)},
        "correlation": {k: known[f"correlation.{k}"] for k in market.correlation if set(k.split("-")) <= set(assets)},
        "rate": known.get("rate.rate"),
        "later": 0.0,
    }
    at = jax.tree.map(lambda x: jnp.asarray(x, dtype), start)

    def price(at: dict[str, Any]) -> Scalar:
        moved = {f"{name}.spot": spot for name, spot in at["spot"].items()}
        moved |= {
            f"{name}.v0" if f"{name}.v0" in known else f"{name}.sigma": vol**2 if f"{name}.v0" in known else vol
            for name, vol in at["volatility"].items()
        }
        moved |= {f"correlation.{pair}": rho for pair, rho in at["correlation"].items()}
        if at["rate"] is not None:
            moved["rate.rate"] = at["rate"]
        return _value(instrument, with_parameters(market, moved), _Later(calendar, at["later"]))

    def all_greeks(at: dict[str, Any]) -> tuple[Scalar, dict[str, Any], dict[str, Any]]:
        slopes = lambda spots: jax.grad(price)(at | {"spot": spots})  # noqa: E731
        second = {}
        for name in at["spot"]:
            towards = {other: jnp.ones_like(x) if other == name else jnp.zeros_like(x) for other, x in at["spot"].items()}
            second[name] = jax.jvp(slopes, (at["spot"],), (towards,))[1]
        return price(at), jax.grad(price)(at), second

    worth, first, second = jax.tree.map(float, jax.jit(all_greeks)(at))
    out = {"price": worth}
    for name in assets:
        tail = f"_{name}" if len(assets) > 1 else ""
        if name in first["spot"]:
            out |= {f"delta{tail}": first["spot"][name], f"gamma{tail}": second[name]["spot"][name]}
        if name in first["volatility"]:
            out[f"vega{tail}"] = first["volatility"][name]
        if name in first["spot"] and name in first["volatility"]:
            out[f"vanna{tail}"] = second[name]["volatility"][name]
    for pair, cega in first["correlation"].items():
        a, b = pair.split("-")
        if a in first["spot"] and b in first["spot"]:
            out[f"cross_gamma_{a}_{b}"] = second[a]["spot"][b]
        out[f"cega_{a}_{b}"] = cega
    if first["rate"] is not None:
        out["rho"] = first["rate"]
    return out | {"theta": -first["later"]}


def _volatility(known: dict[str, Any], name: str) -> Scalar:
    return jnp.sqrt(jnp.asarray(known[f"{name}.v0"], jnp.result_type(float))) if f"{name}.v0" in known else known[f"{name}.sigma"]
