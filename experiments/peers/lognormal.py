"""Eight lognormal assets by the engine itself: what a market of other models is measured against."""

import numpy as np
from workloads.contracts import basket_market, mean_call

import mcengine as mc
from peers.terms import BasketTerms


def gbm8(terms: BasketTerms, paths: int, seed: int) -> dict[str, np.ndarray]:
    """Discounted cash of the call."""
    market = basket_market(terms.assets, sigma=terms.sigma, rho=terms.correlation, rate=terms.rate)
    return mc.engine.payoffs({"end": mean_call(terms, market.assets)}, market, paths=paths, steps=terms.steps, seed=seed, keep=paths).cash
