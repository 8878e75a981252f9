"""How the paths of a noise depend on each other: what the error of a mean over them may be made of."""

import dataclasses

import numpy as np

KINDS = ("iid", "pairs", "randomisations", "windows")


@dataclasses.dataclass(frozen=True)
class Sampling:
    """``kind`` of dependence between path ids, and its ``size``.

    - ``iid`` (size 1): every path is an independent draw.
    - ``pairs`` (size 2): ids 2k and 2k + 1 depend on each other; the means of pairs are independent.
    - ``randomisations`` (size R, a power of two): id = point R + randomisation; points of one randomisation depend on each other,
      the R means over points are independent.
    - ``windows`` (size h): ids are consecutive starts in one history, and two less than h apart share days; no draws are independent, and errors
      are made of the long-run variance (``dependence``).

    Raises ``ValueError`` for an unknown kind or a size that does not belong to it.
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
        """Raises ``ValueError`` when a run of ``paths`` ids from ``first`` on would cut a pair or leave randomisations of unequal length."""
        for name, value in (("paths", paths), ("first", first)):
            if value % self.unit:
                what = "pairs of paths" if self.kind == "pairs" else f"{self.size} randomisations"
                raise ValueError(f"{name}: expected a multiple of {self.size} ({what}), got {value:,}")

    def draws(self, values: np.ndarray) -> np.ndarray:
        """Independent draws, along the first axis, whose mean is that of ``values`` [paths, ...]: the values, the means of pairs, or the R means
        over points. The first value belongs to an id that is a multiple of ``size``; means are taken in float64. Windows have none.
        """
        if self.kind == "windows":
            raise ValueError("Sampling.draws: expected paths with independent draws among them, got overlapping windows")
        if self.kind == "iid":
            return values
        groups = values.reshape(-1, self.size, *values.shape[1:])
        return groups.mean(axis=1 if self.kind == "pairs" else 0, dtype=np.float64)
