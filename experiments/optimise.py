"""The best numbers of a rule under an objective: fitted on paths of their own, tested on fresh ones.

python experiments/optimise.py policy=cppi objective=floor_protection
"""

import math
import sys
from typing import Any

import _main
import _task

import mcengine as mc
from mcengine import config as configuration
from mcengine import objective, optimise, report
from mcengine._files import inside
from mcengine._model import replace


def fit_and_test(config: Any, folder: report.RunFolder, study: mc.Study) -> tuple[dict[str, Any], dict[str, Any]]:
    """Fit the one policy of ``study``, run it before and after on paths no one has used, say whether anything was gained."""
    goal = configuration.load(config.objective)
    settings = configuration.plain(config.optimise)
    journal = _task.journal(config, folder, study, "fit", objective=goal, devices=_task.devices(), **settings)
    fit = optimise.fit(study, goal, seed=config.seed, journal=journal, **settings)
    parameters = fit.table()
    folder.write_table("parameters", parameters)
    folder.write_table("fit", fit.history)
    if config.plots:
        folder.write_picture("fit", report.plot_fit(fit.history, fit.limit))
    numbers = parameters.to_string(float_format="{:.4f}".format)
    print(f"{len(fit.history)} steps of {config.optimise.paths:,} paths\n\n{numbers}\n", flush=True)

    policy = next(iter(study.books.values()))
    both = replace(study, policy={"before": policy, "after": next(iter(fit.study.books.values()))})
    figures = objective.figures(both, float(goal.floor), benchmark="before")
    # Ids behind those of the main run: neither it nor the fit has met these paths.
    where = {"first": config.paths, "folder": inside(folder.path, f"fresh_from_{config.paths}"), "resume": folder.resumable}
    result = both.run(config.test_paths, seed=config.seed, figures=figures, **where, **_task.engine(config))
    table = objective.table(result, float(goal.floor), benchmark="before").drop(columns="difference_at_equal_leverage")
    table = table.rename(columns={"difference": "difference_to_before"})
    folder.write_table("before_after", table)
    print(f"tested on {config.test_paths:,} fresh paths, floor {float(goal.floor):g}\n\n{report.text(table)}\n")

    gain, breach = table.loc["after", "difference_to_before"], table.loc["after", "breach_any_day"]
    known = breach.half_width() if math.isfinite(breach.error) else 0.0
    kept = "within" if breach.value - known <= fit.limit else "above"
    print(report.verdict("mean return", gain))
    print(f"P(any day below {float(goal.floor):g}) is {report.per_cent(breach)} after it: {kept} the limit of {fit.limit:.2%}.", flush=True)
    metrics = {
        "parameters": {when: dict(parameters[when]) for when in parameters},
        **{when: report.metrics(table.loc[when]) for when in ("before", "after")},
    }
    timings = {f"fit_{name}": seconds for name, seconds in fit.timings.items()} | {f"test_{k}": v for k, v in result.timings.items()}
    return metrics, timings


@_main.main("optimise")
def main(config: Any, folder: report.RunFolder) -> tuple[dict[str, Any], dict[str, Any]]:
    study = configuration.study(config)
    _task.check_floor(study, config.floor)
    if config.trace is not None:
        return _task.trace(config, folder, study)
    return fit_and_test(config, folder, study)


if __name__ == "__main__":
    sys.exit(main())
