"""What protection has cost and what opportunity has earned, kept apart."""

from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp

from mcengine._model import Scalar
from mcengine._spelling import near
from mcengine.engine.recorder import AbstractRecorder, Day


@dataclass(frozen=True)
class Split(AbstractRecorder):
    """``pnl_protection`` and ``pnl_alpha``, what two groups of slots have paid and gained, and ``pnl_rest``: the mix, interest, all costs. The three
    sum to wealth - 1; all over the starting wealth, in the money of each day.

    Args:
        protection: Slots bought to insure.
        alpha: Slots held for a gain.
    """

    protection: tuple[str, ...] = ()
    alpha: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        both = set(self.protection) & set(self.alpha)
        if both:
            raise ValueError(f"Split.alpha: expected slots that are not protection, got {', '.join(sorted(both))}")

    def check(self, study: Any) -> None:
        """Each slot it names is one of some book; a book without it gains nothing there."""
        held = {*study.market.assets, *(name for policy in study.books.values() for name in policy.slots())}
        for name in (*self.protection, *self.alpha):
            if name not in held:
                raise ValueError(f"Split: unknown slot {name!r}{near(name, held)}")

    def start(self, day: Day) -> dict[str, Scalar]:
        return {name: jnp.zeros_like(day.account.wealth) for name in ("protection", "alpha")}

    def step(self, state: dict[str, Scalar], day: Day) -> dict[str, Scalar]:
        assert day.gain is not None
        return {name: total + sum(day.gain(slot) for slot in getattr(self, name) if slot in day.slots) for name, total in state.items()}

    def finish(self, state: dict[str, Scalar], day: Day) -> dict[str, Scalar]:
        gained = {f"pnl_{name}": total / day.start_wealth for name, total in state.items()}
        return gained | {"pnl_rest": day.account.wealth / day.start_wealth - 1.0 - sum(gained.values())}
