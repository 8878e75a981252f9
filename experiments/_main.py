"""What every experiment shares: Hydra around a task, errors as one line, a run folder that is complete or gone.

A task is ``task(config, folder) -> (metrics, timings)``. Exit codes: 0 done, 2 input that was refused, 3 a path that was not finite.
The last line on standard output is the run folder; of a sweep, the sweep's folder after one for each run.
"""

import logging
import os
import shlex
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import mcengine as mc
from mcengine import _runtime
from mcengine import config as configuration
from mcengine.engine.run import check_paths
from mcengine.report import RunFolder, provenance

Task = Callable[[Any, RunFolder], tuple[dict[str, Any], dict[str, float]]]

REFUSED, NOT_FINITE, INTERRUPTED = 2, 3, 130
SMALL = {"paths": 4096, "test_paths": 4096, "optimise.steps": 4, "optimise.paths": 1024, "optimise.validation_paths": 2048}
"""Under MC_SMALL=1 nothing is larger than this: tests and a first look."""


def main(name: str) -> Callable[[Task], Callable[..., int]]:
    """Decorator: the task as a script with the configuration ``conf/<name>.yaml``; calling it gives the exit code."""
    return lambda task: lambda arguments=None: run(task, name, sys.argv[1:] if arguments is None else list(arguments))


def run(task: Task, name: str, arguments: Sequence[str]) -> int:
    """One run, or with ``-m`` one for each combination of values."""
    multirun = bool({"-m", "--multirun"} & set(arguments))
    overrides = [a for a in arguments if not a.startswith("-")]
    if any(a.startswith("-") and a not in ("-m", "--multirun") for a in arguments):
        _hydra(name, lambda config: None, arguments)  # --help, --cfg job: Hydra's own
        return 0
    key = "hydra.sweep.dir" if multirun else "hydra.run.dir"
    given = [a.partition("=")[2] for a in overrides if a.partition("=")[0] == key]
    with _folder(Path(given[-1]) if given else None, Path("multirun" if multirun else "outputs") / name) as (root, old):
        jobs = _Jobs(task, name, old)
        try:
            with _quiet_hydra():
                _hydra(name, jobs, [*(["-m"] if multirun else []), *overrides, *([] if given else [f"{key}={root}"])])
        except (ValueError, OSError) as error:
            _say(str(error))
            return REFUSED
        except KeyboardInterrupt:
            _say("interrupted")
            return INTERRUPTED
        if multirun and any(root.rglob("metrics.json")):
            print(root.resolve(), flush=True)
        return max(jobs.codes, default=0)


class _Jobs:
    """What Hydra calls for each run. Failures are said and counted, not raised: the rest of a sweep goes on."""

    def __init__(self, task: Task, name: str, old: set[Path]) -> None:
        self.task, self.name, self.old = task, name, old
        self.codes: list[int] = []

    def __call__(self, config: Any) -> None:
        from hydra.core.hydra_config import HydraConfig
        from omegaconf.errors import OmegaConfBaseException

        hydra = HydraConfig.get()
        path, overrides = Path(hydra.runtime.output_dir), list(hydra.overrides.task)
        choices = {k: v for k, v in hydra.runtime.choices.items() if not k.startswith("hydra") and "@" not in k}
        command = shlex.join(["python", f"experiments/{self.name}.py", *overrides])
        try:
            self._finish(config, RunFolder(path), {"experiment": self.name, **choices}, command)
            code = 0
        except mc.engine.NotFiniteError as error:
            code = NOT_FINITE
            _say(f"{str(error).partition('; replay')[0]}; replay: {replay(self.name, overrides, error)}")
        except (ValueError, OmegaConfBaseException) as error:
            code = REFUSED
            _say(str(error))
        finally:
            if not (path / "metrics.json").is_file() and path not in self.old:
                shutil.rmtree(path, ignore_errors=True)
        self.codes.append(code)

    def _finish(self, config: Any, folder: RunFolder, choices: dict[str, str], command: str) -> None:
        start = time.perf_counter()
        logging.getLogger("jax").setLevel(logging.ERROR)  # what it says about accelerators it did not find is no concern of a study
        prepare(config)
        resolved = configuration.plain(config)
        if folder.is_finished(resolved):
            print(f"finished before, skipped: {command}\n{folder.path}", flush=True)
            return
        folder.begin(configuration.as_yaml(config))
        facts = {**provenance(), "seed": config.seed, "choices": choices, "command": command}  # of the code as it was when it started
        metrics, timings = self.task(config, folder)
        timings = {**timings, "total_seconds": time.perf_counter() - start}
        folder.finish(resolved, metrics, {**facts, "timings": timings})
        print(folder.path, flush=True)


def prepare(config: Any) -> None:
    """Check what every experiment takes, set the precision, and shrink the run where MC_SMALL asks for it."""
    from omegaconf import OmegaConf

    for key in ("paths", "test_paths"):
        if key in config:
            configuration.number(config, key)
            config[key] = check_paths(config[key])
    for key in ("seed", "steps", "delay"):
        config[key] = configuration.whole(config, key)
    if not isinstance(config.plots, bool):
        raise ValueError(f"plots: expected true or false, got {config.plots!r}")
    if not hasattr(config.weights, "items"):
        raise ValueError(f"weights: expected a weight by asset, such as {{equity: 0.6}}, got {config.weights!r}")
    _runtime.set_precision(config.precision)
    if os.environ.get("MC_SMALL") == "1":
        for key, most in SMALL.items():
            value = OmegaConf.select(config, key)
            if isinstance(value, int | float) and value > most:
                OmegaConf.update(config, key, most)


def replay(name: str, overrides: Sequence[str], error: mc.engine.NotFiniteError) -> str:
    """The command that traces the broken paths."""
    words = [o for o in overrides if not o.startswith(("trace=", "hydra."))]
    words += [f"stream={error.stream}"] if error.stream != "test" else []
    return shlex.join(["python", f"experiments/{name}.py", *words, f"trace={error.ids[:10]}".replace(" ", "")])


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


def _hydra(name: str, task: Callable[[Any], None], arguments: Sequence[str]) -> None:
    """``hydra.main`` on these arguments; what it would print as an error is raised as a ``ValueError`` of one line."""
    import hydra
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    script, sys.argv = sys.argv, [f"{name}.py", *arguments]
    try:
        hydra.main(config_path=str(configuration.CONF), config_name=name, version_base="1.3")(task)()
    except (HydraException, OmegaConfBaseException) as error:
        raise ValueError(configuration.explain(error, [a for a in arguments if "=" in a and not a.startswith("hydra.")], name)) from None
    finally:
        sys.argv = script


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
def _folder(given: Path | None, parent: Path) -> Iterator[tuple[Path, set[Path]]]:
    """(the folder of this run or sweep, those that were there before). One of our making that no run finished in goes at the end."""
    if given is None:
        stamp, copy = f"{datetime.now():%Y-%m-%d_%H-%M-%S}", 1
        root = parent / stamp
        while True:
            try:
                root.mkdir(parents=True)
                break
            except FileExistsError:  # another run began within the second
                copy += 1
                root = parent / f"{stamp}_{copy}"
        old: set[Path] = set()
    else:
        root = given.absolute()
        old = {root, *root.iterdir()} if root.is_dir() else set()
    try:
        yield root, old
    finally:
        if root.absolute() not in old and not any(root.rglob("metrics.json")):
            shutil.rmtree(root, ignore_errors=True)
            for parent in (root.parent, root.parent.parent) if given is None else ():
                if not any(parent.iterdir()):
                    parent.rmdir()


def _say(message: str) -> None:
    """An error in one line, after whatever was printed before."""
    sys.stdout.flush()
    print(f"error: {' '.join(message.split())}", file=sys.stderr, flush=True)
