"""Greeks: contracts against Black's formulas and finite differences, studies against common-noise bumps of the same smooth program."""

import jax
import numpy as np
import pytest
from scipy.stats import norm

import mcengine as mc
from mcengine._model import parameters, replace, with_parameters
from mcengine.noise import make_key


@pytest.mark.parametrize(("kind", "spot", "strike", "vol", "rate", "years"), [("call", 100, 110, 0.2, 0.05, 1.0), ("put", 90, 70, 0.35, 0.01, 0.25)])
def test_contract_greeks_are_black_s(float64, kind, spot, strike, vol, rate, years):
    instrument = mc.instrument.Option(kind, strike, years)
    got = mc.greeks.of(instrument, mc.market.GBM(spot=spot, sigma=vol), rate=rate)
    root = vol * np.sqrt(years)
    d1 = (np.log(spot / strike) + (rate + vol**2 / 2) * years) / root
    d2, sign = d1 - root, 1 if kind == "call" else -1
    discount = np.exp(-rate * years)
    want = {
        "price": sign * (spot * norm.cdf(sign * d1) - strike * discount * norm.cdf(sign * d2)),
        "delta": sign * norm.cdf(sign * d1),
        "gamma": norm.pdf(d1) / (spot * root),
        "vega": spot * norm.pdf(d1) * np.sqrt(years),
        "vanna": -norm.pdf(d1) * d2 / vol,
        "rho": sign * strike * years * discount * norm.cdf(sign * d2),
        "theta": -spot * norm.pdf(d1) * vol / (2 * np.sqrt(years)) - sign * rate * strike * discount * norm.cdf(sign * d2),
    }
    for name, value in want.items():
        assert got[name] == pytest.approx(value, rel=1e-9, abs=1e-12), name


def test_heston_contract_greeks_are_slopes_of_the_price(float64, compilations):
    asset = mc.market.Heston(spot=100.0, v0=0.04, kappa=2.0, theta=0.05, vol_of_vol=0.4, rho=-0.6)
    put = mc.instrument.Put(90.0, 0.5)
    got = mc.greeks.of(put, asset, rate=0.02)

    def price(spot=100.0, vol=0.2):
        return float(mc.greeks.value(put, replace(asset, spot=spot, v0=vol**2), 0.02))

    price(vol=0.21)
    before = compilations()
    assert got["delta"] == pytest.approx((price(100.01) - price(99.99)) / 0.02, rel=1e-6)
    assert got["gamma"] == pytest.approx((price(100.1) - 2 * price() + price(99.9)) / 0.01, rel=1e-4)
    assert got["vega"] == pytest.approx((price(vol=0.2001) - price(vol=0.1999)) / 0.0002, rel=1e-6)
    mc.greeks.of(mc.instrument.Put(95.0, 0.75), replace(asset, kappa=3.0), rate=0.01)
    assert compilations() == before, "other numbers of a contract and its market compile nothing"


def test_monte_carlo_price_has_the_greeks_price(compilations):
    call, asset = mc.instrument.Call(100.0, 1.0), mc.market.GBM(spot=100.0, sigma=0.2, dividend=0.03)
    estimate = mc.price(call, asset, rate=0.05, paths=200_000, steps=4)
    assert abs(estimate.z(mc.greeks.of(call, asset, rate=0.05)["price"])) < 4
    before = compilations()
    call, asset = mc.instrument.Call(90.0, 2.0), replace(asset, sigma=0.3)
    estimate = mc.price(call, asset, rate=0.01, paths=200_000, steps=4, seed=1)
    assert abs(estimate.z(mc.greeks.of(call, asset, rate=0.01)["price"])) < 4
    assert compilations() == before


NAMES = ("market.equity.shock", "market.bond.shock", "market.equity.v0", "market.equity.theta", "market.rate.rate", "policy.cppi.multiplier")
WIDTH = 0.02


@pytest.fixture(scope="module")
def smooth_study(heston_market):
    chain, p = mc.policy.chain, mc.policy
    rule = chain(p.Mix(equity=0.6, bond=0.4), p.StopLoss(0.85), p.VolTarget(0.1), p.Cppi(0.8, 4.0), p.Band(0.02))
    return mc.Study(heston_market, rule, mc.ledger.Proportional(1e-3), years=0.25, steps=63, width=WIDTH)


@pytest.mark.parametrize("bump", [1e-3, 1e-5])
def test_study_greeks_against_common_noise_bumps(float64, smooth_study, bump):
    """Within 3 paired errors and the bump's own curvature (a second bump of twice the size tells it)."""
    paths, batches = 1024, 8
    at = {name: float(parameters(smooth_study)[name]) for name in NAMES}

    def loss(outcomes, extra):
        return outcomes["policy"]["wealth"], {}

    gradient = mc.engine.BatchGradient(smooth_study, loss, NAMES, label="test", block=paths // batches, devices=1)
    autodiff = [gradient(at, smooth_study, make_key(5, "pilot"), k)[2] for k in range(batches)]

    def bumped(name, h):
        moved = with_parameters(smooth_study, {name: at[name] + h})
        wealth = moved.run(paths, seed=5, stream="pilot", devices=1, block=1024, progress=False).wealth
        return wealth.reshape(batches, -1).mean(axis=1)

    for name in NAMES:
        h = bump * max(abs(at[name]), 0.1)
        slope = (bumped(name, h) - bumped(name, -h)) / (2 * h)
        wide = (bumped(name, 2 * h) - bumped(name, -2 * h)) / (4 * h)
        gap = np.array([float(a[name]) for a in autodiff]) - slope
        error = gap.std(ddof=1) / np.sqrt(batches)
        curvature = abs(slope.mean() - wide.mean())
        assert abs(gap.mean()) <= 3 * error + curvature + 1e-9, (name, gap.mean(), error, curvature)
        assert abs(slope.mean()) > 0.0, name


def test_a_hard_trigger_hides_from_autodiff_what_the_smooth_one_shows(heston_market):
    """A stop-loss sold into a fall: the pathwise derivative by a shock must see the trigger, as a finite bump of the hard rule does."""
    rule = mc.policy.chain(mc.policy.Mix(equity=1.0), mc.policy.StopLoss(0.97))
    study = mc.Study(heston_market, rule, mc.ledger.Proportional(0.02), years=0.25, steps=63)
    name = "market.equity.shock"
    up, down = (with_parameters(study, {name: h}).run(32_768, progress=False).wealth.astype(float) for h in (0.01, -0.01))
    slope = mc.statistics.estimate.mean((up - down) / 0.02)
    smooth = mc.greeks.study(study, [name], paths=32_768, width=0.004).loc[name, "derivative"]
    hard = mc.greeks.study(study, [name], paths=32_768, width=0.0).loc[name, "derivative"]
    assert abs(smooth.value - slope.value) < 4 * np.hypot(smooth.error, slope.error) + 0.03
    assert abs(hard.value - slope.value) > 8 * np.hypot(hard.error, slope.error)


def test_study_greeks_table(heston_market, weights, compilations):
    study = mc.Study(heston_market, mc.policy.presets.unhedged(weights), years=0.25, steps=21)
    table = mc.greeks.study(study, paths=16_384, width=0.0)
    # Unhedged, a shock moves wealth by the weight times its growth.
    shock = table.loc["market.equity.shock", "derivative"]
    assert abs(shock.value - 0.6) < 0.02
    assert shock.sampling == "batches"
    before = compilations()
    mc.greeks.study(with_parameters(study, {"market.equity.v0": 0.05, "market.rate.rate": 0.01}), paths=16_384, width=0.0, seed=3)
    assert compilations() == before
    with pytest.raises(ValueError, match=r"unknown parameter 'market\.equity\.volatility'"):
        mc.greeks.study(study, ["market.equity.volatility"])


def test_price_refuses_what_it_cannot_price():
    call = mc.instrument.Call(100.0, 1.0, asset="equity")
    market = mc.market.Market({"bond": mc.market.GBM(spot=100.0, sigma=0.1)})
    with pytest.raises(ValueError, match="unknown asset 'equity'"):
        mc.price(call, market)
    with pytest.raises(ValueError, match=r"Option\.strike: expected a number above 0"):
        mc.instrument.Call(-1.0, 1.0)
    assert jax.tree.leaves(call)
