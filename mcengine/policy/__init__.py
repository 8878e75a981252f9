"""Hedge rules: stages, triggers, and the chains made of them."""

from mcengine.instrument import Target, gate
from mcengine.policy import insurance, presets
from mcengine.policy.above import Above
from mcengine.policy.base import AbstractStage, Kind, Setting, positive_ratio
from mcengine.policy.chain import Chain, chain
from mcengine.policy.collar import Collar
from mcengine.policy.contract_overlay import ContractOverlay
from mcengine.policy.cppi import Cppi
from mcengine.policy.delta_hedge import DeltaHedge
from mcengine.policy.drawdown_control import DrawdownControl
from mcengine.policy.drift import Drift
from mcengine.policy.every import Every
from mcengine.policy.floors import AbstractFloor, HighWater, Level, Relative, Stepped
from mcengine.policy.forward_overlay import ForwardOverlay
from mcengine.policy.fund import Fund
from mcengine.policy.mix import Mix
from mcengine.policy.obpi import Obpi, SyntheticPut
from mcengine.policy.put_spread import PutSpread
from mcengine.policy.puts import DeltaPut, RolledPut, StaticPut
from mcengine.policy.rebalance import Band, Rebalance
from mcengine.policy.seen import Seen
from mcengine.policy.stop_loss import StopLoss
from mcengine.policy.stop_loss_reentry import StopLossReentry
from mcengine.policy.trigger import AbstractTrigger, AllOf, AnyOf, Not
from mcengine.policy.vol_target import VolTarget
from mcengine.policy.when import When

__all__ = [
    "Above",
    "AbstractFloor",
    "AbstractStage",
    "AbstractTrigger",
    "AllOf",
    "AnyOf",
    "Band",
    "Chain",
    "Collar",
    "ContractOverlay",
    "Cppi",
    "DeltaHedge",
    "DeltaPut",
    "DrawdownControl",
    "Drift",
    "Every",
    "ForwardOverlay",
    "Fund",
    "HighWater",
    "Kind",
    "Level",
    "Mix",
    "Not",
    "Obpi",
    "PutSpread",
    "Rebalance",
    "Relative",
    "RolledPut",
    "Seen",
    "Setting",
    "StaticPut",
    "Stepped",
    "StopLoss",
    "StopLossReentry",
    "SyntheticPut",
    "Target",
    "VolTarget",
    "When",
    "chain",
    "gate",
    "insurance",
    "positive_ratio",
    "presets",
]
