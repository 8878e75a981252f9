"""Sobol points with independent Owen scramblings, ordered over time by a Brownian bridge or principal components.

A path id is (point, randomisation) = (id // R, id mod R). Within a randomisation the points are a scrambled Sobol sequence, in the order of its
Gray code; the R randomisations are independent, and only they tell an error: sd of their R means over sqrt(R). A longer run extends every sequence.

Dimension of (rank, factor) = rank x factors + factor: all factors' first ranks come first. Unlike a counter's, a Sobol address therefore depends on
the number of factors. Ranks beyond the last whole one that ``dimensions`` hold draw from the counter.

Scrambling: nested uniform (Owen 1995) by hashing (Laine & Karras 2011; Burley 2020, "Practical hash-based Owen scrambling"). On a word whose bits
are reversed every operation may let a bit depend only on those below it: sums, odd products, x ^= x * even. Constants: Vegdahl (2021), "Building
a better LK hash". Sum and product take words of their own here, so that every point is uniform whatever the hash. The words come
from a counter keyed by the run's key and the stream "scramble".

The table of a block is built at once, in arrays with paths last, by the rule that ``begin`` brings for ``vmap``: written path by path, the
compiler would lay it out path by path, and every step of the scan would gather its row.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.custom_batching import custom_vmap

from mcengine._model import model, number, static
from mcengine.noise.bit_generators import Word, philox4x32
from mcengine.noise.bridge import bridge, components
from mcengine.noise.counter import Counter, Path, Source, stream_key
from mcengine.noise.directions import BITS, MAX_DIMENSIONS, directions
from mcengine.noise.normal import normal_from_words
from mcengine.statistics.sampling import Sampling

ORDERINGS = {"bridge": bridge, "pca": components, "none": lambda z: z}
_MAX_RANDOMISATIONS = 1024


def reverse_bits(word: Any) -> Any:
    """The 32 bits of a word in opposite order; NumPy or JAX."""
    for shift, mask in ((1, 0x55555555), (2, 0x33333333), (4, 0x0F0F0F0F), (8, 0x00FF00FF)):
        word = ((word >> np.uint32(shift)) & np.uint32(mask)) | ((word & np.uint32(mask)) << np.uint32(shift))
    return (word >> np.uint32(16)) | (word << np.uint32(16))


def scramble_reversed(word: jax.Array, add: jax.Array, multiply: jax.Array) -> jax.Array:
    """Nested uniform scrambling of a word with reversed bits, by two random words."""
    word = word ^ (word * np.uint32(0x3D20ADEA))
    word = (word + add) * (multiply | np.uint32(1))
    word = word ^ (word * np.uint32(0x05526C56))
    return word ^ (word * np.uint32(0x53A22864))


def _mix(word: jax.Array) -> jax.Array:
    """A bijection of 32 bits without visible structure: lowbias32 of Wellons (2018), "Prospecting for hash functions"."""
    word = (word ^ (word >> np.uint32(16))) * np.uint32(0x7FEB352D)
    word = (word ^ (word >> np.uint32(15))) * np.uint32(0x846CA68B)
    return word ^ (word >> np.uint32(16))


def gray_index(path: Path, randomisations: int) -> jax.Array:
    """Gray code of the point, n xor n/2: scipy's order. The point is the path id without its randomisation, modulo 2^32."""
    shift = randomisations.bit_length() - 1
    point = (jnp.asarray(path.high, jnp.uint32) << np.uint32(BITS - shift)) | (jnp.asarray(path.low, jnp.uint32) >> np.uint32(shift))
    return point ^ (point >> np.uint32(1))


def point_reversed(gray: jax.Array, columns: jax.Array) -> jax.Array:
    """The Sobol word with reversed bits: the xor of those of ``columns`` [..., 32] (reversed too) that the index has."""
    word = jnp.zeros(jnp.broadcast_shapes(gray.shape, columns.shape[:-1]), jnp.uint32)
    for bit in range(BITS):
        word = jnp.where((gray & np.uint32(1 << bit)) != 0, word ^ columns[..., bit], word)
    return word


def principal_rotation(loadings: np.ndarray) -> np.ndarray:
    """Rotation that puts a portfolio's main direction into the first factor: the right singular vectors of the loadings.

    Args:
        loadings: How much of each risk a unit of each normal moves [risks, factors]; for assets, weight x volatility x Cholesky factor.

    Returns:
        Orthogonal matrix Q [factors, factors]; the columns of ``loadings @ Q`` fall in size.

    Example:
        >>> loadings = np.array([[3.0, 4.0]])
        >>> np.abs(loadings @ mc.noise.principal_rotation(loadings)).round(6)
        array([[5., 0.]])
    """
    rotation = np.linalg.svd(np.atleast_2d(np.asarray(loadings, np.float64)))[2].T
    return rotation * np.where(rotation.sum(axis=0) < 0.0, -1.0, 1.0)


class SobolSource(NamedTuple):
    """The noise of one path: a column [steps] of normals for each factor, rotated as they are handed out; uniforms come from the counter."""

    columns: tuple[jax.Array, ...]
    counter: Source
    rotation: Any = None
    row: tuple[jax.Array, ...] | None = None

    @property
    def rows(self) -> tuple[jax.Array, ...]:
        return self.columns

    def at(self, row: Any) -> "SobolSource":
        return self._replace(row=row)

    def normals(self, step: Word, factors: int) -> tuple[jax.Array, ...]:
        if factors > len(self.columns):
            raise ValueError(f"Sobol: expected the {len(self.columns)} factors it was begun with, got {factors}")
        z = self.row
        if z is None:
            z = tuple(jax.lax.dynamic_index_in_dim(column, step, keepdims=False) for column in self.columns)
        if self.rotation is None:
            return tuple(z[:factors])
        return tuple(sum(self.rotation[f, g] * z[g] for g in range(len(z))) for f in range(factors))

    def uniforms(self, step: Word, factors: int) -> tuple[jax.Array, ...]:
        return self.counter.uniforms(step, factors)


@model
class Sobol:
    """Scrambled Sobol points in independent randomisations (Owen 1995), ordered over time.

    Args:
        randomisations: Independent scramblings, a power of two; the error is made of their means.
        ordering: Of dimensions over time: bridge (Brownian bridge), pca (principal components) or none.
        dimensions: Most that are drawn from the sequence, the rest come from a counter; ``coverage`` says how many.
        rotation: Orthogonal matrix [factors, factors] that makes factors of what the sequence spreads best (see ``principal_rotation``), or None.
            It changes no distribution.

    Raises:
        ValueError: A field is out of its range, or the rotation is not orthogonal.

    Example:
        >>> mc.noise.Sobol(dimensions=100).coverage(steps=252, factors=3)
        (99, 657)
    """

    randomisations: int = static(default=32)
    ordering: str = static(default="bridge")
    dimensions: int = static(default=MAX_DIMENSIONS)
    rotation: Any = number(default=None, term=True)

    def check(self) -> None:
        r = self.randomisations
        if isinstance(r, bool) or not isinstance(r, int) or not 2 <= r <= _MAX_RANDOMISATIONS or r & (r - 1):
            raise ValueError(f"Sobol.randomisations: expected a power of two from 2 to {_MAX_RANDOMISATIONS}, got {r!r}")
        if self.ordering not in ORDERINGS:
            raise ValueError(f"Sobol.ordering: expected one of {', '.join(ORDERINGS)}, got {self.ordering!r}")
        if isinstance(self.dimensions, bool) or not isinstance(self.dimensions, int) or not 1 <= self.dimensions <= MAX_DIMENSIONS:
            raise ValueError(f"Sobol.dimensions: expected a whole number from 1 to {MAX_DIMENSIONS:,}, got {self.dimensions!r}")
        if self.rotation is None:
            return
        shape = np.shape(self.rotation)
        if len(shape) != 2 or shape[0] != shape[1] or not np.allclose(self.rotation @ self.rotation.T, np.eye(shape[0]), atol=1e-6):
            raise ValueError(f"Sobol.rotation: expected an orthogonal matrix, factors by factors, got shape {shape} and {self.rotation}")

    @property
    def sampling(self) -> Sampling:
        return Sampling("randomisations", self.randomisations)

    def table_bytes(self, steps: int, factors: int) -> int:
        """Bytes that a path needs on the device while its table is made: normals by rank and by step.

        Args:
            steps: Steps of the run.
            factors: Normals a step.
        """
        return 2 * steps * factors * jnp.dtype(jnp.result_type(float)).itemsize

    def coverage(self, steps: int, factors: int) -> tuple[int, int]:
        """Dimensions of a path drawn from the sequence and from the counter; of each rank all factors or none.

        Args:
            steps: Steps of the run.
            factors: Normals a step.

        Returns:
            (from the sequence, from the counter).

        Raises:
            ValueError: There are more factors than dimensions.
        """
        if not 1 <= factors <= self.dimensions:
            raise ValueError(f"Sobol.dimensions: expected at least one for each of {factors} factors, got {self.dimensions:,}")
        ranks = min(steps, self.dimensions // factors)
        return ranks * factors, (steps - ranks) * factors

    def begin(self, key: jax.Array, path: Path, steps: int, factors: int) -> SobolSource:
        """The random numbers of one path; under ``vmap`` over paths (not over keys) the table of the whole block.

        Args:
            key: Two uint32 words [2], see ``make_key``.
            path: The path's id: (point, randomisation) = (id // R, id mod R).
            steps: Steps of the run.
            factors: Normals a step.

        Raises:
            ValueError: The rotation is for another number of factors.
        """
        if self.rotation is not None and self.rotation.shape[0] != factors:
            raise ValueError(f"Sobol.rotation: expected {factors} factors, got {self.rotation.shape[0]}")

        def block(key: jax.Array, high: jax.Array, low: jax.Array) -> tuple[jax.Array, ...]:
            table = ORDERINGS[self.ordering](self._normals(key, Path(high, low), steps, factors))
            return tuple(table[:, f] for f in range(factors))

        @custom_vmap
        def columns(key: jax.Array, high: jax.Array, low: jax.Array) -> tuple[jax.Array, ...]:
            return tuple(column[:, 0] for column in block(key, high[None], low[None]))

        @columns.def_vmap
        def _(size: int, batched: list[bool], key: jax.Array, high: jax.Array, low: jax.Array) -> tuple[tuple[jax.Array, ...], tuple[bool, ...]]:
            if batched[0]:
                raise NotImplementedError("Sobol.begin: expected one key for all paths of a block")
            table = block(key, jnp.broadcast_to(high, (size,)), jnp.broadcast_to(low, (size,)))
            return tuple(column.T for column in table), (True,) * factors

        words = (jnp.asarray(path.high, jnp.uint32), jnp.asarray(path.low, jnp.uint32))
        rotation = None if self.rotation is None else jnp.asarray(self.rotation)
        return SobolSource(columns(jnp.asarray(key), *words), Counter().begin(key, path, steps, factors), rotation)

    def _normals(self, key: jax.Array, path: Path, steps: int, factors: int) -> jax.Array:
        """Normals [rank, factor, path] of a block of paths."""
        ranks = self.coverage(steps, factors)[0] // factors
        columns = reverse_bits(directions(ranks * factors)).reshape(ranks, factors, BITS)
        key_of_scrambles = stream_key(key, "scramble")
        dimension = np.arange(ranks * factors, dtype=np.uint32).reshape(ranks, factors, 1)
        by_dimension = philox4x32((dimension, np.uint32(0), np.uint32(0), np.uint32(0)), key_of_scrambles)
        randomisation = path.low & np.uint32(self.randomisations - 1)
        by_randomisation = philox4x32((randomisation, np.uint32(0), np.uint32(0), np.uint32(1)), key_of_scrambles)
        gray, dtype = gray_index(path, self.randomisations), jnp.result_type(float)

        def one_rank(row: Any) -> jax.Array:
            add, multiply = (_mix(a ^ b) for a, b in zip(row["words"][:2], by_randomisation[:2], strict=True))
            word = scramble_reversed(point_reversed(gray, row["columns"][:, None]), add, multiply)
            # Digits beyond 32 are random and fixed by those before, as the scrambling of an infinite sequence has them.
            low = None if dtype == jnp.float32 else _mix(word ^ _mix(row["words"][2] ^ by_randomisation[2]))
            return normal_from_words(reverse_bits(word), low, dtype)

        rows = {"columns": jnp.asarray(columns), "words": by_dimension[:3]}
        z = jax.lax.map(one_rank, rows)
        if ranks == steps:
            return z
        counter = Counter().begin(key, path, steps, factors)
        rest = jax.lax.map(lambda rank: jnp.stack(counter.normals(rank, factors)), jnp.arange(ranks, steps))
        return jnp.concatenate([z, rest])
