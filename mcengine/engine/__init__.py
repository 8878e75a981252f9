"""One path, blocks of paths, results."""

from mcengine.engine import hosts, recorder, split
from mcengine.engine.base import AbstractStudy
from mcengine.engine.book_greeks import BookGreeks
from mcengine.engine.checkpoint import DiskFullError
from mcengine.engine.explained import Explained
from mcengine.engine.gradient import BatchGradient
from mcengine.engine.grid import grid
from mcengine.engine.identity import identity
from mcengine.engine.in_regimes import InRegimes
from mcengine.engine.journal import Journal
from mcengine.engine.metrics import METRICS, Metric, is_metric, metric
from mcengine.engine.not_finite import NotFiniteError
from mcengine.engine.price import Payoffs, payoffs, price
from mcengine.engine.program import traces
from mcengine.engine.realised_correlation import Correlations, correlations
from mcengine.engine.result import Result
from mcengine.engine.rolling_volatility import RollingVolatility
from mcengine.engine.run import run
from mcengine.engine.sample import sample
from mcengine.engine.scalping import Scalping
from mcengine.engine.study import Study
from mcengine.engine.summary import summarise
from mcengine.engine.tangents import Tangents
from mcengine.engine.together import KEEP, keep_outcomes, together
from mcengine.engine.trace import trace

__all__ = [
    "KEEP",
    "METRICS",
    "AbstractStudy",
    "BatchGradient",
    "BookGreeks",
    "Correlations",
    "DiskFullError",
    "Explained",
    "InRegimes",
    "Journal",
    "Metric",
    "NotFiniteError",
    "Payoffs",
    "Result",
    "RollingVolatility",
    "Scalping",
    "Study",
    "Tangents",
    "correlations",
    "grid",
    "hosts",
    "identity",
    "is_metric",
    "keep_outcomes",
    "metric",
    "payoffs",
    "price",
    "recorder",
    "run",
    "sample",
    "split",
    "summarise",
    "together",
    "trace",
    "traces",
]
