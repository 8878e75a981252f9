"""Derivatives of simulated figures: estimators against closed forms, what the chooser takes and leaves. Fixed seeds, K standard errors."""

import itertools
import math
import re

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from scipy.special import ndtr
from scipy.stats import norm, poisson

import mcengine as mc
from mcengine._model import with_parameters
from mcengine.engine.gradient import FORWARD
from mcengine.greeks import Derivable
from mcengine.greeks.bumps import stencil
from mcengine.greeks.choose import Plan, choose, least_error
from mcengine.greeks.samples import StudyPaths
from mcengine.statistics import estimate

K = 3.0


@pytest.fixture(scope="module")
def history(tmp_path_factory):
    """Windows of 16 days, of 200 made days of one lognormal asset."""
    random = np.random.default_rng(5)
    frame = pd.DataFrame({"date": pd.bdate_range("2001-01-02", periods=200), "a": 50.0 * np.exp(np.cumsum(random.normal(0.0, 0.01, 200)))})
    file = tmp_path_factory.mktemp("made") / "made.csv"
    frame.to_csv(file, index=False)
    replayed = mc.market.Replay.from_history({"equity": "a"}, data=file, rate=0.02, surface=None)
    return mc.Study(replayed, mc.policy.Mix(equity=1.0), mc.ledger.Proportional(0.0), years=16 / 261, steps=16)


def slope(f, x, h=1e-5):
    return (f(x + h) - f(x - h)) / (2.0 * h)


def agrees(found, figure, number, want, within=0.05):
    """The derivative, and every estimator of the pilot whose error is known, within its error and what it may hide."""
    value = found[figure, number]
    assert abs(value.z(want)) < K, (figure, number, str(value), want)
    assert value.error < within * abs(want), (figure, number, str(value), want)
    for one in found.choice(figure, number).candidates:
        if one.value is not None and not one.note:
            assert abs(one.value.value - want) < 4.0 * math.hypot(one.value.error, one.hidden), (figure, number, str(one), want)


# ---- the formulas: a normal outcome, whose figures are known by mean and deviation ----

MEAN, SD = 1.05, 0.2
FIGURES = {
    "mean": (Derivable(), lambda m, s: m),
    "shortfall": (Derivable(how="shortfall", level=0.9), lambda m, s: (0.9 - m) * ndtr((0.9 - m) / s) + s * norm.pdf((0.9 - m) / s)),
    "probability": (Derivable(how="probability", level=0.9), lambda m, s: ndtr((0.9 - m) / s)),
    "quantile": (Derivable(how="quantile", level=0.2), lambda m, s: m + s * norm.ppf(0.2)),
    "tail": (Derivable(how="tail_mean", level=0.05, factor=-1.0), lambda m, s: -m + s * norm.pdf(norm.ppf(0.05)) / 0.05),
}


@pytest.mark.parametrize("name", FIGURES)
@pytest.mark.parametrize("along", ["paths", "density", "both"])
def test_every_figure_of_a_normal_outcome(name, along):
    """x = m + s z: by m and by s, along paths, by the score, and a number of which half moves paths and half the density."""
    figure, law = FIGURES[name]
    z = np.random.default_rng(5).standard_normal(200_000)
    x, none = MEAN + SD * z, np.zeros_like(z)
    for moved, score, exact in (
        (np.ones_like(z), z / SD, slope(lambda m: law(m, SD), MEAN)),
        (z, (z * z - 1.0) / SD, slope(lambda s: law(MEAN, s), SD)),
    ):
        share = {"paths": 1.0, "density": 0.0, "both": 0.5}[along]
        y = figure.slopes(x, share * moved if share else none, (1.0 - share) * score)
        assert abs(estimate.mean(y).z(exact)) < K + 1.0 or abs(y.mean() - exact) < 1e-6, (name, along, y.mean(), exact)


@pytest.mark.parametrize("name", FIGURES)
def test_the_error_of_a_figures_derivative_is_its_spread(name):
    """Over 200 samples, quantile and density estimated in each."""
    figure, _ = FIGURES[name]
    found = []
    for seed in range(200):
        z = np.random.default_rng(seed).standard_normal(4_000)
        found.append(estimate.mean(figure.slopes(MEAN + SD * z, z, 0.3 * z)))
    spread, said = np.std([e.value for e in found], ddof=1), np.mean([e.error for e in found])
    assert 0.8 < said / spread < 1.3, (spread, said)


def test_a_level_where_paths_sit_has_no_density():
    x = np.where(np.arange(1000) < 400, 0.9, 1.0 + 0.1 * np.random.default_rng(0).standard_normal(1000))
    assert not np.isfinite(Derivable(how="quantile", level=0.2).slopes(x, x, 0.0 * x)).any()
    assert Derivable(how="tail_mean", level=0.2).slopes(x, np.ones(1000), 0.0 * x).mean() == pytest.approx(1.0)


def test_a_level_is_compared_as_tables_of_objectives_compare():
    """In the outcome's precision: a path at the floor has not breached it."""
    x = np.full(100, np.float32(0.9))
    assert Derivable(how="probability", level=0.9).draws(x).mean() == 0.0
    assert Derivable(how="shortfall", level=0.9).draws(x).mean() == 0.0
    assert Derivable(how="shortfall", level=0.9).slopes(x, np.ones_like(x), 0.0 * x).mean() == 0.0
    assert Derivable(how="probability", level=0.9).draws(np.nextafter(x, np.float32(0.0))).mean() == 1.0


def test_paths_at_the_level_that_a_pilot_reached_past_leave_that_derivative_out():
    """A put paid at the horizon: 3.3 % of paths at one wealth, of which a kernel on few paths reaches 7.2 % and on many 2.4 %."""
    rule = mc.policy.presets.rolled_put({"equity": 1.0}, 0.7, tenor=2, roll=2)
    study = mc.Study(mc.market.Market({"equity": mc.market.GBM(100.0, sigma=0.2)}), rule, mc.ledger.Proportional(0.0), steps=2)
    figures, number = {"low": Derivable(how="quantile", level=0.02), "mean": Derivable()}, "market.equity.shock"
    found = mc.greeks.of_study(study, figures, [number], paths=65_536, pilot=4096)
    assert any(c.value is not None for c in found.choice("low", number).candidates)
    with pytest.raises(ValueError, match="paths sit at the level, where they have no density: seen on 65,536 paths"):
        found["low", number]
    assert found.table().loc[("low", number), "estimator"] == "none"
    assert found["mean", number].value > 0.9


# ---- contracts, against closed forms ----


def test_margrabe_against_its_closed_form():
    first, second = mc.market.GBM(22.0, sigma=0.2, dividend=0.06), mc.market.GBM(20.0, sigma=0.15, dividend=0.04)
    market = mc.market.Market({"first": first, "second": second}, {"first-second": -0.5}, rate=0.1)
    contract = mc.instrument.Exchange("first", "second", 0.1)
    exact = mc.greeks.of(contract, market)
    found = mc.greeks.of_contract(contract, market, steps=2, paths=65_536)
    numbers = {
        "first.spot": "delta_first",
        "second.spot": "delta_second",
        "first.sigma": "vega_first",
        "second.sigma": "vega_second",
        "correlation.first-second": "cega_first_second",
    }
    for number, greek in numbers.items():
        agrees(found, "price", f"market.{number}", exact[greek])
        assert all(one.value is not None and not one.note for one in found.choice("price", f"market.{number}").candidates)
    assert abs(found["price", "market.rate.rate"].value) < 1e-3  # none: what is given grows as what is received
    assert exact["delta_first"] == pytest.approx(0.841, abs=5e-4)


@pytest.mark.slow
def test_basket_against_quadrature():
    """Two assets: Black on the second, given the first, by Gauss and Hermite."""
    z, weights = np.polynomial.hermite_e.hermegauss(120)
    weights = weights / weights.sum()

    def price(s1=100.0, v1=0.3, rho=0.4, s2=90.0, v2=0.2, strike=95.0, rate=0.02):
        x = 0.5 * s1 * np.exp(rate - 0.5 * v1**2 + v1 * z)
        forward, sd = 0.5 * s2 * np.exp(rate - 0.5 * (v2 * rho) ** 2 + v2 * rho * z), v2 * math.sqrt(1.0 - rho**2)
        left = strike - x
        safe = np.maximum(left, 1e-12)
        d1 = np.log(forward / safe) / sd + 0.5 * sd
        black = forward * ndtr(d1) - safe * ndtr(d1 - sd)
        return math.exp(-rate) * float(np.sum(weights * np.where(left > 0.0, black, forward - left)))

    market = mc.market.Market({"a": mc.market.GBM(100.0, sigma=0.3), "b": mc.market.GBM(90.0, sigma=0.2)}, {"a-b": 0.4}, rate=0.02)
    contract = mc.instrument.Basket("call", 95.0, 1.0, {"a": 0.5, "b": 0.5})
    found = mc.greeks.of_contract(contract, market, steps=2, paths=65_536)
    for number, name, at in (("a.spot", "s1", 100.0), ("a.sigma", "v1", 0.3), ("correlation.a-b", "rho", 0.4), ("rate.rate", "rate", 0.02)):
        agrees(found, "price", f"market.{number}", slope(lambda x, name=name: price(**{name: x}), at, 1e-4))


def watched(spot=100.0, sigma=0.25, rate=0.08, dividend=0.04, strike=95.0, barrier=92.0, years=0.5, dates=4):
    """A down-and-out call watched on dates: the value carried back from date to date on a grid of the log price."""
    dt, n = years / dates, 4001
    low = math.log(barrier)
    x = np.linspace(low, math.log(spot) + 6.0 * sigma * math.sqrt(years), n)
    step, drift = x[1] - x[0], (rate - dividend - 0.5 * sigma**2) * dt
    value = np.maximum(np.exp(x) - strike, 0.0) * (x > low)
    weights = np.full(n, step)
    weights[[0, -1]] *= 0.5
    for date in range(dates):
        at = x[::8] if date < dates - 1 else np.array([math.log(spot)])
        kernel = norm.pdf(x[None, :], at[:, None] + drift, sigma * math.sqrt(dt))
        back = math.exp(-rate * dt) * kernel @ (weights * value)
        value = back if date == dates - 1 else np.interp(x, at, back)
    return float(value[0])


def test_a_barrier_watched_on_dates_is_not_followed_along_paths():
    """Pathwise its delta is wrong by a quarter: the chooser sees it and takes another; both Greeks agree with integration."""
    asset = mc.market.GBM(100.0, sigma=0.25, dividend=0.04)
    contract = mc.instrument.Barrier("call", "down", "out", 95.0, 92.0, 0.5, watch="daily")
    found = mc.greeks.of_contract(contract, asset, ["market.asset.spot", "market.asset.sigma"], rate=0.08, steps=4, paths=65_536)
    for number, name, at, h in (("spot", "spot", 100.0, 0.5), ("sigma", "sigma", 0.25, 0.01)):
        choice, want = found.choice("price", f"market.asset.{number}"), slope(lambda x, name=name: watched(**{name: x}), at, h)
        agrees(found, "price", f"market.asset.{number}", want)
        pathwise = next(c for c in choice.candidates if c.estimator == "pathwise")
        assert abs(pathwise.value.z(want)) > 10.0, number
        assert abs(pathwise.bias.z(0.0)) > 5.0, number
        assert choice.taken != "pathwise"


@pytest.mark.slow
def test_a_barrier_watched_at_all_times_against_its_closed_form():
    """Between dates it is survived with a probability: smooth, so that derivatives along paths hold."""
    asset = mc.market.GBM(100.0, sigma=0.25, dividend=0.04)
    contract = mc.instrument.Barrier("call", "down", "out", 100.0, 95.0, 0.5, rebate=3.0)
    exact = mc.greeks.of(contract, asset, rate=0.08)
    found = mc.greeks.of_contract(contract, asset, ["market.asset.spot", "market.asset.sigma"], rate=0.08, steps=64, paths=65_536)
    agrees(found, "price", "market.asset.spot", exact["delta"])
    agrees(found, "price", "market.asset.sigma", exact["vega"])
    for number in ("spot", "sigma"):
        pathwise = next(c for c in found.choice("price", f"market.asset.{number}").candidates if c.estimator == "pathwise")
        assert abs(pathwise.bias.z(0.0)) < K


# ---- what moves by whole numbers ----


@pytest.mark.slow
def test_the_intensity_of_merton_against_its_series():
    """Not zero along paths, not found by them alone: by the score of the count, in a put and in a hedged book's breach."""

    def below(intensity, level=0.9, sigma=0.2, mean=-0.1, sd=0.1, drift=0.05, years=0.5):
        k = math.expm1(mean + 0.5 * sd**2)
        n = np.arange(40)
        at = (math.log(level) - (drift - 0.5 * sigma**2 - intensity * k) * years - n * mean) / np.sqrt(sigma**2 * years + n * sd**2)
        return float(np.sum(poisson.pmf(n, intensity * years) * ndtr(at)))

    asset = mc.market.Merton(100.0, sigma=0.2, intensity=0.8, jump_mean=-0.1, jump_sd=0.1, drift=0.05)
    put = mc.instrument.Put(90.0, 0.5)
    price = lambda x: float(mc.greeks.value(put, mc.replace(asset, intensity=x), 0.02))  # noqa: E731
    found = mc.greeks.of_contract(put, asset, ["market.asset.intensity"], rate=0.02, steps=4, paths=32_768)
    agrees(found, "price", "market.asset.intensity", slope(price, 0.8, 0.05))
    study = mc.Study(mc.market.Market({"equity": asset}), mc.policy.Mix(equity=1.0), mc.ledger.Proportional(0.0), years=0.5, steps=4)
    found = mc.greeks.of_study(study, ["breach_at_end"], ["market.equity.intensity"], paths=65_536)
    agrees(found, "breach_at_end", "market.equity.intensity", slope(below, 0.8), within=0.06)
    none = mc.Study(mc.market.Market({"equity": mc.replace(asset, intensity=0.0)}), study.policy, study.costs, years=0.5, steps=4)
    found = mc.greeks.of_study(none, ["breach_at_end"], ["market.equity.intensity"], paths=65_536)
    choice = found.choice("breach_at_end", "market.equity.intensity")
    assert choice.taken in ("bump", "extrapolated")
    assert "at 0 it has no score" in str(choice)
    assert abs(found["breach_at_end", "market.equity.intensity"].z((-3.0 * below(0.0) + 4.0 * below(1e-4) - below(2e-4)) / 2e-4)) < K


@pytest.mark.slow
def test_regimes_and_events_against_their_mixtures():
    """P(S < 0.95) of a price that every chain of four steps, and either side of an event, leaves lognormal."""
    rates, years, steps = {"calm-crash": 1.5, "crash-calm": 4.0}, 1.0, 4
    sigmas, vote = {"calm": 0.1, "crash": 0.4}, {"up": 0.05, "down": -0.1, "sd": 0.02}

    def below(leave=1.5, probability=0.6, level=0.95):
        chain = mc.market.Regimes(("calm", "crash"), rates | {"calm-crash": leave})
        matrix = np.asarray(chain.transition(years / steps), np.float64)
        c = -math.log(probability * math.exp(vote["up"]) + (1 - probability) * math.exp(vote["down"])) - 0.5 * vote["sd"] ** 2
        total, variances = 0.0, [s**2 * years / steps for s in sigmas.values()]
        for path in itertools.product((0, 1), repeat=steps - 1):
            regimes = (0, *path)
            chance = math.prod(matrix[a, b] for a, b in itertools.pairwise(regimes))
            variance = sum(variances[k] for k in regimes)
            for side, p in (("up", probability), ("down", 1.0 - probability)):
                mean = 0.02 * years - 0.5 * variance + c + vote[side]
                total += chance * p * ndtr((math.log(level) - mean) / math.sqrt(variance + vote["sd"] ** 2))
        return total

    event = mc.market.Event(date=0.5, probability=0.6, **{key: {"equity": x} for key, x in vote.items()})
    asset = mc.market.RegimeGBM(1.0, sigmas, 0.02)
    market = mc.market.Market({"equity": asset}, regimes=mc.market.Regimes(("calm", "crash"), rates), events={"vote": event})
    study = mc.Study(market, mc.policy.Mix(equity=1.0), mc.ledger.Proportional(0.0), years=years, steps=steps)
    names = ["market.regimes.intensity.calm-crash", "market.events.vote.probability"]
    found = mc.greeks.of_study(study, ["breach_at_end"], names, floor=0.95, paths=65_536)
    agrees(found, "breach_at_end", names[0], slope(lambda x: below(leave=x), 1.5, 0.01))
    agrees(found, "breach_at_end", names[1], slope(lambda x: below(probability=x), 0.6, 1e-3))
    assert {found.choice("breach_at_end", name).taken for name in names} == {"likelihood"}


def test_a_price_moves_by_its_scale_with_its_last_normal(float64):
    """What the score of a price is made of, of every model that says it, after a step and in a year's second quarter."""
    regimes = mc.market.Regimes(("calm", "crash"), {"calm-crash": 1.5, "crash-calm": 4.0}, start="crash")
    heston = {"v0": 0.04, "kappa": 1.5, "theta": 0.05, "vol_of_vol": 0.5, "rho": -0.6}
    jumps = {"intensity": 0.6, "jump_mean": -0.1, "jump_sd": 0.15}
    assets = {
        "gbm": mc.market.GBM(100.0, sigma=0.2),
        "schwartz": mc.market.Schwartz(60.0, kappa=1.5, level=65.0, sigma=0.35),
        "merton": mc.market.Merton(100.0, sigma=0.2, **jumps),
        "kou": mc.market.Kou(100.0, sigma=0.2, intensity=0.6, up_probability=0.4, up_mean=0.05, down_mean=0.08),
        "heston": mc.market.Heston(100.0, **heston),
        "bates": mc.market.Bates(100.0, **heston, **jumps),
        "garch": mc.market.GJRGARCH(100.0, v0=0.04, theta=0.04, alpha=0.05, gamma=0.05, beta=0.88, days=4.0),
        "chain": mc.market.RegimeGBM(100.0, {"calm": 0.1, "crash": 0.4}, 0.05),
    }
    market = mc.market.Market(assets, {"gbm-heston": 0.4}, rate=0.02, regimes=regimes)
    random = np.random.default_rng(3)
    normals, uniforms = random.standard_normal((2, market.n_factors)), random.uniform(size=(2, market.n_uniforms))
    places = np.cumsum([asset.n_factors for asset in assets.values()]) - 1

    @jax.jit
    def slopes_and_scales(market, z):
        prepared = market.prepare(mc.pricing.Calendar(1.0, 4))
        rows = jax.tree.map(lambda table: table[1], prepared.rows)
        states = prepared.step(prepared.start(), rows, tuple(normals[0]), tuple(uniforms[0]))

        def prices(z):
            after = prepared.step_by(states, rows, normals[1][:1], list(z), tuple(uniforms[1]))
            return jnp.log(jnp.stack([market.observe(name, after)[0] for name in assets])), after

        slopes, after = jax.jacfwd(prices, has_aux=True)(z)
        own = [market[name].own_scale(prepared.own_row(name, states, rows), states[name], after[name]) for name in assets]
        return jnp.diagonal(slopes[:, places]), jnp.stack(own)

    slopes, scales = slopes_and_scales(market, jnp.asarray(normals[1][1:]))
    np.testing.assert_allclose(slopes, scales, rtol=1e-9)


@pytest.mark.parametrize(("number", "span"), [("market.equity.sigma", 4.0), ("policy.stop_loss.buffer", 4.0)])
def test_one_path_counts_for_what_the_bumps_span(number, span):
    """A bump's two ends lie 4 h apart, those of the yardstick 8 h; to one side of a bound as well."""
    rule = mc.policy.chain(mc.policy.Mix(equity=1.0), mc.policy.StopLoss(0.9))
    study = mc.Study(mc.market.Market({"equity": mc.market.GBM(1.0, sigma=0.2)}), rule, steps=2)
    found, figure = stencil(study, number, lambda values: with_parameters(study, values)), Derivable(how="probability", level=0.9)
    assert least_error("bump", figure, found, np.zeros(100)) == pytest.approx(0.01 / (span * found.size))
    assert least_error("extrapolated", figure, found, np.zeros(100)) == pytest.approx(0.01 / (2.0 * span * found.size))
    assert least_error("bump", Derivable(), found, np.zeros(100)) == 0.0


# ---- strategies ----


def breached(m=12.0, mu=0.085, r=0.05, s=0.2, n=12):
    """P(shortfall) of CPPI on dates (Balder, Brandl & Mahayni 2009)."""
    d2 = (math.log(m / (m - 1.0)) + (mu - r - 0.5 * s * s) / n) / (s / math.sqrt(n))
    return 1.0 - (1.0 - ndtr(-d2)) ** n


@pytest.fixture(scope="module")
def cppi():
    market = mc.market.Market({"equity": mc.market.GBM(1.0, sigma=0.2, drift=0.085)}, rate=0.05)
    rule = mc.policy.chain(mc.policy.Mix(equity=1.0), mc.policy.Cppi(0.8, 12.0, leverage=1e6, exposure="set"))
    return mc.Study(market, rule, mc.ledger.Proportional(0.0), steps=12)


def test_the_breach_of_cppi_against_its_closed_form(cppi):
    numbers = {"market.equity.sigma": "s", "market.equity.drift": "mu", "market.rate.rate": "r", "policy.cppi.multiplier": "m"}
    assert breached() == pytest.approx(0.54295946, abs=1e-8)
    found = mc.greeks.of_study(cppi, ["breach_at_end", "mean_return"], numbers, floor=0.8, paths=65_536)
    for number, name in numbers.items():
        at = {"s": 0.2, "mu": 0.085, "r": 0.05, "m": 12.0}[name]
        agrees(found, "breach_at_end", number, slope(lambda x, name=name: breached(**{name: x}), at), within=0.1)
    choice = found.choice("breach_at_end", "market.equity.sigma")
    assert choice.taken == "likelihood"
    assert "pathwise      not possible: a probability is of a step" in str(choice)
    table = found.table()
    assert list(table.index.names) == ["figure", "number"]
    assert table.loc[("breach_at_end", "market.equity.sigma"), "estimator"] == "likelihood"
    with pytest.raises(ValueError, match=r"unknown derivative 'p20 by market\.equity\.sigma'"):
        found["p20", "market.equity.sigma"]


def test_a_hard_stop_loss_is_never_a_silent_zero():
    """Its buffer moves no path along itself, only paths from one side of a step to the other."""
    market = mc.market.Market({"equity": mc.market.GBM(1.0, sigma=0.2, drift=0.05)}, rate=0.02)
    study = mc.Study(market, mc.policy.chain(mc.policy.Mix(equity=1.0), mc.policy.StopLoss(0.9)), mc.ledger.Proportional(0.02), steps=12)
    number = "policy.stop_loss.buffer"
    found = mc.greeks.of_study(study, ["cvar_95", "mean_return"], [number, "market.equity.shock"], paths=65_536, width=0.01)
    choice = found.choice("cvar_95", number)
    assert "pathwise      not possible: 0 on every path, while bumps are not: it does not see the step" in str(choice)
    shock = found.choice("mean_return", "market.equity.shock")
    pathwise = next(c for c in shock.candidates if c.estimator == "pathwise")
    assert abs(pathwise.bias.z(0.0)) > 3.0
    assert shock.taken != "pathwise"
    # Bumps of the rule as it is, to either side of the buffer's bound at 0, are of the buffer's upper side.
    assert set(stencil(study, number, lambda values: with_parameters(study, values)).offsets) == {0, 1, 2, 4, 8}
    # Of 64 paths none comes near a floor so low: nothing is returned for it.
    few = StudyPaths(with_parameters(study, {"policy.stop_loss.floor": 0.5}), None, [number], ("wealth",))
    near = choose(few, {"mean": Derivable()}, number, Plan(64, 64, 0.2, 0.1, 3))[0]
    assert near.taken == ""
    assert "no bump changed the figure on any of 64 paths" in near.why


def test_along_paths_of_a_variance_that_touches_zero_bumps_are_taken():
    """QE-M with 2 kappa theta / xi^2 = .02: a derivative along paths is unbiased, and its variance many times that of a bump."""
    asset = mc.market.Heston(100.0, v0=0.04, kappa=1.0, theta=0.04, vol_of_vol=2.0, rho=-0.7)
    put, name = mc.instrument.Put(100.0, 1.0), "market.asset.kappa"
    found = mc.greeks.of_contract(put, asset, [name], steps=32, paths=65_536)
    calm = mc.greeks.of_contract(put, mc.replace(asset, vol_of_vol=0.2), [name], steps=32, paths=32_768)
    wild, still = ({c.estimator: c for c in f.choice("price", name).candidates} for f in (found, calm))
    # So heavy a tail that no sample tells its variance: that it lies on one path is what shows.
    assert "one path carries" in wild["pathwise"].note
    assert "explodes" in wild["likelihood"].note
    assert still["pathwise"].note == ""
    assert still["pathwise"].value.error < 1.2 * still["bump"].value.error
    assert found.choice("price", name).taken in ("bump", "extrapolated")
    assert calm.choice("price", name).taken == "pathwise"
    agrees(found, "price", name, slope(lambda x: float(mc.greeks.value(put, mc.replace(asset, kappa=x))), 1.0, 1e-2), within=0.1)


def test_the_gamma_of_a_book_is_blacks():
    """A rolled put that is alive at the horizon, under Q: the mean of its mark there is its price today, whatever the shock."""
    sigma, rate, years, steps = 0.2, 0.02, 0.25, 2
    market = mc.market.Market({"equity": mc.market.GBM(100.0, sigma=sigma, drift=rate)}, rate=rate)
    rule = mc.policy.presets.rolled_put({"equity": 1.0}, 0.95, tenor=4, roll=4)
    study = mc.Study(market, rule, mc.ledger.Proportional(0.0), years=years, steps=steps, recorders=(mc.engine.recorder.Wealth(),))
    table = mc.greeks.second(study, "market.equity.shock", paths=65_536)
    expiry, strike, root = 2.0 * years, 95.0, sigma * math.sqrt(2.0 * years)

    def put(spot):
        d1 = (math.log(spot / strike) + (rate + 0.5 * sigma**2) * expiry) / root
        return strike * math.exp(-rate * expiry) * ndtr(root - d1) - spot * ndtr(-d1), -ndtr(-d1), norm.pdf(d1) / (spot * root)

    price, delta, gamma = put(100.0)
    units = 1.0 / (100.0 + price)
    # By a log-return: S^2 gamma + S delta, of the stock S; what was dear today is as dear at the horizon with interest.
    exact = units * math.exp(rate * years) * (100.0**2 * gamma + 100.0 * (1.0 + delta))
    value = table.loc["market.equity.shock", "derivative"]
    assert abs(value.z(exact)) < K
    assert value.error < 0.01 * exact
    assert table.loc["market.equity.shock", "smooth"]


@pytest.fixture(scope="module")
def held():
    """Stock held: W = exp(mu - sigma^2/2 + sigma z + shock), E[W] = exp(mu + shock) for any sigma."""
    market = mc.market.Market({"equity": mc.market.GBM(100.0, sigma=0.2, drift=0.07)}, rate=0.03)
    return mc.Study(market, mc.policy.Mix(equity=1.0), mc.ledger.Proportional(0.0), steps=1)


@pytest.mark.parametrize("towards", ["shock", "drift", "sigma"])
def test_mixed_second_derivatives_are_lognormal(held, towards):
    """Three numbers, in reverse mode: each against each."""
    names = [f"market.equity.{name}" for name in ("shock", "drift", "sigma")]
    assert len(names) > FORWARD
    table = mc.greeks.second(held, f"market.equity.{towards}", names, paths=65_536, pilot=4096)
    for name in names:
        exact = 0.0 if "sigma" in (towards, name.rpartition(".")[2]) else math.exp(0.07)
        assert abs(table.loc[name, "derivative"].z(exact)) < K, name
        assert table.loc[name, "derivative"].error < 0.01
        assert table.loc[name, "smooth"], name


@pytest.mark.parametrize("names", [["sigma"], ["shock", "sigma"]])
def test_second_derivatives_at_a_bound_are_held_to_differences_on_its_one_side(held, names):
    still = with_parameters(held, {"market.equity.sigma": 0.0})
    table = mc.greeks.second(still, "market.equity.sigma", [f"market.equity.{name}" for name in names], paths=65_536)
    assert all(abs(value.z(0.0)) < K for value in table["derivative"])
    assert table["smooth"].all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"paths": 0}, "paths: expected a whole number from 1 to 1e+12, got 0"),
        ({"paths": 1.5}, "paths: expected a whole number from 1 to 1e+12, got 1.5"),
        ({"pilot": -3}, "pilot: expected a whole number from 1 to 1e+12, got -3"),
    ],
)
def test_second_refuses(held, options, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        mc.greeks.second(held, "market.equity.shock", **options)


def test_second_refuses_windows_of_history(history):
    with pytest.raises(ValueError, match="study: expected independent paths for second derivatives, got windows of history"):
        mc.greeks.second(history, "policy.leverage")


@pytest.mark.slow
def test_a_kink_is_seen_where_second_derivatives_do_not_see_it(cppi):
    """CPPI near its cap, which its mean's second derivative by a shock is made of."""
    capped = mc.Study(cppi.market, mc.policy.chain(mc.policy.Mix(equity=1.0), mc.policy.Cppi(0.8, 4.0)), cppi.costs, steps=12)
    table = mc.greeks.second(capped, "market.equity.shock", paths=65_536, pilot=65_536)
    assert abs(table.loc["market.equity.shock", "bias"].z(0.0)) > 4.0
    assert not table.loc["market.equity.shock", "smooth"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"figures": ["mean_retrun"]}, "figures: unknown figure 'mean_retrun'; did you mean mean_return?"),
        ({"names": ["market.equity.volatility"]}, "names: unknown parameter 'market.equity.volatility'"),
        ({"names": []}, "names: expected at least one, got none"),
        ({"book": "cppi"}, "unknown book 'cppi'"),
        ({"width": 0.0}, "width: expected a number above 0"),
        ({"paths": 0}, "paths: expected a whole number from 1"),
        ({"pilot": 0}, "pilot: expected a whole number from 1"),
        ({"tolerance": -1.0}, "tolerance: expected a number above 0, a fraction of a derivative, got -1.0"),
        ({"names": "market.equity.shock"}, "names: expected a list of names, got the text 'market.equity.shock'"),
        ({"figures": "p20"}, "figures: expected a list of names, got the text 'p20'"),
        ({"figures": {"x": Derivable("welth")}}, "Derivable.outcome: unknown outcome 'welth' of policy; did you mean wealth?"),
    ],
)
def test_refusals(cppi, options, message):
    with pytest.raises(ValueError, match=message):
        mc.greeks.of_study(cppi, **options)


def test_a_figure_refuses_an_unknown_reduction():
    with pytest.raises(ValueError, match=r"Derivable\.how: expected one of mean, .*, got 'mena'; did you mean mean\?"):
        Derivable("wealth", "mena")


def test_windows_of_history_are_not_said_to_be_others_than_the_pilots(history):
    found = mc.greeks.of_study(history, ["mean_return"], ["policy.leverage"])
    assert f"{found.paths:,} windows, the pilot's among them" in str(found)
    assert found.pilot == found.paths < 200
    assert "of their own" not in str(found)


def test_other_numbers_compile_nothing(cppi, compilations):
    names = ["market.equity.sigma", "policy.cppi.multiplier"]
    mc.greeks.of_study(cppi, ["p20"], names, paths=8192, pilot=8192)
    before = compilations()
    mc.greeks.of_study(mc.Study(cppi.market, cppi.policy, cppi.costs, steps=12, wealth=2.0), ["p20"], names, paths=8192, pilot=8192, seed=1)
    assert compilations() == before
