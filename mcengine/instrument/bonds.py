"""Bonds and options on them: contracts on the market's rate. A bond index is an asset, held or optioned like any other."""

from collections.abc import Mapping
from typing import Any, ClassVar

import jax.numpy as jnp

from mcengine._model import Scalar, model, number, static
from mcengine.instrument.base import AbstractContract, Formula, any_quote, check_count, check_word, date_of, equally
from mcengine.instrument.european import payoff
from mcengine.pricing import KINDS, Calendar, Quote
from mcengine.pricing.closed_forms_rates import coupon_bond_option


class _OnRates(AbstractContract):
    @property
    def assets(self) -> tuple[str, ...]:
        """None: discounts are the market's."""
        return ()


@model
class ZeroBond(_OnRates):
    """A zero-coupon bond.

    Args:
        expiry: Years from today to the payment.
        face: Paid then, currency.
    """

    expiry: Scalar = number(above=0.0, term=True)
    face: Scalar = number(default=1.0, above=0.0, term=True)

    formula: ClassVar[Formula] = "pricer"
    reads_law: ClassVar[bool] = False

    def step(self, state: Any, quotes: Mapping[str, Quote], step: Scalar, calendar: Calendar) -> tuple[tuple[()], Scalar]:
        return (), jnp.where(step == date_of(self.expiry, calendar), self.face, 0.0)

    def price(self, state: Any, quotes: Mapping[str, Quote], pricers: Mapping[str, Any], calendar: Calendar) -> Scalar:
        quote, date = any_quote(quotes), date_of(self.expiry, calendar)
        return self.face * quote.discount(date) * (date > quote.step)


@model
class CouponBond(_OnRates):
    """A bond with equally spaced coupons, the last paid at expiry with the face.

    Args:
        coupon: Annual rate on the face.
        expiry: Years from today to the last payment.
        payments: Number of coupons, at least 1.
        face: Currency.

    Raises:
        ValueError: Unless payments is a whole number of at least 1.
    """

    coupon: Scalar = number(low=0.0, term=True)
    expiry: Scalar = number(above=0.0, term=True)
    payments: int = static(default=1)
    face: Scalar = number(default=1.0, above=0.0, term=True)

    formula: ClassVar[Formula] = "pricer"
    reads_law: ClassVar[bool] = False

    def check(self) -> None:
        check_count("CouponBond.payments", self.payments, 1)

    @property
    def dates(self) -> tuple[float, ...]:
        return equally(self.expiry, self.payments)

    def _dated(self, calendar: Calendar) -> list[tuple[Scalar, Scalar]]:
        """(date, amount) of each payment."""
        amount = self.face * self.coupon * self.expiry / self.payments
        return [
            (date_of(self.expiry * (k / self.payments), calendar), amount + (self.face if k == self.payments else 0.0))
            for k in range(1, self.payments + 1)
        ]

    def step(self, state: Any, quotes: Mapping[str, Quote], step: Scalar, calendar: Calendar) -> tuple[tuple[()], Scalar]:
        return (), sum(jnp.where(step == date, amount, 0.0) for date, amount in self._dated(calendar))

    def price(self, state: Any, quotes: Mapping[str, Quote], pricers: Mapping[str, Any], calendar: Calendar) -> Scalar:
        quote = any_quote(quotes)
        return sum(amount * quote.discount(date) * (date > quote.step) for date, amount in self._dated(calendar))


@model
class BondOption(_OnRates):
    """A call or put on a bond of face 1; the strike is paid against the bond without accrued interest.

    Jamshidian's price under Vasicek and Hull-White, the forward bond's intrinsic value where the rate is known.

    Args:
        kind: "call" or "put".
        strike: Currency for a face of 1.
        expiry: Years from today.
        maturity: Of the bond, years from today.
        coupon: Annual rate on the face, 0 for a zero-coupon bond.
        payments: Number of coupons, equally spaced between expiry and maturity.

    Raises:
        ValueError: For an unknown kind, or a maturity that is not after expiry.
    """

    kind: str = static()
    strike: Scalar = number(above=0.0, term=True)
    expiry: Scalar = number(above=0.0, term=True)
    maturity: Scalar = number(above=0.0, term=True)
    coupon: Scalar = number(default=0.0, low=0.0, term=True)
    payments: int = static(default=1)

    formula: ClassVar[Formula] = "pricer"

    def canonical(self) -> dict[str, Any]:
        check_word("BondOption.kind", self.kind, KINDS)
        check_count("BondOption.payments", self.payments, 1)
        return {}

    def check(self) -> None:
        if float(self.maturity) <= float(self.expiry):
            raise ValueError(f"BondOption.maturity: expected years after expiry = {float(self.expiry):g}, got {float(self.maturity):g}")

    @property
    def dates(self) -> tuple[float, ...]:
        return (float(self.expiry), *equally(self.maturity, self.payments, self.expiry))

    def _dated(self, calendar: Calendar) -> list[tuple[Scalar, Scalar]]:
        life = self.maturity - self.expiry
        amount = self.coupon * life / self.payments
        return [
            (date_of(self.expiry + life * (k / self.payments), calendar), amount + (1.0 if k == self.payments else 0.0))
            for k in range(1, self.payments + 1)
        ]

    def step(self, state: Any, quotes: Mapping[str, Quote], step: Scalar, calendar: Calendar) -> tuple[tuple[()], Scalar]:
        quote = any_quote(quotes)
        bond = sum(amount * quote.discount(date) for date, amount in self._dated(calendar))
        return (), jnp.where(step == date_of(self.expiry, calendar), payoff(self.kind, bond, self.strike), 0.0)

    def price(self, state: Any, quotes: Mapping[str, Quote], pricers: Mapping[str, Any], calendar: Calendar) -> Scalar:
        quote, date, rate = any_quote(quotes), date_of(self.expiry, calendar), pricers["rate"]
        law = (rate.kappa, rate.sigma) if getattr(rate, "n_factors", 0) else (1.0, 0.0)
        payments = [(quote.years(when), amount, quote.discount(when)) for when, amount in self._dated(calendar)]
        return coupon_bond_option(self.kind, self.strike, quote.years(date), payments, quote.discount(date), law)
