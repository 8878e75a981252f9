"""The numbers of a rule that meet a wish: what is to be best, what must hold; tested on fresh paths.

python experiments/optimise.py floor=0.9 policy=cppi objective.goal=mean_return 'objective.constraints={breach: {most: 0.005}, turnover: {most: 2}}'
python experiments/optimise.py delay=1 'optimise.train=[policy.cppi.multiplier,policy.cppi.floor]' policy=cppi 'also=["market=bootstrap"]'
python experiments/optimise.py policy=cppi frontier.constraint=breach 'frontier.levels=[0.02,0.01,0.005,0.002]'
"""

import sys
from collections.abc import Callable
from typing import Any

import _main
import _markets
import _task

import mcengine as mc
from mcengine import config as configuration
from mcengine import objective, optimise, report
from mcengine._model import replace
from mcengine.optimise.numbers import chosen_names

SHOWN = 16
"""Most numbers of a rule that are printed one by one: a network's say nothing to a reader."""


def fit_and_test(
    config: Any, folder: report.RunFolder, study: mc.Study, benchmark: Any, shown: Callable[[Any], str] = report.text
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Fit the one policy of ``study``, say what holds, run it before and after on paths no one has used (of history on all), say what was gained.

    ``shown`` makes text of the table of both.
    """
    wish, options = wish_of(config, study, benchmark)
    journal = _task.journal(config, folder, study, "fit", objective=wish, devices=_task.devices(), **options)
    fit = optimise.fit(study, wish, seed=config.seed, journal=journal, **options)
    parameters, constraints = fit.table(), fit.constraints()
    folder.write_table("parameters", parameters)
    folder.write_table("constraints", constraints)
    folder.write_table("fit", fit.history)
    if config.plots:
        folder.write_picture("fit", report.plot_fit(fit))
    few = len(parameters) <= SHOWN
    numbers = parameters.to_string(float_format="{:.4f}".format) if few else f"{len(parameters)} numbers, before and after in parameters.csv"
    parts = [f"{len(fit.rows)} runs of {fit.paths:,} paths at most", numbers, report.constraints(fit), "\n".join(fit.says())]
    print("\n\n".join(part for part in parts if part) + "\n", flush=True)

    policy = next(iter(study.books.values()))
    both = replace(study, policy={"before": policy, "after": next(iter(fit.study.books.values()))})
    figures = objective.figures(both, float(wish.floor), benchmark="before")
    if study.sampling.kind == "windows":  # all of which the fit has seen: there are no others
        first, paths, name = 0, study.available(sys.maxsize), "windows"
        tested = f"compared on all {paths:,} windows of history, which the fit has seen: no test"
    else:  # ids behind those of the main run: neither it nor the fit has met these paths
        first, paths, name = config.paths, config.test_paths, f"fresh_from_{config.paths}"
        tested = f"tested on {paths:,} fresh paths"
    result = both.run(paths, seed=config.seed, figures=figures, first=first, **_task.place(config, folder, name), **_task.engine(config))
    table = objective.table(result, float(wish.floor), benchmark="before").drop(columns="difference_at_equal_leverage")
    table = table.rename(columns={"difference": "difference_to_before"})
    folder.write_table("before_after", table)
    print(f"{tested}, floor {float(wish.floor):g}, horizon {float(study.years):g} y\n\n{shown(table)}\n")
    print(report.verdict("mean return", table.loc["after", "difference_to_before"], float(study.years)), flush=True)
    metrics = {
        "parameters": {when: dict(parameters[when]) for when in parameters},
        wish.goal_name: fit.goal,
        "holds": fit.feasible,
        "constraints": {name: row.drop("limit").to_dict() for name, row in constraints.iterrows()},
        **{when: report.metrics(table.loc[when]) for when in ("before", "after")},
    }
    timings = {f"fit_{name}": seconds for name, seconds in fit.timings.items()} | {f"test_{k}": v for k, v in result.timings.items()}
    return metrics, timings


def wish_of(config: Any, study: mc.Study, benchmark: Any) -> tuple[objective.Wish, dict[str, Any]]:
    """(what is asked of the fit, arguments of ``optimise.fit`` that the configuration gives)."""
    wish = configuration.build(config.objective)
    wish.goal_measure(study)
    wish.measures(study)
    chosen_names(study, config.optimise.train)
    return wish, {**configuration.plain(config.optimise), "benchmark": benchmark, "also": _markets.also(config, study, wish)}


def frontier(config: Any, folder: report.RunFolder, study: mc.Study, benchmark: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """The wish at every level of one constraint, each fit begun at the last one's end."""
    (wish, options), (constraint, levels) = wish_of(config, study, benchmark), config.frontier.values()
    settings = {"objective": wish, "devices": _task.devices(), "constraint": constraint, "levels": list(levels)}
    journal = _task.journal(config, folder, study, "frontier", **settings, **options)
    fits = optimise.frontier(study, wish, constraint, list(levels), seed=config.seed, journal=journal, **options)
    table = optimise.frontier_table(fits, constraint, list(levels))
    folder.write_table("frontier", table)
    if config.plots:
        folder.write_picture("frontier", report.plot_frontier(fits, constraint, list(levels)))
    print(f"{sum(len(fit.rows) for fit in fits)} runs of at most {fits[0].paths:,} paths for {len(fits)} levels\n\n{_in_units(table)}\n")
    for fit, level in zip(fits, levels, strict=True):
        print(f"{constraint} {level:g}: " + "; ".join(fit.says()), flush=True)
    metrics = {f"{level:g}": {wish.goal_name: fit.goal, "holds": fit.feasible} for fit, level in zip(fits, levels, strict=True)}
    return metrics, {"fit_seconds": sum(fit.timings["seconds"] for fit in fits)}


def _in_units(table: Any) -> str:
    """A frontier as its sentences have it: figures in their units, without bounds and prices."""
    asked, goal = (mc.engine.metric(str(key)) for key in (table.index.name, table.columns[0]))
    units = {table.columns[0]: goal, f"{table.index.name}_value": asked}
    shown = table.drop(columns=["price", f"{table.index.name}_bound"], errors="ignore")
    for key, unit in units.items():
        if key in shown:
            shown[key] = [one.scaled(unit.factor) for one in shown[key]]
    shown.index = (asked.factor * shown.index).rename(f"limit of {asked.heading}")
    return str(shown.rename(columns={key: unit.heading for key, unit in units.items()}).to_string(float_format="{:.4g}".format))


def ready(config: Any) -> tuple[mc.Study, Any]:
    """(the study of the rule as it is, the benchmark)."""
    study = configuration.study(config)
    _task.check_floor(study, config.floor)
    return study, configuration.build(config.benchmark)


def check(config: Any) -> None:
    """Refuse what a run would be refused for."""
    wish_of(config, *ready(config))


@_main.main("optimise", check)
def main(config: Any, folder: report.RunFolder) -> tuple[dict[str, Any], dict[str, Any]]:
    study, benchmark = ready(config)
    if config.trace is not None:
        return _task.trace(config, folder, study)
    return (fit_and_test if config.frontier.constraint is None else frontier)(config, folder, study, benchmark)


if __name__ == "__main__":
    sys.exit(main())
