"""Hedge rules: stages, triggers, and the chains made of them."""

from mcengine.instrument import Target, gate
from mcengine.policy import presets
from mcengine.policy.above import Above
from mcengine.policy.adaptive_hedge import AdaptiveHedge, Lean
from mcengine.policy.alarm import CostBudget, Shock, VolSpike
from mcengine.policy.base import AbstractStage, Kind, Setting, positive_ratio
from mcengine.policy.calendar import Every, NearEvent
from mcengine.policy.chain import Chain, chain
from mcengine.policy.contract_overlay import ContractOverlay
from mcengine.policy.cppi import Cppi
from mcengine.policy.delta_hedge import DeltaHedge
from mcengine.policy.derisk import Derisk
from mcengine.policy.drawdown import Drawdown
from mcengine.policy.drift import Drift
from mcengine.policy.forecast_vol_target import ForecastVolTarget
from mcengine.policy.forward_overlay import ForwardOverlay
from mcengine.policy.fund import Fund
from mcengine.policy.gauge import AbstractGauge, SignalGauge, Underwater
from mcengine.policy.ladder import Ladder, LadderMemory, Level
from mcengine.policy.mix import Mix
from mcengine.policy.puts import DeltaPut, RolledPut, StaticPut
from mcengine.policy.rebalance import Band, Rebalance
from mcengine.policy.rung import Rung
from mcengine.policy.seen import Seen
from mcengine.policy.stop_loss import StopLoss
from mcengine.policy.trigger import AbstractTrigger, AllOf, AnyOf, Not
from mcengine.policy.vol_target import VolTarget
from mcengine.policy.when import When

__all__ = [
    "Above",
    "AbstractGauge",
    "AbstractStage",
    "AbstractTrigger",
    "AdaptiveHedge",
    "AllOf",
    "AnyOf",
    "Band",
    "Chain",
    "ContractOverlay",
    "CostBudget",
    "Cppi",
    "DeltaHedge",
    "DeltaPut",
    "Derisk",
    "Drawdown",
    "Drift",
    "Every",
    "ForecastVolTarget",
    "ForwardOverlay",
    "Fund",
    "Kind",
    "Ladder",
    "LadderMemory",
    "Lean",
    "Level",
    "Mix",
    "NearEvent",
    "Not",
    "Rebalance",
    "RolledPut",
    "Rung",
    "Seen",
    "Setting",
    "Shock",
    "SignalGauge",
    "StaticPut",
    "StopLoss",
    "Target",
    "Underwater",
    "VolSpike",
    "VolTarget",
    "When",
    "chain",
    "gate",
    "positive_ratio",
    "presets",
]
