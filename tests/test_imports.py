"""Rooms import down only, and one file meets Hydra, lazily. Read from the source, without importing it."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "mcengine"
ROOMS = (
    "statistics",
    "noise",
    "pricing",
    "market",
    "instrument",
    "policy",
    "ledger",
    "engine",
    "variance_reduction",
    "objective",
    "greeks",
    "calibrate",
    "report",
)
RANK = {room: rank for rank, room in enumerate(ROOMS)} | {
    "_kernel": -1,
    "_model": -1,
    "_runtime": -1,
    "_spelling": -2,
    "optimise": ROOMS.index("greeks"),
    "history": ROOMS.index("pricing"),
}
TOP = len(ROOMS)  # the package's face, config, and whatever stands beside them: above every room
CALIBRATE = {
    "calibrate",
    "_model",
    "_runtime",
    "_spelling",
    "statistics",
    "noise",
    "pricing",
    "history",
    "market",
    "engine",
}  # not policy: it knows no rules
CONFIG_LIBRARIES = {"hydra", "omegaconf"}


def imports(tree, package):
    """(module imported, whether inside a function) of every import but those for type checkers only."""

    def visit(node, inside):
        if isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING"):
            children = node.orelse
        else:
            children = ast.iter_child_nodes(node)
        if isinstance(node, ast.Import):
            yield from ((alias.name, inside) for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            parents = package[: len(package) - node.level + 1] if node.level else ()
            base = ".".join([*parents, *([node.module] if node.module else [])])
            names = [f"mcengine.{alias.name}" for alias in node.names] if base == "mcengine" else [base]
            yield from ((name, inside) for name in names)
        for child in children:
            yield from visit(child, inside or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))

    return visit(tree, False)


def faults(source, path):
    """What is wrong with the imports of the module at ``path`` (inside the package)."""
    parts = Path(path).with_suffix("").parts
    room, package = parts[0], ("mcengine", *parts[:-1])
    rank, found = RANK.get(room, TOP), []
    for name, lazy in imports(ast.parse(source), package):
        words = name.split(".")
        if words[0] in CONFIG_LIBRARIES and (path != "config.py" or not lazy):
            found.append(f"{path} imports {name}")
        if words[0] != "mcengine" or path == "__init__.py":
            continue
        other = words[1] if len(words) > 1 else "the whole package"
        if other != room and RANK.get(other, TOP) >= rank and rank < TOP:
            found.append(f"{path} imports {name}: {room} may import down only")
        if room == "calibrate" and other not in CALIBRATE:
            found.append(f"{path} imports {name}: calibrate knows markets only")
    return found


MODULES = sorted(str(file.relative_to(PACKAGE)) for file in PACKAGE.rglob("*.py"))


def test_rooms_import_down_only():
    assert [fault for path in MODULES for fault in faults((PACKAGE / path).read_text(), path)] == []


def test_every_room_has_a_rank():
    rooms = {path.split("/")[0] for path in MODULES if "/" in path}
    assert rooms <= set(RANK)


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
        ("market/gbm.py", "if TYPE_CHECKING:\n    from mcengine.ledger import Account", False),
        ("market/gbm.py", "if TYPE_CHECKING:\n    pass\nelse:\n    from mcengine.ledger import Account", True),
        ("market/gbm.py", "from mcengine.pricing import Quote", False),
        ("greeks/value.py", "from mcengine.optimise import fit", True),
        ("calibrate/fit.py", "from mcengine.policy import Mix", True),
        ("calibrate/fit.py", "from mcengine.market import GBM", False),
        ("_model.py", "from mcengine.noise import Path", True),
        ("config.py", "import hydra", True),
        ("config.py", "def load():\n    import hydra", False),
        ("report/tables.py", "def load():\n    from omegaconf import OmegaConf", True),
    ],
)
def test_the_reader_finds_what_is_wrong(path, source, wrong):
    assert bool(faults(source, path)) is wrong
