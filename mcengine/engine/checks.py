"""What a caller gives: numbers of paths and path ids."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from mcengine._runtime import capped
from mcengine.statistics import Sampling

MAX_PATHS = 10**12
"""About a month on 2 cores, and half of the ids' range stays free of it."""

SMALL = 4096
"""Paths of any run where the environment has MC_SMALL=1."""


def check_paths(paths: Any, field: str = "paths") -> int:
    """A number of paths, or one clear message."""
    integer = isinstance(paths, int | float | np.number) and not isinstance(paths, bool) and np.isfinite(paths) and paths == int(paths)
    if not integer or not 1 <= paths <= MAX_PATHS:
        raise ValueError(f"{field}: expected a whole number from 1 to {MAX_PATHS:.0e}, got {paths!r}")
    return capped(int(paths), SMALL)


def check_ids(ids: Sequence[int]) -> list[int]:
    """Path ids, or one clear message."""
    for i in ids:
        if isinstance(i, bool) or not isinstance(i, int | np.integer) or not 0 <= i < 1 << 63:
            raise ValueError(f"path id: expected a whole number from 0 to 2^63 - 1, got {i!r}")
    return [int(i) for i in ids]


def check_keep(keep: Any, paths: int, sampling: Sampling) -> int:
    """A number of paths whose outcomes are kept, in what the sampling leaves together, or one clear message."""
    if isinstance(keep, bool) or not isinstance(keep, int | float | np.number) or not keep >= 1:
        raise ValueError(f"keep: expected a number of paths of at least 1, got {keep!r}")
    kept = max(int(min(keep, MAX_PATHS)) // sampling.unit, 1) * sampling.unit
    if sampling.kind == "windows" and kept < paths:
        raise ValueError(f"keep: expected all {paths:,} windows to be kept, for their errors need them together, got {keep!r}")
    return kept
