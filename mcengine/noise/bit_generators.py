"""Counter-based random words: a keyed bijection of a counter, ten or twenty rounds, no state.

philox4x32-10 and threefry2x32-20 of Salmon, Moraes, Dror & Shaw, "Parallel random numbers: as easy as 1, 2, 3" (SC 2011).
Both pass BigCrush; equal counters and keys give equal words on every machine, which the Random123 known-answer
vectors in the tests hold.
"""

from collections.abc import Callable
from functools import partial
from typing import TypeAlias

import jax
import jax.numpy as jnp
import numpy as np

Word: TypeAlias = jax.Array | np.ndarray | np.uint32

_PHILOX_M = (0xD2511F53, 0xCD9E8D57)
_PHILOX_W = (0x9E3779B9, 0xBB67AE85)  # golden ratio and sqrt(3) - 1, the key schedule's Weyl constants
_THREEFRY_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
_THREEFRY_PARITY = 0x1BD11BDA  # the Skein key-schedule constant of 32-bit Threefry


def _word(value: int) -> np.uint32:
    return np.uint32(value & 0xFFFFFFFF)


def _multiply_wide(a: jax.Array, m: int) -> tuple[jax.Array, jax.Array]:
    """High and low word of ``a * m``, the high one by a 64-bit product (``lax.mulhi`` does not compile inside ``shard_map``, JAX 0.10).

    The low word is a product of its own: taken from the wide one, that would have two readers and be stored, eight bytes a path.
    """
    with jax.enable_x64(True):
        wide = jax.lax.convert_element_type(a, jnp.uint64) * np.uint64(m)
        high = jax.lax.convert_element_type(wide >> np.uint64(32), jnp.uint32)
    return high, a * _word(m)


def _multiply_by_halves(a: jax.Array, m: int) -> tuple[jax.Array, jax.Array]:
    """High and low word of ``a * m`` by 32-bit products of 16-bit halves: no sum leaves 32 bits (Warren, "Hacker's Delight", section 8-2)."""
    half, mask = np.uint32(16), np.uint32(0xFFFF)
    upper, lower = a >> half, a & mask
    m_upper, m_lower = _word(m >> 16), _word(m & 0xFFFF)
    middle = upper * m_lower + ((lower * m_lower) >> half)
    carried = lower * m_upper + (middle & mask)
    return upper * m_upper + (middle >> half) + (carried >> half), a * _word(m)


def philox4x32(counter: tuple[Word, Word, Word, Word], key: tuple[Word, Word]) -> tuple[Word, Word, Word, Word]:
    """Four random words from a counter and a key: Philox4x32, 10 rounds (Salmon, Moraes, Dror & Shaw, SC 2011).

    A product's high word comes from 64-bit arithmetic on a CPU, where it is one instruction; from 32-bit arithmetic on other platforms, some of
    which have no other. The words are the same.

    Args:
        counter: Four uint32 words, of shapes that broadcast.
        key: Two uint32 words.
    """
    words = (jnp.asarray(word, jnp.uint32) for word in (*counter, *key))
    return jax.lax.platform_dependent(*words, cpu=_philox_wide, default=_philox_by_halves)


def _philox(multiply: Callable[[jax.Array, int], tuple[jax.Array, jax.Array]], *words: jax.Array) -> tuple[Word, Word, Word, Word]:
    x0, x1, x2, x3, k0, k1 = words
    for i in range(10):
        high0, low0 = multiply(x0, _PHILOX_M[0])
        high1, low1 = multiply(x2, _PHILOX_M[1])
        r0, r1 = k0 + _word(i * _PHILOX_W[0]), k1 + _word(i * _PHILOX_W[1])
        x0, x1, x2, x3 = high1 ^ x1 ^ r0, low1, high0 ^ x3 ^ r1, low0
    return x0, x1, x2, x3


# By name, once: JAX finds the traced branches of an earlier call by the function.
_philox_wide, _philox_by_halves = partial(_philox, _multiply_wide), partial(_philox, _multiply_by_halves)


def threefry2x32(counter: tuple[Word, Word], key: tuple[Word, Word]) -> tuple[Word, Word]:
    """Two random words from a counter and a key: Threefry2x32, 20 rounds (Salmon, Moraes, Dror & Shaw, SC 2011).

    Args:
        counter: Two uint32 words, of shapes that broadcast.
        key: Two uint32 words.
    """
    k0, k1 = jnp.asarray(key[0], jnp.uint32), jnp.asarray(key[1], jnp.uint32)
    schedule = (k0, k1, k0 ^ k1 ^ _word(_THREEFRY_PARITY))
    x0, x1 = jnp.asarray(counter[0], jnp.uint32) + k0, jnp.asarray(counter[1], jnp.uint32) + k1
    for i in range(5):
        for rotation in _THREEFRY_ROTATIONS[i % 2]:
            x0 = x0 + x1
            x1 = ((x1 << rotation) | (x1 >> (32 - rotation))) ^ x0
        x0 = x0 + schedule[(i + 1) % 3]
        x1 = x1 + schedule[(i + 2) % 3] + _word(i + 1)
    return x0, x1
