"""The folder a run leaves: config.yaml, tables as csv, pictures, outcomes, provenance.json, and metrics.json.

metrics.json is written last and by atomic rename: a folder that has it is complete. One that has begun.json and not metrics.json was stopped, and
its finished blocks (``checkpoint/``, see ``engine.checkpoint``) are where it can go on.
"""

import json
import math
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mcengine.statistics import Estimate

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

_STATE = ("begun.json", "config.yaml", "metrics.json")
"""What says which run a folder holds, and whether it is finished."""


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
        if read_json(self.path / "provenance.json").get("config") != as_json(config):
            if self.resumable:  # further than it went
                return False
            raise ValueError(f"{self.path} holds the finished run of another configuration; choose a folder of its own")
        return True

    @property
    def has_blocks(self) -> bool:
        """Whether there is something to go on from."""
        return any(self.path.rglob("*.block")) or any(self.path.rglob("*.journal"))

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Lock the folder against other processes, where the system has locks.

        Raises:
            ValueError: Where another process is at work in it.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        with (self.path / ".lock").open("a") as handle:
            try:
                if fcntl is not None:
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)  # gone with the process, however that ends
            except BlockingIOError:
                raise ValueError(f"{self.path}: another process is at work in it") from None
            except OSError:  # a file system without locks
                pass
            yield

    def begin(self, config_text: str, facts: Mapping[str, Any] | None = None) -> dict[str, bytes]:
        """Write the resolved configuration; a run that was finished here is so no longer.

        Args:
            config_text: As yaml.
            facts: Written as begun.json.

        Returns:
            What these files held before, for ``restore``.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        before = {name: (self.path / name).read_bytes() for name in _STATE if (self.path / name).is_file()}
        (self.path / "metrics.json").unlink(missing_ok=True)
        _write_atomically(self.path / "begun.json", _text(facts or {}))
        _write_atomically(self.path / "config.yaml", config_text)
        return before

    def restore(self, before: Mapping[str, bytes]) -> None:
        """Put back the run that was here before another was begun and refused.

        Args:
            before: What ``begin`` returned.
        """
        for name, content in before.items():
            (self.path / name).write_bytes(content)

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
        pd.DataFrame(columns, index=table.index).to_csv(self.path / f"{name}.csv")

    def write_picture(self, name: str, figure: Any) -> None:
        """Write a picture as png.

        Args:
            name: Of the file, without its ending.
            figure: A matplotlib ``Figure``.
        """
        figure.savefig(self.path / f"{name}.png", dpi=150)

    def finish(self, config: Mapping[str, Any], metrics: Mapping[str, Any], facts: Mapping[str, Any]) -> None:
        """Write provenance.json, then metrics.json: the run is done.

        Args:
            config: The resolved configuration.
            metrics: Estimates and numbers, by name.
            facts: ``report.provenance()`` of the run's start, seed, timings.
        """
        _write_atomically(self.path / "provenance.json", _text({**facts, "config": config}))
        _write_atomically(self.path / "metrics.json", _text(metrics))


def read_json(file: Path) -> Any:
    """What a json file holds, or an empty dict where there is none. Raises ``ValueError`` for a file that is damaged."""
    try:
        return json.loads(file.read_text()) if file.is_file() else {}
    except ValueError:
        raise ValueError(f"{file} is damaged: it is no json") from None


def as_json(value: Any) -> Any:
    """``value`` as it comes back from a json file."""
    return json.loads(_text(value))


def _text(value: Any) -> str:
    return json.dumps(_plain(value), indent=2) + "\n"


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


def _write_atomically(file: Path, text: str) -> None:
    draft = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        draft.write_text(text)
        os.replace(draft, file)
    finally:
        draft.unlink(missing_ok=True)
