"""Regimes: the chain, what moves by it, degenerate limits, options, refusals. Sampled figures within K standard errors at a fixed seed, float32."""

import re
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import reference
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import simulate, z_score
from scipy.linalg import expm

import mcengine as mc
from mcengine._model import check_pathwise, parameters, replace, trainable, with_parameters
from mcengine.market import GBM, Heston, Market, RegimeGBM, Regimes, from_transition
from mcengine.market.regimes import ByRegime, three_nodes
from mcengine.pricing import Calendar

K = 4.0
PATHS, STEPS, YEARS = 1 << 15, 16, 1.0
CHAIN = Regimes(
    ("calm", "crash"),
    {"calm-crash": 2.0, "crash-calm": 6.0},
    correlation={"crash": {"equity-bond": -0.5, "equity-plain": 0.8}},
)
ASSETS = {
    "equity": RegimeGBM(100.0, {"calm": 0.12, "crash": 0.4}, {"calm": 0.1, "crash": -0.3}, dividend=0.01, variance_premium=1.2),
    "bond": RegimeGBM(50.0, {"calm": 0.05, "crash": 0.08}, 0.03),
    "plain": GBM(10.0, 0.2, drift=0.05),
}
MARKET = Market(ASSETS, {"equity-bond": 0.3, "bond-plain": 0.1}, rate=0.02, regimes=CHAIN)


@pytest.fixture(scope="module")
def states():
    return simulate(MARKET, YEARS, STEPS, PATHS, whole=True)


@pytest.fixture(scope="module")
def under_q():
    return simulate(MARKET.risk_neutral(), YEARS, STEPS, PATHS, whole=True)


def in_force(states):
    """The regime of each step: that at its start."""
    return np.concatenate([np.zeros((PATHS, 1)), states["regimes"][:, :-1]], axis=1)


def returns(states, name):
    start = np.full((PATHS, 1), float(MARKET[name].spot))
    return np.diff(np.log(np.concatenate([start, states[name]], axis=1)), axis=1)


# ---- the chain ----


def test_transition_is_the_exponential_of_the_intensities(float64):
    chain = Regimes(("a", "b", "c"), {"a-b": 3.0, "b-a": 1.0, "b-c": 40.0, "c-a": 0.01})
    q = np.array([[-3.0, 3.0, 0.0], [1.0, -41.0, 40.0], [0.01, 0.0, -0.01]])
    np.testing.assert_allclose(chain.generator(), q)
    for dt in (1.0 / 252.0, 0.5, 30.0):
        np.testing.assert_allclose(jax.jit(lambda c, dt: c.transition(dt))(chain, dt), expm(q * dt), atol=1e-12)
    share = np.array(list(chain.stationary().values()))
    np.testing.assert_allclose(share @ q, 0.0, atol=1e-12)
    assert share.sum() == pytest.approx(1.0)


def test_a_matrix_of_probabilities_gives_the_intensities():
    """Whatever its period: over that period the chain has it again."""
    daily = np.array([[0.99, 0.008, 0.002], [0.02, 0.97, 0.01], [0.005, 0.015, 0.98]])
    chain = from_transition(("a", "b", "c"), daily, 1.0 / 252.0, start="b")
    np.testing.assert_allclose(expm(np.asarray(chain.generator(np)) / 252.0), daily, atol=1e-12)
    assert chain.start == "b"


def test_the_chain_moves_as_its_matrix_says(states):
    """From calm: occupation after k steps, and every move by its probability."""
    step = expm(np.array([[-2.0, 2.0], [6.0, -6.0]]) * YEARS / STEPS)
    for k in (1, 4, STEPS):
        assert abs(z_score(states["regimes"][:, k - 1], np.linalg.matrix_power(step, k)[0, 1])) < K
    before, after = in_force(states).ravel(), states["regimes"].ravel()
    for k in (0, 1):
        assert abs(z_score(after[before == k], step[k, 1])) < K
    assert set(np.unique(after)) == {0.0, 1.0}


# ---- what moves by it ----


def test_drift_and_volatility_are_those_of_the_regime(states):
    dt, regime = YEARS / STEPS, in_force(states)
    for name in ("equity", "bond"):
        asset = MARKET[name]
        for k, title in enumerate(CHAIN.names):
            r = returns(states, name)[regime == k]
            sigma, drift = float(asset.sigma[title]), float(asset.drift[title]) - float(asset.dividend)
            mean = (drift - 0.5 * sigma**2) * dt
            assert abs(z_score(r, mean)) < K
            assert abs(z_score((r - mean) ** 2, sigma**2 * dt)) < K


def test_correlation_is_that_of_the_regime(states):
    """A pair that the crash does not name is 0 there, as in any correlation given by pairs."""
    regime = in_force(states)
    asked = {0: {"equity-bond": 0.3, "equity-plain": 0.0, "bond-plain": 0.1}, 1: {"equity-bond": -0.5, "equity-plain": 0.8, "bond-plain": 0.0}}
    for k, pairs in asked.items():
        for pair, c in pairs.items():
            a, b = (returns(states, name)[regime == k] for name in pair.split("-"))
            assert abs(np.corrcoef(a, b)[0, 1] - c) < K / np.sqrt(a.size), (k, pair)


def test_every_price_is_a_martingale_under_q(under_q):
    for name in ASSETS:
        dividend = float(MARKET[name].dividend)
        spot = float(MARKET[name].spot)
        assert abs(z_score(under_q[name][:, -1] * np.exp((dividend - 0.02) * YEARS), spot)) < K


def test_what_is_quoted_is_the_variance_of_the_step_ahead(states):
    def program(market, regime):
        ready = market.prepare(Calendar(YEARS, STEPS))
        return ready.quotes(ready.start() | {"regimes": regime}, 3)["equity"].variance

    got = jax.jit(jax.vmap(program, (None, 0)))(MARKET, jnp.array([0.0, 1.0]))
    np.testing.assert_allclose(got, [0.12**2, 0.4**2], rtol=1e-6)


# ---- degenerate limits ----


def test_one_regime_is_gbm_bit_for_bit():
    one = Regimes(("only",), {})
    switching = Market({"a": RegimeGBM(100.0, {"only": 0.2}, 0.07), "b": Heston(1.0, 0.04, 2.0, 0.04, 0.5, -0.7)}, {"a-b": 0.3}, regimes=one)
    plain = Market({"a": GBM(100.0, 0.2, 0.07), "b": Heston(1.0, 0.04, 2.0, 0.04, 0.5, -0.7)}, {"a-b": 0.3})
    a, b = (simulate(market, 1.0, 16, 256, whole=True) for market in (switching, plain))
    np.testing.assert_array_equal(a["a"], b["a"])
    np.testing.assert_array_equal(a["b"].spot, b["b"].spot)
    assert switching.n_uniforms == 0


def test_equal_regimes_are_gbm():
    chain = Regimes(("x", "y"), {"x-y": 9.0, "y-x": 9.0})
    alike = Market({"a": RegimeGBM(100.0, {"x": 0.2, "y": 0.2}, 0.07)}, regimes=chain)
    a, b = (simulate(m, 1.0, 16, 256, whole=True) for m in (alike, Market({"a": GBM(100.0, 0.2, 0.07)}, regimes=chain)))
    np.testing.assert_array_equal(a["a"], b["a"])
    assert 0.1 < a["regimes"].mean() < 0.9


def test_by_regime_picks():
    value = ByRegime(((1.0, 5.0), (2.0, 5.0), (3.0, 5.0)))
    for k in range(3):
        picked = value.pick(jnp.float32(k))
        assert (float(picked[0]), picked[1]) == (k + 1.0, 5.0)


# ---- options ----


def exact(kind, strike, start, premium, steps):
    """Sum over the number of steps spent in the crash, whose law is a recursion: exact for the stepped chain."""
    step = expm(np.array([[-2.0, 2.0], [6.0, -6.0]]) * YEARS / steps)
    law = np.zeros((2, steps + 1))
    law[start, 0] = 1.0
    for _ in range(steps):
        spent = np.stack([law[0], np.concatenate([[0.0], law[1][:-1]])])
        law = step.T @ spent
    crashes = np.arange(steps + 1)
    variance = premium * (crashes * 0.4**2 + (steps - crashes) * 0.12**2) * YEARS / steps
    prices = reference.black(kind, 100.0 * np.exp(0.01), strike, np.sqrt(variance), np.exp(-0.02))
    return float((law.sum(axis=0) * prices).sum())


@pytest.fixture(scope="module")
def quoted():
    def program(market, regime, strike):
        ready = market.prepare(Calendar(YEARS, STEPS))
        quote = ready.quotes(ready.start() | {"regimes": regime}, 0)["equity"]
        return market.pricers()["equity"].option("put", strike, STEPS, quote)

    return jax.jit(jax.vmap(program, (None, None, 0)))


@pytest.mark.parametrize("start", [0, 1], ids=CHAIN.names)
def test_options_under_regimes(start, quoted):
    """Three nodes of the variance against its whole law: within 1e-4 of spot, where one Black price is 30 times as far off."""
    strikes = np.linspace(60.0, 140.0, 17)
    expected = np.array([exact("put", k, start, 1.2, STEPS) for k in strikes])
    got = np.asarray(quoted(MARKET, jnp.float32(start), jnp.asarray(strikes)))
    assert np.abs(got - expected).max() < 1e-4 * 100.0
    assert (np.diff(got, 2) > 0.0).all()


def test_options_by_simulation_under_q(under_q):
    for strike in (80.0, 100.0, 115.0):
        payoff = np.exp(-0.02) * np.maximum(strike - under_q["equity"][:, -1], 0.0)
        assert abs(z_score(payoff, exact("put", strike, 0, 1.2, STEPS))) < K


def test_vega_and_the_chain_go_into_prices(quoted, float64):
    """Derivatives of a price by a volatility and by an intensity are those of central differences; on paths an intensity has none."""
    price = lambda market: quoted(market, jnp.asarray(0.0), jnp.asarray([95.0]))[0]  # noqa: E731
    slope = jax.jit(jax.grad(price))(MARKET)

    def bumped(name, h):
        at = float(parameters(MARKET)[name])
        return (float(price(with_parameters(MARKET, {name: at + h}))) - float(price(with_parameters(MARKET, {name: at - h})))) / (2.0 * h)

    assert float(slope["equity"].sigma["crash"]) == pytest.approx(bumped("equity.sigma.crash", 1e-5), rel=1e-5)
    assert float(slope.regimes.intensity["calm-crash"]) == pytest.approx(bumped("regimes.intensity.calm-crash", 1e-5), rel=1e-4)
    assert not [name for name in trainable(MARKET) if "intensity" in name]
    with pytest.raises(ValueError, match=r"^regimes\.intensity\.calm-crash: expected a number that paths move smoothly by"):
        check_pathwise(MARKET, ["regimes.intensity.calm-crash"])


def test_three_nodes_have_the_moments_asked(float64):
    x, w = np.array([0.1, 0.5, 2.0, 3.0]), np.array([0.4, 0.3, 0.2, 0.1])
    mean = (w * x).sum()
    central = [(w * (x - mean) ** j).sum() for j in range(2, 6)]
    nodes, weights = three_nodes(*(jnp.asarray(m) for m in (mean, *central)))
    nodes, weights = np.array(nodes), np.array(weights)
    assert weights.sum() == pytest.approx(1.0)
    assert (weights * nodes).sum() == pytest.approx(mean)
    for j, moment in enumerate(central, start=2):
        assert (weights * (nodes - mean) ** j).sum() == pytest.approx(moment, rel=1e-9)
    # A constant: all nodes there.
    nodes, weights = three_nodes(*(jnp.asarray(m) for m in (0.3, 0.0, 0.0, 0.0, 0.0)))
    assert [float(n) for n in nodes] == [0.3] * 3


# ---- a study, extremes, refusals ----


def test_a_hedged_book_in_regimes():
    study = mc.Study(replace(MARKET, correlation=None), mc.policy.presets.rolled_put({"equity": 0.6, "bond": 0.4}, 0.95, tenor=4, roll=4), steps=8)
    traced = study.trace(range(64))
    assert np.isfinite(traced["wealth"]).all()
    assert set(np.unique(traced["equity.variance"].round(4))) == {0.0144, 0.16}
    assert (traced["rolled_put.price"] > -1e-5).all()


def _extreme(rates, sigmas, drift, years):
    names = ("a", "b", "c")
    pairs = dict(zip([f"{x}-{y}" for x in names for y in names if x != y], rates, strict=True))
    asset = RegimeGBM(100.0, dict(zip(names, sigmas, strict=True)), drift)
    market = Market({"e": asset}, regimes=Regimes(names, pairs))
    every = simulate(market, years, 16, 64, whole=True)
    assert np.isfinite(every["e"]).all()
    assert (every["e"] >= 0.0).all()
    assert set(np.unique(every["regimes"])) <= {0.0, 1.0, 2.0}


EXTREMES = {
    "rates": st.lists(st.floats(1e-6, 1e4), min_size=6, max_size=6),
    "sigmas": st.lists(st.floats(0.0, 3.0), min_size=3, max_size=3),
    "drift": st.floats(-2.0, 2.0),
    "years": st.floats(1.0 / 252.0, 5.0),
}


@settings(deadline=None, derandomize=True, database=None, max_examples=15)
@given(**EXTREMES)
def test_regimes_stay_finite(rates, sigmas, drift, years):
    _extreme(rates, sigmas, drift, years)


@pytest.mark.slow
@settings(deadline=None, derandomize=True, database=None, max_examples=1000)
@given(**EXTREMES)
def test_regimes_stay_finite_a_thousand_times(rates, sigmas, drift, years):
    _extreme(rates, sigmas, drift, years)


CYCLE = {"x-y": 1.0, "y-x": 1.0}


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (
            lambda: Regimes(("x", "y"), {"x-y": 1.0}),
            "Regimes.intensity: expected a chain that goes from every regime to every other, so that it is stationary, got none from y to x",
        ),
        (lambda: Regimes(("x", "y"), {"x-y": -1.0, "y-x": 1.0}), "Regimes.intensity.x-y: expected a number not below 0, got -1.0"),
        (lambda: Regimes(("x", "y"), {"x-z": 1.0}), "Regimes.intensity: expected pairs of x, y written from-to, got 'x-z'"),
        (lambda: Regimes(("x", "x"), {}), "Regimes.names: expected 1 to 4 different names, got ['x', 'x']"),
        (lambda: Regimes(tuple("abcde"), {}), "Regimes.names: expected 1 to 4 different names, got ['a', 'b', 'c', 'd', 'e']"),
        (lambda: Regimes(("x", "y"), CYCLE, start="z"), "Regimes.start: unknown regime 'z'; known: x, y"),
        (
            lambda: from_transition(("x", "y"), [[0.9, 0.2], [0.1, 0.9]], 1.0),
            "transition: expected probabilities whose rows sum to 1, got rows that sum to",
        ),
        (lambda: from_transition(("x", "y"), [[1.1, -0.1], [0.1, 0.9]], 1.0), "transition: expected probabilities whose rows sum to 1"),
        (lambda: from_transition(("x", "y"), [[0.1, 0.9], [0.9, 0.1]], 1.0), "transition: expected probabilities of a chain in continuous time"),
        (lambda: from_transition(("x", "y"), [[1.0, 0.0], [0.1, 0.9]], 1.0), "Regimes.intensity: expected a chain that goes from every regime"),
        (lambda: from_transition(("x", "y"), [[1.0]], 1.0), "transition: expected a 2 x 2 matrix for x, y, got shape (1, 1)"),
        (lambda: Market({"a": RegimeGBM(1.0, {"x": 0.1})}), "a: expected a market with regimes for RegimeGBM, got none"),
        (
            lambda: Market({"a": RegimeGBM(1.0, {"x": 0.1})}, regimes=Regimes(("x", "y"), CYCLE)),
            "a.sigma: expected a number for each of the regimes x, y, got x",
        ),
        (
            lambda: Market({"a": GBM(1.0, 0.1), "b": GBM(1.0, 0.1)}, regimes=Regimes(("x", "y"), CYCLE, correlation={"y": {"a-b": 1.0}})),
            "regimes.y: correlation.a-b: expected a number between -1 and 1, got 1",
        ),
        (lambda: RegimeGBM(1.0, 0.2), "RegimeGBM.sigma: expected a volatility for each regime by name, got 0.2"),
    ],
)
def test_refusals(build, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        build()


WHAT = ("gain", "time", "square", "drawdown")


def test_what_a_book_does_in_each_regime_is_what_the_market_does_there():
    """All in one asset: over a step of regime k E r = e^{mu dt} - 1 and E r^2 = e^{(2 mu + sigma^2) dt} - 2 e^{mu dt} + 1; half of it beside. The
    errors of ratios are those of batches, and a run that keeps a quarter of its paths says the same.
    """
    sigma, drift = {"calm": 0.12, "crash": 0.4}, {"calm": 0.1, "crash": -0.3}
    chain = Regimes(("calm", "crash"), {"calm-crash": 2.0, "crash-calm": 6.0})
    market = Market({"e": RegimeGBM(100.0, sigma, drift)}, regimes=chain)
    (recorder,) = mc.engine.InRegimes.of(market)
    rules = {"unhedged": mc.policy.Mix(e=1.0), "half": mc.policy.Mix(e=0.5)}
    study = mc.Study(market, rules, mc.ledger.Proportional(0.0), steps=64, recorders=(*mc.engine.recorder.DEFAULT, recorder))
    figures = mc.objective.regime_figures(study)
    result = study.run(8192, figures=figures, progress=False)
    table = mc.objective.by_regime(result)
    assert table.attrs["regimes"] == ("calm", "crash")
    matrix, dt = np.asarray(chain.transition(1 / 64)), 1 / 64
    crash = np.mean([np.linalg.matrix_power(matrix, k)[0, 1] for k in range(64)])
    for name, share in {"calm": 1.0 - crash, "crash": crash}.items():
        mean, square = np.expm1(drift[name] * dt), np.exp((2 * drift[name] + sigma[name] ** 2) * dt) - 2 * np.exp(drift[name] * dt) + 1.0
        own, half = table.loc["unhedged"], table.loc["half"]
        expected = {"time": share, "annual_return": mean / dt, "volatility": np.sqrt(square / dt)}
        for kind, value in expected.items():
            assert abs(own[f"{kind}_in_{name}"].z(value)) < K, (kind, name)
        assert abs(half[f"annual_difference_in_{name}"].z(-0.5 * mean / dt)) < K
        assert 0.0 < half[f"mean_drawdown_in_{name}"].value < own[f"mean_drawdown_in_{name}"].value
        sums = {book: {k: result[book][f"regime_{name}_{k}"].reshape(64, 128).mean(axis=1, dtype=float) for k in WHAT} for book in rules}
        one, other = sums["unhedged"], sums["half"]
        batched = {
            "annual_return": one["gain"] / one["time"],
            "volatility": np.sqrt(one["square"] / one["time"]),
            "mean_drawdown": one["drawdown"] / one["time"],
            "annual_difference": (other["gain"] - one["gain"]) / one["time"],
        }
        for kind, values in batched.items():
            row = half if kind == "annual_difference" else own
            assert 0.6 < row[f"{kind}_in_{name}"].error / (np.std(values, ddof=1) / 8.0) < 1.6, (kind, name)
    whole = sum(result["half"][f"regime_{name}_time"] for name in chain.names)
    np.testing.assert_allclose(whole, 1.0, rtol=1e-5)
    part = mc.objective.by_regime(study.run(8192, figures=figures, keep=2048, progress=False))
    for key in table.columns.drop([key for key in table.columns if "difference" in key]):
        assert part.loc["half", key].value == pytest.approx(table.loc["half", key].value, abs=0.3 * table.loc["half", key].error)


def test_regimes_are_recorded_where_there_are_some():
    calm = Market({"a": GBM(1.0, 0.1)})
    assert mc.engine.InRegimes.of(calm) == ()
    with pytest.raises(ValueError, match=r"^InRegimes\.regimes: expected a market with regimes, got one without$"):
        mc.Study(calm, mc.policy.Mix(a=1.0), recorders=(mc.engine.InRegimes(("x", "y")),))
    wild = Market({"a": RegimeGBM(1.0, {"x": 0.1, "y": 0.4})}, regimes=Regimes(("x", "y"), CYCLE))
    with pytest.raises(ValueError, match=r"^InRegimes\.regimes: expected the market's regimes in their order \(x, y\), got y, x$"):
        mc.Study(wild, mc.policy.Mix(a=1.0), recorders=(mc.engine.InRegimes(("y", "x")),))

    @dataclass(frozen=True)
    class Own(mc.engine.recorder.Wealth):
        """A user's, whose ``regimes`` and ``slots`` are its own affair."""

        regimes: float = 0.5
        slots: int = 3

    mc.Study(calm, mc.policy.Mix(a=1.0), recorders=(Own(),))
    with pytest.raises(ValueError, match=r"^by_regime: expected a study with the recorder InRegimes, got none"):
        mc.objective.regime_figures(mc.Study(calm, mc.policy.Mix(a=1.0)), benchmark=None)
