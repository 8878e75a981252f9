"""Hull & White (Rev. Financial Studies 3(4), 1990): Vasicek with a mean that moves so that today's curve is met exactly.

The curve is given by zero rates; between maturities ln P(0,T) is linear (forward rates are constant), beyond the last its forward rate goes on.
"""

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar

import jax.numpy as jnp
import numpy as np

from mcengine._model import Scalar, model, number, replace


@model
class HullWhite:
    """Hull & White's short rate (1990): Vasicek with a mean that moves so that today's curve is met exactly.

    Args:
        maturities: Years, rising from above 0 [maturities].
        zeros: Continuously compounded zero rates a year [maturities].
        kappa: Mean reversion a year.
        sigma: Volatility a year of the rate.
        term_premium: Excess return a year of bonds per unit of their volatility, under P.

    Raises:
        ValueError: The maturities do not rise, or there is not one rate for each.
    """

    maturities: Annotated[Any, Sequence[float]] = number(above=0.0, term=True)
    zeros: Annotated[Any, Sequence[float]] = number()
    kappa: Scalar = number(above=0.0)
    sigma: Scalar = number(low=0.0)
    term_premium: Scalar = number(default=0.0)

    n_factors: ClassVar[int] = 2

    def canonical(self) -> dict[str, Any]:
        return {key: np.atleast_1d(np.asarray(getattr(self, key), float)) for key in ("maturities", "zeros") if _plain(getattr(self, key))}

    def check(self) -> None:
        given = np.asarray(self.maturities)
        if given.ndim != 1 or not np.all(np.diff(given) > 0.0):
            raise ValueError(f"HullWhite.maturities: expected years that rise, got {given.tolist()}")
        if np.shape(self.zeros) != given.shape:
            raise ValueError(f"HullWhite.zeros: expected one rate for each of {given.size} maturities, got {np.size(self.zeros)}")

    @property
    def rate(self) -> Scalar:
        """The short rate today."""
        return self.zeros[0]

    def _nodes(self) -> tuple[Scalar, Scalar, Scalar]:
        """(years, -ln P there, forward rate after each), from 0 on."""
        years = jnp.concatenate([jnp.zeros(1), jnp.asarray(self.maturities)])
        logs = jnp.concatenate([jnp.zeros(1), jnp.asarray(self.maturities) * self.zeros])
        forward = jnp.diff(logs) / jnp.diff(years)
        return years, logs, jnp.concatenate([forward, forward[-1:]])

    def discounts(self, times: Scalar) -> Scalar:
        """Value today of 1 paid at each time.

        Args:
            times: Years from today [times].
        """
        years, logs, forward = self._nodes()
        k = jnp.clip(jnp.searchsorted(years, times, side="right") - 1, 0, years.shape[0] - 1)
        return jnp.exp(-(logs[k] + forward[k] * (times - years[k])))

    def forwards(self, times: Scalar) -> Scalar:
        """Today's instantaneous forward rate a year.

        Args:
            times: Years from today [times].
        """
        years, _, forward = self._nodes()
        return forward[jnp.clip(jnp.searchsorted(years, times, side="right") - 1, 0, years.shape[0] - 1)]

    def risk_neutral(self) -> "HullWhite":
        return replace(self, term_premium=0.0)


def _plain(value: Any) -> bool:
    return isinstance(value, int | float | list | tuple | np.ndarray | np.generic)
