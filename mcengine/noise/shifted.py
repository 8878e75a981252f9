"""Importance sampling: normals moved towards a rare event, with the density that makes every figure unbiased again.

A share 1 - a of the paths draws x = z + h(step), the rest x = z (a defensive mixture: Hesterberg 1995), until a watched value first
falls below a level; from then on every path draws z. With L = dQ/dP the ratio of the moved to the plain density at the first passage,
    ln L = sum over steps before it of (h.x - h.h/2),   weight = 1 / (a + (1 - a) L) <= 1/a,
and E[weight X] = E[X] for whatever X of the whole path: L is a martingale, so its value at the stopping time serves for all that follows
(Glasserman, "Monte Carlo Methods in Financial Engineering", 2004, section 4.6.1).
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from mcengine._model import Scalar, model, number, static
from mcengine.noise.bit_generators import Word
from mcengine.noise.counter import Counter, Path, draw
from mcengine.statistics.sampling import Sampling


class Density(NamedTuple):
    """What a path of shifted noise carries."""

    log_ratio: Scalar  # ln L so far
    moving: Scalar  # 1 before the first passage, 0 after it
    steps: Scalar  # how many steps were moved, or would have been on a path of the plain share


class ShiftedSource(NamedTuple):
    """The noise of one path: ``table[step]`` is the shift h of a step, ``share`` 1 where the path is moved and 0 where it is plain."""

    base: Any
    table: Scalar
    share: Scalar
    defensive: Scalar
    watch: str
    level: Scalar

    @property
    def rows(self) -> Any:
        return self.base.rows

    def at(self, row: Any) -> "ShiftedSource":
        return self._replace(base=self.base.at(row))

    def normals(self, step: Word, factors: int) -> tuple[Any, ...]:
        raise ValueError("Shifted: expected a reader that weights what it averages (Study.run), got one that does not")

    def uniforms(self, step: Word, factors: int) -> tuple[Any, ...]:
        """Independent uniforms, not moved."""
        return self.base.uniforms(step, factors)

    def start(self) -> Density:
        zero = jnp.zeros((), jnp.result_type(float))
        return Density(zero, zero + 1.0, zero)

    def draw_moved(self, step: Word, factors: int, uniforms: int, density: Density) -> tuple[tuple[Scalar, ...], tuple[Scalar, ...], Density]:
        """(normals of the step, moved where the path still is; uniforms; density after it)."""
        h = self.table[step]
        plain, even = draw(self.base, step, factors, uniforms)
        x = tuple(z + density.moving * self.share * h[f] for f, z in enumerate(plain))
        gain = sum(h[f] * (x[f] - 0.5 * h[f]) for f in range(factors))
        return x, even, Density(density.log_ratio + density.moving * gain, density.moving, density.steps + density.moving)

    def stop(self, density: Density, value: Callable[[str], Scalar]) -> Density:
        """The density frozen where the watched value is below the level."""
        if not self.watch:
            return density
        return density._replace(moving=density.moving * (value(self.watch) >= self.level))

    def finish(self, density: Density) -> dict[str, Scalar]:
        """``log_weight``, and ``moved_steps``: how many steps were moved before the first passage."""
        plain = jnp.log(self.defensive)
        return {"log_weight": -jnp.logaddexp(plain, jnp.log1p(-self.defensive) + density.log_ratio), "moved_steps": density.steps}


@model
class Shifted:
    """Importance sampling: normals with a shifted mean, z + h, and the likelihood ratio that makes every mean unbiased again.

    Args:
        shift: h in standard deviations a step [pieces, factors], constant over equal pieces of the run; one row serves every step.
        base: The noise shifted.
        defensive: Share of paths left plain, which bounds every weight by its inverse (Hesterberg 1995).
        level: Wealth over starting wealth below which the shift stops.
        watch: Book whose wealth is watched; empty: the shift never stops.

    Raises:
        ValueError: ``shift`` is no matrix.
    """

    shift: Any = number(term=True)
    base: Any = Counter()
    defensive: Scalar = number(default=0.1, low=0.0, below=1.0, term=True)
    level: Scalar = number(default=0.0, term=True)
    watch: str = static(default="")

    def canonical(self) -> dict[str, Any]:
        given = self.shift
        return {"shift": np.atleast_2d(np.asarray(given, np.float64))} if isinstance(given, list | tuple | np.ndarray) else {}

    def check(self) -> None:
        if np.ndim(self.shift) != 2 or 0 in np.shape(self.shift):
            raise ValueError(f"Shifted.shift: expected numbers by piece and factor, got shape {np.shape(self.shift)}")

    @property
    def sampling(self) -> Sampling:
        return self.base.sampling

    def table_bytes(self, steps: int, factors: int) -> int:
        """Bytes that a path keeps on the device.

        Args:
            steps: Steps of the run.
            factors: Normals a step.
        """
        return self.base.table_bytes(steps, factors)

    def begin(self, key: Any, path: Path, steps: int, factors: int) -> ShiftedSource:
        """The random numbers of one path.

        Args:
            key: Two uint32 words [2], see ``make_key``.
            path: The path's id.
            steps: Steps of the run.
            factors: Normals a step.

        Raises:
            ValueError: The shift is for another number of factors.
        """
        pieces, given = self.shift.shape
        if given != factors:
            raise ValueError(f"Shifted.shift: expected {factors} factors, got {given}")
        base = self.base.begin(key, path, steps, factors)
        table = jnp.asarray(self.shift)[np.arange(steps) * pieces // steps]
        # A uniform of the date after the last, which no step draws, says whether the path is one of the plain share.
        share = (base.uniforms(steps, 1)[0] >= self.defensive).astype(jnp.result_type(float))
        return ShiftedSource(base, table, share, jnp.asarray(self.defensive), self.watch, self.level)


def start_density(source: Any) -> Any:
    """Likelihood ratio at the start of a path: empty unless its noise is shifted.

    Args:
        source: What a noise's ``begin`` returned.
    """
    return source.start() if isinstance(source, ShiftedSource) else ()


def draw_weighted(source: Any, step: Word, factors: int, uniforms: int, density: Any) -> tuple[tuple[Scalar, ...], tuple[Scalar, ...], Any]:
    """Numbers of a step, shifted where the noise is, and the likelihood ratio after it.

    Args:
        source: What a noise's ``begin`` returned.
        step: Index of the step.
        factors: How many normals.
        uniforms: How many uniforms.
        density: Likelihood ratio before the step.

    Returns:
        (normals, uniforms, density after the step).
    """
    if isinstance(source, ShiftedSource):
        return source.draw_moved(step, factors, uniforms, density)
    return (*draw(source, step, factors, uniforms), density)


def stop_density(source: Any, density: Any, value: Callable[[str], Scalar]) -> Any:
    """Likelihood ratio at the end of a step, frozen once the watched wealth is below its level.

    Args:
        source: What a noise's ``begin`` returned.
        density: Likelihood ratio after the step's draws.
        value: Function from a book's name to its wealth over starting wealth.
    """
    return source.stop(density, value) if isinstance(source, ShiftedSource) else density


def finish_density(source: Any, density: Any) -> dict[str, Scalar]:
    """Outcomes of the likelihood ratio, by name: ``log_weight`` and ``moved_steps``; none unless the noise is shifted.

    Args:
        source: What a noise's ``begin`` returned.
        density: Likelihood ratio at the end of the path.
    """
    return source.finish(density) if isinstance(source, ShiftedSource) else {}
