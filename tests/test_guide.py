"""The guide: every block of every page runs as printed, in the page's order; its tables are those of the code; the command ``mcengine``."""

import ast
import re
import shlex
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import jax
import pytest

import mcengine as mc
from mcengine import _console, _targets, config
from mcengine.objective import measures
from mcengine.objective.setting import Setting
from mcengine.variance_reduction import METHODS

ROOT = Path(__file__).resolve().parent.parent
GUIDE = ROOT / "notebooks" / "guide"
PAGES = sorted(page for page in GUIDE.glob("*.md") if page.name != "README.md")
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.DOTALL | re.MULTILINE)
FILE = re.compile(r"# ([\w/]+\.(?:py|yaml))\n")


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty working directory; what a page imports from it, and what a command leaves in this process, is forgotten."""
    before, known, x64 = [*sys.path], set(sys.modules), jax.config.jax_enable_x64
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MC_SMALL", "1")
    monkeypatch.setattr(sys, "argv", sys.argv)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.setattr(_console, "running", False)
    yield tmp_path
    sys.path[:] = before
    for name in set(sys.modules) - known:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(tmp_path)):
            del sys.modules[name]
    jax.config.update("jax_enable_x64", x64)


@pytest.mark.parametrize("page", PAGES, ids=[page.stem for page in PAGES])
def test_a_page_runs_as_printed(here, page, capfd):
    names = {"__name__": page.stem}
    sys.path.insert(0, str(here))
    for kind, body in BLOCK.findall(page.read_text()):
        file = FILE.match(body)
        if file is not None:
            Path(file[1]).parent.mkdir(parents=True, exist_ok=True)
            Path(file[1]).write_text(body[file.end() :])
        elif kind == "python":
            exec(compile(body, page.name, "exec"), names)
        else:
            assert kind == "sh", kind
            for line in body.splitlines():
                program, *words = shlex.split(line)
                assert program == "mcengine"
                with _targets.allowing([]):  # what a command allows ends with it
                    assert _console.main(words) == 0, capfd.readouterr().err
    assert "±" in capfd.readouterr().out
    for file in Path("mine").rglob("*.yaml"):
        group, own = file.parent.name, [module.stem for module in Path().glob("*.py")]
        composed = mc.load_config([f"{group}={file.stem}"], config_dir="mine")
        assert mc.build(composed[group], allow=own) is not None


def test_every_page_is_named():
    assert {page.name for page in PAGES} == set(re.findall(r"^\| \[\w+\]\((\w+\.md)\)", (GUIDE / "README.md").read_text(), re.MULTILINE))


class TestTables:
    """A row for everything that there is, and none for what is not."""

    def rows(self, heading):
        text = (GUIDE / "README.md").read_text().partition(f"| {heading} |")[2].partition("\n\n")[0]
        return [name for row in text.splitlines()[2:] for name in re.findall(r"`([^`]+)`", row.split("|")[1])]

    def test_markets(self):
        assert sorted(self.rows("`market=`")) == sorted(file.stem for file in (config.CONF / "market").glob("*.yaml"))

    def test_estimators(self):
        named = self.rows("`variance_reduction=`")
        assert sorted(named) == sorted(file.stem for file in (config.CONF / "variance_reduction").glob("*.yaml"))
        assert set(named) - {"none", "auto"} <= set(METHODS)

    def test_objectives(self):
        named = self.rows("name")
        listed = re.findall(r"``([^`]+)``", measures.__doc__.partition("|---|---|")[2])
        assert sorted(named) == sorted(name for name in listed if name not in ("at_exposure", "engine.RollingVolatility"))
        setting = Setting(0.9, years=2.0, steps=504, costs=("underlying",), yearly=2, band=(0.05, 0.15))
        for name in named:
            made = name.replace("cost_<kind>", "cost_underlying").replace("<n>", "1")
            assert measures.measure(re.sub(r"<\w>", "5", made), setting).key, name


class TestConsole:
    def test_help_lists_every_experiment_with_its_line(self, capsys):
        assert _console.main(["--help"]) == 0
        out = capsys.readouterr().out
        for file in (ROOT / "experiments").glob("[a-z]*.py"):
            assert f"  {file.stem} " in out
            assert ast.get_docstring(ast.parse(file.read_text())).partition("\n")[0] in out

    def test_an_unknown_experiment_is_refused_with_the_near_one(self, capsys):
        assert _console.main(["hegde"]) == 2
        assert capsys.readouterr().err == "error: mcengine: unknown experiment 'hegde'; did you mean hedge?; mcengine --help lists them\n"

    def test_the_command_is_what_a_run_is_run_again_by(self, here, capsys):
        words = ["hedge", "policy=cppi", "policy.multiplier=5", "market=lognormal", "steps=12"]  # of the first page, so that nothing is compiled
        assert _console.main([*words, "plots=false", "hydra.run.dir=run"]) == 0
        assert mc.report.Run(Path("run")).provenance["command"].startswith("mcengine hedge policy=cppi")
        assert _console.main(["hedge", "policy=none"]) == 2

    def test_the_package_has_what_the_command_reads(self):
        wheel = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
        assert wheel["sources"] == {name: f"mcengine/{name}" for name in ("conf", "experiments")}
        assert set(wheel["only-include"]) == {"mcengine", *wheel["sources"]}

    @pytest.mark.slow
    def test_a_wheel_elsewhere(self, tmp_path):
        subprocess.run([sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(tmp_path), str(ROOT)], check=True, capture_output=True)
        with zipfile.ZipFile(next(tmp_path.glob("*.whl"))) as wheel:
            wheel.extractall(tmp_path / "site")
        code = "import sys; sys.path.insert(0, 'site'); from mcengine._console import main; sys.exit(main(sys.argv[1:]))"
        words = ["hedge", "policy=cppi", "paths=1024", "steps=12", "hydra.run.dir=run"]
        done = subprocess.run([sys.executable, "-c", code, *words], cwd=tmp_path, capture_output=True, text=True, check=False, env={"PATH": ""})
        assert done.returncode == 0, done.stderr
        facts = mc.report.Run(tmp_path / "run").provenance
        assert list(facts["data"]) == ["mcengine/history/data/us_daily.csv.gz"]
        assert facts["git_commit"] is None
