"""From a user's file of prices to a market, to a yaml, and back; from quotes to a surface; the experiment as a user runs it."""

import importlib
import json
import sys
from pathlib import Path

import jax
import numpy as np
import pandas as pd
import pytest

import mcengine as mc
from mcengine import calibrate
from mcengine.market import Event, Market, Regimes

SCRIPTS = Path(__file__).resolve().parent.parent / "experiments"
ROWS = 1100


def table(rows=ROWS, seed=3):
    random = np.random.default_rng(seed)
    e = random.standard_normal((rows, 3))
    e[:, 1] = 0.6 * e[:, 0] + 0.8 * e[:, 1]
    wide = np.where(np.arange(rows) // 200 % 2 == 0, 0.7, 2.0)
    yields = np.empty(rows)
    yields[0] = 3.0
    for k in range(1, rows):
        yields[k] = yields[k - 1] + 0.02 * (3.0 - yields[k - 1]) + 0.05 * e[k, 2]
    columns = {"Date": pd.bdate_range("2015-01-02", periods=rows).strftime("%Y-%m-%d")}
    columns |= {"S&P 500": 100 * np.exp(np.cumsum(0.01 * wide * e[:, 0])), "gold": 50 * np.exp(np.cumsum(0.006 * wide * e[:, 1]))}
    return pd.DataFrame(columns | {"bill": yields})


@pytest.fixture(scope="module")
def csv(tmp_path_factory):
    file = tmp_path_factory.mktemp("prices") / "my.csv"
    table().to_csv(file, index=False)
    return file


@pytest.fixture(scope="module")
def fitted(csv):
    return calibrate.fit_prices(
        csv, models={"S&P 500": "merton", "gold": "gjr_garch"}, rate="vasicek", yields={"bill": 0.25}, dividends={"gold": 0.01}
    )


def paths(market, steps=16):
    return mc.engine.sample(market, 64, years=steps / 252, steps=steps)[0]


def same_market(a, b):
    assert jax.tree.structure(a) == jax.tree.structure(b)
    for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
        assert np.array_equal(np.asarray(x), np.asarray(y))
    return True


def test_a_users_prices_become_a_market(fitted):
    assert list(fitted.market.assets) == ["S_P_500", "gold"]
    assert isinstance(fitted.market.rate, mc.market.Vasicek)
    assert abs(fitted.correlations["S_P_500-gold"].z(0.6)) < 4
    assert fitted.parameters["S_P_500.sigma"].error > 0
    gold = fitted.market["gold"]
    assert float(gold.dividend) == 0.01
    # Its volatility switches, so that a free GARCH is integrated and has no level: the sample's variance is taken.
    assert float(gold.theta) == pytest.approx(fitted.prices.frame["gold"].pipe(np.log).diff().var(ddof=0) * 252, rel=1e-6)
    assert any("theta is the sample's variance" in note for note in fitted.notes)
    assert "S&P 500 is called S_P_500" in fitted.notes
    seen = fitted.diagnostics()
    assert list(seen.index) == ["S_P_500", "gold", "rate"]
    assert np.allclose(seen["residual_sd"], 1.0, atol=0.1)


def test_correlation_realised_is_the_one_asked(fitted):
    row = fitted.realised_correlation(128).loc["S_P_500-gold"]
    assert abs(row["realised"] - row["target"]) < 4 * row["error"]


def test_a_market_file_is_the_same_market_and_the_same_paths(fitted, tmp_path):
    file = tmp_path / "market.yaml"
    file.write_text(calibrate.to_yaml(fitted.market, comment="made\nhere"))
    back = calibrate.from_file(file)
    assert same_market(fitted.market, back)
    first, second = paths(fitted.market), paths(back)
    assert all(np.array_equal(first[name], second[name]) for name in first)
    node = mc.load_config(["market=from_file", f"market.file={file}"], name="hedge").market
    assert same_market(fitted.market, mc.build(node))


def test_every_kind_of_market_survives_a_file(tmp_path):
    regimes = Regimes(("calm", "stress"), {"calm-stress": 0.1, "stress-calm": 0.3}, "stress", {"calm": {"a-b": 0.4}, "stress": {"a-b": -0.3}})
    market = Market(
        {
            "a": mc.market.RegimeGBM(spot=1.0, sigma={"calm": 0.1, "stress": 0.3}, drift=0.05),
            "b": mc.market.Bates(1.0, 0.04, 2.0, 0.04, 0.5, -0.7, 1.0, -0.1, 0.1, most_jumps=5),
            "c": mc.market.BondIndex(spot=100.0),
        },
        {"a-b": 1.0 / 3.0, "a-rate": -0.1},
        rate=mc.market.HullWhite([0.25, 1.0, 10.0], [0.01, 0.02, 0.03], 0.1, 0.01, 0.2),
        regimes=regimes,
        events={"vote": Event(0.5, {"a": 0.02}, {"a": -0.03}, probability=0.6)},
    )
    file = tmp_path / "market.yaml"
    file.write_text(calibrate.to_yaml(market))
    back = calibrate.from_file(file)
    assert same_market(market, back)
    assert back["b"].most_jumps == 5


def test_without_a_file_the_shipped_market_is_read():
    market = calibrate.from_file()
    assert list(market.assets) == ["equity", "bond", "commodity"]
    assert float(market["equity"].variance_premium) > 1.0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [1", "is not yaml"),
        ("_target_: os.system", r"expected something of mcengine.market, got 'os.system'"),
        ("_target_: mcengine.market.Hestn", "did you mean Heston"),
        ("{_target_: mcengine.market.GBM, spot: 1.0, sigma: 0.1}", "expected _target_: mcengine.market.Market at the top, got GBM"),
        (
            "{_target_: mcengine.market.Market, assets: {a: {_target_: mcengine.market.GBM, spot: 1.0, sigm: 0.1}}}",
            "assets.a.sigm: GBM has no such argument",
        ),
        (
            "{_target_: mcengine.market.Market, assets: {a: {_target_: mcengine.market.GBM, spot: -1.0, sigma: 0.1}}}",
            "GBM.spot: expected a number above 0",
        ),
    ],
)
def test_files_that_are_no_market_are_refused(text, message, tmp_path):
    file = tmp_path / "bad.yaml"
    file.write_text(text)
    with pytest.raises(ValueError, match=message):
        calibrate.from_file(file)


def changed(**columns):
    out = table().astype(object)
    for name, value in columns.items():
        out.loc[500, name] = value
    return out


@pytest.mark.parametrize(
    ("frame", "options", "message"),
    [
        (table(rows=90), {"columns": ["gold"], "model": "gbm"}, "gold: expected at least 126 rows of history for gbm, got 90"),
        (table(rows=600), {"columns": ["gold"], "model": "gjr_garch"}, "gold: expected at least 756 rows of history for gjr_garch, got 600"),
        (
            changed(gold=-37.63),
            {"columns": ["gold"], "model": "gbm"},
            "gold: expected prices above 0, for gbm is a model of their logarithm, got -37.63 on 2016-",
        ),
        (changed(gold="many"), {}, "row 502 column gold: expected a number, got 'many'"),
        (changed(Date="yesterday"), {}, "row 502 column Date: expected a date like 2001-09-10, got 'yesterday'"),
        (changed(Date="2012-01-02"), {}, "row 502: expected dates in order, each once, got 2012-01-02 after"),
        (table().iloc[::5], {"columns": ["gold"], "model": "heston"}, "gold: expected at least 504 rows"),
        (table(rows=3000).iloc[::5], {"columns": ["gold"], "model": "heston"}, r"gold: expected daily prices for heston, got 5\d"),
        (table(), {"columns": ["silver"]}, "has no column 'silver'; known: S&P 500, gold, bill"),
        (table(), {"models": {"gold": "sabr"}}, "models.gold: expected one of gbm, heston"),
        (table(), {"rate": "vasicek"}, "yields: expected the maturity in years"),
        (table(), {"implied": {"gold": "vix"}}, "implied: the file has no column 'vix'"),
        (table().assign(gold=5.0), {"columns": ["gold"], "model": "gbm"}, "gold: expected prices that move, got 5 in every row"),
        (table().rename(columns={"gold": "S P 500"}), {}, "two columns that are called S_P_500"),
        (pd.concat([table().iloc[:300], table().iloc[400:]]), {}, "has a hole of 14"),
    ],
)
def test_what_cannot_be_used_is_refused(frame, options, message, tmp_path):
    file = tmp_path / "my.csv"
    frame.to_csv(file, index=False)
    with pytest.raises(ValueError, match=message):
        calibrate.fit_prices(file, **options)


def test_parquet_needs_an_engine(tmp_path, monkeypatch):
    file = tmp_path / "my.parquet"
    file.write_bytes(b"PAR1")

    def no_engine(*_):
        raise ImportError

    monkeypatch.setattr(pd, "read_parquet", no_engine)
    with pytest.raises(ValueError, match=r"my\.parquet is parquet, which pandas reads where pyarrow or fastparquet is installed"):
        calibrate.fit_prices(file)
    dated = table().assign(Date=lambda t: pd.to_datetime(t["Date"])).set_index("Date")
    monkeypatch.setattr(pd, "read_parquet", lambda _: dated)
    found = calibrate.fit_prices(file, columns=["gold"], model="gbm")
    assert found.market["gold"].sigma == pytest.approx(np.diff(np.log(dated["gold"])).std() * np.sqrt(found.prices.rows_per_year), rel=1e-6)


def test_regimes_from_a_file_make_a_market(csv):
    found = calibrate.fit_prices(csv, columns=["S&P 500", "gold"], model="regime_gbm", rate=0.02)
    assert found.market.regimes.names == ("calm", "stress")
    seen = found.diagnostics()
    assert list(seen.index) == ["S_P_500", "gold"]
    assert np.allclose(seen["residual_sd"], 1.0, atol=0.1)
    assert abs(found.parameters["correlation.stress.S_P_500-gold"].z(0.6)) < 4
    assert np.isfinite(paths(found.market)["gold"]).all()
    from mcengine.report import calibration_plots

    assert set(calibration_plots.pictures(found)) == {"regimes"}


def test_a_model_asked_of_the_shipped_history_is_taken():
    few = {"start": "2014-01-01", "end": "2018-12-31"}
    found = calibrate.fit_prices(**few, model="gbm")
    assert {type(a).__name__ for a in found.market.assets.values()} == {"GBM"}
    found = calibrate.fit_prices(**few, columns=["equity", "bond"], model="gbm", models={"equity": "merton"})
    assert [type(a).__name__ for a in found.market.assets.values()] == ["Merton", "GBM"]
    with pytest.raises(ValueError, match=r"^models\.model: expected one of gbm, .*, got 'sabr'$"):
        calibrate.fit_prices(**few, model="sabr")


def test_heston_meets_published_prices():
    """QuantLib's hestonmodel.cpp, the set of Lewis: q of .02 goes into the forward."""
    years, strike = np.ones(3), np.array([80.0, 90.0, 100.0])
    q = calibrate.Quotes(years, strike, np.full(3, 100.0 * np.exp(-0.01)), np.full(3, 0.4), 100.0)
    volatility = calibrate.quotes.implied([0.04, 4.0, 0.25, 1.0, -0.5], q)
    put = [float(mc.pricing.black("put", 100.0 * np.exp(-0.01), k, s, np.exp(-0.01))) for k, s in zip(strike, volatility, strict=True)]
    assert np.allclose(put, [7.958878113256768, 12.017966707346305, 17.055270961270110], rtol=2e-6)


def test_the_dax_surface():
    q = calibrate.read_quotes()
    assert q.strike.size == 104
    heston, bates = calibrate.fit_quotes("heston", q), calibrate.fit_quotes("bates", q)
    assert heston.squares == pytest.approx(181.52, abs=0.05)
    assert bates.squares < 42.0
    assert bates.parameters["jump_mean"].value < -4 * bates.parameters["jump_mean"].error
    weeks = np.floor((np.round(365 * q.years) + 3) / 7) * 7 / 365
    forward = q.spot * (q.forward / q.spot) ** (weeks / q.years)
    rounded = calibrate.fit_quotes("heston", calibrate.Quotes(weeks, q.strike, forward, q.volatility, q.spot))
    assert rounded.squares == pytest.approx(177.2, abs=0.1)  # as QuantLib's test has it
    assert len(heston.table()) == 104


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("41,0.03,100,90,-0.2", "row 2 column implied_vol: expected a number above 0"),
        ("41,0.03,100,0,0.2", "row 2 column strike: expected a number above 0"),
        ("41,0.03,100,99.9,0.9", r"strike \S+ at 41 days \(of strikes 99.9 and 100 a call has to fall with its strike"),
    ],
)
def test_quotes_that_cannot_be_are_refused(row, message, tmp_path):
    file = tmp_path / "quotes.csv"
    file.write_text(f"days,zero_rate,spot,strike,implied_vol\n{row}\n41,0.03,100,100,0.2\n")
    with pytest.raises(ValueError, match=message):
        calibrate.read_quotes(file)


def test_the_experiment_as_a_user_runs_it(csv, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(SCRIPTS))
    before = jax.config.jax_enable_x64
    task = importlib.import_module("calibrate").main
    try:
        assert task([f"data={csv}", "models={gold: gbm, S_P_500: gbm}", "columns=[gold,S_P_500]", "rate=0.02"]) == 0
        out = capsys.readouterr().out
        folder = Path(out.strip().splitlines()[-1])
        assert {"gold.sigma", "S_P_500.drift", "correlation.gold-S_P_500"} <= set(json.loads((folder / "metrics.json").read_text()))
        assert {f.name for f in folder.iterdir()} >= {"market.yaml", "parameters.csv", "diagnostics.csv", "correlation.csv", "fit_gold.png"}
        assert float(calibrate.from_file(folder / "market.yaml").rate.rate) == 0.02
        assert "'weights={gold:0.5,S_P_500:0.5}'" in out
        assert task(["quotes=heston", "plots=true"]) == 0
        folder = Path(capsys.readouterr().out.strip().splitlines()[-1])
        assert (folder / "smile.png").stat().st_size > 10_000
        assert task(["data=nowhere.csv"]) == 2
        assert "error: data: expected a CSV or parquet file, got 'nowhere.csv'" in capsys.readouterr().err
    finally:
        jax.config.update("jax_enable_x64", before)
        sys.modules.pop("calibrate", None)


def test_a_long_table_of_pairs_prints_its_ends(monkeypatch, capsys):
    monkeypatch.syspath_prepend(str(SCRIPTS))
    script = importlib.import_module("calibrate")
    pairs = pd.DataFrame({"value": np.linspace(-0.9, 0.9, 1830)[::-1]})
    shown = script._ends(pairs, "value", "parameters")
    assert len(shown) == script.MOST
    assert shown["value"].iloc[[0, -1]].tolist() == [-0.9, 0.9]
    assert "of 1,830 pairs; all are in parameters.csv" in capsys.readouterr().out
    assert script._ends(pairs[:20], "value", "parameters") is not None
    assert capsys.readouterr().out == ""
