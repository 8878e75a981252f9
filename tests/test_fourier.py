"""Fourier prices: published numbers, laws, the cosine series, float64 inside float32, and the tabulated smiles that paths read."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import reference
from reference import quote
from scipy.integrate import quad

from mcengine._model import replace
from mcengine.pricing import BatesPricer, BlackPricer, Calendar, HestonPricer, KouPricer, MertonPricer, Quote, VarianceGammaPricer, black, prepared
from mcengine.pricing.precise import precise

pytestmark = pytest.mark.usefixtures("float64")

LAWS = {
    "heston": HestonPricer(4.0, 0.03, 0.5, -0.7, 1.2),
    "bates": BatesPricer(4.0, 0.03, 0.5, -0.7, 0.5, -0.1, 0.1),
    "merton": MertonPricer(0.02, 0.5, -0.1, 0.1),
    "kou": KouPricer(0.02, 1.0, 0.3, 0.05, 0.1),
    "variance gamma": VarianceGammaPricer(0.2, 0.05, -0.3),
}
LEWIS, ANDERSEN, KAHL = HestonPricer(4.0, 0.25, 1.0, -0.5), HestonPricer(0.5, 0.04, 1.0, -0.9), HestonPricer(1.0, 0.16, 2.0, -0.8)
FORSYTH = BatesPricer(0.5, 0.0433, 1e-4, 0.0, 2.0, -0.2, 0.2)


def haug(intensity, share):
    """Merton's jumps as Haug gives them: total volatility .25, of whose square jumps make up ``share``."""
    sd = 0.25 * np.sqrt(share / intensity)
    return MertonPricer(0.25**2 * (1.0 - share), intensity, -0.5 * sd * sd, sd)


CASES = [  # pricer, quote, kind, strike, price, half a unit of its last digit
    *((ANDERSEN, {"spot": 100.0, "years": 10.0, "variance": 0.04}, "call", k, p, 5e-9) for k, p in ((60.0, 44.32997507), (70.0, 35.84976970))),
    *((ANDERSEN, {"spot": 100.0, "years": 10.0, "variance": 0.04}, "call", k, p, 5e-9) for k, p in ((100.0, 13.08467014), (140.0, 0.29577444))),
    *(
        (LEWIS, {"spot": 100.0, "years": 1.0, "variance": 0.04, "rate": 0.01, "dividend": 0.02}, kind, k, p, 1e-12)
        for k, put, call in (
            (80.0, 7.958878113256768, 26.774758743998854),
            (90.0, 12.017966707346305, 20.933349000596710),
            (100.0, 17.055270961270110, 16.070154917028834),
        )
        for kind, p in (("put", put), ("call", call))
    ),
    (HestonPricer(6.21, 0.019, 0.61, -0.7), {"spot": 100.0, "years": 1.0, "variance": 0.010201, "rate": 0.0319}, "call", 100.0, 6.8061, 5e-5),
    (KAHL, {"spot": 100.0, "years": 10.0, "variance": 0.16}, "call", 200.0, 4.9521147, 5e-8),
    *(
        (HestonPricer(1.16, 0.2, 0.8, 0.8), {"spot": 1.05, "years": t, "variance": 0.3, "rate": 0.7, "dividend": 0.4}, "put", 1.05, p, digit)
        for t, p, digit in ((91 / 365, 0.0632857284, 5e-11), (5 / 366 + 86 / 365, 0.0632851308977151, 1e-12))
    ),
    *(
        (FORSYTH, {"spot": 100.0, "years": t, "variance": 0.0433, "rate": 0.1, "dividend": 0.04}, "put", 95.0, p, 2e-8)
        for t, p in ((1.0, 10.81098697), (3.0, 14.78873361), (5.0, 14.97306881))
    ),
    (haug(1.0, 0.25), {"spot": 100.0, "years": 0.5, "rate": 0.08}, "call", 100.0, 8.95, 5e-3),
    (haug(5.0, 0.25), {"spot": 100.0, "years": 0.5, "rate": 0.08}, "call", 100.0, 9.02164864, 5e-9),
    (haug(1.0, 0.75), {"spot": 100.0, "years": 0.5, "rate": 0.08}, "call", 100.0, 8.24436933, 5e-9),
    (VarianceGammaPricer(0.2, 0.05, -0.5), {"spot": 6000.0, "years": 1.0, "rate": 0.05}, "call", 5550.0, 955.1637, 5e-5),
    (VarianceGammaPricer(0.2, 0.05, -0.5), {"spot": 6000.0, "years": 1.0, "rate": 0.05}, "put", 5550.0, 234.4870, 5e-5),
]


@partial(jax.jit, static_argnums=0)
def _price(kind, pricer, strike, spot, years, variance, rate, dividend):
    return pricer.option(kind, strike, 1, quote(spot, years, variance=variance, rate=rate, dividend=dividend))


@pytest.mark.parametrize("case", CASES, ids=[f"{type(c[0]).__name__}-{c[2]}-{c[3]:g}-{c[1]['years']:.4g}" for c in CASES])
def test_published_prices(case):
    pricer, terms, kind, strike, price, digit = case
    rest = [terms.get(k, 0.0) for k in ("variance", "rate", "dividend")]
    got = float(_price(kind, pricer, strike, terms["spot"], terms["years"], *rest))
    assert abs(got - price) < 1.02 * digit + 1e-13


# ---- laws ----


@pytest.mark.parametrize("name", LAWS)
def test_a_law_is_one_whose_price_is_a_martingale(name):
    """E[1] = 1, E[e^X] = 1, |phi| <= 1."""
    law = LAWS[name]
    for u, tolerance in ((0.0 + 0.0j, 1e-15), (-1.0j, 1e-13)):
        a, b = law.exponents(jnp.asarray(u), 0.7)
        assert abs(complex(a)) < tolerance
        assert abs(complex(b)) < tolerance
    a, b = law.exponents(jnp.linspace(-200.0, 200.0, 801), 0.7)
    assert (np.real(a + 0.05 * b) <= 1e-13).all()


def direct_phi(name, u, t, v):
    """Characteristic functions as their papers print them, in numpy."""
    if name == "merton":
        jump = np.exp(-0.1j * u - 0.5 * 0.01 * u * u) - 1.0 - 1j * u * (np.exp(-0.1 + 0.005) - 1.0)
        return np.exp(t * (-0.01 * (u * u + 1j * u) + 0.5 * jump))
    if name == "kou":
        up, down = 1.0 / 0.05, 1.0 / 0.1
        law = 0.3 * up / (up - 1j * u) + 0.7 * down / (down + 1j * u) - 1.0
        return np.exp(t * (-0.01 * (u * u + 1j * u) + law - 1j * u * (0.3 * up / (up - 1.0) + 0.7 * down / (down + 1.0) - 1.0)))
    drift = np.log(1.0 + 0.3 * 0.05 - 0.5 * 0.04 * 0.05) / 0.05
    return np.exp(1j * u * drift * t) * (1.0 + 0.3j * 0.05 * u + 0.5 * 0.04 * 0.05 * u * u) ** (-t / 0.05)


@pytest.mark.parametrize("name", ["merton", "kou", "variance gamma"])
def test_cosines_agree_with_inversion_by_quadrature(name):
    """Gil-Pelaez: P(X < k) = 1/2 - 1/pi int Im[e^{-iuk} phi(u)]/u du, and the same under the share measure."""
    years, k = 0.5, np.log(0.9)
    cdf = lambda phi: 0.5 - quad(lambda u: np.imag(np.exp(-1j * u * k) * phi(u)) / u, 0.0, 300.0, limit=2000, epsabs=1e-11)[0] / np.pi  # noqa: E731
    chance = cdf(lambda u: direct_phi(name, u, years, 0.0))
    shares = cdf(lambda u: direct_phi(name, u - 1j, years, 0.0))
    view = quote(100.0, years)
    assert float(LAWS[name].digital("put", 90.0, 1, view)) == pytest.approx(chance, abs=1e-8)
    assert float(LAWS[name].option("put", 90.0, 1, view)) == pytest.approx(90.0 * chance - 100.0 * shares, abs=1e-6)


@pytest.mark.parametrize("name", ["heston", "kou"])
def test_a_digital_is_the_slope_in_strike(name):
    law, view = LAWS[name], quote(100.0, 0.5, variance=0.04, rate=0.03)
    slope = jax.jit(jax.grad(lambda k: law.option("put", k, 1, view)))(95.0)
    put, call = (float(law.digital(kind, 95.0, 1, view)) for kind in ("put", "call"))
    assert put == pytest.approx(float(slope), abs=1e-10)
    assert put + call == pytest.approx(float(view.discount(1)), abs=1e-14)


def test_without_jumps_jump_laws_are_their_diffusions():
    view = quote(100.0, 0.5, variance=0.04)
    plain = float(BlackPricer(0.04).option("put", 90.0, 1, view))
    assert float(MertonPricer(0.04, 0.0, -0.1, 0.2).option("put", 90.0, 1, view)) == pytest.approx(plain, abs=1e-11)
    assert float(KouPricer(0.04, 0.0, 0.5, 0.1, 0.2).option("put", 90.0, 1, view)) == pytest.approx(plain, abs=1e-11)
    bates = BatesPricer(4.0, 0.03, 0.5, -0.7, 0.0, -0.1, 0.1, 1.2)
    assert float(bates.option("put", 90.0, 1, view)) == pytest.approx(float(LAWS["heston"].option("put", 90.0, 1, view)), abs=1e-12)


def test_moments_end_where_andersen_and_piterbarg_say():
    """Only moments that are finite may bound a tail: Andersen's case I over 10 years has E[e^{pX}] for p in about (-.5, 1.6)."""
    finite = np.asarray(ANDERSEN.moment(jnp.array([-5.0, -2.0, -0.1, 0.5, 1.0, 1.1, 50.0]), 10.0))
    assert finite[2:6].all()
    exponent = lambda p: np.real(ANDERSEN.exponents(-1j * p, 10.0)[0])  # noqa: E731
    grid = np.linspace(-3.0, 3.0, 241)
    usable = np.asarray(ANDERSEN.moment(jnp.asarray(grid), 10.0))
    inside = np.asarray(exponent(jnp.asarray(grid[usable])))
    assert np.isfinite(inside).all()
    assert np.diff(inside, 2).min() > -1e-9  # ln E[e^{pX}] is convex while it is finite
    assert 0 < usable.sum() < grid.size


def test_a_variance_gamma_price_needs_a_mean():
    with pytest.raises(ValueError, match=r"^VarianceGammaPricer.nu: expected theta nu .* below 1, else the price has no mean; got nu 3$"):
        VarianceGammaPricer(0.2, 3.0, 0.5)


@pytest.mark.parametrize("method", ["option", "digital"])
def test_an_unknown_kind_is_refused(method):
    with pytest.raises(ValueError, match="kind: expected 'call' or 'put', got 'straddle'"):
        getattr(LAWS["merton"], method)("straddle", 100.0, 1, quote(100.0, 1.0))


# ---- float64 inside float32 ----


def test_precise_keeps_digits_and_derivatives():
    fn = lambda a, b: jnp.exp(a * b) - jnp.exp(a * b - 1e-6)  # noqa: E731  (a difference float32 cannot see)
    with jax.enable_x64(False):
        safe = jax.jit(precise(fn))
        value = safe(1.0, 2.0)
        assert value.dtype == jnp.float32
        slopes = jax.jit(jax.grad(precise(fn), (0, 1)))(1.0, 2.0)
        ahead = jax.jit(jax.jacfwd(precise(fn)))(1.0, 2.0)
        second = jax.jit(jax.grad(jax.grad(precise(fn)), 1))(1.0, 2.0)
    exact = np.exp(2.0) * -np.expm1(-1e-6)
    np.testing.assert_allclose([value, *slopes, ahead, second], exact * np.array([1.0, 2.0, 1.0, 2.0, 3.0]), rtol=1e-6)


def test_a_contract_in_float32_is_priced_as_in_float64():
    exact = float(LAWS["heston"].option("put", 90.0, 1, quote(100.0, 0.5, variance=0.04)))
    with jax.enable_x64(False):
        assert float(LAWS["heston"].option("put", 90.0, 1, quote(100.0, 0.5, variance=0.04))) == pytest.approx(exact, abs=1e-5)


# ---- tables ----

CALENDAR = Calendar(1.0, 252, 63)
DATE = 315
GRID = {
    "a year's equity": HestonPricer(4.0, 0.0324, 0.5, -0.7, 1.2),
    "slow, wild (2 kappa theta / xi^2 = .19)": HestonPricer(2.0, 0.03, 0.8, -0.8),
    "mild": HestonPricer(6.0, 0.03, 0.3, -0.5),
    "rho above zero": HestonPricer(2.0, 0.04, 0.5, 0.5),
    "jumps": BatesPricer(4.0, 0.03, 0.5, -0.7, 0.5, -0.1, 0.1),
}
LEFT = np.array([5, 10, 26, 63, 126, 252, 315])
VARIANCES = np.array([0.0025, 0.01, 0.03, 0.09, 0.25])
MONEYNESS = np.linspace(-7.0, 5.0, 33)


def view(variance, left, spot=1.0):
    times = CALENDAR.times()
    return Quote(spot, variance, DATE - left, times, jnp.ones_like(times), jnp.ones_like(times))


@partial(jax.jit, static_argnums=1)
def puts(law, exact):
    """Puts on the grid, [left x variance x strike], and their strikes; law by law one program."""
    pricer = law if exact else prepared(law, CALENDAR)

    def one(left, v, x):
        seen = view(v, left)
        strike = jnp.exp(x * jnp.sqrt(law.expected(law.state(seen), left / 252.0)))
        return pricer.option("put", strike, DATE, seen), strike

    return jax.vmap(one)(*(a.ravel() for a in np.meshgrid(LEFT, VARIANCES, MONEYNESS, indexing="ij")))


def surface(law, exact=False):
    """Puts on the grid, [left, variance, strike], and their strikes."""
    return [np.asarray(a, float).reshape(len(LEFT), len(VARIANCES), len(MONEYNESS)) for a in puts(law, exact)]


def lewis(law, strike):
    """The same puts by the test's own integral; jumps by conditioning on their number."""
    left, v, _ = np.meshgrid(LEFT / 252.0, VARIANCES, MONEYNESS, indexing="ij")
    numbers = {"kappa": law.kappa, "theta": law.premium * law.theta, "vol_of_vol": np.sqrt(law.premium) * law.vol_of_vol, "rho": law.rho}
    out = np.empty(strike.shape)
    for i in np.ndindex(strike.shape[:2]):
        out[i] = reference.heston_call(1.0, strike[i], left[i], v0=law.premium * v[i], **numbers) - 1.0 + strike[i]
    return out


@pytest.fixture(scope="module")
def tabulated():
    """Of every law of the grid: (exact puts, strikes, tabulated in float64, tabulated in float32)."""
    out = {}
    for name, law in GRID.items():
        with jax.enable_x64(True):
            fine, strike = surface(law)
            exact = surface(law, True)[0] if isinstance(law, BatesPricer) else lewis(law, strike)
        with jax.enable_x64(False):
            single = surface(law)[0]
        out[name] = exact, strike, fine, single
    return out


@pytest.mark.parametrize("name", GRID)
def test_a_table_errs_by_less_than_1e4_of_spot(tabulated, name):
    exact, _, fine, single = tabulated[name]
    assert np.abs(fine - exact).max() < 1e-4
    assert np.abs(single - exact).max() < 1e-4


@pytest.mark.parametrize("name", GRID)
def test_a_table_allows_no_arbitrage_beyond_its_error(tabulated, name):
    """Puts rise with the strike by 0 to 1, at a rising slope: to within the error over the distance of strikes."""
    _, strike, fine, _ = tabulated[name]
    slope = np.diff(fine, axis=2) / np.diff(strike, axis=2)
    slack = 1e-4 / np.diff(strike, axis=2)
    assert (slope > -slack).all()
    assert (slope < 1.0 + slack).all()
    butterfly = np.diff(slope, axis=2)
    assert (butterfly > -2.0 * np.maximum(slack[..., 1:], slack[..., :-1])).all()
    assert (fine >= np.maximum(strike - 1.0, 0.0) - 1e-14).all()


def test_a_table_gives_greeks():
    """Delta, gamma and vega (by the square root of variance) by autodiff of the table, against those of the exact price."""
    law = GRID["a year's equity"]
    table = prepared(law, CALENDAR)

    def greeks(pricer):
        def price(spot, volatility, strike, left):
            return pricer.option("put", strike, DATE, view(volatility**2, left, spot))

        def all_three(strike, left):
            delta, vega = jax.grad(price, (0, 1))(1.0, 0.18, strike, left)
            return delta, jax.grad(jax.grad(price))(1.0, 0.18, strike, left), vega

        strike, left = (a.ravel() for a in np.meshgrid([0.85, 0.95, 1.0, 1.05], [21, 63, 252], indexing="ij"))
        return [np.asarray(x) for x in jax.jit(jax.vmap(all_three))(strike, left)]

    for mine, exact, tolerance in zip(greeks(table), greeks(law), (0.004, 0.35, 0.003), strict=True):
        assert np.isfinite(mine).all()
        assert np.abs(mine - exact).max() < tolerance


def test_a_tables_gradient_by_its_law_is_that_of_the_price():
    seen = partial(view, 0.04, 63)
    table = jax.grad(lambda law: prepared(law, CALENDAR).option("put", 0.95, DATE, seen()))
    exact = jax.jit(lambda law: law.option("put", 0.95, DATE, seen()))
    law = HestonPricer(4.0, 0.0324, 0.5, -0.7, 1.2)
    with jax.enable_x64(False):
        slopes = jax.jit(table)(law)
    for name in ("kappa", "theta", "vol_of_vol", "rho", "premium"):
        size = 1e-4 * abs(float(getattr(law, name)))
        up, down = (float(exact(replace(law, **{name: getattr(law, name) + s * size}))) for s in (1.0, -1.0))
        assert float(getattr(slopes, name)) == pytest.approx((up - down) / (2.0 * size), rel=0.03, abs=2e-4)


@pytest.mark.parametrize("steps", [1, 4])
def test_a_table_of_few_dates(steps):
    """Fewer dates than nodes of time: each date is a node."""
    law, calendar = LAWS["heston"], Calendar(0.25, steps)
    times = calendar.times()
    seen = Quote(1.0, 0.04, 0, times, jnp.ones_like(times), jnp.ones_like(times))
    mine, exact = (float(x) for x in jax.jit(lambda: [p.option("put", 0.95, steps, seen) for p in (prepared(law, calendar), law)])())
    assert mine == pytest.approx(exact, abs=5e-5)


@pytest.mark.parametrize("name", ["heston", "merton"])
def test_a_table_at_the_end_and_without_variance(name):
    price = lambda spot, v, left: prepared(LAWS[name], CALENDAR).option("put", 1.1, DATE, view(v, left, spot))  # noqa: E731
    both = jax.jit(jax.value_and_grad(price, (0, 1)))
    for v, left in ((0.04, 0), (0.0, 5), (1e-15, 63), (4.0, 252)):
        value, slopes = both(1.0, v, left)
        assert 0.1 - 1e-9 <= float(value) < 1.1
        assert np.isfinite(slopes).all()
    assert float(both(1.0, 0.04, 0)[0]) == pytest.approx(0.1, abs=1e-15)


def test_announced_events_add_their_variance():
    """A normal shock of standard deviation 5 % before expiry: the law is convolved with it."""
    law = MertonPricer(0.02, 0.5, -0.1, 0.1)
    times = CALENDAR.times()
    seen = Quote(1.0, 0.0, 0, times, jnp.ones_like(times), jnp.ones_like(times), events=jnp.where(times > 0.1, 0.05**2, 0.0))
    same = MertonPricer(0.02 + 0.05**2 / 0.25, 0.5, -0.1, 0.1)
    quiet = Quote(1.0, 0.0, 0, times, jnp.ones_like(times), jnp.ones_like(times))
    price = jax.jit(lambda law, date, events: law.option("put", 0.95, date, seen if events else quiet), static_argnums=2)
    assert float(price(law, 63, True)) == pytest.approx(float(price(same, 63, False)), abs=1e-10)
    assert float(price(law, 20, True)) == pytest.approx(float(price(law, 20, False)), abs=1e-12)  # expires before them
    table = jax.jit(lambda: prepared(law, CALENDAR).option("put", 0.95, 63, seen))()
    assert float(table) == pytest.approx(float(price(same, 63, False)), abs=3e-4)  # Black's way of adding a variance, not the law's


def test_black_is_the_limit_of_a_table_without_smile():
    law = HestonPricer(2.0, 0.04, 1e-3, -0.5)
    table = jax.jit(lambda left: prepared(law, CALENDAR).option("put", 0.95, DATE, view(0.04, left)))
    for left in (5, 63, 252):
        mine = float(table(left))
        assert mine == pytest.approx(float(black("put", 1.0, 0.95, 0.2 * np.sqrt(left / 252), 1.0)), abs=2e-5)
