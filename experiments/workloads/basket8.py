"""basket8: eight correlated lognormal assets, calls on their mean at the end and averaged over all dates; last prices returned."""

from typing import Any

from peers.terms import BasketTerms

import mcengine as mc
from workloads.contracts import AsianBasketCall, basket_market, mean_call
from workloads.timing import Bench, Race


def contracts(terms: BasketTerms) -> tuple[dict[str, Any], mc.market.Market]:
    """(the two calls by name, the market)."""
    market = basket_market(terms.assets, sigma=terms.sigma, rho=terms.correlation, rate=terms.rate)
    names = tuple(market.assets)
    return {"end": mean_call(terms, names), "average": AsianBasketCall(names, terms.strike, terms.years)}, market


def run(bench: Bench) -> dict[str, Any]:
    terms = BasketTerms(steps=int(bench.settings("basket8").steps))
    calls, market = contracts(terms)

    def engine(paths: int) -> dict[str, Any]:
        made = mc.engine.payoffs(calls, market, paths=paths, steps=terms.steps, keep=paths, **bench.options)
        return {**made.cash, **{f"price_{name}": last for name, last in made.prices.items()}, "compile_seconds": made.timings["compile_seconds"]}

    prices = tuple(f"price_{name}" for name in market.assets)
    return Race("basket8", terms, terms.steps * terms.assets, terms.years, "end", ("average",), prices).run(bench, engine)
