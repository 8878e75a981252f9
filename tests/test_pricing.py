"""Black against scipy, QuantLib and its own derivatives; quotes, calendar and expiry for every pricer; limits of Heston."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import QuantLib
import reference
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import quote
from scipy.special import ndtr

from mcengine.pricing import BlackPricer, Calendar, HestonPricer, MertonPricer, Quote, SurfacePricer, black, normal_cdf

QUANTLIB_KIND = {"call": QuantLib.Option.Call, "put": QuantLib.Option.Put}


@pytest.fixture(autouse=True)
def double():
    before = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", True)
    yield
    jax.config.update("jax_enable_x64", before)


# ---- Black ----

TABLE = [  # forward, strike, deviation, discount
    (100.0, 100.0, 0.2, 1.0),
    (100.0, 60.0, 0.05, 0.9),
    (100.0, 140.0, 0.05, 0.9),
    (1e-3, 2e-3, 1.5, 1.1),
    (2500.0, 2000.0, 3.0, 0.5),
    (100.0, 100.0001, 1e-6, 1.0),
]


@pytest.mark.parametrize("kind", ["call", "put"])
@pytest.mark.parametrize(("forward", "strike", "deviation", "discount"), TABLE)
def test_black_equals_scipy_and_quantlib(kind, forward, strike, deviation, discount):
    price = float(black(kind, forward, strike, deviation, discount))
    tolerance = 1e-14 * (forward + strike)
    assert abs(price - reference.black(kind, forward, strike, deviation, discount)) < tolerance
    assert abs(price - QuantLib.blackFormula(QUANTLIB_KIND[kind], strike, forward, deviation, discount)) < tolerance


@settings(deadline=None, derandomize=True, database=None)
@given(
    forward=st.floats(1e-3, 1e6),
    moneyness=st.floats(1e-2, 1e2),
    deviation=st.floats(0.0, 10.0),
    discount=st.floats(1e-2, 2.0),
)
def test_parity_and_bounds(forward, moneyness, deviation, discount):
    strike = forward * moneyness
    call, put = (float(black(kind, forward, strike, deviation, discount)) for kind in ("call", "put"))
    rounding = 1e-15 * 8.0 * discount * (forward + strike)
    assert abs(call - put - discount * (forward - strike)) <= rounding
    assert discount * max(forward - strike, 0.0) - rounding <= call <= discount * forward + rounding
    assert discount * max(strike - forward, 0.0) - rounding <= put <= discount * strike + rounding


def test_float32_keeps_its_digits():
    """In float32 an error of 4 units in the last place of the forward: a fraction of a basis point of a premium of 1 %."""
    with jax.enable_x64(False):
        prices = jax.vmap(lambda k: black("put", 100.0, k, 0.2, 1.0))(jnp.linspace(50.0, 150.0, 101))
    exact = reference.black("put", 100.0, np.linspace(50.0, 150.0, 101), 0.2)
    assert prices.dtype == jnp.float32
    assert np.abs(np.asarray(prices) - exact).max() < 4 * np.spacing(np.float32(100.0))


@pytest.mark.parametrize("kind", ["call", "put"])
@pytest.mark.parametrize("strike", [90.0, 100.0, 110.0])
def test_zero_deviation_is_the_discounted_intrinsic_value(kind, strike):
    value, slopes = jax.value_and_grad(black, (1, 2, 3, 4))(kind, 100.0, strike, 0.0, 0.9)
    sign = 1.0 if kind == "call" else -1.0
    assert float(value) == pytest.approx(0.9 * max(sign * (100.0 - strike), 0.0), abs=1e-12)
    assert np.isfinite(slopes).all()
    if strike != 100.0:
        alive = 0.9 * sign * (sign * (100.0 - strike) > 0.0)
        np.testing.assert_allclose(slopes[:2], [alive, -alive])


@pytest.mark.parametrize("kind", ["call", "put"])
@pytest.mark.parametrize("strike", [80.0, 100.0, 125.0])
def test_greeks_by_autodiff_are_the_closed_forms(kind, strike):
    spot, vol, years, rate, dividend = 100.0, 0.25, 0.75, 0.04, 0.02

    def price(spot, vol):
        return BlackPricer(vol * vol).option(kind, strike, 1, quote(spot, years, rate=rate, dividend=dividend))

    deviation = vol * np.sqrt(years)
    d1 = (np.log(spot / strike) + (rate - dividend) * years) / deviation + 0.5 * deviation
    density = np.exp(-dividend * years - 0.5 * d1**2) / np.sqrt(2.0 * np.pi)
    sign = 1.0 if kind == "call" else -1.0
    np.testing.assert_allclose(
        [jax.grad(price)(spot, vol), jax.grad(jax.grad(price))(spot, vol), jax.grad(price, 1)(spot, vol)],
        [sign * np.exp(-dividend * years) * ndtr(sign * d1), density / (spot * deviation), spot * density * np.sqrt(years)],
        rtol=1e-12,
    )


def test_normal_cdf():
    x = np.linspace(-8.0, 8.0, 1601)
    np.testing.assert_allclose(normal_cdf(x), ndtr(x), rtol=0.0, atol=3e-16)


def test_an_unknown_kind_is_refused():
    with pytest.raises(ValueError, match="kind: expected 'call' or 'put', got 'straddle'"):
        black("straddle", 100.0, 100.0, 0.2, 1.0)


# ---- quotes, calendar, expiry ----

PRICERS = [BlackPricer(0.04), HestonPricer(2.0, 0.04, 0.5, -0.7), MertonPricer(0.03, 0.5, -0.1, 0.1), SurfacePricer()]


def test_a_quote_reads_its_tables():
    view = quote(100.0, 2.0, rate=0.03, dividend=0.01)
    np.testing.assert_allclose([view.years(1), view.discount(1), view.forward(1)], [2.0, np.exp(-0.06), 100.0 * np.exp(0.04)])
    np.testing.assert_allclose([view.years(0), view.discount(0), view.forward(0)], [0.0, 1.0, 100.0])


def test_the_derivative_by_the_curves_is_one_scatter():
    """Two could be joined into one kernel, which ends XLA:CPU's compiler: the gradient of three options on one asset under Black did."""

    def total(discounts, carry):
        ahead = Quote(100.0, 0.04, 0, jnp.arange(4.0), discounts, carry).expiries(jnp.array([1, 2, 3]))
        return jnp.sum(ahead.discount * ahead.carry)

    slopes = jax.grad(total, (0, 1))
    curves = jnp.array([1.0, 0.9, 0.8, 0.7]), jnp.array([1.0, 1.1, 1.2, 1.3])
    assert str(jax.make_jaxpr(slopes)(*curves)).count("scatter-add[") == 1
    by_hand = [[-2.86, 1.1, 1.2, 1.3], [-2.86, 0.9, 0.8, 0.7]]
    np.testing.assert_allclose(slopes(*curves), by_hand, rtol=1e-6)


def test_calendar():
    calendar = Calendar(0.5, 126, 10)
    assert calendar.dates == 137
    np.testing.assert_allclose(calendar.times()[jnp.array([0, 126, 136])], [0.0, 0.5, 136 / 252])
    with pytest.raises(ValueError, match="steps: expected a whole number of at least 1, got 0"):
        Calendar(1.0, 0)


@pytest.mark.parametrize("pricer", PRICERS, ids=lambda p: type(p).__name__)
@pytest.mark.parametrize("strike", [90.0, 100.0, 110.0])
def test_an_expired_option_is_its_payoff_with_finite_derivatives(pricer, strike):
    price = lambda p, spot, v: p.option("put", strike, 0, quote(spot, 1.0, variance=v))  # noqa: E731
    value, slopes = jax.jit(jax.value_and_grad(price, (0, 1, 2)))(pricer, 100.0, 0.04)
    assert float(value) == max(strike - 100.0, 0.0)
    assert all(np.isfinite(g) for g in jax.tree.leaves(slopes))


@pytest.mark.parametrize("pricer", [BlackPricer(0.0), HestonPricer(2.0, 0.0, 0.5, -0.7)], ids=lambda p: type(p).__name__)
@pytest.mark.parametrize("strike", [90.0, 110.0])
def test_no_variance_at_all_gives_intrinsic_value_and_finite_derivatives(pricer, strike):
    """A volatility of zero is legal, and a Heston variance touches zero."""
    price = lambda p, spot, v: p.option("put", strike, 1, quote(spot, 1.0, variance=v))  # noqa: E731
    value, slopes = jax.jit(jax.value_and_grad(price, (0, 1, 2)))(pricer, 100.0, 0.0)
    assert float(value) == pytest.approx(max(strike - 100.0, 0.0), abs=1e-9)
    assert all(np.isfinite(g) for g in jax.tree.leaves(slopes))


@pytest.mark.parametrize("pricer", PRICERS, ids=lambda p: type(p).__name__)
def test_pricers_keep_parity(pricer):
    view = quote(100.0, 0.75, variance=0.06, rate=0.05, dividend=0.02)
    for strike in (60.0, 100.0, 150.0):
        call, put = (float(pricer.option(kind, strike, 1, view)) for kind in ("call", "put"))
        assert call - put == pytest.approx(float(view.discount(1) * (view.forward(1) - strike)), abs=1e-12)


# ---- the Heston oracle, and limits ----

LEWIS = {"v0": 0.04, "kappa": 4.0, "theta": 0.25, "vol_of_vol": 1.0, "rho": -0.5}
ANDERSEN = {"v0": 0.04, "kappa": 0.5, "theta": 0.04, "vol_of_vol": 1.0, "rho": -0.9}


def test_the_fourier_oracle_gives_the_published_prices():
    forward, discount = 100.0 * np.exp(-0.01), np.exp(-0.01)
    lewis = reference.heston_call(forward, np.array([80.0, 90.0, 100.0]), 1.0, **LEWIS, discount=discount)
    np.testing.assert_allclose(lewis, [26.774758743998854, 20.933349000596710, 16.070154917028834], rtol=0.0, atol=1e-8)
    andersen = reference.heston_call(100.0, np.array([60.0, 70.0, 100.0, 140.0]), 10.0, **ANDERSEN)
    np.testing.assert_allclose(andersen, [44.32997507, 35.84976970, 13.08467014, 0.29577444], rtol=0.0, atol=2e-8)


def test_without_vol_of_vol_it_is_black_at_the_expected_variance():
    v, kappa, theta, years = 0.09, 2.0, 0.04, 1.5
    view = quote(100.0, years, variance=v, rate=0.02)
    total = theta * years + (v - theta) * (1.0 - np.exp(-kappa * years)) / kappa
    for strike in (70.0, 100.0, 130.0):
        expected = reference.black("put", 100.0 * np.exp(0.03), strike, np.sqrt(total), np.exp(-0.03))
        for xi in (0.0, 1e-9):
            assert float(HestonPricer(kappa, theta, xi, -0.7).option("put", strike, 1, view)) == pytest.approx(expected, abs=1e-7)


def test_a_premium_is_a_heston_with_scaled_variance():
    view = lambda v: quote(100.0, 0.5, variance=v)  # noqa: E731
    p = 1.4
    dear = HestonPricer(3.0, 0.03, 0.4, -0.6, premium=p).option("put", 90.0, 1, view(0.05))
    scaled = HestonPricer(3.0, p * 0.03, np.sqrt(p) * 0.4, -0.6).option("put", 90.0, 1, view(p * 0.05))
    assert float(dear) == pytest.approx(float(scaled), rel=1e-12)
    assert float(dear) > float(HestonPricer(3.0, 0.03, 0.4, -0.6).option("put", 90.0, 1, view(0.05)))
