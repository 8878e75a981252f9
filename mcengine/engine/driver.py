"""Streaming loop: regroups device blocks into fixed-size super-blocks; each updates the statistics and is checkpointed.

Super-blocks are cut by path ids alone, so that statistics add the same numbers in the same order whatever the blocks and devices.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mcengine import _runtime
from mcengine.engine.base import AbstractStudy
from mcengine.engine.checkpoint import InMemory, OnDisk, nested
from mcengine.engine.memory import default_super_block
from mcengine.engine.metrics import default_figures
from mcengine.engine.result import Result
from mcengine.engine.stop import StopRule
from mcengine.statistics.estimate import Estimate
from mcengine.statistics.figure import Figure, Outcomes
from mcengine.statistics.stream import Statistics

Blocks = Callable[[int, int], Iterator[tuple[int, Outcomes]]]
"""``blocks(start, stop)``: (index of the first path, outcomes) of blocks that follow each other."""


def new_timings() -> dict[str, float]:
    """Nothing has run yet."""
    return {"compile_seconds": 0.0, "first_seconds": 0.0, "run_seconds": 0.0, "steady_paths_per_second": math.nan}


@dataclass
class Driver:
    """What a run needs beyond its blocks. ``kept`` paths keep their outcomes; ``stop_figures`` are the figures that ``rule.until`` reads."""

    study: AbstractStudy
    address: tuple[int, str, int]  # seed, stream, first path
    rule: StopRule
    kept: int
    figures: Mapping[str, Figure]
    stop_figures: list[str]
    store: InMemory | OnDisk
    tell: Callable[[int], Any]  # of paths that are done
    size: int = 0  # paths in a super-block; 0 until the first outcomes tell how wide they are
    timings: dict[str, float] = field(default_factory=new_timings)
    statistics: Statistics | None = None
    buffer: dict[tuple[str, str], np.ndarray] = field(default_factory=dict)

    def go(self, blocks: Blocks) -> Result:
        """From what the store has to the end of the run."""
        done = self._resume(blocks)
        reason = self.store.reason(self.rule.target, done) or (self.rule.reached(done, self._estimates) if done else None)
        if reason is None:
            for start, end in self._filled(blocks(done, self.rule.paths)):
                self._finish(start, end)
                self.tell(end - start)
                if _runtime.terminated.is_set():
                    raise KeyboardInterrupt
                done, reason = end, self.rule.reached(end, self._estimates)
                if reason is not None:
                    break
        assert reason is not None
        outcomes = self.store.end(min(done, self.kept), {"paths": done, "stopped": reason, "target": self.rule.target})
        return self._result(outcomes, done, reason)

    def _resume(self, blocks: Blocks) -> int:
        """Paths that are done, after what was damaged has been run again and the statistics are as they were."""
        found, paths = self.store.found, self.rule.paths
        for index in found.again:
            state = found.state if index == found.blocks - 1 else None
            for start, end in self._filled(blocks(index * self.size, min((index + 1) * self.size, paths))):
                self._write(start, end)
                self.store.record(index, end, state)
        done = min(found.blocks * self.size, paths)
        if done > self.kept:
            kept = self.store.read(self.kept)
            assert found.state is not None
            _, _, first = self.address
            self.statistics = Statistics(self._all_figures(kept), self.study.sampling, kept, first, state=found.state)
            if self.statistics.count != done:
                raise ValueError(f"resume: expected the statistics of {done:,} paths, got those of {self.statistics.count:,}")
        if done:
            self.tell(done)
            self.timings["resumed_paths"] = done
        return done

    def _filled(self, blocks: Iterator[tuple[int, Outcomes]]) -> Iterator[tuple[int, int]]:
        """(start, end) of every super-block whose outcomes now fill the buffer."""
        for start, values in blocks:
            columns = {(book, name): column for book, named in values.items() for name, column in named.items()}
            if not self.buffer:
                self._begin(columns)
            total, at = len(next(iter(columns.values()))), 0
            while at < total:
                inside = (start + at) % self.size
                count = min(total - at, self.size - inside)
                for key, column in columns.items():
                    self.buffer[key][inside : inside + count] = column[at : at + count]
                at += count
                if inside + count == self.size or start + at == self.rule.paths:
                    yield start + at - inside - count, start + at

    def _begin(self, columns: Mapping[tuple[str, str], np.ndarray]) -> None:
        if not self.size:
            width = sum(column.itemsize for column in columns.values())
            finer = 1 if self.rule.until is None else 8  # where its error decides, a run is asked more often
            self.size = default_super_block(width, finer * self.study.steps * len(self.study.books), self.study.sampling.unit)
        self.buffer = {key: np.empty(min(self.size, self.rule.paths), column.dtype) for key, column in columns.items()}
        self.store.begin({key: column.dtype for key, column in columns.items()}, self.size, self.kept)

    def _finish(self, start: int, end: int) -> None:
        stored = self._write(start, end)
        if start + stored < end:
            if self.statistics is None:
                kept = self.store.read(self.kept)
                self.statistics = Statistics(self._all_figures(kept), self.study.sampling, kept, self.address[2])
            self.statistics.add(nested({key: column[stored : end - start] for key, column in self.buffer.items()}))
        self.store.record(start // self.size, end, None if self.statistics is None else self.statistics.state())

    def _write(self, start: int, end: int) -> int:
        """Give the store the outcomes in the buffer that are to be kept; how many they are."""
        stored = max(min(end, self.kept) - start, 0)
        self.store.write(start, {key: column[:stored] for key, column in self.buffer.items()} if stored else {})
        return stored

    def _all_figures(self, outcomes: Outcomes) -> dict[str, Figure]:
        return default_figures(self.study.books, outcomes) | dict(self.figures)

    def _estimates(self, done: int) -> dict[str, Estimate]:
        outcomes = self.store.read(min(done, self.kept))
        result, figures = self._result(outcomes, done, ""), self._all_figures(outcomes)
        return {name: result.estimate(figures[name], name) for name in self.stop_figures}

    def _result(self, outcomes: dict[str, dict[str, np.ndarray]], done: int, stopped: str) -> Result:
        rows = min(done, self.kept)
        return Result(self.study, outcomes, done, rows, *self.address, self.timings, self.statistics if done > rows else None, stopped)
