"""What a book was worth at dates before the horizon: one program for years of 244 and of 251 rows."""

from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp

from mcengine._model import Scalar
from mcengine.engine.recorder import AbstractRecorder, Day

FIGURES = ("wealth", "lowest", "drawdown", "volatility")


class _Seen(NamedTuple):
    wealth: Scalar
    lowest: Scalar
    drawdown: Scalar
    squares: Scalar


@dataclass(frozen=True)
class AtRows(AbstractRecorder):
    """``wealth_<k>``, ``lowest_<k>``, ``drawdown_<k>`` and ``volatility_<k>``: the figures of a run that ends at row k, in a run that goes on.

    Wealth and its lowest are over the starting wealth; volatility is a year's.

    Args:
        rows: Rows k, each at least 1 and at most the steps of the study.

    Raises:
        ValueError: For a row that is none, at once or, behind the horizon, where it is run.
    """

    rows: tuple[int, ...]

    def __post_init__(self) -> None:
        if not isinstance(self.rows, tuple) or not self.rows:
            raise ValueError(f"AtRows.rows: expected a tuple of at least one row, got {self.rows!r}")
        for row in self.rows:
            if isinstance(row, bool) or not isinstance(row, int) or row < 1:
                raise ValueError(f"AtRows.rows: expected whole numbers of at least 1, got {row!r}")
        if len(set(self.rows)) < len(self.rows):
            raise ValueError(f"AtRows.rows: expected each row once, got {self.rows}")

    def start(self, day: Day) -> tuple[_Seen, tuple[_Seen, ...]]:
        if max(self.rows) > day.steps:
            raise ValueError(f"AtRows.rows: expected at most {day.steps}, the steps of the study, got {max(self.rows)}")
        zero = jnp.zeros_like(day.account.wealth)
        now = _Seen(day.account.wealth, day.account.wealth, zero, zero)
        return now, (now,) * len(self.rows)

    def step(self, state: tuple[_Seen, tuple[_Seen, ...]], day: Day) -> tuple[_Seen, tuple[_Seen, ...]]:
        before, kept = state
        wealth = day.account.wealth
        change = jnp.where(day.ruined, 0.0, wealth * day.per_wealth - 1.0)
        drawdown = jnp.maximum(before.drawdown, 1.0 - wealth / day.account.high_water)
        now = _Seen(wealth, jnp.minimum(before.lowest, wealth), drawdown, before.squares + change * change)
        return now, tuple(
            jax.tree.map(lambda new, old, k=k: jnp.where(day.step == k, new, old), now, one) for k, one in zip(self.rows, kept, strict=True)
        )

    def finish(self, state: tuple[_Seen, tuple[_Seen, ...]], day: Day) -> dict[str, Scalar]:
        out: dict[str, Scalar] = {}
        for k, one in zip(self.rows, state[1], strict=True):
            volatility = jnp.sqrt(jnp.maximum(one.squares / (k * day.dt), 1e-20))  # its derivative is finite on a path that sat in cash
            figures = (one.wealth / day.start_wealth, one.lowest / day.start_wealth, one.drawdown, volatility)
            out |= {f"{name}_{k}": value for name, value in zip(FIGURES, figures, strict=True)}
        return out
