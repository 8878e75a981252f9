"""What a contract is worth, given numbers."""

from mcengine.pricing.black import KINDS, black, normal_cdf
from mcengine.pricing.calendar import Calendar
from mcengine.pricing.pricer import BlackPricer, HestonPricer, Pricer
from mcengine.pricing.quote import Quote

__all__ = ["KINDS", "BlackPricer", "Calendar", "HestonPricer", "Pricer", "Quote", "black", "normal_cdf"]
