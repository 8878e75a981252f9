"""The dates of a run: what depends on time only is a table read by step, the same for every path."""

import jax.numpy as jnp

from mcengine._model import Scalar, model, number, static


@model
class Calendar:
    """``steps`` equal steps over ``years``; ``beyond`` more dates past the horizon, for contracts that outlive the run."""

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
