"""Every notebook runs small, shows a picture and ends with an answer; what is committed is its text, run, and small enough for a browser."""

import os
import re
import sys
from pathlib import Path

import nbformat
import pytest

NOTEBOOKS = Path(__file__).resolve().parent.parent / "notebooks"
sys.path.insert(0, str(NOTEBOOKS))
import make  # noqa: E402

sys.path.remove(str(NOTEBOOKS))
LARGEST = 300_000
"""Bytes of a notebook's file, its pictures within."""


@pytest.fixture(scope="session")
def programs(tmp_path_factory):
    """One cache of compiled programs for all notebooks of a session, whichever worker runs them."""
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID")
    base = tmp_path_factory.getbasetemp()
    return (base.parent / f"programs-{run}" if run else base / "programs").resolve()


def outputs(notebook):
    return [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]


def assert_told(notebook):
    """A picture at least, nothing on stderr, numbers with errors, and a sentence with a number at the end."""
    shown = outputs(notebook)
    assert any("image/png" in output.get("data", {}) for output in shown)
    assert [output.text for output in shown if output.output_type == "stream" and output.name == "stderr"] == []
    assert not any(output.output_type == "error" for output in shown)
    assert "±" in "".join(output.get("text", "") for output in shown)
    answer = outputs(nbformat.v4.new_notebook(cells=notebook.cells[-1:]))[-1].text.strip()
    assert re.fullmatch(r"[A-Z][^\n]*\d[^\n]*\.", answer), answer


@pytest.mark.parametrize("text", make.TEXTS, ids=[text.stem for text in make.TEXTS])
def test_a_notebook_runs(monkeypatch, programs, text):
    monkeypatch.setenv("MC_SMALL", "1")
    monkeypatch.setenv("MC_CACHE", str(programs))
    assert_told(make.executed(text, timeout=300))


@pytest.mark.parametrize("text", make.TEXTS, ids=[text.stem for text in make.TEXTS])
def test_what_is_committed_is_the_text_run(text):
    """Cells by their ids, in order, each run; the answer's numbers are computed: none stands in the text."""
    file = text.with_suffix(".ipynb")
    kept, written = nbformat.read(file, as_version=4), make.read(text)
    nbformat.validate(kept)
    assert [(c.id, c.cell_type, c.source) for c in kept.cells] == [(c.id, c.cell_type, c.source) for c in written.cells], "make notebooks"
    assert all(cell.execution_count for cell in kept.cells if cell.cell_type == "code")
    assert_told(kept)
    assert file.stat().st_size <= LARGEST
    literal = "".join(re.findall(r'f?"([^"]*)"', kept.cells[-1].source.partition("print(")[2]))
    assert not re.search(r"\d\.\d", re.sub(r"\{[^{}]*\}", "", literal))


def test_every_notebook_has_its_text():
    assert [file.stem for file in sorted(NOTEBOOKS.glob("*.ipynb"))] == [text.stem for text in make.TEXTS]


def test_cells_are_known_by_what_stands_in_them(tmp_path):
    """A cell that is changed gets another id, no other does."""
    text = tmp_path / "01_a.py"
    text.write_text("# %%\nx = 1\n\n# %%\nx\n\n# %%\nx\n")
    before = [cell.id for cell in make.read(text).cells]
    text.write_text("# %%\nx = 2\n\n# %%\nx\n\n# %%\nx\n")
    after = [cell.id for cell in make.read(text).cells]
    assert before[1:] == after[1:]
    assert before[0] != after[0]
    assert len(set(before)) == 3
