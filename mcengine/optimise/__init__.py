"""Fitting rule parameters under constraints."""

from mcengine.optimise.fit import Fit, default_names, fit

__all__ = ["Fit", "default_names", "fit"]
