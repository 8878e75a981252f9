"""How prices move under P."""

from mcengine.market.base import Asset
from mcengine.market.gbm import GBM
from mcengine.market.heston import Heston
from mcengine.market.market import Market, PreparedMarket
from mcengine.market.rate import FlatRate

__all__ = ["GBM", "Asset", "FlatRate", "Heston", "Market", "PreparedMarket"]
