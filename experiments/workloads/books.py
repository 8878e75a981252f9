"""Books beside a plainer one, differences in speed alone: book5, five rolled options, and ladder, four rungs over a rolled put; chain10, ten stages.

Beside book5 is study_book, beside ladder the put alone, beside chain10 the mix alone; all on the benchmark's ledger and dates. ``_gradient`` is of
the mean wealth by every number.
"""

from collections.abc import Callable
from typing import Any

import mcengine as mc
from mcengine import config as configuration
from mcengine.policy import AbstractStage
from workloads.study_book import forward, gradient, race
from workloads.timing import Bench


def mix() -> AbstractStage:
    """Three assets at fixed weights."""
    return mc.policy.Mix(equity=0.6, bond=0.3, commodity=0.1)


def option_book() -> AbstractStage:
    """Puts and a call sold, five slots on four roll dates."""
    leg = mc.policy.OptionLeg
    return mc.policy.OptionBook(
        {
            "near": leg("put", 0.95, 0.2, tenor=63, roll=63),
            "low": leg("put", 0.90, 0.2, tenor=63, roll=63),
            "far": leg("put", 0.85, 0.2, tenor=126, roll=63),
            "call": leg("call", 1.05, -0.2, tenor=42, roll=21),
            "crash": leg("put", 0.80, 0.2, tenor=126, roll=126),
        }
    )


def rungs() -> AbstractStage:
    """Four levels of the drawdown, each with a share of the sleeve."""
    rung, derisk = mc.policy.Rung, mc.policy.Derisk
    return mc.policy.Ladder(
        {
            "watch": rung(0.02, 0.01, derisk(0.9)),
            "tighten": rung(0.05, 0.025, derisk(0.75), cooldown=5),
            "derisk": rung(0.10, 0.05, derisk(0.5), cooldown=10),
            "stop": rung(0.15, 0.075, derisk(0.0), cooldown=21),
        }
    )


def ten_stages() -> AbstractStage:
    """Volatility of legs and of the whole, trend, drawdown, insurance, levels, an alarm and a band."""
    policy, market = mc.policy, mc.market
    return policy.chain(
        mix(),
        policy.VolTarget(0.12),
        policy.ForecastVolTarget(0.10, market.Garch(0.01)),
        policy.AdaptiveHedge(0.1, {"trend": policy.Lean(market.Trend("equity"), -2.0)}, asset="equity"),
        policy.AdaptiveHedge(0.1, {"correlation": policy.Lean(market.RealisedCorrelation("equity", "bond"), 0.3)}, asset="bond"),
        policy.DrawdownControl(0.25),
        policy.Cppi(0.8),
        rungs(),
        policy.When(policy.VolSpike(), policy.Derisk(0.5)),
        policy.Band(0.01),
    )


BOOKS: dict[str, Callable[[], AbstractStage]] = {
    "book5": lambda: mc.policy.chain(mix(), option_book()),
    "book5_hedged": lambda: mc.policy.chain(mix(), option_book(), mc.policy.DeltaHedge()),
    "ladder": lambda: mc.policy.chain(mix(), rungs(), mc.policy.RolledPut(0.95)),
    "put": lambda: mc.policy.chain(mix(), mc.policy.RolledPut(0.95)),
    "chain10": ten_stages,
    "mix": lambda: mc.policy.chain(mix()),
}


def study(name: str, bench: Bench, workload: str) -> mc.Study:
    """A book of ``BOOKS`` on the market of a workload, or the benchmark's own; ``study_book`` is on the benchmark's."""
    if name == "study_book":
        return configuration.study(bench.config)
    market = bench.settings(workload).get("market")
    given = None if market is None else configuration.build(mc.load_config([f"market={market}"], "benchmark").market)
    return configuration.study(bench.config, BOOKS[name](), given)


def _beside(name: str, plainer: str, *, of: str = "") -> Callable[[Bench], dict[str, Any]]:
    """The workload ``name`` (+ ``of``) beside a plainer book, both differentiated where ``of`` says so."""
    workload, runs = name + of, (lambda made, bench: gradient(made, bench, workload)) if of else forward

    def run(bench: Bench) -> dict[str, Any]:
        ours = study(name, bench, workload)
        return race(workload, ours, runs(study(plainer, bench, workload), bench)).run(bench, runs(ours, bench))

    return run


WORKLOADS = {
    "book5": _beside("book5", "study_book"),
    "book5_gradient": _beside("book5", "study_book", of="_gradient"),
    "book5_hedged": _beside("book5_hedged", "study_book"),
    "book5_hedged_gradient": _beside("book5_hedged", "study_book", of="_gradient"),
    "ladder": _beside("ladder", "put"),
    "chain10": _beside("chain10", "mix"),
}
"""By name, each ``run(bench) -> line``."""
