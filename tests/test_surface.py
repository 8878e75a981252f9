"""The surface for history: its fit to the DAX quotes, its levels, its range, and no arbitrage at any skew it takes."""

import csv
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import reference
from reference import quote
from scipy.optimize import brentq, minimize_scalar

from mcengine import calibrate
from mcengine.pricing import BlackPricer, SurfacePricer
from mcengine.report import put_dearness

pytestmark = pytest.mark.usefixtures("float64")

QUOTES = Path(calibrate.__file__).parent / "data" / "dax_implied_vol.csv"
"""104 implied volatilities of DAX options, 5 July 2002: A. Sepp, "Pricing European-style options under jump diffusion processes with stochastic
volatility", and QuantLib's tests."""


@pytest.fixture(scope="module")
def dax():
    """Columns days, zero_rate, spot, strike, implied_vol by name."""
    with QUOTES.open() as stream:
        rows = list(csv.DictReader(stream))
    return {name: np.array([float(row[name]) for row in rows]) for name in rows[0]}


@pytest.fixture(scope="module")
def fitted(dax):
    """By days: (forward, strikes, quoted volatilities, VIX that fits this maturity, volatilities of the surface)."""
    surface, out = SurfacePricer(), {}
    with jax.enable_x64(True):
        volatility = jax.jit(lambda k, t, v: jnp.sqrt(surface.implied_variance(k, t, v) / t))
        for days in np.unique(dax["days"]):
            here = dax["days"] == days
            years = days / 365.0
            forward = dax["spot"][here][0] * np.exp(dax["zero_rate"][here][0] * years)
            k, quoted = np.log(dax["strike"][here] / forward), dax["implied_vol"][here]
            miss = lambda vix, k=k, t=years, q=quoted: float(np.sum((np.asarray(volatility(k, t, vix**2)) - q) ** 2))  # noqa: E731
            vix = minimize_scalar(miss, bounds=(0.1, 0.8), method="bounded").x
            out[int(days)] = forward, dax["strike"][here], quoted, vix, np.asarray(volatility(k, years, vix**2))
    return out


def test_three_numbers_of_slope_fit_104_quotes(fitted):
    """Each maturity's level apart: the sum of squared errors in points, of Heston's fit 177."""
    squares = {days: 1e4 * np.sum((mine - quoted) ** 2) for days, (_, _, quoted, _, mine) in fitted.items()}
    assert 60.0 < sum(squares.values()) < 63.0
    assert 0.5 < squares[13] / sum(squares.values()) < 0.65


@pytest.mark.parametrize(
    ("days", "quoted", "fit", "at_forward"),
    [(41, 14.7, 15.17, (14.05, 14.49)), (345, 1.9, 1.892, (2.008, 2.010))],
)
def test_flat_volatility_gives_the_insurance_away(fitted, days, quoted, fit, at_forward):
    """A put struck at 3400, 24 % below the index, over its price at the volatility quoted at 4500; and over that quoted at the forward."""
    forward, strikes, quotes, _, mine = fitted[days]
    put = lambda volatility: float(reference.black("put", forward, 3400.0, volatility * np.sqrt(days / 365.0)))  # noqa: E731
    wing = [float(v[strikes == 3400.0][0]) for v in (quotes, mine)]
    for flat, ratios in ((quotes[strikes == 4500.0][0], (quoted, fit)), (np.interp(forward, strikes, quotes), at_forward)):
        for volatility, ratio in zip(wing, ratios, strict=True):
            assert put(volatility) / put(flat) == pytest.approx(ratio, rel=0.01)


def test_dearness_by_skew_side_by_side(dax, fitted):
    """The table of the report: flat is 1, the fitted slope near what is quoted, half as much again far dearer; the nearer the expiry the more."""
    table = put_dearness(calibrate.read_quotes())
    assert list(table.columns) == ["at the money, %", "flat price, % of forward", "quoted", "x0", "x1", "x1.5"]
    assert list(table.index) == [f"{days} days" for days in fitted]
    np.testing.assert_allclose(table["x0"], 1.0, rtol=1e-9)
    long = table.drop(index="13 days")
    np.testing.assert_allclose(long["x1"], long["quoted"], rtol=0.13)
    assert (table["x1.5"] > table["x1"]).all()
    for column in ("quoted", "x1", "x1.5"):
        assert (np.diff(table[column]) < 0.0).all()
    assert list(table.loc["41 days", ["quoted", "x1", "x1.5"]]) == pytest.approx([13.35, 15.03, 28.05], rel=1e-3)
    assert list(table.loc["345 days", ["quoted", "x1", "x1.5"]]) == pytest.approx([1.776, 1.797, 2.249], rel=1e-3)
    # By hand, at one expiry: the surface at its long-run level.
    forward, strikes, quotes, _, _ = fitted[345]
    sigma, years = float(np.interp(0.0, np.log(strikes / forward), quotes)), 345.0 / 365.0
    surface = SurfacePricer(level=(1.1 * sigma) ** 2, skew=1.5)
    price = float(surface.option("put", 0.76, 1, quote(1.0, years, variance=(1.1 * sigma) ** 2)))
    assert price / reference.black("put", 1.0, 0.76, sigma * years**0.5) == pytest.approx(table.loc["345 days", "x1.5"], rel=1e-6)


def test_dearness_leaves_out_what_is_not_quoted():
    few = calibrate.Quotes(np.array([0.1, 0.1, 0.01]), np.array([90.0, 100.0, 100.0]), np.full(3, 100.0), np.full(3, 0.2), 100.0)
    assert put_dearness(few).empty
    assert list(put_dearness(few, moneyness=0.95).index) == ["36 days"]


def test_vix_sets_the_level_at_thirty_days():
    """The integral VIX is, over the surface's own out-of-the-money options, within 2 % of the VIX it was given."""
    surface, years = SurfacePricer(), 30.0 / 365.0
    for vix in (0.12, 0.2, 0.35, 0.5):
        assert float(surface.at_the_money(vix**2, years)) == pytest.approx((vix / 1.1) ** 2 * years, rel=1e-12)
        k = np.linspace(-12.0, 8.0, 4001) * vix * np.sqrt(years)
        w = np.asarray(jax.vmap(lambda k, v=vix: surface.implied_variance(k, years, v**2))(k))
        put = reference.black("put", 1.0, np.exp(k), np.sqrt(w))
        money = np.where(k < 0.0, put, put + 1.0 - np.exp(k)) * np.exp(-k)
        assert np.sqrt(2.0 / years * np.trapezoid(money, k)) == pytest.approx(vix, rel=0.02)


def test_long_volatility_reverts():
    surface = SurfacePricer()
    at = lambda vix, years: surface.volatility(100.0, 100.0, years, vix)  # noqa: E731
    assert at(0.6, 0.1) > at(0.6, 0.5) > at(0.6, 2.0) > np.sqrt(0.0443) / 1.1 > at(0.1, 2.0) > at(0.1, 0.1)


def test_without_skew_it_is_black():
    flat = SurfacePricer(skew=0.0)
    view = quote(100.0, 0.5, variance=0.05, rate=0.02)
    same = BlackPricer(float(flat.at_the_money(0.05, 0.5)) / 0.5)
    assert float(flat.option("put", 80.0, 1, view)) == pytest.approx(float(same.option("put", 80.0, 1, view)), abs=1e-12)
    prices = [float(SurfacePricer(skew=s).option("put", 80.0, 1, view)) for s in (0.0, 1.0, 1.5)]
    assert prices[0] < prices[1] < prices[2]


@pytest.mark.parametrize("skew", [1.0, 1.5, 1.76])
def test_no_arbitrage_in_strike_or_time(skew):
    """Durrleman's density is positive and total variance rises, for VIX from 8 to 90, a week to three years."""
    surface = SurfacePricer(skew=skew)
    w = lambda k, t, v: surface.implied_variance(k, t, v)  # noqa: E731
    first, second = jax.grad(w), jax.grad(jax.grad(w))

    def density(k, t, v):
        a, b, c = w(k, t, v), first(k, t, v), second(k, t, v)
        return (1.0 - 0.5 * k * b / a) ** 2 - 0.25 * b * b * (1.0 / a + 0.25) + 0.5 * c, jax.grad(w, 1)(k, t, v)

    x, t, v = (a.ravel() for a in np.meshgrid(np.linspace(-8.0, 8.0, 161), [0.02, 0.1, 0.5, 1.0, 3.0], [0.0064, 0.04, 0.2, 0.81]))
    g, rise = jax.jit(jax.vmap(lambda x, t, v: density(x * jnp.sqrt(v * t), t, v)))(x, t, v)
    assert np.asarray(g).min() > -1e-12
    assert np.asarray(rise).min() > 0.0


def test_expiry_and_derivatives():
    price = lambda spot, v, date: SurfacePricer().option("put", 110.0, date, quote(spot, 0.5, variance=v))  # noqa: E731
    both = jax.jit(jax.value_and_grad(price, (0, 1)))
    for v, date in ((0.04, 1), (0.0, 1), (0.04, 0)):
        value, slopes = both(100.0, v, date)
        assert float(value) >= 10.0 - 1e-9
        assert np.isfinite(slopes).all()


def test_the_highest_skew_without_arbitrage():
    """The bound in ``check`` is where theta phi^2 (1 + |rho|) reaches 4 as eta^2 grows."""
    most = brentq(lambda s: (s * 0.9464) ** 2 * 1.4373 - 4.0, 1.0, 3.0)
    SurfacePricer(skew=0.999 * most)
    with pytest.raises(ValueError, match=r"SurfacePricer.skew: expected at most 1.76, up to which the surface has no arbitrage, got 1.8"):
        SurfacePricer(skew=1.8)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((100.0, 100.0, 0.01, 0.2), "years: expected 0.027 to 2, for which the surface is stated, got 0.01"),
        ((100.0, 100.0, 3.0, 0.2), "years: expected 0.027 to 2, for which the surface is stated, got 3"),
        ((50.0, 100.0, 0.1, 0.2), r"strike: expected one within 4.5 standard deviations of the forward 100, got 50, -1\d.\d away"),
        ((0.0, 100.0, 0.1, 0.2), "strike: expected a positive number, got 0"),
        ((100.0, 100.0, 0.1, -0.2), "vix: expected a positive number, got -0.2"),
    ],
)
def test_outside_its_range_it_refuses(arguments, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        SurfacePricer().volatility(*arguments)
