"""Run folders, tables and pictures of results."""

from mcengine.report.backtest_plots import plot_growth, plot_months, plot_periods, plot_promises
from mcengine.report.book_plots import plot_explained, plot_greeks
from mcengine.report.calibration_plots import plot_asset_fit, plot_curve, plot_regimes, plot_smile
from mcengine.report.collect import collect
from mcengine.report.compare import compare
from mcengine.report.fit_plots import plot_fit, plot_frontier
from mcengine.report.heat_plots import plot_by_regime, plot_correlation, plot_heat, plot_response
from mcengine.report.market_plots import plot_bond_index, plot_regime_paths, plot_repair
from mcengine.report.page import write_page
from mcengine.report.path_plots import plot_cushion, plot_exposure, plot_fan
from mcengine.report.picture_style import PALETTE, STYLES, Style, colour, grid, panels, style, titled
from mcengine.report.plots import plot_protection_cost, plot_wealth
from mcengine.report.provenance import provenance
from mcengine.report.put_skew import put_dearness
from mcengine.report.run import Run
from mcengine.report.run_folder import RunFolder
from mcengine.report.tables import cell, constraints, deciding, metrics, per_cent, text, verdict

__all__ = [
    "PALETTE",
    "STYLES",
    "Run",
    "RunFolder",
    "Style",
    "cell",
    "collect",
    "colour",
    "compare",
    "constraints",
    "deciding",
    "grid",
    "metrics",
    "panels",
    "per_cent",
    "plot_asset_fit",
    "plot_bond_index",
    "plot_by_regime",
    "plot_correlation",
    "plot_curve",
    "plot_cushion",
    "plot_explained",
    "plot_exposure",
    "plot_fan",
    "plot_fit",
    "plot_frontier",
    "plot_greeks",
    "plot_growth",
    "plot_heat",
    "plot_months",
    "plot_periods",
    "plot_promises",
    "plot_protection_cost",
    "plot_regime_paths",
    "plot_regimes",
    "plot_repair",
    "plot_response",
    "plot_smile",
    "plot_wealth",
    "provenance",
    "put_dearness",
    "style",
    "text",
    "titled",
    "verdict",
    "write_page",
]
