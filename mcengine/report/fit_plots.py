"""Pictures of fits: a fit run by run, and the goal at every level of one constraint."""

from collections.abc import Sequence
from typing import Any

from mcengine.engine import metric, summarise
from mcengine.report.picture_style import FLOOR, MODEL, PALETTE, bars, grid, panels, titled

_TERMS, _NUMBERS = 8, 9
"""Constraints, and fitted numbers, that a fit's picture has room for: of a network's hundreds no one says anything alone."""


def plot_fit(fit: Any) -> Any:
    """A fit run by run: the goal, each constrained figure and its limit, and, of few, every fitted number over its start.

    Lines are what the search sees, of the smooth rule; the dot at the end is of the rule as it is, on unseen paths, with its 95 % interval.

    Args:
        fit: An ``optimise.Fit``.

    Returns:
        A matplotlib ``Figure``.
    """
    history, terms, numbers = fit.history, fit.terms[:_TERMS], list(fit.table().index)
    few = len(numbers) <= _NUMBERS
    count = 1 + len(terms) + few
    columns = min(2, count)
    figure, axes = panels((9.5, 2.9 * -(-count // columns) + 0.4), rows=-(-count // columns), columns=columns, sharex=True)
    end = history.index[-1] + 0.03 * max(len(history), 10)
    over = fit.over(fit.wish.goal_measure(fit.before))
    _run(axes[0], history[fit.wish.goal_name], metric(fit.wish.goal_name), fit.goal, end, over)
    for axis, term in zip(axes[1:], terms, strict=False):
        shown = metric(term.condition.measure.key)
        market = term.name.partition(" in ")[2]
        over = fit.over(term.condition.measure) + (f"\nin {market}" if market else "")
        _run(axis, history[term.name], shown, term.verdict.estimate, end, over)
        limit = shown.factor * term.condition.limit
        axis.axhline(limit, color=FLOOR, linestyle="--", linewidth=1.2, label=f"limit {limit:g}")
    for name, line in zip(numbers if few else [], PALETTE[1:], strict=False):
        start = history[name].iloc[0]
        moved = history[name] / start if start else history[name]
        axes[count - 1].plot(history.index, moved, color=line, linewidth=1.5, label=name.removeprefix("policy."))
    for axis in axes[count:]:
        axis.set_axis_off()
    for axis in axes[:count]:
        axis.xaxis.get_major_locator().set_params(integer=True)
        axis.legend(fontsize=8, frameon=False, ncols=2 if few and axis is axes[count - 1] else 1)
        grid(axis)
        axis.set_xlabel(f"{history.index.name} of the fit")
    if few:
        low, high = axes[count - 1].get_ylim()
        axes[count - 1].set_ylim(low, high + 0.09 * (1 + len(numbers)) * (high - low))  # room for the legend
        axes[count - 1].set_ylabel("fitted number over its first value", fontsize=9)
    many = "" if few else f", {len(numbers)} numbers"
    return titled(figure, f"The fit, run by run: {fit.wish}{many}", f"{summarise(fit.study)} · at most {fit.paths:,} paths a run")


def _run(axis: Any, x: Any, shown: Any, found: Any, end: float, over: str) -> None:
    """What a search saw of a figure, run by run, and what unseen paths say of it."""
    x = shown.factor * x
    axis.plot(x.index, x, color=MODEL, linewidth=0.8, alpha=0.6)
    axis.plot(x.index, x.rolling(max(1, len(x) // 20), min_periods=1).mean(), color=MODEL, linewidth=1.8, label="search")
    judged = "windows" if found.sampling == "windows" else "unseen paths"
    look = {"fmt": "o", "color": "#000000", "markersize": 4, "capsize": 3}
    parts = [shown.factor * found.value], [shown.factor * found.half_width()]
    axis.errorbar([end], parts[0], yerr=bars(shown.key, *parts), label=judged, **look)
    axis.set_ylabel(f"{shown.heading}{over}", fontsize=9)


def plot_frontier(fits: Sequence[Any], constraint: str, levels: Sequence[float]) -> Any:
    """What protection costs: the goal at every level of one constraint, with its 95 % interval, hollow where it is not shown to hold.

    Args:
        fits: Of ``optimise.frontier``.
        constraint: Name of the one that varied.
        levels: Its limits.

    Returns:
        A matplotlib ``Figure``.
    """
    figure, (axis,) = panels((7.0, 4.5))
    goal, asked, over = metric(fits[0].wish.goal_name), metric(constraint), fits[0].over(fits[0].wish.goal_measure(fits[0].before))
    x, y = [asked.factor * level for level in levels], [goal.factor * fit.goal.value for fit in fits]
    yerr = bars(goal.key, y, [goal.factor * fit.goal.half_width() for fit in fits])
    axis.errorbar(x, y, yerr=yerr, color=MODEL, linewidth=1.5, capsize=3, zorder=2)
    for held, marker in ((True, MODEL), (False, "#FFFFFF")):
        chosen = [k for k, fit in enumerate(fits) if fit.feasible == held]
        at, best = [x[k] for k in chosen], [y[k] for k in chosen]
        label = ("holds" if held else "not shown to hold") if chosen else None
        axis.scatter(at, best, s=45, color=marker, edgecolor=MODEL, zorder=3, label=label)
    axis.set_xlabel(f"limit of {asked.heading}")
    axis.set_ylabel(f"{goal.heading}{over}")
    axis.legend(fontsize=8, frameon=False)
    grid(axis)
    about = summarise(fits[0].study, fits[0].goal.count if fits[0].goal.sampling == "iid" else None)
    return titled(figure, f"Frontier: {goal.label} by the limit of {asked.label}, unseen paths (bars: 95 % intervals)", about)
