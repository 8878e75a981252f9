"""One style: a look for every policy, told apart by deuteranopes; figures that show by themselves; heat maps, responses, cushion and ladder."""

import dataclasses
import re

import numpy as np
import pandas as pd
import pytest

import mcengine as mc
from mcengine import objective, report
from mcengine.report import plots
from mcengine.report.picture_style import PALETTE
from mcengine.report.run_folder import RunFolder


@pytest.fixture(scope="module")
def result():
    market = mc.market.Market({"equity": mc.market.GBM(spot=100.0, sigma=0.2, drift=0.07)}, rate=0.03)
    presets, weights = mc.policy.presets, {"equity": 0.9}
    policies = {"unhedged": presets.unhedged(weights), "cppi 0.9": presets.cppi(weights, 0.9)}
    return mc.Study(market, policies, mc.ledger.Proportional(5e-4), steps=12).run(512, progress=False)


@pytest.fixture(scope="module")
def table(result):
    return objective.table(result, 0.9)


def lab(hexes, deuteranope=False):
    """CIELAB of colours (D65), as seen by a trichromat, or by a deuteranope: Machado, Oliveira & Fernandes 2009, severity 1, on linear RGB."""
    rgb = np.array([[int(h[i : i + 2], 16) / 255.0 for i in (1, 3, 5)] for h in hexes])
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    if deuteranope:
        seen = np.array([[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]])
        linear = np.clip(linear @ seen.T, 0.0, 1.0)
    xyz = linear @ np.array([[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]).T
    f = xyz / np.array([0.95047, 1.0, 1.08883])
    f = np.where(f > (6 / 29) ** 3, np.cbrt(f), f / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.stack([116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])], axis=1)


def nearest(points):
    between = np.linalg.norm(points[:, None] - points[None], axis=-1)
    return between[~np.eye(len(points), dtype=bool)].min()


def test_twelve_colours_are_told_apart_by_a_deuteranope_too():
    """A difference of 2.3 is just noticeable (Mahy, Van Eycken & Oosterlinck 1994); the usual red and green, 60 apart, come to 11."""
    assert len(set(PALETTE)) == 12
    assert nearest(lab(PALETTE)) > 21.0
    assert nearest(lab(PALETTE, deuteranope=True)) > 21.0
    assert nearest(lab(["#D62728", "#2CA02C"])) > 60.0 > 21.0 > nearest(lab(["#D62728", "#2CA02C"], deuteranope=True))
    assert lab(PALETTE)[:, 0].max() < 82.0  # on white


def test_every_policy_has_a_look_of_its_own_whatever_its_floor():
    names = [file.stem for file in (mc.config.CONF / "policy").glob("*.yaml")]
    assert set(names) <= set(report.STYLES)
    assert len(set(report.STYLES.values())) == len(report.STYLES) > 30
    assert len({look[0::2] for look in report.STYLES.values()}) == len(report.STYLES)  # points have no dash
    assert report.style("cppi 0.7") == report.style("cppi 0.9") == report.STYLES["cppi"]
    assert report.style("my_rule") == report.style("my_rule 0.9") not in report.STYLES.values()
    assert report.colour("cppi") == report.style("cppi").colour


def test_a_figure_shows_without_pyplot(table):
    figure = report.plot_protection_cost(table, 0.9)
    from IPython.core.formatters import DisplayFormatter

    shown, _ = DisplayFormatter().format(figure)
    assert shown["image/png"][:8] == b"\x89PNG\r\n\x1a\n"
    assert "512 paths · seed 0" in figure.get_suptitle()


def test_pictures_as_svg_beside_png(tmp_path, table):
    folder = RunFolder(tmp_path / "run")
    folder.begin("", {"experiment": "hedge", "overrides": [], "config": {"plots": "svg"}})
    folder.write_picture("cost", report.plot_protection_cost(table, 0.9))
    assert {file.name for file in folder.path.glob("cost.*")} == {"cost.png", "cost.svg"}
    assert "<svg" in (folder.path / "cost.svg").read_text()
    folder.begin("", {"experiment": "hedge", "overrides": [], "config": {"plots": True}})
    folder.write_picture("other", report.plot_protection_cost(table, 0.9))
    assert {file.name for file in folder.path.glob("other.*")} == {"other.png"}


def test_a_title_says_how_many_of_the_paths_are_drawn(monkeypatch, result):
    assert "· 512 paths ·" in report.plot_wealth(result, 0.9).get_suptitle()
    kept = {book: {name: x[:256] for name, x in columns.items()} for book, columns in result.outcomes.items()}
    assert "· 256 of 512 paths ·" in report.plot_wealth(dataclasses.replace(result, outcomes=kept, kept=256), 0.9).get_suptitle()
    monkeypatch.setattr(plots, "_SHOWN", 100)
    picture = report.plot_wealth(result, 0.9)
    assert "· 100 of 512 paths ·" in picture.get_suptitle()
    assert f"mean {mc.statistics.estimate.mean(result['unhedged']['wealth'][:100])}" in picture.axes[0].texts[1].get_text()


def sweep(**columns):
    count = len(next(iter(columns.values())))
    return pd.DataFrame({**columns, "mean_return": np.linspace(0.02, 0.08, count), "mean_return_error": [0.001] * count})


def test_the_response_of_a_sweep(tmp_path):
    """One number: a line with its errors; two: a surface with every value in its place; a word: a line each, in the policy's colour."""
    one = report.plot_response(sweep(floor=[0.9, 0.7, 0.8]))
    (axis,) = one.axes
    np.testing.assert_allclose(axis.lines[0].get_xdata(), [0.7, 0.8, 0.9])
    np.testing.assert_allclose(axis.lines[0].get_ydata(), [5.0, 8.0, 2.0])
    bar = axis.containers[0].lines[2][0].get_segments()[0]
    assert bar[1, 1] - bar[0, 1] == pytest.approx(2 * 1.96 * 0.1)
    two = report.plot_response(sweep(floor=[0.7, 0.7, 0.9, 0.9], multiplier=[2.0, 4.0, 2.0, 4.0]))
    np.testing.assert_allclose(np.asarray(two.axes[0].images[0].get_array()), [[2.0, 4.0], [6.0, 8.0]])
    assert "largest standard error 0.1" in two.get_suptitle()
    lines = report.plot_response(sweep(policy=["tipp", "cppi"] * 2, floor=[0.7, 0.7, 0.9, 0.9]))
    assert [line.get_color() for line in lines.axes[0].lines if line.get_marker() != "_"][:1] == [report.colour("tipp")]
    for name, picture in {"one": one, "two": two, "lines": lines}.items():
        RunFolder(tmp_path).write_picture(name, picture)
    with pytest.raises(ValueError, match=r"a number among them, got policy"):
        report.plot_response(sweep(policy=["tipp", "cppi"]))
    with pytest.raises(ValueError, match="expected a column of the sweep, got 'turnover'"):
        report.plot_response(sweep(floor=[0.7, 0.9]), "turnover")


def test_a_sweep_s_page_begins_with_its_response(tmp_path):
    for multiplier in (2, 4, 6):
        folder = RunFolder(tmp_path / f"m{multiplier}")
        folder.begin("")
        found = {"mean_return": mc.Estimate(0.01 * multiplier, 0.001), "breach_any_day": mc.Estimate(0.001 * multiplier, 1e-4)}
        folder.finish({"policy": {"multiplier": multiplier}}, found, {"choices": {"policy": "cppi"}})
    page = report.write_page(tmp_path).read_text()
    titles = re.findall(r'response: ([^<"]*)[<"]', page)
    assert list(dict.fromkeys(titles)) == ["mean return", "P(below floor) any day"]
    assert page.count("data:image/png;base64,") == 2


def test_a_heat_map_has_its_errors_and_the_correlation_its_numbers(tmp_path, table):
    heat = report.plot_heat(table[["mean_return", "volatility"]], "By market", unit="%", factor=100.0)
    cells = [text.get_text() for text in heat.axes[0].texts]
    assert cells[0] == str(table.loc["unhedged", "mean_return"].scaled(100.0)).replace(" ± ", "\n± ")
    assert len(cells) == 4
    matrix = pd.DataFrame([[1.0, -0.3], [-0.3, 1.0]], ["a", "b"], ["a", "b"])
    picture = report.plot_correlation(matrix, errors=0.02 * (matrix < 1.0))
    assert [text.get_text() for text in picture.axes[0].texts] == ["1.00", "-0.30\n± 0.02", "-0.30\n± 0.02", "1.00"]
    for name, one in {"heat": heat, "matrix": picture}.items():
        RunFolder(tmp_path).write_picture(name, one)


def test_cushion_and_ladder_along_a_path(tmp_path, result):
    """The ladder's levels are those of its own memory: what is held falls on the dates on which a rung is entered."""
    rungs = {"tighten": mc.policy.Rung(0.02, 0.01, mc.policy.Derisk(0.5)), "stop": mc.policy.Rung(0.05, 0.02, mc.policy.Derisk(0.0))}
    policy = mc.policy.chain(mc.policy.Mix(equity=0.9), mc.policy.Ladder(rungs))
    trace = mc.Study(result.study.market, policy, mc.ledger.Proportional(5e-4), steps=12).trace(range(16))
    tighten, stop = trace["level_tighten"], trace["level_stop"]
    assert (tighten >= stop).all()
    assert 0.0 < stop.mean() < tighten.mean() < 1.0
    held = trace.loc[trace.index.get_level_values("step") > 0, "equity.units"]
    assert (held[stop.loc[held.index] == 1.0].abs() < 1e-6).all()
    path = int(tighten.groupby("path").sum().idxmax())
    picture = report.plot_cushion(trace, path, 0.9)
    assert [area.get_label() for area in picture.axes[2].collections] == ["tighten", "stop"]
    wealth = trace.loc[path, "wealth"].to_numpy()
    np.testing.assert_allclose(picture.axes[1].lines[1].get_ydata(), 100.0 * (1.0 - 0.9 / wealth))
    RunFolder(tmp_path).write_picture("cushion", picture)
