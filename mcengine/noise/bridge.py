"""Orderings of time: which of ``steps`` independent normals decide the course of a path first.

Both are orthogonal maps of the normals z_0, z_1, ... by rank to the increments of a random walk by step, so that increments are independent
standard normals again: nothing changes but the order of importance, and with it what the well spread first dimensions of a Sobol sequence reach.

- Brownian bridge: z_0 decides where the walk ends; the sum x over n steps is then split into halves of n_1 + n_2 = n steps, in time order level
  by level, by one normal each: n_1/n x + c z and n_2/n x - c z with c^2 = n_1 n_2/n (Caflisch, Morokoff & Owen 1997; Glasserman 2004, sec. 3.1).
- Principal components: with covariance min(i, j) of the walk, eigenvalue by eigenvalue (Glasserman 2004, eq. 3.16 and 3.17; differences of its
  eigenvectors): increment_i = sum_k 2/sqrt(2n+1) cos((2i-1)(2k-1) pi / (4n+2)) z_k, i, k = 1 ... n.
"""

import math
from functools import lru_cache
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np


class _Level(NamedTuple):
    """One level of splits: the k-th part of the next is ``ratio x[parent] + spread z[first + draw]``."""

    parent: np.ndarray
    draw: np.ndarray
    ratio: np.ndarray
    spread: np.ndarray
    first: int
    draws: int


@lru_cache(maxsize=16)
def _levels(steps: int) -> tuple[_Level, ...]:
    lengths, first, levels = [steps], 1, []
    while len(lengths) < steps:
        rows: list[tuple[int, int, float, float]] = []
        following: list[int] = []
        draws = 0
        for parent, n in enumerate(lengths):
            if n == 1:
                rows.append((parent, 0, 1.0, 0.0))
                following.append(1)
                continue
            early = (n + 1) // 2
            late = n - early
            spread = math.sqrt(early * late / n)
            rows += [(parent, draws, early / n, spread), (parent, draws, late / n, -spread)]
            following += [early, late]
            draws += 1
        parent_of, draw_of, ratio, sign = (np.array(column) for column in zip(*rows, strict=True))
        levels.append(_Level(parent_of, draw_of, ratio, sign, first, draws))
        lengths, first = following, first + draws
    return tuple(levels)


def bridge(z: jax.Array) -> jax.Array:
    """Increments by step from normals by rank, along the first axis. Elementwise sums in a fixed order: the same bits for every block."""
    broad = (slice(None), *(None,) * (z.ndim - 1))
    x = z[:1] * math.sqrt(z.shape[0])
    for level in _levels(z.shape[0]):
        draws = z[level.first : level.first + level.draws]
        parents, fresh = (a.at[rows].get(mode="promise_in_bounds") for a, rows in ((x, level.parent), (draws, level.draw)))
        x = level.ratio.astype(z.dtype)[broad] * parents + level.spread.astype(z.dtype)[broad] * fresh
    return x


@lru_cache(maxsize=4)
def component_matrix(steps: int) -> np.ndarray:
    """The orthogonal matrix [step, rank] of the principal components."""
    odd = 2.0 * np.arange(1, steps + 1) - 1.0
    return 2.0 / math.sqrt(2.0 * steps + 1.0) * np.cos(np.outer(odd, odd) * (math.pi / (4.0 * steps + 2.0)))


def components(z: jax.Array) -> jax.Array:
    """Increments by step from normals by rank, along the first axis: one matrix product."""
    matrix = jnp.asarray(component_matrix(z.shape[0]), z.dtype)
    # Full precision: a GPU would round the factors to ten bits.
    return jax.lax.dot_general(matrix, z, (((1,), (0,)), ((), ())), precision=jax.lax.Precision.HIGHEST)
