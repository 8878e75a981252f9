"""What the benchmark measures mcengine against: the same work by other means, each in a file of its own.

``load(workload, name)`` gives ``run(terms, paths, seed)``: figures by name, columns [paths] or (value, standard error) where no path is kept.
"""

from collections.abc import Callable
from importlib import import_module
from typing import Any

Peer = Callable[[Any, int, int], dict[str, Any]]

PEERS: dict[str, dict[str, tuple[str, str]]] = {
    "cppi4": {
        "numba_vector": ("numba_cppi", "run_vector"),
        "numba_counter": ("numba_cppi", "run_counter"),
        "numba_loop": ("numba_cppi", "run_loop"),
        "numba_random": ("numba_cppi", "run_random"),
        "numpy": ("numpy_cppi", "run"),
    },
    "basket8": {
        "numba_counter": ("numba_basket", "run_counter"),
        "numba_loop": ("numba_basket", "run_loop"),
        "numba_random": ("numba_basket", "run_random"),
        "jax_default": ("processes", "jax_basket"),
        "torch": ("torch_basket", "run"),
        "numpy": ("numpy_basket", "run"),
        "quantlib": ("quantlib_prices", "basket"),
    },
    "asian_barrier": {"numba_random": ("numba_single", "asian_barrier"), "numpy": ("numpy_barrier", "run")},
    "heston": {
        "numba_random": ("numba_single", "heston"),
        "quantlib": ("quantlib_prices", "heston"),
        "pfhedge": ("processes", "pfhedge_heston"),
    },
    "joint8": {"gbm8": ("lognormal", "gbm8")},
    "hedged": {"torch": ("torch_hedged", "forward")},
    "hedged_gradient": {"torch": ("torch_hedged", "gradient")},
    "pfhedge_case": {"pfhedge": ("processes", "pfhedge_case")},
    "book5": {"study_book": ("books", "plainer")},
    "book5_gradient": {"study_book": ("books", "plainer")},
    "book5_hedged": {"study_book": ("books", "plainer")},
    "book5_hedged_gradient": {"study_book": ("books", "plainer")},
    "ladder": {"put": ("books", "plainer")},
    "chain10": {"mix": ("books", "plainer")},
    "time_to_error": {"quantlib": ("quantlib_prices", "asian_sobol")},
}
"""By workload, fastest first."""

SAME_NOISE = ("numba_vector", "numba_counter", "numba_loop")
"""Peers that draw the engine's own noise: their prices are the engine's path by path."""

OTHER_PROBLEM = ("gbm8", "study_book", "put", "mix")
"""Peers whose figure is not ours: only their speed is compared."""


class PeerMissingError(ImportError):
    """A peer whose package or environment is not there."""


def names() -> list[str]:
    """Every peer of any workload."""
    return list(dict.fromkeys(name for of in PEERS.values() for name in of))


def load(workload: str, name: str) -> Peer:
    """A workload's peer by name. Raises ``PeerMissingError`` when its package is not here, ``ValueError`` for an unknown one."""
    if name not in PEERS[workload]:
        raise ValueError(f"peers: expected some of {', '.join(PEERS[workload])} for {workload}, got {name!r}")
    module, function = PEERS[workload][name]
    try:
        return getattr(import_module(f"peers.{module}"), function)
    except ModuleNotFoundError as error:
        raise PeerMissingError(f"{name}: {error.name} is not installed (make bench installs it)") from error
