"""Sweeps in one process: points by Hydra's grammar, refused before anything runs, solved together as if each ran alone, told by their folders."""

import importlib
import json
import re
import shlex
from pathlib import Path

import jax
import numpy as np
import pytest
from omegaconf import OmegaConf

import mcengine as mc
from mcengine import _targets, config
from mcengine._model import parameters, with_parameters
from mcengine.engine import together

SCRIPTS = Path(__file__).resolve().parent.parent / "experiments"
TASKS = ("hedge", "price", "greeks", "optimise", "study", "case_study")
FAST = ["market=lognormal", "policy=cppi", "steps=4", "paths=1000"]


@pytest.fixture(scope="module")
def scripts():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(SCRIPTS))
        yield {name: importlib.import_module(name) for name in (*TASKS, "_command_line", "_points", "_sweep", "_sweep_table")}


@pytest.fixture
def run(scripts, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = jax.config.jax_enable_x64
    yield lambda *words, name="hedge": scripts[name].main(list(words))
    jax.config.update("jax_enable_x64", before)


@pytest.fixture
def points(scripts):
    """``points(*words)``: (swept values, configuration) of every point."""

    def found(*words, name="hedge"):
        line = scripts["_command_line"].read(["-m", *words])
        return [(dict(point.swept), point.config()) for point in scripts["_points"].points(name, line)]

    return found


# ---- points ----


def test_values_are_those_of_hydras_grammar(points):
    """Ranges, choices, globs and lists with commas mean what they mean to Hydra, and combine in its order, the last key fastest."""
    assert [p["policy.multiplier"] for p, _ in points("policy=cppi", "policy.multiplier=range(2,5)")] == ["2", "3", "4"]
    assert [p["floor"] for p, _ in points("floor=choice(0.7,0.9)")] == ["0.7", "0.9"]
    assert [p["policy"] for p, _ in points("policy=glob(stop*)")] == ["stop_loss", "stop_loss_reentry"]
    both = points("policy=cppi,stop_loss", "floor=0.7,0.9")
    assert [tuple(p.values()) for p, _ in both] == [("cppi", "0.7"), ("cppi", "0.9"), ("stop_loss", "0.7"), ("stop_loss", "0.9")]
    assert [c.weights for _, c in points("weights={equity: 1.0},{bond: 0.25}")] == [{"equity": 1.0}, {"bond": 0.25}]


def test_a_point_is_what_hydra_composes(points):
    words = ["policy=cppi,tipp", "ledger=full", "policy.multiplier=3,4", "+market.assets.equity.shock=0.1", "seed=7"]
    for swept, found in points(*words):
        plain = [f"{key}={value}" for key, value in swept.items()]
        alone = mc.load_config(["plots=false", "outcomes=false", *plain, "ledger=full", "+market.assets.equity.shock=0.1", "seed=7"], "hedge")
        assert found == alone
        assert list(found) == list(alone)


def test_groups_are_composed_once_for_each_choice(points, scripts, monkeypatch):
    composed, calls = scripts["_points"]._composed, []
    monkeypatch.setattr(scripts["_points"], "_composed", lambda *a: calls.append(a) or composed(*a))
    assert len(points("policy=cppi,tipp", "policy.multiplier=range(2,7)", "floor=0.8,0.9")) == 20
    assert len(calls) == 2


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["policy=cppi,unhedged", "policy.multiplier=3,4"], "policy=unhedged policy.multiplier=3: unknown key 'policy.multiplier'"),
        (["policy=cppi", "policy.multiplier=3,-1"], "policy.multiplier=-1: Cppi.multiplier: expected a number"),
        (["policy=cppi", "policy.multiplier=3,x"], "policy.multiplier=x: policy.multiplier: expected a number, got 'x'"),
        (["policy=cppi,cpi"], "policy=cpi: unknown policy 'cpi'; did you mean cppi"),
        (["floor=0.9,1.2"], "floor=1.2: "),
        (["policy=glob(nothing*)"], "--multirun: expected values that make at least one run, got none"),
        (["+polcy.multiplier=3,4"], "+polcy.multiplier=3: unknown key 'polcy'"),
        (["variance_reduction=antithetic", "steps=4", "paths=1000,1001"], "paths=1001: paths: expected a multiple of 2"),
        (["policy=cpi"], "unknown policy 'cpi'; did you mean cppi"),
    ],
)
def test_a_bad_point_is_refused_before_anything_runs(run, capsys, tmp_path, words, message):
    assert run("-m", "market=lognormal", *words) == 2
    assert capsys.readouterr().err.startswith(f"error: {message.lstrip('+')}")
    assert list(tmp_path.rglob("*.*")) == []


@pytest.mark.parametrize(
    ("name", "words", "message"),
    [
        ("study", ["floors=[0.9],[1.5]"], "floors=[1.5]: StopLoss.floor: expected a floor whose present value"),
        ("study", ["noise=sobol_pca", "paths=1000,1024"], "paths=1000: paths: expected a multiple of 32"),
        ("optimise", ["policy=cppi", "objective.goal=mean_return,nothing"], "objective.goal=nothing: unknown figure 'nothing'"),
        ("optimise", ["policy=cppi", "optimise.train=[policy.x],[policy.cppi.multiplier]"], "optimise.train=[policy.x]: train: unknown parameter"),
        ("greeks", ["policy=cppi", "contract.asset=equity,gold"], "contract.asset=gold: unknown asset 'gold'"),
        ("price", ["instrument.asset=equity,gold"], "instrument.asset=gold: unknown asset 'gold'"),
        ("case_study", ["case.parts=[map],[foo]"], "case.parts=[foo]: case.parts: expected some of map"),
        ("hedge", ["variance_reduction=importance", "floor=0.9,1.2"], "floor=1.2: "),
    ],
)
def test_so_it_is_of_a_run_of_its_own(run, capsys, tmp_path, name, words, message):
    """Where nothing is solved together what a run is of is built all the same."""
    assert run("-m", "market=lognormal", *words, name=name) == 2
    assert capsys.readouterr().err.startswith(f"error: {message}")
    assert list(tmp_path.rglob("*.*")) == []


def test_a_study_of_ones_own_says_what_it_sweeps(points, tmp_path):
    """In a folder of one's own; no other setting of Hydra's, and none in what is swept."""
    (tmp_path / "experiment").mkdir()
    file, head = tmp_path / "experiment" / "mine.yaml", "# @package _global_\ndefaults:\n  - override /policy: cppi\nsteps: 12\nhydra:\n"
    file.write_text(f"{head}  sweeper: {{params: {{policy.multiplier: '3,4,5', floor: '0.8'}}}}\n")
    found = points("experiment=mine", "floor=0.7,0.9", "--config-dir", str(tmp_path))
    assert [tuple(p.values()) for p, _ in found][:3] == [("3", "0.7"), ("3", "0.9"), ("4", "0.7")]
    assert {c.steps for _, c in found} == {12}
    for inner in (
        "{sweeper: {params: {hydra.job.name: x}}}",
        "{sweeper: {_target_: os.mkdir}}",
        "{sweeper: {params: {x@hydra: y}}, job: {chdir: true}}",
    ):
        file.write_text(f"{head[:-1]} {inner}\n")
        with pytest.raises(ValueError, match="has settings of Hydra itself"):
            points("experiment=mine", "--config-dir", str(tmp_path))


# ---- names ----


def test_folder_names(scripts, monkeypatch):
    name, plain = scripts["_command_line"].folder_name, mc.load_config(name="price")
    assert re.fullmatch(r"floor=0.3_policy=cppi_[0-9a-f]{8}", name({"floor": "0.30000000000000004", "policy": "cppi"}, plain))
    assert name({"weights": "{equity:1.0,bond:1e-3}"}, plain).startswith("weights=equity-1.0-bond-1e-3_")
    assert name({"data.file": "../a:b/c.csv"}, plain).startswith("data.file=a-b-c.csv_")
    assert re.fullmatch(r"[0-9a-f]{8}", name({}, plain))
    long = {f"market.assets.equity.number_{k}": "0.125" for k in range(12)}
    assert len(name(long, plain).encode()) == 80 + 9
    assert name({}, plain) != name({}, mc.load_config(["seed=1"], name="price"))
    own, hashed = OmegaConf.create(config.plain(plain) | {"instrument": {"_target_": "json.loads"}}), {}
    with _targets.allowing(["json"]), monkeypatch.context() as patch:
        for code in "ab":  # of one's own, and changed
            patch.setattr(scripts["_command_line"], "source", lambda target, code=code: code)
            hashed[code] = name({}, own)
    assert hashed["a"] != hashed["b"]
    for value in ("../../x.csv", "C:\\x", "Müller & Söhne", "../" * 50, ".", "a\nb", "x" * 300):
        found = name({"data": value}, plain)
        assert re.fullmatch(r"data=[A-Za-z0-9_.+-]+_[0-9a-f]{8}", found)
        assert len(found) <= 80 + 9


# ---- together ----


@pytest.fixture(scope="module")
def studies():
    """Twelve of one structure, that of the sweeps below, which differ in a rule's number."""
    chosen = mc.load_config(FAST, "hedge")
    market, weights = config.calibrated(chosen.market), config.plain(chosen.weights)
    books = lambda m: {"unhedged": mc.policy.presets.unhedged(weights), "cppi": mc.policy.presets.cppi(weights, 0.9, multiplier=m)}  # noqa: E731
    return [mc.Study(market, books(2.0 + 0.5 * k), config.build(chosen.ledger), steps=4) for k in range(12)]


def test_together_is_each_alone(studies):
    """The benchmark to the bit; the rule's mean to 1e-5, where single paths may flip at a trigger."""
    found = dict(together(studies, 1000))
    assert sorted(found) == list(range(12))
    for k in (0, 7, 11):
        alone = studies[k].run(1000, progress=False)
        assert np.array_equal(alone["unhedged"]["wealth"], found[k]["unhedged"]["wealth"])
        for name, values in alone["cppi"].items():
            assert found[k]["cppi"][name].mean(dtype=float) == pytest.approx(values.mean(dtype=float), abs=1e-5)
    assert found[0]["unhedged"]["wealth"] is found[7]["unhedged"]["wealth"]  # computed and held once


def test_what_stops_a_program_stops_its_runs_alone(run, capsys, tmp_path, monkeypatch):
    """Those that were solved in it say so; the others are run, and the sweep has its table and its page."""
    solve = lambda *given: {}["rate"]  # noqa: E731
    monkeypatch.setattr(importlib.import_module("mcengine.engine.together").Batch, "solve", solve)
    assert run("-m", *FAST, "policy=cppi,unhedged", "floor=0.7,0.8,0.9", "hydra.sweep.dir=sweep") == 2
    out, err = capsys.readouterr()
    assert [line.partition(": ")[0] for line in err.splitlines()] == ["error"] * 3
    assert err.count("KeyError: 'rate'") == out.count("KeyError: 'rate'") == 3
    assert {json.loads(file.read_text())["code"] for file in (tmp_path / "sweep").glob("*/failed.json")} == {2}
    assert list(mc.collect("sweep")["floor"]) == [0.7, 0.8, 0.9]
    assert (tmp_path / "sweep" / "report.html").is_file()


def test_one_program_takes_all_chunks_and_another_sweep(studies):
    before = mc.engine.traces()
    dict(together(studies[:5], 1000))
    dict(together([mc.replace(study, wealth=2.0) for study in studies], 1000, seed=3))
    assert mc.engine.traces() == before


def test_a_study_that_breaks_leaves_the_others(studies):
    numbers = [{"market.equity.sigma": 0.2 + 0.01 * k, "market.equity.spot": 100.0 if k != 2 else 3e38} for k in range(6)]
    with np.errstate(all="ignore"):
        found = dict(together([with_parameters(studies[0], point) for point in numbers], 64))
    assert [k for k, one in found.items() if isinstance(one, mc.engine.NotFiniteError)] == [2]
    assert np.std([found[k]["unhedged"]["wealth"].mean() for k in (0, 1, 3, 4, 5)]) > 0.0  # each has a market of its own


# ---- a sweep ----

SWEEP = ["-m", *FAST, "policy.multiplier=3,4,5,6,7", "hydra.sweep.dir=sweep"]


def metrics(folder):
    return json.loads((folder / "metrics.json").read_text())


def test_a_sweep_leaves_a_folder_a_run_and_tells(run, capsys, tmp_path, monkeypatch):
    compiled = mc.engine.program.seconds_compiling()
    assert run(*SWEEP) == 0
    compiled = mc.engine.program.seconds_compiling() - compiled
    out = capsys.readouterr().out.splitlines()
    folders = sorted(file.parent for file in (tmp_path / "sweep").rglob("metrics.json"))
    assert [folder.name[: len("policy.multiplier=3")] for folder in folders] == [f"policy.multiplier={m}" for m in "34567"]
    for folder in folders:
        assert {file.name for file in folder.iterdir()} == {".lock", "begun.json", "config.yaml", "figures.csv", "metrics.json", "provenance.json"}
    assert Path(out[-1]) == tmp_path / "sweep"
    assert (tmp_path / "sweep" / "report.html").is_file()
    assert re.split(r"  +", out[0].strip()) == ["policy.multiplier", "mean return, %", "P(below floor) any day, %", "CVaR 95 (loss), %"]
    assert [line.split()[:2] for line in out[1:6]] == [[str(k), m] for k, m in zip(range(1, 6), "34567", strict=True)]
    assert all(line.count("±") == 3 for line in out[1:6])
    table = mc.collect("sweep")
    assert list(table["policy.multiplier"]) == [3, 4, 5, 6, 7]
    timings = [json.loads((folder / "provenance.json").read_text())["timings"] for folder in folders]
    assert sum(one.get("compile_seconds", 0.0) for one in timings) == pytest.approx(compiled)
    assert all(one["total_seconds"] > one["run_seconds"] + one.get("compile_seconds", 0.0) > 0.0 for one in timings)

    # Again in the folder, with one value more: what is finished is not run.
    before = {folder: (folder / "metrics.json").stat().st_mtime_ns for folder in folders}
    solved = scripts_together(monkeypatch)
    assert run(*SWEEP, "policy.multiplier=3,8,7") == 0
    assert [len(studies) for studies in solved] == [1]
    assert capsys.readouterr().out.count("finished before") == 2
    assert len(mc.collect("sweep")) == 6
    assert all((folder / "metrics.json").stat().st_mtime_ns == time for folder, time in before.items())

    # A run of it alone, by the command in its folder: the same to 1e-5.
    command = shlex.split(json.loads((folders[2] / "provenance.json").read_text())["command"])
    assert run(*command[2:], "hydra.run.dir=alone") == 0
    for key, value in metrics(folders[2]).items():
        if key in ("mean_return", "mean_shortfall", "exposure", "turnover", "cvar_95"):
            assert value["value"] == pytest.approx(metrics(tmp_path / "alone")[key]["value"], abs=1e-5)


def scripts_together(monkeypatch):
    """The studies of every call of ``engine.together``."""
    calls, true = [], mc.engine.together
    monkeypatch.setattr(mc.engine, "together", lambda studies, *a, **k: calls.append(studies) or true(studies, *a, **k))
    return calls


def test_pictures_and_outcomes_where_they_are_asked_for(run, tmp_path):
    assert run(*SWEEP, "plots=true", "outcomes=true") == 0
    for file in (tmp_path / "sweep").rglob("metrics.json"):
        assert {picture.stem for picture in file.parent.glob("*.png")} == {"wealth", "protection_cost"}
        wealth = np.load(file.parent / "outcomes" / "cppi" / "wealth.npy")
        assert wealth.mean(dtype=float) - 1.0 == pytest.approx(metrics(file.parent)["mean_return"]["value"], abs=1e-6)
        assert any((file.parent / "checkpoint").iterdir())


def test_a_run_that_fails_leaves_why_and_the_others_go_on(run, capsys, tmp_path, monkeypatch, scripts):
    true = scripts["hedge"].objective.table

    def table(result, floor, **options):
        if float(parameters(result.study)["policy.cppi.cppi.multiplier"]) == 4.0:
            raise ValueError("no table of four")
        if float(parameters(result.study)["policy.cppi.cppi.multiplier"]) == 6.0:
            raise PermissionError(13, "no table of six")
        return true(result, floor, **options)

    with monkeypatch.context() as patch:
        patch.setattr(scripts["hedge"].objective, "table", table)
        assert run(*SWEEP) == 2
    out, err = capsys.readouterr()
    assert err == "error: policy.multiplier=4: no table of four\nerror: policy.multiplier=6: [Errno 13] no table of six\n"
    assert "failed: no table of four" in out.splitlines()[2]
    failed, other = sorted((tmp_path / "sweep").rglob("failed.json"))
    assert json.loads(failed.read_text())["message"] == "no table of four"
    assert len(mc.collect("sweep")) == 3
    page = (tmp_path / "sweep" / "report.html").read_text()
    assert "3 runs, 2 failed" in page
    assert "no table of four" in page
    assert f"-m {FAST[0]}" in page  # how to run it again
    assert run(*SWEEP) == 0
    assert not failed.exists()
    assert not other.exists()
    assert len(mc.collect("sweep")) == 5

    # What is refused in its own folder has no figures here, whatever that folder holds.
    facts = failed.parent / "provenance.json"
    facts.write_text(facts.read_text().replace('"seed": 0', '"seed": 1'))
    capsys.readouterr()
    assert run(*SWEEP) == 2
    second = capsys.readouterr().out.splitlines()[2]
    assert second.split()[:3] == ["2", "4", "failed:"]
    assert "holds the finished run of another configuration" in second


def test_what_the_environment_gives_is_another_run(run, tmp_path, monkeypatch):
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "mine.yaml").write_text("# @package _global_\nseed: ${oc.decode:${oc.env:MC_TEST_NUMBER}}\n")
    words = ["-m", *FAST, "experiment=mine", "--config-dir", str(tmp_path), "policy.multiplier=3,4", "hydra.sweep.dir=sweep"]
    for number in ("1001", "1002"):
        monkeypatch.setenv("MC_TEST_NUMBER", number)
        assert run(*words) == 0
        assert run(*words) == 0
    assert len(set(mc.collect("sweep")["mean_return"])) == len(list((tmp_path / "sweep").glob("*/metrics.json"))) == 4


@pytest.mark.parametrize("name", ["sweep.json", "report.html"])
@pytest.mark.parametrize("more", [[], ["hydra/launcher=basic"]])
def test_a_sweep_writes_over_nothing_of_the_users(run, capsys, tmp_path, name, more):
    (tmp_path / "sweep").mkdir()
    (tmp_path / "sweep" / name).write_text("{}")
    assert run(*SWEEP, *more) == 2
    assert f"sweep has {name}, which no sweep left there and this one would write over" in capsys.readouterr().err
    assert [(file.name, file.read_text()) for file in (tmp_path / "sweep").iterdir()] == [(name, "{}")]


def test_a_sweep_that_is_stopped_goes_on(run, capsys, tmp_path, monkeypatch, scripts):
    true, told = scripts["hedge"].objective.table, []

    def table(*given, **options):
        told.append(1)
        if len(told) > 2:
            raise KeyboardInterrupt
        return true(*given, **options)

    with monkeypatch.context() as patch:
        patch.setattr(scripts["hedge"].objective, "table", table)
        assert run(*SWEEP) == 130
    err = capsys.readouterr().err
    assert len(list((tmp_path / "sweep").rglob("metrics.json"))) == 2
    words = shlex.split(err.partition("go on with: python experiments/hedge.py ")[2])
    assert run(*words) == 0
    assert capsys.readouterr().out.count("finished before") == 2
    assert len(mc.collect("sweep")) == 5


def test_a_script_without_a_plan_runs_one_after_the_other(run, capsys, tmp_path):
    """In one process, composed once; what each prints is in its folder."""
    words = ["-m", "precision=float32,float64", "market=lognormal", "paths=512", "steps=4", "hydra.sweep.dir=sweep"]
    assert run(*words, name="price") == 0
    out = capsys.readouterr().out
    assert "price" in out.splitlines()[0]
    assert out.count("±") == 2
    for file in (tmp_path / "sweep").rglob("metrics.json"):
        assert "by Monte Carlo, 512 paths" in (file.parent / "output.txt").read_text()
        facts = json.loads((file.parent / "provenance.json").read_text())
        assert facts["precision"] == facts["config"]["precision"]


def test_markets_are_calibrated_once(monkeypatch):
    built, calls = importlib.import_module("mcengine.config.built"), []
    monkeypatch.setattr(built, "_markets", {})
    monkeypatch.setattr(built, "build", lambda node: calls.append(node) or object())
    first = mc.load_config(["market=lognormal"], "hedge").market
    assert built.calibrated(first) is built.calibrated(mc.load_config(["market=lognormal", "policy=cppi"], "hedge").market)
    built.calibrated(mc.load_config(["market=lognormal", "market.rate=0.02"], "hedge").market)
    assert len(calls) == 2


def test_a_market_of_a_file_is_calibrated_again_where_the_file_changes(monkeypatch, tmp_path):
    built, calls = importlib.import_module("mcengine.config.built"), []
    monkeypatch.setattr(built, "_markets", {})
    monkeypatch.setattr(built, "build", lambda node: calls.append(node) or object())
    file = tmp_path / "prices.csv"
    node = mc.load_config(["market=replay", f"data={file}"], "hedge").market
    for text in ("1", "1", "2"):
        file.write_text(text)
        built.calibrated(node)
    assert len(calls) == 2


@pytest.mark.slow
def test_together_is_each_alone_in_double_precision(studies, float64):
    found = dict(together(studies[:8], 1000))
    for k in (0, 7):
        for name, values in studies[k].run(1000, progress=False)["cppi"].items():
            assert found[k]["cppi"][name].mean(dtype=float) == pytest.approx(values.mean(dtype=float), abs=1e-10)
