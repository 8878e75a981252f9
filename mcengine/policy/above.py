"""A trigger on a signal: it fires while the signal stands above a level."""

from typing import Any

from mcengine._model import Scalar, model, number, static
from mcengine.instrument import gate
from mcengine.market import AbstractSignal, Signals
from mcengine.policy.seen import Seen
from mcengine.policy.trigger import AbstractTrigger


@model
class Above(AbstractTrigger):
    """Fires when ``signal`` >= ``level``; ``Not(Above(...))`` fires below. Smoothed by ``Study.width`` in the signal's own units.

    Args:
        signal: Any signal of ``mcengine.market``.
        level: In the signal's units.
        name: Under which the signal is known, and shared.

    Raises:
        ValueError: For what is no signal.

    Example:
        >>> import mcengine as mc
        >>> spike = mc.policy.Above(mc.market.Ewma("equity"), level=0.3)
        >>> [name for name, _ in spike.signals()]
        ['ewma_equity']
    """

    signal: Any
    level: Scalar = number()
    name: str = static(default="")

    def canonical(self) -> dict[str, Any]:
        if not isinstance(self.signal, AbstractSignal):
            raise ValueError(f"Above.signal: expected a signal such as Ewma, got {type(self.signal).__name__}")
        return {"name": self.name or "_".join((type(self.signal).__name__.lower(), *self.signal.assets))}

    def signals(self) -> Signals:
        return ((self.name, self.signal),)

    def fires(self, seen: Seen, memory: Any) -> tuple[Scalar, Any]:
        return gate(seen.signals[self.name] - self.level, seen.width), memory
