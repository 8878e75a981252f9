"""joint8: Heston, a Hull-White rate with two bond indices, Schwartz and regimes in one market of eight assets, beside eight lognormal assets.

The same call on the mean, priced by the same program; ``gradient_compile_seconds`` is that of a constant mix differentiated by every number.
"""

from typing import Any

from peers.terms import BasketTerms

import mcengine as mc
from mcengine._model import trainable
from mcengine.engine import BatchGradient
from mcengine.market import BondIndex, Heston, HullWhite, Market, RegimeGBM, Regimes, Schwartz
from workloads.contracts import mean_call
from workloads.study_book import mean_wealth
from workloads.timing import Bench, Race


def market() -> Market:
    """Two of each, correlated."""
    stock = {"v0": 0.04, "kappa": 3.0, "theta": 0.04, "vol_of_vol": 0.5, "rho": -0.7, "drift": 0.07}
    by_regime = {"sigma": {"calm": 0.12, "crash": 0.35}, "drift": 0.06}
    assets = {
        "us": Heston(spot=1.0, **stock),
        "europe": Heston(spot=1.0, **stock),
        "short": BondIndex(spot=1.0, maturity=2.0),
        "long": BondIndex(spot=1.0, maturity=10.0),
        "oil": Schwartz(spot=1.0, kappa=1.0, level=1.0, sigma=0.3),
        "gold": Schwartz(spot=1.0, kappa=0.3, level=1.0, sigma=0.15),
        "small": RegimeGBM(spot=1.0, **by_regime),
        "credit": RegimeGBM(spot=1.0, **by_regime),
    }
    rate = HullWhite([1.0, 2.0, 5.0, 10.0], [0.02, 0.022, 0.025, 0.028], kappa=0.1, sigma=0.01)
    pairs = {"us-europe": 0.6, "us-small": 0.5, "us-credit": 0.3, "us-oil": 0.2, "oil-gold": 0.2, "us-rate": 0.2}
    return Market(assets, pairs, rate=rate, regimes=Regimes(("calm", "crash"), {"calm-crash": 0.5, "crash-calm": 3.0}))


def run(bench: Bench) -> dict[str, Any]:
    terms, made = BasketTerms(steps=int(bench.settings("joint8").steps)), market()

    def engine(paths: int) -> dict[str, Any]:
        found = mc.engine.payoffs({"end": mean_call(terms, made.assets)}, made, paths=paths, steps=terms.steps, keep=paths, **bench.options)
        return {**found.cash, "compile_seconds": found.timings["compile_seconds"]}

    line = Race("joint8", terms, terms.steps * terms.assets, terms.years, "end").run(bench, engine)
    study = mc.Study(made, mc.policy.Mix(dict.fromkeys(made.assets, 0.1)), steps=terms.steps)
    gradient = BatchGradient(study, mean_wealth, trainable(study), label="joint8", devices=bench.config.engine.devices)
    return line | {"gradient_compile_seconds": gradient.compiled.seconds, "gradient_numbers": len(gradient.names)}
