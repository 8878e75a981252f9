"""Black against scipy, QuantLib and its own derivatives; the Heston approximation against the Fourier integral."""

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

from mcengine.pricing import BlackPricer, Calendar, HestonPricer, black, normal_cdf

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

PRICERS = [BlackPricer(0.04), HestonPricer(2.0, 0.04, 0.5, -0.7)]


def test_a_quote_reads_its_tables():
    view = quote(100.0, 2.0, rate=0.03, dividend=0.01)
    np.testing.assert_allclose([view.years(1), view.discount(1), view.forward(1)], [2.0, np.exp(-0.06), 100.0 * np.exp(0.04)])
    np.testing.assert_allclose([view.years(0), view.discount(0), view.forward(0)], [0.0, 1.0, 100.0])


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
    assert float(price(pricer, 100.0, 0.04)) == max(strike - 100.0, 0.0)
    assert all(np.isfinite(g) for g in jax.tree.leaves(jax.grad(price, (0, 1, 2))(pricer, 100.0, 0.04)))


@pytest.mark.parametrize("pricer", [BlackPricer(0.0), HestonPricer(2.0, 0.0, 0.5, -0.7)], ids=lambda p: type(p).__name__)
@pytest.mark.parametrize("strike", [90.0, 110.0])
def test_no_variance_at_all_gives_intrinsic_value_and_finite_derivatives(pricer, strike):
    """A volatility of zero is legal, and a Heston variance touches zero."""
    price = lambda p, spot, v: p.option("put", strike, 1, quote(spot, 1.0, variance=v))  # noqa: E731
    assert float(price(pricer, 100.0, 0.0)) == pytest.approx(max(strike - 100.0, 0.0), abs=1e-9)
    assert all(np.isfinite(g) for g in jax.tree.leaves(jax.grad(price, (0, 1, 2))(pricer, 100.0, 0.0)))


@pytest.mark.parametrize("pricer", PRICERS, ids=lambda p: type(p).__name__)
def test_pricers_keep_parity(pricer):
    view = quote(100.0, 0.75, variance=0.06, rate=0.05, dividend=0.02)
    for strike in (60.0, 100.0, 150.0):
        call, put = (float(pricer.option(kind, strike, 1, view)) for kind in ("call", "put"))
        assert call - put == pytest.approx(float(view.discount(1) * (view.forward(1) - strike)), abs=1e-12)


# ---- the Heston oracle, and the approximation ----

LEWIS = {"v0": 0.04, "kappa": 4.0, "theta": 0.25, "vol_of_vol": 1.0, "rho": -0.5}
ANDERSEN = {"v0": 0.04, "kappa": 0.5, "theta": 0.04, "vol_of_vol": 1.0, "rho": -0.9}


def test_the_fourier_oracle_gives_the_published_prices():
    forward, discount = 100.0 * np.exp(-0.01), np.exp(-0.01)
    lewis = reference.heston_call(forward, np.array([80.0, 90.0, 100.0]), 1.0, **LEWIS, discount=discount)
    np.testing.assert_allclose(lewis, [26.774758743998854, 20.933349000596710, 16.070154917028834], rtol=0.0, atol=1e-8)
    andersen = reference.heston_call(100.0, np.array([60.0, 70.0, 100.0, 140.0]), 10.0, **ANDERSEN)
    np.testing.assert_allclose(andersen, [44.32997507, 35.84976970, 13.08467014, 0.29577444], rtol=0.0, atol=2e-8)


def grid():
    """Equity parameters by their corners and middles: v, kappa, vol of vol, rho, years, strike; theta .03, spot 1."""
    axes = ([0.01, 0.02, 0.05, 0.08], [2.0, 4.0, 6.0], [0.3, 0.5, 0.8], [-0.5, -0.8], [0.05, 0.25, 1.0], [0.7, 0.8, 0.9, 1.0, 1.1])
    return [a.ravel() for a in np.meshgrid(*axes, indexing="ij")]


def approximation(v, kappa, xi, rho, years, strike):
    one = lambda v, a, b, c, t, k: HestonPricer(a, 0.03, b, c).option("call", k, 1, quote(1.0, t, variance=v))  # noqa: E731
    return np.asarray(jax.jit(jax.vmap(one))(v, kappa, xi, rho, years, strike))


def test_the_heston_approximation_is_as_good_as_it_is_said_to_be():
    """Worst errors measured, in fractions of spot; a tenth is added. Far from the money too dear, at the money too cheap."""
    v, kappa, xi, rho, years, strike = grid()
    exact = np.concatenate(
        [
            reference.heston_call(1.0, k, t, v0=w, kappa=a, theta=0.03, vol_of_vol=b, rho=c)
            for w, a, b, c, t, k in zip(*(np.array_split(x, 8) for x in (v, kappa, xi, rho, years, strike)), strict=True)
        ]
    )
    error = approximation(v, kappa, xi, rho, years, strike) - exact
    year = years == 1.0
    bounds = [
        ("everywhere", v > 0.0, 0.0127),
        ("strike .7, a year", year & (strike == 0.7), 0.0127),
        ("strike .9, a year", year & (strike == 0.9), 0.0048),
        ("strike 1, a year", year & (strike == 1.0), 0.0098),
        ("a quarter", years == 0.25, 0.0036),
        ("2.5 weeks", years == 0.05, 0.00033),
        ("vol of vol .8, kappa 4", (xi == 0.8) & (kappa == 4.0), 0.0047),
        ("vol of vol .5", xi == 0.5, 0.0046),
        ("vol of vol .5, kappa 4", (xi == 0.5) & (kappa == 4.0), 0.0012),
        ("vol of vol .3", xi == 0.3, 0.00093),
    ]
    for name, where, bound in bounds:
        assert np.abs(error[where]).max() < 1.1 * bound, name
    assert (approximation(v, kappa, xi, rho, years, strike) >= np.maximum(1.0 - strike, 0.0) - 1e-15).all()


@pytest.mark.parametrize("strike", [0.8, 0.9, 1.0, 1.1])
def test_its_error_is_of_third_order_in_vol_of_vol(strike):
    """Half the vol of vol, an eighth of the error (measured 6.7 to 9.1); were a term of second order wrong it would be a quarter."""
    error = []
    for xi in (0.1, 0.05):
        exact = reference.heston_call(1.0, strike, 0.5, v0=0.05, kappa=3.0, theta=0.03, vol_of_vol=xi, rho=-0.7)
        error.append(approximation(*(np.array([x]) for x in (0.05, 3.0, xi, -0.7, 0.5, strike)))[0] - float(exact))
    assert abs(error[0] / error[1]) > 6.0


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
