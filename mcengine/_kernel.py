"""What the compiler should compute in one kernel of its own.

XLA:CPU never computes a value twice and never fuses one that two kernels read: a hash whose every word has two readers becomes a kernel a
round, each reading and writing all the paths (1.7 times the time of the hash itself). And a number that several kernels share is passed to them
as an argument, so that none of them knows by how much it shifts, or that a factor fits into 32 bits.
"""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp


def one_kernel(values: Sequence[Any]) -> tuple[jax.Array, ...]:
    """The same scalars, made by one kernel with all that only they need: one reader, so that all is fused into it.

    The reader is a maximum over two copies of each, which the compiler takes out again at its last stage; nothing else that XLA lets one write
    reads several values and gives them all back. Other backends keep the values whole (``optimization_barrier``), which is all they need.
    """
    if len(values) < 2:
        return tuple(values)
    if jax.default_backend() != "cpu":
        return tuple(jax.lax.optimization_barrier(tuple(values)))
    lowest = tuple(jnp.asarray(-jnp.inf if jnp.issubdtype(v.dtype, jnp.floating) else 0, v.dtype) for v in values)
    copies = tuple(jax.lax.broadcast(v, (2,)) for v in values)
    return tuple(jax.lax.reduce(copies, lowest, lambda a, b: tuple(map(jnp.maximum, a, b)), (0,)))
