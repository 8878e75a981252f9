"""Antithetic paths: ids 2k and 2k + 1 are path k of another noise with normals z and -z, uniforms u and 1 - u.

The error is that of the means of pairs. It pays where the outcome is nearly monotone in the normals, and costs where it is nearly even in them:
a hedged loss may come out worse than without, so it is never on by default.
"""

from typing import Annotated, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from mcengine._model import model
from mcengine.noise.bit_generators import Word
from mcengine.noise.counter import Counter, Given, Path, draw
from mcengine.noise.normal import BELOW_ONE
from mcengine.statistics.sampling import Sampling


class AntitheticSource(NamedTuple):
    """The noise of one path; ``mirrored`` on the odd ids."""

    base: Any
    mirrored: jax.Array

    @property
    def rows(self) -> Any:
        return self.base.rows

    def at(self, row: Any) -> "AntitheticSource":
        return self._replace(base=self.base.at(row))

    def normals(self, step: Word, factors: int) -> tuple[jax.Array, ...]:
        return self.draw(step, factors, 0)[0]

    def uniforms(self, step: Word, factors: int) -> tuple[jax.Array, ...]:
        return self.draw(step, 0, factors)[1]

    def draw(self, step: Word, normals: int, uniforms: int) -> tuple[tuple[jax.Array, ...], tuple[jax.Array, ...]]:
        """(normals, uniforms) of one step."""
        drawn, even = draw(self.base, step, normals, uniforms)
        return (
            tuple(jnp.where(self.mirrored, -z, z) for z in drawn),
            tuple(jnp.where(self.mirrored, jnp.minimum(1.0 - u, BELOW_ONE), u) for u in even),
        )


@model
class Antithetic:
    """Antithetic pairs: ids 2k and 2k + 1 are path k of another noise with normals z and -z, uniforms u and 1 - u.

    Args:
        base: The noise mirrored, ``Counter`` or ``Given``.

    Raises:
        ValueError: ``base`` is another noise.
    """

    base: Annotated[Any, Counter | Given] = Counter()

    def canonical(self) -> dict[str, Any]:
        if not isinstance(self.base, Counter | Given):
            raise ValueError(f"Antithetic.base: expected a noise of independent paths, Counter or Given, got {type(self.base).__name__}")
        return {}

    @property
    def sampling(self) -> Sampling:
        return Sampling("pairs", 2)

    def table_bytes(self, steps: int, factors: int) -> int:
        """Bytes that a path keeps on the device.

        Args:
            steps: Steps of the run.
            factors: Normals a step.
        """
        return self.base.table_bytes(steps, factors)

    def begin(self, key: jax.Array, path: Path, steps: int, factors: int) -> AntitheticSource:
        """The random numbers of one path.

        Args:
            key: Two uint32 words [2], see ``make_key``.
            path: The path's id; odd ones are mirrored.
            steps: Steps of the run.
            factors: Normals a step.
        """
        high, low = (jnp.asarray(word, jnp.uint32) for word in path)
        half = Path(high >> np.uint32(1), (low >> np.uint32(1)) | (high << np.uint32(31)))
        return AntitheticSource(self.base.begin(key, half, steps, factors), (low & np.uint32(1)) != 0)
