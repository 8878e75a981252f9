"""What comes back from a run: its folder loaded, run again to the same bits, and compared with another; where it comes from."""

import hashlib
import importlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pandas as pd
import pytest

import mcengine as mc
from mcengine import _noted, config, report
from mcengine.statistics import Figure, Sampling
from mcengine.statistics.figure import Column
from mcengine.statistics.paired import difference

SCRIPTS = Path(__file__).resolve().parent.parent / "experiments"
FAST = ["market=lognormal", "steps=12", "plots=false", "engine.block=1024", "engine.devices=1"]
PATHS = 2048
OTHERS = [
    ("seed", "independent: seed is 0 and 1"),
    ("fewer", "independent: 2,048 and 1,024 paths"),
    ("double", "independent: precision is float32 and float64"),
]


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Folders of hedge.py: a rule, the same with another multiplier, seed or number of paths, traced, of other dates, market and precision."""
    root = tmp_path_factory.mktemp("runs")
    given = {"four": [], "six": ["policy.multiplier=6"], "seed": ["seed=1"], "fewer": ["paths=1024"], "traced": ["trace=[0,3]"]}
    given |= {"dates": ["steps=10"], "market": ["market.rate=0.01"], "double": ["precision=float64"]}
    x64 = jax.config.jax_enable_x64
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        patch.syspath_prepend(str(SCRIPTS))
        hedge = importlib.import_module("hedge")
        for name, words in given.items():
            assert hedge.main(["policy=cppi", *FAST, f"paths={PATHS}", *words, f"hydra.run.dir={name}"]) == 0
    jax.config.update("jax_enable_x64", x64)
    return {name: root / name for name in given}


class TestLoad:
    def test_a_run_is_run_again_to_the_same_bits(self, runs, capsys):
        run = mc.load(runs["six"])
        assert run.options == {"paths": PATHS, "seed": 0, "stream": "test"}
        again = run.study.run(**run.options, block=1024, devices=1, progress=False)
        assert {book: set(columns) for book, columns in again.outcomes.items()} == {book: set(columns) for book, columns in run.outcomes.items()}
        for book, columns in run.outcomes.items():
            for name, values in columns.items():
                np.testing.assert_array_equal(again[book][name], values)

    def test_figures_and_tables_are_those_of_the_run(self, runs):
        run = mc.load(str(runs["six"]))
        wealth = run.outcomes["cppi"]["wealth"]
        assert run.figures["mean_return"].value == pytest.approx(float(np.mean(wealth, dtype=np.float64)) - 1.0, rel=1e-9)
        assert run.figures["unhedged/breach_any_day"].error > 0.0
        cell = run.tables["figures"].loc["cppi", "mean_return"]
        assert (cell.value, cell.error) == pytest.approx((run.figures["mean_return"].value, run.figures["mean_return"].error))
        assert run.tables["figures"].loc["unhedged", "difference"] is None
        assert (run.experiment, run.config["policy"]["multiplier"], run.traces) == ("hedge", 6, None)

    def test_a_trace(self, runs):
        run = mc.load(runs["traced"])
        pd.testing.assert_index_equal(run.traces.index, run.study.trace([0, 3]).index)
        assert run.outcomes == {}

    def test_what_is_no_run(self, runs, tmp_path):
        with pytest.raises(ValueError, match=r"expected the folder of a finished run, got .*; it has 8 below it: mc.collect shows them"):
            mc.load(runs["six"].parent)
        with pytest.raises(ValueError, match=r"expected a run that mc\.load opened"):
            _ = report.Run(runs["six"]).study
        contract = tmp_path / "price"
        contract.mkdir()
        (contract / "metrics.json").write_text("{}")
        (contract / "config.yaml").write_text("market: {}\ninstrument: {}\n")
        with pytest.raises(ValueError, match="expected a run of rules on a market"):
            _ = mc.load(contract).study


def test_a_configuration_is_that_of_one_policy_unless_another_is_named():
    assert float(mc.build(mc.load_config(["policy=cppi", "policy.multiplier=5"]).policy)["cppi"].multiplier) == 5.0
    assert set(mc.load_config(name="study").policies) >= {"unhedged", "cppi"}


def test_long_names_of_a_sweep_are_shown_by_their_hash_and_found_by_it(runs, tmp_path):
    for k, name in enumerate(("four", "six")):
        shutil.copytree(runs[name], tmp_path / f"policy.multiplier={k},floor=0.9_0a1b2c3{k}")
    table = mc.collect(tmp_path)
    assert list(table.index) == ["0a1b2c30", "0a1b2c31"]
    assert list(table["policy.multiplier"]) == [4.0, 6.0]
    assert mc.load(tmp_path / "0a1b2c31").config["policy"]["multiplier"] == 6
    assert mc.compare(tmp_path / "0a1b2c30", tmp_path / "0a1b2c31", ["p20"]).loc["p20", "errors"] == "paired: same paths"


class TestCompare:
    def test_of_the_same_paths_it_is_paired(self, runs):
        table = mc.compare(runs["four"], runs["six"])
        assert set(table["errors"]) == {"paired: same paths"}
        one, two = (mc.load(runs[name]).outcomes["cppi"] for name in ("four", "six"))
        gain = np.asarray(two["wealth"], np.float64) - one["wealth"]
        found = table.loc["mean_return", "difference"]
        assert (found.value, found.error) == pytest.approx((gain.mean(), gain.std(ddof=1) / np.sqrt(PATHS)), rel=1e-6)
        assert found.error < 0.7 * np.hypot(table.loc["mean_return", "a"].error, table.loc["mean_return", "b"].error)
        assert table.loc["unhedged/p20", "difference"].value == 0.0

    def test_a_loaded_run_serves_as_well_and_figures_are_chosen_by_name(self, runs):
        table = mc.compare(mc.load(runs["four"]), runs["six"], ["p20", "breach_any_day"])
        assert list(table.index) == ["p20", "breach_any_day"]
        with pytest.raises(ValueError, match=r"'p2' is no figure of both runs; did you mean p20"):
            mc.compare(runs["four"], runs["six"], ["p2"])

    def test_of_the_same_random_numbers_it_says_what_is_another(self, runs):
        said = {other: mc.compare(runs["four"], runs[other], ["p20"]).loc["p20", "errors"] for other in ("dates", "market")}
        assert said == {"dates": "paired: same random numbers, other dates", "market": "paired: same random numbers, another market"}

    @pytest.mark.parametrize(("other", "said"), OTHERS)
    def test_of_other_paths_it_is_not_and_says_why(self, runs, other, said):
        row = mc.compare(runs["four"], runs[other], ["p20"]).loc["p20"]
        assert row["errors"] == said
        assert row["difference"].error == pytest.approx(np.hypot(row["a"].error, row["b"].error))

    @pytest.mark.parametrize("how", [("mean", 0.0), ("quantile", 0.2), ("tail_mean", 0.05), ("probability", 0.0)])
    def test_the_paired_error_is_that_of_resampled_paths(self, how):
        """Of 400 resamples: the error of their deviation is 3.5 %, that of a quantile's slope some 5 % more."""
        random = np.random.default_rng(5)
        z = random.standard_normal((2, 4096))
        x, y = 1.0 + 0.2 * z[0], 1.02 + 0.15 * (0.9 * z[0] + np.sqrt(0.19) * z[1])
        if how[0] == "probability":
            x, y = x < 0.9, y < 0.9
        kind, level = how
        figure = Figure(Column("book", "wealth"), kind, level)
        of = lambda values: {"book": {"wealth": values}}  # noqa: E731
        found = difference(figure, of(x), figure, of(y))
        picks = random.integers(0, 4096, (400, 4096))
        spread = np.std([figure.exact(of(y[p])).value - figure.exact(of(x[p])).value for p in picks], ddof=1)
        assert found.error == pytest.approx(spread, rel=0.2)
        assert found.error < 0.8 * np.hypot(figure.exact(of(x)).error, figure.exact(of(y)).error)

    def test_pairs_and_windows_have_their_errors(self):
        random = np.random.default_rng(2)
        x, y = random.standard_normal((2, 1000))
        figure = Figure(Column("book", "wealth"))
        of = lambda values: {"book": {"wealth": values}}  # noqa: E731
        found = difference(figure, of(x), figure, of(y), Sampling("pairs", 2))
        halves = (y - x).reshape(-1, 2).mean(axis=1)
        assert found.error == pytest.approx(halves.std(ddof=1) / np.sqrt(500))
        assert difference(figure, of(x), figure, of(y), Sampling("windows", 5)).sampling == "windows"

    def test_two_probabilities_that_no_path_tells_apart(self):
        figure, of = Figure(Column("book", "hit"), "probability"), {"book": {"hit": np.zeros(1000)}}
        found = difference(figure, of, figure, of)
        assert found.value == 0.0
        assert found.error == pytest.approx(1e-3, rel=0.01)


class TestProvenance:
    def test_a_run_keeps_its_market_its_seconds_and_whether_it_was_small(self, runs):
        facts = json.loads((runs["six"] / "provenance.json").read_text())
        assert facts["market"]["assets.equity.sigma"] == {"value": pytest.approx(0.18), "error": None}
        assert facts["mc_small"] is False
        assert facts["sampling"] == {"kind": "iid", "size": 1}
        first = json.loads((runs["four"] / "provenance.json").read_text())["timings"]
        assert first["compile_seconds"] > 0.0
        assert "compile_seconds" not in facts["timings"]  # the second run of a program compiles nothing

    def test_calibrated_numbers_have_their_errors_and_data_its_hash(self, tmp_path, capsys):
        days = pd.bdate_range("2015-01-01", periods=600, name="date")
        steps = np.random.default_rng(1).standard_normal((600, 2)) * [0.01, 0.004]
        file = tmp_path / "mine.csv"
        pd.DataFrame(100.0 * np.exp(steps.cumsum(axis=0)), days, ["A", "B"]).to_csv(file)
        chosen = mc.load_config(["market=prices", f"data={file}", "market.model=gbm", "policy=static_put"], "hedge")
        before = config.saved(chosen).tree
        with _noted.noting() as learned:
            study = config.study(chosen, config.books)
        out = capsys.readouterr().out
        assert "mine.csv: 600 rows" in out
        assert "rate 0, for a file names none" in out  # cash earns nothing, and the run says so
        assert learned["data"][str(file)] == {"sha256": hashlib.sha256(file.read_bytes()).hexdigest(), "bytes": file.stat().st_size}
        assert learned["market"]["A.sigma"].error > 0.0
        assert learned["weights"] == {"A": 0.5, "B": 0.5}
        assert set(learned["hedged"].values()) == {"A"}
        assert study.books["static_put"].slots()["put"].asset == "A"
        folder = report.RunFolder(tmp_path / "run")
        folder.begin(config.as_yaml(before))
        folder.finish(before, {}, {**learned, "choices": {"experiment": "hedge"}})
        loaded = mc.load(folder.path)
        assert loaded.config["policy"]["weights"] == loaded.config["weights"] == {"A": 0.5, "B": 0.5}
        assert loaded.study.books["static_put"].slots()["put"].asset == "A"
        with pytest.raises(ValueError, match="market=prices takes any"):
            config.study(mc.load_config([f"data={file}"], "hedge"), config.books)
        misspelt = mc.load_config(["market=prices", f"data={file}", "market.model=gbm", "weights={A:0.5,C:0.5}"], "hedge")
        with pytest.raises(ValueError, match="C"):  # weights that were chosen are never replaced
            config.study(misspelt, config.books)

    def test_the_commit_is_that_of_mcengine_alone(self, tmp_path, monkeypatch):
        """A copy that lies in somebody else's checkout has no commit; a hook's GIT_DIR changes nothing."""
        git = lambda *words: subprocess.run(["git", *words], cwd=tmp_path, check=True, capture_output=True)  # noqa: E731
        git("init", "-q")
        git("-c", "user.name=a", "-c", "user.email=a@b.c", "commit", "-q", "--allow-empty", "-m", "theirs")
        monkeypatch.setenv("GIT_DIR", str(tmp_path / ".git"))
        own = report.provenance()["git_commit"]
        theirs = subprocess.run(["git", "rev-parse", "HEAD"], cwd=tmp_path, check=True, capture_output=True, text=True).stdout.strip()
        assert own != theirs
        installed = tmp_path / "site-packages" / "provenance.py"
        installed.parent.mkdir()
        installed.write_text("")
        monkeypatch.setattr(sys.modules["mcengine.report.provenance"], "__file__", str(installed))
        assert report.provenance()["git_commit"] is None
