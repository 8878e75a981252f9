"""Static and portfolio insurance: the laws of wealth that rules and floors are known for, and what they hold date by date.

Statistical tolerances are in standard errors of the run (3, with fixed seeds), unless a test says otherwise.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import reference
from precision import double_precision
from reference import black
from scipy.optimize import brentq
from scipy.stats import norm, poisson
from test_policy import balder_brandl_mahayni

import mcengine as mc
from mcengine.engine import recorder
from mcengine.instrument import ToHorizon
from mcengine.market import GBM, Heston, Market
from mcengine.policy import (
    Collar,
    Cppi,
    DrawdownControl,
    Every,
    HighWater,
    Mix,
    Obpi,
    PutSpread,
    Rebalance,
    Relative,
    Stepped,
    StopLoss,
    StopLossReentry,
    SyntheticPut,
    chain,
    insurance,
)
from mcengine.policy.obpi import exposure
from mcengine.statistics import estimate

ERRORS = 3.0
MU, R, S = 0.07, 0.02, 0.2
ALL = {"equity": 1.0}
EQUITY = Mix(equity=1.0)
STEPS, DT, PATHS = 24, 1.0 / 24.0, 16  # of the trace
UNBOUND = {"leverage": 1e9, "exposure": "set"}


def assert_near(one, truth):
    assert abs(one.z(truth)) < ERRORS, f"{one} against {truth}"


def put(strike):
    return float(black("put", math.exp(R), strike, S, math.exp(-R)))


def call(strike):
    return put(strike) + 1.0 - strike * math.exp(-R)


@pytest.fixture(scope="module")
def monthly():
    """A year of 12 dates: one lognormal asset, every rule on the same paths."""
    once = ToHorizon()
    books = {
        "cppi": chain(EQUITY, Cppi(0.9, 5.0, **UNBOUND)),
        "on_dates": insurance.cppi_on_dates(ALL, 0.9, 5.0, leverage=1e9, every=3),
        "against_cash": chain(EQUITY, Cppi(Relative(0.9 * math.exp(-R), {}), 5.0, **UNBOUND)),
        "one_step": chain(EQUITY, Cppi(Stepped((0.8, 0.9), (0, 12)), 5.0, **UNBOUND)),
        "obpi": insurance.obpi(ALL, 0.9),
        "collar": chain(EQUITY, Collar(0.9, 1.1, schedule=once)),
        "costless": chain(EQUITY, Collar(0.9, schedule=once)),
        "put_spread": chain(EQUITY, PutSpread(0.95, 0.8, schedule=once)),
        "held": insurance.buy_and_hold({"equity": 0.6}),
        "rebalanced": insurance.rebalanced({"equity": 0.6}, every=3),
    }
    market = Market({"equity": GBM(spot=100.0, sigma=S, drift=MU)}, rate=R)
    return mc.Study(market, books, steps=12, recorders=(recorder.Wealth(),)).run(200_000, seed=1, progress=False)


@pytest.fixture(scope="module")
def spot(monthly):
    return monthly["market"]["price_equity"].astype(float) / 100.0


class TestStatic:
    @pytest.mark.parametrize(
        ("book", "payoff", "premium"),
        [
            ("collar", lambda s: np.clip(s, 0.9, 1.1), put(0.9) - call(1.1)),
            ("put_spread", lambda s: s + np.maximum(0.95 - s, 0.0) - np.maximum(0.8 - s, 0.0), put(0.95) - put(0.8)),
        ],
    )
    def test_spreads(self, monthly, spot, book, payoff, premium):
        """V_T = q x payoff on every path, q = V_0 / (S_0 + premium)."""
        np.testing.assert_allclose(monthly[book]["wealth"], payoff(spot) / (1.0 + premium), rtol=4e-6)

    def test_under_a_skew_the_call_still_costs_what_the_put_does(self):
        """Far out, the call is worth nothing where the search begins: its first step must not leave positive strikes."""
        equity = Heston(spot=100.0, v0=0.04, kappa=3.5, theta=0.03, vol_of_vol=0.5, rho=-0.7)
        study = mc.Study(Market({"equity": equity}, rate=0.02), chain(EQUITY, Collar(0.75, schedule=ToHorizon())), steps=2, years=0.25)
        trace = study.trace([0])
        strike = float(trace[next(name for name in trace if name.endswith("collar_call.strike"))].iloc[1])
        discount = np.exp(-0.02 * 0.25)
        forward, law = 100.0 / discount, {"v0": 0.04, "kappa": 3.5, "theta": 0.03, "vol_of_vol": 0.5, "rho": -0.7, "discount": discount}
        price, at_the_put = (float(reference.heston_call(forward, k, 0.25, **law)) for k in (strike, 75.0))
        assert price == pytest.approx(at_the_put - discount * (forward - 75.0), rel=3e-3)

    def test_a_call_that_pays_for_the_put(self, monthly, spot):
        cap = brentq(lambda k: call(k) - put(0.9), 1.0, 2.0)
        np.testing.assert_allclose(monthly["costless"]["wealth"], np.clip(spot, 0.9, cap), rtol=4e-6)

    def test_buy_and_hold(self, monthly, spot):
        np.testing.assert_allclose(monthly["held"]["wealth"], 0.6 * spot + 0.4 * math.exp(R), rtol=3e-6)

    def test_rebalanced(self, monthly):
        quarter = 0.6 * math.exp(MU / 4.0) + 0.4 * math.exp(R / 4.0)
        assert_near(estimate.mean(monthly["rebalanced"]["wealth"]), quarter**4)


class TestPortfolio:
    def test_cppi_on_four_dates(self, monthly):
        """Balder, Brandl & Mahayni (2009), rebalanced on every third of twelve dates."""
        truth = balder_brandl_mahayni(100.0, 90.0, 5.0, MU, R, S, 1.0, 4)
        np.testing.assert_allclose(truth, (0.041510346, 105.34831, 1.7763939), rtol=1e-6)
        wealth = 100.0 * monthly["on_dates"]["wealth"]
        short = wealth < 90.0
        assert_near(estimate.mean(short), truth[0])
        assert_near(estimate.mean(wealth), truth[1])
        assert_near(estimate.mean(90.0 - wealth[short]), truth[2])

    @pytest.mark.parametrize("book", ["against_cash", "one_step"])
    def test_floors_that_are_one(self, monthly, book):
        """A share of what cash makes, and a step on the last date that is worth more than the level before it, are the floor due at the horizon."""
        np.testing.assert_allclose(monthly[book]["wealth"], monthly["cppi"]["wealth"], rtol=2e-5)

    def test_obpi(self, monthly, spot):
        """V_T = q max(S_T, K), q K the floor, on every path."""
        strike, units, mean = 0.93874881, 0.95872292, 1.05726292
        assert strike == pytest.approx(brentq(lambda k: k - 0.9 * (1.0 + put(k)), 0.5, 2.0), rel=1e-7)
        np.testing.assert_allclose(monthly["obpi"]["wealth"], units * np.maximum(spot, strike), rtol=4e-6)
        assert_near(estimate.mean(monthly["obpi"]["wealth"]), mean)

    def test_a_put_made_by_trading(self):
        """The same wealth without an option: the distance on each path halves when dates are four times as many."""
        market = Market({"equity": GBM(spot=100.0, sigma=S, drift=MU)}, rate=R)
        gap, wealth = [], np.zeros(0)
        for steps in (63, 252):
            study = mc.Study(market, insurance.synthetic_put(ALL, 0.9), steps=steps, recorders=(recorder.Wealth(),))
            result = study.run(32_768, seed=2, progress=False)
            wealth, last = result.wealth.astype(float), result["market"]["price_equity"].astype(float) / 100.0
            gap.append(math.sqrt(np.mean((wealth - 0.95872292 * np.maximum(last, 0.93874881)) ** 2)))
        assert gap[0] / gap[1] == pytest.approx(2.0, rel=0.1)
        assert gap[1] < 0.01
        assert_near(estimate.mean(wealth), 1.05726292)

    def test_the_exposure_of_a_call_by_its_price(self, float64):
        total = np.array([[5e-4], [0.01], [0.2], [2.0]])
        d = np.maximum(np.linspace(-3.0, 1.5, 200) / total, -8.0) + 0.5 * total  # no less than 8 deviations below, where nothing is seen
        x = np.exp((d - 0.5 * total) * total)
        price = x * norm.cdf(d) - norm.cdf(d - total)
        truth = x * norm.cdf(d)
        found = jax.jit(exposure)(jnp.asarray(price), jnp.asarray(total))
        seen = price > 1e-5
        np.testing.assert_allclose(np.asarray(found)[seen], truth[seen], rtol=1e-9)
        assert exposure(-0.1, 0.2) == 0.0


@pytest.fixture(scope="module")
def daily():
    """252 dates, no interest; two assets, so that laws of different drifts are one run."""
    a, b = Mix(a=1.0), Mix(b=1.0)
    books = {
        "tipp": chain(a, Cppi(HighWater(0.7), 3.0, **UNBOUND)),
        "stopped": chain(b, StopLoss(0.7)),
        "never_back": chain(b, StopLossReentry(0.7, rise=1e6)),
        "relative": chain(a, Cppi(Relative(0.9, {"b": 1.0}), 8.0, **UNBOUND), Rebalance(Every(21))),
        "limited": chain(b, DrawdownControl(0.1, halflife=None)),
    }
    assets = {"a": GBM(spot=1.0, sigma=0.2, drift=0.05), "b": GBM(spot=1.0, sigma=0.2, drift=0.08)}
    market = Market(assets, {"a-b": 0.3})
    return mc.Study(market, books, steps=252, recorders=(recorder.Wealth(), recorder.Drawdown())).run(131_072, seed=4, progress=False)


class TestPaths:
    def test_tipp(self, daily):
        """The law of TIPP by its path (Azema & Yor 1979), its high-water mark seen on 252 dates; watched all the time it is 1.0371864."""
        wealth = daily["tipp"]["wealth"]
        assert_near(estimate.mean(wealth), 1.03782)
        assert daily["tipp"]["drawdown"].max() < 0.3

    def test_a_stop_on_252_dates(self, daily):
        """A floor of 70 is met by .0386336 of paths; without interest what was sold stays below it."""
        assert_near(estimate.mean(daily["stopped"]["wealth"] < 0.7), 0.0386336)
        np.testing.assert_array_equal(daily["never_back"]["wealth"], daily["stopped"]["wealth"])

    def test_a_floor_relative_to_a_benchmark(self, daily):
        """In units of the benchmark it is CPPI on dates, its asset the ratio of the two and its rate nothing."""
        ratio = math.sqrt(0.2**2 * 2.0 * (1.0 - 0.3))
        truth = balder_brandl_mahayni(1.0, 0.9, 8.0, 0.05 - 0.08 + 0.5 * ratio**2, 1e-12, ratio, 1.0, 12)
        wealth = daily["relative"]["wealth"].astype(float) / daily["market"]["price_b"]
        assert 0.05 < truth[0] < 0.95
        assert_near(estimate.mean(wealth < 0.9), truth[0])
        assert_near(estimate.mean(wealth), truth[1])

    def test_a_limited_drawdown(self, daily):
        """At the limit nothing is held: it is passed by no more than the last day's fall."""
        assert 0.08 < np.quantile(daily["limited"]["drawdown"], 0.99) < 0.1
        assert daily["limited"]["drawdown"].max() < 0.101


@pytest.mark.parametrize(("multiplier", "continuous"), [(3.0, 0.0206375), (4.0, 0.1000609), (5.0, 0.1860329)])
def test_the_gap_of_jumps(multiplier, continuous, gaps):
    """P(breach) = 1 - (1 - p)^n, p that of a day's return below (m - 1)/m e^{r dt}; with ever more dates only jumps are left."""
    drift, r, sigma, intensity, mean, sd = 0.07, 0.02, 0.2, 1.0, -0.10, 0.15

    def breach(n):
        dt, k = 1.0 / n, np.arange(30)
        own = (drift - 0.5 * sigma**2 - intensity * math.expm1(mean + 0.5 * sd**2)) * dt
        level = math.log((multiplier - 1.0) / multiplier) + r * dt
        p = poisson.pmf(k, intensity * dt) @ norm.cdf((level - own - k * mean) / np.sqrt(sigma**2 * dt + k * sd**2))
        return -math.expm1(n * math.log1p(-p))

    assert breach(10**6) == pytest.approx(continuous, rel=1e-4)
    assert_near(estimate.mean(gaps[f"{multiplier:g}"]["wealth"] < 0.8), breach(252))


@pytest.fixture(scope="module")
def gaps():
    asset = mc.market.Merton(spot=100.0, sigma=0.2, intensity=1.0, jump_mean=-0.10, jump_sd=0.15, drift=0.07)
    books = {f"{m:g}": chain(EQUITY, Cppi(0.8, m, **UNBOUND)) for m in (3.0, 4.0, 5.0)}
    study = mc.Study(Market({"equity": asset}, rate=0.02), books, steps=252, recorders=(recorder.Wealth(),))
    return study.run(131_072, seed=6, progress=False)


@pytest.fixture(scope="module")
def table(gbm_market):
    books = {
        "reentry": chain(EQUITY, StopLossReentry(0.97, rise=0.02)),
        "relative": chain(EQUITY, Cppi(Relative(0.9, {"bond": 0.5}), 4.0, **UNBOUND)),
        "stepped": chain(EQUITY, Cppi(Stepped((0.85, 0.95), (0, 12)), 4.0, **UNBOUND)),
        "drawdown": chain(EQUITY, DrawdownControl(0.05, halflife=4.0)),
    }
    with double_precision():
        table = mc.Study(gbm_market, books, steps=STEPS).trace(range(PATHS), seed=5)
    return {name: table[name].to_numpy().reshape(PATHS, -1) for name in table}


class TestDateByDate:
    """What is held, from a trace in float64, once more in NumPy."""

    def exposure(self, table, book):
        """Of the equity, after each trade, over wealth before it."""
        held, spot = table[f"{book}.equity.units"][:, 1:], table["equity.spot"][:, :-1]
        return held * spot / table[f"{book}.wealth"][:, :-1]

    def total_return(self, table, name, dividend):
        return table[f"{name}.spot"][:, 1:] / table[f"{name}.spot"][:, :-1] * math.exp(dividend * DT)

    def test_stops_and_comes_back(self, table):
        wealth, held = table["reentry.wealth"], self.exposure(table, "reentry") > 0.0
        gross = self.total_return(table, "equity", 0.015)
        again = 0
        for path in range(PATHS):
            inside, scale, sold, sleeve = True, 1.0, math.nan, 1.0
            for k in range(STEPS):
                floor = 0.97 * math.exp(-0.03 * (1.0 - k * DT))
                if inside and wealth[path, k] < scale * floor:
                    inside, sold = False, sleeve
                elif not inside and sleeve >= 1.02 * sold:
                    inside, scale, again = True, wealth[path, k] / floor * 0.97 * math.exp(-0.03), again + 1
                assert held[path, k] == inside
                sleeve *= gross[path, k]
        assert again > 3

    def test_a_benchmark_has_its_income_and_interest(self, table):
        gross = 0.5 * self.total_return(table, "bond", 0.03) + 0.5 * math.exp(0.03 * DT)
        benchmark = np.cumprod(np.hstack([np.ones((PATHS, 1)), gross[:, :-1]]), axis=1)
        wealth = table["relative.wealth"][:, :-1]
        cushion = np.maximum(wealth - 0.9 * benchmark, 0.0)
        np.testing.assert_allclose(self.exposure(table, "relative") * wealth, 4.0 * cushion, rtol=1e-9, atol=1e-12)
        reserve = table["relative.bond.units"][:, 1:] * table["bond.spot"][:, :-1]
        np.testing.assert_allclose(reserve, 0.5 * (wealth - 4.0 * cushion), rtol=1e-9, atol=1e-12)

    def test_steps_are_met_by_cash(self, table):
        k, wealth = np.arange(STEPS), table["stepped.wealth"][:, :-1]
        floor = np.where(k < 12, np.maximum(0.85, 0.95 * np.exp(-0.03 * DT * (12 - k))), 0.95)
        np.testing.assert_allclose(self.exposure(table, "stepped") * wealth, 4.0 * np.maximum(wealth - floor, 0.0), rtol=1e-9, atol=1e-12)

    def test_a_drawdown_is_forgotten(self, table):
        wealth, held = table["drawdown.wealth"], self.exposure(table, "drawdown")
        mark, least = np.ones(PATHS), np.ones(PATHS)
        for k in range(STEPS):
            mark = wealth[:, k] + np.maximum(mark - wealth[:, k], 0.0) * 2.0**-0.25
            share = np.clip(1.0 - (1.0 - wealth[:, k] / mark) / 0.05, 0.0, 1.0)
            np.testing.assert_allclose(held[:, k], share, rtol=1e-9, atol=1e-12)
            least = np.minimum(least, share)
        assert least.min() < 0.1
        assert share[least < 0.1].max() > 0.5


class TestRefusals:
    @pytest.mark.parametrize(
        ("make", "message"),
        [
            (lambda: Cppi(EQUITY), "Cppi.floor: expected a number or a Floor, .*, got Mix"),
            (lambda: Cppi({"level": 0.9}), "Cppi.floor: expected a number or a Floor, .*, got {.level.: 0.9}"),
            (lambda: StopLoss("high"), "StopLoss.floor: expected a number or a Floor, .*, got 'high'"),
            (lambda: HighWater(1.0), "HighWater.share: expected a number below 1, got 1.0"),
            (lambda: Stepped((0.8, 0.9), (0, 0)), r"Stepped.dates: expected dates that rise from 0, got \[0, 0\]"),
            (lambda: Stepped((0.8, 0.9), (0,)), "Stepped.levels: expected 1 levels, one for each date, got 2"),
            (lambda: Collar(1.0, 0.9), "Collar.cap: expected a number above floor = 1, got 0.9"),
            (lambda: PutSpread(0.8, 0.9), "PutSpread.lower: expected a number below upper = 0.8, got 0.9"),
            (lambda: Collar(0.9, tenor=5, roll=6), "Collar.roll: expected whole numbers of steps"),
            (lambda: DrawdownControl(0.1, 0.2), "DrawdownControl.begins: expected a number below limit = 0.1, got 0.2"),
            (lambda: Every(0), "Every.steps: expected a whole number of at least 1, got 0"),
        ],
    )
    def test_a_part(self, make, message):
        with pytest.raises(ValueError, match=message):
            make()

    @pytest.mark.parametrize(
        ("stage", "message"),
        [
            (Cppi(Stepped((0.8, 1.1), (0, 6))), r"Cppi.floor: expected a floor whose .* got Stepped\(.*\) worth 1.1 of it today"),
            (SyntheticPut(1.0), "SyntheticPut.floor: expected a floor whose present value is below the starting wealth, got 1 worth 1 of it today"),
            (Obpi(1.0), "Obpi.floor: expected a floor whose present value is below the starting wealth"),
            (StopLossReentry(Stepped((0.8, 0.9), (0, 13))), "Stepped.dates: expected dates up to the horizon 12, got 13"),
            (Cppi(Relative(0.9, {"bnd": 1.0})), "Relative.weights: unknown asset 'bnd'"),
            (Collar(0.9, asset="bond"), "Collar.asset: unknown asset 'bond'"),
        ],
    )
    def test_what_does_not_fit(self, stage, message):
        with pytest.raises(ValueError, match=message):
            mc.Study(Market({"equity": GBM(spot=100.0, sigma=S)}), chain(EQUITY, stage), steps=12)
