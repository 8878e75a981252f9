"""The default study: market history to a floor-protected, optimised hedge. ``make run`` calls it.

Every policy at every floor on the same paths, what each costs and which constraints bind; then the last policy's rule is fitted and
tested on fresh paths.
"""

import sys
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import _main
import _task
import numpy as np
from optimise import fit_and_test, wish_of

import mcengine as mc
from mcengine import config as configuration
from mcengine import objective, report
from mcengine._model import replace
from mcengine.config import BENCHMARK
from mcengine.report import page_sources

SAMPLED = 300
WORST = 10


def ready(config: Any) -> tuple[Any, mc.Study, mc.Study]:
    """(the market as calibrated, all rules on it, the one that is fitted)."""
    calibration = configuration.calibrated(config.market)
    plain = configuration.study(config, configuration.books, calibration)
    study = replace(plain, recorders=(*plain.recorders, *mc.engine.InRegimes.of(plain.market)))
    for floor in config.floors:
        _task.check_floor(study, floor)
    return calibration, study, replace(plain, policy=configuration.build(config.policies[list(config.policies)[-1]]))


def check(config: Any) -> None:
    """Refuse what a run would be refused for."""
    _, study, alone = ready(config)
    study.sampling.check_run(study.available(config.paths))
    wish_of(config, alone, study.books[BENCHMARK])


@_main.main("study", check)
def main(config: Any, folder: report.RunFolder) -> tuple[dict[str, Any], dict[str, Any]]:
    calibration, study, alone = ready(config)
    describe(calibration)
    if len(study.market.assets) > 1 and hasattr(calibration, "realised_correlation"):
        folder.write_table("correlation", calibration.realised_correlation())
    if config.trace is not None:
        return _task.trace(config, folder, study)

    at_most = " at most" if _task.may_stop(config) else ""
    print(
        f"{config.paths:,} paths{at_most}, horizon {config.years:g} y in {config.steps} steps, {len(study.books)} books on the same paths", flush=True
    )
    result = study.run(config.paths, figures=figures(study, config.floors), **_task.options(config, folder))
    facts = _task.say_how_it_went(result)
    tables = {floor: table(result, floor) for floor in config.floors}
    metrics, most = dict[str, Any](), limit(config)
    for floor, estimates in tables.items():
        asked = f"± standard error; * more than the {100.0 * most:g} % asked for"
        print(f"floor {floor:.0%} ({asked})\n{report.deciding(estimates, most, name=policy_of)}\n", flush=True)
        folder.write_table(f"figures_{floor:g}", estimates)
        if mc.engine.InRegimes.of(study.market):
            folder.write_table(f"regimes_{floor:g}", by_regime(result, floor))
        metrics[f"floor_{floor:g}"] = {policy_of(book): report.metrics(row) for book, row in estimates.iterrows()}

    print(f"fit of {list(config.policies)[-1]}: {configuration.build(config.objective)}", flush=True)
    metrics["fit"], timings = fit_and_test(config, folder, alone, study.books[BENCHMARK], partial(report.deciding, most=most))
    if config.plots:
        pictures(config, folder, study, result, tables)
    return metrics, {**facts, **timings}


def of(study: mc.Study, floor: float) -> list[str]:
    """The books that are compared at a floor."""
    return [book for book in study.books if book == BENCHMARK or book.endswith(f" {floor:g}")]


def policy_of(book: str) -> str:
    """``"cppi 0.9"`` is ``cppi``."""
    return book.split(" ")[0]


def figures(study: mc.Study, floors: Sequence[float]) -> dict[str, mc.statistics.Figure]:
    """The figures of every floor; the benchmark is in each, so their names begin with the floor."""
    made = {floor: objective.figures(study, floor, of(study, floor)) for floor in floors}
    if mc.engine.InRegimes.of(study.market):
        made = {floor: own | objective.regime_figures(study, of(study, floor)) for floor, own in made.items()}
    return {f"floor_{floor:g}/{key}": figure for floor, own in made.items() for key, figure in own.items()}


def table(result: mc.Result, floor: float) -> Any:
    """The table of one floor, its figures read from the paths kept or from those streamed under its name."""
    return objective.table(result.under(f"floor_{floor:g}/"), floor, of(result.study, floor))


def by_regime(result: mc.Result, floor: float) -> Any:
    """What the policies of one floor do in each regime, read as ``table`` reads."""
    return objective.by_regime(result.under(f"floor_{floor:g}/"), of(result.study, floor))


def limit(config: Any) -> float:
    """The most that P(below the floor on any day) may be, by the objective of the fit."""
    asked = page_sources.limit({"objective": configuration.plain(config.objective)})
    return 0.005 if asked is None else asked


def describe(calibration: Any) -> None:
    """What the market is; of a calibrated one what it was fitted to: its numbers with their errors are in the report."""
    market = getattr(calibration, "market", calibration)
    data = getattr(calibration, "history", getattr(calibration, "prices", None))
    if data is None:
        print("\n".join(f"{name}: {asset}" for name, asset in market.assets.items()), flush=True)
        return
    names = ", ".join(f"{name} {type(asset).__name__}" for name, asset in market.assets.items())
    print(f"market: {names}; {data.taken.partition(', daily')[0]}", flush=True)


def pictures(config: Any, folder: report.RunFolder, study: mc.Study, result: mc.Result, tables: Mapping[float, Any]) -> None:
    """Final wealth and the price of protection at every floor; at the last floor paths over time and one crash."""
    for floor, estimates in tables.items():
        folder.write_picture(f"wealth_{floor:g}", report.plot_wealth(result, floor, of(study, floor)))
        folder.write_picture(f"protection_cost_{floor:g}", report.plot_protection_cost(estimates, floor))
        if mc.engine.InRegimes.of(study.market):
            folder.write_picture(f"regimes_{floor:g}", report.plot_by_regime(by_regime(result, floor)))
    floor = list(tables)[-1]
    chosen = of(study, floor)
    fan = [BENCHMARK, chosen[-1]]
    worst = {book: worst_paths(result, book) for book in fan}
    ids = sorted({*range(result.first, result.first + min(SAMPLED, result.kept)), *(path for paths in worst.values() for path in paths)})
    traced = replace(study, policy={book: study.books[book] for book in chosen}).trace(ids, seed=config.seed, stream=config.stream)
    folder.write_picture("fan", report.plot_fan(traced, fan, worst, floor, result.kept))
    folder.write_picture("exposure", report.plot_exposure(traced, worst[BENCHMARK][0], chosen, floor))


def worst_paths(result: mc.Result, book: str) -> list[int]:
    """Ids of the paths on which a book ended lowest, the worst first."""
    wealth = np.asarray(result[book]["wealth"])
    found = np.argpartition(wealth, min(WORST, wealth.size) - 1)[:WORST]
    return [result.first + int(path) for path in found[np.argsort(wealth[found])]]


if __name__ == "__main__":
    sys.exit(main())
