"""One path, blocks of paths, results."""

from mcengine.engine.estimate import Estimate
from mcengine.engine.program import traces
from mcengine.engine.result import Figure, Result
from mcengine.engine.run import NotFinite, run
from mcengine.engine.study import Study
from mcengine.engine.trace import trace

__all__ = ["Estimate", "Figure", "NotFinite", "Result", "Study", "run", "trace", "traces"]
