"""A search over intervals: optuna is asked for a batch of points, which are solved together, and told what came of them."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import _points
import _sweep_table
from _command_line import CommandLine
from _points import Point

from mcengine import config as configuration

Solve = Callable[[Sequence[Point]], tuple[list[tuple[Point, Path]], set[Path]]]

_GOALS = {"highest": "maximize", "lowest": "minimize"}
_DIGITS = 6
"""Of a number that is tried: more tell nothing, and make names of folders long."""


def search(name: str, line: CommandLine, space: Mapping[str, Any], solve: Solve) -> tuple[list[tuple[Point, Path]], set[Path]]:
    """Every point that was tried with its folder, and those finished before: a search that is started again asks for the same points.

    Args:
        name: Of the experiment.
        line: Its command line.
        space: Of ``_points.space``.
        solve: Runs points.

    Raises:
        ValueError: For settings of ``search`` that do not fit, or where optuna is not installed.
    """
    first = {key: _text(value[0]) if isinstance(value, tuple) else value[0] for key, value in space.items()}
    config = _points.points(name, line, [first])[0].config()
    configuration.check(config, name)
    wish, limits = config.search, configuration.plain(config.search.most)
    if wish.goal not in _GOALS:
        raise ValueError(f"search.goal: expected highest or lowest, got {wish.goal!r}")
    if wish.trials < 1 or wish.batch < 1:
        raise ValueError(f"search: expected trials and batch of at least 1, got {wish.trials} and {wish.batch}")
    try:
        import optuna
    except ImportError:
        raise ValueError("an interval is searched by optuna, which the extra mcengine[search] brings; range(low,high,step) needs none") from None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    kinds = {key: _kind(key, value) for key, value in space.items()}
    study = optuna.create_study(direction=_GOALS[wish.goal], sampler=optuna.samplers.TPESampler(seed=int(config.seed)))
    runs: list[tuple[Point, Path]] = []
    done: set[Path] = set()
    while len(study.trials) < wish.trials:
        trials = [study.ask(kinds) for _ in range(min(wish.batch, wish.trials - len(study.trials)))]
        found, before = solve(_points.points(name, line, [{key: _text(trial.params[key]) for key in space} for trial in trials]))
        for trial, (_, path) in zip(trials, found, strict=True):
            value, others = _sweep_table.value(path, wish.metric), {key: _sweep_table.value(path, key) for key in limits}
            if _sweep_table.code(path) == 0 and (value is None or None in others.values()):
                unknown = wish.metric if value is None else next(key for key, other in others.items() if other is None)
                raise ValueError(f"search: unknown figure {unknown!r}; known: {', '.join(_sweep_table.names(path))}")
            for key, other in others.items():
                if other is not None:
                    trial.set_constraint(key, other - limits[key])
            study.tell(trial, value, state=None if value is not None else optuna.trial.TrialState.FAIL)
        runs += [pair for pair in found if pair[1] not in {path for _, path in runs}]
        done |= before
    _say(runs, wish.metric, wish.goal, limits)
    return runs, done


def _kind(key: str, value: Any) -> Any:
    """The distribution that a value is drawn from."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if not isinstance(value, tuple):
        return CategoricalDistribution(value)
    low, high, log = value
    if not low < high:
        raise ValueError(f"{key}: expected an interval from low to high, got {low:g} to {high:g}")
    whole = isinstance(low, int) and isinstance(high, int)
    return IntDistribution(low, high, log=log) if whole else FloatDistribution(low, high, log=log)


def _text(value: Any) -> str:
    return f"{value:.{_DIGITS}g}" if isinstance(value, float) else str(value)


def _say(runs: Sequence[tuple[Point, Path]], metric: str, goal: str, limits: Mapping[str, float]) -> None:
    """Print the best point that keeps the limits, by the values as they came: the best of many is on average better than it is."""
    kept = []
    for point, path in runs:
        values = {key: _sweep_table.value(path, key) for key in (metric, *limits)}
        if None not in values.values() and all(values[key] <= most for key, most in limits.items()):
            kept.append((values[metric], point.words))
    if not kept:
        print(f"no point of {len(runs)} keeps {', '.join(f'{key} at most {most:g}' for key, most in limits.items()) or 'what is asked'}\n")
        return
    value, words = (max if goal == "highest" else min)(kept)
    print(f"{goal} {metric} of {len(runs)} points, {value:.6g}, at {words}")
    print("the best of many is luckier than it is good: run it again with another seed\n")
