"""What a page says of a run's floor and of where its numbers come from: what binds, the market, the data."""

from collections.abc import Mapping
from typing import Any

from mcengine.objective import binding
from mcengine.report.page_cells import Cell, Table, estimates, mapping, number, plain
from mcengine.statistics import Estimate

_TESTED = {"p20", "breach_any_day", "breach_at_end"}
_MOST = 1000
"""Rows of a table."""


def binds(found: Mapping[str, Any], config: Mapping[str, Any], choices: Mapping[str, Any]) -> list[str]:
    """What tests each floor, policy by policy: a sentence for each that has the figures."""
    import pandas as pd

    floor, most = number(config.get("floor")), limit(config)
    at: dict[float, dict[str, dict[str, Estimate]]] = {}
    if floor is not None:
        at[floor] = {"unhedged": estimates(found.get("unhedged")), str(choices.get("policy", "the policy")): estimates(found)}
    for key, rows in found.items():
        level = number(key.removeprefix("floor_")) if key.startswith("floor_") else None
        if level is not None:
            at[level] = {name: estimates(row) for name, row in mapping(rows).items()}
    out = []
    for level, books in sorted(at.items()):
        whole = {name: row for name, row in books.items() if set(row) >= _TESTED}
        given = {} if most is None else {"probability": most}
        out += [f"{line}." for line in binding(pd.DataFrame.from_dict(whole, orient="index"), level, **given)] if whole else []
    return out


def market(facts: Mapping[str, Any]) -> Table:
    """The market's numbers, with their errors where it was calibrated."""
    numbers = {key: mapping(one) for key, one in mapping(facts.get("market")).items()}
    rows = [[Cell(str(key)), plain(one.get("value"), one.get("error"))] for key, one in numbers.items()][:_MOST]
    fitted = any(number(one.get("error")) is not None for one in numbers.values())
    notes = mapping(facts.get("calibration")).get("notes")
    told = "; ".join(str(line) for line in notes) if isinstance(notes, list) else ""
    said = told if fitted else "calibrated, then changed: without errors" if notes else "given, not calibrated: without errors"
    return Table("The market", ["", "value ± standard error" if fitted else "value"], rows, said)


def data(facts: Mapping[str, Any]) -> Table:
    """The files that were read, with their hashes."""
    files = {key: mapping(one) for key, one in mapping(facts.get("data")).items()}
    rows = [[Cell(str(key)), Cell(str(one.get("sha256", "")))] for key, one in files.items()][:_MOST]
    return Table("Data read", ["file", "SHA-256"], rows)


def limit(config: Mapping[str, Any]) -> float | None:
    """On P(any day below): of floor protection its probability, of a wish its constraint."""
    tree: Any = config.get("objective")
    for keys in (("probability",), ("constraints", "breach", "most")):
        found = tree
        for key in keys:
            found = found.get(key) if isinstance(found, Mapping) else None
        if found is not None:
            return number(found)
    return None
