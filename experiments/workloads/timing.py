"""How a workload is timed: everything warmed up, compilation apart, the engine and its peers in turns, the median counts.

A peer is ``run(terms, paths, seed)`` and gives figures by name: a column [paths], or (value, standard error) where it keeps no paths.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import peers

import mcengine as mc
from mcengine.statistics import estimate

FAR = 5.0
"""Standard errors from a reference value at which a price counts as wrong."""


@dataclass
class Bench:
    """What every workload is told: the configuration, and where to say which peer is absent and why."""

    config: Any
    absent: dict[str, str] = field(default_factory=dict)

    @property
    def options(self) -> dict[str, Any]:
        """Of a run of the engine."""
        return {"seed": self.config.seed, "block": self.config.engine.block, "devices": self.config.engine.devices}

    def settings(self, workload: str) -> Any:
        """The workload's own numbers, ``conf/workload``."""
        return self.config.workload[workload]

    def paths(self, workload: str) -> int:
        """Paths of one timed run of the engine, a multiple of 64."""
        return max(64, int(self.config.paths * self.settings(workload).share) // 64 * 64)

    def peers(self, workload: str) -> dict[str, float]:
        """Of the workload's peers those that were asked for, each with its share of the paths."""
        wanted = self.config.peers
        return {name: float(share) for name, share in self.settings(workload).peers.items() if wanted == "all" or name in wanted}

    def load(self, workload: str, name: str) -> Callable[..., Any] | None:
        """A peer, or nothing and the reason kept."""
        try:
            return peers.load(workload, name)
        except peers.PeerMissingError as error:
            self.absent[f"{workload}/{name}"] = str(error)
            return None


@dataclass
class Runner:
    """One way to do the work: ``call`` does it once and gives what it was asked for; ``work`` counts its units."""

    name: str
    call: Callable[[], Any]
    work: float
    paths: int = 0
    compile_seconds: float = 0.0
    last: Any = None
    seconds: list[float] = field(default_factory=list)
    cpu_seconds: list[float] = field(default_factory=list)

    def warm_up(self) -> float:
        """Once untimed; the seconds it took, compilation included."""
        start = time.perf_counter()
        self.last = self.call()
        return time.perf_counter() - start

    def once(self) -> None:
        start, cpu = time.perf_counter(), time.process_time()
        self.last = self.call()
        self.cpu_seconds.append(time.process_time() - cpu)
        self.seconds.append(time.perf_counter() - start)

    @property
    def median(self) -> float:
        return float(np.median(self.seconds))

    @property
    def rate(self) -> float:
        """Units of work a second, by the median."""
        return self.work / self.median


def measure(runners: Sequence[Runner], repeats: int) -> None:
    """Time the runners in turns: what slows the machine for a while slows them all."""
    for _ in range(repeats):
        for runner in runners:
            runner.once()


def times(runner: Runner) -> dict[str, Any]:
    """What every line says of a runner. CPU seconds (of this process) tell a busy machine from a slow program."""
    return {
        "seconds_median": runner.median,
        "seconds_lowest": min(runner.seconds),
        "cpu_seconds_median": float(np.median(runner.cpu_seconds)),
        "compile_seconds": runner.compile_seconds,
        "repeats": len(runner.seconds),
    }


def reading(figure: Any) -> mc.Estimate:
    """A figure of one run: the mean of a column, or the pair (value, standard error)."""
    return estimate.mean(figure) if isinstance(figure, np.ndarray) else mc.Estimate(float(figure[0]), float(figure[1]))


@dataclass(frozen=True)
class Race:
    """One problem for the engine and its peers. ``units`` are asset-steps a path, ``years`` years a path; ``figure`` is the one compared.

    ``prices`` are columns that a peer on the same noise must match path by path, to rounding. ``reference`` is the figure's true value, known
    to within ``known_to``.
    """

    name: str
    terms: Any
    units: float
    years: float
    figure: str
    more: tuple[str, ...] = ()
    prices: tuple[str, ...] = ()
    reference: float | None = None
    known_to: float = 0.0

    def figures(self, runner: Runner) -> dict[str, Any]:
        value, more = reading(runner.last[self.figure]), {}
        for name in self.more:
            if name in runner.last:
                other = reading(runner.last[name])
                more |= {name: other.value, f"{name}_standard_error": other.error}
        rate = runner.paths / runner.median
        speed = {"asset_steps_per_second": rate * self.units} if self.units else {}
        if "gradient" in runner.last:
            more["gradient"] = runner.last["gradient"]
        return {
            **speed,
            "path_years_per_second": rate * self.years,
            **times(runner),
            "paths": runner.paths,
            "value": value.value,
            "standard_error": value.error,
            **more,
        }

    def run(self, bench: Bench, engine: Callable[[int], Mapping[str, Any]]) -> dict[str, Any]:
        """``engine(paths)`` against every peer asked for; the workload's line.

        The engine's outcomes carry their program's ``compile_seconds``. Raises ``ArithmeticError`` where the engine misses the reference.
        """
        paths = bench.paths(self.name)
        ours = Runner("mcengine", lambda: engine(paths), paths, paths)
        ours.warm_up()
        ours.compile_seconds, ours.paths = ours.last["compile_seconds"], ours.last.get("paths", paths)
        runners = [ours]
        for name, share in bench.peers(self.name).items():
            run, fewer = bench.load(self.name, name), max(64, int(paths * share))
            if run is None:
                continue
            runner = Runner(name, lambda run=run, fewer=fewer: run(self.terms, fewer, bench.config.seed), fewer, fewer)
            try:
                runner.compile_seconds = runner.warm_up()
            except peers.PeerMissingError as error:
                bench.absent[f"{self.name}/{name}"] = str(error)
                continue
            runner.paths = runner.last.get("paths", fewer)
            runners.append(runner)
        measure(runners, bench.config.repeats)
        line = {"workload": self.name, **self.figures(ours), **self.against_reference(ours)}
        beside: dict[str, Any] = {}
        for peer in runners[1:]:
            peer.compile_seconds = max(0.0, peer.compile_seconds - peer.median)  # its first call, less what a call takes
            figures = self.figures(peer)
            ratio = (ours.paths / ours.median) / (peer.paths / peer.median)
            spread = float(np.hypot(line["standard_error"], figures["standard_error"]))
            beside[peer.name] = {**figures, "ratio": ratio}
            if peer.name not in peers.OTHER_PROBLEM:
                beside[peer.name]["errors_apart"] = (figures["value"] - line["value"]) / spread if spread > 0.0 else 0.0
            if peer.name in peers.SAME_NOISE and self.prices:
                beside[peer.name]["largest_relative_difference"] = self.agreement(ours.last, peer.last)
        return {**line, "peers": beside}

    def against_reference(self, ours: Runner) -> dict[str, Any]:
        if self.reference is None:
            return {}
        value = reading(ours.last[self.figure])
        apart = max(abs(value.value - self.reference) - self.known_to, 0.0) / value.error
        if apart > FAR:
            raise ArithmeticError(f"{self.name}: {value} is {apart:.1f} standard errors from {self.reference:g}")
        return {"reference": self.reference, "errors_from_reference": apart}

    def agreement(self, ours: Mapping[str, np.ndarray], theirs: Mapping[str, np.ndarray]) -> float:
        """Largest relative difference of a terminal price on the same path. Raises ``ArithmeticError`` beyond float32's rounding.

        A price is a product of as many factors as steps, each some units in the last place (2^-23) off.
        """
        count = min(theirs[self.prices[0]].size, ours[self.prices[0]].size)
        worst = max(float(np.max(np.abs(theirs[n][:count] / ours[n][:count] - 1.0))) for n in self.prices)
        allowed = max(8, self.terms.steps) * 2.0**-23
        if not worst <= allowed:
            raise ArithmeticError(f"{self.name}: prices on the same noise differ by {worst:.2g}, more than rounding ({allowed:.2g})")
        return worst


def in_fresh_process(function: str, task: Mapping[str, Any], *, cores: int | None = None) -> dict[str, Any]:
    """What ``module.function(task)`` of this folder gives in a new interpreter, on ``cores`` of this process's cores."""
    module, _, name = function.rpartition(".")
    code = f"import json, sys; from workloads import {module} as module; print(json.dumps(module.{name}(json.load(sys.stdin))))"
    available = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None
    if available and cores is not None:
        code = f"import os; os.sched_setaffinity(0, {available[-cores:]}); {code}"
    root = Path(__file__).parents[1]
    done = subprocess.run([sys.executable, "-c", code], input=json.dumps(task), capture_output=True, text=True, cwd=root, check=False)
    if done.returncode:
        raise OSError(f"{function}: failed in a process of its own: {done.stderr.strip().splitlines()[-1:]}")
    return json.loads(done.stdout.splitlines()[-1])
