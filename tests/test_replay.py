"""History as a market: windows replayed, days resampled in blocks, and errors that know how much of it is shared."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from haste import compiled_in_haste
from scipy import stats
from scipy.signal import lfilter

import mcengine as mc
from mcengine import config
from mcengine.engine.trace import outcomes
from mcengine.history import SHIPPED, load_days, named_periods, shipped
from mcengine.market import historical
from mcengine.noise import Counter, Path, make_key
from mcengine.pricing import Calendar, black
from mcengine.statistics import Sampling, block_length, estimate, long_run_variance

STEPS = 16
YEARS = STEPS / 252
WEIGHTS = {"equity": 0.6, "bond": 0.3, "commodity": 0.1}
DAYS = 200


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A CSV of three lognormal assets on trading days, with an index of volatility and a bill; and its columns."""
    import pandas as pd
    from pandas.tseries.holiday import USFederalHolidayCalendar

    random = np.random.default_rng(5)
    levels = 50.0 * np.exp(np.cumsum(random.normal(0.0, [0.01, 0.004, 0.02], (DAYS, 3)), axis=0))
    frame = pd.DataFrame(levels, columns=["a", "b", "c"])
    frame["index"], frame["bill"] = random.uniform(10.0, 40.0, DAYS), random.uniform(0.0, 6.0, DAYS)
    trading = pd.offsets.CustomBusinessDay(calendar=USFederalHolidayCalendar())
    frame.insert(0, "date", pd.date_range("2001-01-02", periods=DAYS, freq=trading).strftime("%Y-%m-%d"))
    file = tmp_path_factory.mktemp("made") / "made.csv"
    frame.to_csv(file, index=False, float_format="%.17g")
    return file, frame


ASSETS = {"equity": {"column": "a", "dividend": 0.03, "volatility": "index"}, "bond": "b", "commodity": {"column": "c"}}


@pytest.fixture(scope="module")
def replayed(made):
    return mc.market.Replay.from_history(ASSETS, data=made[0], rate="bill", surface=None)


@pytest.fixture(scope="module")
def policies():
    names = sorted(file.stem for file in (config.CONF / "policy").glob("*.yaml"))
    more = {"event_overlay": ["policy.date=10"], "deep_hedge": [f"policy.contract.expiry={YEARS}"]}  # by the horizon of these windows
    return {name: config.build(mc.load_config([f"policy={name}", *more.get(name, [])], name="hedge").policy) for name in names}


@pytest.fixture(scope="module")
def run(replayed, policies):
    with compiled_in_haste():
        return mc.Study(replayed, policies, years=YEARS, steps=STEPS).run(1000, progress=False)


# --- replay


def test_wealth_by_hand(made, run):
    """The constant mix, daily rebalanced: 1 + sum of w (return + income) over each day, on every window."""
    frame = made[1]
    returns = frame[["a", "b", "c"]].to_numpy()
    returns = returns[1:] / returns[:-1] - 1.0
    income = np.array([math.expm1(0.03 / 252), 0.0, 0.0])
    daily_growth = 1.0 + (returns + (1.0 + returns) * income) @ np.array(list(WEIGHTS.values()))
    # An income is paid in cash at the end of the day, and invested at the close.
    by_hand = np.array([np.prod(daily_growth[s : s + STEPS]) for s in range(DAYS - STEPS)])
    assert run.paths == DAYS - STEPS
    np.testing.assert_allclose(run["unhedged"]["wealth"], by_hand, rtol=2e-6)


def test_cash_earns_the_bill(made, replayed):
    """Nothing but cash: the product of the bills that stood at the start of each day."""
    cash = mc.policy.chain(mc.policy.Mix({"equity": 0.0, "bond": 0.0, "commodity": 0.0}))
    wealth = mc.Study(replayed, cash, years=YEARS, steps=STEPS).run(64, progress=False).wealth
    daily_rate = np.log1p(made[1]["bill"].to_numpy() / 100.0) / 252
    np.testing.assert_allclose(wealth, [np.exp(daily_rate[s : s + STEPS].sum()) for s in range(64)], rtol=2e-6)


def test_every_policy_runs_on_replay(run, policies):
    assert set(run.books) == set(policies)
    assert len(policies) >= 6
    for book in run.books:
        assert np.isfinite(run[book]["wealth"]).all()
        assert 0.5 < run[book]["wealth"].min() < run[book]["wealth"].max() < 2.0


def test_nothing_is_drawn(replayed):
    """Another seed is the same history, and an id beyond the last window begins again."""
    study = mc.Study(replayed, mc.policy.presets.unhedged(WEIGHTS), years=YEARS, steps=STEPS)
    one, other = study.run(64, progress=False), study.run(64, seed=7, progress=False)
    np.testing.assert_array_equal(other.wealth, one.wealth)
    again = outcomes(study, [5, 5 + replayed.windows(STEPS)])["policy"]["wealth"]
    assert again[0] == again[1] == one.wealth[5]


def test_a_first_decision_knows_no_later_day(made, tmp_path):
    """What rules read of the market's own correlations ends with the close at which a window begins: a file that ends with the window, and one whose
    later prices are others, move nothing of what is held over its first day; earlier prices do.
    """
    begin, frame = 100, made[1]
    other = frame.copy()
    other.loc[begin + 1 :, ["a", "b", "c"]] *= np.random.default_rng(1).uniform(0.9, 1.1, (DAYS - begin - 1, 3))
    earlier = frame.copy()
    earlier.loc[: begin - 50, "b"] *= np.random.default_rng(2).uniform(0.9, 1.1, begin - 49)
    books = {
        "target": mc.policy.chain(mc.policy.Mix(WEIGHTS), mc.policy.VolTarget(0.05)),
        "put": mc.policy.insurance.synthetic_put(WEIGHTS, 0.95),
    }

    def first(rows):
        file = tmp_path / "rows.csv"
        rows.to_csv(file, index=False, float_format="%.17g")
        market = mc.replace(mc.market.Replay.from_history(ASSETS, data=file, rate="bill", surface=None), first=begin)
        table = mc.Study(market, books, years=YEARS, steps=STEPS).trace([0])
        return {name: table[name].to_numpy()[1] for name in table if name.endswith(".units")}

    whole = first(frame)
    for rows in (frame[: begin + STEPS + 1], other):
        assert first(rows) == whole
    moved = first(earlier)
    for name in ("target.equity.units", "put.equity.units"):
        assert moved[name] != whole[name] != 0.0, name


def test_correlations_are_those_of_days_before(made, replayed):
    """About a mean of 0; 1 in the first quarter, of which too little is known."""
    returns = made[1][["a", "b", "c"]].to_numpy()
    returns = returns[1:] / returns[:-1] - 1.0
    known = np.asarray(jax.jit(lambda market: market.correlations())(replayed))
    assert known.shape == (DAYS, 3, 3)
    assert (known[:63] == 1.0).all()
    for place in (63, 150, DAYS - 1):
        before = returns[:place]
        square = before.T @ before
        size = np.sqrt(np.diag(square))
        np.testing.assert_allclose(known[place], square / np.outer(size, size), atol=1e-5)


def test_options_are_priced_at_the_day_s_volatility_and_settle(made, replayed):
    """A put bought at the first close by the index, the bill and the dividend of that close; it pays at the horizon."""
    floor, path = 1.02, 7
    study = mc.Study(replayed, mc.policy.presets.static_put(WEIGHTS, floor), years=YEARS, steps=STEPS, costs=mc.ledger.Proportional(0.0, 0.0))
    table = study.trace([path]).loc[path]
    sigma, bill = made[1]["index"][path] / 100.0, math.log1p(made[1]["bill"][path] / 100.0)
    forward, discount = 100.0 * math.exp((bill - 0.03) * YEARS), math.exp(-bill * YEARS)
    price = float(black("put", forward, 100.0 * floor, sigma * math.sqrt(YEARS), discount))
    w = table["wealth"]
    units = table["put.units"][1]
    scale = 1.0 / (1.0 + units / table["equity.units"][1] * 0.6 / 100.0 * price)
    assert table["equity.units"][1] * 100.0 == pytest.approx(0.6 * scale, rel=1e-5)  # the premium came out of the mix
    assert units == pytest.approx(table["equity.units"][1], rel=1e-6)
    # The account, day by day: what is held at the end is what it is worth, and the last day's put is its payoff, paid.
    last = table.iloc[-1]
    payoff = max(100.0 * floor - last["equity.spot"], 0.0)
    assert payoff > 0.0
    held = sum(last[f"{name}.units"] * last[f"{name}.spot"] for name in WEIGHTS)
    assert w.iloc[-1] == pytest.approx(held + last["cash"], rel=1e-6)
    before = table.iloc[-2]
    rate = math.log1p(made[1]["bill"][path + STEPS - 1] / 100.0) / 252
    assert last["put.units"] == 0.0
    earned = (w.iloc[-2] - sum(last[f"{n}.units"] * before[f"{n}.spot"] for n in WEIGHTS) - before["put.units"] * before["put.price"]) * math.exp(
        rate
    )
    income = last["equity.units"] * last["equity.spot"] * math.expm1(0.03 / 252)
    assert last["cash"] == pytest.approx(earned + income + before["put.units"] * payoff, abs=2e-6)


def test_the_surface_prices_what_has_an_index():
    """From VIX by the stated skew; a put far out of the money costs more than flat, one at the money less, for VIX reads the wings too."""
    market = config.build(mc.load_config(["market=bootstrap", "market.surface.skew=1.5", "data=null"], name="hedge").market)
    pricers = market.pricers()
    assert isinstance(pricers["equity"], mc.pricing.SurfacePricer)
    assert float(pricers["equity"].skew) == 1.5
    assert all(isinstance(pricers[name], historical.QuotedVariance) for name in ("bond", "commodity"))
    times = jnp.arange(64) / 252
    quote = mc.pricing.Quote(100.0, 0.04, 0, times, jnp.ones(64), jnp.ones(64))
    flat, skewed = historical.QuotedVariance(), mc.market.Replay.from_history({"equity": SHIPPED["equity"]}).pricers()["equity"]
    assert float(skewed.option("put", 80.0, 63, quote)) > 2.0 * float(flat.option("put", 80.0, 63, quote))
    assert float(skewed.option("put", 100.0, 63, quote)) < float(flat.option("put", 100.0, 63, quote))


def test_trace_shows_dates(made, replayed):
    table = mc.Study(replayed, mc.policy.presets.unhedged(WEIGHTS), years=YEARS, steps=STEPS).trace([3, 9])
    assert [str(d)[:10] for d in table.loc[9]["date"]] == list(made[1]["date"][9 : 9 + STEPS + 1])
    level = made[1]["a"].to_numpy()
    np.testing.assert_allclose(table.loc[9]["equity.spot"], 100.0 * level[9 : 10 + STEPS] / level[9], rtol=1e-5)
    np.testing.assert_allclose(table.loc[9]["equity.variance"], (made[1]["index"][9 : 10 + STEPS] / 100.0) ** 2, rtol=1e-5)
    assert replayed.start_date(9) == made[1]["date"][9]


def test_other_windows_do_not_recompile(replayed):
    mix = mc.policy.presets.unhedged(WEIGHTS)
    mc.Study(replayed, mix, years=YEARS, steps=STEPS).run(64, progress=False)
    before = mc.engine.program.traces()
    other = mc.Study(mc.market.Replay(replayed.days, 10, 90), mix, years=YEARS, steps=STEPS).run(64, progress=False)
    whole = mc.Study(replayed, mix, years=YEARS, steps=STEPS).run(128, progress=False)
    assert mc.engine.program.traces() - before <= 1  # the second run has a larger block
    np.testing.assert_array_equal(other.wealth[:50], whole.wealth[10:60])


def test_hedge_from_config():
    """`market=replay` and `market=bootstrap`, a period by name, and the data without the commodity."""
    few = ["years=0.063492", f"steps={STEPS}"]
    study = config.study(mc.load_config(["market=replay", "market.period=crisis_2008", *few], name="hedge"))
    quoted = shipped.load().frame.loc["2007-10-09":"2009-03-09"]
    assert study.available(10**6) == len(quoted) == 350
    assert study.market.start_date(0) == "2007-10-09"
    assert study.sampling == Sampling("windows", STEPS)
    shorter = mc.load_config(["market=bootstrap", "market.period=inflation_2022", "~market.assets.commodity", "market.block=5", *few], name="hedge")
    market = config.build(shorter.market)
    assert list(market.assets) == ["equity", "bond"]
    assert np.asarray(market.days.dates).min() >= np.datetime64("2022-01-03").astype(int)


# --- refusals


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"period": "covid_2020"}, r"covid_2020 runs from 2020-02-19 to 2020-03-23, but .* from 1990-01-02 to 2019-01-03 .*wti ends on 2019-01-03"),
        ({"period": "covid"}, "unknown period 'covid'; did you mean covid_2020"),
        ({"assets": {"equity": {"colum": "spx"}}}, "assets.equity: unknown key 'colum'; did you mean column"),
        ({"assets": {"equity": {"column": "spx", "kind": "bond"}}}, "assets.equity.kind: expected price or yield, got 'bond'"),
        ({"assets": {"equity": "spy"}}, "us_daily.csv.gz has no column 'spy'; did you mean spx"),
        ({"assets": {"rate": "spx"}}, "other than rate and place"),
        ({"assets": {"equity": None}}, "expected at least one asset"),
    ],
)
def test_refusals(change, message):
    with pytest.raises(ValueError, match=message):
        mc.market.Replay.from_history(**change)


def test_refusals_of_studies(made, replayed):
    mix = mc.policy.presets.unhedged(WEIGHTS)
    with pytest.raises(ValueError, match="expected a step a row, 252 a year, for 1 years of this history, got 12; give steps=252"):
        mc.Study(replayed, mix, years=1.0, steps=12)
    with pytest.raises(
        ValueError, match=f"expected a window of 252 days that starts from 2001-01-02 .*, got none: the data end on {made[1]['date'].iloc[-1]}"
    ):
        mc.Study(replayed, mix, years=1.0, steps=252)
    with pytest.raises(ValueError, match="expected a counter for a market that draws no normals, got Antithetic"):
        mc.Study(replayed, mix, years=YEARS, steps=STEPS, noise=mc.noise.Antithetic())
    study = mc.Study(replayed, mix, years=YEARS, steps=STEPS)
    with pytest.raises(ValueError, match="expected a path id below the 184 windows"):
        study.run(10, first=184)
    with pytest.raises(ValueError, match="expected all 184 windows to be kept"):
        study.run(200, keep=50)
    with pytest.raises(ValueError, match="expected a model of a market, which has a risk-neutral law, got history"):
        replayed.risk_neutral()
    with pytest.raises(ValueError, match="expected at least 63 days to draw from, got 40"):
        mc.market.Bootstrap.of(replayed.days, 0, 40)


def test_a_price_below_zero_is_refused(made, tmp_path):
    """As WTI's in April 2020: a return on it means nothing."""
    frame = made[1].copy()
    frame.loc[50, "c"] = -37.63
    frame.to_csv(tmp_path / "below.csv", index=False)
    with pytest.raises(ValueError, match=rf"column c of commodity on {frame['date'][50]}: expected a positive number, got -37\.63"):
        mc.market.Replay.from_history(ASSETS, data=tmp_path / "below.csv", rate="bill")


def test_regimes_are_ranges_in_order():
    known = named_periods()
    assert sum(one.calm for one in known.values()) >= 4
    for year in ("1990", "1994", "1998", "2000", "2008", "2010", "2011", "2015", "2018", "2020", "2022"):
        assert any(not one.calm and one.start[:4] <= year <= one.end[:4] for one in known.values())
    for one in known.values():
        assert one.start < one.end
        assert one.source
        assert one.what
    starts = [one.start for one in known.values()]
    assert starts == sorted(starts)


def test_crises_are_wilder_than_calm():
    """On the shipped closes: peak to trough falls, and a volatility index that is high or low as the name says."""
    days = load_days({"equity": SHIPPED["equity"]})
    for name, one in named_periods().items():
        first, last = days.between(one.start, one.end)
        vix = 100.0 * np.sqrt(days.closes[first : last + 1, 0]).mean()
        moved = np.prod(1.0 + days.moves[first:last, 0]) - 1.0
        assert vix < 17.0 if one.calm else vix > 13.5, name
        if not one.calm and name not in ("bonds_1994", "asia_russia_1997_1998"):
            assert moved < -0.09, name


# --- errors over overlapping windows


def overlapping(random, n, width, phi):
    """Sums over ``width`` neighbours of an AR(1): what windows of ``width`` days make of it."""
    z = lfilter([1.0], [1.0, -phi], random.standard_normal(n + width + 100))[101:]
    return np.convolve(z, np.ones(width), "valid")


@pytest.mark.parametrize(("n", "width", "phi"), [(3000, 60, 0.0), (3000, 60, 0.8), (2000, 1, 0.9)])
def test_windows_errors_cover(n, width, phi):
    """The error is the scatter of the mean, within 10 %, and value -/+ t errors covers 95 %."""
    random = np.random.default_rng(3)
    trials = [estimate.mean(overlapping(random, n, width, phi), Sampling("windows", width)) for _ in range(300)]
    means, errors = np.array([t.value for t in trials]), np.array([t.error for t in trials])
    assert math.sqrt(np.mean(errors**2)) / means.std() == pytest.approx(1.0, abs=4.0 * 1.0 / math.sqrt(2 * 300))
    covered = np.mean(np.abs(means) < errors * stats.t.ppf(0.975, trials[0].count - 1))
    assert 0.95 - 4.0 * math.sqrt(0.95 * 0.05 / 300) < covered < 1.0
    iid = np.mean([estimate.mean(overlapping(random, n, width, phi)).error for _ in range(20)])
    assert means.std() / iid > 4.0  # what the i.i.d. formula would have missed


def test_quantiles_and_probabilities_of_windows_cover():
    """P(x < 0) and the median, both known by symmetry."""
    random = np.random.default_rng(4)
    sampling, hits, medians = Sampling("windows", 30), [], []
    for _ in range(200):
        x = overlapping(random, 3000, 30, 0.0)
        hits.append(estimate.probability(x < 0.0, sampling).z(0.5))
        medians.append(estimate.quantile(x, 0.5, sampling).z(0.0))
    for z in (hits, medians):
        assert 0.85 < np.std(z) < 1.25
        assert np.mean(np.abs(z) < 2.0) > 0.88


def test_too_few_windows_tell_no_error():
    x = overlapping(np.random.default_rng(0), 400, 252, 0.0)
    assert math.isnan(estimate.mean(x, Sampling("windows", 252)).error)
    assert "no error" in str(estimate.mean(x, Sampling("windows", 252)))
    with pytest.raises(ValueError, match="got overlapping windows"):
        Sampling("windows", 252).draws(x)


def test_moments_of_windows_match_those_of_draws():
    """Of draws that share nothing the long-run error is the plain one."""
    x = np.random.default_rng(1).gamma(4.0, size=20_000)
    ours = estimate.moments(x, Sampling("windows", 1))
    truth = (4.0, 4.0, 1.0, 1.5)  # of a gamma with shape 4
    for one, true in zip(ours, truth, strict=True):
        assert abs(one.z(true)) < 4.0
    assert ours[0].error == pytest.approx(2.0 / math.sqrt(20_000), rel=0.1)
    assert ours[1].error == pytest.approx(math.sqrt((4.5 - 1.0) * 16.0 / 20_000), rel=0.15)  # Var of s^2 is (kurtosis - 1) s^4 / n


def test_shipped_history_is_worth_few_draws():
    """A year's wealth over 6,962 overlapping windows: the i.i.d. error is too small about 16 times. No engine is needed to say so."""
    days = load_days()
    growth = np.cumsum(np.log1p(days.moves[:, :3] @ [0.6, 0.3, 0.1]))
    wealth = np.exp(growth[252:] - growth[:-252])
    ours, iid = estimate.mean(wealth, Sampling("windows", 252)), estimate.mean(wealth)
    assert 12.0 < ours.error / iid.error < 22.0
    assert 5 <= ours.count <= 20


def test_table_prints_the_windows_error(run):
    one = run.estimates()["unhedged/wealth"]
    assert one.sampling == "windows"
    expected = math.sqrt(long_run_variance(run["unhedged"]["wealth"], STEPS - 1)[0] / run.paths)
    assert one.error == pytest.approx(expected, rel=1e-9)
    assert str(one) in run.table().to_string()
    assert one.error > 2.0 * estimate.mean(run["unhedged"]["wealth"]).error
    difference = run.difference(
        run, mc.statistics.Figure(lambda o: o["unhedged"]["wealth"]), figure_there=mc.statistics.Figure(lambda o: o["cppi"]["wealth"])
    )
    assert difference.sampling == "windows"
    assert run.moments("cppi", "wealth").variance.sampling == "windows"


# --- block length


@pytest.mark.parametrize("phi", [0.3, 0.6, 0.8])
def test_block_length_of_an_autoregression(phi):
    """(2 phi / (1 - phi^2))^(2/3) n^(1/3)."""
    random = np.random.default_rng(2)
    found = [block_length(lfilter([1.0], [1.0, -phi], random.standard_normal(10_100))[100:]) for _ in range(20)]
    assert np.median(found) == pytest.approx((2.0 * phi / (1.0 - phi**2)) ** (2.0 / 3.0) * 10_000 ** (1.0 / 3.0), rel=0.2)


def test_block_length_agrees_with_arch():
    """Its band begins one lag earlier than the paper's, which moves a length by some per cent."""
    from arch.bootstrap import optimal_block_length

    random = np.random.default_rng(6)
    ours, theirs = [], []
    for phi in (0.2, 0.5, 0.9):
        for _ in range(10):
            x = lfilter([1.0], [1.0, -phi], random.standard_normal(3000))
            ours.append(block_length(x))
            theirs.append(float(optimal_block_length(x).iloc[0, 0]))
    assert np.median(np.array(ours) / np.array(theirs)) == pytest.approx(1.0, abs=0.1)


# --- bootstrap


def resampled(market, paths, steps, seed=0):
    """States [path, date] of a market of days, without any book."""
    calendar, key = Calendar(steps / 252, steps), make_key(seed, "pilot")

    def one(low):
        prepared, path = market.prepare(calendar), Path(jnp.uint32(0), low)
        source = Counter().begin(key, path, steps, 0)

        def body(states, k):
            states = prepared.step(states, None, (), source.uniforms(k, prepared.n_uniforms))
            return states, states

        first = prepared.start(path, source)
        rest = jax.lax.scan(body, first, jnp.arange(steps))[1]
        return jax.tree.map(lambda a, b: jnp.concatenate([a[None], b]), first, rest)

    return jax.tree.map(np.asarray, jax.jit(jax.vmap(one))(jnp.arange(paths, dtype=jnp.uint32)))


@pytest.fixture(scope="module")
def bootstrap():
    return mc.market.Bootstrap.from_history()


@pytest.fixture(scope="module")
def drawn(bootstrap):
    return resampled(bootstrap, 3000, 252)


@pytest.fixture(scope="module")
def returns(bootstrap, drawn):
    """Of each asset, [asset, path, day]."""
    return np.stack([drawn[name].spot[:, 1:] / drawn[name].spot[:, :-1] - 1.0 for name in bootstrap.assets]).astype(float)


def z_of(per_path, truth):
    return (per_path.mean() - truth) / (per_path.std(ddof=1) / math.sqrt(len(per_path)))


def test_bootstrap_keeps_means_volatilities_and_correlations(bootstrap, returns):
    """Every day is equally likely on every date, so these are those of history; errors over paths."""
    past = np.asarray(bootstrap.days.moves)[:, :3].T
    for i in range(3):
        assert abs(z_of(returns[i].mean(axis=1), past[i].mean())) < 4.0
        assert abs(z_of((returns[i] ** 2).mean(axis=1), (past[i] ** 2).mean())) < 4.0
        for j in range(i):
            assert abs(z_of((returns[i] * returns[j]).mean(axis=1), (past[i] * past[j]).mean())) < 4.0


def test_bootstrap_keeps_clusters_of_volatility(bootstrap, returns):
    """Autocovariance of squared returns: at lag 1 within 4 errors less the share of joins; at lag 20 mostly, thanks to the similarity."""
    past = load_days().moves[:, :3].T
    for i, (name, kept) in enumerate({"equity": 0.7, "bond": 0.5, "commodity": 0.5}.items()):
        square, old = returns[i] ** 2, past[i] ** 2
        for lag, least in ((1, 1.0 - 3.0 / float(bootstrap.block)), (20, kept)):
            apart = (square[:, lag:] - old.mean()) * (square[:, :-lag] - old.mean())
            then = float(np.mean((old[lag:] - old.mean()) * (old[:-lag] - old.mean())))
            error = apart.mean(axis=1).std(ddof=1) / math.sqrt(len(apart))
            assert least * then - 4.0 * error < apart.mean() < then + 4.0 * error, (name, lag)


def test_levels_do_not_jump_where_blocks_join(bootstrap, drawn):
    """Where a path leaves the order of days, the variance before and after are near in rank; without similarity they are not."""
    order = np.argsort(np.asarray(bootstrap.days.dates))
    at = np.empty(len(order), int)
    at[order] = np.arange(len(order))

    def joins(states):
        day, place = at[states["place"]], states["place"]
        leaves = (day[:, 1:] != (day[:, :-1] + 1) % len(order)).nonzero()
        came_from = day[:, 1:][leaves] - 1  # the close that the day drawn follows
        rank_after, rank_before = at.argsort()[came_from % len(order)], place[:, :-1][leaves]
        return len(leaves[0]) / day[:, 1:].size, np.abs(rank_after - rank_before) / len(order)

    share, gaps = joins(drawn)
    jumps = share * float(bootstrap.block)
    assert jumps == pytest.approx(1.0, abs=4.0 * math.sqrt(float(bootstrap.block) / drawn["place"].size) + 0.01)
    assert gaps.max() <= 0.5 * 0.05 + 2.0 / len(order)
    anywhere = joins(resampled(mc._model.replace(bootstrap, similarity=1.0), 500, 64))[1]
    assert anywhere.mean() == pytest.approx(1.0 / 3.0, abs=0.05)  # of two uniform ranks


def test_days_are_drawn_equally_often(bootstrap, drawn):
    """Ten classes of variance, on the first date and on the last."""
    count = bootstrap.days.count
    for step in (0, -1):
        seen = np.bincount(drawn["place"][:, step] * 10 // count, minlength=10)
        assert stats.chisquare(seen, len(drawn["place"]) * np.bincount(np.arange(count) * 10 // count) / count).pvalue > 1e-4


def test_bootstrap_is_an_address(replayed):
    """The same paths in blocks of any size, another set for another seed; a trace shows the days drawn."""
    market = mc.market.Bootstrap.of(replayed.days, block=10.0)
    study = mc.Study(market, mc.policy.presets.unhedged(WEIGHTS), years=YEARS, steps=STEPS)
    whole, parts = study.run(256, block=256, progress=False), study.run(256, block=64, progress=False)
    np.testing.assert_array_equal(whole.wealth, parts.wealth)
    assert whole.sampling == Sampling()
    assert np.any(study.run(256, seed=1, block=64, progress=False).wealth != whole.wealth)
    table = study.trace([5])
    assert table["wealth"].iloc[-1] == pytest.approx(float(whole.wealth[5]), rel=1e-6)
    assert set(table["date"].astype(str).str[:10]) <= {replayed.days.day(k) for k in range(DAYS)}


def test_importance_sampling_of_history_is_refused_by_the_field_s_name(replayed):
    study = mc.Study(mc.market.Bootstrap.of(replayed.days, block=10.0), mc.policy.presets.unhedged(WEIGHTS), years=YEARS, steps=STEPS)
    message = "variance_reduction: expected a market that draws normals for importance sampling to shift, got a Bootstrap, which draws none"
    with pytest.raises(ValueError, match=f"^{message}$"):
        mc.variance_reduction.reduce(study, "importance", figures={}, floor=0.9)
