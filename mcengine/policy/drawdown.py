"""A trigger on the book's fall from its high."""

from mcengine._model import Scalar, model, number
from mcengine.instrument import gate
from mcengine.policy.gauge import Underwater
from mcengine.policy.seen import Seen
from mcengine.policy.trigger import AbstractTrigger


@model
class Drawdown(AbstractTrigger):
    """Fires while wealth is ``depth`` or more below its high, as ``Underwater`` has it. Smoothed by ``Study.width``, a fraction of the high.

    Args:
        depth: Fraction of the high.
        halflife: Dates in which the high is half forgotten; None never forgets.
    """

    depth: Scalar = number(default=0.1, above=0.0, below=1.0)
    halflife: Scalar | None = number(default=None, above=0.0)

    def start(self, seen: Seen) -> Scalar:
        return Underwater(self.halflife).start(seen)

    def fires(self, seen: Seen, memory: Scalar) -> tuple[Scalar, Scalar]:
        fall, memory = Underwater(self.halflife).read(seen, memory)
        return gate(fall - self.depth, seen.width), memory
