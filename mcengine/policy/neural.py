"""A small network that scales what a rule wants, begun at the rule itself (deep hedging: Buehler, Gonon, Teichmann & Wood 2019).

With x what is seen on the date and 1, the sleeve of the rule is multiplied by
    1 + tanh(b . (tanh(A x), 1)),
which is 1 while b = 0: as it begins. So a fit starts from a rule that works, and what it finds is a correction of it.
"""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, TypeAlias

import jax.numpy as jnp
import numpy as np

from mcengine._model import Scalar, model, number, static
from mcengine.instrument import Target
from mcengine.market import AbstractSignal, Signals
from mcengine.policy.base import AbstractStage, Kind, Setting, positive_ratio
from mcengine.policy.seen import Seen

Weights: TypeAlias = Annotated[Any, list | None]
"""Numbers of a layer, or None."""

ALWAYS = 5
"""Inputs beside signals: steps left, gain, drawdown, what the rule wants, and 1."""

USUAL = 10.0
"""Over gains and drawdowns, some tenth of wealth, so that inputs are of one size."""


@model
class Neural(AbstractStage):
    """Scales a rule's sleeve by a factor between 0 and 2 that a network reads off what is seen: the share of steps left, ln of wealth over its start,
    drawdown, the sleeve wanted over wealth, and signals. Untrained it is the rule.

    Args:
        base: The rule it starts from: a scaler such as ``Cppi``.
        watches: Signals that it reads beside, by name; they should be of size 1 or so.
        hidden: Units of the hidden layer.
        seed: Of the first layer's numbers, normal with variance 1 / inputs.
        leverage: Most that the network may make of the sleeve, as a multiple of wealth; it lowers nothing that the rule wants.
        first: First layer A, [hidden, inputs]; None to draw it.
        last: Last layer b, [hidden + 1]; None for zeros.

    Raises:
        ValueError: For a base that is no scaler or has slots, what is no signal, or layers of another shape.

    Example:
        >>> import mcengine as mc
        >>> stage = mc.policy.Neural(mc.policy.Cppi(floor=0.9), hidden=4)
        >>> stage.first.shape, stage.last.shape
        ((4, 5), (5,))
    """

    base: Any
    watches: dict[str, Any] = number(default=None)
    hidden: int = static(default=8)
    seed: int = static(default=0)
    leverage: Scalar = number(default=1.0, above=0.0, term=True)
    first: Weights = number(default=None)
    last: Weights = number(default=None)

    kind: ClassVar[Kind] = "scaler"

    def canonical(self) -> dict[str, Any]:
        if not isinstance(self.base, AbstractStage) or self.base.kind != "scaler":
            raise ValueError(f"Neural.base: expected a scaler such as Cppi, got {type(self.base).__name__}")
        if self.base.slots():
            raise ValueError(f"Neural.base: expected a rule of the sleeve alone, got one that trades {', '.join(self.base.slots())}")
        watches: Mapping[str, Any] = self.watches or {}
        for name, signal in watches.items():
            if not isinstance(signal, AbstractSignal):
                raise ValueError(f"Neural.watches.{name}: expected a signal such as Ewma, got {type(signal).__name__}")
        for field in ("hidden", "seed"):
            value = getattr(self, field)
            if isinstance(value, bool) or not isinstance(value, int) or value < (field == "hidden"):
                raise ValueError(f"Neural.{field}: expected a whole number, at least {int(field == 'hidden')}, got {value!r}")
        inputs = ALWAYS + len(watches)
        drawn = np.random.default_rng(self.seed).standard_normal((self.hidden, inputs)) / np.sqrt(inputs)
        first, last = drawn if self.first is None else self.first, np.zeros(self.hidden + 1) if self.last is None else self.last
        return {"watches": dict(watches), "first": first, "last": last}

    def check(self) -> None:
        for field, shape in (("first", (self.hidden, ALWAYS + len(self.watches))), ("last", (self.hidden + 1,))):
            if getattr(self, field).shape != shape:
                raise ValueError(f"Neural.{field}: expected numbers of shape {shape}, got {getattr(self, field).shape}")

    @property
    def needs(self) -> tuple[str, ...]:  # type: ignore[override]
        return self.base.needs

    def signals(self) -> Signals:
        return (*self.base.signals(), *self.watches.items())

    def validate(self, setting: Setting) -> None:
        self.base.validate(setting)

    def start(self, seen: Seen) -> Any:
        return self.base.start(seen)

    def act(self, target: Target, seen: Seen, memory: Any) -> tuple[Target, Any]:
        target, memory = self.base.act(target, seen, memory)
        sleeve = seen.sleeve(target)
        # No quotient by a number common to all paths: it is rounded otherwise on other numbers of devices.
        left = 1.0 - seen.step * (1.0 / seen.horizon)
        gain = jnp.log(seen.wealth) - jnp.log(seen.start_wealth)
        always = (left, USUAL * gain, USUAL * (seen.wealth / seen.high_water - 1.0), sleeve / seen.wealth, 1.0)
        inputs = (*always, *(seen.signals[name] for name in self.watches))
        # Summed one by one: a product of matrices would be rounded as the size of the block has it.
        hidden = jnp.tanh(sum(self.first[:, i] * x for i, x in enumerate(inputs)))
        factor = 1.0 + jnp.tanh(jnp.sum(self.last[:-1] * hidden) + self.last[-1])
        most = jnp.maximum(positive_ratio(self.leverage * seen.wealth, sleeve), 1.0)
        return seen.scale(target, jnp.minimum(factor, most)), memory
