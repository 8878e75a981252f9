"""A search over intervals: optuna is asked for a batch of points, which are solved together, and told what came of them."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import _points
from _command_line import CommandLine
from _job import say
from _points import Point
from _sweep_table import Ran, number

from mcengine import config as configuration

Solve = Callable[[Sequence[Point]], list[Ran]]

_GOALS = {"highest": "maximize", "lowest": "minimize"}
_DIGITS = 6
"""Of a number that is tried: more tell nothing, and make names of folders long."""


def search(name: str, line: CommandLine, space: Mapping[str, Any], solve: Solve) -> list[Ran]:
    """Every point that was tried, once; a search that is started again asks for the same points. One that is refused is told as a trial that failed.

    Args:
        name: Of the experiment.
        line: Its command line.
        space: Of ``_points.space``.
        solve: Runs points.

    Raises:
        ValueError: For settings of ``search`` that do not fit, where optuna is not installed, or where no point of the first batch can be run.
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
    runs: dict[str, Ran] = {}
    while len(study.trials) < wish.trials:
        trials = [study.ask(kinds) for _ in range(min(wish.batch, wish.trials - len(study.trials)))]
        found = solve(_points.points(name, line, [{key: _text(trial.params[key]) for key in space} for trial in trials]))
        if not runs and all(run.path is None for run in found):
            raise ValueError(f"{found[0].message}{_whole(space)}")
        for run in found:
            if run.path is None:
                say(run.message)
        for trial, run in zip(trials, found, strict=True):
            figures = run.figures
            unknown = [] if run.code else [key for key in (wish.metric, *limits) if key not in figures]
            if unknown:
                raise ValueError(f"search: unknown figure {unknown[0]!r}; known: {', '.join(figures)}")
            value, others = number(figures.get(wish.metric)), {key: number(figures.get(key)) for key in limits}
            for key, other in others.items():
                if other is not None:
                    trial.set_constraint(key, other - limits[key])
            good = value is not None and None not in others.values()
            study.tell(trial, value if good else None, state=None if good else optuna.trial.TrialState.FAIL)
            runs.setdefault(run.point.words, run)
    _say(list(runs.values()), wish.metric, wish.goal, limits)
    return list(runs.values())


def _whole(space: Mapping[str, Any]) -> str:
    """What to write where a number is a whole one: an interval is of any."""
    found = [f"{key}=int(interval({_text(v[0])},{_text(v[1])}))" for key, v in space.items() if isinstance(v, tuple) and isinstance(v[0], float)]
    return f"; whole numbers are searched by {' '.join(found)}" if found else ""


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


def _say(runs: Sequence[Ran], metric: str, goal: str, limits: Mapping[str, float]) -> None:
    """Print the best point that keeps the limits, by the values as they came: the best of many is on average better than it is."""
    kept = []
    for run in runs:
        values = {key: number(run.figures.get(key)) for key in (metric, *limits)}
        if None not in values.values() and all(values[key] <= most for key, most in limits.items()):
            kept.append((values[metric], run.point.words))
    if not kept:
        print(f"no point of {len(runs)} keeps {', '.join(f'{key} at most {most:g}' for key, most in limits.items()) or 'what is asked'}\n")
        return
    value, words = (max if goal == "highest" else min)(kept)
    print(f"{goal} {metric} of {len(runs)} points, {value:.6g}, at {words}")
    print("the best of many is luckier than it is good: run it again with another seed\n")
