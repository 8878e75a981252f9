"""Pricers: what an option is worth given a quote. They hold the parameters under Q; paths move under P.

``BlackPricer`` has constant variance; ``fourier`` has those of laws known by their characteristic function, ``surface`` one of quoted volatilities.
"""

from collections.abc import Sequence
from typing import Any, Protocol

from mcengine._model import Scalar, model, number
from mcengine.pricing.black import black, root
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


def options(pricer: Pricer, kinds: Sequence[str], strikes: Sequence[Scalar], expiries: Sequence[Scalar], quote: Quote) -> list[Scalar]:
    """Prices now of several options on one asset; arguments as of ``Pricer.option``, one of each an option."""
    return [pricer.option(kind, strike, expiry, quote) for kind, strike, expiry in zip(kinds, strikes, expiries, strict=True)]


@model
class BlackPricer:
    """Constant variance ``variance`` a year under Q, and what announced events bring."""

    variance: Scalar = number(low=0.0)

    def option(self, kind: str, strike: Scalar, expiry: Scalar, quote: Quote) -> Scalar:
        own, forward, discount = self.variance * quote.years(expiry), quote.forward(expiry), quote.discount(expiry)

        def price(growth: Scalar, more: Scalar) -> Scalar:
            return black(kind, forward * growth, strike, quote.bumped_volatility(root(own + more), expiry), discount)

        return quote.over_events(expiry, price)
