"""Outcomes of paths and their derivatives by the numbers of a study, path by path: forward mode, all numbers in one program.

What is made of them on the host (a mean, a quantile, a ratio) has its derivative by the chain rule, from the same paths and at no further run.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from mcengine._model import check_pathwise, parameters, with_parameters
from mcengine.engine import program
from mcengine.engine.base import AbstractStudy
from mcengine.engine.not_finite import NotFiniteError, check_finite
from mcengine.engine.prepared import PreparedStudy
from mcengine.noise import Shifted, make_key

Columns = dict[str, dict[str, np.ndarray]]
"""``{book: {outcome: [paths]}}``, or [paths, numbers] for derivatives."""


class Tangents:
    """Outcomes of fixed paths and their derivatives by the named numbers, compiled once.

    Args:
        study: What is simulated; a call may give one with other numbers.
        names: Dotted names of the numbers, as of ``parameters(study)``; those of an array count one by one.
        outcomes: Names by book of what is wanted.

    Raises:
        ValueError: For shifted noise, or a number without a pathwise derivative, such as a jump's intensity.
    """

    def __init__(self, study: AbstractStudy, names: Iterable[str], outcomes: Mapping[str, Iterable[str]]) -> None:
        if isinstance(study.noise, Shifted):
            raise ValueError("noise: expected unshifted noise for a derivative, for its mean takes no weights; got Shifted")
        self.names, self.outcomes = tuple(names), {book: tuple(found) for book, found in outcomes.items()}
        check_pathwise(study, self.names)
        known = parameters(study)
        self.shapes = {name: np.shape(known[name]) for name in self.names}
        self.size = sum(int(np.prod(shape)) for shape in self.shapes.values())

    def __call__(self, study: AbstractStudy, paths: int, *, seed: int = 0, stream: str = "train", first: int = 0) -> tuple[Columns, Columns]:
        """Simulate.

        Args:
            study: Of the structure that was compiled.
            paths: Number of paths.
            seed: Of the random numbers.
            stream: Of the random numbers.
            first: Id of the first path.

        Returns:
            (outcomes [paths], derivatives [paths, numbers]) by book and name.

        Raises:
            NotFiniteError: For a path that breaks.
        """
        study.sampling.check_run(paths, first)
        prepared, devices = PreparedStudy(study, make_key(seed, stream)), program.check_devices(None)
        known = parameters(study)
        values = np.concatenate([np.ravel(known[name]) for name in self.names]).astype(jnp.result_type(float))
        block = program.padded(paths, program.default_block(prepared.carried_bytes * (1 + self.size)), devices)

        def fn(values: Any, study: AbstractStudy, key: Any, first: Any) -> Any:
            def on_device(values: Any, study: AbstractStudy, key: Any, first: Any) -> Any:
                ids = program.local_ids(first, block)

                def of_block(values: Any) -> tuple[Any, Any]:
                    found = program.simulate_block(with_parameters(study, self._named(values)), key, ids)
                    chosen = {book: {name: found[book][name] for name in names} for book, names in self.outcomes.items()}
                    return chosen, chosen

                slopes, outcomes = jax.jacfwd(of_block, has_aux=True)(values)
                return outcomes, slopes

            return program.over_devices(on_device, devices)(values, study, key, first)

        # A rule's numbers reach no table of prices: those are made once, by a program of their own.
        of_rules = all(name.startswith("policy.") for name in self.names)
        outcomes_name = tuple(sorted(self.outcomes.items()))
        arguments = (values, prepared.tabulated if of_rules else prepared.numbers, prepared.key)
        executable = program.compiled(("tangents", self.names, outcomes_name, block, devices), fn, *arguments, program.words(0))
        size, parts = block * devices, []
        for at in range(0, paths, size):
            found = executable.call(*arguments, program.words(first + at))
            count = min(size, paths - at)
            parts.append(jax.tree.map(lambda x, n=count: np.asarray(x)[:n], found))
        outcomes, slopes = jax.tree.map(lambda *blocks: np.concatenate(blocks), *parts)
        check_finite(study, outcomes, first, seed, stream)
        bad = np.any([~np.isfinite(x).all(axis=1) for of_book in slopes.values() for x in of_book.values()], axis=0)
        if np.any(bad):
            raise NotFiniteError([first + int(k) for k in np.flatnonzero(bad)], "in a derivative only", seed, stream)
        return outcomes, slopes

    def _named(self, values: Any) -> dict[str, Any]:
        named, at = {}, 0
        for name, shape in self.shapes.items():
            count = int(np.prod(shape))
            named[name] = jnp.reshape(values[at : at + count], shape)
            at += count
        return named
