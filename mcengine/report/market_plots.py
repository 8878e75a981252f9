"""Pictures of what a market makes: correlations before and after repair, a bond index against history, paths by regime."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from mcengine._model import replace
from mcengine.calibrate import zero_rates
from mcengine.engine import sample
from mcengine.history import bond_index, shipped
from mcengine.market import BondIndex, HullWhite, Market
from mcengine.market.correlation import to_matrix
from mcengine.report.picture_style import MODEL, PALETTE, grid, panels, titled

REGIME = tuple(PALETTE[k] for k in (1, 2, 6, 8))
_PANELS = 3
"""Assets shown beside each other: more are too small to read."""


def pictures(fitted: Any, yields: Mapping[str, float] | None = None) -> dict[str, Any]:
    """Those that apply to a ``MarketFit``, by file name; ``yields`` the maturity in years of its columns of yields, by name or heading."""
    market, frame, out = fitted.market, fitted.prices.frame, {}
    found = {name: e.value for name, e in fitted.correlations.items()}
    targets = {"repair": (found, market.correlation)}
    for regime, pairs in ((market.regimes and market.regimes.correlation) or {}).items():
        targets[f"repair_{regime}"] = found | fitted.regimes.regimes.correlation[regime], pairs
    for name, (before, after) in targets.items():
        wide, near_by = to_matrix(before, market.correlated), to_matrix(after, market.correlated)
        if np.linalg.norm(wide - near_by) > 1e-9:
            out[f"correlation_{name}"] = plot_repair(wide, near_by, market.correlated)
    if market.rate.n_factors:
        called = {title: name for name, title in fitted.prices.titles.items()}
        years = {c if c in frame.columns else called.get(c, c): float(t) for c, t in (yields or shipped.YIELDS).items()}
        if max(years.values()) >= 1.0 and set(years) <= set(frame.columns):
            out["bond_index"] = plot_bond_index(market.rate, frame[list(years)], years)
    if market.regimes is not None:
        out["regime_paths"] = plot_regime_paths(market)
    return out


def plot_repair(target: Any, repaired: Any, names: list[str]) -> Any:
    """Correlation matrices, target and repaired, their smallest eigenvalues, and how far apart they are.

    Args:
        target: Matrix as asked.
        repaired: Matrix near it that is positive definite.
        names: Of its rows.

    Returns:
        A matplotlib ``Figure``.
    """
    before, after = np.asarray(target, float), np.asarray(repaired, float)
    figure, axes = panels((2.6 + 1.5 * len(names), 1.6 + 0.75 * len(names)), columns=2)
    for axis, matrix, title in ((axes[0], before, "target"), (axes[1], after, "repaired")):
        image = axis.imshow(matrix, vmin=-1.0, vmax=1.0, cmap="RdBu_r")
        axis.set_xticks(range(len(names)), names, rotation=45, ha="right")
        axis.set_yticks(range(len(names)), names if axis is axes[0] else [])
        axis.set_title(f"{title}: smallest eigenvalue {np.linalg.eigvalsh(matrix)[0]:.2g}", fontsize=9)
        for i, j in np.ndindex(*matrix.shape):
            dark = abs(matrix[i, j]) > 0.6
            moved = axis is axes[1] and abs(after[i, j] - before[i, j]) > 5e-4
            weight = "bold" if moved else "normal"
            axis.text(j, i, f"{matrix[i, j]:.3f}", ha="center", va="center", fontsize=8, color="white" if dark else "black", weight=weight)
    figure.colorbar(image, ax=axes, label="correlation", shrink=0.85)
    return titled(figure, "Correlation before and after repair", f"{np.linalg.norm(after - before):.2g} apart (Frobenius), bold where moved")


def plot_bond_index(rate: Any, yields: Any, years: Mapping[str, float], *, paths: int = 1024, seed: int = 0) -> Any:
    """The longest yield's constant-maturity index as it was, over the fan of those that ``rate`` makes from the same first day.

    The simulated index is that of a zero as long as the par bond's duration.

    Args:
        rate: A ``Vasicek`` or ``HullWhite``.
        yields: Pandas table of yields by date, percent.
        years: Maturity of each column.
        paths: Simulated.
        seed: Of the random numbers.

    Returns:
        A matplotlib ``Figure``.
    """
    longest = max(years, key=lambda c: years[c])
    y, index = yields[longest].to_numpy(float) / 100.0, yields.index
    dt = np.diff(index.to_numpy()).astype("timedelta64[D]").astype(float) / 365.25
    seen = bond_index(y, dt, maturity=years[longest])
    half = 1.0 + 0.5 * float(y.mean())
    length = half / float(y.mean()) * (1.0 - half ** (-2.0 * years[longest]))  # Macaulay's duration of a bond at par
    span = float(dt.sum())
    steps = max(12, round(12.0 * span))
    simulated, _ = sample(
        Market({"bond": BondIndex(100.0, length)}, rate=_on_day_one(rate, yields, years)), paths, years=span, steps=steps, seed=seed
    )
    days = index[0] + (index[-1] - index[0]) * np.linspace(0.0, 1.0, steps + 1)
    figure, axes = panels((9.0, 5.0))
    for low, high, alpha in ((0.05, 0.95, 0.18), (0.25, 0.75, 0.3)):
        axes[0].fill_between(
            days, *np.quantile(simulated["bond"], [low, high], axis=0), color=MODEL, alpha=alpha, linewidth=0, label=f"{low:.0%} to {high:.0%}"
        )
    axes[0].plot(days, np.median(simulated["bond"], axis=0), color=MODEL, linewidth=1.4, label="median")
    axes[0].plot(index, seen, color="#000000", linewidth=1.0, label=f"history, {longest}")
    _log(axes[0])
    axes[0].set_ylabel("total return, 100 on the first day (log scale)")
    axes[0].set_xlabel("date")
    axes[0].set_xlim(days[0], days[-1])
    axes[0].legend(loc="upper left", fontsize=8, frameon=False)
    grid(axes[0])
    rank = float((simulated["bond"][:, -1] < seen[-1]).mean())
    moved = float(np.diff(np.log(seen)).std() * np.sqrt(len(dt) / span))
    model = float(rate.sigma) * -np.expm1(-float(rate.kappa) * length) / float(rate.kappa)
    note = f"volatility a year: history {moved:.1%}, model {model:.1%}\nterm premium {float(rate.term_premium):g}"
    axes[0].text(0.99, 0.02, note, transform=axes[0].transAxes, ha="right", va="bottom", fontsize=8, color="#333333")
    kind, above = type(rate).__name__, f"history ends above {rank:.0%} of {paths:,} paths"
    return titled(figure, f"Bond index of {years[longest]:g}-year yields against {kind} (zero of {length:.1f} years)", above)


def _on_day_one(rate: Any, yields: Any, years: Mapping[str, float]) -> Any:
    """The rate as it would have been on the first day: its parameters, that day's curve."""
    order = sorted(years, key=lambda c: years[c])
    first = yields[order].iloc[0].to_numpy(float) / 100.0
    if isinstance(rate, HullWhite):
        maturities, zeros = zero_rates([years[c] for c in order], first)
        return replace(rate, maturities=maturities, zeros=zeros)
    return replace(rate, rate=float(np.log1p(first[0])))


def plot_regime_paths(market: Market, *, years: float = 5.0, paths: int = 6, seed: int = 0) -> Any:
    """Simulated paths coloured by the regime in force, a column an asset, and the volatility along the thick one beneath.

    Args:
        market: With regimes.
        years: To the horizon.
        paths: Simulated.
        seed: Of the random numbers.

    Returns:
        A matplotlib ``Figure``.
    """
    from matplotlib.collections import LineCollection

    steps = max(1, round(252.0 * years))
    spots, variances = sample(market, paths, years=years, steps=steps, seed=seed)
    time, regime = np.linspace(0.0, years, steps + 1), np.round(spots["regimes"]).astype(int)
    shown = list(market.assets)[:_PANELS]
    # The thick path is that which switches most.
    thick = int(np.argmax((np.diff(regime, axis=1) != 0).sum(axis=1)))
    figure, axes = panels((4.6 * len(shown) + 1.0, 6.0), rows=2, columns=len(shown), sharex=True)
    for column, name in enumerate(shown):
        top, bottom = axes[column], axes[len(shown) + column]
        price = spots[name] / spots[name][:, :1]
        for k in [*(p for p in range(paths) if p != thick), thick]:
            top.add_collection(_coloured(LineCollection, time, price[k], regime[k], 1.8 if k == thick else 0.6, 1.0 if k == thick else 0.6))
        top.autoscale_view()
        _log(top)
        top.set_title(name, fontsize=10)
        volatility = 100.0 * np.sqrt(variances[name][thick])
        level = len(np.unique(volatility)) <= len(market.regimes.names)
        if level:
            bottom.plot(time, volatility, color="#BBBBBB", linewidth=0.6, drawstyle="steps-post", zorder=1)
        bottom.add_collection(_coloured(LineCollection, time, volatility, regime[thick], 1.6, 1.0, level=level))
        bottom.set_ylim(0.0, 1.15 * volatility.max())
        bottom.set_xlim(0.0, years)
        bottom.set_xlabel("years")
        for axis in (top, bottom):
            grid(axis)
    axes[0].set_ylabel("price / start (log scale)")
    axes[len(shown)].set_ylabel("volatility of the thick path, % a year")
    for k, name in enumerate(market.regimes.names):
        axes[0].plot([], [], color=REGIME[k], linewidth=2.0, label=name)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=len(market.regimes.names), fontsize=9, frameon=False)
    return titled(figure, f"{paths} simulated paths, coloured by the regime in force")


def _coloured(collection: Any, x: np.ndarray, y: np.ndarray, regime: np.ndarray, width: float, alpha: float, *, level: bool = False) -> Any:
    """Segments of a line, or ``level`` ones of a staircase, each in the colour of the regime at its start."""
    ends = y[:-1] if level else y[1:]
    lines = np.stack([np.stack([x[:-1], y[:-1]], axis=1), np.stack([x[1:], ends], axis=1)], axis=1)
    return collection(lines, colors=[REGIME[k] for k in regime[:-1]], linewidths=width, alpha=alpha)


def _log(axis: Any) -> None:
    """A logarithmic scale with round numbers, however short it is."""
    from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator, StrMethodFormatter

    axis.set_yscale("log")
    low, high = axis.get_ylim()
    round_numbers = (1.0, 2.0, 5.0) if high > 20.0 * low else (1.0, 1.5, 2.0, 3.0, 5.0, 7.0)
    axis.yaxis.set_major_locator(LogLocator(subs=round_numbers) if high > 4.0 * low else MaxNLocator(6))
    axis.yaxis.set_minor_locator(NullLocator())
    axis.yaxis.set_major_formatter(StrMethodFormatter("{x:,g}"))
