"""Pictures of a back-test: promises and what came, growth under water and at what volatility, months, periods."""

from typing import Any

from mcengine.report.heat_plots import heat
from mcengine.report.picture_style import FLOOR, MODEL, MUTED, colour, grid, label, panels, style, titled

_PROMISED = "#56B4E9"


def plot_promises(years: Any, book: str) -> Any:
    """By year the promised return (mean, 5 to 95 %) and what came; how the ranks of what came are spread, which are uniform where promises are true.

    Args:
        years: Of ``WalkForward.table``.
        book: Name of the rule.

    Returns:
        A matplotlib ``Figure``.
    """
    figure, axes = panels((11.0, 4.8), columns=2, width_ratios=(2.6, 1.0))
    x = years.index.to_numpy()
    low, high, mean, came = (100.0 * years[name].to_numpy() for name in ("promised_return_p05", "promised_return_p95", "promised_return", "return"))
    axes[0].vlines(x, low, high, color=_PROMISED, linewidth=7.0, alpha=0.45, label="promised, 5 to 95 %")
    axes[0].plot(x, mean, "_", color=MODEL, markersize=11, markeredgewidth=2.0, label="promised, mean")
    axes[0].plot(x, came, "o", color="#000000", markersize=5, label="came")
    axes[0].axhline(0.0, color=MUTED, linewidth=0.8, zorder=0)
    axes[0].set_ylabel("return of the year, %")
    axes[0].set_xlabel("year")
    axes[0].xaxis.get_major_locator().set_params(integer=True)
    axes[0].legend(fontsize=8, frameon=False, loc="upper right", ncols=3)
    bottom, top = axes[0].get_ylim()
    axes[0].set_ylim(bottom, top + 0.12 * (top - bottom))
    for name, look in {
        "rank_return": {"color": colour(book), "linewidth": 1.8, "label": "return"},
        "rank_lowest": {"color": FLOOR, "linewidth": 1.4, "linestyle": "--", "label": "lowest wealth"},
    }.items():
        axes[1].ecdf(years[name].to_numpy(), **look)
    axes[1].plot([0.0, 1.0], [0.0, 1.0], color=MUTED, linewidth=1.0, label="if promises are true")
    axes[1].set_xlim(0.0, 1.0)
    axes[1].set_xlabel("rank of what came among the simulated")
    axes[1].set_ylabel("share of years at or below it")
    axes[1].legend(fontsize=8, frameon=False)
    for axis in axes:
        grid(axis)
    return titled(
        figure, f"{label(book)}: what was promised for each year, and what came", f"{x.size} years, {x[0]} to {x[-1]}, each simulated before it"
    )


def plot_growth(returns: Any, under: Any, volatility: Any, rows: int, floor: float) -> Any:
    """Wealth of every rule, how far under its highest it is, and its rolling volatility.

    Args:
        returns: From row to row, by date, a column a rule (pandas).
        under: Of ``tear_sheet.underwater``, by date and rule.
        volatility: Of ``tear_sheet.rolling_volatility``, by date and rule.
        rows: Over which that is taken.
        floor: Fraction of each year's starting wealth, for the title.

    Returns:
        A matplotlib ``Figure``.
    """
    figure, axes = panels((10.5, 9.0), rows=3, sharex=True, height_ratios=(2.0, 1.2, 1.0))
    for book, r in returns.items():
        wealth = (1.0 + r).cumprod()
        shown = {"color": colour(str(book)), "linewidth": 1.2, "linestyle": ":" if str(book).endswith("as given") else style(str(book)).dash}
        name = label(str(book)) + (", as given" if str(book).endswith("as given") else "")
        axes[0].plot(wealth.index, wealth, label=name, **shown)
        axes[1].plot(wealth.index, 100.0 * under[book], **shown)
        axes[2].plot(wealth.index, 100.0 * volatility[book], **shown)
    axes[0].set_yscale("log")
    axes[0].yaxis.set_major_formatter("{x:g}")
    axes[0].yaxis.set_minor_formatter("{x:.3g}")
    axes[0].set_ylabel("wealth / starting wealth, log scale")
    axes[1].set_ylabel("under its highest, %")
    axes[2].set_ylabel(f"volatility, % a year\n({rows} rows)")
    for axis in axes:
        grid(axis)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize=9, frameon=False)
    first, last = (f"{returns.index[at]:%Y-%m-%d}" for at in (0, -1))
    return titled(figure, f"Walk-forward: every year anew with a floor of {floor:g} of its start", f"{first} to {last}")


def plot_months(months: Any, book: str) -> Any:
    """Returns by month and year as a heat map.

    Args:
        months: Of ``tear_sheet.monthly``.
        book: Name of the rule.

    Returns:
        A matplotlib ``Figure``.
    """
    figure, (axis,) = panels((9.5, 1.6 + 0.26 * len(months)))
    heat(axis, 100.0 * months.to_numpy(float), [str(year) for year in months.index], list(months.columns), 6.0)
    return titled(figure, f"{label(book)}: returns by month and year, %")


def plot_periods(periods: Any, floor: float) -> Any:
    """Every rule through every named period: return from its first close, and lowest wealth from any start, as heat maps.

    Args:
        periods: Of ``backtest.through``.
        floor: Fraction of a year's starting wealth.

    Returns:
        A matplotlib ``Figure``.
    """
    names, books = list(periods.index.unique(0)), list(periods.index.unique(1))
    figure, axes = panels((13.0, 2.4 + 0.34 * len(names)), columns=2)
    labels = [name.replace("_", " ") + _assets(periods, name) for name in names]
    heads = [label(book) + ("\nas given" if book.endswith("as given") else "") for book in books]
    for axis, column, centre in ((axes[0], "from_peak", 0.0), (axes[1], "lowest_any", floor)):
        values = periods[column].unstack().reindex(index=names, columns=books).to_numpy(float)
        heat(
            axis, 100.0 * (values - centre), labels if axis is axes[0] else [""] * len(names), heads, 25.0 if centre == 0.0 else 20.0, 100.0 * centre
        )
    axes[0].set_title("return from the period's first close, %", fontsize=10)
    axes[1].set_title(f"lowest wealth from any start in it, % of it (white: {100.0 * floor:g})", fontsize=10)
    return titled(figure, "Every rule through every named period (* fewer assets)")


def _assets(periods: Any, name: str) -> str:
    most = periods["assets"].max()
    return "*" if periods.loc[name, "assets"].iloc[0] < most else ""
