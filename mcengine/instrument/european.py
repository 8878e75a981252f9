"""European calls, puts and digitals: strike in currency, expiry in years."""

from collections.abc import Mapping
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from mcengine._model import Scalar, is_concrete, model, number, static
from mcengine.instrument.base import AbstractContract, Formula, check_word, date_of
from mcengine.instrument.smooth import gate
from mcengine.pricing import KINDS, Calendar, Pricer, Quote


def payoff(kind: str, spot: Scalar, strike: Scalar) -> Scalar:
    """max(S - K, 0) of a call, max(K - S, 0) of a put.

    Args:
        kind: "call" or "put".
        spot: S, currency.
        strike: K, currency.

    Returns:
        Currency a unit.
    """
    return jnp.maximum(spot - strike, 0.0) if kind == "call" else jnp.maximum(strike - spot, 0.0)


@model
class Option(AbstractContract):
    """A European option: max(S_T - K, 0) of a call, max(K - S_T, 0) of a put.

    Args:
        kind: "call" or "put".
        strike: K, currency.
        expiry: Years from today.
        asset: Name of the underlying.

    Raises:
        ValueError: For another kind.
    """

    kind: str = static()
    strike: Scalar = number(above=0.0, term=True)
    expiry: Scalar = number(above=0.0, term=True)
    asset: str = static(default="asset")

    formula: ClassVar[Formula] = "pricer"

    def canonical(self) -> dict[str, Any]:
        check_word("Option.kind", self.kind, KINDS)
        return {}

    def step(self, state: Any, quotes: Mapping[str, Quote], step: Scalar, calendar: Calendar) -> tuple[tuple[()], Scalar]:
        """(state, cash paid on this date)."""
        due = step == date_of(self.expiry, calendar)
        return (), jnp.where(due, payoff(self.kind, quotes[self.asset].spot, self.strike), 0.0)

    def price(self, state: Any, quotes: Mapping[str, Quote], pricers: Mapping[str, Pricer], calendar: Calendar) -> Scalar:
        """Price now, by the asset's pricer."""
        return pricers[self.asset].option(self.kind, self.strike, date_of(self.expiry, calendar), quotes[self.asset])


def Call(strike: Scalar, expiry: Scalar, asset: str = "asset") -> Option:  # noqa: N802
    """The right to buy at the strike.

    Args:
        strike: Currency.
        expiry: Years from today.
        asset: Name of the underlying.

    Example:
        >>> import mcengine as mc
        >>> call = mc.instrument.Call(strike=100.0, expiry=1.0)
        >>> round(float(mc.greeks.value(call, mc.market.GBM(spot=100.0, sigma=0.2))), 2)
        7.97
    """
    return Option("call", strike, expiry, asset)


def Put(strike: Scalar, expiry: Scalar, asset: str = "asset") -> Option:  # noqa: N802
    """The right to sell at the strike.

    Args:
        strike: Currency.
        expiry: Years from today.
        asset: Name of the underlying.

    Example:
        >>> import mcengine as mc
        >>> mc.instrument.Put(strike=90.0, expiry=0.5, asset="equity")
        Option(kind='put', strike=90, expiry=0.5, asset='equity')
    """
    return Option("put", strike, expiry, asset)


@model
class Digital(AbstractContract):
    """Pays 1 in cash, or one unit of the asset, where S_T ends above (call) or below (put) the strike.

    Priced by the slope of the asset's own option prices, skew included: cash -dC/dK, asset C - K dC/dK (puts alike). That is the hard one's price,
    of a smoothed one an approximation.

    Args:
        kind: "call" or "put".
        strike: Currency.
        expiry: Years from today.
        pays: "cash" or "asset".
        asset: Name of the underlying.
        width: Of the smoothed payoff over ln(S/K), for derivatives along paths; 0 for the hard one.

    Raises:
        ValueError: For an unknown kind, or another payment.

    Example:
        >>> import mcengine as mc
        >>> digital = mc.instrument.Digital("put", strike=90.0, expiry=1.0)
        >>> round(float(mc.greeks.value(digital, mc.market.GBM(spot=100.0, sigma=0.2))), 3)
        0.335
    """

    kind: str = static()
    strike: Scalar = number(above=0.0, term=True)
    expiry: Scalar = number(above=0.0, term=True)
    pays: str = static(default="cash")
    asset: str = static(default="asset")
    width: Scalar = number(default=0.0, low=0.0, term=True)

    @property
    def formula(self) -> Formula:  # type: ignore[override]
        return "pricer" if not is_concrete(self.width) or float(self.width) == 0.0 else "approximate"

    def canonical(self) -> dict[str, Any]:
        check_word("Digital.kind", self.kind, KINDS)
        check_word("Digital.pays", self.pays, ("cash", "asset"))
        return {}

    def step(self, state: Any, quotes: Mapping[str, Quote], step: Scalar, calendar: Calendar) -> tuple[tuple[()], Scalar]:
        spot, sign = quotes[self.asset].spot, 1.0 if self.kind == "call" else -1.0
        paid = gate(sign * jnp.log(spot / self.strike), self.width) * (spot if self.pays == "asset" else 1.0)
        return (), jnp.where(step == date_of(self.expiry, calendar), paid, 0.0)

    def price(self, state: Any, quotes: Mapping[str, Quote], pricers: Mapping[str, Pricer], calendar: Calendar) -> Scalar:
        option = lambda k: pricers[self.asset].option(self.kind, k, date_of(self.expiry, calendar), quotes[self.asset])  # noqa: E731
        price, slope = jax.value_and_grad(option)(jnp.asarray(self.strike, jnp.result_type(float)))
        sign = 1.0 if self.kind == "call" else -1.0
        return -sign * slope if self.pays == "cash" else sign * (price - self.strike * slope)
