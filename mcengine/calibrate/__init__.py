"""History and quotes to market parameters, with errors; markets as files."""

from mcengine.calibrate.asset_fit import Fit
from mcengine.calibrate.assets import MarketFit, fit_prices
from mcengine.calibrate.curve import CurveFit, fit_hull_white, zero_rates
from mcengine.calibrate.garch import fit_gjr_garch
from mcengine.calibrate.history import Calibration, fit_history, from_history
from mcengine.calibrate.jumps import fit_gbm, fit_kou, fit_merton
from mcengine.calibrate.market_file import from_file, to_yaml
from mcengine.calibrate.quote_chain import Quotes, read_quotes
from mcengine.calibrate.quotes import SurfaceFit, fit_quotes
from mcengine.calibrate.regimes import RegimeFit, fit_regimes
from mcengine.calibrate.reverting import fit_schwartz, fit_vasicek
from mcengine.calibrate.stochastic_volatility import fit_bates, fit_heston

__all__ = [
    "Calibration",
    "CurveFit",
    "Fit",
    "MarketFit",
    "Quotes",
    "RegimeFit",
    "SurfaceFit",
    "fit_bates",
    "fit_gbm",
    "fit_gjr_garch",
    "fit_heston",
    "fit_history",
    "fit_hull_white",
    "fit_kou",
    "fit_merton",
    "fit_prices",
    "fit_quotes",
    "fit_regimes",
    "fit_schwartz",
    "fit_vasicek",
    "from_file",
    "from_history",
    "read_quotes",
    "to_yaml",
    "zero_rates",
]
