"""A sweep in this process: every point checked before anything runs, runs of one program solved together, each in a folder of its own.

What Hydra's own launchers do (``hydra/launcher=``, or any other of its settings but the sweep's folder) they do as ever.
"""

import io
import itertools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import _folder
import _points
import _search
import _sweep_table
import _task
from _command_line import CommandLine
from _job import Job, Task
from tqdm import tqdm

import mcengine as mc
from mcengine import _files, _made, _runtime
from mcengine import config as configuration
from mcengine._noted import noting
from mcengine.report import RunFolder, provenance, write_page

Planner = Callable[[Any], _task.Plan | None]

OURS = ("hydra.sweep.dir=", "hydra.mode=")
"""Of Hydra's own settings those that this loop knows."""


def is_ours(line: CommandLine) -> bool:
    """Whether a sweep asks for nothing that only Hydra's launchers do."""
    words = [word.lstrip("+~") for word in line.overrides]
    known = all(word.startswith(OURS) or not word.startswith(("hydra.", "hydra/", "hydra=")) for word in words)
    return known and not any("${hydra:" in word for word in words)


@dataclass
class _Run:
    """A point of the sweep and its job; ``plan`` where it can be solved together with others."""

    point: _points.Point
    job: Job
    plan: _task.Plan | None = None
    address: tuple[Any, ...] = ()


def sweep(task: Task, name: str, line: CommandLine, root: _folder.Root, plan: Planner | None) -> int:
    """The exit code: what is not finished yet is run, a table of all is printed, with the sweep's folder last."""
    space = _points.space(name, line)
    if space:
        runs, done = _search.search(name, line, space, lambda points: _solve(points, task, name, line, root, plan))
    else:
        runs, done = _solve(_points.points(name, line), task, name, line, root, plan)
    if not runs:
        raise ValueError("--multirun: expected values that make at least one run, got none")
    _sweep_table.show(runs, done)
    if root.kept:
        with suppress(ValueError):  # none of its runs is finished
            write_page(root.path)
        print(root.path, flush=True)
    return max(_sweep_table.code(path) for _, path in runs)


def _solve(
    points: Sequence[_points.Point], task: Task, name: str, line: CommandLine, root: _folder.Root, plan: Planner | None
) -> tuple[list[tuple[_points.Point, Path]], set[Path]]:
    """(points and their folders, those of them that were finished before), all of them run; before any is ``ValueError`` names a bad one."""
    facts = provenance() if points else {}
    runs = [_checked(point, name, line, root.path, facts) for point in points]
    done = {run.job.path for run in runs if _is_finished(run)}
    todo = [run for run in runs if run.job.path not in done]
    if plan is not None:
        _plan(todo, plan)
    if runs:
        _sweep_table.begin(root.path, name, line, points)
    root.kept = root.kept or bool(done)
    paths = sum(_paths(run) for run in todo)
    with tqdm(total=paths, unit="path", unit_scale=True, desc="sweep", disable=None, leave=False, smoothing=0.05) as bar:
        for run, work in _solved(todo, task, bar):
            _made.make(run.job.path)
            with _quiet(run):
                run.job.run(work, root)
    return [(run.point, run.job.path) for run in runs], done


def _checked(point: _points.Point, name: str, line: CommandLine, root: Path, facts: dict[str, Any]) -> _Run:
    """The run of a point, its settings checked. Raises ``ValueError`` naming the point."""
    from omegaconf.errors import OmegaConfBaseException

    try:
        config = point.config()
        folder = point.folder(config)
        place = next((known for known in root.glob(f"*{folder[-8:]}") if known.is_dir()), root / folder)  # also where another launch swept other keys
        choices = {"experiment": name, **point.choices}
        job = Job(name, line, point.overrides, choices, config, place, facts, quiet=True, label=point.words)
        job.check()
    except (ValueError, OmegaConfBaseException) as error:
        raise ValueError(_named(point, configuration.explain(error, point.overrides, name, line.config_dir))) from None
    return _Run(point, job)


def _is_finished(run: _Run) -> bool:
    """Whether its folder holds this very run, finished; one of another configuration is refused when it is run."""
    folder = RunFolder(run.job.path)
    try:
        return folder.is_finished(run.job.kept(folder))
    except ValueError:
        return False


def _plan(runs: Sequence[_Run], planner: Planner) -> None:
    """Build what can be solved together, before anything runs; what is to be known of it is printed once. Raises ``ValueError`` naming the point."""
    said: dict[str, None] = {}
    for run in runs:
        config = run.job.config
        if RunFolder(run.job.path).has_blocks or (config.outcomes and config.paths > mc.engine.KEEP):
            continue
        _runtime.set_precision(config.precision)
        heard = io.StringIO()
        try:
            with redirect_stdout(heard), _files.hiding(run.job.hidden), noting() as run.job.learned:
                run.plan = planner(config)
        except ValueError as error:
            raise ValueError(_named(run.point, str(error))) from None
        run.address = (config.precision, config.paths, config.seed, config.stream)
        said |= dict.fromkeys(heard.getvalue().splitlines())
    print("\n".join(said), end="\n" * bool(said), flush=True)


def _solved(runs: Sequence[_Run], task: Task, bar: Any) -> Iterator[tuple[_Run, Task]]:
    """(a run, what finishes it): those that are solved together, then each of the others, which its task solves."""
    planned = sorted((run for run in runs if run.plan is not None), key=lambda run: run.address)
    for (precision, paths, seed, stream), same in itertools.groupby(planned, key=lambda run: run.address):
        here = list(same)
        plans = [run.plan for run in here if run.plan is not None]
        _runtime.set_precision(precision)
        studies, figures = [plan.study for plan in plans], [plan.figures for plan in plans]
        for index, found in mc.engine.together(studies, paths, seed=seed, stream=stream, figures=figures, tell=_telling(bar)):
            yield here[index], _finishing(plans[index], found)
    for run in runs:
        if run.plan is None:
            bar.set_description(run.point.words[:60])
            _runtime.set_precision(run.job.config.precision)
            yield run, task
            bar.update(_paths(run))


def _finishing(plan: _task.Plan, found: mc.Result | mc.engine.NotFiniteError) -> Task:
    def task(config: Any, folder: RunFolder) -> tuple[dict[str, Any], dict[str, Any]]:
        if isinstance(found, mc.engine.NotFiniteError):
            raise found
        if config.outcomes:
            mc.engine.keep_outcomes(found, folder.path, plan.figures)
        return plan.finish(folder, found)

    return task


def _telling(bar: Any) -> Callable[[str, int], None]:
    def tell(what: str, count: int) -> None:
        bar.set_description(f"compiling {count} in one program" if what == "compiling" else "paths")
        bar.update(count if what == "paths" else 0)

    return tell


@contextmanager
def _quiet(run: _Run) -> Iterator[None]:
    """What a run prints goes to a file of its folder; of one that was solved with others it says nothing new."""
    heard = io.StringIO()
    with redirect_stdout(heard):
        yield
    if run.plan is None and run.job.path.is_dir() and heard.getvalue().strip():
        with _files.hiding(run.job.hidden):
            RunFolder(run.job.path).write_text("output.txt", heard.getvalue())


def _paths(run: _Run) -> int:
    return int(run.job.config.get("paths", 1))


def _named(point: _points.Point, message: str) -> str:
    return f"{point.words}: {message}"
