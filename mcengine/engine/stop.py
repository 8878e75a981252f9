"""When a run stops: after its paths, when a figure's standard error is small enough, or when the time is up. Judged at the ends of super-blocks."""

import math
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from mcengine.engine.metrics import near_metric
from mcengine.statistics.estimate import Estimate


@dataclass(frozen=True)
class Until:
    """``metric`` names a figure, as ``book/figure`` or by the figure alone for every book; its standard error is to be at most ``error``."""

    metric: str
    error: float

    @staticmethod
    def of(value: Any) -> "Until | None":
        """From ``{"metric": ..., "error": ...}``; None where there is nothing asked. Raises ``ValueError`` for half of it."""
        if value is None or isinstance(value, Until):
            return value
        if not isinstance(value, Mapping) or set(value) != {"metric", "error"}:
            raise ValueError(f"until: expected {{metric: p20, error: 1e-4}}, got {value!r}")
        metric, error = value["metric"], value["error"]
        if metric is None and error is None:
            return None
        if not isinstance(metric, str) or not metric:
            raise ValueError(f"until.metric: expected the name of a figure, got {metric!r}")
        if isinstance(error, bool) or not isinstance(error, int | float) or not 0.0 < error < math.inf:
            raise ValueError(f"until.error: expected a standard error above 0, got {error!r}")
        return Until(metric, float(error))

    def names(self, known: Iterable[str]) -> list[str]:
        """The known figures that are meant: the one so called; else those of every book whose figure is so called. Raises ``ValueError`` with near
        names when there is none.
        """
        known = list(known)
        if self.metric in known:
            return [self.metric]
        short = {name: name.rpartition("/")[2] for name in known}
        meant = [name for name, key in short.items() if key == self.metric]
        if not meant:
            raise ValueError(f"until.metric: unknown figure {self.metric!r}{near_metric(self.metric, dict.fromkeys(short.values()))}")
        return meant


def check_seconds(seconds: Any) -> float | None:
    """A number of seconds, or one clear message."""
    if seconds is None:
        return None
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0.0 < seconds < math.inf:
        raise ValueError(f"seconds: expected a time above 0, got {seconds!r}")
    return float(seconds)


class StopRule:
    """``reached(done, estimates)``: why the run stops here, or None. The clock starts with the rule."""

    def __init__(self, paths: int, until: Any, seconds: Any) -> None:
        self.paths, self.until, self.seconds = paths, Until.of(until), check_seconds(seconds)
        self._start = time.perf_counter()

    @property
    def target(self) -> dict[str, Any]:
        """As plain values: a run that ended by the same rule needs nothing more."""
        return {"paths": self.paths, "until": None if self.until is None else [self.until.metric, self.until.error], "seconds": self.seconds}

    def reached(self, done: int, estimates: Callable[[int], Mapping[str, Estimate]]) -> str | None:
        """``estimates(done)`` gives the figures that ``until`` names, over the paths that are done."""
        worst, error = None, math.nan
        if self.until is not None and done > 0:
            found = estimates(done)
            worst = max(found, key=lambda name: found[name].error if math.isfinite(found[name].error) else math.inf)
            error = found[worst].error
            if error <= self.until.error:
                return f"the standard error of {worst} is {error:.2g}, at most {self.until.error:g}, after {done:,} paths"
        if done >= self.paths:
            short = "" if worst is None else f"; the standard error of {worst} is still {error:.2g}"
            return f"all {done:,} paths are run{short}"
        if self.seconds is not None and done > 0 and time.perf_counter() - self._start >= self.seconds:
            return f"the {self.seconds:g} seconds ran out after {done:,} paths"
        return None
