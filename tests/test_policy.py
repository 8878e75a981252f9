"""Rules: what they refuse, what they hold date by date, and the laws of wealth they are known for.

Statistical tolerances are in standard errors of the run (4, with fixed seeds), unless a test says otherwise.
"""

import dataclasses
import math
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from reference import black
from scipy.stats import norm

import mcengine as mc
from mcengine._model import with_parameters
from mcengine.engine import recorder
from mcengine.market.correlation import to_matrix
from mcengine.policy import (
    Band,
    Cppi,
    DeltaHedge,
    Drift,
    ForecastVolTarget,
    Mix,
    RolledPut,
    StaticPut,
    StopLoss,
    VolTarget,
    When,
    chain,
    gate,
)
from mcengine.statistics import estimate

ERRORS = 4.0


def one_asset(policy, *, steps, sigma, drift=0.0, rate=0.0, **options):
    """A policy on one lognormal asset of 100."""
    market = mc.market.Market({"equity": mc.market.GBM(spot=100.0, sigma=sigma, drift=drift)}, rate=rate)
    return mc.Study(market, policy, steps=steps, recorders=(recorder.Wealth(),), **options)


def assert_near(one, truth):
    assert abs(one.z(truth)) < ERRORS, f"{one} against {truth}"


def deviation(x):
    """Standard deviation of a sample, its error from the fourth moment."""
    x = x - x.mean()
    variance, fourth = np.mean(x**2), np.mean(x**4)
    return mc.Estimate(math.sqrt(variance), math.sqrt((fourth - variance**2) / (4.0 * variance * x.size)))


class TestChain:
    @pytest.mark.parametrize("stages", [(Cppi(0.9),), (Band(0.1),), (StaticPut(0.9), DeltaHedge())])
    def test_of_any_kind_but_a_study_asks_for_an_allocator(self, stages):
        assert chain(*stages).kind == stages[0].kind
        with pytest.raises(ValueError, match=r"Study.policy: expected an allocator or a chain that starts with one, got Chain"):
            one_asset(chain(*stages), steps=4, sigma=0.2)

    @pytest.mark.parametrize(
        ("stages", "message"),
        [
            ((), "chain: expected at least one stage, got none"),
            ((Mix(equity=1.0), "cppi"), "chain: expected stages such as Mix or Cppi, got str"),
            ((Cppi(0.9), Mix(equity=1.0)), "chain: expected an allocator first, or under a When, got Mix after Cppi"),
            ((Mix(equity=1.0), Band(0.1), Cppi(0.9)), "chain: expected the scaler Cppi before the filter Band, got it after"),
            ((Mix(equity=1.0), DeltaHedge(), StaticPut(0.9)), "chain: expected the overlay StaticPut before the hedge DeltaHedge, got it after"),
            ((Mix(equity=1.0), Band(0.1), When(Drift(0.1), Mix(equity=0.5))), "chain: expected the allocator When before the filter Band"),
            ((Mix(equity=1.0), StaticPut(0.9), When(Drift(0.1), Mix(equity=0.5))), "the allocator When before the overlay StaticPut"),
            ((Mix(equity=1.0), Band(0.1), StaticPut(0.9)), "chain: expected the overlay StaticPut before the filter Band, got it after"),
            ((Mix(equity=1.0), chain(Cppi(0.9), Band(0.1)), Cppi(0.8)), "chain: expected the scaler Cppi before the filter Chain, got it after"),
            ((Mix(equity=1.0), chain(StaticPut(0.9), DeltaHedge())), "chain: expected hedges after the overlays .* got one inside Chain"),
            ((When(Drift(0.1), Mix(equity=1.0)), StaticPut(0.9)), "chain: expected an allocator that acts on every date before overlays, got When"),
        ],
    )
    def test_the_order_is_checked(self, stages, message):
        with pytest.raises(ValueError, match=message):
            chain(*stages)

    def test_a_slot_belongs_to_one_stage(self):
        with pytest.raises(ValueError, match="expected each slot in one stage, got put twice"):
            chain(Mix(equity=1.0), StaticPut(0.9), StaticPut(0.8))
        ladder = chain(Mix(equity=1.0), StaticPut(0.9, 0.5), StaticPut(0.8, 0.5, slot="low_put"))
        assert list(ladder.slots()) == ["put", "low_put"]

    def test_a_stage_met_twice_gets_a_number(self):
        rule = chain(Mix(equity=1.0), Cppi(0.9), VolTarget(0.1), Cppi(0.8), Band(0.1), Band(0.2))
        assert list(rule.stages) == ["mix", "cppi", "vol_target", "cppi_2", "band", "band_2"]
        assert float(rule["band_2"].tolerance) == 0.2
        with pytest.raises(ValueError, match="policy: no stage 'cpi'; did you mean cppi"):
            rule["cpi"]

    def test_overlays_are_funded_once_after_the_last_of_them(self):
        rule = chain(Mix(equity=1.0), StaticPut(0.9), chain(StaticPut(0.8, slot="low")), DeltaHedge(), Band(0.1))
        assert list(rule.stages) == ["mix", "static_put", "chain", "fund", "delta_hedge", "band"]
        assert list(chain(StaticPut(0.9), DeltaHedge()).stages) == ["static_put", "delta_hedge"]
        outer = chain(chain(Mix(equity=1.0), StaticPut(0.9)), Band(0.1))
        assert list(outer.stages) == ["chain", "fund", "band"]
        assert list(outer["chain"].stages) == ["mix", "static_put"]
        rung = chain(Mix(equity=1.0), When(Drift(0.1), chain(Mix(equity=0.5), StaticPut(0.9))))
        assert list(rung.stages) == ["mix", "when", "fund"]
        assert list(rung["when"].stage.stages) == ["mix", "static_put"]


class TestRefusals:
    @pytest.mark.parametrize(
        ("make", "message"),
        [
            (lambda: Mix(equity=0.7, bond=0.4), "Mix.weights: expected at most leverage = 1 in sum .*, got 1.1"),
            (lambda: Mix(equity=0.9, bond=-0.3), "Mix.weights: expected at most leverage = 1"),
            (lambda: Mix(equity="0.5"), "Mix.weights.equity: expected a number"),
            (lambda: Cppi(0.9, multiplier=-1.0), "Cppi.multiplier: expected a number not below 0, got -1.0"),
            (lambda: Cppi(0.9, exposure="sets"), "Cppi.exposure: expected 'scale' or 'set', got 'sets'"),
            (lambda: Band(-0.1), "Band.tolerance: expected a number not below 0"),
            (lambda: VolTarget(0.0), "VolTarget.target: expected a number above 0"),
            (lambda: StaticPut(float("nan")), "StaticPut.floor: expected a finite number"),
            (
                lambda: RolledPut(0.9, tenor=5, roll=6),
                "RolledPut.roll: expected whole numbers of steps, roll from 1 to tenor, got roll 6 and tenor 5",
            ),
            (lambda: RolledPut(0.9, tenor=5.5), "RolledPut.roll: expected whole numbers of steps"),
            (lambda: RolledPut(0.9, roll=0), "RolledPut.roll: expected whole numbers of steps"),
        ],
    )
    def test_a_stage(self, make, message):
        with pytest.raises(ValueError, match=message):
            make()

    def test_leverage_lets_weights_pass_one(self):
        assert float(Mix(equity=1.5, leverage=1.5).weights["equity"]) == 1.5

    @pytest.mark.parametrize(
        ("stages", "message"),
        [
            ((Mix(equty=1.0),), "Mix.weights: unknown asset 'equty'; did you mean equity"),
            ((Mix(equity=1.0), StaticPut(0.9, asset="bond")), "StaticPut.asset: unknown asset 'bond'"),
            ((Mix(equity=1.0), RolledPut(0.9, asset="Equity")), "RolledPut.asset: unknown asset 'Equity'; did you mean equity"),
        ],
    )
    def test_an_asset_the_market_lacks(self, stages, message):
        with pytest.raises(ValueError, match=message):
            one_asset(chain(*stages), steps=4, sigma=0.2)

    @pytest.mark.parametrize("stage", [Cppi, StopLoss])
    @pytest.mark.parametrize(("floor", "rate", "present"), [(0.9, -0.2, "1.099"), (1.0, 0.0, "1 "), (1.2, 0.1, "1.086")])
    def test_a_floor_worth_more_than_the_start(self, stage, floor, rate, present):
        message = f"{stage.__name__}.floor: expected a floor whose present value is below the starting wealth, got {floor:g} worth {present}"
        with pytest.raises(ValueError, match=message):
            one_asset(chain(Mix(equity=1.0), stage(floor)), steps=4, sigma=0.2, rate=rate)

    def test_a_floor_above_one_at_a_high_rate_is_fine(self):
        one_asset(chain(Mix(equity=1.0), Cppi(1.05)), steps=4, sigma=0.2, rate=0.1)


class TestGate:
    x = np.linspace(-0.5, 0.5, 1001)

    def test_hard(self, float64):
        np.testing.assert_array_equal(gate(self.x, 0.0), (self.x >= 0.0).astype(float))

    @pytest.mark.parametrize("width", [0.01, 0.1, 1.0])
    def test_smooth(self, float64, width):
        """From 0 at two widths below to 1 at two above, rising, 1/2 at the trigger, where the slope is 3/(8 width)."""
        y = np.asarray(gate(self.x, width))
        assert np.all(np.diff(y) >= 0.0)
        assert gate(-2.0 * width, width) == 0.0
        assert gate(2.0 * width, width) == 1.0
        assert gate(0.0, width) == 0.5
        np.testing.assert_allclose(y + y[::-1], 1.0, atol=1e-14)
        assert jax.grad(gate)(0.0, width) == pytest.approx(0.375 / width, rel=1e-12)

    def test_derivative(self, float64):
        """Against central differences; the gate is once differentiable, so the bump's error is second order away from its ends."""
        x, width, bump = self.x[::7], 0.1, 1e-6
        slope = jax.vmap(jax.grad(gate), (0, None))(x, width)
        np.testing.assert_allclose(slope, (gate(x + bump, width) - gate(x - bump, width)) / (2.0 * bump), atol=2e-4)
        assert np.all(np.isfinite(jax.vmap(jax.grad(gate, argnums=(0, 1)), (0, None))(x, 0.0)))

    def test_the_smooth_gate_tends_to_the_hard_one(self, float64):
        gaps = [np.abs(np.asarray(gate(self.x, w)) - gate(self.x, 0.0)).mean() for w in (0.1, 0.05, 0.025)]
        assert gaps[0] / gaps[1] == pytest.approx(2.0, rel=0.02)
        assert gaps[1] / gaps[2] == pytest.approx(2.0, rel=0.02)


def balder_brandl_mahayni(v0, floor, m, mu, r, s, years, n):
    """(P(V_T < G), E V_T, E[G - V_T | V_T < G]) of CPPI on n dates, borrowing allowed."""
    dt = years / n
    d2 = (math.log(m / (m - 1.0)) + (mu - r - 0.5 * s * s) * dt) / (s * math.sqrt(dt))
    d1 = d2 + s * math.sqrt(dt)
    short = 1.0 - norm.cdf(d2) ** n
    e1 = m * math.exp(mu * dt) * norm.cdf(d1) - math.exp(r * dt) * (m - 1.0) * norm.cdf(d2)
    e2 = math.exp(r * dt) * (1.0 + m * math.expm1((mu - r) * dt)) - e1
    b = math.exp(-r * dt) * e2 * (math.exp(r * years) - e1**n) / (1.0 - e1 * math.exp(-r * dt))
    c0 = v0 - floor * math.exp(-r * years)
    return short, floor + c0 * (e1**n + b), -c0 * b / short


class TestCppi:
    @pytest.mark.parametrize(
        ("case", "truth"),
        [
            ((1000.0, 800.0, 12.0, 0.085, 0.05, 0.2, 1.0, 12), (0.54295946, 1193.1718, 127.09428)),
            ((100.0, 90.0, 5.0, 0.07, 0.02, 0.2, 1.0, 4), (0.041510346, 105.34831, 1.7763939)),
            ((100.0, 70.0, 4.0, 0.08, 0.03, 0.25, 1.0, 12), (0.00036751936, 110.31193, 1.7412381)),
        ],
    )
    def test_on_discrete_dates(self, case, truth):
        """Balder, Brandl & Mahayni (2009): shortfall probability, mean, expected shortfall given one."""
        v0, floor, m, mu, r, s, years, n = case
        np.testing.assert_allclose(balder_brandl_mahayni(*case), truth, rtol=2e-7)
        rule = chain(Mix(equity=1.0), Cppi(floor / v0, multiplier=m, leverage=1e9, exposure="set"))
        wealth = one_asset(rule, steps=n, sigma=s, drift=mu, rate=r, years=years, wealth=v0).run(400_000, seed=1).wealth * v0
        short = wealth < floor
        assert_near(estimate.mean(short), truth[0])
        assert_near(estimate.mean(wealth), truth[1])
        assert_near(estimate.mean(floor - wealth[short]), truth[2])

    def test_towards_continuous_dates(self):
        """Bertrand & Prigent (2005): V_T follows from S_T alone. The distance on each path halves when dates are four times as many."""
        m, mu, r, s = 5.0, 0.07, 0.02, 0.2
        gap, last = [], None
        for steps in (256, 1024):
            rule = chain(Mix(equity=1.0), Cppi(0.9, multiplier=m, leverage=1e9, exposure="set"))
            last = one_asset(rule, steps=steps, sigma=s, drift=mu, rate=r, wealth=100.0).run(16_384, seed=2)
            power = (last["market"]["price_equity"].astype(float) / 100.0) ** m
            exact = 90.0 + (100.0 - 90.0 * math.exp(-r)) * power * math.exp(r - m * (r - 0.5 * s * s) - 0.5 * m * m * s * s)
            gap.append(estimate.mean(((100.0 * last.wealth - exact) / (exact - 90.0)) ** 2))
        assert math.sqrt(gap[0].value / gap[1].value) == pytest.approx(2.0, rel=0.1)
        wealth = 100.0 * last.wealth.astype(float)
        assert_near(estimate.mean(wealth), 105.434158)
        assert_near(deviation(wealth), 20.231595)
        assert_near(estimate.quantile(wealth, 0.5), 99.361290)
        assert_near(estimate.quantile(wealth, 0.2), 94.034821)
        assert wealth.min() > 90.0


class TestMixAndFloors:
    def test_constant_mix(self):
        """V_T = (S_T/S_0)^w exp[(1-w)(r + w s^2/2) T]; rebalanced on dates the mean is a product, known exactly."""
        w, mu, r, s, years, steps = 0.6, 0.08, 0.03, 0.2, 10.0, 252
        wealth = one_asset(Mix(equity=w), steps=steps, sigma=s, drift=mu, rate=r, years=years).run(65_536, seed=3).wealth
        dt = years / steps
        on_dates = (1.0 + w * math.expm1(mu * dt) + (1.0 - w) * math.expm1(r * dt)) ** steps
        assert_near(estimate.mean(wealth), on_dates)
        assert_near(estimate.mean(wealth), 1.8221188)
        assert_near(estimate.quantile(wealth, 0.5), 1.6955378)

    def test_monitoring_a_floor(self):
        """A floor of 70 is met twice as often when watched on 252 dates as at maturity."""
        result = one_asset(Mix(equity=1.0), steps=252, sigma=0.2, drift=0.08).run(131_072, seed=4)
        assert_near(estimate.mean(result["policy"]["lowest"] <= 0.7), 0.0386336)
        assert_near(estimate.mean(result.wealth <= 0.7), 0.0186085)
        assert_near(estimate.quantile(result.wealth, 0.2), 0.897336591)
        assert_near(estimate.tail_mean(result.wealth, 0.2), 0.805931239)

    @pytest.mark.parametrize(
        ("floor", "drift", "rate", "sigma", "truth"),
        [
            (0.93874881, 0.07, 0.02, 0.2, (0.9, 0.95872292, 1.05726292)),
            (0.70399015, 0.08, 0.03, 0.25, (0.7, 0.99433210, 1.08086904)),
        ],
    )
    def test_a_static_put_is_obpi(self, floor, drift, rate, sigma, truth):
        """V_T = q max(S_T, K) on every path, q = V_0 / (S_0 + P), so the floor q K is met and never broken."""
        policy = mc.policy.presets.static_put({"equity": 1.0}, floor)
        result = one_asset(policy, steps=12, sigma=sigma, drift=drift, rate=rate).run(100_000, seed=5)
        protected, units, mean = truth
        spot = result["market"]["price_equity"].astype(float) / 100.0
        np.testing.assert_allclose(result.wealth, units * np.maximum(spot, floor), rtol=3e-6)
        assert result.wealth.min() == pytest.approx(protected, rel=3e-6)
        assert_near(estimate.mean(result.wealth), mean)


@pytest.fixture(scope="module")
def under_q(gbm_market, presets):
    """Every named policy without costs; the market's numbers are Q's."""
    numbers = {"market.equity.sigma": 0.2 * math.sqrt(1.2), "market.equity.variance_premium": 1.0, "costs.rate": 0.0}
    study = mc.Study(gbm_market, presets, steps=12, recorders=(recorder.Wealth(), recorder.Trading()))
    return with_parameters(study, numbers | {"market.equity.drift": 0.03, "market.bond.drift": 0.03})


class TestFairness:
    def test_no_rule_earns_anything_under_q(self, under_q, presets):
        """E[e^{-rT} V_T] = 1 for whatever is held: options are bought at the price their payoff is worth."""
        result = under_q.run(65_536, seed=6)
        for name in presets:
            assert_near(estimate.mean(result[name]["wealth"]).scaled(math.exp(-0.03)), 1.0)
            assert not result[name]["cost_underlying"].any()
            assert not result[name]["cost_option"].any()

    def test_a_variance_premium_is_paid_by_who_buys_puts(self, under_q):
        """Paths less volatile than the price of options: the test above must see it, in the policies that hold some and in no other."""
        mixed = with_parameters(under_q, {"market.equity.sigma": 0.2, "market.equity.variance_premium": 1.2}).run(65_536, seed=6)
        z = {name: estimate.mean(mixed[name]["wealth"]).scaled(math.exp(-0.03)).z(1.0) for name in under_q.books}
        assert all(value < -2.0 * ERRORS for name, value in z.items() if name.endswith("put"))
        assert all(abs(value) < ERRORS for name, value in z.items() if not name.endswith("put"))

    def test_the_same_market_by_name(self, gbm_market, under_q):
        for name, asset in gbm_market.risk_neutral().assets.items():
            for field in dataclasses.fields(asset):
                ours, theirs = getattr(asset, field.name), getattr(under_q.market[name], field.name)
                np.testing.assert_allclose(ours, theirs, rtol=1e-6)


class TestDateByDate:
    """What is held, from the trace of every preset (float64, monthly, with costs)."""

    steps = 12

    @pytest.fixture
    def column(self, preset_trace):
        study, table = preset_trace
        return lambda name: table[name].to_numpy().reshape(-1, study.steps + 1)

    @pytest.fixture
    def discounts(self):
        return np.exp(-0.03 * (1.0 - np.arange(13) / 12.0))

    def test_static_put_is_bought_once_and_paid_by_the_mix(self, column):
        units, equity, bond = column("static_put.put.units"), column("static_put.equity.units"), column("static_put.bond.units")
        np.testing.assert_allclose(units[:, 1:-1], np.repeat(equity[:, 1:2], 11, axis=1), rtol=1e-12)
        assert np.all(column("static_put.put.strike")[:, 1:] == 95.0)
        assert np.all(column("static_put.put.expiry")[:, 1:] == 12)
        forward, variance = 100.0 * math.exp(0.015), 0.04 * 1.2
        premium = units[:, 1] * black("put", forward, 95.0, math.sqrt(variance), math.exp(-0.03))
        spent = equity[:, 1] * 100.0 + bond[:, 1] * 50.0 + premium + column("static_put.cost_option")[:, 1]
        np.testing.assert_allclose(spent, 1.0, rtol=1e-12)  # nothing borrowed, nothing left over

    @pytest.mark.parametrize(("name", "coverage", "tenor"), [("rolled_put", 0.8, 6), ("expiring_put", 1.0, 4)])
    def test_rolled_puts_roll_on_their_dates(self, column, name, coverage, tenor):
        spot, strike, expiry = column("equity.spot"), column(f"{name}.rolled_put.strike"), column(f"{name}.rolled_put.expiry")
        for date in range(self.steps):
            bought = date - date % 4
            np.testing.assert_allclose(strike[:, date + 1], 0.98 * spot[:, bought], rtol=1e-12)
            np.testing.assert_array_equal(expiry[:, date + 1], bought + tenor)
        held, equity = column(f"{name}.rolled_put.units"), column(f"{name}.equity.units")
        for date in (0, 4, 8):
            np.testing.assert_allclose(held[:, date + 1], coverage * equity[:, date + 1], rtol=1e-12)
            np.testing.assert_array_equal(held[:, date + 1], held[:, date + 3])

    def test_stop_loss_goes_out_on_the_first_date_below_and_stays_out(self, column, discounts):
        wealth, exposure = column("stop_loss.wealth"), column("stop_loss.exposure")
        line = 1.01 * 0.95 * discounts
        below = wealth < line
        out = np.logical_or.accumulate(below[:, :-1], axis=1)
        assert 0 < out[:, -1].sum() < len(out)
        assert np.any(out & (column("unhedged.wealth") > line)[:, :-1])  # the mix came back on some path; the rule did not
        np.testing.assert_array_equal(exposure[:, 1:][out], 0.0)
        assert np.all(exposure[:, 1:][~out] > 0.9)

    def test_stop_loss_remembers(self):
        """Above its line again (another stage may hold what recovers), it stays out."""
        seen = SimpleNamespace(wealth=2.0, start_wealth=1.0, width=0.0, floor_value=float, scale=lambda target, factor: factor)
        assert StopLoss(0.9).act({}, seen, (jnp.array(0.0), ())) == (0.0, (0.0, ()))
        assert StopLoss(0.9).act({}, seen, (jnp.array(1.0), ())) == (1.0, (1.0, ()))

    @pytest.mark.parametrize(("name", "target", "multiplier", "tolerance"), [("cppi", math.inf, 5.0, 0.0), ("vol_target_cppi", 0.1, 5.0, 0.02)])
    def test_scalers_and_band(self, column, discounts, gbm_market, weights, name, target, multiplier, tolerance):
        """The whole chain once more in NumPy: mix, EWMA volatility from the market's own, cushion, no-trade band."""
        size = np.array([w * float(gbm_market[n].sigma) for n, w in weights.items()])
        own = size @ to_matrix(gbm_market.correlation, list(weights)) @ size
        wealth, dt, decay = column(f"{name}.wealth"), 1.0 / 12.0, 2.0 ** (-1.0 / 5.0)
        spots = {n: column(f"{n}.spot") for n in weights}
        variance, held = np.full(len(wealth), own), {n: np.zeros(len(wealth)) for n in weights}
        traded = 0
        for k in range(self.steps):
            if k:
                basket = sum(w * spots[n][:, k] / spots[n][:, k - 1] for n, w in weights.items()) - 1.0
                variance = decay * variance + (1.0 - decay) * basket**2 / dt
            cushion = np.maximum(wealth[:, k] - 0.9 * discounts[k], 0.0)
            sleeve = np.minimum(wealth[:, k] * np.minimum(target / np.sqrt(variance), 1.0), multiplier * cushion)
            wanted = {n: w * sleeve / spots[n][:, k] for n, w in weights.items()}
            distance = sum(np.abs(wanted[n] - held[n]) * spots[n][:, k] for n in weights)
            trade = (distance >= tolerance * wealth[:, k]) | (k == 0)
            traded += trade.sum()
            held = {n: np.where(trade, wanted[n], held[n]) for n in weights}
            for n in weights:
                np.testing.assert_allclose(column(f"{name}.{n}.units")[:, k + 1], held[n], rtol=1e-10, atol=1e-15)
        assert (traded < self.steps * len(wealth)) == (tolerance > 0.0)


@pytest.fixture(scope="module")
def filters(gbm_market, weights):
    """One rule with no band, one of no width, a wide one."""
    rule = (Mix(weights), Cppi(0.9, 5.0))
    books = {"none": chain(*rule), "zero": chain(*rule, Band(0.0)), "wide": chain(*rule, Band(0.05))}
    return mc.Study(gbm_market, books, steps=24, recorders=(recorder.Wealth(), recorder.Trading()))


class TestBand:
    def test_a_band_trades_less(self, filters):
        result = filters.run(8192, seed=7)
        saved = result["none"]["turnover"] - result["wide"]["turnover"]
        assert estimate.mean(saved).value > 0.1 * result["none"]["turnover"].mean()
        np.testing.assert_allclose(result["zero"]["wealth"], result["none"]["wealth"], rtol=1e-5)
        np.testing.assert_allclose(result["zero"]["turnover"], result["none"]["turnover"], rtol=1e-4)


def standardised(x):
    return (x - x.mean()) / x.std()


def test_vol_target_under_heston():
    """With w = s*/sqrt(v) and mu = r, ln V_T ~ N((r - s*^2/2) T, s*^2 T) whatever rho and xi; daily dates add 0.15 % to its sd.

    The rule that estimates its volatility lands on the target less exactly: within 5 %, noise of a 20-day estimate and its lag.
    """
    r, target = 0.03, 0.1
    equity = mc.market.Heston(spot=100.0, v0=0.04, kappa=4.0, theta=0.04, vol_of_vol=0.3, rho=-0.7, drift=r)
    books = {
        "instant": chain(Mix(equity=1.0), ForecastVolTarget(target, mc.market.Own(), leverage=1e9)),
        "estimate": chain(Mix(equity=1.0), VolTarget(target, initial=0.2)),
        "none": Mix(equity=1.0),
    }
    market = mc.market.Market({"equity": equity}, rate=r)
    result = mc.Study(market, books, steps=252, recorders=(recorder.Wealth(), recorder.Volatility())).run(32_768, seed=8)
    log = np.log(result["instant"]["wealth"].astype(float))
    assert_near(estimate.mean(log), r - 0.5 * target**2)
    assert_near(deviation(log), target)
    skew = {name: estimate.mean(standardised(np.log(result[name]["wealth"])) ** 3).z(0.0) for name in books}
    assert abs(skew["instant"]) < ERRORS < 3.0 * ERRORS < -skew["none"]
    assert result["estimate"]["volatility"].mean() == pytest.approx(target, rel=0.05)
    spread = {name: result[name]["volatility"].std() / result[name]["volatility"].mean() for name in books}
    assert spread["instant"] == pytest.approx(1.0 / math.sqrt(2.0 * 252), rel=0.03)  # of a variance measured on 252 days, nothing more
    assert spread["estimate"] < spread["instant"] < 0.5 * spread["none"]  # an estimate made of the same days corrects itself


@pytest.mark.parametrize("sigma", [0.1, 0.7])
def test_a_vol_target_begins_with_the_markets_own_estimate(sigma):
    """From the first day at the target, whatever the asset: an asset of 70 % once began fully invested and realised .132 of .10 in its year."""
    market = mc.market.Market({"equity": mc.market.GBM(spot=100.0, sigma=sigma, drift=0.05)}, rate=0.02)
    rule = {"own": chain(Mix(equity=1.0), VolTarget(0.05)), "stated": chain(Mix(equity=1.0), VolTarget(0.05, initial=0.05))}
    result = mc.Study(market, rule, steps=5, years=5 / 252, recorders=(recorder.Volatility(),)).run(4096, block=4096, devices=1)
    square = {book: estimate.mean(result[book]["volatility"].astype(float) ** 2) for book in rule}
    assert square["own"].value ** 0.5 == pytest.approx(0.05, rel=0.03)  # five days tell little: what moved is the weight of later ones
    assert square["stated"].value ** 0.5 > 0.5 * sigma


def test_what_a_market_says_of_a_mix():
    """Brownian motions by their correlation, jumps by their second moment, a bond index against the rate that drives it."""
    g = mc.market
    two = g.Market({"a": g.GBM(spot=1.0, sigma=0.3), "b": g.GBM(spot=1.0, sigma=0.1)}, {"a-b": -0.5})
    shares, seen = {"a": 0.6, "b": 0.4}, {"a": 0.09, "b": 0.01}
    assert two.variance_of(shares, seen) == pytest.approx(0.18**2 + 0.04**2 - 0.18 * 0.04, rel=1e-6)
    merton = g.Merton(spot=1.0, sigma=0.2, intensity=5.0, jump_mean=-0.1, jump_sd=0.2)
    kou = g.Kou(spot=1.0, sigma=0.2, intensity=5.0, up_probability=0.25, up_mean=0.1, down_mean=0.2)
    for asset, square in ((merton, 0.1**2 + 0.2**2), (kou, 2.0 * (0.25 * 0.1**2 + 0.75 * 0.2**2))):
        assert g.Market({"a": asset}).variance_of({"a": 1.0}, {"a": 0.04}) == pytest.approx(0.04 + 5.0 * square, rel=1e-6)
    rate = g.Vasicek(rate=0.03, kappa=0.2, theta=0.03, sigma=0.01)
    bonds = g.Market({"a": g.GBM(spot=1.0, sigma=0.3), "b": g.BondIndex(spot=1.0, maturity=10.0)}, {"a-rate": 0.5}, rate=rate)
    assert bonds.variance_of(shares, seen) == pytest.approx(0.18**2 + 0.04**2 - 0.18 * 0.04, rel=1e-6)
    by_regime = g.Regimes(
        ("calm", "crash"), {"calm-crash": 0.5, "crash-calm": 2.0}, start="crash", correlation={"calm": {"a-b": 0.0}, "crash": {"a-b": 0.9}}
    )
    both = {n: g.RegimeGBM(spot=1.0, drift={"calm": 0.0, "crash": 0.0}, sigma={"calm": 0.1, "crash": 0.3}) for n in "ab"}
    crashed = g.Market(both, regimes=by_regime).variance_of({"a": 0.5, "b": 0.5}, {"a": 0.09, "b": 0.09})
    assert crashed == pytest.approx(0.09 * (1.0 + 0.9) / 2.0, rel=1e-6)
    history = g.Bootstrap.from_history()
    moves, names = np.asarray(history.days.moves), history.days.names
    i, j = names.index("equity"), names.index("bond")
    c = np.corrcoef(moves[:, i], moves[:, j])[0, 1]
    shares = dict.fromkeys(names, 0.0) | {"equity": 0.6, "bond": 0.4}
    got = history.variance_of(shares, dict.fromkeys(names, 0.04), 0)
    assert float(got) == pytest.approx(0.04 * (0.36 + 0.16 + 0.48 * c), rel=1e-4)
