"""How prices move under P."""

from mcengine.market.base import AbstractAsset, AbstractStandaloneAsset
from mcengine.market.bates import Bates
from mcengine.market.bond_index import BondIndex
from mcengine.market.bootstrap import Bootstrap
from mcengine.market.discretised import PreparedMarket
from mcengine.market.events import Event, Scenario
from mcengine.market.gbm import GBM
from mcengine.market.gjr_garch import GJRGARCH
from mcengine.market.heston import Heston
from mcengine.market.hull_white import HullWhite
from mcengine.market.kou import Kou
from mcengine.market.market import Market
from mcengine.market.merton import Merton
from mcengine.market.rate import FlatRate
from mcengine.market.regime_gbm import RegimeGBM
from mcengine.market.regimes import Regimes, from_transition
from mcengine.market.replay import Replay
from mcengine.market.schwartz import Schwartz
from mcengine.market.signal import AbstractSignal, Ewma, Fall, RealisedCorrelation, Signals, Trend, VolRatio
from mcengine.market.stress import Stress
from mcengine.market.variance_asset import VarianceAsset
from mcengine.market.vasicek import Vasicek
from mcengine.market.volatility import AbstractVolatility, Forecast, Garch, Har, Implied, Own, Rolling

__all__ = [
    "GBM",
    "GJRGARCH",
    "AbstractAsset",
    "AbstractSignal",
    "AbstractStandaloneAsset",
    "AbstractVolatility",
    "Bates",
    "BondIndex",
    "Bootstrap",
    "Event",
    "Ewma",
    "Fall",
    "FlatRate",
    "Forecast",
    "Garch",
    "Har",
    "Heston",
    "HullWhite",
    "Implied",
    "Kou",
    "Market",
    "Merton",
    "Own",
    "PreparedMarket",
    "RealisedCorrelation",
    "RegimeGBM",
    "Regimes",
    "Replay",
    "Rolling",
    "Scenario",
    "Schwartz",
    "Signals",
    "Stress",
    "Trend",
    "VarianceAsset",
    "Vasicek",
    "VolRatio",
    "from_transition",
]
