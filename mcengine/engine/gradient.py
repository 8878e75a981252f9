"""Derivatives of a mean over paths.

Reverse mode: each step is checkpointed, its noise drawn again on the way back; only the scan's carry is kept, once a step, for one block.
A batch is any number of blocks one after the other, so its memory is that of one block. A block on a CPU is small: its steps' carries and
the many intermediate values of a step backwards stay near the core (2,048 paths: 1.4 times as fast as 4,096).
Forward mode: the derivatives ride along the path and nothing is kept. It costs about 2.5 runs for one number and grows with each; reverse
mode costs about 5 runs for any number. So up to ``FORWARD`` numbers go forward.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import PartitionSpec

from mcengine._model import check_pathwise, parameters, with_parameters
from mcengine.engine import program
from mcengine.engine.base import AbstractStudy
from mcengine.engine.not_finite import NotFiniteError
from mcengine.noise import Path, Shifted

Loss = Callable[[Any, Any], tuple[Any, dict[str, Any]]]
"""``loss(outcomes, extra)``: per-path values to be averaged, and more per-path values whose means come along."""

FORWARD = 2
"""Most numbers that are differentiated in forward mode."""


def default_gradient_block() -> int:
    """Paths a device differentiates at a time."""
    return 2_048 if jax.default_backend() == "cpu" else 1 << 17


class BatchGradient:
    """Mean loss of a batch of paths and its derivatives by the named numbers of a study, compiled once.

    Args:
        study: What is simulated; a call may give one with other numbers.
        loss: ``loss(outcomes, extra)``: per-path values, and more per-path values by name whose means come along; part of the program.
        names: Dotted names of the numbers, as of ``parameters(study)``.
        extra: Numbers that the loss reads.
        label: Names the loss for the cache of programs.
        batch: Least number of paths in a batch, over all devices; None for one block on each.
        block: Most paths that a device differentiates at a time.
        devices: Number of devices of this host; None for all.
        mode: "forward", "reverse" or "auto".

    Raises:
        ValueError: For shifted noise, or a number without a pathwise derivative, such as a jump's intensity.
    """

    def __init__(
        self,
        study: AbstractStudy,
        loss: Loss,
        names: Iterable[str],
        *,
        extra: Any = None,
        label: Any = None,
        batch: int | None = None,
        block: int | None = None,
        devices: int | None = None,
        mode: str = "auto",
    ) -> None:
        if mode not in ("auto", "forward", "reverse"):
            raise ValueError(f"mode: expected 'auto', 'forward' or 'reverse', got {mode!r}")
        if isinstance(study.noise, Shifted):
            raise ValueError("noise: expected unshifted noise for a derivative, for its mean takes no weights; got Shifted")
        self.devices, self.names = program.check_devices(devices), tuple(names)
        check_pathwise(study, self.names)
        block = block or default_gradient_block()
        batch = batch or block * self.devices
        self.blocks = max(1, -(-batch // (block * self.devices)))
        self.block = program.padded(-(-batch // self.blocks), block, self.devices)
        known = parameters(study)
        count = sum(np.size(known[name]) for name in self.names)
        self.mode = ("forward" if count <= FORWARD else "reverse") if mode == "auto" else mode
        start = {name: jnp.asarray(known[name], jnp.result_type(float)) for name in self.names}
        reverse = self.mode == "reverse"

        def on_device(values: Any, study: AbstractStudy, key: Any, first: Any, extra: Any) -> Any:
            def of_block(values: Mapping[str, Any], ids: Path) -> tuple[Any, Any]:
                outcomes = program.simulate_block(with_parameters(study, values), key, ids, checkpoint=reverse)
                per_path, more = loss(outcomes, extra)
                mean = jnp.mean(per_path)
                return mean, (mean, {name: jnp.mean(x) for name, x in more.items()})

            def differentiate(ids: Path) -> Any:
                slopes, means = (jax.grad if reverse else jax.jacfwd)(of_block, has_aux=True)(values, ids)
                return means, slopes

            return program.mean_over_blocks(differentiate, first, self.block, self.blocks)

        def fn(values: Any, study: AbstractStudy, key: Any, first: Any, extra: Any) -> Any:
            return program.over_devices(on_device, self.devices, PartitionSpec())(values, study, key, first, extra)

        arguments = (start, program.as_arrays(study), np.zeros(2, np.uint32), program.words(0), program.as_arrays(extra))
        name = ("gradient", label or loss, self.names, self.block, self.blocks, self.devices, self.mode)
        self.compiled = program.compiled(name, fn, *arguments)
        self._placed: tuple[Any, Any] = (None, None)

    @property
    def paths(self) -> int:
        """Paths in one batch."""
        return self.block * self.blocks * self.devices

    def __call__(self, values: Mapping[str, Any], study: AbstractStudy, key: np.ndarray, batch: int, extra: Any = None) -> tuple[Any, Any, Any]:
        """One batch.

        Args:
            values: Of the named numbers.
            study: The rest of the numbers.
            key: Of the random numbers, as ``noise.make_key`` gives it.
            batch: Index of the batch: it takes the paths from ``batch`` x ``paths`` on.
            extra: Numbers that the loss reads.

        Returns:
            (mean loss, means that came along by name, derivatives by name).
        """
        dtype = jnp.result_type(float)
        numbers = {name: np.asarray(values[name], dtype) for name in self.names}
        if self._placed[0] is not study:
            self._placed = (study, program.placed(program.as_arrays(study), self.devices))
        first = program.words(batch * self.paths)
        (value, more), slopes = self.compiled.call(numbers, self._placed[1], key, first, program.as_arrays(extra))
        return value, more, slopes

    def check(self, found: Any, values: Mapping[str, Any], study: AbstractStudy, batch: int, *, seed: int, stream: str) -> None:
        """Check that a batch gave finite numbers.

        Args:
            found: What the call returned.
            values: Of the named numbers.
            study: The rest of the numbers.
            batch: Index of the batch.
            seed: Of its random numbers.
            stream: Of its random numbers.

        Raises:
            NotFiniteError: Naming the paths that broke.
        """
        if all(np.all(np.isfinite(x)) for x in jax.tree.leaves(found)):
            return
        first = batch * self.paths
        with_parameters(study, values).run(self.paths, seed=seed, stream=stream, first=first, keep=self.paths, progress=False)
        raise NotFiniteError(list(range(first, first + self.paths)), "in a derivative only", seed, stream)
