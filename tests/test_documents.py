"""The README's Python runs as printed, and every notebook runs and is the twin of its text."""

import re
from pathlib import Path

import jupytext
import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


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


def test_the_readme_s_pictures_exist():
    for picture in re.findall(r"!\[[^]]*\]\(([^)]+)\)", (ROOT / "README.md").read_text()):
        assert (ROOT / picture).is_file(), picture


@pytest.mark.parametrize("path", NOTEBOOKS, ids=[p.stem for p in NOTEBOOKS])
def test_a_notebook_runs(small, path):
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(path.parent)}}).execute()
    shown = "".join(o.get("text", "") for c in notebook.cells if c.cell_type == "code" for o in c.outputs)
    assert "±" in shown


@pytest.mark.parametrize("path", NOTEBOOKS, ids=[p.stem for p in NOTEBOOKS])
def test_a_notebook_is_the_twin_of_its_text(path):
    cells = [(c.cell_type, c.source) for c in nbformat.read(path, as_version=4).cells]
    text = [(c.cell_type, c.source) for c in jupytext.read(path.with_suffix(".py")).cells]
    assert cells == text, "make notebooks"
