"""What a file or an override may be is checked by type at one door, before anything is built: nothing of another kind is let in, nothing ends in a
traceback, and what nobody foresaw is one line too."""

import copy
import datetime
import importlib
import random
import re
import tempfile
import typing
from pathlib import Path
from typing import Annotated

import jax
import numpy as np
import pytest
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf

import mcengine as mc
from mcengine import _settings, _targets, _yaml, config
from mcengine._arguments import check_arguments
from mcengine.calibrate import from_file

SCRIPTS = Path(__file__).resolve().parent.parent / "experiments"
EXPERIMENTS = ("study", "hedge", "optimise", "price", "greeks", "calibrate", "benchmark")
GROUPS = [f for f in sorted(config.CONF.glob("*/*.yaml")) if f.parent.name not in ("hydra", "workload", "experiment", *_settings.GROUPS)]
SAMPLES = 600
GBM = {"_target_": "mcengine.market.GBM", "spot": 1.0, "sigma": 0.2}
HOSTILE = {
    "list": [0.9],
    "lists": [[["a"]]],
    "mapping": {"a": [1]},
    "node": GBM,
    "text": "abc",
    "nothing": None,
    "date": datetime.date(2020, 1, 1),
    "nan": float("nan"),
    "inf": float("-inf"),
    "bool": True,
    "huge": 10**400,
    "set": {1},
    "bytes": b"x",
    "number": 0.5,
}
FITS = {float: {"number"}, int: {"number"}, str: {"text"}, bool: {"bool"}, list: {"list", "lists"}, dict: {"mapping", "node"}}
"""Kinds that a value of conf/ may be replaced by; what is null there may be much else."""
OPTIONAL = ("assets", "correlation", "crash", "inflation", "events", "regimes", "surface", "pairs", "moves", "up", "down", "sd", "volatility")
"""May also be null, or left out so; as an asset of history may."""


def leaves(tree, path=()):
    """(keys, value) of everything in a tree."""
    items = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, value in items:
        yield (*path, key), value
        yield from leaves(value, (*path, key))


def changed(tree, path, value):
    new = at = copy.deepcopy(tree)
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = value
    return new


def trees():
    """(the whole of an experiment or one option of a group, what checks it)."""
    for name in EXPERIMENTS:
        tree = config.plain(mc.load_config(name=name))
        known = list(tree)
        yield tree, lambda tree, known=known, name=name: check_all(tree, known, name)
    for file in GROUPS:
        group = file.parent.name
        around = {"floor": 0.9, "weights": {"equity": 0.6}, "years": 1.0, "data": None, group: OmegaConf.load(file)}
        yield {group: OmegaConf.to_container(OmegaConf.create(around), resolve=True)[group]}, _targets.check_nodes


def check_all(tree, known, name):
    _settings.check_settings(tree, known, name)
    _targets.check_nodes(tree)


def refused(check, *arguments):
    """The one line by which something is refused; None where it is let in. Any other error fails the test."""
    try:
        check(*arguments)
    except ValueError as error:
        said = str(error)
    else:
        return None
    assert "\n" not in said
    assert len(said) < 1000
    return said


def test_nothing_of_another_kind_is_let_in():
    """Every value of conf/ x every kind that it is not, some of them by a fixed seed: refused in one line that names the key."""
    cases = []
    for tree, check in trees():
        assert refused(check, tree) is None
        for path, old in leaves(tree):
            top_node = len(path) == 1 and isinstance(old, dict) and "_target_" in old  # the check of nodes alone sees no top level
            if old is None or top_node or path[-1] == "_target_" or "data" in path:
                continue
            cases += [(tree, check, path, kind) for kind in HOSTILE if kind not in FITS[type(old)]]
    assert len(cases) > 10_000
    for tree, check, path, kind in random.Random(11).sample(cases, SAMPLES):
        key = ".".join(str(part) for part in path)
        said = refused(check, changed(tree, path, HOSTILE[kind]))
        let_in = (
            (kind == "nothing" and (path[-1] in OPTIONAL or path[:-1] == ("market", "assets") or "workload" in path))
            or (
                kind == "node" and (key == "market.rate" or path[-1] in ("floor", "width", "goal"))
            )  # what builds one; what it has built is checked again
            or (kind == "text" and (key == "market.rate" or path[:-1] == ("market", "assets")))  # a column of history
            or (kind == "number" and path[-1] in ("rate", "sigma", "drift"))  # for all maturities or regimes
            or (kind in ("mapping", "lists") and key == "market.correlation")
        )
        if said is None:
            assert let_in, (key, kind)
        else:
            assert path[0] in said, (key, kind, said)


NUMBERS = (-1.0, 0.0, 1e300, -1e300, 1e-300, 0.5)
TEXTS = ("", "a b", "../x", "é", "${oc.env:HOME}")


def test_values_of_the_right_kind_build_or_are_refused():
    """Numbers, counts and texts out of any sense, and nodes where another belongs."""
    cases = []
    for file in GROUPS:
        if file.stem in ("history", "replay", "bootstrap"):  # read files
            continue
        around = {"floor": 0.9, "weights": {"equity": 0.6}, "years": 1.0, "data": None, "node": OmegaConf.load(file)}
        node = OmegaConf.to_container(OmegaConf.create(around), resolve=True)["node"]
        for path, old in leaves(node):
            values = {float: NUMBERS, int: (-1, 0, 10**15), str: TEXTS, dict: (GBM, {}), list: ([], ["a", "a"])}.get(type(old), (GBM,))
            cases += [(node, path, value) for value in values if path[-1] != "_target_"]
    for node, path, value in random.Random(12).sample(cases, 250):
        refused(mc.build, changed(node, path, value))


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ("floor=[0.9]", "floor: expected a number, got [0.9]"),
        ("floor=.nan", "floor: expected a number, got '.nan'"),
        ("floor=nan", "floor: expected a finite number, got nan"),
        ("floor=${floor}", "floor: Recursive interpolation detected"),
        (
            "floor=${oc.env:NO_SUCH}",
            "floor: KeyError raised while resolving interpolation: \"Environment variable 'NO_SUCH' not found\"",
        ),
        ("trace=0.5", "trace: expected a whole number or a list of whole numbers, as [1,2], got 0.5"),
        ("weights={equity:[1,2]}", "weights.equity: expected a number, got [1, 2]"),
        ("market=lognormal market.assets.equity=null", "market.assets.equity: expected an Asset, as {_target_: ...}, got nothing"),
        ("market=replay market.assets.equity.column=[1]", "market.assets.equity.column: expected text, got [1]"),
        ("+engine.nope=1", "unknown key 'engine.nope'; known: block, devices, memory, keep, super_block, progress, platform, hosts"),
        ("engine.block=x", "engine.block: expected a whole number, got 'x'"),
        ("+polcy.multiplier=5", "unknown key 'polcy'; did you mean policy?"),
        ("+policy@x=cppi", "unknown key 'x'; known: "),
        ("+until.foo=1", "unknown key 'until.foo'; known: metric, error"),
        ("+market.assets.x.y=3", "market.assets.x: expected text, got {'y': 3}"),
        ("+policy.multiplierr=5", "policy.multiplierr: vol_target_cppi has no such argument; did you mean multiplier?"),
        ("~policy.floor", "policy.floor: expected a value, which vol_target_cppi needs, got nothing"),
        ("~seed", "seed: expected a value, which experiments/hedge.py reads, got nothing"),
        ("~variance_reduction.method", "variance_reduction.method: expected a value, which experiments/hedge.py reads, got nothing"),
        ("~until.metric", "~until.metric: expected a key that has a value, got one that is null"),
        ("+floor=0.8", "floor: expected without +, for it is there already"),
        ("policy=null", "policy: expected the name of a configuration in conf/policy, got no text; an option of it is policy.<key>=<value>"),
        (f"floor={'[' * 800}{']' * 800}", "an override or a configuration is nested too deep, or in a circle"),
        ("policy._target_=hydra.utils.instantiate", "policy._target_: expected a public name of mcengine or optax"),
    ],
)
def test_overrides(overrides, message):
    with pytest.raises(ValueError, match=r"^[^\n]+$") as caught:
        config.check(mc.load_config(overrides.split(), name="hedge"), "hedge", nodes=True)
    assert str(caught.value).startswith(message)


MARKET = "_target_: mcengine.market.Market\nassets:\n  equity: {_target_: mcengine.market.GBM, spot: 100, sigma: 0.2}\n"
BOMB = "a: &a [1,1,1,1,1,1,1,1,1]\n" + "".join(f"{b}: &{b} [{','.join([f'*{a}'] * 9)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True))
STAIRS = "a0: &a0 [1]\n" + "".join(f"a{k + 1}: &a{k + 1} [*a{k}]\n" for k in range(2000))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (MARKET.replace("0.2", "[1, 2]"), "market.assets.equity.sigma: expected a number, got [1, 2]"),
        (MARKET.replace("0.2", "2020-01-01"), "market.assets.equity.sigma: expected a number, got '2020-01-01'"),
        (MARKET.replace("0.2", "1:30"), "market.assets.equity.sigma: expected a number, got '1:30'"),
        (MARKET.replace("0.2", "!!set {a}"), "market.assets.equity.sigma: expected a number, got {'a'}"),
        (MARKET.replace("0.2", "!!binary aGk="), "market.assets.equity.sigma: expected a number, got b'hi'"),
        (MARKET.replace("0.2", "'${oc.env:HOME}'"), "market.assets.equity.sigma: expected a number, got '${oc.env:HOME}'"),
        (MARKET.replace("0.2", "'${oc.decode:0.2}'"), "market.assets.equity.sigma: expected a number, got '${oc.decode:0.2}'"),
        (MARKET.replace("0.2", ".inf"), "market.assets.equity.sigma: expected a finite number, got inf"),
        (MARKET.replace("0.2", "1" * 5000), "Exceeds the limit"),
        (MARKET.replace("0.2", "null"), "market.assets.equity.sigma: expected a number, got nothing"),
        (MARKET.replace("0.2", "!!python/object/apply:os.mkdir [made]"), "this is not yaml: could not determine a constructor for the tag"),
        (MARKET.replace("0.2", "!!python/name:os.mkdir ''"), "this is not yaml: could not determine a constructor for the tag"),
        (MARKET + "rate: &a [*a]\n", "a part of it holds itself"),
        (MARKET + "rate: &a {x: *a}\n", "a part of it holds itself"),
        (MARKET + "assets: {}\n", "this is not yaml: key 'assets' stands there twice, in line 1"),
        (BOMB, "expected at most 200,000 values, got more"),
        (STAIRS, "nested deeper than 32"),
        ("[" * 500, "nested deeper than 32"),
        ("a\x00b", "this is not yaml: unacceptable character"),
        (MARKET + "---\n" + MARKET, "this is not yaml: but found another document, in line 4"),
        ("", "expected _target_: mcengine.market.Market at the top, got NoneType"),
        (MARKET + "correlation: 3\n", "market.correlation: expected numbers by name, as {equity: ...} or a list of lists of numbers"),
        (MARKET + "rate: {a: 1}\n", "market.rate: expected a number or a Rate, as {_target_: ...}, got {'a': 1}"),
        (
            MARKET + "rate: {_target_: mcengine.market.GBM, spot: 1, sigma: 1}\n",
            "market.rate: expected a number or a Rate, as {_target_: ...}, got",
        ),
        (MARKET + "events: {a: {date: 3}}\n", "market.events.a: expected an Event, as {_target_: ...}, got {'date': 3}"),
        (MARKET + "regimes: {_target_: mcengine.market.GBM, spot: 1, sigma: 1}\n", "market.regimes: expected a Regimes, as {_target_: ...}, got GBM"),
        (MARKET + "3: 4\n", "market.3: Market has no such argument"),
        (MARKET + "[1, 2]: 4\n", "this is not yaml: found unhashable key, in line 4"),
        (MARKET + "_args_: 5\n", "market._args_: expected a list, got 5"),
        (MARKET + "_partial_: true\n", "expected _target_: mcengine.market.Market at the top, got partial"),
        (
            MARKET.replace("sigma: 0.2", "sigma: 0.2, _partial_: true"),
            "market.assets.equity: expected an Asset, as {_target_: ...}, got functools",
        ),
        (MARKET.replace("mcengine.market.GBM", "os.mkdir"), "market.assets.equity._target_: expected something of mcengine.market, got 'os.mkdir'"),
        (
            MARKET.replace("mcengine.market.GBM", "mcengine.calibrate.from_file"),
            "market.assets.equity._target_: expected something of",
        ),
        (MARKET.replace("mcengine.market.GBM", "mcengine.market.Replay.from_history"), "market.assets.equity._target_: expected something of"),
        (MARKET.replace("mcengine.market.GBM", "optax.adam"), "market.assets.equity._target_: expected something of"),
        (MARKET.replace("mcengine.market.GBM", "[a]"), "market.assets.equity._target_: expected something of"),
        (MARKET.replace("equity:", "1:"), "market.assets: expected names, which are text, got 1"),
    ],
)
def test_a_market_file_is_data(tmp_path, monkeypatch, text, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "m.yaml").write_text(text)
    assert refused(from_file, tmp_path / "m.yaml").startswith(f"market.file: m.yaml: {message}")
    assert [file.name for file in tmp_path.iterdir()] == ["m.yaml"]


def test_what_people_write_is_read(tmp_path):
    file = tmp_path / "m.yaml"
    file.write_bytes(b"\xef\xbb\xbf" + MARKET.replace("0.2", "2e-1").replace("100", "&s 1_00").encode() + b"rate: 1E-2\n")
    market = from_file(file)
    assert (float(market["equity"].sigma), float(market["equity"].spot), float(market.rate.rate)) == (0.2, 100.0, 0.01)
    file.write_bytes(b"\xff\xfe\x00")
    assert refused(from_file, file).startswith("market.file: m.yaml: this is not yaml: 'utf-8' codec can't decode")


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.dates() | st.binary(max_size=4)
KEYS = st.text(max_size=5) | st.integers()
TREES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3), max_leaves=8)
OTHERS = ("correlation", "rate", "regimes", "events", "scenarios", "repair", "measure")
PLACES = [path for path, _ in leaves(_yaml.parse(MARKET))] + [(key,) for key in OTHERS]


@settings(max_examples=80, deadline=None, derandomize=True)
@given(place=st.sampled_from(PLACES), value=TREES)
def test_any_tree_in_any_place_of_a_market(tmp_path_factory, place, value):
    """Read as a market, or refused in one line."""
    import yaml

    file = tmp_path_factory.getbasetemp() / "any.yaml"
    file.write_text(yaml.safe_dump(changed(_yaml.parse(MARKET), place, value), allow_unicode=True), encoding="utf-8")
    said = refused(from_file, file)
    assert said is None or said.startswith("market.file: any.yaml: ")


class TestTargets:
    """Beside tests/test_own_code.py: ways round the list."""

    @pytest.mark.parametrize(
        ("node", "message"),
        [
            ({"_target_": "mcengine._runtime.os.mkdir", "path": "made"}, "_target_: mcengine has no public name '_runtime'"),
            ({"_target_": "mcengine.load", "node": {"_target_": "os.mkdir"}}, "_target_: mcengine.load is not for a configuration to call"),
            ({"_target_": "mcengine.policy.Mix", "_partial_": True, "equity": {"_target_": "os.mkdir"}}, "equity._target_: expected a public name"),
            ({"_target_": "mcengine.policy.Mix", "_partial_": 1}, "_partial_: expected true or false, got 1"),
            ({"_target_": "mcengine.policy.Mix", "_args_": {"a": 1}}, "_args_: expected a list, got {'a': 1}"),
            ({"_target_": "mcengine.policy.Mix", "_recursive_": False}, "_recursive_: expected True or nothing, got False"),
            ({"_target_": "mcengine.policy.Mix", "_convert_": "object"}, "_convert_: expected 'all' or nothing, got 'object'"),
            ({"_target_": "${oc.env:HOME}"}, "_target_: expected a public name of"),
            ({"_target_": "${oc.decode:os.mkdir}"}, "_target_: expected a public name of"),
            ({"_target_": {"_target_": "mcengine.policy.Mix"}}, "_target_: expected a public name of"),
            (
                {"_target_": "mcengine.policy.Cppi", "_args_": [0.9, 4.0, 1.0, "scale", 5]},
                "_args_: expected at most 4 values, which Cppi takes",
            ),
            ({"_target_": "mcengine.policy.Cppi", "_args_": [0.9], "floor": 0.8}, "floor: expected one value, got one in _args_ too"),
            (
                {"_target_": "mcengine.policy.Cppi", "floor": {"_target_": "mcengine.noise.Counter"}},
                "floor: expected a number or a Floor, as {_target_: ...}, got Counter",
            ),
            ({"_target_": "mcengine.ledger.Exit", "cost": GBM}, "cost: expected a Cost, as {_target_: ...}, got GBM"),
        ],
    )
    def test_a_node(self, tmp_path, monkeypatch, node, message):
        monkeypatch.chdir(tmp_path)
        assert refused(mc.build, node).startswith(message)
        assert list(tmp_path.iterdir()) == []

    def test_a_circle_of_dicts(self):
        circle = {}
        circle["a"] = circle
        assert refused(mc.build, circle) == "expected nodes that end, got one nested too deep or in a circle"


def own(a: float, b: "np.ndarray", c: tuple[int, str], d: dict, e: typing.List, f: "NoSuchType", g: Annotated[float, "years"], **h: bool):  # noqa: F821, UP006
    """As users annotate; with a name that only a type checker knows, nothing is checked."""


def others(a: float, b: np.ndarray, c: tuple[int, str], d: dict, e: typing.Dict, f: dict[int, list[str]], g: Annotated[float, "years"], **h: bool):  # noqa: UP006
    """As users annotate."""


@pytest.mark.parametrize("call", [own, others])
def test_annotations_of_users(call):
    fine = {"a": 1, "b": [1.0], "c": [1, "x"], "d": {3: None}, "e": {}, "f": {1: ["x"]}, "g": 2.0, "more": True}
    assert refused(check_arguments, call, fine) is None
    said = [refused(check_arguments, call, fine | wrong) for wrong in ({"a": "x"}, {"d": [1]}, {"f": {1: [2]}}, {"g": None}, {"more": 1})]
    known = ["a: expected a number, got 'x'", "d: expected parts by name, as {equity: ...}, got [1]", "f.1[0]: expected text, got 2"]
    assert said == ([None] * 5 if call is own else [*known, "g: expected a number, got nothing", "more: expected true or false, got 1"])


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.yaml", BOMB, "expected at most 200,000 values, got more"),
        ("a.yaml", "a: &a [*a]\n", "a part of it holds itself"),
        ("a.yaml", "x: !!python/object/apply:pathlib.PosixPath [a]\nhydra: {job: {chdir: true}}\n", "could not determine a constructor"),
        ("a.yaml", "[" * 500, "nested deeper than 32"),
    ],
)
def test_a_folder_of_configurations_is_data(tmp_path, name, text, message):
    (tmp_path / "policy").mkdir()
    (tmp_path / "policy" / name).write_text(text)
    assert message in refused(mc.load_config, ["policy=a"], "hedge", tmp_path)


def test_inside_a_notebook_that_has_hydra_open():
    with initialize_config_dir(str(config.CONF), version_base="1.3"):
        opened = GlobalHydra.instance().hydra
        assert mc.load_config(["policy=cppi"], name="hedge").policy.multiplier == 4.0
        assert GlobalHydra.instance().hydra is opened


@pytest.fixture
def script(tmp_path, monkeypatch):
    """``script(arguments)`` gives the exit code of experiments/hedge.py in this process, in an empty working directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(SCRIPTS))
    monkeypatch.setenv("MC_SMALL", "1")
    before = jax.config.jax_enable_x64
    yield lambda arguments: importlib.import_module("hedge").main(arguments)
    jax.config.update("jax_enable_x64", before)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--experimental-rerun"], "--experimental-rerun: a pickle is not run; a run goes on with resume=<its folder>"),
        (["+hydra.callbacks.x={_target_:os.mkdir,path:made}"], "hydra: what Hydra calls is fixed; name a module of your own by --code"),
        (["hydra={callbacks:{x:{_target_:os.mkdir,path:made}}}"], "hydra: what Hydra calls is fixed"),
        (["hydra.launcher._target_=os.mkdir", "-m"], "hydra: what Hydra calls is fixed"),
        (["+policy@hydra.callbacks.x=cppi"], "hydra: a group of configurations is not for Hydra's own settings"),
        (["+hydra.foo=1"], "hydra: Hydra reads no settings but its own; leave the + out"),
        (["hydra.verbose=[3]"], "A logger name must be a string"),
        (["-m", "floor=glob(*)"], "--multirun: expected values that make at least one run, got none"),
        (["market=lognormal", "+x={a:${y}}"], "x.a: Interpolation key 'y' not found"),
    ],
)
def test_the_command_line(script, capsys, tmp_path, words, message):
    assert script(words) == 2
    out, err = capsys.readouterr()
    assert (out, len(err.splitlines())) == ("", 1)
    assert err.startswith(f"error: {message}")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        (
            lambda *_: config.flat(3),
            r"error: this is a bug of mcengine, line \d+ of _files.py: AttributeError: .*; please report it, as .*, with",
        ),
        (lambda *_: [][3], r"error: test_boundary.py, line .*: IndexError: list index out of range; the traceback is in"),
    ],
)
def test_what_nobody_foresaw(script, capsys, tmp_path, monkeypatch, broken, said):
    """One line that says whose code it came from, exit code 2, the traceback and the command in the run folder."""
    monkeypatch.setattr(importlib.import_module("hedge").objective, "figures", broken)
    assert script(["market=lognormal", "steps=12", "paths=64"]) == 2
    out, err = capsys.readouterr()
    log = next(tmp_path.rglob("traceback.log"))
    assert (out, len(err.splitlines())) == ("", 1)
    assert re.match(said, err)
    assert str(log.relative_to(tmp_path)) in err
    assert log.read_text().startswith("python experiments/hedge.py market=lognormal steps=12 paths=64\n")
    assert "Traceback (most recent call last)" in log.read_text()


def test_what_nobody_foresaw_before_there_is_a_folder(script, capsys, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    importlib.import_module("hedge")
    monkeypatch.setattr(importlib.import_module("_resume"), "resumed", lambda *_: [][3])
    assert script(["floor=0.8"]) == 2
    log = next(tmp_path.iterdir())
    assert str(log) in capsys.readouterr().err
    assert log.read_text().startswith("python experiments/hedge.py floor=0.8\n")
