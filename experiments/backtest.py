"""Rules on history that they have not seen: what came, beside what was promised.

python experiments/backtest.py
python experiments/backtest.py data=my.csv 'weights={SPY:0.6,TLT:0.4}' backtest.first=2010 backtest.last=2020
python experiments/backtest.py -m backtest.skew=0,1,1.5
"""

import inspect
import math
import sys
from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import _main
import _task
import numpy as np
from _resume import FREE

import mcengine as mc
from mcengine import _runtime, _targets, optimise, report
from mcengine import config as configuration
from mcengine.backtest import metrics, sharpe, sim_to_real, tear_sheet, tries
from mcengine.history import shipped
from mcengine.report import backtest_plots as plots
from mcengine.statistics import Estimate

BENCHMARK = "unhedged"
_DEEPEST = 8
_TRIES = Path("outputs", "backtest", "tries.jsonl")
_MACHINE = ("version of ", "device", "processor", "xla_flags")
_FREE = (*FREE, "resume", "backtest.tries", "backtest.periods", "backtest.drawn")
"""Settings that make no other try."""


def ready(config: Any) -> tuple[mc.backtest.Plan, list[int], list[str]]:
    """(what is done in every year, the years, the named periods)."""
    if config.trace is not None:
        raise ValueError("trace: expected null: days.csv has every day of every rule")
    chosen = configuration.plain(config.backtest)
    if chosen["first"] > chosen["last"]:
        raise ValueError(f"backtest.last: expected a year from backtest.first on, which is {chosen['first']}, got {chosen['last']}")
    plan, years = plan_of(config), list(range(int(chosen["first"]), int(chosen["last"]) + 1))
    years = years[-_runtime.capped(len(years), 2) :]
    plan.check([plan.history.year(year) for year in years])
    through = named(plan) if chosen["periods"] else []
    mc.backtest.periods.check(plan, through)
    return plan, years, through


@_main.main("backtest", ready)
def main(config: Any, folder: report.RunFolder) -> tuple[dict[str, Any], dict[str, Any]]:
    plan, years, through = ready(config)
    chosen = configuration.plain(config.backtest)
    for remark in plan.history.remarks:
        print(remark, flush=True)
    this = identity(config, plan, years)
    walk = mc.backtest.walk_forward(plan, years, journal=mc.engine.Journal(folder.path / "walk.journal", this, resume=folder.resumable))
    book = str(plan.fitted)
    tables, said = promises(walk, book)
    days, more = day_by_day(walk, book)
    tables |= days
    said |= more | trial(config, walk, book, this)
    if chosen["periods"] and (found := periods(plan, walk, through, int(chosen["drawn"]))) is not None:
        tables["periods"] = found
    for name, table in tables.items():
        folder.write_table(name, table.reset_index() if name == "periods" else table)
    if config.plots:
        for name, picture in pictures(walk, book, tables).items():
            folder.write_picture(name, picture)
    return {"book": book, **said}, {}


def plan_of(config: Any) -> mc.backtest.Plan:
    """What the configuration says is done in every year."""
    chosen = configuration.plain(config.backtest)
    data, weights = configuration.plain(config.data), chosen["weights"] or configuration.plain(config.weights)
    names = list(dict.fromkeys(name for one in _each(weights) for name in one))
    own = data["file"] is not None and _is_own(chosen, data, names)
    if not own:
        _check_calibrated(config)
    assets, rate = chosen["assets"], chosen["rate"]
    if assets is None and data["file"] is not None:
        assets = {name: name for name in names} if own else {n: mc.history.days.SHIPPED[n] for n in names}
    history = mc.backtest.History(assets, data, (0.0 if own else "ust3m") if rate is None else rate, mc.pricing.SurfacePricer(skew=chosen["skew"]))
    if float(config.years) != 1.0:
        raise ValueError(f"years: expected 1, for a back-test goes year by year, got {config.years}")
    name = _name(config.policy)
    return mc.backtest.Plan(
        history,
        lambda weights: _books(config, weights),
        lambda assets, end: _calibrated(config, history, own, assets, end),
        weights,
        _fit(config) if chosen["fit"] else None,
        name,
        costs=configuration.build(config.ledger),
        steps=config.steps,
        delay=config.delay,
        floor=float(config.floor),
        paths=config.paths,
        seed=config.seed,
    )


def _is_own(chosen: Mapping[str, Any], data: Mapping[str, Any], names: list[str]) -> bool:
    """Whether a file has prices in columns of one's own, and not those that the shipped one has."""
    if chosen["assets"] is not None or chosen["models"] is not None or not set(names) <= set(shipped.COLUMNS):
        return True
    # A file that is neither, or damaged, is refused later, as one with the shipped columns.
    return not _loads({name: mc.history.SHIPPED[name] for name in names}, data) and _loads({name: name for name in names}, data)


def _loads(assets: Mapping[str, Any], data: Mapping[str, Any]) -> bool:
    try:
        mc.history.load_days(assets, data=data, rate=0.0)
    except ValueError:
        return False
    return True


def _check_calibrated(config: Any) -> None:
    """Raise ``ValueError`` for a market that is the same whatever came before."""
    target = str(config.market._target_)
    if target.endswith("Replay.from_history") or "end" not in inspect.signature(_targets.resolve(target, "market")).parameters:
        raise ValueError(f"market: expected one that is calibrated on the days before each year, as history or bootstrap, got {target}")


def _fit(config: Any) -> Any:
    """``fit(study)``: the study with the numbers that ``mc.optimise.fit`` finds."""
    goal, settings = configuration.build(config.objective), configuration.plain(config.optimise)
    return lambda study: optimise.fit(study, goal, seed=config.seed, progress=False, **settings).study


def _calibrated(config: Any, history: mc.backtest.History, own: bool, assets: tuple[str, ...], end: str) -> Any:
    """The market of some assets as the days up to ``end`` show it."""
    if own:
        days = history.days(assets)
        rate, data = float(np.asarray(days.closes)[days.between(end, end)[1], -1]), configuration.plain(config.data)
        models = {name: model for name, model in (configuration.plain(config.backtest)["models"] or {}).items() if name in assets}
        return configuration.stressed(config, mc.calibrate.fit_prices(data, columns=list(assets), end=end, models=models, rate=rate).market)
    node = {**configuration.plain(config.market), "end": end}
    if node.get("assets") is not None:
        node["assets"] = {name: node["assets"][name] for name in assets}
    built = configuration.build(node)
    return configuration.stressed(config, getattr(built, "market", built))


def _books(config: Any, weights: Mapping[str, float]) -> dict[str, Any]:
    """Every rule by name for a mix of these weights. One that insures an asset that is not there insures the largest that is."""
    other = deepcopy(config)
    other.weights = dict(weights)
    largest = max(weights, key=lambda name: weights[name])
    out = {}
    for name, node in {**other.policies, _name(config.policy): other.policy}.items():
        if node.get("asset", largest) not in weights:
            node.asset = largest
        out[str(name)] = configuration.build(node)
    return out


def _name(node: Any) -> str:
    return str(node._target_).rpartition(".")[2]


def _each(weights: Mapping[Any, Any]) -> list[Mapping[str, Any]]:
    dated = [value for value in weights.values() if isinstance(value, Mapping)]
    return dated or [weights]


def identity(config: Any, plan: mc.backtest.Plan, years: list[int]) -> dict[str, Any]:
    """Everything that determines the walk: prices, rules, costs, how it is calibrated and fitted, which years."""
    windows = [plan.history.year(year) for year in years]
    market = plan.history.replay(windows[0], plan.steps)
    books = plan.rules(windows[0])
    study = plan.study(market, books)
    _task.check_floor(study, plan.floor)
    tables = {"-".join(window.assets): plan.history.days(window.assets) for window in windows}
    given = {
        key: value
        for key, value in configuration.flat(configuration.plain(config)).items()
        if key not in _FREE and not {"data", "search"} & set(key.split("."))
    }
    return mc.engine.identity(study, tables=tables, configuration=given, years=years)


def promises(walk: mc.backtest.WalkForward, book: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Print what came against what was promised; its tables and metrics."""
    gaps, ranks, n = sim_to_real.gaps(walk, book), sim_to_real.ranks(walk, book), len(walk.years)
    row, first, last = gaps.loc["return"], walk.years[0]["year"], walk.years[-1]["year"]
    print(f"\nWhat came against what was promised: {book}, {first} to {last}, a year on average\n\n{_estimates(gaps)}")
    print("\nranks of what came in what was promised (p-values of uniformity: Kolmogorov-Smirnov, Anderson-Darling)\n")
    print(f"{ranks.to_string(float_format='{:.3f}'.format)}\n")
    if isinstance(row.get("drift"), Estimate):
        gap, drift, rest = (_cell(row[name]) for name in ("gap", "drift", "rest"))
        print(f"gap in return {gap} % a year: {drift} % by drifts that came otherwise, {rest} % the rest")
    if math.isfinite(row["detectable"]):
        mean, shift = f"{100.0 * row['detectable']:.1f} % a year", f"{sim_to_real.detectable_shift(n):g} deviations"
        print(f"{n} years tell a mean gap of {mean} from none, of ranks a shift by {shift} (level 5 %, power 80 %)")
    kept: dict[str, int] = {}
    for name in walk.books:
        lowest = walk.values(name, "lowest")
        kept[name], worst = int(np.sum(lowest >= walk.floor)), walk.years[int(np.argmin(lowest))]["year"]
        told = float(np.mean(walk.values(name, "breach", "promised")))
        said = f"floor {walk.floor:g} kept by {name} in {kept[name]} of {n} years (promised {n * (1.0 - told):.1f})"
        print(f"{said}; lowest {lowest.min():.3f}, {worst}")
    print(f"\n{book}, year by year: % of the year's starting wealth\n\n{_by_year(walk, book)}\n")
    print("\n".join(walk.notes), flush=True)
    rows = {name: dict(gaps.loc[name].dropna()) for name in gaps.index}
    found = {"gaps": rows, "ranks": ranks.to_dict("index"), "floor": {"years": n, "kept": kept}}
    return {"gaps": gaps, "ranks": ranks, "numbers": walk.numbers()}, found


def day_by_day(walk: mc.backtest.WalkForward, book: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Print figures of the days and the tear sheet; their tables and metrics."""
    figures, any_year, returns = metrics.table(walk), metrics.any_year(walk), walk.returns
    print(f"\nday by day\n\n{figures.to_string(float_format='{:.3f}'.format)}")
    if len(any_year):
        shown = report.text(any_year.drop(columns="worst"))
        print(f"\na year from any day on ({walk.per_year} rows, which overlap: errors are by the long-run variance)\n\n{shown}")
    months, deepest = tear_sheet.monthly(returns[book]), tear_sheet.drawdowns(returns[book], _DEEPEST)
    print(f"\nreturns of {book} by month, %\n\n{(100.0 * months).round(1).to_string(na_rep='')}")
    print(f"\nits deepest drawdowns\n\n{deepest.assign(depth=(100.0 * deepest['depth']).round(2)).to_string()}\n", flush=True)
    tables = {"figures": figures, "any_year": any_year, "months": months, "drawdowns": deepest}
    tables |= {f"years_{name}".replace(" ", "_"): walk.table(name) for name in walk.books}
    return tables | {"days": returns.join(walk.exposure.add_prefix("exposure of "))}, {"figures": figures.to_dict()}


def trial(config: Any, walk: mc.backtest.WalkForward, book: str, this: dict[str, Any]) -> dict[str, Any]:
    """Leave this try in the registry, which all runs and sweeps share; print the Sharpe ratio and what is left of it after all tries."""
    returns, given = walk.returns, config.backtest.tries
    excess = (returns[book] - returns["cash"]).to_numpy()
    file = _TRIES if given is None else Path(str(given))
    ratio, name = metrics.sharpe(excess), tries.key({key: value for key, value in this.items() if not key.startswith(_MACHINE)})
    tries.record(file, name, book=book, sharpe=ratio, rows=len(excess), first=walk.years[0]["year"], last=walk.years[-1]["year"])
    ratios = tries.ratios(file)
    deflated, estimate = sharpe.deflated_sharpe(excess, ratios), sharpe.estimated(excess, walk.per_year)
    known = f"of {len(ratios)} tries in {file}" if len(ratios) > 1 else f"one try in {file}: nothing to deflate by"
    print(f"Sharpe ratio of {book} {estimate} a year; probability that it is more than the best of all tries has by luck {deflated:.3f} ({known})")
    return {"sharpe": estimate, "deflated_sharpe": deflated, "tries": len(ratios)}


def named(plan: mc.backtest.Plan) -> list[str]:
    """The named periods that rules are led through."""
    known = list(mc.backtest.periods.covered(plan))
    return known[-_runtime.capped(len(known), 2) :] if known else []


def periods(plan: mc.backtest.Plan, walk: mc.backtest.WalkForward, names: list[str], drawn: int) -> Any:
    """Every rule through every named period: printed, returned."""
    found = mc.backtest.through(plan, walk, names, paths=_runtime.capped(drawn, 256)) if names else None
    if found is not None:
        wide = lambda column: (100.0 * found[column]).unstack().reindex(index=found.index.unique(0), columns=found.index.unique(1))  # noqa: E731
        for column, title in (("from_peak", "return from the first close of each period"), ("worst", "return from the worst start in it")):
            print(f"\n{title}, %\n\n{wide(column).round(1).to_string()}")
    print("\n".join(["", *mc.backtest.periods.notes(plan)]), flush=True)
    return found


def pictures(walk: mc.backtest.WalkForward, book: str, tables: dict[str, Any]) -> dict[str, Any]:
    """By file name."""
    returns, rows = walk.returns[walk.books], max(walk.per_year // 4, 3)
    under, volatility = returns.apply(tear_sheet.underwater), tear_sheet.rolling_volatility(returns, walk.per_year, rows)
    out = {"promises": plots.plot_promises(walk.table(book), book), "growth": plots.plot_growth(returns, under, volatility, rows, walk.floor)}
    out["months"] = plots.plot_months(tables["months"], book)
    return out | ({"periods": plots.plot_periods(tables["periods"], walk.floor)} if "periods" in tables else {})


def _by_year(walk: mc.backtest.WalkForward, book: str) -> str:
    table = walk.table(book)
    ranks = [name for name in table if name.startswith("rank_")]
    shown = table.drop(columns=["assets", "promised_return_p05", "promised_return_p95"])
    return str((shown * 100.0).assign(**{name: table[name] for name in ranks}).round(3).to_string())


def _estimates(table: Any) -> str:
    columns = [name for name in table if name != "detectable"]
    return str(table[columns].map(_cell).rename(index=lambda name: f"{name}, %").to_string())


def _cell(one: Any) -> str:
    """In per cent; without an error where there are too few years for one."""
    if not isinstance(one, Estimate):
        return ""
    return report.cell(one.scaled(100.0)) if math.isfinite(one.error) else f"{100.0 * one.value:.2f}"


if __name__ == "__main__":
    sys.exit(main())
