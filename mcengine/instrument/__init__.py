"""What can be traded."""

from mcengine.instrument.european import Call, Option, Put, payoff
from mcengine.instrument.hedged import Hedged
from mcengine.instrument.slot import OptionSlot, Position, Slot, Terms, Underlying

__all__ = ["Call", "Hedged", "Option", "OptionSlot", "Position", "Put", "Slot", "Terms", "Underlying", "payoff"]
