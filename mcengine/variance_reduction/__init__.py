"""Estimators with a smaller error on the same paths: control variates, importance sampling, pairs and points, and the choice among them."""

from mcengine.variance_reduction.breach import Breach, Weights, weights
from mcengine.variance_reduction.choose import METHODS, Candidate, Choice, Reduced, choose, reduce
from mcengine.variance_reduction.control_variates import Control
from mcengine.variance_reduction.importance_sampling import Importance
from mcengine.variance_reduction.importance_sampling import find as importance

__all__ = ["METHODS", "Breach", "Candidate", "Choice", "Control", "Importance", "Reduced", "Weights", "choose", "importance", "reduce", "weights"]
