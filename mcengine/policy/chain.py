"""``chain``: a rule from stages, each handing its target to the next."""

from typing import Any

from mcengine._model import model, number
from mcengine._spelling import near, numbered
from mcengine.instrument import AbstractSlot, Target
from mcengine.market import AbstractSignal
from mcengine.policy.base import AbstractStage, Kind, Setting
from mcengine.policy.fund import Fund
from mcengine.policy.seen import Seen
from mcengine.policy.when import When

AFTER: dict[Kind, tuple[Kind, ...]] = {
    "allocator": ("filter", "hedge", "scaler", "overlay"),
    "scaler": ("filter",),
    "overlay": ("hedge",),
    "hedge": (),
    "filter": (),
}
"""Kinds that a stage may not follow: it would undo what they did, or they would not have seen what it does."""


@model
class Chain(AbstractStage):
    """Stages that act in order, each on the target of the one before; of the kind of the first. Made by ``chain``.

    Args:
        stages: By name.
    """

    stages: dict[str, Any] = number(flat=True)

    @property
    def kind(self) -> Kind:  # type: ignore[override]
        return next(iter(self.stages.values())).kind

    @property
    def needs(self) -> tuple[str, ...]:  # type: ignore[override]
        return tuple(dict.fromkeys(name for stage in self.stages.values() for name in stage.needs))

    def __getitem__(self, name: str) -> Any:
        if name not in self.stages:
            raise ValueError(f"policy: no stage {name!r}{near(name, self.stages)}")
        return self.stages[name]

    def slots(self) -> dict[str, AbstractSlot]:
        return {name: slot for stage in self.stages.values() for name, slot in stage.slots().items()}

    def signals(self) -> dict[str, AbstractSignal]:
        return shared([signal for stage in self.stages.values() for signal in stage.signals().items()])

    def validate(self, setting: Setting) -> None:
        for stage in self.stages.values():
            stage.validate(setting)

    def start(self, seen: Seen) -> dict[str, Any]:
        return {name: stage.start(seen) for name, stage in self.stages.items()}

    def terms(self, seen: Seen, memory: dict[str, Any]) -> dict[str, Any]:
        return {slot: terms for name, stage in self.stages.items() for slot, terms in stage.terms(seen, memory[name]).items()}

    def act(self, target: Target, seen: Seen, memory: dict[str, Any]) -> tuple[Target, dict[str, Any]]:
        after = {}
        for name, stage in self.stages.items():
            target, after[name] = stage.act(target, seen, memory[name])
        return target, after


def chain(*stages: AbstractStage) -> Chain:
    """Compose stages of any kind, chains included; a stage met twice is named with a number.

    A chain that starts with an allocator pays for its overlays together: ``Fund`` is added after the last of them.

    Args:
        stages: In the order in which they act: an allocator where there is one, scalers, overlays, hedges; a filter last of what it filters.

    Returns:
        The chain, of the kind of its first stage.

    Raises:
        ValueError: Without stages, where the order is none, or where two stages use one slot.

    Example:
        >>> import mcengine as mc
        >>> rule = mc.policy.chain(mc.policy.Mix(equity=0.6, bond=0.4), mc.policy.Cppi(floor=0.9), mc.policy.Band(0.01))
        >>> list(rule.stages)
        ['mix', 'cppi', 'band']
    """
    if not stages:
        raise ValueError("chain: expected at least one stage, got none")
    for stage in stages:
        if not isinstance(stage, AbstractStage):
            raise ValueError(f"chain: expected stages such as Mix or Cppi, got {type(stage).__name__}")
    _check_order(stages)
    slots = [name for stage in stages for name in stage.slots()]
    twice = sorted({name for name in slots if slots.count(name) > 1})
    if twice:
        raise ValueError(f"chain: expected each slot in one stage, got {', '.join(twice)} twice; give one a slot name of its own")
    overlays = [k for k, stage in enumerate(stages) if _buys(stage)]
    if stages[0].kind == "allocator" and overlays and not any(isinstance(stage, Fund) for stage in stages):
        stages = (*stages[: overlays[-1] + 1], Fund(), *stages[overlays[-1] + 1 :])
    return Chain(numbered(stages))


def _buys(stage: AbstractStage) -> bool:
    return any(slot.premium for slot in stage.slots().values())


def _check_order(stages: tuple[AbstractStage, ...]) -> None:
    """An allocator under a trigger or in a chain that starts with one may stand anywhere before the filters: it acts when it is asked to."""
    for k, stage in enumerate(stages):
        before = [other.kind for other in stages[:k]]
        barred = AFTER["scaler"] if isinstance(stage, When) and stage.kind == "allocator" else AFTER[stage.kind]
        if stage.kind == "allocator" and k and not isinstance(stage, When):
            raise ValueError(f"chain: expected an allocator first, or under a When, got {type(stage).__name__} after {type(stages[k - 1]).__name__}")
        wrong = [other for other in before if other in barred]
        if wrong:
            name = type(stages[before.index(wrong[0])]).__name__
            raise ValueError(f"chain: expected the {stage.kind} {type(stage).__name__} before the {wrong[0]} {name}, got it after")


def shared(signals: list[tuple[str, AbstractSignal]]) -> dict[str, AbstractSignal]:
    """Signals by name; of two with one name the first. ``Study`` refuses two that differ."""
    out: dict[str, AbstractSignal] = {}
    for name, signal in signals:
        out.setdefault(name, signal)
    return out
