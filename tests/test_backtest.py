"""Back-tests: no year sees behind itself, a walk that was killed ends the same, and every figure is found again by other means."""

import importlib
import json
import os
import subprocess
import sys
import time
from multiprocessing.pool import ThreadPool
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from scipy import stats

import mcengine as mc
from mcengine._model import parameters, with_parameters
from mcengine.backtest import metrics, sharpe, sim_to_real, tear_sheet, tries
from mcengine.backtest.plan import in_force
from mcengine.engine import program
from mcengine.engine.trace import outcomes
from mcengine.history.shipped import load

WEIGHTS = {"up": 0.5, "down": 0.3}
YEARS = [2007, 2008, 2009]


def prices(rows=6 * 52 + 1, seed=3):
    """Two assets, weekly from the last day of 2003 on; 2008 is bad."""
    z = np.random.default_rng(seed).standard_normal((rows, 2))
    dates = pd.date_range("2003-12-31", periods=rows, freq="7D")
    drift = np.where(dates.year == 2008, -0.012, 0.002)[:, None]
    return pd.DataFrame(100.0 * np.exp(np.cumsum(drift + z * [0.02, 0.01], axis=0)), index=dates, columns=["up", "down"])


def plan_on(data, **options):
    history = mc.backtest.History({"up": "up", "down": "down"}, data, 0.02)

    def calibrate(assets, end):
        logs = np.log(data.loc[:end, list(assets)]).diff().dropna()
        made = {n: mc.market.GBM(spot=100.0, sigma=logs[n].std() * 52**0.5, drift=logs[n].mean() * 52 + 0.5 * logs[n].var() * 52) for n in assets}
        return mc.market.Market(made, {"up-down": float(np.corrcoef(logs.T)[0, 1])}, rate=0.02)

    def books(weights):
        made = mc.policy.presets
        return {"unhedged": made.unhedged(weights), "vol_target_cppi": made.vol_target_cppi(weights, 0.9, halflife=5.0)}

    def fit(study):  # as far as the past is bad
        past = float(study.market.assets["up"].drift)
        return with_parameters(study, {"policy.vol_target_cppi.cppi.multiplier": 3.0 + 10.0 * abs(past)})

    given = {"fit": fit, "fitted": "vol_target_cppi", "costs": mc.ledger.Proportional(5e-4), "steps": 54, "paths": 256}
    return mc.backtest.Plan(history, books, calibrate, **{"weights": WEIGHTS} | given | options)


@pytest.fixture(scope="module")
def plan():
    return plan_on(prices())


@pytest.fixture(scope="module")
def walk(plan):
    return mc.backtest.walk_forward(plan, YEARS, progress=False)


def text(years):
    return [json.dumps(year, sort_keys=True) for year in years]


def changed_after(data, day):
    after = data.copy()
    rows = after.index > day
    after.loc[rows] *= np.exp(np.random.default_rng(9).standard_normal((rows.sum(), data.shape[1])) * 0.1)
    return after


class TestWalkForward:
    def test_no_year_sees_behind_itself(self, walk):
        """What comes after a year's end moves no bit of it: decisions, promises and what it came to."""
        other = mc.backtest.walk_forward(plan_on(changed_after(prices(), "2008-12-31")), YEARS, progress=False)
        assert text(other.years[:2]) == text(walk.years[:2])
        assert other.years[2]["numbers"] == walk.years[2]["numbers"]
        assert other.years[2]["days"]["wealth"] != walk.years[2]["days"]["wealth"]

    def test_within_a_year_no_decision_sees_the_next_days(self, plan, walk):
        """The exposure held over row k is decided on rows before it."""
        other = mc.backtest.walk_forward(plan_on(changed_after(prices(), "2009-06-30")), YEARS, progress=False)
        for book in walk.books:
            before, after = (np.array(w.years[2]["days"]["exposure"][book]) for w in (walk, other))
            seen = sum(day <= "2009-06-30" for day in walk.years[2]["days"]["dates"])
            np.testing.assert_array_equal(before[:seen], after[:seen])
            assert (before[seen:] != after[seen:]).any()

    def test_an_eye_on_the_future_would_be_seen(self, plan, monkeypatch):
        """With correlations of all days the first of the two tests fails."""

        def of_all_days(market):
            return jnp.atleast_2d(jnp.corrcoef(jnp.asarray(market.days.moves)[:, : len(market.days.names)], rowvar=False))

        monkeypatch.setattr(mc.market.Replay, "correlations", of_all_days)
        monkeypatch.setattr(program, "_cache", {})
        found = [
            mc.backtest.walk_forward(plan_on(data), YEARS[:2], progress=False).years[1]["days"]["wealth"]
            for data in (prices(), changed_after(prices(), "2008-12-31"))
        ]
        assert found[0]["unhedged"] == found[1]["unhedged"]
        assert found[0]["vol_target_cppi"] != found[1]["vol_target_cppi"]

    def test_one_program_for_all_years(self, plan, walk, compilations):
        before = compilations()
        mc.backtest.walk_forward(plan, YEARS, progress=False)
        assert compilations() == before
        assert len({year["rows"] for year in walk.years}) > 1

    def test_killed_and_resumed(self, plan, walk, tmp_path):
        calls = []

        def dies(study):
            calls.append(1)
            if len(calls) == 3:
                raise KeyboardInterrupt
            return plan.fit(study)

        file, this = tmp_path / "walk.journal", {"walk": "this"}
        with pytest.raises(KeyboardInterrupt):
            mc.backtest.walk_forward(plan_on(prices(), fit=dies), YEARS, journal=mc.engine.Journal(file, this, resume=False), progress=False)
        again = mc.backtest.walk_forward(plan, YEARS, journal=mc.engine.Journal(file, this, resume=True), progress=False)
        assert text(again.years) == text(walk.years)
        assert len(calls) == 3

    def test_what_came_is_the_price_of_the_mix(self):
        """Of one asset and no trade after the first day: wealth by hand."""
        history = mc.backtest.History({"up": "up"}, prices(), 0.02)
        hold = mc.policy.chain(mc.policy.Mix(up=1.0), mc.policy.Rebalance(mc.policy.Every(1000)))
        market = mc.market.Market({"up": mc.market.GBM(spot=100.0, sigma=0.1)})
        alone = mc.backtest.Plan(history, lambda weights: {"hold": hold}, lambda assets, end: market, {"up": 1.0}, steps=54, paths=64)
        year = mc.backtest.walk_forward(alone, [2007], progress=False).years[0]
        inside = prices()["up"].loc[year["start"] : year["end"]].to_numpy()
        assert len(inside) == year["rows"] + 1
        # Units are decided at the last close before the year and traded at the first one of it.
        units, grown = 1.0 / inside[0], np.exp(0.02 / 52 * (year["rows"] - 1))
        expected = (np.exp(0.02 / 52) - units * inside[1]) * grown + units * inside[-1]
        assert year["came"]["hold"]["return"] == pytest.approx(expected - 1.0, rel=2e-5)

    def test_promise_and_rank(self, walk):
        """A good past promises more than the bad year brings; ranks say so; the gap is drift and rest."""
        assert walk.values("unhedged", "return", "rank")[1] < 0.02
        gaps = sim_to_real.gaps(walk, "unhedged")
        for row in gaps.to_dict("index").values():
            assert row["gap"].value == pytest.approx(row["drift"].value + row["rest"].value, abs=1e-12)
            assert row["gap"].value == pytest.approx(row["came"].value - row["promised"].value, abs=1e-12)
        bad = walk.years[1]
        gap = {kind: bad[kind]["unhedged"]["return"] for kind in ("promised", "drifted", "came")}
        assert gap["drifted"] - gap["promised"] < -0.2
        assert abs(gap["came"] - gap["drifted"]) < 0.05  # nothing but its drift was otherwise
        assert bad["drifts"]["up"][1] < 0.0 < bad["drifts"]["up"][0]

    def test_a_rule_that_cannot_do_with_the_assets_of_a_late_year(self):
        """WTI ends in 2019, which is refused before 2018 is calibrated."""
        named = {"equity": 0.6, "bond": 0.3, "commodity": 0.1}

        def books(weights):
            return {"cross": mc.policy.overlay_presets.cross_asset(weights, targets=dict.fromkeys(named, 0.1), hedged=dict.fromkeys(weights, 0.5))}

        def never(assets, end):
            raise AssertionError(end)

        plan = mc.backtest.Plan(mc.backtest.History(), books, never, named)
        with pytest.raises(ValueError, match=r"2019, with equity, bond: LegTarget\.targets: unknown asset 'commodity'"):
            mc.backtest.walk_forward(plan, range(2017, 2021), progress=False)

    @pytest.mark.parametrize(
        ("options", "years", "message"),
        [
            ({"steps": 40}, YEARS, r"steps: expected at least 53, the rows of 200\d, got 40"),
            ({}, [2005], "year: expected one with two years of quotes before it, got 2005: up from 2003-12-31"),
            ({}, [], "years: expected at least one, got none"),
            ({"fitted": None}, YEARS, "Plan.fitted: expected the name of the rule that is fitted, got none"),
            ({"fitted": "cpi"}, YEARS, "Plan.fitted: expected one of unhedged, vol_target_cppi, got 'cpi'"),
        ],
    )
    def test_refused(self, options, years, message):
        with pytest.raises(ValueError, match=message):
            mc.backtest.walk_forward(plan_on(prices(), **options), years, progress=False)


class TestPeriods:
    def test_through_a_period_of_more_than_a_year(self, plan, walk):
        """From the peak: a year of ``Replay``, then another that starts at what it left; every start beside it."""
        found = mc.backtest.through(plan, walk, ["crisis_2008"], paths=512, progress=False)
        window = plan.history.period("crisis_2008", mc.history.named_periods()["crisis_2008"])
        assert window.rows == 73
        books = plan.with_numbers(plan.history.replay(window, 54), plan.books(WEIGHTS), walk.years[0]["numbers"])
        table = plan.study(plan.history.replay(window, 54, window.rows), books, recorders=(walk.recorder,)).trace([0, 52])
        for book in walk.books:
            first, then = (table.loc[start, f"{book}.wealth"].to_numpy() for start in (0, 52))
            row = found.loc[("crisis_2008", book)]
            assert row["from_peak"] == pytest.approx(first[52] * then[21] - 1.0, rel=1e-12)
            assert row["lowest"] == pytest.approx(min(first[:53].min(), first[52] * then[:22].min()), rel=1e-12)
            assert row["worst"] <= min(row["from_peak"], row["mean"])
            assert row["lowest_any"] <= row["lowest"]
            assert row["fitted"]

    def test_drawn_years_are_of_the_period_alone(self, plan, walk):
        """A calm period and a crisis of one history draw from different days, by one program."""
        found = mc.backtest.through(plan, walk, ["crisis_2008", "calm_2004_2006"], paths=512, progress=False)
        calm, crisis = (found.loc[(name, "unhedged"), "drawn_mean"] for name in ("calm_2004_2006", "crisis_2008"))
        logs = np.log(prices()).diff()
        for one, (start, end) in ((calm, ("2004-01-02", "2006-12-29")), (crisis, ("2007-10-09", "2009-03-09"))):
            inside = logs.loc[start:end].mean()
            assert one.value == pytest.approx(np.expm1(54 * (0.5 * inside["up"] + 0.3 * inside["down"])), abs=0.03 + 3.0 * one.error)
        assert crisis.value < -0.05 < calm.value

    def test_fewer_steps_than_a_year_has_rows(self):
        with pytest.raises(ValueError, match="steps: expected at least 52, the rows of a year of crisis_2008, got 51"):
            mc.backtest.through(plan_on(prices(), steps=51), names=["crisis_2008"], progress=False)

    def test_before_the_first_weights(self):
        plan = plan_on(prices(), weights={2006: WEIGHTS})
        assert "calm_2004_2006" not in mc.backtest.periods.covered(plan)
        assert "crisis_2008" in mc.backtest.periods.covered(plan)
        assert "no weights are in force" in mc.backtest.periods.notes(plan)[0]

    def test_unknown(self, plan):
        with pytest.raises(ValueError, match=r"periods: expected some of gulf_1990.*, got covid"):
            mc.backtest.through(plan, names=["covid"])


@pytest.fixture(scope="module")
def shipped():
    return mc.backtest.History()


class TestHistory:
    def test_oil_ends(self, shipped):
        assert shipped.year(2018).assets == ("equity", "bond", "commodity")
        year = shipped.year(2019)
        assert year.assets == ("equity", "bond")
        assert year.notes == ("commodity is left out of 2019, for it ends on 2019-01-03: its weight goes to equity, bond pro rata",)
        assert (year.start, year.end, year.rows) == ("2018-12-31", "2019-12-31", 250)
        assert mc.backtest.pro_rata({"equity": 0.6, "bond": 0.3, "commodity": 0.1}, year.assets) == pytest.approx({"equity": 2 / 3, "bond": 1 / 3})
        assert mc.backtest.pro_rata({"equity": 0.4, "bond": 0.3, "commodity": 0.1}, year.assets)["bond"] == pytest.approx(0.3 * 0.8 / 0.7)

    def test_an_asset_that_begins_later(self):
        data = prices()
        data["late"] = data["up"].where(data.index >= "2009-03-01")
        year = mc.backtest.History({name: name for name in data}, data, 0.02).year(2008)
        assert year.assets == ("up", "down")
        assert year.notes == ("late is left out of 2008, for it begins on 2009-03-04: its weight goes to up, down pro rata",)

    def test_a_year_begins_at_the_last_close_before_it(self, shipped):
        year, days = shipped.year(2008), shipped.days(("equity", "bond", "commodity"))
        assert (year.start, days.day(year.first), days.day(year.first + 1)[:4], year.end) == ("2007-12-31", "2007-12-31", "2008", "2008-12-31")

    def test_every_period_is_covered(self, shipped):
        known = mc.history.named_periods()
        windows = {name: shipped.period(name, one) for name, one in known.items()}
        assert all(windows.values())
        assert [name for name, window in windows.items() if len(window.assets) == 2] == ["covid_2020", "inflation_2022"]

    def test_weights_by_date(self):
        dated = {2005: {"a": 1.0}, "2008-06-30": {"a": 0.5, "b": 0.5}}
        assert in_force(dated, "2008-06-29") == {"a": 1.0}
        assert in_force(dated, "2008-12-31") == {"a": 0.5, "b": 0.5}
        with pytest.raises(ValueError, match="weights: expected some that are in force on 2004-12-31, got the first for 2005"):
            in_force(dated, "2004-12-31")
        with pytest.raises(ValueError, match=r"weights: expected a weight above 0 for one of c"):
            mc.backtest.pro_rata({"a": 1.0}, ("c",))

    def test_a_date_in_a_year_s_first_days_is_in_force_in_it(self, plan):
        """Looked up on the first traded day, not at the close before the year."""
        before, after = {"up": 0.5, "down": 0.3}, {"up": 0.2, "down": 0.3}
        for key in ("2008", "2008-01-01", "2008-01-02"):
            dated = plan_on(prices(), weights={1990: before, key: after})
            assert [dated.weights_at(plan.history.year(year)) for year in YEARS] == [before, after, after]
        late = plan_on(prices(), weights={1990: before, "2008-01-03": after})
        assert [late.weights_at(plan.history.year(year)) for year in YEARS] == [before, before, after]

    @pytest.mark.parametrize(
        ("weights", "message"),
        [
            ({1990: {"up": 0.5}, "down": 0.3}, "weights: expected all by date or none, got down beside 1990"),
            ({"2008-1-1": {"up": 0.5}}, "weights: expected weights by asset, or by a date like 2005-01-03, 2005-01 or 2005, got '2008-1-1'"),
        ],
    )
    def test_weights_by_date_are_refused(self, weights, message):
        with pytest.raises(ValueError, match=message):
            plan_on(prices(), weights=weights)


def test_figures_at_a_row_are_those_of_the_trace(gbm_market, weights):
    study = mc.Study(gbm_market, mc.policy.presets.unhedged(weights), steps=12, recorders=(mc.backtest.AtRows((5, 12)),))
    found, table = outcomes(study, range(64))["policy"], study.trace(range(64))
    wealth = table["wealth"].to_numpy().reshape(64, 13)
    for k in (5, 12):
        path = wealth[:, : k + 1]
        np.testing.assert_allclose(found[f"wealth_{k}"], path[:, -1], rtol=1e-6)
        np.testing.assert_allclose(found[f"lowest_{k}"], path.min(axis=1), rtol=1e-6)
        np.testing.assert_allclose(found[f"drawdown_{k}"], (1.0 - path / np.maximum.accumulate(path, axis=1)).max(axis=1), atol=1e-6)
        volatility = np.sqrt(np.mean(np.diff(path, axis=1) ** 2 / path[:, :-1] ** 2, axis=1) * 12)
        np.testing.assert_allclose(found[f"volatility_{k}"], volatility, rtol=1e-4)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ((), r"AtRows.rows: expected a tuple of at least one row, got \(\)"),
        ((0, 5), "AtRows.rows: expected whole numbers of at least 1, got 0"),
        ((2.5,), "AtRows.rows: expected whole numbers of at least 1, got 2.5"),
        ((5, 5), r"AtRows.rows: expected each row once, got \(5, 5\)"),
        ((5, 13), "AtRows.rows: expected at most 12, the steps of the study, got 13"),
    ],
)
def test_rows_that_there_are_not(gbm_market, weights, rows, message):
    with pytest.raises(ValueError, match=message):
        mc.Study(gbm_market, mc.policy.presets.unhedged(weights), steps=12, recorders=(mc.backtest.AtRows(rows),)).run(64, progress=False)


class TestRanks:
    def test_anderson_and_darling(self):
        """The upper 5 % point is 2.492 (Marsaglia & Marsaglia 2004), within 3 errors."""
        drawn = sim_to_real.anderson_darling(np.random.default_rng(1).random((20_000, 28)))
        assert np.mean(drawn > 2.492) == pytest.approx(0.05, abs=3.0 * (0.05 * 0.95 / 20_000) ** 0.5)

    def test_uniform_and_shifted(self):
        u = (np.arange(28) + 0.5) / 28
        even, low = sim_to_real.uniformity(u), sim_to_real.uniformity(u**2)
        assert min(even["ks"], even["ad"]) > 0.9
        assert max(low["ks"], low["ad"]) < 0.05
        assert low["mean"] - 0.5 < -2.0 * low["error"]
        assert even["ks"] == stats.kstest(u, "uniform").pvalue

    def test_what_years_can_detect(self):
        """Of n normal gaps the t-free bound 2.80 s / sqrt(n) has a power of 80 %; the shift of ranks that is found is found, half of it is not."""
        assert sim_to_real.detectable_mean(1.0) == pytest.approx(1.959964 + 0.841621, abs=1e-5)
        shift = sim_to_real.detectable_shift(28)
        z = np.random.default_rng(11).standard_normal((300, 28))
        power = [np.mean([stats.kstest(stats.norm.cdf(row + x), "uniform").pvalue < 0.05 for row in z]) for x in (shift, 0.5 * shift)]
        assert power[0] >= 0.8 - 3.0 * 0.4 / 300**0.5
        assert power[1] < 0.5

    def test_error_over_years(self):
        x = np.random.default_rng(2).standard_normal(28)
        assert sim_to_real.over_years(x).error >= x.std(ddof=1) / 28**0.5 * (1.0 - 1e-12)
        assert sim_to_real.over_years(np.cumsum(x)).error > 1.3 * np.cumsum(x).std(ddof=1) / 28**0.5
        assert np.isnan(sim_to_real.over_years(x[:2]).error)


class TestSharpe:
    @pytest.mark.parametrize(("tries_made", "published"), [(100, 0.9004), (46, 0.9505)])
    def test_bailey_and_lopez_de_prado(self, tries_made, published):
        """Their example (2014): 2.5 a year over five years of 250 days, skew -3, kurtosis 10, variance of the tries 1/2 a year."""
        best = sharpe.expected_best(tries_made, 0.5 / 250)
        assert tries_made != 100 or best == pytest.approx(0.1132, abs=5e-5)
        assert sharpe.probabilistic_sharpe(2.5 / 250**0.5, best, 1250, -3.0, 10.0) == pytest.approx(published, abs=5e-5)

    def test_the_best_of_many(self):
        drawn = np.random.default_rng(4).standard_normal((4000, 50)).max(axis=1)
        assert sharpe.expected_best(50, 1.0) == pytest.approx(drawn.mean(), rel=0.02)  # the formula is an approximation
        assert sharpe.expected_best(1, 1.0) == 0.0

    def test_one_try_is_not_deflated(self):
        excess = np.random.default_rng(5).normal(0.0005, 0.01, 1000)
        one = sharpe.deflated_sharpe(excess, np.array([0.05]))
        assert one == sharpe.probabilistic_sharpe(metrics.sharpe(excess), 0.0, 1000, stats.skew(excess), stats.kurtosis(excess, fisher=False))
        assert sharpe.deflated_sharpe(excess, np.array([0.05, 0.01, -0.03])) < one

    def test_the_error_counts_dependence(self):
        """Of independent returns sqrt((1 + S^2/2) / n) a row (Lo 2002); of sums over overlapping windows sqrt(size) times it, or nearly."""
        x = np.random.default_rng(6).normal(0.0005, 0.01, 4000)
        assert sharpe.estimated(x, 1.0).error == pytest.approx(4000**-0.5, rel=0.15)
        smooth = np.convolve(x, np.ones(10), "valid")
        assert sharpe.estimated(smooth, 1.0).error > 2.0 * 4000**-0.5


class TestTries:
    def test_a_configuration_counts_once(self, tmp_path):
        file = tmp_path / "made" / "tries.jsonl"
        one, other = tries.key({"a": 1, "b": 2}), tries.key({"a": 1, "b": 3})
        assert one == tries.key({"b": 2, "a": 1}) != other
        for name, ratio in ((one, 0.1), (other, 0.2), (one, 0.3)):
            tries.record(file, name, sharpe=ratio, book="cppi")
        assert tries.ratios(file).tolist() == [0.1, 0.2]
        assert tries.tries(file)[one]["book"] == "cppi"

    def test_what_was_cut_short_is_left_out(self, tmp_path, capsys):
        file = tmp_path / "tries.jsonl"
        tries.record(file, "a", sharpe=0.1)
        with file.open("a") as out:
            out.write('{"try": "b", "sha')
        tries.record(file, "c", sharpe=0.3)
        assert tries.ratios(file).tolist() == [0.1, 0.3]
        assert "line 2 of" in capsys.readouterr().err

    def test_many_at_a_time(self, tmp_path):
        file = tmp_path / "tries.jsonl"
        with ThreadPool(8) as pool:
            pool.map(lambda k: tries.record(file, str(k), sharpe=k / 100), range(64))
        assert sorted(tries.ratios(file)) == pytest.approx([k / 100 for k in range(64)])


@pytest.fixture(scope="module")
def daily():
    dates = pd.bdate_range("2001-03-15", periods=700)
    return pd.Series(np.random.default_rng(7).standard_t(4, 700) * 0.008 + 0.0003, dates)


class TestMetrics:
    def test_agree_with_empyrical(self, daily):
        empyrical = pytest.importorskip("empyrical")
        cash = 0.0001
        found = metrics.summary(daily.to_numpy(), 252, cash)
        expected = {
            "total_return": empyrical.cum_returns_final(daily),
            "annual_return": empyrical.annual_return(daily),
            "annual_volatility": empyrical.annual_volatility(daily),
            "sharpe": empyrical.sharpe_ratio(daily, cash),
            "sortino": empyrical.sortino_ratio(daily, cash),
            "calmar": empyrical.calmar_ratio(daily),
            "omega": empyrical.omega_ratio(daily, cash),
            "max_drawdown": empyrical.max_drawdown(daily),
            "tail_ratio": empyrical.tail_ratio(daily),
            "stability": empyrical.stability_of_timeseries(daily),
            "value_at_risk": empyrical.value_at_risk(daily),
            "cvar": empyrical.conditional_value_at_risk(daily),
        }
        for name, value in expected.items():
            assert found[name] == pytest.approx(float(value), rel=1e-9), name
        monthly = empyrical.aggregate_returns(daily, "monthly")
        np.testing.assert_allclose(tear_sheet.monthly(daily).drop(columns="year").stack().dropna(), monthly, rtol=1e-9)

    def test_numbers_of_empyrical(self):
        """Of empyrical-reloaded 0.7.1, for where it is not installed."""
        k = np.arange(300)
        found = metrics.summary(0.0005 + 0.01 * np.sin(1.0 * k * k), 252, 0.0001)
        expected = {
            "total_return": 0.10966961593067182,
            "annual_return": 0.09134660948289675,
            "annual_volatility": 0.11238081530304665,
            "sharpe": 0.609693259502492,
            "sortino": 0.902939081991741,
            "calmar": 1.431392791436191,
            "omega": 1.0893312086632154,
            "max_drawdown": -0.0638165918044368,
            "tail_ratio": 1.1051346238295556,
            "stability": 0.8207605699834954,
            "value_at_risk": -0.009352727613404091,
            "cvar": -0.009454939676463391,
        }
        assert {name: found[name] for name in expected} == pytest.approx(expected, rel=1e-9)

    def test_by_hand(self):
        found = metrics.summary(np.array([0.1, -0.5, 0.2, 0.0]), 2.0)
        assert found["total_return"] == pytest.approx(1.1 * 0.5 * 1.2 - 1.0)
        assert found["annual_return"] == pytest.approx(0.66**0.5 - 1.0)
        assert found["max_drawdown"] == pytest.approx(-0.5)
        assert found["omega"] == pytest.approx(0.3 / 0.5)
        assert found["win_share"] == pytest.approx(2 / 3)
        mean, deviation = -0.05, np.std([0.1, -0.5, 0.2, 0.0], ddof=1)
        assert found["sharpe"] == pytest.approx(mean / deviation * 2**0.5)
        assert found["sortino"] == pytest.approx(2.0 * mean / ((0.25 / 4) ** 0.5 * 2**0.5))

    def test_a_year_from_any_day_on(self, walk):
        table = metrics.any_year(walk)
        wealth = np.concatenate([[1.0], (1.0 + walk.returns["unhedged"]).cumprod()])
        assert table.loc["unhedged", "mean_return"].value == pytest.approx(np.mean(wealth[52:] / wealth[:-52] - 1.0))
        assert table.loc["unhedged", "worst"] == pytest.approx((wealth[52:] / wealth[:-52]).min() - 1.0)
        assert table.loc["unhedged", "mean_return"].sampling == "windows"


class TestTearSheet:
    def test_months_and_years(self, daily):
        table = tear_sheet.monthly(daily)
        assert list(table.index) == [2001, 2002, 2003]
        assert np.isnan(table.loc[2001, "Feb"])
        grown = (1.0 + table.drop(columns="year").fillna(0.0)).prod(axis=1) - 1.0
        np.testing.assert_allclose(grown, table["year"], rtol=1e-12)
        assert (1.0 + table["year"]).prod() == pytest.approx((1.0 + daily).prod())

    def test_drawdowns_have_their_dates(self):
        dates = pd.bdate_range("2001-01-01", periods=7)
        found = tear_sheet.drawdowns(pd.Series([0.1, -0.1, -0.1, 0.3, -0.2, 0.1, 0.0], dates))
        assert found["depth"].tolist() == pytest.approx([-0.2, 0.9 * 0.9 - 1.0], abs=1e-12)
        deepest, other = found.iloc[0], found.iloc[1]
        assert (deepest["peak"], deepest["trough"]) == (dates[3], dates[4])
        assert pd.isna(deepest["recovery"])
        assert (other["peak"], other["trough"], other["recovery"]) == (dates[0], dates[2], dates[3])
        assert other["depth"] == pytest.approx(-0.19)
        assert other["days"] == (dates[3] - dates[0]).days
        assert tear_sheet.underwater(pd.Series([-0.5, 1.5], dates[:2])).tolist() == [-0.5, 0.0]
        assert len(tear_sheet.drawdowns(pd.Series([0.1, 0.1], dates[:2]))) == 0

    def test_rolling_volatility(self, daily):
        rolled = tear_sheet.rolling_volatility(daily, 252, 63)
        assert rolled.iloc[62] == pytest.approx(daily.iloc[:63].std() * 252**0.5)
        assert rolled.iloc[:62].isna().all()


SCRIPTS = Path(__file__).resolve().parent.parent / "experiments"
FEWER = [f"~policies.{name}" for name in ("rolled_put", "stop_loss", "cppi")]


@pytest.fixture
def script(tmp_path, monkeypatch):
    """``script(arguments)`` gives the exit code of the experiment in this process, in an empty working directory with a weekly file."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(SCRIPTS))
    monkeypatch.setenv("MC_SMALL", "1")
    prices().to_csv("mine.csv", index_label="date")
    before = jax.config.jax_enable_x64
    own = ["data=mine.csv", "weights={up:0.5,down:0.3}", "backtest.rate=0.02", "backtest.drawn=0", "steps=53", "backtest.models={up:gbm,down:gbm}"]
    yield lambda *words: importlib.import_module("backtest").main([*own, "backtest.first=2007", "backtest.last=2009", *FEWER, *words])
    jax.config.update("jax_enable_x64", before)


class TestScript:
    def test_interrupted_and_resumed_on_a_file_of_ones_own(self, script, tmp_path, monkeypatch, capsys):
        true, calls = mc.engine.Journal._write, []

        def stops(*given):
            calls.append(1)
            if len(calls) == 3:
                raise KeyboardInterrupt
            return true(*given)

        with monkeypatch.context() as patch:
            patch.setattr(mc.engine.Journal, "_write", stops)
            assert script("hydra.run.dir=one") == 130
        assert "go on with: python experiments/backtest.py" in capsys.readouterr().err
        assert importlib.import_module("backtest").main(["resume=one"]) == 0
        said = capsys.readouterr().out
        assert said.index("What came against what was promised: vol_target_cppi, 2008 to 2009") < said.index("year by year")
        assert "crisis_2008" in said
        assert script("hydra.run.dir=whole", "plots=false") == 0
        one, whole = (tmp_path / name for name in ("one", "whole"))
        assert (one / "walk.journal").read_bytes().splitlines()[1:] == (whole / "walk.journal").read_bytes().splitlines()[1:]
        found, other = (json.loads((folder / "metrics.json").read_text()) for folder in (one, whole))
        assert found == other
        assert found["tries"] == 1
        assert len((tmp_path / "outputs" / "backtest" / "tries.jsonl").read_text().splitlines()) == 1
        assert {file.stem for file in one.glob("*.png")} == {"promises", "growth", "months", "periods"}
        days = pd.read_csv(one / "days.csv", index_col="date")
        assert (1.0 + days["unhedged"]).prod() - 1.0 == pytest.approx(found["figures"]["unhedged"]["total_return"])
        assert found["gaps"]["return"]["gap"]["value"] == pytest.approx(sum(found["gaps"]["return"][part]["value"] for part in ("drift", "rest")))

    def test_a_sweep_and_a_run_count_together(self, script, tmp_path, capsys):
        """Three configurations, one of them run alone and again in a sweep, are three tries of one file."""
        quick = ["backtest.first=2008", "backtest.last=2008", "backtest.fit=false", "backtest.periods=false", "plots=false"]
        assert script(*quick) == 0
        assert "one try in outputs/backtest/tries.jsonl: nothing to deflate by" in capsys.readouterr().out
        assert script("-m", "ledger.rate=0.0005,0.001,0.002", *quick) == 0
        said = [file.read_text() for file in tmp_path.rglob("output.txt")]
        assert any("of 3 tries in outputs/backtest/tries.jsonl" in text for text in said)
        assert len((tmp_path / "outputs" / "backtest" / "tries.jsonl").read_text().splitlines()) == 3
        assert len(list(tmp_path.rglob("tries.jsonl"))) == 1

    @pytest.mark.parametrize("shipped", [False, True])
    def test_the_calibration_sees_nothing_behind_its_end(self, script, shipped):
        """Of a file of one's own and of one with the shipped columns: what comes later moves no number of the market."""
        module, end = importlib.import_module("backtest"), "2007-12-26"
        table = load().frame.loc["1996":"2009"] if shipped else prices()
        assets = ("equity", "bond") if shipped else ("up", "down")
        own = ["weights={up:0.5,down:0.3}", "backtest.rate=0.02", "steps=53", "backtest.models={up:gbm,down:gbm}"]
        found = []
        for file, one in (("before.csv", table), ("later.csv", changed_after(table, end))):
            one.to_csv(file, index_label="date")
            plan = module.plan_of(mc.load_config([f"data={file}", *([] if shipped else own)], "backtest"))
            found.append([parameters(plan.calibrate(assets, day)) for day in (end, "2008-12-31")])
        assert str(found[0][0]) == str(found[1][0])
        assert str(found[0][1]) != str(found[1][1])

    @pytest.mark.parametrize("columns", [["equity", "bond"], ["spx", "ust10y"]])
    def test_whose_columns_they_are(self, script, tmp_path, columns):
        """A file is one's own where it has the columns that weights name and not the shipped ones, or where its assets or models are given."""
        module = importlib.import_module("backtest")
        table, more = prices().set_axis(columns, axis=1), {"vix": 20.0, "ust10y": 4.0} if "spx" in columns else {}
        table.assign(**more).to_csv("other.csv", index_label="date")
        data, plain = {"file": "other.csv"}, {"assets": None, "models": None}
        assert module._is_own(plain, data, ["equity", "bond"]) == ("equity" in columns)
        assert module._is_own({**plain, "models": {"equity": "gbm"}}, data, ["equity", "bond"])
        assert module._is_own({**plain, "assets": {"equity": "spx"}}, data, ["equity", "bond"])

    @pytest.mark.parametrize("market", ["heston", "replay"])
    def test_a_market_that_learns_nothing_is_refused(self, script, capsys, market):
        assert importlib.import_module("backtest").main([f"market={market}"]) == 2
        assert "market: expected one that is calibrated on the days before each year, as history or bootstrap, got" in capsys.readouterr().err

    @pytest.mark.parametrize(
        ("words", "message"),
        [
            (["backtest.first=2004", "backtest.last=2005"], "year: expected one with two years of quotes before it, got 2004"),
            (["weights={up:0.5,dwn:0.3}"], "dwn"),
            (["backtest.weights={2010: {up: 1.0}}"], "weights: expected some that are in force on 2008-01-02, got the first for 2010"),
            (["backtest.first=2009", "backtest.last=2007"], "backtest.last: expected a year from backtest.first on, which is 2009, got 2007"),
            (["steps=40"], "steps: expected at least 53, the rows of 2008, got 40"),
            (["trace=0"], "trace: expected null: days.csv has every day of every rule"),
            (["years=2.0"], "years: expected 1, for a back-test goes year by year, got 2.0"),
            (["backtest.frst=2007"], "backtest.frst"),
        ],
    )
    def test_refused_in_one_line(self, script, capsys, tmp_path, words, message):
        assert script(*words) == 2
        err = capsys.readouterr().err
        assert message in err
        assert len(err.splitlines()) == 1
        assert not (tmp_path / "outputs").exists()


@pytest.mark.slow
def test_the_whole_walk_of_the_default_book(tmp_path):
    """1995 to 2022 in less than five minutes of two cores, killed and resumed to the same bits; in 2008 the fitted rule keeps its floor."""
    environment = {**os.environ, "MC_CACHE": str(tmp_path / "cache")}
    command = [sys.executable, str(SCRIPTS / "backtest.py"), "backtest.periods=false", "plots=false"]
    before = os.times()
    subprocess.run([*command, "hydra.run.dir=whole"], cwd=tmp_path, env=environment, check=True, capture_output=True)
    after = os.times()
    assert after.children_user + after.children_system - before.children_user - before.children_system < 600.0
    journal = tmp_path / "one" / "walk.journal"
    with subprocess.Popen(
        [*command, "hydra.run.dir=one"], cwd=tmp_path, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as one:
        while one.poll() is None and not (journal.exists() and len(journal.read_bytes().splitlines()) > 3):
            time.sleep(0.5)
        one.kill()
    subprocess.run([*command[:2], "resume=one"], cwd=tmp_path, env=environment, check=True, capture_output=True)
    lines = journal.read_bytes().splitlines()[1:]
    assert lines == (tmp_path / "whole" / "walk.journal").read_bytes().splitlines()[1:]
    years = {year["year"]: year for year in (json.loads(line[9:]) for line in lines)}
    assert list(years) == list(range(1995, 2023))
    assert years[2008]["came"]["unhedged"]["lowest"] < 0.7 < 0.9 < years[2008]["came"]["vol_target_cppi"]["lowest"]
    assert years[2008]["rank"]["vol_target_cppi"]["return"] < 0.01
    assert [year for year in years if len(years[year]["assets"]) == 2] == [2019, 2020, 2021, 2022]
