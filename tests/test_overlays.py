"""Overlays about events, ratcheted puts, the variance trade, the network: their decisions worked out by hand on a path, and what is refused."""

import numpy as np
import pytest
from reference import black
from scipy.stats import norm

import mcengine as mc
from mcengine.engine import BookGreeks, recorder
from mcengine.engine.split import Split
from mcengine.instrument import VarianceSwap
from mcengine.market import Ewma
from mcengine.policy import Cppi, DeltaHedge, EventOverlay, LegTarget, Mix, Neural, RatchetPut, StaticPut, VarianceTrade, chain

STEPS, DT = 12, 1.0 / 252
RATE, DIVIDEND, SIGMA, PREMIUM = 0.03, 0.015, 0.2, 1.2
"""Of ``gbm_market``."""

LEGS = LegTarget({"equity": 0.15, "bond": 0.07}, halflife=3.0, most=1.1)
OVER = EventOverlay("report", 6, vega=0.5, before=3, after=1, tenor=6)
RATCHET = RatchetPut(0.99, floor=0.9, enough=0.4, ratchet=0.5, coverage=0.8, tenor=4, roll=2, since=5)


def straddle(spot, steps, events=0.0):
    """(price, vega) of a straddle at the spot."""
    years = steps * DT
    forward, discount = spot * np.exp((RATE - DIVIDEND) * years), np.exp(-RATE * years)
    total = np.sqrt(PREMIUM * SIGMA**2 * years + events)
    d1 = np.log(forward / spot) / total + 0.5 * total
    price = black("call", forward, spot, total, discount) + black("put", forward, spot, total, discount)
    return price, 2.0 * discount * forward * norm.pdf(d1) * np.sqrt(years)


@pytest.fixture(scope="module")
def announced(gbm_market):
    return mc.replace(gbm_market, events={"report": mc.market.Event(date=6 * DT, sd={"equity": 0.03}, variance_premium=1.44)})


@pytest.fixture(scope="module")
def study(announced):
    split = Split(("equity",), ("report_call", "report_put"))
    rule = chain(Mix(equity=0.6, bond=0.3), LEGS, OVER, RATCHET)
    return mc.Study(announced, rule, steps=STEPS, years=STEPS * DT, recorders=(recorder.Wealth(), split))


@pytest.fixture(scope="module")
def table(study):
    return study.trace([0, 7], seed=3)


class TestEvent:
    @pytest.mark.parametrize("path", [0, 7])
    def test_bought_before_and_sold_after_for_a_vega_scaled_to_the_move(self, table, path):
        """Row k + 1 shows what was held from date k on. ``Fund`` scales the mix so that both cost the wealth there is."""
        one = table.loc[path]
        spot, wealth = one["equity.spot"].to_numpy()[3], one["wealth"].to_numpy()[3]
        move = np.sqrt(1.44) * 0.03
        price, vega = straddle(spot, 6, move**2)
        units = 0.5 * move * wealth / vega
        units *= wealth / (wealth + units * price)
        wanted = np.where((np.arange(STEPS + 1) > 3) & (np.arange(STEPS + 1) <= 7), units, 0.0)
        for leg in ("call", "put"):
            np.testing.assert_allclose(one[f"report_{leg}.units"], wanted, rtol=2e-5, atol=1e-12)
            assert one[f"report_{leg}.strike"].to_numpy()[4] == pytest.approx(spot, rel=1e-6)

    @pytest.mark.parametrize("path", [0, 7])
    def test_the_ratchet_after_the_event(self, table, path):
        """Puts from the first roll after ``since`` on; strikes that keep half of what the last was higher; fewer as the cushion grows."""
        one = table.loc[path]
        spot, wealth, held, strike = (one[n].to_numpy() for n in ("equity.spot", "wealth", "ratchet_put.units", "ratchet_put.strike"))
        assert (held[:7] == 0.0).all()
        last = 0.0
        for date in (6, 8, 10):
            fresh = 0.99 * spot[date]
            last = fresh + 0.5 * max(last - fresh, 0.0)
            assert strike[date + 1] == pytest.approx(last, rel=1e-6)
            cushion = 1.0 - 0.9 * np.exp(-RATE * (STEPS - date) * DT) / wealth[date]
            assert held[date + 1] / one["equity.units"].to_numpy()[date + 1] == pytest.approx(0.8 * (1.0 - cushion / 0.4), rel=1e-5)

    @pytest.mark.parametrize("path", [0, 7])
    def test_each_leg_is_at_its_own_volatility(self, table, path):
        """Before anything is bought. The estimate begins at the quote's and forgets half in three steps."""
        one = table.loc[path]
        wealth = one["wealth"].to_numpy()
        for asset, weight, target, volatility in (("equity", 0.6, 0.15, SIGMA), ("bond", 0.3, 0.07, 0.06)):
            spot, units, variance = one[f"{asset}.spot"].to_numpy(), one[f"{asset}.units"].to_numpy(), volatility**2
            for date in range(3):
                if date:
                    variance += (1.0 - 2.0 ** (-1.0 / 3.0)) * (np.log(spot[date] / spot[date - 1]) ** 2 / DT - variance)
                factor = min(target / np.sqrt(variance), 1.1)
                assert units[date + 1] == pytest.approx(weight * wealth[date] / spot[date] * factor, rel=2e-5)

    def test_profit_is_split(self, study, table):
        """The straddle's is what it was sold for less what it was bought for; the mix's is its gains and dividends."""
        outcomes = study.run(8, seed=3, progress=False)["policy"]
        one = table.loc[7]
        spot = one["equity.spot"].to_numpy()
        price, _ = straddle(spot[3], 6, 1.44 * 0.03**2)
        sold = one["report_call.price"].to_numpy()[7] + one["report_put.price"].to_numpy()[7]
        gained = one["report_call.units"].to_numpy()[4] * (sold - price)
        kept = np.sum(one["equity.units"].to_numpy()[1:] * (spot[1:] * np.exp(DIVIDEND * DT) - spot[:-1]))
        assert outcomes["pnl_alpha"][7] == pytest.approx(gained, abs=1e-6)
        assert outcomes["pnl_protection"][7] == pytest.approx(kept, abs=1e-6)
        rest = outcomes["wealth"] - 1.0 - outcomes["pnl_alpha"] - outcomes["pnl_protection"]
        np.testing.assert_allclose(outcomes["pnl_rest"], rest, atol=1e-6)


def test_legs_want_a_target():
    with pytest.raises(ValueError, match=r"LegTarget.targets: expected a volatility by asset, got none"):
        LegTarget({})
    with pytest.raises(ValueError, match=r"LegTarget.targets.bond: expected a number above 0"):
        LegTarget({"bond": 0.0})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"options": "strangle"}, "EventOverlay.options: expected 'straddle' or 'call' or 'put', got 'strangle'"),
        ({"before": 0}, "EventOverlay.before: expected a whole number of steps, at least 1, got 0"),
        ({"before": 7}, "EventOverlay.before: expected at most date = 6 steps, got 7"),
        ({"tenor": 4}, r"EventOverlay.tenor: expected more than before \+ after = 4 steps, got 4"),
    ],
)
def test_an_overlay_with_such_dates_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        mc.replace(OVER, **changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"event": "raport"}, "EventOverlay.event: expected one that the market announces, got 'raport'; did you mean report"),
        ({"date": 7}, "EventOverlay.date: expected 6, the step of 'report' in the market, got 7"),
        ({"date": 12}, "EventOverlay.date: expected a date before the horizon, step 12, got 12"),
        ({"asset": "bond"}, "EventOverlay.move: expected a log-move, for 'report' does not move 'bond', got None"),
        ({"asset": "gold"}, "EventOverlay.asset: unknown asset 'gold'"),
    ],
)
def test_an_overlay_that_does_not_fit_its_market_is_refused(announced, changes, message):
    with pytest.raises(ValueError, match=message):
        mc.Study(announced, chain(Mix(equity=0.6), mc.replace(OVER, **changes)), steps=STEPS, years=STEPS * DT)


def test_history_wants_the_move():
    replay = mc.market.Replay.from_history({"equity": "spx"})
    with pytest.raises(ValueError, match=r"EventOverlay.move: expected a log-move, for this market announces no event, got None"):
        mc.Study(replay, chain(Mix(equity=0.6), OVER), steps=STEPS, years=STEPS * DT)


FORECASTS = {"short": (0.2, 5.0 * (0.2 - SIGMA * PREMIUM**0.5)), "none": (0.215, 0.0), "most": (0.5, 0.2)}
"""(forecast, vega over wealth) by name: the implied volatility of ``gbm_market`` is .2 sqrt(1.2) = .219 at every strike and expiry."""


@pytest.fixture(scope="module")
def swaps(gbm_market):
    """Under Q, where the fair volatility is .219 again; no leg beside the swap, so that all wealth moves by it."""
    swap = VarianceSwap(0.03, 6 * DT, "equity", notional=2.0)
    steady = {n: Ewma("equity", halflife=1e9, initial=f) for n, (f, _) in FORECASTS.items()}
    rules = {n: chain(Mix(equity=0.0), VarianceTrade(signal, tenor=6, roll=6, slot=n, swap=swap)) for n, signal in steady.items()}
    free = mc.ledger.Proportional(0.0)
    return mc.Study(gbm_market.risk_neutral(), rules, steps=STEPS, years=STEPS * DT, costs=free, recorders=(recorder.Wealth(),))


class TestVarianceTrade:
    def test_sign_size_and_cap(self, gbm_market):
        """Vega over wealth, to which the mix is in proportion, is size x gap within the cap; none where the gap is below the threshold."""
        steady = {n: Ewma("equity", halflife=1e9, initial=f) for n, (f, _) in FORECASTS.items()}
        rules = {n: chain(Mix(equity=0.6), VarianceTrade(signal, tenor=6, roll=4, slot=n)) for n, signal in steady.items()}
        table = mc.Study(gbm_market, rules, steps=6, years=6 * DT).trace([5], seed=1)
        spot = table["equity.spot"].to_numpy()
        for name, (_, wanted) in FORECASTS.items():
            for date in (0, 4):
                _, vega = straddle(spot[date], 6)
                call, put = (table[f"{name}.{name}_{leg}.units"].to_numpy()[date + 1] for leg in ("call", "put"))
                share = call / table[f"{name}.equity.units"].to_numpy()[date + 1] * 0.6 / spot[date]
                assert call == put
                assert share * vega == pytest.approx(wanted, rel=1e-3, abs=1e-12)

    def test_a_swap_is_sized_as_straddles_are(self, swaps):
        """Its vega is 2 x notional x discount x volatility, but for the mean return's square; ``Fund`` scales what is bought by 1 / (1 + share)."""
        table, discount, variance = swaps.trace([5], seed=1), np.exp(-RATE * 6 * DT), PREMIUM * SIGMA**2
        vega, price = 4.0 * discount * variance**0.5, 2.0 * discount * (variance - 0.03)
        for name, (_, wanted) in FORECASTS.items():
            units, wealth = table[f"{name}.{name}.units"].to_numpy(), table[f"{name}.wealth"].to_numpy()
            for date in (0, 6):
                share = units[date + 1] / wealth[date] * (1.0 + wanted / vega * price)
                assert share * vega == pytest.approx(wanted, rel=1e-3, abs=1e-12)

    def test_a_swap_is_fair(self, swaps):
        """E[e^{-rT} V_T] = V_0 bought or sold, within 3 errors, and it matters what is held."""
        result = swaps.run(65_536, seed=3, progress=False)
        for name, (_, wanted) in FORECASTS.items():
            wealth = result[name]["wealth"].astype(float)
            if wanted:
                assert abs(mc.statistics.estimate.mean(wealth).scaled(np.exp(-RATE * STEPS * DT)).z(1.0)) < 3.0, name
                assert wealth.std() > 1e-3
            else:
                np.testing.assert_allclose(wealth, np.exp(RATE * STEPS * DT), rtol=1e-6)

    @pytest.mark.parametrize(
        ("make", "message"),
        [
            (lambda: VarianceTrade(0.2), "VarianceTrade.forecast: expected a signal such as Ewma, got float"),
            (lambda: VarianceTrade(Ewma("equity"), swap=0.04), "VarianceTrade.swap: expected a VarianceSwap, .*, got 0.04"),
            (
                lambda: VarianceTrade(Ewma("equity"), swap=VarianceSwap(0.04, 0.1, "bond")),
                "VarianceTrade.swap: expected one on asset = 'equity', got one on 'bond'",
            ),
            (
                lambda: VarianceTrade(Ewma("equity"), swap=VarianceSwap(0.04, 0.1, "equity", notional=-1.0)),
                "VarianceTrade.swap: expected a notional above 0, got -1",
            ),
            (
                lambda: VarianceTrade(Ewma("equity"), strangle=0.1, swap=VarianceSwap(0.04, 0.1, "equity")),
                "VarianceTrade.strangle: expected None with a swap, .* got 0.1",
            ),
        ],
    )
    def test_what_is_no_trade(self, make, message):
        with pytest.raises(ValueError, match=message):
            make()

    def test_a_swap_lives_as_long_as_the_schedule(self, gbm_market):
        rule = chain(Mix(equity=0.6), VarianceTrade(Ewma("equity"), swap=VarianceSwap(0.04, 0.5, "equity")))
        with pytest.raises(ValueError, match=r"variance: expected a contract that lives as long as the schedule says, 21 steps .*, got VarianceSwap"):
            mc.Study(gbm_market, rule)

    def test_a_split_names_slots_of_some_book(self, gbm_market):
        rule = chain(Mix(equity=0.6), VarianceTrade(Ewma("equity")), DeltaHedge())
        with pytest.raises(ValueError, match="Split: unknown slot 'variance_cal'; did you mean variance_call"):
            mc.Study(gbm_market, rule, steps=6, recorders=(Split(alpha=("variance_cal",)),))
        with pytest.raises(ValueError, match=r"Split.alpha: expected slots that are not protection, got put"):
            Split(("put",), ("put",))


class TestNeural:
    @pytest.mark.slow
    def test_it_starts_at_the_rule_and_learns(self):
        """To the bit the rule at first; after a fit a higher return, on paths that it has not seen and within the same limit."""
        market = mc.market.Market({"equity": mc.market.GBM(spot=100.0, sigma=0.2, drift=0.12)}, rate=0.02)
        base, net = Cppi(0.9, 2.0), Neural(Cppi(0.9, 2.0), {"volatility": Ewma("equity")}, hidden=3)
        rule, study = (mc.Study(market, chain(Mix(equity=1.0), s), steps=6, recorders=(recorder.Wealth(),)) for s in (base, net))
        run = lambda s: s.run(8192, stream="test", progress=False)["policy"]  # noqa: E731
        before = run(rule)
        assert np.array_equal(run(study)["wealth"], before["wealth"])
        names = ["policy.neural.first", "policy.neural.last"]
        aim = mc.objective.floor_protection(floor=0.9, probability=0.02)
        fit = mc.optimise.fit(study, aim, steps=25, paths=1024, validation_paths=8192, train=names, progress=False)
        assert fit.feasible
        assert {"policy.neural.first[2,5]", "policy.neural.last[3]"} <= set(fit.table().index)
        after = run(fit.study)
        gain = mc.statistics.estimate.mean(after["wealth"].astype(float) - before["wealth"])
        assert gain.value > 4.0 * gain.error
        breach = mc.statistics.estimate.probability(after["lowest"] < 0.9)
        assert breach.value < 0.02 + 4.0 * breach.error

    @pytest.mark.parametrize(
        ("make", "message"),
        [
            (lambda: Neural(Mix(equity=1.0)), "Neural.base: expected a scaler such as Cppi, got Mix"),
            (
                lambda: Neural(chain(Cppi(0.9), StaticPut(0.9))),
                "Neural.base: expected a rule of the sleeve alone, got one that trades put",
            ),
            (lambda: Neural(Cppi(0.9), {"vol": 0.2}), "Neural.watches.vol: expected a signal such as Ewma, got float"),
            (lambda: Neural(Cppi(0.9), hidden=0), "Neural.hidden: expected a whole number, at least 1, got 0"),
            (lambda: Neural(Cppi(0.9), last=[0.0]), r"Neural.last: expected numbers of shape \(9,\), got \(1,\)"),
        ],
    )
    def test_what_is_no_network(self, make, message):
        with pytest.raises(ValueError, match=message):
            make()


WEIGHTS, TARGETS, HEDGED = {"equity": 0.6, "bond": 0.3}, {"equity": 0.2, "bond": 0.06}, {"equity": 0.6, "bond": 0.3}


class TestLimitsOfTheWholeBook:
    @staticmethod
    def rule(**changes):
        return mc.policy.overlay_presets.cross_asset(WEIGHTS, TARGETS, HEDGED, tenor=6, **changes)

    def test_less_of_the_book_while_one_is_broken(self, gbm_market):
        """Delta of sleeve, puts and forwards together: all that is wanted while it is within its limit, half on the first date beyond it."""
        free = self.rule()
        options = {"steps": STEPS, "years": STEPS * DT, "recorders": (BookGreeks(("delta",)),)}
        found = mc.Study(gbm_market, free, **options).trace([3], seed=1)
        wanted = (found["delta_equity"] + found["delta_bond"]).to_numpy()[1:]
        level = float(np.median(wanted))
        kept = mc.Study(gbm_market, self.rule(limits={"delta": {"high": level}}), **options).trace([3], seed=1)
        delta = (kept["delta_equity"] + kept["delta_bond"]).to_numpy()[1:]
        first = int(np.argmax(wanted > level))
        np.testing.assert_allclose(delta[:first], wanted[:first], rtol=1e-5)
        assert delta[first] == pytest.approx(0.5 * wanted[first], rel=1e-5)
        assert delta.max() <= level * (1.0 + 1e-5)

    @pytest.mark.parametrize(
        ("limits", "message"),
        [
            ({"delta": {"high": 0.2, "low": 0.4}}, r"GreekLimit.low: expected a number below high = 0.2, got 0.4; no book is within both"),
            ({"delta": {"high": -0.1}}, r"GreekLimit.low: expected a number below high = -0.1, got 0.1; no book is within both"),
            ({"delta": {"high": 0.9, "low": 0.4}}, "cross_asset.limits.delta: expected limits on either side of 0, .* got 0.4 and 0.9"),
            ({"vega": {"higher": 0.9}}, "cross_asset.limits.vega: expected high, and low where it is not -high, got {'higher': 0.9}"),
            ({"speed": {"high": 0.9}}, "GreekLimit.greek: expected 'delta' or"),
        ],
    )
    def test_refused(self, limits, message):
        with pytest.raises(ValueError, match=message):
            self.rule(limits=limits)

    def test_a_greek_that_the_book_lacks(self, gbm_market):
        rule = mc.policy.overlay_presets.cross_asset(WEIGHTS, TARGETS, {}, limits={"vega": {"high": 0.1}})
        with pytest.raises(ValueError, match=r"GreekLimit.greek: expected a Greek that the book has, got 'vega' of a book without options"):
            mc.Study(gbm_market, rule, steps=STEPS)
