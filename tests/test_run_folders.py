"""A run deletes only what it made itself, reads a folder as data, writes nothing outside it, and keeps no secret of the environment."""

import hashlib
import importlib
import json
import os
import shlex
import signal
import subprocess
import sys
import time
import warnings
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import jax
import numpy as np
import pandas as pd
import pytest
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st

import mcengine as mc
from mcengine import _files, _made
from mcengine.engine import DiskFullError, Journal, NotFiniteError, checkpoint
from mcengine.engine.sealed import sealed
from mcengine.report import RunFolder

ROOT = Path(__file__).resolve().parent.parent
SCRIPTS = ROOT / "experiments"
FAST = ["market=lognormal", "steps=12", "plots=false"]


@pytest.fixture(scope="module")
def main():
    """``main(task, name, arguments)``: the exit code of an experiment whose work is ``task``."""
    before, path = jax.config.jax_enable_x64, list(sys.path)
    sys.path.insert(0, str(SCRIPTS))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MC_CACHE", "off")
        found = importlib.import_module("_main")
        for name in ("_job", "_sweep"):
            patch.setattr(importlib.import_module(name), "provenance", dict)  # asks git
        yield found.run
    sys.path[:] = path
    jax.config.update("jax_enable_x64", before)


def tree(folder):
    """Every file below a folder with what it holds, and every folder; the mark of who works there aside."""
    return {item: item.read_bytes() if item.is_file() else None for item in folder.rglob("*") if item.name != _made.MARK}


# ---- what a run may remove ----


def work(outcome):
    """A task that leaves what experiments leave, and ends as ``outcome`` says."""

    def task(config, folder):
        if outcome == "refused":
            raise ValueError("no")
        if outcome != "killed at once":
            (folder.path / "checkpoint").mkdir(exist_ok=True)
            _files.write(folder.path / "checkpoint" / "00000000.block", b"finished")
        folder.write_table("figures", pd.DataFrame({"a": [1.0]}))
        if outcome == "not finite":
            raise NotFiniteError([0], "at step 1", 0, "test")
        if outcome == "full":
            raise DiskFullError(folder.path, "1 finished paths")
        if outcome == "refused late":
            raise ValueError("a picture")
        if outcome == "broken":
            raise RuntimeError("a bug")
        if outcome == "killed":
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(1.0)
        if outcome != "finished":
            raise KeyboardInterrupt
        return {"a": 1.0}, {}

    return task


CODES = {
    "refused": 2,
    "refused late": 2,
    "bad number": 2,
    "not finite": 3,
    "full": 2,
    "broken": 2,
    "killed": 130,
    "killed at once": 130,
    "interrupted": 130,
    "finished": 0,
}
KEEPS = {"refused late", "full", "broken", "killed", "interrupted", "finished"}
"""What leaves something to go on from, or is done."""

STARTED = {"multirun.yaml", "sweep.json", "failed.json", "begun.json", "config.yaml"}
LEFT = {"refused": STARTED, "not finite": STARTED | {"figures.csv", "00000000.block"}, "bad number": STARTED - {"begun.json", "config.yaml"}}
"""Files that stay of a sweep whose only run did not come to its end, by what stopped it: why it did, and what it had written."""

STATES = ["absent", "deep", "empty", "mine", "killed", "finished"]


def lay(folder, state, name):
    """A folder as it may be found."""
    if state in ("absent", "deep"):
        return
    folder.mkdir(parents=True)
    if state == "mine":
        (folder / "notes.txt").write_text("months of work")
        (folder / "photos").mkdir()
        (folder / "photos" / "one.jpg").write_bytes(b"me")
    if state in ("killed", "finished"):
        begun = {"experiment": name, "flags": [], "overrides": ["seed=5"], "config": {"seed": 5}}
        (folder / "begun.json").write_text(json.dumps(begun))
        (folder / "checkpoint").mkdir()
        (folder / "checkpoint" / "00000000.block").write_bytes(b"hours")
        (folder / _made.MARK).write_text("somebody\n")
    if state == "finished":
        (folder / "provenance.json").write_text(json.dumps({"config": {"seed": 5}}))
        (folder / "metrics.json").write_text("{}")


def ways(root, state):
    """(overrides that name a folder, the folder) below ``root``, in every way Hydra reads."""
    deep, year = "a/b/" if state == "deep" else "", f"{datetime.now():%Y}"
    return {
        "plain": ([f"hydra.run.dir={root}/{deep}plain"], root / f"{deep}plain"),
        "dots": ([f"hydra.run.dir=here/../{deep}dots/./"], root / f"{deep}dots"),
        "relative": ([f"hydra.run.dir=../{root.name}/{deep}relative"], root / f"{deep}relative"),
        "double quotes": ([f'hydra.run.dir="{deep}two words"'], root / f"{deep}two words"),
        "single quotes": ([f"hydra.run.dir='{deep}it\\'s'"], root / f"{deep}it's"),
        "environment": (["hydra.run.dir=${oc.env:MC_TEST_FOLDER}"], root / f"{deep}named"),
        "time": ([f"hydra.run.dir={deep}${{now:%Y}}"], root / f"{deep}{year}"),
        "interpolation": ([f"hydra.run.dir={deep}${{precision}}"], root / f"{deep}float32"),
        "mapping": ([f"hydra.run={{dir:{deep}mapped}}"], root / f"{deep}mapped"),
        "added": ([f"++hydra.run.dir={deep}added"], root / f"{deep}added"),
        "twice": (["hydra.run.dir=other", f"hydra.run.dir={deep}twice"], root / f"{deep}twice"),
        "sweep": (["-m", f"hydra.sweep.dir={deep}sweep", "hydra.sweep.subdir=one"], root / f"{deep}sweep" / "one"),
        "sweep deeper": (["-m", "hydra.sweep.dir=${oc.env:MC_TEST_FOLDER}", "hydra.sweep.subdir=x/${seed}/y"], root / f"{deep}named" / "x/0/y"),
        "sweep elsewhere": (["-m", "hydra.sweep.dir=sweep", f"hydra.sweep.subdir=../{deep}beside"], root / f"{deep}beside"),
        "link": (["hydra.run.dir=link/inside"], root / "linked" / "inside"),
    }


WAYS = list(ways(Path("/"), ""))
EXPERIMENTS = ["hedge", "study", "optimise", "greeks", "price", "calibrate", "benchmark"]


@pytest.mark.parametrize("examples", [12, pytest.param(300, marks=pytest.mark.slow)])
def test_a_run_deletes_only_what_it_made(main, tmp_path_factory, examples):
    @settings(max_examples=examples, deadline=None, derandomize=True, phases=[Phase.generate], database=None)
    @given(st.sampled_from(EXPERIMENTS), st.sampled_from(STATES), st.sampled_from(list(CODES)), st.sampled_from(WAYS))
    def check(name, state, outcome, way):
        with pytest.MonkeyPatch.context() as patch:
            deletes_only_what_it_made(main, tmp_path_factory.mktemp("run"), patch, (name, state, outcome, way))

    check()


def deletes_only_what_it_made(main, root, patch, case):
    name, state, outcome, way = case
    patch.chdir(root)
    for folder in ("linked", "here"):
        (root / folder).mkdir()
    (root / "link").symlink_to(root / "linked")
    patch.setenv("MC_TEST_FOLDER", str(root / ("a/b/named" if state == "deep" else "named")))
    words, folder = ways(root, state)[way]
    lay(folder, state, name)
    before = tree(root)
    try:
        code = main(work(outcome), name, [*words, "plots=maybe"] if outcome == "bad number" else words)
    except RuntimeError:  # a bug, which the boundary of errors turns into a line
        code = 2
    after, other = tree(root), state in ("killed", "finished")  # of another configuration
    assert code == (CODES[outcome] if not other else 2)
    assert {item: after.get(item, "gone") for item in before} == before
    if outcome in KEEPS and not other:
        assert (folder / "checkpoint" / "00000000.block").read_bytes() == b"finished"
        assert (folder / "metrics.json").is_file() == (outcome == "finished")
    elif state in ("absent", "deep") and way != "sweep elsewhere":  # what lies outside its sweep is never removed
        left = {item.name for item in set(after) - set(before) if item.is_file()}
        assert left == (LEFT.get(outcome, set()) if way.startswith("sweep") else set())
        assert way.startswith("sweep") or after == before


def test_what_others_put_into_a_new_folder_stays(main, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def task(config, folder):
        folder.write_table("figures", pd.DataFrame({"a": [1.0]}))
        (folder.path / "notes.txt").write_text("of the user")
        (folder.path / "outcomes").mkdir()
        (folder.path / "outcomes" / "mine.csv").write_text("of the user")
        raise ValueError("no")

    assert main(task, "hedge", ["hydra.run.dir=new"]) == 2
    left = {item.name for item in (tmp_path / "new").rglob("*") if item.is_file()}
    assert left == {"notes.txt", "mine.csv"}


def test_files_of_no_run_are_not_written_over(main, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").mkdir()
    for name in ("config.yaml", "figures.csv"):
        (tmp_path / "mine" / name).write_text("of the user")
    before = tree(tmp_path)
    assert main(work("finished"), "hedge", ["hydra.run.dir=mine"]) == 2
    assert "mine has config.yaml, figures.csv, which no run left there and this one would write over" in capsys.readouterr().err
    assert tree(tmp_path) == before


def test_a_refused_run_leaves_no_trace_in_a_folder_that_was_there(main, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("of the user")
    before = tree(tmp_path)
    assert main(work("refused"), "hedge", ["hydra.run.dir=mine"]) == 2
    assert tree(tmp_path) == before
    assert main(work("finished"), "hedge", ["hydra.run.dir=mine/notes.txt"]) == 2
    assert tree(tmp_path) == before


def test_a_sweep_says_how_to_go_on(main, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(work("interrupted"), "hedge", ["-m", "seed=1,2", "hydra.sweep.dir=s"]) == 130
    said = capsys.readouterr().err
    words = shlex.split(said.partition("go on with: python experiments/hedge.py ")[2])
    assert words == ["-m", "seed=1,2", f"hydra.sweep.dir={tmp_path}/s"]
    assert main(lambda config, folder: ({}, {}), "hedge", words) == 0
    assert len(list(tmp_path.glob("s/*/metrics.json"))) == 2


def test_what_was_finished_before_a_late_refusal_stays_and_is_gone_on_with(main, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(work("refused late"), "hedge", ["seed=5", "hydra.run.dir=one"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: a picture; go on with: python experiments/hedge.py resume=")
    seen = []
    words = shlex.split(said.partition("experiments/hedge.py ")[2])
    assert main(lambda config, folder: (seen.append((config.seed, folder.resumable)), ({}, {}))[1], "hedge", words) == 0
    assert seen == [(5, True)]


def test_a_run_of_a_file_that_has_changed_is_another(main, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    file, ran = tmp_path / "mine.csv", []

    def task(config, folder):
        ran.append(int(config.seed))
        return {"mean_return": mc.Estimate(0.01 * len(ran), 0.001)}, {}

    given, sweep = ["market=prices", "data=mine.csv"], ["-m", "seed=1,2", "hydra.sweep.dir=s"]
    file.write_text("date,A\n")
    for _ in range(2):
        assert main(task, "hedge", [*given, *sweep]) == 0
        assert main(task, "hedge", [*given, "hydra.run.dir=one"]) == 0
    assert ran == [1, 2, 0]  # the second time all were finished before
    file.write_text("date,B\n")
    assert main(task, "hedge", [*given, "hydra.run.dir=one"]) == 2
    assert "holds the finished run of another configuration: mine.csv (market.data.file) has other content" in capsys.readouterr().err
    assert main(task, "hedge", [*given, *sweep]) == 0
    assert "finished before" not in capsys.readouterr().out
    assert ran == [1, 2, 0, 1, 2]
    table = mc.collect(tmp_path / "s")
    assert len(table) == 4
    assert table["files.market.data.file"].nunique() == 2  # what tells them apart is shown


def test_a_sweep_shows_what_it_was_given_and_not_what_follows_it(main, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def task(config, folder):
        return {"mean_return": mc.Estimate(float(config.floor) / 10.0, 0.001), "breach_any_day": mc.Estimate(0.01, 0.001)}, {}

    sweeps = {
        "alone": (["policy=cppi", "floor=0.8,0.9"], ["floor"]),
        "two": (["policy=cppi", "floor=0.8,0.9", "policy.multiplier=3,4"], ["floor", "policy.multiplier"]),
        "rules": (["policy=cppi,static_put", "floor=0.8,0.9"], ["policy", "floor"]),
    }
    for name, (words, keys) in sweeps.items():
        assert main(task, "hedge", ["-m", *words, f"hydra.sweep.dir={name}"]) == 0
        table = mc.collect(name)
        assert list(table.columns[: len(keys) + 1]) == [*keys, "mean_return"]
        page = (tmp_path / name / "report.html").read_text(encoding="utf-8")
        assert page.count("<figcaption>response: ") == 2
        assert "policy.floor" not in page
        assert {"policy.floor", *keys} <= set(mc.collect(name, everything=True))
    (tmp_path / "alone" / "sweep.json").unlink()  # as Hydra's launchers leave it
    assert list(mc.collect("alone").columns[:2]) == ["floor", "mean_return"]


def test_a_process_takes_back_only_by_its_own_mark(tmp_path):
    folder = _made.make(tmp_path / "new" / "run")
    _files.write(folder / "a.csv", "1")
    mark = (folder / _made.MARK).read_text()
    (folder / _made.MARK).write_text("another's\n")
    _made.remove(folder)
    assert (folder / "a.csv").is_file()
    (folder / _made.MARK).write_text(mark)
    with RunFolder(folder).alone():
        _made.remove(folder)
    assert (folder / "a.csv").is_file()
    _made.remove(folder)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "old").mkdir()
    _made.remove(_made.make(tmp_path / "old"))
    assert (tmp_path / "old").is_dir()


def test_one_place_removes():
    words = ("rmtree", "unlink", "rmdir", "os.remove", "removedirs")
    found = {
        file.relative_to(ROOT).as_posix()
        for room in ("mcengine", "experiments")
        for file in (ROOT / room).rglob("*.py")
        if any(f"{word}(" in file.read_text() for word in words)
    }
    assert found == {"mcengine/_made.py", "mcengine/_files.py"}  # the latter its own drafts


def test_terminated_as_interrupted(tmp_path):
    words = [*FAST, "policy=unhedged", "paths=1e9", "engine.block=128", "engine.super_block=128", "engine.keep=128", "hydra.run.dir=run"]
    command = [sys.executable, str(SCRIPTS / "hedge.py"), *words]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as process:
        while not list(tmp_path.glob("run/checkpoint/*.block")):
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        try:
            said = process.communicate(timeout=60)[1]
        finally:
            process.kill()
    assert process.returncode == 130
    assert said.splitlines()[-1] == f"error: interrupted; go on with: python experiments/hedge.py resume={tmp_path}/run"
    assert list(tmp_path.glob("run/checkpoint/*.block"))


# ---- what is read is data ----

DEEP = "[" * 10_000 + "]" * 10_000
ODD = ['{"a": "\\ud800"}', '{"\\u001b[2J": 1}', "\udcff", "9" * 5000]
HOSTILE = ["[]", '"text"', "null", "1", "", "{", DEEP, '{"a":' * 10_000 + "1" + "}" * 10_000, *ODD]


def spoil(file, text):
    file.write_bytes(text.encode(errors="surrogateescape"))


def finished(folder):
    """The folder of a run that is done."""
    run = RunFolder(folder)
    begun = {"experiment": "hedge", "flags": [], "overrides": ["seed=5"], "config": {"seed": 5}}
    run.begin("seed: 5\n", begun)
    run.finish({"seed": 5}, {"mean_return": mc.Estimate(0.1, 0.01)}, {"seed": 5, "choices": {"policy": "cppi"}})
    return run


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
@pytest.mark.parametrize("name", ["metrics.json", "provenance.json"])
def test_collect_leaves_out_what_cannot_be_read(tmp_path, name, text):
    good, bad = finished(tmp_path / "good"), finished(tmp_path / "bad")
    spoil(bad.path / name, text)
    with pytest.warns(UserWarning, match=r"^collect: .*/bad is left out: .*bad/.* is damaged: "):
        runs = mc.collect(tmp_path)
    assert list(runs.index) == [good.path.name]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_resume_refuses_what_cannot_be_read_in_a_line(main, tmp_path, capsys, text):
    spoil(finished(tmp_path / "run").path / "begun.json", text)
    assert main(work("finished"), "hedge", [f"resume={tmp_path}/run"]) == 2
    err = capsys.readouterr().err
    assert len(err.splitlines()) == 1
    assert "begun.json is damaged: " in err


BEGUN = [
    ({"overrides": "seed=5"}, "overrides: expected a list, got a text"),
    ({"overrides": [5]}, "overrides: expected words of a command line"),
    ({"overrides": ["seed=\x1b"]}, "overrides: expected words of a command line"),
    ({"overrides": ["hydra.run.dir=/elsewhere"]}, "it has settings of Hydra itself"),
    ({"overrides": ["++hydra.job.chdir=true"]}, "it has settings of Hydra itself"),
    ({"overrides": ["hydra/launcher=basic"]}, "it has settings of Hydra itself"),
    ({"overrides": ["hydra={run:{dir:x}}"]}, "it has settings of Hydra itself"),
    ({"overrides": ["+policy@hydra.sweeper=cppi"]}, "it has settings of Hydra itself"),
    ({"overrides": ["--multirun"]}, "it has settings of Hydra itself"),
    ({"overrides": ["=="]}, "overrides: cannot read '=='"),
    ({"overrides": ["seed=1,2"]}, "overrides: expected those of one run, got 'seed=1,2'"),
    ({"overrides": ["a=" + DEEP]}, "overrides: cannot read"),
    ({"experiment": "../hedge"}, "experiment: expected a name, got '../hedge'"),
    ({"experiment": None}, "experiment: expected a text, got nothing"),
    ({"config": []}, "config: expected a mapping, got a list"),
    ({"flags": {}}, "flags: expected a list, got {}"),
]


@pytest.mark.parametrize(("change", "message"), BEGUN, ids=range(len(BEGUN)))
def test_overrides_of_a_folder_are_checked_before_they_are_used(main, tmp_path, capsys, change, message):
    begun = {"experiment": "hedge", "flags": [], "overrides": [], "config": {}}
    (tmp_path / "begun.json").write_text(json.dumps(begun | change))
    assert main(work("finished"), "hedge", [f"resume={tmp_path}"]) == 2
    err = capsys.readouterr().err
    assert len(err.splitlines()) == 1
    assert message in err


@settings(max_examples=100, deadline=None)
@given(st.text(), st.text())
@example("", "%")
def test_no_name_leads_out_of_a_folder(a, b):
    name, other = _files.file_name(a), _files.file_name(b)
    assert _files.inside(Path("folder"), name).parent == Path("folder")
    assert (name == other) == (a == b)


def stopped(folder):
    """A run stopped after its first super-block, as the engine leaves it."""
    store = checkpoint.OnDisk(folder, {"seed": 0}, resume=False, size=64, paths=128, keep=128)
    columns = {("60/40", "wealth"): np.arange(64, dtype="float32")}
    store.begin({key: column.dtype for key, column in columns.items()}, 64, 128)
    store.write(0, columns)
    store.record(0, 64, None)
    return store


def resumed(folder):
    return checkpoint.OnDisk(folder, {"seed": 0}, resume=True, size=64, paths=128, keep=128)


def test_a_book_may_be_called_anything(tmp_path):
    stopped(tmp_path)
    assert resumed(tmp_path).found.blocks == 1
    assert (tmp_path / "outcomes" / "60%2F40" / "wealth.npy").is_file()


TYPES = [[["b", "x", "|O"]], [["b", "x", "<V9999999"]], [["b", "x"]], "columns", [[1, 2, 3]]]
COLUMNS = [[["../../../victim", "x", "<f4"]], [["b", "/victim", "<f4"]], *TYPES]


@pytest.mark.parametrize("columns", COLUMNS, ids=range(len(COLUMNS)))
def test_a_column_of_a_folder_stays_inside_it(tmp_path, columns):
    folder = tmp_path / "a" / "b"
    stopped(folder)
    about = folder / "checkpoint" / "run.json"
    about.write_text(json.dumps(json.loads(about.read_text()) | {"columns": columns}))
    outside = {item for item in tree(tmp_path) if folder not in item.parents}
    with suppress(ValueError):
        resumed(folder)
    assert {item for item in tree(tmp_path) if folder not in item.parents} == outside


@pytest.mark.parametrize("text", [*HOSTILE, '{"identity": [], "size": 64, "columns": []}', '{"identity": {"seed": 0}, "size": -64, "columns": []}'])
@pytest.mark.parametrize("name", ["run.json", "end.json"])
def test_records_are_checked(tmp_path, name, text):
    stopped(tmp_path)
    spoil(tmp_path / "checkpoint" / name, text)
    with pytest.raises(ValueError, match=r"is damaged|holds another run"):
        resumed(tmp_path)


class Evil:
    def __reduce__(self):
        return os.mkdir, ("/nonexistent/evil",)


def test_blocks_are_plain_arrays(tmp_path):
    stopped(tmp_path)
    block = tmp_path / "checkpoint" / "00000000.block"
    pickles, wide = sealed({"end": np.array([Evil()], dtype=object)}), sealed({"end": np.int64(64), "sums": np.zeros(5, np.uint32)})
    for data in (pickles, wide, sealed({}), sealed({"end": np.float64(64.0)}), hashlib.sha256(b"PK").digest() + b"PK"):
        block.write_bytes(data)
        with pytest.raises(ValueError, match=r"00000000.block is damaged: expected a block"):
            resumed(tmp_path)
    block.unlink()
    for odd in ("x.block", "-1.block", "1e3.block", "٣٣٣٣٣٣٣٣.block", f"{'9' * 30}.block"):
        (tmp_path / "checkpoint" / odd).write_bytes(pickles)
    assert resumed(tmp_path).found.blocks == 0
    (tmp_path / "checkpoint" / "00000000.block").mkdir()
    with pytest.raises((ValueError, OSError)):
        resumed(tmp_path)


PLACES = ["checkpoint/run.json", "checkpoint/00000000.block", "checkpoint", "outcomes", "outcomes/60%2F40", "outcomes/60%2F40/wealth.npy"]


@pytest.mark.parametrize("place", PLACES)
def test_nothing_is_read_or_written_through_a_link(tmp_path, place):
    folder, elsewhere = tmp_path / "run", tmp_path / "elsewhere"
    stopped(folder)
    (folder / place).rename(elsewhere)
    (folder / place).symlink_to(elsewhere)
    before = tree(elsewhere) or elsewhere.read_bytes()
    with pytest.raises(ValueError, match="is a symbolic link, which is not followed"):
        resumed(folder)
    assert (tree(elsewhere) or elsewhere.read_bytes()) == before


def test_outcomes_are_not_written_under_a_second_name(tmp_path):
    store, copy = stopped(tmp_path / "run"), tmp_path / "copy.npy"
    os.link(tmp_path / "run" / "outcomes" / "60%2F40" / "wealth.npy", copy)
    before = copy.read_bytes()
    with pytest.raises(ValueError, match="has a second name"):
        store.write(64, {key: np.ones(64, "float32") for key in store.columns})
    assert copy.read_bytes() == before


def test_links_in_a_run_folder(main, tmp_path, monkeypatch, capsys):
    """What a run writes takes the place of a link; what it would write into, or read, is refused."""
    monkeypatch.chdir(tmp_path)
    victim = tmp_path / "victim"
    victim.write_text("of the user")
    run = RunFolder(tmp_path / "run")
    run.begin("")
    for name in ("config.yaml", "figures.csv", "picture.png"):
        (run.path / name).unlink(missing_ok=True)
        (run.path / name).symlink_to(victim)
    with pytest.raises(ValueError, match=r"config.yaml is a symbolic link, which is not followed"):
        run.begin("")
    with pytest.raises(ValueError, match=r"figures.csv is a symbolic link"):
        run.write_table("figures", pd.DataFrame({"a": [1.0]}))
    with pytest.raises(ValueError, match=r"expected the plain name of a file in it, got '\.\./x.csv'"):
        run.write_text("../x.csv", "1")
    (run.path / "fit.journal").symlink_to(victim)
    for resume in (False, True):
        with pytest.raises(ValueError, match=r"fit.journal is a symbolic link"):
            Journal(run.path / "fit.journal", {}, resume=resume)
    (run.path / _made.MARK).symlink_to(victim)
    assert main(work("finished"), "hedge", ["hydra.run.dir=run"]) == 2
    assert ".lock is a symbolic link" in capsys.readouterr().err
    os.mkfifo(run.path / "pipe")
    with pytest.raises(ValueError, match="is no ordinary file"):
        _files.read(run.path / "pipe")
    assert victim.read_text() == "of the user"


@pytest.mark.parametrize("line", ["[]", "null", DEEP, "{", '"x"'])
def test_journals_are_checked(tmp_path, line):
    from mcengine._files import _sum

    file = tmp_path / "fit.journal"
    Journal(file, {"seed": 0}, resume=False)
    with pytest.raises(ValueError, match="holds the results of a run"):
        Journal(file, {"seed": 0}, resume=False)
    file.write_bytes(_sum(line.encode()) + b" " + line.encode() + b"\n")
    with pytest.raises(ValueError, match=r"line 0 of .*fit.journal is damaged"):
        Journal(file, {"seed": 0}, resume=True)


# ---- secrets ----

SECRET = "s3cret-of-the-house"


def test_what_the_environment_gave_is_kept_as_its_interpolation(main, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MC_TEST_SECRET", SECRET)
    monkeypatch.setenv("MC_TEST_FLOOR", "0.8125")
    seen = []

    def task(config, folder):
        from matplotlib.figure import Figure

        seen.append((config.data.file, config.floor, config.policy.floor))
        figure = Figure()
        figure.subplots().set_title(f"of {config.data.file} and {config.data.file}")
        folder.write_picture("wealth", figure)
        seen.append(figure.axes[0].get_title())
        folder.write_table("figures", pd.DataFrame({"a": [f"{config.data.file}"]}))
        Journal(folder.path / "fit.journal", {"study.data": config.data.file}, resume=folder.resumable)(lambda: [1.0])
        stopped(folder.path) if not folder.resumable else resumed(folder.path)
        if len(seen) == 2:
            raise KeyboardInterrupt
        return {"where": config.data.file}, {"data": config.data.file}

    words = ["policy=cppi", "data=${oc.env:MC_TEST_SECRET}/prices.csv", "floor='${oc.decode:${oc.env:MC_TEST_FLOOR}}'", "hydra.run.dir=run"]
    assert main(task, "hedge", words) == 130
    monkeypatch.setenv("MC_TEST_FLOOR", "0.75")
    assert main(task, "hedge", ["resume=run"]) == 2
    assert "holds the stopped run of another configuration: environment.floor: '" in capsys.readouterr().err
    monkeypatch.setenv("MC_TEST_FLOOR", "0.8125")
    assert main(task, "hedge", ["resume=run"]) == 0
    assert main(task, "hedge", words) == 0
    assert "finished before, skipped" in capsys.readouterr().out
    assert seen[0] == seen[2] == (f"{SECRET}/prices.csv", 0.8125, 0.8125)
    assert seen[1] == r"of \${oc.env:MC_TEST_SECRET}/prices.csv and \${oc.env:MC_TEST_SECRET}/prices.csv"
    for file in (tmp_path / "run").rglob("*"):
        assert file.is_dir() or (SECRET.encode() not in file.read_bytes() and b"0.8125" not in file.read_bytes())
    config = json.loads((tmp_path / "run" / "begun.json").read_text())["config"]
    assert config["data"]["file"] == "${oc.env:MC_TEST_SECRET}/prices.csv"
    assert config["policy"]["floor"] == "${floor}"
    assert "floor: ${oc.decode:${oc.env:MC_TEST_FLOOR}}" in (tmp_path / "run" / "config.yaml").read_text()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert mc.collect("run")["floor"].item() == "${oc.decode:${oc.env:MC_TEST_FLOOR}}"
