"""Fits of single models: known parameters are found again, GARCH agrees with arch, likelihoods with closed forms, refusals are clear; quotes."""

import jax
import numpy as np
import pytest
import reference
from arch import arch_model

import mcengine as mc
from mcengine import calibrate
from mcengine.calibrate import arbitrage, asset_fit, assets, variance_filter
from mcengine.calibrate.asset_fit import MINIMUM
from mcengine.history import shipped
from mcengine.pricing import Calendar

DT = 1.0 / 252.0
DAYS = 4000


def z(fit, name, truth):
    return abs(fit.parameters[name].z(truth))


def log_returns(kind, days=DAYS, seed=5):
    random = np.random.default_rng(seed)
    r = 0.15 * np.sqrt(DT) * random.standard_normal(days) + 0.0003
    count = random.poisson(6.0 * DT, days)
    if kind == "merton":
        r += count * -0.03 + np.sqrt(count) * 0.03 * random.standard_normal(days)
    if kind == "kou":
        up = random.random(days) < 0.4
        r += np.where(count > 0, np.where(up, random.exponential(0.03, days), -random.exponential(0.05, days)), 0.0)
    return r


def prices(r):
    return 100.0 * np.exp(np.concatenate([[0.0], np.cumsum(r)]))


@pytest.fixture(scope="module")
def spx():
    return shipped.load(columns=("spx",)).frame["spx"].to_numpy()


def test_gbm_is_its_closed_form():
    r = log_returns("gbm")
    fit = calibrate.fit_gbm(prices(r), DT, dividend=0.02)
    assert fit.parameters["sigma"].value == pytest.approx(r.std() / np.sqrt(DT), rel=1e-6)
    assert fit.parameters["sigma"].error == pytest.approx(0.15 / np.sqrt(2 * r.size), rel=0.05)
    assert fit.parameters["drift"].value == pytest.approx(r.mean() / DT + 0.5 * r.var() / DT + 0.02, rel=1e-5)
    assert fit.parameters["drift"].error == pytest.approx(0.15 / np.sqrt(r.size * DT), rel=0.05)
    assert fit.aic == pytest.approx(4.0 - 2.0 * fit.log_likelihood)


def test_merton_finds_its_jumps():
    fit = calibrate.fit_merton(prices(log_returns("merton")), DT)
    for name, truth in {"sigma": 0.15, "intensity": 6.0, "jump_mean": -0.03, "jump_sd": 0.03}.items():
        assert z(fit, name, truth) < 4, (name, str(fit.parameters[name]))
    seen = fit.diagnostics()
    assert abs(seen["residual_sd"] - 1.0) < 4 / np.sqrt(2 * DAYS)
    assert abs(seen["residual_excess_kurtosis"]) < 4 * np.sqrt(24 / DAYS)
    assert 0.002 < np.isnan(fit.unit).mean() < 0.03


def test_kou_finds_its_jumps_and_beats_no_jumps():
    p = prices(log_returns("kou"))
    fit = calibrate.fit_kou(p, DT)
    for name, truth in {"sigma": 0.15, "intensity": 6.0, "up_probability": 0.4, "up_mean": 0.03, "down_mean": 0.05}.items():
        assert z(fit, name, truth) < 4, (name, str(fit.parameters[name]))
    assert fit.aic < calibrate.fit_gbm(p, DT).aic - 100
    assert abs(fit.diagnostics()["residual_excess_kurtosis"]) < 4 * np.sqrt(24 / DAYS)


@pytest.mark.parametrize("innovations", ["normal", "t"])
def test_gjr_garch_agrees_with_arch(spx, innovations):
    p = spx[-3000:]
    fit = calibrate.fit_gjr_garch(p, DT, innovations=innovations)
    r = 100.0 * np.diff(np.log(p))
    other = arch_model(r, p=1, o=1, q=1, dist=innovations).fit(disp="off")
    assert fit.log_likelihood == pytest.approx(other.loglikelihood + r.size * np.log(100.0), abs=0.01)
    names = {"gamma": "gamma[1]", "beta": "beta[1]"} | ({"degrees": "nu"} if innovations == "t" else {})
    for ours, theirs in names.items():
        mine = fit.parameters[ours]
        assert mine.value == pytest.approx(other.params[theirs], abs=0.05 * other.std_err[theirs])
        assert mine.error == pytest.approx(other.std_err[theirs], rel=0.15)
    fade = other.params["alpha[1]"] + 0.5 * other.params["gamma[1]"] + other.params["beta[1]"]
    assert float(fit.asset.theta) == pytest.approx(252e-4 * other.params["omega"] / (1 - fade), rel=0.02)
    assert float(fit.asset.v0) == pytest.approx(252e-4 * other.forecast(horizon=1).variance.iloc[-1, 0], rel=0.01)


def test_vasicek_is_the_regression_and_covers_the_truth():
    random, kappa, sigma, mean = np.random.default_rng(2), 2.0, 0.02, 0.03
    x = np.empty(5001)
    x[0] = mean
    spread = sigma * np.sqrt(-np.expm1(-2 * kappa * DT) / (2 * kappa))
    for k, e in enumerate(random.standard_normal(5000)):
        x[k + 1] = mean + np.exp(-kappa * DT) * (x[k] - mean) + spread * e
    fit = calibrate.fit_vasicek(x, DT)
    slope, constant = np.polyfit(x[:-1], x[1:], 1)
    assert fit.parameters["kappa"].value == pytest.approx(-np.log(slope) / DT, rel=1e-4)
    assert fit.parameters["theta"].value == pytest.approx(constant / (1 - slope), rel=1e-4)
    for name, truth in {"kappa": kappa, "theta": mean, "sigma": sigma}.items():
        assert z(fit, name, truth) < 4
    schwartz = calibrate.fit_schwartz(np.exp(x), DT)
    assert float(schwartz.asset.kappa) == pytest.approx(float(fit.asset.kappa), rel=1e-6)
    assert float(schwartz.asset.level) == pytest.approx(np.exp(float(fit.asset.theta)), rel=1e-6)


def heston_path(days, jumps=False, seed=11):
    """(prices, variances): Euler with 8 steps a day."""
    random = np.random.default_rng(seed)
    v, x, small = 0.04, 0.0, DT / 8
    spots, variances = [1.0], [v]
    for _ in range(days):
        for _ in range(8):
            zv, z = random.standard_normal(2)
            x += 0.05 * small - 0.5 * v * small + np.sqrt(v * small) * (-0.7 * zv + np.sqrt(0.51) * z)
            v = max(v + 5.0 * (0.04 - v) * small + 0.5 * np.sqrt(v * small) * zv, 1e-5)
        if jumps and random.random() < 8.0 * DT:
            x += -0.05 + 0.02 * random.standard_normal()
        spots.append(np.exp(x))
        variances.append(v)
    return np.array(spots), np.array(variances)


def test_heston_from_returns_and_quoted_volatility():
    p, v = heston_path(5000)
    b = -np.expm1(-5.0 * 30 / 365) / (5.0 * 30 / 365)
    implied = np.sqrt(1.3 * (0.04 + (v - 0.04) * b))
    fit = calibrate.fit_heston(p, DT, implied=implied)
    assert z(fit, "theta", 0.04) < 4
    assert fit.parameters["rho"].value == pytest.approx(-0.7, abs=0.04)
    assert fit.parameters["vol_of_vol"].value == pytest.approx(0.5, rel=0.1)
    assert z(fit, "kappa", 5.0) < 4
    assert fit.parameters["variance_premium"].value == pytest.approx(1.3, rel=0.1)


def test_bates_from_returns_and_quoted_volatility():
    p, v = heston_path(5000, jumps=True)
    b = -np.expm1(-5.0 * 30 / 365) / (5.0 * 30 / 365)
    jump = 8.0 * (0.05**2 + 0.02**2)
    fit = calibrate.fit_bates(p, DT, implied=np.sqrt(0.04 + (v - 0.04) * b + jump))
    for name, truth in {"intensity": 8.0, "jump_mean": -0.05, "jump_sd": 0.02}.items():
        assert fit.parameters[name].value == pytest.approx(truth, rel=0.35), (name, str(fit.parameters[name]))
    assert fit.parameters["rho"].value == pytest.approx(-0.7, abs=0.06)


def test_heston_from_returns_alone():
    p, _ = heston_path(1500)
    fit = calibrate.fit_heston(p, DT)
    for name, truth in {"kappa": 5.0, "theta": 0.04, "vol_of_vol": 0.5, "rho": -0.7}.items():
        assert z(fit, name, truth) < 4, (name, str(fit.parameters[name]))
    assert abs(fit.diagnostics()["residual_sd"] - 1.0) < 4 / np.sqrt(2 * 1500)
    assert fit.aic < calibrate.fit_gbm(p, DT).aic - 20


def test_regimes_are_found_again():
    random, n = np.random.default_rng(4), 4000
    p = np.array([[0.99, 0.01], [0.03, 0.97]])
    state, states = 0, []
    for u in random.random(n):
        states.append(state)
        state = state if u < p[state, state] else 1 - state
    s = np.array(states)
    c, sd = np.array([0.3, -0.4])[s], np.array([[0.10, 0.05], [0.30, 0.09]])[s]
    e = random.standard_normal((n, 2))
    r = sd * np.sqrt(DT) * np.stack([e[:, 0], c * e[:, 0] + np.sqrt(1 - c**2) * e[:, 1]], axis=1)
    fit = calibrate.fit_regimes({"a": prices(r[:, 0]), "b": prices(r[:, 1])}, DT, count=2)
    truth = {
        "a.sigma.calm": 0.10,
        "a.sigma.stress": 0.30,
        "b.sigma.stress": 0.09,
        "correlation.calm.a-b": 0.3,
        "correlation.stress.a-b": -0.4,
        "chance a day.calm-stress": 0.01,
        "chance a day.stress-calm": 0.03,
    }
    for name, value in truth.items():
        assert abs(fit.parameters[name].z(value)) < 4, (name, str(fit.parameters[name]))
    assert ((fit.probabilities[:, 1] > 0.5) == (s == 1)).mean() > 0.95
    assert np.allclose(fit.probabilities.sum(axis=1), 1.0)
    assert float(fit.regimes.transition(DT)[0, 1]) == pytest.approx(fit.parameters["chance a day.calm-stress"].value, rel=1e-3)


def test_a_chain_that_never_returns_is_refused():
    random = np.random.default_rng(0)
    r = np.concatenate([0.005 * random.standard_normal(600), 0.03 * random.standard_normal(600)])
    with pytest.raises(ValueError, match="regimes: expected a stationary chain, got one that never leaves"):
        calibrate.fit_regimes({"a": prices(r)}, DT)


def test_zero_rates_price_par_bonds_at_par():
    years, zeros = calibrate.zero_rates([0.25, 2.0, 10.0], [0.02, 0.03, 0.04])
    halves = np.arange(0.5, 10.01, 0.5)
    discounts = np.exp(-np.interp(halves, years, zeros) * halves)
    assert 0.02 * discounts.sum() + discounts[-1] == pytest.approx(1.0, abs=1e-12)
    assert np.interp(0.25, years, zeros) == pytest.approx(2 * np.log1p(0.01))
    flat = calibrate.zero_rates([1.0, 30.0], [0.05, 0.05])[1]
    assert np.allclose(flat, 2 * np.log(1.025))


def test_hull_white_finds_what_moved_the_curve():
    random, kappa, sigma = np.random.default_rng(1), 0.1, 0.01
    years = np.array([0.25, 2.0, 10.0])
    shape = -np.expm1(-kappa * years) / (kappa * years)
    moves = sigma * np.sqrt(DT) * random.standard_normal(3000)[:, None] * shape
    fit = calibrate.fit_hull_white(0.03 + np.cumsum(moves, axis=0) * 0.1, years, DT)
    assert float(fit.rate.kappa) == pytest.approx(kappa, rel=1e-3)
    assert abs(fit.parameters["sigma"].z(0.1 * sigma)) < 4


def test_a_trend_is_no_reversion():
    with pytest.raises(ValueError, match="oil: expected a history that reverts to a mean"):
        calibrate.fit_schwartz(np.exp(np.linspace(0.0, 1.0, 1000) ** 2), DT, name="oil")


def test_every_model_says_how_much_it_needs():
    assert set(MINIMUM) == {"gbm", "merton", "kou", "gjr_garch", "heston", "bates", "schwartz", "vasicek", "regime_gbm", "hull_white"}


# ---- quotes ----


@pytest.fixture(scope="module")
def heston_surface():
    return calibrate.fit_quotes("heston", calibrate.read_quotes())


def test_a_price_from_the_market_file_is_the_fitted_one(heston_surface, tmp_path, float64):
    """Every quote on its own forward: rates differ by expiry, from 3.4 to 4.0 %."""
    file = tmp_path / "market.yaml"
    file.write_text(calibrate.to_yaml(heston_surface.market))
    market, q = calibrate.from_file(file), heston_surface.quotes

    @jax.jit
    def put(strike, years):
        ready = market.prepare(Calendar(years, 1))
        quote = ready.quotes(ready.start(), 0)["equity"]
        return market.pricers()["equity"].option("put", strike, 1, quote), quote.forward(1), quote.discount(1)

    for k in range(0, q.strike.size, 5):
        price, forward, discount = (float(x) for x in put(q.strike[k], q.years[k]))
        assert forward == pytest.approx(q.forward[k], rel=1e-9)
        fitted = reference.black("put", q.forward[k], q.strike[k], heston_surface.fitted[k] * q.years[k] ** 0.5, q.spot / q.forward[k])
        assert price == pytest.approx(fitted, rel=2e-6, abs=1e-9 * q.spot)
        assert discount == pytest.approx(q.spot / q.forward[k], rel=1e-9)


def test_paths_of_the_market_file_earn_the_curve(heston_surface):
    """Deep in the money a put is the discounted strike less spot, whatever the scheme makes of the variance."""
    q, years = heston_surface.quotes, 345.0 / 365.0
    forward = float(q.forward[np.abs(q.years - years) < 1e-9][0])
    got = mc.price(mc.instrument.Put(8.0 * forward, years, "equity"), heston_surface.market, paths=1 << 14, steps=32)
    assert abs(got.z(7.0 * q.spot)) < 4.0
    assert got.error < 0.005 * q.spot


def surface_file(folder, rows):
    file = folder / "quotes.csv"
    file.write_text("\n".join(["days,zero_rate,spot,strike,implied_vol", *rows]))
    return file


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (
            [f"{days},0.0,100,{strike},{vol}" for days, vol in ((30, 0.2), (365, 0.05)) for strike in (90, 100, 110)],
            r"3 of 6 quotes are an arbitrage with others: strike 90 at \d+ days \(a total variance of 0.003288 at 30 days may fall by at most 1%, "
            r"got 0.0025 at 365 days\); .*quotes.clean=true leaves them out$",
        ),
        # One strike each, and another forward: a call later at a lower strike costs less.
        (["30,0.03,100,100,0.2", "91,0.03,100,100,0.08"], r"1 of 2 quotes are an arbitrage with others: strike 100 at 91 days"),
        (["30,0.03,100,100,0.2", "30,0.02,100,110,0.2"], r"at 30 days: expected one zero_rate, got \[0.02, 0.03\]"),
        (["30,0.03,100,100,0.2"] * 3, r"at 30 days: expected each strike once, or as a call and a put, got 100 3 times"),
    ],
)
def test_quotes_that_cross_arbitrage_are_refused(rows, message, tmp_path):
    with pytest.raises(ValueError, match=rf"^quotes: quotes\.csv:? {message}"):
        calibrate.read_quotes(surface_file(tmp_path, rows))


def test_total_variance_may_fall_by_the_rounding_of_quotes(tmp_path):
    rows = [f"{days},0.0,100,{strike},{vol}" for days, vol in ((30, 0.2), (60, 0.2 * (0.5 * 0.995) ** 0.5)) for strike in (90, 100, 110)]
    assert calibrate.read_quotes(surface_file(tmp_path, rows)).warnings == []


def test_butterflies_are_counted_and_let_through(tmp_path):
    assert arbitrage.butterflies(calibrate.read_quotes()) == {165.0: 1, 256.0: 1, 524.0: 1, 703.0: 3}
    rows = [f"30,0.0,100,{strike},{vol}" for strike, vol in ((90, 0.2), (95, 0.2), (100, 0.3), (105, 0.2), (110, 0.2))]
    said = calibrate.read_quotes(surface_file(tmp_path, rows)).warnings
    assert said == ["quotes.csv: butterflies cost less than nothing at 1 strikes (1 at 30 days): kept"]


def clustered(random, rows, per_year, count):
    """Pairs of columns [count, rows, 2] of correlation 0.5 whose shared volatility comes and goes within a quarter, standardised as a fit does."""
    decay = 0.5 ** (4.0 / per_year)
    z, level = random.standard_normal((rows, count, 3)), random.standard_normal(count)
    out = np.empty((rows, count, 2))
    for t in range(rows):
        out[t] = np.exp(0.35 * level)[:, None] * np.stack([z[t, :, 0], 0.5 * z[t, :, 0] + 0.75**0.5 * z[t, :, 1]], axis=-1)
        level = decay * level + (1.0 - decay**2) ** 0.5 * z[t, :, 2]
    return np.stack([[r / asset_fit.ewma_volatility(r, 1.0) for r in pair.T] for pair in np.moveaxis(out, 1, 0)])


@pytest.mark.parametrize("rows", [100, 300, 1000])
@pytest.mark.parametrize("per_year", [252, 52, 12])
def test_errors_of_correlations_cover_at_any_length_and_frequency(rows, per_year):
    """Two errors hold the truth in 95.4 % of 400 samples, to 4 errors of that share (.042) and .03 that a variance known from 100 rows takes.

    Blocks of 63 rows whatever the frequency held it in 70 % at 100 rows, and 86 at 300.
    """
    found = [assets.correlation(x, y) for x, y in clustered(np.random.default_rng(rows + per_year), rows, per_year, 400)]
    held = np.mean([abs(e.value - 0.5) < 2.0 * e.error for e in found])
    assert abs(held - 0.954) < 0.042 + 0.03


def test_errors_of_independent_columns_are_those_of_independent_draws():
    """24 columns of 126 rows: 1/sqrt(126), where blocks of 63 rows printed .060."""
    u = np.random.default_rng(2).standard_normal((24, 126))
    found = [assets.correlation(u[i], u[j]) for j in range(24) for i in range(j)]
    assert np.mean([e.error for e in found]) == pytest.approx(126**-0.5, rel=0.05)
    assert np.mean([abs(e.z(0.0)) > 2.0 for e in found]) < 0.08


def test_a_filter_knows_its_slopes():
    """Derivatives of each day's density by each number, jumps included, against central differences."""
    p, _ = heston_path(300, jumps=True)
    r = np.diff(np.log(p))
    total = np.mean(r**2) / DT
    m = variance_filter.moments(r, DT, total, r.mean() / DT + 0.5 * total)
    x, h = np.array([-3.0, -0.7, -0.6, -1.0, -0.02, -3.5]), 1e-5
    slopes = variance_filter.scored(x, r, m)[1]
    for k, e in enumerate(np.eye(6) * h):
        up, down = (variance_filter.scored(x + sign * e, r, m)[0] for sign in (1.0, -1.0))
        assert np.allclose(slopes[k], (up - down) / (2 * h), atol=1e-6)
