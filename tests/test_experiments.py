"""Every experiment run small, as a user runs it; every refusal is one line, exit code 2, and leaves nothing behind."""

import importlib
import json
import os
import shlex
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import jax
import pytest

import mcengine as mc
from mcengine import _made, config
from mcengine._model import parameters
from mcengine.report import RunFolder

SCRIPTS = Path(__file__).resolve().parent.parent / "experiments"
FAST = ["market=lognormal", "steps=12", "paths=256", "plots=false"]
FEWER = ("static_put", "rolled_put", "stop_loss", "cppi")
"""Policies left out of the default study here: each costs seconds of compilation."""


@pytest.fixture
def script(tmp_path, monkeypatch):
    """``script(name, arguments)`` gives the exit code of an experiment in this process, in an empty working directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(SCRIPTS))
    monkeypatch.setenv("MC_SMALL", "1")
    before = jax.config.jax_enable_x64
    yield lambda name, arguments: importlib.import_module(name).main(arguments)
    jax.config.update("jax_enable_x64", before)


def last_line(text):
    return Path(text.strip().splitlines()[-1])


def check_run(folder, *, tables=()):
    assert folder.is_dir()
    metrics = json.loads((folder / "metrics.json").read_text())
    facts = json.loads((folder / "provenance.json").read_text())
    assert {"git_commit", "git_dirty", "versions", "devices", "seed", "precision", "xla_flags", "timings", "config", "choices"} <= set(facts)
    assert facts["timings"]["total_seconds"] > 0.0
    assert (folder / "config.yaml").stat().st_size > 0
    assert all((folder / f"{name}.csv").is_file() for name in tables)
    return metrics


def test_study_as_a_user_runs_it(tmp_path):
    command = [sys.executable, str(SCRIPTS / "study.py"), *(f"~policies.{name}" for name in FEWER)]
    done = subprocess.run(command, cwd=tmp_path, env={**os.environ, "MC_SMALL": "1"}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    folder = last_line(done.stdout)
    metrics = check_run(folder, tables=("figures_0.7", "figures_0.9", "parameters", "fit", "before_after", "correlation"))
    assert set(metrics) == {"floor_0.7", "floor_0.9", "fit"}
    assert set(metrics["floor_0.9"]) == {"unhedged", "vol_target_cppi"}
    pictures = {file.stem for file in folder.glob("*.png")}
    assert pictures == {"wealth_0.7", "wealth_0.9", "protection_cost_0.7", "protection_cost_0.9", "fan", "exposure", "fit"}
    assert (folder / "outcomes" / "vol_target_cppi 0.9" / "wealth.npy").is_file()
    for words in ("floor 70%", "floor 90%", "target", "binds", "fresh paths", "P(below floor) any day", "asked at most"):
        assert words in done.stdout
    assert len(done.stdout.splitlines()) <= 50  # a screen


def test_hedge_explains_what_was_gained(script, capsys):
    """By parts that add up to the mean return, and in pictures of the worst path."""
    assert script("hedge", [*FAST[:3], "policy=rolled_put", "policy.tenor=6", "policy.roll=3", "explain=true"]) == 0
    out = capsys.readouterr().out
    folder = last_line(out)
    check_run(folder, tables=("figures", "explained"))
    assert {file.stem for file in folder.glob("*.png")} == {"wealth", "protection_cost", "explained", "greeks"}
    shown = out.partition("What rolled_put has gained, explained")[2]
    values = {line.split(",")[0]: float(line.split("±")[0].split()[-1]) for line in shown.splitlines() if "±" in line}
    whole = values.pop("mean return")
    assert len(values) == 9
    assert sum(values.values()) == pytest.approx(whole, abs=0.06)


def test_hedge_as_a_user_runs_it_from_elsewhere(tmp_path):
    command = [sys.executable, os.path.relpath(SCRIPTS / "hedge.py", tmp_path), "policy=cppi", "policy.multiplier=5", "paths=200000", *FAST[:2]]
    done = subprocess.run(command, cwd=tmp_path, env={**os.environ, "MC_SMALL": "1"}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    metrics = check_run(last_line(done.stdout), tables=("figures",))
    assert metrics["mean_return"]["error"] > 0.0
    bad = subprocess.run([*command, "policy=cpi"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (bad.returncode, bad.stderr) == (2, "error: unknown policy 'cpi'; did you mean cppi or obpi?\n")


def test_optimise(script, capsys):
    wish = "objective.constraints={breach: {most: 0.02}, p20: {least: 0.9, confidence: 0.95}}"
    assert script("optimise", ["policy=cppi", "objective.goal=mean_return", wish, *FAST[:3], "plots=true"]) == 0
    out = capsys.readouterr().out
    metrics = check_run(last_line(out), tables=("parameters", "constraints", "fit", "before_after"))
    assert set(metrics) == {"parameters", "mean_return", "holds", "constraints", "before", "after"}
    assert metrics["parameters"]["before"]["policy.cppi.multiplier"] == 4.0
    assert set(metrics["constraints"]) == {"breach", "p20"}
    assert "constraints are to hold in the study's own market only, for it is not made of data" in out
    assert "p20 of wealth" in out
    assert "asked at least 90 %: holds with 95 % confidence" in out
    assert {file.stem for file in last_line(out).glob("*.png")} == {"fit"}

    run = mc.load(last_line(out))
    for when, study in {"before": run.before, "after": run.study}.items():
        assert {name: float(parameters(study)[name]) for name in metrics["parameters"][when]} == metrics["parameters"][when]
    wealth = run.study.run(**run.options, progress=False)["policy"]["wealth"]
    mean = {when: run.outcomes[when]["wealth"].mean(dtype=float) for when in ("before", "after")}
    assert wealth.mean(dtype=float) == pytest.approx(mean["after"], abs=1e-6)
    assert abs(mean["after"] - mean["before"]) > 1e-4


def test_a_fit_holds_in_the_other_market_of_the_same_data(script, capsys):
    """By default; where it cannot be made, as for a model that the command line names, the fit goes on in one market and says so."""
    words = ["policy=cppi", "objective.constraints={mean_shortfall: {most: 0.01}}", "optimise.evaluations=1", f"years={12 / 252}", *FAST[1:]]
    assert script("optimise", words) == 0
    out = capsys.readouterr().out
    assert "constraints are to hold in 2 markets, the study's own and market=bootstrap; also=[] leaves it out" in out
    assert "mean shortfall in market=bootstrap" in out
    assert set(check_run(last_line(out), tables=("fit",))["constraints"]) == {"mean_shortfall", "mean_shortfall in market=bootstrap"}
    assert script("optimise", [*words, "market.assets.equity=gbm"]) == 0
    assert "in the study's own market only, for market=bootstrap cannot be made here: " in capsys.readouterr().out


def test_frontier(script, capsys):
    words = ["policy=cppi", "frontier.constraint=breach", "frontier.levels=[0.05,0.02]", 'also=["delay=1"]']
    assert script("optimise", [*words, *FAST[:3]]) == 0
    out = capsys.readouterr().out
    metrics = check_run(last_line(out), tables=("frontier",))
    assert set(metrics) == {"0.05", "0.02"}
    assert "P(below floor) any day in delay=1" in out
    assert {file.stem for file in last_line(out).glob("*.png")} == {"frontier"}


def test_greeks(script, capsys):
    names = ["market.equity.shock", "policy.cppi.multiplier"]
    assert script("greeks", [*FAST, "policy=cppi", "figures=[mean_return,breach_any_day]", f"names=[{','.join(names)}]"]) == 0
    out = capsys.readouterr().out
    assert "not possible: a probability is of a step of the outcome" in out
    metrics = check_run(last_line(out), tables=("greeks",))
    assert -1.0 < metrics["put"]["delta"] < 0.0
    assert list(metrics["study"]) == ["mean_return", "breach_any_day"]
    assert all(metrics["study"][figure][name]["error"] > 0.0 for figure in metrics["study"] for name in names)


REFUSED = [
    ("policy=cpi", "unknown policy 'cpi'; did you mean cppi or obpi?"),
    ("policy.multiplierr=5", "unknown key 'policy.multiplierr'; did you mean policy.multiplier?"),
    ("paths=0", "paths: expected a whole number from 1 to 1e+12, got 0"),
    ("paths=1e15", "paths: expected a whole number from 1 to 1e+12, got 1000000000000000.0"),
    ("paths=abc", "paths: expected a number, got 'abc'"),
    ("market=heston market.correlation=[[1,.5,0],[.4,1,0],[0,0,1]]", "expected a symmetric matrix"),
    ("market=heston market.correlation=[[1,.9,.9],[.9,1,-.9],[.9,-.9,1]]", "expected a positive definite matrix"),
    ("market.assets.bond.sigma=-1", "GBM.sigma: expected a number not below 0, got -1"),
    ("floor=1.2", "expected a floor whose present value is below the starting wealth, got 1.2"),
    ("weights.equity=0.9", "Mix.weights: expected at most leverage = 1 in sum (the rest is cash), got 1.3"),
    ("weights=3", "weights: expected numbers by name, as {equity: ...}, got 3"),
    ("market=history data=missing.csv", "missing.csv"),
    ("precision=float16", "precision: expected 'float32' or 'float64', got 'float16'"),
    ("steps=1.5", "steps: expected a whole number, got 1.5"),
    ("years=0", "Study.years: expected a number above 0"),
    ("plots=maybe", "plots: expected true or false or 'svg' or 'pdf', got 'maybe'"),
    ("trace=[-1]", "trace: expected path ids"),
    ("policy=cppi,stop_loss", "several values need -m"),
    ("-m policy=cppi,cpi", "unknown policy 'cpi'; did you mean cppi or obpi?"),
    ("-m floor=1.1,1.2", "expected a floor whose present value is below the starting wealth"),
]


@pytest.mark.parametrize(("override", "message"), REFUSED)
def test_refusals(script, capsys, tmp_path, override, message):
    words = override.split()
    assert script("hedge", [*FAST[:1], *FAST[3:], *words]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert all(line.startswith("error: ") for line in err.splitlines())
    assert len(err.splitlines()) == 1
    assert message in err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "words", "message"),
    [
        ("hedge", ["floor=1.5", "policy=static_put"], "floor: expected a floor whose present value is below the starting wealth, got 1.5 worth 1.4"),
        ("hedge", ["engine=gpu"], "engine: expected a gpu that JAX can use (extra cuda12 or cuda13), got only cpu"),
        ("hedge", ["engine.keep=abc"], "engine.keep: expected a number, got 'abc'"),
        ("hedge", ["weights={equity:0.6,gold:0.1}"], "Mix.weights: unknown asset 'gold'"),
        ("hedge", ["weights.gold=0.1"], "unknown key 'weights.gold'; known: equity, bond, commodity"),
        ("study", ["floors=0.9"], "floors: expected a list of numbers, as [0.7,0.9], got 0.9"),
        ("study", ["floors=[]"], "floors: expected at least one number, as [0.7,0.9], got []"),
        ("study", ["floors=[0.7,1.2]"], "got 1.2 worth 1.1"),
        ("optimise", ["optimise.steps=0"], "optimise.steps: expected a whole number of at least 1, got 0"),
        ("optimise", ["optimise.paths=1.5"], "optimise.paths: expected a whole number, got 1.5"),
        ("optimise", ["objective.goal=retrun"], "unknown figure 'retrun'; did you mean"),
        ("optimise", ["objective.constraints={p10: {least: 1}, p20: {most: 0.9}}"], "p10 at least 1 and p20 at most 0.9 contradict each other"),
        ("optimise", ["also=['delay=2']"], "Study.delay: expected 0 or 1"),
        ("price", ["market=replay"], "market: expected a model of a market, which has a risk-neutral law, got history"),
        ("greeks", ["market=bootstrap"], "market: expected a model of a market, which has a risk-neutral law, got history"),
    ],
)
def test_other_refusals(script, capsys, tmp_path, name, words, message):
    if words == ["engine=gpu"] and jax.default_backend() == "gpu":
        pytest.skip("there is a GPU here")
    known = FAST if "market=" not in str(words) else FAST[3:]  # history has days of its own
    assert script(name, [*known, *words]) == 2
    err = capsys.readouterr().err
    assert message in err
    assert len(err.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_folder_where_another_process_works_is_left_alone(script, capsys, tmp_path, monkeypatch):
    """Also one that this process made, and another took before it began to work there."""
    with RunFolder(tmp_path / "run").alone():
        assert script("hedge", [*FAST, f"hydra.run.dir={tmp_path}/run"]) == 2
        assert "another process is at work in it" in capsys.readouterr().err
        assert (tmp_path / "run").is_dir()
    make, others = _made.make, ExitStack()

    def made_and_taken(folder):
        others.enter_context(RunFolder(make(folder)).alone())
        return folder

    monkeypatch.setattr(_made, "make", made_and_taken)
    with others:
        assert script("hedge", [*FAST, f"hydra.run.dir={tmp_path}/new"]) == 2
        assert "another process is at work in it" in capsys.readouterr().err
        assert (tmp_path / "new").is_dir()


def test_a_derivative_that_is_not_finite_names_paths_and_step(script, capsys, tmp_path):
    broken = ["market.assets.commodity.spot=1e38", "market.assets.commodity.sigma=9"]
    for name in ("greeks", "optimise"):
        assert script(name, [*FAST, *broken]) == 3
        err = capsys.readouterr().err
        assert "not a finite number on paths" in err
        assert f"in commodity.spot (and 1 more columns); replay: python experiments/{name}.py" in err or "in commodity.spot" in err
    assert list(tmp_path.iterdir()) == []


def test_sweep_collect_and_resume(script, capsys, tmp_path):
    sweep = ["-m", "policy=unhedged,stop_loss", "floor=0.7,0.9", "hydra.sweep.dir=sweep", *FAST]
    assert script("hedge", sweep) == 0
    lines = capsys.readouterr().out.strip().splitlines()
    assert Path(lines[-1]) == tmp_path / "sweep"
    runs = mc.collect(lines[-1])
    assert sorted(zip(runs["policy"], runs["floor"], strict=True)) == [
        ("stop_loss", 0.7),
        ("stop_loss", 0.9),
        ("unhedged", 0.7),
        ("unhedged", 0.9),
    ]
    assert runs["mean_return_error"].gt(0.0).all()

    written = {file: file.stat().st_mtime_ns for file in (tmp_path / "sweep").rglob("metrics.json")}
    assert script("hedge", [*sweep, "floor=0.7,0.8,1.3"]) == 2  # before anything is run
    assert capsys.readouterr().err.startswith("error: policy=unhedged floor=1.3: floor: expected a floor")
    assert len(mc.collect("sweep")) == 4
    assert script("hedge", [*sweep, "floor=0.7,0.8"]) == 0
    assert capsys.readouterr().out.count("finished before") == 2
    assert len(mc.collect("sweep")) == 4 + 2
    assert all(file.stat().st_mtime_ns == time for file, time in written.items())
    assert not [folder for folder in (tmp_path / "sweep").iterdir() if folder.is_dir() and not (folder / "metrics.json").is_file()]


def test_a_finished_folder_is_not_overwritten(script, capsys, tmp_path):
    here = ["hydra.run.dir=mine", "policy=unhedged", *FAST]
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("kept")
    assert script("hedge", [*here, "floor=-1", "policy=cppi"]) == 2
    assert script("hedge", here) == 0
    assert script("hedge", here) == 0
    assert capsys.readouterr().out.count("finished before, skipped") == 1
    assert script("hedge", [*here, "seed=1"]) == 2
    assert "holds the finished run of another configuration" in capsys.readouterr().err
    assert (tmp_path / "mine" / "metrics.json").is_file()
    assert (tmp_path / "mine" / "notes.txt").read_text() == "kept"


@pytest.mark.filterwarnings("ignore:.*encountered:RuntimeWarning")
def test_not_finite_names_paths_and_replays(script, capsys, tmp_path):
    broken = ["market.assets.equity.sigma=1e4", "policy=unhedged", "weights={equity: 0.5, bond: 0.5}", *FAST]
    assert script("hedge", broken) == 3
    err = capsys.readouterr().err
    assert len(err.splitlines()) == 1
    assert "on paths 0, 1" in err
    assert "step 2" in err
    command = err.partition("replay: python experiments/hedge.py ")[2]
    assert command.endswith("'trace=[0,1,2,3,4,5,6,7,8,9]'\n")
    assert list(tmp_path.iterdir()) == []
    assert script("hedge", shlex.split(command)) == 0
    out = capsys.readouterr().out
    assert (last_line(out) / "trace.csv").read_text().startswith("path,step,time,equity.spot")


def test_streamed_figures_of_two_floors_are_kept_apart(script):
    script("hedge", ["paths=0"])  # puts experiments/ on the path
    study = importlib.import_module("study")
    chosen = mc.load_config(["market=lognormal", "steps=12", *(f"~policies.{name}" for name in FEWER)], "study")
    both = config.study(chosen, config.books)
    options = {"figures": study.figures(both, chosen.floors), "block": 1024}
    exact, streamed = (both.run(8192, keep=keep, **options) for keep in (8192, 2048))
    for floor in chosen.floors:
        tables = [study.table(result, floor) for result in (exact, streamed)]
        for figure in ("mean_return", "breach_any_day"):
            values = [[cell.value for cell in table[figure]] for table in tables]
            assert values[0] == pytest.approx(values[1])
        assert list(tables[0].index) == ["unhedged", f"vol_target_cppi {floor:g}"]
