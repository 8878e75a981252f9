"""Rooms import down only, and one room meets Hydra, lazily. Read from the source, without importing it."""

import ast
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "mcengine"
ROOMS = (
    ("_spelling",),
    ("statistics",),
    ("_arguments", "_config_dir", "_files", "_kernel", "_kinds", "_made", "_model", "_noted", "_runtime", "_targets", "_yaml"),
    ("noise",),
    ("pricing", "history"),
    ("market",),
    ("instrument",),
    ("ledger",),
    ("policy",),
    ("engine",),
    ("monitor", "variance_reduction"),
    ("objective",),
    ("greeks", "optimise"),
    ("calibrate",),
    ("backtest", "report"),
)
"""From bottom to top; those beside each other do not know each other, but for the plain files."""
RANK = {room: rank for rank, rooms in enumerate(ROOMS) for room in rooms}
TOP = len(ROOMS)  # the package's face and config: above every room
UNKNOWN_TO = {"calibrate": {"instrument", "policy", "ledger", "variance_reduction", "objective", "greeks", "optimise"}}  # it knows markets only
STATISTICS = {"numpy", *sys.stdlib_module_names}
CONFIG_LIBRARIES = {"hydra", "omegaconf"}


def imports(tree, package):
    """(package, name or nothing, whether inside a function) of every import, those for type checkers included."""

    def visit(node, inside):
        if isinstance(node, ast.Import):
            yield from ((alias.name, "", inside) for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            parents = package[: len(package) - node.level + 1] if node.level else ()
            base = ".".join([*parents, *([node.module] if node.module else [])])
            yield from ((base, alias.name, inside) for alias in node.names)
        for child in ast.iter_child_nodes(node):
            yield from visit(child, inside or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))

    return visit(tree, False)


def faults(source, path):
    """What is wrong with the imports of the module at ``path`` (inside the package)."""
    parts = Path(path).with_suffix("").parts
    room, package = parts[0], ("mcengine", *parts[:-1])
    rank, found = RANK.get(room, TOP), []
    for base, name, lazy in imports(ast.parse(source), package):
        words = [*base.split("."), name]
        if words[0] in CONFIG_LIBRARIES and (room != "config" or not lazy):
            found.append(f"{path} imports {base}")
        if room == "statistics" and words[0] not in STATISTICS | {"mcengine"}:
            found.append(f"{path} imports {base}: statistics knows NumPy only")
        if words[0] != "mcengine" or path == "__init__.py":
            continue
        other = words[1] or "the whole package"
        if other != room and rank < TOP and RANK.get(other, TOP) >= rank + room.startswith("_"):
            found.append(f"{path} imports {base}: {room} may import down only")
        if other in UNKNOWN_TO.get(room, ()):
            found.append(f"{path} imports {base}: unknown to {room}")
    return found


def circles(sources):
    """Paths of files that import each other in a circle; ``sources`` by path inside the package."""
    files = {".".join(("mcengine", *Path(path).with_suffix("").parts)).removesuffix(".__init__"): path for path in sources}
    needs = {}
    for path, source in sources.items():
        found = imports(ast.parse(source), ("mcengine", *Path(path).parts[:-1]))
        needs[path] = {files.get(f"{base}.{name}", files.get(base)) for base, name, _ in found} - {None}
    reached = {path: set(others) for path, others in needs.items()}
    for path in reached:
        waiting = list(reached[path])
        while waiting:
            new = needs[waiting.pop()] - reached[path]
            reached[path] |= new
            waiting += new
    return sorted(path for path, others in reached.items() if path in others)


MODULES = sorted(str(file.relative_to(PACKAGE)) for file in PACKAGE.rglob("*.py"))


def test_rooms_import_down_only():
    assert [fault for path in MODULES for fault in faults((PACKAGE / path).read_text(), path)] == []


def test_no_two_files_import_each_other():
    assert circles({path: (PACKAGE / path).read_text() for path in MODULES}) == []


@pytest.mark.parametrize(
    "hidden", ["import mcengine.a.two", "def f():\n    from mcengine.a import two", "if TYPE_CHECKING:\n    from mcengine.a.two import X"]
)
def test_a_circle_is_found(hidden):
    sources = {"a/one.py": hidden, "a/two.py": "from .three import X", "a/three.py": "from mcengine.a import one", "a/four.py": "from . import one"}
    assert circles(sources) == ["a/one.py", "a/three.py", "a/two.py"]


def test_every_room_has_a_rank():
    rooms = {path.split("/")[0] for path in MODULES if "/" in path}
    assert rooms <= {*RANK, "config"}


@pytest.mark.parametrize(
    ("path", "source", "wrong"),
    [
        ("market/gbm.py", "from mcengine.policy import Mix", True),
        ("market/gbm.py", "from mcengine import policy", True),
        ("market/gbm.py", "import mcengine.engine.run", True),
        ("market/gbm.py", "import mcengine as mc", True),
        ("market/gbm.py", "from ..engine import run", True),
        ("market/gbm.py", "from . import base", False),
        ("market/gbm.py", "def f():\n    from mcengine.ledger import trade", True),
        ("market/gbm.py", "if TYPE_CHECKING:\n    from mcengine.ledger import Account", True),
        ("market/gbm.py", "if TYPE_CHECKING:\n    pass\nelse:\n    from mcengine.ledger import Account", True),
        ("market/gbm.py", "from mcengine.pricing import Quote", False),
        ("greeks/value.py", "from mcengine.optimise import fit", True),
        ("market/gbm.py", "from mcengine import _model", False),
        ("history/days.py", "from mcengine.pricing import Quote", True),
        ("statistics/estimate.py", "import jax.numpy as jnp", True),
        ("statistics/estimate.py", "import math\n\nimport numpy as np", False),
        ("statistics/estimate.py", "from mcengine._model import Scalar", True),
        ("calibrate/fit.py", "from mcengine.policy import Mix", True),
        ("calibrate/fit.py", "from mcengine.market import GBM", False),
        ("_model.py", "from mcengine.noise import Path", True),
        ("config/compose.py", "import hydra", True),
        ("config/compose.py", "def load():\n    import hydra", False),
        ("engine/study.py", "def load():\n    import hydra", True),
        ("report/tables.py", "from mcengine.config import build", True),
        ("report/tables.py", "def load():\n    from omegaconf import OmegaConf", True),
    ],
)
def test_the_reader_finds_what_is_wrong(path, source, wrong):
    assert bool(faults(source, path)) is wrong
