"""What a caller gives: numbers of paths and path ids."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from mcengine._runtime import capped

MAX_PATHS = 10**12
"""About a month on 2 cores, and half of the ids' range stays free of it."""

SMALL = 4096
"""Paths of any run where the environment has MC_SMALL=1."""


def check_paths(paths: Any) -> int:
    """A number of paths, or one clear message."""
    integer = isinstance(paths, int | float | np.number) and not isinstance(paths, bool) and np.isfinite(paths) and paths == int(paths)
    if not integer or not 1 <= paths <= MAX_PATHS:
        raise ValueError(f"paths: expected a whole number from 1 to {MAX_PATHS:.0e}, got {paths!r}")
    return capped(int(paths), SMALL)


def check_ids(ids: Sequence[int]) -> list[int]:
    """Path ids, or one clear message."""
    for i in ids:
        if isinstance(i, bool) or not isinstance(i, int | np.integer) or not 0 <= i < 1 << 63:
            raise ValueError(f"path id: expected a whole number from 0 to 2^63 - 1, got {i!r}")
    return [int(i) for i in ids]
