"""The engine: a path is an address. Same bits everywhere, one compilation, nothing seen early, no silent NaN."""

from typing import ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import mcengine as mc
from mcengine._model import Scalar, model, number, parameters, replace, with_parameters
from mcengine.engine import recorder
from mcengine.engine.path import Simulation
from mcengine.engine.prepared import PreparedStudy
from mcengine.engine.trace import outcomes as traced_outcomes
from mcengine.noise import Path, make_key, path_ids
from mcengine.pricing import BlackPricer

PATHS = 16_384 + 100
BLOCK = 4096
FAR = 2**33 + 5  # an id that needs both words


@pytest.fixture(scope="module")
def study(heston_market, weights):
    """Heston, options, a volatility target, CPPI and a band: every kind of state a path carries."""
    made = mc.policy.presets
    books = {"put": made.rolled_put(weights, 0.98, tenor=6, roll=4), "rule": made.vol_target_cppi(weights, 0.9, halflife=5.0)}
    return mc.Study(heston_market, books, costs=mc.ledger.Proportional(5e-4, 0.01), steps=24)


@pytest.fixture(scope="module")
def result(study):
    return study.run(PATHS, seed=3, block=BLOCK, devices=1)


@pytest.fixture(scope="module")
def mix_study(gbm_market, weights):
    """The least that is a study."""
    return mc.Study(gbm_market, mc.policy.presets.unhedged(weights), steps=24, recorders=(recorder.Wealth(),))


def assert_same_bits(ours, theirs, pick=slice(None)):
    for book, columns in theirs.items():
        for name, column in columns.items():
            np.testing.assert_array_equal(ours[book][name][pick], column, err_msg=f"{book}/{name}")


class TestOnePathEverywhere:
    @pytest.mark.parametrize(("block", "devices"), [(64, 1), (16_384, 1), (BLOCK, 2)])
    def test_any_block_any_number_of_devices(self, study, result, block, devices):
        if devices > len(jax.devices()):
            pytest.skip(f"needs {devices} devices")
        assert_same_bits(study.run(PATHS, seed=3, block=block, devices=devices).outcomes, result.outcomes)

    def test_in_its_trace(self, study, result):
        ids = [0, 63, 64, 5000, PATHS - 1]
        assert_same_bits(result.outcomes, traced_outcomes(study, ids, seed=3), pick=ids)

    def test_the_table_ends_at_the_outcome(self, study, result):
        last = study.trace([0, 63, 5000], seed=3).xs(24, level="step")
        for book in study.books:
            np.testing.assert_array_equal(last[f"{book}.wealth"], result[book]["wealth"][[0, 63, 5000]])
        np.testing.assert_array_equal(last["equity.spot"], result["market"]["price_equity"][[0, 63, 5000]])

    def test_outcomes_are_what_the_table_shows(self, study, result):
        """Every recorder once more in pandas."""
        table, ids = study.trace(range(32), seed=3), slice(0, 32)
        for book in study.books:
            one = {name: table[f"{book}.{name}"].unstack("step") for name in ("wealth", "cost_underlying", "cost_option")}
            wealth = one["wealth"]
            change = wealth.pct_change(axis=1).iloc[:, 1:]
            traded, sleeve = 0.0, 0.0
            for asset in study.market.assets:
                units, spot = table[f"{book}.{asset}.units"].unstack("step"), table[f"{asset}.spot"].unstack("step")
                traded = traded + units.diff(axis=1).abs() * spot.shift(1, axis=1)
                sleeve = sleeve + units * spot.shift(1, axis=1)
            before = wealth.shift(1, axis=1)
            expected = {
                "lowest": wealth.min(axis=1),
                "drawdown": (1.0 - wealth / wealth.cummax(axis=1)).max(axis=1),
                "volatility": np.sqrt((change**2).mean(axis=1) * 24),
                "turnover": (traded / before).sum(axis=1),
                "exposure": (sleeve / before).sum(axis=1) / 24,
                "cost_underlying": one["cost_underlying"][24],
                "cost_option": one["cost_option"][24],
            }
            assert set(expected) | {"wealth"} == set(result[book])
            for name, values in expected.items():
                np.testing.assert_allclose(result[book][name][ids], values, rtol=2e-5, atol=2e-6, err_msg=f"{book}/{name}")

    def test_ids_are_64_bits_wide(self, study):
        far = study.run(100, first=FAR, block=64, devices=1).outcomes
        assert_same_bits(far, traced_outcomes(study, [FAR, FAR + 63, FAR + 64, FAR + 99]), pick=[0, 63, 64, 99])
        assert far["rule"]["wealth"][0] != study.run(100, first=5, block=64, devices=1)["rule"]["wealth"][0]

    def test_the_low_word_carries(self, study):
        across = study.run(64, first=2**32 - 10, block=64, devices=1).outcomes
        assert_same_bits(across, traced_outcomes(study, [2**32 - 1, 2**32, 2**32 + 53]), pick=[9, 10, 63])

    def test_parts_of_a_run_are_the_run(self, study, result):
        assert_same_bits(result.outcomes, study.run(64, seed=3, first=1000, block=64, devices=1).outcomes, pick=slice(1000, 1064))


class TestCompilation:
    def test_new_numbers_seeds_and_paths_meet_the_same_program(self, study, result):
        before = mc.engine.traces()
        other = with_parameters(study, {"policy.rule.cppi.multiplier": 3.0, "market.equity.v0": 0.09, "market.rate.rate": 0.01})
        changed = other.run(PATHS + 5000, seed=4, stream="train", block=BLOCK, devices=1)
        assert mc.engine.traces() == before
        assert changed.timings["compile_seconds"] == result.timings["compile_seconds"]  # of the making it remembers
        assert not np.array_equal(changed["rule"]["wealth"][:100], result["rule"]["wealth"][:100])

    def test_another_structure_is_another_program(self, mix_study):
        mix_study.run(64, block=64, devices=1)
        before = mc.engine.traces()
        mix_study.run(64, block=64, devices=1)
        replace(mix_study, delay=1).run(64, block=64, devices=1)
        assert mc.engine.traces() == before + 1

    def test_the_hash_is_not_repeated(self, study, result):
        """A step needs one philox block: 10 rounds of 4 xors, and one more for each normal's sign.

        It is one kernel that hashes: neither a kernel a round nor one for each leaf of the carry (see ``_kernel``).
        """
        if jax.default_backend() != "cpu":
            pytest.skip("reads the text of the CPU program")
        text = PreparedStudy(study, make_key(3)).forward(BLOCK, 1).text()
        once = 10 * 4 + study.market.n_factors
        assert 0.5 * once < text.count(" xor(") < 1.5 * once
        assert [part.count(" xor(") > 30 for part in text.split("\n\n")].count(True) == 1


class TestStreaming:
    def test_estimates_do_not_need_every_path(self, study, result):
        """Means agree to rounding, the rest far within the error: a kept quantile's own error enters squared."""
        part = study.run(PATHS, seed=3, block=BLOCK, devices=1, keep=5000)
        assert part.kept == 5000
        assert part["rule"]["wealth"].shape == (5000,)
        exact = result.estimates()
        for name, value in part.estimates().items():
            tolerance = 0.15 * exact[name].error if name.endswith(("p20", "worst_5")) else 1e-6 * abs(exact[name].value) + 1e-12
            assert value.value == pytest.approx(exact[name].value, abs=tolerance), name
            assert value.error == pytest.approx(exact[name].error, rel=0.15, abs=1e-12), name
            assert value.count == PATHS

    def test_a_figure_of_ones_own(self, study):
        figure = mc.statistics.Figure(lambda o: o["rule"]["wealth"] - o["put"]["wealth"])
        options = {"seed": 3, "block": BLOCK, "devices": 1}
        part = study.run(PATHS, keep=1000, figures={"gain": figure}, **options)
        assert part.estimate(figure, "gain").value == pytest.approx(study.run(PATHS, **options).estimate(figure).value, rel=1e-6)
        with pytest.raises(ValueError, match=r"kept: name figure 'other' in run\(figures=...\), or raise keep"):
            part.estimate(figure, "other")

    def test_outcomes_on_disk(self, study, result, tmp_path):
        written = study.run(PATHS, seed=3, block=BLOCK, devices=1, folder=tmp_path)
        assert isinstance(written["rule"]["wealth"], np.memmap)
        read = {b: {n: np.load(tmp_path / "outcomes" / b / f"{n}.npy") for n in columns} for b, columns in result.outcomes.items()}
        assert_same_bits(read, result.outcomes)


class TestRefusals:
    @pytest.mark.parametrize("paths", [0, -1, 1.5, 1e15, True])
    def test_a_number_of_paths_is_checked_before_compiling(self, study, paths):
        before = mc.engine.traces()
        with pytest.raises(ValueError, match=f"paths: expected a whole number from 1 to 1e.12, got {paths!r}"):
            replace(study, steps=22).run(paths)
        assert mc.engine.traces() == before

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"stream": "tests"}, "stream: expected one of test, train"),
            ({"seed": -1}, "seed: expected a whole number from 0"),
            ({"devices": 0}, "devices: expected a whole number from 1 to"),
            ({"devices": 4096}, "devices: expected a whole number from 1 to"),
        ],
    )
    def test_options(self, study, options, message):
        with pytest.raises(ValueError, match=message):
            study.run(64, **options)

    @pytest.mark.parametrize(
        ("field", "value", "message"),
        [
            ("steps", 0, "Study.steps: expected a whole number from 1 to 100,000, got 0"),
            ("steps", 2.5, "Study.steps: expected a whole number"),
            ("steps", 10**6, "Study.steps: expected a whole number"),
            ("delay", 2, "Study.delay: expected 0 or 1 dates"),
            ("years", 0.0, "Study.years: expected a number above 0"),
            ("wealth", -1.0, "Study.wealth: expected a number above 0"),
            ("wealth", float("nan"), "Study.wealth: expected a finite number"),
            ("policy", {}, "Study.policy: expected a policy or a dict of them, got none"),
            ("policy", mc.policy.Band(0.1), "Study.policy: expected an allocator or a chain that starts with one, got Band"),
        ],
    )
    def test_a_study_that_does_not_fit(self, mix_study, field, value, message):
        with pytest.raises(ValueError, match=message):
            replace(mix_study, **{field: value})

    def test_names(self, study, result):
        with pytest.raises(ValueError, match="unknown book 'rul'; did you mean rule"):
            result["rul"]
        with pytest.raises(ValueError, match="expected one policy, got put, rule"):
            _ = result.wealth
        with pytest.raises(ValueError, match=r"unknown parameter 'policy.rule.cppi.multiplyer'; did you mean policy.rule.cppi.multiplier"):
            with_parameters(study, {"policy.rule.cppi.multiplyer": 3.0})
        with pytest.raises(ValueError, match="trace: expected at least one path id"):
            study.trace([])

    def test_results_of_other_paths_are_not_paired(self, mix_study):
        one, other = (mix_study.run(64, seed=seed, block=64, devices=1) for seed in (0, 1))
        with pytest.raises(ValueError, match="compare: expected the same seed"):
            one.compare(other)
        same = one.compare(one)
        assert set(same["difference"]) == {"0 ± 0"}

    @pytest.mark.parametrize("steps", [10, 100])
    def test_year_ends_follow_a_replaced_calendar(self, mix_study, steps):
        assert replace(mix_study, steps=steps).year_steps == steps

    def test_yearly_figures_only_where_years_end_on_a_step(self, mix_study):
        """30 years in 252 steps were 31 "years" of 8 steps each."""
        long = replace(mix_study, years=30.0, steps=252)
        assert long.year_steps == 0
        assert "year_1" not in replace(long, years=29.9, steps=24).run(64, block=64, devices=1)["policy"]
        assert [key for key in mc.objective.figures(long, 0.9, benchmark=None) if "p20" in key] == ["policy/p20"]
        assert replace(mix_study, years=2.5, steps=60).year_steps == 24
        assert replace(mix_study, years=1.0 / 3.0, steps=84).year_steps == 252

    def test_a_study_of_computed_numbers_runs(self, gbm_market, weights):
        """``risk_neutral`` hands out JAX scalars: a study of them is checked and dated like any other."""
        study = mc.Study(gbm_market.risk_neutral(), mc.policy.presets.unhedged(weights), steps=24)
        assert study.year_steps == 24
        assert np.all(study.run(64, block=64, devices=1).wealth > 0.0)

    def test_a_book_called_market_would_hide_the_prices(self, gbm_market, weights):
        with pytest.raises(ValueError, match="market"):
            mc.Study(gbm_market, {"market": mc.policy.presets.unhedged(weights)}, steps=24)


BREAKS_AT = 3
THRESHOLD = 2.0


class _Row(NamedTuple):
    scale: Scalar
    breaks: Scalar


@model
class Breaking(mc.market.AbstractStandaloneAsset):
    """A price that is no number once a normal passes a threshold in one known step."""

    spot: Scalar = number()
    sigma: Scalar = number()
    dividend: Scalar = number(default=0.0)

    n_factors: ClassVar[int] = 1
    n_uniforms: ClassVar[int] = 0

    def loadings(self):
        return (1.0,)

    def table(self, times, dt):
        return _Row(self.sigma * jnp.sqrt(dt), jnp.arange(dt.shape[0]) == BREAKS_AT)

    def start(self):
        return self.spot

    def step(self, state, row, normals, uniforms):
        return jnp.where(row.breaks & (normals[0] > THRESHOLD), jnp.nan, state * jnp.exp(row.scale * normals[0]))

    def observe(self, state):
        return state, self.sigma**2

    def pricer(self):
        return BlackPricer(self.sigma**2)

    def risk_neutral(self, rate):
        return self


def test_a_number_that_is_none_stops_the_run():
    """The paths are known from the noise alone; the message names them, the date, the column and the replay."""
    market = mc.market.Market({"bond": mc.market.GBM(50.0, 0.06), "equity": Breaking(100.0, 0.2)})
    study = mc.Study(market, mc.policy.Mix(equity=1.0), steps=8, recorders=(recorder.Wealth(),))
    normals = jax.vmap(lambda path: mc.noise.Counter().begin(make_key(5), path, 8, 2).normals(BREAKS_AT, 2))(path_ids(1000, 256))
    broken = [1000 + int(i) for i in np.flatnonzero(np.asarray(normals[1]) > THRESHOLD)]
    assert len(broken) > 2
    with pytest.raises(mc.engine.NotFiniteError) as caught:
        study.run(256, first=1000, seed=5, block=64, devices=1)
    in_first_block = [i for i in broken if i < 1064]
    assert caught.value.ids == in_first_block
    assert f"first at step {BREAKS_AT + 1} in equity.spot" in str(caught.value)
    assert f"replay with study.trace({in_first_block}, seed=5, stream='test')" in str(caught.value)
    table = study.trace(in_first_block[:1], seed=5)
    assert np.isfinite(table["equity.spot"].to_numpy()[: BREAKS_AT + 1]).all()
    assert np.isnan(table["equity.spot"].to_numpy()[BREAKS_AT + 1 :]).all()


class TestDates:
    def test_a_delayed_decision_trades_at_the_next_date(self, mix_study, weights):
        """Row k + 1 holds what the wealth and prices of date k - 1 asked for; over the first step nothing is held."""
        table = replace(mix_study, delay=1).trace([0, 1])
        units, wealth, spot = (table[c].to_numpy().reshape(2, 25) for c in ("equity.units", "wealth", "equity.spot"))
        np.testing.assert_array_equal(units[:, 1], 0.0)
        np.testing.assert_allclose(units[:, 2:], (weights["equity"] * wealth / spot)[:, :-2], rtol=1e-6)
        now = mix_study.trace([0, 1])["equity.units"].to_numpy().reshape(2, 25)
        np.testing.assert_allclose(units[:, 2], now[:, 1], rtol=1e-6)

    def test_a_delayed_roll_does_not_buy_what_has_expired(self, gbm_market, weights):
        """Puts that expire on their roll date are settled there; the decision of the day before must not buy them back."""
        policy = mc.policy.presets.rolled_put(weights, 0.98, tenor=4, roll=4)
        study = mc.Study(gbm_market, policy, steps=12, delay=1, costs=mc.ledger.Proportional(0.0, 0.01))
        table = study.trace(range(8)).unstack("path")
        date = np.arange(13)[:, None]
        held = table["rolled_put.units"].to_numpy() != 0.0
        assert held[2].all()
        assert not np.any(held & (table["rolled_put.expiry"].to_numpy() < date))

    def test_years_follow_each_other(self, gbm_market, weights):
        study = mc.Study(gbm_market, mc.policy.presets.unhedged(weights), years=2.0, steps=24, recorders=(recorder.Wealth(), recorder.Years()))
        result = study.run(256, block=64, devices=1)
        first, second = (result["policy"][f"year_{k}"] for k in (1, 2))
        np.testing.assert_allclose(first * second, result.wealth, rtol=1e-6)
        np.testing.assert_allclose(study.trace([7])["wealth"].to_numpy()[12], first[7], rtol=1e-6)

    def test_one_year_has_no_years(self, result):
        assert not [name for name in result["rule"] if name.startswith("year_")]


@pytest.fixture(scope="module")
def influence(heston_market, presets):
    """Of every preset d(held over step k) / d(normals of step j), [steps, steps, factors] a slot; gates are smooth, so triggers count."""
    steps = 6
    study = mc.Study(heston_market, presets, steps=steps, costs=mc.ledger.Proportional(5e-4, 0.01), width=0.02)

    def held(draws):
        simulation = Simulation(replace(study, noise=mc.noise.Given(draws)))
        _, _, (_, _, books) = simulation.path(None, Path(0, 0), trace=True)
        return {name: {slot: position.units for slot, position in book.account.held.items()} for name, book in books.items()}

    draws = jnp.asarray(np.random.default_rng(2).standard_normal((steps, study.market.n_factors)))
    return jax.jacfwd(held)(draws)


@pytest.mark.parametrize("name", ["unhedged", "static_put", "rolled_put", "expiring_put", "stop_loss", "cppi", "vol_target_cppi"])
def test_nothing_is_seen_early(influence, name):
    """Exactly zero, not small: a holding is no function of a draw that comes later. What came before does move it."""
    jacobian = np.stack([np.abs(np.asarray(j)).max(axis=2) for j in influence[name].values()])
    later = np.triu(np.ones(jacobian.shape[1:], bool))  # row k, held over step k, by draws of steps k and after
    assert np.all(jacobian[:, later] == 0.0)
    assert np.all(jacobian.max(axis=0)[~later] > 0.0)


class TestCommonNoise:
    def test_two_rules_meet_the_same_market(self, study, heston_market, weights, result):
        other = mc.Study(heston_market, mc.policy.presets.unhedged(weights), steps=24, recorders=(recorder.Wealth(),)).run(
            PATHS, seed=3, block=BLOCK, devices=1
        )
        for name, prices in other["market"].items():
            np.testing.assert_array_equal(prices, result["market"][name])

    def test_one_asset_more_leaves_the_others_alone(self, mix_study, gbm_market):
        assets = dict(gbm_market.assets) | {"gold": mc.market.GBM(10.0, 0.15)}
        wider = replace(mix_study, market=mc.market.Market(assets, gbm_market.correlation, gbm_market.rate))
        one, other = (s.run(256, block=64, devices=1)["market"] for s in (mix_study, wider))
        np.testing.assert_allclose(one["price_equity"], other["price_equity"], rtol=2e-6)

    @pytest.mark.parametrize("options", [{"seed": 1}, {"stream": "train"}, {"first": 64}])
    def test_other_addresses_are_other_paths(self, mix_study, options):
        one, other = (mix_study.run(64, block=64, devices=1, **o)["market"]["price_equity"] for o in ({}, options))
        assert not np.any(one == other)


def test_every_number_of_a_study_has_a_name(study):
    names = parameters(study)
    assert {
        "market.equity.v0",
        "market.correlation.equity-bond",
        "policy.put.mix.weights.bond",
        "costs.rate",
        "years",
    } <= set(names)
    assert all(np.asarray(value).dtype == np.float64 for value in names.values())
