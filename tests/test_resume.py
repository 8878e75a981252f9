"""A run that is stopped anywhere goes on to the same bits; what is not its own, or not whole, is refused or run again."""

import dataclasses
import errno
import json
import math
import random
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from killed_run import digest, study

import mcengine as mc
from mcengine._model import replace, with_parameters
from mcengine.engine import Journal, checkpoint
from mcengine.engine.memory import check_super_block, default_super_block
from mcengine.engine.prepared import PreparedStudy
from mcengine.engine.stop import StopRule, Until

PATHS, KEPT, SIZE = 2000, 900, 256
RUN = {"paths": PATHS, "seed": 7, "block": 64, "keep": KEPT, "super_block": SIZE}
"""Eight super-blocks, the last of 208 paths; outcomes of the first three and a half are kept."""


@pytest.fixture(scope="module")
def small():
    return study()


@pytest.fixture(scope="module")
def whole(small):
    """The run that nothing interrupted, in memory."""
    return small.run(**RUN)


@pytest.fixture
def stopped(small, tmp_path, monkeypatch):
    """``stopped(k)``: a folder in which a run ended, without warning, after ``k`` super-blocks."""

    def stop(blocks):
        record, seen = checkpoint.OnDisk.record, []

        def dying(self, *arguments):
            if len(seen) == blocks:
                raise RuntimeError("killed")
            seen.append(record(self, *arguments))

        with monkeypatch.context() as patch:
            patch.setattr(checkpoint.OnDisk, "record", dying)
            with pytest.raises(RuntimeError, match="killed"):
                small.run(**RUN, folder=tmp_path)
        return tmp_path

    return stop


class Counting:
    """An executable that counts its calls."""

    def __init__(self, call, calls):
        self._call, self._calls = call, calls

    def __call__(self, *arguments):
        self._calls.append(1)
        return self._call(*arguments)

    def __getattr__(self, name):
        return getattr(self._call, name)


def counted(monkeypatch):
    """Blocks that are computed from now on."""
    forward, calls = PreparedStudy.forward, []

    def counting(*arguments, **options):
        made = forward(*arguments, **options)
        return dataclasses.replace(made, call=Counting(made.call, calls))

    monkeypatch.setattr(PreparedStudy, "forward", counting)
    return calls


def flip(file, at):
    data = bytearray(file.read_bytes())
    data[at] ^= 1
    file.write_bytes(bytes(data))


class TestGoingOn:
    @pytest.mark.parametrize("blocks", [0, 2, 3, 4, 6, 7])
    def test_the_bits_of_the_uninterrupted_run(self, small, whole, stopped, blocks):
        result = small.run(**RUN, folder=stopped(blocks), resume=True)
        assert digest(result) == digest(whole)
        assert str(result.table()) == str(whole.table())
        assert result.timings.get("resumed_paths", 0) == blocks * SIZE
        read = np.load(stopped_file(result, "half", "wealth"))
        np.testing.assert_array_equal(read, whole["half"]["wealth"])

    def test_only_what_is_missing_is_computed(self, small, stopped, monkeypatch):
        folder, calls = stopped(6), counted(monkeypatch)
        small.run(**RUN, folder=folder, resume=True, devices=1)
        assert len(calls) == math.ceil((PATHS - 6 * SIZE) / 64)
        small.run(**RUN, folder=folder, resume=True)
        assert len(calls) == math.ceil((PATHS - 6 * SIZE) / 64)

    def test_blocks_and_devices_may_change(self, small, whole, stopped):
        assert digest(small.run(**RUN | {"block": 1024}, folder=stopped(3), resume=True, devices=1)) == digest(whole)

    @pytest.mark.parametrize("first", [PATHS, 700])
    def test_more_paths(self, small, tmp_path, first):
        """From a run that streamed, and from one that kept everything."""
        small.run(**RUN | {"paths": first}, folder=tmp_path)
        longer = RUN | {"paths": 3000}
        result = small.run(**longer, folder=tmp_path, resume=True)
        assert (result.paths, result.kept) == (3000, KEPT)
        assert digest(result) == digest(small.run(**longer))
        with pytest.raises(ValueError, match="already holds 3,000 paths; expected paths=3000 or more, got 2000"):
            small.run(**RUN, folder=tmp_path, resume=True)

    def test_without_resume_nothing_is_lost(self, small, whole, stopped):
        """The blocks of a run that was killed go when the user removes them, not when another run is sent there."""
        folder = stopped(3)
        before = {file: file.read_bytes() for file in folder.rglob("*.*")}
        with pytest.raises(ValueError, match="holds the blocks of a run; resume=True goes on with it, else choose another folder"):
            small.run(**RUN, folder=folder)
        assert {file: file.read_bytes() for file in folder.rglob("*.*")} == before
        (folder / "checkpoint" / "run.json").unlink()
        for resume in (False, True):
            with pytest.raises(ValueError, match="has outcomes or blocks of no known run"):
                small.run(**RUN, folder=folder, resume=resume)

    def test_dependent_paths(self, small, tmp_path, stopped):
        paired = replace(small, noise=mc.noise.Antithetic())
        whole = paired.run(**RUN)
        paired.run(**RUN | {"paths": 1200}, folder=tmp_path)
        assert digest(paired.run(**RUN, folder=tmp_path, resume=True)) == digest(whole)
        with pytest.raises(ValueError, match="paths: expected a multiple of 2"):
            paired.run(**RUN | {"paths": 1001})


def stopped_file(result, book, name):
    return Path(result.outcomes[book][name].filename)


class TestDamage:
    """A byte flipped, a file cut or gone: found by its checksum, run again, said in one line."""

    @pytest.mark.parametrize("what", ["outcome", "cut", "record", "last record", "gone"])
    def test_is_run_again(self, small, whole, stopped, capsys, what):
        folder = stopped(6)
        column, records = folder / "outcomes" / "all" / "wealth.npy", sorted((folder / "checkpoint").glob("*.block"))
        if what == "outcome":
            flip(column, 128 + 4 * (SIZE + 3))
        elif what == "cut":
            column.write_bytes(column.read_bytes()[: 128 + 4 * SIZE])
        elif what == "gone":
            records[1].unlink()
        else:
            flip(records[1 if what == "record" else -1], 40)
        result = small.run(**RUN, folder=folder, resume=True)
        assert digest(result) == digest(whole)
        said = capsys.readouterr().err.splitlines()
        assert [line for line in said if line.startswith("checkpoint: block ")]
        assert len([line for line in said if line]) == 1
        assert digest(small.run(**RUN, folder=folder, resume=True)) == digest(whole)
        assert capsys.readouterr().err == ""


class TestRefusals:
    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"seed": 8}, "seed: 7 there, 8 here"),
            ({"stream": "train"}, "stream: 'test' there, 'train' here"),
            ({"first": 64}, "first: 0 there, 64 here"),
            ({"keep": 1000}, "keep: 900 there, 1000 here"),
            ({"super_block": 512}, "super_block: 256 there, 512 here"),
            ({"figures": {"gain": mc.objective.figure.difference("all", "half")}}, "figures.gain: nothing there, 'Figure' here"),
        ],
    )
    def test_another_run(self, small, stopped, change, message):
        with pytest.raises(ValueError, match=message):
            small.run(**RUN | change, folder=stopped(1), resume=True)

    def test_another_study(self, small, stopped):
        folder = stopped(1)
        for other, message in [
            (with_parameters(small, {"market.equity.sigma": 0.3}), r"study.market.assets.equity.sigma: 0.2 there, 0.3 here$"),
            (replace(small, delay=1), r"study.delay: 0 there, 1 here$"),
            (replace(small, noise=mc.noise.Counter("threefry")), "study.noise.generator: 'philox' there, 'threefry' here"),
        ]:
            with pytest.raises(ValueError, match=message):
                other.run(**RUN, folder=folder, resume=True)

    def test_another_version(self, small, stopped):
        folder = stopped(1)
        about = folder / "checkpoint" / "run.json"
        known = json.loads(about.read_text())
        known["identity"]["version of jax"] = "0.0.1"
        about.write_text(json.dumps(known))
        with pytest.raises(ValueError, match=r"resume: .* holds another run: version of jax: '0.0.1' there, '.*' here$"):
            small.run(**RUN, folder=folder, resume=True)

    def test_a_figures_terms_are_part_of_the_run(self, small, tmp_path):
        floors = [{"breach": mc.objective.figure.breach_at_end("all", floor)} for floor in (0.9, 0.8)]
        small.run(**RUN, figures=floors[0], folder=tmp_path)
        with pytest.raises(ValueError, match=r"figures\.breach\.column\.\S*floor: 0\.9 there, 0\.8 here"):
            small.run(**RUN, figures=floors[1], folder=tmp_path, resume=True)

    def test_nowhere_to_go_on(self, small):
        with pytest.raises(ValueError, match="resume: expected the folder"):
            small.run(**RUN, resume=True)

    @pytest.mark.parametrize("size", [0, 63, 100, 1.5, True])
    def test_super_block(self, size):
        with pytest.raises(ValueError, match="super_block: expected a number of paths that is a multiple of 64"):
            check_super_block(size, 2)

    def test_default_super_block(self):
        """A power of two that holds whole randomisations, within bytes and work."""
        assert default_super_block(400, 252 * 11, 1) == 1 << 15
        assert default_super_block(10**9, 1, 1) == 1024
        assert default_super_block(4, 10**9, 4096) == 4096


def test_a_full_disk_keeps_the_finished_blocks(small, whole, tmp_path):
    """A limit on the size of a file stands for the disk: outcomes of two super-blocks fit below it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    wide = RUN | {"keep": 10**6, "paths": 20_000, "super_block": 4096}
    small.run(**wide | {"paths": 4096}, folder=tmp_path)  # imports and compiles without the limit
    resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, hard))
    try:
        with pytest.raises(mc.engine.DiskFullError, match=r"the disk is full; 8,192 finished paths are kept in .*: make room, then resume there"):
            small.run(**wide, folder=tmp_path, resume=True)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    result = small.run(**wide, folder=tmp_path, resume=True)
    assert result.timings["resumed_paths"] == 8192
    np.testing.assert_array_equal(result["all"]["wealth"], small.run(**wide)["all"]["wealth"])


class TestJournal:
    def test_goes_on_and_drops_what_is_torn(self, tmp_path, capsys):
        file, this = tmp_path / "fit.journal", {"seed": 1}
        first = Journal(file, this, resume=False)
        assert [first(lambda k=k: [k, 0.1 * k]) for k in range(4)] == [[k, 0.1 * k] for k in range(4)]
        file.write_bytes(file.read_bytes()[:-3])
        again = Journal(file, this, resume=True)
        assert [again(lambda: "new") for _ in range(4)] == [[0, 0.0], [1, 0.1], [2, 0.2], "new"]
        assert capsys.readouterr().err == ""
        flip(file, len(file.read_bytes().splitlines(keepends=True)[0]) + 10)
        assert [Journal(file, this, resume=True)(lambda: "newer")] == ["newer"]
        assert "does not agree with its checksum" in capsys.readouterr().err
        with pytest.raises(ValueError, match="seed: 1 there, 2 here"):
            Journal(file, {"seed": 2}, resume=True)

    def test_full_disk(self, tmp_path, monkeypatch):
        journal = Journal(tmp_path / "fit.journal", {}, resume=False)
        journal(lambda: 1)

        def full(descriptor):
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr("os.fsync", full)
        with pytest.raises(mc.engine.DiskFullError, match="1 finished steps are kept"):
            journal(lambda: 2)


class TestStopRules:
    def test_until(self, small):
        result = small.run(**RUN | {"paths": 10**5}, until={"metric": "p20", "error": 6e-3})
        estimates = result.estimates()
        assert max(estimates[f"{book}/p20"].error for book in ("all", "half")) <= 6e-3
        assert result.paths % SIZE == 0
        assert result.paths > KEPT
        before = small.run(**RUN | {"paths": result.paths - SIZE})
        assert before.estimates()["all/p20"].error > 6e-3
        assert "standard error of all/p20 is 0.00" in result.stopped
        same = small.run(**RUN | {"paths": result.paths})
        assert digest(same) == digest(result)

    def test_until_is_judged_while_everything_is_kept(self, small):
        result = small.run(**RUN | {"paths": 10**5}, until=Until("half/wealth", 1.0))
        assert (result.paths, result.kept, result["all"]["wealth"].size) == (SIZE, SIZE, SIZE)

    def test_paths_are_the_most(self, small):
        result = small.run(**RUN, until={"metric": "wealth", "error": 1e-9})
        assert result.paths == PATHS
        assert "all 2,000 paths are run; the standard error of all/wealth is still" in result.stopped

    def test_a_stopped_run_is_finished_and_may_go_further(self, small, tmp_path, monkeypatch):
        tight, tighter = ({"metric": "all/p20", "error": error} for error in (8e-3, 6e-3))
        options = RUN | {"paths": 10**5, "folder": tmp_path, "resume": True}
        first, calls = small.run(**options, until=tight), counted(monkeypatch)
        assert digest(small.run(**options, until=tight)) == digest(first)
        assert calls == []
        further = small.run(**options, until=tighter)
        assert digest(further) == digest(small.run(**RUN | {"paths": 10**5}, until=tighter))

    def test_seconds(self, small, tmp_path):
        options = RUN | {"paths": 10**9, "folder": tmp_path, "resume": True}
        result = small.run(**options, seconds=0.3)
        assert result.paths % SIZE == 0
        assert f"the 0.3 seconds ran out after {result.paths:,} paths" == result.stopped
        again = small.run(**options, seconds=0.3)
        assert (again.paths, again.stopped) == (result.paths, result.stopped)

    @pytest.mark.parametrize(
        ("rule", "message"),
        [
            ({"until": {"metric": "p21", "error": 1e-4}}, "until.metric: unknown figure 'p21'; did you mean p20"),
            ({"until": {"metric": "wealth p20", "error": 1e-4}}, "until.metric: unknown figure 'wealth p20'; did you mean wealth or p20"),
            ({"until": {"metric": "p20", "error": 0.0}}, "until.error: expected a standard error above 0, got 0.0"),
            ({"until": {"metric": "p20", "error": None}}, "until.error: expected a standard error above 0, got None"),
            ({"until": {"metric": None, "error": 0.1}}, "until.metric: expected the name of a figure, got None"),
            ({"until": {"metric": "p20"}}, r"until: expected {metric: p20, error: 1e-4}, got {'metric': 'p20'}"),
            ({"until": "p20"}, "until: expected {metric: p20, error: 1e-4}, got 'p20'"),
            ({"seconds": 0}, "seconds: expected a time above 0, got 0"),
        ],
    )
    def test_refusals(self, small, rule, message):
        with pytest.raises(ValueError, match=message):
            small.run(**RUN, **rule)

    def test_names(self):
        known = ["a/wealth", "a/p20", "b/wealth", "floor_0.9/b/mean_return"]
        for metric, meant in [("wealth", ["a/wealth", "b/wealth"]), ("p20", ["a/p20"]), ("a/wealth", ["a/wealth"])]:
            assert Until(metric, 1.0).names(known) == meant
        assert Until("mean_return", 1.0).names(known) == ["floor_0.9/b/mean_return"]

    def test_no_error_is_not_small(self):
        rule = StopRule(100, {"metric": "x", "error": 1.0}, None)
        assert rule.reached(10, lambda done: {"x": mc.Estimate(0.0, math.nan), "y": mc.Estimate(0.0, 0.1)}) is None


def test_compile_first_and_steady_time_are_told_apart(whole):
    times = whole.timings
    assert set(times) == {"compile_seconds", "first_seconds", "run_seconds", "steady_paths_per_second"}
    assert 0.0 < times["first_seconds"] < times["run_seconds"]
    assert times["steady_paths_per_second"] > 0.0


@pytest.mark.parametrize(("kills", "ahead"), [(3, 3), pytest.param(20, 2, marks=pytest.mark.slow)])
def test_kill_at_any_moment(small, tmp_path, kills, ahead):
    """``kill -9`` at random moments of a run that each time goes on where it was; processes are made ``ahead`` of their turn."""
    options = {"paths": 30_000, "seed": 7, "block": 64, "keep": 10_000, "super_block": 256, "progress": False}
    folder, chance = tmp_path / "run", random.Random(kills)
    command = [sys.executable, str(Path(__file__).with_name("killed_run.py")), json.dumps(options | {"folder": str(folder)})]

    def newest():
        return max((int(file.stem) for file in (folder / "checkpoint").glob("*.block")), default=-1)

    waiting = []
    for kill in range(kills):
        while len(waiting) < min(ahead, kills - kill):
            waiting.append(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
        with waiting.pop(0) as process:
            assert process.stdout.readline() == "ready\n"
            goal = newest() + chance.randint(1, 2 * (30_000 // 256) // (3 * kills))
            process.stdin.write("go\n")
            process.stdin.flush()
            while newest() < goal:
                assert process.poll() is None, "it ended before it was killed"
                time.sleep(0.001)
            time.sleep(chance.uniform(0.0, 0.01))
            process.send_signal(signal.SIGKILL)
    result = small.run(**options, folder=folder, resume=True)
    assert 0 < result.timings["resumed_paths"] < options["paths"]
    assert digest(result) == digest(small.run(**options))
