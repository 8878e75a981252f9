"""Randomised contracts against QuantLib's analytic engines, and simulated prices against ours: the z-scores themselves are tested."""

import jax
import numpy as np
import pytest
import QuantLib
import reference
from reference import quote
from scipy.stats import kstest, poisson

import mcengine as mc
from mcengine.pricing import BatesPricer, BlackPricer, HestonPricer, MertonPricer, VarianceGammaPricer

TODAY = QuantLib.Date(2, 1, 2024)
SPOT = 100.0


def draw(random, count, **ranges):
    """``count`` values of each name, uniform in its range; of a contract: days, strike (ln K/F in deviations of 20 % a year), rates, kind."""
    numbers = {name: random.uniform(low, high, count) for name, (low, high) in ranges.items()}
    days = random.integers(7, 1100, count)
    rate, dividend = random.uniform(-0.01, 0.08, count), random.uniform(0.0, 0.05, count)
    years = days / 365.0
    strike = SPOT * np.exp((rate - dividend) * years + random.uniform(-2.5, 2.0, count) * 0.2 * np.sqrt(years))
    return numbers, {"days": days, "years": years, "strike": strike, "rate": rate, "dividend": dividend, "put": random.random(count) < 0.5}


def ours(law, numbers, terms, state=None):
    """Prices by one program for all contracts of a law."""

    def one(numbers, strike, years, rate, dividend, variance):
        view = quote(SPOT, years, variance=variance, rate=rate, dividend=dividend)
        return tuple(law(**numbers).option(kind, strike, 1, view) for kind in ("call", "put"))

    state = np.zeros(len(terms["years"])) if state is None else state
    both = jax.jit(lambda *a: jax.lax.map(lambda row: one(*row), a))(
        numbers, terms["strike"], terms["years"], terms["rate"], terms["dividend"], state
    )
    call, put = (np.asarray(x) for x in both)
    return np.where(terms["put"], put, call)


def curves(i, terms):
    count = QuantLib.Actual365Fixed()
    flat = lambda x: QuantLib.YieldTermStructureHandle(QuantLib.FlatForward(TODAY, float(x), count))  # noqa: E731
    return flat(terms["rate"][i]), flat(terms["dividend"][i]), QuantLib.QuoteHandle(QuantLib.SimpleQuote(SPOT))


def theirs(terms, engine):
    """QuantLib's prices; ``engine(i)`` for the i-th contract."""
    QuantLib.Settings.instance().evaluationDate = TODAY
    out = []
    for i, days in enumerate(terms["days"]):
        kind = QuantLib.Option.Put if terms["put"][i] else QuantLib.Option.Call
        option = QuantLib.VanillaOption(QuantLib.PlainVanillaPayoff(kind, terms["strike"][i]), QuantLib.EuropeanExercise(TODAY + int(days)))
        option.setPricingEngine(engine(i))
        out.append(option.NPV())
    return np.array(out)


def assert_same(mine, other):
    """To 1e-6 relative or 1e-9 of spot, whichever is more."""
    assert (np.abs(mine - other) <= np.maximum(1e-6 * np.abs(other), 1e-9 * SPOT)).all(), np.abs(mine - other).max()


HESTON = {"kappa": (0.5, 6.0), "theta": (0.01, 0.16), "vol_of_vol": (0.1, 1.0), "rho": (-0.9, 0.5)}


def test_heston(float64):
    random = np.random.default_rng(1)
    n, t = draw(random, 80, **HESTON)
    v0 = random.uniform(0.005, 0.2, 80)

    def engine(i):
        process = QuantLib.HestonProcess(*curves(i, t), v0[i], n["kappa"][i], n["theta"][i], n["vol_of_vol"][i], n["rho"][i])
        return QuantLib.AnalyticHestonEngine(QuantLib.HestonModel(process), 1e-12, 200_000)

    assert_same(ours(HestonPricer, n, t, v0), theirs(t, engine))


def test_bates(float64):
    random = np.random.default_rng(2)
    n, t = draw(random, 60, **HESTON, intensity=(0.0, 2.0), jump_mean=(-0.2, 0.1), jump_sd=(0.01, 0.25))
    v0 = random.uniform(0.005, 0.2, 60)

    def engine(i):
        numbers = [v0[i], *(n[k][i] for k in ("kappa", "theta", "vol_of_vol", "rho", "intensity", "jump_mean", "jump_sd"))]
        return QuantLib.BatesEngine(QuantLib.BatesModel(QuantLib.BatesProcess(*curves(i, t), *numbers)), 1e-12, 200_000)

    assert_same(ours(BatesPricer, n, t, v0), theirs(t, engine))


def test_variance_gamma(float64):
    """From three months on, where QuantLib's integral over the gamma time is good to its digits."""
    random = np.random.default_rng(3)
    n, t = draw(random, 30, sigma=(0.1, 0.4), nu=(0.02, 0.2), theta=(-0.4, 0.1))
    t["days"] = np.maximum(t["days"], 200)
    t["years"] = t["days"] / 365.0

    def engine(i):
        return QuantLib.VarianceGammaEngine(QuantLib.VarianceGammaProcess(curves(i, t)[2], curves(i, t)[1], curves(i, t)[0], *(n[k][i] for k in n)))

    assert_same(ours(VarianceGammaPricer, n, t), theirs(t, engine))


def test_black(float64):
    random = np.random.default_rng(4)
    n, t = draw(random, 30, variance=(0.005, 0.25))

    def engine(i):
        rate, dividend, spot = curves(i, t)
        flat = QuantLib.BlackConstantVol(TODAY, QuantLib.NullCalendar(), float(np.sqrt(n["variance"][i])), QuantLib.Actual365Fixed())
        process = QuantLib.BlackScholesMertonProcess(spot, dividend, rate, QuantLib.BlackVolTermStructureHandle(flat))
        return QuantLib.AnalyticEuropeanEngine(process)

    assert_same(ours(BlackPricer, n, t), theirs(t, engine))


def test_merton_by_its_series(float64):
    """QuantLib has no engine of it: Merton's sum over the number of jumps, to 60."""
    random = np.random.default_rng(5)
    n, t = draw(random, 60, variance=(0.005, 0.15), intensity=(0.0, 3.0), jump_mean=(-0.3, 0.2), jump_sd=(0.01, 0.3))
    jumps = np.arange(60)[:, None]
    excess = np.exp(n["jump_mean"] + 0.5 * n["jump_sd"] ** 2) - 1.0
    forward = SPOT * np.exp((t["rate"] - t["dividend"] - n["intensity"] * excess) * t["years"])
    forward = forward * (1.0 + excess) ** jumps
    deviation = np.sqrt(n["variance"] * t["years"] + jumps * n["jump_sd"] ** 2)
    price = lambda kind: reference.black(kind, forward, t["strike"], deviation, np.exp(-t["rate"] * t["years"]))  # noqa: E731
    series = (poisson.pmf(jumps, n["intensity"] * t["years"]) * np.where(t["put"], price("put"), price("call"))).sum(0)
    assert_same(ours(MertonPricer, n, t), series)


# ---- by simulation ----


def simulated(model, names, count, seed, paths, steps=4):
    """z-scores of ``count`` random puts, each with its own paths: one program."""
    random, scores = np.random.default_rng(seed), []
    for k in range(count):
        numbers = {name: random.uniform(*bounds) for name, bounds in names.items()}
        asset = model(spot=SPOT, **numbers)
        years, rate = random.uniform(0.2, 1.5), random.uniform(0.0, 0.06)
        strike = SPOT * random.uniform(0.85, 1.15)
        got = mc.price(mc.instrument.Put(strike, years), asset, rate=rate, paths=paths, steps=steps, seed=k)
        exact = float(_put(asset.pricer(), strike, years, rate, numbers.get("v0", 0.0)))
        scores.append((got.value - exact) / got.error)
    return np.array(scores)


@jax.jit
def _put(pricer, strike, years, rate, variance):
    return pricer.option("put", strike, 1, quote(SPOT, years, variance=variance, rate=rate))


JUMPS = {"sigma": (0.1, 0.3), "intensity": (0.1, 1.0)}
FAMILIES = {  # model, its numbers' ranges, steps
    "gbm": (mc.market.GBM, {"sigma": (0.1, 0.4)}, 4),
    "merton": (mc.market.Merton, JUMPS | {"jump_mean": (-0.2, 0.1), "jump_sd": (0.05, 0.2)}, 32),
    "kou": (mc.market.Kou, JUMPS | {"up_probability": (0.2, 0.8), "up_mean": (0.02, 0.1), "down_mean": (0.02, 0.2)}, 96),
    "heston": (
        mc.market.Heston,
        {"v0": (0.01, 0.09), "kappa": (1.0, 5.0), "theta": (0.02, 0.09), "vol_of_vol": (0.2, 0.5), "rho": (-0.8, 0.0)},
        96,
    ),
}


def assert_normal(z):
    assert np.abs(z).max() < 4.0
    assert kstest(z, "norm").pvalue > 1e-3


def test_simulated_prices_of_merton_have_normal_errors(float64):
    model, names, steps = FAMILIES["merton"]
    assert_normal(simulated(model, names, 24, 6, 1 << 14, steps))


@pytest.mark.slow
@pytest.mark.parametrize("name", FAMILIES)
def test_simulated_prices_have_normal_errors(name, float64):
    """60 contracts each; Heston's scheme in steps so short that its bias is below an error."""
    model, names, steps = FAMILIES[name]
    assert_normal(simulated(model, names, 60, 7, 1 << 15, steps))
