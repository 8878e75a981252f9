"""What can be traded."""

from mcengine.instrument.asian import Asian
from mcengine.instrument.barrier import Barrier
from mcengine.instrument.base import AbstractContract, joint, least_steps, make_calendar
from mcengine.instrument.bonds import BondOption, CouponBond, ZeroBond
from mcengine.instrument.combination import CallSpread, Collar, Combination, PutSpread, Straddle, Strangle
from mcengine.instrument.contract_slot import ContractSlot
from mcengine.instrument.european import Call, Digital, Option, Put, payoff
from mcengine.instrument.exactness import check_formula
from mcengine.instrument.expiries import BUCKETS
from mcengine.instrument.forward_slots import ForwardSlot, FutureSlot
from mcengine.instrument.forwards import Forward, Future, FutureOption
from mcengine.instrument.hedged import Hedged
from mcengine.instrument.liability_slot import LiabilitySlot
from mcengine.instrument.lookback import FixedLookback, FloatingLookback
from mcengine.instrument.marks import GREEKS, OF_BOOK, POWERS, Greeks, groups, marks, totals
from mcengine.instrument.multi_asset import Basket, BestOf, Exchange, Rainbow, Spread, WorstOf
from mcengine.instrument.option_slot import OptionSlot
from mcengine.instrument.schedule import AbstractSchedule, AroundEvent, Dates, Life, Rolled, RollSchedule, ToHorizon
from mcengine.instrument.slot import AbstractSlot, Mark, Position, Quotes, Target, Underlying
from mcengine.instrument.smooth import gate
from mcengine.instrument.variance_swap import VarianceSwap

__all__ = [
    "BUCKETS",
    "GREEKS",
    "OF_BOOK",
    "POWERS",
    "AbstractContract",
    "AbstractSchedule",
    "AbstractSlot",
    "AroundEvent",
    "Asian",
    "Barrier",
    "Basket",
    "BestOf",
    "BondOption",
    "Call",
    "CallSpread",
    "Collar",
    "Combination",
    "ContractSlot",
    "CouponBond",
    "Dates",
    "Digital",
    "Exchange",
    "FixedLookback",
    "FloatingLookback",
    "Forward",
    "ForwardSlot",
    "Future",
    "FutureOption",
    "FutureSlot",
    "Greeks",
    "Hedged",
    "LiabilitySlot",
    "Life",
    "Mark",
    "Option",
    "OptionSlot",
    "Position",
    "Put",
    "PutSpread",
    "Quotes",
    "Rainbow",
    "RollSchedule",
    "Rolled",
    "Spread",
    "Straddle",
    "Strangle",
    "Target",
    "ToHorizon",
    "Underlying",
    "VarianceSwap",
    "WorstOf",
    "ZeroBond",
    "check_formula",
    "gate",
    "groups",
    "joint",
    "least_steps",
    "make_calendar",
    "marks",
    "payoff",
    "totals",
]
