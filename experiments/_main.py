"""What every experiment shares: Hydra around a task, errors as one line, a run folder that is complete or gone.

A task is ``task(config, folder) -> (metrics, timings)``. Exit codes: 0 done, 2 input that was refused, no room on the disk, or what nobody foresaw
(its traceback is in the run folder), 3 a path that was not finite, 130 interrupted, by Ctrl-C or SIGTERM. A run that stops half-way keeps its
finished blocks and says how to go on.
The last line on standard output is the run folder; of a sweep, the sweep's.
"""

import _completion  # noqa: F401 - answers and ends where a key asks what may come next
import _interrupts  # first of the rest, so that what is stopped while it imports the rest ends as any other run that is stopped

# isort: split
import logging
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import _bug
import _command_line
import _folder
import _help
import _launchers
import _points
import _resume
import _sweep
import _sweep_table
import jax
from _command_line import CommandLine, folder_name, script
from _job import REFUSED, Job, Task, say
from omegaconf import OmegaConf

import mcengine as mc
from mcengine import _made, _runtime, _targets
from mcengine import config as configuration
from mcengine.report import RunFolder, write_page


def _folder_name(keys: Any, *, _root_: Any) -> str:
    """Hydra's name for the folder of a run of a sweep over ``keys``."""
    given = dict(word.partition("=")[::2] for word in _root_.hydra.overrides.task)
    return folder_name({key: given[key] for key in keys if key in given}, _root_)


OmegaConf.register_new_resolver("folder_name", _folder_name, replace=True)  # here, for processes that a launcher starts


def main(name: str, plan: _sweep.Planner | None = None) -> Callable[[Task], Callable[..., int]]:
    """Decorator: the task as a script with the configuration ``conf/<name>.yaml``; calling it gives the exit code.

    Args:
        name: Of the experiment.
        plan: Of a run of a sweep, before any is run: refuses what cannot run, by a ``ValueError``, and gives a ``_task.Plan`` where it can be solved
            together with others; anything else where it is a run of its own.
    """
    return lambda task: lambda arguments=None: run(task, name, sys.argv[1:] if arguments is None else list(arguments), plan)


def run(task: Task, name: str, arguments: Sequence[str], plan: _sweep.Planner | None = None) -> int:
    """One run, or with ``-m`` one for each combination of values; or what a flag such as ``--help`` shows."""
    try:
        line = _command_line.read(arguments)
        with _targets.allowing(line.code), _interrupts.terminable():
            return _show(task, name, line) if line.shown else _run(task, name, line, plan)
    except SystemExit as done:  # Hydra's, after --help or --version
        return int(done.code or 0)
    except (ValueError, OSError) as error:
        say(str(error))
        return REFUSED
    except KeyboardInterrupt:
        say("interrupted")
        return _interrupts.INTERRUPTED
    except Exception as error:
        say(_bug.told(error, script(name, CommandLine([], False, None, [], []), arguments)))
        return REFUSED


def _show(task: Task, name: str, line: CommandLine) -> int:
    if "--help" in line.shown:
        print(_help.text(name, line, sys.modules[task.__module__].__doc__ or ""))
        return 0
    log = logging.getLogger()
    before = log.handlers[:], log.level
    try:
        with _quiet_hydra():
            _hydra(name, lambda config: None, line, [])
    finally:  # Hydra shows by logging everything, and leaves it so
        log.handlers[:] = before[0]
        log.setLevel(before[1])
    return 0


def _run(task: Task, name: str, line: CommandLine, plan: _sweep.Planner | None) -> int:
    line = replace(line, overrides=_resume.resumed(name, line))
    _join_hosts(name, line)
    if name != "benchmark":  # which times the compiler
        _runtime.cache()
    if line.multirun:
        _launchers.check(line)
    with _folder.opened(name, line) as root:
        jobs = _Jobs(task, name, line, root)
        ours, sweep = line.multirun and _sweep.is_ours(line), nullcontext()
        if line.multirun:
            _sweep_table.check(root.path, *([] if ours else ["multirun.yaml"]))
        if line.multirun and not ours:
            before, asked = _sweep_table.state(root.path), [root.path / folder for folder in _points.folders(name, line)]
            sweep = _sweep_table.begun(root, name, line)
        try:
            if ours:
                return _sweep.sweep(task, name, line, root, plan)
            with _quiet_hydra(), _launchers.importable(), sweep:
                _hydra(name, jobs, line, [root.override, *(_points.for_hydra(name, line) if line.multirun else [])])
        except KeyboardInterrupt:
            say(f"interrupted{_resume.how_to_go_on(name, RunFolder(root.path), line) if not line.multirun else _go_on_sweeping(name, line, root)}")
            return _interrupts.INTERRUPTED
        codes = [*jobs.codes, *(_sweep_table.codes(root.path, before, asked) if line.multirun else [])]  # of other processes' runs by their folders
        root.kept = root.kept or bool(codes)
        if line.multirun and not codes:
            say("--multirun: expected values that make at least one run, got none")
            return REFUSED
        if line.multirun and root.kept:
            with suppress(ValueError):  # none of its runs is finished
                write_page(root.path)
            print(root.path, flush=True)
        return max(codes, default=0)


class _Jobs:
    """What Hydra calls for each run; gives the figure ``search.metric``. Failures are said and counted, not raised: the rest of a sweep goes on."""

    def __init__(self, task: Task, name: str, line: CommandLine, root: _folder.Root) -> None:
        self.task, self.name, self.line, self.root = task, name, line, root
        self.codes: list[int] = []

    def __call__(self, config: Any) -> float | None:
        from hydra.core.hydra_config import HydraConfig

        hydra = HydraConfig.get()
        path, overrides = Path(hydra.runtime.output_dir), list(OmegaConf.to_container(hydra.overrides.task, resolve=False))
        if self.line.multirun:
            _made.adopt(path, self.root.path, self.root.before)
        elif swept := hydra.sweeper.params:
            print(f"one run; with -m this study sweeps over {', '.join(swept)}", flush=True)
        choices = {"experiment": self.name, **_points.chosen_groups(hydra)}
        if self.name != "benchmark":  # here too, for a launcher starts processes of its own
            _runtime.cache()
        self.codes.append(Job(self.name, self.line, overrides, choices, config, path).run(self.task, self.root))
        return _sweep_table.value(path, config.search.metric)


def _go_on_sweeping(name: str, line: CommandLine, root: _folder.Root) -> str:
    return f"; go on with: {_sweep_table.again(name, line, root)}" if root.kept else ""


def _join_hosts(name: str, line: CommandLine) -> None:
    """Under engine=multi_host: the first host goes on, the others work for it and never return. They touch no folder.

    Under engine=gpu: refuse a machine without one.
    """
    words = [o for o in line.overrides if o.startswith(("engine=", "engine.hosts", "engine.platform"))]  # a sweep may be over any other
    if not words:
        return
    asked = configuration.load_config(words, name, line.config_dir).engine
    if asked.hosts is not None:
        mc.engine.hosts.start(**configuration.plain(asked.hosts))
    if asked.platform is not None and jax.default_backend() != asked.platform:
        raise ValueError(f"engine: expected a {asked.platform} that JAX can use (extra cuda12 or cuda13), got only {jax.default_backend()}")


def _hydra(name: str, task: Callable[[Any], None], line: CommandLine, more: Sequence[str]) -> None:
    """``hydra.main`` on this command line and ``more`` overrides; what it would print as an error is raised as a ``ValueError`` of one line."""
    import hydra

    arguments, sys.argv = sys.argv, [f"{name}.py", *configuration.replacing(line.overrides), *more, *line.hydra]
    try:
        hydra.main(config_path=str(configuration.CONF), config_name=name, version_base="1.3")(task)()
    except (*configuration.unreadable(), RuntimeError, TypeError) as error:  # the last two for settings of Hydra's own
        raise ValueError(configuration.explain(error, _folder.of_task(line), name, line.config_dir)) from None
    finally:
        sys.argv = arguments


def _quiet_hydra() -> AbstractContextManager[None]:
    """Hydra prints errors itself and exits with 1, unless it is asked for the full error."""
    return _runtime.environment("HYDRA_FULL_ERROR", "1")
