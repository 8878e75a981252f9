"""What a sweep says at its end, read from its folders: a row a run, and the exit code."""

import math
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from _command_line import CommandLine, script, shortest
from _job import FAILED, REFUSED
from _points import Point

from mcengine import _files
from mcengine.engine import metric
from mcengine.report.collect import SWEEP
from mcengine.report.tables import cell
from mcengine.statistics import Estimate

_SHOWN = ("mean_return", "breach_any_day", "cvar_95")
_MOST_COLUMNS, _MOST_ROWS = 3, 40


def begin(root: Path, name: str, line: CommandLine, points: Sequence[Point]) -> None:
    """Write down how the sweep is run again, or gone on with, and the keys that it and launches before it were given."""
    words = [word for word in line.overrides if not word.startswith(("hydra.sweep.dir=", "hydra.mode="))]
    file = _files.inside(root, SWEEP)
    given = [key for point in points for key in point.swept] + [word.lstrip("+~").partition("=")[0] for word in words]
    before = _files.read_json(file).get("keys")
    keys = list(dict.fromkeys([*given, *(map(str, before) if isinstance(before, list) else ())]))
    _files.write_json(file, {"experiment": name, "command": script(name, line, ["-m", *words, f"hydra.sweep.dir={root}"]), "keys": keys})


def code(path: Path) -> int:
    """The exit code of a run, as its folder has it: 0 where it is finished, else what stopped it."""
    if (path / "metrics.json").is_file():
        return 0
    failed = _files.read_json(path / FAILED)
    return int(failed.get("code", REFUSED)) or REFUSED


def codes(root: Path) -> list[int]:
    """Exit codes of all runs below a folder."""
    return [code(folder) for folder in sorted({file.parent for name in ("metrics.json", FAILED) for file in root.rglob(name)})]


def value(path: Path, name: str) -> float | None:
    """A figure of a finished run; None where it has none of that name."""
    found = _figures(path).get(name)
    return found["value"] if isinstance(found, Mapping) else found


def names(path: Path) -> list[str]:
    """Figures of a finished run."""
    return list(_figures(path))


def show(runs: Sequence[tuple[Point, Path]], done: Collection[Path]) -> None:
    """Print a row a run: what is swept, its first figures with their errors, and why there are none; ``done`` were finished before."""
    keys = list(dict.fromkeys(key for point, _ in runs for key in point.swept))
    found = [_figures(path) for _, path in runs]
    known = dict.fromkeys(key for figures in found for key in figures)
    chosen = [*[key for key in _SHOWN if key in known], *[key for key in known if key not in _SHOWN]][:_MOST_COLUMNS]
    rows = [["", *keys, *(metric(key).heading for key in chosen), ""]]
    for number, ((point, path), figures) in enumerate(zip(runs, found, strict=True), 1):
        cells = [_shown(key, figures[key]) if key in figures else "" for key in chosen]
        note = "finished before" if path in done else _reason(path)
        rows.append([str(number), *(shortest(point.swept.get(key, "")) for key in keys), *cells, note])
    most = len(rows) > _MOST_ROWS + 1
    lines = _aligned([*rows[: _MOST_ROWS // 2 + 1], *rows[-_MOST_ROWS // 2 :]] if most else rows)
    if most:
        lines.insert(_MOST_ROWS // 2 + 1, f"... {len(rows) - 1 - _MOST_ROWS:,} more, all in report.html")
    print("\n".join(lines) + "\n", flush=True)


def _figures(path: Path) -> dict[str, Any]:
    """The figures of a finished run that are an estimate or a number, by name; of a run with several books the first's."""
    found = _files.read_json(path / "metrics.json") if (path / "metrics.json").is_file() else {}
    while found and not any(_is_figure(value) for value in found.values()):
        found = next((value for value in found.values() if isinstance(value, Mapping)), {})
    return {key: value for key, value in found.items() if _is_figure(value)}


def _is_figure(value: Any) -> bool:
    return isinstance(value, int | float) or (isinstance(value, Mapping) and set(value) == {"value", "error"})


def _shown(key: str, value: Any) -> str:
    if not isinstance(value, Mapping):
        return f"{value:.6g}"
    if value["value"] is None:
        return ""
    return cell(Estimate(value["value"], math.nan if value["error"] is None else value["error"], 0).scaled(metric(key).factor))


def _reason(path: Path) -> str:
    if (path / "metrics.json").is_file():
        return ""
    return f"failed: {_files.read_json(path / FAILED).get('message', 'stopped')}"


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Columns under each other, figures to the right, the last to the left."""
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    return ["  ".join([*(text.rjust(width) for text, width in zip(row[:-1], widths, strict=False)), row[-1]]).rstrip() for row in rows]
