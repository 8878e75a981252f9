"""Code and configurations of the user's own: what a ``_target_`` may name, who may add to it, and that a resumed run knows the source."""

import importlib
import json
import logging
import os
import re
import subprocess
import sys
from pathlib import Path

import jax
import optax
import pytest

import mcengine as mc
from mcengine import _targets, config
from mcengine.engine import checkpoint, identity
from mcengine.engine.identity import _code_files, differences

SCRIPTS = Path(__file__).resolve().parent.parent / "experiments"
FAST = ["market=lognormal", "steps=12", "paths=1024", "plots=false", "engine.block=128", "engine.super_block=256", "engine.keep=512"]
RULES = """
import os
from os import mkdir
from typing import ClassVar

from mcengine import Scalar, model, number
from mcengine.policy import AbstractStage, Mix, chain

@model
class Share(AbstractStage):
    share: Scalar = number(low=0.0, high=1.0)
    kind: ClassVar[str] = "scaler"

    def act(self, target, seen, memory):
        return seen.scale(target, self.share), memory

    @classmethod
    def half(cls):
        return cls(0.5)

def shared(weights, share):
    return chain(Mix(weights), Share(share))

def _hidden():
    return None
"""
MINE = "_target_: my_rules.shared\nweights: ${weights}\nshare: 0.5\n"


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A working directory with my_rules.py and mine/policy/mine.yaml; modules imported from it are forgotten afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    (tmp_path / "my_rules.py").write_text(RULES)
    (tmp_path / "mine" / "policy").mkdir(parents=True)
    (tmp_path / "mine" / "policy" / "mine.yaml").write_text(MINE)
    before = set(sys.modules)
    yield tmp_path
    forget(*(set(sys.modules) - before))


@pytest.fixture
def script(here, monkeypatch):
    """``script(name, arguments)`` gives the exit code of an experiment in this process."""
    monkeypatch.syspath_prepend(str(SCRIPTS))
    monkeypatch.setenv("MC_SMALL", "1")
    monkeypatch.setenv("MC_CACHE", "off")
    before, log, level = jax.config.jax_enable_x64, [*logging.root.handlers], logging.root.level
    yield lambda name, arguments: importlib.import_module(name).main(arguments)
    jax.config.update("jax_enable_x64", before)
    logging.root.handlers, logging.root.level = log, level  # which --info sets


def forget(*names):
    """As in a process of its own, which imports the file as it is then."""
    for name in names:
        if str(getattr(sys.modules.get(name), "__file__", "")).startswith(str(Path.cwd())):
            del sys.modules[name]
    importlib.invalidate_caches()


class TestTargets:
    @pytest.mark.parametrize(
        "target",
        [
            "mcengine.market.Heston",
            "mcengine.market.Replay.from_history",
            "mcengine.policy.chain",
            "mcengine.policy.presets.cppi",
            "mcengine.calibrate.fit_history",
            "mcengine.Study",
            "mcengine.engine.recorder.Wealth",
            "optax.adam",
            "optax.nadam",
            "optax.contrib.prodigy",
        ],
    )
    def test_public_names(self, target):
        assert callable(_targets.resolve(target))

    @pytest.mark.parametrize(
        "target",
        [
            "os.mkdir",
            "builtins.eval",
            "subprocess.run",
            "hydra.utils.instantiate",
            "hydra.utils.get_method",
            "my_rules.Share",
            "mcengine",
            "mcenginex.policy.Mix",
            "",
            "3",
        ],
    )
    def test_nothing_else(self, here, target):
        with pytest.raises(
            ValueError,
            match=re.escape(f"a._target_: expected a public name of mcengine or optax, or of a module named by --code or MC_CODE, got '{target}'"),
        ):
            mc.build({"a": {"_target_": target}})
        assert "my_rules" not in sys.modules

    @pytest.mark.parametrize(
        ("target", "message"),
        [
            ("mcengine._runtime.os.mkdir", "mcengine has no public name '_runtime'"),
            ("mcengine._model.replace", "mcengine has no public name '_model'"),
            ("mcengine.config.build", "mcengine has no public name 'config'"),
            ("mcengine.report.run_folder.os.mkdir", "mcengine.report has no public name 'run_folder'"),
            ("mcengine.policy.presets.Any", "mcengine.policy.presets has no public name 'Any'"),
            ("mcengine.policy.presets.none_such", "mcengine.policy.presets has no public name 'none_such'"),
            ("mcengine.market.heston.Heston", "mcengine.market has no public name 'heston' to build from; did you mean Heston or Merton?"),
            ("mcengine.policy.Mix.act", "Mix has no public name 'act'"),
            ("mcengine.policy.Mix.__init__", "Mix has no public name '__init__'"),
            ("mcengine.policy.chain.__globals__", "chain has no public name '__globals__'"),
            ("optax._src.alias.adam", "optax has no public name '_src'"),
            ("optax.contrib.jax", "optax.contrib has no public name 'jax'"),
            ("mcengine.", "mcengine has no public name ''"),
            ("mcengine.build", "mcengine.build is not for a configuration to call"),
            ("mcengine.load_config", "mcengine.load_config is not for a configuration to call"),
            ("mcengine.set_precision", "is not for a configuration to call"),
            ("mcengine.engine.Journal", "is not for a configuration to call"),
            ("mcengine.engine.hosts.start", "is not for a configuration to call"),
            ("mcengine.pricing", "is not for a configuration to call"),
        ],
    )
    def test_no_walk_and_no_private_part(self, target, message):
        with pytest.raises(ValueError, match=re.escape(message)):
            mc.build({"_target_": target})

    @pytest.mark.parametrize(
        "hide",
        [
            lambda bad: {"_target_": "mcengine.policy.chain", "_args_": [bad]},
            lambda bad: {"_target_": "mcengine.policy.Mix", "weights": {"equity": bad}},
            lambda bad: {"_target_": "mcengine.policy.Mix", "weights": [[{"deep": bad}]]},
            lambda bad: [{"plain": bad}],
            lambda bad: {**bad, "_partial_": True},
            lambda bad: {"name": bad["_target_"], "a": {**bad, "_target_": "${..name}"}},
        ],
    )
    def test_at_any_depth_and_before_anything_is_built(self, here, hide):
        with pytest.raises(ValueError, match=r"_target_: expected a public name of .*, got 'os\.mkdir'$"):
            mc.build([{"_target_": "mcengine.policy.Mix", "leverage": -1.0}, hide({"_target_": "os.mkdir", "path": "made"})])
        assert not (here / "made").exists()

    def test_a_configuration_adds_nothing(self, here, monkeypatch):
        monkeypatch.setenv("MC_CODE", "my_rules")  # as hydra.job.env_set would, after the start
        node = {"code": "my_rules", "allow": ["my_rules"], "rule": {"_target_": "my_rules.Share", "share": 0.5}}
        with pytest.raises(ValueError, match=r"^rule\._target_: expected a public name"):
            mc.build(node)
        with pytest.raises(ValueError, match="is not for a configuration to call"):
            mc.build({"_target_": "mcengine.build", "node": {}, "allow": ["my_rules"]})

    @pytest.mark.parametrize(("option", "value"), [("_recursive_", False), ("_convert_", "none")])
    def test_what_hydra_has_and_this_has_not(self, option, value):
        with pytest.raises(ValueError, match=rf"^a\.{option}: expected .* or nothing, got "):
            mc.build({"a": {"_target_": "mcengine.policy.Mix", option: value}})

    def test_arguments(self):
        mix = {"_target_": "mcengine.policy.Mix", "equity": "${share}"}
        node = {"share": 0.5, "rule": {"_target_": "mcengine.policy.chain", "_args_": [mix]}}
        assert float(mc.build(node)["rule"]["mix"].weights["equity"]) == 0.5
        later = mc.build({"_target_": "optax.adam", "_partial_": True, "learning_rate": 0.1})
        assert (later.func, later.keywords) == (optax.adam, {"learning_rate": 0.1})


class TestOwnModules:
    @pytest.mark.parametrize("as_module", [False, True])
    def test_named_by_the_caller(self, here, as_module):
        allow = [_targets.own("my_rules") if as_module else "my_rules.py"]
        assert float(mc.build({"_target_": "my_rules.Share", "share": 0.25}, allow=allow).share) == 0.25
        assert float(mc.build({"_target_": "my_rules.Share.half"}, allow=allow).share) == 0.5
        with pytest.raises(ValueError, match=r"^Share\.share: expected a number not above 1, got 2\.0$"):
            mc.build({"_target_": "my_rules.Share", "share": 2.0}, allow=allow)

    @pytest.mark.parametrize("name", ["os.mkdir", "os", "mkdir", "_hidden", "Mix", "Share.act", "Shares"])
    def test_only_what_it_defines(self, here, name):
        with pytest.raises(ValueError, match=rf"has no public name '{name.rpartition('.')[2] if name != 'os.mkdir' else 'os'}' to build from"):
            mc.build({"_target_": f"my_rules.{name}"}, allow=["my_rules"])

    @pytest.mark.parametrize(
        ("given", "message"),
        [
            ("no_rules", r"^code no_rules: expected a module beside the working directory or installed, found none$"),
            ("../my_rules.py", r"^code: expected a module beside the working directory, as my_rules\.py, got '\.\./my_rules\.py'$"),
            ("broken.py", r"^code broken: cannot be imported: SyntaxError: "),
            ("json.py", r"^code json: another module of that name is .*; rename yours$"),
        ],
    )
    def test_refused(self, here, given, message):
        (here / "broken.py").write_text("def")
        (here / "json.py").write_text("")
        with pytest.raises(ValueError, match=message):
            mc.build({"_target_": f"{given.removesuffix('.py').removeprefix('../')}.x"}, allow=[given])

    def test_named_by_the_environment(self, here):
        code = "import mcengine as mc; print(mc.build({'_target_': 'my_rules.Share.half'}))"
        command = [sys.executable, "-c", code]
        done = subprocess.run(command, env={**os.environ, "MC_CODE": "my_rules"}, capture_output=True, text=True, check=False)
        assert (done.stdout, done.stderr) == ("Share(share=0.5)\n", "")

    def test_of_a_folder(self, here):
        (here / "rules").mkdir()
        (here / "my_rules.py").rename(here / "rules" / "mine.py")
        assert mc.build({"_target_": "rules.mine.Share.half"}, allow=["rules/mine.py"]).share == 0.5

    def test_a_market_file(self, here):
        """A model of one's own is written and read where its module is named, and only there."""
        (here / "my_models.py").write_text("from mcengine import market, model\n@model\nclass Mine(market.GBM):\n    pass\n")
        own = _targets.own("my_models")
        made = mc.market.Market({"equity": own.Mine(100.0, 0.2)})
        with pytest.raises(ValueError, match=r"^market\.assets\.equity: expected something of mcengine\.market, got Mine$"):
            mc.calibrate.to_yaml(made)
        with _targets.allowing(["my_models"]):
            (here / "market.yaml").write_text(mc.calibrate.to_yaml(made))
            assert type(mc.calibrate.from_file("market.yaml").assets["equity"]) is own.Mine
        with pytest.raises(ValueError, match=r"expected something of mcengine\.market, got 'my_models\.Mine'"):
            mc.calibrate.from_file("market.yaml")


class TestOwnConfigurations:
    def test_a_folder_beside_ours(self, here):
        node = mc.load_config(["policy=mine", "policy.share=0.25"], name="hedge", config_dir="mine").policy
        assert float(mc.build(node, allow=["my_rules"])["share"].share) == 0.25
        with pytest.raises(ValueError, match=r"^policy\._target_: expected a public name of .*, got 'my_rules\.shared'$"):
            mc.build(node)
        with pytest.raises(ValueError, match=r"^unknown key 'policy\.shares'; did you mean policy\.share\?$"):
            mc.load_config(["policy=mine", "policy.shares=1"], name="hedge", config_dir="mine")
        with pytest.raises(ValueError, match=r"^unknown policy 'mien'; did you mean mine\?$"):
            mc.load_config(["policy=mien"], name="hedge", config_dir=here / "mine")

    def test_a_folder_with_a_strange_name(self, here):
        (here / "mine").rename(here / "it's = mine, [1]")
        assert mc.load_config(["policy=mine"], name="hedge", config_dir="it's = mine, [1]").policy.share == 0.5

    @pytest.mark.parametrize(
        ("file", "text", "message"),
        [
            ("policy/cppi.yaml", "", r"policy/cppi\.yaml is hidden by mcengine's own of that name; give it another"),
            ("hydra/launcher/x.yaml", "", "settings of Hydra itself"),
            ("x/y.yaml", "# @package hydra.callbacks\n_target_: os.mkdir\n", "settings of Hydra itself"),
            ("x/y.yaml", '# @package _global_\n"\\x68ydra": {job: {env_set: {MC_CODE: x}}}\n', "settings of Hydra itself"),
            ("x/y.yaml", "hydra.callbacks: {}", "settings of Hydra itself"),
            ("x/y.yaml", "defaults:\n  - /policy@hydra.callbacks.x: mine\n", "settings of Hydra itself"),
            ("x/y.yaml", "defaults: [{override /hydra/launcher: x}]", "settings of Hydra itself"),
        ],
    )
    def test_no_say_in_hydra_itself(self, here, file, text, message):
        (here / "mine" / file).parent.mkdir(parents=True, exist_ok=True)
        (here / "mine" / file).write_text(text)
        with pytest.raises(ValueError, match=message):
            mc.load_config(config_dir="mine")

    def test_what_is_no_setting_of_hydra(self, here):
        (here / "mine" / "policy" / "hydra_like.yaml").write_text("# hydra\nshare: ${hydra:runtime.cwd}\ndefaults: [hydra_like2]\n")
        assert mc.load_config(["policy=mine"], name="hedge", config_dir="mine").policy.share == 0.5
        with pytest.raises(ValueError, match="expected a folder of configurations, got nowhere which is none"):
            mc.load_config(config_dir="nowhere")


class TestIdentity:
    def study(self, rule, **more):
        market = mc.market.Market({"equity": mc.market.GBM(100.0, 0.2)})
        return mc.Study(market, mc.policy.chain(mc.policy.Mix(equity=1.0), rule), steps=4, **more)

    def facts(self, here, text, name="my_rules"):
        (here / f"{name}.py").write_text(text)
        forget(name)
        return identity(self.study(_targets.own(name).Share(0.5)))

    def test_the_source_of_a_rule(self, here):
        known = self.facts(here, RULES)
        assert self.facts(here, RULES) == known
        (found,) = differences(known, self.facts(here, RULES + "# other\n"))
        assert re.fullmatch(
            r"study\.policy\.stages\.share: 'my_rules\.Share \(source \w{12}\)' there, 'my_rules\.Share \(source \w{12}\)' here", found
        )
        assert "'other.Share (source" in differences(known, self.facts(here, RULES, "other"))[0]

    def test_what_it_imports_from_beside_itself(self, here):
        (here / "helper.py").write_text("LEVEL = 1\n\ndef level():\n    return LEVEL\n")
        known = self.facts(here, RULES + "from helper import level\n")
        (here / "helper.py").write_text("LEVEL = 2\n\ndef level():\n    return LEVEL\n")
        assert differences(known, self.facts(here, RULES + "from helper import level\n")) != []

    def test_a_file_that_changes_after_it_was_loaded(self, here):
        known = self.facts(here, RULES)
        (here / "my_rules.py").write_text(RULES + "# not loaded\n")
        assert identity(self.study(_targets.own("my_rules").Share(0.5))) == known

    def test_a_class_without_a_file(self):
        def recorder(power):
            space = {"__name__": "__nowhere__"}
            exec(
                f"class Mine:\n    def __init__(self, level):\n        self.level = level\n    def step(self, x):\n        return x ** {power}", space
            )
            return space["Mine"]

        stage = mc.policy.Band(0.01)
        squared, again, cubed = (identity(self.study(stage, recorders=(recorder(k)(0.1),))) for k in (2, 2, 3))
        assert squared == again
        assert len(differences(squared, cubed)) == 1
        (level,) = differences(squared, identity(self.study(stage, recorders=(recorder(2)(0.2),))))
        assert level == "study.recorders.0.level: 0.1 there, 0.2 here"

    def test_all_code_that_makes_numbers(self):
        package = Path(mc.__file__).parent
        counted = set(_code_files())
        assert {"_kernel.py", "_model.py", "_runtime.py", "engine/path.py"} <= counted
        left_out = {file.relative_to(package).as_posix() for file in package.rglob("*.py")} - counted
        files = ("arguments", "config_dir", "console", "files", "made", "noted", "settings", "targets", "yaml")
        reads = {"config", *(f"_{name}.py" for name in files)}
        assert {name.partition("/")[0] for name in left_out} == {"calibrate", "report", *reads}


class TestExperiments:
    OWN = ("--config-dir", "mine", "--code", "my_rules.py", "policy=mine")

    def test_a_sweep(self, script, capsys):
        assert script("hedge", [*FAST, *self.OWN, "-m", "policy.share=0.25,0.5", "hydra.sweep.dir=sweep"]) == 0
        assert capsys.readouterr().err == ""
        runs = mc.collect("sweep")
        assert sorted(runs["policy.share"]) == [0.25, 0.5]
        assert runs["mean_return"].is_unique
        assert "my_rules" not in _targets._homes(())

    def test_from_the_command_line_stopped_and_resumed(self, script, capsys, here, monkeypatch):
        own = ["--code=my_rules", "policy._target_=my_rules.shared", "~policy.multiplier", "~policy.tolerance", "~policy.floor", "+policy.share=0.5"]
        with monkeypatch.context() as patch:
            record, seen = checkpoint.OnDisk.record, []
            patch.setattr(checkpoint.OnDisk, "record", lambda *a: stop(seen) or record(*a))
            assert script("hedge", [*FAST, "policy=cppi", *own, "hydra.run.dir=run"]) == 130
        assert capsys.readouterr().err == f"error: interrupted; go on with: python experiments/hedge.py --code my_rules resume={here / 'run'}\n"
        assert script("hedge", ["resume=run"]) == 2
        assert capsys.readouterr().err == "error: resume: the run in run was begun with --code my_rules; give that again\n"
        (here / "my_rules.py").write_text(RULES.replace("return seen.scale(target, self.share)", "return seen.scale(target, 1.0 - self.share)"))
        forget("my_rules")
        assert script("hedge", ["--code", "my_rules", "resume=run"]) == 2
        assert "holds the stopped run of another configuration: source.my_rules.shared: '" in capsys.readouterr().err
        (here / "my_rules.py").write_text(RULES)
        forget("my_rules")
        assert script("hedge", ["--code", "my_rules", "resume=run"]) == 0
        assert "of them before" in capsys.readouterr().out
        (here / "my_rules.py").write_text(RULES + "# other\n")
        forget("my_rules")
        assert script("hedge", ["--code", "my_rules", "resume=run"]) == 2  # not skipped as finished before
        assert "holds the finished run of another configuration: source.my_rules.shared: '" in capsys.readouterr().err

    @pytest.mark.parametrize(
        "added", ["hydra.job.env_set={A:b}", "+hydra.callbacks.x._target_=os.mkdir", "hydra/launcher=basic", "--code=x", "+x@hydra.y=z"]
    )
    def test_a_run_folder_adds_nothing(self, script, capsys, here, added):
        (here / "run").mkdir()
        (here / "run" / "begun.json").write_text(json.dumps({"experiment": "hedge", "overrides": [added], "config": {}}))
        assert script("hedge", ["resume=run"]) == 2
        assert "begun.json is damaged: it has settings of Hydra itself" in capsys.readouterr().err

    @pytest.mark.parametrize(
        ("words", "message"),
        [
            (["policy._target_=os.mkdir"], "policy._target_: expected a public name of mcengine or optax"),
            (["policy._target_=my_rules.shared"], "policy._target_: expected a public name of mcengine or optax"),
            (["+code=my_rules", "policy._target_=my_rules.shared"], "unknown key 'code'"),
            (["--code", "no_rules"], "code no_rules: expected a module beside the working directory or installed, found none"),
            (["--config-dir", "mine", "policy=mien"], "unknown policy 'mien'; did you mean mine?"),
            (["--config-dir", "nowhere"], "--config-dir: expected a folder of configurations, got nowhere which is none"),
            (["hydra.searchpath=[mine]"], "hydra.searchpath: name a folder of configurations by --config-dir"),
            (["--config-name", "x"], "--config-name: an experiment has one configuration"),
            (["-cp=x"], "--config-path: an experiment reads mcengine's conf/"),
            (["--experimental-rerun=x"], "--experimental-rerun: a pickle is not run"),
            (["--resolve"], "--resolve: expected --cfg beside it"),
            (["--package", "policy"], "--package: expected --cfg beside it"),
            (["--cfg", "jobs"], "invalid choice: 'jobs'"),
            (["--cfg", "job", "-m"], "expected one of --run, --multirun, --cfg, --info and --shell-completion, got several"),
            (["--cfg", "job", "policy=cpi"], "unknown policy 'cpi'; did you mean cppi or obpi?"),
            (["--confg-dir", "mine"], "unrecognized arguments: --confg-dir"),
        ],
    )
    def test_refusals(self, script, capsys, here, words, message):
        before = sorted(here.rglob("*"))
        assert script("hedge", [*FAST[:4], *words]) == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert err.startswith("error: ")
        assert len(err.splitlines()) == 1
        assert message in err
        assert sorted(here.rglob("*")) == before

    @pytest.mark.parametrize(
        ("words", "shown"),
        [
            (["--help"], "One policy, one floor: what it costs"),
            (["-h", "--config-dir", "mine"], "ladder, mine, minimum_variance,"),
            (["--version"], "Hydra 1."),
            (["--cfg", "job", "policy=cppi", "-p", "policy", "policy.multiplier=7"], "multiplier: 7"),
            (["policy=mine", "-cd=mine", "--cfg=job", "--package=policy", "--resolve"], "weights:\n  equity: 0.6"),
            (["-c", "hydra"], "hydra:\n"),
            (["-i", "searchpath", "--config-dir", "mine"], "command-line"),
            (["--info=defaults-tree"], "policy: vol_target_cppi"),
            (["-sc", "install=bash"], "hydra_bash_completion"),
        ],
    )
    def test_what_flags_show(self, script, capsys, here, words, shown):
        before = sorted(here.rglob("*"))
        assert script("hedge", words) == 0
        out, err = capsys.readouterr()
        assert shown in out
        assert err == ""
        assert sorted(here.rglob("*")) == before

    def test_hydra_s_help(self, here):
        """In a process of its own: Hydra sets up logging, which closes what pytest reads."""
        command = [sys.executable, str(SCRIPTS / "hedge.py"), "--hydra-help"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")
        assert "--config-dir,-cd" in done.stdout


def stop(seen):
    seen.append(1)
    if len(seen) > 2:
        raise KeyboardInterrupt


def test_typed_and_public():
    assert (Path(mc.__file__).parent / "py.typed").is_file()
    assert {"AbstractRecorder", "Day", "Scalar", "model", "number", "replace", "static"} <= set(mc.__all__)
    assert config.build is mc.build
