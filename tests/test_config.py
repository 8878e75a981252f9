"""conf/ mirrors mcengine/: every yaml builds, its keys are argument names, values are shared by interpolation, errors name what is near."""

import importlib
import inspect
import json
import linecache
import sys
from functools import cache
from pathlib import Path

import jax
import pytest
from hydra.utils import get_object
from omegaconf import OmegaConf

import mcengine as mc
from mcengine import config
from mcengine._noted import noting
from mcengine._targets import allowing

PRIMARY = sorted(file.stem for file in config.CONF.glob("*.yaml") if file.stem != "base")
ARGUMENTS = {"engine": mc.engine.run, "optimise": mc.optimise.fit, "variance_reduction": mc.variance_reduction.reduce}
"""Groups without a target: their keys are options of a function the experiment calls."""

OTHERS = ("hydra", "workload", "experiment")
"""Not of a room: Hydra's own, the benchmark's (tests/test_benchmark.py), studies by name (tests/test_sweep_experiments.py)."""

OPTIONS = sorted((file.parent.name, file.stem) for file in config.CONF.glob("*/*.yaml") if file.parent.name not in OTHERS)


@cache
def composed(group, option):
    """Read only: two tests look at it."""
    name = {"objective": "optimise", "optimise": "optimise", "instrument": "price"}.get(group, "hedge")
    return mc.load_config([f"{group}={option}"], name=name)[group]


def test_every_group_is_a_room():
    rooms = {folder.name for folder in (config.CONF.parent / "mcengine").iterdir()}
    # A choice over several rooms, and what is done to whatever market was chosen.
    assert {group for group, _ in OPTIONS} - {"correlation", "scenario"} <= rooms


@pytest.mark.parametrize(("group", "option"), OPTIONS)
def test_every_yaml_builds(group, option):
    node = composed(group, option)
    if group in ARGUMENTS:
        assert set(node) - {"hosts", "platform"} <= set(inspect.signature(ARGUMENTS[group]).parameters)
        assert set(node.get("hosts") or ()) <= set(inspect.signature(mc.engine.hosts.start).parameters)
    else:
        assert mc.build(node) is not None


@pytest.mark.parametrize(("group", "option"), [(g, o) for g, o in OPTIONS if g not in ARGUMENTS])
def test_keys_are_argument_names(group, option):
    node = composed(group, option)
    known = set(inspect.signature(get_object(node._target_)).parameters)
    assert set(node) - {"_target_", "_args_"} <= known


@pytest.mark.parametrize("name", PRIMARY)
def test_every_experiment_composes_and_resolves(name):
    assert config.plain(mc.load_config(name=name))["seed"] == 0


def test_every_configuration_has_its_experiment():
    assert {"study", "hedge", "optimise", "greeks"} <= set(PRIMARY)
    assert all((config.CONF.parent / "experiments" / f"{name}.py").is_file() for name in PRIMARY)
    assert {folder.name for folder in config.CONF.iterdir() if folder.is_dir()} == {group for group, _ in OPTIONS} | set(OTHERS)


def test_floor_is_one_value():
    chosen = mc.load_config(["policy=cppi", "floor=0.8"], name="optimise")
    assert float(mc.build(chosen.policy)["cppi"].floor) == 0.8
    assert float(mc.build(chosen.objective).floor) == 0.8
    other = config.at_floor(chosen, 0.7)
    assert float(mc.build(other.policy)["cppi"].floor) == 0.7
    assert chosen.floor == 0.8


@pytest.mark.parametrize("market", ["replay", "bootstrap"])
@pytest.mark.parametrize(("change", "what"), [("correlation=crash", "correlation"), ("scenario=black_monday_1987", "scenario")])
def test_history_is_not_changed(market, change, what):
    chosen = mc.load_config([f"market={market}", change], name="hedge")
    with pytest.raises(ValueError, match=rf"^{what}: expected a market of models, got history as it was \({market.title()}\); leave {what}= out$"):
        config.study(chosen)


def test_the_market_that_is_kept_is_the_one_that_was_run():
    kept = {}
    for words in ((), ("correlation=crash",), ("scenario=black_monday_1987",)):
        with noting() as kept[words]:
            config.market_of(mc.load_config(["market=lognormal", *words], "hedge"))
    given, crash, monday = (one["market"] for one in kept.values())
    assert given["correlation.equity-bond"]["value"] == pytest.approx(-0.2)
    assert crash["correlation.equity-bond"]["value"] == pytest.approx(0.5)
    assert monday["scenarios.shock_1.moves.equity"]["value"] == pytest.approx(-0.229)
    assert monday.keys() > given.keys()


def test_a_market_of_ones_own_is_built_again_once_its_code_changes(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    file, found = tmp_path / "own_market_that_changes.py", []
    try:
        for spot in (1.0, 1.0, 22.0):
            text = f"def market():\n    return {{'spot': {spot}}}\n"
            if not file.is_file() or file.read_text() != text:
                file.write_text(text)
                sys.modules.pop(file.stem, None)
                importlib.invalidate_caches()
                linecache.checkcache()
            with allowing([file.stem]):
                found.append(config.calibrated(OmegaConf.create({"_target_": f"{file.stem}.market"})))
    finally:
        sys.modules.pop(file.stem, None)
    assert [one["spot"] for one in found] == [1.0, 1.0, 22.0]
    assert found[0] is found[1]


def test_what_should_be_known_of_a_market_is_said(capsys):
    config.market_of(mc.load_config(["market=lognormal"], name="hedge"))
    assert capsys.readouterr().out == ""
    wide = ["market.correlation.equity-bond=-0.9", "market.correlation.equity-commodity=0.9", "market.correlation.bond-commodity=0.9"]
    moved = config.market_of(mc.load_config(["market=lognormal", "market.repair=true", *wide], name="hedge"))
    assert capsys.readouterr().out == f"correlation: no positive definite matrix, repaired to the nearest, {moved.repaired:.2g} away (Frobenius)\n"
    config.study(mc.load_config(["market=heston", "market.assets.equity.vol_of_vol=0.8"], name="hedge"))
    assert capsys.readouterr().out == "equity: 2 kappa theta / xi^2 = 0.40, below 1: the variance touches zero, which QE-M handles\n"
    with pytest.raises(ValueError, match=r"^correlation\.equity-bond: expected a number between -1 and 1, got 1\.5$"):
        config.market_of(mc.load_config(["market=lognormal", "market.repair=true", "market.correlation.equity-bond=1.5"], name="hedge"))


def test_a_price_is_of_the_market_that_was_asked(tmp_path, monkeypatch, capsys):
    """experiments/price.py in a crash: a basket of assets that fall together costs more; a shock is in no price, and that is said."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(config.CONF.parent / "experiments"))
    asked = ["instrument=basket", "paths=4096", "steps=4"]
    price = importlib.import_module("price").main
    before = jax.config.jax_enable_x64
    values = []
    try:
        for more in ([], ["correlation=crash"], ["scenario=lehman_2008"]):
            assert price([*asked, *more]) == 0
            out = capsys.readouterr().out
            assert ("scenario: a shock nobody expects, which is in no price" in out) == (more[:1] == ["scenario=lehman_2008"])
            values.append(json.loads((Path(out.strip().splitlines()[-1]) / "metrics.json").read_text())["price"]["value"])
    finally:
        jax.config.update("jax_enable_x64", before)
    assert values[1] > 1.1 * values[0]
    assert values[2] == values[0]


def test_study_from_config():
    chosen = mc.load_config(["market=lognormal", "policy=cppi", "policy.multiplier=5", "delay=1"], name="hedge")
    study = config.study(chosen)
    assert float(study.policy["cppi"].multiplier) == 5.0
    assert study.delay == 1
    assert study.steps == 252


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("policy=cpi", r"unknown policy 'cpi'; did you mean cppi or obpi\?"),
        ("policy.multiplierr=5", r"unknown key 'policy.multiplierr'; did you mean policy.multiplier\?"),
        ("polcy=cppi", r"unknown key 'polcy'; did you mean policy\?"),
        ("weights.gold=0.1", r"unknown key 'weights.gold'; known: equity, bond, commodity"),
        ("zzz=1", r"unknown key 'zzz'; known: .*policy"),
        ("multiplier=5", r"unknown key 'multiplier'; did you mean policy.multiplier\?"),
        ("foo", r"^cannot read the override 'foo': expected key=value$"),
        ("policy=cppi,stop_loss", r"several values need -m"),
        ("weights=[1", r"cannot read the override 'weights=\[1'"),
    ],
)
def test_errors_name_what_is_near(override, message):
    with pytest.raises(ValueError, match=message) as caught:
        mc.load_config([override], name="hedge")
    assert "\n" not in str(caught.value)


def test_unknown_configuration():
    with pytest.raises(ValueError, match=r"unknown configuration 'hedg'; did you mean hedge\?"):
        mc.load_config(name="hedg")


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("weights.equity=0.9", r"^Mix.weights: expected at most leverage = 1 in sum .*, got 1.3$"),
        ("+policy.foo=3", r"^policy.foo: vol_target_cppi has no such argument; did you mean floor\?$"),
        ("policy._target_=mcengine.policy.presets.none_such", "none_such"),
        ("policy.weights=${nothing}", "nothing"),
    ],
)
def test_load_raises_what_was_meant(override, message):
    with pytest.raises(ValueError, match=message) as caught:
        mc.build(mc.load_config([override], name="hedge").policy)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("value", "message"), [("abc", "expected a number, got 'abc'"), ("1.5", "expected a whole number, got 1.5")])
def test_whole_numbers(value, message):
    with pytest.raises(ValueError, match=f"^paths: {message}$"):
        config.integer(mc.load_config([f"paths={value}"], name="hedge"), "paths")
    assert config.integer(mc.load_config(["paths=1e6"], name="hedge"), "paths") == 1_000_000
