"""Direction integers of Sobol sequences from the shipped numbers of Joe & Kuo (2008), new-joe-kuo-6.21201.

With the primitive polynomial x^s + a_1 x^(s-1) + ... + a_(s-1) x + 1 of a dimension, m_1 ... m_s given and v_j = m_j 2^(32-j):
    v_j = a_1 v_(j-1) xor ... xor a_(s-1) v_(j-s+1) xor v_(j-s) xor (v_(j-s) >> s)        (Bratley & Fox 1988, eq. 2)
"""

from functools import lru_cache
from importlib.resources import files

import numpy as np

MAX_DIMENSIONS = 21_201
BITS = 32
"""A sequence begins again after 2^32 points."""

_MAX_DEGREE = 18


@lru_cache(maxsize=1)
def _shipped() -> tuple[np.ndarray, np.ndarray]:
    """(polynomials [dimensions], initial numbers m_j [dimensions, 18], zero beyond a polynomial's degree); packed as data/SOURCES.md says."""
    with (files("mcengine.noise") / "data" / "joe_kuo_21201.npz").open("rb") as stream, np.load(stream) as data:
        polynomials, bits = data["polynomials"], np.unpackbits(data["bits"])
    degrees = _degrees(polynomials)
    initial = np.zeros((len(polynomials), _MAX_DEGREE), np.uint32)
    initial[:, 0] = 1
    at = 0
    for j in range(1, _MAX_DEGREE):
        have = np.flatnonzero(degrees > j)
        free = bits[at : at + j * len(have)].reshape(-1, j).astype(np.uint32)
        initial[have, j] = ((free << np.arange(j, dtype=np.uint32)).sum(axis=1, dtype=np.uint32) << np.uint32(1)) | np.uint32(1)
        at += j * len(have)
    return polynomials, initial


def _degrees(polynomials: np.ndarray) -> np.ndarray:
    return np.frexp(polynomials.astype(np.float64))[1] - 1


@lru_cache(maxsize=8)
def directions(dimensions: int) -> np.ndarray:
    """Direction integers [dimensions, 32]: bit j of a point's index, counted from the lowest, brings column j in."""
    polynomials, initial = (table[:dimensions] for table in _shipped())
    degrees = _degrees(polynomials)
    out = np.zeros((dimensions, BITS), np.uint32)
    out[0] = np.uint32(1) << np.arange(BITS - 1, -1, -1, dtype=np.uint32)
    for s in range(1, _MAX_DEGREE + 1):
        rows = np.flatnonzero(degrees == s)
        a, v = polynomials[rows], np.zeros((len(rows), BITS), np.uint32)
        for j in range(BITS):
            if j < s:
                v[:, j] = initial[rows, j] << np.uint32(BITS - 1 - j)
                continue
            v[:, j] = v[:, j - s] ^ (v[:, j - s] >> np.uint32(s))
            for k in range(1, s):
                v[:, j] ^= ((a >> np.uint32(s - k)) & np.uint32(1)) * v[:, j - k]
        out[rows] = v
    return out
