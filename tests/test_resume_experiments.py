"""Every experiment goes on with ``resume=<its folder>`` to the numbers of an uninterrupted run; refusals are one line and name what differs."""

import importlib
import json
from pathlib import Path

import jax
import pytest

from mcengine.engine import DiskFullError, Journal, checkpoint

SCRIPTS = Path(__file__).resolve().parent.parent / "experiments"
FAST = ["market=lognormal", "steps=12", "paths=1024", "plots=false", "engine.block=128", "engine.super_block=256", "engine.keep=512"]
FEWER = [f"~policies.{name}" for name in ("static_put", "rolled_put", "stop_loss", "cppi")]


@pytest.fixture
def script(tmp_path, monkeypatch):
    """``script(name, arguments)`` gives the exit code of an experiment in this process, in an empty working directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(SCRIPTS))
    monkeypatch.setenv("MC_SMALL", "1")
    monkeypatch.setenv("MC_CACHE", "off")
    before = jax.config.jax_enable_x64
    yield lambda name, arguments: importlib.import_module(name).main(arguments)
    jax.config.update("jax_enable_x64", before)


def stops(patch, where, method, after, error):
    """The ``after + 1``-th call of a method raises."""
    true, calls = getattr(where, method), []

    def stopping(*arguments):
        calls.append(1)
        if len(calls) > after:
            raise error
        return true(*arguments)

    patch.setattr(where, method, stopping)


def only_run(tmp_path, name):
    (folder,) = (tmp_path / "outputs" / name).iterdir()
    return folder


def metrics(folder):
    return json.loads((folder / "metrics.json").read_text())


CASES = [
    ("hedge", ["policy=cppi"], checkpoint.OnDisk, "record", 3),
    ("optimise", ["policy=cppi"], Journal, "_write", 4),
    pytest.param("greeks", ["policy=cppi", "figures=[mean_return]"], Journal, "_write", 4, marks=pytest.mark.slow),
    pytest.param("study", FEWER, Journal, "_write", 4, marks=pytest.mark.slow),
]


@pytest.mark.parametrize(("name", "words", "where", "method", "after"), CASES)
def test_interrupted_and_resumed(script, capsys, tmp_path, monkeypatch, name, words, where, method, after):
    with monkeypatch.context() as patch:
        stops(patch, where, method, after, KeyboardInterrupt())
        assert script(name, [*FAST, *words]) == 130
    err = capsys.readouterr().err
    folder = only_run(tmp_path, name)
    assert err == f"error: interrupted; go on with: python experiments/{name}.py resume={folder}\n"
    assert not (folder / "metrics.json").is_file()
    assert script(name, [f"resume={folder}", "seed=1"]) == 2
    assert "holds the stopped run of another configuration: seed: 0 there, 1 here" in capsys.readouterr().err
    assert script(name, [f"resume={folder}"]) == 0
    assert Path(capsys.readouterr().out.strip().splitlines()[-1]) == folder
    assert script(name, [*FAST, *words, "hydra.run.dir=whole"]) == 0
    assert metrics(folder) == metrics(tmp_path / "whole")
    for file in (tmp_path / "whole" / "outcomes").rglob("*.npy"):
        assert file.read_bytes() == (folder / file.relative_to(tmp_path / "whole")).read_bytes()
    capsys.readouterr()
    assert script(name, [f"resume={folder}"]) == 0
    assert "finished before, skipped" in capsys.readouterr().out


def test_a_full_disk_and_more_paths(script, capsys, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        stops(patch, checkpoint.OnDisk, "record", 2, DiskFullError(tmp_path, "512 finished paths"))
        assert script("hedge", [*FAST, "policy=cppi"]) == 2
    folder = only_run(tmp_path, "hedge")
    said = capsys.readouterr().err
    assert said == f"error: the disk is full; 512 finished paths are kept; go on with: python experiments/hedge.py resume={folder}\n"
    assert script("hedge", [f"resume={folder}", "policy=unhedged"]) == 2
    assert "policy._target_: 'mcengine.policy.presets.cppi' there, 'mcengine.policy.presets.unhedged' here" in capsys.readouterr().err
    assert script("hedge", [f"resume={folder}"]) == 0
    assert script("hedge", [f"resume={folder}", "paths=2048"]) == 0
    assert "all 2,048 paths are run (1,024 of them before)" in capsys.readouterr().out
    assert script("hedge", [*FAST, "policy=cppi", "paths=2048", "hydra.run.dir=whole"]) == 0
    assert metrics(folder) == metrics(tmp_path / "whole")
    before = {file.name: file.read_bytes() for file in folder.glob("*.*")}
    assert script("hedge", [f"resume={folder}", "paths=1024"]) == 2
    assert "already holds 2,048 paths" in capsys.readouterr().err
    assert {file.name: file.read_bytes() for file in folder.glob("*.*")} == before  # a refusal costs no finished run
    (folder / "metrics.json").unlink()
    (folder / "outcomes" / "cppi" / "wealth.npy").unlink()
    assert script("hedge", [f"resume={folder}", "paths=2048"]) == 0
    assert metrics(folder) == metrics(tmp_path / "whole")
    assert "does not agree with its checksum and is run again" in capsys.readouterr().err


def test_until_and_seconds(script, capsys, tmp_path):
    rule = ["until={metric:p20,error:3e-3}", "hydra.run.dir=mine"]
    assert script("hedge", [*FAST, "policy=cppi", "paths=4096", *rule]) == 0
    assert "the standard error of unhedged/p20 is 0.00" in capsys.readouterr().out
    times = json.loads((tmp_path / "mine" / "provenance.json").read_text())["timings"]
    assert times["paths"] % 256 == 0
    assert times["paths"] < 4096
    assert {"first_seconds", "run_seconds", "steady_paths_per_second", "stopped"} <= set(times)
    assert script("hedge", [*FAST, "policy=cppi", "until.metric=p2O", "until.error=1e-3"]) == 2
    assert capsys.readouterr().err == "error: until.metric: unknown figure 'p2O'; did you mean p20?\n"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["resume=nowhere"], "resume: expected the folder of a run of experiments/hedge.py, got nowhere"),
        (["-m", "resume=a", "seed=0,1"], "resume: expected one run; a sweep goes on when it is started again with hydra.sweep.dir=<its folder>"),
        (["seconds=-1"], "seconds: expected a time above 0, got -1"),
    ],
)
def test_refusals(script, capsys, tmp_path, words, message):
    assert script("hedge", [*FAST, *words]) == 2
    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
