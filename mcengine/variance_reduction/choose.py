"""Variance reduction by name, and the choice among them: the most efficient estimator of the requested figure (smallest variance x time).

    none         the study as it is
    antithetic   pairs of paths z, -z
    control      gains of zero mean taken out of every figure (``variance_reduction.control_variates``)
    importance   normals moved towards a floor breach (``variance_reduction.importance_sampling``)
    sobol        scrambled Sobol points over a Brownian bridge
A pilot run measures each. Its errors are reproducible; its seconds are not, so two close candidates may change places from run to run. Of
randomised Sobol points the pilot's error is that of as few points: it falls faster than others', so what is said of it is the least.
"""

import dataclasses
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mcengine import noise
from mcengine._model import replace
from mcengine._spelling import near
from mcengine.engine.metrics import near_metric
from mcengine.engine.study import Study
from mcengine.statistics.estimate import Estimate
from mcengine.statistics.figure import Figure
from mcengine.variance_reduction import control_variates as controls
from mcengine.variance_reduction.breach import Breach, weights
from mcengine.variance_reduction.control_variates import Control
from mcengine.variance_reduction.importance_sampling import find as importance

METHODS = ("none", "antithetic", "control", "importance", "sobol")
_PILOT_FIRST = 1 << 40  # ids of the pilot runs here: those that fitted coefficients or a shift lie below


@dataclass(frozen=True)
class Reduced:
    """A study to be run in place of the one given, and how to read its results.

    Args:
        method: One of ``METHODS``.
        study: To be run.
        note: What was done, in words.
        controls: Fitted control variates by figure.
        breach: Of importance sampling, the breach it goes for.
    """

    method: str
    study: Study
    note: str
    controls: Mapping[str, Control] = field(default_factory=dict)
    breach: Breach | None = None

    def check(self, result: Any) -> None:
        """Check the weights of a run of importance sampling.

        Args:
            result: Of the study.

        Raises:
            ValueError: Where they have degenerated on its kept paths.
        """
        if self.breach is not None:
            weights(result, self.breach.floor, self.breach.book, self.breach.event).check()

    def estimate(self, result: Any, figure: Figure, name: str) -> Estimate:
        """A figure with its error, hedge gains taken out where a control was fitted for it.

        Args:
            result: Of the study.
            figure: What to estimate.
            name: Of the figure.
        """
        return self.controls[name].estimate(result) if name in self.controls else result.estimate(figure, name)


def reduce(
    study: Study,
    method: str = "none",
    *,
    figures: Mapping[str, Figure],
    floor: float | None = None,
    book: str | None = None,
    event: str = "any_day",
    figure: str | None = None,
    pilot: int = 32_768,
    seed: int = 0,
) -> "Reduced":
    """The study with one method of variance reduction.

    Args:
        study: What is to be simulated.
        method: One of ``METHODS``, or "auto" for what ``choose`` finds best for one figure.
        figures: Figures by name; controls are fitted for each.
        floor: Fraction of the starting wealth, for importance sampling.
        book: Whose breach importance sampling goes for; None for the last.
        event: "any_day" or "end", when the breach counts.
        figure: Name of the figure that "auto" chooses for.
        pilot: Paths of each pilot run.
        seed: Of the pilot runs.

    Raises:
        ValueError: For an unknown method or figure, or a method that the study does not allow.
    """
    if method == "auto":
        if figure is None or figure not in figures:
            raise ValueError(f"variance_reduction.figure: unknown figure {figure!r}{near_metric(str(figure), figures)}")
        return choose(study, figures[figure], name=figure, floor=floor, book=book, event=event, pilot=pilot, seed=seed).reduced_for(figures)
    if method == "none":
        return Reduced(method, study, "")
    if method == "control":
        fitted = controls.fit(study, figures, paths=pilot, seed=seed)
        lines = [f"{name}: {one.ratio:.3g}" for name, one in fitted.items() if one.ratio >= 1.5]
        note = f"hedge gains as controls, variance divided on the pilot by: {'; '.join(lines) or 'nothing that counts'}"
        return Reduced(method, controls.recording(study), note, fitted)
    if method == "importance":
        if floor is None:
            raise ValueError("variance_reduction: expected a floor for importance sampling, got none")
        found = importance(study, floor=floor, book=book, event=event, paths=pilot, seed=seed)
        return Reduced(method, found.study, str(found), breach=found.breach)
    if method == "antithetic":
        return Reduced(method, replace(study, noise=noise.Antithetic(study.noise)), "antithetic pairs")
    if method == "sobol":
        return Reduced(method, replace(study, noise=noise.Sobol()), "Sobol points over a Brownian bridge, independent randomisations")
    raise ValueError(f"variance_reduction: unknown method {method!r}{near(method, [*METHODS, 'auto'])}")


@dataclass(frozen=True)
class Candidate:
    """One method on the pilot.

    Args:
        method: One of ``METHODS``.
        estimate: Of the figure; None where the method was refused.
        seconds: For a million paths.
        gain: Error^2 x time of plain paths over its own; infinite where plain paths saw nothing, and so have no error.
        refused: Why, in words.
    """

    method: str
    estimate: Estimate | None = None
    seconds: float = 0.0
    gain: float = 0.0
    refused: str = ""

    def __str__(self) -> str:
        if self.estimate is None:
            return f"  {self.method:<11} not possible: {self.refused}"
        cost = f"{self.seconds:8.3g} s a million paths"
        less = f"error^2 x time {self.gain:8.3g} times less than plain" if math.isfinite(self.gain) else "no ratio: plain paths saw none"
        return f"  {self.method:<11} {self.estimate!s:<28} {cost}   {less}"


@dataclass(frozen=True)
class Choice:
    """The best method and what was measured of each; printed, it says why.

    Args:
        reduced: The study to be run, by the best method.
        candidates: Every method that was tried.
        name: Of the figure.
        options: Study, pilot and seed of the comparison.
    """

    reduced: Reduced
    candidates: tuple[Candidate, ...]
    name: str
    options: Mapping[str, Any]

    def reduced_for(self, figures: Mapping[str, Figure]) -> Reduced:
        """The same method for other figures as well; its note holds the whole comparison.

        Args:
            figures: By name.
        """
        chosen = self.reduced
        if chosen.method == "control":
            chosen = reduce(self.options["study"], "control", figures=figures, pilot=self.options["pilot"], seed=self.options["seed"])
        return dataclasses.replace(chosen, note=f"{self}\n{chosen.note}".rstrip())

    def __str__(self) -> str:
        best = next(c for c in self.candidates if c.method == self.reduced.method)
        if best.method == "none":
            why = "nothing is better than plain paths"
        else:
            why = f"{best.gain:.3g} times less error^2 x time than plain paths"
            why = why if math.isfinite(best.gain) else "the least error^2 x time of those that saw any"
        lines = "\n".join(map(str, self.candidates))
        return f"variance reduction for {self.name}, by a pilot of {self.options['pilot']:,} paths:\n{lines}\nchosen: {best.method}, {why}"


def choose(
    study: Study,
    figure: Figure,
    *,
    name: str = "the figure",
    floor: float | None = None,
    book: str | None = None,
    event: str = "any_day",
    pilot: int = 32_768,
    seed: int = 0,
    methods: Sequence[str] = METHODS,
) -> Choice:
    """Measure every method on a pilot run and take the most efficient estimator of a figure (smallest error^2 x time).

    A method that the study refuses, or that shows no error, is listed and left. Plain paths are left for a gain of 1.2 or more: pilots tell no finer.

    Args:
        study: What is to be simulated.
        figure: What to estimate.
        name: Of the figure.
        floor: Fraction of the starting wealth; importance sampling is tried for a probability where it is given.
        book: Whose breach importance sampling goes for; None for the last.
        event: "any_day" or "end", when the breach counts.
        pilot: Paths of each pilot run.
        seed: Of the pilot runs.
        methods: Those tried, among ``METHODS``.

    Raises:
        ValueError: For an unknown method, or a study that does not run on plain paths.
    """
    unknown = [m for m in methods if m not in METHODS]
    if unknown:
        raise ValueError(f"choose.methods: unknown {unknown[0]!r}{near(unknown[0], METHODS)}")
    rows: list[tuple[Candidate, Reduced | None, float]] = []
    for method in dict.fromkeys(["none", *methods]):
        if method == "importance" and (floor is None or figure.how != "probability"):
            continue
        try:
            reduced = reduce(study, method, figures={name: figure}, floor=floor, book=book, event=event, pilot=pilot, seed=seed)
            value, score, seconds = _measure(reduced, figure, name, pilot, seed)
        except ValueError as error:
            rows.append((Candidate(method, refused=str(error)), None, 0.0))
            continue
        rows.append((Candidate(method, value, seconds), reduced, score))
    plain = rows[0][2]
    if rows[0][1] is None:
        raise ValueError(f"choose: expected a study that runs on plain paths: {rows[0][0].refused}")
    blind = figure.how == "probability" and rows[0][0].estimate is not None and rows[0][0].estimate.value == 0.0
    measured: list[tuple[Candidate, Reduced | None, float]] = []
    for row, made, score in rows:
        saw = row.estimate is not None and (not blind or row.estimate.value > 0.0)
        gain = (math.inf if blind else plain / score) if saw and score > 0.0 else 0.0
        measured.append((dataclasses.replace(row, gain=1.0 if row.method == "none" else gain), made, score))
    able = [(score, made) for row, made, score in measured if made is not None and row.gain >= 1.2]
    best = min(able, key=lambda pair: pair[0])[1] if able else rows[0][1]
    assert best is not None
    return Choice(best, tuple(row for row, _, _ in measured), name, {"study": study, "pilot": pilot, "seed": seed})


def _measure(reduced: Reduced, figure: Figure, name: str, paths: int, seed: int) -> tuple[Estimate, float, float]:
    """(estimate, error^2 x seconds, seconds a million paths): mean error^2 of three runs, the faster time of the last two, which compile nothing."""
    runs = []
    for k in range(3):
        clock = time.perf_counter()
        result = reduced.study.run(paths, seed=seed, stream="pilot", first=_PILOT_FIRST + k * (1 << 32), keep=1e18, progress=False)
        value = reduced.estimate(result, figure, name)
        runs.append((value, time.perf_counter() - clock, result.paths))
    seconds = min(run[1] for run in runs[1:])
    square = sum(run[0].error ** 2 for run in runs) / len(runs)
    if not square > 0.0:
        raise ValueError(f"the pilot of {paths:,} paths shows no error, so it tells nothing")
    return runs[-1][0], square * seconds, seconds / runs[-1][2] * 1e6
