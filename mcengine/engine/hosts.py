"""Several hosts as one machine, by ``jax.distributed``.

Every host starts the same script. The first one runs it; the others follow: they compile the programs it names and compute their devices'
share of each block, until it ends. Outcomes of a block are gathered to the first host, which alone reads and writes files. A path is an
address, so they are the ones a single host computes. Runs of a study are dealt to all hosts; derivatives, traces and contracts stay on the first.
"""

import atexit
import pickle
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import jax
import numpy as np

from mcengine._runtime import set_precision
from mcengine.engine import program
from mcengine.engine.prepared import PreparedStudy

_END = np.array([0xFFFFFFFF, 0xFFFFFFFF], np.uint32)


def start(coordinator: str, processes: int, process: int) -> None:
    """Join several hosts as one machine, before any computation.

    On the first host it returns; on the others it works until the first one ends, then raises ``SystemExit(0)``.

    Args:
        coordinator: ``address:port`` of the first host.
        processes: Number of hosts.
        process: Number of this one, from 0.

    Raises:
        ValueError: For an argument out of its range.
    """
    if not isinstance(coordinator, str) or not coordinator.rpartition(":")[2].isdigit():
        raise ValueError(f"hosts.coordinator: expected an address like 10.0.0.1:8476, got {coordinator!r}")
    if isinstance(processes, bool) or not isinstance(processes, int) or processes < 1:
        raise ValueError(f"hosts.processes: expected a whole number of at least 1, got {processes!r}")
    if isinstance(process, bool) or not isinstance(process, int) or not 0 <= process < processes:
        raise ValueError(f"hosts.process: expected a whole number from 0 to {processes - 1}, got {process!r}")
    jax.distributed.initialize(coordinator, processes, process)
    if jax.process_index() == 0:
        atexit.register(_send, None)
        return
    _follow()
    raise SystemExit(0)


@contextmanager
def together(executable: program.Compiled, prepared: PreparedStudy, block: int, devices: int) -> Iterator[Callable[..., Any]]:
    """A study's program on its numbers; where its devices are of several hosts, all of them answer a call.

    Args:
        executable: The compiled program.
        prepared: What is simulated, with the key of its random numbers.
        block: Paths a device handles at a time.
        devices: Number of devices of all hosts.

    Yields:
        ``call(first)``: outcomes of a block from the path id ``first`` on.
    """
    arguments = prepared.tabulated, prepared.key
    if devices <= len(jax.local_devices()):
        numbers, key = program.placed(arguments, devices)
        yield lambda first: executable.call(numbers, key, first)
        return
    _send((jax.config.jax_enable_x64, *arguments, block, devices))  # type: ignore[attr-defined]

    def call(first: np.ndarray) -> Any:
        return _gather(executable.call(*arguments, _broadcast(first)))

    try:
        yield call
    finally:
        _broadcast(_END)


def _follow() -> None:
    while (command := _receive()) is not None:
        wide, study, key, block, devices = command
        set_precision("float64" if wide else "float32")
        prepared = PreparedStudy(study, key)
        executable = prepared.forward(block, devices)
        while not np.array_equal(first := _broadcast(np.zeros(2, np.uint32)), _END):
            _gather(executable.call(prepared.tabulated, key, first))


def _gather(arrays: Any) -> Any:
    """Arrays that lie on all hosts, whole on each."""
    from jax.experimental import multihost_utils

    return multihost_utils.process_allgather(arrays, tiled=True)


def _broadcast(words: np.ndarray) -> np.ndarray:
    """The first host's words, on all."""
    from jax.experimental import multihost_utils

    return np.asarray(multihost_utils.broadcast_one_to_all(words))


def _send(command: Any) -> None:
    data = np.frombuffer(pickle.dumps(command), np.uint8)
    _broadcast(np.array([data.size], np.uint32))
    _broadcast(data)


def _receive() -> Any:
    size = int(_broadcast(np.zeros(1, np.uint32))[0])
    return pickle.loads(_broadcast(np.zeros(size, np.uint8)).tobytes())
