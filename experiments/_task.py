"""What a task takes from its configuration, and what it says of a run."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import mcengine as mc
from mcengine import config as configuration
from mcengine._files import inside
from mcengine.policy.base import validate_floor
from mcengine.report import RunFolder

_asked: ContextVar[tuple[str, list[str], str | None]] = ContextVar("asked")
"""(experiment, overrides, folder of configurations) of the run under way."""


@dataclass(frozen=True)
class Plan:
    """A run that may be solved together with others.

    Args:
        study: What is simulated.
        figures: Figures by name that are streamed.
        finish: ``finish(folder, result) -> (metrics, timings)``, which prints, and writes tables and pictures.
    """

    study: mc.Study
    figures: Mapping[str, mc.statistics.Figure]
    finish: Callable[[RunFolder, mc.Result], tuple[dict[str, Any], dict[str, Any]]]


def is_plain(config: Any) -> bool:
    """Whether a run is all of its paths, with nothing asked of where and how."""
    engine = config.engine
    asked = [config.trace, config.resume, config.seconds, config.until.metric, engine.hosts]
    asked += [engine.block, engine.devices, engine.memory, engine.super_block]
    return all(value is None for value in asked) and engine.keep == mc.engine.KEEP


def options(config: Any, folder: RunFolder) -> dict[str, Any]:
    """Arguments of ``Study.run`` that every experiment takes from its configuration."""
    rules = {"until": configuration.plain(config.until), "seconds": config.seconds}
    return {"seed": config.seed, "stream": config.stream, **place(config, folder), **rules, **engine(config)}


def place(config: Any, folder: RunFolder, *names: str) -> dict[str, Any]:
    """Arguments of ``Study.run`` that say where outcomes are kept, in the run's folder or below; none where none are asked for."""
    return {"folder": inside(folder.path, *names), "resume": folder.resumable} if config.outcomes else {}


def engine(config: Any) -> dict[str, Any]:
    """Arguments of ``Study.run`` in the configuration's group of that name; which hosts there are is settled before."""
    return {key: value for key, value in config.engine.items() if key not in ("hosts", "platform")}


def may_stop(config: Any) -> bool:
    """Whether a rule may stop the run before its paths are done."""
    return config.until.metric is not None or config.seconds is not None


def journal(config: Any, folder: RunFolder, study: mc.Study, name: str, **settings: Any) -> mc.engine.Journal:
    """Where ``name`` (a fit, a derivative, a choice that was timed) keeps its steps for a run that goes on."""
    this = mc.engine.identity(study, seed=config.seed, **settings)
    return mc.engine.Journal(folder.path / f"{name}.journal", this, resume=folder.resumable)


def devices() -> int:
    """Batches of a fit or a derivative are dealt to all devices, so their number is part of what it is."""
    return mc.engine.program.check_devices(None)


@contextmanager
def asking(name: str, overrides: Sequence[str], config_dir: str | None) -> Iterator[None]:
    """While it lasts, this is the run whose ``variant`` is asked for."""
    token = _asked.set((name, list(overrides), config_dir))
    try:
        yield
    finally:
        _asked.reset(token)


def variant(words: str) -> Any:
    """The configuration of this run with more overrides, ``"market=bootstrap delay=1"``."""
    name, overrides, config_dir = _asked.get()
    own = [word for word in overrides if not word.startswith("also=")]
    return configuration.load_config([*own, *words.split()], name, config_dir)


def say_how_it_went(result: mc.Result) -> dict[str, Any]:
    """Print why the run stopped and how fast it was; what provenance.json keeps of it."""
    times = result.timings
    before = f" ({times['resumed_paths']:,.0f} of them before)" if "resumed_paths" in times else ""
    speed = f", then {times['steady_paths_per_second']:,.0f} paths/s" if math.isfinite(times["steady_paths_per_second"]) else ""
    noise = getattr(result.study.noise, "base", result.study.noise)  # under a shift
    if result.sampling.kind == "randomisations":
        drawn, rest = noise.coverage(result.study.steps, result.study.market.n_factors)
        beyond = f", {rest:,} from the counter" if rest else ""
        interval = mc.Estimate(0.0, 1.0, result.sampling.size).half_width()
        said = f"errors from {result.sampling.size} randomisations: a 95 % interval is ± {interval:.2f} of them (Student)"
        print(f"{drawn:,} dimensions from {type(noise).__name__}{beyond}; {said}")
    years, steps = float(result.study.years), result.study.steps
    if years >= 2.0 and not result.study.year_steps:
        rate = f"{steps:,} steps in {years:g} years, {steps / years:.4g} a year"
        print(f"no yearly figures: {rate}, put no year's end on a step; give steps={round(252 * years)}")
    print(f"{result.stopped}{before}; compiled in {times['compile_seconds']:.2f} s, first block in {times['first_seconds']:.3f} s{speed}\n")
    return {**times, "paths": result.paths, "stopped": result.stopped}


def check_floor(study: mc.Study, floor: Any) -> None:
    """Raise ``ValueError`` for a floor that cannot be held: its present value is not below the starting wealth."""
    if isinstance(floor, bool) or not isinstance(floor, int | float) or not floor > 0.0:
        raise ValueError(f"floor: expected a number above 0, a fraction of the starting wealth, got {floor!r}")
    validate_floor("floor", floor, floor * study.discount)


def trace(config: Any, folder: RunFolder, study: mc.Study) -> tuple[dict[str, Any], dict[str, float]]:
    """Everything at every step of the paths ``config.trace``, as trace.csv, instead of a run."""
    ids = [config.trace] if isinstance(config.trace, int) else list(config.trace)
    if not all(isinstance(i, int) and not isinstance(i, bool) and i >= 0 for i in ids):
        raise ValueError(f"trace: expected path ids, whole numbers from 0 on, got {ids}")
    table = study.trace(ids, seed=config.seed, stream=config.stream)
    folder.write_table("trace", table)
    print(f"trace.csv: {len(ids)} paths, {study.steps + 1} dates, {len(table.columns)} columns")
    print(f"\n{table.iloc[:, :8].head(10).to_string()}\n", flush=True)
    return {"traced": len(ids)}, {}
