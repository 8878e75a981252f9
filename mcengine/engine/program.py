"""Compiled programs: blocks of paths over all devices. The only ``vmap`` over paths lives here.

A program takes (study, key, first path id) and handles ``block`` paths on every device. It is compiled once for each structure of a
study: new numbers, a new seed or other paths meet the same executable.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from mcengine.engine.base import AbstractStudy
from mcengine.engine.path import Simulation
from mcengine.noise import Path

PAD = 64
"""Blocks are multiples of this many paths: within one, every path meets the same vector code whatever the block's size."""

CARRIED = 1 << 22
"""Bytes of paths' states in a block: some of a core's second-level cache (1 MiB) and of its share of the third."""

AHEAD = 2
"""Blocks that are under way while one is taken."""

KEPT = 128
"""Programs kept, the ones met last. Linux lets a process have 65,530 pieces of memory and a program takes 150 to 400: past that LLVM aborts."""

_DEVICES = "devices"
_traces = 0


def traces() -> int:
    """How many times a study has been traced in this process; a test counts them."""
    return _traces


def default_block(carried: int = 0) -> int:
    """Paths a device handles at a time, if each carries so many bytes from step to step.

    On a CPU large enough to hide the cost of a kernel's start, small enough that what all of them carry stays near the core (4 MiB): a power of
    two from 2,048 to 16,384. Eleven books at once take 4,096 (1.1 times as fast as 16,384), one of ten stages 16,384 (1.15 times as fast as 4,096).
    """
    if jax.default_backend() != "cpu":
        return 1 << 20
    return min(max(1 << (CARRIED // max(carried, 1)).bit_length() - 1, 2_048), 16_384)


def padded(paths: int, block: int, devices: int) -> int:
    """Block that ``paths`` paths on ``devices`` need, at most ``block``, a multiple of 64."""
    if isinstance(block, bool) or not isinstance(block, int | np.integer) or block < PAD:
        raise ValueError(f"block: expected a whole number of at least {PAD} paths, got {block!r}")
    share = -(-paths // devices)
    return max(PAD, min(block - block % PAD, -(-share // PAD) * PAD))


def compiler_options() -> dict[str, Any]:
    """What a CPU program is compiled with; nothing elsewhere.

    512-bit vectors double the noise on AVX-512; on narrower machines the compiler takes what there is. Two passes stay out. Each device is one
    core, so no kernel is split over threads: devices would wait for each other at every kernel (1.2 times slower). And a sum over paths is one
    loop, not a tree of windows, which XLA:CPU runs at a third of the speed (a gradient is 1.15 times slower with it).
    """
    if jax.default_backend() != "cpu":
        return {}
    return {"xla_cpu_prefer_vector_width": 512, "xla_disable_hlo_passes": "cpu-parallel-task-assigner,tree_reduction_rewriter"}


@dataclass(frozen=True)
class Compiled:
    """An executable, the seconds its making took, its text on demand."""

    call: Any
    seconds: float

    def text(self) -> str:
        """The compiled program, for tests that read it."""
        return self.call.as_text()


def words(first: int) -> np.ndarray:
    """A 64-bit path id as (high, low)."""
    return np.array([first >> 32, first & 0xFFFFFFFF], np.uint32)


def local_ids(first: jax.Array, block: int) -> Path:
    """Ids of this device's block, counted on from ``first`` with carry into the high word."""
    offset = jnp.arange(block, dtype=jnp.uint32) + jnp.uint32(block) * jax.lax.axis_index(_DEVICES).astype(jnp.uint32)
    low = first[1] + offset
    return Path(first[0] + (low < offset).astype(jnp.uint32), low)


def simulate_block(study: AbstractStudy, key: jax.Array, ids: Path, **options: Any) -> Any:
    """Outcomes of a block, arrays [paths]."""
    global _traces
    _traces += 1
    simulation = Simulation(study)
    return jax.vmap(lambda high, low: simulation.path(key, Path(high, low), **options))(*ids)


@lru_cache(maxsize=64)
def mesh(devices: int) -> jax.sharding.Mesh:
    """The first ``devices`` devices of this host; all devices of all hosts where more are asked for than this one has."""
    here = jax.local_devices()
    chosen = here[:devices] if devices <= len(here) else jax.devices()
    return jax.make_mesh((devices,), (_DEVICES,), axis_types=(AxisType.Auto,), devices=chosen)


def check_devices(devices: int | None, *, everywhere: bool = False) -> int:
    """How many devices of this host to use; all by default. With ``everywhere`` the default is all devices of all hosts."""
    if devices is None and everywhere:
        return len(jax.devices())
    available = len(jax.local_devices())
    if devices is None:
        return available
    if isinstance(devices, bool) or not isinstance(devices, int) or not 1 <= devices <= available:
        raise ValueError(f"devices: expected a whole number from 1 to {available}, got {devices!r}")
    return devices


def over_devices(fn: Callable[..., Any], devices: int, outputs: PartitionSpec | None = None) -> Callable[..., Any]:
    """``fn`` on every device of the mesh; inputs whole, outputs laid end to end (or as ``outputs`` says)."""
    spec = PartitionSpec(_DEVICES) if outputs is None else outputs
    return jax.shard_map(fn, mesh=mesh(devices), in_specs=PartitionSpec(), out_specs=spec, check_vma=False)


def mean_over_devices(tree: Any) -> Any:
    """Mean over devices, inside a program."""
    return jax.lax.pmean(tree, _DEVICES)


def mean_over_blocks(fn: Callable[[Path], Any], first: jax.Array, block: int, blocks: int) -> Any:
    """Mean over devices, and over ``blocks`` blocks of a device one after the other, of ``fn(ids)``, inside a program."""
    ids = local_ids(first, block * blocks)
    if blocks == 1:
        return mean_over_devices(fn(ids))
    shares = Path(*(jnp.reshape(x, (blocks, block)) for x in ids))
    one = Path(*(jnp.asarray(x)[:block] for x in ids))
    zero = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), jax.eval_shape(fn, one))
    total, _ = jax.lax.scan(lambda total, ids: (jax.tree.map(jnp.add, total, fn(ids)), None), zero, shares)
    return mean_over_devices(jax.tree.map(lambda x: x / blocks, total))


_cache: dict[Any, Compiled] = {}
_spent = 0.0


def seconds_compiling() -> float:
    """What compiling has taken in this process so far, programs found again not counted."""
    return _spent


def signature(name: Any, *arguments: Any) -> Any:
    """What a program depends on: its name, and the structure of its arguments."""
    leaves, tree = jax.tree.flatten(arguments)
    shapes = tuple((np.shape(leaf), str(jax.dtypes.canonicalize_dtype(jnp.result_type(leaf)))) for leaf in leaves)
    return name, tree, shapes, str(jnp.result_type(float))


def compiled(name: Any, fn: Callable[..., Any], *arguments: Any) -> Compiled:
    """``fn`` compiled for arguments of this structure; found again by ``name`` and structure, not by ``fn``, while it is of the last ``KEPT``."""
    global _spent
    known = signature(name, *arguments)
    found = _cache.pop(known, None)
    if found is None:
        start = time.perf_counter()
        call = jax.jit(fn, compiler_options=compiler_options()).lower(*arguments).compile()
        found = Compiled(call, time.perf_counter() - start)
        _spent += found.seconds
        while len(_cache) >= KEPT:
            del _cache[next(iter(_cache))]
    _cache[known] = found  # last of those met
    return found


def as_arrays(tree: Any) -> Any:
    """Leaves as arrays of the process's precision: what an executable compiled for them takes.

    New ones: of an array that was a constant of some program JAX keeps the copy on the device, in the precision that it had there.
    """
    dtype = jnp.result_type(float)
    return jax.tree.map(lambda leaf: np.array(leaf, dtype) if np.asarray(leaf).dtype.kind == "f" else np.array(leaf), tree)


def placed(tree: Any, devices: int) -> Any:
    """Arrays on every device of the mesh: laid there once, not at every call (which takes some 50 us a leaf)."""
    return jax.device_put(tree, NamedSharding(mesh(devices), PartitionSpec()))


def blocks(call: Callable[[Any], Any], ids: range, size: int, timings: dict[str, float]) -> Iterator[tuple[int, Any]]:
    """(first id, outcomes) of blocks of ``size`` paths: ``AHEAD`` are under way while one is taken, so that no device waits for another."""
    start = time.perf_counter()
    pending: list[tuple[int, Any]] = []

    def take() -> tuple[int, Any]:
        at, arrays = pending.pop(0)
        count = min(size, ids.stop - at)
        values = jax.tree.map(lambda a: np.asarray(a)[:count], arrays)
        seconds = time.perf_counter() - start
        if at == ids.start:
            timings["first_seconds"] = seconds
        else:  # of all paths after the first block's
            timings["steady_paths_per_second"] = (at + count - ids.start - size) / (seconds - timings["first_seconds"])
        return at, values

    for at in ids[::size]:
        pending.append((at, call(words(at))))
        if jax.default_backend() != "cpu":  # on its way to the host while the next block is under way
            jax.tree.map(lambda a: a.copy_to_host_async(), pending[-1][1])
        if len(pending) > AHEAD:
            yield take()
    while pending:
        yield take()
