"""Heat maps and lines of swept numbers: a figure by policy and market, correlations, and the response of a collected sweep."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from mcengine.engine import metric
from mcengine.report.picture_style import MARKERS, PALETTE, Style, bars, grid, label, panels, style, titled
from mcengine.statistics import Estimate

_DARK = 0.62
"""Share of the scale beyond which a cell's text is white."""
_ERRORS = 1.96
_TICKS = 20
"""Most numbers on an axis of a surface."""


def plot_heat(table: Any, title: str, *, unit: str = "", centre: float = 0.0, factor: float = 1.0, colours: str = "RdBu") -> Any:
    """A table as a heat map, every cell with its number, and its error where it is an Estimate.

    Args:
        table: Pandas, of numbers or Estimates: policies down, markets, regimes or periods across.
        title: What it shows.
        unit: Of the cells, for the colour bar.
        centre: Number that is white.
        factor: From the table's unit to that of the cells and of ``centre``.
        colours: A matplotlib colour map: RdBu, red below the centre; RdBu_r, red above it.

    Returns:
        A matplotlib ``Figure``.
    """
    values = factor * table.map(lambda cell: cell.value if isinstance(cell, Estimate) else np.nan if cell is None else float(cell)).to_numpy(float)
    text = table.map(lambda cell: str(cell.scaled(factor)).replace(" ± ", "\n± ") if isinstance(cell, Estimate) else "").to_numpy()
    rows, columns = ([" ".join(map(label, str(name).split(" "))) for name in names] for names in (table.index, table.columns))
    most = float(np.nanmax(np.abs(values - centre))) or 1.0
    figure, (axis,) = panels((max(2.6 + 1.25 * len(columns), 6.4), 1.8 + 0.5 * len(rows)))
    image = heat(axis, values - centre, rows, columns, most, centre, text)
    image.set_cmap(colours)
    figure.colorbar(image, ax=axis, label=unit, shrink=0.9, format=lambda x, _: f"{x + centre:g}")
    return titled(figure, title, table.attrs.get("about", ""))


def plot_by_regime(table: Any) -> Any:
    """What each policy does in each regime of the market, every cell with its error: return a year, that over the benchmark, volatility, drawdown.

    Args:
        table: Of ``objective.by_regime``.

    Returns:
        A matplotlib ``Figure``.
    """
    regimes, rows = table.attrs["regimes"], [label(str(book)) for book in table.index]
    heads = [f"{name}\n{table[f'time_in_{name}'].iloc[0].scaled(100.0)} % of time" for name in regimes]
    shown = {kind: title for kind, title in _IN_REGIME.items() if f"{kind}_in_{regimes[0]}" in table.columns}
    figure, axes = panels((3.6 + 2.3 * len(regimes), 2.0 + 2.0 * (0.5 + 0.42 * len(rows))), rows=2, columns=2)
    for at, (axis, (kind, title)) in enumerate(zip(axes, shown.items(), strict=False)):
        cells = table[[f"{kind}_in_{name}" for name in regimes]].map(lambda one: one.scaled(100.0) if isinstance(one, Estimate) else None)
        values = cells.map(lambda one: np.nan if one is None else one.value).to_numpy(float)
        text = cells.map(lambda one: "" if one is None else str(one).replace(" ± ", "\n± ")).to_numpy()
        image = heat(axis, values, rows if at % 2 == 0 else [""] * len(rows), heads, float(np.nanmax(np.abs(values), initial=1e-9)), 0.0, text)
        image.set_cmap("RdBu" if kind.startswith("annual") else "RdBu_r")  # red is bad
        axis.tick_params(axis="x", rotation=0)
        for tick in axis.get_xticklabels():
            tick.set_ha("center")
        axis.set_title(title, fontsize=10)
    for axis in axes[len(shown) :]:
        axis.set_axis_off()
    return titled(figure, "What each policy does while each regime is in force (± standard error)", table.attrs.get("about", ""))


_IN_REGIME = {
    "annual_return": "return, % a year",
    "annual_difference": "return over the benchmark, % a year",
    "volatility": "volatility, % a year",
    "mean_drawdown": "mean fall from the highest wealth so far, %",
}


def plot_correlation(matrix: Any, title: str = "Correlation", errors: Any = None) -> Any:
    """A correlation matrix as a heat map.

    Args:
        matrix: Pandas, names by names.
        title: What it shows.
        errors: Standard errors, as the matrix; None where they are not known.

    Returns:
        A matplotlib ``Figure``.
    """
    names = [str(name) for name in matrix.index]
    text = matrix.map("{:.2f}".format)
    if errors is not None:
        text = (text + "\n± " + errors.map("{:.2f}".format)).where(~np.eye(len(names), dtype=bool), text)
    figure, (axis,) = panels((2.4 + 0.95 * len(names), 1.5 + 0.8 * len(names)))
    image = heat(axis, matrix.to_numpy(float), names, names, 1.0, 0.0, text.to_numpy())
    image.set_cmap("RdBu_r")
    figure.colorbar(image, ax=axis, label="correlation", shrink=0.9)
    return titled(figure, title)


def plot_response(runs: Any, figure: str = "mean_return", keys: Sequence[str] | None = None) -> Any:
    """The response of a sweep: over one number a line with 95 % intervals, over two a heat map with contours; a word that varies is a line each.

    Args:
        runs: Of ``collect``.
        figure: Column of a metric, such as "mean_return" or "unhedged/turnover".
        keys: One or two of the swept columns; None for all that vary.

    Returns:
        A matplotlib ``Figure``.

    Raises:
        ValueError: Where the figure is not in the table, no number was swept, or more than two columns vary.
    """
    if figure not in runs.columns:
        raise ValueError(f"plot_response: expected a column of the sweep, got {figure!r}")
    first = next((at for at, name in enumerate(runs.columns) if f"{name}_error" in runs.columns), len(runs.columns))  # metrics follow settings
    settings = [name for name in runs.attrs.get("varying", runs.columns[:first]) if name in runs.columns]
    varying = list(keys) if keys is not None else [name for name in settings if runs[name].astype(str).nunique() > 1]
    numbers = [name for name in varying if all(isinstance(x, int | float) and not isinstance(x, bool) for x in runs[name])]
    if not numbers or len(varying) > 2:
        found = ", ".join(varying) or "none"
        raise ValueError(f"plot_response: expected one or two swept settings, a number among them, got {found}; name them in keys")
    shown = metric(figure.rpartition("/")[2])
    errors = f"{figure}_error"
    if len(numbers) == 2:
        return _surface(runs, figure, numbers, shown)
    x, lines = numbers[0], [name for name in varying if name != numbers[0]]
    picture, (axis,) = panels((7.5, 4.6))
    for k, (name, part) in enumerate(runs.groupby(lines[0], sort=False) if lines else [("", runs)]):
        part = part.sort_values(x)
        y = shown.factor * part[figure].to_numpy(float)
        yerr = bars(shown.key, y, _ERRORS * shown.factor * part[errors].to_numpy(float)) if errors in runs.columns else None
        drawn = style(str(name)) if lines == ["policy"] else Style(PALETTE[(k + 1) % len(PALETTE)], "-", MARKERS[k % len(MARKERS)])
        look = {"color": drawn.colour, "linestyle": drawn.dash, "marker": drawn.marker, "linewidth": 1.4, "capsize": 3, "markersize": 5}
        axis.errorbar(part[x].to_numpy(float), y, yerr=yerr, label=str(name), **look)
    if lines:
        axis.legend(fontsize=8, frameon=False, title=lines[0])
    axis.set_xlabel(x)
    axis.set_ylabel(shown.heading)
    grid(axis)
    return titled(picture, f"{shown.label} by {x}, {len(runs)} runs (bars: 95 % intervals)")


def _surface(runs: Any, figure: str, keys: Sequence[str], shown: Any) -> Any:
    from matplotlib.ticker import MaxNLocator

    down, across = keys
    wide = shown.factor * runs.pivot_table(index=down, columns=across, values=figure, aggfunc="mean").astype(float)
    errors = runs.get(f"{figure}_error")
    picture, (axis,) = panels((min(max(2.8 + 0.8 * wide.shape[1], 6.4), 16.0), min(2.0 + 0.55 * wide.shape[0], 12.0)))
    image = axis.imshow(wide.to_numpy(), cmap="viridis", aspect="auto", origin="lower")
    for set_ticks, values in ((axis.set_xticks, wide.columns), (axis.set_yticks, wide.index)):
        each = -(-len(values) // _TICKS)
        set_ticks(range(0, len(values), each), [f"{x:g}" for x in values[::each]])
    low, high = float(wide.min(axis=None)), float(wide.max(axis=None))
    levels = [level for level in MaxNLocator(6).tick_values(low, high) if low < level < high]
    if min(wide.shape) > 1 and wide.notna().all(axis=None) and levels:
        axis.clabel(axis.contour(wide.to_numpy(), levels, colors="white", linewidths=0.9), fontsize=8, fmt="%.3g")
    axis.set_xlabel(across)
    axis.set_ylabel(down)
    picture.colorbar(image, ax=axis, label=shown.heading)
    most = "" if errors is None else f", largest standard error {shown.factor * float(errors.astype(float).max()):.2g}"
    return titled(picture, f"{shown.label} by {down} and {across}", f"{len(runs)} runs{most}")


def heat(
    axis: Any, values: np.ndarray, rows: Sequence[str], columns: Sequence[str], most: float, shift: float = 0.0, text: np.ndarray | None = None
) -> Any:
    """A heat map on an axis, every cell with its number: blue above 0, red below.

    Args:
        axis: A matplotlib ``Axes``.
        values: [row, column], less the number that is white.
        rows: Names.
        columns: Names.
        most: The scale's end, either side.
        shift: The number that is white.
        text: [row, column] of what stands in the cells; empty or None: the number.

    Returns:
        The image.
    """
    image = axis.imshow(values, cmap="RdBu", vmin=-most, vmax=most, aspect="auto")
    turned = max(map(len, columns)) > 10
    axis.set_xticks(range(len(columns)), columns, fontsize=8, rotation=30 if turned else 0, ha="right" if turned else "center")
    axis.set_yticks(range(len(rows)), rows, fontsize=8)
    for (i, j), value in np.ndenumerate(values):
        if np.isfinite(value):
            shown = (text[i, j] if text is not None else "") or f"{value + shift:.1f}"
            axis.text(j, i, shown, ha="center", va="center", fontsize=7, color="white" if abs(value) > _DARK * most else "black")
    axis.tick_params(length=0)
    axis.spines[:].set_visible(False)
    return image
