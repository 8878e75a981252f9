"""Outcomes of every path with their derivatives along one direction of a model's numbers, and the score of that direction.

Forward mode, a direction a call: one program serves all the numbers it was made for, at any width, whether prices move or their density does
(``market.scored``). A call costs some three runs.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from mcengine._model import Scalar, parameters, with_parameters
from mcengine.engine import program
from mcengine.engine.gradient import default_gradient_block
from mcengine.engine.path import Simulation
from mcengine.engine.price import follow
from mcengine.market.scored import LAW, scored
from mcengine.noise import Path

Follow = Callable[[Any, Any, Any, Any, Scalar], tuple[Mapping[str, Scalar], Scalar]]
"""``follow(model, key, high, low, share)``: outcomes of one path by name, and the logarithm of its density."""


class Moved(NamedTuple):
    """Of every path [paths]: outcomes by name, their derivatives, and the score."""

    outcomes: dict[str, np.ndarray]
    slopes: dict[str, np.ndarray]
    score: np.ndarray


def of_study(book: str, outcomes: Iterable[str]) -> Follow:
    """Outcomes of one book of a study.

    Args:
        book: Its name.
        outcomes: Their names.
    """

    def one_path(study: Any, key: Any, high: Any, low: Any, share: Scalar) -> tuple[dict[str, Scalar], Scalar]:
        found = Simulation(study, share).path(key, Path(high, low))
        return {name: found[book][name] for name in outcomes}, found["market"].get(LAW, jnp.zeros((), jnp.result_type(float)))

    return one_path


def of_contract() -> Follow:
    """Discounted cash of a contract under Q; the model is a dict of ``market``, ``contract``, ``calendar`` and ``noise``."""

    def one_path(model: Any, key: Any, high: Any, low: Any, share: Scalar) -> tuple[dict[str, Scalar], Scalar]:
        contract, calendar = model["contract"], model["calendar"]
        contract = contract.prepare() if hasattr(contract, "prepare") else contract
        prepared = scored(model["market"].risk_neutral().prepare(calendar), share)
        source = model["noise"].begin(key, Path(high, low), calendar.steps, prepared.n_factors)
        paid, _, states = follow(prepared, calendar, {"cash": contract}, source)
        return paid, states[LAW]

    return one_path


class PathDerivatives:
    """The program of ``Moved``, compiled once for all numbers named.

    Args:
        names: Dotted names of a model's numbers that a direction may take.
        follow: One path of it.
        label: Names ``follow`` for the cache of programs.
        block: Most paths that a device follows at a time; None for as many as a gradient takes.
    """

    def __init__(self, names: Iterable[str], follow: Follow, label: Any, block: int | None = None) -> None:
        self.names, self.devices = tuple(names), program.check_devices(None)
        self.size = block or default_gradient_block()
        self.follow, self.label = follow, label

    def __call__(self, model: Any, name: str, paths: int, key: np.ndarray, first: int = 0, share: float = 0.0) -> Moved:
        """Paths from ``first`` on, moved along one number.

        Args:
            model: With its numbers.
            name: Of the number.
            paths: How many.
            key: Of the random numbers, as ``noise.make_key`` gives it.
            first: Id of the first path.
            share: 0: prices move; 1: their density does.
        """
        block = program.padded(paths, self.size, self.devices)
        dtype = jnp.result_type(float)
        known = parameters(model)
        values = {one: np.asarray(known[one], dtype) for one in self.names}
        towards = {one: np.full(np.shape(values[one]), float(one == name), dtype) for one in self.names}
        placed, numbers = program.as_arrays(model), (values, towards, np.asarray(share, dtype))
        call = self._compiled(block, numbers, placed, key)
        model_there, key_there, numbers_there = program.placed((placed, key, numbers), self.devices)
        ids, parts = range(first, first + paths), []
        for _, found in program.blocks(lambda at: call(*numbers_there, model_there, key_there, at), ids, block * self.devices, {}):
            parts.append(found)
        return jax.tree.map(lambda *arrays: np.concatenate(arrays), *parts)

    def _compiled(self, block: int, numbers: Any, model: Any, key: Any) -> Any:
        def on_device(values: Any, towards: Any, share: Any, model: Any, key: Any, first: Any) -> Moved:
            ids = program.local_ids(first, block)

            def run(values: Any) -> Any:
                moved = with_parameters(model, values)
                return jax.vmap(lambda high, low: self.follow(moved, key, high, low, share))(*ids)

            (outcomes, _), (slopes, score) = jax.jvp(run, (values,), (towards,))
            return Moved(outcomes, slopes, score)

        def fn(*arguments: Any) -> Moved:
            return program.over_devices(on_device, self.devices)(*arguments)

        name = ("path derivatives", self.label, self.names, block, self.devices)
        return program.compiled(name, fn, *numbers, model, key, program.words(0)).call
