"""Pictures of paths: bands of wealth with the worst paths, several policies along one path, one policy's cushion and ladder along it."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mcengine.report.picture_style import FLOOR, MUTED, PALETTE, colour, grid, label, panels, style, titled


def plot_fan(trace: Any, books: Sequence[str], worst: Mapping[str, Sequence[int]], floor: float, searched: int | None = None) -> Any:
    """Bands of wealth over time from the traced paths that are nobody's worst, and each book's worst paths over them.

    Args:
        trace: Of ``engine.trace``.
        books: Names of the policies, a panel each.
        worst: Ids of the worst paths by book.
        floor: Fraction of the starting wealth.
        searched: Paths that the worst were looked for among; None: not said.

    Returns:
        A matplotlib ``Figure``.
    """
    marked = {path for paths in worst.values() for path in paths}
    figure, axes = panels((5.0 * len(books), 4.6), columns=len(books), sharey=True)
    for axis, book in zip(axes, books, strict=True):
        wealth = _wide(trace, f"{book}.wealth")
        time = _times(trace)
        sample = wealth[[path not in marked for path in _paths(trace)]]
        for low, high, alpha in ((0.05, 0.95, 0.28), (0.25, 0.75, 0.5)):
            band = np.quantile(sample, [low, high], axis=0)
            axis.fill_between(time, *band, color=colour(book), alpha=alpha, linewidth=0, label=f"{low:.0%} to {high:.0%}")
        axis.plot(time, np.median(sample, axis=0), color=colour(book), linewidth=1.8, label="median")
        for k, path in enumerate(worst[book]):
            line = wealth[_paths(trace).index(path)]
            axis.plot(time, line, color="#555555", linewidth=0.7, label=f"worst {len(worst[book])}" if k == 0 else None)
        axis.axhline(floor, color=FLOOR, linewidth=1.2, linestyle="--", label=f"floor {floor:g}")
        axis.set_title(label(book), fontsize=10)
        axis.set_xlabel("time, years")
        axis.set_xlim(time[0], time[-1])
        grid(axis)
    axes[0].set_ylabel("wealth / starting wealth")
    axes[0].legend(loc="upper left", fontsize=8, frameon=False, ncols=2)
    # Room for the legend above the bands.
    low_y, high_y = axes[0].get_ylim()
    axes[0].set_ylim(low_y, high_y + 0.22 * (high_y - low_y))
    among = f" of {searched:,}" if searched is not None else ""
    return titled(figure, f"Wealth over time: bands of {len(sample):,} paths, and the worst paths{among}", trace.attrs.get("about", ""))


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
    figure, axes = panels((9.0, 6.4), rows=2, sharex=True)
    for book in books:
        shown = {"color": colour(book), "linestyle": style(book).dash, "linewidth": 1.6}
        axes[0].plot(time, one[f"{book}.wealth"], label=label(book), **shown)
        # Row k shows what was held over step k, so it stands from date k - 1 on.
        axes[1].plot(time, 100.0 * one[f"{book}.exposure"].shift(-1), drawstyle="steps-post", **shown)
    axes[0].axhline(floor, color=FLOOR, linewidth=1.2, linestyle="--", label=f"floor {floor:g}")
    axes[0].set_ylabel("wealth / starting wealth")
    axes[1].set_ylabel("underlyings held, % of wealth")
    axes[1].set_xlabel("time, years")
    axes[1].set_ylim(bottom=-3.0)
    axes[1].set_xlim(time[0], time[-1])
    for axis in axes:
        grid(axis)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4, fontsize=9, frameon=False)
    return titled(figure, f"Wealth and exposure along path {path}, every policy", trace.attrs.get("about", ""))


def plot_cushion(trace: Any, path: int, floor: float, book: str = "") -> Any:
    """One policy along one path: wealth and floor, exposure and cushion, and the levels of its ladder where it has one.

    Args:
        trace: Of ``engine.trace``.
        path: Its id.
        floor: Fraction of the starting wealth.
        book: Name of the policy; empty where there is one alone.

    Returns:
        A matplotlib ``Figure``.
    """
    one, prefix = trace.loc[path], f"{book}." if book else ""
    time, wealth = one["time"].to_numpy(), one[f"{prefix}wealth"].to_numpy()
    levels = {name.removeprefix(f"{prefix}level_"): one[name] for name in one.columns if name.startswith(f"{prefix}level_")}
    levels = dict(
        sorted(levels.items(), key=lambda pair: -trace[pair[1].name].sum())
    )  # the lowest rung first: it is entered whenever a higher one is
    rows = 3 if levels else 2
    figure, axes = panels((9.0, 2.1 * rows + 1.2), rows=rows, sharex=True)
    look = style(book) if book else style("policy")
    start = wealth[0]
    axes[0].plot(time, wealth / start, color=look.colour, linewidth=1.6, label="wealth")
    axes[0].axhline(floor, color=FLOOR, linewidth=1.2, linestyle="--", label=f"floor {floor:g}")
    axes[0].set_ylabel("wealth / starting wealth")
    # Row k shows what was held over step k, so it stands from date k - 1 on.
    held = {"drawstyle": "steps-post", "linewidth": 1.4}
    axes[1].plot(time, 100.0 * one[f"{prefix}exposure"].shift(-1), color=look.colour, label="exposure", **held)
    axes[1].plot(time, 100.0 * (1.0 - floor * start / wealth), color=MUTED, linewidth=1.4, label="cushion: what is above the floor")
    axes[1].set_ylabel("% of wealth")
    if levels:
        axes[2].stackplot(
            time,
            *(level.shift(-1).fillna(0.0) for level in levels.values()),
            step="post",
            labels=list(levels),
            colors=[PALETTE[k] for k in (10, 3, 6, 2, 7, 8)],
            alpha=0.8,
            linewidth=0,
        )
        axes[2].set_ylabel("rungs entered")
    axes[-1].set_xlabel("time, years")
    axes[-1].set_xlim(time[0], time[-1])
    for axis in axes:
        axis.legend(fontsize=8, frameon=False, ncols=4, loc="upper left")
        low, high = axis.get_ylim()
        axis.set_ylim(low, high + 0.2 * (high - low))  # room for the legend
        grid(axis)
    named = f": {label(book)}" if book else ""
    return titled(
        figure,
        f"Cushion{',' if levels else ''} {'exposure and ladder' if levels else 'and exposure'} along path {path}{named}",
        trace.attrs.get("about", ""),
    )


def _paths(trace: Any) -> list[int]:
    return [int(path) for path in trace.index.unique("path")]


def _wide(trace: Any, column: str) -> np.ndarray:
    """[path, step] of one column."""
    return trace[column].to_numpy().reshape(len(_paths(trace)), -1)


def _times(trace: Any) -> np.ndarray:
    return trace["time"].to_numpy()[: len(trace) // len(_paths(trace))]
