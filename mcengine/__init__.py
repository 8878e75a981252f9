"""mcengine: Monte Carlo research for portfolio insurance and dynamic hedging, on JAX."""

from mcengine import _runtime

_runtime.configure()

from mcengine import (  # noqa: E402
    backtest,
    calibrate,
    engine,
    greeks,
    history,
    instrument,
    ledger,
    market,
    monitor,
    noise,
    objective,
    optimise,
    policy,
    pricing,
    report,
    statistics,
    variance_reduction,
)
from mcengine._model import Scalar, model, number, replace, static  # noqa: E402
from mcengine._runtime import cache, set_precision  # noqa: E402
from mcengine.config import build, load, load_config  # noqa: E402
from mcengine.engine import Result, Study, grid, price  # noqa: E402
from mcengine.engine.recorder import AbstractRecorder, Day  # noqa: E402
from mcengine.report import collect, compare  # noqa: E402
from mcengine.statistics import Estimate  # noqa: E402

__version__ = "0.1.0"

__all__ = [
    "AbstractRecorder",
    "Day",
    "Estimate",
    "Result",
    "Scalar",
    "Study",
    "backtest",
    "build",
    "cache",
    "calibrate",
    "collect",
    "compare",
    "engine",
    "greeks",
    "grid",
    "history",
    "instrument",
    "ledger",
    "load",
    "load_config",
    "market",
    "model",
    "monitor",
    "noise",
    "number",
    "objective",
    "optimise",
    "policy",
    "price",
    "pricing",
    "replace",
    "report",
    "set_precision",
    "static",
    "statistics",
    "variance_reduction",
]
