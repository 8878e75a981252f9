"""Run folders are complete or not there, tables keep their errors, pictures are made of what they are given."""

import json

import numpy as np
import pandas as pd
import pytest

import mcengine as mc
from mcengine import objective, report
from mcengine.report.run_folder import RunFolder

BOOKS = ("unhedged", "cppi 0.9")


@pytest.fixture(scope="module")
def result():
    market = mc.market.Market({"equity": mc.market.GBM(spot=100.0, sigma=0.2, drift=0.07)}, rate=0.03)
    presets, weights = mc.policy.presets, {"equity": 0.9}
    study = mc.Study(market, dict(zip(BOOKS, (presets.unhedged(weights), presets.cppi(weights, 0.9)), strict=True)), steps=12)
    return study.run(512, progress=False)


@pytest.fixture(scope="module")
def table(result):
    return objective.table(result, 0.9)


def test_text_has_every_figure_with_its_error(table):
    lines = report.text(table, name=lambda book: book.split(" ")[0]).splitlines()
    assert lines[0].split() == ["unhedged", "cppi"]
    assert len(lines) == 2 + len(table.columns)
    assert max(map(len, lines)) <= 160
    for line, figure in zip(lines[2:], table.columns, strict=True):
        assert line.startswith(figure)
        missing = sum(not isinstance(cell, mc.Estimate) for cell in table[figure])
        assert line.count("±") == len(table) - missing


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
    assert report.verdict("mean return", mc.Estimate(0.01, 0.001)).startswith("The mean return rises by 1.00 ± 0.10 %: 10 standard")
    assert "falls" in report.verdict("mean return", mc.Estimate(-0.01, 0.001))


def test_run_folder(tmp_path, table):
    config, folder = {"policy": {"_target_": "a.cppi", "floor": 0.9}, "weights": [1, 2]}, RunFolder(tmp_path / "run")
    folder.begin("floor: 0.9\n")
    folder.write_table("figures", table)
    assert not folder.is_finished(config)
    folder.finish(
        config,
        {"mean return": mc.Estimate(0.05, 0.01), "empty": float("nan")},
        {**report.provenance(), "seed": 1, "timings": {"run_seconds": np.float64(2.0)}},
    )
    assert folder.is_finished(config)
    with pytest.raises(ValueError, match="holds the finished run of another configuration"):
        folder.is_finished({"policy": 1})
    assert json.loads((folder.path / "metrics.json").read_text()) == {"mean return": {"value": 0.05, "error": 0.01}, "empty": None}
    facts = json.loads((folder.path / "provenance.json").read_text())
    assert {"git_commit", "git_dirty", "versions", "devices", "seed", "precision", "xla_flags", "timings"} <= set(facts)
    assert {"python", "jax", "jaxlib", "numpy", "optax", "pandas", "hydra-core", "mcengine"} <= set(facts["versions"])
    assert not [file for file in folder.path.iterdir() if file.name.startswith(".")]
    csv = pd.read_csv(folder.path / "figures.csv", index_col=0)
    assert csv.loc["cppi 0.9", "mean return"] == pytest.approx(table.loc["cppi 0.9", "mean return"].value)
    assert csv.loc["cppi 0.9", "mean return error"] == pytest.approx(table.loc["cppi 0.9", "mean return"].error)


def test_collect(tmp_path):
    for name, floor in (("a", 0.7), ("b", 0.9)):
        folder = RunFolder(tmp_path / "sweep" / name)
        folder.begin("")
        metrics = {"mean return": mc.Estimate(floor / 10, 0.01), "unhedged": {"turnover": mc.Estimate(2.0, 0.1)}}
        folder.finish(
            {"floor": floor, "policy": {"_target_": "x", "multiplier": 4}}, metrics, {**report.provenance(), "seed": 3, "choices": {"policy": "cppi"}}
        )
    RunFolder(tmp_path / "sweep" / "unfinished").begin("")
    for root in (tmp_path, str(tmp_path / "sweep")):
        runs = mc.collect(root)
        assert list(runs["floor"]) == [0.7, 0.9]
        assert list(runs["mean return"]) == pytest.approx([0.07, 0.09])
        assert set(runs["policy"]) == {"cppi"}
        assert {"policy.multiplier", "mean return error", "unhedged/turnover", "provenance.git_commit", "provenance.seed"} <= set(runs)
    assert len(mc.collect(tmp_path / "sweep" / "a")) == 1
    assert mc.collect(tmp_path / "sweep" / "unfinished").empty
    with pytest.raises(ValueError, match="collect: expected a folder"):
        mc.collect(tmp_path / "nowhere")


def test_pictures(tmp_path, result, table):
    worst = {book: [int(np.argmin(result[book]["wealth"]))] for book in BOOKS}
    ids = sorted({*range(8), *(path for paths in worst.values() for path in paths)})
    trace = result.study.trace(ids)
    history = pd.DataFrame({"loss": [2.0, 1.0], "return": [0.1, 0.2], "breach": [0.1, 0.0], "price": [1.0, 2.0], "policy.x": [1.0, 2.0]})
    pictures = {
        "wealth": report.plot_wealth(result, 0.9),
        "protection_cost": report.plot_protection_cost(table, 0.9),
        "one_book": report.plot_protection_cost(table.loc[["unhedged"]].drop(columns="difference to A"), 0.9),
        "fan": report.plot_fan(trace, BOOKS, worst, 0.9),
        "exposure": report.plot_exposure(trace, worst["unhedged"][0], BOOKS, 0.9),
        "fit": report.plot_fit(history, 0.005),
    }
    for name, picture in pictures.items():
        RunFolder(tmp_path).write_picture(name, picture)
        assert (tmp_path / f"{name}.png").stat().st_size > 10_000
        assert all(axis.get_xlabel() or axis.get_shared_x_axes().get_siblings(axis) for axis in picture.axes)
    lowest = pictures["fan"].axes[0].lines[1].get_ydata()
    assert lowest[-1] == pytest.approx(result["unhedged"]["wealth"].min(), rel=1e-5)


def test_one_colour_a_policy():
    assert report.colour("cppi 0.7") == report.colour("cppi 0.9") == report.colour("cppi")
    assert len({report.colour(book) for book in ("unhedged", "static_put", "rolled_put", "stop_loss", "cppi", "vol_target_cppi")}) == 6
