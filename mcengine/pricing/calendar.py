"""The dates of a run: what depends on time only is a table read by step, the same for every path."""

import jax.numpy as jnp

from mcengine._model import Scalar, model, number, static


@model
class Calendar:
    """Dates of a run: equal steps to the horizon, and dates beyond it for contracts that outlive the run.

    Args:
        years: Horizon in years.
        steps: Steps to the horizon.
        beyond: Further dates past it, a step apart.

    Raises:
        ValueError: ``steps`` is no whole number of at least 1.

    Example:
        >>> print(mc.pricing.Calendar(years=1.0, steps=4).times())
        [0.   0.25 0.5  0.75 1.  ]
    """

    years: Scalar = number(above=0.0, term=True)
    steps: int = static()
    beyond: int = static(default=0)

    def check(self) -> None:
        if self.steps < 1 or self.steps != int(self.steps):
            raise ValueError(f"steps: expected a whole number of at least 1, got {self.steps}")

    @property
    def dates(self) -> int:
        """How many dates there are, today and those beyond the horizon included."""
        return self.steps + 1 + self.beyond

    def times(self) -> Scalar:
        """Years from today to each date, [dates]."""
        return jnp.arange(self.dates) * (self.years / self.steps)
