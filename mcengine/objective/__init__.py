"""Outcomes to Estimates."""

from mcengine.objective import figure
from mcengine.objective.constraint import Constraint
from mcengine.objective.explained import explained, explained_figures
from mcengine.objective.measure import Measure
from mcengine.objective.measures import NAMES, measure
from mcengine.objective.regimes import by_regime, regime_figures
from mcengine.objective.setting import Setting
from mcengine.objective.table import binding, figures, table
from mcengine.objective.wish import Wish, floor_protection

__all__ = [
    "NAMES",
    "Constraint",
    "Measure",
    "Setting",
    "Wish",
    "binding",
    "by_regime",
    "explained",
    "explained_figures",
    "figure",
    "figures",
    "floor_protection",
    "measure",
    "regime_figures",
    "table",
]
