"""Gauges: what a ladder's thresholds are of."""

import abc
from typing import Any

import jax.numpy as jnp

from mcengine._model import Scalar, model, number, static
from mcengine.market import AbstractSignal, Signals
from mcengine.policy.base import AbstractPart
from mcengine.policy.seen import Seen


class AbstractGauge(AbstractPart, abc.ABC):
    """A number read at each date, from what is seen at it and before. It falls as things get better."""

    @abc.abstractmethod
    def read(self, seen: Seen, memory: Any) -> tuple[Scalar, Any]:
        """The number today.

        Args:
            seen: What is known today.
            memory: From the date before.

        Returns:
            (the number, memory for the next date).
        """


@model
class Underwater(AbstractGauge):
    """How far wealth is below its high: 1 - V / H. The high H is forgotten: H - V shrinks by half in ``halflife`` dates on which V stands still.

    H_k = V_k + 2^{-1/halflife} max(H_{k-1} - V_k, 0). A book that has sold everything cannot climb back to its high; one that forgets it recovers
    nevertheless. A slow fall counts for less than its depth.

    Args:
        halflife: Dates; None never forgets.
    """

    halflife: Scalar | None = number(default=None, above=0.0)

    def start(self, seen: Seen) -> Scalar:
        return seen.wealth

    def read(self, seen: Seen, memory: Scalar) -> tuple[Scalar, Scalar]:
        kept = 1.0 if self.halflife is None else jnp.exp2(-1.0 / self.halflife)
        high = seen.wealth + kept * jnp.maximum(memory - seen.wealth, 0.0)
        return 1.0 - seen.wealth / high, high


@model
class SignalGauge(AbstractGauge):
    """A signal as a gauge: what a ladder makes of the signal that it is given.

    Args:
        signal: Any signal of ``mcengine.market``.
        name: Under which it is known, and shared.

    Raises:
        ValueError: For what is no signal.
    """

    signal: Any
    name: str = static(default="")

    def canonical(self) -> dict[str, Any]:
        if not isinstance(self.signal, AbstractSignal):
            raise ValueError(f"SignalGauge.signal: expected a signal such as Fall, got {type(self.signal).__name__}")
        return {"name": self.name or "_".join((type(self.signal).__name__.lower(), *self.signal.assets))}

    def signals(self) -> Signals:
        return ((self.name, self.signal),)

    def read(self, seen: Seen, memory: Any) -> tuple[Scalar, Any]:
        return seen.signals[self.name], memory
