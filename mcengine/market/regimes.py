"""Regimes: a Markov chain in continuous time that all assets of a market share (Hamilton, Econometrica 57(2), 1989, in discrete time).

With intensities q_ij a year from regime i to j, the chain steps by P(dt) = e^{Q dt}: the regime in force over a step is known at its start, the
next one is drawn at its end by one normal. What differs by regime is a ``ByRegime``, picked by comparison.
"""

import math
from collections.abc import Mapping, Sequence
from functools import reduce
from typing import Annotated, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import ndtri

from mcengine._model import Scalar, model, number, static
from mcengine._spelling import near
from mcengine.market.correlation import Target

MOST = 4
"""Regimes are picked by comparing with each: cheap for a few."""


class ByRegime(NamedTuple):
    """One pytree for each regime, all of one structure."""

    each: tuple[Any, ...]

    def pick(self, regime: Scalar) -> Any:
        """The one in force; ``regime`` is its index as a float."""

        def choose(*leaves: Scalar) -> Scalar:
            if all(isinstance(x, float) and x == leaves[0] for x in leaves):
                return leaves[0]
            return reduce(lambda chosen, k: jnp.where(regime == float(k), leaves[k], chosen), range(1, len(leaves)), leaves[0])

        return jax.tree.map(choose, *self.each)


@model
class Regimes:
    """Regimes that all assets of a market share: a Markov chain in continuous time (Hamilton 1989), stepped by P(dt) = e^{Q dt}.

    Args:
        names: Names of the regimes, one to four.
        intensity: How often a year the chain leaves one for another, by pair from-to, ``{"calm-crash": 0.5}``; 0 where not given.
        start: The regime in force today; empty: the first.
        correlation: By regime, what replaces the market's correlation in it; or None.

    Raises:
        ValueError: There are more than four regimes, a name is unknown, or the chain does not return to every regime (it has no stationary law).

    Example:
        >>> regimes = mc.market.Regimes(("calm", "crash"), {"calm-crash": 0.5, "crash-calm": 2.0})
        >>> {name: round(share, 6) for name, share in regimes.stationary().items()}
        {'calm': 0.8, 'crash': 0.2}
    """

    names: tuple[str, ...] = static()
    intensity: Annotated[Any, Mapping[str, float]] = number(low=0.0, pathwise=False)
    start: str = static(default="")
    correlation: Annotated[Any, Mapping[str, Target] | None] = None

    def canonical(self) -> dict[str, Any]:
        names = tuple(str(name) for name in self.names)
        if not 1 <= len(names) <= MOST or len(set(names)) < len(names):
            raise ValueError(f"Regimes.names: expected 1 to {MOST} different names, got {list(names)}")
        if any("-" in name or "." in name or not name for name in names):
            raise ValueError(f"Regimes.names: expected names without '-' or '.', got {list(names)}")
        if self.start and self.start not in names:
            raise ValueError(f"Regimes.start: unknown regime {self.start!r}{near(self.start, names)}")
        pairs = [f"{a}-{b}" for a in names for b in names if a != b]
        given = dict(self.intensity or {})
        for key in given:
            if key not in pairs:
                raise ValueError(f"Regimes.intensity: expected pairs of {', '.join(names)} written from-to, got {key!r}")
        correlation = None if self.correlation is None else dict(self.correlation)
        for name in correlation or {}:
            if name not in names:
                raise ValueError(f"Regimes.correlation: unknown regime {name!r}{near(name, names)}")
        return {
            "names": names,
            "start": self.start or names[0],
            "intensity": {pair: given.get(pair, 0.0) for pair in pairs},
            "correlation": correlation,
        }

    def check(self) -> None:
        reached = (np.asarray(self.generator(np)) > 0.0) | np.eye(len(self.names), dtype=bool)
        for _ in self.names:
            reached = reached | (reached.astype(int) @ reached.astype(int) > 0)
        if not reached.all():
            i, j = np.argwhere(~reached)[0]
            raise ValueError(
                f"Regimes.intensity: expected a chain that goes from every regime to every other, so that it is stationary, "
                f"got none from {self.names[i]} to {self.names[j]}"
            )

    def generator(self, xp: Any = jnp) -> Any:
        """Q [n, n]: intensities a year off the diagonal, rows that sum to 0.

        Args:
            xp: jax.numpy or numpy.
        """
        q = [[self.intensity[f"{a}-{b}"] if a != b else 0.0 for b in self.names] for a in self.names]
        off = xp.stack([xp.stack([xp.asarray(x, float) for x in row]) for row in q])
        return off - xp.diag(off.sum(axis=1))

    def transition(self, dt: Scalar) -> Scalar:
        """P(dt) = e^{Q dt} [from, to].

        Args:
            dt: Years.
        """
        if len(self.names) == 1:
            return jnp.ones((1, 1))
        matrix = jnp.maximum(jax.scipy.linalg.expm(self.generator() * dt, max_squarings=32), 0.0)
        return matrix / matrix.sum(axis=1, keepdims=True)

    def stationary(self) -> dict[str, float]:
        """Long-run share of time in each regime."""
        q = np.asarray(self.generator(np))
        n = len(q)
        share = np.linalg.lstsq(np.vstack([q.T, np.ones(n)]), np.append(np.zeros(n), 1.0), rcond=None)[0]
        return dict(zip(self.names, share.tolist(), strict=True))

    def numbers(self, values: Mapping[str, Any], where: str) -> tuple[Any, ...]:
        """Values by name in the order of the regimes.

        Args:
            values: One a regime, by name.
            where: What to call them in an error.

        Raises:
            ValueError: There is not one for each.
        """
        if set(values) != set(self.names):
            raise ValueError(f"{where}: expected a number for each of the regimes {', '.join(self.names)}, got {', '.join(values)}")
        return tuple(values[name] for name in self.names)


def from_transition(names: Sequence[str], transition: Any, years: float, *, start: str = "", correlation: Mapping[str, Any] | None = None) -> Regimes:
    """Regimes from a transition matrix, whose logarithm gives the intensities.

    Args:
        names: Names of the regimes.
        transition: Probabilities [from, to].
        years: Time over which they hold: 1 for yearly ones, 1/252 for daily ones.
        start: The regime in force today; empty: the first.
        correlation: By regime, what replaces the market's correlation in it; or None.

    Raises:
        ValueError: The matrix is not stochastic, or no chain in continuous time has it.

    Example:
        >>> regimes = mc.market.from_transition(["calm", "crash"], [[0.9, 0.1], [0.4, 0.6]], years=1.0)
        >>> print(f"{regimes.intensity['calm-crash']:.4f}")
        0.1386
    """
    from scipy.linalg import logm

    matrix, n = np.asarray(transition, np.float64), len(names)
    if matrix.shape != (n, n):
        raise ValueError(f"transition: expected a {n} x {n} matrix for {', '.join(names)}, got shape {matrix.shape}")
    if not np.all(np.isfinite(matrix)) or matrix.min() < 0.0 or not np.allclose(matrix.sum(axis=1), 1.0, rtol=0.0, atol=1e-9):
        raise ValueError(f"transition: expected probabilities whose rows sum to 1, got rows that sum to {matrix.sum(axis=1).tolist()}")
    if not (math.isfinite(years) and years > 0.0):
        raise ValueError(f"years: expected a number above 0, got {years!r}")
    with np.errstate(all="ignore"):
        root = np.asarray(logm(matrix)) if np.linalg.det(matrix) > 1e-14 else np.full((n, n), np.nan)
    off = np.real(root) - np.diag(np.real(np.diag(root)))
    if not np.all(np.isfinite(root)) or np.abs(np.imag(root)).max() > 1e-9 or off.min() < -1e-6 * np.abs(off).max():
        raise ValueError(
            "transition: expected probabilities of a chain in continuous time (regimes that last), got a matrix without such a logarithm"
        )
    rates = {f"{a}-{b}": max(float(off[i, j]), 0.0) / years for i, a in enumerate(names) for j, b in enumerate(names) if i != j}
    return Regimes(tuple(names), rates, start, correlation)


def draw(transition: Scalar, regime: Scalar, normal: Scalar) -> Scalar:
    """The next regime: the lower tail of a normal goes to the other ones, each by its probability, the rest stays.

    Bounds by regime are the same for all paths, so that no path pays for a distribution function.
    """
    n = transition.shape[0]

    def bounds(i: int) -> tuple[tuple[Scalar, float], ...]:
        others = [j for j in range(n) if j != i]
        return tuple((ndtri(sum(transition[i, j] for j in others[: k + 1])), float(others[k])) for k in range(n - 1))

    following = regime
    for bound, other in reversed(ByRegime(tuple(bounds(i) for i in range(n))).pick(regime)):
        following = jnp.where(normal < bound, other, following)
    return following


def integrated_moments(transition: Scalar, per_step: Sequence[Scalar], steps: int) -> Scalar:
    """Mean and central moments 2 to 5 [steps + 1, 5, n] of the sum V over k steps from each regime, ``per_step`` what a step adds in it, one number
    or one for each number of steps before the end [steps].

    V_k = a + V_{k-1} of the regime that follows: a mixture, whose central moments come from those of its parts without loss of digits.
    """
    a = jnp.stack([jnp.asarray(x) for x in per_step])

    by_step = a.T if a.ndim == 2 else None

    def longer(moments: Scalar, added: Scalar | None) -> tuple[Scalar, Scalar]:
        mean, c2, c3, c4, c5 = moments
        ahead = transition @ mean
        d = mean[None, :] - ahead[:, None]  # from regime i to j
        mixed = (
            c2 + d**2,
            c3 + 3.0 * c2 * d + d**3,
            c4 + 4.0 * c3 * d + 6.0 * c2 * d**2 + d**4,
            c5 + 5.0 * c4 * d + 10.0 * c3 * d**2 + 10.0 * c2 * d**3 + d**5,
        )
        new = jnp.stack([(a if added is None else added) + ahead, *((transition * part).sum(axis=1) for part in mixed)])
        return new, new

    none = jnp.zeros((5, len(per_step)), a.dtype)
    return jnp.concatenate([none[None], jax.lax.scan(longer, none, by_step, length=steps)[1]])


def three_nodes(mean: Scalar, c2: Scalar, c3: Scalar, c4: Scalar, c5: Scalar) -> tuple[tuple[Scalar, ...], tuple[Scalar, ...]]:
    """(nodes, weights) of Gauss's rule with that mean and those central moments: the roots of the orthogonal polynomial of degree 3.

    At unit variance, with moments s, k, h of order 3 to 5: pi_2 = x^2 - s x - 1, b = E[pi_2^2] = k - s^2 - 1,
    pi_3 = (x - (h - 2sk + s^3)/b) pi_2 - b x.
    """
    varies = c2 > 1e-10 * mean * mean
    deviation = jnp.sqrt(jnp.where(varies, c2, 1.0))
    s = jnp.where(varies, c3, 0.0) / deviation**3
    k = jnp.where(varies, c4 / deviation**4, 3.0)
    h = jnp.where(varies, c5, 0.0) / deviation**5
    b = jnp.maximum(k - s * s - 1.0, 1e-3)  # a law on two points has 0, and a third node without weight
    centre = (h - 2.0 * s * k + s**3) / b
    # x^3 + p x^2 + q x + r, its three real roots by cosines.
    p, q, r = -(centre + s), centre * s - 1.0 - b, centre
    third = p / 3.0
    size = jnp.sqrt(jnp.maximum(third * third - q / 3.0, 1e-12))
    cosine = jnp.clip((0.5 * (third * q - r) - third**3) / size**3, -1.0 + 1e-6, 1.0 - 1e-6)
    angle = jnp.arccos(cosine) / 3.0
    roots = tuple(2.0 * size * jnp.cos(angle - 2.0 * jnp.pi * j / 3.0) - third for j in range(3))
    weights = [1.0 / (1.0 + x * x + (x * x - s * x - 1.0) ** 2 / b) for x in roots]
    total = weights[0] + weights[1] + weights[2]
    spread = jnp.where(varies, deviation, 0.0)
    return tuple(jnp.maximum(mean + spread * x, 0.0) for x in roots), tuple(w / total for w in weights)
