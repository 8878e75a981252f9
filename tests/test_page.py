"""A run's page holds what its folder holds, needs nothing else, and shows what is another's as text."""

import base64
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser

import pandas as pd
import pytest
from matplotlib.figure import Figure

from mcengine import report
from mcengine.report.run_folder import RunFolder
from mcengine.statistics import Estimate

ROWS = {
    "unhedged": {"mean_return": Estimate(0.09, 0.002, 100), "breach_any_day": Estimate(0.234, 0.007, 100)},
    "cppi": {"mean_return": Estimate(0.058, 0.001, 100), "breach_any_day": Estimate(0.001, 0.0005, 100)},
}
CONFIG = {"floor": 0.9, "weights": {"equity": 0.6}, "steps": 252, "years": 1.0}
OUTSIDE = re.compile(r"""(?:src|href)=["'](?!data:)|@import|url\(""")


def made(path, config=CONFIG, metrics=None, **facts):
    """A finished run of two books."""
    folder = RunFolder(path)
    folder.begin("floor: 0.9\n", {"experiment": "hedge", "overrides": [], "config": config})
    folder.write_table("figures", pd.DataFrame.from_dict(ROWS, orient="index"))
    picture = Figure(figsize=(2, 1))
    picture.subplots().plot([0, 1])
    folder.write_picture("protection_cost", picture)
    own = {"mean_return": ROWS["cppi"]["mean_return"], "breach_any_day": ROWS["cppi"]["breach_any_day"], "unhedged": ROWS["unhedged"]}
    told = {"seed": 3, "choices": {"experiment": "hedge", "policy": "cppi"}, "command": "python experiments/hedge.py policy=cppi", **facts}
    folder.finish(config, own if metrics is None else metrics, told)
    return path


def text_of(page):
    words = []
    parser = HTMLParser()
    parser.handle_data = words.append
    parser.feed(page.read_text(encoding="utf-8"))
    return " ".join(" ".join(words).split())


def test_a_run_tells_its_answer_its_figures_and_how_to_run_it_again(tmp_path):
    page = report.write_page(made(tmp_path / "run"))
    text, raw = text_of(page), page.read_text(encoding="utf-8")
    assert "cppi falls below 90% on 0.100 ± 0.050 % of paths and returns 5.80 ± 0.10 %" in text
    assert "unhedged it is 23.40 ± 0.70 % and 9.00 ± 0.20 %" in text
    assert "mean return, % 9.00 ± 0.20 5.80 ± 0.10" in text  # figures down, books across
    assert "python experiments/hedge.py policy=cppi" in text
    assert "floor: 0.9" in text  # the configuration, folded
    assert not OUTSIDE.search(raw)
    pictures = re.findall(r'src="data:image/png;base64,([^"]+)"', raw)
    assert [base64.b64decode(one) for one in pictures] == [(tmp_path / "run" / "protection_cost.png").read_bytes()]


def test_a_run_says_what_binds_and_where_its_numbers_come_from(tmp_path):
    row = {**ROWS["cppi"], "p20": Estimate(0.98, 0.001, 100), "breach_at_end": Estimate(0.0, 0.0001, 100)}
    market = {"equity.sigma": {"value": 0.18, "error": 0.011}, "bond.sigma": {"value": 0.07, "error": 0.002}}
    data = {"prices.csv": {"sha256": "ab12" * 16, "bytes": 3}}
    text = text_of(report.write_page(made(tmp_path / "run", metrics=row, market=market, data=data)))
    assert "cppi: its 20th percentile 0.9800 ± 0.0010 is above the floor 0.9, P(any day below) = 0.00100 ± 0.00050" in text
    assert "The market value ± standard error equity.sigma 0.180 ± 0.011 bond.sigma 0.0700 ± 0.0020" in text
    assert f"prices.csv {'ab12' * 16}" in text
    given = text_of(report.write_page(made(tmp_path / "given", market={"equity.sigma": {"value": 0.18, "error": None}})))
    assert "equity.sigma 0.18 given, not calibrated: without errors" in given


def test_weights_and_hedged_assets_are_those_of_the_market(tmp_path):
    config = {**CONFIG, "policy": {"stages": [{"asset": "equity"}], "weights": {"equity": 0.6}}}
    hedged = {"policy.stages[0].asset": "A", "policy.none.asset": "A", "policy.stages[7].asset": "A"}
    folder = made(tmp_path / "run", config, weights={"A": 0.5, "B": 0.5}, hedged=hedged)
    text = text_of(report.write_page(folder))
    assert "A: 0.5, B: 0.5" in text.partition("Configuration")[0]
    assert "weights.A: 0.5" in text.partition("Configuration")[2]
    assert "equity: 0.6" not in text
    halves = {"A": 0.5, "B": 0.5}
    assert report.Run(folder).config == {**config, "weights": halves, "policy": {"stages": [{"asset": "A"}], "weights": halves}}


def test_what_a_folder_says_is_text_and_never_markup(tmp_path):
    page = report.write_page(made(tmp_path / "run", command="<script>alert(1)</script>"))
    assert "<script>alert" not in page.read_text(encoding="utf-8")
    assert "<script>alert(1)</script>" in text_of(page)


def test_of_several_policies_the_answer_is_the_best_that_holds(tmp_path):
    metrics = {"floor_0.9": ROWS, "floor_0.95": {"unhedged": ROWS["unhedged"]}}
    text = text_of(report.write_page(made(tmp_path / "run", {**CONFIG, "objective": {"probability": 0.005}}, metrics)))
    assert "Of those that hold it, the highest return: cppi falls below 90%" in text
    assert "No policy here keeps a floor of 95%" in text


FITTED = {
    "mean_return": Estimate(0.06, 0.001),
    "holds": True,
    "constraints": {"breach": {"confidence": 0.99}},
    "before": ROWS["cppi"],
    "after": ROWS["unhedged"],
}
ON_WINDOWS = "is kept on the windows it was fitted to, which says nothing of others."


@pytest.mark.parametrize(
    ("holds", "confidences", "said"),
    [
        (True, (None,), f"what was wished for {ON_WINDOWS}"),
        (False, (None,), "what was wished for is not kept on the windows it was fitted to."),
        (True, (0.99, None), f"what was wished for holds on unseen paths and {ON_WINDOWS}"),
        (False, (0.99,), "what was wished for is not shown to hold."),
        (True, (), "before on 0.100 ± 0.050 %."),
    ],
)
def test_a_fit_to_windows_of_history_is_no_proof(tmp_path, holds, confidences, said):
    terms = {f"term {k}": {"confidence": one} for k, one in enumerate(confidences)}
    folder = made(tmp_path / "run", {**CONFIG, "years": 3.0}, FITTED | {"holds": holds, "constraints": terms})
    text = text_of(report.write_page(folder))
    assert said in text
    assert "returns 9.00 ± 0.20 %, before 5.80 ± 0.10 % over 3 years, and" in text


def test_a_figure_of_too_few_draws_has_no_error_and_the_answer_says_so(tmp_path):
    never = {**ROWS["cppi"], "breach_any_day": Estimate(0.0, float("nan"))}
    text = text_of(report.write_page(made(tmp_path / "run", metrics=FITTED | {"after": never})))
    assert "falls below the floor on 0 (no error: too few draws) % of paths, before on 0.100 ± 0.050 %" in text


def test_a_table_has_figures_in_their_units_or_all_as_written(tmp_path):
    """A frontier's goal is a figure and its other columns are none, so all are fractions; a user's own outcome is what it is beside figures."""
    folder = made(tmp_path / "run")
    cells = {"mean_return": [Estimate(0.05, 0.001)], "breach_value": [Estimate(0.004, 0.0005)], "price": [1.5], "holds": [True]}
    RunFolder(folder).write_table("frontier", pd.DataFrame(cells, index=pd.Index([0.005], name="breach")))
    RunFolder(folder).write_table("mine", pd.DataFrame({"mean_return": [Estimate(0.05, 0.001)], "my_outcome": [Estimate(0.5, 0.01)]}, index=["cppi"]))
    text = text_of(report.write_page(folder))
    assert "frontier breach mean_ return breach_ value price holds 0.005 0.0500 ± 0.0010 0.0040 ± 0.0005 1.5 True" in text
    assert "Tables that sort are as their files have them" in text
    assert "cppi mean return, % 5.00 ± 0.10 my outcome 0.500 ± 0.010" in text


def test_a_back_test_says_how_often_the_floor_was_kept_and_what_came(tmp_path):
    figures = {"cppi": {"annual_return": 0.051}, "unhedged": {"annual_return": 0.0723}}
    found = {"book": "cppi", "floor": {"years": 10, "kept": {"cppi": 9, "unhedged": 6}}, "figures": figures}
    text = text_of(report.write_page(made(tmp_path / "run", metrics=found)))
    assert "cppi kept the floor of 90% in 9 of 10 years and returned 5.10 % a year; unhedged kept the floor of 90% in 6 of 10 years" in text
    assert "returned 7.23 % a year." in text


def test_a_fit_s_page_says_what_came_of_it_and_folds_what_is_long(tmp_path):
    """Numbers beside others are in the unit of the file, whether or not they have an error; figures are in that of their metric."""
    folder = made(tmp_path / "run", metrics=FITTED)
    short = pd.DataFrame({"value": [Estimate(0.002, 0.0005)], "limit": ["at most 0.005"], "margin": [0.003]}, index=["breach"])
    RunFolder(folder).write_table("constraints", short)
    RunFolder(folder).write_table("fit", pd.DataFrame({"mean_return": [0.05] * 40}))
    regimes = pd.DataFrame({"volatility_in_calm": [Estimate(0.1, 0.001)]}, index=["cppi"])
    RunFolder(folder).write_table("regimes", regimes)
    page = report.write_page(folder)
    text = text_of(page)
    assert "Fitted, the rule returns 9.00 ± 0.20 %, before 5.80 ± 0.10 %" in text
    assert "; what was wished for holds." in text
    assert "breach 0.0020 ± 0.0005 at most 0.005 0.003" in text
    assert "volatility in calm, % 10.00 ± 0.10" in text
    raw = page.read_text(encoding="utf-8")
    assert raw.index("<img") < raw.index("<details><summary>fit: 40 rows") < raw.index("<summary>Configuration")


def test_a_sweep_shows_what_was_swept(tmp_path):
    for multiplier in (2, 10, 5):
        metrics = {"mean_return": Estimate(0.01 * multiplier, 0.001, 100)}
        made(tmp_path / f"multiplier={multiplier}", {**CONFIG, "policy": {"multiplier": multiplier}}, metrics)
    page = report.write_page(tmp_path)
    text = text_of(page)
    assert "3 runs" in text
    assert "The highest mean return, 10.00 ± 0.10 %, is at policy.multiplier = 10" in text
    assert 'data-value="10.0"' in page.read_text(encoding="utf-8")  # numbers sort as numbers


def test_a_folder_without_a_run_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"expected a finished run in .* or below, got none"):
        report.write_page(tmp_path)
    with pytest.raises(ValueError, match="expected a folder, got"):
        report.write_page(tmp_path / "none")


WITHOUT = {"mean_return": {"value": 0.1, "error": 0.01}}


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("provenance.json", {"config": {}, "choices": None, "timings": None}),
        ("provenance.json", {"config": {"objective": None, "floor": "high", "weights": 3}, "choices": {}}),
        ("metrics.json", {"floor_0.9": {"cppi": WITHOUT}, "floor_x": 3, "formula": {"price": "dear"}, "price": {"value": 1.0, "error": 0.1}}),
        ("metrics.json", {"breach_any_day": {"value": None, "error": 0.1}, **WITHOUT}),
    ],
)
def test_a_folder_of_anothers_is_shown_as_far_as_it_can_be_read(tmp_path, file, content):
    folder = made(tmp_path / "run")
    (folder / file).write_text(json.dumps(content))
    (folder / "ragged.csv").write_text("a,b,b_error\n1\n2,3,4,5\n")
    assert "ragged" in text_of(report.write_page(folder))


@pytest.mark.parametrize(
    ("objective", "said"),
    [
        ({"constraints": {"breach": {"most": 0.02}}}, "Of those that hold it, the highest return: cppi falls below 90%"),
        ({"constraints": {"breach": {"most": 0.0001}}}, "No policy here keeps a floor of 90% with P(any day below) at most 0.0%"),
        ({"constraints": {"p20": {"least": 0.97}}}, ""),
    ],
)
def test_the_limit_is_that_of_the_wish(tmp_path, objective, said):
    text = text_of(report.write_page(made(tmp_path / "run", {**CONFIG, "objective": objective}, {"floor_0.9": ROWS})))
    assert said in text
    assert said or "hold" not in text.partition("figures")[0]


BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def opened(page, tmp_path, *flags, script=""):
    """The page's DOM after ``script``, as Chromium has it without a network."""
    copy = tmp_path / "copy.html"
    copy.write_text(page.read_text(encoding="utf-8").replace("</body>", f"<script>{script}</script></body>"), encoding="utf-8")
    options = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--no-first-run",
        "--disable-background-networking",
        "--host-resolver-rules=MAP * ~NOTFOUND",
    ]
    options.append(f"--user-data-dir={tmp_path / 'profile'}")
    return subprocess.run([BROWSER, *options, *flags, "--dump-dom", copy.as_uri()], capture_output=True, text=True, timeout=120, check=True).stdout


@pytest.mark.slow
@pytest.mark.skipif(BROWSER is None, reason="no Chromium")
def test_a_browser_shows_and_sorts_the_page(tmp_path):
    for multiplier in (2, 10, 5):
        made(tmp_path / f"m{multiplier}", {**CONFIG, "policy": {"multiplier": multiplier}}, {"mean_return": Estimate(0.01 * multiplier, 0.001, 100)})
    page = report.write_page(tmp_path)
    click = "for (const head of document.querySelectorAll('th')) if (head.textContent === 'policy.multiplier') head.click();"
    assert re.findall(r"<td>(m\d+)</td>", opened(page, tmp_path, script=click)) == ["m2", "m5", "m10"]


@pytest.mark.slow
@pytest.mark.skipif(BROWSER is None, reason="no Chromium")
def test_a_browser_fits_the_page_to_a_phone_light_and_dark_with_its_pictures(tmp_path):
    page = report.write_page(made(tmp_path / "run", command="python experiments/hedge.py " + "policy.multiplier=4 " * 20))
    script = """const root = document.documentElement, image = document.querySelector("img"); image.loading = "eager";
      const told = () => [root.scrollWidth <= innerWidth, image.naturalWidth, getComputedStyle(document.body).backgroundColor].join("|");
      image.decode().then(() => root.dataset.seen = told());"""
    seen = {}
    for name, scheme in (("dark", 0), ("light", 1)):
        flags = [f"--blink-settings=preferredColorScheme={scheme}", "--window-size=390,844", "--virtual-time-budget=5000"]
        seen[name] = re.search('data-seen="([^"]*)"', opened(page, tmp_path, *flags, script=script))[1]
    assert seen == {"dark": "true|300|rgb(20, 24, 28)", "light": "true|300|rgb(255, 255, 255)"}
