"""The self-financing account, and what trading and holding cost."""

from mcengine.ledger.account import Account, advance, chosen, open_account, order, prices, trade
from mcengine.ledger.base import AbstractCost, Holding, Leg, Trade, total_cost
from mcengine.ledger.exit import Exit
from mcengine.ledger.financing import Borrow, Financing, Margin
from mcengine.ledger.fixed import Fixed
from mcengine.ledger.half_spread import HalfSpread
from mcengine.ledger.impact import Impact
from mcengine.ledger.proportional import Proportional
from mcengine.ledger.total import Total

__all__ = [
    "AbstractCost",
    "Account",
    "Borrow",
    "Exit",
    "Financing",
    "Fixed",
    "HalfSpread",
    "Holding",
    "Impact",
    "Leg",
    "Margin",
    "Proportional",
    "Total",
    "Trade",
    "advance",
    "chosen",
    "open_account",
    "order",
    "prices",
    "total_cost",
    "trade",
]
