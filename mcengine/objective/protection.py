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
    """Highest mean return with P(any day below the floor) <= a probability.

    Args:
        floor: Fraction of the starting wealth.
        probability: Limit on the probability of a breach.
        width: Of wealth, smooths the indicator of a breach in a fit; reported numbers use the step.

    Example:
        >>> import mcengine as mc
        >>> aim = mc.objective.FloorProtection(floor=0.9, probability=0.01)
        >>> aim.constraint("cppi").how
        'probability'
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
        """The figure that is maximised: the mean return.

        Args:
            book: Name of the policy.
        """
        return figure.mean_return(book)

    def constraint(self, book: str) -> Figure:
        """The figure that is held at or below ``probability``: P(any day below the floor).

        Args:
            book: Name of the policy.
        """
        return figure.breach_any_day(book, float(self.floor))

    def breach(self, outcomes: Any) -> Scalar:
        """Smooth indicator of a breach.

        Args:
            outcomes: Of one book, by name.

        Returns:
            A number for each path, in [0, 1].
        """
        return jax.nn.sigmoid((self.floor - outcomes["lowest"]) / self.width)

    def loss(self, outcomes: Any, price: Scalar) -> tuple[Scalar, dict[str, Scalar]]:
        """Loss of each path: -(W - 1) + price (breach - probability).

        Args:
            outcomes: Of one book, by name.
            price: Return given up for one unit of probability.

        Returns:
            (loss, what it is made of by key, ``maximised`` and ``constrained`` among it), one of each a path.
        """
        breach = self.breach(outcomes)
        gain = outcomes["wealth"] - 1.0
        return -gain + price * (breach - self.probability), {self.maximised: gain, self.constrained: breach}
