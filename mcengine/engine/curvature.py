"""Second derivatives of a mean over paths: a Hessian times a direction, one batch a call.

Forward over reverse (the gradient's derivative along the direction: some twelve runs for any number of rows), or forward over forward (some six
for one row, and more with each): up to ``FORWARD`` rows go forward, as a gradient does.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import PartitionSpec

from mcengine._model import check_pathwise, parameters, with_parameters
from mcengine.engine import program
from mcengine.engine.base import AbstractStudy
from mcengine.engine.gradient import FORWARD, Loss, default_gradient_block


class BatchCurvature:
    """Derivatives by the named numbers of the mean loss's derivative along a direction, of a batch of paths, compiled once.

    Args:
        study: What is simulated; a call may give one with other numbers.
        loss: As of ``BatchGradient``.
        names: Dotted names of the numbers: rows of the Hessian, and what a direction may take.
        label: Names the loss for the cache of programs.
        batch: Least number of paths in a batch, over all devices.

    Raises:
        ValueError: For a number without a pathwise derivative.
    """

    def __init__(self, study: AbstractStudy, loss: Loss, names: Iterable[str], *, label: Any, batch: int) -> None:
        self.devices, self.names = program.check_devices(None), tuple(names)
        check_pathwise(study, self.names)
        block = default_gradient_block()
        self.blocks = max(1, -(-batch // (block * self.devices)))
        self.block = program.padded(-(-batch // self.blocks), block, self.devices)
        self.mode = "forward" if len(self.names) <= FORWARD else "reverse"
        reverse = self.mode == "reverse"

        def on_device(values: Any, towards: Any, study: AbstractStudy, key: Any, first: Any) -> Any:
            def differentiate(ids: Any) -> Any:
                def mean(values: Any) -> Any:
                    outcomes = program.simulate_block(with_parameters(study, values), key, ids, checkpoint=reverse)
                    return jnp.mean(loss(outcomes, None)[0])

                if reverse:
                    return jax.jvp(jax.grad(mean), (values,), (towards,))[1]
                return jax.jacfwd(lambda v: jax.jvp(mean, (v,), (towards,))[1])(values)

            return program.mean_over_blocks(differentiate, first, self.block, self.blocks)

        def fn(*arguments: Any) -> Any:
            return program.over_devices(on_device, self.devices, PartitionSpec())(*arguments)

        known = parameters(study)
        start = {name: jnp.asarray(known[name], jnp.result_type(float)) for name in self.names}
        arguments = (start, start, program.as_arrays(study), np.zeros(2, np.uint32), program.words(0))
        self.compiled = program.compiled(("curvature", label, self.names, self.block, self.blocks, self.devices), fn, *arguments)

    @property
    def paths(self) -> int:
        """Paths in one batch."""
        return self.block * self.blocks * self.devices

    def __call__(self, towards: Mapping[str, float], study: AbstractStudy, key: np.ndarray, batch: int) -> dict[str, float]:
        """One batch.

        Args:
            towards: The direction; 0 of the numbers not named.
            study: With its numbers.
            key: Of the random numbers, as ``noise.make_key`` gives it.
            batch: Index of the batch: it takes the paths from ``batch`` x ``paths`` on.

        Returns:
            The Hessian times the direction, by name.
        """
        dtype, known = jnp.result_type(float), parameters(study)
        values = {name: np.asarray(known[name], dtype) for name in self.names}
        along = {name: np.full(np.shape(values[name]), towards.get(name, 0.0), dtype) for name in self.names}
        found = self.compiled.call(values, along, program.as_arrays(study), key, program.words(batch * self.paths))
        return {name: float(x) for name, x in found.items()}
