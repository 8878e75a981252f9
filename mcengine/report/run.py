"""``Run``: a finished run as its folder holds it, each part read when it is asked for."""

import copy
import glob
import io
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from mcengine._files import file_name, inside, read, read_json
from mcengine._model import parameters, with_parameters
from mcengine.statistics import Estimate, Sampling


@dataclass(frozen=True)
class Run:
    """A finished run as its folder holds it.

    Args:
        path: Of the folder.
        rebuild: Makes the study of it, as ``mc.load`` does; None where it is only looked at.

    Raises:
        ValueError: For a folder that holds no finished run.

    Example:
        >>> run = mc.load("outputs/hedge/2026-11-22_18-16-22")  # doctest: +SKIP
        >>> run.figures["mean_return"], run.outcomes["cppi"]["wealth"].mean()  # doctest: +SKIP
        >>> run.study.run(**run.options)  # the same bits  # doctest: +SKIP
    """

    path: Path
    rebuild: Callable[["Run"], Any] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if not (self.path / "metrics.json").is_file():
            below = len(list(self.path.glob("*/metrics.json"))) if self.path.is_dir() else 0
            hint = f"; it has {below} below it: mc.collect shows them" if below else ""
            raise ValueError(f"load: expected the folder of a finished run, got {str(self.path)!r}{hint}")

    @cached_property
    def provenance(self) -> dict[str, Any]:
        """Where it comes from: commit, versions, seed, hashes of the data, the market's numbers, command."""
        return read_json(inside(self.path, "provenance.json"), config=dict)

    @cached_property
    def config(self) -> dict[str, Any]:
        """The resolved configuration, its weights and hedged assets those of the market."""
        return as_run(self.provenance.get("config"), self.provenance)

    @property
    def experiment(self) -> str:
        """Which script made it."""
        return str(_mapping(self.provenance.get("choices")).get("experiment", ""))

    @cached_property
    def figures(self) -> dict[str, Any]:
        """What it found, by name with a slash between levels (``floor_0.9/cppi/mean_return``): Estimates where there is an error."""
        return dict(_flat(read_json(inside(self.path, "metrics.json"))))

    @cached_property
    def tables(self) -> dict[str, Any]:
        """Tables by name (pandas), value and error joined to Estimates."""
        return {file.stem: _table(read(inside(self.path, file.name))) for file in sorted(self.path.glob("*.csv")) if file.stem != "trace"}

    @cached_property
    def traces(self) -> Any:
        """Everything at every step of the paths that were traced (pandas, by path and step), or None."""
        import pandas as pd

        file = inside(self.path, "trace.csv")
        return pd.read_csv(io.BytesIO(read(file)), index_col=[0, 1]) if file.is_file() else None

    @property
    def pictures(self) -> dict[str, Path]:
        """Files of its pictures, by name."""
        return {file.stem: file for file in sorted(self.path.glob("*.png"))}

    @cached_property
    def outcomes(self) -> dict[str, dict[str, np.ndarray]]:
        """Of the kept paths, {book: {outcome: [paths]}}, mapped from disk; empty where none were kept."""
        root = self._paths_folder
        out: dict[str, dict[str, np.ndarray]] = {}
        for column in self._record.get("columns", []):
            book, name, *_ = column
            file = inside(root, "outcomes", file_name(str(book)), f"{file_name(str(name))}.npy")
            if not file.is_file():
                return {}
            out.setdefault(str(book), {})[str(name)] = np.load(file, mmap_mode="r", allow_pickle=False)
        return out

    @cached_property
    def paths(self) -> int:
        """How many were run; 0 where the folder does not say."""
        return int(read_json(inside(self._paths_folder, "checkpoint", "end.json")).get("paths", 0))

    @property
    def sampling(self) -> Sampling:
        """How its paths depend on each other."""
        found = _mapping(self.provenance.get("sampling"))
        return Sampling(str(found["kind"]), int(found["size"])) if found.keys() >= {"kind", "size"} else Sampling()

    @property
    def address(self) -> dict[str, Any]:
        """What makes its random numbers, by dotted name: seed, stream, first path, precision, noise; empty where no paths were kept."""
        found = self._record.get("identity", {})
        return {key: value for key, value in found.items() if key in ("seed", "stream", "first", "precision") or key.startswith("study.noise")}

    @property
    def driver(self) -> dict[str, Any]:
        """What makes its market's paths of them, by dotted name: the market's numbers, years and steps."""
        found = self._record.get("identity", {})
        return {key: value for key, value in found.items() if key in ("study.years", "study.steps") or key.startswith("study.market")}

    @cached_property
    def study(self) -> Any:
        """Market, rules, costs and dates as they were, ready to run: a ``Study``; of a fit the rule that it found. The market is calibrated again.

        Raises:
            ValueError: For a run of no study (a price, a calibration), or of rules that need ``allow=``.
        """
        found = _mapping(_mapping(read_json(inside(self.path, "metrics.json")).get("parameters")).get("after"))
        return with_parameters(self.before, _arrays(self.before, found)) if found and self.experiment == "optimise" else self.before

    @cached_property
    def before(self) -> Any:
        """The study that a fit started from; of any other run its study."""
        if self.rebuild is None:
            raise ValueError("Run.study: expected a run that mc.load opened")
        return self.rebuild(self)

    @property
    def options(self) -> dict[str, Any]:
        """Arguments of ``study.run`` for the same paths."""
        config = self.config
        first = {"first": self.address["first"]} if self.address.get("first") else {}
        return {"paths": self.paths or int(config["paths"]), "seed": config["seed"], "stream": config.get("stream", "test"), **first}

    def _repr_html_(self) -> str:
        import pandas as pd

        rows = {name: str(value) for name, value in self.figures.items() if isinstance(value, Estimate)}
        return str(pd.DataFrame({self.path.name: rows}).to_html())

    @cached_property
    def _paths_folder(self) -> Path:
        """Where its outcomes are: of a fit those of the rule before and after, on paths that it had not seen."""
        others = [file.name for file in sorted(self.path.iterdir()) if re.fullmatch(r"fresh_from_\d+|windows", file.name)]
        names = [name for name in others if not (self.path / "checkpoint").is_dir()]
        return inside(self.path, names[0]) if names else self.path

    @cached_property
    def _record(self) -> dict[str, Any]:
        """checkpoint/run.json: what the paths depend on, and the columns kept."""
        return read_json(inside(self._paths_folder, "checkpoint", "run.json"))


def run_at(folder: str | Path) -> Path:
    """The folder itself, or the one beside it whose name ends so: of a sweep's long names ``collect`` shows the hashes they end with."""
    path = Path(folder)
    ending = [] if path.exists() else sorted(path.parent.glob(f"*{glob.escape(path.name)}"))
    return ending[0] if len(ending) == 1 else path


def as_run(tree: Any, facts: Mapping[str, Any]) -> dict[str, Any]:
    """A configuration that a run's folder holds, with what provenance.json says was set to the market's: weights, and assets that rules hedge."""
    config = copy.deepcopy(dict(_mapping(tree)))
    if weights := _mapping(facts.get("weights")):
        config = _replaced(config, config.get("weights"), dict(weights))
    for key, asset in _mapping(facts.get("hedged")).items():
        *parents, last = re.findall(r"[^.\[\]]+", str(key))
        node: Any = config
        for name in parents:
            inner = dict(enumerate(node)) if isinstance(node, list) else node
            node = inner.get(int(name) if inner is not node and name.isdecimal() else name) if isinstance(inner, dict) else None
        if isinstance(node, dict) and last in node:
            node[last] = asset
    return config


def _replaced(tree: Any, old: Any, new: dict[str, Any]) -> Any:
    """With other weights wherever they are the old ones: what interpolates them is written out."""
    if isinstance(tree, list):
        return [_replaced(item, old, new) for item in tree]
    if not isinstance(tree, dict):
        return tree
    return {key: dict(new) if key == "weights" and value == old else _replaced(value, old, new) for key, value in tree.items()}


def _flat(tree: Mapping[str, Any], prefix: str = "") -> Any:
    for key, value in tree.items():
        if isinstance(value, Mapping) and value.keys() == {"value", "error"}:
            number, error = (math.nan if x is None else float(x) for x in (value["value"], value["error"]))
            yield f"{prefix}{key}", Estimate(number, error)
        elif isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}/")
        else:
            yield f"{prefix}{key}", value


def _table(content: bytes) -> Any:
    """A csv of ``RunFolder.write_table`` with its Estimates."""
    import pandas as pd

    table = pd.read_csv(io.BytesIO(content), index_col=0)
    for key in [key for key in table.columns if f"{key}_error" in table.columns]:
        pairs = zip(table[key], table.pop(f"{key}_error"), strict=True)
        cells = [None if math.isnan(value) else Estimate(float(value), float(error)) for value, error in pairs]
        table[key] = pd.Series(cells, index=table.index, dtype=object)
    return table


def _arrays(study: Any, numbers: Mapping[str, Any]) -> dict[str, Any]:
    """Numbers by name as a study takes them: those of an array, ``first[0,2]``, in their places."""
    known, out = parameters(study), dict[str, Any]()
    for label, value in numbers.items():
        name, _, place = label.removesuffix("]").partition("[")
        if not place:
            out[name] = value
        elif name in known and re.fullmatch(r"\d+(,\d+)*", place):
            out.setdefault(name, np.array(known[name], np.float64))[tuple(map(int, place.split(",")))] = value
        else:
            raise ValueError(f"Run.study: expected numbers of the rule, got {label!r:.80}")
    return out


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
