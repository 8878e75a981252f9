"""What is to be solved: a wish, the numbers that move, the markets in which it must hold; seen with slopes on fixed paths, hard on unseen ones."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mcengine._model import replace, with_parameters
from mcengine.engine import Study, Tangents
from mcengine.objective import Measure, Wish
from mcengine.optimise.condition import Condition, Verdict
from mcengine.optimise.numbers import Point
from mcengine.statistics import Estimate

BENCHMARK = "benchmark"
MOST_TRIES = 4
"""Runs that may say that a wish holds; each is that much stricter, so that all together keep the confidence asked (Bonferroni)."""


@dataclass
class Scene:
    """One market: the study with the benchmark beside the rule, and how to name the rule's numbers there.

    Args:
        name: "" for the study's own.
        study: Of the rule alone.
        both: Of the rule, and the benchmark where a figure asks for one.
        book: Name of the rule in it.
    """

    name: str
    study: Study
    both: Study
    book: str

    def at(self, values: Mapping[str, Any], width: float) -> Study:
        """The study at other numbers.

        Args:
            values: By name in the study of the rule alone.
            width: Of its gates.
        """
        return replace(with_parameters(self.both, {self.named(name): x for name, x in values.items()}), width=width)

    def named(self, name: str) -> str:
        """A number's name where the benchmark is beside it.

        Args:
            name: In the study of the rule alone.
        """
        return f"policy.{self.book}.{name.removeprefix('policy.')}" if BENCHMARK in self.both.books and name.startswith("policy.") else name


@dataclass
class Problem:
    """A wish about the numbers of a rule.

    Args:
        study: Of one policy.
        wish: Goal and constraints.
        names: Of the numbers that move.
        paths: Fixed ones that are searched on.
        judged: Unseen ones that say whether it holds.
        seed: Of both.
        width: Smooths the rule's gates where it is searched.
        benchmark: Policy for figures that compare.
        also: More studies of the same rule by name, in which the constraints must hold too.
        judges: Runs on unseen paths that came before, whose paths are left alone.
    """

    study: Study
    wish: Wish
    names: tuple[str, ...]
    paths: int
    judged: int
    seed: int = 0
    width: float = 0.002
    benchmark: Any = None
    also: Mapping[str, Study] = field(default_factory=dict)
    judges: int = 0

    def __post_init__(self) -> None:
        self.point = Point.of(self.study, self.names)
        self.goal = self.wish.goal_measure(self.study)
        self.scenes: list[Scene] = []
        self.conditions: list[Condition] = []
        self._programs: dict[str, Tangents] = {}
        self._last: dict[str, tuple[bytes, Any]] = {}
        for name, study in {"": self.study, **self.also}.items():
            measures = self.wish.measures(study)
            asked = [self.goal, *(one for _, one in measures.values())]
            self.scenes.append(_scene(name, study, asked, self.benchmark))
            sampling, judged = study.sampling, self.judged_in(study)
            for key, (constraint, one) in measures.items():
                confidence = 1.0 - (1.0 - constraint.confidence) / MOST_TRIES
                self.conditions.append(Condition(f"{key} in {name}" if name else key, name, constraint, one, confidence, judged, sampling))
        self.moves = np.zeros(self.point.scale.size, bool)

    def judged_in(self, study: Study) -> int:
        """Paths of a judgement: history has only so many windows.

        Args:
            study: Of a market.
        """
        return study.available(self.judged)

    def check(self, values: Mapping[str, Any]) -> None:
        """Check that the study can be made at these numbers, in every market.

        Args:
            values: Numbers by name.

        Raises:
            ValueError: Where they contradict each other.
        """
        for scene in self.scenes:
            scene.at(values, 0.0)

    def accepts(self, values: Mapping[str, Any]) -> bool:
        """Whether the study can be made at these numbers, in every market.

        Args:
            values: Numbers by name.
        """
        try:
            self.check(values)
        except ValueError:
            return False
        return True

    @property
    def fewer(self) -> int:
        """Paths of a first, rough search: an eighth, or as many as every figure needs; all where that is no fewer than a half."""
        found = max([self.paths // 8, *(one.fewest for one in self.conditions)])
        return found if found <= self.paths // 2 else self.paths

    def evaluate(self, values: Mapping[str, Any], corrections: Mapping[str, float], paths: int | None = None) -> dict[str, Any]:
        """Goal and conditions on the fixed paths, with slopes by each scaled number: plain numbers that a journal can keep.

        Args:
            values: Numbers by name.
            corrections: Of a judge, by condition.
            paths: The first of them; None for all.

        Raises:
            NotFiniteError: For a path that breaks.
        """
        out: dict[str, Any] = {"c": [], "a": [], "value": [], "moves": np.zeros(self.moves.size, bool)}
        for scene in self.scenes:
            own, benchmark, tangents, study = self._searched(scene, values, self.paths if paths is None else paths)
            out["moves"] |= np.any([np.any(x != 0.0, axis=0) for x in tangents.values()], axis=0)
            if not scene.name:
                goal = self.goal.sampled(own, benchmark, study.sampling)
                out |= {"f": self.wish.sign * goal.value, "error": goal.error}
                out["g"] = (self.wish.sign * self.goal.slope(own, benchmark, tangents) * self.point.scale).tolist()
            for one in self._of(scene):
                out["c"].append(one.gap(own, benchmark, study.sampling, corrections[one.name]))
                out["a"].append((one.slope(own, benchmark, tangents, corrections[one.name]) * self.point.scale).tolist())
                out["value"].append(one.measure.sampled(own, benchmark, study.sampling).value)
        out["moves"] = out["moves"].tolist()
        return out

    def hard(self, values: Mapping[str, Any], corrections: Mapping[str, float]) -> dict[str, Any]:
        """Goal and conditions of the hard rule on the same fixed paths, for a search without derivatives.

        Args:
            values: Numbers by name.
            corrections: Of a judge, by condition.
        """
        out: dict[str, Any] = {"c": []}
        for scene in self.scenes:
            own, benchmark, study = self.run(scene, values, self.paths, "train", 0)
            if not scene.name:
                out["f"] = self.wish.sign * self.goal.sampled(own, benchmark, study.sampling).value
            out["c"] += [one.gap(own, benchmark, study.sampling, corrections[one.name]) for one in self._of(scene)]
        return out

    def run(self, scene: Scene, values: Mapping[str, Any], paths: int, stream: str, first: int) -> tuple[Any, Any, Study]:
        """The hard rule.

        Args:
            scene: The market.
            values: Numbers by name.
            paths: Number of paths.
            stream: Of the random numbers.
            first: Id of the first path.

        Returns:
            (outcomes of the book, of the benchmark, the study).
        """
        study = scene.at(values, 0.0)
        result = study.run(study.available(paths, first), seed=self.seed, stream=stream, first=first, keep=paths, progress=False)
        return result[scene.book], result.outcomes.get(BENCHMARK, {}), study

    def judge(self, values: Mapping[str, Any], turn: int) -> dict[str, Any]:
        """What the hard rule does on paths that no search and no earlier turn has seen; of a replay on all its windows, for there are no others.

        Args:
            values: Numbers by name.
            turn: Counts the judgements.

        Returns:
            Plain numbers: the goal, verdicts, by how much each gap falls for a unit of its limit and for a unit of floor.
        """
        out: dict[str, Any] = {"verdicts": [], "per_limit": [], "per_floor": []}
        for scene in self.scenes:
            judged = self.judged_in(scene.study)
            first = 0 if scene.study.sampling.kind == "windows" else (self.judges + turn) * judged
            own, benchmark, study = self.run(scene, values, judged, "validate", first)
            if not scene.name:
                outcomes = {"own": own, "benchmark": benchmark}
                out["goal"] = _fields(self.goal.figure("own", "benchmark").exact(outcomes, study.sampling))
            higher = self._higher_floor(scene)
            for one, raised in zip(self._of(scene), higher, strict=True):
                found = one.verdict(own, benchmark, study.sampling)
                out["verdicts"].append([*_fields(found.estimate), found.holds, found.bound, found.gap])
                out["per_limit"].append(one.per_limit(own, benchmark))
                out["per_floor"].append((found.gap - raised.gap(own, benchmark, study.sampling)) / _BUMP)
        return out

    def _higher_floor(self, scene: Scene) -> list[Condition]:
        """The same conditions at a floor that is a little higher."""
        wish = self.wish.at_floor(self.wish.floor + _BUMP)
        return [
            Condition(one.name, one.scene, one.constraint, measure, one.confidence, one.judged, one.sampling)
            for one, (_, measure) in zip(self._of(scene), wish.measures(scene.study).values(), strict=True)
        ]

    def _of(self, scene: Scene) -> list[Condition]:
        return [one for one in self.conditions if one.scene == scene.name]

    def _searched(self, scene: Scene, values: Mapping[str, Any], paths: int) -> tuple[Any, Any, Any, Study]:
        study = scene.at(values, self.width)
        if scene.name not in self._programs:
            asked = [self.goal, *(one.measure for one in self._of(scene))]
            wanted = {scene.book: _names(name for one in asked for name in one.needs)}
            if BENCHMARK in scene.both.books:
                wanted[BENCHMARK] = _names(name for one in asked for name in one.of_benchmark)
            self._programs[scene.name] = Tangents(study, [scene.named(name) for name in self.names], wanted)
        at, found = self._last.get(scene.name, (b"", None))
        here = b"".join(np.asarray(x, np.float64).tobytes() for x in [*values.values(), paths])
        if at != here:  # where only what a judge corrects has changed, the paths have not
            found = self._programs[scene.name](study, study.available(paths), seed=self.seed, stream="train")
            self._last[scene.name] = here, found
        outcomes, slopes = found
        return outcomes[scene.book], outcomes.get(BENCHMARK, {}), slopes[scene.book], study


_BUMP = 1e-3
"""Of the starting wealth, by which the floor is raised for its price."""


def verdict(fields: Iterable[Any]) -> Verdict:
    """A verdict from its plain numbers.

    Args:
        fields: As ``Problem.judge`` gives them.
    """
    *estimate, holds, bound, gap = fields
    return Verdict(Estimate(*estimate), holds, bound, gap)


def _scene(name: str, study: Study, asked: list[Measure], benchmark: Any) -> Scene:
    if len(study.books) != 1:
        raise ValueError(f"fit: expected a study of one policy, got {', '.join(study.books)}")
    (book, policy), *_ = study.books.items()
    compared = [one.key for one in asked if one.of_benchmark]
    if compared and benchmark is None:
        raise ValueError(f"benchmark: expected a policy that {compared[0]} is compared with, got none")
    known = {type(one): one for one in study.recorders}
    more = {type(one): one for measure in asked for one in measure.recorders}
    recorders = tuple({**known, **more}.values())
    both = replace(study, recorders=recorders, policy={book: policy, BENCHMARK: benchmark} if compared else study.policy)
    return Scene(name, study, both, book)


def _names(found: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(set(found)))


def _fields(one: Estimate) -> list[Any]:
    return [one.value, one.error, one.count, one.sampling]
