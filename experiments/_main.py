"""What every experiment shares: Hydra around a task, errors as one line, a run folder that is complete or gone.

A task is ``task(config, folder) -> (metrics, timings)``. Exit codes: 0 done, 2 input that was refused, no room on the disk, or what nobody foresaw
(its traceback is in the run folder), 3 a path that was not finite, 130 interrupted, by Ctrl-C or SIGTERM. A run that stops half-way keeps its
finished blocks and says how to go on.
The last line on standard output is the run folder; of a sweep, the sweep's folder after one for each run.
"""

import _interrupts  # first, so that what is stopped while it imports the rest ends as any other run that is stopped

# isort: split
import logging
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import _bug
import _command_line
import _folder
import _resume
import jax
from _command_line import CommandLine, folder_name, script

import mcengine as mc
from mcengine import _files, _made, _runtime, _targets
from mcengine import config as configuration
from mcengine.engine.checkpoint import FULL
from mcengine.engine.checks import check_paths
from mcengine.report import RunFolder, provenance, write_page

Task = Callable[[Any, RunFolder], tuple[dict[str, Any], dict[str, Any]]]

REFUSED, NOT_FINITE = 2, 3
_SECRET = 4
"""Characters from which on a text of the environment is hidden wherever it is written; a shorter one is a part of any word."""
SMALL = {"paths": 4096, "test_paths": 4096, "optimise.steps": 4, "optimise.paths": 1024, "optimise.validation_paths": 4096}
"""Under MC_SMALL=1 nothing is larger than this: tests and a first look."""


def main(name: str) -> Callable[[Task], Callable[..., int]]:
    """Decorator: the task as a script with the configuration ``conf/<name>.yaml``; calling it gives the exit code."""
    return lambda task: lambda arguments=None: run(task, name, sys.argv[1:] if arguments is None else list(arguments))


def run(task: Task, name: str, arguments: Sequence[str]) -> int:
    """One run, or with ``-m`` one for each combination of values; or what a flag such as ``--help`` shows."""
    try:
        line = _command_line.read(arguments)
        with _targets.allowing(line.code), _interrupts.terminable():
            return _show(name, line) if line.shown else _run(task, name, line)
    except SystemExit as done:  # Hydra's, after --help or --version
        return int(done.code or 0)
    except (ValueError, OSError) as error:
        _say(str(error))
        return REFUSED
    except KeyboardInterrupt:
        _say("interrupted")
        return _interrupts.INTERRUPTED
    except Exception as error:
        _say(_bug.told(error, script(name, CommandLine([], False, None, [], []), arguments)))
        return REFUSED


def _show(name: str, line: CommandLine) -> int:
    with _quiet_hydra():
        _hydra(name, lambda config: None, line, [f"hydra.help.app_name={name}"] if "--help" in line.shown else [])
    return 0


def _run(task: Task, name: str, line: CommandLine) -> int:
    line = replace(line, overrides=_resume.resumed(name, line))
    _join_hosts(name, line)
    if name != "benchmark":  # which times the compiler
        _runtime.cache()
    with _folder.opened(name, line) as root:
        jobs = _Jobs(task, name, line, root)
        try:
            with _quiet_hydra():
                _hydra(name, jobs, line, [root.override])
        except KeyboardInterrupt:
            _say(f"interrupted{_resume.how_to_go_on(name, RunFolder(root.path), line) if not line.multirun else _go_on_sweeping(name, line, root)}")
            return _interrupts.INTERRUPTED
        if line.multirun and not jobs.codes:
            _say("--multirun: expected values that make at least one run, got none")
            return REFUSED
        if line.multirun and root.kept:
            with suppress(ValueError):  # none of its runs is finished
                write_page(root.path)
            print(root.path, flush=True)
        return max(jobs.codes, default=0)


class _Jobs:
    """What Hydra calls for each run. Failures are said and counted, not raised: the rest of a sweep goes on."""

    def __init__(self, task: Task, name: str, line: CommandLine, root: _folder.Root) -> None:
        self.task, self.name, self.line, self.root = task, name, line, root
        self.codes: list[int] = []
        self.hidden: dict[str, str] = {}

    def __call__(self, config: Any) -> None:
        from hydra.core.hydra_config import HydraConfig
        from omegaconf import OmegaConf
        from omegaconf.errors import OmegaConfBaseException

        hydra = HydraConfig.get()
        path, overrides = Path(hydra.runtime.output_dir), list(OmegaConf.to_container(hydra.overrides.task, resolve=False))
        stopped = True  # from outside, and may go on
        if self.line.multirun:
            _made.adopt(path, self.root.path, self.root.before)
        choices = {k: v for k, v in hydra.runtime.choices.items() if not k.startswith("hydra") and "@" not in k and (k, v) != ("experiment", None)}
        command = script(self.name, self.line, overrides)
        try:
            with RunFolder(path).alone():
                self._finish(config, path, {"experiment": self.name, **choices}, command, overrides)
            code = 0
        except mc.engine.NotFiniteError as error:
            code = NOT_FINITE
            _say(f"{str(error).partition('; replay')[0]}; replay: {replay(self.name, self.line, overrides, error)}")
            stopped = False
        except OSError as error:
            code = REFUSED
            if error.errno not in FULL:
                raise
            kept = f"; {error.kept} are kept" if isinstance(error, mc.engine.DiskFullError) else ""
            _say(f"the disk is full{kept}{_resume.how_to_go_on(self.name, RunFolder(path), self.line)}")
        except (ValueError, OmegaConfBaseException) as error:
            code, stopped = REFUSED, False
            _say(configuration.explain(error, overrides, self.name, self.line.config_dir))
        except Exception as error:
            code = REFUSED
            with _files.hiding(self.hidden):
                _say(_bug.told(error, command, path))
        finally:
            folder = RunFolder(path)
            done = (path / "metrics.json").is_file() or (path / _bug.LOG).is_file()
            if done or (stopped and folder.has_blocks):
                self.root.kept = True
                _made.keep(path)
            else:
                _made.remove(path)
        self.codes.append(code)

    def _finish(self, config: Any, path: Path, choices: dict[str, str], command: str, overrides: list[str]) -> None:
        start = time.perf_counter()
        logging.getLogger("jax").setLevel(logging.ERROR)  # what it says about accelerators it did not find is no concern of a study
        prepare(config, self.name)
        saved, kept = _resume.kept(config, RunFolder(path))
        self.hidden = {text: place for text, place in saved.hidden.items() if len(text) >= _SECRET and not _is_number(text)}
        with _files.hiding(self.hidden):
            folder = RunFolder(path, _resume.resumable(RunFolder(path), kept))
            if folder.is_finished(kept):
                print(f"finished before, skipped: {command}\n{folder.path}", flush=True)
                return
            begun = {"experiment": self.name, "flags": self.line.kept, "overrides": overrides, "config": kept}
            before = folder.begin(configuration.as_yaml(saved.tree), begun)
            facts = {**provenance(), "seed": saved.tree["seed"], "choices": choices, "command": command}  # of the code as it was when it started
            try:
                metrics, timings = self.task(config, folder)
            except Exception:
                folder.restore(before)
                raise
            timings = {**timings, "total_seconds": time.perf_counter() - start}
            folder.finish(kept, metrics, {**facts, "timings": timings})
            if write_page(path) is None:
                print("no report.html: the extra mcengine[report] brings what writes it")
        print(folder.path, flush=True)


def _go_on_sweeping(name: str, line: CommandLine, root: _folder.Root) -> str:
    words = [word for word in line.overrides if not word.startswith(("hydra.sweep.dir=", "hydra.mode="))]
    return f"; go on with: {script(name, line, ['-m', *words, root.override])}" if root.kept else ""


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


def prepare(config: Any, name: str) -> None:
    """Check every setting and every node by name and by type, set the precision, and shrink the run where MC_SMALL asks for it."""
    from omegaconf import OmegaConf

    configuration.check(config, name, nodes=True)
    for key in ("paths", "test_paths"):
        if key in config:
            configuration.number(config, key)
            config[key] = check_paths(config[key])
    for key in ("seed", "steps", "delay"):
        config[key] = configuration.integer(config, key)
    if not config.get("floors", [0.5]):
        raise ValueError("floors: expected at least one number, as [0.7,0.9], got []")
    _runtime.set_precision(config.precision)
    if os.environ.get("MC_SMALL") == "1":
        for key, most in SMALL.items():
            value = OmegaConf.select(config, key)
            if isinstance(value, int | float) and value > most:
                OmegaConf.update(config, key, most)


def replay(name: str, line: CommandLine, overrides: Sequence[str], error: mc.engine.NotFiniteError) -> str:
    """The command that traces the broken paths."""
    words = [o for o in overrides if not o.startswith(("trace=", "hydra."))]
    words += [f"stream={error.stream}"] if error.stream != "test" else []
    return script(name, line, [*words, f"trace={error.ids[:10]}".replace(" ", "")])


def _hydra(name: str, task: Callable[[Any], None], line: CommandLine, more: Sequence[str]) -> None:
    """``hydra.main`` on this command line and ``more`` overrides; what it would print as an error is raised as a ``ValueError`` of one line."""
    import hydra
    from omegaconf import OmegaConf

    arguments, sys.argv = sys.argv, [f"{name}.py", *configuration.replacing(line.overrides), *more, *line.hydra]
    OmegaConf.register_new_resolver("folder_name", folder_name, replace=True)
    try:
        hydra.main(config_path=str(configuration.CONF), config_name=name, version_base="1.3")(task)()
    except (*configuration.unreadable(), RuntimeError, TypeError) as error:  # the last two for settings of Hydra's own
        raise ValueError(configuration.explain(error, _folder.of_task(line), name, line.config_dir)) from None
    finally:
        sys.argv = arguments


@contextmanager
def _quiet_hydra() -> Iterator[None]:
    """Hydra prints errors itself and exits with 1, unless it is asked for the full error."""
    before = os.environ.get("HYDRA_FULL_ERROR")
    os.environ["HYDRA_FULL_ERROR"] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ["HYDRA_FULL_ERROR"]
        else:
            os.environ["HYDRA_FULL_ERROR"] = before


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return text.lower() in ("true", "false", "null", "none")
    return True


def _say(message: str) -> None:
    """An error in one line, after whatever was printed before."""
    sys.stdout.flush()
    print(f"error: {' '.join(message.split())}", file=sys.stderr, flush=True)
