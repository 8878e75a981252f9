"""Derivatives of a mean over paths, by reverse mode: each step is checkpointed, its noise drawn again on the way back.

Only the scan's carry is kept, once a step, for one block; a block on a CPU is small enough for that to be some hundred MB.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import PartitionSpec

from mcengine._model import parameters, with_parameters
from mcengine.engine import program

Loss = Callable[[Any, Any], tuple[Any, dict[str, Any]]]
"""``loss(outcomes, extra)``: per-path values to be averaged, and more per-path values whose means come along."""


def default_gradient_block() -> int:
    """Paths a device differentiates at a time."""
    return 4_096 if jax.default_backend() == "cpu" else 1 << 17


class BatchGradient:
    """Mean loss of a batch of paths and its derivatives by the named numbers of a study, compiled once.

    ``loss`` is part of the program (``label`` names it for the cache); ``extra`` are numbers it reads. The batch is ``block`` paths on each device.
    """

    def __init__(
        self,
        study: Any,
        loss: Loss,
        names: Iterable[str],
        *,
        extra: Any = None,
        label: Any = None,
        block: int | None = None,
        devices: int | None = None,
    ) -> None:
        self.devices = program.check_devices(devices)
        self.block = block or default_gradient_block()
        self.names = tuple(names)
        known = parameters(study)
        start = {name: jnp.asarray(known[name], jnp.result_type(float)) for name in self.names}

        def on_device(values: Any, study: Any, key: Any, first: Any, extra: Any) -> Any:
            def mean_loss(values: Mapping[str, Any]) -> tuple[Any, Any]:
                ids = program.local_ids(first, self.block)
                outcomes = program.simulate_block(with_parameters(study, values), key, ids, checkpoint=True)
                per_path, more = loss(outcomes, extra)
                return jnp.mean(per_path), {name: jnp.mean(x) for name, x in more.items()}

            return program.mean_over_devices(jax.value_and_grad(mean_loss, has_aux=True)(values))

        def fn(values: Any, study: Any, key: Any, first: Any, extra: Any) -> Any:
            return program.over_devices(on_device, self.devices, PartitionSpec())(values, study, key, first, extra)

        arguments = (start, program.as_arrays(study), np.zeros(2, np.uint32), program.words(0), program.as_arrays(extra))
        self.compiled = program.compiled(("gradient", label or loss, self.names, self.block, self.devices), fn, *arguments)

    @property
    def paths(self) -> int:
        """Paths in one batch."""
        return self.block * self.devices

    def __call__(self, values: Mapping[str, Any], study: Any, key: np.ndarray, batch: int, extra: Any = None) -> tuple[Any, Any, Any]:
        """(mean loss, means that came along, derivatives by name) of the ``batch``-th batch of paths."""
        dtype = jnp.result_type(float)
        numbers = {name: jnp.asarray(values[name], dtype) for name in self.names}
        first = program.words(batch * self.paths)
        (value, more), gradient = self.compiled.call(numbers, program.as_arrays(study), key, first, program.as_arrays(extra))
        return value, more, gradient
