"""What can be traded."""

from mcengine.instrument.asian import Asian
from mcengine.instrument.barrier import Barrier
from mcengine.instrument.base import AbstractContract, joint, least_steps, make_calendar
from mcengine.instrument.bonds import BondOption, CouponBond, ZeroBond
from mcengine.instrument.combination import CallSpread, Collar, Combination, PutSpread, Straddle, Strangle
from mcengine.instrument.european import Call, Digital, Option, Put, payoff
from mcengine.instrument.forwards import Forward, Future, FutureOption, VarianceSwap
from mcengine.instrument.hedged import Hedged
from mcengine.instrument.lookback import FixedLookback, FloatingLookback
from mcengine.instrument.multi_asset import Basket, BestOf, Exchange, Rainbow, Spread, WorstOf
from mcengine.instrument.schedule import RollSchedule
from mcengine.instrument.slot import OptionSlot, Position, Slot, Terms, Underlying
from mcengine.instrument.smooth import gate

__all__ = [
    "AbstractContract",
    "Asian",
    "Barrier",
    "Basket",
    "BestOf",
    "BondOption",
    "Call",
    "CallSpread",
    "Collar",
    "Combination",
    "CouponBond",
    "Digital",
    "Exchange",
    "FixedLookback",
    "FloatingLookback",
    "Forward",
    "Future",
    "FutureOption",
    "Hedged",
    "Option",
    "OptionSlot",
    "Position",
    "Put",
    "PutSpread",
    "Rainbow",
    "RollSchedule",
    "Slot",
    "Spread",
    "Straddle",
    "Strangle",
    "Terms",
    "Underlying",
    "VarianceSwap",
    "WorstOf",
    "ZeroBond",
    "gate",
    "joint",
    "least_steps",
    "make_calendar",
    "payoff",
]
