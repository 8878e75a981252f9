"""Pictures of calibrations: what was seen beside what the model makes of it. Each function returns a matplotlib ``Figure``."""

from typing import Any

import numpy as np

from mcengine.report.market_plots import REGIME
from mcengine.report.picture_style import MODEL, SEEN, grid, panels, titled


def pictures(fitted: Any) -> dict[str, Any]:
    """Every picture of a ``MarketFit`` by file name."""
    frame = fitted.prices.frame
    out = {f"fit_{name}": plot_asset_fit(name, fit, frame.get(name), frame.index) for name, fit in fitted.fits.items()}
    if fitted.regimes is not None:
        out["regimes"] = plot_regimes(fitted.regimes, frame)
    if fitted.curve is not None:
        out["curve"] = plot_curve(fitted.curve)
    return out


def plot_asset_fit(name: str, fit: Any, prices: Any, dates: Any) -> Any:
    """The series; its volatility as the model has it and over 21 days; the residuals' density and quantiles beside the normal's.

    Args:
        name: Of the asset.
        fit: A ``calibrate.Fit``.
        prices: It was fitted to (pandas); None where they are not at hand.
        dates: Of the prices.

    Returns:
        A matplotlib ``Figure``.
    """
    from scipy.special import ndtri

    figure, axes = panels((10.0, 6.4), rows=2, columns=2)
    if prices is not None:
        axes[0].plot(dates, prices, color=SEEN, linewidth=0.8)
        positive = bool((prices > 0.0).all())
        axes[0].set_yscale("log" if positive else "linear")
        axes[0].set_ylabel(f"{name} ({'logarithmic scale' if positive else 'as given'})")
    else:
        axes[0].plot(dates[1:], np.cumsum(fit.residuals), color=SEEN, linewidth=0.8)
        axes[0].set_ylabel("sum of residuals")
    e = fit.residuals[np.isfinite(fit.residuals)]
    if prices is not None and bool((prices > 0.0).all()):
        squares = np.diff(np.log(prices.to_numpy())) ** 2
        per_year = len(dates) / max((dates[-1] - dates[0]).days / 365.25, 1e-9)
        window = min(21, len(squares))
        recent = np.sqrt(np.convolve(squares, np.full(window, 1.0 / window), mode="valid") * per_year)
        axes[1].plot(dates[window:], 100.0 * recent, color=SEEN, linewidth=0.7, label="of the last 21 rows")
    axes[1].plot(dates[1:], 100.0 * fit.volatility, color=MODEL, linewidth=0.9, label=fit.model)
    axes[1].set_ylabel("volatility, % a year")
    axes[1].legend(fontsize=8, frameon=False)
    edges = np.linspace(-5.0, 5.0, 81)
    axes[2].stairs(np.histogram(e, edges)[0] / (e.size * np.diff(edges)), edges, fill=True, color=SEEN, alpha=0.5, linewidth=0, label="residuals")
    axes[2].plot(edges, np.exp(-0.5 * edges**2) * 0.3989422804014327, color=MODEL, label="normal")
    axes[2].set_xlabel("residual")
    axes[2].set_ylabel("density")
    axes[2].legend(fontsize=8, frameon=False)
    normal = ndtri((np.arange(e.size) + 0.5) / e.size)
    reach = float(normal[-1]) * 1.1
    axes[3].plot([-reach, reach], [-reach, reach], color=MODEL, linewidth=1.0)
    axes[3].plot(normal, np.sort(e), ".", color=SEEN, markersize=2.5)
    axes[3].set_xlabel("quantile of the normal")
    axes[3].set_ylabel("quantile of the residuals")
    for axis in axes:
        grid(axis)
    return titled(figure, f"{name}: {fit.model} on {fit.residuals.size:,} days, log likelihood {fit.log_likelihood:,.0f}")


def plot_regimes(found: Any, frame: Any) -> Any:
    """Prices over the likeliest regime of each day, and the volatility expected.

    Args:
        found: A ``calibrate.RegimeFit``.
        frame: Prices by date, a column an asset (pandas).

    Returns:
        A matplotlib ``Figure``.
    """
    names = list(found.assets)
    figure, axes = panels((10.0, 2.4 * (len(names) + 1)), rows=len(names) + 1, sharex=True)
    dates, likeliest = frame.index[1:], found.probabilities.argmax(axis=1)
    for axis, name in zip(axes, names, strict=False):
        price = frame[name].to_numpy()[1:]
        axis.plot(dates, price, color="#333333", linewidth=0.7)
        axis.set_yscale("log")
        axis.set_ylabel(f"{name} (log scale)")
        for k, regime in enumerate(found.regimes.names):
            sigma = 100.0 * float(found.assets[name].sigma[regime])
            axis.fill_between(
                dates,
                price.min(),
                price.max(),
                where=likeliest == k,
                color=REGIME[k],
                alpha=0.25,
                linewidth=0,
                label=f"{regime}: {sigma:.1f} % a year",
            )
        axis.legend(fontsize=8, frameon=False, loc="upper left", ncols=4)
    for k, regime in enumerate(found.regimes.names):
        axes[-1].plot(dates, found.probabilities[:, k], color=REGIME[k], linewidth=0.6, label=regime)
    axes[-1].set_ylabel("probability, all days known")
    for axis in axes:
        grid(axis)
    return titled(figure, "Regimes that all assets share, and each asset's volatility in them")


def plot_curve(found: Any) -> Any:
    """Zero rates the model starts from, and how much yields moved by maturity beside the model's.

    Args:
        found: A ``calibrate.CurveFit``.

    Returns:
        A matplotlib ``Figure``.
    """
    figure, axes = panels((9.0, 3.8), columns=2)
    axes[0].plot(np.asarray(found.rate.maturities), 100.0 * np.asarray(found.rate.zeros), ".-", color=MODEL)
    axes[0].set_xlabel("years")
    axes[0].set_ylabel("zero rate, % a year")
    axes[1].plot(found.maturities, 1e4 * found.moved, "o", color=SEEN, label="yields")
    axes[1].plot(found.maturities, 1e4 * found.fitted, "-", color=MODEL, label="Hull-White")
    axes[1].set_xlabel("years")
    axes[1].set_ylabel("volatility, basis points a year")
    axes[1].set_ylim(bottom=0.0)
    axes[1].legend(fontsize=8, frameon=False)
    for axis in axes:
        grid(axis)
    return titled(figure, "Today's curve, and how it moved")


def plot_smile(fitted: Any) -> Any:
    """Quoted volatilities (circles) and fitted ones (lines) by strike, a panel an expiry.

    Args:
        fitted: A ``calibrate.SurfaceFit``.

    Returns:
        A matplotlib ``Figure``.
    """
    q = fitted.quotes
    expiries = np.unique(q.years)
    columns = min(4, len(expiries))
    rows = -(-len(expiries) // columns)
    figure, axes = panels((3.0 * columns, 2.5 * rows + 0.5), rows=rows, columns=columns, sharex=True)
    for axis, t in zip(axes, expiries, strict=False):
        at = np.flatnonzero(q.years == t)
        at = at[np.argsort(q.strike[at])]
        moneyness = q.strike[at] / q.spot
        axis.plot(moneyness, 100.0 * q.volatility[at], "o", color=SEEN, markersize=3.5, markerfacecolor="none", label="quoted")
        axis.plot(moneyness, 100.0 * fitted.fitted[at], "-", color=MODEL, linewidth=1.3, label=fitted.model)
        axis.set_title(f"{365.0 * t:.0f} days", fontsize=9)
        grid(axis)
    for axis in axes[len(expiries) :]:
        axis.set_visible(False)
    axes[0].legend(fontsize=8, frameon=False)
    figure.supxlabel("strike / spot", fontsize=9)
    figure.supylabel("implied volatility, %", fontsize=9)
    return titled(figure, f"{q.name}: {fitted.model}, {fitted.root_mean_square:.2f} points a quote")
