"""``write_page``: a run's or a sweep's report.html, one self-contained page made of what its folder holds.

The answer in a sentence, the tables with their errors, the pictures, how to run it again, the configuration folded; of a sweep what was swept first,
in a table that sorts. Needs no network; readable on a phone, light and dark.
"""

import base64
import csv
import io
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib.resources import files
from pathlib import Path
from typing import Any

from mcengine._files import inside, read, read_json, write
from mcengine.engine import is_metric, metric
from mcengine.report.collect import FAILED, SWEEP, collect
from mcengine.report.heat_plots import plot_response
from mcengine.report.page_cells import Cell, Table, estimates, mapping, number, plain, shown
from mcengine.report.page_sources import binds, data, limit, market
from mcengine.report.run import as_run
from mcengine.report.tables import cell
from mcengine.statistics import Estimate

PAGE = "report.html"
_MOST_ROWS, _MOST_PICTURES = 1000, 24
_LONG = 12
"""Rows beyond which a run's table is folded, below its pictures."""
_AS_WRITTEN = "Tables that sort are as their files have them: returns, shares and probabilities are fractions, not per cent."
_SHOWN = ("mean_return", "breach_any_day", "p20", "cvar_95", "loss", "price", "objective")
"""Figures of a sweep's table, where its runs have them, first; others follow up to ``_COLUMNS``."""
_COLUMNS = 8
_DECIDING = {"mean_return", "breach_any_day"}


def write_page(folder: str | Path) -> Path | None:
    """Write ``report.html`` into a run's folder, or into a sweep's.

    Args:
        folder: One that holds a finished run, or folders of finished runs.

    Returns:
        The page; None where the extra ``mcengine[report]`` is not installed.

    Raises:
        ValueError: Where there is no finished run, or a file of one is damaged.
    """
    root = Path(folder)
    if not root.is_dir():
        raise ValueError(f"report: expected a folder, got {str(folder)!r}")
    try:
        import jinja2
    except ImportError:
        return None
    content = _of_run(root) if (root / "metrics.json").is_file() else _of_sweep(root)
    template = (files("mcengine.report") / PAGE.replace("report", "page")).read_text(encoding="utf-8")
    page = jinja2.Environment(autoescape=True, trim_blocks=True, undefined=jinja2.StrictUndefined).from_string(template)
    write(inside(root, PAGE), page.render(**content))
    return root / PAGE


def _of_run(root: Path) -> dict[str, Any]:
    facts, found = read_json(inside(root, "provenance.json"), config=dict), read_json(inside(root, "metrics.json"))
    config, choices = as_run(facts.get("config"), facts), mapping(facts.get("choices"))
    suited = {key: facts[key] for key in ("weights", "hedged") if mapping(facts.get(key))}
    written = read(inside(root, "config.yaml")).decode("utf-8", "replace")
    names = [str(choices[key]) for key in ("experiment", "policy", "market", "instrument") if key in choices]
    files = sorted(root.glob("*.csv"), key=lambda file: (not file.stem.startswith("figures"), file.stem))
    written_down = [_of_file(root, file.stem) for file in files if file.stem != "trace"]
    tables = [one for one in [*written_down, *_numbers(found, bool(written_down))] if one is not None]
    return {
        "title": " · ".join(names) or root.name,
        "facts": _facts({**facts, "timings": mapping(facts.get("timings"))}, config),
        "answers": _answers(found, config, choices),
        "tables": tables,
        "units": _AS_WRITTEN if any(one.sortable for one in tables) else "",
        "pictures": _pictures(root),
        "binds": binds(found, config, choices),
        "sources": [one for one in (market(facts), data(facts)) if one.rows],
        "command": facts.get("command", ""),
        "folded": [
            ("Configuration", written + (f"\nset to the market's, whose assets are others\n{_lines(suited)}" if suited else "")),
            ("Where it comes from", _lines({key: value for key, value in facts.items() if key != "config"})),
        ],
    }


def _of_sweep(root: Path) -> dict[str, Any]:
    table, failed = collect(root), _failed(root)
    if table.empty and not failed:
        raise ValueError(f"report: expected a finished run in {root} or below, got none")
    metrics = [key for key in table.columns if f"{key}_error" in table.columns]
    varying = table.attrs.get("varying", [])
    chosen = [*[key for key in _SHOWN if key in metrics], *[key for key in metrics if key not in _SHOWN]][:_COLUMNS]
    rows = []
    for folder, row in table.head(_MOST_ROWS).iterrows():
        numbers = [shown(row[key], row[f"{key}_error"], metric(key.rpartition("/")[2]).factor) for key in chosen]
        rows.append([Cell(str(folder)), *(Cell(str(row[key]), number(row[key])) for key in varying), *numbers])
    heads = ["run", *varying, *(f"{book}{mark}{metric(name).heading}" for book, mark, name in (key.rpartition("/") for key in chosen))]
    note = f"the first {_MOST_ROWS:,} of {len(table):,} runs" if len(table) > _MOST_ROWS else ""
    return {
        "title": f"{root.name}: {len(table):,} runs" + (f", {len(failed):,} failed" if failed else ""),
        "facts": [f"swept: {', '.join(varying)}" if varying else "no setting varies"],
        "answers": _best(table, varying),
        "tables": [
            *([Table("Runs that failed", ["run", "why", "which"], failed)] if failed else []),
            Table("Runs", heads, rows, note, sortable=True),
        ],
        "units": "",
        "pictures": [*_responses(table), *_pictures(root)],
        "binds": [],
        "sources": [],
        "command": str(read_json(inside(root, SWEEP)).get("command", "")),
        "folded": [],
    }


def _failed(root: Path) -> list[list[Cell]]:
    """A row for each run of a sweep that left no result, and why."""
    rows = []
    for file in sorted(root.rglob(FAILED))[:_MOST_ROWS]:
        if not (file.parent / "metrics.json").is_file():
            found = read_json(inside(file.parent, file.name), message=str, overrides=list)
            words = " ".join(str(word) for word in found.get("overrides", []))
            rows.append([Cell(str(file.parent.relative_to(root))), Cell(found.get("message", "")), Cell(words)])
    return rows


def _answers(found: Mapping[str, Any], config: Mapping[str, Any], choices: Mapping[str, Any]) -> list[str]:
    """What came out, in a sentence: of a policy at its floor, of several at one floor, of a fit, of a contract, of a back-test."""
    own, floor, over = estimates(found), number(config.get("floor")), _over(config)
    if floor is not None and set(own) >= _DECIDING:
        return [_protection(str(choices.get("policy", "the policy")), floor, over, own, estimates(found.get("unhedged", {})))]
    out = []
    for key in sorted(key for key in found if key.startswith("floor_")):
        books = {name: estimates(row) for name, row in mapping(found[key]).items()}
        most, floor = limit(config), number(key.removeprefix("floor_"))
        if most is None or floor is None:
            break
        known = {name: row for name, row in books.items() if set(row) >= _DECIDING}
        held = {name: row for name, row in known.items() if row["breach_any_day"].value + row["breach_any_day"].half_width() <= most}
        if not held:
            out.append(f"No policy here keeps a floor of {floor:.0%} with P(any day below) at most {most:.1%}, its error counted.")
            continue
        best = max(held, key=lambda name: held[name]["mean_return"].value)
        out.append("Of those that hold it, the highest return: " + _protection(best, floor, over, held[best], books.get("unhedged", {})))
    if not out and "price" in own:
        formula = number(mapping(found.get("formula")).get("price"))
        exact = "" if formula is None else f"; its formula gives {formula:.6g}"
        out.append(f"The contract is worth {cell(own['price'])} by Monte Carlo{exact}.")
    return out + _fitted(mapping(found.get("fit", found)), over) + _backtested(found, floor)


def _over(config: Mapping[str, Any]) -> str:
    """What is said after a return over the whole horizon, where that is not a year."""
    years = number(config.get("years"))
    return "" if years in (None, 1.0) else f" over {years:g} years"


def _fitted(found: Mapping[str, Any], over: str) -> list[str]:
    """Of a fit the rule after and before it, where its metrics have them, and whether what was wished for holds: of windows, is kept there."""
    after, before = estimates(found.get("after")), estimates(found.get("before"))
    if "holds" not in found or not set(after) & set(before) >= _DECIDING:
        return []
    sure = {mapping(row).get("confidence") is not None for row in mapping(found.get("constraints")).values()}  # of windows there is none
    windows = "kept on the windows it was fitted to"
    if sure == {False}:
        held = f"is {windows}, which says nothing of others" if found["holds"] else f"is not {windows}"
    elif found["holds"]:
        held = f"holds on unseen paths and is {windows}, which says nothing of others" if False in sure else "holds"
    else:
        held = "is not shown to hold"
    wished = f"; what was wished for {held}" if sure else ""
    returns, breaches = ((cell(after[key].scaled(100.0)), cell(before[key].scaled(100.0))) for key in ("mean_return", "breach_any_day"))
    below = f"falls below the floor on {breaches[0]} % of paths, before on {breaches[1]} %"
    return [f"Fitted, the rule returns {returns[0]} %, before {returns[1]} %{over}, and {below}{wished}."]


def _backtested(found: Mapping[str, Any], floor: float | None) -> list[str]:
    """Of a back-test the years in which the rule kept its floor and its return a year, beside what is unhedged."""
    tested, figures, said = mapping(found.get("floor")), mapping(found.get("figures")), []
    for book in dict.fromkeys((str(found.get("book")), "unhedged")):
        kept, annual = number(mapping(tested.get("kept")).get(book)), number(mapping(figures.get(book)).get("annual_return"))
        if floor is not None and kept is not None and annual is not None:
            share = f"in {kept:.0f} of {tested.get('years')} years"
            said.append(f"{book} kept the floor of {floor:.0%} {share} and returned {100.0 * annual:.2f} % a year")
    return [f"{'; '.join(said)}."] if said else []


def _protection(name: str, floor: float, over: str, own: Mapping[str, Estimate], unhedged: Mapping[str, Estimate]) -> str:
    kept = own["breach_any_day"]
    said = f"{name} falls below {floor:.0%} on {cell(kept.scaled(100.0))} % of paths and returns {cell(own['mean_return'].scaled(100.0))} %{over}"
    if set(unhedged) >= _DECIDING:
        said += f"; unhedged it is {cell(unhedged['breach_any_day'].scaled(100.0))} % and {cell(unhedged['mean_return'].scaled(100.0))} %"
    return said + "."


def _best(table: Any, varying: Sequence[str]) -> list[str]:
    """Of a sweep the run of the highest mean return."""
    if "mean_return" not in table.columns or not varying:
        return []
    row = table.loc[table["mean_return"].astype(float).idxmax()]
    where = ", ".join(f"{key} = {row[key]}" for key in varying)
    own = {key: Estimate(float(row[key]), float(row[f"{key}_error"]), 0) for key in ("mean_return", "breach_any_day") if key in table.columns}
    breach = f", with P(any day below) {cell(own['breach_any_day'].scaled(100.0))} %" if "breach_any_day" in own else ""
    return [f"The highest mean return, {cell(own['mean_return'].scaled(100.0))} %{breach}, is at {where}."]


def _facts(facts: Mapping[str, Any], config: Mapping[str, Any]) -> list[str]:
    """One line of what was run."""
    times = facts.get("timings", {})
    out = [f"{config['weights']}".strip("{}").replace("'", "")] if isinstance(config.get("weights"), Mapping) else []
    if "paths" in times:
        out.append(f"{int(times['paths']):,} paths")
    if "steps" in config:
        out.append(f"{config.get('years', 1.0):g} y in {config['steps']} steps")
    out += [f"seed {facts['seed']}"] if "seed" in facts else []
    out += [f"{float(times['total_seconds']):.1f} s"] if isinstance(times.get("total_seconds"), int | float) else []
    commit = facts.get("git_commit")
    return [*out, *([f"commit {commit[:10]}"] if isinstance(commit, str) else [])]


def _of_file(root: Path, stem: str) -> Table | None:
    """A table of the run, figures down where its columns are metrics or Estimates of a user's own, else as it is written."""
    lines = list(csv.reader(io.StringIO(read(inside(root, f"{stem}.csv")).decode("utf-8", "replace"))))
    if len(lines) < 2:
        return None
    heads, body = lines[0], [(row + [""] * len(lines[0]))[: len(lines[0])] for row in lines[1 : _MOST_ROWS + 1]]
    keys = [head for head in heads[1:] if not (head.endswith("_error") and head.removesuffix("_error") in heads)]
    places, words = {head: at for at, head in enumerate(heads)}, stem.replace("_", " ")
    errors = {key: places.get(f"{key}_error") for key in keys}
    # Figures are shown in their units. One number that is no figure, and all are shown as they are, one column like the next.
    figures = any(errors[key] is not None for key in keys) and is_metric(keys[0]) and all(is_metric(key) or errors[key] is not None for key in keys)
    factors = {key: metric(key).factor if figures else 1.0 for key in keys}
    cells = [[shown(row[places[key]], None if (at := errors[key]) is None else row[at], factors[key]) for key in keys] for row in body]
    if figures:
        floor = stem.rpartition("_")[2]  # study's books are named by it, and so is their table
        rows = [[Cell(metric(key).heading), *(line[i] for line in cells)] for i, key in enumerate(keys)]
        return Table(words, ["", *(row[0].removesuffix(f" {floor}") for row in body)], rows)
    note = f"the first {_MOST_ROWS:,} rows" if len(lines) - 1 > _MOST_ROWS else ""
    rows = [[Cell(row[0], number(row[0])), *line] for row, line in zip(body, cells, strict=True)]
    return Table(words, [heads[0], *keys], rows, note, sortable=True, folded=len(rows) > _LONG)


def _numbers(found: Mapping[str, Any], have_tables: bool) -> list[Table]:
    """The metrics as they are, where the run wrote no table."""
    if have_tables:
        return []
    rows: list[list[Cell]] = []

    def walk(tree: Mapping[str, Any], prefix: str) -> None:
        for key, value in tree.items():
            if isinstance(value, Mapping) and set(value) != {"value", "error"}:
                walk(value, f"{prefix}{key} / ")
            elif isinstance(value, Mapping):
                rows.append([Cell(f"{prefix}{key}"), plain(value["value"], value["error"])])
            elif value is not None:
                rows.append([Cell(f"{prefix}{key}"), plain(value, None)])

    walk(found, "")
    return [Table("Figures", ["", "value ± standard error"], rows, sortable=True)] if rows else []


def _pictures(root: Path) -> list[dict[str, str]]:
    """The folder's pictures, that of protection against cost first."""
    found = sorted(root.glob("*.png"), key=lambda file: (not re.match("protection_cost|frontier|response", file.stem), file.stem))[:_MOST_PICTURES]
    return [{"title": file.stem.replace("_", " "), "data": base64.b64encode(read(inside(root, file.name))).decode()} for file in found]


def _responses(table: Any) -> list[dict[str, str]]:
    """Return and breach over what was swept, where that is one number or two, or a number and a word."""
    out = []
    for name in sorted(_DECIDING & set(table.columns), reverse=True):
        with suppress(ValueError):  # no number was swept, or too much
            picture = io.BytesIO()
            plot_response(table, name).savefig(picture, format="png", dpi=120)
            out.append({"title": f"response: {metric(name).label}", "data": base64.b64encode(picture.getvalue()).decode()})
    return out


def _lines(tree: Mapping[str, Any], prefix: str = "") -> str:
    out = []
    for key, value in tree.items():
        out.append(_lines(value, f"{prefix}{key}.") if isinstance(value, Mapping) else f"{prefix}{key}: {value}")
    return "\n".join(out)
