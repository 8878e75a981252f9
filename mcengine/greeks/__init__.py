"""Derivatives of contracts and of whole studies."""

from mcengine.greeks.contract import of, value
from mcengine.greeks.strategy import study

__all__ = ["of", "study", "value"]
