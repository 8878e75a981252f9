"""History to market parameters, with errors."""

from mcengine.calibrate.history import Calibration, fit_history, from_history

__all__ = ["Calibration", "fit_history", "from_history"]
