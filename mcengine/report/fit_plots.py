"""Pictures of fits: a fit run by run, and the goal at every level of one constraint."""

from collections.abc import Sequence
from typing import Any

from mcengine.engine import metric, summarise
from mcengine.report.picture_style import FLOOR, MODEL, PALETTE, grid, panels, titled

_TERMS, _NUMBERS = 8, 9
"""Constraints and numbers that a fit's picture has room for."""


def plot_fit(fit: Any) -> Any:
    """A fit run by run: the goal, each constrained figure and its limit, every fitted number over its start.

    Args:
        fit: An ``optimise.Fit``.

    Returns:
        A matplotlib ``Figure``.
    """
    history, terms = fit.history, fit.terms[:_TERMS]
    count = len(terms) + 2
    figure, axes = panels((9.5, 2.9 * -(-count // 2) + 0.4), rows=-(-count // 2), columns=2, sharex=True)
    for axis, (column, shown, limit) in zip(
        axes,
        [
            (fit.wish.goal_name, metric(fit.wish.goal_name), None),
            *((term.name, metric(term.condition.measure.key), term.condition.limit) for term in terms),
        ],
        strict=False,
    ):
        x = shown.factor * history[column]
        axis.plot(history.index, x, color=MODEL, linewidth=0.8, alpha=0.6)
        axis.plot(history.index, x.rolling(max(1, len(x) // 20), min_periods=1).mean(), color=MODEL, linewidth=1.8)
        axis.set_ylabel(shown.heading)
        if limit is not None:
            axis.axhline(shown.factor * limit, color=FLOOR, linestyle="--", linewidth=1.2, label=f"limit {shown.factor * limit:g}")
            axis.legend(fontsize=8, frameon=False)
    for name, line in zip(list(fit.table().index)[:_NUMBERS], PALETTE[1:], strict=False):
        start = history[name].iloc[0]
        over = history[name] / start if start else history[name]
        axes[count - 1].plot(history.index, over, color=line, linewidth=1.5, label=name.removeprefix("policy."))
    axes[count - 1].set_ylabel("fitted number over its first value")
    axes[count - 1].legend(fontsize=8, frameon=False)
    for axis in axes[count:]:
        axis.set_axis_off()
    for axis in axes[:count]:
        grid(axis)
        axis.set_xlabel(f"{history.index.name} of the fit")
    return titled(figure, f"The fit, run by run: {fit.wish}", summarise(fit.study, fit.paths))


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
    goal, asked = metric(fits[0].wish.goal_name), metric(constraint)
    x, y = [asked.factor * level for level in levels], [goal.factor * fit.goal.value for fit in fits]
    bars = [goal.factor * fit.goal.half_width() for fit in fits]
    axis.errorbar(x, y, yerr=bars, color=MODEL, linewidth=1.5, capsize=3, zorder=2)
    for held, marker in ((True, MODEL), (False, "#FFFFFF")):
        chosen = [k for k, fit in enumerate(fits) if fit.feasible == held]
        at, best = [x[k] for k in chosen], [y[k] for k in chosen]
        label = ("holds" if held else "not shown to hold") if chosen else None
        axis.scatter(at, best, s=45, color=marker, edgecolor=MODEL, zorder=3, label=label)
    axis.set_xlabel(f"limit of {asked.heading}")
    axis.set_ylabel(goal.heading)
    axis.legend(fontsize=8, frameon=False)
    grid(axis)
    about = summarise(fits[0].study, fits[0].paths)
    return titled(figure, f"Frontier: {goal.label} by the limit of {asked.label} (bars: 95 % intervals)", about)
