"""Holding less of everything: sleeve, options and hedges."""

from typing import Any, ClassVar

from mcengine._model import Scalar, model, number
from mcengine.instrument import Target
from mcengine.policy.base import AbstractStage, Kind
from mcengine.policy.seen import Seen


@model
class Reduce(AbstractStage):
    """Holds ``share`` of the whole book that the stages before want, so of each of its Greeks; the rest is cash.

    What is sold of an option is bought again when its slot rolls; what is sold of the sleeve, and of hedges, as soon as it is wanted again.

    Args:
        share: 0 sells all, 1 changes nothing.

    Example:
        >>> import mcengine as mc
        >>> mc.policy.When(mc.policy.GreekLimit("vega", high=0.1), mc.policy.Reduce(0.5)).kind
        'filter'
    """

    share: Scalar = number(default=0.5, low=0.0, high=1.0)

    kind: ClassVar[Kind] = "filter"

    def act(self, target: Target, seen: Seen, memory: Any) -> tuple[Target, Any]:
        return {name: self.share * units for name, units in target.items()}, memory
