"""The same policy in use: a book followed day by day on a feed of prices, its orders, Greeks and triggers, restartable at any moment."""

from mcengine.monitor.monitor import Monitor

__all__ = ["Monitor"]
