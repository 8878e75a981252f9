"""QuantLib's own Monte Carlo engines through its wheel: one thread, float64, compiled; paths never leave it."""

import time
from typing import Any

import numpy as np
import QuantLib as ql  # noqa: N813 (everybody's name for it)

from peers.terms import BasketTerms, HestonTerms


def _setting(rate: float) -> tuple[Any, Any, Any]:
    today = ql.Date(1, 1, 2025)
    ql.Settings.instance().evaluationDate = today
    count = ql.Actual365Fixed()
    return ql.EuropeanExercise(today + 365), ql.YieldTermStructureHandle(ql.FlatForward(today, rate, count)), count


def _flat(rate: float, count: Any) -> Any:
    return ql.YieldTermStructureHandle(ql.FlatForward(ql.Settings.instance().evaluationDate, rate, count))


def _basket_process(terms: BasketTerms) -> tuple[Any, Any]:
    exercise, interest, count = _setting(terms.rate)
    vol = ql.BlackVolTermStructureHandle(ql.BlackConstantVol(ql.Settings.instance().evaluationDate, ql.NullCalendar(), terms.sigma, count))
    spots = [ql.QuoteHandle(ql.SimpleQuote(1.0)) for _ in range(terms.assets)]
    one = [ql.BlackScholesMertonProcess(spot, _flat(0.0, count), interest, vol) for spot in spots]
    return ql.StochasticProcessArray(one, ql.Matrix(terms.correlations().tolist())), exercise


def basket(terms: BasketTerms, paths: int, seed: int) -> dict[str, Any]:
    """The call at the end only: its engine averages over assets, not over dates."""
    process, exercise = _basket_process(terms)
    option = ql.BasketOption(ql.AverageBasketPayoff(ql.PlainVanillaPayoff(ql.Option.Call, terms.strike), terms.assets), exercise)
    option.setPricingEngine(ql.MCEuropeanBasketEngine(process, "pseudorandom", timeSteps=terms.steps, requiredSamples=paths, seed=seed + 1))
    return {"end": (option.NPV(), option.errorEstimate())}


def heston(terms: HestonTerms, paths: int, seed: int) -> dict[str, Any]:
    """A call by QE-M, QuantLib's default for this process."""
    exercise, interest, count = _setting(terms.rate)
    spot = ql.QuoteHandle(ql.SimpleQuote(terms.spot))
    numbers = (terms.v0, terms.kappa, terms.theta, terms.vol_of_vol, terms.rho, ql.HestonProcess.QuadraticExponentialMartingale)
    process = ql.HestonProcess(interest, _flat(0.0, count), spot, *numbers)
    option = ql.VanillaOption(ql.PlainVanillaPayoff(ql.Option.Call, terms.spot), exercise)
    option.setPricingEngine(ql.MCEuropeanHestonEngine(process, "pseudorandom", timeSteps=terms.steps, requiredSamples=paths, seed=seed + 1))
    return {"call": (option.NPV(), option.errorEstimate())}


def heston_exact(terms: HestonTerms) -> float:
    """The same call by Fourier."""
    exercise, interest, count = _setting(terms.rate)
    spot = ql.QuoteHandle(ql.SimpleQuote(terms.spot))
    process = ql.HestonProcess(interest, _flat(0.0, count), spot, terms.v0, terms.kappa, terms.theta, terms.vol_of_vol, terms.rho)
    option = ql.VanillaOption(ql.PlainVanillaPayoff(ql.Option.Call, terms.spot), exercise)
    option.setPricingEngine(ql.AnalyticHestonEngine(ql.HestonModel(process), 1e-12, 100_000))
    return option.NPV()


def asian_sobol(terms: BasketTerms, paths: int, seed: int, *, randomisations: int = 8) -> dict[str, Any]:
    """The call on the average over dates and assets by QuantLib's Burley-scrambled Sobol points and Brownian bridge; the error from independent
    scramblings. Its engines have no such contract, so paths are averaged in Python, and the seconds say little.
    """
    times = list(np.linspace(0.0, terms.years, terms.steps + 1))
    discount, points, values, start = float(np.exp(-terms.rate * terms.years)), max(2, paths // randomisations), [], time.perf_counter()
    for r in range(randomisations):
        words = ql.Burley2020SobolRsg(terms.assets * terms.steps, seed + 1, ql.SobolRsg.JoeKuoD7, seed + 100 + r)
        normals = ql.InvCumulativeBurley2020SobolGaussianRsg(words)
        factor, deviation = terms.factor().astype(np.float64), terms.sigma
        bridge = ql.BrownianBridge(times[1:])
        total = 0.0
        for _ in range(points):
            z = np.asarray(normals.nextSequence().value()).reshape(terms.steps, terms.assets)
            steps = np.stack([np.asarray(bridge.transform(z[:, a].tolist())) for a in range(terms.assets)]) * np.sqrt(terms.years / terms.steps)
            logs = np.cumsum((terms.rate - 0.5 * deviation**2) * terms.years / terms.steps + deviation * (factor @ steps), axis=1)
            total += max(float(np.exp(logs).mean()) - terms.strike, 0.0)
        values.append(discount * total / points)
    error = float(np.std(values, ddof=1) / np.sqrt(randomisations))
    return {"average": (float(np.mean(values)), error), "paths": points * randomisations, "seconds": time.perf_counter() - start}
