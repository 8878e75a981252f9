"""Differences on common paths, of three sizes h, 2h and 4h, and their extrapolation: the yardstick of every other estimator.

    D(h) = (f(x + h) - f(x - h)) / 2h,   R = (64 D(h) - 20 D(2h) + D(4h)) / 45,
the latter with an error of order h^6 (Richardson 1911). At a bound, to one side of it,
    D(h) = (-3 f(x) + 4 f(x ± h) - f(x ± 2h)) / ±2h,   R = (32 D(h) - 12 D(2h) + D(4h)) / 21,
with errors of order h^2 and h^4. h is 2 % of the number (of 0.1 for one below it, of 0.5 for shocks and correlations), or what its bounds
leave: large enough to see paths on the other side of a step, whose number falls with h.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from mcengine._model import bounds, parameters
from mcengine.greeks.figures import Derivable

SHARE = 0.02
"""Of a number that the smallest bump is."""

SIZES = (1, 2, 4)
_NOTHING = 1e-6  # of a bump: a number nearer to its bound is at it


class Stencil(NamedTuple):
    """Weights by offset, in units of ``size``, of D(h), D(2h) and D(4h), and what these count for in R."""

    size: float
    weights: dict[int, dict[int, float]]
    shares: tuple[float, ...]

    @property
    def offsets(self) -> list[int]:
        """All of them, in order."""
        return sorted({k for weights in self.weights.values() for k in weights})

    @property
    def single(self) -> dict[int, float]:
        """Weights of D(2h)."""
        return self.weights[2]

    @property
    def extrapolated(self) -> dict[int, float]:
        """Weights of R."""
        return {k: sum(share * self.weights[size].get(k, 0.0) for share, size in zip(self.shares, SIZES, strict=True)) for k in self.offsets}


def stencil(model: Any, name: str, check: Callable[[Mapping[str, float]], Any]) -> Stencil:
    """Where a number is moved to: to both sides, less far where that is refused, or to the one side that it may take.

    Args:
        model: A study, or a dict of models.
        name: Dotted name of the number.
        check: Raises ``ValueError`` for values that are refused.

    Raises:
        ValueError: For a number that may be moved to neither side.
    """
    value, (least, most) = float(parameters(model)[name]), bounds(model, name)
    low, high = -np.inf if least is None else least, np.inf if most is None else most
    last = name.rpartition(".")[2]
    size = SHARE * (0.5 if last == "shock" or ".correlation." in name else max(abs(value), 0.1))
    if (room := min(value - low, high - value)) > _NOTHING * size:
        size = min(size, 0.9 * room / max(SIZES))
    both, one = (64.0 / 45.0, -20.0 / 45.0, 1.0 / 45.0), (32.0 / 21.0, -12.0 / 21.0, 1.0 / 21.0)
    tries = [(part * size, sides) for part in (1.0, 0.5, 0.25) for sides in ((1, -1), (1,), (-1,))]
    said = ""
    for h, sides in sorted(tries, key=lambda one: len(one[1]), reverse=True):
        weights = {k: {s * k: s * 0.5 / (k * h) for s in sides} for k in SIZES} if len(sides) == 2 else _to_one_side(h, sides[0])
        found = Stencil(h, weights, both if len(sides) == 2 else one)
        try:
            for k in found.offsets:
                check({name: value + k * h})
        except ValueError as error:
            said = said or str(error)
            continue
        return found
    raise ValueError(said)


def _to_one_side(size: float, sign: int) -> dict[int, dict[int, float]]:
    step = sign / (2.0 * size)
    return {k: {0: -3.0 * step / k, sign * k: 4.0 * step / k, sign * 2 * k: -step / k} for k in SIZES}


def differences(figure: Derivable, outcomes: Mapping[int, np.ndarray], weights: Mapping[int, float]) -> np.ndarray:
    """What each path adds to a difference [paths].

    Args:
        figure: What is differentiated.
        outcomes: By offset [paths].
        weights: By offset.
    """
    draws = {k: figure.draws(outcomes[k]) for k in weights}
    first = next(iter(draws.values()))
    return sum((w * (draws[k] - first) for k, w in weights.items()), start=np.zeros_like(first))  # 0, not nearly 0, where nothing moved


Run = Callable[[Mapping[str, float]], Mapping[str, np.ndarray]]


def outcomes_at(run: Run, model: Any, name: str, found: Stencil, offsets: list[int]) -> dict[int, Mapping[str, np.ndarray]]:
    """Outcomes by offset, on the same paths.

    Args:
        run: Outcomes by the values of numbers.
        model: A study, or a dict of models.
        name: Dotted name of the number.
        found: Where it is moved to.
        offsets: Those wanted.
    """
    value = float(parameters(model)[name])
    return {k: run({name: value + k * found.size} if k else {}) for k in offsets}
