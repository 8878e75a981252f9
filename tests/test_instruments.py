"""Contracts: Monte Carlo against closed forms on few programs, parity on every path, bad terms, Greeks, rolled slots."""

import dataclasses
import importlib
import json
from pathlib import Path

import jax
import numpy as np
import pytest

import mcengine as mc
from mcengine.instrument import (
    Asian,
    Barrier,
    Basket,
    BestOf,
    BondOption,
    Call,
    CallSpread,
    Collar,
    Combination,
    CouponBond,
    Digital,
    Exchange,
    FixedLookback,
    FloatingLookback,
    Forward,
    Future,
    FutureOption,
    Hedged,
    Put,
    PutSpread,
    RollSchedule,
    Spread,
    Straddle,
    Strangle,
    VarianceSwap,
    WorstOf,
    ZeroBond,
    joint,
)
from mcengine.pricing import Calendar

ERRORS = 4.0
YEARS, STEPS, PATHS = 0.5, 15, 65_536  # an odd number of steps is one copy of the program less to compile
GBM = mc.market.GBM
HAUG = {"expiry": YEARS, "asset": "s", "rebate": 3.0}
NAMES = ("s", "u")


def lognormal():
    """The barrier cases' asset, another with it, and one to count four times in a basket."""
    assets = {"s": GBM(spot=100.0, sigma=0.25, dividend=0.04), "u": GBM(spot=96.0, sigma=0.3, dividend=0.02)}
    return mc.market.Market(assets, {"s-u": 0.5}, rate=0.08)


CONTRACTS = {
    "call": Call(100.0, YEARS, "s"),
    "other_call": Call(100.0, YEARS, "u"),
    "put": Put(100.0, YEARS, "s"),
    "cash": Digital("call", 102.0, YEARS, asset="s"),
    "asset": Digital("put", 102.0, YEARS, pays="asset", asset="s"),
    "straddle": Straddle(100.0, YEARS, "s"),
    "strangle": Strangle(90.0, 110.0, YEARS, "s"),
    "collar": Collar(90.0, 110.0, YEARS, "s"),
    "call_spread": CallSpread(95.0, 105.0, YEARS, "s"),
    "put_spread": PutSpread(95.0, 105.0, YEARS, "s"),
    "low_call": Call(95.0, YEARS, "s"),
    "high_call": Call(105.0, YEARS, "s"),
    "down_out_90": Barrier("call", "down", "out", 90.0, 95.0, **HAUG),
    "down_out_100": Barrier("call", "down", "out", 100.0, 95.0, **HAUG),
    "down_out_110": Barrier("call", "down", "out", 110.0, 95.0, **HAUG),
    "up_out": Barrier("call", "up", "out", 100.0, 105.0, **HAUG),
    "down_out_late": Barrier("call", "down", "out", 100.0, 95.0, rebate_paid="expiry", **HAUG),
    "up_out_late": Barrier("call", "up", "out", 100.0, 105.0, rebate_paid="expiry", **HAUG),
    "up_out_put": Barrier("put", "up", "out", 100.0, 105.0, YEARS, "s"),
    "up_in_put": Barrier("put", "up", "in", 100.0, 105.0, YEARS, "s"),
    "down_in": Barrier("call", "down", "in", 100.0, 95.0, YEARS, "s"),
    "down_out": Barrier("call", "down", "out", 100.0, 95.0, YEARS, "s"),
    "down_in_rebate": Barrier("call", "down", "in", 100.0, 95.0, **HAUG),
    "geometric": Asian("call", 100.0, YEARS, "geometric", 5, "s"),
    "geometric_daily": Asian("put", 100.0, YEARS, "geometric", asset="s"),
    "fixed_call": FixedLookback("call", 104.0, YEARS, "s"),
    "fixed_put": FixedLookback("put", 97.0, YEARS, "s"),
    "floating_call": FloatingLookback("call", YEARS, "s"),
    "floating_put": FloatingLookback("put", YEARS, "s"),
    "exchange": Exchange("s", "u", YEARS),
    "spread": Spread("call", 4.0, YEARS, "s", "u"),
    "spread_put": Spread("put", -3.0, YEARS, "s", "u"),
    "best": BestOf("call", 100.0, YEARS, NAMES),
    "worst": WorstOf("call", 100.0, YEARS, NAMES),
    "best_put": BestOf("put", 100.0, YEARS, NAMES),
    "worst_put": WorstOf("put", 100.0, YEARS, NAMES),
    "forward": Forward(99.0, YEARS, "s"),
    "future": Future(YEARS, "s"),
    "margined": Future(YEARS, "s", margin=0.1),
    "future_option": FutureOption("put", 101.0, YEARS, 2.0 * YEARS, "s"),
    "zero": ZeroBond(YEARS),
    "coupons": CouponBond(0.06, YEARS, payments=3, face=100.0),
    "bond_option": BondOption("put", 0.98, YEARS, 2.0 * YEARS),
    "variance": VarianceSwap(0.05, YEARS, "s", notional=100.0),
    "early": Call(100.0, YEARS / 3, "s"),
}
APPROXIMATE = {
    "arithmetic": (Asian("call", 100.0, YEARS, fixings=5, asset="s"), 2e-3),
    "daily_out": (Barrier("call", "down", "out", 100.0, 90.0, YEARS, "s", watch="daily"), 1e-2),
    "daily_fixed": (FixedLookback("call", 104.0, YEARS, "s", watch="daily"), 2e-2),
    "daily_floating": (FloatingLookback("put", YEARS, "s", watch="daily"), 2e-2),
    "basket": (Basket("call", 98.0, YEARS, {"s": 0.5, "u": 0.5}), 2e-3),
}


@pytest.fixture(scope="module")
def priced():
    """Every contract on the same paths, in one program."""
    contracts = CONTRACTS | {name: one for name, (one, _) in APPROXIMATE.items()}
    return mc.engine.payoffs(contracts, lognormal(), paths=PATHS, steps=STEPS, seed=3, keep=PATHS)


@pytest.fixture(scope="module")
def formulas():
    """Every contract's formula on the dates of the paths, in float64 and one program."""
    contracts = CONTRACTS | {name: one for name, (one, _) in APPROXIMATE.items()}
    with jax.enable_x64(True):
        prices = jax.jit(lambda: {name: mc.greeks.value(one, lognormal(), steps=_steps(one), approximate=True) for name, one in contracts.items()})()
    return {name: float(price) for name, price in prices.items()}


def _steps(contract):
    """As many as the paths have, on the contract's own life."""
    return round(STEPS * float(contract.expiry) / YEARS)


@pytest.mark.parametrize("name", CONTRACTS)
def test_monte_carlo_meets_the_closed_form(formulas, priced, name):
    """Watched continuously on 15 dates: the bridge leaves no bias. What does not vary agrees to single precision."""
    formula = formulas[name]
    estimate = priced.estimates[name]
    assert abs(estimate.value - formula) < ERRORS * estimate.error + 2e-6 * max(1.0, abs(formula))


@pytest.mark.parametrize("name", APPROXIMATE)
def test_approximations_are_as_good_as_they_are_said_to_be(formulas, priced, name):
    _, relative = APPROXIMATE[name]
    formula = formulas[name]
    estimate = priced.estimates[name]
    assert abs(estimate.value - formula) < ERRORS * estimate.error + relative * formula


# ---- on every path ----


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ({"down_in": 1.0, "down_out": 1.0}, {"call": 1.0}),
        ({"up_in_put": 1.0, "up_out_put": 1.0}, {"put": 1.0}),
        ({"straddle": 1.0}, {"call": 1.0, "put": 1.0}),
        ({"call_spread": 1.0}, {"low_call": 1.0, "high_call": -1.0}),
        ({"margined": 1.0}, {"future": 1.0}),
    ],
)
def test_parity_holds_on_every_path(priced, left, right):
    """A margin account moves cash about and not what it is worth."""
    total = [sum(units * priced.cash[name].astype(float) for name, units in side.items()) for side in (left, right)]
    np.testing.assert_allclose(*total, rtol=0.0, atol=2e-4)


def test_best_and_worst_make_up_both(formulas):
    assert formulas["best"] + formulas["worst"] == pytest.approx(formulas["call"] + formulas["other_call"], abs=1e-10)


# ---- other markets ----


def test_baskets_of_krekel():
    """Four assets of volatility .4, correlated by .5, five years in one step."""
    names = ("a", "b", "c", "d")
    pairs = {f"{x}-{y}": 0.5 for i, y in enumerate(names) for x in names[:i]}
    market = mc.market.Market({name: GBM(spot=100.0, sigma=0.4) for name in names}, pairs)
    weights = dict.fromkeys(names, 0.25)
    prices = {50.0: 54.310176050376, 100.0: 28.007369544501, 150.0: 15.164010288932}
    contracts = {f"{k:g}": Basket("call", k, 5.0, weights) for k in prices} | {"best": BestOf("call", 100.0, 5.0, names)}
    run = mc.engine.payoffs(contracts, market, paths=131_072, steps=1, seed=1, keep=0)
    for strike, price in prices.items():
        assert abs(run.estimates[f"{strike:g}"].z(price)) < ERRORS
    assert run.estimates["best"].value > run.estimates["100"].value
    with pytest.raises(ValueError, match="Rainbow: expected a contract with a price formula, got one without"):
        mc.greeks.value(contracts["best"], market)


@pytest.fixture(scope="module")
def short_rates():
    """A commodity that reverts, discounted at a short rate that does, unrelated."""
    oil = mc.market.Schwartz(spot=60.0, kappa=1.5, level=65.0, sigma=0.35)
    return mc.market.Market({"oil": oil}, rate=mc.market.Vasicek(rate=0.03, kappa=0.5, theta=0.05, sigma=0.02))


def test_bonds_and_futures_under_a_short_rate(float64, short_rates):
    contracts = {
        "zero": ZeroBond(1.0),
        "coupons": CouponBond(0.05, 1.0, payments=4),
        "call": BondOption("call", 0.84, 1.0, 5.0),
        "put": BondOption("put", 0.84, 1.0, 5.0),
        "coupon_call": BondOption("call", 1.0, 1.0, 5.0, coupon=0.05, payments=4),
        "future_call": FutureOption("call", 65.0, 1.0, 2.0, "oil"),
        "future_put": FutureOption("put", 60.0, 1.0, 1.0, "oil"),
    }
    run = mc.engine.payoffs(contracts, short_rates, paths=32_768, steps=8, seed=2, keep=0)
    price = lambda contract: mc.greeks.value(contract, short_rates)  # noqa: E731
    formulas = jax.jit(lambda: {name: price(contract) for name, contract in (contracts | {"long": ZeroBond(5.0)}).items()})()
    assert float(formulas.pop("long")) == pytest.approx(0.8094290808, abs=1e-9)
    for name, formula in formulas.items():
        assert abs(run.estimates[name].z(float(formula))) < ERRORS, name
    with pytest.raises(ValueError, match=r"Future.asset: expected a market whose rate is known, got Vasicek"):
        mc.price(Future(1.0, "oil"), short_rates)


def test_futures_of_schwartz(float64):
    """F(1) and F(2): a forward struck there is worth nothing."""
    market = mc.market.Market({"oil": mc.market.Schwartz(spot=60.0, kappa=1.5, level=65.0, sigma=0.35)}, rate=0.04)
    for years, future in ((1.0, 65.10019264), (2.0, 66.07353160)):
        assert float(mc.greeks.value(Forward(future, years, "oil"), market)) == pytest.approx(0.0, abs=1e-7)


def test_a_variance_swap_under_heston():
    """Fair variance theta + (v0 - theta)(1 - e^{-kT})/(kT) = .0616166; daily returns add their squared drift, below 1e-5 here."""
    asset = mc.market.Heston(spot=100.0, v0=0.09, kappa=2.0, theta=0.04, vol_of_vol=0.5, rho=-0.7)
    estimate = mc.price(VarianceSwap(0.0, 1.0), asset, paths=32_768, steps=252)
    assert abs(estimate.value - 0.0616166179) < ERRORS * estimate.error + 1e-5
    assert float(mc.greeks.value(VarianceSwap(0.0, 1.0), asset)) == pytest.approx(0.0616166179, abs=1e-5)


def test_a_variance_swap_counts_jumps():
    """sigma^2 + lambda (m^2 + s^2) a year, which options alone would give only roughly."""
    asset = mc.market.Merton(spot=100.0, sigma=0.15, intensity=1.0, jump_mean=-0.1, jump_sd=0.15)
    fair = 0.15**2 + 0.1**2 + 0.15**2
    assert float(mc.greeks.value(VarianceSwap(0.0, 1.0), asset)) == pytest.approx(fair, abs=2e-5)
    estimate = mc.price(VarianceSwap(0.0, 1.0), asset, paths=65_536, steps=252)
    assert abs(estimate.value - fair) < ERRORS * estimate.error + 2e-5


def test_a_delta_hedge_takes_the_variance_out():
    """An exact formula or a rough one, one asset or two."""
    market, calendar = lognormal(), Calendar(YEARS, 5)
    names = {"down_out": CONTRACTS["down_out"], "basket": APPROXIMATE["basket"][0]}
    hedged = {f"hedged_{name}": Hedged(one, joint(market.risk_neutral()), calendar) for name, one in names.items()}
    run = mc.engine.payoffs(names | hedged, market, paths=16_384, steps=5, keep=0).estimates
    for name in names:
        plain, less = run[name], run[f"hedged_{name}"]
        assert abs(plain.value - less.value) < ERRORS * np.hypot(plain.error, less.error)
        assert less.error < 0.5 * plain.error


# ---- Greeks ----


def test_greeks_of_margrabe(float64):
    assets = {"first": GBM(spot=100.0, sigma=0.2), "second": GBM(spot=100.0, sigma=0.3)}
    got = mc.greeks.of(Exchange("first", "second", 1.0), mc.market.Market(assets, {"first-second": 0.5}))
    assert got["price"] == pytest.approx(10.52431578, abs=1e-8)
    assert got["cross_gamma_first_second"] == pytest.approx(-0.01494723867, abs=1e-11)
    # Homogeneous of degree one: S1 delta1 + S2 delta2 = price.
    assert 100.0 * (got["delta_first"] + got["delta_second"]) == pytest.approx(got["price"], abs=1e-10)
    assert got["cega_first_second"] < 0.0 < min(got["vega_first"], got["vega_second"], got["gamma_first"], got["gamma_second"])
    haug = {"first": GBM(spot=22.0, sigma=0.2, dividend=0.06), "second": GBM(spot=20.0, sigma=0.15, dividend=0.04)}
    got = mc.greeks.of(Exchange("first", "second", 0.1), mc.market.Market(haug, {"first-second": -0.5}, rate=0.1))
    names = ("price", "delta_first", "delta_second", "gamma_first", "gamma_second")
    np.testing.assert_allclose([got[name] for name in names], [2.125, 0.841, -0.818, 0.112, 0.135], atol=6e-4)


@pytest.mark.parametrize("name", [pytest.param("down_out_100", marks=pytest.mark.slow), "geometric"])
def test_greeks_are_slopes_of_the_price(float64, name):
    contract, h = CONTRACTS[name], 1e-3

    def price(spot=100.0, sigma=0.25):
        return float(mc.greeks.value(contract, GBM(spot=spot, sigma=sigma, dividend=0.04), 0.08))

    got = mc.greeks.of(contract, GBM(spot=100.0, sigma=0.25, dividend=0.04), rate=0.08)
    assert got["delta"] == pytest.approx((price(100.0 + h) - price(100.0 - h)) / (2.0 * h), rel=1e-6)
    assert got["gamma"] == pytest.approx((price(100.1) - 2.0 * price() + price(99.9)) / 0.01, rel=1e-4, abs=1e-6)
    assert got["vega"] == pytest.approx((price(sigma=0.2501) - price(sigma=0.2499)) / 2e-4, rel=1e-5)


def test_an_event_after_expiry_is_in_no_price(float64):
    """Seen at .4, after a call of .3 years: it was 40 % too dear. A calendar that cannot tell them apart is refused."""
    plain = mc.market.Market({"asset": GBM(spot=100.0, sigma=0.2)})
    later = lambda date: mc.replace(plain, events={"vote": mc.market.Event(date, up={"asset": 0.1}, down={"asset": -0.1})})  # noqa: E731
    call = Call(100.0, 0.3)
    price = float(mc.greeks.value(call, plain))
    assert float(mc.greeks.value(call, later(0.4))) == pytest.approx(price, abs=1e-10)
    assert float(mc.greeks.value(call, later(0.302))) == pytest.approx(price, abs=1e-10)
    assert float(mc.greeks.value(call, later(0.299))) > price + 0.5
    with pytest.raises(
        ValueError, match=r"steps: expected a number of equal steps to 0.3 years that tells the event vote at 0.302 years from .*, got 2"
    ):
        mc.greeks.value(call, later(0.302), steps=2)


def test_regimes_move_before_expiry(float64):
    """By default days are followed, as by Monte Carlo; theta is a day's: to the second order what a contract a day shorter is worth less."""
    chain = mc.market.Regimes(("calm", "crash"), {"calm-crash": 2.0, "crash-calm": 4.0})
    market = mc.market.Market({"asset": mc.market.RegimeGBM(100.0, {"calm": 0.1, "crash": 0.5})}, rate=0.02, regimes=chain)
    call, shorter = (Call(100.0, days / 252.0) for days in (126, 125))
    got = mc.greeks.of(call, market)
    assert got["theta"] == pytest.approx(252.0 * (float(mc.greeks.value(shorter, market)) - got["price"]), rel=5e-3)


def test_a_formula_is_not_used_where_it_does_not_hold():
    heston = mc.market.Heston(spot=100.0, v0=0.04, kappa=2.0, theta=0.04, vol_of_vol=0.5, rho=-0.7)
    barrier = Barrier("call", "down", "out", 100.0, 90.0, 1.0)
    with pytest.raises(ValueError, match=r"Barrier: expected lognormal assets and a known rate, .* got Heston for asset; mc.price prices it"):
        mc.greeks.of(barrier, heston)
    for contract in (Asian("call", 100.0, 1.0), Digital("call", 100.0, 1.0, width=0.02)):
        with pytest.raises(ValueError, match=": expected a contract with an exact price formula, got one whose formula is an approximation"):
            mc.greeks.of(contract, GBM(spot=100.0, sigma=0.2))
    rate = mc.market.Vasicek(0.03, 0.5, 0.03, 0.01)
    with pytest.raises(ValueError, match=r"Option: expected no correlation of asset with the rate, .* got Heston correlated"):
        mc.greeks.value(Put(90.0, 1.0), mc.market.Market({"asset": heston}, {"asset-rate": 0.2}, rate))


# ---- terms that cannot be ----


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Call(-1.0, 1.0), r"Option.strike: expected a number above 0, got -1"),
        (lambda: Call(100.0, -0.5), r"Option.expiry: expected a number above 0, got -0.5"),
        (lambda: mc.instrument.Option("calll", 100.0, 1.0), "Option.kind: expected 'call' or 'put', got 'calll'"),
        (lambda: Digital("call", 100.0, 1.0, pays="gold"), "Digital.pays: expected 'cash' or 'asset', got 'gold'"),
        (lambda: Barrier("call", "left", "out", 1.0, 1.0, 1.0), "Barrier.direction: expected 'down' or 'up', got 'left'"),
        (lambda: Barrier("call", "up", "off", 1.0, 1.0, 1.0), "Barrier.effect: expected 'out' or 'in', got 'off'"),
        (lambda: Barrier("call", "up", "out", 1.0, 1.0, 1.0, watch="weekly"), "Barrier.watch: expected 'continuous' or 'daily', got 'weekly'"),
        (lambda: Asian("call", 1.0, 1.0, "harmonic"), "Asian.average: expected 'arithmetic' or 'geometric', got 'harmonic'"),
        (lambda: Asian("call", 1.0, 1.0, fixings=2.5), "Asian.fixings: expected a whole number of at least 0, got 2.5"),
        (lambda: Basket("call", 1.0, 1.0, {"a": 0.5, "b": -0.5}), r"Basket.weights.b: expected a number not below 0, got -0.5"),
        (lambda: Basket("call", 1.0, 1.0, {"a": 0.0}), "Basket.weights: expected one above 0, got none"),
        (lambda: Exchange("a", "a", 1.0), "Exchange.give: expected the names of two or more different assets, got a, a"),
        (lambda: WorstOf("call", 1.0, 1.0, ("a",)), "Rainbow.names: expected the names of two or more different assets, got a"),
        (lambda: Collar(110.0, 90.0, 1.0), "Collar.high: expected a strike above low = 110, got 90"),
        (lambda: FutureOption("call", 1.0, 2.0, 1.0), "FutureOption.delivery: expected years not before expiry = 2, got 1"),
        (lambda: BondOption("call", 1.0, 2.0, 1.0), "BondOption.maturity: expected years after expiry = 2, got 1"),
        (lambda: CouponBond(0.05, 1.0, payments=0), "CouponBond.payments: expected a whole number of at least 1, got 0"),
        (lambda: Future(1.0, maintenance=2.0), "Future.maintenance: expected a number not above 1, got 2"),
        (lambda: Combination({"a": Call(1.0, 1.0)}, {"b": 1.0}), "Combination.units: expected a number for each of the legs a, got b"),
        (lambda: RollSchedule((1, 5), (7, 9)), r"RollSchedule.rolls: expected dates that rise from 0, got \[1, 5\]"),
        (lambda: RollSchedule((0, 5), (7, 5)), r"RollSchedule.expiries: expected for each roll a later date, later than the last, got \[7, 5\]"),
        (lambda: mc.policy.DeltaPut(1.5), "DeltaPut.delta: expected a number below 1, got 1.5"),
    ],
)
def test_impossible_terms_are_refused(make, message):
    with pytest.raises(ValueError, match=message) as caught:
        make()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("contract", "message"),
    [
        (Barrier("call", "down", "out", 100.0, 105.0, 1.0, "s"), "Barrier.barrier: expected a level below today's spot 100 of s, got 105"),
        (Barrier("call", "up", "in", 100.0, 95.0, 1.0, "s"), "Barrier.barrier: expected a level above today's spot 100 of s, got 95"),
        (Call(100.0, 1.0, "gold"), "unknown asset 'gold'"),
        (Spread("call", 1.0, 1.0, "s", "gold"), "unknown asset 'gold'"),
        (
            Combination({"a": Call(1.0, 0.3, "s"), "b": Call(1.0, 1.0, "s")}, {"a": 1.0, "b": 1.0}),
            "steps: expected .* meets price at 0.3 years, got 4",
        ),
    ],
)
def test_terms_that_do_not_fit_the_market_are_refused(contract, message):
    with pytest.raises(ValueError, match=message):
        mc.price(contract, lognormal(), steps=4, paths=64)


def test_a_contract_on_several_assets_needs_a_market():
    with pytest.raises(ValueError, match="asset: expected a whole Market for a contract on s and u, got GBM"):
        mc.price(Exchange("s", "u", 1.0), GBM(spot=100.0, sigma=0.2))


# ---- as a user runs it ----


def test_the_experiment(tmp_path, monkeypatch, capsys):
    """Monte Carlo beside the formula; where there is none it says why."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(Path(__file__).resolve().parent.parent / "experiments"))
    monkeypatch.setenv("MC_SMALL", "1")
    main = importlib.import_module("price").main
    assert main(["instrument=exchange", "steps=3"]) == 0
    metrics = json.loads((Path(capsys.readouterr().out.strip().splitlines()[-1]) / "metrics.json").read_text())
    assert abs(metrics["price"]["value"] - metrics["formula"]["price"]) < ERRORS * metrics["price"]["error"]
    assert main(["instrument=basket", "steps=3"]) == 0
    assert "no formula beside it: Basket: expected a contract with an exact price formula" in capsys.readouterr().out
    assert main(["instrument=barrier", "instrument.barrier=120"]) == 2
    assert "Barrier.barrier: expected a level below today's spot 100 of equity, got 120" in capsys.readouterr().err


# ---- rolled slots ----


def test_listed_expiries():
    """Weekdays from 2 January 2024: its third Friday is the 13th, February's the 33rd, March's the 53rd."""
    schedule = RollSchedule.listed("2024-01-02", 60, months=1, tenor=2)
    assert schedule.rolls == (0, 13, 33, 53)
    assert schedule.expiries == (33, 53, 78, 98)
    assert schedule.longest(60) == 45


@pytest.mark.parametrize(("name", "delta"), [("gbm_market", 0.4), pytest.param("heston_market", 0.1, marks=pytest.mark.slow)])
def test_a_put_is_struck_at_its_delta(float64, request, name, delta):
    """On every roll, skew included: the delta of the option bought is the one asked for, by the asset's pricer without its tables."""
    market, schedule = request.getfixturevalue(name), RollSchedule((0, 3, 7), (6, 12, 16))
    rule = mc.policy.chain(mc.policy.Mix(equity=0.6, bond=0.4), mc.policy.DeltaPut(delta, schedule=schedule))
    study = mc.Study(market, rule, years=9 / 52, steps=9)
    rows = study.trace(range(2), seed=1).reset_index()
    asset, ready = market["equity"], market.prepare(study.calendar)
    tables = ready.quotes(ready.start(), 0)["equity"]

    @jax.jit
    def delta_of(strike, expiry, step, spot, variance):
        seen = dataclasses.replace(tables, variance=variance, step=step)
        return jax.grad(lambda s: asset.pricer().option("put", strike, expiry, dataclasses.replace(seen, spot=s)))(spot)

    for roll, expiry in zip(schedule.rolls, schedule.expiries, strict=True):
        bought, now = rows[rows["step"] == roll + 1], rows[rows["step"] == roll]
        assert (bought["delta_put.expiry"] == expiry).all()
        for strike, spot, variance in zip(bought["delta_put.strike"], now["equity.spot"], now["equity.variance"], strict=True):
            assert float(delta_of(strike, expiry, roll, spot, variance)) == pytest.approx(-delta, abs=2e-3)
