"""Pricers: what an option is worth given a quote. They hold the parameters under Q; paths move under P.

``BlackPricer`` has constant variance; ``laws`` has those of laws known by their characteristic function, ``surface`` one of quoted volatilities.
"""

from typing import Any, Protocol

from mcengine._model import Scalar, model, number
from mcengine.pricing.black import root
from mcengine.pricing.calendar import Calendar
from mcengine.pricing.quote import Quote
from mcengine.pricing.vanilla import AbstractVanillaPricer, Vanilla


class Pricer(Protocol):
    """Prices European options on one asset under Q. One that has ``prepare(calendar) -> Pricer`` is prepared once a program."""

    def option(self, kind: str, strike: Scalar, expiry: Scalar, quote: Quote) -> Scalar:
        """Price now of a European option, currency.

        Args:
            kind: call or put.
            strike: Currency.
            expiry: Index of a calendar date, common to all paths.
            quote: What the market shows of the asset now.
        """
        ...


def prepared(pricer: Any, calendar: Calendar) -> Pricer:
    """The pricer made ready for the dates of a run: tables that depend on parameters and dates only are computed here.

    Args:
        pricer: A pricer.
        calendar: Dates of the run.
    """
    return pricer.prepare(calendar) if hasattr(pricer, "prepare") else pricer


@model
class BlackPricer(AbstractVanillaPricer):
    """Black's formula with a constant variance, and that of announced events.

    Args:
        variance: Variance a year under Q.

    Example:
        >>> market = mc.market.Market({"equity": mc.market.GBM(spot=100.0, sigma=0.2)})
        >>> prepared = market.prepare(mc.pricing.Calendar(years=1.0, steps=12))
        >>> quote = prepared.quotes(prepared.start(), 0)["equity"]
        >>> print(f"{float(mc.pricing.BlackPricer(variance=0.04).option('put', 100.0, 12, quote)):.4f}")
        7.9656
    """

    variance: Scalar = number(low=0.0)

    def variation(self, quote: Quote, to: Scalar) -> Scalar:
        """Expected sum of squared log-returns from now to a date, without announced events.

        Args:
            quote: What the market shows of the asset now.
            to: Index of the date.
        """
        return self.variance * quote.years(to)

    def total_volatility(self, option: Vanilla) -> tuple[Scalar, tuple[Scalar, ...]]:
        return root(self.variance * option.years + option.event_variance), ()
