"""mcengine: Monte Carlo research for portfolio insurance and dynamic hedging, on JAX."""

from mcengine import _runtime

_runtime.configure()

from mcengine import engine, instrument, ledger, market, noise, policy, pricing  # noqa: E402
from mcengine.engine import Estimate, Result, Study  # noqa: E402

__version__ = "0.1.0"
