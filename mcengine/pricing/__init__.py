"""What a contract is worth, given numbers."""

from mcengine.pricing.black import KINDS, black, normal_cdf
from mcengine.pricing.calendar import Calendar
from mcengine.pricing.laws import BatesPricer, HestonPricer, KouPricer, MertonPricer, VarianceGammaPricer
from mcengine.pricing.pricer import BlackPricer, Pricer, prepared
from mcengine.pricing.quote import Quote
from mcengine.pricing.surface import SurfacePricer
from mcengine.pricing.vanilla import options

__all__ = [
    "KINDS",
    "BatesPricer",
    "BlackPricer",
    "Calendar",
    "HestonPricer",
    "KouPricer",
    "MertonPricer",
    "Pricer",
    "Quote",
    "SurfacePricer",
    "VarianceGammaPricer",
    "black",
    "normal_cdf",
    "options",
    "prepared",
]
