"""Samples to estimates, each with the error that fits how the samples depend on each other. NumPy only."""

from mcengine.statistics.dependence import block_length, long_run_variance
from mcengine.statistics.estimate import Estimate
from mcengine.statistics.figure import Figure, Outcomes
from mcengine.statistics.sampling import Sampling
from mcengine.statistics.stream import Moments, Statistics

__all__ = ["Estimate", "Figure", "Moments", "Outcomes", "Sampling", "Statistics", "block_length", "long_run_variance"]
