"""time_to_error: paths and seconds to a stated standard error, by plain Monte Carlo and by what mcengine has against it.

asian_basket   calls on the average of basket8, to 1e-5
breach         P(a lognormal asset without drift, sigma .2, is below 55 % of its start on any of 252 dates in a year), to 1 % of itself
delta, cross_gamma   of the basket call by one and by two spots, to 1e-4

A method is first run at a pilot size; the error it leaves there says how many paths the target takes (for Sobol points by the rate
measured over a sixteenth of them). That many are then run, where they are within ``most``; else paths and seconds are extrapolated and say so.
"""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import peers
from peers.terms import BasketTerms

import mcengine as mc
from mcengine.engine.recorder import Wealth
from workloads.basket8 import contracts
from workloads.contracts import BasketCrossGamma, BasketDelta
from workloads.timing import Bench, reading

START, SIGMA, FLOOR = 1.0, 0.2, 0.55
RANDOMISATIONS = 16  # their error is known to 18 %; more of them leave fewer points to each

Method = Callable[[int], mc.Estimate]


@dataclass(frozen=True)
class Problem:
    """``target`` is the standard error asked for, as a share of the value where ``relative``; ``work`` counts asset-steps of a path."""

    name: str
    target: float
    methods: Mapping[str, Method]
    pilot: int
    relative: bool = False


def noises(terms: BasketTerms) -> dict[str, Any]:
    """What the same program may draw from. ``sobol_turned``: principal components over time and over the assets."""
    sobol = {f"sobol_{ordering}": mc.noise.Sobol(randomisations=RANDOMISATIONS, ordering=ordering) for ordering in ("bridge", "pca")}
    rotation = mc.noise.principal_rotation(np.linalg.cholesky(terms.correlations()))
    turned = mc.noise.Sobol(randomisations=RANDOMISATIONS, ordering="pca", rotation=rotation)
    return {"plain": mc.noise.Counter(), "antithetic": mc.noise.Antithetic(), **sobol, "sobol_turned": turned}


def of_contract(instrument: Any, market: mc.market.Market, steps: int, bench: Bench, chosen: tuple[str, ...]) -> dict[str, Method]:
    options = {"steps": steps, "keep": 0, **bench.options}

    def method(noise: Any) -> Method:
        return lambda paths: mc.engine.payoffs({"it": instrument}, market, paths=paths, noise=noise, **options).estimates["it"]

    return {name: method(noise) for name, noise in noises(BasketTerms()).items() if name in chosen}


def breach_study(steps: int) -> mc.Study:
    """The asset alone, held."""
    market = mc.market.Market({"asset": mc.market.GBM(spot=START, sigma=SIGMA)})
    return mc.Study(market, mc.policy.chain(mc.policy.Mix(asset=1.0)), years=1.0, steps=steps, recorders=(Wealth(),))


def of_breach(steps: int, bench: Bench) -> tuple[dict[str, Method], dict[str, float]]:
    """(methods, seconds that one spends before its first path)."""
    plain = breach_study(steps)
    figure = mc.statistics.Figure(lambda outcomes: outcomes["policy"]["lowest"] < FLOOR, "probability")
    start = time.perf_counter()
    found = mc.variance_reduction.importance(plain, floor=FLOOR, seed=bench.config.seed)
    setup = time.perf_counter() - start

    def method(study: mc.Study) -> Method:
        return lambda paths: study.run(paths, progress=False, keep=paths, **bench.options).estimate(figure)

    return {"plain": method(plain), "importance": method(found.study)}, {"importance": setup}


def problems(bench: Bench) -> tuple[list[Problem], dict[str, dict[str, float]]]:
    settings = bench.settings("time_to_error")
    steps, pilot = int(settings.steps), bench.paths("time_to_error")
    calls, market = contracts(BasketTerms(steps=steps))
    names, b = tuple(market.assets), BasketTerms()
    everything = ("plain", "antithetic", "sobol_bridge", "sobol_pca", "sobol_turned")
    breach, setup = of_breach(steps, bench)
    delta, gamma = BasketDelta(names, b.strike, b.years), BasketCrossGamma(names, b.strike, b.sigma, b.correlation, b.rate, b.years)
    at_once = ("plain", "antithetic", "sobol_pca", "sobol_turned")
    return [
        Problem("asian_basket", 1e-5, of_contract(calls["average"], market, steps, bench, everything), pilot),
        Problem("breach", 0.01, breach, pilot, relative=True),
        Problem("delta", 1e-4, of_contract(delta, market, 1, bench, at_once), pilot),
        Problem("cross_gamma", 1e-4, of_contract(gamma, market, 1, bench, at_once), pilot),
    ], {"breach": setup}


def rounded(paths: float, name: str) -> int:
    """Up to what the method can run: whole sets of Sobol points, else a multiple of 64."""
    if name.startswith("sobol"):
        return RANDOMISATIONS * 2 ** max(1, math.ceil(math.log2(paths / RANDOMISATIONS)))
    return max(64, math.ceil(paths / 64) * 64)


def solve(problem: Problem, name: str, setup: float, most: int) -> dict[str, Any]:
    """One method at the target: paths, seconds, error, whether extrapolated; ``rate`` is p of error ~ paths^-p."""
    method, rate = problem.methods[name], 0.5
    pilot = rounded(problem.pilot, name)
    method(pilot)  # compiles
    start = time.perf_counter()
    first = method(pilot)
    seconds = time.perf_counter() - start
    target = problem.target * (abs(first.value) if problem.relative else 1.0)
    if name.startswith("sobol"):
        fewer = rounded(pilot / 16, name)
        rate = min(1.5, max(0.5, math.log(method(fewer).error / first.error) / math.log(pilot / fewer)))
    needed = pilot * (first.error / target) ** (1.0 / rate)
    paths = rounded(needed, name)
    if paths > most:
        estimate, seconds = first, seconds * needed / pilot
    else:
        if paths < pilot:
            method(paths)  # fewer paths may mean a smaller block, which compiles anew
        start = time.perf_counter()
        estimate = method(paths)
        seconds = time.perf_counter() - start
        needed = paths * (estimate.error / target) ** (1.0 / rate)  # what the target takes, seen from where it was reached
        seconds *= needed / paths
    return {
        "paths_to_error": needed,
        "seconds": seconds,
        "setup_seconds": setup,
        "rate": rate,
        "extrapolated": paths > most,
        "paths": pilot if paths > most else paths,
        "value": estimate.value,
        "standard_error": estimate.error,
    }


def run(bench: Bench) -> dict[str, Any]:
    settings, out = bench.settings("time_to_error"), {}
    todo, setups = problems(bench)
    for problem in todo:
        setup = setups.get(problem.name, {})
        made = {name: solve(problem, name, setup.get(name, 0.0), int(settings.most)) for name in problem.methods}
        for one in made.values():
            one["fewer_paths"] = made["plain"]["paths_to_error"] / one["paths_to_error"]
            one["times_faster"] = made["plain"]["seconds"] / (one["seconds"] + one["setup_seconds"])
        out[problem.name] = {"target": problem.target, "relative": problem.relative, "methods": made}
    plain = out["asian_basket"]["methods"]["plain"]
    return {
        "workload": "time_to_error",
        "path_years_per_second": plain["paths_to_error"] / plain["seconds"],
        "seconds_median": min(one["seconds"] for one in out["asian_basket"]["methods"].values()),
        "compile_seconds": 0.0,
        "paths": plain["paths"],
        "value": plain["value"],
        "standard_error": plain["standard_error"],
        "problems": out,
        "peers": quantlib(bench, out["asian_basket"]),
    }


def quantlib(bench: Bench, problem: Mapping[str, Any]) -> dict[str, Any]:
    """QuantLib's Sobol points on the Asian basket, extrapolated from the error of its own scramblings at a size it reaches in seconds."""
    beside = {}
    for name, share in bench.peers("time_to_error").items():
        run = bench.load("time_to_error", name)
        if run is None:
            continue
        terms, paths = BasketTerms(steps=int(bench.settings("time_to_error").steps)), max(64, int(bench.paths("time_to_error") * share))
        try:
            few, many = run(terms, paths // 8, bench.config.seed), run(terms, paths, bench.config.seed)
        except peers.PeerMissingError as error:
            bench.absent[f"time_to_error/{name}"] = str(error)
            continue
        value = reading(many["average"])
        rate = min(1.5, max(0.5, math.log(reading(few["average"]).error / value.error) / math.log(many["paths"] / few["paths"])))
        needed = many["paths"] * (value.error / problem["target"]) ** (1.0 / rate)
        beside[name] = {
            "path_years_per_second": many["paths"] * terms.years / many["seconds"],
            "seconds_median": many["seconds"],
            "compile_seconds": 0.0,
            "paths": many["paths"],
            "value": value.value,
            "standard_error": value.error,
            "paths_to_error": needed,
            "seconds": many["seconds"] * needed / many["paths"],
            "rate": rate,
            "extrapolated": True,
            "fewer_paths": problem["methods"]["plain"]["paths_to_error"] / needed,
        }
    return beside
