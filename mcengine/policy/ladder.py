"""Escalation ladder: levels entered and left by thresholds of one gauge, each with a rule of its own.

With the gauge g of the date, the level w_i of rung i is, from the top rung down,
    u_i = max(1{g >= enter_i}, alarm_i, w'_{i+1}),   s_i = max(1{g >= leave_i}, u_i),
    c'_i = min(c_i + 1, cooldown_i) (1 - s_i),   r_i = clip(c'_i - (cooldown_i - 1), 0, 1),
    w'_i = min(max(w_i, u_i), max(s_i, 1 - r_i)):
raised to u_i, kept between the thresholds, left after ``cooldown`` dates in a row below ``leave`` (c counts them). A rung counts as entered while
the one above is, so rungs are left one by one, each after its own dates. Where gates are hard w is 0 or 1. Where they are smooth it is a weight, and
w a play operator (Krasnosel'skii & Pokrovskii 1989): each w' is one of w, u and the bound above, so its derivative is that of one date's gate,
however many dates there are, times at most ``cooldown``. (The derivative of a path's wealth by ``enter`` has sd 1.9 on 25 dates and 1.8 on 1,600; a
product of gates, w' = 1 - (1 - u)(1 - w s), makes it 1.9 and 107.)
"""

from itertools import pairwise
from typing import Any, NamedTuple

import jax.numpy as jnp

from mcengine._model import Scalar, model, number
from mcengine.instrument import AbstractSlot, Target, gate
from mcengine.market import AbstractSignal, Signals
from mcengine.policy.base import AbstractStage, Kind, Setting
from mcengine.policy.gauge import AbstractGauge, SignalGauge, Underwater
from mcengine.policy.rung import Rung
from mcengine.policy.seen import Seen
from mcengine.policy.when import blend


class RungState(NamedTuple):
    """Where one rung stands.

    Args:
        weight: 0 or 1 where gates are hard.
        calm: Dates in a row below its exit.
    """

    weight: Scalar
    calm: Scalar


class LadderMemory(NamedTuple):
    """What a ladder carries.

    Args:
        gauge: Memory of the gauge.
        levels: By rung.
        alarms: Memories of alarms, by rung.
        stages: Memories of stages, by rung.
    """

    gauge: Any
    levels: dict[str, RungState]
    alarms: dict[str, Any]
    stages: dict[str, Any]


@model
class Ladder(AbstractStage):
    """Acts by levels: the stages of all rungs that are entered act in order, from the lowest, blended by their weights as ``When`` does.

    One gauge of the book, or of one asset, moves the whole ladder; sleeves of their own have a ladder each, with a gauge and stages of one asset.
    Smoothed by ``Study.width`` in the gauge's units.

    Args:
        rungs: By name, the lowest first.
        gauge: ``Underwater``, any other gauge, or a signal. The default forgets the high, so that every level is left in time.

    Raises:
        ValueError: Without rungs or stages, for thresholds that do not rise from rung to rung or that a drawdown never passes, for a slot in two
            rungs, or what is no gauge.

    Example:
        >>> import mcengine as mc
        >>> rungs = {"watch": mc.policy.Rung(0.03, 0.01), "stop": mc.policy.Rung(0.10, 0.05, mc.policy.Derisk(0.0), cooldown=5)}
        >>> mc.policy.Ladder(rungs).kind
        'scaler'
    """

    rungs: dict[str, Any] = number(flat=True)
    gauge: Any = Underwater(halflife=63.0)

    def canonical(self) -> dict[str, Any]:
        for name, rung in self.rungs.items():
            if not isinstance(rung, Rung):
                raise ValueError(f"Ladder.rungs.{name}: expected a Rung, got {type(rung).__name__}")
        if not any(rung.stage is not None for rung in self.rungs.values()):
            raise ValueError("Ladder.rungs: expected at least one with a stage, got none")
        slots = [name for rung in self.rungs.values() if rung.stage is not None for name in rung.stage.slots()]
        for name in slots:
            if slots.count(name) > 1:
                raise ValueError(f"Ladder.rungs: expected each slot in one rung, got {name} twice; give one a slot name of its own")
        if isinstance(self.gauge, AbstractSignal):
            return {"gauge": SignalGauge(self.gauge)}
        if not isinstance(self.gauge, AbstractGauge):
            raise ValueError(f"Ladder.gauge: expected a gauge such as Underwater or a signal, got {type(self.gauge).__name__}")
        return {}

    def check(self) -> None:
        rungs = list(self.rungs.items())
        for (below, low), (name, high) in pairwise(rungs):
            for threshold in ("enter", "leave"):
                least, given = float(getattr(low, threshold)), float(getattr(high, threshold))
                if not given > least:
                    raise ValueError(f"Ladder.{name}.{threshold}: expected a number above {below}.{threshold} = {least:g}, got {given:g}")
        for name, rung in rungs if isinstance(self.gauge, Underwater) else ():
            if not rung.enter < 1.0:
                raise ValueError(f"Ladder.{name}.enter: expected a drawdown below 1, which is never reached, got {float(rung.enter):g}")
            if not (rung.leave > 0.0 or rung.latch):
                raise ValueError(f"Ladder.{name}.leave: expected a drawdown above 0, or the level is never left, got {float(rung.leave):g}")

    @property
    def parts(self) -> tuple[Any, ...]:
        """Stages, alarms and the gauge."""
        return (*self.stages.values(), *self.alarms.values(), self.gauge)

    @property
    def stages(self) -> dict[str, AbstractStage]:
        """Of the rungs that have one, by name."""
        return {name: rung.stage for name, rung in self.rungs.items() if rung.stage is not None}

    @property
    def alarms(self) -> dict[str, Any]:
        """Of the rungs that have one, by name."""
        return {name: rung.alarm for name, rung in self.rungs.items() if rung.alarm is not None}

    @property
    def kind(self) -> Kind:  # type: ignore[override]
        return next(iter(self.stages.values())).kind

    @property
    def needs(self) -> tuple[str, ...]:  # type: ignore[override]
        return tuple(dict.fromkeys(name for part in self.parts for name in part.needs))

    def slots(self) -> dict[str, AbstractSlot]:
        return {name: slot for stage in self.stages.values() for name, slot in stage.slots().items()}

    def signals(self) -> Signals:
        return tuple(pair for part in self.parts for pair in part.signals())

    def validate(self, setting: Setting) -> None:
        for part in self.parts:
            part.validate(setting)

    def remarks(self, setting: Setting) -> tuple[str, ...]:
        return tuple(line for part in self.parts for line in part.remarks(setting))

    def start(self, seen: Seen) -> LadderMemory:
        none = jnp.zeros_like(seen.wealth)
        started = lambda parts: {name: part.start(seen) for name, part in parts.items()}  # noqa: E731
        return LadderMemory(self.gauge.start(seen), {n: RungState(none, none) for n in self.rungs}, started(self.alarms), started(self.stages))

    def terms(self, seen: Seen, memory: LadderMemory) -> dict[str, Any]:
        return {slot: terms for name, stage in self.stages.items() for slot, terms in stage.terms(seen, memory.stages[name]).items()}

    def climb(self, gauge: Scalar, alarms: dict[str, Scalar], before: dict[str, RungState], width: Scalar) -> dict[str, RungState]:
        """Levels by rung after a date.

        Args:
            gauge: Of the date.
            alarms: Weights of the alarms, by rung.
            before: Levels before it, by rung.
            width: Of the gates.
        """
        after: dict[str, RungState] = {}
        above: Scalar = 0.0
        for name, rung in reversed(self.rungs.items()):
            entered = jnp.maximum(jnp.maximum(gate(gauge - rung.enter, width), alarms.get(name, 0.0)), above)
            stays = jnp.maximum(gate(gauge - rung.leave, width), entered)
            calm = jnp.minimum(before[name].calm + 1.0, rung.cooldown) * (1.0 - stays)
            left = 0.0 if rung.latch else jnp.clip(calm - (rung.cooldown - 1.0), 0.0, 1.0)
            above = jnp.minimum(jnp.maximum(before[name].weight, entered), jnp.maximum(stays, 1.0 - left))
            after[name] = RungState(above, calm)
        return {name: after[name] for name in self.rungs}

    def act(self, target: Target, seen: Seen, memory: LadderMemory) -> tuple[Target, LadderMemory]:
        gauge, read = self.gauge.read(seen, memory.gauge)
        fired = {name: alarm.fires(seen.wanting(target), memory.alarms[name]) for name, alarm in self.alarms.items()}
        levels = self.climb(gauge, {name: weight for name, (weight, _) in fired.items()}, memory.levels, seen.width)
        seen.tell("gauge", gauge)
        for name, level in levels.items():
            seen.tell(f"level_{name}", level.weight)
        acted = {}
        for name, stage in self.stages.items():
            wanted, acted[name] = stage.act(target, seen, memory.stages[name])
            target = blend(target, wanted, levels[name].weight)
        return target, LadderMemory(read, levels, {name: after for name, (_, after) in fired.items()}, acted)
