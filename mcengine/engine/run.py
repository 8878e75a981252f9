"""``run``: blocks of paths through one compiled program, outcomes kept or streamed, a progress bar over blocks."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path as FilePath
from typing import Any

import jax
import numpy as np
from tqdm import tqdm

from mcengine._runtime import capped
from mcengine.engine import program
from mcengine.engine.figure import Figure, default_figures
from mcengine.engine.result import Result
from mcengine.engine.statistics import Statistics
from mcengine.noise import make_key

MAX_PATHS = 10**12
"""About a month on 2 cores, and half of the ids' range stays free of it."""


SMALL = 4096
"""Paths of any run where the environment has MC_SMALL=1."""


class NotFiniteError(ArithmeticError):
    """A path gave a number that is not finite. ``ids`` are the paths, ``where`` the first step and column at which it happened."""

    def __init__(self, ids: list[int], where: str, seed: int, stream: str) -> None:
        self.ids, self.where, self.seed, self.stream = ids, where, seed, stream
        shown = ", ".join(map(str, ids[:10])) + (f" and {len(ids) - 10} more" if len(ids) > 10 else "")
        super().__init__(f"not a finite number on paths {shown}: first {where}; replay with study.trace({ids[:10]}, seed={seed}, stream={stream!r})")


def check_paths(paths: Any) -> int:
    """A number of paths, or one clear message."""
    whole = isinstance(paths, int | float | np.number) and not isinstance(paths, bool) and np.isfinite(paths) and paths == int(paths)
    if not whole or not 1 <= paths <= MAX_PATHS:
        raise ValueError(f"paths: expected a whole number from 1 to {MAX_PATHS:.0e}, got {paths!r}")
    return capped(int(paths), SMALL)


def check_ids(ids: Sequence[int]) -> list[int]:
    """Path ids, or one clear message."""
    for i in ids:
        if isinstance(i, bool) or not isinstance(i, int | np.integer) or not 0 <= i < 1 << 63:
            raise ValueError(f"path id: expected a whole number from 0 to 2^63 - 1, got {i!r}")
    return [int(i) for i in ids]


def run(
    study: Any,
    paths: int,
    *,
    seed: int = 0,
    stream: str = "test",
    first: int = 0,
    block: int | None = None,
    devices: int | None = None,
    keep: float = 2e6,
    figures: Mapping[str, Figure] | None = None,
    folder: FilePath | str | None = None,
    progress: bool | None = None,
) -> Result:
    """Run ``paths`` paths with ids from ``first`` on.

    Outcomes of the first ``keep`` paths are kept, in memory or as memory-mapped ``folder/outcomes/<book>/<figure>.npy``; of paths beyond
    only ``figures`` (by default those of ``Result.table``) are streamed. Raises ``NotFiniteError`` when a path breaks.
    """
    paths, devices, key = check_paths(paths), program.check_devices(devices), make_key(seed, stream)
    check_ids([first])
    study.noise.sampling.check_run(paths, first)
    if not keep >= 1:
        raise ValueError(f"keep: expected a number of paths of at least 1, got {keep!r}")
    folder = None if folder is None else FilePath(folder)
    block = program.padded(paths, program.default_block() if block is None else block, devices)
    executable = program.forward(study, key, block=block, devices=devices)
    size, kept = block * devices, min(paths, int(keep))
    kept = min(paths, max(kept - kept % study.noise.sampling.size, study.noise.sampling.size))
    numbers = program.as_arrays(study)
    outcomes: dict[str, dict[str, np.ndarray]] = {}
    statistics: list[Statistics] = []
    clock = time.perf_counter()
    pending: list[tuple[int, Any]] = []
    bar = tqdm(total=paths, unit="path", unit_scale=True, desc="paths", disable=None if progress is None else not progress, leave=False)

    def take(start: int, arrays: Any) -> None:
        count = min(size, paths - start)
        values = jax.tree.map(lambda a: np.asarray(a)[:count], arrays)
        _check_finite(study, values, first + start, seed, stream)
        if not outcomes:
            outcomes.update(_allocate(values, kept, folder))
        stored = max(0, min(count, kept - start))
        for book, columns in values.items():
            for name, column in columns.items():
                outcomes[book][name][start : start + stored] = column[:stored]
        if start + stored == kept and not statistics and kept < paths:
            chosen = default_figures(study.books, {book: values[book] for book in study.books}) | dict(figures or {})
            statistics.append(Statistics(chosen, study.noise.sampling, outcomes, first))
        if stored < count:
            rest = jax.tree.map(lambda a: a[stored:], values)
            for one in statistics:
                one.add(rest)
        bar.update(count)

    with bar:
        for start in range(0, paths, size):
            pending.append((start, executable.call(numbers, key, program.words(first + start))))
            if len(pending) > 1:  # one block computes while the one before is stored
                take(*pending.pop(0))
        take(*pending.pop(0))
    timings = {"compile_seconds": executable.seconds, "run_seconds": time.perf_counter() - clock}
    return Result(study, outcomes, paths, kept, seed, stream, first, timings, *statistics)


def _allocate(values: Any, kept: int, folder: FilePath | None) -> dict[str, dict[str, np.ndarray]]:
    out: dict[str, dict[str, np.ndarray]] = {}
    for book, columns in values.items():
        out[book] = {}
        for name, column in columns.items():
            if folder is None:
                out[book][name] = np.empty(kept, column.dtype)
                continue
            file = folder / "outcomes" / book / f"{name}.npy"
            file.parent.mkdir(parents=True, exist_ok=True)
            out[book][name] = np.lib.format.open_memmap(file, mode="w+", dtype=column.dtype, shape=(kept,))
    return out


def _check_finite(study: Any, values: Any, start: int, seed: int, stream: str) -> None:
    bad: np.ndarray | None = None
    for columns in values.values():
        for column in columns.values():
            if not np.isfinite(np.sum(column, dtype=np.float64)):
                broken = ~np.isfinite(column)
                bad = broken if bad is None else bad | broken
    if bad is None or not bad.any():
        return
    ids = [int(start + i) for i in np.flatnonzero(bad)]
    from mcengine.engine.trace import first_not_finite

    raise NotFiniteError(ids, first_not_finite(study, ids[0], seed=seed, stream=stream), seed, stream)
