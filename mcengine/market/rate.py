"""Interest: what cash earns and by what later payments are discounted.

A rate has ``discounts(times)``; a stochastic one (``n_factors`` normals a step) also what ``short_rate`` describes.
"""

from typing import ClassVar, Protocol, runtime_checkable

import jax.numpy as jnp

from mcengine._model import Scalar, model, number


@runtime_checkable
class Rate(Protocol):
    """What cash earns, flat or stochastic.

    Attributes:
        n_factors: Normals a step.
    """

    n_factors: ClassVar[int]

    def discounts(self, times: Scalar) -> Scalar:
        """Value today of 1 paid at each time.

        Args:
            times: Years from today [times].
        """


@model
class FlatRate:
    """One interest rate for all maturities.

    Args:
        rate: Continuously compounded, a year.
    """

    rate: Scalar = number(default=0.0)

    n_factors: ClassVar[int] = 0

    def discounts(self, times: Scalar) -> Scalar:
        """Value today of 1 paid at each time.

        Args:
            times: Years from today [times].
        """
        return jnp.exp(-self.rate * times)
