"""``PreparedStudy``: a study as the engine's programs take it, converted once a run, and what it takes to hold one of its paths."""

from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from mcengine._model import replace
from mcengine.engine import program
from mcengine.engine.base import AbstractStudy
from mcengine.engine.path import Simulation, optioned, pricers
from mcengine.noise import Path, path_ids

_shapes: dict[Any, Any] = {}


class PreparedStudy:
    """A study and the key of its random numbers, as programs take them. What it tells is found when it is first asked.

    Args:
        study: What is simulated.
        key: Of the random numbers, two uint32 words [2], as ``noise.make_key`` gives it.
    """

    def __init__(self, study: AbstractStudy, key: np.ndarray) -> None:
        self.study, self.key = study, key
        self.numbers = program.as_arrays(study)

    @property
    def tabulated(self) -> AbstractStudy:
        """The numbers with the tables made that pricers read.

        Made once a run, not once a block, and by a program of their own: they are the same bits in whatever program reads them. The market's
        parameters no longer reach them, so a derivative or a grid takes ``numbers`` instead.
        """
        return self._tables[0]

    @property
    def table_seconds(self) -> float:
        """Of compiling the program that makes the tables."""
        return self._tables[1]

    @cached_property
    def _tables(self) -> tuple[AbstractStudy, float]:
        found = self.study.pricers or self.study.market.pricers()
        if not any(hasattr(found[asset], "prepare") for asset in optioned(self.study)):
            return self.numbers, 0.0
        executable = program.compiled("tables", pricers, self.numbers)
        made = replace(self.study, pricers=jax.tree.map(np.asarray, executable.call(self.numbers)))
        return program.as_arrays(made), executable.seconds

    @cached_property
    def columns(self) -> dict[str, dict[str, jax.ShapeDtypeStruct]]:
        """Outcomes of one path by book and figure: shapes [1] and dtypes."""
        return self._shaped("columns", lambda study, key: program.simulate_block(study, key, path_ids(0, 1)))

    @cached_property
    def outcome_bytes(self) -> int:
        """Of one path's outcomes."""
        return _bytes(self.columns)

    @cached_property
    def carried_bytes(self) -> int:
        """That a path carries from step to step."""

        def start(study: AbstractStudy, key: jax.Array) -> Any:
            simulation, path = Simulation(study), Path(jnp.uint32(0), jnp.uint32(0))
            return simulation.start(path, study.noise.begin(key, path, study.steps, study.market.n_factors))

        return _bytes(self._shaped("carried", start))

    def forward(self, block: int, devices: int) -> program.Compiled:
        """The program of a run: it takes ``tabulated``, ``key`` and the id of the first path in two words, and gives outcomes [block x devices].

        Args:
            block: Paths on each device.
            devices: Number of devices.
        """

        def fn(study: AbstractStudy, key: jax.Array, first: jax.Array) -> Any:
            return program.over_devices(lambda s, k, f: program.simulate_block(s, k, program.local_ids(f, block)), devices)(study, key, first)

        return program.compiled(("forward", block, devices), fn, self.tabulated, self.key, program.words(0))

    def _shaped(self, name: str, fn: Any) -> Any:
        """Shapes of ``fn(study, key)``, traced once for all studies of one structure."""
        signature = program.signature(name, self.numbers, self.key)
        if signature not in _shapes:
            _shapes[signature] = jax.eval_shape(fn, self.numbers, self.key)
        return _shapes[signature]


def _bytes(tree: Any) -> int:
    return sum(leaf.dtype.itemsize * leaf.size for leaf in jax.tree.leaves(tree))
