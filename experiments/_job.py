"""One run: a configuration and the folder it is made in, from its check to metrics.json, or to why there is none."""

import logging
import os
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import _bug
import _folder
import _resume
import _task
import jax
from _command_line import CommandLine, script

import mcengine as mc
from mcengine import _files, _made, _runtime
from mcengine import config as configuration
from mcengine._noted import noting
from mcengine.engine import program
from mcengine.engine.checkpoint import FULL
from mcengine.engine.checks import check_paths
from mcengine.report import RunFolder, index, provenance, write_page
from mcengine.report.collect import FAILED

Task = Callable[[Any, RunFolder], tuple[dict[str, Any], dict[str, Any]]]

REFUSED, NOT_FINITE = 2, 3
_SECRET = 4
"""Characters from which on a text of the environment is hidden wherever it is written; a shorter one is a part of any word."""
SMALL = {"paths": 4096, "test_paths": 4096, "optimise.steps": 4, "optimise.paths": 1024, "optimise.validation_paths": 4096}
"""Under MC_SMALL=1 nothing is larger than this: tests and a first look."""


@dataclass
class Job:
    """What is to be run, and where.

    Args:
        name: Of the experiment.
        line: Its command line.
        overrides: Of this run alone.
        choices: Option chosen of each group.
        config: Composed.
        path: Of its folder.
        facts: ``report.provenance()``, where several runs share it.
        quiet: Whether to print nothing of the folder, and to leave out its page: the sweep has one.
        label: What tells it from the others, before what is said of its failure.
        learned: What was noted while its study was built, where that was before.
        spent: Seconds of compiling and running, where it was solved before, with others.
        message: Why it came to no end.
    """

    name: str
    line: CommandLine
    overrides: list[str]
    choices: dict[str, Any]
    config: Any
    path: Path
    facts: dict[str, Any] | None = None
    quiet: bool = False
    label: str = ""
    learned: dict[str, Any] = field(default_factory=dict)
    spent: Mapping[str, float] = field(default_factory=dict)
    message: str = ""
    hidden: dict[str, str] = field(default_factory=dict)
    saved: Any = None

    @property
    def command(self) -> str:
        """Runs this one again, alone."""
        return script(self.name, self.line, self.overrides)

    def check(self) -> None:
        """Check every setting and every node, before anything is built."""
        prepare(self.config, self.name)
        self.saved = configuration.saved(self.config)
        self.saved.tree.pop("search", None)  # how it came to be asked for changes nothing of it
        self.hidden = {text: place for text, place in self.saved.hidden.items() if len(text) >= _SECRET and not _is_number(text)}

    def kept(self, folder: RunFolder) -> dict[str, Any]:
        """The configuration as the folder keeps it."""
        return _resume.kept(self.config, self.saved, folder)

    def run(self, task: Task, root: _folder.Root) -> int:
        """The exit code: the folder is made, finished, and kept where it holds something."""
        from omegaconf.errors import OmegaConfBaseException

        code, stopped = 0, True  # from outside, and may go on
        sweep = self.line.multirun
        try:
            with RunFolder(self.path).alone():
                self._finish(task)
            if sweep:
                index.append(root.path, self.path)
        except mc.engine.NotFiniteError as error:
            again = replay(self.name, self.line, self.overrides, error)
            code, stopped = self._fail(NOT_FINITE, f"{str(error).partition('; replay')[0]}; replay: {again}"), False
        except OSError as error:
            if error.errno not in FULL and not sweep:
                raise
            kept = f"; {error.kept} are kept" if isinstance(error, mc.engine.DiskFullError) else ""
            full = f"the disk is full{kept}{_resume.how_to_go_on(self.name, RunFolder(self.path), self.line)}"
            code = self._fail(REFUSED, full if error.errno in FULL else str(error))
        except (ValueError, OmegaConfBaseException) as error:
            stopped = _made.is_made(self.path) and RunFolder(self.path).has_results  # what it finished stays, though a picture, say, was refused
            more = _resume.how_to_go_on(self.name, RunFolder(self.path), self.line) if stopped and not sweep else ""
            code = self._fail(REFUSED, configuration.explain(error, self.overrides, self.name, self.line.config_dir) + more)
        except Exception as error:
            with _files.hiding(self.hidden):
                code = self._fail(REFUSED, _bug.told(error, self.command, self.path))
        finally:
            done = any((self.path / name).is_file() for name in ("metrics.json", _bug.LOG, *([FAILED] if sweep else [])))
            if done or (stopped and RunFolder(self.path).has_blocks):
                root.kept = True
                _made.keep(self.path)
            else:
                _made.remove(self.path)
        return code

    def _finish(self, task: Task) -> None:
        start = time.perf_counter()
        logging.getLogger("jax").setLevel(logging.ERROR)  # what it says about accelerators it did not find is no concern of a study
        if self.saved is None:
            self.check()
        kept = self.kept(RunFolder(self.path))
        with _files.hiding(self.hidden), _task.asking(self.name, self.overrides, self.line.config_dir):
            folder = RunFolder(self.path, _resume.resumable(RunFolder(self.path), kept))
            if folder.is_finished(kept):
                self._print(f"finished before, skipped: {self.command}\n{folder.path}")
                return
            begun = {"experiment": self.name, "flags": self.line.kept, "overrides": self.overrides, "config": kept}
            before = folder.begin(configuration.as_yaml(self.saved.tree), begun)
            facts = self.facts or provenance()  # of the code as it was when it started
            facts = {
                **facts,
                "precision": str(jax.numpy.result_type(float)),
                "seed": self.saved.tree["seed"],
                "choices": self.choices,
                "command": self.command,
            }
            compiling = program.seconds_compiling()
            try:
                with noting() as learned:
                    metrics, timings = task(self.config, folder)
            except Exception:
                if before or not self.line.multirun:  # of a sweep what failed stays to be looked at
                    folder.restore(before)
                raise
            spent = program.seconds_compiling() - compiling + self.spent.get("compile_seconds", 0.0)
            compiled, total = {"compile_seconds": spent} if spent else {}, time.perf_counter() - start + sum(self.spent.values())
            timings = {**{k: v for k, v in timings.items() if k != "compile_seconds"}, **compiled, "total_seconds": total}
            _made.discard(self.path / FAILED)  # of another try
            folder.finish(kept, metrics, {**facts, **self.learned, **learned, "timings": timings})
            if not self.quiet and write_page(self.path) is None:
                self._print("no report.html: the extra mcengine[report] brings what writes it")
        self._print(str(folder.path))

    def _print(self, text: str) -> None:
        if not self.quiet:
            print(text, flush=True)

    def _fail(self, code: int, message: str) -> int:
        """Say it; of a sweep leave it in the folder too, where that is this process's or failed before."""
        message = self.message = " ".join(message.split())
        place = self.path / FAILED
        if self.line.multirun and (_made.is_made(self.path) or place.is_file()):
            with _files.hiding(self.hidden):
                what = {"experiment": self.name, "overrides": self.overrides, "command": self.command}
                _files.write_json(_files.inside(self.path, FAILED), {"code": code, "message": message, **what})
        say(f"{self.label}: {message}" if self.label else message)
        return code


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


def replay(name: str, line: CommandLine, overrides: list[str], error: mc.engine.NotFiniteError) -> str:
    """The command that traces the broken paths."""
    words = [o for o in overrides if not o.startswith(("trace=", "hydra."))]
    words += [f"stream={error.stream}"] if error.stream != "test" else []
    return script(name, line, [*words, f"trace={error.ids[:10]}".replace(" ", "")])


def say(message: str) -> None:
    """An error in one line, after whatever was printed before."""
    sys.stdout.flush()
    print(f"error: {' '.join(message.split())}", file=sys.stderr, flush=True)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return text.lower() in ("true", "false", "null", "none")
    return True
