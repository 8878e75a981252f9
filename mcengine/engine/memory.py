"""How many paths a device handles at a time: what the compiled program says it needs, within a budget.

A program's need is its temporaries and arguments, and its outputs three times (one block is taken while the next two are under way), on
every device. On CPUs all devices share the host's memory with the outcomes that are kept there and the super-block being filled; the process
itself (interpreter, libraries, compiled code: some 400 MB) comes on top. A GPU's budget is its own memory.
"""

import re
from typing import Any

import jax

from mcengine.engine import program
from mcengine.engine.prepared import PreparedStudy

TABLE_BYTES = {"cpu": 8 << 20}
"""Of a noise's table on one device, where no block is asked for: near a core's caches (twice as fast as eight times that); elsewhere 1 GiB."""

GPU_SHARE = 0.8
"""Of a device's memory, where no budget is given."""

MOST_BYTES = 1 << 26
"""Outcomes of a super-block at most."""

MOST_WORK = {"cpu": 1 << 27, "gpu": 1 << 34}
"""Paths x steps x books of a super-block at most: about a second, which is what a kill may cost. Not timed, so that equal runs are cut alike."""

_UNITS = {"": 1, "K": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "KI": 1 << 10, "MI": 1 << 20, "GI": 1 << 30, "TI": 1 << 40}
_TRIES = 4


def bytes_of(memory: Any) -> float:
    """Bytes of ``4GiB``, ``500 MB`` or a number. Raises ``ValueError`` for anything else."""
    if isinstance(memory, int | float) and not isinstance(memory, bool) and 0 < memory < 1e18:
        return float(memory)
    found = re.fullmatch(r"\s*(\d+(?:\.\d*)?)\s*([KMGT]?I?)B?\s*", str(memory).upper()) if isinstance(memory, str) else None
    if found is None or not float(found[1]) > 0.0:
        raise ValueError(f"memory: expected a size like 4GiB or 500MB, got {memory!r}")
    return float(found[1]) * _UNITS[found[2]]


def format_bytes(size: float) -> str:
    """A size for people."""
    unit = next((u for u in ("GiB", "MiB") if size >= _UNITS[u[:2].upper()]), "KiB")
    return f"{size / _UNITS[unit[:2].upper()]:.3g} {unit}"


def default_block(noise: Any, steps: int, factors: int, carried: int = 0) -> int:
    """Paths a device handles at a time, where neither a number nor a budget is given: fewer where the noise keeps a table for each."""
    table, block = noise.table_bytes(steps, factors), program.default_block(carried)
    return block if table == 0 else max(program.PAD, min(block, TABLE_BYTES.get(jax.default_backend(), 1 << 30) // table))


def host_bytes(prepared: PreparedStudy, paths: int, kept: int, super_block: int) -> float:
    """Host memory outside the device blocks: ``kept`` outcomes and the super-block buffer (0: the default size), bytes.

    Nothing of that is in a GPU's memory.
    """
    if jax.default_backend() != "cpu":
        return 0.0
    study, size = prepared.study, prepared.outcome_bytes
    buffer = super_block or default_super_block(size, study.steps * len(study.books), study.sampling.unit)
    return float(size) * (kept + min(paths, buffer))


def default_super_block(width: int, work: int, least: int) -> int:
    """Paths of a super-block, a power of two: ``width`` bytes of outcomes a path, ``work`` steps x books a path, ``least`` for the sampling."""
    most = min(MOST_BYTES // width, MOST_WORK.get(jax.default_backend(), MOST_WORK["gpu"]) // work)
    return int(max(1 << max(most, 1).bit_length() - 1, 1024, least))


def check_super_block(size: Any, least: int) -> int:
    """A number of paths that fits vectors and sampling, or one clear message."""
    unit = max(program.PAD, least)
    if isinstance(size, bool) or not isinstance(size, int | float) or size != int(size) or size < unit or size % unit:
        raise ValueError(f"super_block: expected a number of paths that is a multiple of {unit}, got {size!r}")
    return int(size)


def needed(executable: program.Compiled, devices: int) -> float:
    """Bytes the running program takes where its budget is: on the host for CPUs, on one device for GPUs."""
    stats = executable.call.memory_analysis()
    one = stats.temp_size_in_bytes + stats.argument_size_in_bytes + (program.AHEAD + 1.0) * stats.output_size_in_bytes
    return float(one * (devices if jax.default_backend() == "cpu" else 1))


def budget(memory: Any) -> float | None:
    """Bytes that may be used: as asked; else a share of a GPU; else no limit."""
    if memory is not None:
        return bytes_of(memory)
    stats = jax.devices()[0].memory_stats() or {}
    return GPU_SHARE * stats["bytes_limit"] if "bytes_limit" in stats else None


def fit_block(
    prepared: PreparedStudy, *, paths: int, devices: int, block: int | None, memory: Any, on_host: float = 0.0
) -> tuple[program.Compiled, int]:
    """(the compiled program, paths it handles on each device). ``on_host`` are bytes of the budget that blocks cannot have.

    Without ``block``, the largest up to the default that fits. Raises ``ValueError`` where none does, or the one asked for does not.
    """
    limit, asked = budget(memory), block is not None
    if block is None:
        study = prepared.study
        block = default_block(study.noise, study.steps, study.market.n_factors, prepared.carried_bytes)
    size = program.padded(paths, block, devices)
    if limit is not None and on_host >= limit:
        raise ValueError(f"memory: {format_bytes(limit)} cannot hold the outcomes that are kept, {format_bytes(on_host)}; lower keep or raise memory")
    for _ in range(_TRIES):
        executable = prepared.forward(size, devices)
        need = needed(executable, devices)
        if limit is None or on_host + need <= limit:
            return executable, size
        smaller = int(size * (limit - on_host) / need * 0.98) // program.PAD * program.PAD
        if asked or size == program.PAD:
            break
        size = max(smaller, program.PAD)
    kept = f" beside {format_bytes(on_host)} for outcomes" if on_host else ""
    raise ValueError(
        f"memory: blocks of {size:,} paths on {devices} devices need {format_bytes(need)}{kept}; expected at most {format_bytes(limit or 0.0)} in all"
    )
