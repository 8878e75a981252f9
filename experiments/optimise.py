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

SHOWN = 64
"""Most numbers of a rule that are printed one by one: a network's say nothing to a reader."""


def fit_and_test(
    config: Any, folder: report.RunFolder, study: mc.Study, benchmark: Any, shown: Callable[[Any], str] = report.text
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Fit the one policy of ``study``, say what holds, run it before and after on paths no one has used (of history on all), say what was gained.

    ``shown`` makes text of the table of both.
    """
    wish = configuration.build(config.objective)
    options = fit_options(config, study, wish, benchmark)
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
    print(
        f"{len(fit.rows)} runs of {fit.paths:,} paths at most\n\n{numbers}\n\n{report.constraints(fit)}\n\n" + "\n".join(fit.says()) + "\n",
        flush=True,
    )

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
    print(f"{tested}, floor {float(wish.floor):g}\n\n{shown(table)}\n")
    print(report.verdict("mean return", table.loc["after", "difference_to_before"]), flush=True)
    metrics = {
        "parameters": {when: dict(parameters[when]) for when in parameters},
        "goal": fit.goal,
        "holds": fit.feasible,
        "constraints": {name: row.drop("limit").to_dict() for name, row in constraints.iterrows()},
        **{when: report.metrics(table.loc[when]) for when in ("before", "after")},
    }
    timings = {f"fit_{name}": seconds for name, seconds in fit.timings.items()} | {f"test_{k}": v for k, v in result.timings.items()}
    return metrics, timings


def fit_options(config: Any, study: mc.Study, wish: objective.Wish, benchmark: Any) -> dict[str, Any]:
    """Arguments of ``optimise.fit`` that a configuration gives."""
    return {**configuration.plain(config.optimise), "benchmark": benchmark, "also": _markets.also(config, study, wish)}


def frontier(config: Any, folder: report.RunFolder, study: mc.Study, benchmark: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """The wish at every level of one constraint, each fit begun at the last one's end."""
    wish, (constraint, levels) = configuration.build(config.objective), config.frontier.values()
    options = fit_options(config, study, wish, benchmark)
    settings = {"objective": wish, "devices": _task.devices(), "constraint": constraint, "levels": list(levels)}
    journal = _task.journal(config, folder, study, "frontier", **settings, **options)
    fits = optimise.frontier(study, wish, constraint, list(levels), seed=config.seed, journal=journal, **options)
    table = optimise.frontier_table(fits, constraint, list(levels))
    folder.write_table("frontier", table)
    if config.plots:
        folder.write_picture("frontier", report.plot_frontier(fits, constraint, list(levels)))
    print(f"{sum(len(fit.rows) for fit in fits)} runs of at most {fits[0].paths:,} paths for {len(fits)} levels\n\n{table.to_string()}\n")
    for fit, level in zip(fits, levels, strict=True):
        print(f"{constraint} {level:g}: " + "; ".join(fit.says()), flush=True)
    metrics = {f"{level:g}": {"goal": fit.goal, "holds": fit.feasible} for fit, level in zip(fits, levels, strict=True)}
    return metrics, {"fit_seconds": sum(fit.timings["seconds"] for fit in fits)}


@_main.main("optimise")
def main(config: Any, folder: report.RunFolder) -> tuple[dict[str, Any], dict[str, Any]]:
    study = configuration.study(config)
    _task.check_floor(study, config.floor)
    if config.trace is not None:
        return _task.trace(config, folder, study)
    benchmark = configuration.build(config.benchmark)
    return (fit_and_test if config.frontier.constraint is None else frontier)(config, folder, study, benchmark)


if __name__ == "__main__":
    sys.exit(main())
