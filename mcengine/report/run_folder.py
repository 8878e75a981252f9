"""The folder a run leaves: config.yaml, tables as csv, pictures, outcomes, provenance.json, and metrics.json.

metrics.json is written last and by atomic rename: a folder that has it is complete. One that has begun.json and not metrics.json was stopped, and
its finished blocks (``checkpoint/``, see ``engine.checkpoint``) are where it can go on. All is read and written through ``mcengine._files``.
"""

import io
import json
import math
import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mcengine._files import flat, hide, inside, opened, read, read_json, write, write_json
from mcengine._made import MARK, discard, lock, sign
from mcengine.engine.identity import differences, summarise
from mcengine.statistics import Estimate

_STATE = ("begun.json", "config.yaml", "metrics.json")
"""What says which run a folder holds, and whether it is finished."""
_WRITTEN = re.compile(
    r"(begun|metrics|provenance)\.json|(config|market)\.yaml|traceback\.log|report\.html|.*\.(csv|png|svg|pdf|journal)|outcomes|checkpoint|fresh_.*"
)


@dataclass(frozen=True)
class RunFolder:
    """A folder and the methods that fill it.

    Args:
        path: Of the folder.
        resumable: Whether it holds finished blocks of this very run.
    """

    path: Path
    resumable: bool = False

    def is_finished(self, config: Mapping[str, Any]) -> bool:
        """Whether this very configuration was run here to its end.

        Args:
            config: The resolved configuration.

        Raises:
            ValueError: Where another one was.
        """
        if not (self.path / "metrics.json").is_file():
            return False
        old, new = read_json(inside(self.path, "provenance.json")).get("config"), as_json(config)
        if old != new and not self.resumable:
            raise ValueError(f"{self.path} holds the finished run of another configuration: {differing(old, new)}; choose a folder of its own")
        return bool(old == new)  # else further than it went

    @property
    def has_blocks(self) -> bool:
        """Whether there is something to go on from."""
        return self._has("*.journal", "checkpoint/*.block", "fresh_from_*/checkpoint/*.block")

    @property
    def has_results(self) -> bool:
        """Whether a block or a step of a fit is finished: a journal's first line is only what it is of."""
        journals = (read(inside(file.parent, file.name)).count(b"\n") for file in self.path.glob("*.journal"))
        return self._has("checkpoint/*.block", "fresh_from_*/checkpoint/*.block") or any(lines > 1 for lines in journals)

    @property
    def holds_run(self) -> bool:
        """Whether outcomes of a run were begun here."""
        return self.has_blocks or self._has("checkpoint/run.json", "fresh_from_*/checkpoint/run.json")

    def _has(self, *patterns: str) -> bool:
        return any(any(self.path.glob(pattern)) for pattern in patterns)

    def begun(self) -> dict[str, Any]:
        """What begun.json says of the run that was begun here; empty where none was.

        Raises:
            ValueError: For a file that is damaged.
        """
        file = inside(self.path, "begun.json")
        found = read_json(file, experiment=str, overrides=list, config=dict)
        if found and not isinstance(found.setdefault("flags", []), list):
            raise ValueError(f"{file} is damaged: flags: expected a list, got {found['flags']!r:.80}")
        if found and not re.fullmatch("[a-z_]+", found["experiment"]):
            raise ValueError(f"{file} is damaged: experiment: expected a name, got {found['experiment']!r:.80}")
        for name in ("flags", "overrides") if found else ():
            if not all(isinstance(word, str) and word.isprintable() for word in found[name]):
                raise ValueError(f"{file} is damaged: {name}: expected words of a command line")
        return found

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Lock the folder against other processes, where the system has locks.

        Raises:
            ValueError: Where another process is at work in it.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        with opened(inside(self.path, MARK), "a+b") as handle:
            if not lock(handle):  # gone with the process, however that ends
                raise ValueError(f"{self.path}: another process is at work in it")
            sign(handle, self.path)
            yield

    def begin(self, config_text: str, facts: Mapping[str, Any] | None = None) -> dict[str, bytes]:
        """Write the resolved configuration; a run that was finished here is so no longer.

        Args:
            config_text: As yaml.
            facts: Written as begun.json.

        Returns:
            What these files held before, for ``restore``.

        Raises:
            ValueError: For files that no run left here and this one would write over.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        names = sorted(file.name for file in self.path.iterdir() if _WRITTEN.fullmatch(file.name))
        if names and "begun.json" not in names:
            raise ValueError(f"{self.path} has {', '.join(names[:5])}, which no run left there and this one would write over; choose another folder")
        before = {name: read(inside(self.path, name)) for name in names if name in _STATE}
        discard(self.path / "metrics.json")
        write_json(self.path / "begun.json", _plain(facts or {}))
        write(self.path / "config.yaml", config_text)
        return before

    def restore(self, before: Mapping[str, bytes]) -> None:
        """Put back the run that was here before another was begun and refused; where there was none, and none has left blocks, none was begun.

        Args:
            before: What ``begin`` returned.
        """
        for name, content in before.items():
            write(self.path / name, content)
        for name in set(_STATE) - set(before) if not self.holds_run else ():
            discard(self.path / name)

    def write_table(self, name: str, table: Any) -> None:
        """Write a table as csv; a column of Estimates becomes two, value and error.

        Args:
            name: Of the file, without its ending.
            table: A pandas table.
        """
        import pandas as pd

        columns: dict[Any, Any] = {}
        for key in table.columns:
            cells = table[key]
            if any(isinstance(c, Estimate) for c in cells):
                columns[key] = [c.value if isinstance(c, Estimate) else c for c in cells]
                columns[f"{key}_error"] = [c.error if isinstance(c, Estimate) else None for c in cells]
            else:
                columns[key] = cells.to_numpy()
        self.write_text(f"{name}.csv", pd.DataFrame(columns, index=table.index).to_csv())

    def write_picture(self, name: str, figure: Any) -> None:
        """Write a picture as png, and beside it as svg or pdf where the run's ``plots`` says so.

        Args:
            name: Of the file, without its ending.
            figure: A matplotlib ``Figure``.
        """
        from matplotlib.text import Text

        for text in figure.findobj(Text):
            if (shown := hide(text.get_text())) != text.get_text():
                text.set_text(shown.replace("$", r"\$"))  # else two of them are mathematics
        plots = self.begun().get("config", {}).get("plots")
        for ending in ("png", *([plots] if plots in ("svg", "pdf") else [])):
            picture = io.BytesIO()
            figure.savefig(picture, format=ending, dpi=150)
            write(inside(self.path, f"{name}.{ending}"), picture.getvalue())

    def write_text(self, name: str, text: str) -> Path:
        """Write a text file.

        Args:
            name: Of the file.
            text: Its content.

        Returns:
            The file.
        """
        write(inside(self.path, name), text)
        return self.path / name

    def finish(self, config: Mapping[str, Any], metrics: Mapping[str, Any], facts: Mapping[str, Any]) -> None:
        """Write provenance.json, then metrics.json: the run is done.

        Args:
            config: The resolved configuration.
            metrics: Estimates and numbers, by name.
            facts: ``report.provenance()`` of the run's start, seed, timings.
        """
        write_json(self.path / "provenance.json", _plain({**facts, "config": config}))
        write_json(self.path / "metrics.json", _plain(metrics))


def differing(old: Any, new: Mapping[str, Any], free: Collection[str] = ()) -> str:
    """What differs between two configurations in one sentence, a file of other content by its name; empty where nothing does.

    Args:
        old: As a folder holds it.
        new: As json has it.
        free: Dotted keys that may differ.
    """
    trees = (old if isinstance(old, dict) else {}, new)
    a, b = ({key: x for key, x in flat(tree).items() if key not in free} for tree in trees)
    files = {key: b.get(key.removeprefix("files.")) for key in a if key.startswith("files.") and key in b and a[key] != b[key]}
    others = differences(*({key: x for key, x in tree.items() if key not in files} for tree in (a, b)))
    return summarise([*(f"{file} ({key.removeprefix('files.')}) has other content than it had" for key, file in files.items()), *others])


def as_json(value: Any) -> Any:
    """``value`` as it comes back from a json file of a run folder."""
    return json.loads(json.dumps(hide(_plain(value))))


def _plain(value: Any) -> Any:
    """Only what json knows: Estimates as value and error, numbers that are not finite as null."""
    if isinstance(value, Estimate):
        return {"value": _plain(value.value), "error": _plain(value.error)}
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)
