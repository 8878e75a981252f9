"""Normals turned so that a low-discrepancy point's best coordinates go where the market varies most.

A market draws independent normals z of its factors and correlates them by x = L z. With z = Q u, Q = L^{-1} V sqrt(Lambda) orthogonal from the
eigenvectors of L L' = C by falling eigenvalue, u are as independent as z, and u_1 alone carries the largest share of what all assets do
together (Acworth, Broadie & Glasserman, "A comparison of some Monte Carlo and quasi Monte Carlo techniques for option pricing", 1998).
"""

from typing import Any, NamedTuple

import numpy as np

from mcengine._model import Scalar, model, number
from mcengine.noise import Path
from mcengine.statistics import Sampling


class _Source(NamedTuple):
    base: Any
    matrix: Scalar

    @property
    def rows(self) -> Any:
        return self.base.rows

    def at(self, row: Any) -> "_Source":
        return self._replace(base=self.base.at(row))

    def normals(self, step: Scalar, factors: int) -> tuple[Scalar, ...]:
        """Q u of one step."""
        u = self.base.normals(step, factors)
        return tuple(sum(self.matrix[i, j] * u[j] for j in range(factors)) for i in range(factors))

    def uniforms(self, step: Scalar, factors: int) -> tuple[Scalar, ...]:
        return self.base.uniforms(step, factors)


@model
class Rotated:
    """``base`` noise, its normals multiplied by the orthogonal ``matrix`` at every step."""

    base: Any
    matrix: Any = number(term=True)

    def check(self) -> None:
        if not np.allclose(self.matrix @ self.matrix.T, np.eye(len(self.matrix)), atol=1e-8):
            raise ValueError("Rotated.matrix: expected an orthogonal matrix, for independent normals to stay so, got another")

    @property
    def sampling(self) -> Sampling:
        return self.base.sampling

    def table_bytes(self, steps: int, factors: int) -> int:
        return self.base.table_bytes(steps, factors)

    def begin(self, key: Any, path: Path, steps: int, factors: int) -> _Source:
        return _Source(self.base.begin(key, path, steps, factors), self.matrix)


def principal(correlation: np.ndarray) -> np.ndarray:
    """Q for assets of one normal each."""
    values, vectors = np.linalg.eigh(correlation)
    falling = np.argsort(values)[::-1]
    return np.linalg.solve(np.linalg.cholesky(correlation), vectors[:, falling] * np.sqrt(values[falling]))
