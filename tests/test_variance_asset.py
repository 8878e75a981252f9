"""An asset that pays another's variance: a martingale on every date, at maturity what was realised; it moves as it says, refuses what it cannot."""

import re

import numpy as np
import pytest
from reference import z_score

import mcengine as mc
from mcengine.engine import sample
from mcengine.market import GBM, Bates, Event, Heston, Market, Scenario, VarianceAsset, Vasicek

YEARS, STEPS, PAID, RATE, PREMIUM, ERRORS = 0.5, 24, 18, 0.03, 1.3, 4.0
HESTON = {"v0": 0.05, "kappa": 3.0, "theta": 0.03, "vol_of_vol": 0.6, "rho": -0.7}
ASSETS = {
    "equity": Heston(100.0, **HESTON, drift=0.07, variance_premium=PREMIUM),
    "other": GBM(50.0, 0.3, variance_premium=PREMIUM),
    "swap": VarianceAsset("equity", YEARS * PAID / STEPS),
    "steady": VarianceAsset("other", YEARS),
}
PAIRS = {"equity-other": 0.5}


def market(assets=None, **more):
    return Market(ASSETS | (assets or {}), PAIRS, **({"rate": RATE} | more))


@pytest.fixture(scope="module")
def under_q():
    """(spots, variances) by asset [paths, dates]."""
    return [
        {name: np.asarray(x, np.float64) for name, x in one.items()}
        for one in sample(market().risk_neutral(), 1 << 15, years=YEARS, steps=STEPS, seed=2)
    ]


def realised(variances):
    """Integral of v over each step [paths, steps], by the weights for which its mean is exact."""
    dt, kappa, theta = YEARS / STEPS, HESTON["kappa"], PREMIUM * HESTON["theta"]
    weight = np.tanh(0.5 * kappa * dt) / kappa
    return theta * dt + weight * (variances[:, 1:] - theta + variances[:, :-1] - theta)


def test_a_martingale_on_every_date_under_q(under_q):
    price = under_q[0]["swap"][0, 0]
    for date in range(1, STEPS + 1):
        assert abs(z_score(under_q[0]["swap"][:, date] * np.exp(-RATE * date * YEARS / STEPS), price)) < ERRORS, date


def test_at_maturity_it_is_what_was_realised_and_then_cash(under_q):
    spots, variances = under_q
    paid = realised(variances["equity"])[:, :PAID].sum(axis=1)
    np.testing.assert_allclose(spots["swap"][:, PAID], paid, rtol=1e-5)
    np.testing.assert_allclose(spots["swap"][:, -1], paid * np.exp(RATE * YEARS * (STEPS - PAID) / STEPS), rtol=1e-5)
    assert np.all(variances["swap"][:, PAID:] == 0.0)
    assert spots["swap"][:, PAID].std() > 0.1 * paid.mean()


def test_a_constant_variance_is_certain(under_q):
    worth = np.exp(-RATE * YEARS * (1.0 - np.arange(STEPS + 1) / STEPS)) * 0.3**2 * PREMIUM * YEARS
    np.testing.assert_allclose(under_q[0]["steady"], np.broadcast_to(worth, under_q[0]["steady"].shape), rtol=2e-5)


def test_under_p_the_premium_is_lost():
    """Priced at Q's variance, paid at P's: E[paid] = theta T + (v - theta) B(T), a quarter below what it costs with interest."""
    spots, _ = sample(market(), 1 << 15, years=YEARS, steps=STEPS, seed=3)
    years = YEARS * PAID / STEPS
    reach = -np.expm1(-HESTON["kappa"] * years) / HESTON["kappa"]
    expected = HESTON["theta"] * years + reach * (HESTON["v0"] - HESTON["theta"])
    assert abs(z_score(spots["swap"][:, PAID], expected)) < ERRORS
    assert spots["swap"][0, 0] == pytest.approx(PREMIUM * expected * np.exp(-RATE * years), rel=1e-5)


def test_its_price_is_that_of_the_contract(under_q):
    """``instrument.VarianceSwap`` by the pricer's law, but for the squares of mean returns, which the contract has and the asset has not."""
    years = YEARS * PAID / STEPS
    contract = mc.greeks.value(mc.instrument.VarianceSwap(0.0, years, "equity", years), market(), steps=PAID)
    total = under_q[0]["swap"][0, 0] * np.exp(RATE * years)
    squares = (RATE * years - 0.5 * total) ** 2 / PAID
    assert float(contract) == pytest.approx(np.exp(-RATE * years) * (total + squares), rel=1e-6)


def test_it_moves_as_it_says():
    """Over a short step: its variance, and that of a mix, to their errors; correlations with what it follows, rho, and with another, rho c."""
    dt, paths = 1e-4, 1 << 16
    where = Market({n: ASSETS[n] for n in ("equity", "other")} | {"swap": VarianceAsset("equity", 0.25)}, PAIRS).risk_neutral()
    spots, variances = sample(where, paths, years=dt, steps=1, seed=4)
    moves = {name: np.diff(np.log(x.astype(np.float64)), axis=1)[:, 0] for name, x in spots.items()}
    own = {name: float(x[0, 0]) for name, x in variances.items()}
    tolerance = ERRORS * np.sqrt(2.0 / paths)
    for name, move in moves.items():
        assert move.var() / dt == pytest.approx(own[name], rel=tolerance), name
    correlations = np.corrcoef([moves["equity"], moves["other"], moves["swap"]])
    for c, found in zip((HESTON["rho"], 0.5 * HESTON["rho"]), correlations[2, :2], strict=True):
        assert abs(found - c) < ERRORS * (1.0 - c * c) / np.sqrt(paths)
    shares = {"equity": 0.5, "other": 0.3, "swap": 0.02}
    mix = sum(share * moves[name] for name, share in shares.items())
    assert mix.var() / dt == pytest.approx(float(where.variance_of(shares, own)), rel=tolerance)


BATES = Bates(100.0, 0.04, 2.0, 0.04, 0.5, -0.7, intensity=0.7, jump_mean=-0.1, jump_sd=0.1)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (
            lambda: Market({"swap": ASSETS["swap"], "equity": ASSETS["equity"]}),
            "swap: expected the name of an asset before it in the market (none is), got 'equity'",
        ),
        (
            lambda: market({"swap": VarianceAsset("stock", 0.5)}),
            "swap: expected the name of an asset before it in the market (equity, other), got 'stock'",
        ),
        (lambda: market({"equity": BATES}), "swap: expected an asset whose variance has a law that prices it (GBM, Heston), got Bates"),
        (
            lambda: market(rate=Vasicek(rate=0.03, kappa=0.5, theta=0.04, sigma=0.01)),
            "swap: expected a market whose rate is known for VarianceAsset, got Vasicek",
        ),
        (
            lambda: market(events={"vote": Event(0.2, sd={"equity": 0.03})}),
            "swap: expected no event or scenario that moves equity, whose square it would miss, got vote",
        ),
        (
            lambda: market(scenarios={"crash": Scenario(0.2, {"equity": -0.2})}),
            "swap: expected no event or scenario that moves equity, whose square it would miss, got crash",
        ),
        (lambda: VarianceAsset("equity", 0.0), "VarianceAsset.maturity: expected a number above 0, got 0.0"),
        (
            lambda: sample(market(), 8, years=YEARS, steps=7),
            "swap: VarianceAsset.maturity: expected a whole number of steps of 0.0714286 years, got 0.375 years",
        ),
        (
            lambda: mc.greeks.value(mc.instrument.Call(0.01, YEARS, "swap"), market()),
            "Option: expected an asset with options that have a price, for which its formula is exact, got VarianceAsset for swap; "
            "mc.price prices it by Monte Carlo, approximate=True takes the formula as it is",
        ),
        (
            lambda: mc.Study(market(), mc.policy.chain(mc.policy.Mix(), mc.policy.StaticPut(0.9, asset="swap")), years=YEARS, steps=STEPS),
            "put: expected an asset with options that have a price, got VarianceAsset for swap",
        ),
    ],
)
def test_refusals(build, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        build()
