"""Every price formula that is given as exact, in every kind of market, against Monte Carlo within 3 errors; the rest is refused in one line.

``python tests/test_exactness.py`` prints the table of the package's README, which a test holds to what the code says.
"""

import sys
from pathlib import Path

import jax
import numpy as np
import pytest
import reference
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.integrate import quad

import mcengine as mc
from mcengine.engine.price import check_market, market_of
from mcengine.instrument import (
    Asian,
    Barrier,
    Basket,
    BestOf,
    BondOption,
    Call,
    CouponBond,
    Digital,
    Exchange,
    FixedLookback,
    FloatingLookback,
    Forward,
    Future,
    FutureOption,
    Put,
    Spread,
    Straddle,
    VarianceSwap,
    ZeroBond,
    check_formula,
    make_calendar,
)
from mcengine.market import (
    GBM,
    GJRGARCH,
    Bates,
    BondIndex,
    Event,
    Heston,
    HullWhite,
    Kou,
    Market,
    Merton,
    RegimeGBM,
    Regimes,
    Schwartz,
    VarianceAsset,
    Vasicek,
)
from mcengine.pricing import Calendar, options, prepared

README = Path(mc.__file__).with_name("README.md")
ERRORS, ROUNDING = 3.0, 1e-6

# ---- markets: "a" and "b", years of the contracts, steps ----

VASICEK = Vasicek(rate=0.03, kappa=0.2, theta=0.04, sigma=0.02)
CURVE = HullWhite([1.0, 5.0, 10.0], [0.03, 0.034, 0.04], kappa=0.05, sigma=0.012)
HESTON = Heston(100.0, 0.05, 2.0, 0.04, 0.5, -0.7, dividend=0.01, variance_premium=1.2)
GARCH = GJRGARCH(100.0, 0.05, 0.04, 0.03, 0.12, 0.85, dividend=0.01, variance_premium=1.2, price_of_risk=0.5)
MERTON = Merton(100.0, 0.15, intensity=0.7, jump_mean=-0.1, jump_sd=0.1, dividend=0.02, variance_premium=1.2)
CALM = RegimeGBM(100.0, {"calm": 0.12, "crash": 0.35}, dividend=0.01, variance_premium=1.2)
CHAIN = Regimes(("calm", "crash"), {"calm-crash": 1.0, "crash-calm": 3.0})
OIL = Schwartz(100.0, 1.2, 104.0, 0.35, risk_premium=0.05, variance_premium=1.2)
EVENTS = {
    "vote": Event(0.1, up={"a": 0.08}, down={"a": -0.12}, sd={"a": 0.03}, probability=0.6, variance_premium=1.3),
    "news": Event(0.3, sd={"a": 0.06, "b": 0.03}),
    "late": Event(0.6, up={"a": 0.3}, down={"a": -0.3}),
}
LATE = {"late": EVENTS["late"]}


def market(a, rate=0.03, pairs=None, **more):
    known = {"b": 0.5} if a.n_factors else {}
    return Market({"a": a, "b": GBM(96.0, 0.3, dividend=0.02)}, {f"a-{x}": c for x, c in {**known, **(pairs or {})}.items()}, rate, **more)


MARKETS = {  # by its line in the table: (market, years, steps)
    "lognormal, dividends": (market(GBM(100.0, 0.2, dividend=0.04, variance_premium=1.2)), 0.5, 126),
    "lognormal, an event after expiry": (market(GBM(100.0, 0.2), events=LATE), 0.5, 126),
    "lognormal, events before expiry": (market(GBM(100.0, 0.2), events=EVENTS), 0.5, 126),
    "lognormal, three two-sided events": (
        market(GBM(100.0, 0.2), events={f"e{k}": Event(0.1 * k, {"a": 0.1}, {"a": -0.1}) for k in (1, 2, 3)}),
        0.5,
        126,
    ),
    "regimes": (market(CALM, regimes=CHAIN), 0.5, 126),
    "regimes, events": (market(CALM, regimes=CHAIN, events=EVENTS), 0.5, 126),
    "Merton": (market(MERTON), 0.5, 126),
    "Kou": (
        market(Kou(100.0, 0.15, intensity=2.0, up_probability=0.4, up_mean=0.04, down_mean=0.06, dividend=0.02, intensity_premium=1.2)),
        0.5,
        126,
    ),
    "Heston": (market(HESTON), 0.5, 126),
    "Heston, events": (market(HESTON, events=EVENTS), 0.5, 126),
    "Bates": (market(Bates(100.0, 0.04, 2.0, 0.04, 0.5, -0.7, intensity=0.7, jump_mean=-0.1, jump_sd=0.1, variance_premium=1.2)), 0.5, 126),
    "GJR-GARCH": (market(GARCH), 0.5, 126),
    "GJR-GARCH, events": (market(GARCH, events=EVENTS), 0.5, 126),
    "Schwartz": (market(OIL), 0.5, 126),
    "Schwartz, events": (market(OIL, events=EVENTS), 0.5, 126),
    "lognormal, rate correlated": (market(GBM(100.0, 0.2, dividend=0.02, variance_premium=1.2), VASICEK, {"rate": -0.6}), 4.0, 48),
    "lognormal, curve, rate correlated": (market(GBM(100.0, 0.15), CURVE, {"rate": 0.5}), 5.0, 60),
    "Merton, rate correlated, events": (market(MERTON, VASICEK, {"rate": 0.5}, events=EVENTS), 4.0, 48),
    "regimes, rate correlated": (market(CALM, VASICEK, {"rate": 0.5}, regimes=CHAIN), 4.0, 96),
    "Heston, rate apart": (market(HESTON, CURVE), 4.0, 192),
    "Heston, rate correlated": (market(HESTON, CURVE, {"rate": 0.2}), 4.0, 192),
    "GJR-GARCH, rate apart": (market(GARCH, VASICEK), 1.0, 252),
    "GJR-GARCH, rate correlated": (market(GARCH, VASICEK, {"rate": 0.2}), 1.0, 252),
    "Schwartz, rate apart": (market(OIL, VASICEK), 4.0, 48),
    "Schwartz, rate correlated": (market(OIL, VASICEK, {"rate": 0.7}), 4.0, 48),
    "bond index": (market(BondIndex(100.0, maturity=8.0), VASICEK), 4.0, 192),
    "variance asset, of Heston": (Market({"b": HESTON, "a": VarianceAsset("b", 1.0)}, rate=0.03), 0.5, 126),
    "history (replay, bootstrap)": (None, 0.5, 126),
}


def contracts(years):
    """By column of the table, contracts of which all or none are exact in a market."""
    return {
        "options, digitals": {
            "put": Put(90.0, years, "a"),
            "call": Call(105.0, years, "a"),
            "straddle": Straddle(100.0, years, "a"),
            "cash": Digital("call", 102.0, years, asset="a"),
            "asset": Digital("put", 102.0, years, pays="asset", asset="a"),
        },
        "forward": {"forward": Forward(99.0, years, "a")},
        "future": {"future": Future(years, "a")},
        "option on a future": {"future_put": FutureOption("put", 101.0, years, 1.5 * years, "a")},
        "variance swap": {"variance": VarianceSwap(0.0, years, "a", notional=100.0)},
        "barrier, lookback, geometric": {
            "barrier": Barrier("put", "down", "out", 100.0, 80.0, years, "a", rebate=3.0),
            "geometric": Asian("call", 100.0, years, "geometric", 2, "a"),
            "fixed": FixedLookback("call", 104.0, years, "a"),
            "floating": FloatingLookback("put", years, "a"),
        },
        "two assets": {
            "exchange": Exchange("a", "b", years),
            "spread": Spread("call", 4.0, years, "a", "b"),
            "best": BestOf("call", 100.0, years, ("a", "b")),
        },
        "bonds": {"zero": ZeroBond(years), "coupons": CouponBond(0.05, years, 2), "bond_put": BondOption("put", 0.97, years, 1.5 * years)},
        "approximate": {
            "smoothed": Digital("call", 102.0, years, asset="a", width=0.05),
            "arithmetic": Asian("call", 100.0, years, fixings=2, asset="a"),
            "daily": Barrier("put", "down", "out", 100.0, 80.0, years, "a", watch="daily"),
            "basket": Basket("call", 98.0, years, {"a": 0.5, "b": 0.5}),
        },
    }


def refusal(contract, where):
    """The one line that refuses its formula; none where it is exact."""
    try:
        found = market_of(contract, where)
        check_market(contract, found)
        check_formula(contract, found, approximate=False)
    except ValueError as error:
        return str(error)
    return None


def exact(name, history):
    """{column: contracts by name} of a market, those whose formula is exact there."""
    where, years, _ = MARKETS[name]
    out = {}
    for column, group in contracts(years).items():
        said = {title: refusal(one, where or history) for title, one in group.items()}
        assert len({line is None for line in said.values()}) == 1, (name, said)
        assert not any("\n" in line for line in said.values() if line), said
        out[column] = group if None in said.values() else {}
    return out


@pytest.fixture(scope="module")
def history():
    return mc.market.Replay.from_history({"a": {"column": "spx", "volatility": "vix"}, "b": "wti"})


def table(history):
    """Lines of the README's table."""
    columns = list(contracts(1.0))
    lines = [f"| market | {' | '.join(columns)} |", "|---" * (len(columns) + 1) + "|"]
    for name in MARKETS:
        found = exact(name, history)
        lines.append(f"| {name} | {' | '.join('exact' if found[column] else '-' for column in columns)} |")
    return "\n".join(lines)


def test_the_table_of_the_readme_is_what_the_code_says(history):
    said = table(history)
    print(said)
    assert said in README.read_text(), f"mcengine/README.md: expected the table\n{said}"


# ---- what is exact is what Monte Carlo finds ----


def scores(where, held, years, steps, *, paths, seed):
    """(z-scores of the formulas, their values); what is the same on every path is so to the rounding of its cash."""
    found = mc.engine.payoffs(held, where, paths=paths, steps=steps, seed=seed, keep=0).estimates
    with jax.enable_x64(True):
        formulas = jax.jit(lambda: {name: mc.greeks.value(one, where, steps=steps) for name, one in held.items()})()
    formulas = {name: float(value) for name, value in formulas.items()}
    off = {name: one.value - formulas[name] for name, one in found.items()}
    return {name: off[name] / max(one.error, ROUNDING * abs(one.value), ROUNDING) for name, one in found.items()}, formulas


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in MARKETS if MARKETS[name][0] is not None])
def test_formulas_are_monte_carlo_s(name, history):
    where, years, steps = MARKETS[name]
    held = {title: one for group in exact(name, history).values() for title, one in group.items()}
    found, _ = scores(where, held, years, steps, paths=1 << 18, seed=7)
    print(f"\n{name}: " + ", ".join(f"{title} {z:+.1f}" for title, z in found.items()))
    assert max(abs(z) for z in found.values()) < ERRORS, found


@settings(max_examples=25, deadline=None)
@given(
    kappa=st.floats(1e-3, 3.0),
    volatility=st.floats(0.0, 0.05),
    correlation=st.floats(-0.95, 0.95),
    sigma=st.floats(0.05, 0.5),
    years=st.floats(0.1, 10.0),
)
def test_a_put_under_a_rate_is_black_s_at_the_variance_of_the_forward(kappa, volatility, correlation, sigma, years):
    """The integral of it by SciPy: sigma^2 + 2 c sigma s B + s^2 B^2."""
    b = lambda u: -np.expm1(-kappa * u) / kappa  # noqa: E731
    total = quad(lambda u: sigma**2 + 2.0 * correlation * sigma * volatility * b(u) + (volatility * b(u)) ** 2, 0.0, years)[0]
    where = Market({"a": GBM(100.0, sigma)}, {"a-rate": correlation}, Vasicek(0.03, kappa, 0.04, volatility))
    with jax.enable_x64(True):
        discount = float(where.rate.discounts(years))
        got = float(mc.greeks.value(Put(95.0, years, "a"), where, steps=4))
    assert got == pytest.approx(reference.black("put", 100.0 / discount, 95.0, np.sqrt(total), discount), rel=1e-7, abs=1e-9)


@settings(max_examples=50, deadline=None)
@given(expiry=st.floats(0.05, 3.0), date=st.floats(0.01, 3.0))
def test_a_calendar_tells_an_event_from_an_expiry(expiry, date):
    assume(abs(date - expiry) > 5e-4 * expiry)
    calendar = make_calendar({"call": Call(100.0, expiry)}, None, 1, {"event": Event(date)})
    at = max(round(date / float(calendar.years) * calendar.steps), 1)
    assert (at <= calendar.steps) == (date <= expiry)


def everything():
    """One market with all that may be exact beside a rate that moves: assets by name, correlated with it where they can be."""
    assets = {"lognormal": GBM(100.0, 0.2, dividend=0.02, variance_premium=1.2), "jumps": MERTON, "switching": CALM, "oil": OIL, "heston": HESTON}
    pairs = {f"{name}-rate": c for name, c in {"lognormal": -0.6, "jumps": 0.4, "switching": 0.5, "oil": 0.3}.items()}
    news = Event(1.0, up={"lognormal": 0.1, "jumps": -0.1}, down={"lognormal": -0.2, "jumps": 0.1}, sd={"heston": 0.1}, probability=0.6)
    return Market(
        {**assets, "index": BondIndex(100.0, 8.0)}, pairs, VASICEK, regimes=CHAIN, events={"news": news, "late": Event(5.0, sd={"jumps": 0.5})}
    )


def test_one_market_with_everything():
    """Puts of four years on every asset, by contract and as a book marks them, which reads Heston's from a table."""
    where, calendar = everything(), Calendar(4.0, 48)
    held = {name: Put(110.0, 4.0, name) for name in where.assets}
    found, formulas = scores(where, held, 4.0, 48, paths=1 << 16, seed=3)
    assert max(abs(z) for z in found.values()) < ERRORS, found

    @jax.jit
    def marks(market):
        ready = market.prepare(calendar)
        quotes, pricers = ready.quotes(ready.start(), 0), market.pricers()
        return {name: options(prepared(pricers[name], calendar), ("put",), (110.0,), (48,), quotes[name])[0] for name in market.assets}

    for name, mark in marks(where).items():
        assert float(mark) == pytest.approx(formulas[name], abs=0.02), name


def test_a_book_holds_nothing_on_what_an_event_leaves_to_fade():
    where = MARKETS["Schwartz, events"][0]
    policy = mc.policy.presets.static_put({"a": 0.5, "b": 0.5}, 0.9, asset="a")
    with pytest.raises(ValueError, match=r"expected no event that moves a \(Schwartz\), whose jump would fade, got vote"):
        mc.Study(where, policy, steps=12)


if __name__ == "__main__":
    print(table(mc.market.Replay.from_history({"a": {"column": "spx", "volatility": "vix"}, "b": "wti"})))
    sys.exit(0)
