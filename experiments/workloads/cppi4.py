"""cppi4: four correlated lognormal assets, CPPI, costs; wealth and prices returned."""

from typing import Any

from peers.terms import ASSETS, Terms

import mcengine as mc
from mcengine.engine.recorder import Wealth
from workloads.timing import Bench, Race


def study(terms: Terms) -> mc.Study:
    """The peers' workload as a study."""
    names = [f"a{i}" for i in range(ASSETS)]
    assets = {name: mc.market.GBM(spot=1.0, sigma=terms.sigma, drift=terms.drift) for name in names}
    market = mc.market.Market(assets, correlation=terms.correlations(), rate=terms.rate)
    policy = mc.policy.chain(mc.policy.Mix(dict.fromkeys(names, 1.0 / ASSETS)), mc.policy.Cppi(terms.floor, terms.multiplier))
    costs = mc.ledger.Proportional(terms.cost)
    return mc.Study(market, policy, costs=costs, years=terms.years, steps=terms.steps, recorders=(Wealth(),))


def race(terms: Terms) -> Race:
    """The problem as it is timed and checked."""
    prices = tuple(f"price_a{i}" for i in range(ASSETS))
    return Race("cppi4", terms, terms.steps * ASSETS, terms.years, "wealth", ("price_a0",), prices)


def run(bench: Bench) -> dict[str, Any]:
    terms = Terms(steps=int(bench.settings("cppi4").steps))
    made = study(terms)

    def engine(paths: int) -> dict[str, Any]:
        result = made.run(paths, progress=False, keep=paths, **bench.options)
        return {**result["policy"], **result["market"], "compile_seconds": result.timings["compile_seconds"]}

    return race(terms).run(bench, engine)
