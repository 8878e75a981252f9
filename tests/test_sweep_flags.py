"""What is beside a sweep in this process: launchers of Hydra's, a search over intervals, help and completion."""

import dataclasses
import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

import jax
import pytest

import mcengine as mc

SCRIPTS = Path(__file__).resolve().parent.parent / "experiments"
FAST = ["market=lognormal", "policy=cppi", "steps=4", "paths=1000"]
NAMES = sorted(file.stem for file in (SCRIPTS.parent / "conf").glob("*.yaml") if file.stem != "base")


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(SCRIPTS))
    before = jax.config.jax_enable_x64
    yield lambda *words, name="hedge": importlib.import_module(name).main(list(words))
    jax.config.update("jax_enable_x64", before)


# ---- launchers ----


@pytest.mark.parametrize(("launcher", "extra"), [("joblib", "joblib"), ("submitit_local", "slurm"), ("submitit_slurm", "slurm")])
def test_a_launcher_that_is_not_installed_is_refused(run, capsys, tmp_path, monkeypatch, launcher, extra):
    monkeypatch.setattr(importlib.import_module("_launchers"), "find_spec", lambda name: None)
    assert run("-m", *FAST, "floor=0.7,0.8", f"hydra/launcher={launcher}") == 2
    assert capsys.readouterr().err == f"error: hydra/launcher={launcher}: expected its package, which the extra mcengine[{extra}] brings\n"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize("launcher", ["joblib", "submitit_local"])
def test_a_launcher_runs_each_job_in_a_process(tmp_path, launcher):
    """Experiments can be imported there, failed jobs leave why, and the exit code is that of the folders."""
    pytest.importorskip(f"hydra_plugins.hydra_{launcher.partition('_')[0]}_launcher")
    words = ["-m", *FAST, f"hydra/launcher={launcher}", "policy.multiplier=3,-1", "hydra.sweep.dir=sweep"]
    done = subprocess.run([sys.executable, str(SCRIPTS / "hedge.py"), *words], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 2, done.stderr
    (finished,) = (tmp_path / "sweep").glob("*/metrics.json")
    assert finished.parent.name.startswith("policy.multiplier=3_")
    (failed,) = (tmp_path / "sweep").glob("*/failed.json")
    assert "Cppi.multiplier: expected a number" in json.loads(failed.read_text())["message"]


def test_hydras_own_launcher_names_folders_alike(run, tmp_path):
    """The basic one, job by job: the same names, so that this loop finds what it has finished."""
    words = ["-m", *FAST, "policy.multiplier=3,4", "hydra.sweep.dir=sweep"]
    assert run(*words, "hydra/launcher=basic") == 0
    before = {file: file.stat().st_mtime_ns for file in (tmp_path / "sweep").rglob("metrics.json")}
    assert len(before) == 2
    assert run(*words) == 0
    assert {file: file.stat().st_mtime_ns for file in (tmp_path / "sweep").rglob("metrics.json")} == before

    # The exit code is of what this launch ran: not of what failed before, but of a run that was killed.
    table, (old, new) = importlib.import_module("_sweep_table"), (tmp_path / "sweep" / name for name in ("old", "new"))
    old.mkdir()
    (old / "failed.json").write_text('{"code": 3, "message": "of yesterday"}')
    known = table.state(tmp_path / "sweep")
    assert run(*words, "hydra/launcher=basic") == 0
    new.mkdir()
    (new / "begun.json").write_text("{}")
    assert table.codes(tmp_path / "sweep", known, []) == [2, 0, 0]


def test_a_job_that_left_no_folder_is_missed(run, capsys, tmp_path, monkeypatch):
    """One that a launcher lost: killed before it wrote anything, with nothing raised; and a launcher that is stopped while others are at work."""
    words = ["-m", *FAST, "policy.multiplier=3,4", "hydra.sweep.dir=sweep", "hydra/launcher=basic"]
    true = importlib.import_module("_main")._Jobs.__call__
    lose = lambda jobs, config: None if config.policy.multiplier == 4 else true(jobs, config)  # noqa: E731
    with monkeypatch.context() as patch:
        patch.setattr(importlib.import_module("_main")._Jobs, "__call__", lose)
        assert run(*words) == 2
    assert ": expected a folder of that run, got none" in capsys.readouterr().err.partition("error: policy.multiplier=4_")[2]

    def stop(jobs, config):
        if config.policy.multiplier == 5:
            raise KeyboardInterrupt
        jobs.root = dataclasses.replace(jobs.root)  # another process has its own
        return true(jobs, config)

    with monkeypatch.context() as patch:
        patch.setattr(importlib.import_module("_main")._Jobs, "__call__", stop)
        assert run(*words, "policy.multiplier=3,5", "hydra.sweep.dir=other") == 130
    assert "; go on with: python experiments/hedge.py -m" in capsys.readouterr().err
    assert (tmp_path / "other" / "sweep.json").is_file()
    assert run(*words) == 0


def test_hydras_account_of_another_sweep_is_not_written_over(run, capsys, tmp_path):
    (tmp_path / "sweep").mkdir()
    (tmp_path / "sweep" / "multirun.yaml").write_text("mine")
    words = ["-m", *FAST, "policy.multiplier=3,4", "hydra.sweep.dir=sweep"]
    assert run(*words, "hydra/launcher=basic") == 2
    assert "sweep has multirun.yaml, which no sweep left there" in capsys.readouterr().err
    assert [(file.name, file.read_text()) for file in (tmp_path / "sweep").iterdir()] == [("multirun.yaml", "mine")]


# ---- a search ----


def test_an_interval_is_searched(run, capsys):
    """Points by optuna in batches, under a limit on another figure; started again it finds what it has finished."""
    pytest.importorskip("optuna")
    words = ["-m", *FAST, "policy.multiplier=interval(2,12)", "search.trials=8", "search.batch=4", "hydra.sweep.dir=sweep"]
    limited = [*words, "search.most={breach_any_day: 0.05}"]
    assert run(*limited) == 0
    out = capsys.readouterr().out
    runs = mc.collect("sweep")
    assert len(runs) == 8
    assert runs["policy.multiplier"].between(2.0, 12.0).all()
    kept = runs[runs["breach_any_day"] <= 0.05]
    best = kept.loc[kept["mean_return"].idxmax()]
    assert f"highest mean_return of 8 points, {best['mean_return']:.6g}, at policy.multiplier={best['policy.multiplier']:g}" in out
    assert run(*limited) == 0
    assert capsys.readouterr().out.count("finished before") == 8
    assert run(*words, "search.metric=mean_retrun", "search.trials=4") == 2  # of runs that are there
    assert "search: unknown figure 'mean_retrun'; known: mean_return" in capsys.readouterr().err

    # A figure that is not a number is a trial that failed.
    for file in Path("sweep").glob("*/metrics.json"):
        file.write_text(json.dumps(json.loads(file.read_text()) | {"mean_return": None}))
    assert run(*words, "search.trials=4") == 0
    assert "no point of 4 keeps what is asked" in capsys.readouterr().out


def test_a_search_goes_on_where_a_point_is_refused(run, capsys):
    pytest.importorskip("optuna")
    words = ["-m", *FAST, "policy.multiplier=3", "search.trials=4", "search.batch=4"]
    assert run(*words, "floor=interval(0.5,1.25)", "hydra.sweep.dir=sweep") == 2
    out, err = capsys.readouterr()
    refused = out.count("failed: floor=1.")
    assert 0 < refused == err.count("error: floor=1.") < 4
    assert len(mc.collect("sweep")) == 4 - refused
    assert run(*words, "steps=interval(4,5)") == 2
    assert capsys.readouterr().err.rstrip().endswith("; whole numbers are searched by steps=int(interval(4,5))")


def test_a_search_without_optuna_names_the_extra(run, capsys, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    assert run("-m", *FAST, "policy.multiplier=interval(2,12)") == 2
    assert capsys.readouterr().err.startswith("error: an interval is searched by optuna, which the extra mcengine[search] brings; range(")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["search.goal=best"], "search.goal: expected highest or lowest, got 'best'"),
        (["search.trials=0"], "search: expected trials and batch of at least 1"),
        (["search.trails=4"], "policy.multiplier=2: unknown key 'search.trails'; did you mean search.trials"),
        (["experiment=multiplier_gap_risk"], "experiment=multiplier_gap_risk sweeps over policy.every, which a search does not: give a value"),
        (["policy.multiplierr=interval(1,2)"], "policy.multiplier=2 policy.multiplierr=1: unknown key 'policy.multiplierr'"),
    ],
)
def test_a_search_that_cannot_be_is_refused(run, capsys, words, message):
    assert run("-m", *FAST, "policy.multiplier=interval(2,12)", *words) == 2
    assert capsys.readouterr().err.startswith(f"error: {message}")


# ---- flags ----


@pytest.mark.parametrize("name", NAMES)
def test_help_is_the_scripts_own(run, capsys, name):
    assert run("--help", name=name) == 0
    out = capsys.readouterr().out
    script = importlib.import_module(name)
    assert out.startswith(script.__doc__.splitlines()[0])
    examples, _, groups = out.partition("Examples\n")[2].partition("\n\nGroups")
    assert len(examples.splitlines()) >= 3
    assert f"experiments/{name}.py" in examples
    assert ("\n  experiment " in groups) == (name != "benchmark")
    assert name == "calibrate" or any(f"[{market}]" in groups for market in ("history", "lognormal", "replay", "heston"))  # what is chosen


def test_help_of_choices(run, capsys):
    assert run("--help", "market=kou", "policy=tipp") == 0
    out = capsys.readouterr().out
    assert "[kou]" in out
    assert "[tipp]" in out
    assert run("-m", "--help", "policy=cppi", "policy.multiplier=range(3,5)") == 0
    assert "[cppi]" in capsys.readouterr().out
    assert run("--help", "policy=tip") == 2
    assert capsys.readouterr().err.startswith("error: unknown policy 'tip'; did you mean tipp")


SHOWN = {
    "--cfg job": "floor: 0.9",
    "--cfg job --resolve": "floor: 0.8",
    "--cfg job --package policy": "multiplier: 4.0",
    "--cfg hydra": "hydra:",
    "--info searchpath": "conf",
    "--info defaults": "policy/cppi",
}


@pytest.mark.parametrize("flags", SHOWN)
def test_flags_show_what_hydra_shows(run, capsys, tmp_path, flags):
    assert run(*flags.split(), "policy=cppi", "floor=0.8" if "--resolve" in flags else "floor=0.9") == 0
    assert SHOWN[flags] in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []


def test_completion_needs_no_jax(tmp_path):
    """What may come next is told without the second that JAX takes to import."""
    line = "python experiments/hedge.py policy=cpp"
    code = f"import runpy, sys; sys.argv = ['{SCRIPTS / 'hedge.py'}', '-sc', 'query=bash']\ntry:\n runpy.run_path(sys.argv[0], run_name='__main__')\n"
    code += "except SystemExit:\n pass\nassert 'jax' not in sys.modules and 'mcengine' not in sys.modules"
    environment = {**os.environ, "COMP_LINE": line, "COMP_POINT": str(len(line)), "PYTHONPATH": str(SCRIPTS)}
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert set(done.stdout.split()) == {"policy=cppi", "policy=cppi_on_dates"}
