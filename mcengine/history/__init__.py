"""Files of prices to clean tables: one reader of what people have, shipped data, days, named periods."""

from mcengine.history.bond_index import bond_index
from mcengine.history.days import SHIPPED, Days, Series, load_days
from mcengine.history.periods import named_periods
from mcengine.history.prices import Prices
from mcengine.history.reader import read

__all__ = ["SHIPPED", "Days", "Prices", "Series", "bond_index", "load_days", "named_periods", "read"]
