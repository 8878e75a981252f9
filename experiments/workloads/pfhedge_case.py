"""pfhedge_case: a call sold and hedged in the no-trade band of Whalley & Wilmott (1997), entropic risk of the profit and loss.

delta -/+ (3 c Gamma^2 S / 2a)^{1/3} around the Black-Scholes delta: the hedge is the last one, clamped to that band. No interest, no drift;
the first trade is paid for, unwinding at the end is not.
"""

from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np
from peers.terms import HedgeTerms

import mcengine as mc
from mcengine._model import Scalar, model, number, static
from mcengine.engine.recorder import Wealth
from mcengine.policy import AbstractStage, Kind, Seen, Target
from mcengine.pricing.black import normal_cdf
from workloads.timing import Bench, Race


@model
class WhalleyWilmott(AbstractStage):
    """Units of one asset against a call sold: risk aversion a = 1, ``sigma`` and ``strike`` the call's, which expires at the horizon;
    ``cost`` is the share of what is traded that it expects to pay.
    """

    strike: Scalar = number(above=0.0, term=True)
    sigma: Scalar = number(above=0.0)
    cost: Scalar = number(low=0.0)
    asset: str = static(default="asset")

    kind: ClassVar[Kind] = "allocator"

    def act(self, target: Target, seen: Seen, memory: Any) -> tuple[Target, Any]:
        spot = seen.prices[self.asset]
        deviation = self.sigma * jnp.sqrt((seen.horizon - seen.step) * seen.dt)
        d1 = jnp.log(spot / self.strike) / deviation + 0.5 * deviation
        delta = normal_cdf(d1)
        gamma = jnp.exp(-0.5 * d1 * d1) * (2.0 * np.pi) ** -0.5 / (spot * deviation)
        cube = 1.5 * self.cost * gamma * gamma * spot
        width = jnp.exp(jnp.log(jnp.maximum(cube, 1e-30)) * (1.0 / 3.0))  # a cube root is a call for each path, these are vectors
        return target | {self.asset: jnp.clip(target[self.asset], delta - width, delta + width)}, memory


def study(terms: HedgeTerms) -> mc.Study:
    """The hedge alone, from a wealth of 1; what the call pays is taken off its outcome."""
    market = mc.market.Market({"asset": mc.market.GBM(spot=1.0, sigma=terms.sigma)})
    costs = mc.ledger.Proportional(terms.cost)
    policy = WhalleyWilmott(terms.strike, terms.sigma, terms.cost)
    return mc.Study(market, policy, costs=costs, years=terms.years, steps=terms.steps, recorders=(Wealth(),))


def entropic_risk(left: np.ndarray) -> tuple[float, float]:
    """(ln E[e^{-x}], its standard error by the delta method) of profits and losses x."""
    weight = np.exp(-left.astype(np.float64))
    return float(np.log(weight.mean())), float(weight.std(ddof=1) / weight.mean() / np.sqrt(left.size))


def run(bench: Bench) -> dict[str, Any]:
    terms = HedgeTerms(steps=int(bench.settings("pfhedge_case").steps))
    made = study(terms)

    def engine(paths: int) -> dict[str, Any]:
        result = made.run(paths, progress=False, keep=paths, **bench.options)
        left = result.wealth - 1.0 - np.maximum(result["market"]["price_asset"] - np.float32(terms.strike), 0.0)
        return {"risk": entropic_risk(left), "price_asset": result["market"]["price_asset"], "compile_seconds": result.timings["compile_seconds"]}

    return Race("pfhedge_case", terms, terms.steps, terms.years, "risk").run(bench, engine)
