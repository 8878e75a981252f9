"""Pictures of one book along one path: its Greeks, and what it has gained, explained."""

import itertools
from typing import Any

import numpy as np

from mcengine.engine.explained import PARTS
from mcengine.instrument import BUCKETS, OF_BOOK, POWERS
from mcengine.report.picture_style import MUTED, PALETTE, grid, panels, titled

_LINES = PALETTE[1:]
_PART = dict(zip(PARTS, (*PALETTE[1 : len(PARTS)], PALETTE[0]), strict=True))
_BARS = 26
"""Most bars of a picture: days are added up to so many."""

_UNITS = {
    "delta": "exposure / wealth",
    "gamma": "S² gamma / wealth",
    "vega": "vega / wealth",
    "theta": "theta a year / wealth",
    "rho": "rho / wealth",
    "vanna": "S vanna / wealth",
    "volga": "volga / wealth",
}


def plot_greeks(trace: Any, path: int, book: str = "") -> Any:
    """Greeks of a book along a path, a panel each: the whole book by asset as lines, contracts by years to expiry as areas where they were recorded.

    Args:
        trace: Of ``engine.trace``, of a study with the recorder ``BookGreeks``.
        path: Its id.
        book: Name of the policy; empty where there is one alone.

    Returns:
        A matplotlib ``Figure``.

    Raises:
        ValueError: For a trace without Greeks of the book.
    """
    one = trace.loc[path]
    prefix = f"{book}." if book else ""
    assets = [column.removesuffix(".spot") for column in trace.columns if column.endswith(".spot")]
    greeks = [name for name in POWERS if any(f"{prefix}{name}{tail}" in trace for tail in ("", *(f"_{asset}" for asset in assets)))]
    if not greeks:
        raise ValueError("plot_greeks: expected a trace of a study with the recorder BookGreeks, got none of its columns")
    columns = 1 if len(greeks) == 1 else 2
    figure, axes = panels((5.0 * columns, 2.3 * -(-len(greeks) // columns) + 0.8), rows=-(-len(greeks) // columns), columns=columns, sharex=True)
    time = one["time"].to_numpy()[:-1]
    for axis, greek in zip(axes, greeks, strict=False):
        # Row k shows what was held over step k, so it stands from date k - 1 on.
        names = {asset: f"{prefix}{greek}_{asset}" for asset in assets} if greek not in OF_BOOK else {"book": f"{prefix}{greek}"}
        moves = {label: one[name].to_numpy()[1:] for label, name in names.items() if np.any(one[name].to_numpy()[1:])}
        _areas(axis, time, {bucket: sum(one[f"{name}_{bucket}"].to_numpy()[1:] for name in names.values()) for bucket in _buckets(one, names)})
        for (label, line), colour in zip(moves.items(), itertools.cycle(["#000000", *_LINES]), strict=False):
            dash = "--" if greek in OF_BOOK else "-"  # of the whole book, by no asset
            axis.plot(time, line, color=colour, linestyle=dash, linewidth=1.3, label=label, drawstyle="steps-post")
        axis.axhline(0.0, color=MUTED, linewidth=0.8, zorder=0)
        axis.set_ylabel(_UNITS[greek], fontsize=9)
        axis.set_title(greek, fontsize=10)
        grid(axis)
    for axis in axes[len(greeks) :]:
        axis.set_axis_off()
    for axis in axes[: len(greeks)][-columns:]:
        axis.set_xlabel("time, years")
        axis.tick_params(labelbottom=True)
    handles = {label: handle for axis in axes for handle, label in zip(*axis.get_legend_handles_labels(), strict=True)}
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=6, fontsize=9, frameon=False)
    areas = ", contracts by years to expiry" if any(bucket in handles for bucket in _LABELS.values()) else ""
    return titled(figure, f"Greeks of the book along path {path}{f': {book}' if book else ''}{areas}", trace.attrs.get("about", ""))


def plot_explained(trace: Any, path: int, book: str = "") -> Any:
    """What a book has gained along a path: parts by time, stacked, with the whole as a line; below, their sums from left to right.

    Args:
        trace: Of ``engine.trace``, of a study with the recorder ``Explained``.
        path: Its id.
        book: Name of the policy; empty where there is one alone.

    Returns:
        A matplotlib ``Figure``.

    Raises:
        ValueError: For a trace in which nothing is explained.
    """
    one, prefix = trace.loc[path], f"{book}." if book else ""
    if f"{prefix}explained_rest" not in trace:
        raise ValueError("plot_explained: expected a trace of a study with the recorder Explained, got none of its columns")
    start = float(one[f"{prefix}wealth"].iloc[0])
    days = {part: 100.0 * one[f"{prefix}explained_{part}"].to_numpy()[1:] / start for part in PARTS}
    shown = [part for part, gained in days.items() if np.any(gained)]
    time, steps = one["time"].to_numpy(), len(one) - 1
    edges = np.unique(np.linspace(0, steps, min(steps, _BARS) + 1).round().astype(int))
    middle, width = 0.5 * (time[edges[1:]] + time[edges[:-1]]), 0.85 * np.diff(time[edges])
    figure, (above, below) = panels((9.0, 6.6), rows=2)
    high, low = np.zeros(len(middle)), np.zeros(len(middle))
    for part in shown:
        gained = np.add.reduceat(days[part], edges[:-1])
        above.bar(middle, gained, width, bottom=np.where(gained > 0.0, high, low), color=_PART[part], label=part, linewidth=0)
        high, low = high + np.maximum(gained, 0.0), low + np.minimum(gained, 0.0)
    whole = np.add.reduceat(sum(days.values()), edges[:-1])
    above.plot(middle, whole, color="#000000", marker="D", markersize=3.5, linewidth=0.8, label="all")
    above.set_xlabel("time, years")
    above.set_ylabel("gained, % of starting wealth")
    above.legend(fontsize=8, frameon=False, ncols=5, loc="upper left")
    _headroom(above, 0.25, low.min())
    sums = {part: float(days[part].sum()) for part in shown}
    ends = np.cumsum(list(sums.values()))
    for k, (part, total) in enumerate(sums.items()):
        below.bar(k, total, 0.7, bottom=ends[k] - total, color=_PART[part], linewidth=0)
        below.text(k, max(ends[k], ends[k] - total), f"{total:+.2f}", ha="center", va="bottom", fontsize=8)
        below.plot([k + 0.35, k + 0.65], [ends[k]] * 2, color="#555555", linewidth=0.8)
    below.bar(len(sums), ends[-1], 0.7, color="#333333", linewidth=0)
    below.text(len(sums), max(ends[-1], 0.0), f"{ends[-1]:+.2f}", ha="center", va="bottom", fontsize=8, weight="bold")
    below.set_xticks(range(len(sums) + 1), [*sums, "all"])
    below.set_xlabel("sums to the horizon")
    below.set_ylabel("gained, % of starting wealth")
    _headroom(below, 0.12, min(0.0, *ends))
    for axis in (above, below):
        axis.axhline(0.0, color=MUTED, linewidth=0.8)
        grid(axis)
    return titled(figure, f"What the book has gained along path {path}{f': {book}' if book else ''}, explained", trace.attrs.get("about", ""))


_LABELS = {bucket: f"to {bucket}" if np.isfinite(years) else bucket for bucket, years in BUCKETS.items()}


def _buckets(one: Any, names: dict[str, str]) -> list[str]:
    """Those in which some contract is ever held."""
    return [b for b in BUCKETS if all(f"{n}_{b}" in one for n in names.values()) and any(np.any(one[f"{n}_{b}"]) for n in names.values())]


def _areas(axis: Any, time: np.ndarray, parts: dict[str, np.ndarray]) -> None:
    """Stacked from 0, positive ones up and negative ones down."""
    high, low = np.zeros(len(time)), np.zeros(len(time))
    for bucket, part in parts.items():
        base = np.where(part > 0.0, high, low)
        shown = {"color": _LINES[list(BUCKETS).index(bucket)], "alpha": 0.45, "linewidth": 0, "label": _LABELS[bucket]}
        axis.fill_between(time, base, base + part, step="post", **shown)
        high, low = high + np.maximum(part, 0.0), low + np.minimum(part, 0.0)


def _headroom(axis: Any, share: float, low: float) -> None:
    high = axis.get_ylim()[1]
    axis.set_ylim(low - 0.05 * (high - low), high + share * (high - low))
