"""Rules on history that they have not seen: walk-forward, named periods, what was promised against what came."""

from mcengine.backtest import metrics, periods, sharpe, sim_to_real, tear_sheet, tries
from mcengine.backtest.at_rows import AtRows
from mcengine.backtest.history import History, Window, pro_rata
from mcengine.backtest.periods import through
from mcengine.backtest.plan import Plan
from mcengine.backtest.walk_forward import WalkForward, walk_forward

__all__ = [
    "AtRows",
    "History",
    "Plan",
    "WalkForward",
    "Window",
    "metrics",
    "periods",
    "pro_rata",
    "sharpe",
    "sim_to_real",
    "tear_sheet",
    "through",
    "tries",
    "walk_forward",
]
