"""Forecasts of volatility, rules that target them, and the hedge ratio that follows signals."""

import numpy as np
import pytest
from precision import double_precision

import mcengine as mc
from mcengine.engine import recorder
from mcengine.market import Ewma, Forecast, Garch, Har, Implied, Own, RealisedCorrelation, Rolling, Trend
from mcengine.policy import AdaptiveHedge, ForecastVolTarget, Lean, Mix, VolTarget, chain
from mcengine.statistics import estimate

STEPS, PATHS = 40, 16
LEANS = {
    "trend": Lean(Trend("equity", 10.0), -3.0),
    "correlation": Lean(RealisedCorrelation("equity", "bond", 10.0), 0.2, -0.2),
    "volatility": Lean(Ewma("equity", 10.0), 0.5, 0.2),
}
OF_GARCH = {"theta": 0.04, "alpha": 0.03, "gamma": 0.08, "beta": 0.9}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Rolling(0), "Rolling.window: expected a whole number of steps from 1, got 0"),
        (lambda: Garch(0.04, ahead=0), "Garch.ahead: expected a whole number of steps from 1, got 0"),
        (lambda: Garch(0.04, alpha=0.2), r"Garch: expected a stationary variance, alpha \+ gamma/2 \+ beta below 1, got 1\.1"),
        (lambda: Forecast("equity", Implied()), "Forecast.volatility: expected one that needs no option prices"),
        (lambda: ForecastVolTarget(0.1, Implied()), "ForecastVolTarget.asset: expected the asset whose options are read for Implied, got the whole"),
        (lambda: Har(0.04, 0.2, 0.3, 0.5), r"Har: expected a stationary variance, day \+ week \+ month below 1, got 1"),
        (lambda: Forecast("equity", 0.2), "Forecast.volatility: expected a forecast such as Rolling, Garch, Har or Own, got float"),
        (lambda: ForecastVolTarget(0.1, Ewma("equity")), "ForecastVolTarget.volatility: expected a forecast such as Rolling"),
        (lambda: ForecastVolTarget(0.1, Own(), leverage=-1.0), r"ForecastVolTarget.leverage: expected a number above 0, got -1\.0"),
        (lambda: VolTarget(0.1, leverage=-1.0), r"VolTarget.leverage: expected a number above 0, got -1\.0"),
        (lambda: Lean(0.2, 1.0), "Lean.signal: expected a signal such as Trend, got float"),
        (lambda: AdaptiveHedge(0.2, {"trend": Trend("equity")}), "AdaptiveHedge.leans.trend: expected a Lean, got Trend"),
        (lambda: AdaptiveHedge(0.2, LEANS, low=0.5, high=0.5), r"AdaptiveHedge.low: expected a number below high = 0\.5, got 0\.5"),
    ],
)
def test_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("stage", [ForecastVolTarget(0.1, Own(), asset="equty"), AdaptiveHedge(0.2, LEANS, asset="equty")])
def test_an_asset_the_market_lacks(gbm_market, stage):
    with pytest.raises(ValueError, match=f"{type(stage).__name__}.asset: unknown asset 'equty'; did you mean equity"):
        mc.Study(gbm_market, chain(Mix(equity=1.0), stage), steps=STEPS)


@pytest.fixture(scope="module")
def traced():
    """(column(name) [path, date], dt): rules and forecasts on days whose variance follows GJR-GARCH, beside a bond."""
    equity = mc.market.GJRGARCH(spot=100.0, v0=0.09, drift=0.05, **OF_GARCH)
    market = mc.market.Market({"equity": equity, "bond": mc.market.GBM(spot=50.0, sigma=0.06, drift=0.03)}, {"equity-bond": -0.2}, rate=0.02)
    har = Har(0.04, 0.1, 0.3, 0.4)
    signals = {n: Lean(Forecast("equity", v), 0.0) for n, v in {"own": Own(), "garch": Garch(**OF_GARCH), "har": har, "rolling": Rolling(5)}.items()}
    mix = Mix(equity=0.6, bond=0.3)
    books = {
        "watching": chain(mix, AdaptiveHedge(0.0, signals)),
        "sleeve": chain(mix, ForecastVolTarget(0.1, Garch(**OF_GARCH), leverage=1.2)),
        "asset": chain(mix, ForecastVolTarget(0.15, Rolling(5), asset="equity", leverage=0.8)),
        "adaptive": chain(mix, AdaptiveHedge(0.3, LEANS, high=0.6)),
    }
    with double_precision():
        table = mc.Study(market, books, steps=STEPS, years=STEPS / 252).trace(range(PATHS), seed=6)
    return lambda name: table[name].to_numpy().reshape(PATHS, STEPS + 1)


def held(column, book, asset):
    """Share of wealth in an asset after each date's trade [path, date]."""
    return column(f"{book}.{asset}.units")[:, 1:] * column(f"{asset}.spot")[:, :-1] / column(f"{book}.wealth")[:, :-1]


def filtered(moves, first):
    """GJR-GARCH variances a year [path, date], from daily log-returns, once more in NumPy."""
    variances = [np.full(len(moves), first) if np.ndim(first) == 0 else first]
    for move in moves.T:
        weight = OF_GARCH["alpha"] + OF_GARCH["gamma"] * (move < 0.0)
        long_run = (1.0 - OF_GARCH["alpha"] - OF_GARCH["beta"] - 0.5 * OF_GARCH["gamma"]) * OF_GARCH["theta"]
        variances.append(long_run + weight * move**2 * 252 + OF_GARCH["beta"] * variances[-1])
    return np.stack(variances, axis=1)


def test_forecasts(traced):
    """By their formulas from the traced spots; the GARCH filter finds the variance that moves the market, but for the drift of a day."""
    moves = np.diff(np.log(traced("equity.spot")), axis=1)
    np.testing.assert_allclose(traced("signal.garch") ** 2, filtered(moves, 0.09), rtol=1e-9)
    np.testing.assert_allclose(traced("signal.garch"), traced("signal.own"), rtol=0.02)
    squares = np.concatenate([np.full((PATHS, 22), 0.09), moves**2 * 252], axis=1)
    mean = lambda n: np.stack([squares[:, k + 22 - n : k + 22].mean(axis=1) for k in range(STEPS + 1)], axis=1)  # noqa: E731
    np.testing.assert_allclose(traced("signal.rolling") ** 2, mean(5), rtol=1e-9)
    np.testing.assert_allclose(traced("signal.har") ** 2, 0.2 * 0.04 + 0.1 * mean(1) + 0.3 * mean(5) + 0.4 * mean(22), rtol=1e-9)


def test_the_mean_of_the_steps_ahead():
    """By the recursion of the expected variance, step by step."""
    garch = Garch(**OF_GARCH, ahead=10)
    expected = [0.09]
    for _ in range(9):
        expected.append(0.04 + float(garch.persistence) * (expected[-1] - 0.04))
    assert float(garch.variance(0.09, 0.0)) == pytest.approx(np.mean(expected), rel=1e-12)


def test_the_whole_sleeve(traced):
    """target / forecast, at most the leverage, of the mix of .6 and .3 as it is wanted, whose own variance is the first estimate."""
    mix = {"equity": 2.0 / 3.0, "bond": 1.0 / 3.0}
    grown = sum(w * traced(f"{n}.spot")[:, 1:] / traced(f"{n}.spot")[:, :-1] for n, w in mix.items())
    first = (mix["equity"] * 0.3) ** 2 + (mix["bond"] * 0.06) ** 2 - 2.0 * 0.2 * mix["equity"] * 0.3 * mix["bond"] * 0.06
    factor = np.minimum(0.1 / np.sqrt(filtered(np.log(grown), first)), 1.2)[:, :-1]
    for name, weight in (("equity", 0.6), ("bond", 0.3)):
        np.testing.assert_allclose(held(traced, "sleeve", name), weight * factor, rtol=1e-6)
    assert factor.min() < 0.9


def test_one_asset(traced):
    """The equity alone is scaled, by what it does itself."""
    np.testing.assert_allclose(held(traced, "asset", "equity"), 0.6 * np.minimum(0.15 / traced("signal.rolling"), 0.8)[:, :-1], rtol=1e-6)
    np.testing.assert_allclose(held(traced, "asset", "bond"), 0.3, rtol=1e-6)


def test_the_ratio_follows_trend_correlation_and_volatility(traced):
    """h = .3 - 3 trend + .2 (correlation + .2) + .5 (volatility - .2), within 0 and .6: it tightens as each worsens and loosens in calm."""
    added = -3.0 * traced("signal.trend") + 0.2 * (traced("signal.correlation") + 0.2) + 0.5 * (traced("signal.volatility") - 0.2)
    ratio = np.clip(0.3 + added, 0.0, 0.6)[:, :-1]
    np.testing.assert_allclose(held(traced, "adaptive", "equity"), 0.6 * (1.0 - ratio), rtol=1e-6)
    assert ratio.min() < 0.25
    assert ratio.max() == 0.6


def test_under_heston():
    """Every forecast lands within 5 % of its target and lowers the spread of what is realised; 15 days miss it by the root of 15 / 13, as known."""
    equity = mc.market.Heston(spot=100.0, v0=0.04, kappa=4.0, theta=0.04, vol_of_vol=0.3, rho=-0.7, drift=0.03)
    forecasts = {"rolling": Rolling(15), "garch": Garch(0.04, 0.06, 0.93), "har": Har(0.04, 0.05, 0.25, 0.65)}
    books = {"none": Mix(equity=1.0)} | {n: chain(Mix(equity=1.0), ForecastVolTarget(0.1, v, leverage=2.0)) for n, v in forecasts.items()}
    study = mc.Study(mc.market.Market({"equity": equity}, rate=0.03), books, steps=252, recorders=(recorder.Volatility(),))
    result = study.run(4096, seed=8, progress=False)
    found = {name: result[name]["volatility"].astype(float) for name in books}
    for name in forecasts:
        expected = 0.1 * (15.0 / 13.0) ** 0.5 if name == "rolling" else 0.1
        assert estimate.mean(found[name]).value == pytest.approx(expected, rel=0.05), name
        assert found[name].std() / found[name].mean() < 0.6 * found["none"].std() / found["none"].mean(), name


def test_implied_from_the_market_s_own_options(gbm_market, float64):
    """Black's model pays sqrt(1.2) x .2 for volatility whatever the dividend: the factor is .1 over that on every date; nothing is bought or paid."""
    rule = chain(Mix(equity=0.6, bond=0.3), ForecastVolTarget(0.1, Implied(5), asset="equity"))
    table = mc.Study(gbm_market, rule, steps=6, years=6 / 252, costs=mc.ledger.Proportional(0.0, 0.01)).trace([0, 1])
    column = lambda name: table[name].to_numpy().reshape(2, 7)  # noqa: E731
    share = column("equity.units")[:, 1:] * column("equity.spot")[:, :-1] / column("wealth")[:, :-1]
    np.testing.assert_allclose(share, 0.6 * 0.1 / (0.2 * 1.2**0.5), rtol=1e-7)
    assert (column("implied_equity.units") == 0.0).all()
