"""Every command that is printed runs as it is printed: taken apart as a shell does, handed to the experiment it names."""

import importlib
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mcengine as mc
from mcengine import config
from mcengine.engine import checkpoint

SCRIPTS = Path(__file__).resolve().parent.parent / "experiments"
FAST = ["policy=unhedged", "market=lognormal", "steps=12", "paths=256", "plots=false"]
ODD = {"TRUE": "TRUE", "on": "on", "null": "null", "S P": "S_P", "5%": "_5"}
"""Headings, and what assets are called after them."""


@pytest.fixture
def script(tmp_path, monkeypatch):
    """``script(words)`` gives the exit code of ``python experiments/<name>.py ...`` in this process, in an empty working directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(SCRIPTS))
    monkeypatch.setenv("MC_SMALL", "1")
    before = jax.config.jax_enable_x64

    def run(words):
        python, file, *arguments = words
        assert python == "python"
        return importlib.import_module(re.fullmatch(r"experiments/(\w+)\.py", file)[1]).main(arguments)

    yield run
    jax.config.update("jax_enable_x64", before)
    for name in ("calibrate", "hedge"):
        sys.modules.pop(name, None)


def printed(text):
    """The one command in what was printed, as the words a shell makes of it."""
    (line,) = [line for line in text.splitlines() if "python experiments/" in line]
    return shlex.split("python experiments/" + line.partition("python experiments/")[2])


def hedge(*words):
    return ["python", "experiments/hedge.py", *words]


def prices(file, columns, rows=300):
    moves = np.random.default_rng(1).normal(0.0, 0.01, (rows, len(columns)))
    days = np.arange("2015-01-01", "2017-01-01", dtype="datetime64[D]")
    days = days[np.is_busday(days)][:rows]
    table = 100.0 * np.exp(np.cumsum(moves, axis=0))
    lines = [",".join(["Date", *columns]), *(f"{day}," + ",".join(f"{x:.6f}" for x in row) for day, row in zip(days, table, strict=True))]
    file.write_text("\n".join(lines) + "\n")


def test_a_calibrated_market_of_odd_names_in_an_odd_folder(script, tmp_path, capsys):
    prices(tmp_path / "odd.csv", list(ODD))
    folder = "hydra.run.dir='an odd, {folder}=it\\'s'"
    assert script(["python", "experiments/calibrate.py", "data=odd.csv", "model=gbm", "plots=false", folder]) == 0
    command = printed(capsys.readouterr().out)
    assert script([*command, *FAST[2:], "policy=unhedged", "hydra.run.dir=used"]) == 0
    weights = json.loads((tmp_path / "used" / "provenance.json").read_text())["config"]["weights"]
    assert weights == dict.fromkeys(ODD.values(), 0.2)


@settings(max_examples=8, deadline=None)
@given(st.integers(1, 40), st.booleans())
def test_equal_weights_of_any_number_of_assets(count, odd):
    """As a command line gives them: every asset has one, together they are no more than the wealth and within 40 x 1e-4 of it."""
    sys.path.insert(0, str(SCRIPTS))
    try:
        equal = importlib.import_module("calibrate").equal_weights
    finally:
        sys.path.remove(str(SCRIPTS))
    names = [*(["True"] if odd else []), *(f"A_{k}" for k in range(count))]
    found = config.plain(mc.load_config(equal(names), "hedge"))["weights"]
    assert list(found) == names
    assert len(set(found.values())) == 1
    assert 1.0 - 40e-4 <= sum(mc.policy.Mix(found).weights.values()) <= 1.0 + 1e-6


def test_weights_in_braces_replace(script, tmp_path):
    """They do not merge with those of conf/, in Python, in a run and in a sweep; one weight by its name still changes that one alone."""
    assert config.plain(mc.load_config(["weights={equity: 1.0}"], "hedge"))["weights"] == {"equity": 1.0}
    assert config.plain(mc.load_config(["weights={equity: 0.5}", "weights.equity=0.4"], "hedge"))["weights"] == {"equity": 0.4}
    assert config.plain(mc.load_config(["weights.equity=0.4"], "hedge"))["weights"] == {"equity": 0.4, "bond": 0.3, "commodity": 0.1}
    assert script(hedge(*FAST, "-m", "weights={equity: 1.0},{bond: 0.25, equity: 0.5}", "hydra.sweep.dir=sweep")) == 0
    runs = [json.loads(file.read_text())["config"]["weights"] for file in sorted((tmp_path / "sweep").rglob("provenance.json"))]
    assert sorted(runs, key=len) == [{"equity": 1.0}, {"bond": 0.25, "equity": 0.5}]


def test_a_long_sweep_has_names_that_fit_and_lines_that_run(script, tmp_path, capsys):
    """A run's folder is named by what is swept and a hash; the sweep finds it again, and its command, which is inside, runs alone."""
    long = [f"market.assets.{asset}.{key}={value}" for asset in ("equity", "bond", "commodity") for key, value in (("drift", 0.03), ("sigma", 0.12))]
    sweep = hedge(*FAST, *long, "-m", "floor=0.7,0.9", "hydra.sweep.dir=sweep")
    assert script(sweep) == 0
    folders = [file.parent for file in (tmp_path / "sweep").rglob("begun.json")]
    assert len(folders) == 2
    for folder in folders:
        assert folder.parent == tmp_path / "sweep"
        assert re.fullmatch(r"floor=0\.[79]_[0-9a-f]{8}", folder.name)
        assert set(long) < set(json.loads((folder / "begun.json").read_text())["overrides"])
    capsys.readouterr()
    assert script([*sweep, "floor=0.7"]) == 0
    assert "finished before" in capsys.readouterr().out
    alone = next(folder for folder in folders if "floor=0.7" in folder.name)
    command = shlex.split(json.loads((alone / "provenance.json").read_text())["command"])
    for name in ("alone", "again"):
        assert script([*command, f"hydra.run.dir={name}"]) == 0
    one, again, before = (json.loads((folder / "metrics.json").read_text()) for folder in (tmp_path / "alone", tmp_path / "again", alone))
    assert one == again
    assert list(one) == list(before)
    for key, value in config.flat(before).items():
        assert config.flat(one)[key] == (value if value is None else pytest.approx(value, abs=1e-5)), key


def test_a_run_that_is_stopped_before_it_has_begun():
    """While a script imports what it needs SIGTERM is an interruption too."""
    code = f"import os, sys; sys.argv = ['{SCRIPTS / 'hedge.py'}']; sys.path.insert(0, '{SCRIPTS}'); import _interrupts; os.kill(os.getpid(), 15)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (130, "error: interrupted\n")


def test_a_stopped_run_goes_on(script, tmp_path, capsys, monkeypatch):
    true, calls = checkpoint.OnDisk.record, []

    def stopping(*arguments):
        calls.append(1)
        if len(calls) > 2:
            raise KeyboardInterrupt
        return true(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint.OnDisk, "record", stopping)
        blocks = ["engine.block=64", "engine.super_block=64"]
        assert script(hedge(*FAST, *blocks, "weights={equity: 1.0}", "hydra.run.dir='run of %, (mine)'")) == 130
    assert script(printed(capsys.readouterr().err)) == 0
    assert json.loads((tmp_path / "run of %, (mine)" / "provenance.json").read_text())["config"]["weights"] == {"equity": 1.0}


FLOORS = {
    "{_target_: mcengine.policy.Stepped, levels: [0.85, 0.9], dates: [0, 6]}": mc.policy.Stepped((0.85, 0.9), (0, 6)),
    "{_target_: mcengine.policy.HighWater, share: 0.9}": mc.policy.HighWater(0.9),
    "{_target_: mcengine.policy.Relative, share: 0.9, weights: {bond: 1.0}}": mc.policy.Relative(0.9, {"bond": 1.0}),
    "0.9": 0.9,
}
TAKING = ("cppi", "stop_loss", "vol_target_cppi", "stop_loss_reentry", "cppi_on_dates", "synthetic_put", "neural_cppi")


def floored(policy, floor):
    composed = mc.load_config([f"policy={policy}", f"policy.floor={floor}"], "hedge")
    config.check(composed, "hedge", nodes=True)
    found = list(mc.build(composed.policy).stages.values())
    return next(getattr(one, "base", one) for one in found if hasattr(getattr(one, "base", one), "floor"))


@pytest.mark.parametrize(
    ("policy", "floor"),
    [(policy, list(FLOORS)[k % len(FLOORS)]) for k, policy in enumerate(TAKING)],
)
def test_a_floor_is_a_number_or_any_floor(policy, floor):
    """On the command line of every policy that takes one: the rule that Python makes of it."""
    stage = floored(policy, floor)
    assert repr(stage.floor) == repr(mc.replace(stage, floor=FLOORS[floor]).floor)


@pytest.mark.parametrize(("wrong", "shown"), [("high", "'high'"), ("[0.9]", "[0.9]"), ("{level: 0.9}", "{'level': 0.9}"), ("null", "nothing")])
def test_what_is_no_floor(wrong, shown):
    with pytest.raises(ValueError, match=re.escape(f"policy.floor: expected a number or a Floor, as {{_target_: ...}}, got {shown}")):
        floored("cppi", wrong)


def test_a_run_at_a_floor_that_rises(script, tmp_path):
    rising = next(iter(FLOORS))
    assert script(hedge(*FAST[1:], "policy=stop_loss", f"policy.floor={rising}", "hydra.run.dir=rising")) == 0
    assert script(hedge(*FAST[1:], "policy=stop_loss", "hydra.run.dir=level")) == 0
    means = [json.loads((tmp_path / name / "metrics.json").read_text())["mean_return"]["value"] for name in ("rising", "level")]
    assert means[0] != means[1]
