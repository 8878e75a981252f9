"""heston: a call at the money under Heston by QE-M, checked against the price by Fourier inversion (Heston 1993; Gatheral's form)."""

from typing import Any

import numpy as np
from peers.terms import HestonTerms

import mcengine as mc
from workloads.timing import Bench, Race

BIAS = 2e-4
"""QE-M at daily steps, of a price near .08: its own error in the step, allowed for beside the standard error. Below 50 steps nothing is checked."""


def exact(terms: HestonTerms) -> float:
    """The call by Lewis's single integral, e^{-rT} [F - sqrt(F K)/pi int Re(e^{i u k} phi(u - i/2)) / (u^2 + 1/4) du], k = ln(F/K)."""
    t, kappa, xi, rho = terms.years, terms.kappa, terms.vol_of_vol, terms.rho
    u = np.linspace(0.0, 400.0, 400_001)
    w = u - 0.5j
    beta = kappa - rho * xi * 1j * w
    d = np.sqrt(beta**2 + xi**2 * (w**2 + 1j * w))
    g = (beta - d) / (beta + d)
    fade = np.exp(-d * t)
    first = terms.theta * kappa / xi**2 * ((beta - d) * t - 2.0 * np.log((1.0 - g * fade) / (1.0 - g)))
    phi = np.exp(first + terms.v0 / xi**2 * (beta - d) * (1.0 - fade) / (1.0 - g * fade))
    forward, strike = terms.spot * np.exp(terms.rate * t), terms.spot
    integrand = (np.exp(1j * u * np.log(forward / strike)) * phi).real / (u**2 + 0.25)
    area = float(np.sum(0.5 * (integrand[1:] + integrand[:-1])) * (u[1] - u[0]))
    return float(np.exp(-terms.rate * t) * (forward - np.sqrt(forward * strike) / np.pi * area))


def run(bench: Bench) -> dict[str, Any]:
    terms = HestonTerms(steps=int(bench.settings("heston").steps))
    asset = mc.market.Heston(terms.spot, terms.v0, terms.kappa, terms.theta, terms.vol_of_vol, terms.rho)
    market = mc.market.Market({"asset": asset}, rate=terms.rate)
    call = {"call": mc.instrument.Call(terms.spot, terms.years)}

    def engine(paths: int) -> dict[str, Any]:
        made = mc.engine.payoffs(call, market, paths=paths, steps=terms.steps, keep=paths, **bench.options)
        return {**made.cash, "price_asset": made.prices["asset"], "compile_seconds": made.timings["compile_seconds"]}

    known = {"reference": exact(terms), "known_to": BIAS} if terms.steps >= 50 else {}
    return Race("heston", terms, terms.steps, terms.years, "call", **known).run(bench, engine)
