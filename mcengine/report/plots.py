"""Pictures of outcomes: final wealth by policy, and what protection costs. Each function returns a matplotlib ``Figure``."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from mcengine.engine import summarise
from mcengine.report.picture_style import FLOOR, bars, colour, grid, label, panels, style, titled
from mcengine.statistics import Estimate, estimate

_SHOWN = 200_000
"""Paths a histogram is drawn from: more change no pixel."""


def plot_wealth(result: Any, floor: float, books: Sequence[str] | None = None) -> Any:
    """Distribution of final wealth of the kept paths, a row a policy; what lies below the floor is red. The title says how many are drawn.

    Args:
        result: Of a run.
        floor: Fraction of the starting wealth.
        books: Names of the policies; None for all.

    Returns:
        A matplotlib ``Figure``.
    """
    books = list(books or result.books)
    shown = min(_SHOWN - _SHOWN % result.sampling.size, result.kept)
    samples = {book: np.asarray(result[book]["wealth"][:shown], np.float64) for book in books}
    weights = None if result.weights is None else result.weights[:shown]
    low, high = (f(np.quantile(s, q) for s in samples.values()) for f, q in ((min, 0.0005), (max, 0.9985)))
    width = (high - min(low, floor - 0.02)) / (40 if result.kept < 20_000 else 140)
    # The floor is an edge, so that red is what is below it.
    edges = floor + width * np.arange(np.floor((min(low, floor - 0.02) - floor) / width), np.ceil((high - floor) / width) + 1)
    figure, axes = panels((9.0, 1.05 * len(books) + 1.5), rows=len(books), sharex=True)
    for axis, (book, x) in zip(axes, samples.items(), strict=True):
        density = np.histogram(x, edges, weights=weights)[0] / (x.size * width)
        mean = estimate.mean(x, result.sampling, weights)
        # A rule that sits in cash puts a spike at the floor that would flatten all else.
        top = 1.25 * float(np.sort(density)[-4])
        axis.stairs(density, edges, fill=True, color=colour(book), alpha=0.55, linewidth=0)
        axis.stairs(np.where(edges[1:] <= floor + 1e-9, density, 0.0), edges, fill=True, color=FLOOR, linewidth=0)
        axis.axvline(floor, color=FLOOR, linewidth=1.0, linestyle="--")
        axis.plot([mean.value] * 2, [0, top], color=colour(book), linewidth=1.5)
        axis.set_ylim(0, top)
        axis.set_yticks([])
        axis.text(0.008, 0.82, label(book), transform=axis.transAxes, weight="bold", color="#222222", va="top")
        below = estimate.probability(x < floor, result.sampling, weights).scaled(100.0)
        note = f"mean {mean}\nP(below floor at end) {below} %"
        axis.text(0.008, 0.6, note, transform=axis.transAxes, va="top", fontsize=8, color="#333333")  # left, where few paths end
        axis.spines[["left", "top", "right"]].set_visible(False)
    years = float(result.study.years)
    axes[-1].set_xlabel(f"wealth after {years:g} year{'s' if years != 1 else ''} / starting wealth")
    axes[-1].set_xlim(edges[0], edges[-1])
    figure.supylabel("density (spikes are cut off)", fontsize=9)
    about = summarise(result.study, result.paths, result.seed, shown)
    return titled(figure, f"Final wealth by policy: below the floor {floor:g} in red, the mean as a line", about)


def plot_protection_cost(table: Any, floor: float) -> Any:
    """Mean return given up against what it buys: P(any day below the floor), and the mean loss of the worst 5 %; a 95 % interval each way.

    Args:
        table: Of ``objective.table``.
        floor: Fraction of the starting wealth.

    Returns:
        A matplotlib ``Figure``.
    """
    figure, axes = panels((10.0, 5.0), columns=2, sharey=True)
    shown = {"breach_any_day": f"P(below {floor:g} on any day), %", "cvar_95": "mean loss of the worst 5 % of paths, % of wealth"}
    for axis, (column, heading) in zip(axes, shown.items(), strict=True):
        for book, row in table.iterrows():
            drawn = style(str(book))
            difference = row.get("difference")
            y = difference.scaled(-100.0) if isinstance(difference, Estimate) else Estimate(0.0, 0.0)
            x = row[column].scaled(100.0)
            across = bars(column, [x.value], [x.half_width()])
            axis.errorbar([x.value], [y.value], xerr=across, yerr=[y.half_width()], color=drawn.colour, elinewidth=1.0)
            # Hollow, each in a shape of its own: two rules in one place are both seen.
            shape = {"marker": drawn.marker, "markersize": 10, "markerfacecolor": "none", "markeredgewidth": 2.0, "linestyle": "none"}
            axis.plot([x.value], [y.value], color=drawn.colour, label=label(str(book)), **shape)
        axis.axhline(0.0, color="#999999", linewidth=0.8, zorder=0)
        axis.set_xlabel(heading)
        axis.margins(0.1)
        grid(axis)
    axes[0].set_ylabel("mean return given up against unhedged, % of starting wealth", fontsize=9)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=6, fontsize=9, frameon=False)
    return titled(figure, f"What protection costs, floor {floor:g}: down and left is better (bars: 95 % intervals)", table.attrs.get("about", ""))
