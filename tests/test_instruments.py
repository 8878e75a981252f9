"""Contracts: Monte Carlo against closed forms on few programs, parity on every path, bad terms, Greeks, rolled slots."""

import jax
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
    CouponBond,
    Digital,
    Exchange,
    FixedLookback,
    FloatingLookback,
    Forward,
    Future,
    FutureOption,
    Put,
    PutSpread,
    Spread,
    Straddle,
    Strangle,
    VarianceSwap,
    WorstOf,
    ZeroBond,
)

ERRORS = 4.0
YEARS, STEPS, PATHS = 0.5, 20, 65_536
GBM = mc.market.GBM
HAUG = {"expiry": YEARS, "asset": "s", "rebate": 3.0}
NAMES = ("s", "u")


def lognormal():
    """The barrier cases' asset, another with it, and one to count four times in a basket."""
    assets = {"s": GBM(spot=100.0, sigma=0.25, dividend=0.04), "u": GBM(spot=96.0, sigma=0.3, dividend=0.02)}
    return mc.market.Market(assets, {"s-u": 0.5}, rate=0.08)


CONTRACTS = {
    "call": Call(100.0, YEARS, "s"),
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
    "geometric": Asian("call", 100.0, YEARS, "geometric", 10, "s"),
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
    "coupons": CouponBond(0.06, YEARS, payments=2, face=100.0),
    "bond_option": BondOption("put", 0.98, YEARS, 2.0 * YEARS),
    "variance": VarianceSwap(0.05, YEARS, "s", notional=100.0),
    "early": Call(100.0, 0.5 * YEARS, "s"),
}
APPROXIMATE = {
    "arithmetic": (Asian("call", 100.0, YEARS, fixings=10, asset="s"), 2e-3),
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
    """Watched continuously on 20 dates: the bridge leaves no bias. What does not vary agrees to single precision."""
    formula = formulas[name]
    estimate = priced.estimates[name]
    assert abs(estimate.value - formula) < ERRORS * estimate.error + 2e-6 * max(1.0, abs(formula))


@pytest.mark.parametrize("name", APPROXIMATE)
def test_approximations_are_as_good_as_they_are_said_to_be(formulas, priced, name):
    _, relative = APPROXIMATE[name]
    formula = formulas[name]
    estimate = priced.estimates[name]
    assert abs(estimate.value - formula) < ERRORS * estimate.error + relative * formula
