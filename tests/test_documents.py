"""The README's Python runs as printed, links lead somewhere, commands are ones that exist."""

import re
import shlex
from pathlib import Path

import pytest

import mcengine as mc
from mcengine.policy.base import AbstractPart

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
FOLDERS = ("README.md", ".github/*.md", "[a-z]*/README.md", "mcengine/**/SOURCES.md", "notebooks/guide/*.md")
PAGES = sorted(page for pattern in FOLDERS for page in ROOT.glob(pattern))
COMMAND = re.compile(r"^(?: *python experiments/| +mcengine )(\w+)(?:\.py)? *(.*)$", re.MULTILINE)
COMMANDS = sorted({(name, *shlex.split(words, comments=True)) for page in PAGES for name, words in COMMAND.findall(page.read_text())})
LINE = re.compile(r"^[ `]*(?:python experiments/|mcengine |make ).*$", re.MULTILINE)
SCRIPTS = sorted((ROOT / "experiments").glob("*.py"))
OWN = ("--config-dir", "mine", "policy=my_rule", "policy=covered_call", "policy=lower", "market=cev")
"""What a page takes from a folder of the user's."""
WORDS = 900
"""Most that the README may have, code included: a page."""


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setenv("MC_SMALL", "1")


def test_the_ten_lines_of_the_readme_run_as_printed(small, capsys):
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    lines = next(block for block in blocks if "from_history" in block)
    exec(compile(lines, "README.md", "exec"), {})
    printed = capsys.readouterr().out
    assert "±" in printed
    assert "difference" in printed


def test_the_readme_is_a_page():
    assert len((ROOT / "README.md").read_text().split()) <= WORDS


def test_the_readme_names_every_room():
    named = set(re.findall(r"`(\w+)/`", (ROOT / "README.md").read_text()))
    assert {file.parent.name for file in ROOT.glob("mcengine/*/__init__.py")} <= named


def without_code(text):
    return re.sub(r"```.*?```|`[^`\n]*`", "", text, flags=re.DOTALL)


def anchors(text):
    """Of headings, as they are linked to: lower case, words joined by hyphens."""
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in re.findall(r"^#+ (.*)$", text, re.MULTILINE)}


@pytest.mark.parametrize("page", PAGES, ids=[str(p.relative_to(ROOT)) for p in PAGES])
def test_links_lead_somewhere(page):
    for link in re.findall(r"\[[^]]*\]\(([^)\s]+)\)", without_code(page.read_text())):
        if link.startswith("https://"):
            continue
        where, _, anchor = link.partition("#")
        target = page.parent / where if where else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target.read_text()), link


def test_every_make_target_that_is_named_exists():
    text = "\n".join(page.read_text() for page in PAGES)
    named = set(re.findall(r"^ +make (\w+)", text, re.MULTILINE)) | set(re.findall(r"`make (\w+)`", text))
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert {"run", "test", "quick", "bench"} <= named <= targets


def bare(line):
    """What a shell would expand of a line: braces with a comma or dots in them, outside quotes."""
    return re.findall(r"\{[^{}\s]*(?:,|\.\.)[^{}\s]*\}", re.sub(r"'[^']*'|\"[^\"]*\"|(?<!\S)#.*", "", line))


@pytest.mark.parametrize("page", [*PAGES, *SCRIPTS], ids=lambda page: str(page.relative_to(ROOT)))
def test_a_command_is_what_a_shell_makes_of_it(page):
    """Unquoted, ``weights={SPY:0.6,TLT:0.4}`` becomes two words."""
    assert [line for line in LINE.findall(page.read_text()) if bare(line)] == []


def test_braces_that_a_shell_expands_are_found():
    assert bare("python experiments/hedge.py weights={a:0.6,b:0.4} steps=52") == ["{a:0.6,b:0.4}"]
    assert bare("python experiments/hedge.py 'weights={a:0.6,b:0.4}' x={a} # {a,b}") == []


@pytest.fixture
def composed(monkeypatch):
    """``composed(name, arguments)`` checks the flags of a command and composes its configuration, for each combination of a sweep."""
    monkeypatch.syspath_prepend(str(ROOT / "experiments"))
    import _command_line
    import _points

    def check(name, arguments):
        line = _command_line.read([word for word in arguments if word not in OWN])
        if not line.multirun:
            mc.load_config(line.overrides, name)
            return
        space = _points.space(name, line)
        first = [{key: str(value[0]) for key, value in space.items()}] if space else None
        for point in _points.points(name, line, first):
            mc.config.check(point.config(), name)

    return check


@pytest.mark.parametrize("command", COMMANDS, ids=map(" ".join, COMMANDS))
def test_a_command_exists_with_its_options(composed, command):
    """As in the page; a folder of the user's own and what is in it are left out."""
    name, *arguments = command
    assert (ROOT / "experiments" / f"{name}.py").is_file()
    composed(name, arguments)


def test_every_experiment_has_its_command():
    scripts = {file.stem for file in (ROOT / "experiments").glob("*.py") if not file.stem.startswith("_")}
    assert scripts - {"report"} == {name for name, *_ in COMMANDS}  # it takes a folder, and has no configuration


def test_a_command_that_does_not_exist_is_found(composed):
    with pytest.raises(ValueError, match=r"unknown key 'policy\.multiplierr'"):
        composed("hedge", ["policy=cppi", "policy.multiplierr=5"])
    with pytest.raises(ValueError, match="unknown policy 'cpi'"):
        composed("hedge", ["-m", "policy=cppi,cpi"])
    with pytest.raises(ValueError, match="unrecognized arguments: --no-flag"):
        composed("hedge", ["--no-flag"])


def test_the_table_of_rules_is_that_of_the_code():
    """A row for every configuration of a rule, every public stage and trigger named, and none that is not there."""
    text = (ROOT / "conf" / "README.md").read_text().partition("| `policy=` | rule | stages |")[2]
    rows = re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE)
    assert sorted(rows) == sorted(file.stem for file in (ROOT / "conf" / "policy").glob("*.yaml"))
    classes = {name for name in mc.policy.__all__ if isinstance(getattr(mc.policy, name), type)}
    parts = {name for name in classes if issubclass(getattr(mc.policy, name), AbstractPart) and not name.startswith("Abstract")}
    named = set(re.findall(r"`([A-Z]\w+)[`(]", text))
    assert parts <= named <= classes


def test_the_table_of_laws_names_tests_that_exist():
    text = (ROOT / "mcengine" / "README.md").read_text().partition("## Laws that rules are held to")[2].partition("## ")[0]
    named = re.findall(r"`(test_\w+\.py)::([\w:]+)`", text)
    assert len(named) > 20
    for file, names in named:
        source = (ROOT / "tests" / file).read_text()
        for name in names.split("::"):
            assert re.search(rf"^ *(def |class )?{name}\b", source, re.MULTILINE), f"{file}::{names}"


def test_the_table_of_refusals_is_that_of_the_code():
    """Every rule fits every kind of market, but for those named, which are refused before anything is compiled."""
    text = (ROOT / "conf" / "README.md").read_text().partition("## Rules")[2].partition("| `policy=` | rule | stages |")[0]
    said = {
        (rule, market)
        for rule, markets in re.findall(r"^\| `(\w+)` \| ((?:`\w+`(?:, )?)+) \|", text, re.MULTILINE)
        for market in re.findall(r"\w+", markets)
    }
    names = sorted(file.stem for file in (ROOT / "conf" / "policy").glob("*.yaml"))
    rules = {name: mc.build(mc.load_config([f"policy={name}"], "hedge").policy) for name in names}
    refused = set()
    for market in ("events", "hull_white", "schwartz", "vasicek"):
        made = mc.build(mc.load_config([f"market={market}"], "hedge").market)
        for name, rule in rules.items():
            try:
                mc.Study(made, rule)
            except ValueError:
                refused.add((name, market))
    assert refused == said
