"""How the paths of a noise depend on each other: what the error of a mean over them may be made of."""

import dataclasses

import numpy as np

KINDS = ("iid", "pairs", "randomisations", "windows")


@dataclasses.dataclass(frozen=True)
class Sampling:
    """How paths depend on each other: what the error of a mean over them may be made of.

    Args:
        kind: Dependence between path ids.
            ``iid``: every path is an independent draw.
            ``pairs``: ids 2k and 2k + 1 depend on each other; the means of pairs are independent.
            ``randomisations``: id = point x size + randomisation; the means over the points of each randomisation are independent.
            ``windows``: ids are consecutive starts in one history, and two less than ``size`` apart share days; no draws are independent, and
            errors are made of the long-run variance (``long_run_variance``).
        size: Paths that belong together: 1 for iid, 2 for pairs, the number of randomisations (a power of two), the days of a window.

    Raises:
        ValueError: The kind is unknown, or the size does not belong to it.

    Example:
        >>> mc.statistics.Sampling("pairs", 2).draws(np.array([1.0, 3.0, 5.0, 7.0]))
        array([2., 6.])
    """

    kind: str = "iid"
    size: int = 1

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"Sampling.kind: expected one of {', '.join(KINDS)}, got {self.kind!r}")
        power = self.size >= 2 and self.size & (self.size - 1) == 0
        fits = {"iid": self.size == 1, "pairs": self.size == 2, "randomisations": power, "windows": self.size >= 1}
        if not fits[self.kind]:
            wanted = {"iid": "1", "pairs": "2", "randomisations": "a power of two from 2 up", "windows": "at least 1"}[self.kind]
            raise ValueError(f"Sampling.size: expected {wanted} for {self.kind}, got {self.size!r}")

    @property
    def unit(self) -> int:
        """Paths that belong together: a run is a multiple of it."""
        return 1 if self.kind == "windows" else self.size

    @property
    def overlap(self) -> int:
        """Paths that tell about as much as one: of windows those that share days."""
        return self.size if self.kind == "windows" else 1

    def check_run(self, paths: int, first: int = 0) -> None:
        """Check that a run keeps pairs whole and randomisations of equal length.

        Args:
            paths: Number of paths of the run.
            first: Id of its first path.

        Raises:
            ValueError: Either is no multiple of ``unit``.
        """
        for name, value in (("paths", paths), ("first", first)):
            if value % self.unit:
                what = "pairs of paths" if self.kind == "pairs" else f"{self.size} randomisations"
                raise ValueError(f"{name}: expected a multiple of {self.size} ({what}), got {value:,}")

    def draws(self, values: np.ndarray) -> np.ndarray:
        """Independent draws whose mean is that of the values: the values, the means of pairs, or those over the points of each randomisation.

        Args:
            values: [paths, ...], the first of an id that is a multiple of ``size``.

        Returns:
            Draws [draws, ...]; means are taken in float64.

        Raises:
            ValueError: The paths are windows, which have no independent draws.
        """
        if self.kind == "windows":
            raise ValueError("Sampling.draws: expected paths with independent draws among them, got overlapping windows")
        if self.kind == "iid":
            return values
        groups = values.reshape(-1, self.size, *values.shape[1:])
        return groups.mean(axis=1 if self.kind == "pairs" else 0, dtype=np.float64)
