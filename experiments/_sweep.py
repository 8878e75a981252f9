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
from _job import REFUSED, Job, Task
from tqdm import tqdm

import mcengine as mc
from mcengine import _files, _made, _runtime
from mcengine import config as configuration
from mcengine._noted import noting
from mcengine.engine import program
from mcengine.report import RunFolder, provenance, write_page

Planner = Callable[[Any], Any]

OURS = ("hydra.sweep.dir=", "hydra.mode=")
"""Of Hydra's own settings those that this loop knows."""


def is_ours(line: CommandLine) -> bool:
    """Whether a sweep asks for nothing that only Hydra's launchers do."""
    words = [word.lstrip("+~") for word in line.overrides]
    known = all(word.startswith(OURS) or not word.startswith(("hydra.", "hydra/", "hydra=")) for word in words)
    return known and not any("${hydra:" in word for word in words)


@dataclass
class _Run:
    """A point of the sweep and its job; ``plan`` where it can be solved together with others, ``said`` what is to be known of it."""

    point: _points.Point
    job: Job
    plan: _task.Plan | None = None
    address: tuple[Any, ...] = ()
    said: Sequence[str] = ()


def sweep(task: Task, name: str, line: CommandLine, root: _folder.Root, plan: Planner | None) -> int:
    """The exit code: what is not finished yet is run, a table of all is printed, with the sweep's folder last."""
    space = _points.space(name, line)
    if space:
        runs = _search.search(name, line, space, lambda points: _solve(points, task, name, line, root, plan, searched=True))
    else:
        runs = _solve(_points.points(name, line), task, name, line, root, plan)
    if not runs:
        raise ValueError("--multirun: expected values that make at least one run, got none")
    _sweep_table.show(runs)
    if root.kept:
        with suppress(ValueError):  # none of its runs is finished
            write_page(root.path)
        print(root.path, flush=True)
    return max(run.code for run in runs)


def _solve(
    points: Sequence[_points.Point], task: Task, name: str, line: CommandLine, root: _folder.Root, plan: Planner | None, searched: bool = False
) -> list[_sweep_table.Ran]:
    """What came of each point. A bad one is a ``ValueError`` that names it, before any is run; of points that are ``searched`` the others go on."""
    facts = provenance() if points else {}
    refused: dict[int, str] = {}
    runs: dict[int, _Run] = {}
    for at, point in enumerate(points):
        with _refusing(refused if searched else None, at):
            runs[at] = _checked(point, name, line, root.path, facts)
    done = {run.job.path for run in runs.values() if _is_finished(run)}
    for at, run in list(runs.items()) if plan is not None else ():
        if run.job.path not in done:
            with _refusing(refused if searched else None, at):
                _plan(run, plan)
    runs = {at: run for at, run in runs.items() if at not in refused}
    todo = [run for run in runs.values() if run.job.path not in done]
    said = dict.fromkeys(text for run in todo for text in run.said)
    print("\n".join(said), end="\n" * bool(said), flush=True)
    if runs:
        _sweep_table.begin(root, name, line, points)
    root.kept = root.kept or bool(done)
    paths, codes = sum(_paths(run) for run in todo), dict[Path, tuple[int, str]]()
    with tqdm(total=paths, unit="path", unit_scale=True, desc="sweep", disable=None, leave=False, smoothing=0.05) as bar:
        for run, work in _solved(todo, task, bar):
            _made.make(run.job.path)
            with _quiet(run):
                code = run.job.run(work, root)
            codes[run.job.path] = code, run.job.message
    ran = {at: _sweep_table.Ran(run.point, run.job.path, *codes.get(run.job.path, (0, "")), run.job.path in done) for at, run in runs.items()}
    return [ran[at] if at in ran else _sweep_table.Ran(point, None, REFUSED, refused[at]) for at, point in enumerate(points)]


@contextmanager
def _refusing(refused: dict[int, str] | None, at: int) -> Iterator[None]:
    """Within it a ``ValueError`` is what ``refused`` the ``at``-th point, where that is kept."""
    try:
        yield
    except ValueError as error:
        if refused is None:
            raise
        refused[at] = str(error)


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


def _plan(run: _Run, planner: Planner) -> None:
    """Build what is to run, before anything runs, and keep what can be solved together. Raises ``ValueError`` naming the point."""
    job, config, heard = run.job, run.job.config, io.StringIO()
    _runtime.set_precision(config.precision)
    try:
        with redirect_stdout(heard), _files.hiding(job.hidden), _task.asking(job.name, job.overrides, job.line.config_dir), noting() as learned:
            found = planner(config)
            plan = found if isinstance(found, _task.Plan) else None
            if plan is not None:
                plan.study.sampling.check_run(plan.study.available(config.paths, 0))
    except ValueError as error:
        raise ValueError(_named(run.point, str(error))) from None
    run.said = heard.getvalue().splitlines()
    if plan is not None and not RunFolder(job.path).has_blocks and not (config.outcomes and config.paths > mc.engine.KEEP):
        run.plan, job.learned, run.address = plan, learned, (config.precision, config.paths, config.seed, config.stream)


def _solved(runs: Sequence[_Run], task: Task, bar: Any) -> Iterator[tuple[_Run, Task]]:
    """(a run, what finishes it): those that are solved together, then each of the others, which its task solves."""
    planned = sorted((run for run in runs if run.plan is not None), key=lambda run: run.address)
    for (precision, paths, seed, stream), same in itertools.groupby(planned, key=lambda run: run.address):
        here = list(same)
        plans = [run.plan for run in here if run.plan is not None]
        _runtime.set_precision(precision)
        studies, figures = [plan.study for plan in plans], [plan.figures for plan in plans]
        compiled = program.seconds_compiling()
        for index, found in mc.engine.together(studies, paths, seed=seed, stream=stream, figures=figures, tell=_telling(bar)):
            ran = 0.0 if isinstance(found, Exception) else found.timings["run_seconds"]
            here[index].job.spent = {"compile_seconds": program.seconds_compiling() - compiled, "run_seconds": ran}
            yield here[index], _finishing(plans[index], found)
            compiled = program.seconds_compiling()
    for run in runs:
        if run.plan is None:
            bar.set_description(run.point.words[:60] or "run")
            _runtime.set_precision(run.job.config.precision)
            yield run, task
            bar.update(_paths(run))


def _finishing(plan: _task.Plan, found: mc.Result | Exception) -> Task:
    def task(config: Any, folder: RunFolder) -> tuple[dict[str, Any], dict[str, Any]]:
        if isinstance(found, Exception):
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
    return f"{point.words}: {message}" if point.words else message
