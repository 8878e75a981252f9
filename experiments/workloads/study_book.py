"""study_book: one book of the default study, volatility target + CPPI at one floor. study_book_gradient: its mean wealth differentiated by every
number of rules, costs and market. hedged and hedged_gradient: volatility target, CPPI and a rolled put, beside a version in PyTorch.
"""

import time
from collections.abc import Mapping
from typing import Any

import numpy as np
from peers.terms import HedgedTerms

import mcengine as mc
from mcengine import config as configuration
from mcengine._model import parameters, trainable
from mcengine.engine.gradient import BatchGradient, default_gradient_block
from mcengine.noise import make_key
from workloads.timing import Bench, Race

BATCH = 65_536
"""Paths that a derivative's program takes at a call, block after block: at least so many, and eight blocks."""


def hedged_study(config: Any) -> mc.Study:
    """The benchmark's study with a put on equity rolled every quarter, struck at the floor, in place of the no-trade band."""
    stages = configuration.build(config.policy)
    put = mc.policy.RolledPut(float(config.floor))
    return configuration.study(config, mc.policy.chain(stages["mix"], stages["vol_target"], stages["cppi"], put))


def terms(study: mc.Study) -> HedgedTerms:
    """What the PyTorch version is told: every number by name, and which of them have a derivative."""
    numbers = {name: float(value) for name, value in parameters(study).items()}
    put = study.policy["rolled_put"]
    return HedgedTerms(study.steps, numbers, tuple(trainable(study)), put.tenor, put.roll)


def race(name: str, study: mc.Study, told: Any) -> Race:
    """A book's problem as it is timed; ``told`` is what its peers are told."""
    return Race(name, told, study.steps * len(study.market.assets), float(study.years), "wealth")


def forward(study: mc.Study, bench: Bench) -> Any:
    """``run(paths)``: outcomes, last prices, seconds of compiling."""

    def engine(paths: int) -> dict[str, Any]:
        result = study.run(paths, progress=False, keep=paths, **bench.options)
        return {**result["policy"], **result["market"], "compile_seconds": result.timings["compile_seconds"]}

    return engine


def mean_wealth(outcomes: Any, extra: Any) -> tuple[Any, dict[str, Any]]:
    """What a gradient is of: wealth at the end, and its square for the error."""
    wealth = outcomes["policy"]["wealth"]
    return wealth, {"square": wealth * wealth}


def gradient(study: mc.Study, bench: Bench, label: str) -> Any:
    """``run(paths)``: the mean wealth with its derivatives by every number, in whole batches of the workload's block."""
    names, start = trainable(study), time.perf_counter()
    block, batch = bench.settings(label).get("block"), min(bench.paths(label), max(BATCH, 8 * default_gradient_block()))
    program = BatchGradient(study, mean_wealth, names, label=("benchmark", label), batch=batch, block=block, devices=bench.config.engine.devices)
    compile_seconds = time.perf_counter() - start
    values, key = {name: parameters(study)[name] for name in names}, make_key(bench.config.seed)

    def engine(paths: int) -> dict[str, Any]:
        batches, total = max(1, round(paths / program.paths)), dict.fromkeys(["value", "square", *names], 0.0)
        for batch in range(batches):
            value, more, slopes = program(values, study, key, batch)
            for name, x in {"value": value, **more, **slopes}.items():
                total[name] += float(x) / batches
        spread = max(total["square"] - total["value"] ** 2, 0.0) ** 0.5
        done = batches * program.paths
        pair = (total["value"], spread / done**0.5)
        return {"wealth": pair, "gradient": {name: total[name] for name in names}, "compile_seconds": compile_seconds, "paths": done}

    return engine


def study_book(bench: Bench) -> dict[str, Any]:
    study = configuration.study(bench.config)
    return race("study_book", study, None).run(bench, forward(study, bench))


def study_book_gradient(bench: Bench) -> dict[str, Any]:
    study = configuration.study(bench.config)
    return race("study_book_gradient", study, None).run(bench, gradient(study, bench, "study_book_gradient"))


def hedged(bench: Bench) -> dict[str, Any]:
    study = hedged_study(bench.config)
    return race("hedged", study, terms(study)).run(bench, forward(study, bench))


def hedged_gradient(bench: Bench) -> dict[str, Any]:
    study = hedged_study(bench.config)
    line = race("hedged_gradient", study, terms(study)).run(bench, gradient(study, bench, "hedged_gradient"))
    for peer in line["peers"].values():
        peer["gradient_apart"] = _apart(line["gradient"], peer["gradient"])
    return line


def _apart(ours: Mapping[str, float], theirs: Mapping[str, float]) -> float:
    """|difference| / |gradient|, in the Euclidean norm; both are samples."""
    x, y = (np.array([values[name] for name in ours]) for values in (ours, theirs))
    return float(np.linalg.norm(x - y) / np.linalg.norm(x))
