"""Files of prices to clean tables: shipped data and the user's own, days, named periods."""

from mcengine.history.bond_index import bond_index
from mcengine.history.days import SHIPPED, Days, Series, load_days
from mcengine.history.periods import named_periods
from mcengine.history.price_table import Prices, read_prices
from mcengine.history.shipped import History

__all__ = ["SHIPPED", "Days", "History", "Prices", "Series", "bond_index", "load_days", "named_periods", "read_prices"]
