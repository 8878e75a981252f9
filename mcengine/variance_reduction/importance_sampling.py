"""The drift that makes a floor breach common: found by the cross-entropy method, refined by least second moment, judged on fresh paths.

With l_h = sum over pieces (h.S - n h.h/2) the log density ratio of a shift h (S the sum of a path's normals over the moved steps of a piece,
n their number) and A the breach, all from pilot runs under the shift so far and weighted by its density:
    levels      floor_k is the tenth-lowest value under the shift so far, until it is the floor (Rubinstein & Kroese 2004, section 3.1)
    at a level  h = E[1_A S] / E[1_A n], the shift whose density is nearest to that of the breaching paths
    at last     min over h of E[1_A e^{-l_h}], the second moment of the estimator: convex, by Newton's method
Whatever it finds is unbiased: the search uses the pilot stream, the shift is then fixed.
"""

import math
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from mcengine._model import replace
from mcengine.engine import program
from mcengine.engine.recorder import Wealth
from mcengine.engine.run import run
from mcengine.engine.study import Study
from mcengine.noise import Path, Shifted, make_key, split_ids
from mcengine.statistics.estimate import Estimate
from mcengine.variance_reduction.breach import Breach, Weights, weights_of

_SHARE = 0.1  # of the paths is beyond each level: 0.01 to 0.1 serve (Rubinstein & Kroese)
_MOST_LEVELS = 40
_NEVER = -1e9  # a level no wealth falls to
_ELITES = 4096


@dataclass(frozen=True)
class Importance:
    """A study on shifted noise, and what its last pilot run says of it.

    Args:
        study: To be run.
        breach: Which the noise is shifted towards.
        shift: Added to the normals of each step, [pieces, factors].
        probability: Of the breach, on the pilot.
        weights: Of the pilot.
        levels: Floors that led to the breach's, fractions of the starting wealth.
    """

    study: Study
    breach: Breach
    shift: np.ndarray
    probability: Estimate
    weights: Weights
    levels: tuple[float, ...]

    @property
    def gain(self) -> float:
        """Variance of plain Monte Carlo over that of this estimator, path for path."""
        p, variance = self.probability.value, self.probability.error**2 * self.weights.paths
        return p * (1.0 - p) / variance if variance > 0.0 else math.nan

    def __str__(self) -> str:
        w = self.weights
        return (
            f"importance sampling for {self.breach} = {self.probability}: {self.gain:.3g} times fewer paths than plain; "
            f"effective paths {w.effective:,.0f} of {w.paths:,}, {w.effective_tail:,.0f} among the breaching, largest share {w.largest:.2%}"
        )


def find(
    study: Study,
    *,
    floor: float,
    book: str | None = None,
    event: str = "any_day",
    pieces: int = 4,
    defensive: float = 0.1,
    paths: int = 16_384,
    seed: int = 0,
) -> Importance:
    """The study on noise shifted towards a floor breach.

    Args:
        study: What is to be simulated.
        floor: Fraction of the starting wealth.
        book: Name of the policy; None for the last.
        event: "any_day", or "end" for the horizon only.
        pieces: Equal spans of steps on each of which the shift is constant.
        defensive: Share of paths left as they are; it keeps other figures usable and costs the breach about that share.
        paths: Of each pilot run, about two for every level.
        seed: Of the pilot runs.

    Raises:
        ValueError: Where no shift reaches the floor, or the weights degenerate (see ``Weights.check``).
    """
    breach = Breach.of(study, floor, book, event)
    if isinstance(pieces, bool) or not isinstance(pieces, int | np.integer) or not 1 <= pieces <= study.steps:
        raise ValueError(f"pieces: expected a whole number from 1 to {study.steps}, got {pieces!r}")
    if isinstance(study.noise, Shifted):
        raise ValueError("importance: expected a study on plain noise, got one that is shifted already")
    if not study.market.n_factors:
        got = type(study.market).__name__
        raise ValueError(f"variance_reduction: expected a market that draws normals for importance sampling to shift, got a {got}, which draws none")
    pilot = _Pilot(study, breach, int(pieces), paths, seed)
    shift, levels = pilot.reach()
    found = [pilot.judge(candidate, defensive) for candidate in pilot.refine(shift)]
    best = min(found, key=lambda item: item[1].error if item[1].value > 0.0 else math.inf)
    noise, probability, summary = best
    summary.check()
    return Importance(replace(study, noise=noise), breach, noise.shift, probability, summary, tuple(levels))


class _Pilot:
    """Pilot runs of the breaching book alone, each on addresses of its own."""

    def __init__(self, study: Study, breach: Breach, pieces: int, paths: int, seed: int) -> None:
        self.study = replace(study, policy={breach.book: study.books[breach.book]}, recorders=(Wealth(),))
        self.breach, self.pieces, self.paths, self.seed = breach, pieces, paths, seed
        self.watch = breach.book if breach.event == "any_day" else ""
        self.factors = study.market.n_factors
        self.first = 0
        piece = np.arange(study.steps) * pieces // study.steps
        self.steps_by_then = np.concatenate([np.zeros((1, pieces)), np.cumsum(np.eye(pieces)[piece], axis=0)])

    def noise(self, shift: np.ndarray, level: float, defensive: float = 0.0) -> Shifted:
        return Shifted(shift, base=self.study.noise, defensive=defensive, level=level, watch=self.watch)

    def outcomes(self, noise: Shifted) -> tuple[Any, np.ndarray]:
        """(outcomes, ids) of the next pilot paths."""
        result = run(replace(self.study, noise=noise), self.paths, seed=self.seed, stream="pilot", first=self.first, keep=1e18, progress=False)
        ids = np.arange(self.first, self.first + result.paths, dtype=np.uint64)
        self.first += 1 << 32  # runs never meet
        return result.outcomes, ids

    def judge(self, shift: np.ndarray, defensive: float) -> tuple[Shifted, Estimate, Weights]:
        noise = self.noise(shift, self.breach.floor, defensive)
        return (noise, *weights_of(self.outcomes(noise)[0], self.breach, noise.sampling))

    def reach(self) -> tuple[np.ndarray, list[float]]:
        """A shift under which the breach is common, and the levels that led there."""
        shift, levels = np.zeros((self.pieces, self.factors)), [math.inf]
        while levels[-1] > self.breach.floor:
            values = np.sort(self.breach.values(self.outcomes(self.noise(shift, _NEVER))[0]))
            level = max(self.breach.floor, float(values[math.ceil(_SHARE * values.size) - 1]))
            if len(levels) > _MOST_LEVELS or level > levels[-1] - 1e-3 * abs(levels[-1] - self.breach.floor):
                raise ValueError(
                    f"importance sampling: expected a floor that some drift of the normals reaches, got {self.breach}, and none below {level:g}"
                )
            levels.append(level)
            shift = self.nearest(shift, level)
        return shift, levels[1:]

    def elites(self, shift: np.ndarray, level: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(log density ratio, S [paths, pieces, factors], n [paths, pieces]) of paths that reach the level, moved until they do."""
        outcomes, ids = self.outcomes(self.noise(shift, level))
        values = self.breach.values(outcomes)
        reached = np.flatnonzero(values < level if level == self.breach.floor else values <= level)[:_ELITES]
        if reached.size == 0:
            raise ValueError(
                f"importance sampling: expected pilot paths below {level:g} for {self.breach}, got none of {len(ids):,}; give more paths"
            )
        moved = np.asarray(outcomes["market"]["moved_steps"], np.float64)[reached].astype(np.int64)
        n = self.steps_by_then[moved]
        sums = self._sums(ids[reached], moved) + n[:, :, None] * shift
        return -np.asarray(outcomes["market"]["log_weight"], np.float64)[reached], sums, n

    def nearest(self, shift: np.ndarray, level: float) -> np.ndarray:
        """The cross-entropy update."""
        log_ratio, sums, n = self.elites(shift, level)
        w = np.exp(log_ratio.min() - log_ratio)
        return np.einsum("i,ipf->pf", w, sums) / np.maximum(np.einsum("i,ip->p", w, n), 1e-300)[:, None]

    def refine(self, shift: np.ndarray) -> list[np.ndarray]:
        """Candidates: the nearest shift once more, and the one of least second moment on the same paths."""
        log_ratio, sums, n = self.elites(shift, self.breach.floor)
        w = np.exp(log_ratio.min() - log_ratio)
        nearest = np.einsum("i,ipf->pf", w, sums) / np.maximum(np.einsum("i,ip->p", w, n), 1e-300)[:, None]
        return [nearest, _least_second_moment(nearest, log_ratio, sums, n)]

    def _sums(self, ids: np.ndarray, moved: np.ndarray) -> np.ndarray:
        """Sums of the unmoved normals over the moved steps of each piece, [paths, pieces, factors]: noise is an address, so it is drawn again."""
        count = _ELITES if ids.size > program.PAD * 8 else program.PAD * 8
        padded = np.concatenate([ids, np.repeat(ids[:1], count - ids.size)])
        steps, factors, pieces = self.study.steps, self.factors, self.pieces

        def fn(noise: Any, key: Any, high: Any, low: Any, moved: Any) -> Any:
            def one(high: Any, low: Any, moved: Any) -> Any:
                source = noise.begin(key, Path(high, low), steps, factors)

                def body(total: Any, row: Any) -> tuple[Any, None]:
                    step, piece, own = row
                    z = jnp.stack(source.at(own).normals(step, factors)) * (step < moved)
                    return total + jnp.where(jnp.arange(pieces)[:, None] == piece, z[None, :], 0.0), None

                zero = jnp.zeros((pieces, factors), jnp.result_type(float))
                return jax.lax.scan(body, zero, (jnp.arange(steps), jnp.arange(steps) * pieces // steps, source.rows))[0]

            return jax.vmap(one)(high, low, moved)

        high, low = split_ids(padded)
        counts = np.concatenate([moved, np.zeros(count - ids.size, np.int64)]).astype(np.int32)
        arguments = (program.as_arrays(self.study.noise), make_key(self.seed, "pilot"), high, low, counts)
        call = program.compiled(("importance sums", steps, factors, pieces), fn, *arguments).call
        return np.asarray(call(*arguments), np.float64)[: ids.size]


def _least_second_moment(start: np.ndarray, log_ratio: np.ndarray, sums: np.ndarray, n: np.ndarray) -> np.ndarray:
    """argmin over h of the log of sum e^{-log_ratio - l_h}, by damped Newton steps on a convex function."""
    shape, size = start.shape, start.size
    s = sums.reshape(len(sums), size)
    counts = np.repeat(n, shape[1], axis=1)

    def weighted(h: np.ndarray) -> tuple[float, np.ndarray]:
        exponent = -log_ratio - (s * h - 0.5 * counts * h * h).sum(axis=1)
        most = exponent.max()
        w = np.exp(exponent - most)
        return most + math.log(w.sum()), w / w.sum()

    h = start.reshape(size)
    value, w = weighted(h)
    for _ in range(50):
        slope = counts * h - s
        gradient = (w[:, None] * slope).sum(axis=0)
        hessian = np.einsum("i,ia,ib->ab", w, slope, slope) + np.diag((w[:, None] * counts).sum(axis=0) + 1e-9)
        step = -np.linalg.solve(hessian, gradient)
        length = 1.0
        while (tried := weighted(h + length * step))[0] > value + 1e-12 and length > 1e-4:
            length *= 0.5
        if value - tried[0] < 1e-7:
            break
        h, (value, w) = h + length * step, tried
    return h.reshape(shape)
