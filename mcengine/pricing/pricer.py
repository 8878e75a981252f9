"""Pricers: what an option is worth given a quote. They hold the parameters under Q; paths move under P.

``BlackPricer`` has constant variance; ``fourier`` has those of laws known by their characteristic function, ``surface`` one of quoted volatilities.
"""

from typing import Any, Protocol

import jax.numpy as jnp

from mcengine._model import Scalar, model, number
from mcengine.pricing.black import black
from mcengine.pricing.calendar import Calendar
from mcengine.pricing.quote import Quote


class Pricer(Protocol):
    """Prices European options on one asset. One that has ``prepare(calendar) -> Pricer`` is prepared once a program before it is asked on paths."""

    def option(self, kind: str, strike: Scalar, expiry: Scalar, quote: Quote) -> Scalar:
        """Price now; ``expiry`` is the index of a calendar date common to all paths."""
        ...


def prepared(pricer: Any, calendar: Calendar) -> Pricer:
    """The pricer made ready for the dates of a run: tables that depend on parameters and dates only are computed here."""
    return pricer.prepare(calendar) if hasattr(pricer, "prepare") else pricer


@model
class BlackPricer:
    """Constant variance ``variance`` a year under Q, and that of announced events."""

    variance: Scalar = number(low=0.0)

    def option(self, kind: str, strike: Scalar, expiry: Scalar, quote: Quote) -> Scalar:
        years = quote.years(expiry)
        total = self.variance * years + quote.event_variance(expiry)
        deviation = jnp.sqrt(jnp.where(total > 0.0, total, 1.0)) * (total > 0.0)
        return black(kind, quote.forward(expiry), strike, deviation, quote.discount(expiry))
