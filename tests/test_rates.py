"""Short rates: published and exact values, martingales under Q, premia under P, degenerate limits, cash and bonds in a study, refusals.

Tolerances of sampled figures are K standard errors at a fixed seed, in float32 unless a test says otherwise.
"""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import simulate, z_score

import mcengine as mc
from mcengine._model import replace
from mcengine.market import GBM, BondIndex, Heston, HullWhite, Market, Schwartz, Vasicek, short_rate
from mcengine.pricing import Calendar

K = 4.0
PATHS, STEPS, YEARS = 1 << 15, 16, 4.0
VASICEK = Vasicek(rate=0.03, kappa=0.5, theta=0.05, sigma=0.02, term_premium=0.2)
CURVE = HullWhite([0.5, 1.0, 2.0, 5.0, 10.0], [0.02, 0.021, 0.025, 0.031, 0.035], kappa=0.05, sigma=0.012, term_premium=0.2)
ASSETS = {
    "equity": GBM(100.0, 0.2, drift=0.08, dividend=0.02),
    "stochastic": Heston(100.0, 0.04, 2.0, 0.04, 0.5, -0.7, drift=0.06),
    "index": BondIndex(100.0, maturity=8.0),
    "oil": Schwartz(60.0, 1.5, 65.0, 0.35),
}
ASKED = {"equity-rate": 0.4, "stochastic-rate": -0.3, "equity-stochastic": 0.5, "oil-rate": 0.2}
MARKETS = {"vasicek": Market(ASSETS, ASKED, VASICEK), "hull-white": Market(ASSETS, ASKED, CURVE)}


def look(market, years, steps, at, read, states=None):
    """What ``read`` makes of the quotes at a date, in one program."""

    def program(market, calendar, states):
        ready = market.prepare(calendar)
        return read(ready.quotes(ready.start() if states is None else states, at))

    return jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), jax.jit(program)(market, Calendar(years, steps), states))


@pytest.fixture(scope="module", params=MARKETS)
def under_q(request):
    market = MARKETS[request.param]
    return market, simulate(market.risk_neutral(), YEARS, STEPS, PATHS, whole=True)


@pytest.fixture(scope="module")
def under_p():
    return simulate(MARKETS["vasicek"], YEARS, STEPS, PATHS, whole=True)


# ---- formulas ----


def test_vasicek_bond_reference_number(float64):
    assert float(Vasicek(0.03, 0.5, 0.05, 0.02).discounts(5.0)) == pytest.approx(0.8094290808, abs=1e-10)


def test_hull_white_meets_its_curve(float64):
    years, zeros = np.asarray(CURVE.maturities), np.asarray(CURVE.zeros)
    np.testing.assert_allclose(CURVE.discounts(years), np.exp(-zeros * years), rtol=1e-14)
    assert float(CURVE.discounts(0.0)) == 1.0
    # Beyond the last maturity the last forward rate goes on.
    last = (0.035 * 10.0 - 0.031 * 5.0) / 5.0
    assert float(CURVE.discounts(20.0)) == pytest.approx(np.exp(-0.35 - 10.0 * last), rel=1e-14)
    np.testing.assert_allclose(CURVE.forwards(np.array([0.2, 7.0, 30.0])), [0.02, last, last], rtol=1e-12)


@pytest.mark.parametrize("u", [1e-5, 1e-3, 0.1, 0.49, 0.51, 3.0, 60.0])
@pytest.mark.parametrize("kappa", [0.02, 5.0])
def test_integrals_keep_their_digits(u, kappa):
    """Against quadrature, in float32: over a day the formulas as printed would lose them all."""
    years = u / kappa
    x, w = np.polynomial.legendre.leggauss(200)
    s, w = 0.5 * years * (x + 1.0), 0.5 * years * w
    b = -np.expm1(-kappa * s) / kappa
    assert float(short_rate.lag(kappa, jnp.float32(years))) == pytest.approx((b * w).sum(), rel=3e-6)
    assert float(short_rate.bond_variance(kappa, 0.01, jnp.float32(years))) == pytest.approx(1e-4 * (b**2 * w).sum(), rel=1e-5)


def test_forward_rates_are_the_slope_of_the_curve(float64):
    h = 1e-5
    slope = -(np.log(VASICEK.discounts(3.0 + h)) - np.log(VASICEK.discounts(3.0 - h))) / (2.0 * h)
    assert float(VASICEK.forwards(3.0)) == pytest.approx(float(slope), rel=1e-8)


def _law(rate, dts):
    """Mean and covariance of (x, integral of r) after steps of ``dts`` years, from the rows alone."""

    @jax.jit
    def table(rate, times, dts):
        curve = rate.discounts(times)
        return short_rate.table(rate, times[:-1], dts, (curve[:-1], curve[1:]))

    rows = table(rate, np.concatenate([[0.0], np.cumsum(dts)]), dts)
    mean, covariance = np.zeros(2), np.zeros((2, 2))
    for k in range(len(dts)):
        row = jax.tree.map(lambda column, k=k: float(column[k]), rows)
        turn = np.array([[row.decay, 0.0], [row.duration, 1.0]])
        noise = np.array([[row.spread, 0.0], [row.shared, row.own]])
        mean = turn @ mean + [row.pull, row.interest]
        covariance = turn @ covariance @ turn.T + noise @ noise.T
    return mean, covariance


@pytest.mark.parametrize("rate", [VASICEK, CURVE], ids=["vasicek", "hull-white"])
def test_steps_are_exact(rate, float64):
    """One long step has the law of many uneven ones, premium included; and the law of one is the textbook's."""
    one, many = _law(rate, np.array([3.0])), _law(rate, np.array([0.5, 0.01, 1.49, 0.75, 0.25]))
    np.testing.assert_allclose(many[0], one[0], rtol=1e-11)
    np.testing.assert_allclose(many[1], one[1], rtol=1e-10)
    q = rate.risk_neutral()
    mean, covariance = _law(q, np.array([3.0]))
    assert np.exp(-mean[1] + 0.5 * covariance[1, 1]) == pytest.approx(float(rate.discounts(3.0)), rel=1e-12)
    sigma, kappa = float(rate.sigma), float(rate.kappa)
    assert covariance[0, 0] == pytest.approx(sigma**2 * (1.0 - np.exp(-6.0 * kappa)) / (2.0 * kappa), rel=1e-12)


def test_vasicek_reverts_to_its_mean_less_the_premium(float64):
    r = Vasicek(0.02, 1.5, 0.05, 0.01, term_premium=0.3)
    mean, _ = _law(r, np.array([50.0]))
    assert float(r.forwards(50.0)) + mean[0] == pytest.approx(0.05 - 0.3 * 0.01 / 1.5, rel=1e-10)


def test_loadings_are_the_covariances_of_the_brownian_increment(float64):
    """By fine steps: increments of W and the noise of x and of the integral, over dt."""
    kappa, dt, n = 0.8, 1.5, 200_000
    u = (np.arange(n) + 0.5) * dt / n
    to_x, to_integral = np.exp(-kappa * (dt - u)), -np.expm1(-kappa * (dt - u)) / kappa
    covariance = np.array([[(a * b).mean() * dt for a in (to_x, to_integral)] for b in (to_x, to_integral)])
    with_w = np.array([to_x.mean() * dt, to_integral.mean() * dt]) / np.sqrt(dt)
    expected = np.linalg.solve(np.linalg.cholesky(covariance), with_w)
    got = short_rate.loadings(replace(VASICEK, kappa=kappa), jnp.asarray(dt))
    np.testing.assert_allclose([float(x) for x in got], expected, rtol=1e-8)
    assert np.hypot(*(float(x) for x in got)) == pytest.approx(1.0, rel=1e-12)


# ---- under Q ----


def test_discounted_prices_are_martingales_under_q(under_q):
    """Cash, equity with dividends, Heston, the bond index: all discounted along the path's own rate."""
    market, states = under_q
    discount = np.exp(-states["rate"].total)
    for k in (STEPS // 2 - 1, STEPS - 1):
        years = YEARS * (k + 1) / STEPS
        assert abs(z_score(discount[:, k], float(market.rate.discounts(years)))) < K
        assert abs(z_score(discount[:, k] * states["equity"][:, k] * np.exp(0.02 * years), 100.0)) < K
        assert abs(z_score(discount[:, k] * states["stochastic"].spot[:, k], 100.0)) < K
        assert abs(z_score(discount[:, k] * states["index"][:, k], 100.0)) < K


def test_bonds_by_simulation_are_bonds_by_formula(under_q):
    """Price at date t from the quote, discounted: today's curve. And it is what the quote says, path by path, of the bank account ahead."""
    market, states = under_q
    at = STEPS // 2
    here = jax.tree.map(lambda x: jnp.asarray(x[:, at - 1]), states)
    bond = look(market, YEARS, STEPS, at, lambda quotes: quotes["equity"].discount(STEPS), here)
    assert bond.std() > 0.01
    now = np.exp(-states["rate"].total[:, at - 1])
    assert abs(z_score(now * bond, float(market.rate.discounts(YEARS)))) < K
    ahead = np.exp(-(states["rate"].total[:, -1] - states["rate"].total[:, at - 1]))
    x = states["rate"].deviation[:, at - 1]
    for weight in (np.ones_like(x), x / x.std()):  # the difference has mean 0 whatever is known at t
        assert abs(z_score(now * (ahead - bond) * weight, 0.0)) < K


def test_forwards_under_a_stochastic_rate(under_q):
    """Spot over the path's bond; of the commodity its own law under the forward measure, lower by its covariance with the bond."""
    market, states = under_q
    here = jax.tree.map(lambda x: jnp.asarray(x[:3, 7]), states)
    read = lambda quotes: {n: (quotes[n].spot, quotes[n].discount(STEPS), quotes[n].forward(STEPS)) for n in ("equity", "oil")}  # noqa: E731
    seen = look(market, YEARS, STEPS, 8, read, here)
    spot, discount, forward = seen["equity"]
    np.testing.assert_allclose(forward, spot * np.exp(-0.02 * 2.0) / discount, rtol=1e-5)
    spot, _, forward = seen["oil"]
    u = (np.arange(4000) + 0.5) * 2.0 / 4000
    kappa, sigma = float(market.rate.kappa), float(market.rate.sigma)
    shift = 0.2 * 0.35 * sigma * (np.exp(-1.5 * u) * -np.expm1(-kappa * u) / kappa).mean() * 2.0
    pull = (1.0 - np.exp(-3.0)) * np.log(65.0) + 0.35**2 * (1.0 - np.exp(-6.0)) / 6.0 - shift
    np.testing.assert_allclose(forward, np.exp(np.exp(-3.0) * np.log(spot) + pull), rtol=1e-5)
    today = look(market, YEARS, STEPS, 0, lambda quotes: quotes["oil"].forward(STEPS))
    assert abs(z_score(np.exp(-states["rate"].total[:, -1]) * (np.exp(states["oil"][:, -1]) - today), 0.0)) < K


def test_rates_and_assets_are_correlated_as_asked(under_q):
    """Steps of a quarter: the noise of x stands for the Brownian motion but for terms in (kappa dt)^2."""
    market, states = under_q
    x = np.concatenate([np.zeros((PATHS, 1)), states["rate"].deviation], axis=1)
    kappa, dt = float(market.rate.kappa), YEARS / STEPS
    shocks = (x[:, 1:] - np.exp(-kappa * dt) * x[:, :-1]).ravel()
    log = np.log(np.concatenate([np.full((PATHS, 1), 100.0), states["equity"]], axis=1))
    moves = (np.diff(log) - states["rate"].accrued).ravel()
    tolerance = K / np.sqrt(moves.size)
    assert abs(np.corrcoef(shocks, moves)[0, 1] - 0.4) < tolerance + 0.4 * (kappa * dt) ** 2 / 24.0
    oil = states["oil"]
    decay = np.exp(-1.5 * dt)
    drawn = (oil[:, 1:] - decay * oil[:, :-1]).ravel()
    assert abs(np.corrcoef(shocks.reshape(PATHS, STEPS)[:, 1:].ravel(), drawn)[0, 1] - 0.2) < tolerance + 0.2 * (1.5 * dt) ** 2 / 12.0


# ---- under P ----


def test_drifts_under_p_are_total_returns(under_p):
    """An asset's drift is what it says whatever the rate does; bonds earn the term premium over cash, and only they."""
    assert abs(z_score(under_p["equity"][:, -1], 100.0 * np.exp(0.06 * YEARS))) < K
    assert abs(z_score(under_p["stochastic"].spot[:, -1], 100.0 * np.exp(0.06 * YEARS))) < K
    cash = np.exp(-under_p["rate"].total[:, -1])
    b, lam, sigma, dt = float(short_rate.duration(0.5, 8.0)), 0.2, 0.02, YEARS / STEPS
    left = float(short_rate.duration(0.5, 8.0 - dt))
    each = lam * sigma * (left * float(short_rate.duration(0.5, dt)) + float(short_rate.lag(0.5, dt)))
    assert each == pytest.approx(lam * sigma * b * dt, rel=0.02)  # lambda sigma B a year, but for the step
    assert abs(z_score(cash * under_p["index"][:, -1], 100.0 * np.exp(STEPS * each))) < K


def test_the_index_has_the_volatility_of_its_bond(under_p):
    dt = YEARS / STEPS
    log = np.log(np.concatenate([np.full((PATHS, 1), 100.0), under_p["index"]], axis=1))
    unexpected = np.diff(log)[:, :4] - under_p["rate"].accrued[:, :4]
    variance = look(MARKETS["vasicek"], YEARS, STEPS, 0, lambda quotes: quotes["index"].variance)
    assert np.sqrt(variance) == pytest.approx(0.02 * float(short_rate.duration(0.5, 8.0)), rel=1e-5)
    assert unexpected.std() == pytest.approx(np.sqrt(variance * dt), rel=0.15)  # the integral takes part of the move back


# ---- degenerate limits ----


@pytest.mark.parametrize("rate", [Vasicek(0.03, 0.5, 0.03, 0.0), HullWhite([1.0, 5.0], [0.03, 0.03], 0.1, 0.0)], ids=["vasicek", "hull-white"])
def test_without_noise_the_rate_is_flat(rate):
    """Same assets, the noise two addresses further: laws and quotes agree, and cash grows as it should."""
    still = Market({"index": BondIndex(100.0, 5.0)}, rate=rate)
    states = simulate(still, 2.0, 8, 64)
    np.testing.assert_allclose(states["index"], 100.0 * np.exp(0.06), rtol=2e-6)
    np.testing.assert_allclose(states["rate"].total, 0.06, rtol=1e-5)
    discount, forward = look(still, 2.0, 8, 0, lambda quotes: (quotes["index"].discount(8), quotes["index"].forward(8)))
    assert discount == pytest.approx(np.exp(-0.06), rel=1e-6)
    assert forward == pytest.approx(100.0 * np.exp(0.06), rel=1e-6)


def test_with_fast_reversion_the_rate_stays():
    states = simulate(Market({"index": BondIndex(100.0, 5.0)}, rate=Vasicek(0.03, 200.0, 0.03, 0.02)), 2.0, 8, 256)
    assert np.abs(states["rate"].total - 0.06).max() < 1e-3
    assert states["rate"].deviation.std() == pytest.approx(0.02 / np.sqrt(400.0), rel=0.2)


def test_a_flat_rate_draws_and_carries_nothing():
    """The market without a stochastic rate is the program it was."""
    flat = Market({"a": GBM(100.0, 0.2)}, rate=0.03)
    ready = flat.prepare(Calendar(1.0, 4))
    assert (ready.n_factors, ready.n_uniforms) == (1, 0)
    assert set(ready.start()) == {"a"}
    assert set(ready.rows) == {"assets", "interest", "income"}
    quote = ready.quotes(ready.start(), 0)["a"]
    assert quote.rate is None
    assert quote.event_variance(4) == 0.0


# ---- contracts and books ----


def test_options_on_the_index_by_formula_and_by_simulation():
    """The pricer is exact for continuous rolling; with quarterly dates its error is far below one of the simulation's."""
    market = Market({"index": BondIndex(100.0, maturity=8.0)}, rate=CURVE)
    contracts = {"put": mc.instrument.Put(105.0, 2.0, "index"), "call": mc.instrument.Call(105.0, 2.0, "index")}
    got = mc.engine.payoffs(contracts, market, paths=1 << 16, steps=16, keep=0).estimates
    price = market.pricers()["index"].option
    formula = look(market, 2.0, 16, 0, lambda quotes: {name: price(name, 105.0, 16, quotes["index"]) for name in got})
    for name, estimate in got.items():
        assert abs(estimate.value - formula[name]) < K * estimate.error, name
    parity = 100.0 - 105.0 * float(market.rate.discounts(2.0))
    assert got["call"].value - got["put"].value == pytest.approx(parity, abs=K * (got["call"].error + got["put"].error))


def test_cash_earns_the_path_s_rate():
    """A book all in cash is the bank account: its inverse has the bond's price for its mean under Q, and it varies."""
    market = Market({"equity": GBM(100.0, 0.2)}, {"equity-rate": 0.3}, CURVE).risk_neutral()
    study = mc.Study(market, mc.policy.Mix(equity=0.0), years=4.0, steps=8, recorders=(mc.engine.recorder.Wealth(),))
    wealth = study.run(1 << 14, progress=False).outcomes["policy"]["wealth"]
    assert wealth.std() > 0.01
    assert abs(z_score(1.0 / wealth, float(CURVE.discounts(4.0)))) < K


# ---- extremes ----


def _extreme(kappa, sigma, premium, rho, years):
    market = Market({"e": GBM(100.0, 0.3), "b": BondIndex(100.0, years)}, {"e-rate": rho}, Vasicek(0.02, kappa, 0.03, sigma, premium))
    for side in (market, market.risk_neutral()):
        every = simulate(side, years, 16, 64, whole=True)
        assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(every))
        assert (every["e"] > 0.0).all()
        assert (every["b"] > 0.0).all()


EXTREMES = {
    "kappa": st.floats(1e-4, 100.0),
    "sigma": st.floats(0.0, 0.1),
    "premium": st.floats(-2.0, 2.0),
    "rho": st.floats(-0.999, 0.999),
    "years": st.floats(16.0 / 252.0, 10.0),
}


@settings(deadline=None, derandomize=True, database=None, max_examples=15)
@given(**EXTREMES)
def test_rates_stay_finite(kappa, sigma, premium, rho, years):
    _extreme(kappa, sigma, premium, rho, years)


@pytest.mark.slow
@settings(deadline=None, derandomize=True, database=None, max_examples=1000)
@given(**EXTREMES)
def test_rates_stay_finite_a_thousand_times(kappa, sigma, premium, rho, years):
    _extreme(kappa, sigma, premium, rho, years)


# ---- refusals ----


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: HullWhite([1.0, 1.0], [0.03, 0.03], 0.1, 0.01), "HullWhite.maturities: expected years that rise, got [1.0, 1.0]"),
        (lambda: HullWhite([0.0, 1.0], [0.03, 0.03], 0.1, 0.01), "HullWhite.maturities: expected a number above 0, got [0. 1.]"),
        (lambda: HullWhite([1.0, 2.0], [0.03], 0.1, 0.01), "HullWhite.zeros: expected one rate for each of 2 maturities, got 1"),
        (lambda: Vasicek(0.03, 0.0, 0.03, 0.01), "Vasicek.kappa: expected a number above 0, got 0.0"),
        (lambda: Market({"b": BondIndex(1.0)}, rate=0.02), "b: expected a market with a stochastic rate for BondIndex, got FlatRate"),
        (
            lambda: Market({"e": GBM(1.0, 0.2), "b": BondIndex(1.0)}, {"e-b": 0.2}, VASICEK),
            "correlation: expected pairs of e, rate written first-second, got e-b",
        ),
        (lambda: Market({"e": GBM(1.0, 0.2)}, {"e-rate": 1.0}, VASICEK), "correlation.e-rate: expected a number between -1 and 1, got 1"),
    ],
)
def test_refusals(build, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        build()
