"""What every experiment shares: Hydra around a task, errors as one line, a run folder that is complete or gone.

A task is ``task(config, folder) -> (metrics, timings)``. Exit codes: 0 done, 2 input that was refused, no room on the disk, or what nobody foresaw
(its traceback is in the run folder), 3 a path that was not finite, 130 interrupted, by Ctrl-C or SIGTERM. A run that stops half-way keeps its
finished blocks and says how to go on.
The last line on standard output is the run folder; of a sweep, the sweep's folder after one for each run.
"""

import logging
import math
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
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
from mcengine.policy.base import validate_floor
from mcengine.report import RunFolder, provenance

Task = Callable[[Any, RunFolder], tuple[dict[str, Any], dict[str, Any]]]

REFUSED, NOT_FINITE, INTERRUPTED = 2, 3, 130
_SECRET = 4
"""Characters from which on a text of the environment is hidden wherever it is written; a shorter one is a part of any word."""
_ANSWERED = 10.0
"""Seconds that answering a SIGTERM may take."""
SMALL = {"paths": 4096, "test_paths": 4096, "optimise.steps": 4, "optimise.paths": 1024, "optimise.validation_paths": 4096}
"""Under MC_SMALL=1 nothing is larger than this: tests and a first look."""


def main(name: str) -> Callable[[Task], Callable[..., int]]:
    """Decorator: the task as a script with the configuration ``conf/<name>.yaml``; calling it gives the exit code."""
    return lambda task: lambda arguments=None: run(task, name, sys.argv[1:] if arguments is None else list(arguments))


def run(task: Task, name: str, arguments: Sequence[str]) -> int:
    """One run, or with ``-m`` one for each combination of values; or what a flag such as ``--help`` shows."""
    try:
        line = _command_line.read(arguments)
        with _targets.allowing(line.code), _terminable():
            return _show(name, line) if line.shown else _run(task, name, line)
    except SystemExit as done:  # Hydra's, after --help or --version
        return int(done.code or 0)
    except (ValueError, OSError) as error:
        _say(str(error))
        return REFUSED
    except KeyboardInterrupt:
        _say("interrupted")
        return INTERRUPTED
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
            return INTERRUPTED
        if line.multirun and not jobs.codes:
            _say("--multirun: expected values that make at least one run, got none")
            return REFUSED
        if line.multirun and root.kept:
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
        choices = {k: v for k, v in hydra.runtime.choices.items() if not k.startswith("hydra") and "@" not in k}
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


def options(config: Any, folder: RunFolder) -> dict[str, Any]:
    """Arguments of ``Study.run`` that every experiment takes from its configuration."""
    rules = {"until": configuration.plain(config.until), "seconds": config.seconds}
    return {"seed": config.seed, "stream": config.stream, "folder": folder.path, "resume": folder.resumable, **rules, **engine(config)}


def engine(config: Any) -> dict[str, Any]:
    """Arguments of ``Study.run`` in the configuration's group of that name; which hosts there are is settled before."""
    return {key: value for key, value in config.engine.items() if key not in ("hosts", "platform")}


def may_stop(config: Any) -> bool:
    """Whether a rule may stop the run before its paths are done."""
    return config.until.metric is not None or config.seconds is not None


def journal(config: Any, folder: RunFolder, study: mc.Study, name: str, **settings: Any) -> mc.engine.Journal:
    """Where ``name`` (a fit, a derivative, a choice that was timed) keeps its steps for a run that goes on."""
    this = mc.engine.identity(study, seed=config.seed, **settings)
    return mc.engine.Journal(folder.path / f"{name}.journal", this, resume=folder.resumable)


def devices() -> int:
    """Batches of a fit or a derivative are dealt to all devices, so their number is part of what it is."""
    return mc.engine.program.check_devices(None)


def variant(words: str) -> Any:
    """The configuration of this run with more overrides, ``"market=bootstrap delay=1"``."""
    from hydra.core.hydra_config import HydraConfig
    from omegaconf import OmegaConf

    hydra = HydraConfig.get()
    overrides = [word for word in OmegaConf.to_container(hydra.overrides.task, resolve=False) if not word.startswith("also=")]
    own = [source.path for source in hydra.runtime.config_sources if source.schema == "file" and Path(source.path) != configuration.CONF]
    return configuration.load_config([*overrides, *words.split()], str(hydra.job.config_name), own[0] if own else None)


def say_how_it_went(result: mc.Result) -> dict[str, Any]:
    """Print why the run stopped and how fast it was; what provenance.json keeps of it."""
    times = result.timings
    before = f" ({times['resumed_paths']:,.0f} of them before)" if "resumed_paths" in times else ""
    speed = f", then {times['steady_paths_per_second']:,.0f} paths/s" if math.isfinite(times["steady_paths_per_second"]) else ""
    noise = getattr(result.study.noise, "base", result.study.noise)  # under a shift
    if result.sampling.kind == "randomisations":
        drawn, rest = noise.coverage(result.study.steps, result.study.market.n_factors)
        beyond = f", {rest:,} from the counter" if rest else ""
        interval = mc.Estimate(0.0, 1.0, result.sampling.size).half_width()
        said = f"errors from {result.sampling.size} randomisations: a 95 % interval is ± {interval:.2f} of them (Student)"
        print(f"{drawn:,} dimensions from {type(noise).__name__}{beyond}; {said}")
    years, steps = float(result.study.years), result.study.steps
    if years >= 2.0 and not result.study.year_steps:
        rate = f"{steps:,} steps in {years:g} years, {steps / years:.4g} a year"
        print(f"no yearly figures: {rate}, put no year's end on a step; give steps={round(252 * years)}")
    print(f"{result.stopped}{before}; compiled in {times['compile_seconds']:.2f} s, first block in {times['first_seconds']:.3f} s{speed}\n")
    return {**times, "paths": result.paths, "stopped": result.stopped}


def check_floor(study: mc.Study, floor: Any) -> None:
    """Raise ``ValueError`` for a floor that cannot be held: its present value is not below the starting wealth."""
    if isinstance(floor, bool) or not isinstance(floor, int | float) or not floor > 0.0:
        raise ValueError(f"floor: expected a number above 0, a fraction of the starting wealth, got {floor!r}")
    validate_floor("floor", floor, floor * study.discount)


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


def trace(config: Any, folder: RunFolder, study: mc.Study) -> tuple[dict[str, Any], dict[str, float]]:
    """Everything at every step of the paths ``config.trace``, as trace.csv, instead of a run."""
    ids = [config.trace] if isinstance(config.trace, int) else list(config.trace)
    if not all(isinstance(i, int) and not isinstance(i, bool) and i >= 0 for i in ids):
        raise ValueError(f"trace: expected path ids, whole numbers from 0 on, got {ids}")
    table = study.trace(ids, seed=config.seed, stream=config.stream)
    folder.write_table("trace", table)
    print(f"trace.csv: {len(ids)} paths, {study.steps + 1} dates, {len(table.columns)} columns")
    print(f"\n{table.iloc[:, :8].head(10).to_string()}\n", flush=True)
    return {"traced": len(ids)}, {}


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


@contextmanager
def _terminable() -> Iterator[None]:
    """SIGTERM is as Ctrl-C: while that is answered another is not. What is raised where Python ignores it is raised again after the block."""
    since = -math.inf

    def interrupt(*_: Any) -> None:
        nonlocal since
        _runtime.terminated.set()
        if time.monotonic() - since > _ANSWERED:
            since = time.monotonic()
            raise KeyboardInterrupt

    try:
        before = signal.signal(signal.SIGTERM, interrupt)
    except ValueError:  # not in the main thread, which alone may say so
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before or signal.SIG_DFL)
        _runtime.terminated.clear()


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
