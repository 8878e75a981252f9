"""A run as a row of settings and figures: read from its folder, or from the index that a sweep keeps of its finished runs.

A line of the index holds the row of a run and the state (size, times, inode) of the files that it was read from; it counts only while they are in it.
Whatever else is there, torn, of another content or of runs that are gone, is read from the folders. Every line begins with its own CRC-32.
"""

import os
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from mcengine._files import as_line, flat, inside, opened, parse_line, read, read_json

INDEX = "runs.index"
"""In a sweep's folder."""


class Row(NamedTuple):
    """What a finished run is in a table.

    Args:
        settings: By dotted key.
        figures: By name, an Estimate as two.
        facts: Its provenance by dotted key, where that was asked for.
    """

    settings: dict[str, Any]
    figures: dict[str, Any]
    facts: dict[str, Any]


class _Line(NamedTuple):
    state: list[list[int]]
    row: Row


def append(root: Path, run: Path) -> None:
    """Add a finished run to the index of its sweep, where it can be: an index spares time, and is never needed.

    Args:
        root: Folder of the sweep.
        run: Folder of the run, below it.
    """
    with suppress(OSError, ValueError):
        state, row = _state(run), read_row(run)
        line = as_line([run.relative_to(root).as_posix(), state, row.settings, row.figures])
        if state == _state(run):
            with opened(inside(root, INDEX), "ab") as out:
                out.write(line)


def below(root: Path) -> tuple[dict[Path, _Line], list[Path]]:
    """(lines of the indices in a folder and below it, folders of finished runs there).

    Args:
        root: The folder.
    """
    lines, runs = dict[Path, _Line](), []
    for place, _, files in os.walk(root):
        if INDEX in files:
            lines |= _lines(Path(place))
        if "metrics.json" in files:
            runs.append(Path(place))
    return lines, runs


def row(run: Path, line: _Line | None) -> Row:
    """The row of a run, its provenance left out.

    Args:
        run: Its folder.
        line: Of an index.

    Raises:
        ValueError: For a file that is damaged.
    """
    with suppress(OSError):
        if line is not None and line.state == _state(run):
            return line.row
    return read_row(run)


def read_row(run: Path, *, facts: bool = False) -> Row:
    """The row of a run, read from its folder.

    Args:
        run: Its folder.
        facts: Whether with its provenance.

    Raises:
        ValueError: For a file that is damaged.
    """
    found = read_json(inside(run, "provenance.json"), config=dict)
    config, settings = found.pop("config", {}), found.pop("choices", {})
    if not isinstance(settings, dict):
        raise ValueError(f"{run / 'provenance.json'} is damaged: choices: expected a mapping, got {settings!r:.80}")
    settings |= {key: value for key, value in flat(config, leaf=lambda _: False).items() if not key.endswith("_target_")}
    figures: dict[str, Any] = {}
    for key, value in flat(read_json(inside(run, "metrics.json")), "/", leaf=_is_estimate).items():
        if _is_estimate(value):
            if not all(cell is None or isinstance(cell, int | float) for cell in value.values()):
                raise ValueError(f"{run / 'metrics.json'} is damaged: {key}: expected numbers, got {value!r:.80}")
            figures[key], figures[f"{key}_error"] = value["value"], value["error"]
        else:
            figures[key] = value
    return Row(settings, figures, {f"provenance.{key}": value for key, value in flat(found, leaf=lambda _: False).items()} if facts else {})


def _lines(folder: Path) -> dict[Path, _Line]:
    """Those of the index in a folder that are whole, by their run's folder; of two of one run the later."""
    try:
        given = read(inside(folder, INDEX)).splitlines(keepends=True)
    except (OSError, ValueError):
        return {}
    out = {}
    for line in given:
        with suppress(ValueError, TypeError):
            name, state, settings, figures = parse_line(line, INDEX)
            if type(name) is str and type(settings) is type(figures) is dict:
                out[folder / name] = _Line(state, Row(settings, figures, {}))
    return out


def _state(run: Path) -> list[list[int]]:
    """Size, times and inode of the files of a run's row: one that is written again, or in place of another, has others."""
    found = [os.lstat(f"{run}/{name}") for name in ("provenance.json", "metrics.json")]
    return [[one.st_size, one.st_mtime_ns, one.st_ctime_ns, one.st_ino] for one in found]


def _is_estimate(value: Any) -> bool:
    return type(value) is dict and value.keys() == {"value", "error"}
