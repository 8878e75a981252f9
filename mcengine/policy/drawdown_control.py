"""Drawdown control: the sleeve shrinks as wealth falls from its high-water mark and is gone at the limit.

With the mark M_t and the drawdown d = 1 - V_t / M_t the sleeve is scaled by (limit - d) / (limit - begins), between 0 and 1. The mark fades towards
wealth, M_t = V_t + max(M_{t-1} - V_t, 0) 2^{-1/halflife}: a mark that stands for ever may leave the fund in cash for ever, as that of Grossman & Zhou
(1993) does; one of the recent past is that of Yang & Zhong (2012).
"""

from typing import ClassVar

import jax.numpy as jnp

from mcengine._model import Scalar, model, number
from mcengine.instrument import Target
from mcengine.policy.base import AbstractStage, Kind
from mcengine.policy.seen import Seen


@model
class DrawdownControl(AbstractStage):
    """Scales the sleeve by (limit - d) / (limit - begins), d the drawdown from a high-water mark that fades.

    Args:
        limit: Drawdown at which the sleeve is empty, a fraction of the mark.
        begins: Drawdown at which it begins to shrink.
        halflife: Of the mark's distance to wealth, steps; None: it never fades.

    Raises:
        ValueError: For a beginning that is not below the limit.

    Example:
        >>> import mcengine as mc
        >>> mc.policy.DrawdownControl(limit=0.1, begins=0.02)
        DrawdownControl(limit=0.1, begins=0.02, halflife=None)
    """

    limit: Scalar = number(above=0.0, below=1.0)
    begins: Scalar = number(default=0.0, low=0.0, below=1.0)
    halflife: Scalar | None = number(default=None, above=0.0)

    kind: ClassVar[Kind] = "scaler"

    def check(self) -> None:
        if not float(self.begins) < float(self.limit):
            raise ValueError(f"DrawdownControl.begins: expected a number below limit = {float(self.limit):g}, got {float(self.begins):g}")

    def start(self, seen: Seen) -> Scalar:
        return jnp.asarray(seen.start_wealth, seen.wealth.dtype)

    def act(self, target: Target, seen: Seen, memory: Scalar) -> tuple[Target, Scalar]:
        fade = 1.0 if self.halflife is None else jnp.exp2(-1.0 / self.halflife)
        mark = seen.wealth + jnp.maximum(memory - seen.wealth, 0.0) * fade
        drawdown = 1.0 - seen.wealth / mark
        return seen.scale(target, jnp.clip((self.limit - drawdown) / (self.limit - self.begins), 0.0, 1.0)), mark
