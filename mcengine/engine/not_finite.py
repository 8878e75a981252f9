"""A path that gave a number that is not finite: which one, and where it first happened."""

from typing import Any

import numpy as np

from mcengine.engine.base import AbstractStudy
from mcengine.engine.trace import first_not_finite


class NotFiniteError(ArithmeticError):
    """A path gave a number that is not finite.

    Args:
        ids: Of the paths.
        where: The first step and column at which it happened.
        seed: Of the run.
        stream: Of the run.
    """

    def __init__(self, ids: list[int], where: str, seed: int, stream: str) -> None:
        self.ids, self.where, self.seed, self.stream = ids, where, seed, stream
        shown = ", ".join(map(str, ids[:10])) + (f" and {len(ids) - 10} more" if len(ids) > 10 else "")
        super().__init__(f"not a finite number on paths {shown}: first {where}; replay with study.trace({ids[:10]}, seed={seed}, stream={stream!r})")


def check_finite(study: AbstractStudy, values: Any, start: int, seed: int, stream: str) -> None:
    """Raise ``NotFiniteError`` where an outcome of the paths from ``start`` on is not finite."""
    bad: np.ndarray | None = None
    for columns in values.values():
        for column in columns.values():
            with np.errstate(over="ignore", invalid="ignore"):
                suspect = not np.isfinite(np.sum(column))  # also where finite numbers sum to more than there is
            if suspect:
                broken = ~np.isfinite(column)
                bad = broken if bad is None else bad | broken
    if bad is None or not bad.any():
        return
    ids = [int(start + i) for i in np.flatnonzero(bad)]
    raise NotFiniteError(ids, first_not_finite(study, ids[0], seed=seed, stream=stream), seed, stream)
