"""Pictures of a study. Each function returns a matplotlib ``Figure`` made without pyplot, so that nothing global is touched.

One colour a policy in every picture: Okabe & Ito's palette ("Color universal design", 2008), told apart by colour-blind readers.
"""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mcengine.engine import metric
from mcengine.statistics import Estimate, estimate

COLOURS = {
    "unhedged": "#000000",
    "static_put": "#E69F00",
    "rolled_put": "#CC79A7",
    "stop_loss": "#D55E00",
    "cppi": "#0072B2",
    "vol_target_cppi": "#009E73",
}
_OTHERS = ("#56B4E9", "#882255", "#7F7F7F", "#F0E442")
_FLOOR = "#B22222"
_TERMS, _NUMBERS = 8, 9
"""Constraints and numbers that a fit's picture has room for."""
_SHOWN = 200_000
"""Paths a histogram is drawn from: more change no pixel."""


def colour(book: str) -> str:
    """A policy's colour, whatever floor its book's name ends in.

    Args:
        book: Name of the policy.
    """
    policy = book.split(" ")[0]
    return COLOURS.get(policy) or _OTHERS[sum(map(ord, policy)) % len(_OTHERS)]


def _title(book: str) -> str:
    return " ".join({"cppi": "CPPI", "vol": "volatility", "target": "target +"}.get(w, w) for w in book.split(" ")[0].split("_"))


def plot_wealth(result: Any, floor: float, books: Sequence[str] | None = None) -> Any:
    """Distribution of final wealth, a row a policy; what lies below the floor is red.

    Args:
        result: Of a run.
        floor: Fraction of the starting wealth.
        books: Names of the policies; None for all.

    Returns:
        A matplotlib ``Figure``.
    """
    books = list(books or result.books)
    shown = _SHOWN - _SHOWN % result.sampling.size
    samples = {book: np.asarray(result[book]["wealth"][:shown], np.float64) for book in books}
    weights = None if result.weights is None else result.weights[:shown]
    low, high = (f(np.quantile(s, q) for s in samples.values()) for f, q in ((min, 0.0005), (max, 0.9985)))
    width = (high - min(low, floor - 0.02)) / (40 if result.kept < 20_000 else 140)
    # The floor is an edge, so that red is what is below it.
    edges = floor + width * np.arange(np.floor((min(low, floor - 0.02) - floor) / width), np.ceil((high - floor) / width) + 1)
    figure, axes = _figure((9.0, 1.05 * len(books) + 1.5), rows=len(books), sharex=True)
    for axis, (book, x) in zip(axes, samples.items(), strict=True):
        density = np.histogram(x, edges, weights=weights)[0] / (x.size * width)
        mean = estimate.mean(x, result.sampling, weights)
        # A rule that sits in cash puts a spike at the floor that would flatten all else.
        top = 1.25 * float(np.sort(density)[-4])
        axis.stairs(density, edges, fill=True, color=colour(book), alpha=0.55, linewidth=0)
        axis.stairs(np.where(edges[1:] <= floor + 1e-9, density, 0.0), edges, fill=True, color=_FLOOR, linewidth=0)
        axis.axvline(floor, color=_FLOOR, linewidth=1.0, linestyle="--")
        axis.plot([mean.value] * 2, [0, top], color=colour(book), linewidth=1.5)
        axis.set_ylim(0, top)
        axis.set_yticks([])
        axis.text(0.008, 0.82, _title(book), transform=axis.transAxes, weight="bold", color=colour(book), va="top")
        below = estimate.probability(x < floor, result.sampling, weights).scaled(100.0)
        note = f"mean {mean}\nP(below floor at end) {below} %"
        axis.text(0.992, 0.82, note, transform=axis.transAxes, ha="right", va="top", fontsize=8, color="#333333")
        axis.spines[["left", "top", "right"]].set_visible(False)
    years = float(result.study.years)
    axes[-1].set_xlabel(f"wealth after {years:g} year{'s' if years != 1 else ''} / starting wealth")
    axes[-1].set_xlim(edges[0], edges[-1])
    figure.supylabel("density (spikes are cut off)", fontsize=9)
    figure.suptitle(f"Final wealth by policy: below the floor {floor:g} in red, the mean as a line")
    return figure


def plot_protection_cost(table: Any, floor: float) -> Any:
    """Mean return given up against what it buys: P(any day below the floor), and the mean loss of the worst 5 %; a 95 % interval each way.

    Args:
        table: Of ``objective.table``.
        floor: Fraction of the starting wealth.

    Returns:
        A matplotlib ``Figure``.
    """
    figure, axes = _figure((10.0, 5.0), columns=2, sharey=True)
    panels = {"breach_any_day": f"P(below {floor:g} on any day), %", "cvar_95": "mean loss of the worst 5 % of paths, % of wealth"}
    for axis, (column, label) in zip(axes, panels.items(), strict=True):
        for (book, row), marker in zip(table.iterrows(), itertools.cycle("osD^vP"), strict=False):
            difference = row.get("difference")
            y = difference.scaled(-100.0) if isinstance(difference, Estimate) else Estimate(0.0, 0.0)
            x = row[column].scaled(100.0)
            axis.errorbar(x.value, y.value, xerr=x.half_width(), yerr=y.half_width(), color=colour(str(book)), elinewidth=1.0)
            # Hollow, each in a shape of its own: two rules in one place are both seen.
            shape = {"marker": marker, "markersize": 10, "markerfacecolor": "none", "markeredgewidth": 2.0, "linestyle": "none"}
            axis.plot([x.value], [y.value], color=colour(str(book)), label=_title(str(book)), **shape)
        axis.axhline(0.0, color="#999999", linewidth=0.8, zorder=0)
        axis.set_xlabel(label)
        axis.margins(0.1)
        _grid(axis)
    axes[0].set_ylabel("mean return given up against unhedged, % of wealth")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=6, fontsize=9, frameon=False)
    figure.suptitle(f"What protection costs, floor {floor:g}: down and to the left is better (bars: 95 % intervals)")
    return figure


def plot_fan(trace: Any, books: Sequence[str], worst: Mapping[str, Sequence[int]], floor: float) -> Any:
    """Bands of wealth over time from the traced paths that are nobody's worst, and each book's worst paths over them.

    Args:
        trace: Of ``engine.trace``.
        books: Names of the policies, a panel each.
        worst: Ids of the worst paths by book.
        floor: Fraction of the starting wealth.

    Returns:
        A matplotlib ``Figure``.
    """
    marked = {path for paths in worst.values() for path in paths}
    figure, axes = _figure((5.0 * len(books), 4.6), columns=len(books), sharey=True)
    for axis, book in zip(axes, books, strict=True):
        wealth = _wide(trace, f"{book}.wealth")
        time = _times(trace)
        sample = wealth[[path not in marked for path in _paths(trace)]]
        for low, high, alpha in ((0.05, 0.95, 0.20), (0.25, 0.75, 0.35)):
            band = np.quantile(sample, [low, high], axis=0)
            axis.fill_between(time, *band, color=colour(book), alpha=alpha, linewidth=0, label=f"{low:.0%} to {high:.0%}")
        axis.plot(time, np.median(sample, axis=0), color=colour(book), linewidth=1.8, label="median")
        for k, path in enumerate(worst[book]):
            line = wealth[_paths(trace).index(path)]
            axis.plot(time, line, color="#555555", linewidth=0.7, label=f"worst {len(worst[book])}" if k == 0 else None)
        axis.axhline(floor, color=_FLOOR, linewidth=1.2, linestyle="--", label=f"floor {floor:g}")
        axis.set_title(_title(book))
        axis.set_xlabel("time, years")
        axis.set_xlim(time[0], time[-1])
        _grid(axis)
    axes[0].set_ylabel("wealth / starting wealth")
    axes[0].legend(loc="upper left", fontsize=8, frameon=False, ncols=2)
    # Room for the legend above the bands.
    low_y, high_y = axes[0].get_ylim()
    axes[0].set_ylim(low_y, high_y + 0.22 * (high_y - low_y))
    figure.suptitle(f"Wealth over time: bands of {len(sample):,} paths, and the worst of the whole run")
    return figure


def plot_exposure(trace: Any, path: int, books: Sequence[str], floor: float) -> Any:
    """Wealth and exposure of several books along one path.

    Args:
        trace: Of ``engine.trace``.
        path: Its id.
        books: Names of the policies.
        floor: Fraction of the starting wealth.

    Returns:
        A matplotlib ``Figure``.
    """
    one = trace.loc[path]
    time = one["time"].to_numpy()
    figure, axes = _figure((9.0, 6.4), rows=2, sharex=True)
    for book, style in zip(books, itertools.cycle(("-", "-", "-", "-", "-", (0, (3, 2)))), strict=False):
        shown = {"color": colour(book), "linestyle": style, "linewidth": 1.6}  # the last dashed: it often lies on the one before
        axes[0].plot(time, one[f"{book}.wealth"], label=_title(book), **shown)
        # Row k shows what was held over step k, so it stands from date k - 1 on.
        axes[1].plot(time, 100.0 * one[f"{book}.exposure"].shift(-1), drawstyle="steps-post", **shown)
    axes[0].axhline(floor, color=_FLOOR, linewidth=1.2, linestyle="--", label=f"floor {floor:g}")
    axes[0].set_ylabel("wealth / starting wealth")
    axes[1].set_ylabel("underlyings held, % of wealth")
    axes[1].set_xlabel("time, years")
    axes[1].set_ylim(bottom=-3.0)
    axes[1].set_xlim(time[0], time[-1])
    for axis in axes:
        _grid(axis)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4, fontsize=9, frameon=False)
    figure.suptitle(f"One crash, every policy: path {path}, on which the unhedged mix ends lowest")
    return figure


def plot_fit(fit: Any) -> Any:
    """A fit run by run: the goal, each constrained figure and its limit, every fitted number over its start.

    Args:
        fit: An ``optimise.Fit``.

    Returns:
        A matplotlib ``Figure``.
    """
    history, terms = fit.history, fit.terms[:_TERMS]
    count = len(terms) + 2
    figure, axes = _figure((9.5, 2.9 * -(-count // 2) + 0.4), rows=-(-count // 2), columns=2, sharex=True)
    for axis, (column, shown, limit) in zip(
        axes,
        [
            (fit.wish.goal_name, metric(fit.wish.goal_name), None),
            *((term.name, metric(term.condition.measure.key), term.condition.limit) for term in terms),
        ],
        strict=False,
    ):
        x = shown.factor * history[column]
        axis.plot(history.index, x, color="#0072B2", linewidth=0.8, alpha=0.6)
        axis.plot(history.index, x.rolling(max(1, len(x) // 20), min_periods=1).mean(), color="#0072B2", linewidth=1.8)
        axis.set_ylabel(shown.heading)
        if limit is not None:
            axis.axhline(shown.factor * limit, color=_FLOOR, linestyle="--", linewidth=1.2, label=f"limit {shown.factor * limit:g}")
            axis.legend(fontsize=8, frameon=False)
    colours = (*list(COLOURS.values())[1:], *_OTHERS)
    for name, line in zip(list(fit.table().index)[:_NUMBERS], colours, strict=False):
        start = history[name].iloc[0]
        over = history[name] / start if start else history[name]
        axes[count - 1].plot(history.index, over, color=line, linewidth=1.5, label=name.removeprefix("policy."))
    axes[count - 1].set_ylabel("fitted number over its first value")
    axes[count - 1].legend(fontsize=8, frameon=False)
    for axis in axes[count:]:
        axis.set_axis_off()
    for axis in axes[:count]:
        _grid(axis)
        axis.set_xlabel(f"{history.index.name} of the fit")
    figure.suptitle(f"The fit, run by run: {fit.wish}")
    return figure


def plot_frontier(fits: Sequence[Any], constraint: str, levels: Sequence[float]) -> Any:
    """What protection costs: the goal at every level of one constraint, with its 95 % interval, hollow where it is not shown to hold.

    Args:
        fits: Of ``optimise.frontier``.
        constraint: Name of the one that varied.
        levels: Its limits.

    Returns:
        A matplotlib ``Figure``.
    """
    figure, (axis,) = _figure((7.0, 4.5))
    goal, asked = metric(fits[0].wish.goal_name), metric(constraint)
    x, y = [asked.factor * level for level in levels], [goal.factor * fit.goal.value for fit in fits]
    bars = [goal.factor * fit.goal.half_width() for fit in fits]
    axis.errorbar(x, y, yerr=bars, color="#0072B2", linewidth=1.5, capsize=3, zorder=2)
    for held, marker in ((True, "#0072B2"), (False, "#FFFFFF")):
        chosen = [k for k, fit in enumerate(fits) if fit.feasible == held]
        at, best = [x[k] for k in chosen], [y[k] for k in chosen]
        label = ("holds" if held else "not shown to hold") if chosen else None
        axis.scatter(at, best, s=45, color=marker, edgecolor="#0072B2", zorder=3, label=label)
    axis.set_xlabel(f"limit of {asked.heading}")
    axis.set_ylabel(goal.heading)
    axis.legend(fontsize=8, frameon=False)
    _grid(axis)
    figure.suptitle(f"Frontier: {goal.label} by the limit of {asked.label} (bars: 95 % intervals)")
    return figure


def _figure(size: tuple[float, float], rows: int = 1, columns: int = 1, **options: Any) -> tuple[Any, list[Any]]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, layout="constrained")
    return figure, list(figure.subplots(rows, columns, squeeze=False, **options).flat)


def _grid(axis: Any) -> None:
    axis.grid(color="#DDDDDD", linewidth=0.6)
    axis.set_axisbelow(True)
    axis.spines[["top", "right"]].set_visible(False)


def _paths(trace: Any) -> list[int]:
    return [int(path) for path in trace.index.unique("path")]


def _wide(trace: Any, column: str) -> np.ndarray:
    """[path, step] of one column."""
    return trace[column].to_numpy().reshape(len(_paths(trace)), -1)


def _times(trace: Any) -> np.ndarray:
    return trace["time"].to_numpy()[: len(trace) // len(_paths(trace))]
