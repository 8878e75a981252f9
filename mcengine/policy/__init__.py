"""Hedge rules: stages, and the chains made of them."""

from mcengine.instrument import gate
from mcengine.policy import presets
from mcengine.policy.band import Band
from mcengine.policy.base import AbstractStage, Kind, Seen, Target, positive_ratio
from mcengine.policy.chain import Chain, chain
from mcengine.policy.cppi import Cppi
from mcengine.policy.mix import Mix
from mcengine.policy.puts import DeltaPut, RolledPut, StaticPut
from mcengine.policy.stop_loss import StopLoss
from mcengine.policy.vol_target import VolTarget

__all__ = [
    "AbstractStage",
    "Band",
    "Chain",
    "Cppi",
    "DeltaPut",
    "Kind",
    "Mix",
    "RolledPut",
    "Seen",
    "StaticPut",
    "StopLoss",
    "Target",
    "VolTarget",
    "chain",
    "gate",
    "positive_ratio",
    "presets",
]
