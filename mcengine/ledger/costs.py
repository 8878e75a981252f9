"""What a trade costs."""

from mcengine._model import Scalar, model, number


@model
class Proportional:
    """``rate`` of the value of underlyings traded, ``option_spread`` (half of bid-ask) of the premium of options traded."""

    rate: Scalar = number(default=0.0, low=0.0, below=1.0)
    option_spread: Scalar = number(default=0.0, low=0.0, below=1.0)

    def underlying(self, value: Scalar) -> Scalar:
        """Cost of trading underlyings worth ``value`` >= 0."""
        return self.rate * value

    def option(self, value: Scalar) -> Scalar:
        """Cost of trading options whose premium is ``value`` >= 0."""
        return self.option_spread * value
