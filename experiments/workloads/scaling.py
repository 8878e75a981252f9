"""scaling: how cost grows with paths, steps and assets (basket8), what a second core is worth, what tangents cost (hedged).

Paths, and one core against all, in fresh processes: the memory is their own, and the cores are chosen before JAX starts.
"""

import time
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from peers.terms import BasketTerms

import mcengine as mc
from mcengine._model import parameters, with_parameters
from mcengine._runtime import cores
from mcengine.engine import program
from mcengine.engine.prepared import PreparedStudy
from mcengine.noise import make_key
from workloads import study_book
from workloads.basket8 import contracts
from workloads.memory import peak
from workloads.timing import Bench, Runner, in_fresh_process, measure

TANGENTS = ("policy.vol_target.target", "policy.cppi.multiplier", "market.equity.theta", "market.rate.rate")
KEEP = 100_000


def run(bench: Bench) -> dict[str, Any]:
    settings, config = bench.settings("scaling"), bench.config
    steps, paths = int(settings.steps), bench.paths("scaling")
    base = {"steps": steps, "assets": 8, "seed": config.seed, "precision": config.precision}
    few, most = (int(count) for count in (settings.paths[0], settings.paths[-1]))
    by_paths = [in_fresh_process("scaling.basket", {**base, "paths": int(count), "repeats": 1}) for count in settings.paths]
    alone = in_fresh_process("scaling.basket", {**base, "paths": paths, "repeats": config.repeats}, cores=1)
    together = in_fresh_process("scaling.basket", {**base, "paths": paths, "repeats": config.repeats})
    by_steps = {int(count): _rate(base | {"steps": int(count)}, paths, config.repeats) for count in settings.by_steps}
    by_assets = {int(count): _rate(base | {"assets": int(count)}, paths, config.repeats) for count in settings.by_assets}
    forward = tangents(bench)
    return {
        "workload": "scaling",
        "asset_steps_per_second": together["rate"],
        "path_years_per_second": together["rate"] / (8 * steps),
        "seconds_median": together["seconds"],
        "compile_seconds": together["compile_seconds"],
        "value": together["value"],
        "standard_error": together["standard_error"],
        "paths": paths,
        "by_paths": {str(one["paths"]): {"seconds": one["seconds"], "peak_megabytes": one["peak_megabytes"]} for one in by_paths},
        "time_over_linear": by_paths[-1]["seconds"] / by_paths[0]["seconds"] / (most / few),
        "memory_growth": by_paths[-1]["peak_megabytes"] / by_paths[0]["peak_megabytes"] - 1.0,
        "by_steps": by_steps,
        "by_assets": by_assets,
        "cores": cores(),
        "all_cores_over_one": together["rate"] / alone["rate"],
        "tangents_over_forward": forward,
        "peers": {},
    }


def basket(task: Mapping[str, Any]) -> dict[str, Any]:
    """basket8 in this process, at most ``KEEP`` paths kept: seconds, asset-steps a second, peak memory."""
    mc._runtime.set_precision(task["precision"])
    calls, market = contracts(BasketTerms(steps=task["steps"], assets=task["assets"]))
    options = {"paths": task["paths"], "steps": task["steps"], "seed": task["seed"], "keep": KEEP}
    made, seconds = None, []
    # Once compiled, a run's own clock has no compilation in it: one run is enough where runs are long.
    for _ in range(task["repeats"]):
        made = mc.engine.payoffs(calls, market, **options)
        seconds.append(made.timings["run_seconds"])
    assert made is not None
    median, end = float(np.median(seconds)), made.estimates["end"]
    return {
        "paths": made.paths,
        "seconds": median,
        "rate": made.paths * task["steps"] * task["assets"] / median,
        "compile_seconds": made.timings["compile_seconds"],
        "peak_megabytes": peak(),
        "value": end.value,
        "standard_error": end.error,
    }


def _rate(task: Mapping[str, Any], paths: int, repeats: int) -> dict[str, float]:
    """In this process, the first run left out; paths scaled so that the work is that of 8 assets and 252 steps."""
    paths = max(64, int(paths * 8 * 252 / (task["steps"] * task["assets"])) // 64 * 64)
    one = basket({**task, "paths": paths, "repeats": repeats + 1})
    return {"asset_steps_per_second": one["rate"], "compile_seconds": one["compile_seconds"]}


def tangents(bench: Bench) -> dict[str, float]:
    """Time of the mean wealth with one and with four forward tangents over the time without, same paths; blocks by what a path then carries."""
    study = study_book.hedged_study(bench.config)
    devices, prepared = program.check_devices(bench.config.engine.devices), PreparedStudy(study, make_key(bench.config.seed))
    paths = max(64, int(bench.config.paths * float(bench.settings("scaling").tangent_share)) // 64 * 64)
    known, carried = parameters(study), prepared.carried_bytes
    runners = []
    for count in (0, 1, 4):
        names = TANGENTS[:count]
        start = time.perf_counter()
        block = program.padded(paths, bench.config.engine.block or program.default_block((1 + count) * carried), devices)
        call = _tangent_program(prepared, names, block, devices)
        values = {name: jnp.asarray(known[name], jnp.result_type(float)) for name in names}

        def once(call: Any = call, values: Any = values, size: int = block * devices) -> Any:
            return [jax.tree.map(np.asarray, call(values, prepared.numbers, prepared.key, program.words(at))) for at in range(0, paths, size)][-1]

        runner = Runner(f"{count} tangents", once, paths, paths, time.perf_counter() - start)
        runner.warm_up()
        runners.append(runner)
    measure(runners, bench.config.repeats)
    plain = runners[0].median
    return {"1": runners[1].median / plain, "4": runners[2].median / plain, "forward_path_years_per_second": paths * float(study.years) / plain}


def _tangent_program(prepared: PreparedStudy, names: tuple[str, ...], block: int, devices: int) -> Any:
    def on_device(values: Any, study: Any, key: Any, first: Any) -> Any:
        ids = program.local_ids(first, block)

        def wealth(values: Any) -> Any:
            return program.simulate_block(with_parameters(study, values), key, ids)["policy"]["wealth"]

        if not names:
            return wealth(values), ()
        directions = [{name: jnp.asarray(float(name == along), jnp.result_type(float)) for name in names} for along in names]
        if len(names) == 1:
            value, slope = jax.jvp(wealth, (values,), (directions[0],))
            return value, (slope,)
        stacked = jax.tree.map(lambda *parts: jnp.stack(parts), *directions)
        value, slopes = jax.vmap(lambda along: jax.jvp(wealth, (values,), (along,)), out_axes=(None, 0))(stacked)
        return value, tuple(slopes[i] for i in range(len(names)))

    def fn(values: Any, study: Any, key: Any, first: Any) -> Any:
        return program.over_devices(on_device, devices)(values, study, key, first)

    start = {name: jnp.asarray(parameters(prepared.study)[name], jnp.result_type(float)) for name in names}
    return program.compiled(("tangents", names, block, devices), fn, start, prepared.numbers, prepared.key, program.words(0)).call
