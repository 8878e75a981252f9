"""Fitting rule parameters under constraints."""

from mcengine.optimise.answer import Fit, Term
from mcengine.optimise.fitting import fit
from mcengine.optimise.frontier import frontier, frontier_table
from mcengine.optimise.numbers import default_names

__all__ = ["Fit", "Term", "default_names", "fit", "frontier", "frontier_table"]
