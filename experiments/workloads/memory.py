"""memory: peak resident memory of study_book at two numbers of paths, each in a fresh process that keeps as many paths as the smaller has."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import mcengine as mc
from mcengine import config as configuration
from workloads.timing import Bench, in_fresh_process


def run(bench: Bench) -> dict[str, Any]:
    config = bench.config
    few, many = (int(paths) for paths in config.memory_paths)
    runs = {paths: in_fresh_process("memory.report_peak", {"config": configuration.plain(config), "paths": paths}) for paths in (few, many)}
    return {
        "workload": "memory",
        "path_years_per_second": many * config.years / runs[many]["seconds"],
        "seconds_median": runs[many]["seconds"],
        "compile_seconds": runs[many]["compile_seconds"],
        "paths": many,
        "paths_kept": few,
        "peak_megabytes": {str(paths): run["peak_megabytes"] for paths, run in runs.items()},
        "growth": runs[many]["peak_megabytes"] / runs[few]["peak_megabytes"] - 1.0,
        "value": runs[many]["value"],
        "standard_error": runs[many]["standard_error"],
        "peers": {},
    }


def report_peak(task: Mapping[str, Any]) -> dict[str, Any]:
    """``study_book`` in this process: time, value and peak resident memory."""
    from omegaconf import OmegaConf

    config = OmegaConf.create(task["config"])
    mc._runtime.set_precision(config.precision)
    keep, engine = int(config.memory_paths[0]), config.engine
    result = configuration.study(config).run(task["paths"], progress=False, seed=config.seed, keep=keep, block=engine.block, devices=engine.devices)
    wealth = result.estimates()["policy/wealth"]
    out = {"seconds": result.timings["run_seconds"], "compile_seconds": result.timings["compile_seconds"]}
    return {**out, "peak_megabytes": peak(), "value": wealth.value, "standard_error": wealth.error}


def peak() -> float:
    """Largest resident memory of this process in MB. Linux's ``ru_maxrss`` would count the parent's at the fork as well."""
    status = Path("/proc/self/status")
    if status.is_file():
        return next(float(line.split()[1]) for line in status.read_text().splitlines() if line.startswith("VmHWM")) * 1024 / 1e6
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)
