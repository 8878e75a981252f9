"""Random numbers by address: ``(seed, stream, path, step, factor)`` in, a normal out; nothing is stored, nothing is advanced.

The counter is (path low, path high, step, block of factors), the key is made of seed and stream. A factor's address does not
depend on how many factors there are, so a market with one asset more meets the same noise in the others.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from mcengine._kernel import barrier, one_kernel
from mcengine._model import model, static
from mcengine.noise.bit_generators import Word, philox4x32, threefry2x32
from mcengine.noise.normal import normal_from_words, normals_by_box_muller, normals_by_box_muller_float64, uniform_from_words
from mcengine.statistics.sampling import Sampling

STREAMS = ("test", "train", "validate", "pilot", "scramble")
_UNIFORM_BLOCKS = 1 << 31  # uniforms live in the upper half of the block counter, away from the normals
_KEY_DOMAIN = 0x6D63656E  # "mcen": keys are words of a counter that no path ever has


class Path(NamedTuple):
    """A 64-bit path id in two uint32 words.

    Args:
        high: Upper 32 bits.
        low: Lower 32 bits.
    """

    high: Word
    low: Word


def path_ids(start: int, count: int) -> Path:
    """Consecutive path ids.

    Args:
        start: The first id.
        count: How many.

    Returns:
        Words [count].
    """
    return split_ids(np.arange(start, start + count, dtype=np.uint64))


def split_ids(ids: np.ndarray) -> Path:
    """64-bit ids in two words each.

    Args:
        ids: uint64 [paths].
    """
    return Path((ids >> np.uint64(32)).astype(np.uint32), (ids & np.uint64(0xFFFFFFFF)).astype(np.uint32))


def make_key(seed: int, stream: str = "test") -> np.ndarray:
    """Key of a seed and a stream: equal seeds with other streams give independent numbers.

    Args:
        seed: Whole number from 0 to 2^64 - 1.
        stream: test, train, validate, pilot or scramble.

    Returns:
        Two uint32 words [2].

    Raises:
        ValueError: The stream is unknown, or the seed out of range.
    """
    if stream not in STREAMS:
        raise ValueError(f"stream: expected one of {', '.join(STREAMS)}, got {stream!r}")
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or not 0 <= seed < 1 << 64:
        raise ValueError(f"seed: expected a whole number from 0 to 2^64 - 1, got {seed!r}")
    words = stream_key((np.uint32(int(seed) & 0xFFFFFFFF), np.uint32(int(seed) >> 32)), stream)
    return np.array([int(words[0]), int(words[1])], np.uint32)


def stream_key(seed: Any, stream: str) -> tuple[Word, Word]:
    """Key of a stream from two seed words; these may be a key, from which a stream of its own then comes."""
    return philox4x32((seed[0], seed[1], np.uint32(STREAMS.index(stream)), np.uint32(_KEY_DOMAIN)), (np.uint32(0), np.uint32(0)))[:2]


class Source(NamedTuple):
    """The random numbers of one path.

    Args:
        key: Two uint32 words.
        path: The path's id.
        generator: philox or threefry.
        normal: box_muller or inversion.
    """

    key: tuple[Word, Word]
    path: Path
    generator: str
    normal: str

    @property
    def rows(self) -> tuple[()]:
        """What a scan over steps should read row by row and hand to ``at``: nothing, a counter has no table."""
        return ()

    def at(self, row: Any) -> "Source":
        """The source with the row of the step that is asked next; a counter has no table and stays as it is.

        Args:
            row: One row of ``rows``.
        """
        return self

    def normals(self, step: Word, factors: int) -> tuple[jax.Array, ...]:
        """Independent standard normals of one step.

        Args:
            step: Index of the step.
            factors: How many.
        """
        return self.draw(step, factors, 0)[0]

    def uniforms(self, step: Word, factors: int) -> tuple[jax.Array, ...]:
        """Independent uniforms on (0, 1) of one step.

        Args:
            step: Index of the step.
            factors: How many.
        """
        return self.draw(step, 0, factors)[1]

    def draw(self, step: Word, normals: int, uniforms: int) -> tuple[tuple[jax.Array, ...], tuple[jax.Array, ...]]:
        """Normals and uniforms of one step, all their words hashed by one kernel.

        Args:
            step: Index of the step.
            normals: How many normals.
            uniforms: How many uniforms.

        Returns:
            (normals, uniforms).
        """
        dtype = jnp.result_type(float)
        words = 1 if dtype == jnp.float32 else 2
        paired = self.normal == "box_muller"
        wanted = words * (normals + normals % 2 if paired else normals)
        hashed = one_kernel(self._words(step, wanted, 0) + self._words(step, words * uniforms, _UNIFORM_BLOCKS))
        by_number: list[Any] = [(w, None) for w in hashed] if words == 1 else list(zip(hashed[::2], hashed[1::2], strict=True))
        count = wanted // words
        drawn: tuple[jax.Array, ...] = ()
        if paired:
            for first, second in zip(by_number[:count:2], by_number[1:count:2], strict=True):
                pair = normals_by_box_muller(first[0], second[0]) if words == 1 else normals_by_box_muller_float64(first, second)
                drawn += one_kernel(pair[: normals - len(drawn)])
        else:
            drawn = barrier([normal_from_words(high, low, dtype) for high, low in by_number[:count]])
        return drawn, tuple(uniform_from_words(high, low, dtype) for high, low in by_number[count:])

    def _words(self, step: Word, needed: int, first_block: int) -> list[Word]:
        words: list[Word] = []
        while len(words) < needed:
            words.extend(self._block(step, np.uint32(first_block)))
            first_block += 1
        return words[:needed]

    def _block(self, step: Word, block: np.uint32) -> tuple[Word, ...]:
        step = jnp.asarray(step).astype(jnp.uint32)
        if self.generator == "philox":
            return philox4x32((self.path.low, self.path.high, step, block), self.key)
        return threefry2x32((step, block), self.key)


@model
class Counter:
    """Pseudo-random numbers by address: each is a function of (seed, stream, path, step, factor), none is stored.

    Args:
        generator: philox (philox4x32-10) or threefry (threefry2x32-20); philox is the faster one.
        normal: box_muller, or inversion: a normal that increases with its word, at twice the time.

    Raises:
        ValueError: Either is unknown.

    Example:
        >>> source = mc.noise.Counter().begin(mc.noise.make_key(seed=1), mc.noise.path_ids(0, 4), steps=12, factors=2)
        >>> [z.shape for z in source.normals(0, 2)]
        [(4,), (4,)]
    """

    generator: str = static(default="philox")
    normal: str = static(default="box_muller")

    def check(self) -> None:
        if self.generator not in ("philox", "threefry"):
            raise ValueError(f"Counter.generator: expected 'philox' or 'threefry', got {self.generator!r}")
        if self.normal not in ("box_muller", "inversion"):
            raise ValueError(f"Counter.normal: expected 'box_muller' or 'inversion', got {self.normal!r}")

    @property
    def sampling(self) -> Sampling:
        return Sampling()

    def table_bytes(self, steps: int, factors: int) -> int:
        """Bytes that a path keeps on the device: none.

        Args:
            steps: Steps of the run.
            factors: Normals a step.
        """
        return 0

    def begin(self, key: jax.Array, path: Path, steps: int, factors: int) -> Source:
        """The random numbers of one path.

        Args:
            key: Two uint32 words [2], see ``make_key``.
            path: The path's id.
            steps: Steps of the run; a counter needs not know.
            factors: Normals a step; nor these.
        """
        words: tuple[Word, Word] = (key[0], key[1])
        if self.generator == "threefry":
            # Two counter words hold step and block only: the path goes into the key, through the cipher once.
            words = threefry2x32((path.low, path.high), words)
        return Source(words, path, self.generator, self.normal)


class _GivenSource(NamedTuple):
    draws: jax.Array

    @property
    def rows(self) -> tuple[()]:
        return ()

    def at(self, row: Any) -> "_GivenSource":
        return self

    def normals(self, step: Word, factors: int) -> tuple[jax.Array, ...]:
        if factors > self.draws.shape[1]:
            raise ValueError(f"Given.draws: expected {factors} factors a step, got {self.draws.shape[1]}")
        row = self.draws[step]
        return tuple(row[f] for f in range(factors))

    def uniforms(self, step: Word, factors: int) -> tuple[jax.Array, ...]:
        raise ValueError("Given.uniforms: only normals were given")


@model
class Given:
    """Normals passed in, the same for every path: for tests, replays and derivatives by the noise.

    Args:
        draws: Standard normals [steps, factors].
    """

    draws: jax.Array

    @property
    def sampling(self) -> Sampling:
        return Sampling()

    def table_bytes(self, steps: int, factors: int) -> int:
        """Bytes that a path keeps on the device: none, all share the draws.

        Args:
            steps: Steps of the run.
            factors: Normals a step.
        """
        return 0

    def begin(self, key: jax.Array, path: Path, steps: int, factors: int) -> _GivenSource:
        """The given normals, whatever the path.

        Args:
            key: Not used.
            path: Not used.
            steps: Not used.
            factors: Not used.
        """
        return _GivenSource(jnp.asarray(self.draws))


def draw(source: Any, step: Word, normals: int, uniforms: int) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """Normals and uniforms of a step from any source, at once where it can.

    Args:
        source: What a noise's ``begin`` returned.
        step: Index of the step.
        normals: How many normals.
        uniforms: How many uniforms.

    Returns:
        (normals, uniforms).
    """
    if hasattr(source, "draw"):
        return source.draw(step, normals, uniforms)
    return source.normals(step, normals), source.uniforms(step, uniforms) if uniforms else ()
