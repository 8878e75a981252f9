"""Hedge rules: stages, triggers, and the chains made of them."""

from mcengine.instrument import Target, gate
from mcengine.policy import overlay_presets, presets
from mcengine.policy.above import Above
from mcengine.policy.base import AbstractStage, Kind, Setting, positive_ratio
from mcengine.policy.chain import Chain, chain
from mcengine.policy.contract_overlay import ContractOverlay
from mcengine.policy.cppi import Cppi
from mcengine.policy.delta_hedge import DeltaHedge
from mcengine.policy.drift import Drift
from mcengine.policy.event_overlay import EventOverlay
from mcengine.policy.forward_overlay import ForwardOverlay
from mcengine.policy.fund import Fund
from mcengine.policy.leg_target import LegTarget
from mcengine.policy.mix import Mix
from mcengine.policy.neural import Neural
from mcengine.policy.puts import DeltaPut, RolledPut, StaticPut
from mcengine.policy.ratchet_put import RatchetPut
from mcengine.policy.rebalance import Band, Rebalance
from mcengine.policy.seen import Seen
from mcengine.policy.stop_loss import StopLoss
from mcengine.policy.trigger import AbstractTrigger, AllOf, AnyOf, Not
from mcengine.policy.variance_trade import VarianceTrade
from mcengine.policy.vol_target import VolTarget
from mcengine.policy.when import When

__all__ = [
    "Above",
    "AbstractStage",
    "AbstractTrigger",
    "AllOf",
    "AnyOf",
    "Band",
    "Chain",
    "ContractOverlay",
    "Cppi",
    "DeltaHedge",
    "DeltaPut",
    "Drift",
    "EventOverlay",
    "ForwardOverlay",
    "Fund",
    "Kind",
    "LegTarget",
    "Mix",
    "Neural",
    "Not",
    "RatchetPut",
    "Rebalance",
    "RolledPut",
    "Seen",
    "Setting",
    "StaticPut",
    "StopLoss",
    "Target",
    "VarianceTrade",
    "VolTarget",
    "When",
    "chain",
    "gate",
    "overlay_presets",
    "positive_ratio",
    "presets",
]
