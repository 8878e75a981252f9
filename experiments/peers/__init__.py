"""What the benchmark measures mcengine against: the same work by other means, each in a file of its own.

``load(name)`` gives the peer ``run(terms, paths, seed) -> outcomes``, six float32 arrays: wealth, its lowest, four prices.
"""

from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np

Peer = Callable[[Any, int, int], dict[str, np.ndarray]]

PEERS = {
    "numba_vector": ("peers.numba_cppi", "run_vector"),
    "numba_counter": ("peers.numba_cppi", "run_counter"),
    "numba_random": ("peers.numba_cppi", "run_random"),
    "numpy": ("peers.numpy_cppi", "run"),
}
"""Fastest first. The first two draw the engine's own noise, so their prices are the engine's path by path."""

SAME_NOISE = ("numba_vector", "numba_counter")


class PeerMissingError(ImportError):
    """A peer whose package is not installed."""


def load(name: str) -> Peer:
    """The peer by name. Raises ``PeerMissingError`` when its package is not here, ``ValueError`` for an unknown one."""
    if name not in PEERS:
        raise ValueError(f"peers: expected some of {', '.join(PEERS)}, got {name!r}")
    module, function = PEERS[name]
    try:
        return getattr(import_module(module), function)
    except ModuleNotFoundError as error:
        raise PeerMissingError(f"{name}: {error.name} is not installed (pip install -e '.[peers]')") from error
