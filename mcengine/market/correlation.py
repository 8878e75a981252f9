"""Correlation between Brownian motions, and the one Cholesky factor that makes it.

Each asset draws independent normals of its own and says with which unit vector l its price loads on them. Normals of two assets i, j
are correlated by c_ij l_i l_j', so prices are correlated by the target c_ij, and whatever else an asset drives (its variance) is
correlated with other assets only through its price. That matrix is positive definite whenever c is.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, NamedTuple, TypeAlias

import jax.numpy as jnp
import numpy as np

from mcengine._model import Scalar

Target: TypeAlias = Annotated[Any, Mapping[str, float] | Sequence[Sequence[float]] | None]
"""Correlations by pair, the rest 0, or a matrix; None: all 0."""


def to_pairs(correlation: Any, names: Sequence[str]) -> dict[str, Any]:
    """Target correlation by pair ``"first-second"``: from a matrix in the order of ``names``, or from a dict of some pairs (the rest 0).

    One number a pair, so that a derivative by a correlation is the whole of it. Raises ``ValueError`` for what is no correlation matrix.
    """
    keys = [f"{a}-{b}" for i, b in enumerate(names) for a in names[:i]]
    if correlation is None:
        return dict.fromkeys(keys, 0.0)
    if isinstance(correlation, Mapping):
        pairs: dict[str, Any] = dict.fromkeys(keys, 0.0)
        given: set[str] = set()
        for key, value in correlation.items():
            first, _, second = str(key).partition("-")
            key = f"{first}-{second}" if f"{first}-{second}" in pairs else f"{second}-{first}"
            if key in given:
                raise ValueError(f"correlation: expected each pair once, got {first}-{second} and its reverse")
            given.add(key)
            if key not in pairs:
                raise ValueError(f"correlation: expected pairs of {', '.join(names)} written first-second, got {first}-{second}")
            if value is None or isinstance(value, complex | Mapping) or np.ndim(value) != 0:
                raise ValueError(f"correlation.{key}: expected a number between -1 and 1, got {value!r}")
            pairs[key] = value
        return pairs
    n = len(names)
    matrix = _numbers(correlation)
    if matrix is None or not np.all(np.isfinite(matrix)):
        raise ValueError(f"correlation: expected a {n} x {n} matrix of numbers for {', '.join(names)}, got {correlation!r}")
    if matrix.shape != (n, n):
        raise ValueError(f"correlation: expected a {n} x {n} matrix for {', '.join(names)}, got shape {matrix.shape}")
    if not np.allclose(matrix, matrix.T, rtol=0.0, atol=1e-12):
        i, j = divmod(int(np.argmax(np.abs(matrix - matrix.T))), n)
        raise ValueError(
            f"correlation: expected a symmetric matrix, got {matrix[i, j]:g} for {names[i]}-{names[j]} but {matrix[j, i]:g} for {names[j]}-{names[i]}"
        )
    if not np.allclose(np.diag(matrix), 1.0, rtol=0.0, atol=1e-12):
        raise ValueError(f"correlation: expected ones on the diagonal, got {np.diag(matrix).tolist()}")
    return {f"{a}-{b}": matrix[i, j] for j, b in enumerate(names) for i, a in enumerate(names[:j])}


def _numbers(matrix: Any) -> np.ndarray | None:
    """The matrix in float64; None for what has rows of different lengths or is no number somewhere."""
    try:
        return np.asarray(matrix, np.float64)
    except (ValueError, TypeError):
        return None


def to_matrix(pairs: Mapping[str, Any], names: Sequence[str]) -> np.ndarray:
    """The full matrix of plain numbers."""
    matrix = np.eye(len(names))
    for j, b in enumerate(names):
        for i, a in enumerate(names[:j]):
            matrix[i, j] = matrix[j, i] = float(pairs[f"{a}-{b}"])
    return matrix


def check_range(pairs: Mapping[str, Any], *, ends: bool = False) -> None:
    """Raise unless every pair's correlation is one, between -1 and 1 (the ``ends`` too, where they will be repaired)."""
    for key, value in pairs.items():
        if not (-1.0 < float(value) < 1.0 or (ends and abs(float(value)) == 1.0)):
            raise ValueError(f"correlation.{key}: expected a number between -1 and 1, got {float(value):g}")


def between(pairs: Mapping[str, Any], first: str, second: str) -> Scalar:
    """The correlation of a pair, named either way; 0 where it is not asked."""
    return pairs.get(f"{first}-{second}", pairs.get(f"{second}-{first}", 0.0))


def check(pairs: Mapping[str, Any], names: Sequence[str]) -> None:
    """Raise unless the pairs make a positive definite correlation matrix."""
    check_range(pairs)
    smallest = float(np.linalg.eigvalsh(to_matrix(pairs, names))[0]) if names else 1.0
    if smallest <= 1e-10:
        raise ValueError(f"correlation: expected a positive definite matrix, got one with smallest eigenvalue {smallest:.3g}")


class Repaired(NamedTuple):
    """A correlation matrix, its Frobenius ``distance`` from the target, and how many projections it took."""

    matrix: np.ndarray
    distance: float
    rounds: int


def nearest(matrix: Any, *, smallest: float = 1e-5, tolerance: float = 1e-10, rounds: int = 10_000) -> Repaired:
    """Nearest correlation matrix in the Frobenius norm (Higham 2002, algorithm 3.3).

    Alternating projections on the matrices with large enough eigenvalues and on the unit diagonal, with Dykstra's correction on the former. A matrix
    that is one already comes back as it is.

    Args:
        matrix: Symmetric, of finite numbers [n, n].
        smallest: Eigenvalue that none may lie below.
        tolerance: Distance moved in a round at which it has settled.
        rounds: At most so many.

    Raises:
        ValueError: The matrix is not symmetric, or projections do not settle.
    """
    given = _numbers(matrix)
    square = given is not None and given.ndim == 2 and given.shape[0] == given.shape[1] and bool(np.all(np.isfinite(given)))
    if given is None or not square or not np.allclose(given, given.T, rtol=0.0, atol=1e-12):
        raise ValueError(f"nearest: expected a symmetric matrix of finite numbers, got {matrix if given is None else given.tolist()!r}")
    if np.allclose(np.diag(given), 1.0, rtol=0.0, atol=1e-12) and np.linalg.eigvalsh(given)[0] >= smallest:
        return Repaired(given.copy(), 0.0, 0)
    x, correction = given.copy(), np.zeros_like(given)
    for count in range(1, rounds + 1):
        values, vectors = np.linalg.eigh(x - correction)
        projected = (vectors * np.maximum(values, smallest)) @ vectors.T
        correction = projected - (x - correction)
        following = projected.copy()
        np.fill_diagonal(following, 1.0)
        moved = float(np.linalg.norm(following - x)) + float(np.linalg.norm(following - projected))
        x = following
        if moved < tolerance:
            x = 0.5 * (x + x.T)
            return Repaired(x, float(np.linalg.norm(x - given)), count)
    raise ValueError(f"nearest: expected projections to settle within {rounds:,} rounds, still {moved:.2g} apart")


def realised(increments: Any) -> np.ndarray:
    """Correlation matrix of standardised increments [..., series]: what a sample shows of the target. Its error is (1 - c^2)/sqrt(count)."""
    flat = np.asarray(increments, np.float64).reshape(-1, np.shape(increments)[-1])
    return np.atleast_2d(np.corrcoef(flat, rowvar=False))


def factor(pairs: Mapping[str, Scalar], names: Sequence[str], loadings: Sequence[tuple[Scalar, ...]]) -> list[list[Scalar]]:
    """Rows of the lower Cholesky factor over all normals of all assets, as scalars; what is 0 for every correlation stays a Python 0."""
    normals = [(i, k) for i, row in enumerate(loadings) for k in range(len(row))]

    def entry(a: int, b: int) -> Scalar:
        (i, k), (j, m) = normals[a], normals[b]
        if i == j:
            return 1.0 if k == m else 0.0
        if _is_zero(loadings[i][k]) or _is_zero(loadings[j][m]):
            return 0.0
        target = pairs[f"{names[j]}-{names[i]}"] if f"{names[j]}-{names[i]}" in pairs else pairs[f"{names[i]}-{names[j]}"]
        return target * loadings[i][k] * loadings[j][m]

    rows: list[list[Scalar]] = []
    for a in range(len(normals)):
        row: list[Scalar] = []
        for b in range(a):
            left = entry(a, b) - _dot(row, rows[b][:b])
            row.append(0.0 if _is_zero(left) else left / rows[b][b])
        rest = 1.0 - _dot(row, row)
        row.append(math.sqrt(rest) if isinstance(rest, float) else jnp.sqrt(rest))
        rows.append(row)
    return rows


def correlate(rows: list[list[Scalar]], z: Sequence[Scalar]) -> list[Scalar]:
    """L z, written out: no matrix in the hot loop."""
    return [_dot(row, z) for row in rows]


def decorrelate(rows: list[list[Scalar]], y: Sequence[Scalar]) -> list[Scalar]:
    """z with L z = y."""
    z: list[Scalar] = []
    for row, value in zip(rows, y, strict=True):
        z.append((value - _dot(row[:-1], z)) / row[-1])
    return z


def _is_zero(x: Scalar) -> bool:
    """Whether a number is 0 whatever the parameters: a Python one, part of the program."""
    return isinstance(x, float) and x == 0.0


def _dot(x: Sequence[Scalar], y: Sequence[Scalar]) -> Scalar:
    """Sum of products, without those that are 0 for every correlation."""
    return sum((a * b for a, b in zip(x, y, strict=False) if not (_is_zero(a) or _is_zero(b))), 0.0)
