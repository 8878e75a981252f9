"""One policy, one floor: what it costs and what it protects, against the unhedged mix on the same paths.

python experiments/hedge.py policy=cppi policy.multiplier=5 paths=200000
python experiments/hedge.py policy=cppi floor=0.7 variance_reduction=auto
python experiments/hedge.py policy=gamma_scalping explain=true
python experiments/hedge.py -m policy=unhedged,static_put,stop_loss,cppi floor=0.7,0.9
"""

import sys
from typing import Any

import _main
import _task
import numpy as np

import mcengine as mc
from mcengine import config as configuration
from mcengine import objective, report
from mcengine._model import replace


def plan(config: Any) -> _task.Plan | None:
    """What a sweep solves together with others; None where this is a run of its own."""
    name, study = _study(config)
    figures = _figures(config, name, study)
    if config.variance_reduction.method not in ("none", "antithetic", "sobol") or not _task.is_plain(config):
        return None
    reduced = mc.variance_reduction.reduce(study, config.variance_reduction.method, figures=figures)
    return _task.Plan(reduced.study, figures, lambda folder, result: _told(config, folder, name, reduced, result))


@_main.main("hedge", plan)
def main(config: Any, folder: report.RunFolder) -> tuple[dict[str, Any], dict[str, Any]]:
    name, study = _study(config)
    if config.trace is not None:
        return _task.trace(config, folder, study)
    figures = _figures(config, name, study)
    wanted = configuration.plain(config.variance_reduction)
    wanted |= {"figure": f"{name}/{wanted['figure']}"} if "figure" in wanted else {}
    choice = _task.journal(config, folder, study, "variance_reduction", **wanted) if wanted["method"] == "auto" else None
    if choice is not None and choice.knows_next:  # it was timed: a run that goes on keeps it
        wanted["method"] = choice(lambda: None)
    reduced = mc.variance_reduction.reduce(study, **wanted, figures=figures, floor=config.floor, book=name, seed=config.seed)
    if choice is not None and wanted["method"] == "auto":
        choice(lambda: reduced.method)
    print(reduced.note, end="\n\n" if reduced.note else "", flush=True)
    result = reduced.study.run(config.paths, figures=figures, **_task.options(config, folder))
    return _told(config, folder, name, reduced, result)


def _study(config: Any) -> tuple[str, mc.Study]:
    """(the policy's name, its study beside the unhedged mix)."""
    name, study = configuration.policy_name(config), configuration.study(config, configuration.books)
    _task.check_floor(study, config.floor)
    more = mc.engine.InRegimes.of(study.market) + ((mc.engine.Explained(),) if config.explain else ())
    return name, replace(study, recorders=(*study.recorders, *more)) if more else study


def _figures(config: Any, name: str, study: mc.Study) -> dict[str, mc.statistics.Figure]:
    figures = objective.figures(study, config.floor)
    figures |= objective.regime_figures(study) if mc.engine.InRegimes.of(study.market) else {}
    return figures | (objective.explained_figures(study, [name]) if config.explain else {})


def _told(
    config: Any, folder: report.RunFolder, name: str, reduced: mc.variance_reduction.Reduced, result: mc.Result
) -> tuple[dict[str, Any], dict[str, Any]]:
    """What came out: printed, as tables and pictures, as metrics."""
    facts = _task.say_how_it_went(result)
    reduced.check(result)
    table = objective.table(result, config.floor, estimate=reduced.estimate)
    print(f"{name}, floor {config.floor:g}: {result.paths:,} paths, horizon {config.years:g} y\n\n{report.text(table)}\n")
    print("\n".join(objective.binding(table, config.floor)))
    folder.write_table("figures", table)
    regimes = objective.by_regime(result, estimate=reduced.estimate) if mc.engine.InRegimes.of(result.study.market) else None
    if regimes is not None:
        folder.write_table("regimes", regimes)
    if config.explain:
        gained = objective.explained(result, [name], reduced.estimate)
        print(f"\nWhat {name} has gained, explained\n\n{report.text(gained)}", flush=True)
        folder.write_table("explained", gained)
    if config.plots:
        folder.write_picture("wealth", report.plot_wealth(result, config.floor))
        folder.write_picture("protection_cost", report.plot_protection_cost(table, config.floor))
        if regimes is not None:
            folder.write_picture("regimes", report.plot_by_regime(regimes))
        if config.explain:
            explain(config, folder, reduced.study, result, name)
    return {**report.metrics(table.loc[name]), "unhedged": report.metrics(table.loc["unhedged"])}, facts


def explain(config: Any, folder: report.RunFolder, study: mc.Study, result: mc.Result, name: str) -> None:
    """Pictures of the path on which the policy ended lowest: its Greeks by expiry, and what it has gained."""
    path = result.first + int(np.argmin(result[name]["wealth"]))
    recorders = (mc.engine.Explained(), mc.engine.BookGreeks(by_expiry=True))
    alone = replace(study, policy={name: study.books[name]}, recorders=recorders)
    traced = alone.trace([path], seed=config.seed, stream=config.stream)
    traced.attrs["about"] = f"{name}, the worst of {result.kept:,} paths · {traced.attrs['about']}"
    folder.write_picture("explained", report.plot_explained(traced, path))
    folder.write_picture("greeks", report.plot_greeks(traced, path))


if __name__ == "__main__":
    sys.exit(main())
