"""Run folders, tables and pictures of results."""

from mcengine.report.book_plots import plot_explained, plot_greeks
from mcengine.report.collect import collect
from mcengine.report.compare import compare
from mcengine.report.page import write_page
from mcengine.report.plots import colour, plot_exposure, plot_fan, plot_fit, plot_frontier, plot_protection_cost, plot_wealth
from mcengine.report.provenance import provenance
from mcengine.report.put_skew import put_dearness
from mcengine.report.run import Run
from mcengine.report.run_folder import RunFolder
from mcengine.report.tables import cell, constraints, deciding, metrics, per_cent, text, verdict

__all__ = [
    "Run",
    "RunFolder",
    "cell",
    "collect",
    "colour",
    "compare",
    "constraints",
    "deciding",
    "metrics",
    "per_cent",
    "plot_explained",
    "plot_exposure",
    "plot_fan",
    "plot_fit",
    "plot_frontier",
    "plot_greeks",
    "plot_protection_cost",
    "plot_wealth",
    "provenance",
    "put_dearness",
    "text",
    "verdict",
    "write_page",
]
