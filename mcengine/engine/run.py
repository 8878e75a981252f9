"""``run``: blocks of paths through one compiled program, to outcomes and statistics in memory or on disk, a progress bar over them."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path as FilePath
from typing import Any

from tqdm import tqdm

from mcengine.engine import hosts, program
from mcengine.engine.base import AbstractStudy
from mcengine.engine.checkpoint import InMemory, OnDisk
from mcengine.engine.checks import check_ids, check_keep, check_paths
from mcengine.engine.driver import Driver, new_timings
from mcengine.engine.identity import identity
from mcengine.engine.memory import budget, check_super_block, fit_block, host_bytes
from mcengine.engine.metrics import default_figures
from mcengine.engine.not_finite import check_finite
from mcengine.engine.prepared import PreparedStudy
from mcengine.engine.result import Result
from mcengine.engine.stop import StopRule, Until
from mcengine.noise import make_key
from mcengine.statistics.figure import Figure


def run(
    study: AbstractStudy,
    paths: int,
    *,
    seed: int = 0,
    stream: str = "test",
    first: int = 0,
    block: int | None = None,
    devices: int | None = None,
    memory: Any = None,
    keep: float = 2e6,
    figures: Mapping[str, Figure] | None = None,
    folder: FilePath | str | None = None,
    resume: bool = False,
    until: Mapping[str, Any] | Until | None = None,
    seconds: float | None = None,
    super_block: int | None = None,
    progress: bool | None = None,
) -> Result:
    """Simulate a study in blocks of paths.

    Args:
        study: What is simulated.
        paths: Number of paths; with ``until`` or ``seconds`` the most that are run.
        seed: Of the random numbers.
        stream: Of the random numbers (``noise.STREAMS``).
        first: Id of the first path.
        block: Paths a device handles at a time; None for as many as fit ``memory``.
        devices: Number of devices of this host; None for all devices of all hosts.
        memory: Budget, bytes or text such as "4GiB"; None for a size that is fast on a CPU, or what a GPU has (see ``engine.memory``).
        keep: Paths whose outcomes are kept, the first ones; of those beyond only figures are streamed.
        figures: Figures by name that are streamed beside those of ``Result.table``.
        folder: Holds checkpoints, and outcomes as memory-mapped ``outcomes/<book>/<figure>.npy``; None keeps all in memory. One that holds a run
            is refused unless ``resume``: nothing in it is ever removed.
        resume: Whether to go on after the last finished super-block in the folder, with the same bits.
        until: ``{"metric": "p20", "error": 1e-4}`` stops where the standard error is that small, of every book or of "cppi/p20" alone.
        seconds: Stops when so much time has passed.
        super_block: Paths in a super-block, at whose ends a run is checkpointed and may stop; None for a second or two of work.
        progress: Whether to show a bar; None for on a terminal only.

    Raises:
        ValueError: For an option out of its range, a folder that holds another run, or one whose files are damaged.
        NotFiniteError: For a path that breaks.
        DiskFullError: Where there is no room for the next super-block.

    Example:
        >>> import mcengine as mc
        >>> market = mc.market.Market({"equity": mc.market.GBM(spot=100.0, sigma=0.2, drift=0.07)}, rate=0.03)
        >>> result = mc.engine.run(mc.Study(market, mc.policy.Mix(equity=0.6), steps=12), paths=64)
        >>> list(result["policy"])
        ['cost_option', 'cost_underlying', 'drawdown', 'exposure', 'lowest', 'turnover', 'volatility', 'wealth']
    """
    check_ids([first])
    rule = StopRule(study.available(check_paths(paths), first), until, seconds)
    devices, prepared = program.check_devices(devices, everywhere=True), PreparedStudy(study, make_key(seed, stream))
    sampling = study.sampling
    sampling.check_run(rule.paths, first)
    keeps = check_keep(keep, rule.paths, sampling)
    size = 0 if super_block is None else check_super_block(super_block, sampling.unit)
    program.padded(rule.paths, program.PAD if block is None else block, devices)
    budget(memory)
    figures = dict(figures or {})
    stop_figures = _stop_figures(prepared, rule, figures)
    store: InMemory | OnDisk = InMemory()
    if folder is not None:
        this = identity(study, seed=seed, stream=stream, first=first, keep=keeps, figures=figures)
        store = OnDisk(FilePath(folder), this, resume=resume, size=size, paths=rule.paths, keep=keeps)
    elif resume:
        raise ValueError("resume: expected the folder of the run that is to go on")
    kept, size, timings, clock = min(rule.paths, keeps), store.size or size, new_timings(), _Clock()

    def blocks(start: int, stop: int) -> Iterator[tuple[int, Any]]:
        with clock.paused():
            on_host = 0.0 if memory is None else host_bytes(prepared, rule.paths, kept if folder is None else 0, size)
            executable, fits = fit_block(prepared, paths=rule.paths, devices=devices, block=block, memory=memory, on_host=on_host)
        timings["compile_seconds"] = executable.seconds + prepared.table_seconds
        with hosts.together(executable, prepared, fits, devices) as call:
            for at, values in program.blocks(call, range(first + start, first + stop), fits * devices, timings):
                check_finite(study, values, at, seed, stream)
                yield at - first, values

    with tqdm(total=rule.paths, unit="path", unit_scale=True, desc="paths", disable=None if progress is None else not progress, leave=False) as bar:
        driver = Driver(study, (seed, stream, first), rule, kept, figures, stop_figures, store, bar.update, size, timings)
        result = driver.go(blocks)
    timings["run_seconds"] = clock.seconds
    return result


def _stop_figures(prepared: PreparedStudy, rule: StopRule, figures: Mapping[str, Figure]) -> list[str]:
    """Names of the figures whose error the rule asks for."""
    if rule.until is None:
        return []
    return rule.until.names(default_figures(prepared.study.books, prepared.columns) | dict(figures))


class _Clock:
    """Seconds since it was made, less those it was paused."""

    def __init__(self) -> None:
        self._start = time.perf_counter()

    @property
    def seconds(self) -> float:
        return time.perf_counter() - self._start

    @contextmanager
    def paused(self) -> Iterator[None]:
        before = time.perf_counter()
        try:
            yield
        finally:
            self._start += time.perf_counter() - before
