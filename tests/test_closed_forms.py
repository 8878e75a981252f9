"""Closed forms against published numbers, QuantLib on random contracts, parity, and direct integration."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import QuantLib as ql  # noqa: N813
from scipy.integrate import quad
from scipy.stats import norm

from mcengine.pricing import black
from mcengine.pricing import closed_forms as one
from mcengine.pricing import closed_forms_multi_asset as several
from mcengine.pricing import closed_forms_rates as rates

pytestmark = pytest.mark.usefixtures("float64")
COUNT = 40
TODAY = ql.Date(15, ql.January, 2020)
KIND = {"call": ql.Option.Call, "put": ql.Option.Put}


def terms(spot, rate, dividend, years, vol):
    """(forward, deviation, discount)."""
    return spot * np.exp((rate - dividend) * years), vol * np.sqrt(years), np.exp(-rate * years)


def each(function, *columns):
    """One scalar formula over rows of numbers."""
    return np.asarray(jax.jit(jax.vmap(function))(*(jnp.asarray(c, float) for c in columns)))


@pytest.fixture(scope="module")
def rows():
    """Random contracts: days keep the year fraction exact in both libraries."""
    draw = np.random.default_rng(7)
    uniform = lambda low, high: draw.uniform(low, high, COUNT)  # noqa: E731
    days = draw.integers(20, 1000, COUNT)
    return {
        "spot": uniform(60.0, 140.0),
        "spot2": uniform(60.0, 140.0),
        "strike": uniform(60.0, 140.0),
        "rate": uniform(-0.02, 0.1),
        "dividend": uniform(-0.01, 0.08),
        "dividend2": uniform(-0.01, 0.08),
        "vol": uniform(0.08, 0.6),
        "vol2": uniform(0.08, 0.6),
        "rho": uniform(-0.95, 0.95),
        "away": uniform(0.02, 0.4),
        "rebate": uniform(0.0, 10.0),
        "days": days,
        "years": days / 365.0,
    }


def process(row, spot="spot", dividend="dividend", vol="vol"):
    ql.Settings.instance().evaluationDate = TODAY
    day = ql.Actual365Fixed()
    curve = lambda r: ql.YieldTermStructureHandle(ql.FlatForward(TODAY, float(r), day))  # noqa: E731
    volatility = ql.BlackVolTermStructureHandle(ql.BlackConstantVol(TODAY, ql.NullCalendar(), float(row[vol]), day))
    quote = ql.QuoteHandle(ql.SimpleQuote(float(row[spot])))
    return ql.BlackScholesMertonProcess(quote, curve(row[dividend]), curve(row["rate"]), volatility)


def library(rows, make):
    """NPV of ``make(row) -> (instrument, engine)`` for each row."""
    out = []
    for i in range(COUNT):
        instrument, engine = make({k: v[i] for k, v in rows.items()})
        instrument.setPricingEngine(engine)
        out.append(instrument.NPV())
    return np.array(out)


def exercise(row):
    return ql.EuropeanExercise(TODAY + int(row["days"]))


def of(rows):
    return terms(rows["spot"], rows["rate"], rows["dividend"], rows["years"], rows["vol"])


def agree(mine, other, spot):
    """1e-6 relative or 1e-9 of spot."""
    gap = np.abs(mine - other)
    assert np.all((gap <= 1e-6 * np.abs(other)) | (gap <= 1e-9 * spot)), (gap / spot).max()


# ---- published numbers ----


@pytest.mark.parametrize(
    ("direction", "barrier", "strike", "at_hit", "at_expiry"),
    [
        ("down", 95.0, 90.0, 9.0246, 8.9530),
        ("down", 95.0, 100.0, 6.7924, 6.7209),
        ("down", 95.0, 110.0, 4.8759, 4.8043),
        ("up", 105.0, 100.0, 2.3580, 2.2836),
    ],
)
def test_barriers_of_haug(direction, barrier, strike, at_hit, at_expiry):
    forward, s, discount = terms(100.0, 0.08, 0.04, 0.5, 0.25)
    out = one.knocked_out("call", direction, 100.0, strike, barrier, forward, s, discount)
    hit = one.touch(direction, 100.0, barrier, forward, s, discount)
    alive = one.survival(direction, 100.0, barrier, forward, s)
    assert float(out + 3.0 * hit) == pytest.approx(at_hit, abs=5e-5)
    assert float(out + 3.0 * discount * (1.0 - alive)) == pytest.approx(at_expiry, abs=5e-5)


def test_geometric_asian():
    t = np.arange(1, 11) / 10
    mean, variance = math.log(100.0) + 0.01 * t.mean(), 0.04 * np.minimum.outer(t, t).mean()
    assert float(one.geometric_asian("call", mean, variance, 100.0, math.exp(-0.06))) == pytest.approx(5.3425606635, abs=1e-10)


def test_margrabe_and_its_greeks():
    def price(s1, s2):
        return several.margrabe(s1 * math.exp(0.004), s2 * math.exp(0.006), 0.2 * 0.1**0.5, 0.15 * 0.1**0.5, -0.5, math.exp(-0.01))

    assert float(price(22.0, 20.0)) == pytest.approx(2.125, abs=5e-4)
    deltas = jax.jit(jax.grad(price, (0, 1)))(22.0, 20.0)
    gammas = [jax.jit(jax.grad(jax.grad(price, k), k))(22.0, 20.0) for k in (0, 1)]
    np.testing.assert_allclose([*deltas, *gammas], [0.841, -0.818, 0.112, 0.135], atol=6e-4)
    plain = lambda s1, s2: several.margrabe(s1, s2, 0.2, 0.3, 0.5, 1.0)  # noqa: E731
    assert float(plain(100.0, 100.0)) == pytest.approx(10.52431578, abs=1e-8)
    assert float(jax.jit(jax.grad(jax.grad(plain, 0), 1))(100.0, 100.0)) == pytest.approx(-0.01494723867, abs=1e-11)


@pytest.mark.parametrize(("rho", "worst", "best"), [(0.9, 10.897355, 17.565154), (0.5, 6.843317, 21.619192)])
def test_stulz(rho, worst, best):
    forward, s, discount = terms(100.0, 0.05, 0.0, 1.0, 0.3)
    for which, price in (("worst", worst), ("best", best)):
        assert float(several.rainbow("call", which, (forward, forward), 100.0, (s, s), rho, discount)) == pytest.approx(price, abs=1e-6)


def test_spreads():
    for strike, price in ((0.4, 8.31246073288), (2.0, 7.54232389585)):
        (f1, s1, discount), (f2, s2, _) = terms(100.0, 0.1, 0.05, 1.0, 0.2), terms(96.0, 0.1, 0.05, 1.0, 0.1)
        assert float(several.spread("call", f1, f2, strike, s1, s2, 0.5, discount)) == pytest.approx(price, abs=1e-10)
    (f1, s1, discount), (f2, s2, _) = terms(110.0, 0.05, 0.0, 5.0, 0.3), terms(90.0, 0.05, 0.0, 5.0, 0.2)
    assert float(several.spread("call", f1, f2, 60.0, s1, s2, 0.6, discount)) == pytest.approx(15.267099, abs=1e-6)
    assert float(several.kirk("call", f1, f2, 60.0, s1, s2, 0.6, discount)) == pytest.approx(15.257643, abs=1e-6)


def test_the_lognormal_basket_is_as_good_as_it_is_said_to_be():
    for strike, price in ((50.0, 54.310176050376), (100.0, 28.007369544501), (150.0, 15.164010288932)):
        rho = np.where(np.eye(4), 1.0, 0.5).tolist()
        value = float(several.basket("call", [100.0] * 4, [0.25] * 4, strike, [0.4 * 5**0.5] * 4, rho, 1.0))
        assert 1e-4 < abs(value / price - 1.0) < 2e-3


def test_rates_and_commodities():
    assert float(rates.vasicek_bond(0.03, 0.5, 0.05, 0.02, 5.0)) == pytest.approx(0.8094290808, abs=1e-10)
    futures = [float(rates.schwartz_future(60.0, 1.5, math.log(65.0), 0.35, years)) for years in (1.0, 2.0)]
    np.testing.assert_allclose(futures, [65.10019264, 66.07353160], atol=5e-9)
    assert float(rates.heston_variance(0.09, 2.0, 0.04, 1.0)) == pytest.approx(0.0616166179, abs=1e-10)


def test_a_variance_strip_of_derman():
    vol = lambda k: 0.2 + 0.01 * (100.0 - k) / 5.0  # noqa: E731
    puts, calls = [(float(k), vol(k)) for k in range(45, 101, 5)], [(float(k), vol(k)) for k in range(100, 141, 5)]
    assert rates.strip_variance(puts, calls, 100.0, 100.0, 0.05, 90 / 365) == pytest.approx(0.04189, abs=5e-6)
    years = 90 / 365
    growth = math.exp(0.05 * years)
    # Vol falls .01 a strike step of 5, all the way down and up to where the reference integral's strikes end.
    option = lambda kind, k: black(kind, 100.0 * growth, k, jnp.maximum(vol(k), 0.01) * years**0.5, 1.0 / growth)  # noqa: E731
    total = rates.replicated_variance(option, 100.0 * growth, 0.2 * years**0.5, 1.0 / growth)
    assert float(total) / years == pytest.approx(0.04019, abs=1e-4)


def test_replication_is_exact_without_a_smile():
    option = lambda kind, k: black(kind, 105.0, k, 0.3, 0.9)  # noqa: E731
    assert float(rates.replicated_variance(option, 105.0, 0.3, 0.9)) == pytest.approx(0.09, rel=1e-9)


# ---- QuantLib, random contracts ----


@pytest.mark.parametrize("kind", ["call", "put"])
@pytest.mark.parametrize("pays", ["cash", "asset"])
def test_digitals(rows, kind, pays):
    forward, s, discount = of(rows)
    mine = each(lambda *a: one.digital(kind, *a, pays), forward, rows["strike"], s, discount)

    def make(row):
        payoff = ql.CashOrNothingPayoff(KIND[kind], row["strike"], 1.0) if pays == "cash" else ql.AssetOrNothingPayoff(KIND[kind], row["strike"])
        return ql.VanillaOption(payoff, exercise(row)), ql.AnalyticEuropeanEngine(process(row))

    agree(mine, library(rows, make), rows["spot"] if pays == "asset" else 1.0)


@pytest.mark.parametrize("kind", ["call", "put"])
@pytest.mark.parametrize("direction", ["down", "up"])
def test_knocked_out_with_rebate(rows, kind, direction):
    forward, s, discount = of(rows)
    barrier = rows["spot"] * np.exp(-rows["away"] if direction == "down" else rows["away"])

    def mine(spot, strike, barrier, forward, s, discount, rebate):
        out = one.knocked_out(kind, direction, spot, strike, barrier, forward, s, discount)
        return out + rebate * one.touch(direction, spot, barrier, forward, s, discount)

    prices = each(mine, rows["spot"], rows["strike"], barrier, forward, s, discount, rows["rebate"])
    ql_kind = ql.Barrier.DownOut if direction == "down" else ql.Barrier.UpOut

    def make(row):
        payoff = ql.PlainVanillaPayoff(KIND[kind], row["strike"])
        return ql.BarrierOption(ql_kind, row["barrier"], row["rebate"], payoff, exercise(row)), ql.AnalyticBarrierEngine(process(row))

    # Where p^2 + 2 rT/w < 0 the rebate at the hit has no such formula, here nor there.
    p = np.log(forward / rows["spot"]) / s**2 - 0.5
    real = p * p - 2.0 * np.log(discount) / s**2 > 0.0
    other = library(rows | {"barrier": barrier}, make)
    agree(prices[real], other[real], rows["spot"][real])
    assert real.sum() > COUNT // 2


@pytest.mark.parametrize("direction", ["down", "up"])
def test_survival(rows, direction):
    """QuantLib's knock-in that pays its rebate at expiry unless it knocks in, struck out of reach."""
    forward, s, discount = of(rows)
    barrier = rows["spot"] * np.exp(-rows["away"] if direction == "down" else rows["away"])
    alive = each(lambda *a: one.survival(direction, *a), rows["spot"], barrier, forward, s)
    ql_kind = ql.Barrier.DownIn if direction == "down" else ql.Barrier.UpIn

    def make(row):
        payoff = ql.PlainVanillaPayoff(ql.Option.Call, 1e6)
        return ql.BarrierOption(ql_kind, row["barrier"], 1.0, payoff, exercise(row)), ql.AnalyticBarrierEngine(process(row))

    np.testing.assert_allclose(discount * alive, library(rows | {"barrier": barrier}, make), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("kind", ["call", "put"])
def test_lookbacks(rows, kind):
    forward, s, discount = of(rows)
    seen = rows["spot"] * np.exp(0.3 * rows["away"] * (1.0 if kind == "put" else -1.0))
    floating = each(lambda *a: one.floating_lookback(kind, *a), rows["spot"], seen, forward, s, discount)

    def make(row):
        option = ql.ContinuousFloatingLookbackOption(row["seen"], ql.FloatingTypePayoff(KIND[kind]), exercise(row))
        return option, ql.AnalyticContinuousFloatingLookbackEngine(process(row))

    agree(floating, library(rows | {"seen": seen}, make), rows["spot"])
    seen = rows["spot"] * np.exp(0.3 * rows["away"] * (1.0 if kind == "call" else -1.0))
    fixed = each(lambda *a: one.fixed_lookback(kind, *a), rows["spot"], seen, rows["strike"], forward, s, discount)

    def make_fixed(row):
        option = ql.ContinuousFixedLookbackOption(row["seen"], ql.PlainVanillaPayoff(KIND[kind], row["strike"]), exercise(row))
        return option, ql.AnalyticContinuousFixedLookbackEngine(process(row))

    agree(fixed, library(rows | {"seen": seen}, make_fixed), rows["spot"])


@pytest.mark.parametrize("side", ["max", "min"])
def test_a_lookback_without_carry_is_the_limit(side):
    """The textbook formula divides by the carry; ours does not notice it pass through 0."""
    carry = jnp.linspace(-2e-3, 2e-3, 41)
    value = each(lambda b: one.extreme(side, 100.0, 103.0 if side == "max" else 97.0, 100.0 * jnp.exp(b), 0.2), carry)
    straight = np.polynomial.Polynomial.fit(carry, value, 3)
    np.testing.assert_allclose(value, straight(np.asarray(carry)), rtol=0.0, atol=1e-9)
    # Against P(max > y) integrated by hand at carry 0.
    sign = 1.0 if side == "max" else -1.0

    def beyond(y):
        u = math.log(y / 100.0)
        return norm.cdf(sign * (-u - 0.02) / 0.2) + 100.0 / y * norm.cdf(sign * (-u + 0.02) / 0.2)

    level = 103.0 if side == "max" else 97.0
    span = (level, 100.0 * math.exp(2.0)) if side == "max" else (1.0, level)
    assert float(value[20]) == pytest.approx(level + sign * quad(beyond, *span, epsabs=1e-10, limit=200)[0], abs=1e-7)


def test_geometric_asian_on_dates(rows):
    """The mean and variance of the log average are those of the fixings."""

    def mine(spot, strike, carry, vol, discount, *times):
        t = jnp.stack(times)
        variance = vol**2 * jnp.sum(t * (2 * (t.size - jnp.arange(1, t.size + 1)) + 1)) / t.size**2
        return one.geometric_asian("call", jnp.log(spot) + (carry - 0.5 * vol**2) * t.mean(), variance, strike, discount)

    days = np.stack([rows["days"] * k // 4 for k in range(1, 5)])
    prices = each(mine, rows["spot"], rows["strike"], rows["rate"] - rows["dividend"], rows["vol"], of(rows)[2], *(days / 365.0))

    def make(row):
        dates = [TODAY + int(row[f"fixing{k}"]) for k in range(4)]
        payoff = ql.PlainVanillaPayoff(ql.Option.Call, row["strike"])
        option = ql.DiscreteAveragingAsianOption(ql.Average.Geometric, 1.0, 0, dates, payoff, exercise(row))
        return option, ql.AnalyticDiscreteGeometricAveragePriceAsianEngine(process(row))

    agree(prices, library(rows | {f"fixing{k}": days[k] for k in range(4)}, make), rows["spot"])


def pair(rows):
    (f1, s1, discount), (f2, s2, _) = of(rows), terms(rows["spot2"], rows["rate"], rows["dividend2"], rows["years"], rows["vol2"])
    return f1, f2, s1, s2, rows["rho"], discount


@pytest.mark.parametrize("of_", ["best", "worst"])
@pytest.mark.parametrize("kind", ["call", "put"])
def test_rainbows(rows, of_, kind):
    f1, f2, s1, s2, rho, discount = pair(rows)
    mine = each(
        lambda f1, f2, k, s1, s2, rho, d: several.rainbow(kind, of_, (f1, f2), k, (s1, s2), rho, d), f1, f2, rows["strike"], s1, s2, rho, discount
    )
    wrap = ql.MaxBasketPayoff if of_ == "best" else ql.MinBasketPayoff

    def make(row):
        option = ql.BasketOption(wrap(ql.PlainVanillaPayoff(KIND[kind], row["strike"])), exercise(row))
        return option, ql.StulzEngine(process(row), process(row, "spot2", "dividend2", "vol2"), float(row["rho"]))

    agree(mine, library(rows, make), rows["spot"])


def test_exchange(rows):
    mine = each(several.margrabe, *pair(rows))

    def make(row):
        option = ql.MargrabeOption(1, 1, exercise(row))
        return option, ql.AnalyticEuropeanMargrabeEngine(process(row), process(row, "spot2", "dividend2", "vol2"), float(row["rho"]))

    agree(mine, library(rows, make), rows["spot"])
    spread = each(lambda f1, f2, s1, s2, rho, d: several.spread("call", f1, f2, 0.0, s1, s2, rho, d), *pair(rows))
    np.testing.assert_allclose(spread, mine, rtol=0.0, atol=1e-9 * rows["spot"].max())


def test_spread_against_quadrature(rows):
    """scipy's adaptive integral over the other asset, and put-call parity."""
    f1, f2, s1, s2, rho, discount = pair(rows)
    strike = rows["strike"] - 100.0
    mine = each(lambda *a: several.spread("call", *a), f1, f2, strike, s1, s2, rho, discount)
    puts = each(lambda *a: several.spread("put", *a), f1, f2, strike, s1, s2, rho, discount)
    np.testing.assert_allclose(mine - puts, discount * (f1 - f2 - strike), rtol=0.0, atol=1e-12 * 1e3)
    for i in range(0, COUNT, 4):

        def inner(x, i=i):
            """Given the first asset: a put on the second, struck at S1 - K."""
            first = f1[i] * math.exp(s1[i] * x - 0.5 * s1[i] ** 2)
            second, s = f2[i] * math.exp(rho[i] * s2[i] * x - 0.5 * (rho[i] * s2[i]) ** 2), s2[i] * math.sqrt(1.0 - rho[i] ** 2)
            level = first - strike[i]
            if level <= 0.0:
                return 0.0
            d1 = math.log(second / level) / s + 0.5 * s
            return norm.pdf(x) * (level * norm.cdf(s - d1) - second * norm.cdf(-d1))

        exact = discount[i] * quad(inner, -9.0, 9.0, epsabs=1e-11, limit=400)[0]
        assert mine[i] == pytest.approx(exact, abs=2e-7)


def test_bivariate_normal():
    """Against the conditional integral, up to correlations of .999."""
    draw = np.random.default_rng(3)
    h, k, rho = (
        draw.uniform(-3.0, 3.0, 30),
        draw.uniform(-3.0, 3.0, 30),
        np.append(draw.uniform(-1.0, 1.0, 24), [0.95, -0.95, 0.99, -0.99, 0.999, -0.999]),
    )
    mine = each(several.bivariate_normal, h, k, rho)
    exact = [
        quad(
            lambda x, k=b, r=r: norm.pdf(x) * norm.cdf((k - r * x) / math.sqrt(1.0 - r * r)),
            -9.0,
            a,
            points=[np.clip(b / r, -8.9, a)],
            epsabs=1e-13,
            limit=200,
        )[0]
        for a, b, r in zip(h, k, rho, strict=True)
    ]
    np.testing.assert_allclose(mine, exact, rtol=0.0, atol=1e-11)


def test_bond_options_are_quantlib_s():
    draw = np.random.default_rng(5)
    for _ in range(10):
        r, a, b, s = draw.uniform(0.0, 0.08), draw.uniform(0.05, 1.5), draw.uniform(0.0, 0.08), draw.uniform(0.003, 0.03)
        expiry, maturity = draw.uniform(0.2, 3.0), draw.uniform(4.0, 10.0)
        model = ql.Vasicek(r, a, b, s)
        discounts = tuple(float(rates.vasicek_bond(r, a, b, s, t)) for t in (expiry, maturity))
        np.testing.assert_allclose(discounts, [model.discountBond(0.0, t, r) for t in (expiry, maturity)], rtol=1e-12)
        strike = discounts[1] / discounts[0] * draw.uniform(0.95, 1.05)
        for kind in ("call", "put"):
            mine = float(rates.bond_option(kind, strike, expiry, maturity, discounts, (a, s)))
            assert mine == pytest.approx(model.discountBondOption(KIND[kind], strike, expiry, maturity), abs=1e-9)


def test_a_coupon_bond_option_is_its_integral():
    """Jamshidian's decomposition against the payoff integrated over the one normal; with one payment it is the zero-bond option."""
    a, s, expiry, strike = 0.2, 0.015, 1.0, 1.01
    curve = lambda t: math.exp(-0.02 * t - 0.001 * t * t)  # noqa: E731
    payments = [(expiry + 0.5 * k, 0.02 + (k == 10), curve(expiry + 0.5 * k)) for k in range(1, 11)]
    v = float(rates.rate_variance(a, s, expiry))
    b = [float(rates.fading(a, t - expiry)) for t, _, _ in payments]

    def bond(x):
        return sum(amount * d / curve(expiry) * math.exp(-k * x - 0.5 * k * k * v) for (_, amount, d), k in zip(payments, b, strict=True))

    for kind, sign in (("call", 1.0), ("put", -1.0)):
        mine = float(rates.coupon_bond_option(kind, strike, expiry, payments, curve(expiry), (a, s)))
        payoff = lambda z, sign=sign: norm.pdf(z) * max(sign * (bond(math.sqrt(v) * z) - strike), 0.0)  # noqa: E731
        assert mine == pytest.approx(curve(expiry) * quad(payoff, -9.0, 9.0, epsabs=1e-12, limit=400)[0], abs=1e-8)
        last = payments[-1]
        single = float(rates.coupon_bond_option(kind, 0.9, expiry, [(last[0], 1.0, last[2])], curve(expiry), (a, s)))
        assert single == pytest.approx(float(rates.bond_option(kind, 0.9, expiry, last[0], (curve(expiry), last[2]), (a, s))), abs=1e-13)


# ---- limits, derivatives, single precision ----


@pytest.mark.parametrize("formula", ["knocked_out", "survival", "touch", "extreme", "digital", "rainbow", "spread"])
def test_no_time_left_gives_the_payoff_and_finite_derivatives(formula):
    at = {
        "knocked_out": (lambda x, s: one.knocked_out("call", "down", x, 90.0, 80.0, x, s, 1.0), 10.0),
        "survival": (lambda x, s: one.survival("up", x, 120.0, x, s), 1.0),
        "touch": (lambda x, s: one.touch("up", x, 120.0, x, s, 1.0), 0.0),
        "extreme": (lambda x, s: one.extreme("max", x, 105.0, x, s), 105.0),
        "digital": (lambda x, s: one.digital("put", x, 110.0, s, 1.0), 1.0),
        "rainbow": (lambda x, s: several.rainbow("call", "best", (x, 90.0), 95.0, (s, s), 0.3, 1.0), 5.0),
        "spread": (lambda x, s: several.spread("call", x, 90.0, 4.0, s, s, 0.3, 1.0), 6.0),
    }
    price, payoff = at[formula]
    both = jax.jit(jax.value_and_grad(price, (0, 1)))
    for s in (0.0, 1e-9, 1e-4):
        value, slopes = both(100.0, s)
        assert float(value) == pytest.approx(payoff, abs=1e-6)
        assert np.isfinite(slopes).all()


def test_single_precision_keeps_its_digits(rows):
    """Ten units in the last place of the spot, where no time value is large: the in-loop prices of a float32 study."""
    forward, s, discount = of(rows)
    barrier = rows["spot"] * np.exp(-rows["away"])
    columns = (rows["spot"], rows["strike"], barrier, forward, s, discount)
    exact = each(lambda *a: one.knocked_out("put", "down", *a), *columns)
    look = (rows["spot"], rows["spot"] * 0.97, forward, s, discount)
    exact_look = each(lambda *a: one.floating_lookback("call", *a), *look)
    with jax.enable_x64(False):
        short = each(lambda *a: one.knocked_out("put", "down", *a), *columns)
        short_look = each(lambda *a: one.floating_lookback("call", *a), *look)
    assert short.dtype == np.float32
    assert np.abs(short - exact).max() < 2e-6 * rows["spot"].max()
    assert np.abs(short_look - exact_look).max() < 1e-5 * rows["spot"].max()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: one.digital("straddle", 1.0, 1.0, 0.1, 1.0), "kind: expected 'call' or 'put', got 'straddle'"),
        (lambda: one.digital("call", 1.0, 1.0, 0.1, 1.0, "gold"), "pays: expected 'cash' or 'asset', got 'gold'"),
        (lambda: one.survival("left", 1.0, 1.0, 1.0, 0.1), "direction: expected 'down' or 'up', got 'left'"),
        (lambda: one.extreme("mean", 1.0, 1.0, 1.0, 0.1), "side: expected 'max' or 'min', got 'mean'"),
        (lambda: several.rainbow("call", "middle", (1.0, 1.0), 1.0, (0.1, 0.1), 0.0, 1.0), "of: expected 'best' or 'worst', got 'middle'"),
        (lambda: several.spread("both", 1.0, 1.0, 1.0, 0.1, 0.1, 0.0, 1.0), "kind: expected 'call' or 'put', got 'both'"),
    ],
)
def test_unknown_words_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
