"""The study of record: does a mix with options around a floor, more over announced events, beat what the same exposure would have earned?

python experiments/case_study.py
python experiments/case_study.py experiment=case_study
python experiments/case_study.py weights.equity=0.7 weights.commodity=0 ledger.rate=0.0002 case.terms.vega=10

Every book on the same paths beside benchmark A (``unhedged``), B (``static_put``) and its own C (the mix at its exposure); then parts: ``map`` (where
the claim would hold), ``bands`` (what the book's own numbers move), ``fit`` (the best of them), ``model`` (equity by the market's own law),
``history``.
"""

import dataclasses
import math
import sys
from typing import Any

import _main
import _task
import claim
import pandas as pd
from claim import percent, scenarios, shown, told, verdicts, where_it_lies

import mcengine as mc
from mcengine import _runtime, objective, optimise, report
from mcengine import config as configuration
from mcengine._files import inside
from mcengine.pricing import SurfacePricer
from mcengine.report import claim_plots as plots
from mcengine.statistics import Estimate, estimate

PARTS = ("map", "bands", "fit", "model", "history")
KEPT = 2_000_000
"""Most paths: all of them are kept."""
SMALL_PATHS = 512
"""Of each point under MC_SMALL=1."""


def ready(config: Any) -> tuple[mc.Study, claim.Assumptions, mc.Study, claim.Terms, list[int]]:
    """(all books at fair prices, the assumptions, the books under them, terms of the book, steps of the events)."""
    case = configuration.plain(config.case)
    market, terms, on = described(config)
    given = assumptions(config, market)
    study = study_of(config, market, terms, on)
    _task.check_floor(study, config.floor)
    dearest = max(given.cost, *case["map"]["cost"])
    for one in (*scenarios(given).values(), mc.replace(given, cost=float(dearest))):
        claim.under(study, one)  # what the study's numbers cannot be is refused here
    return study, given, claim.under(study, given), terms, on


@_main.main("case_study", ready)
def main(config: Any, folder: report.RunFolder) -> tuple[dict[str, Any], dict[str, Any]]:
    case, floor = configuration.plain(config.case), float(config.floor)
    study, given, stated, terms, on = ready(config)
    if config.trace is not None:
        return _task.trace(config, folder, stated)
    print(f"{len(on)} events in {config.years:g} years, {len(study.books)} books on the same paths; {told(given)}\n", flush=True)
    result, benchmark, facts = run(config, folder, stated)
    table = compared(result, benchmark, floor)
    folder.write_table("claim", table)
    print(f"{shown(table)}\n\n" + "\n".join(verdicts(table, floor)), flush=True)
    metrics: dict[str, Any] = {"assumptions": vars(given), "books": {name: report.metrics(row) for name, row in table.iterrows()}}
    if config.plots:
        folder.write_picture("protection_cost", report.plot_protection_cost(objective.table(result, floor), floor))
        folder.write_picture("wealth", report.plot_wealth(result, floor, ["unhedged", "static_put", *claim.READINGS]))
    two = mc.replace(study, policy={name: study.books[name] for name in claim.READINGS})
    parts = {"map": mapped, "bands": banded, "fit": fitted, "model": modelled, "history": replayed}
    for name in PARTS:
        if name in case["parts"]:
            print(f"\n== {name} ==\n", flush=True)
            metrics[name] = parts[name](config, folder, two, given, terms)
    return metrics, facts


def described(config: Any) -> tuple[mc.market.Market, claim.Terms, list[int]]:
    """(the market with its events, terms of the book, steps of the events)."""
    case = configuration.plain(config.case)
    if round(float(config.years) * claim.STEPS_PER_YEAR) != config.steps:
        raise ValueError(f"steps: expected {claim.STEPS_PER_YEAR} a year, {round(float(config.years) * claim.STEPS_PER_YEAR)}, got {config.steps}")
    if unknown := [name for name in case["parts"] if name not in PARTS]:
        raise ValueError(f"case.parts: expected some of {', '.join(PARTS)}, got {', '.join(unknown)}")
    if config.paths > KEPT:
        raise ValueError(f"paths: expected at most {KEPT:,}, for all are kept, got {config.paths:,}")
    if "equity" not in configuration.plain(config.weights) or "equity" not in case["moves"]:
        raise ValueError("weights: expected equity among them, and among case.moves: options are on it")
    market = configuration.market_of(config)
    claim.check(market, configuration.plain(config.weights), case["moves"])
    market, on = claim.lognormal(market) if case["lognormal"] else market, claim.dates(float(config.years), int(case["per_year"]))
    terms = claim.Terms(floor=float(config.floor), move=float(case["moves"]["equity"]), **case["terms"])
    return claim.announced(market, on, case["moves"], case["per_year"]), terms, on


def assumptions(config: Any, market: mc.market.Market) -> claim.Assumptions:
    """Those of the configuration; a variance that is left out is the market's premium; calibrated to VIX, less the wings that VIX reads."""
    given = configuration.plain(config.case.assumptions)
    if given["variance"] is None:
        by_vix = str(config.market.get("_target_")) == "mcengine.calibrate.fit_history"
        given["variance"] = float(market["equity"].variance_premium) / (float(SurfacePricer().vix_over_atm) ** 2 if by_vix else 1.0)
    if given["event"] is None:
        given["event"] = given["variance"]
    return claim.Assumptions(**{name: float(value) for name, value in given.items()})


def study_of(config: Any, market: mc.market.Market, terms: claim.Terms, on: list[int]) -> mc.Study:
    """All books, at fair prices."""
    weights = configuration.plain(config.weights)
    books = claim.books(weights, terms, on) | claim.alternatives(weights, terms)
    found = claim.study(market, books, configuration.build(config.ledger), float(config.years), config.delay)
    return mc.replace(found, noise=configuration.build(config.noise))


def run(config: Any, folder: report.RunFolder, study: mc.Study) -> tuple[mc.Result, mc.Result, dict[str, Any]]:
    """(the books, their benchmarks C under the same names, how it went)."""
    result = study.run(config.paths, **_task.options(config, folder))
    facts = _task.say_how_it_went(result)
    where = {"folder": inside(folder.path, "at_exposure"), "resume": folder.resumable and inside(folder.path, "at_exposure").exists()}
    benchmark = claim.at_exposure(result).run(result.paths, seed=config.seed, stream=config.stream, **where, **_task.engine(config))
    return result, benchmark, facts


def compared(result: mc.Result, benchmark: mc.Result, floor: float) -> Any:
    """A row a book: its return, the differences to A, B and its own C, a year; what is left of it in bad times; what it holds and costs."""
    years, rows = float(result.study.years), {}
    own = objective.table(result, floor)
    for name in result.books:
        to = {
            f"to_{book}": claim.difference(result[name]["wealth"], result[book]["wealth"], years, result.sampling)
            for book in ("unhedged", "static_put", *claim.READINGS)
        }
        cost = estimate.mean(claim.paid(result, name) / years, result.sampling)
        kept = {"p20": own.loc[name, "p20"]} if "p20" in own else {}
        rows[name] = {"annualised_return": own.loc[name, "annualised_return"], **{k: None if k == f"to_{name}" else v for k, v in to.items()}}
        rows[name] |= claim.figures(result, benchmark, name, floor) | kept | {"cost": cost}
    return pd.DataFrame.from_dict(rows, orient="index")


def mapped(config: Any, folder: report.RunFolder, study: mc.Study, given: claim.Assumptions, terms: claim.Terms) -> dict[str, Any]:
    """The claim's difference over prices, skew and costs: table, where its line lies, pictures."""
    chosen = configuration.plain(config.case.map)
    axes = {name: chosen[name] if _runtime.capped(2, 1) == 2 else _ends(chosen[name]) for name in ("variance", "event", "skew", "cost")}
    named = scenarios(given)
    points = [claim.Point(one) for one in named.values()] + claim.map_points(**axes)
    table = evaluated(config, folder, "map", study, points, int(chosen["paths"]))
    first, rest = table.iloc[: 2 * len(named)], table.iloc[2 * len(named) :]
    first = first.assign(assumptions=[name for name in named for _ in claim.READINGS])
    folder.write_table("assumptions", first.set_index("assumptions"))
    folder.write_table("map", rest.set_index("book"))
    wide = first.assign(gain=[percent(one) for one in first["at_equal_exposure"]]).pivot(index="assumptions", columns="book", values="gain")
    paths = _runtime.capped(int(chosen["paths"]), SMALL_PATHS)
    print(f"% a year at equal exposure, {paths:,} paths a point\n\n{wide.reindex(list(named)).to_string()}\n", flush=True)
    out: dict[str, Any] = {}
    for name in claim.READINGS:
        lines, slope = claim.line(rest, name), claim.slopes(rest, name)
        folder.write_table(f"line_{name}", lines.set_index(["cost", "skew", "event"]))
        out[name] = slope
        print("\n".join(where_it_lies(name, lines, slope)), flush=True)
        if config.plots and len(axes["variance"]) > 2:
            one = rest[rest["book"] == name]
            title = f"{name.replace('_', ' ')}: difference at equal exposure, {config.years:g} years"
            folder.write_picture(
                f"map_{name}", plots.plot_map(one, "at_equal_exposure", ("variance", "event"), ("cost", "skew"), claim.CLAIMED, title)
            )
    return {**out, "assumptions": {f"{row['assumptions']} {row['book']}": row["at_equal_exposure"] for _, row in first.iterrows()}}


def banded(config: Any, folder: report.RunFolder, study: mc.Study, given: claim.Assumptions, terms: claim.Terms) -> dict[str, Any]:
    """What the size of the events' straddles and the hedge's band move, under three assumptions."""
    chosen, named = configuration.plain(config.case.bands), scenarios(given)
    names = ("as stated", "fair", "options at .8, events at .6")
    sizes, widths = (chosen[key] if _runtime.capped(2, 1) == 2 else _ends(chosen[key]) for key in ("vega", "hedge_band"))
    each = [(name, vega, width) for name in names for width in widths for vega in sizes]
    points = [claim.Point(named[name], {"event_overlay.vega": vega, "hedge_band.width": width}) for name, vega, width in each]
    table = evaluated(config, folder, "bands", study, points, int(configuration.plain(config.case.map)["paths"]))
    table = table.rename(columns={"event_overlay.vega": "vega", "hedge_band.width": "hedge_band"})
    table = table.assign(assumptions=[name for name, _, _ in each for _ in claim.READINGS])
    folder.write_table("bands", table.set_index("assumptions"))
    out = {}
    for name in names:
        for book in claim.READINGS:
            some = table[(table["assumptions"] == name) & (table["book"] == book)]
            best = some.loc[max(some.index, key=lambda k: some.loc[k, "at_equal_exposure"].value)]
            out[f"{name} {book}"] = best["at_equal_exposure"]
            where = f"vega {best['vega']:g}" + (f", hedge band {best['hedge_band']:g}" if claim.READINGS[book] else "")
            print(f"{name}: {book} at best {percent(best['at_equal_exposure'])} ({where}; P(any day below) {percent(best['breach_any_day'])})")
    if config.plots:
        folder.write_picture(
            "bands", plots.plot_bands(table, "at_equal_exposure", "vega", "hedge_band", "assumptions", list(claim.READINGS), claim.CLAIMED)
        )
    return out


def fitted(config: Any, folder: report.RunFolder, study: mc.Study, given: claim.Assumptions, terms: claim.Terms) -> dict[str, Any]:
    """Of ``delta_hedged`` the best size of straddles and width of bands where P(any day below) is at most what is asked; what it brings.

    The search's own measure knows the sleeve's exposure alone. What it finds is valued as every other point is, on other paths, deltas included.
    """
    case, named, out, rows = configuration.plain(config.case), scenarios(given), {}, []
    wish = mc.objective.Wish("difference_at_equal_leverage", {"breach": {"most": float(case["fit"]["breach"])}}, floor=float(config.floor))
    weights, on = configuration.plain(config.weights), claim.dates(float(config.years), int(case["per_year"]))
    benchmark = claim.books(weights, terms, on)["unhedged"]
    # Numbers move by factors, so that none begins at 0.
    wider = dataclasses.replace(terms, band=max(terms.band, 1e-3), hedge_band=max(terms.hedge_band, 2e-3))
    begun = claim.book(weights, wider, on, hedged=True)
    paths, judged = _runtime.capped(int(case["fit"]["paths"]), 256), _runtime.capped(int(case["fit"]["validation_paths"]), 1024)
    for name in ("as stated", "options at .8, events at .6"):
        alone = mc.replace(claim.under(study, named[name]), policy=begun, recorders=mc.engine.recorder.DEFAULT)
        names = [f"policy.{one}" for one in claim.MOVED]
        this = {"paths": paths, "validation_paths": judged, "train": names, "evaluations": _runtime.capped(60, 2)}
        journal = _task.journal(config, folder, alone, f"fit_{len(rows)}", objective=wish, devices=_task.devices(), **this)
        fit = optimise.fit(alone, wish, benchmark=benchmark, seed=config.seed, journal=journal, **this)
        found = {one.removeprefix("policy."): float(value) for one, value in fit.table()["after"].items()}
        valued = evaluated(config, folder, f"fitted_{len(rows)}", study, [claim.Point(named[name], found)], int(case["map"]["paths"]))
        own = valued[valued["book"] == "delta_hedged"].iloc[0]
        rows.append({"assumptions": name, **found, "at_equal_exposure": own["at_equal_exposure"], "breach_any_day": own["breach_any_day"]})
        said = ", ".join(f"{key} {value:.3g}" for key, value in found.items())
        print(f"{name}: {said}: {percent(own['at_equal_exposure'])} a year at equal exposure, P(any day below) {percent(own['breach_any_day'])}")
        print(f"  the fit, over {config.years:g} years: " + "; ".join(fit.says()), flush=True)
        out[name] = own["at_equal_exposure"]
    folder.write_table("fit", pd.DataFrame(rows).set_index("assumptions"))
    return out


def modelled(config: Any, folder: report.RunFolder, study: mc.Study, given: claim.Assumptions, terms: claim.Terms) -> dict[str, Any]:
    """The same books where equity moves by the market's own law, as Heston's; options are still priced on the surface, by the variance of the day."""
    case, market = configuration.plain(config.case), configuration.market_of(config)
    on = claim.dates(float(config.years), int(case["per_year"]))
    market = claim.announced(market, on, case["moves"], case["per_year"])
    other = claim.study(market, claim.books(configuration.plain(config.weights), terms, on), study.costs, float(config.years), config.delay)
    named = {"as stated": given, "fair at the money": mc.replace(given, variance=1.0, event=1.0), "fair, no cost": claim.Assumptions(cost=0.0)}
    points = [claim.Point(one) for one in named.values()]
    table = evaluated(config, folder, "model", other, points, int(case["map"]["paths"]), names=("unhedged", *claim.READINGS), size=len(points))
    table = table.assign(assumptions=[name for name in named for _ in ("unhedged", *claim.READINGS)])
    folder.write_table("model", table.set_index("assumptions"))
    keys = ["at_equal_exposure", "breach_any_day", "p20_year"]
    cells = table[["assumptions", "book"]].join(table[keys].map(percent))
    print(f"equity: {type(market['equity']).__name__}\n\n{cells.to_string(index=False)}", flush=True)
    return {f"{row['assumptions']} {row['book']}": row["at_equal_exposure"] for _, row in table.iterrows()}


def replayed(config: Any, folder: report.RunFolder, study: mc.Study, given: claim.Assumptions, terms: claim.Terms) -> dict[str, Any]:
    """The same books on history, a day between decision and trade."""
    case = configuration.plain(config.case)
    base = claim.replayed(configuration.plain(config.weights), terms, study.costs, case["announced"], years=float(config.years))
    for remark in base.remarks:
        print(remark)
    days, paths = base.market.days, _runtime.capped(base.available(1 << 30), 4096)
    last = days.day(days.count - 1)
    first, apart = base.market.start_date(0), paths / base.steps
    print(f"{paths:,} windows of {config.years:g} years from {first} to {last}, of which some {apart:.1f} do not overlap", flush=True)
    excess = claim.event_move(base)
    move = math.copysign(abs(excess.value) ** 0.5, excess.value)
    print(
        f"equity's variance on a day of events over that of others: {excess.scaled(1e4)} (1e-4), a move of {move:.4f}; the study's: {terms.move:g}\n"
    )
    table, by_start = claim.on_history(base, case["skews"], float(config.floor))
    folder.write_table("history", table.set_index(["skew", "book"]))
    folder.write_table("history_windows", by_start)
    scaled = table.assign(**{key: 100.0 * table[key] for key in ("at_equal_exposure", "breach_any_day", "worst", "best", "claim_met")})
    scaled = scaled.assign(first_year=[percent(one) if isinstance(one, Estimate) else "" for one in table["first_year"]])
    print(f"% (lowest: of the starting wealth)\n\n{scaled.round(3).to_string(index=False)}", flush=True)
    if config.plots:
        some = by_start[[name for name in by_start if name.rpartition(" x")[0] in claim.READINGS]]
        folder.write_picture("history", plots.plot_windows(some, claim.CLAIMED, float(config.years)))
    return {f"{row['book']} x{row['skew']:g}": row["at_equal_exposure"] for _, row in table.iterrows()}


def evaluated(config: Any, folder: report.RunFolder, name: str, study: mc.Study, points: Any, paths: int, **options: Any) -> Any:
    """The points' figures, each chunk of them kept for a run that goes on."""
    paths = _runtime.capped(paths, SMALL_PATHS)
    recall = _task.journal(config, folder, study, name, paths=paths, points=[repr(point) for point in points])
    return claim.evaluated(study, points, paths, float(config.floor), seed=config.seed, recall=recall, **options)


def _ends(values: list[float]) -> list[float]:
    return sorted({values[0], values[-1]})


if __name__ == "__main__":
    sys.exit(main())
