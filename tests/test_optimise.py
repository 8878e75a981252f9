"""Fitting: what moves, what never moves, and that the constraint holds on paths the fit has not seen."""

import numpy as np
import pytest

import mcengine as mc
from mcengine._model import parameters, with_parameters
from mcengine.optimise import default_names


@pytest.fixture(scope="module")
def study(heston_market, weights):
    return mc.Study(heston_market, mc.policy.presets.vol_target_cppi(weights, 0.9, multiplier=2.0), mc.ledger.Proportional(5e-4), steps=24)


@pytest.fixture(scope="module")
def fitted(study):
    objective = mc.objective.FloorProtection(floor=0.9, probability=0.01)
    return mc.optimise.fit(study, objective, steps=40, paths=2048, validation_paths=16_384, progress=False)


def test_every_trainable_number_of_the_rule_moves_and_no_term_does(study, fitted):
    moved = {"policy.vol_target.target", "policy.vol_target.halflife", "policy.cppi.multiplier", "policy.band.tolerance"}
    assert set(fitted.names) == moved
    before, after = parameters(study), parameters(fitted.study)
    for name in before:
        same = np.array_equal(before[name], after[name]) if before[name] is not None else after[name] is None
        assert same != (name in moved), name
    assert float(after["policy.cppi.floor"]) == 0.9


def test_the_return_rises_and_the_constraint_holds_on_fresh_paths(study, fitted):
    assert fitted.feasible
    before = study.run(32_768, stream="test", progress=False)
    after = fitted.study.run(32_768, stream="test", progress=False)
    gain = mc.statistics.estimate.mean(after.wealth.astype(float) - before.wealth)
    assert gain.value > 4 * gain.error
    breach = mc.statistics.estimate.probability(after["policy"]["lowest"] < 0.9)
    assert breach.value < 0.01 + 4 * breach.error
    comparison = before.compare(after)
    assert comparison.loc[("policy", "wealth"), "note"] == ""


def test_a_fit_of_other_numbers_compiles_nothing(study, fitted, compilations):
    other = with_parameters(study, {"policy.cppi.multiplier": 3.0, "market.equity.v0": 0.05})
    before = compilations()
    mc.optimise.fit(other, mc.objective.FloorProtection(floor=0.85, probability=0.02), steps=1, paths=2048, validation_paths=16_384, progress=False)
    assert compilations() == before


def test_history_and_table_show_the_way(fitted):
    assert list(fitted.history.columns[:4]) == ["loss", "mean_return", "breach_any_day", "price"]
    assert len(fitted.history) == 40
    assert fitted.table().loc["policy.cppi.multiplier", "before"] == 2.0
    assert (fitted.history[list(fitted.names)] > 0).all().all()


def test_a_broken_constraint_is_pulled_back(heston_market, weights):
    """Steps far too large overshoot; what is returned still holds the limit, nearer to the start."""
    study = mc.Study(heston_market, mc.policy.presets.cppi(weights, 0.9, multiplier=2.0), steps=24)
    objective = mc.objective.FloorProtection(floor=0.9, probability=0.002)
    fit = mc.optimise.fit(
        study, objective, steps=4, paths=1024, learning_rate=1.0, price=1e-4, price_rate=0.0, validation_paths=16_384, progress=False
    )
    assert fit.chosen < 1.0
    assert fit.feasible


def test_numbers_at_the_end_of_their_range_stay(heston_market, weights):
    study = mc.Study(heston_market, mc.policy.presets.cppi(weights, 0.9, tolerance=0.0), steps=12)
    assert default_names(study) == ["policy.cppi.multiplier"]


def test_a_term_moves_only_when_named(heston_market, weights):
    study = mc.Study(heston_market, mc.policy.presets.cppi(weights, 0.9), steps=12)
    objective = mc.objective.FloorProtection(floor=0.9)
    fit = mc.optimise.fit(study, objective, steps=2, paths=128, train=["policy.cppi.floor"], validation_paths=256, progress=False)
    assert fit.names == ("policy.cppi.floor",)


@pytest.mark.parametrize(("train", "message"), [(["policy.cppi.multiplyer"], "did you mean policy.cppi.multiplier"), ([], "got none")])
def test_bad_names_are_refused(study, train, message):
    with pytest.raises(ValueError, match=message):
        mc.optimise.fit(study, mc.objective.FloorProtection(floor=0.9), train=train)


def test_fit_wants_one_policy(heston_market, weights):
    presets = mc.policy.presets
    two = mc.Study(heston_market, {"a": presets.unhedged(weights), "b": presets.unhedged(weights)}, steps=12)
    with pytest.raises(ValueError, match="expected a study of one policy, got a, b"):
        mc.optimise.fit(two, mc.objective.FloorProtection(floor=0.9))


def test_grid_points_are_the_studies_they_stand_for(study):
    values = [2.0, 4.0, 6.0]
    results = mc.grid(study, {"policy.cppi.multiplier": values}, 4096)
    single = mc.engine.run(results[1].study, 4096, progress=False)
    assert float(parameters(results[1].study)["policy.cppi.multiplier"]) == 4.0
    np.testing.assert_allclose(results[1].wealth, single.wealth, rtol=2e-5)
    assert results[0].wealth.mean() < results[1].wealth.mean() < results[2].wealth.mean()
    with pytest.raises(ValueError, match="as many values of each"):
        mc.grid(study, {"policy.cppi.multiplier": [1.0], "policy.vol_target.target": [0.1, 0.2]}, 64)
