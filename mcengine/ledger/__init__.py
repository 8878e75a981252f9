"""The self-financing account."""

from mcengine.ledger.account import Account, Costs, advance, open_account, prices, trade
from mcengine.ledger.costs import Proportional

__all__ = ["Account", "Costs", "Proportional", "advance", "open_account", "prices", "trade"]
