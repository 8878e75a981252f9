"""Tables of Estimates as text: figures down, policies across, every value ± its standard error."""

import math
from collections.abc import Callable, Mapping
from typing import Any

from mcengine.engine import metric
from mcengine.statistics import Estimate


def text(table: Any, *, name: Callable[[str], str] = str, missing: str = "") -> str:
    """A table of Estimates as text, figures down by their labels and policies across.

    Args:
        table: Of ``objective.table``, one row a book.
        name: Shortens the names of books.
        missing: Written where there is no Estimate.
    """
    heads = ["", *(name(str(book)) for book in table.index)]
    lines = [heads]
    for key in table.columns:
        shown = metric(str(key))
        lines.append([shown.heading, *(cell(c.scaled(shown.factor)) if isinstance(c, Estimate) else missing for c in table[key])])
    widths = [max(len(line[i]) for line in lines) for i in range(len(heads))]
    rows = ["  ".join([line[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(line[1:], widths[1:], strict=True))]) for line in lines]
    return "\n".join([rows[0], "-" * len(rows[0]), *rows[1:]])


DECIDING = ("mean_return", "difference", "difference_to_before", "breach_any_day", "p20", "p20_lowest_year", "cvar_95")
"""Figures by which a policy is chosen; what trading costs is the last."""


def deciding(table: Any, most: float, *, name: Callable[[str], str] = str) -> str:
    """The figures that decide, a row a policy: return, difference, P(below the floor), 20th percentile, tail, all costs of trading together.

    Args:
        table: Of ``objective.table``, one row a book.
        most: Limit on P(below the floor on any day); what is surely above it has a star.
        name: Shortens the names of books.
    """
    keys = [key for key in DECIDING if key in table.columns]
    costs = [str(key) for key in table.columns if str(key).startswith("cost_")]
    lines = [["", *(metric(key).heading for key in keys), *(["cost, %"] if costs else [])]]
    for book, row in table.iterrows():
        cells = []
        for key in keys:
            one, shown = row[key], metric(key)
            words = cell(one.scaled(shown.factor)) if isinstance(one, Estimate) else ""
            above = key == "breach_any_day" and one.value - one.half_width() > most
            cells.append(f"{words}{' *' if above else '  ' if key == 'breach_any_day' else ''}")
        lines.append([name(str(book)), *cells, *([f"{100.0 * sum(row[key].value for key in costs):.3f}"] if costs else [])])
    return _laid_out(lines)


def _laid_out(lines: list[list[str]]) -> str:
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    return "\n".join(
        "  ".join([line[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(line[1:], widths[1:], strict=True))]).rstrip() for line in lines
    )


def constraints(fit: Any) -> str:
    """A fit's constraints as text: value, limit, margin, whether it holds and binds; empty where there are none. ``Fit.says`` has their prices.

    Args:
        fit: An ``optimise.Fit``.
    """
    lines = [["constraint", "value", "limit", "margin", "holds", "binds"]]
    for term in fit.terms:
        shown = metric(term.condition.measure.key)
        side = "at most" if term.condition.constraint.sign < 0.0 else "at least"
        numbers = [
            cell(term.verdict.estimate.scaled(shown.factor)),
            f"{side} {shown.factor * term.condition.limit:g}",
            f"{shown.factor * term.margin:.4g}",
        ]
        lines.append([f"{term.name}{', %' if shown.unit else ''}", *numbers, *("yes" if x else "no" for x in (term.holds, term.binds))])
    return _laid_out(lines) if fit.terms else ""


def metrics(row: Mapping[str, Any]) -> dict[str, Estimate]:
    """The figures of one book that have a value, for metrics.json.

    Args:
        row: Of ``objective.table``.
    """
    return {str(name): value for name, value in row.items() if isinstance(value, Estimate)}


def cell(estimate: Estimate) -> str:
    """Value ± error with two digits of the error, four decimals at most: a constant carries rounding as its error.

    Args:
        estimate: Any.
    """
    if not math.isfinite(estimate.error) or estimate.error == 0.0:
        return str(estimate)
    digits = min(4, max(0, 1 - math.floor(math.log10(estimate.error))))
    return f"{estimate.value:.{digits}f} ± {estimate.error:.{digits}f}"


def per_cent(estimate: Estimate) -> str:
    """A fraction in per cent, with its error.

    Args:
        estimate: Of a fraction.
    """
    return f"{cell(estimate.scaled(100.0))} %"


def verdict(what: str, difference: Estimate, years: float = 1.0) -> str:
    """Whether the 95 % interval of a paired difference holds 0, in a sentence.

    Args:
        what: Name of the figure.
        difference: Of a fraction, after less before.
        years: Over which it is; it is told a year.
    """
    risen = difference.value > 0.0
    sure = abs(difference.value) > difference.half_width()
    size = f"{per_cent(difference.scaled((1.0 if risen or not sure else -1.0) / years))} a year"
    if not sure:
        return f"The {what} changes by {size}: within the error, nothing was gained or lost that these paths can show."
    return f"The {what} {'rises' if risen else 'falls'} by {size}: {abs(difference.z(0.0)):.0f} standard errors."
