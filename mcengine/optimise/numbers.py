"""The numbers that a fit moves: which they are, their ranges, and the point they make."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from mcengine._model import bounds, parameters, trainable
from mcengine._spelling import near
from mcengine.engine import Study

INSIDE = 1e-6
"""Of a number's size, by which it stays inside a bound that it may not reach."""


def default_names(study: Study) -> list[str]:
    """Numbers of the policy that a fit moves by default: not terms, and not at the end of their range (a tolerance of 0 means no band).

    Args:
        study: Whose policy is to be fitted.

    Returns:
        Dotted names.
    """
    names = []
    for name in trainable(study):
        if name.startswith("policy."):
            low, _ = bounds(study, name)
            if low is None or np.all(parameters(study)[name] > low):
                names.append(name)
    return names


def chosen_names(study: Study, train: Iterable[str] | None) -> tuple[str, ...]:
    """Names that are to move, checked.

    Args:
        study: Of one policy.
        train: Dotted names; None for ``default_names``.

    Raises:
        ValueError: For unknown names, those of no policy, or where nothing can move.
    """
    names, known = tuple(default_names(study) if train is None else train), parameters(study)
    for name in names:
        if name not in known:
            raise ValueError(f"train: unknown parameter {name!r}{near(name, [n for n in known if n.startswith('policy.')])}")
        if not name.startswith("policy."):
            raise ValueError(f"train: expected numbers of the rule, policy. ..., for a fit moves neither market, costs nor wealth; got {name!r}")
    if not names:
        raise ValueError("train: expected at least one number that may move, got none; name one")
    return names


def one_by_one(values: Mapping[str, Any]) -> dict[str, float]:
    """Numbers by name, those of an array with their places: ``first[0,2]``.

    Args:
        values: Numbers and arrays by name.
    """
    out = {}
    for name, value in values.items():
        for place, x in np.ndenumerate(np.asarray(value)):
            out[name + (f"[{','.join(map(str, place))}]" if place else "")] = float(x)
    return out


@dataclass(frozen=True)
class Point:
    """Numbers of a study as one vector, each over its size at the start, so that steps in all of them compare.

    Args:
        names: Dotted.
        start: By name.
        scale: [numbers].
        low: Least, scaled [numbers].
        high: Most.
    """

    names: tuple[str, ...]
    start: dict[str, np.ndarray]
    scale: np.ndarray
    low: np.ndarray
    high: np.ndarray

    @classmethod
    def of(cls, study: Study, names: tuple[str, ...]) -> "Point":
        """Of a study as it is.

        Args:
            study: Where the search starts.
            names: Of the numbers that move.
        """
        known = parameters(study)
        start = {name: np.asarray(known[name], np.float64) for name in names}
        flat = np.concatenate([np.ravel(x) for x in start.values()])
        scale = np.where(flat != 0.0, np.abs(flat), 1.0)
        ends = [bounds(study, name) for name in names for _ in range(start[name].size)]
        low = np.array([-np.inf if a is None else a for a, _ in ends]) / scale + INSIDE
        high = np.array([np.inf if b is None else b for _, b in ends]) / scale - INSIDE
        return cls(names, start, scale, low, high)

    @property
    def x(self) -> np.ndarray:
        """The start, scaled [numbers]."""
        return np.concatenate([np.ravel(value) for value in self.start.values()]) / self.scale

    @property
    def labels(self) -> list[str]:
        """A name for each number."""
        return list(one_by_one(self.start))

    def values(self, x: np.ndarray) -> dict[str, np.ndarray]:
        """Numbers by name.

        Args:
            x: Scaled [numbers].
        """
        out, at, flat = {}, 0, x * self.scale
        for name, value in self.start.items():
            out[name] = np.reshape(flat[at : at + value.size], value.shape)
            at += value.size
        return out
