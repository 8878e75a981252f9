"""Studies by name: every file of conf/experiment composes, and says what it sweeps over; what nothing reads is refused."""

import importlib
import json
import shlex
from pathlib import Path

import pytest

import mcengine as mc
from mcengine import config

SCRIPTS = Path(__file__).resolve().parent.parent / "experiments"

NAMES = sorted(file.stem for file in (config.CONF / "experiment").glob("*.yaml"))
ALONE = {"case_study": "case_study", "deep_hedging": "optimise"}
"""Of studies that are for one script alone; all others compose in any."""
PRIMARY = sorted(file.stem for file in config.CONF.glob("*.yaml") if file.stem != "base")


SWEPT = {
    "protection_frontier": 45,
    "multiplier_gap_risk": 27,
    "rebalancing_frequency": 15,
    "cost_sensitivity": 15,
    "vol_of_vol": 15,
    "correlation_flip_2022": 24,
    "event_overlay": 20,
    "escalation_ablation": 8,
    "model_risk": 48,
}
"""Points of each study's sweep."""

SMALL = {
    "protection_frontier": ["market=lognormal", "policy=cppi", "floor=0.8"],
    "multiplier_gap_risk": ["policy.multiplier=10", "policy.every=5"],
    "rebalancing_frequency": ["market=lognormal", "policy.every=2", "ledger.rate=0.0005"],
    "cost_sensitivity": ["market=lognormal", "policy.tenor=8", "policy.roll=4", "ledger.option_spread=0.05", "ledger.rate=0"],
    "vol_of_vol": ["policy=cppi", "market.assets.equity.vol_of_vol=0.9"],
    "correlation_flip_2022": ["policy=cppi", "market.correlation.equity-bond=0.6"],
    "event_overlay": ["policy.date=6", "policy.vega=1", "market.events.rates.date=0.025", "market.events.rates.variance_premium=1.2"],
    "escalation_ablation": ["market=lognormal", "policy.kept.stop=1"],
    "model_risk": ["market=lognormal", "policy.multiplier=5"],
}
"""Choices with which each is run small, on markets that share programs."""


@pytest.fixture(scope="module")
def scripts():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(SCRIPTS))
        yield {name: importlib.import_module(name) for name in ("hedge", "_command_line", "_points")}


@pytest.mark.parametrize("name", NAMES)
def test_an_experiment_composes_in_a_script(name):
    script = ALONE.get(name, "hedge")
    plain, chosen = mc.load_config(name=script), mc.load_config([f"experiment={name}"], name=script)
    assert list(chosen) == list(plain)
    assert (config.CONF / "experiment" / f"{name}.yaml").read_text().startswith("# @package _global_\n# ")


@pytest.mark.parametrize("name", SWEPT)
def test_every_point_of_a_study_is_one_that_runs(scripts, name):
    """Composed; the first and the last checked, and their studies built."""
    line = scripts["_command_line"].read(["-m", f"experiment={name}"])
    points = scripts["_points"].points("hedge", line)
    assert len(points) == SWEPT[name]
    assert len({tuple(point.swept.items()) for point in points}) == SWEPT[name]
    for point in (points[0], points[-1]):
        config.check(point.config(), "hedge", nodes=True)
        assert scripts["hedge"].plan(point.config()).study.books


def test_a_study_of_history_has_the_days_it_asks_for(scripts):
    """The command in its file."""
    file = config.CONF / "experiment" / "correlation_flip_2022.yaml"
    (words,) = [line.partition(": ")[2] for line in file.read_text().splitlines() if line.startswith("# History itself: ")]
    chosen = mc.load_config([f"experiment={file.stem}", *shlex.split(words)], name="hedge")
    assert scripts["hedge"].plan(chosen).study.available(chosen.paths, 0) > 20


def test_every_study_runs_small(scripts, tmp_path, monkeypatch, capsys):
    """One point of each, with its rule; in one folder."""
    monkeypatch.chdir(tmp_path)
    for name, words in SMALL.items():
        run = [f"experiment={name}", *words, "steps=12", "years=0.05", "paths=256", "plots=false", f"hydra.run.dir={name}"]
        assert scripts["hedge"].main(run) == 0
        choices = json.loads((tmp_path / name / "provenance.json").read_text())["choices"]
        assert choices["experiment"] == name
    metrics = {name: json.loads((tmp_path / name / "metrics.json").read_text()) for name in SMALL}
    assert all(found["mean_return"]["error"] > 0.0 for found in metrics.values())
    assert capsys.readouterr().out.count("one run; with -m this study sweeps over ") == len(SMALL)
    assert sorted(SMALL) == sorted(SWEPT) == sorted(set(NAMES) - set(ALONE))


@pytest.mark.parametrize("script", sorted({*PRIMARY} - {"benchmark"}))
def test_every_script_has_the_group(script):
    """Left out it changes nothing; a name that is none is told."""
    assert "experiment" not in mc.load_config(name=script)
    assert mc.load_config(["experiment=null"], name=script) == mc.load_config(name=script)
    with pytest.raises(ValueError, match=r"^unknown experiment 'cost_sensitivty'; did you mean cost_sensitivity"):
        mc.load_config(["experiment=cost_sensitivty"], name=script)


@pytest.mark.parametrize(
    ("script", "name", "found"),
    [
        ("price", "vol_of_vol", "heston"),
        ("monitor", "event_overlay", "events"),  # which its run refuses
        ("price", "model_risk", "experiment=model_risk: sets policy, which experiments/price.py does not read"),
        ("study", "cost_sensitivity", "experiment=cost_sensitivity: sets policy, which experiments/study.py does not read"),
        ("calibrate", "vol_of_vol", "experiment=vol_of_vol: sets market, which experiments/calibrate.py does not read"),
        ("hedge", "case_study", "experiment=case_study: sets case, which experiments/hedge.py does not read"),
        ("benchmark", "model_risk", "experiment: expected none, for experiments/benchmark.py is on stated numbers"),
    ],
)
def test_what_it_overrides_is_done_or_refused(script, name, found):
    if ":" not in found:
        assert mc.load_config([f"experiment={name}"], name=script).market == mc.load_config([f"market={found}"], name=script).market
        return
    with pytest.raises(ValueError, match=rf"^{found}"):
        mc.load_config([f"experiment={name}"], name=script)


def test_what_is_given_beside_it_wins():
    chosen = mc.load_config(["experiment=multiplier_gap_risk", "market=lognormal", "policy.every=3"], name="hedge")
    assert "Kou" not in str(chosen.market)
    assert (chosen.policy._target_.rpartition(".")[2], chosen.policy.every) == ("cppi_on_dates", 3)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("+experiment=x", "unknown experiment 'x'; known: "),
        ("+experiment=cost_sensitivity", "experiment: expected without +, for it is there already"),
        ("+polcy.multiplier=5", "unknown key 'polcy'; did you mean policy?"),
        ("+policy.multiplyer=5", "policy.multiplyer: vol_target_cppi has no such argument; did you mean multiplier?"),
        ("+market/foo=bar", "unknown key 'market/foo'; did you mean market?"),
        ("++x=1", "unknown key 'x'; known: "),
    ],
)
def test_a_key_behind_a_plus_that_nothing_reads_is_refused(override, message):
    with pytest.raises(ValueError, match=rf"^{message.replace('?', '.').replace('+', '.')}"):
        config.check(mc.load_config([override], name="hedge"), "hedge", nodes=True)
