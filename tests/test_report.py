"""Run folders are complete or not there, tables keep their errors, pictures are made of what they are given."""

import dataclasses
import json
import os
import re
import shutil
from types import SimpleNamespace

import matplotlib.colors
import numpy as np
import pandas as pd
import pytest

import mcengine as mc
from mcengine import Scalar, model, number, objective, report
from mcengine._files import as_line
from mcengine._model import replace
from mcengine.market import correlation as corr
from mcengine.report import fit_plots, index, market_plots
from mcengine.report.run_folder import RunFolder

BOOKS = ("unhedged", "cppi 0.9")


@model
class StampDuty(mc.ledger.AbstractCost):
    """A cost of a user's own."""

    rate: Scalar = number(default=1e-3)
    names = ("stamp_duty",)

    def on_trade(self, trade):
        return {"stamp_duty": self.rate * trade.turnover}


@pytest.fixture(scope="module")
def result():
    market = mc.market.Market({"equity": mc.market.GBM(spot=100.0, sigma=0.2, drift=0.07)}, rate=0.03)
    presets, weights = mc.policy.presets, {"equity": 0.9}
    policies = dict(zip(BOOKS, (presets.unhedged(weights), presets.cppi(weights, 0.9)), strict=True))
    study = mc.Study(market, policies, mc.ledger.Total(mc.ledger.Proportional(5e-4), StampDuty()), steps=12)
    return study.run(512, progress=False)


@pytest.fixture(scope="module")
def table(result):
    return objective.table(result, 0.9)


def test_text_has_every_figure_with_its_error(table):
    lines = report.text(table, name=lambda book: book.split(" ")[0]).splitlines()
    assert lines[0].split() == ["unhedged", "cppi"]
    assert len(lines) == 2 + len(table.columns)
    assert max(map(len, lines)) <= 160
    for line, key in zip(lines[2:], table.columns, strict=True):
        assert line.startswith(mc.engine.metric(key).heading)
        missing = sum(not isinstance(cell, mc.Estimate) for cell in table[key])
        assert line.count("±") == len(table) - missing
    assert lines[-1].startswith("cost: stamp duty, %")
    assert next(line for line in lines if line.startswith("turnover  "))


def test_every_key_is_snake_case_and_every_label_its_own(result, table):
    keys = {*mc.engine.METRICS, *table.columns, *(name.rpartition("/")[2] for name in result.figures())}
    assert all(re.fullmatch("[a-z][a-z0-9_]*", key) for key in keys)
    assert len({mc.engine.metric(key).label for key in keys}) == len(keys)
    assert set(result.outcomes["unhedged"]) <= keys


def test_what_is_not_known_is_shown_as_it_is_and_what_wishes_know_is_known():
    """A user's outcome has a unit that no one knows: no per cent in print."""
    own = pd.DataFrame({"mean_return": [mc.Estimate(0.05, 0.001)], "my_outcome": [mc.Estimate(0.5, 0.01)]}, index=["cppi"])
    assert [line.split("  ")[0] for line in report.text(own).splitlines()[2:]] == ["mean return, %", "my outcome"]
    assert report.text(own).splitlines()[3].endswith("0.500 ± 0.010")
    assert all(mc.engine.is_metric(re.sub(r"<\w>", "5", name)) for name in objective.measures.NAMES)
    assert mc.engine.metric("breach") == mc.engine.METRICS["breach_any_day"]


def test_a_cost_is_in_the_table_by_its_name(result, table):
    cost = table.loc["cppi 0.9", "cost_stamp_duty"]
    assert cost.value == pytest.approx(result["cppi 0.9"]["cost_stamp_duty"].mean(), rel=1e-6)
    assert cost.value == pytest.approx(2.0 * table.loc["cppi 0.9", "cost_underlying"].value, rel=1e-5)


@pytest.mark.parametrize(
    ("estimate", "shown"),
    [
        (mc.Estimate(6.12345, 0.0123), "6.123 ± 0.012"),
        (mc.Estimate(1.0000000022, 3.6e-11), "1.0000 ± 0.0000"),
        (mc.Estimate(123.4, 25.0), "123 ± 25"),
        (mc.Estimate(0.0, 0.0), "0 ± 0"),
    ],
)
def test_cell(estimate, shown):
    assert report.cell(estimate) == shown


def test_verdict_is_plain_about_noise():
    assert "within the error" in report.verdict("mean return", mc.Estimate(0.001, 0.0009))
    assert report.verdict("mean return", mc.Estimate(0.01, 0.001)).startswith("The mean return rises by 1.00 ± 0.10 % a year: 10 standard")
    assert report.verdict("mean return", mc.Estimate(-0.02, 0.002), 2.0) == "The mean return falls by 1.00 ± 0.10 % a year: 10 standard errors."


def test_run_folder(tmp_path, table):
    config, folder = {"policy": {"_target_": "a.cppi", "floor": 0.9}, "weights": [1, 2]}, RunFolder(tmp_path / "run")
    folder.begin("floor: 0.9\n")
    folder.write_table("figures", table)
    assert not folder.is_finished(config)
    folder.finish(
        config,
        {"mean_return": mc.Estimate(0.05, 0.01), "empty": float("nan")},
        {**report.provenance(), "seed": 1, "timings": {"run_seconds": np.float64(2.0)}},
    )
    assert folder.is_finished(config)
    with pytest.raises(ValueError, match="holds the finished run of another configuration"):
        folder.is_finished({"policy": 1})
    assert json.loads((folder.path / "metrics.json").read_text()) == {"mean_return": {"value": 0.05, "error": 0.01}, "empty": None}
    facts = json.loads((folder.path / "provenance.json").read_text())
    assert {"git_commit", "git_dirty", "versions", "devices", "seed", "precision", "xla_flags", "timings"} <= set(facts)
    assert {"python", "jax", "jaxlib", "numpy", "optax", "pandas", "hydra-core", "mcengine"} <= set(facts["versions"])
    assert not [file for file in folder.path.iterdir() if file.name.startswith(".")]
    csv = pd.read_csv(folder.path / "figures.csv", index_col=0)
    assert csv.loc["cppi 0.9", "mean_return"] == pytest.approx(table.loc["cppi 0.9", "mean_return"].value)
    assert csv.loc["cppi 0.9", "mean_return_error"] == pytest.approx(table.loc["cppi 0.9", "mean_return"].error)


def test_two_runs_do_not_fill_one_folder(tmp_path):
    folder = RunFolder(tmp_path / "run")
    with folder.alone(), pytest.raises(ValueError, match="another process is at work in it"), RunFolder(folder.path).alone():
        pass
    with folder.alone():
        assert folder.path.is_dir()


def test_collect_sorts_by_what_was_swept(tmp_path):
    for multiplier, policy in ((10, "cppi"), (9, "cppi"), (2.5, "tipp"), (100, "cppi")):
        folder = RunFolder(tmp_path / f"{policy}_{multiplier}")
        folder.begin("")
        folder.finish({"policy": {"multiplier": multiplier}}, {"mean_return": mc.Estimate(0.1, 0.01)}, {"choices": {"policy": policy}})
    runs = mc.collect(tmp_path)
    assert list(zip(runs["policy"], runs["policy.multiplier"], strict=True)) == [("cppi", 9), ("cppi", 10), ("cppi", 100), ("tipp", 2.5)]


def test_collect(tmp_path):
    for name, floor in (("a", 0.7), ("b", 0.9)):
        folder = RunFolder(tmp_path / "sweep" / name)
        folder.begin("")
        metrics = {"mean_return": mc.Estimate(floor / 10, 0.01), "unhedged": {"turnover": mc.Estimate(2.0, 0.1)}}
        folder.finish(
            {"floor": floor, "policy": {"_target_": "x", "multiplier": 4}}, metrics, {**report.provenance(), "seed": 3, "choices": {"policy": "cppi"}}
        )
    RunFolder(tmp_path / "sweep" / "unfinished").begin("")
    for root in (tmp_path, str(tmp_path / "sweep")):
        runs = mc.collect(root)
        assert list(runs["floor"]) == [0.7, 0.9]
        assert runs.attrs["varying"] == ["floor"]
        assert list(runs["mean_return"]) == pytest.approx([0.07, 0.09])
        assert list(runs) == ["floor", "mean_return", "mean_return_error", "unhedged/turnover", "unhedged/turnover_error"]  # what varies, and figures
        everything = mc.collect(root, everything=True)
        assert set(everything["policy"]) == {"cppi"}
        assert {"policy.multiplier", "mean_return_error", "unhedged/turnover", "provenance.git_commit", "provenance.seed"} <= set(everything)
    assert list(mc.collect(tmp_path).index) == ["sweep/a", "sweep/b"]
    alone = mc.collect(tmp_path / "sweep" / "a")
    assert list(alone.index) == ["a"]
    assert alone.attrs["varying"] == []
    assert alone["policy.multiplier"].item() == 4
    assert mc.collect(tmp_path / "sweep" / "unfinished").empty
    with pytest.raises(ValueError, match="collect: expected a folder"):
        mc.collect(tmp_path / "nowhere")


def test_an_index_spares_reading_and_changes_nothing(tmp_path, monkeypatch):
    """A line counts only for the very files that it was made of: torn, changed, moved and missing ones are read from the folders."""
    root, read = tmp_path / "sweep", []

    def finish(name, floor):
        folder = RunFolder(root / name)
        folder.begin("")
        metrics = {"mean_return": mc.Estimate(floor / 3, 0.01), "ruined": None, "unhedged": {"turnover": mc.Estimate(2.0, float("nan"))}, "n": 5}
        folder.finish({"floor": floor, "odd": [1, {"a": None}], "name": "é"}, metrics, {"choices": {"policy": "cppi"}})

    def both():
        """What is collected with the index, which must be what is without; the runs whose folders were read."""
        read.clear()
        found, ran = mc.collect(tmp_path), list(read)
        (root / index.INDEX).rename(tmp_path / "aside")
        without = mc.collect(tmp_path)
        (tmp_path / "aside").rename(root / index.INDEX)
        pd.testing.assert_frame_equal(found, without, check_exact=True)
        return ran

    for k, name in enumerate("abcde"):
        finish(name, 0.5 + k / 7)
        index.append(root, root / name)
    true = index.read_row
    monkeypatch.setattr(index, "read_row", lambda run, **more: read.append(run.name) or true(run, **more))
    before = {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}
    assert both() == []
    assert {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()} == before  # collect writes nothing
    assert mc.collect(root, everything=True).shape[1] > mc.collect(root).shape[1]

    metrics = root / "a" / "metrics.json"  # of the same size and time, in the same place
    then, text = metrics.stat(), metrics.read_text()
    with metrics.open("r+") as out:
        out.write(text.replace("0.1666", "0.1777"))
    os.utime(metrics, ns=(then.st_atime_ns, then.st_mtime_ns))
    finish("b", 0.9)  # run again
    shutil.rmtree(root / "c")
    (root / "d").rename(root / "moved")
    assert both() == ["a", "b", "moved"]
    assert mc.collect(root)["mean_return"].min() == pytest.approx(0.1777, abs=1e-4)
    finish("new", 0.8)
    lines = (root / index.INDEX).read_bytes()
    (root / index.INDEX).write_bytes(lines.replace(b'"floor": 1.07', b'"floor": 2.07'))  # of e
    assert both() == ["a", "b", "e", "moved", "new"]
    for torn in (lines[:-9], b"", b"\xff\n[]\n" + lines, b"\n" * 5, as_line([["e"], 1, {}, {}]), as_line(7)):
        (root / index.INDEX).write_bytes(torn)
        assert set(both()) >= {"a", "b", "moved", "new"}


def test_pictures(tmp_path, result, table, monkeypatch):
    worst = {book: [int(np.argmin(result[book]["wealth"]))] for book in BOOKS}
    ids = sorted({*range(8), *(path for paths in worst.values() for path in paths)})
    trace = result.study.trace(ids)
    alone = mc.Study(result.study.market, result.study.books["cppi 0.9"], steps=4)
    wish = mc.objective.Wish("mean_return", {"breach": {"most": 0.02}, "p20": {"least": 0.9}})
    fit = mc.optimise.fit(alone, wish, paths=256, validation_paths=4096, train=["policy.cppi.multiplier"], progress=False)
    pictures = {
        "wealth": report.plot_wealth(result, 0.9),
        "protection_cost": report.plot_protection_cost(table, 0.9),
        "one_book": report.plot_protection_cost(table.loc[["unhedged"]].drop(columns="difference"), 0.9),
        "fan": report.plot_fan(trace, BOOKS, worst, 0.9),
        "exposure": report.plot_exposure(trace, worst["unhedged"][0], BOOKS, 0.9),
        "fit": report.plot_fit(fit),
        "frontier": report.plot_frontier([fit, fit], "breach", [0.02, 0.01]),
    }
    for name, picture in pictures.items():
        RunFolder(tmp_path).write_picture(name, picture)
        assert (tmp_path / f"{name}.png").stat().st_size > 10_000
        assert all(axis.get_xlabel() or axis.get_shared_x_axes().get_siblings(axis) for axis in picture.axes)
    lowest = pictures["fan"].axes[0].lines[1].get_ydata()
    assert lowest[-1] == pytest.approx(result["unhedged"]["wealth"].min(), rel=1e-5)
    assert "the worst paths of 512" in report.plot_fan(trace, BOOKS, worst, 0.9, 512).get_suptitle()
    assert pictures["frontier"].axes[0].get_xlabel() == "limit of P(below floor) any day, %"
    assert pictures["fit"].get_suptitle().endswith(f"at most {fit.paths:,} paths a run")
    goal, breach, *_, numbers = pictures["fit"].axes
    (found,) = goal.containers  # what unseen paths say, with its interval
    assert found.lines[0].get_ydata() == [100.0 * fit.goal.value]
    low, high = found.lines[2][0].get_segments()[0][:, 1]
    assert high - low == pytest.approx(200.0 * fit.goal.half_width())
    assert "limit 2" in [text.get_text() for text in breach.get_legend().texts]
    assert [text.get_text() for text in numbers.get_legend().texts] == ["cppi.multiplier"]
    monkeypatch.setattr(fit_plots, "_NUMBERS", 0)  # as a network has more than there is room for
    many = report.plot_fit(fit)
    assert many.get_suptitle().splitlines()[0].endswith("floor 0.9, 1 numbers")
    assert "cppi.multiplier" not in [text.get_text() for axis in many.axes if axis.get_legend() for text in axis.get_legend().texts]


def test_a_fit_says_what_its_units_are(result):
    """A return over two years says so beside prices a year; no constraints, no table of them."""
    alone = mc.Study(result.study.market, result.study.books["cppi 0.9"], steps=4)
    verdict = SimpleNamespace(estimate=mc.Estimate(0.01, 0.001), holds=True, bound=0.012)
    constraint = mc.objective.Constraint("breach", most=0.02)
    condition = SimpleNamespace(name="breach", constraint=constraint, measure=mc.objective.measure("breach", mc.objective.Setting(0.9)), limit=0.02)
    condition.sampling = mc.statistics.Sampling()
    term = mc.optimise.Term(condition, verdict, 2.0)
    wish = mc.objective.Wish("mean_return", [constraint])
    fit = mc.optimise.Fit(alone, alone, (), wish, [{"evaluation": 0}], mc.Estimate(0.12, 0.002), (term,), 0.0, "optimal")
    assert fit.says()[0] == "mean return 12.00 ± 0.20 % on unseen paths"
    assert "0.1 % more of it would gain 20 bp a year of mean return" in fit.says()[1]
    longer = dataclasses.replace(fit, before=replace(alone, years=2.0))
    assert longer.says()[0] == "mean return 12.00 ± 0.20 % over 2 years on unseen paths"
    assert "0.1 % more of it would gain 10 bp a year of mean return" in longer.says()[1]
    assert report.constraints(fit).splitlines()[0].split() == ["constraint", "value", "limit", "margin", "holds", "binds"]
    assert report.constraints(dataclasses.replace(fit, terms=())) == ""


# ---- pictures of markets ----


def test_correlation_before_and_after_repair(tmp_path):
    target = np.array([[1.0, 0.9, 0.7], [0.9, 1.0, -0.9], [0.7, -0.9, 1.0]])
    found = corr.nearest(target)
    picture = market_plots.plot_repair(target, found.matrix, ["equity", "bond", "commodity"])
    RunFolder(tmp_path).write_picture("repair", picture)
    assert (tmp_path / "repair.png").stat().st_size > 10_000
    assert f"{found.distance:.2g} apart" in picture.get_suptitle()
    shown = [np.asarray(axis.images[0].get_array()) for axis in picture.axes[:2]]
    np.testing.assert_array_equal(shown, [target, found.matrix])
    assert "0.554" in [text.get_text() for text in picture.axes[1].texts]


@pytest.fixture(scope="module")
def yields():
    """Three years of two yields that move by one factor."""
    moves = np.cumsum(0.06 * np.random.default_rng(2).standard_normal(756))
    return pd.DataFrame({"ust3m": 4.0 + moves, "ust10y": 5.0 + 0.5 * moves}, index=pd.bdate_range("2001-01-02", periods=756))


MATURITIES = {"ust10y": 10.0, "ust3m": 0.25}
RATES = {
    "vasicek": mc.market.Vasicek(0.01, 0.1, 0.04, 0.01),
    "hull_white": mc.market.HullWhite([0.25, 10.0], [0.01, 0.01], kappa=0.1, sigma=0.01, term_premium=0.2),
}


@pytest.mark.parametrize("name", RATES)
def test_bond_index_against_history(name, yields, tmp_path):
    """Both from 100 on the first day, at that day's yields and not the model's own; the history is the index of ``history``."""
    picture = market_plots.plot_bond_index(RATES[name], yields, MATURITIES, paths=256)
    RunFolder(tmp_path).write_picture("bond_index", picture)
    assert (tmp_path / "bond_index.png").stat().st_size > 10_000
    (axis,) = picture.axes
    median, seen = (line.get_ydata() for line in axis.lines)
    assert [line.get_label() for line in axis.lines] == ["median", "history, ust10y"]
    assert seen[0] == pytest.approx(100.0)
    assert median[0] == pytest.approx(100.0, rel=1e-6)
    dt = np.diff(yields.index.to_numpy()).astype("timedelta64[D]").astype(float) / 365.25
    assert seen[-1] == pytest.approx(mc.history.bond_index(yields["ust10y"].to_numpy() / 100.0, dt)[-1])
    # Near 4 % a year on average, where the model's own short rate is 1 %; 7 % a year of volatility over three years and 256 paths.
    assert np.log(median[-1] / 100.0) / 2.9 == pytest.approx(0.045 if name == "hull_white" else 0.04, abs=0.02)
    assert "term premium 0.2" in axis.texts[0].get_text() if name == "hull_white" else "term premium 0" in axis.texts[0].get_text()


@pytest.fixture(scope="module")
def regime_market():
    chain = mc.market.Regimes(("calm", "crash"), {"calm-crash": 4.0, "crash-calm": 8.0})
    equity = mc.market.RegimeGBM(100.0, {"calm": 0.12, "crash": 0.4}, {"calm": 0.1, "crash": -0.3})
    return mc.market.Market({"equity": equity, "gold": mc.market.GBM(50.0, 0.15)}, regimes=chain)


def test_paths_and_volatility_by_regime(regime_market, tmp_path):
    """Every segment has the colour of the regime at its start, above and beneath, and the volatility beneath is that regime's."""
    picture = market_plots.plot_regime_paths(regime_market, years=1.0)
    RunFolder(tmp_path).write_picture("regime_paths", picture)
    assert (tmp_path / "regime_paths.png").stat().st_size > 10_000
    top, _, bottom, other = picture.axes
    assert len(top.collections) == 6
    (levels,) = bottom.collections
    green = np.all(np.isclose(levels.get_colors(), matplotlib.colors.to_rgba(market_plots.REGIME[0])), axis=1)
    heights = np.array([segment[0, 1] for segment in levels.get_segments()])
    assert 0 < green.sum() < green.size == 252
    np.testing.assert_allclose(heights, np.where(green, 12.0, 40.0), rtol=1e-5)
    np.testing.assert_array_equal(top.collections[-1].get_colors(), levels.get_colors())
    np.testing.assert_allclose([s[0, 1] for s in other.collections[0].get_segments()], 15.0, rtol=1e-5)
    assert [text.get_text() for text in picture.legends[0].get_texts()] == ["calm", "crash"]


def test_a_calibration_gets_the_pictures_that_apply(yields, regime_market, monkeypatch):
    """A correlation that was moved, a stochastic rate, regimes; none of them where none is."""
    monkeypatch.setattr(market_plots, "plot_bond_index", lambda rate, frame, years: (list(frame), years))
    monkeypatch.setattr(market_plots, "plot_regime_paths", lambda market: list(market.assets))
    fitted = lambda market, found: SimpleNamespace(  # noqa: E731
        market=market,
        # A heading that is also another column's name, as the shipped bond's is, is that column.
        prices=SimpleNamespace(frame=yields.rename(columns={"ust10y": "DGS10"}), titles={"DGS10": "10 years", "bond": "ust3m"}),
        correlations={pair: mc.Estimate(value, 0.1) for pair, value in found.items()},
        regimes=None,
    )
    plain = fitted(regime_market, {"equity-gold": 0.0})
    assert market_plots.pictures(plain) == {"regime_paths": ["equity", "gold"]}
    assets = {"a": mc.market.GBM(1.0, 0.2), "b": mc.market.GBM(1.0, 0.2)}
    moved = fitted(mc.market.Market(assets, {"a-b": 0.5}, rate=RATES["vasicek"]), {"a-b": 0.9, "a-rate": 0.0, "b-rate": 0.0})
    made = market_plots.pictures(moved, {"10 years": 10.0})
    assert set(made) == {"correlation_repair", "bond_index"}
    assert made["bond_index"] == (["DGS10"], {"DGS10": 10.0})
    assert market_plots.pictures(moved, {"10 years": 10.0, "ust3m": 0.25})["bond_index"][0] == ["DGS10", "ust3m"]
    assert set(market_plots.pictures(moved, {"10 years": 0.5})) == {"correlation_repair"}
