"""Hedge rules: stages, triggers, and the chains made of them."""

from mcengine.instrument import Target, gate
from mcengine.policy import insurance, option_presets, overlay_presets, presets
from mcengine.policy.above import Above
from mcengine.policy.adaptive_hedge import AdaptiveHedge, Lean
from mcengine.policy.alarm import CostBudget, Shock, VolSpike
from mcengine.policy.base import AbstractStage, Kind, Setting, positive_ratio
from mcengine.policy.calendar import Every, NearEvent
from mcengine.policy.chain import Chain, chain
from mcengine.policy.collar import Collar
from mcengine.policy.contract_overlay import ContractOverlay
from mcengine.policy.cppi import Cppi
from mcengine.policy.delta_hedge import DeltaHedge
from mcengine.policy.delta_volatility import AbstractDeltaVolatility, Implied, Leland, Realised
from mcengine.policy.derisk import Derisk
from mcengine.policy.drawdown import Drawdown
from mcengine.policy.drawdown_control import DrawdownControl
from mcengine.policy.drift import Drift
from mcengine.policy.event_overlay import EventOverlay
from mcengine.policy.floors import AbstractFloor, HighWater, Level, Relative, Stepped
from mcengine.policy.forecast_vol_target import ForecastVolTarget
from mcengine.policy.forward_overlay import ForwardOverlay
from mcengine.policy.fund import Fund
from mcengine.policy.gauge import AbstractGauge, SignalGauge, Underwater
from mcengine.policy.greek_limit import GreekLimit
from mcengine.policy.greek_targets import GreekTargets
from mcengine.policy.hedge_band import HedgeBand, WhalleyWilmott
from mcengine.policy.ladder import Ladder, LadderMemory
from mcengine.policy.leg_target import LegTarget
from mcengine.policy.liability import Liability
from mcengine.policy.minimum_variance import MinimumVariance
from mcengine.policy.mix import Mix
from mcengine.policy.neural import Neural
from mcengine.policy.neural_hedge import NeuralHedge
from mcengine.policy.obpi import Obpi, SyntheticPut
from mcengine.policy.option_book import OptionBook, OptionLeg
from mcengine.policy.put_spread import PutSpread
from mcengine.policy.puts import DeltaPut, RolledPut, StaticPut
from mcengine.policy.ratchet_put import RatchetPut
from mcengine.policy.rebalance import Band, Rebalance
from mcengine.policy.reduce import Reduce
from mcengine.policy.rung import Rung
from mcengine.policy.seen import Seen
from mcengine.policy.stop_loss import StopLoss
from mcengine.policy.stop_loss_reentry import StopLossReentry
from mcengine.policy.trigger import AbstractTrigger, AllOf, AnyOf, Not
from mcengine.policy.variance_trade import VarianceTrade
from mcengine.policy.vol_target import VolTarget
from mcengine.policy.when import When

__all__ = [
    "Above",
    "AbstractDeltaVolatility",
    "AbstractFloor",
    "AbstractGauge",
    "AbstractStage",
    "AbstractTrigger",
    "AdaptiveHedge",
    "AllOf",
    "AnyOf",
    "Band",
    "Chain",
    "Collar",
    "ContractOverlay",
    "CostBudget",
    "Cppi",
    "DeltaHedge",
    "DeltaPut",
    "Derisk",
    "Drawdown",
    "DrawdownControl",
    "Drift",
    "EventOverlay",
    "Every",
    "ForecastVolTarget",
    "ForwardOverlay",
    "Fund",
    "GreekLimit",
    "GreekTargets",
    "HedgeBand",
    "HighWater",
    "Implied",
    "Kind",
    "Ladder",
    "LadderMemory",
    "Lean",
    "LegTarget",
    "Leland",
    "Level",
    "Liability",
    "MinimumVariance",
    "Mix",
    "NearEvent",
    "Neural",
    "NeuralHedge",
    "Not",
    "Obpi",
    "OptionBook",
    "OptionLeg",
    "PutSpread",
    "RatchetPut",
    "Realised",
    "Rebalance",
    "Reduce",
    "Relative",
    "RolledPut",
    "Rung",
    "Seen",
    "Setting",
    "Shock",
    "SignalGauge",
    "StaticPut",
    "Stepped",
    "StopLoss",
    "StopLossReentry",
    "SyntheticPut",
    "Target",
    "Underwater",
    "VarianceTrade",
    "VolSpike",
    "VolTarget",
    "WhalleyWilmott",
    "When",
    "chain",
    "gate",
    "insurance",
    "option_presets",
    "overlay_presets",
    "positive_ratio",
    "presets",
]
