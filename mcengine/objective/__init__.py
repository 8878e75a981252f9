"""Outcomes to Estimates."""

from mcengine.objective import figure
from mcengine.objective.explained import explained, explained_figures
from mcengine.objective.protection import FloorProtection
from mcengine.objective.table import binding, figures, table

__all__ = ["FloorProtection", "binding", "explained", "explained_figures", "figure", "figures", "table"]
