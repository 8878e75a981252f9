"""Derivatives of contracts and of whole studies."""

from mcengine.greeks.choose import Candidate, Choice
from mcengine.greeks.contract import of, value
from mcengine.greeks.derivatives import Derivatives
from mcengine.greeks.figures import Derivable
from mcengine.greeks.second import second
from mcengine.greeks.simulated import numbers_of, of_contract, of_study
from mcengine.greeks.strategy import study

__all__ = ["Candidate", "Choice", "Derivable", "Derivatives", "numbers_of", "of", "of_contract", "of_study", "second", "study", "value"]
