"""The engine's own plainer book, run in turn with the one that is timed."""

from collections.abc import Callable
from typing import Any


def plainer(run: Callable[[int], dict[str, Any]], paths: int, seed: int) -> dict[str, Any]:
    """Outcomes of the plainer book, which ``run`` makes with the benchmark's seed."""
    return run(paths)
