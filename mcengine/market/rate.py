"""Interest: what cash earns and by what later payments are discounted."""

import jax.numpy as jnp

from mcengine._model import Scalar, model, number


@model
class FlatRate:
    """One continuously compounded rate a year for all maturities."""

    rate: Scalar = number(default=0.0)

    def discounts(self, times: Scalar) -> Scalar:
        """Value today of 1 paid at each time (years)."""
        return jnp.exp(-self.rate * times)
