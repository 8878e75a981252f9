"""Runs notebooks and writes them with what they show: ``python notebooks/make.py``, or ``python notebooks/make.py 03 07`` for some of them.

The text of a notebook is its .py (py:percent); the .ipynb beside it is that text, run. Cells are known by their text, so that a notebook that is made
again differs only where it says something else.
"""

import hashlib
import sys
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient

HERE = Path(__file__).resolve().parent
TEXTS = sorted(HERE.glob("[0-9]*.py"))


def read(text: Path) -> nbformat.NotebookNode:
    """The notebook of a text, not run: its cells named by a hash of what stands in them."""
    notebook = jupytext.read(text)
    seen: dict[str, int] = {}
    for cell in notebook.cells:
        name = hashlib.sha256(f"{cell.cell_type}\n{cell.source}".encode()).hexdigest()[:12]
        seen[name] = seen.get(name, -1) + 1
        cell.id = f"{name}-{seen[name]}" if seen[name] else name
        cell.metadata = nbformat.NotebookNode()
    notebook.metadata = nbformat.NotebookNode(
        kernelspec={"display_name": "Python 3", "language": "python", "name": "python3"}, language_info={"name": "python"}
    )
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    return notebook


def executed(text: Path, timeout: int = 1200) -> nbformat.NotebookNode:
    """The notebook of a text, run in its folder."""
    notebook = read(text)
    language = dict(notebook.metadata.language_info)
    where = {"metadata": {"path": str(HERE)}}
    NotebookClient(notebook, timeout=timeout, kernel_name="python3", resources=where, record_timing=False).execute()
    notebook.metadata.language_info = nbformat.NotebookNode(language)  # the kernel writes its version there
    return notebook


def main(chosen: list[str]) -> None:
    """Run those whose names begin with one of ``chosen``, all where there is none."""
    for text in TEXTS:
        if not chosen or text.name.startswith(tuple(chosen)):
            print(text.name, flush=True)
            nbformat.write(executed(text), text.with_suffix(".ipynb"))


if __name__ == "__main__":
    main(sys.argv[1:])
