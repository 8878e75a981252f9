"""The volatility that a hedge takes its deltas at: implied, realised, or Leland's; a hedge without one takes the market's own deltas."""

import abc
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from mcengine._model import Scalar, model, number, static
from mcengine.market import AbstractSignal, Signals
from mcengine.policy.seen import Seen
from mcengine.pricing.black import signed_black
from mcengine.pricing.hedging import leland_volatility
from mcengine.pricing.smile import implied

LEAST = 1e-6
"""Time value over the forward below which a price in single precision tells nothing of its volatility."""


class AbstractDeltaVolatility(abc.ABC):
    """Gives the volatility a year at which the delta of a slot's option is taken."""

    def signals(self) -> Signals:
        """(name, signal) of each that it reads."""
        return ()

    @abc.abstractmethod
    def of(self, seen: Seen, slot: str, units: Scalar) -> Scalar:
        """Volatility a year, that of announced events included.

        Args:
            seen: What is known today.
            slot: Name of a slot of options.
            units: Held of it, negative if sold.
        """


@model
class Implied(AbstractDeltaVolatility):
    """That by which Black's formula gives each option its price: the delta of a fixed strike's volatility (sticky strike)."""

    def of(self, seen: Seen, slot: str, units: Scalar) -> Scalar:
        option, offer, expiry = seen.slots[slot], seen.on_offer(slot), seen.dates[slot].chosen.expiry
        quote = seen.quotes[option.asset]
        forward, discount, years = quote.forward(expiry), quote.discount(expiry), quote.years(expiry)
        strike, alive = offer.terms, years > 0.0
        root = jnp.sqrt(jnp.where(alive, years, 1.0))
        usual = jnp.sqrt(jnp.maximum(quote.variance, 1e-6)) * root
        sign = 1.0 if option.kind == "call" else -1.0  # type: ignore[attr-defined]
        value = (offer.mark.price / discount - jnp.maximum(sign * (forward - strike), 0.0)) / forward  # type: ignore[union-attr]
        outside = jnp.where(strike > forward, 1.0, -1.0)  # of the call and the put the one out of the money, which has the same time value
        plain = signed_black(outside, forward, strike, usual, 1.0) / forward
        known = alive & (value > LEAST)
        ratio = implied(jnp.log(strike / forward), usual, jnp.where(known, value - plain, 0.0))
        return jnp.where(known, ratio, 1.0) * usual / root


@model
class Realised(AbstractDeltaVolatility):
    """What a signal says: realised volatility, or a forecast of it.

    Args:
        signal: Any signal of ``mcengine.market`` that is a volatility a year.
        name: Under which the signal is known, and shared.

    Raises:
        ValueError: For what is no signal.
    """

    signal: Any
    name: str = static(default="")

    def canonical(self) -> dict[str, Any]:
        if not isinstance(self.signal, AbstractSignal):
            raise ValueError(f"Realised.signal: expected a signal such as Ewma, got {type(self.signal).__name__}")
        return {"name": self.name or "_".join((type(self.signal).__name__.lower(), *self.signal.assets))}

    def signals(self) -> Signals:
        return ((self.name, self.signal),)

    def of(self, seen: Seen, slot: str, units: Scalar) -> Scalar:
        return seen.signals[self.name]


@model
class Leland(AbstractDeltaVolatility):
    """Another volatility, raised for options sold and lowered for options bought by what hedging them on every date costs (``leland_volatility``).

    Args:
        volatility: A number a year, or ``Implied`` or ``Realised``.
        cost: Of a round trip in the asset, a fraction of the value traded.

    Raises:
        ValueError: For what is no volatility.
    """

    volatility: Any
    cost: Scalar = number(default=0.001, low=0.0)

    def canonical(self) -> dict[str, Any]:
        check_volatility("Leland.volatility", self.volatility)
        return {}

    def signals(self) -> Signals:
        return signals_of(self.volatility)

    def of(self, seen: Seen, slot: str, units: Scalar) -> Scalar:
        return leland_volatility(volatility_of(self.volatility, seen, slot, units), self.cost, seen.dt, jnp.where(units > 0.0, 1.0, -1.0))


def check_volatility(where: str, volatility: Any) -> None:
    """Raise ``ValueError`` for what is neither a number above 0 nor an ``AbstractDeltaVolatility``.

    Args:
        where: What the message begins with.
        volatility: What was given.
    """
    if isinstance(volatility, AbstractDeltaVolatility | jax.core.Tracer):
        return
    is_number = isinstance(volatility, int | float | np.number | np.ndarray | jax.Array) and not isinstance(volatility, bool)
    if not is_number or np.ndim(volatility) or not float(volatility) > 0.0:
        raise ValueError(f"{where}: expected a volatility a year above 0, Implied, Realised or Leland, got {volatility!r}")


def signals_of(volatility: Any) -> Signals:
    """Signals that a volatility reads; none of a number.

    Args:
        volatility: A number or an ``AbstractDeltaVolatility``.
    """
    return volatility.signals() if isinstance(volatility, AbstractDeltaVolatility) else ()


def volatility_of(volatility: Any, seen: Seen, slot: str, units: Scalar) -> Scalar:
    """A year: the number, or what it is by the rule given.

    Args:
        volatility: A number or an ``AbstractDeltaVolatility``.
        seen: What is known today.
        slot: Name of a slot of options.
        units: Held of it, negative if sold.
    """
    return volatility.of(seen, slot, units) if isinstance(volatility, AbstractDeltaVolatility) else volatility


def delta_at(volatility: Any, seen: Seen, slot: str, units: Scalar) -> Scalar:
    """Black's delta of one unit of a slot's option at a volatility, which stays where it is as the spot moves.

    Args:
        volatility: A number or an ``AbstractDeltaVolatility``.
        seen: What is known today.
        slot: Name of a slot of options.
        units: Held of it, negative if sold.
    """
    option, strike, expiry = seen.slots[slot], seen.on_offer(slot).terms, seen.dates[slot].chosen.expiry
    quote = seen.quotes[option.asset]
    years, sign = quote.years(expiry), 1.0 if option.kind == "call" else -1.0  # type: ignore[attr-defined]
    total = volatility_of(volatility, seen, slot, units) * jnp.sqrt(years)

    def price(move: Scalar) -> Scalar:
        moved = quote.bumped(move)
        return signed_black(sign, moved.forward(expiry), strike, total, moved.discount(expiry))

    zero = jnp.zeros((), jnp.result_type(float))
    return jax.jvp(price, (zero,), (jnp.ones_like(zero),))[1]
