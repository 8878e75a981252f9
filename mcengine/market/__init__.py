"""How prices move under P."""

from mcengine.market.base import Asset
from mcengine.market.bates import Bates
from mcengine.market.gbm import GBM
from mcengine.market.gjr_garch import GJRGARCH
from mcengine.market.heston import Heston
from mcengine.market.kou import Kou
from mcengine.market.market import Market, PreparedMarket
from mcengine.market.merton import Merton
from mcengine.market.rate import FlatRate
from mcengine.market.schwartz import Schwartz

__all__ = ["GBM", "GJRGARCH", "Asset", "Bates", "FlatRate", "Heston", "Kou", "Market", "Merton", "PreparedMarket", "Schwartz"]
