"""Speed, beside peers that do the same work in the same run: a table, one line of JSON a workload, a picture.

cppi4                four correlated lognormal assets, CPPI, costs; wealth and prices returned; the peers are in experiments/peers
study_book           one book of the default study: volatility target + CPPI at one floor
study_book_gradient  its mean wealth differentiated by every number of rules, costs and market
memory               peak memory of study_book, in fresh processes

Each is warmed up; compilation is timed apart; the runs of a workload and of its peers take turns, and the median counts.

python experiments/benchmark.py
python experiments/benchmark.py workloads=[cppi4] peers=[numpy] repeats=3 memory=false
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

import _main
import numpy as np
import peers
from peers.terms import ASSETS, Terms

import mcengine as mc
from mcengine import config as configuration
from mcengine import report
from mcengine._model import near, parameters, trainable
from mcengine.engine import estimate
from mcengine.engine.gradient import BatchGradient
from mcengine.engine.program import check_devices
from mcengine.engine.recorder import Wealth
from mcengine.noise import make_key

SMALL_REPEATS = 2  # under MC_SMALL=1, where there is no measuring memory either


@dataclass
class Runner:
    """One way to do the work: ``call`` does it once and gives what it was asked for; ``work`` counts its units."""

    name: str
    call: Callable[[], Any]
    work: float
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
    """What every line says of a runner. CPU seconds tell a busy machine from a slow program."""
    return {
        "seconds_median": runner.median,
        "seconds_lowest": min(runner.seconds),
        "cpu_seconds_median": float(np.median(runner.cpu_seconds)),
        "compile_seconds": runner.compile_seconds,
        "repeats": len(runner.seconds),
    }


def cppi_study(terms: Terms) -> mc.Study:
    """The peers' workload as a study."""
    names = [f"a{i}" for i in range(ASSETS)]
    assets = {name: mc.market.GBM(spot=1.0, sigma=terms.sigma, drift=terms.drift) for name in names}
    market = mc.market.Market(assets, correlation=terms.correlations(), rate=terms.rate)
    policy = mc.policy.chain(mc.policy.Mix(dict.fromkeys(names, 1.0 / ASSETS)), mc.policy.Cppi(terms.floor, terms.multiplier))
    costs = mc.ledger.Proportional(terms.cost)
    return mc.Study(market, policy, costs=costs, years=terms.years, steps=terms.steps, recorders=(Wealth(),))


def agreement(ours: Mapping[str, np.ndarray], theirs: Mapping[str, np.ndarray], terms: Terms) -> float:
    """Largest relative difference of a terminal price on the same path. Raises ``ArithmeticError`` beyond float32's rounding.

    A price is a product of as many factors as steps, each some units in the last place (2^-23) off.
    """
    names = [f"price_a{i}" for i in range(ASSETS)]
    worst = max(float(np.max(np.abs(theirs[n] / ours[n][: theirs[n].size] - 1.0))) for n in names)
    allowed = terms.steps * 2.0**-23
    if not worst <= allowed:
        raise ArithmeticError(f"cppi4: prices on the same noise differ by {worst:.2g}, more than rounding ({allowed:.2g})")
    return worst


def cppi4(config: Any, absent: dict[str, str]) -> dict[str, Any]:
    terms = Terms(steps=config.steps)
    study, options = cppi_study(terms), {"seed": config.seed, "block": config.engine.block, "devices": config.engine.devices}

    def engine() -> dict[str, np.ndarray]:
        result = study.run(config.paths, progress=False, keep=config.paths, **options)
        ours.compile_seconds = result.timings["compile_seconds"]
        return {**result["policy"], **result["market"]}

    units = terms.steps * ASSETS
    ours = Runner("mcengine", engine, config.paths * units)
    ours.warm_up()
    runners = [ours]
    for name in config.peers:
        try:
            run = peers.load(name)
        except peers.PeerMissingError as error:
            absent[name] = str(error)
            continue
        paths = max(1, int(config.paths * config.peer_share[name]))
        runner = Runner(name, lambda run=run, paths=paths: run(terms, paths, config.seed), paths * units)
        runner.compile_seconds = runner.warm_up()
        runners.append(runner)
    measure(runners, config.repeats)

    def figures(runner: Runner) -> dict[str, Any]:
        wealth, price = estimate.mean(runner.last["wealth"]), estimate.mean(runner.last["price_a0"])
        return {
            "asset_steps_per_second": runner.rate,
            "path_years_per_second": runner.rate / units * terms.years,
            **times(runner),
            "paths": wealth.count,
            "value": wealth.value,
            "standard_error": wealth.error,
            "price": price.value,
            "price_standard_error": price.error,
        }

    beside = {}
    for peer in runners[1:]:
        peer.compile_seconds = max(0.0, peer.compile_seconds - peer.median)  # its first call, less what a call takes
        beside[peer.name] = {**figures(peer), "ratio": ours.rate / peer.rate}
        if peer.name in peers.SAME_NOISE:
            beside[peer.name]["largest_relative_difference"] = agreement(ours.last, peer.last, terms)
    return {"workload": "cppi4", **figures(ours), "peers": beside}


def study_book(config: Any, absent: dict[str, str]) -> dict[str, Any]:
    study = configuration.study(config)

    def engine() -> Any:
        result = study.run(
            config.paths, progress=False, seed=config.seed, keep=config.paths, block=config.engine.block, devices=config.engine.devices
        )
        ours.compile_seconds = result.timings["compile_seconds"]
        return result

    ours = Runner("mcengine", engine, config.paths * float(study.years))
    ours.warm_up()
    measure([ours], config.repeats)
    wealth = estimate.mean(ours.last.wealth)
    return {
        "workload": "study_book",
        "path_years_per_second": ours.rate,
        "asset_steps_per_second": ours.rate / float(study.years) * study.steps * len(study.market.assets),
        **times(ours),
        "paths": wealth.count,
        "value": wealth.value,
        "standard_error": wealth.error,
        "peers": {},
    }


def _wealth(outcomes: Any, extra: Any) -> tuple[Any, dict[str, Any]]:
    wealth = outcomes["policy"]["wealth"]
    return wealth, {"square": wealth * wealth}


def study_book_gradient(config: Any, absent: dict[str, str]) -> dict[str, Any]:
    study = configuration.study(config)
    names = trainable(study)
    start = time.perf_counter()
    gradient = BatchGradient(study, _wealth, names, label="benchmark", block=config.gradient_block, devices=config.engine.devices)
    compile_seconds = time.perf_counter() - start
    batches = max(1, round(config.paths * config.gradient_share / gradient.paths))
    values, key = {name: parameters(study)[name] for name in names}, make_key(config.seed)

    def engine() -> dict[str, Any]:
        total: dict[str, float] = dict.fromkeys(["value", "square", *names], 0.0)
        for batch in range(batches):
            value, more, slopes = gradient(values, study, key, batch)
            for name, x in {"value": value, **more, **slopes}.items():
                total[name] += float(x) / batches
        return total

    paths = batches * gradient.paths
    ours = Runner("mcengine", engine, paths * float(study.years), compile_seconds)
    ours.warm_up()
    measure([ours], config.repeats)
    mean, square = ours.last["value"], ours.last["square"]
    return {
        "workload": "study_book_gradient",
        "path_years_per_second": ours.rate,
        **times(ours),
        "paths": paths,
        "parameters": len(names),
        "value": mean,
        "standard_error": (max(square - mean * mean, 0.0) / paths) ** 0.5,
        "gradient": {name: ours.last[name] for name in names},
        "peers": {},
    }


def memory(config: Any, absent: dict[str, str]) -> dict[str, Any]:
    few, many = (int(paths) for paths in config.memory_paths)
    runs = {paths: _in_fresh_process(config, paths) for paths in (few, many)}
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


def _in_fresh_process(config: Any, paths: int) -> dict[str, Any]:
    """What ``report_peak`` prints, run by a new interpreter."""
    task = {"config": configuration.plain(config), "paths": paths}
    code = "import sys, benchmark; benchmark.report_peak(sys.stdin.read())"
    done = subprocess.run(
        [sys.executable, "-c", code], input=json.dumps(task), capture_output=True, text=True, cwd=Path(__file__).parent, check=False
    )
    if done.returncode:
        raise OSError(f"memory: the run of {paths:,} paths failed: {done.stderr.strip().splitlines()[-1:]}")
    return json.loads(done.stdout.splitlines()[-1])


def report_peak(text: str) -> None:
    """Run ``study_book`` here and print time, value and peak resident memory as JSON."""
    from omegaconf import OmegaConf

    task = json.loads(text)
    config = OmegaConf.create(task["config"])
    mc._runtime.set_precision(config.precision)
    keep, engine = int(config.memory_paths[0]), config.engine
    result = configuration.study(config).run(task["paths"], progress=False, seed=config.seed, keep=keep, block=engine.block, devices=engine.devices)
    wealth = result.estimates()["policy/wealth"]
    out = {"seconds": result.timings["run_seconds"], "compile_seconds": result.timings["compile_seconds"]}
    print(json.dumps({**out, "peak_megabytes": _peak(), "value": wealth.value, "standard_error": wealth.error}))


def _peak() -> float:
    """Largest resident memory of this process in MB. Linux's ``ru_maxrss`` would count the parent's at the fork as well."""
    status = Path("/proc/self/status")
    if status.is_file():
        return next(float(line.split()[1]) for line in status.read_text().splitlines() if line.startswith("VmHWM")) * 1024 / 1e6
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)


WORKLOADS: dict[str, Callable[[Any, dict[str, str]], dict[str, Any]]] = {
    "cppi4": cppi4,
    "study_book": study_book,
    "study_book_gradient": study_book_gradient,
    "memory": memory,
}


def chosen(config: Any) -> list[str]:
    """Workloads to run. Raises ``ValueError`` for one that does not exist, before anything runs."""
    for key, known in (("workloads", WORKLOADS), ("peers", peers.PEERS)):
        for name in config[key]:
            if name not in known:
                raise ValueError(f"{key}: unknown {name!r}{near(name, known)}")
    if not config.repeats >= 1:
        raise ValueError(f"repeats: expected a whole number of at least 1, got {config.repeats}")
    return [*config.workloads, *(["memory"] if config.memory and "memory" not in config.workloads else [])]


def rows(line: Mapping[str, Any]) -> list[list[str]]:
    """A workload's part of the table: the engine, then its peers."""
    if line["workload"] == "memory":
        peak = " · ".join(f"{float(mb):,.0f} MB at {int(paths):,} paths" for paths, mb in line["peak_megabytes"].items())
        return [["memory", "mcengine", f"{peak} ({line['growth']:+.1%})"]]
    out = []
    for name, one in {"mcengine": line, **line["peers"]}.items():
        rate = f"{one['asset_steps_per_second'] / 1e6:12,.0f}" if "asset_steps_per_second" in one else " " * 12
        value = str(mc.Estimate(one["value"], one["standard_error"]))
        if "price" in one:
            value += "  price " + str(mc.Estimate(one["price"], one["price_standard_error"]))
        ratio = f"{one['ratio']:6.2f}x" if "ratio" in one else " " * 7
        speed = f"{one['path_years_per_second']:14,.0f}"
        seconds = f"{one['seconds_median']:8.3f} {one['compile_seconds']:8.1f}"
        out.append([line["workload"] if name == "mcengine" else "", name, f"{rate} {speed} {ratio} {seconds}   {value}"])
    return out


HEADER = ["workload", "by", f"{'M asset-st/s':>12} {'path-years/s':>14} {'ratio':>7} {'median s':>8} {'compile':>8}   mean wealth ± error"]


def table(lines: Sequence[Mapping[str, Any]]) -> str:
    """Every workload and peer, ``ratio`` being mcengine's speed over the peer's."""
    body = [HEADER, *(row for line in lines for row in rows(line))]
    return "\n".join(f"{a:<20} {b:<13} {c}".rstrip() for a, b, c in body)


def picture(lines: Sequence[Mapping[str, Any]]) -> Any:
    """Bars: the CPPI workload by each means in asset-steps, the engine's own workloads in path-years."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10.0, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    beside = next((line for line in lines if line["workload"] == "cppi4"), None)
    if beside is not None:
        speeds = {"mcengine": beside, **beside["peers"]}
        notes = [f"  {one['asset_steps_per_second'] / 1e6:,.0f}" + (f"  ({one['ratio']:.1f}x)" if "ratio" in one else "") for one in speeds.values()]
        _bars(left, list(speeds), [one["asset_steps_per_second"] / 1e6 for one in speeds.values()], notes)
    left.set_title("4 assets, CPPI, costs: million asset-steps a second", fontsize=10)
    # The memory workload is study_book again, most of its paths streamed into statistics instead of kept.
    own = {"streamed" if line["workload"] == "memory" else line["workload"]: line["path_years_per_second"] for line in lines}
    _bars(right, list(own), [speed / 1e3 for speed in own.values()], [f"  {speed / 1e3:,.0f}" for speed in own.values()])
    right.set_title("mcengine: thousand path-years a second", fontsize=10)
    figure.suptitle(f"{lines[0]['device']}, median of {max(line.get('repeats', 1) for line in lines)}", fontsize=9, color="#555555")
    return figure


def _bars(axis: Any, names: Sequence[str], lengths: Sequence[float], notes: Sequence[str]) -> None:
    bars = axis.barh(names, lengths, color=["#0072B2" if i == 0 or ("numba" not in n and n != "numpy") else "#BBBBBB" for i, n in enumerate(names)])
    axis.bar_label(bars, notes, fontsize=8)
    axis.invert_yaxis()
    axis.margins(x=0.25)
    axis.spines[["top", "right"]].set_visible(False)


def device(count: int) -> str:
    """What the engine runs on."""
    import jax

    first = jax.devices()[0]
    return f"{count} x {first.device_kind}" + (f" ({report.provenance()['machine']['processor']})" if first.platform == "cpu" else "")


@_main.main("benchmark")
def main(config: Any, folder: report.RunFolder) -> tuple[dict[str, Any], dict[str, float]]:
    if os.environ.get("MC_SMALL") == "1":
        config.repeats, config.memory = min(config.repeats, SMALL_REPEATS), False
    names = chosen(config)
    on, absent, lines = device(check_devices(config.engine.devices)), {}, []
    for name in names:
        print(f"{name} ...", file=sys.stderr, flush=True)
        line = WORKLOADS[name](config, absent)
        lines.append({"workload": line.pop("workload"), "device": on, "precision": config.precision, **line})
    print(f"{on}, {config.precision}, median of {config.repeats}\n\n{table(lines)}\n")
    for reason in absent.values():
        print(f"left out: {reason}")
    for line in lines:
        print(json.dumps(line))
    folder.write_picture("speed", picture(lines))
    return {line["workload"]: line for line in lines} | {"left_out": absent}, {}


if __name__ == "__main__":
    sys.exit(main())
