"""What the compiler should compute in one kernel of its own.

With multi-output fusion (see ``_runtime``) XLA:CPU computes no value twice and fuses none that two kernels read. A hash whose every word has two
readers becomes a kernel a round, each reading and writing all the paths. And what several kernels share is an argument of each: the multiplier of
the hash, of which none then knows that it fits into 32 bits, so that they multiply 64 by 64. In one kernel the hash takes 0.6 of that time.
"""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp


def barrier(values: Sequence[Any]) -> tuple[jax.Array, ...]:
    """The same scalars, which the compiler fuses into none of their readers: there they could be computed once per reader."""
    return tuple(jax.lax.optimization_barrier(tuple(values))) if values else ()


def one_kernel(values: Sequence[Any]) -> tuple[jax.Array, ...]:
    """The same scalars, made by one kernel with all that only they need, but for roots, quotients and exponentials below them.

    On a CPU they get one reader, a maximum over two copies of each, so that all is fused into it; the compiler takes the copies out at its last
    stage. Nothing else that XLA lets one write reads several values and gives them all back. Other backends put a ``barrier``
    before them. Which of the two a program has is settled when it is lowered, for the platform it is lowered for: one exported for a GPU
    on a machine that has none is the program of a GPU.
    """
    return tuple(jax.lax.platform_dependent(*values, cpu=_read_together, default=_barrier)) if len(values) > 1 else barrier(values)


def _read_together(*values: jax.Array) -> tuple[jax.Array, ...]:
    lowest = tuple(jnp.asarray(-jnp.inf if jnp.issubdtype(v.dtype, jnp.floating) else jnp.iinfo(v.dtype).min, v.dtype) for v in values)
    copies = tuple(jax.lax.broadcast(v, (2,)) for v in values)
    return tuple(jax.lax.reduce(copies, lowest, lambda a, b: tuple(map(jnp.maximum, a, b)), (0,)))


def _barrier(*values: jax.Array) -> tuple[jax.Array, ...]:
    return barrier(values)


@jax.custom_jvp
def in_one_kernel(values: tuple[jax.Array, ...]) -> tuple[jax.Array, ...]:
    """``one_kernel`` of values that are differentiated: their derivatives are left to the compiler."""
    return one_kernel(values)


@in_one_kernel.defjvp
def _tangents(primals: tuple[Any], tangents: tuple[Any]) -> tuple[Any, Any]:
    return in_one_kernel(*primals), tangents[0]
