"""How prices move: martingales, moments, published prices, degenerate limits, correlation, refusals.

Tolerances of sampled figures are K standard errors at a fixed seed. Everything runs in float32, the default.
"""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import reference
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import simulate, z_score

from mcengine._model import parameters, replace, with_parameters
from mcengine.market import GBM, BondIndex, FlatRate, Heston, HullWhite, Market, RegimeGBM, Regimes, Schwartz
from mcengine.market import correlation as corr
from mcengine.market.heston import quadratic_exponential
from mcengine.pricing import Calendar

K = 4.0
PATHS, STEPS = 1 << 16, 40
RATE, DIVIDEND = 0.03, 0.01

EQUITY = {"v0": 0.06, "kappa": 3.0, "theta": 0.03, "vol_of_vol": 0.5, "rho": -0.7}
ANDERSEN = {"v0": 0.04, "kappa": 0.5, "theta": 0.04, "vol_of_vol": 1.0, "rho": -0.9}
BROADIE = {"v0": 0.010201, "kappa": 6.21, "theta": 0.019, "vol_of_vol": 0.61, "rho": -0.70}
LEWIS = {"v0": 0.04, "kappa": 4.0, "theta": 0.25, "vol_of_vol": 1.0, "rho": -0.5}
UPWARD = {"v0": 0.3, "kappa": 1.16, "theta": 0.2, "vol_of_vol": 0.8, "rho": 0.8}

FAMILY = {  # every asset model a row, and more where a model has regimes
    "gbm": GBM(100.0, 0.2),
    "gbm without noise": GBM(100.0, 0.0),
    "heston": Heston(100.0, **EQUITY),
    "heston, exponential branch": Heston(100.0, **ANDERSEN),
    "heston, rho above zero": Heston(100.0, **UPWARD),
    "heston from zero": Heston(100.0, **EQUITY | {"v0": 0.0}),
}


def spots(asset, years, *, steps=STEPS, paths=PATHS, rate=0.0, **options):
    last = simulate(Market({"a": asset}, rate=rate), years, steps, paths, **options)["a"]
    return last.spot if isinstance(asset, Heston) else last


# ---- every model ----


@pytest.mark.parametrize("asset", FAMILY.values(), ids=FAMILY)
def test_the_discounted_total_return_is_a_martingale_under_q(asset):
    years = 5.0
    market = Market({"a": replace(asset, drift=0.2, dividend=DIVIDEND)}, rate=RATE).risk_neutral()
    total = spots(market["a"], years) * np.exp((DIVIDEND - RATE) * years)
    if total.std() < 1e-3:  # no noise
        np.testing.assert_allclose(total, 100.0, rtol=1e-5)
    else:
        assert abs(z_score(total, 100.0)) < K


@pytest.mark.parametrize("asset", FAMILY.values(), ids=FAMILY)
def test_the_mean_under_p_is_the_drift(asset):
    moved = replace(asset, drift=0.08, dividend=0.02)
    mean = 100.0 * np.exp(0.06 * 2.0)
    terminal = spots(moved, 2.0)
    assert abs(terminal.mean() - mean) < K * terminal.std() / np.sqrt(PATHS) + 1e-5 * mean


@pytest.mark.parametrize("asset", [FAMILY["gbm"], FAMILY["heston"]], ids=["gbm", "heston"])
def test_a_shock_is_a_log_return_of_every_path(asset):
    plain, shocked = (spots(replace(asset, shock=s), 1.0, paths=64) for s in (0.0, 0.01))
    np.testing.assert_allclose(np.log(shocked / plain), 0.01, atol=2e-6)


# ---- GBM ----


def test_gbm_steps_as_its_equation(float64):
    asset = GBM(100.0, 0.3, drift=0.07, dividend=0.02, shock=0.01)
    table = asset.table(jnp.array([0.0, 0.5]), jnp.array([0.5, 0.25]))
    for i, (dt, shock) in enumerate(((0.5, 0.01), (0.25, 0.0))):
        moved = asset.step(100.0, jax.tree.map(lambda column, i=i: column[i], table), (1.3,))
        assert float(moved) == pytest.approx(100.0 * np.exp((0.05 - 0.045) * dt + shock + 0.3 * np.sqrt(dt) * 1.3), rel=1e-12)


def test_gbm_is_lognormal():
    sigma, drift, years = 0.3, 0.07, 2.0
    terminal = spots(GBM(100.0, sigma, drift=drift), years)
    log = np.log(terminal / 100.0)
    assert abs(z_score(log, (drift - 0.5 * sigma**2) * years)) < K
    assert abs(z_score((log - log.mean()) ** 2, sigma**2 * years * (1.0 - 1.0 / PATHS))) < K
    mean = 100.0 * np.exp(drift * years)
    assert abs(z_score((terminal - mean) ** 2, mean**2 * np.expm1(sigma**2 * years))) < K


def test_gbm_paths_do_not_depend_on_the_size_of_a_step_in_law():
    one, many = (np.log(spots(GBM(100.0, 0.2), 1.0, steps=steps)) for steps in (1, STEPS))
    assert abs(one.mean() - many.mean()) < K * 0.2 * np.sqrt(2.0 / PATHS)
    assert abs(one.std() / many.std() - 1.0) < K / np.sqrt(PATHS)


# ---- Heston ----


@pytest.mark.parametrize("case", [EQUITY, ANDERSEN, LEWIS, UPWARD], ids=["equity", "andersen", "lewis", "upward"])
@pytest.mark.parametrize("years", [0.25, 5.0])
def test_heston_variance_has_the_moments_of_cir(case, years):
    """The scheme matches the conditional mean and variance, so those of v_T hold for any step."""
    last = simulate(Market({"a": Heston(100.0, **case)}), years, STEPS, PATHS)["a"]
    mean, spread = reference.cir_moments(years, **{k: v for k, v in case.items() if k != "rho"})
    assert abs(z_score(last.variance, mean)) < K
    assert abs(z_score((last.variance - mean) ** 2, spread)) < K


def test_cir_reference_number():
    np.testing.assert_allclose(reference.cir_moments(1.0, v0=0.09, kappa=2.0, theta=0.04, vol_of_vol=0.5), [0.0467667642, 0.0031855837], atol=1e-10)


PUBLISHED = [  # parameters, rate, dividend, years, strike, price, bias of QE-M at the step used (Andersen's table, measured there)
    (ANDERSEN, 0.0, 0.0, 10.0, 60.0, 44.32997507, -0.020),
    (ANDERSEN, 0.0, 0.0, 10.0, 70.0, 35.84976970, -0.023),
    (ANDERSEN, 0.0, 0.0, 10.0, 100.0, 13.08467014, -0.015),
    (ANDERSEN, 0.0, 0.0, 10.0, 140.0, 0.29577444, 0.002),
    (BROADIE, 0.0319, 0.0, 1.0, 100.0, 6.8061, 0.0),
    (LEWIS, 0.01, 0.02, 1.0, 80.0, 26.774758743998854, 0.0),
    (LEWIS, 0.01, 0.02, 1.0, 90.0, 20.933349000596710, 0.0),
    (LEWIS, 0.01, 0.02, 1.0, 100.0, 16.070154917028834, 0.0),
]


@pytest.mark.parametrize(("case", "rate", "dividend", "years", "strike", "price", "bias"), PUBLISHED)
def test_heston_calls_at_published_prices(case, rate, dividend, years, strike, price, bias):
    """80 steps: dt = 1/8 in Andersen's case, 1/80 in the others, whose own bias was measured below half of a standard error."""
    terminal = spots(Heston(100.0, **case, drift=rate, dividend=dividend), years, steps=80, paths=1 << 17)
    discount = np.exp(-rate * years)
    call, put = (discount * np.maximum(sign * (terminal - strike), 0.0) for sign in (1.0, -1.0))
    assert abs(z_score(call, price + bias)) < K
    forward = 100.0 * np.exp((rate - dividend) * years)
    assert abs(z_score(put, price + bias - discount * (forward - strike))) < K


@pytest.mark.parametrize("vol_of_vol", [1e-3, 1e-5, 1e-6, 1e-8])
def test_heston_with_hardly_any_vol_of_vol_is_gbm(vol_of_vol):
    """Same law: mean and variance of the log price, and at-the-money calls; rho / xi times a difference of variances must not lose its digits."""
    v = 0.04
    terminal = spots(Heston(100.0, v0=v, kappa=2.0, theta=v, vol_of_vol=vol_of_vol, rho=-0.7), 1.0, steps=252, paths=1 << 14)
    log = np.log(terminal / 100.0)
    assert abs(z_score(log, -0.5 * v)) < K
    assert abs(z_score((log + 0.5 * v) ** 2, v)) < K
    assert abs(z_score(np.maximum(terminal - 100.0, 0.0), reference.black("call", 100.0, 100.0, 0.2))) < K


def test_heston_follows_the_path_of_gbm_as_vol_of_vol_falls():
    """rho's normal is then the variance's own: W_S = rho z_v + sqrt(1 - rho^2) z."""
    rho, v = -0.7, 0.04
    last = simulate(Market({"a": Heston(100.0, v0=v, kappa=0.01, theta=v, vol_of_vol=1e-4, rho=rho)}), 1.0, 1, 4096)["a"]
    plain = simulate(Market({"v": GBM(1.0, 1.0, drift=0.5), "s": GBM(1.0, 1.0, drift=0.5)}), 1.0, 1, 4096)
    w = rho * np.log(plain["v"]) + np.sqrt(1.0 - rho**2) * np.log(plain["s"])
    np.testing.assert_allclose(np.log(last.spot / 100.0), -0.5 * v + 0.2 * w, atol=1e-3)


@pytest.mark.parametrize("psi", [1e-6, 0.1, 1.0, 1.49, 1.51, 4.0, 50.0])
@pytest.mark.parametrize("weight", [-3.0, 0.2])
def test_quadratic_exponential_matches_its_moments(psi, weight, float64):
    """By quadrature over the normal, both branches: mean, variance, and E[e^{A v'}] as the martingale correction needs it."""
    mean = 0.04
    z = jnp.linspace(-9.0, 9.0, 400_001)
    density = jnp.exp(-0.5 * z * z) / jnp.sqrt(2.0 * jnp.pi) * (z[1] - z[0])
    following, _, excess, finite = quadratic_exponential(mean, psi * mean**2, z, weight)
    average = lambda x: float((x * density).sum())  # noqa: E731
    assert finite.all()
    assert average(following) == pytest.approx(mean, rel=2e-5)
    assert average((following - mean) ** 2) == pytest.approx(psi * mean**2, rel=2e-4)
    assert np.log(average(jnp.exp(weight * following))) == pytest.approx(float(excess[0]) + weight * mean, abs=1e-6)
    assert (jnp.diff(following[z > -1.0 / np.sqrt(psi)]) >= 0.0).all()  # increasing in its normal, but for the far lower end


@pytest.mark.parametrize("v", [0.0, 1e-4, 0.04, 0.5])
@pytest.mark.parametrize("case", [EQUITY, ANDERSEN, UPWARD], ids=["equity", "andersen", "upward"])
def test_a_heston_step_is_a_martingale(case, v, float64):
    """By quadrature over the variance's normal; given v and v' the price is lognormal with variance k34 (v + v')."""
    z = jnp.linspace(-9.0, 9.0, 400_001)
    density = jnp.exp(-0.5 * z * z) / jnp.sqrt(2.0 * jnp.pi) * (z[1] - z[0])
    asset = Heston(1.0, **case)
    start = asset.start()._replace(variance=v)
    for dt in (1.0 / 252.0, 0.125):
        row = jax.tree.map(lambda column: column[0], asset.table(jnp.zeros(1), jnp.array([dt])))
        moved = asset.step(start, row, (z, 0.0))
        mean = (moved.spot * jnp.exp(0.5 * (1.0 - case["rho"] ** 2) * 0.5 * dt * (v + moved.variance)) * density).sum()
        assert float(mean) == pytest.approx(1.0, abs=2e-6)


def test_an_infinite_mean_is_noticed():
    _, _, _, finite = quadratic_exponential(1.0, 4.0, jnp.zeros(()), 100.0)
    assert not finite


# ---- no NaN for extreme but legal parameters ----

GBM_EXTREMES = {
    "sigma": st.floats(0.0, 5.0),
    "drift": st.floats(-3.0, 3.0),
    "dividend": st.floats(-1.0, 1.0),
    "spot": st.floats(1e-6, 1e9),
    "years": st.floats(1.0 / 252.0, 10.0),
}
HESTON_EXTREMES = {
    "v0": st.floats(0.0, 2.0),
    "kappa": st.floats(1e-3, 50.0),
    "theta": st.floats(0.0, 2.0),
    "vol_of_vol": st.floats(1e-3, 5.0),
    "rho": st.floats(-0.999, 0.999),
    "years": st.floats(1.0 / 252.0, 5.0),
}
JOINT_EXTREMES = {
    **HESTON_EXTREMES,
    "rate": st.floats(-0.02, 0.15),
    "reversion": st.floats(1e-3, 10.0),
    "sigma": st.floats(0.0, 0.05),
    "spring": st.floats(1e-2, 20.0),
    "noise": st.floats(0.0, 2.0),
    "crash": st.floats(0.0, 2.0),
    "jumps": st.floats(1e-3, 1e3),
    "shared": st.floats(-0.24, 0.95),
}
FEW = settings(deadline=None, derandomize=True, database=None, max_examples=30)
FEWER = settings(FEW, max_examples=10)
CAMPAIGN = settings(FEW, max_examples=1000)


def assert_lives(market, years, paths=128):
    """Finite prices, variances, rates; none below 0 but the rate's."""
    states = simulate(market, years, 16, paths, whole=True)
    for name in market.assets:
        for seen in market.observe(name, states):
            assert np.isfinite(seen).all(), name
            assert (np.asarray(seen) >= 0.0).all(), name
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(states))


def gbm_lives(years, **numbers):
    assert_lives(Market({"a": GBM(**numbers)}), years)


def heston_lives(years, **numbers):
    assert_lives(Market({"a": Heston(100.0, **numbers)}), years)


def joint_lives(neutral, years, rate, reversion, sigma, spring, noise, crash, jumps, shared, **heston):
    """Heston, Schwartz, regimes and a bond index on a Hull-White rate, all correlated alike."""
    assets = {
        "e": Heston(100.0, **heston),
        "c": Schwartz(60.0, spring, 65.0, noise),
        "r": RegimeGBM(100.0, {"x": 0.1, "y": crash}, {"x": 0.1, "y": -crash}),
        "b": BondIndex(100.0, 8.0),
    }
    pairs = dict.fromkeys(("e-c", "e-r", "c-r", "e-rate", "c-rate", "r-rate"), shared)
    chain = Regimes(("x", "y"), {"x-y": jumps, "y-x": 3.0}, correlation={"y": dict.fromkeys(pairs, 0.3)})
    curve = HullWhite([0.5, 2.0, 10.0], [rate, rate + 0.01, rate + 0.02], reversion, sigma)
    market = Market(assets, pairs, curve, chain)
    assert_lives(market.risk_neutral() if neutral else market, years, 64)


@FEW
@given(**GBM_EXTREMES)
def test_gbm_stays_finite_and_positive(**numbers):
    gbm_lives(**numbers)


@FEW
@given(**HESTON_EXTREMES)
def test_heston_stays_finite_and_positive(**numbers):
    heston_lives(**numbers)


@FEWER
@given(**JOINT_EXTREMES)
def test_a_joint_market_stays_finite(**numbers):
    joint_lives(False, **numbers)


@pytest.mark.slow
@CAMPAIGN
@given(**GBM_EXTREMES)
def test_gbm_a_thousand_times(**numbers):
    gbm_lives(**numbers)


@pytest.mark.slow
@CAMPAIGN
@given(**HESTON_EXTREMES)
def test_heston_a_thousand_times(**numbers):
    heston_lives(**numbers)


@pytest.mark.slow
@pytest.mark.parametrize("neutral", [False, True], ids=["P", "Q"])
@CAMPAIGN
@given(**JOINT_EXTREMES)
def test_a_joint_market_a_thousand_times(neutral, **numbers):
    joint_lives(neutral, **numbers)


def test_feller():
    assert float(Heston(100.0, 0.04, 2.0, 0.04, 0.4, -0.7).feller) == pytest.approx(1.0)


# ---- risk-neutral ----


def test_risk_neutral_scales_variance_by_its_premium():
    p = 1.3
    market = Market({"g": GBM(100.0, 0.2, drift=0.08, variance_premium=p), "h": Heston(100.0, **EQUITY, drift=0.08, variance_premium=p)}, rate=RATE)
    q = {k: float(v) for k, v in parameters(market.risk_neutral()).items()}
    expected = {"g.sigma": 0.2 * p**0.5, "g.drift": RATE, "g.variance_premium": 1.0, "h.v0": p * 0.06, "h.theta": p * 0.03}
    expected |= {"h.vol_of_vol": 0.5 * p**0.5, "h.drift": RATE, "h.variance_premium": 1.0, "h.kappa": 3.0, "h.rho": -0.7}
    assert {k: q[k] for k in expected} == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("name", ["gbm", "heston"])
def test_a_price_by_simulation_under_q_is_the_price_by_formula(name):
    """With a variance premium: P's quote and Q's pricer must mean the same variance as Q's paths."""
    asset, years, strike = replace(FAMILY[name], drift=0.09, dividend=DIVIDEND, variance_premium=1.3), 0.5, 95.0
    market = Market({"a": asset}, rate=RATE)
    payoff = np.maximum(strike - spots(market.risk_neutral()["a"], years), 0.0) * np.exp(-RATE * years)
    ready = market.prepare(Calendar(years, 1))
    formula = float(market.pricers()["a"].option("put", strike, 1, ready.quotes(ready.start(), 0)["a"]))
    error = payoff.std() / np.sqrt(PATHS)
    exact = formula
    if name == "heston":
        scaled = EQUITY | {"v0": 1.3 * 0.06, "theta": 1.3 * 0.03, "vol_of_vol": 0.5 * np.sqrt(1.3)}
        discount, forward = np.exp(-RATE * years), 100.0 * np.exp((RATE - DIVIDEND) * years)
        exact = float(reference.heston_call(forward, strike, years, **scaled, discount=discount)) - discount * (forward - strike)
        assert abs(formula - exact) < 0.1  # an approximation; see test_pricing
    assert abs(payoff.mean() - exact) < K * error


def test_a_rate_makes_interest_and_discounts():
    ready = Market({"a": GBM(100.0, 0.2, dividend=0.02)}, rate=0.05).prepare(Calendar(1.0, 4))
    np.testing.assert_allclose(ready.rows["interest"], np.full(4, np.expm1(0.05 / 4)), rtol=1e-4)
    np.testing.assert_allclose(ready.rows["income"]["a"], np.full(4, np.expm1(0.02 / 4)), rtol=1e-4)
    np.testing.assert_allclose(FlatRate(0.05).discounts(np.array([0.0, 1.0])), [1.0, np.exp(-0.05)], rtol=1e-6)
    view = ready.quotes(ready.start(), 0)["a"]
    np.testing.assert_allclose(view.forward(4), 100.0 * np.exp(0.03), rtol=1e-6)


# ---- several assets ----

THREE = {"equity": Heston(100.0, **EQUITY), "bond": GBM(100.0, 0.06), "gold": Heston(50.0, **EQUITY | {"rho": 0.3})}
ASKED = {"equity-bond": -0.3, "equity-gold": 0.2, "bond-gold": 0.4}


def brownian(states, name, dt):
    """Standardised increments of a price: its log-return over the root of its mean variance."""
    asset = THREE[name]
    state = states[name]
    spot, v = (state.spot, state.variance) if isinstance(asset, Heston) else (state, np.full_like(state, float(asset.sigma) ** 2))
    v = np.concatenate([np.full((len(v), 1), float(asset.v0) if isinstance(asset, Heston) else v[0, 0]), v], axis=1)
    log = np.log(np.concatenate([np.full((len(v), 1), float(asset.spot)), spot], axis=1))
    average = 0.5 * (v[:, 1:] + v[:, :-1])
    return (np.diff(log) + 0.5 * average * dt) / np.sqrt(average * dt), np.diff(v) / np.sqrt(average * dt)


def test_increments_are_correlated_as_asked():
    """Increments of a day and a little over a week each; the standard error of a correlation is 1/sqrt(n)."""
    dt, steps, paths = 1.0 / 252.0, 8, 1 << 15
    states = simulate(Market(THREE, ASKED), steps * dt, steps, paths, whole=True)
    moves = {name: brownian(states, name, dt) for name in THREE}
    tolerance = K / np.sqrt(paths * steps)
    for key, asked in ASKED.items():
        a, b = key.split("-")
        assert abs(np.corrcoef(moves[a][0].ravel(), moves[b][0].ravel())[0, 1] - asked) < tolerance, key
    for name in ("equity", "gold"):
        price, variance = (x.ravel() for x in moves[name])
        assert abs(np.corrcoef(price, variance)[0, 1] - float(THREE[name].rho)) < tolerance, name
    # What an asset's variance shares with another asset goes through its price only.
    variance, other = moves["equity"][1].ravel(), moves["bond"][0].ravel()
    assert abs(np.corrcoef(variance, other)[0, 1] - EQUITY["rho"] * ASKED["equity-bond"]) < tolerance


@settings(deadline=None, derandomize=True, database=None, max_examples=25)
@given(data=st.data())
def test_the_factor_is_the_cholesky_of_the_full_matrix(data):
    """For any correlation matrix and any spot-vol correlations: positive definite, and prices correlated as asked."""
    kinds = data.draw(st.lists(st.sampled_from([1, 2]), min_size=1, max_size=4))
    n = len(kinds)
    rows = np.array(data.draw(st.lists(st.lists(st.floats(-1.0, 1.0), min_size=n, max_size=n), min_size=n, max_size=n)))
    matrix = rows @ rows.T + 0.05 * np.eye(n)
    scale = np.sqrt(np.diag(matrix))
    matrix = matrix / scale[:, None] / scale
    np.fill_diagonal(matrix, 1.0)
    rhos = [data.draw(st.floats(-0.99, 0.99)) for _ in kinds]
    names = [f"a{i}" for i in range(n)]
    with jax.enable_x64(True):
        loadings = [(1.0,) if kind == 1 else (rho, np.sqrt(1.0 - rho * rho)) for kind, rho in zip(kinds, rhos, strict=True)]
        factor = corr.factor(corr.to_pairs(matrix, names), names, loadings)
    unit = np.zeros((n, sum(kinds)))
    first = 0
    for i, row in enumerate(loadings):
        unit[i, first : first + len(row)] = row
        first += len(row)
    full = unit.T @ matrix @ unit
    start = np.cumsum([0, *kinds])
    for i, k in enumerate(kinds):
        full[start[i] : start[i] + k, start[i] : start[i] + k] = np.eye(k)
    lower = np.array([[float(x) for x in row] + [0.0] * (sum(kinds) - len(row)) for row in factor])
    np.testing.assert_allclose(lower, np.linalg.cholesky(full), atol=1e-10)
    np.testing.assert_allclose(unit @ lower @ lower.T @ unit.T, matrix, atol=1e-10)


def test_correlate_multiplies_by_the_factor():
    lower = np.linalg.cholesky([[1.0, 0.5, 0.2], [0.5, 1.0, -0.3], [0.2, -0.3, 1.0]])
    z = [0.3, -1.2, 2.0]
    np.testing.assert_allclose(corr.correlate([list(row[: i + 1]) for i, row in enumerate(lower)], z), lower @ z)


def test_one_asset_more_leaves_the_others_paths():
    """Their noise has the same addresses, and the new asset's rows come last in the factor."""
    two = {k: THREE[k] for k in ("equity", "bond")}
    before = simulate(Market(two, {"equity-bond": -0.3}), 1.0, 16, 512, whole=True)
    after = simulate(Market(THREE, ASKED), 1.0, 16, 512, whole=True)
    np.testing.assert_array_equal(before["bond"], after["bond"])
    np.testing.assert_array_equal(before["equity"].spot, after["equity"].spot)
    np.testing.assert_array_equal(before["equity"].variance, after["equity"].variance)


def test_correlation_by_matrix_and_by_pairs_is_the_same():
    matrix = [[1.0, -0.3, 0.2], [-0.3, 1.0, 0.4], [0.2, 0.4, 1.0]]
    by_matrix, by_pairs = Market(THREE, matrix).correlation, Market(THREE, {"bond-equity": -0.3, "gold-bond": 0.4, "equity-gold": 0.2}).correlation
    assert {k: float(v) for k, v in by_matrix.items()} == {k: float(v) for k, v in by_pairs.items()} == ASKED
    np.testing.assert_array_equal(corr.to_matrix(by_pairs, list(THREE)), matrix)
    assert set(map(float, Market(THREE).correlation.values())) == {0.0}


def test_a_derivative_by_a_correlation_is_the_whole_of_it():
    """Variance of an equal bet on two Brownian motions is 2 + 2 c: no half hidden in a symmetric entry."""

    def variance(market):
        ready = market.prepare(Calendar(1.0, 1))
        rows = [[*row, 0.0][:2] for row in ready._factor]
        return sum((rows[0][q] + rows[1][q]) ** 2 for q in range(2))

    slope = jax.grad(variance)(Market({"a": GBM(1.0, 0.2), "b": GBM(1.0, 0.2)}, {"a-b": 0.3}))
    assert float(slope.correlation["a-b"]) == pytest.approx(2.0, rel=1e-5)


TWO = {"a": GBM(100.0, 0.2), "b": GBM(100.0, 0.3)}


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Market(TWO, [[1.0, 0.2], [0.3, 1.0]]), "correlation: expected a symmetric matrix, got 0.2 for a-b but 0.3 for b-a"),
        (lambda: Market(TWO, [[1.0, 0.2]]), "correlation: expected a 2 x 2 matrix for a, b, got shape (1, 2)"),
        (lambda: Market(TWO, [[1.0, 0.2], [0.2, 0.9]]), "correlation: expected ones on the diagonal, got [1.0, 0.9]"),
        (lambda: Market(TWO, {"a-c": 0.2}), "correlation: expected pairs of a, b written first-second, got a-c"),
        (lambda: Market(TWO, {"a-a": 1.0}), "correlation: expected pairs of a, b written first-second, got a-a"),
        (lambda: Market(TWO, {"a-b": 1.0}), "correlation.a-b: expected a number between -1 and 1, got 1"),
        (lambda: with_parameters(Market(TWO), {"correlation.a-b": -1.5}), "correlation.a-b: expected a number between -1 and 1, got -1.5"),
        (lambda: Market({}), "Market.assets: expected at least one asset, got none"),
        (lambda: Market({"s&p": GBM(1.0, 0.2)}), "Market.assets: expected names made of letters, digits and underscores, got 's&p'"),
        (lambda: Market({"equity": 100.0}), "Market.assets.equity: expected an asset model, got float"),
        (lambda: Market(TWO)["c"], "unknown asset 'c'; known: a, b"),
        (lambda: GBM(100.0, -0.2), "GBM.sigma: expected a number not below 0, got -0.2"),
        (lambda: GBM(0.0, 0.2), "GBM.spot: expected a number above 0, got 0.0"),
        (lambda: Heston(100.0, **EQUITY | {"rho": -1.0}), "Heston.rho: expected a number above -1, got -1.0"),
        (lambda: Heston(100.0, **EQUITY | {"vol_of_vol": 0.0}), "Heston.vol_of_vol: expected a number above 0, got 0.0"),
        (lambda: with_parameters(Market(TWO), {"b.sigma": -1.0}), "GBM.sigma: expected a number not below 0, got -1.0"),
        (lambda: Market(TWO, rate="5%"), "FlatRate.rate: expected a number, got '5%'"),
    ],
)
def test_refusals(build, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        build()


@pytest.mark.parametrize("value", [-0.51, -0.9])
def test_a_matrix_that_is_not_positive_definite_is_refused(value):
    matrix = np.full((3, 3), value) + (1.0 - value) * np.eye(3)
    with pytest.raises(ValueError, match=f"correlation: expected a positive definite matrix, got one with smallest eigenvalue {1 + 2 * value:.3g}"):
        Market(THREE, matrix)


def test_replace_takes_what_the_constructor_takes():
    market = replace(Market(TWO), correlation=[[1.0, 0.2], [0.2, 1.0]], rate=0.05)
    assert float(parameters(market)["correlation.a-b"]) == 0.2
    assert float(market.rate.rate) == 0.05


def test_an_asset_named_as_a_field_is_refused():
    """Its numbers would be named as those of the field: ``rate.rate``."""
    with pytest.raises(ValueError, match=r"Market\.assets.*'rate'"):
        Market({"rate": GBM(100.0, 0.2)})
