"""Control variates: gains have mean zero, figures stay where they were and vary less, a hedged contract is worth as much."""

import math
from types import SimpleNamespace

import numpy as np
import pytest

import mcengine as mc
from mcengine._model import replace
from mcengine.engine.recorder import Gains, Wealth
from mcengine.instrument import Hedged
from mcengine.statistics import estimate
from mcengine.variance_reduction import control_variates

K = 4.0
PATHS = 16_384
MEAN, P20, END = "policy/mean_return", "policy/p20", "policy/breach_at_end"


@pytest.fixture(scope="module")
def fitted(heston_market, weights):
    """(figures, their controls, a run with gains recorded): a floored rule with costs, Heston and a lognormal asset with dividends."""
    study = mc.Study(heston_market, mc.policy.presets.cppi(weights, 0.85, multiplier=5.0), costs=mc.ledger.Proportional(5e-4), steps=12)
    study = replace(study, recorders=(Wealth(),))
    every = mc.objective.figures(study, 0.95, benchmark=None)
    tail = "policy/cvar_95"
    figures = {name: every[name] for name in (MEAN, P20, END, tail)}
    controls = control_variates.fit(study, figures, paths=PATHS)
    return figures, controls, control_variates.recording(study).run(PATHS, progress=False)


def test_gains_have_mean_zero(fitted):
    _, _, result = fitted
    columns = control_variates.gains(result.study, result.outcomes)
    assert columns.shape == (PATHS, 4)
    for column in columns.T:
        assert abs(estimate.mean(column).z(0.0)) < K
        assert column.std() > 0.01


def test_figures_stay_and_vary_less(fitted):
    figures, controls, result = fitted
    for name, figure in figures.items():
        plain, with_control = result.estimate(figure, name), controls[name].estimate(result)
        # The difference is the explained part, whose error is at most the plain one.
        assert abs(plain.value - with_control.value) < K * plain.error, name
        assert with_control.error < plain.error, name
        assert 0.7 < (plain.error / with_control.error) ** 2 / controls[name].ratio < 1.4, name
    # What is left of the mean is the premium earned on a varying exposure, and costs.
    assert controls[MEAN].ratio > 50.0
    assert controls[P20].ratio > 1.5


def test_batches_agree_with_their_errors(fitted):
    """Sixteen batches of the mean and the quantile scatter as their errors say."""
    _, controls, result = fitted
    columns = control_variates.gains(result.study, result.outcomes)
    for name in (MEAN, P20):
        parts = [slice(k, k + PATHS // 16) for k in range(0, PATHS, PATHS // 16)]
        batches = [controls[name].of({"policy": {"wealth": result.wealth[at]}}, columns[at], result.study.noise.sampling) for at in parts]
        spread = np.std([b.value for b in batches], ddof=1)
        error = math.sqrt(np.mean([b.error**2 for b in batches]))
        assert 0.5 < spread / error < 1.6, name  # chi of 15 degrees, 0.1 % to either side


def test_what_explains_nothing_is_left_out(fitted):
    _, _, result = fitted
    never = mc.objective.figure.breach_at_end("policy", 0.1)
    useless = control_variates.Control(never, np.ones(4), 1.0)
    assert useless.estimate(result) == result.estimate(never)
    assert useless.estimate(result).error > 0.0


def test_no_known_drift_no_control():
    study = SimpleNamespace(market=SimpleNamespace(assets={"replayed": object()}))
    with pytest.raises(ValueError, match=r"expected assets with a drift, .* got 'replayed' without"):
        control_variates.fit(study, {})


def test_recording_twice_is_once(heston_market):
    study = control_variates.recording(mc.Study(heston_market, mc.policy.Mix(equity=1.0), steps=4))
    assert control_variates.recording(study) is study
    assert sum(isinstance(r, Gains) for r in study.recorders) == 1


def test_delta_hedged_call_is_worth_as_much():
    """Black's price; with the hedge on 12 dates the variance falls by more than ten, and the error says so truly."""
    asset, call = mc.market.GBM(spot=100.0, sigma=0.2), mc.instrument.Call(strike=100.0, expiry=1.0)
    plain = mc.price(call, asset, rate=0.05, paths=PATHS, steps=12)
    hedged = mc.price(call, asset, rate=0.05, paths=PATHS, steps=12, control="delta")
    assert abs(hedged.z(10.450583572185565)) < K
    assert (plain.error / hedged.error) ** 2 > 20.0


def test_a_rough_hedge_costs_no_bias():
    """Hedged at half the volatility: the mean is the price all the same."""
    market = mc.market.Market({"asset": mc.market.GBM(spot=100.0, sigma=0.2)}, rate=0.05)
    call = mc.instrument.Call(strike=100.0, expiry=1.0)
    rough = Hedged(call, {"asset": mc.pricing.BlackPricer(variance=0.01)}, mc.pricing.Calendar(1.0, 12))
    value = mc.engine.payoffs({"hedged": rough}, market, paths=PATHS, steps=12).estimates["hedged"]
    assert abs(value.z(10.450583572185565)) < K


def test_control_refusals():
    asset, call = mc.market.GBM(spot=100.0, sigma=0.2), mc.instrument.Call(strike=100.0, expiry=1.0)
    with pytest.raises(ValueError, match="control: expected 'delta' or none, got 'gamma'"):
        mc.price(call, asset, control="gamma")
    with pytest.raises(ValueError, match=r"Hedged.contract: expected a contract with a price formula, got object"):
        Hedged(object(), {}, mc.pricing.Calendar(1.0, 12))
