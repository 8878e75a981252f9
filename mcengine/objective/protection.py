"""What a fit maximises: mean return, with the probability of any day below the floor held to a limit.

As a per-path loss, with a price lambda (return given up for one unit of probability) that the optimiser moves:
    loss = -(W - 1) + lambda (b - limit),   b = smooth indicator of (lowest wealth < floor).
"""

from typing import Any, ClassVar

import jax

from mcengine._model import Scalar, model, number
from mcengine.objective import figure
from mcengine.statistics import Figure


@model
class FloorProtection:
    """Highest mean return with P(any day below ``floor``) <= ``probability``.

    ``width`` (of wealth) smooths the indicator in a fit; reported numbers use the step.
    """

    floor: Scalar = number(above=0.0, term=True)
    probability: Scalar = number(default=0.005, above=0.0, below=1.0, term=True)
    width: Scalar = number(default=0.002, above=0.0, term=True)

    maximised: ClassVar[str] = "mean_return"
    constrained: ClassVar[str] = "breach_any_day"

    @property
    def limit(self) -> float:
        """Most that ``constrained`` may be."""
        return float(self.probability)

    def value(self, book: str) -> Figure:
        """What is maximised."""
        return figure.mean_return(book)

    def constraint(self, book: str) -> Figure:
        """What is held at or below ``probability``."""
        return figure.breach_any_day(book, float(self.floor))

    def breach(self, outcomes: Any) -> Scalar:
        """Smooth indicator of a breach, per path."""
        return jax.nn.sigmoid((self.floor - outcomes["lowest"]) / self.width)

    def loss(self, outcomes: Any, price: Scalar) -> tuple[Scalar, dict[str, Scalar]]:
        """(per-path loss, what it is made of by key, ``maximised`` and ``constrained`` among it) of one book's outcomes."""
        breach = self.breach(outcomes)
        gain = outcomes["wealth"] - 1.0
        return -gain + price * (breach - self.probability), {self.maximised: gain, self.constrained: breach}
