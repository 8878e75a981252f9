"""``grid``: one study at many parameter values, on the same paths, in one program. The only ``vmap`` over parameters.

What does not depend on the varied numbers (the market, when only a rule varies) is computed once for all of them.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from mcengine._model import with_parameters
from mcengine.engine import program
from mcengine.engine.base import AbstractStudy
from mcengine.engine.checks import check_paths
from mcengine.engine.prepared import PreparedStudy
from mcengine.engine.result import Result
from mcengine.noise import make_key


def grid(
    study: AbstractStudy, values: Mapping[str, Sequence[float]], paths: int, *, seed: int = 0, stream: str = "test", first: int = 0
) -> list[Result]:
    """One study at many parameter values, on the same paths, in one program: point k takes the k-th of every named number.

    Args:
        study: What is simulated.
        values: Numbers by dotted name, all of one length.
        paths: Number of paths at each point.
        seed: Of the random numbers.
        stream: Of the random numbers (``noise.STREAMS``).
        first: Id of the first path.

    Returns:
        A Result for each point.

    Raises:
        ValueError: For an unknown name, a value out of its range, or lengths that differ.
    """
    paths, devices, prepared = check_paths(paths), program.check_devices(None), PreparedStudy(study, make_key(seed, stream))
    study.sampling.check_run(paths, first)
    lengths = {name: len(v) for name, v in values.items()}
    if len(set(lengths.values())) != 1 or 0 in lengths.values():
        raise ValueError(f"grid: expected as many values of each parameter, got {lengths}")
    points = [with_parameters(study, {name: v[k] for name, v in values.items()}) for k in range(next(iter(lengths.values())))]
    block = program.default_block(prepared.carried_bytes) // len(points)
    block = program.padded(paths, max(program.PAD, block), devices)
    stacked = {name: np.asarray(v, jnp.result_type(float)) for name, v in values.items()}

    def fn(stacked: Any, study: AbstractStudy, key: Any, first: Any) -> Any:
        def on_device(stacked: Any, study: AbstractStudy, key: Any, first: Any) -> Any:
            ids = program.local_ids(first, block)
            outcomes = jax.vmap(lambda point: program.simulate_block(with_parameters(study, point), key, ids))(stacked)
            return jax.tree.map(lambda x: jnp.swapaxes(x, 0, 1), outcomes)

        return program.over_devices(on_device, devices)(stacked, study, key, first)

    arguments = (stacked, prepared.numbers, prepared.key)
    executable = program.compiled(("grid", block, devices, tuple(values)), fn, *arguments, program.words(0))
    size = block * devices
    blocks = []
    for at in range(0, paths, size):
        count = min(size, paths - at)
        outcomes = executable.call(*arguments, program.words(first + at))
        blocks.append(jax.tree.map(np.asarray, outcomes) if count == size else jax.tree.map(lambda x, n=count: np.asarray(x)[:n], outcomes))
    whole = jax.tree.map(lambda *parts: np.concatenate(parts), *blocks)
    timings = {"compile_seconds": executable.seconds}
    return [Result(point, jax.tree.map(lambda x, k=k: x[:, k], whole), paths, paths, seed, stream, first, timings) for k, point in enumerate(points)]
