"""``together``: studies solved on the same paths, those of one structure side by side in one program. The only ``vmap`` over parameters.

What does not depend on the numbers in which they differ (the market and the benchmark, when only a rule varies) is computed once for all of
them. A program takes a few studies; the last ones are padded. Memory does not grow with their number.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path as FilePath
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from mcengine._model import parameters
from mcengine.engine import memory, program
from mcengine.engine.base import AbstractStudy
from mcengine.engine.checkpoint import nested, save
from mcengine.engine.checks import check_ids, check_paths
from mcengine.engine.driver import new_timings
from mcengine.engine.identity import identity
from mcengine.engine.not_finite import NotFiniteError, check_finite
from mcengine.engine.prepared import PreparedStudy
from mcengine.engine.result import Result
from mcengine.engine.run import run
from mcengine.noise import make_key
from mcengine.statistics.figure import Figure

Tell = Callable[[str, int], Any]

KEEP = 2_000_000
"""Paths of a study whose outcomes are kept, as of ``run``: of more its figures stream."""
SIZES = (8, 4)
"""Studies of one program: few sizes, so that another sweep meets the same programs."""
BUDGET = 1 << 29
"""Bytes of outcomes that are held at a time, where there are several studies."""
_WIDTH = 80
"""Bytes of a book's outcomes on a path, about: to know them takes as long as to trace a program."""
_LEAST = 512
"""Paths a device handles at a time at least: of fewer the start of a kernel costs more than the kernel."""
_OF_RULES = ("policy", "costs", "wealth", "width")
"""Numbers of a study that no pricer's table reads."""


def together(
    studies: Sequence[AbstractStudy],
    paths: int,
    *,
    seed: int = 0,
    stream: str = "test",
    first: int = 0,
    figures: Sequence[Mapping[str, Figure]] | None = None,
    tell: Tell | None = None,
) -> Iterator[tuple[int, Result | Exception]]:
    """Simulate studies on the same paths, those of one structure side by side in one program.

    Args:
        studies: What is simulated.
        paths: Number of paths of each.
        seed: Of the random numbers.
        stream: Of the random numbers (``noise.STREAMS``).
        first: Id of the first path.
        figures: Of each study figures by name, which are streamed where it has more paths than ``KEEP``.
        tell: Is told ("compiling", studies) before a program is made, ("paths", studies x paths) as they are done.

    Returns:
        An iterator over (index of a study, its result, or the error that stopped it: a path that is not finite, or whatever its program raised for
        all that were solved with it). The others go on.

    Raises:
        ValueError: As ``run`` does, for a number of paths or an id that is none.
    """
    check_ids([first])
    paths = check_paths(paths)
    told: Tell = tell or (lambda what, count: None)
    groups: dict[Any, list[int]] = {}
    for index, study in enumerate(studies):
        groups.setdefault(program.signature("together", study), []).append(index)
    named = figures or [{}] * len(studies)
    for members in groups.values():
        try:
            batch = Batch([studies[index] for index in members], paths, seed, stream, first)
        except Exception as error:
            yield from ((index, error) for index in members)
            continue
        for at in range(0, len(members), batch.size):
            chunk = members[at : at + batch.size]
            yield from zip(chunk, batch.tried(at, len(chunk), named[chunk[0]], told), strict=True)


def keep_outcomes(result: Result, folder: FilePath | str, figures: Mapping[str, Figure]) -> None:
    """Write the outcomes of a result that are in memory as a run with ``folder`` would have; from then on they are read from there.

    Args:
        result: Of which every path was kept.
        folder: One without a run.
        figures: Figures by name that would have streamed.
    """
    this = identity(result.study, seed=result.seed, stream=result.stream, first=result.first, keep=KEEP, figures=figures)
    result.outcomes = save(FilePath(folder), this, result.outcomes, result.paths, result.sampling.unit)


class Batch:
    """Studies of one structure, of which one program takes ``size`` at a time; a size of 1 is ``run``.

    Args:
        studies: What is simulated.
        paths: Number of paths of each; fewer where history has fewer windows.
        seed: Of the random numbers.
        stream: Of the random numbers.
        first: Id of the first path.
        size: None for what fits ``BUDGET``.
    """

    def __init__(self, studies: Sequence[AbstractStudy], paths: int, seed: int, stream: str, first: int, size: int | None = None) -> None:
        one = studies[0]
        self.studies, self.address = list(studies), (seed, stream, first)
        self.paths, self.key, self.devices = one.available(paths, first), make_key(seed, stream), program.check_devices(None)
        one.sampling.check_run(self.paths, first)
        self.prepared = PreparedStudy(one, self.key)
        self.varied = _varied(self.studies)
        known, of_rules = [*one.books, "market"], all(name.startswith("policy.") for name in self.varied) and isinstance(one.policy, Mapping)
        self.own = [book for book in known if not of_rules or any(name.startswith(f"policy.{book}.") for name in self.varied)]
        self.size = size or self._size()
        whole = memory.default_block(one.noise, one.steps, one.market.n_factors, self.prepared.carried_bytes)
        self.block = program.padded(self.paths, max(_LEAST, whole // self.size), self.devices)

    def _size(self) -> int:
        if self.paths > KEEP or not self.varied:
            return 1
        held = _WIDTH * len(self.own) * self.paths
        return next((size for size in SIZES if len(self.studies) > size // 2 and size * held <= BUDGET), 1)

    def tried(self, at: int, count: int, figures: Mapping[str, Figure], told: Tell) -> Sequence[Result | Exception]:
        """Of each of ``count`` studies from the ``at``-th on its result, or what stopped it; ``figures`` are those of one that is alone."""
        try:
            return self.solve(at, count, told) if self.size > 1 else [self.alone(at, figures, told)]
        except Exception as error:
            return [error] * count

    def alone(self, at: int, figures: Mapping[str, Figure], told: Tell) -> Result:
        """The ``at``-th study, run as any other."""
        seed, stream, first = self.address
        told("compiling", 1)
        try:
            return run(self.studies[at], self.paths, seed=seed, stream=stream, first=first, figures=figures, progress=False)
        finally:
            told("paths", self.paths)

    def solve(self, at: int, count: int, told: Tell) -> list[Result | NotFiniteError]:
        """Results of ``count`` studies from the ``at``-th on."""
        seed, stream, first = self.address
        chosen = [self.studies[min(at + k, len(self.studies) - 1)] for k in range(self.size)]
        told("compiling", count)
        stacked, whole = self._numbers(chosen)
        known, inputs = ("together", self.block, self.devices, tuple(stacked), tuple(self.own)), (stacked, whole, self.key)
        executable = program.compiled(known, self._program(), *inputs, program.words(0))
        arguments = program.placed(inputs, self.devices)
        timings, clock = new_timings() | {"compile_seconds": executable.seconds * (at == 0)}, time.perf_counter()
        columns: dict[tuple[str, str], np.ndarray] = {}
        errors: dict[int, NotFiniteError] = {}
        ids = range(first, first + self.paths)
        for start, blocks in program.blocks(lambda words: executable.call(*arguments, words), ids, self.block * self.devices, timings):
            for book, named in blocks.items():
                for name, values in named.items():
                    if (book, name) not in columns:
                        columns[book, name] = np.empty((*values.shape[1:], self.paths), values.dtype)
                    columns[book, name][..., start - first : start - first + len(values)] = values.T
            for k in range(count):
                try:
                    check_finite(chosen[k], _of(blocks, self.own, (slice(None), k)), start, seed, stream)
                except NotFiniteError as error:
                    errors.setdefault(k, error)
            told("paths", count * len(next(iter(next(iter(blocks.values())).values()))))
        timings["run_seconds"] = (time.perf_counter() - clock) / count
        whole_run, said = nested(columns), f"all {self.paths:,} paths are run"
        return [
            errors.get(k) or Result(study, _of(whole_run, self.own, k), self.paths, self.paths, *self.address, dict(timings), stopped=said)
            for k, study in enumerate(chosen[:count])
        ]

    def _numbers(self, chosen: Sequence[AbstractStudy]) -> tuple[dict[str, np.ndarray], AbstractStudy]:
        """(numbers in which the studies differ, by name [size], one study with all others), tables of pricers included."""
        if all(name.partition(".")[0] in _OF_RULES for name in self.varied):
            whole, trees = self.prepared.tabulated, [program.as_arrays(study) for study in chosen]
            names = self.varied
        else:  # a table for each
            trees = [PreparedStudy(study, self.key).tabulated for study in chosen]
            whole = trees[0]
            names = [*self.varied, *(name for name in parameters(whole) if name.startswith("pricers."))]
        every = [parameters(tree) for tree in trees]
        return {name: np.stack([found[name] for found in every]) for name in dict.fromkeys(names)}, whole

    def _program(self) -> Callable[..., Any]:
        own, devices, block = self.own, self.devices, self.block

        def fn(stacked: Any, study: AbstractStudy, key: Any, first: Any) -> Any:
            def on_device(stacked: Any, study: AbstractStudy, key: Any, first: Any) -> Any:
                ids = program.local_ids(first, block)
                outcomes = jax.vmap(lambda point: program.simulate_block(_with(study, point), key, ids))(stacked)
                # Of books that all share each point has the same, which is computed once.
                turned = {book: (lambda x: jnp.swapaxes(x, 0, 1)) if book in own else (lambda x: x[0]) for book in outcomes}
                return {book: jax.tree.map(turned[book], named) for book, named in outcomes.items()}

            return program.over_devices(on_device, devices)(stacked, study, key, first)

        return fn


def _varied(studies: Sequence[AbstractStudy]) -> list[str]:
    """Names of the numbers in which studies of one structure differ."""
    base, found = parameters(studies[0]), set()
    for study in studies[1:]:
        found |= {name for name, leaf in parameters(study).items() if leaf is not base[name] and not np.array_equal(leaf, base[name])}
    return [name for name in base if name in found]


def _with(study: AbstractStudy, values: Mapping[str, Any]) -> AbstractStudy:
    """The study with numbers replaced, which were checked when their studies were made."""
    leaves, tree = jax.tree.flatten(study)
    return jax.tree.unflatten(tree, [values.get(name, leaf) for name, leaf in zip(parameters(study), leaves, strict=True)])


def _of(outcomes: Mapping[str, Mapping[str, np.ndarray]], own: Sequence[str], place: Any) -> dict[str, dict[str, np.ndarray]]:
    """One study's outcomes among those of a chunk."""
    return {book: {name: x[place] if book in own else x for name, x in named.items()} for book, named in outcomes.items()}
