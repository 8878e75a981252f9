"""What a market shows of one asset at one date. A view made each step, never carried."""

from collections.abc import Callable
from dataclasses import dataclass

from mcengine._model import Scalar


@dataclass(frozen=True)
class Quote:
    """``spot`` (currency), ``variance`` (a year, instantaneous), and the asset's time-only tables over all dates of the calendar.

    ``times[j]`` in years, ``discounts[j]`` the value today of 1 paid at date j, ``carry[j]`` the forward of date j over the spot today;
    ``curve(spot, years)`` is the forward of an asset that has its own law of it, and whose ``carry`` then is not read.
    """

    spot: Scalar
    variance: Scalar
    step: Scalar
    times: Scalar
    discounts: Scalar
    carry: Scalar
    curve: Callable[[Scalar, Scalar], Scalar] | None = None

    def years(self, to: Scalar) -> Scalar:
        """Years from now to date ``to``; 0 for a date that has passed."""
        left = self.times[to] - self.times[self.step]
        return left * (left > 0.0)

    def discount(self, to: Scalar) -> Scalar:
        """Value now of 1 paid at date ``to``."""
        return self.discounts[to] / self.discounts[self.step]

    def forward(self, to: Scalar) -> Scalar:
        """Forward price for date ``to``."""
        if self.curve is not None:
            return self.curve(self.spot, self.years(to))
        return self.spot * (self.carry[to] / self.carry[self.step])
