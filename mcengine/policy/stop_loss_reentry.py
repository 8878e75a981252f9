"""Stop-loss with re-entry: out of the sleeve at the floor, back in when the sleeve has recovered (stop-loss start-gain, Carr & Jarrow 1990).

A fund in cash cannot see its own recovery, so the sleeve goes on, on paper (see ``paper``), and its worth I is what re-entry watches. Back in, the
floor stands as far below wealth as on the first date: the stop line is b F, b = (V/F) / (V_0/F_0) at the last entry. Each round may lose as much
again: what bounds the loss is how often it sells.

The rule is in or out. With the gates' weights of staying and of entering,
    in' = max(min(in, stays), min(out, enters)),   out' = max(min(out, 1 - enters), min(in, 1 - stays)),
and in' / (in' + out') of the sleeve is held: 1 or 0 where gates are hard. Where they are smooth either weight is that of one date's gate, so that
derivatives do not grow with the number of dates, as those of products of gates do.
"""

from typing import Any, ClassVar, NamedTuple

import jax.numpy as jnp

from mcengine._model import Scalar, model, number
from mcengine.instrument import Target, gate
from mcengine.policy.base import AbstractStage, Kind, Setting, positive_ratio
from mcengine.policy.floors import Floor, as_floor, scaled, validate_buffer, validate_protected
from mcengine.policy.paper import Paper, invested, open_paper, worth
from mcengine.policy.seen import Seen


class _Memory(NamedTuple):
    inside: Scalar  # weights of being in and out, 0 or 1 where gates are hard
    outside: Scalar
    scale: Scalar  # b of the stop line
    sold: Scalar  # worth of the sleeve on paper when it was sold
    first: Scalar  # F_0
    paper: Paper
    floor: Any


@model
class StopLossReentry(AbstractStage):
    """Sells when V < b (1 + ``buffer``) F, as ``StopLoss``; buys again when the sleeve is worth (1 + ``rise``) times what it was when it was sold.

    Args:
        floor: Fraction of the starting wealth, due at the horizon; or any floor, such as ``HighWater``.
        buffer: Fraction of the floor by which it sells early.
        rise: Of the sleeve since it was sold, income included, at which it is bought again.

    Raises:
        ValueError: For a floor whose present value, or that with its buffer, is not below the starting wealth.
    """

    floor: Floor = number(low=0.0, term=True)
    buffer: Scalar = number(default=0.0, low=0.0)
    rise: Scalar = number(default=0.05, low=0.0)

    kind: ClassVar[Kind] = "scaler"

    def validate(self, setting: Setting) -> None:
        validate_protected("StopLossReentry.floor", self.floor, setting)
        validate_buffer("StopLossReentry.buffer", self.buffer, self.floor, setting)

    def start(self, seen: Seen) -> _Memory:
        one, floor = jnp.ones_like(seen.wealth), as_floor(self.floor)
        memory = floor.start(seen)
        return _Memory(one, 0.0 * one, one, one * seen.start_wealth, one * floor.value(seen, memory)[0], open_paper(seen), memory)

    def act(self, target: Target, seen: Seen, memory: _Memory) -> tuple[Target, _Memory]:
        floor = as_floor(self.floor)
        value, floors = floor.value(seen, memory.floor)
        now, width = worth(memory.paper, seen), seen.width * seen.start_wealth
        stays = gate(seen.wealth - memory.scale * (1.0 + self.buffer) * value, width)
        enters = gate(now - (1.0 + self.rise) * memory.sold, width)
        kept, entered = jnp.minimum(memory.inside, stays), jnp.minimum(memory.outside, enters)
        idle, left = jnp.minimum(memory.outside, 1.0 - enters), jnp.minimum(memory.inside, 1.0 - stays)
        inside, outside = jnp.maximum(kept, entered), jnp.maximum(idle, left)
        anew = positive_ratio(seen.wealth * memory.first, value * seen.start_wealth)
        scale = memory.scale + positive_ratio(inside - kept, inside) * (anew - memory.scale)
        sold = memory.sold + positive_ratio(outside - idle, outside) * (now - memory.sold)
        paper = invested(now, {name: target[name] * seen.prices[name] / seen.wealth for name in seen.risky}, seen)
        share = inside / (inside + outside)
        return scaled(target, share, floor, seen), _Memory(inside, outside, scale, sold, memory.first, paper, floors)
