"""asian_barrier: an Asian call knocked out by its running average, 365 arithmetic-Euler steps. It costs 18.70."""

from typing import Any

from peers.terms import BarrierTerms

import mcengine as mc
from workloads.contracts import AsianBarrierCall, EulerGBM
from workloads.timing import Bench, Race

PRICE, KNOWN_TO, STEPS = 18.70, 0.005, 365
"""To the digits the problem is published with, for its own number of steps."""


def run(bench: Bench) -> dict[str, Any]:
    terms = BarrierTerms(steps=int(bench.settings("asian_barrier").steps))
    market = mc.market.Market({"asset": EulerGBM(terms.spot, terms.sigma, terms.drift)}, rate=terms.rate)
    call = {"call": AsianBarrierCall(terms.strike, terms.barrier, terms.years)}

    def engine(paths: int) -> dict[str, Any]:
        made = mc.engine.payoffs(call, market, paths=paths, steps=terms.steps, keep=paths, **bench.options)
        return {**made.cash, "price_asset": made.prices["asset"], "compile_seconds": made.timings["compile_seconds"]}

    known = {"reference": PRICE, "known_to": KNOWN_TO} if terms.steps == STEPS else {}
    return Race("asian_barrier", terms, terms.steps, terms.years, "call", **known).run(bench, engine)
