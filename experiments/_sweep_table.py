"""What a sweep says at its end, read from its folders: a row a run, and the exit code."""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from _command_line import CommandLine, script, shortest
from _folder import Root
from _job import REFUSED, say
from _points import Point

from mcengine import _files, _made
from mcengine.engine import metric
from mcengine.report.collect import FAILED, SWEEP
from mcengine.report.index import INDEX
from mcengine.report.tables import cell
from mcengine.statistics import Estimate

_SHOWN = ("mean_return", "breach_any_day", "cvar_95")
_MOST_COLUMNS, _MOST_ROWS = 3, 40


@dataclass(frozen=True)
class Ran:
    """A point of a sweep and what came of it.

    Args:
        point: Of the sweep.
        path: Of its folder; None where it was refused before it had one.
        code: Its exit code.
        message: Why it came to no end.
        before: Whether it was finished before.
    """

    point: Point
    path: Path | None
    code: int = 0
    message: str = ""
    before: bool = False

    @property
    def figures(self) -> dict[str, Any]:
        """By name, where it is finished; None of one that is not a number."""
        return _figures(self.path) if self.path is not None and not self.code else {}


def again(name: str, line: CommandLine, root: Root) -> str:
    """The command that runs the sweep again, or goes on with it."""
    words = [word for word in line.overrides if not word.startswith(("hydra.sweep.dir=", "hydra.mode="))]
    return script(name, line, ["-m", *words, root.override])


def check(root: Path, *more: str) -> None:
    """Raise ``ValueError`` for files that no sweep left in its folder and this one would write over: those of every sweep, and ``more`` by name."""
    try:
        left = bool(_files.read_json(_files.inside(root, SWEEP), experiment=str, command=str))
    except ValueError:
        left = False
    found = [] if left else [name for name in (SWEEP, INDEX, "report.html", *more) if (root / name).exists()]
    if found:
        raise ValueError(f"{root} has {', '.join(found)}, which no sweep left there and this one would write over; choose another folder")


def begin(root: Root, name: str, line: CommandLine, points: Sequence[Point] = ()) -> None:
    """Write down how the sweep is run again, or gone on with, and the keys that it and launches before it were given."""
    file = _files.inside(root.path, SWEEP)
    words = [word for word in line.overrides if not word.startswith("hydra")]
    given = [key for point in points for key in point.swept] + [word.lstrip("+~").partition("=")[0] for word in words]
    before = _files.read_json(file).get("keys")
    keys = list(dict.fromkeys([*given, *(map(str, before) if isinstance(before, list) else ())]))
    _files.write_json(file, {"experiment": name, "command": again(name, line, root), "keys": keys})


@contextmanager
def begun(root: Root, name: str, line: CommandLine) -> Iterator[None]:
    """While it lasts, and afterwards where runs are left, the folder is a sweep's: one that is killed is gone on with."""
    new = not (root.path / SWEEP).exists()
    begin(root, name, line)
    try:
        yield
    finally:
        root.kept = root.kept or bool(state(root.path))  # by processes of a launcher, which this one may have stopped waiting for
        if new and not root.kept:
            _made.discard(root.path / SWEEP)


def state(root: Path) -> dict[Path, int]:
    """When each file that tells of a run below a folder was written: what it is before a launch tells what is of that launch."""
    return {file: file.stat().st_mtime_ns for name in ("metrics.json", "begun.json", FAILED) for file in root.rglob(name)}


def codes(root: Path, before: Mapping[Path, int], asked: Sequence[Path]) -> list[int]:
    """Exit codes of runs below a folder: what is finished, what a launch that met the state ``before`` began, and what was ``asked`` for."""
    after = state(root)
    touched = {file.parent for file, time in after.items() if file.name == "metrics.json" or before.get(file) != time}
    if lost := sorted(set(asked) - {file.parent for file in after}):
        say(
            f"{lost[0].name}: expected a folder of that run, got none: it was killed before it began"
            + f", as {len(lost) - 1} others were" * (len(lost) > 1)
        )
    return [_code(folder) for folder in sorted({*touched, *asked})]


def _code(path: Path) -> int:
    """The exit code of a run, as its folder has it: 0 where it is finished, else what stopped it."""
    if (path / "metrics.json").is_file():
        return 0
    return int(_files.read_json(path / FAILED).get("code", REFUSED)) or REFUSED


def value(path: Path, name: str) -> float | None:
    """A figure of a finished run; None where it has none of that name."""
    return number(_figures(path).get(name))


def number(figure: Any) -> float | None:
    """The value of a figure, an estimate or a number; None where it is not one."""
    return figure["value"] if isinstance(figure, Mapping) else figure


def show(runs: Sequence[Ran]) -> None:
    """Print a row a run: what is swept, its first figures with their errors, and why there are none."""
    keys = list(dict.fromkeys(key for run in runs for key in run.point.swept))
    found = [{key: value for key, value in run.figures.items() if value is not None} for run in runs]
    known = dict.fromkeys(key for figures in found for key in figures)
    chosen = [*[key for key in _SHOWN if key in known], *[key for key in known if key not in _SHOWN]][:_MOST_COLUMNS]
    estimated = {key for figures in found for key, value in figures.items() if isinstance(value, Mapping)}
    rows = [["", *keys, *(metric(key).heading if key in estimated else metric(key).label for key in chosen), ""]]
    for place, (run, figures) in enumerate(zip(runs, found, strict=True), 1):
        cells = [_shown(key, figures[key]) if key in figures else "" for key in chosen]
        note = "finished before" if run.before else f"failed: {run.message}" if run.code else ""
        rows.append([str(place), *(shortest(run.point.swept.get(key, "")) for key in keys), *cells, note])
    most = len(rows) > _MOST_ROWS + 1
    lines = _aligned([*rows[: _MOST_ROWS // 2 + 1], *rows[-_MOST_ROWS // 2 :]] if most else rows)
    if most:
        lines.insert(_MOST_ROWS // 2 + 1, f"... {len(rows) - 1 - _MOST_ROWS:,} more, all in report.html")
    print("\n".join(lines) + "\n", flush=True)


def _figures(path: Path) -> dict[str, Any]:
    """The figures of a finished run that are an estimate, a number, or None for what is none, by name; of a run with several books the first's."""
    found = _files.read_json(path / "metrics.json") if (path / "metrics.json").is_file() else {}
    while found and not any(_is_figure(value) for value in found.values()):
        found = next((value for value in found.values() if isinstance(value, Mapping)), {})
    return {key: value for key, value in found.items() if value is None or _is_figure(value)}


def _is_figure(value: Any) -> bool:
    return isinstance(value, int | float) or (isinstance(value, Mapping) and set(value) == {"value", "error"})


def _shown(key: str, value: Any) -> str:
    if not isinstance(value, Mapping):
        return f"{value:.6g}"
    if value["value"] is None:
        return ""
    return cell(Estimate(value["value"], math.nan if value["error"] is None else value["error"], 0).scaled(metric(key).factor))


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Columns under each other, figures to the right, the last to the left."""
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    return ["  ".join([*(text.rjust(width) for text, width in zip(row[:-1], widths, strict=False)), row[-1]]).rstrip() for row in rows]
