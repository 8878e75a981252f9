"""Greeks of a book: against closed forms under Black and against bumps of 2 % under a table and a surface; finite where payoffs bend."""

import math
from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from haste import HASTE
from scipy.stats import norm

import mcengine as mc
from mcengine.engine import recorder
from mcengine.instrument import (
    BUCKETS,
    GREEKS,
    Call,
    ContractSlot,
    ForwardSlot,
    FutureSlot,
    Greeks,
    Life,
    OptionSlot,
    Position,
    Underlying,
    marks,
    totals,
)
from mcengine.instrument.expiries import in_bucket, reached
from mcengine.pricing import BlackPricer, Calendar, HestonPricer, SurfacePricer, prepared

SPOT, RATE, DIVIDEND, SIGMA = 100.0, 0.03, 0.015, 0.2
CALENDAR = Calendar(1.0, 252)
BOOK = {"put": ("put", 95.0, 63, 2.0), "call": ("call", 105.0, 126, -1.0), "deep": ("put", 70.0, 252, 5.0), "near": ("call", 100.0, 21, 0.5)}


def view(step=0, variance=SIGMA**2, spot=SPOT):
    times = CALENDAR.times()
    discounts = jnp.exp(-RATE * times)
    return {"equity": mc.pricing.Quote(spot, variance, step, times, discounts, jnp.exp(-DIVIDEND * times) / discounts)}


def held(book=BOOK):
    slots = {name: OptionSlot(kind, "equity") for name, (kind, *_) in book.items()}
    positions = {name: Position(units, jnp.asarray(strike)) for name, (_, strike, _, units) in book.items()}
    lives = {name: Life(0, jnp.int32(expiry)) for name, (_, _, expiry, _) in book.items()}
    return slots, positions, lives


def greeks(pricer, quotes, book=BOOK, wanted=GREEKS[:5]):
    slots, positions, lives = held(book)
    found = marks(slots, positions, quotes, {"equity": pricer}, lives, wanted)
    return totals(slots, {n: p.units for n, p in positions.items()}, found, wanted)


in_haste = partial(jax.jit, compiler_options=HASTE)


@in_haste
def _worth(pricer, shown, bumps):
    slots, positions, lives = held()
    found = marks(slots, positions, {"equity": view(**shown)["equity"].bumped(**bumps)}, {"equity": pricer}, lives)
    return sum(p.units * found[name].price for name, p in positions.items())


def worth(pricer, step=0, variance=SIGMA**2, **bumps):
    """Of the book, by what the quote shows and how far it is bumped: one program for all differences."""
    shown = {"step": step, "variance": float(variance)}
    return float(_worth(pricer, shown, {"spot": 0.0, "volatility": 0.0, "rate": 0.0, "years": 0.0} | bumps))


@partial(in_haste, static_argnames="wanted")
def greeks_of_the_book(pricer, wanted):
    return greeks(pricer, view(), wanted=wanted).values


@in_haste
def greeks_of_a_put(pricer, strike, expiry, variance):
    return greeks(pricer, view(variance=variance), {"option": ("put", strike, expiry, 1.0)}, GREEKS).values


def closed_form(kind, strike, expiry):
    """(delta, gamma, vega, theta, rho, vanna, volga) of Black & Scholes with a dividend yield."""
    t = expiry / 252
    d1 = (math.log(SPOT / strike) + (RATE - DIVIDEND + 0.5 * SIGMA**2) * t) / (SIGMA * math.sqrt(t))
    d2, sign = d1 - SIGMA * math.sqrt(t), 1.0 if kind == "call" else -1.0
    q, r = math.exp(-DIVIDEND * t), math.exp(-RATE * t)
    theta = -SPOT * q * norm.pdf(d1) * SIGMA / (2.0 * math.sqrt(t))
    theta += sign * (DIVIDEND * SPOT * q * norm.cdf(sign * d1) - RATE * strike * r * norm.cdf(sign * d2))
    vega = SPOT * q * norm.pdf(d1) * math.sqrt(t)
    return (
        sign * q * norm.cdf(sign * d1),
        q * norm.pdf(d1) / (SPOT * SIGMA * math.sqrt(t)),
        vega,
        theta,
        sign * strike * t * r * norm.cdf(sign * d2),
        -q * norm.pdf(d1) * d2 / SIGMA,
        vega * d1 * d2 / SIGMA,
    )


def test_closed_form(float64):
    """Four options under Black, to 1e-5."""
    book = Greeks(greeks_of_the_book(BlackPricer(SIGMA**2), (*GREEKS[:5], "vanna", "volga")))
    known = np.sum([units * np.array(closed_form(kind, strike, expiry)) for kind, strike, expiry, units in BOOK.values()], axis=0)
    found = [book.delta["equity"], book.gamma["equity"], book.vega["equity"], book.theta, book.rho, book.vanna["equity"], book.volga["equity"]]
    np.testing.assert_allclose([float(x) for x in found], known, rtol=1e-5)


def test_of_a_contract():
    """Vanna and volga of a call on Black's model, beside what marks have."""
    call, market = mc.instrument.Call(strike=105.0, expiry=0.5), mc.market.GBM(spot=SPOT, sigma=SIGMA, dividend=DIVIDEND)
    found = mc.greeks.of(call, market, rate=RATE)
    known = dict(zip(("delta", "gamma", "vega", "theta", "rho", "vanna", "volga"), closed_form("call", 105.0, 126), strict=True))
    for name, value in known.items():
        assert found[name] == pytest.approx(value, rel=2e-4), name


PRICERS = ("table", "surface")


@cache
def made(name):
    """In double precision, as all who ask for one."""
    return SurfacePricer() if name == "surface" else in_haste(lambda pricer: prepared(pricer, CALENDAR))(HestonPricer(2.0, 0.04, 0.5, -0.7))


@pytest.mark.parametrize("name", PRICERS)
def test_against_bumps(name, float64):
    """Delta and gamma by bumps of 2 % of the spot, vega by two points of volatility; a table's slope is as good as the table, 1e-4 of spot."""
    pricer, wanted = made(name), ("delta", "gamma", "vega", "rho", "theta", "vanna", "volga", "variance_vega", "variance_vanna", "variance_volga")
    book = Greeks(greeks_of_the_book(pricer, wanted))
    up, mid, down = (worth(pricer, spot=h) for h in (2.0, 0.0, -2.0))
    units = sum(abs(u) for *_, u in BOOK.values())
    assert float(book.delta["equity"]) == pytest.approx((up - down) / 4.0, abs=5e-3 * units)
    assert float(book.gamma["equity"]) == pytest.approx((up - 2.0 * mid + down) / 4.0, abs=5e-3 * units)
    for greek, by, size in (("rho", "rate", 1e-3), ("theta", "years", 1e-4)):
        high, low = (worth(pricer, **{by: sign * size}) for sign in (1.0, -1.0))
        assert float(getattr(book, greek)) == pytest.approx((high - low) / (2.0 * size), rel=1e-3), greek
    high, low = (worth(pricer, volatility=sign * 0.02) for sign in (1.0, -1.0))
    assert float(book.vega["equity"]) == pytest.approx((high - low) / 0.04, rel=0.02)
    assert_second_by_bumps(book, lambda x, y: worth(pricer, spot=x, volatility=y), 0.01, "vega", "vanna", "volga")
    names = ("variance_vega", "variance_vanna", "variance_volga")
    assert_second_by_bumps(book, lambda x, y: worth(pricer, spot=x, variance=SIGMA**2 + y), 0.02 * SIGMA**2, *names)
    # A day's decay is the price a day later: the table of one day less, to the change of theta over it.
    assert float(book.theta) / 252 == pytest.approx(worth(pricer, step=1) - mid, rel=0.1)


def assert_second_by_bumps(book, price, size, vega, vanna, volga):
    """Against differences over 2 % of the spot and ``size`` of what moves beside it, to what a difference of that width leaves."""
    at = {(i, j): price(2.0 * i, size * j) for i in (-1, 0, 1) for j in (-1, 0, 1)}
    assert float(getattr(book, vega)["equity"]) == pytest.approx((at[0, 1] - at[0, -1]) / (2.0 * size), rel=2e-3)
    assert float(getattr(book, vanna)["equity"]) == pytest.approx((at[1, 1] - at[1, -1] - at[-1, 1] + at[-1, -1]) / (8.0 * size), rel=0.05)
    assert float(getattr(book, volga)["equity"]) == pytest.approx((at[0, 1] - 2.0 * at[0, 0] + at[0, -1]) / size**2, rel=0.03)


@pytest.mark.parametrize("name", ["black", *PRICERS])
@pytest.mark.parametrize(("strike", "expiry", "variance"), [(100.0, 0, 0.04), (100.0, 63, 0.0), (100.0, 0, 0.0), (90.0, 0, 0.04), (110.0, 63, 0.0)])
def test_finite_where_payoffs_bend(name, strike, expiry, variance, float64):
    """At expiry, at the strike, at no volatility."""
    pricer = BlackPricer(variance) if name == "black" else made(name)
    found = Greeks(greeks_of_a_put(pricer, strike, expiry, variance))
    assert all(np.isfinite(np.asarray(x)).all() for x in jax.tree.leaves(found.values))
    if name == "black":
        assert float(found.gamma["equity"]) == pytest.approx(0.0, abs=1e-12)
        # Discounted intrinsic value moves with the forward: no delta out of the money, nearly one in it.
        inside = strike > SPOT * math.exp((RATE - DIVIDEND) * expiry / 252)
        assert float(found.delta["equity"]) == pytest.approx(-inside, abs=0.02 + 0.5 * (strike == SPOT))


def test_linear_slots_and_pairs(float64):
    """An asset has a delta of 1, a forward e^{-qT}, a future e^{(r-q)T}; an exchange option's cross-gamma is Margrabe's (REFERENCES)."""
    pairs = {"one": mc.market.GBM(spot=100.0, sigma=0.2), "two": mc.market.GBM(spot=100.0, sigma=0.3)}
    market = mc.market.Market(pairs, {"one-two": 0.5})
    calendar = Calendar(1.0, 1)
    ready = market.prepare(calendar)
    quotes = ready.quotes(ready.start(), 0)
    slot = ContractSlot(mc.instrument.Exchange("one", "two", 1.0))
    life = {"swap": Life(0, jnp.int32(1))}
    pricers = {**market.pricers(), **market.correlation}
    found = marks({"swap": slot}, {"swap": Position(1.0, {}, ())}, quotes, pricers, life, ("delta", "gamma", "cross_gamma"))["swap"]
    assert float(found.price) == pytest.approx(10.52431578, rel=1e-8)
    assert float(found.greeks["cross_gamma"]["one-two"]) == pytest.approx(-0.01494723867, rel=1e-8)

    quotes = view()
    for slot, delta in ((ForwardSlot("equity"), math.exp(-DIVIDEND)), (FutureSlot("equity"), math.exp(RATE - DIVIDEND))):
        life = Life(0, jnp.int32(252))
        terms = slot.terms(quotes, life)
        one = Position(1.0, terms, slot.open(terms, quotes, life))
        mark = marks({"slot": slot}, {"slot": one}, quotes, {}, {"slot": life}, ("delta", "gamma"))["slot"]
        assert float(mark.price) == pytest.approx(0.0, abs=1e-12)
        assert float(mark.greeks["delta"]["equity"]) == pytest.approx(delta, rel=1e-12)
    alone = totals({"equity": Underlying("equity")}, {"equity": 3.0}, {"equity": ()}, ("delta",))
    assert float(alone.delta["equity"]) == 3.0


def test_by_expiry():
    """Bounds of buckets, and that each contract is in one: 21 steps of 252 are a month, 22 are more."""
    steps = np.array([1, 21, 22, 63, 64, 252, 253])
    inside = {bucket: in_bucket(bucket, steps, 1.0 / 252) for bucket in BUCKETS}
    np.testing.assert_array_equal(sum(x.astype(int) for x in inside.values()), 1)
    assert {bucket: steps[x].tolist() for bucket, x in inside.items()} == {"1m": [1, 21], "3m": [22, 63], "1y": [64, 252], "longer": [253]}
    rolled = {"put": OptionSlot("put", "equity", mc.instrument.Rolled(30, 15)), "asset": Underlying("equity")}
    assert reached(rolled, 60, 1.0 / 252) == ("1m", "3m")


class Delta(recorder.AbstractRecorder):
    """The book's delta at the horizon's eve, in units of the asset."""

    needs = ("delta",)

    def start(self, day):
        return jnp.zeros_like(day.account.wealth)

    def step(self, state, day):
        return jnp.where(day.step == day.steps - 1, day.greeks.delta["equity"], state)

    def finish(self, state, day):
        return {"delta": state}


def test_a_recorder_asks_and_what_nobody_asked_for_is_named(gbm_market, weights):
    """Hedged, the put's delta and that of its hedge cancel; the mix's own stays."""
    policy = mc.policy.chain(mc.policy.Mix(weights), mc.policy.RolledPut(0.98, tenor=6, roll=4), mc.policy.DeltaHedge())
    study = mc.Study(gbm_market, policy, steps=12, recorders=(recorder.Wealth(), Delta()))
    delta = study.run(64, seed=1, progress=False)["policy"]["delta"]
    table = study.trace(range(4), seed=1)
    held = table["equity.units"].to_numpy().reshape(4, -1) + table["delta_hedge.units"].to_numpy().reshape(4, -1)
    option = (table["rolled_put.units"] * table["rolled_put.delta.equity"]).to_numpy().reshape(4, -1)
    np.testing.assert_allclose(delta[:4], (held + option)[:, -2], rtol=1e-5)
    with pytest.raises(ValueError, match=r"greeks.vega: expected it in the ``needs`` of the stage, cost or recorder that reads it, got \['delta'\]"):
        _ = greeks(BlackPricer(0.04), view(), wanted=("delta",)).vega


def test_options_are_marked_by_one_slot_or_by_many_alike(float64):
    """Together and alone: the same prices and Greeks."""
    pricer, (slots, positions, lives) = BlackPricer(SIGMA**2), held()
    together = marks(slots, positions, view(), {"equity": pricer}, lives, ("delta", "vega"))
    for name in BOOK:
        alone = marks({name: slots[name]}, {name: positions[name]}, view(), {"equity": pricer}, {name: lives[name]}, ("delta", "vega"))[name]
        np.testing.assert_allclose(jax.tree.leaves(together[name]), jax.tree.leaves(alone), rtol=1e-12)
    one = Call(105.0, 0.5, "equity")
    price = float(one.price((), view(), {"equity": pricer}, CALENDAR))
    assert float(together["call"].price) == pytest.approx(price, rel=1e-12)
