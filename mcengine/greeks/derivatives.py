"""What was found of every derivative: its value, and what the pilot said of the estimators. A journal keeps it as plain rows."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mcengine._spelling import near
from mcengine.greeks.choose import Candidate, Choice
from mcengine.statistics import Sampling
from mcengine.statistics.estimate import Estimate


@dataclass(frozen=True)
class Derivatives:
    """Derivatives with their errors, and what the pilot found of every estimator; printed, it is the chooser's table.

    Args:
        choices: By figure and number, in order.
        values: Of the derivatives, in the same order; None where no estimator was taken.
        paths: Of each derivative.
        pilot: Paths of the pilot.
        sampling: How paths depend on each other.
    """

    choices: tuple[Choice, ...]
    values: tuple[Estimate | None, ...]
    paths: int
    pilot: int
    sampling: Sampling

    def __getitem__(self, key: tuple[str, str]) -> Estimate:
        """The derivative of a figure by a number, its error with the bias that its estimator may hide."""
        for choice, value in zip(self.choices, self.values, strict=True):
            if (choice.figure, choice.number) == key:
                if value is None:
                    raise ValueError(f"{key[0]} by {key[1]}: {choice.why}")
                return value
        known = [f"{c.figure} by {c.number}" for c in self.choices]
        raise ValueError(f"unknown derivative {f'{key[0]} by {key[1]}'!r}{near(f'{key[0]} by {key[1]}', known)}")

    def choice(self, figure: str, number: str) -> Choice:
        """What the pilot found.

        Args:
            figure: Its name.
            number: Dotted name of the number.
        """
        return next(c for c in self.choices if (c.figure, c.number) == (figure, number))

    def table(self) -> Any:
        """One row a figure and number: the derivative, the estimator, its bias on the pilot, whether it is within the tolerance.

        Returns:
            A pandas table.
        """
        import pandas as pd

        rows = [
            {
                "figure": choice.figure,
                "number": choice.number,
                "derivative": value,
                "estimator": choice.taken or "none",
                "bias": None if choice.chosen is None else choice.chosen.bias,
                "within": choice.within,
            }
            for choice, value in zip(self.choices, self.values, strict=True)
        ]
        return pd.DataFrame(rows).set_index(["figure", "number"])

    def __str__(self) -> str:
        windows = self.sampling.kind == "windows"
        apart = f"{self.paths:,} windows, the pilot's among them" if windows else f"{self.paths:,} of their own"
        head = f"derivatives: each estimator on a pilot of {self.pilot:,} {'windows' if windows else 'paths'}, then the one taken on {apart}\n\n"
        return head + "\n\n".join(f"{c}\n  derivative: {v}" for c, v in zip(self.choices, self.values, strict=True))


def as_row(choice: Choice, value: Estimate | None) -> dict[str, Any]:
    """A choice and the derivative it led to, in plain numbers.

    Args:
        choice: What the pilot found.
        value: The derivative; None where no estimator was taken.
    """
    tried = [{**vars(c), "value": _numbers(c.value), "bias": _numbers(c.bias), "total": _finite(c.total)} for c in choice.candidates]
    return {**vars(choice), "candidates": tried, "value": _numbers(value)}


def from_row(row: Mapping[str, Any]) -> tuple[Choice, Estimate | None]:
    """The choice and the derivative of a row.

    Args:
        row: Of ``as_row``.
    """
    read = lambda c: {  # noqa: E731
        **c,
        "value": _estimate(c["value"]),
        "bias": _estimate(c["bias"]),
        "total": math.inf if c["total"] is None else c["total"],
    }
    candidates = tuple(Candidate(**read(c)) for c in row["candidates"])
    choice = Choice(**{key: value for key, value in row.items() if key not in ("candidates", "value")}, candidates=candidates)
    return choice, _estimate(row["value"])


def _numbers(value: Estimate | None) -> list[Any] | None:
    return None if value is None else [value.value, _finite(value.error), value.count, value.sampling]


def _estimate(row: list[Any] | None) -> Estimate | None:
    return None if row is None else Estimate(row[0], math.nan if row[1] is None else row[1], *row[2:])


def _finite(x: float) -> float | None:
    return x if math.isfinite(x) else None
