"""Pictures of a claim: where among the assumptions it holds, what history offered, what a book's own numbers move."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from mcengine.report.picture_style import grid, label
from mcengine.report.picture_style import panels as axes_of

_LINE, _ZERO = "#000000", "#7F7F7F"
_SHADES = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9")
_MAP = "BrBG"
"""Two hues that colour-blind readers tell apart, white between them."""


def plot_map(table: Any, value: str, across: Sequence[str], panels: Sequence[str], line: float, title: str) -> Any:
    """Filled contours of one figure over two assumptions, a panel for each combination of others; 0 is dashed, the ``line`` is drawn.

    Args:
        table: A row a point of a full grid: assumptions, and ``value`` as Estimates of fractions.
        value: Column of the figure.
        across: Columns of the horizontal and the vertical axis.
        panels: Columns whose combinations have a panel each, the first by row and the second by column.
        line: Level that is drawn, a fraction.
        title: Of the picture; the largest error of the map is added.

    Returns:
        A matplotlib ``Figure``.
    """
    rows, columns = (sorted(table[name].unique()) for name in panels)
    shown = table.assign(**{value: [100.0 * one.value for one in table[value]]})
    error = max(100.0 * one.error for one in table[value])
    step = 0.25 * max(1, math.ceil(float(np.abs(shown[value]).max()) / 3.0))
    most = math.ceil(float(np.abs(shown[value]).max()) / step)
    levels = step * np.arange(-most, most + 1)
    figure, axes = axes_of((3.6 * len(columns) + 1.4, 3.3 * len(rows) + 0.8), rows=len(rows), columns=len(columns), sharex=True, sharey=True)
    for axis, (row, column) in zip(axes, [(r, c) for r in rows for c in columns], strict=True):
        some = shown[(shown[panels[0]] == row) & (shown[panels[1]] == column)]
        wide = some.pivot_table(index=across[1], columns=across[0], values=value)
        x, y, z = wide.columns.to_numpy(float), wide.index.to_numpy(float), wide.to_numpy()
        filled = axis.contourf(x, y, z, levels, cmap=_MAP)
        for level, style, shade in ((0.0, "--", _ZERO), (100.0 * line, "-", _LINE)):
            if z.min() < level < z.max():
                drawn = axis.contour(x, y, z, [level], colors=shade, linestyles=style, linewidths=1.8)
                axis.clabel(drawn, fmt={level: f"{level:+.3g} %" if level else "0"}, fontsize=8)
        axis.plot(*np.meshgrid(x, y), ".", color="#333333", markersize=2)
        axis.plot([1.0], [1.0], "+", color=_LINE, markersize=9)
        axis.set_title(f"{panels[0]} x {row:g}, {panels[1]} x {column:g}", fontsize=9)
    for k, axis in enumerate(axes):
        if k >= len(columns) * (len(rows) - 1):
            axis.set_xlabel(f"{across[0]}: priced over realised")
        if k % len(columns) == 0:
            axis.set_ylabel(f"{across[1]}: priced over realised")
    figure.colorbar(filled, ax=axes, label="% a year", shrink=0.8)
    figure.suptitle(
        f"{title}\n(dots: what was simulated, errors at most {error:.2g} %; + fair prices; lines between the dots are interpolated)", fontsize=10
    )
    return figure


def plot_bands(table: Any, value: str, across: str, by: str, panels: str, books: Sequence[str], line: float) -> Any:
    """One figure by a number of the book, a line for each value of another, a column for each assumption and a row for each book; bars are 95 %.

    Args:
        table: A row a point and book, ``value`` as Estimates of fractions.
        value: Column of the figure.
        across: Column of the horizontal axis.
        by: Column of the lines.
        panels: Column of the assumption's name.
        books: Rows.
        line: Level that is drawn, a fraction.

    Returns:
        A matplotlib ``Figure``.
    """
    names = list(dict.fromkeys(table[panels]))
    size = (3.4 * len(names) + 0.6, 2.9 * len(books) + 0.8)
    figure, axes = axes_of(size, rows=len(books), columns=len(names), sharex=True, sharey=True)
    for axis, (book, name) in zip(axes, [(b, n) for b in books for n in names], strict=True):
        some = table[(table["book"] == book) & (table[panels] == name)]
        for (own, lined), shade in zip(some.groupby(by), _SHADES, strict=False):
            y = [100.0 * one.value for one in lined[value]]
            bars = [100.0 * one.half_width() for one in lined[value]]
            axis.errorbar(lined[across], y, yerr=bars, color=shade, marker="o", markersize=3, linewidth=1.3, label=f"{by.replace('_', ' ')} {own:g}")
        axis.axhline(100.0 * line, color=_LINE, linewidth=1.2)
        axis.axhline(0.0, color=_ZERO, linestyle="--", linewidth=1.0)
        axis.set_title(f"{label(book)}: {name}", fontsize=9)
        grid(axis)
    for axis in axes[-len(names) :]:
        axis.set_xlabel(f"{across} of the straddles")
    for axis in axes[:: len(names)]:
        axis.set_ylabel("% a year at equal exposure")
    axes[0].legend(fontsize=8, frameon=False)
    figure.suptitle(f"What the size of the events' straddles and the hedge's band move (line: {100.0 * line:+.3g} %)", fontsize=10)
    return figure


def plot_windows(by_start: Any, line: float, years: float) -> Any:
    """The difference of every window of history by the day it starts, a line a book and skew.

    Args:
        by_start: % a year by start, columns named ``"book x1"``.
        line: Level that is drawn, a fraction.
        years: Length of a window.

    Returns:
        A matplotlib ``Figure``.
    """
    books = list(dict.fromkeys(name.rpartition(" x")[0] for name in by_start))
    figure, axes = axes_of((9.5, 2.3 * len(books) + 0.9), rows=len(books), sharex=True, sharey=True)
    starts = by_start.index.to_numpy("datetime64[D]")
    for axis, book, shade in zip(axes, books, _SHADES, strict=False):
        columns = [name for name in by_start if name.rpartition(" x")[0] == book]
        for name, style in zip(columns, ("-", "--", ":", "-."), strict=False):
            axis.plot(starts, by_start[name], style, color=shade, linewidth=1.3, label=f"skew x{name.rpartition(' x')[2]}")
        axis.axhline(100.0 * line, color=_LINE, linewidth=1.2)
        axis.axhline(0.0, color=_ZERO, linestyle="--", linewidth=1.0)
        axis.set_title(label(book), fontsize=9, loc="left")
        axis.set_ylabel("% a year")
        axis.legend(fontsize=8, frameon=False, ncols=3, loc="lower left")
        grid(axis)
    axes[-1].set_xlabel(f"start of the window of {years:g} years")
    figure.suptitle(f"What history offered at equal exposure, window by window (line: {100.0 * line:+.3g} % a year; windows overlap)", fontsize=10)
    return figure
