"""Randomised contracts against QuantLib's analytic engines, and simulated prices against ours: the z-scores themselves are tested."""

from functools import partial

import jax
import numpy as np
import pytest
import QuantLib
import reference
from reference import quote
from scipy.stats import kstest, poisson

import mcengine as mc
from mcengine._model import replace
from mcengine.market import Market
from mcengine.pricing import BatesPricer, BlackPricer, Calendar, HestonPricer, MertonPricer, VarianceGammaPricer

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


def simulated(name, count, seed, paths):
    """z-scores of ``count`` random puts, each with its own paths: one program."""
    make, names, steps = FAMILIES[name]
    random, scores = np.random.default_rng(seed), []
    for k in range(count):
        market = make(**{name: random.uniform(*bounds) for name, bounds in names.items()})
        years = random.uniform(0.2, 1.5)
        market = market if isinstance(market, Market) else Market({"asset": market}, rate=random.uniform(0.0, 0.06))
        calendar, width = Calendar(years, steps), 0.02 if name == "bond index" else 0.15
        strike = float(_put(market, SPOT, calendar)[1]) * random.uniform(1.0 - width, 1.0 + width)
        got = mc.price(mc.instrument.Put(strike, years), market, paths=paths, steps=steps, seed=k)
        scores.append(got.z(float(_put(market, strike, calendar)[0])))
    return np.array(scores)


@jax.jit
def _put(market, strike, calendar):
    """(price, forward)."""
    ready = market.prepare(calendar)
    quote = ready.quotes(ready.start(), 0)["asset"]
    return market.pricers()["asset"].option("put", strike, calendar.steps, quote), quote.forward(calendar.steps)


def regimes(calm, crash, out, back):
    chain = mc.market.Regimes(("calm", "crash"), {"calm-crash": out, "crash-calm": back})
    return Market({"asset": mc.market.RegimeGBM(SPOT, {"calm": calm, "crash": crash})}, rate=0.03, regimes=chain)


def bond_index(rate, kappa, theta, sigma, maturity):
    return Market({"asset": mc.market.BondIndex(SPOT, maturity)}, rate=mc.market.Vasicek(rate, kappa, theta, sigma))


JUMPS = {"intensity": (0.1, 1.0), "jump_mean": (-0.2, 0.1), "jump_sd": (0.05, 0.2)}
MEAN = {"v0": (0.01, 0.09), "kappa": (1.0, 5.0), "theta": (0.02, 0.09), "vol_of_vol": (0.2, 0.5), "rho": (-0.8, 0.0)}
FAMILIES = {  # model, its numbers' ranges, steps
    "gbm": (partial(mc.market.GBM, SPOT), {"sigma": (0.1, 0.4)}, 4),
    "merton": (partial(mc.market.Merton, SPOT), {"sigma": (0.1, 0.3)} | JUMPS, 32),
    "kou": (
        partial(mc.market.Kou, SPOT),
        {"sigma": (0.1, 0.3), "intensity": (0.1, 1.0), "up_probability": (0.2, 0.8), "up_mean": (0.02, 0.1), "down_mean": (0.02, 0.2)},
        96,
    ),
    "heston": (partial(mc.market.Heston, SPOT), MEAN, 96),
    "bates": (partial(mc.market.Bates, SPOT), MEAN | JUMPS, 96),
    "schwartz": (partial(mc.market.Schwartz, SPOT), {"kappa": (0.2, 4.0), "level": (80.0, 120.0), "sigma": (0.15, 0.5)}, 4),
    "regimes": (regimes, {"calm": (0.08, 0.2), "crash": (0.25, 0.5), "out": (0.2, 2.0), "back": (1.0, 8.0)}, 32),
    "bond index": (
        bond_index,
        {"rate": (0.0, 0.06), "kappa": (0.05, 0.3), "theta": (0.01, 0.06), "sigma": (0.01, 0.03), "maturity": (5.0, 20.0)},
        128,  # its pricer has the index traded continuously
    ),
}


def assert_normal(z):
    assert np.abs(z).max() < 4.0
    assert kstest(z, "norm").pvalue > 1e-3


def test_simulated_prices_have_normal_errors(float64):
    """Three laws together, whose steps are exact or short enough."""
    assert_normal(np.concatenate([simulated(name, 8, 6, 1 << 13) for name in ("merton", "schwartz", "bond index")]))


@pytest.mark.slow
@pytest.mark.parametrize("name", FAMILIES)
def test_simulated_prices_of_a_model_have_normal_errors(name, float64):
    """60 contracts each; the variance's scheme in steps so short that its bias is below an error."""
    assert_normal(simulated(name, 60, 7, 1 << 15))


def test_a_price_off_by_a_hundredth_is_noticed(float64, monkeypatch):
    """The test above has teeth: a volatility 1 % too high shows in 24 contracts together."""
    exact = _put
    monkeypatch.setattr(
        "test_quantlib._put",
        lambda market, *rest: exact(replace(market, assets={"asset": replace(market["asset"], sigma=1.01 * market["asset"].sigma)}), *rest),
    )
    with pytest.raises(AssertionError):
        assert_normal(simulated("gbm", 24, 6, 1 << 18))
