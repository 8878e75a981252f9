"""Asset models with jumps, GARCH or reverting prices, a family: one row a model.

Oracles: cumulants in closed form, degenerate limits, published prices; tolerances of sampled figures are K standard errors at a fixed seed.
"""

import dataclasses
import re
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import simulate, z_score
from scipy.special import gammaincc, gammaln, ndtr
from scipy.stats import kstest, norm, poisson
from scipy.stats import t as student_t

import mcengine as mc
from mcengine._model import parameters, replace, trainable, with_parameters
from mcengine.engine import BatchGradient, payoffs
from mcengine.instrument import Call
from mcengine.market import GBM, GJRGARCH, Bates, Heston, Kou, Market, Merton, Schwartz, jumps
from mcengine.market.gjr_garch import student
from mcengine.pricing import black

K = 4.0
PATHS, STEPS = 1 << 16, 16
RATE, DIVIDEND, DRIFT = 0.03, 0.01, 0.09
HESTON = {"v0": 0.05, "kappa": 3.0, "theta": 0.03, "vol_of_vol": 0.5, "rho": -0.7}
JUMPS = {"intensity": 3.0, "jump_mean": -0.08, "jump_sd": 0.1}
PREMIA = {"variance_premium": 1.2, "intensity_premium": 1.3, "jump_mean_premium": -0.02}
GARCH = {"v0": 0.06, "theta": 0.03, "alpha": 0.03, "gamma": 0.12, "beta": 0.85}


class Row(NamedTuple):
    """A model, the years its 16 steps are tested over, and the cumulants of its log return over them where they are known."""

    asset: object
    years: float
    cumulants: object = None


def merton_cumulants(a, years):
    m, s, rate = float(a.jump_mean), float(a.jump_sd), float(a.intensity) * years
    moments = (m, m**2 + s**2, m**3 + 3 * m * s**2, m**4 + 6 * m**2 * s**2 + 3 * s**4)
    return diffusion_cumulants(a, years, rate * np.expm1(m + s**2 / 2), rate * np.array(moments))


def kou_cumulants(a, years):
    p, up, down, rate = float(a.up_probability), float(a.up_mean), -float(a.down_mean), float(a.intensity) * years
    moments = [f * (p * up**n + (1 - p) * down**n) for n, f in enumerate((1, 2, 6, 24), 1)]
    return diffusion_cumulants(a, years, rate * (p / (1 - up) + (1 - p) / (1 - down) - 1), rate * np.array(moments))


def diffusion_cumulants(a, years, compensator, of_jumps):
    own = [(float(a.drift - a.dividend) - 0.5 * float(a.sigma) ** 2) * years - compensator, float(a.sigma) ** 2 * years, 0.0, 0.0]
    return np.array(own) + of_jumps


def schwartz_cumulants(a, years):
    kappa, fade = float(a.kappa), -np.expm1(-float(a.kappa) * years)
    return np.array([fade * np.log(float(a.level) / float(a.spot)), float(a.sigma) ** 2 * -np.expm1(-2 * kappa * years) / (2 * kappa), 0.0, 0.0])


def garch_cumulants(a, years):
    """The last day's return: E r = mu dt - E h / 2, and what its square and fourth power are; by the recursions of E h and E h^2 over the days."""
    alpha, gamma, beta, nu = float(a.alpha), float(a.gamma), float(a.beta), a.degrees
    kurtosis = 3.0 if nu is None else 3.0 * (float(nu) - 2.0) / (float(nu) - 4.0)
    omega, fade = float((1.0 - a.persistence) * a.theta) / 252.0, float(a.persistence)
    square = kurtosis * (alpha**2 + 0.5 * gamma**2 + alpha * gamma) + beta**2 + 2.0 * alpha * beta + gamma * beta
    h, h2 = float(a.v0) / 252.0, (float(a.v0) / 252.0) ** 2
    for _ in range(STEPS - 1):
        h, h2 = omega + fade * h, omega**2 + 2.0 * omega * fade * h + square * h2
    return h, h2, kurtosis


P = {"drift": DRIFT, "dividend": DIVIDEND}
FAMILY = {
    "merton": Row(Merton(100.0, 0.15, **JUMPS, **P, **PREMIA), 0.4, merton_cumulants),
    "kou": Row(Kou(100.0, 0.15, 1.2, 0.4, 0.08, 0.12, **P, variance_premium=1.2, intensity_premium=1.1, down_mean_premium=1.2), 0.4, kou_cumulants),
    "bates": Row(Bates(100.0, **HESTON, **JUMPS, **P, **PREMIA), 0.4),
    "gjr-garch": Row(GJRGARCH(100.0, **GARCH, **P, variance_premium=1.2, price_of_risk=0.5), STEPS / 252.0),
    "gjr-garch, student": Row(GJRGARCH(100.0, **GARCH, degrees=9.0, **P, variance_premium=1.2, price_of_risk=0.5), STEPS / 252.0),
    "schwartz": Row(Schwartz(60.0, 1.5, 65.0, 0.35, risk_premium=0.1, variance_premium=1.2), 1.0, schwartz_cumulants),
}
every = pytest.mark.parametrize("name", FAMILY)


def spot_of(asset, states):
    return np.asarray(jax.tree.map(np.asarray, asset.observe(states))[0], np.float64)


def spots(asset, years, *, steps=STEPS, paths=PATHS, rate=RATE):
    return spot_of(asset, simulate(Market({"a": asset}, rate=rate), years, steps, paths)["a"])


def log_returns(asset, years, **options):
    return np.log(spots(asset, years, **options) / float(asset.spot))


# ---- every model ----


@every
def test_a_forward_is_the_mean_under_q(name):
    """The discounted total return is a martingale; a commodity's spot has the mean that its futures curve says."""
    asset, years, _ = FAMILY[name]
    market = Market({"a": asset}, rate=RATE)
    forward = float(asset.spot) * np.exp((RATE - DIVIDEND) * years)
    if name == "schwartz":
        forward = float(asset.forward(asset.spot, years))
        level, variance = np.log(65.0) - 0.1, 1.2 * 0.35**2
        exact = np.exp(-1.5) * np.log(60.0) - np.expm1(-1.5) * level - variance * np.expm1(-3.0) / 6.0
        assert forward == pytest.approx(np.exp(exact), rel=1e-6)
    ready = market.prepare(mc.pricing.Calendar(years, STEPS))
    assert float(ready.quotes(ready.start(), 0)["a"].forward(STEPS)) == pytest.approx(forward, rel=1e-5)
    assert abs(z_score(spots(market.risk_neutral()["a"], years), forward)) < K


@pytest.mark.parametrize("name", [n for n in FAMILY if n != "schwartz"])
def test_the_mean_under_p_is_the_drift(name):
    asset, years, _ = FAMILY[name]
    assert abs(z_score(spots(asset, years), 100.0 * np.exp((DRIFT - DIVIDEND) * years))) < K


@pytest.mark.parametrize("name", [n for n, row in FAMILY.items() if row.cumulants])
def test_four_moments_of_log_returns(name):
    asset, years, cumulants = FAMILY[name]
    mean, variance, third, fourth = cumulants(asset, years)
    away = log_returns(asset, years) - mean
    for power, expected in ((1, 0.0), (2, variance), (3, third), (4, fourth + 3.0 * variance**2)):
        assert abs(z_score(away**power, expected)) < K, power


def test_a_sampled_moment_off_by_a_twentieth_is_noticed():
    """The tests above have teeth: a jump 5 % too wide shows."""
    asset, years, cumulants = FAMILY["merton"]
    mean, variance, _, _ = cumulants(replace(asset, jump_sd=1.05 * asset.jump_sd), years)
    assert abs(z_score((log_returns(asset, years) - mean) ** 2, variance)) > K


@every
def test_a_shock_is_a_log_return_at_once(name):
    asset, years, _ = FAMILY[name]
    plain, shocked = (log_returns(replace(asset, shock=s), years) for s in (0.0, 0.01))
    kept = 1.0 if name != "schwartz" else np.exp(-1.5 * years * (1 - 1 / STEPS))  # which a reverting price then forgets
    np.testing.assert_allclose(shocked - plain, 0.01 * kept, atol=4e-6)


def test_risk_neutral_numbers():
    """Premia move what they say, once."""
    expected = {
        "merton": {"sigma": 0.15 * 1.2**0.5, "intensity": 3.9, "jump_mean": -0.1, "jump_sd": 0.1, "drift": RATE},
        "kou": {"sigma": 0.15 * 1.2**0.5, "intensity": 1.32, "down_mean": 0.144, "up_mean": 0.08, "drift": RATE},
        "bates": {"v0": 0.06, "theta": 0.036, "vol_of_vol": 0.5 * 1.2**0.5, "intensity": 3.9, "jump_mean": -0.1, "kappa": 3.0, "drift": RATE},
        "gjr-garch": {"v0": 0.072, "theta": 0.036, "innovation_shift": 0.5 / 252**0.5, "price_of_risk": 0.0, "drift": RATE},
        "schwartz": {"level": 65.0 * np.exp(-0.1), "sigma": 0.35 * 1.2**0.5, "risk_premium": 0.0},
    }
    for name, numbers in expected.items():
        q = FAMILY[name].asset.risk_neutral(RATE)
        assert {k: float(parameters(q)[k]) for k in numbers} == pytest.approx(numbers, rel=1e-6), name
        again = parameters(q.risk_neutral(RATE))
        assert {k: float(x) for k, x in parameters(q).items()} == pytest.approx({k: float(x) for k, x in again.items()}, rel=1e-6), name


DRAWN = ((0.3, -1.1), (-0.8, 0.4))  # normals of two steps
CHANCE = ((0.003, 0.2, 0.9), (0.02, 0.8, 0.1))  # uniforms: two jumps in the first step, one in the second


@every
def test_a_pathwise_derivative_is_the_slope_of_the_path(name, float64):
    """By every number that has one, against central differences on the same draws, in steps that jump."""
    asset, years, _ = FAMILY[name]
    names = [
        n for n in parameters(asset) if not n.endswith(("premium", "price_of_risk")) and n not in ("intensity", "up_probability", "days", "shock")
    ]

    @jax.jit
    @jax.value_and_grad
    def end(values):
        moved = with_parameters(asset, dict(zip(names, values, strict=True)))
        dt = jnp.full(2, years / STEPS)
        table, state = moved.table(jnp.cumsum(dt) - dt, dt), moved.start()
        for i in range(2):
            row = jax.tree.map(lambda column, i=i: column[i], table)
            state = moved.step(state, row, DRAWN[i][: moved.n_factors], tuple(jnp.asarray(u) for u in CHANCE[i][: moved.n_uniforms]))
        return jnp.log(moved.observe(state)[0])

    at = jnp.array([float(parameters(asset)[n]) for n in names])
    slopes = end(at)[1]
    for i, n in enumerate(names):
        up, down = (end(at.at[i].add(h))[0] for h in (1e-6, -1e-6))
        assert float(slopes[i]) == pytest.approx(float(up - down) / 2e-6, rel=2e-5, abs=1e-7), n
    if hasattr(asset, "jump_mean"):
        assert float(slopes[names.index("jump_sd")]) != 0.0  # jumps came


# ---- degenerate limits ----


@pytest.mark.parametrize(
    ("asset", "plain", "tolerance"),
    [
        (Merton(100.0, 0.2, 0.0, -0.1, 0.15, drift=0.07), GBM(100.0, 0.2, drift=0.07), 0.0),
        (Merton(100.0, 0.2, 1.0, 0.0, 0.0, drift=0.07), GBM(100.0, 0.2, drift=0.07), 0.0),
        (Kou(100.0, 0.2, 0.0, 0.4, 0.1, 0.2, drift=0.07), GBM(100.0, 0.2, drift=0.07), 0.0),
        (Bates(100.0, **HESTON, intensity=0.0, jump_mean=-0.1, jump_sd=0.15, drift=0.07), Heston(100.0, **HESTON, drift=0.07), 0.0),
        (GJRGARCH(100.0, 0.04, 0.04, 0.0, 0.0, 0.0, drift=0.07), GBM(100.0, 0.2, drift=0.07), 2e-6),
        (GJRGARCH(100.0, 0.04, 0.04, 0.0, 0.0, 0.9, drift=0.07), GBM(100.0, 0.2, drift=0.07), 2e-6),
        (Schwartz(100.0, 1e-7, 100.0, 0.2), GBM(100.0, 0.2, drift=0.02), 2e-5),
    ],
    ids=[
        "merton, no jumps",
        "merton, jumps of 0",
        "kou, no jumps",
        "bates, no jumps",
        "garch, no memory",
        "garch, no innovations",
        "schwartz, no reversion",
    ],
)
def test_degenerate_limits(asset, plain, tolerance):
    """The same paths, to a unit in the last place where nothing is left but a sum with 0."""
    a, b = (spots(x, STEPS / 252.0) for x in (asset, plain))
    np.testing.assert_allclose(a, b, rtol=max(tolerance, 3e-7))


def test_a_student_of_many_degrees_is_normal():
    few, many = GJRGARCH(100.0, **GARCH, degrees=9.0), GJRGARCH(100.0, **GARCH, degrees=1e5)
    plain, near, far = (log_returns(a, STEPS / 252.0) for a in (GJRGARCH(100.0, **GARCH), many, few))
    assert np.sqrt(np.mean((near - plain) ** 2)) < 1e-5
    assert np.sqrt(np.mean((far - plain) ** 2)) > 1e-3


# ---- jumps ----


@pytest.mark.parametrize(("mean", "most"), [(1e-4, 4), (0.1, 4), (0.03, 3), (1.8, 12)])
def test_a_uniform_makes_a_poisson_number_and_a_uniform(mean, most, float64):
    row = jax.tree.map(lambda column: column[0], jumps.tails(jnp.array([mean]), most))
    edges = poisson.sf(np.arange(most), mean)
    u = np.concatenate([np.linspace(low, high, 2003)[1:-1] for low, high in zip(np.append(edges[1:], 0.0), edges, strict=True)])
    drawn = jumps.draw(jnp.asarray(u), row)
    np.testing.assert_array_equal(drawn.number, np.repeat(np.arange(1, most + 1), 2001))
    np.testing.assert_allclose(drawn.root**2, drawn.number, rtol=1e-15)
    np.testing.assert_allclose(drawn.uniform, np.tile(np.linspace(0.0, 1.0, 2003)[1:-1], most), atol=1e-5)
    assert float(jumps.draw(jnp.asarray(edges[0] * (1.0 + 1e-9)), row).number) == 0.0
    np.testing.assert_allclose(np.asarray(row.high), edges, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("most", [1, 3, 4, 16])
def test_the_largest_mean_is_where_more_jumps_come_once_in_ten_million(most):
    assert 1.0 - gammaincc(most + 1, jumps.most_mean(most)) == pytest.approx(1e-7, rel=1e-6)
    assert np.isfinite(jumps.tails(jnp.array([jumps.most_mean(most)]), most).high).all()
    assert np.isnan(jumps.tails(jnp.array([1.01 * jumps.most_mean(most)]), most).high).all()


def test_one_jump_is_normal_or_double_exponential():
    """What a step jumps by where it jumps once: Kolmogorov-Smirnov on float32 draws, as a path makes them."""
    draws = np.random.default_rng(1).integers(0, 1 << 32, 20_000, dtype=np.uint64).astype(np.uint32)
    p1 = float(np.exp(-0.01) * 0.01)
    row = jax.tree.map(lambda column: column[0], jumps.tails(jnp.array([0.01], jnp.float32), 3))
    u = row.low[0] + (draws + 0.5) * 2.0**-32 * p1
    drawn = jax.jit(jumps.draw)(jnp.asarray(u, jnp.float32), row)
    assert set(np.asarray(drawn.number)) == {1.0}
    assert kstest(np.asarray(jax.jit(jumps.normal_sum)(drawn, -0.1, 0.15)), norm(-0.1, 0.15).cdf).pvalue > 1e-3
    asset = Kou(1.0, 0.0, 0.01, 0.3, 0.1, 0.2)
    table = _Row(0.0, 0.0, row)
    moved = np.log(np.asarray(jax.jit(asset.step)(1.0, table, (0.0,), (jnp.asarray(u, jnp.float32), 0.4, 0.4))))
    law = lambda x: np.where(x < 0.0, 0.7 * np.exp(np.minimum(x, 0.0) / 0.2), 1.0 - 0.3 * np.exp(-np.maximum(x, 0.0) / 0.1))  # noqa: E731
    assert kstest(moved, law).pvalue > 1e-3


class _Row(NamedTuple):
    drift: float
    scale: float
    tails: object


def test_kou_adds_the_jumps_that_come(float64):
    """Up by -a ln((1-v)/p), down by b ln(v/(1-p)): three that come, then the first two of them."""
    asset, p, a, b = Kou(1.0, 0.0, 0.01, 0.3, 0.1, 0.2), 0.3, 0.1, 0.2
    up, down = (lambda v: -a * np.log((1.0 - v) / p)), (lambda v: b * np.log(v / (1.0 - p)))
    row = jumps.Tails(jnp.array([0.4, 0.2, 0.1]), jnp.array([0.2, 0.1, 0.0]), jnp.array([5.0, 10.0, 10.0]))
    for u, expected in ((0.09, up(0.9) + down(0.35) + up(0.8)), (0.15, down(0.5) + down(0.35)), (0.3, down(0.5)), (0.5, 0.0)):
        moved = asset.step(1.0, _Row(0.0, 0.0, row), (0.0,), tuple(map(jnp.asarray, (u, 0.35, 0.8))))
        assert float(jnp.log(moved)) == pytest.approx(expected, abs=1e-12)


def test_gap_risk_of_a_leveraged_book_is_that_of_its_jumps():
    """P(breach by T) = 1 - exp(-T lambda P(e^J - 1 <= -1/m)) with continuous trading; with the steps simulated, of what a step jumps by in all."""
    rate, mean, sd, steps = 1.0, -0.1, 0.15, 32
    gap = np.log(1.0 - 1.0 / np.array([3.0, 4.0, 5.0]))
    continuous = -np.expm1(-rate * ndtr((gap - mean) / sd))
    np.testing.assert_allclose(continuous, [0.0206375, 0.1000609, 0.1860329], atol=5e-8)
    asset = Merton(100.0, 0.0, rate, mean, sd)
    prices = simulate(Market({"a": asset}), 1.0, steps, PATHS, whole=True)["a"]
    moves = np.diff(np.log(prices / 100.0), axis=1, prepend=0.0) + rate * np.expm1(mean + 0.5 * sd**2) / steps
    number = np.arange(1, 8)[:, None]
    in_a_step = (poisson.pmf(number, rate / steps) * ndtr((gap - number * mean) / (sd * np.sqrt(number)))).sum(0)
    discrete = 1.0 - (1.0 - in_a_step) ** steps
    for level, probability, limit in zip(gap, discrete, continuous, strict=True):
        assert abs(z_score((moves <= level).any(axis=1), probability)) < K
        assert limit < probability < 1.15 * limit  # two jumps in a step breach more often than one after the other


@pytest.mark.parametrize("name", [pytest.param("merton", marks=pytest.mark.slow), "kou", pytest.param("bates", marks=pytest.mark.slow)])
def test_a_price_by_simulation_under_q_is_the_pricers(name):
    """With every premium on: P's quote and pricer mean the law that Q's paths have."""
    asset, years, _ = FAMILY[name]
    market = Market({"a": asset}, rate=RATE)

    @jax.jit
    def formula(market):
        ready = market.prepare(mc.pricing.Calendar(years, STEPS))
        return market.pricers()["a"].option("put", 85.0, STEPS, ready.quotes(ready.start(), 0)["a"])

    price = float(formula(market))
    payoff = np.exp(-RATE * years) * np.maximum(85.0 - spots(market.risk_neutral()["a"], years), 0.0)
    assert abs(z_score(payoff, price)) < K


@pytest.mark.parametrize("name", ["merton", "kou", "bates"])
def test_a_pricer_has_the_law_of_qs_paths(name):
    """The pricer of P's numbers and premia is that of Q's numbers, whose variance state is larger by the premium."""
    asset = FAMILY[name].asset
    mine, under_q = ({k: float(x) for k, x in parameters(a.pricer()).items()} for a in (asset, asset.risk_neutral(RATE)))
    if name == "bates":
        premium = mine.pop("premium")
        assert under_q.pop("premium") == 1.0
        mine |= {"theta": premium * mine["theta"], "vol_of_vol": premium**0.5 * mine["vol_of_vol"]}
    assert mine == pytest.approx(under_q, rel=1e-6)


HAUG = [(1.0, 0.25, 8.95, 5e-3), (5.0, 0.25, 9.02164864, 0.0), (1.0, 0.75, 8.24436933, 0.0)]


@pytest.mark.parametrize(("rate", "share", "price", "rounded"), HAUG)
def test_merton_calls_of_haugs_table(rate, share, price, rounded):
    """S = K = 100, r = 8 %, half a year, total volatility 25 %, of which variance a share jumps; E[e^J] = 1."""
    sd = 0.25 * np.sqrt(share / rate)
    asset = Merton(100.0, 0.25 * np.sqrt(1.0 - share), rate, -0.5 * sd**2, sd)
    end = spots(asset.risk_neutral(0.08), 0.5, steps=32, paths=1 << 17, rate=0.08)
    payoff = np.exp(-0.04) * np.maximum(end - 100.0, 0.0)
    assert abs(payoff.mean() - price) < K * payoff.std() / np.sqrt(payoff.size) + rounded


def test_bates_with_hardly_any_vol_of_vol_has_mertons_price():
    """S=100, K=95 put, r=.1, q=.04, v=.0433, lambda=2, jumps N(-.2, .2^2), a year: 10.81098697."""
    numbers = {"v0": 0.0433, "kappa": 0.5, "theta": 0.0433, "vol_of_vol": 1e-4, "rho": 0.0, "intensity": 2.0, "jump_mean": -0.2, "jump_sd": 0.2}
    bates = Bates(100.0, **numbers, drift=0.1, dividend=0.04)
    merton = Merton(100.0, np.sqrt(0.0433), 2.0, -0.2, 0.2, drift=0.1, dividend=0.04)
    for asset in (bates, merton):
        put = np.exp(-0.1) * np.maximum(95.0 - spots(asset, 1.0, steps=32, paths=1 << 17), 0.0)
        assert abs(z_score(put, 10.81098697)) < K


# ---- GARCH ----


@pytest.mark.parametrize("name", ["gjr-garch", "gjr-garch, student"])
def test_garch_moments_and_leverage(name):
    """E h and E h^2 after 15 days, the kurtosis of that day's return, and what a fall does to the next day's variance."""
    asset, years, _ = FAMILY[name]
    h, h2, kurtosis = garch_cumulants(asset, years)
    path = simulate(Market({"a": asset}), years, STEPS, PATHS, whole=True)["a"]
    before, after = path.variance[:, -2], path.variance[:, -1]
    assert abs(z_score(before, h)) < K
    assert abs(z_score(before**2, h2)) < K
    innovation = np.log(path.spot[:, -1] / path.spot[:, -2]) - (DRIFT - DIVIDEND) / 252.0 + 0.5 * before
    assert abs(z_score(innovation**2, h)) < K
    assert abs(z_score(innovation**4, kurtosis * h2)) < K
    standard = innovation / np.sqrt(before)
    omega = float((1.0 - asset.persistence) * asset.theta) / 252.0
    expected = omega + before * (0.85 + (0.03 + 0.12 * (standard < 0.0)) * standard**2)
    np.testing.assert_allclose(after, expected, rtol=2e-3, atol=1e-8)
    nu = 1e6 if asset.degrees is None else float(asset.degrees)
    third = (nu - 2.0) ** 1.5 * np.exp(gammaln((nu - 3.0) / 2.0) - gammaln(nu / 2.0)) / np.sqrt(np.pi)  # E |e|^3
    assert abs(z_score(standard * after, -0.12 * h * third / 2.0)) < K


def test_students_news_are_students(float64):
    """From two normals: the law by Kolmogorov-Smirnov, and the scale that makes the variance 1."""
    z, y = jnp.asarray(np.random.default_rng(2).standard_normal((2, 40_000)))
    for nu in (2.5, 4.0, 9.0):
        assert kstest(np.asarray(student(z, y, nu)) / np.sqrt((nu - 2.0) / nu), student_t(nu).cdf).pvalue > 1e-3
    assert float(student(0.0, 0.0, 5.0)) == 0.0
    rising = student(jnp.linspace(-6.0, 6.0, 1001), 0.7, 3.0)
    assert (jnp.diff(rising) > 0.0).all()


def test_the_shift_of_news_raises_the_variance_expected_under_q():
    """Its mean after 15 days is theta_Q + (v0 - theta_Q) f^15 with the persistence f of shifted innovations: a term the pricer must share."""
    asset, years, _ = FAMILY["gjr-garch"]
    asset = replace(asset, price_of_risk=6.0, variance_premium=1.2)
    q = asset.risk_neutral(RATE)
    path = simulate(Market({"a": q}, rate=RATE), years, STEPS, PATHS, whole=True)["a"]
    c = 6.0 / np.sqrt(252.0)
    below = (1.0 + c * c) * ndtr(c) + c * norm.pdf(c)
    fade = 0.03 * (1.0 + c * c) + 0.12 * below + 0.85
    omega = 1.2 * 0.03 * (1.0 - 0.94) / 252.0
    h = 1.2 * 0.06 / 252.0
    total = h
    for _ in range(STEPS - 1):
        h = omega + fade * h
        total += h
    assert abs(z_score(path.variance[:, -2], h)) < K
    ready = Market({"a": asset}, rate=RATE).prepare(mc.pricing.Calendar(years, STEPS))
    quote = ready.quotes(ready.start(), 0)["a"]
    assert float(asset.pricer().total_variance(quote, STEPS)) == pytest.approx(total, rel=1e-5)


def test_options_have_the_smile_of_garch():
    """By Lewis' integral and from the table of a run against simulation under Q, where Black at the mean variance is 10 errors off; all innovations
    alike, it is Black's."""
    market = mc.config.build(mc.load_config(["market=gjr_garch"], name="hedge").market)
    strikes, days = (85.0, 95.0, 100.0, 108.0), (10, 63)
    calendar = mc.pricing.Calendar(days[-1] / 252.0, days[-1])
    contracts = {f"{k:g} {n}": mc.instrument.Put(k, n / 252.0, "equity") for n in days for k in strikes}
    sampled = mc.engine.payoffs(contracts, market, paths=1 << 16, steps=days[-1], keep=0).estimates

    def program(market, pricer):
        ready = market.prepare(calendar)
        quote = ready.quotes(ready.start(), 0)["equity"]
        each = lambda price: jnp.stack([jax.vmap(lambda k, n=n: price(k, n))(jnp.asarray(strikes)) for n in days]).ravel()  # noqa: E731
        by = lambda p: each(lambda k, n: p.option("put", k, n, quote))  # noqa: E731
        flat = lambda k, n: black("put", quote.forward(n), k, jnp.sqrt(pricer.total_variance(quote, n)), quote.discount(n))  # noqa: E731
        return (
            by(mc.pricing.prepared(pricer, calendar)),
            by(pricer),
            each(flat),
        )

    program = jax.jit(program)
    pricer = market.pricers()["equity"]
    table, exact, plain = np.asarray(program(market, pricer), np.float64)
    figures = [sampled[name] for name in contracts]
    for name, value, seen in zip(contracts, exact, figures, strict=True):
        assert abs(value - seen.value) < K * seen.error, name
    np.testing.assert_allclose(table, exact, atol=0.01)
    assert max(abs(value - seen.value) / seen.error for value, seen in zip(plain, figures, strict=True)) > 10.0
    table, exact, plain = np.asarray(program(market, replace(pricer, alpha=0.0, gamma=0.0, omega=0.12 * 0.0324)), np.float64)
    np.testing.assert_allclose(table, plain, atol=3e-3)
    np.testing.assert_allclose(exact, plain, atol=2e-5)


@pytest.mark.slow
def test_derivatives_of_garch_options(float64, monkeypatch):
    """By spot, variance and every parameter: central differences of the table's price, its nodes held as derivatives hold them."""
    market = Market({"equity": GJRGARCH(100.0, **GARCH, variance_premium=1.2, price_of_risk=0.5)}, rate=RATE)
    calendar = mc.pricing.Calendar(12.0 / 252.0, 12)

    def price(numbers):
        pricer = replace(market.pricers()["equity"], **{k: x for k, x in numbers.items() if k not in ("spot", "variance")})
        ready = market.prepare(calendar)
        quote = dataclasses.replace(ready.quotes(ready.start(), 0)["equity"], spot=numbers["spot"], variance=numbers["variance"])
        return mc.pricing.prepared(pricer, calendar).option("put", 97.0, 10, quote)

    at = {"spot": 100.0, "variance": 0.05, "omega": 0.003, "alpha": 0.03, "gamma": 0.12, "beta": 0.85, "shift": 0.05, "premium": 1.2}
    slopes, moving = jax.jit(jax.grad(price))(at), jax.jit(price).lower(at).compile()
    pricer = replace(market.pricers()["equity"], **{k: x for k, x in at.items() if k not in ("spot", "variance")})
    monkeypatch.setattr(type(pricer), "level", float(pricer.level))
    held = jax.jit(lambda numbers: price(numbers))
    for name, x in at.items():
        h = 1e-4 * max(abs(x), 0.01)
        up, down = (float(held(at | {name: x + move})) for move in (h, -h))
        assert float(slopes[name]) == pytest.approx((up - down) / (2.0 * h), rel=2e-6), name
        # Nodes that move with the parameter change what lies between them by the table's own error.
        up, down = (float(moving(at | {name: x + move})) for move in (h, -h))
        assert float(slopes[name]) == pytest.approx((up - down) / (2.0 * h), rel=3e-4), name


# ---- Schwartz ----


def test_futures_at_published_prices():
    asset = Schwartz(60.0, 1.5, 65.0, 0.35)
    assert [float(asset.forward(60.0, t)) for t in (1.0, 2.0)] == pytest.approx([65.10019264, 66.07353160], rel=1e-6)


def test_a_commodity_options_price_is_exact():
    asset, years = FAMILY["schwartz"].asset, 1.0
    market = Market({"a": asset}, rate=RATE)
    ready = market.prepare(mc.pricing.Calendar(years, STEPS))
    formula = float(market.pricers()["a"].option("put", 62.0, STEPS, ready.quotes(ready.start(), 0)["a"]))
    payoff = np.exp(-RATE * years) * np.maximum(62.0 - spots(market.risk_neutral()["a"], years), 0.0)
    assert abs(z_score(payoff, formula)) < K


def test_holding_a_commodity_earns_the_rate_under_q():
    """Spot and convenience yield together are a martingale once discounted, although the spot alone is not."""
    market = Market({"oil": replace(FAMILY["schwartz"].asset, spot=45.0)}, rate=RATE).risk_neutral()
    study = mc.Study(market, mc.policy.presets.unhedged({"oil": 1.0}), years=1.0, steps=STEPS)
    wealth = np.asarray(study.run(paths=1 << 15, progress=False).outcomes["policy"]["wealth"], np.float64)
    assert abs(z_score(wealth, np.exp(RATE))) < K
    assert abs(np.exp(-RATE) * float(market["oil"].forward(45.0, 1.0)) / 45.0 - 1.0) > 0.1


# ---- several assets ----


def test_increments_are_correlated_as_asked():
    assets = {
        "merton": replace(FAMILY["merton"].asset, intensity=0.0),
        "bates": replace(FAMILY["bates"].asset, intensity=0.0),
        "garch": FAMILY["gjr-garch"].asset,
        "oil": FAMILY["schwartz"].asset,
    }
    names, asked, paths, dt = list(assets), 0.4, 1 << 14, 1.0 / 252.0
    market = Market(assets, {f"{a}-{b}": asked for i, b in enumerate(names) for a in names[:i]}, rate=RATE)
    path = simulate(market, STEPS * dt, STEPS, paths, whole=True)
    increments = {}
    for name, asset in assets.items():
        logs = np.log(spot_of(asset, path[name]))
        last = np.diff(logs, axis=1)[:, -1]
        if name == "oil":
            last = logs[:, -1] - np.exp(-1.5 * dt) * logs[:, -2]
        variance = np.broadcast_to(np.asarray(asset.observe(path[name])[1], np.float64), logs.shape)
        increments[name] = last / np.sqrt(variance[:, -2])
    found = np.corrcoef(np.stack(list(increments.values())))
    np.testing.assert_allclose(found[np.triu_indices(4, 1)], asked, atol=K / np.sqrt(paths))


# ---- what no path has a derivative by ----


def study_of(name):
    asset, years, _ = FAMILY[name]
    return mc.Study(Market({"equity": asset}, rate=RATE), mc.policy.presets.unhedged({"equity": 1.0}), years=years, steps=STEPS)


@pytest.mark.parametrize(("name", "field"), [("merton", "intensity"), ("bates", "intensity"), ("kou", "intensity"), ("kou", "up_probability")])
def test_a_derivative_by_a_jumps_chance_is_refused(name, field):
    study, number = study_of(name), f"market.equity.{field}"
    message = f"^{number}: expected a number that paths move smoothly by, got one that moves them by whole jumps"
    with pytest.raises(ValueError, match=message):
        BatchGradient(study, lambda outcomes, extra: (outcomes["policy"]["wealth"], {}), [number])
    with pytest.raises(ValueError, match=message):
        mc.greeks.study(study, [number], paths=64)
    with pytest.raises(ValueError, match=r"^train: expected numbers of the rule, policy\. \.\.\., "):
        mc.optimise.fit(study, mc.objective.floor_protection(floor=0.9), train=[number], paths=64, validation_paths=65_536)
    assert number not in trainable(study)
    assert "market.equity.sigma" in trainable(study) or name == "bates"


# ---- refusals ----


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Merton(100.0, 0.2, -1.0, 0.0, 0.1), "Merton.intensity: expected a number not below 0, got -1.0"),
        (lambda: Merton(100.0, 0.2, 1.0, 0.0, 0.1, most_jumps=0), "Merton.most_jumps: expected a whole number from 1 to 16, got 0"),
        (lambda: Kou(100.0, 0.2, 1.0, 0.5, 1.0, 0.1), "Kou.up_mean: expected a number below 1, got 1.0"),
        (lambda: Kou(100.0, 0.2, 1.0, 1.5, 0.1, 0.1), "Kou.up_probability: expected a number not above 1, got 1.5"),
        (lambda: Bates(100.0, **HESTON | {"rho": 1.0}, **JUMPS), "Bates.rho: expected a number below 1, got 1.0"),
        (
            lambda: GJRGARCH(100.0, 0.04, 0.04, 0.05, 0.125, 0.9),
            "GJRGARCH: expected a stationary variance, alpha + gamma/2 + beta below 1, got 1.0125",
        ),
        (lambda: GJRGARCH(100.0, **GARCH, degrees=2.0), "GJRGARCH.degrees: expected a number above 2, got 2.0"),
        (
            lambda: GJRGARCH(100.0, **GARCH, price_of_risk=12.0),
            "GJRGARCH.price_of_risk: expected a variance that is stationary under Q too, got a persistence of 1.07051 with 12",
        ),
        (lambda: Schwartz(-37.63, 1.5, 65.0, 0.35), "Schwartz.spot: expected a number above 0, got -37.63"),
        (lambda: Schwartz(60.0, 0.0, 65.0, 0.35), "Schwartz.kappa: expected a number above 0, got 0.0"),
        (
            lambda: replace(study_of("merton"), steps=4),
            "equity: Merton.intensity: expected at most 1.056 jumps a year on steps of 0.1 years with most_jumps = 4, got 3.9; "
            "take more steps, or raise most_jumps",
        ),
        (
            lambda: replace(study_of("gjr-garch"), steps=12),
            "equity: GJRGARCH: expected steps of one day, 1/252 year, got 0.00529101 years; take years x 252 steps, a whole number",
        ),
        (
            lambda: payoffs({"c": Call(100.0, 1.0, "a")}, Market({"a": FAMILY["kou"].asset}), steps=2),
            "a: Kou.intensity: expected at most 0.07935 jumps a year on steps of 0.5 years with most_jumps = 3, got 1.32; "
            "take more steps, or raise most_jumps",
        ),
    ],
)
def test_refusals(build, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        build()


def test_feller():
    """Violated or not, the variance may touch zero: it is said, not refused."""
    assert float(Bates(100.0, 0.04, 2.0, 0.04, 0.4, -0.7, **JUMPS).feller) == pytest.approx(1.0)
    assert float(FAMILY["bates"].asset.feller) < 1.0


# ---- extremes ----

RANGES = {
    "spot": (1e-3, 1e5), "sigma": (0.0, 2.0), "v0": (0.0, 2.0), "theta": (0.0, 2.0), "kappa": (1e-3, 50.0), "vol_of_vol": (1e-3, 5.0),
    "rho": (-0.999, 0.999), "jump_mean": (-1.0, 1.0), "jump_sd": (0.0, 1.0), "up_probability": (0.0, 1.0), "up_mean": (1e-3, 0.9),
    "down_mean": (1e-3, 1.0), "alpha": (0.0, 0.3), "gamma": (0.0, 0.3), "beta": (0.0, 0.54), "degrees": (2.05, 100.0), "level": (1e-3, 1e5),
    "drift": (-1.0, 1.0), "dividend": (-0.5, 0.5), "risk_premium": (-1.0, 1.0),
}  # fmt: skip


def extreme(name, share):
    """The model with every number at a share of its legal range, and its years."""
    asset, years, _ = FAMILY[name]
    fields = [field.name for field in dataclasses.fields(asset) if field.name in RANGES and getattr(asset, field.name) is not None]
    numbers = {f: low + s * (high - low) for f, s in zip(fields, share, strict=False) for low, high in [RANGES[f]]}
    if hasattr(asset, "intensity"):
        numbers["intensity"] = share[-1] * 0.999 * jumps.most_mean(asset.most_jumps) * STEPS / years
    return replace(asset, **numbers), years


def stays_finite(name, share):
    asset, years = extreme(name, share)
    path = simulate(Market({"a": asset}), years, STEPS, 128, whole=True)["a"]
    price = spot_of(asset, path)
    assert np.isfinite(price).all()
    assert (price >= 0.0).all()
    if hasattr(path, "variance"):
        assert np.isfinite(path.variance).all()
        assert (path.variance >= 0.0).all()


shares = st.lists(st.one_of(st.floats(0.0, 1.0), st.sampled_from([0.0, 1.0])), min_size=14, max_size=14)


@every
@settings(deadline=None, derandomize=True, database=None, max_examples=12)
@given(share=shares)
def test_extreme_numbers_stay_finite_and_positive(name, share):
    stays_finite(name, share)


@pytest.mark.slow
@every
@settings(deadline=None, derandomize=True, database=None, max_examples=1000)
@given(share=shares)
def test_a_thousand_extreme_draws(name, share):
    stays_finite(name, share)
