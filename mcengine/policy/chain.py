"""``chain``: a rule from stages, each handing its target to the next."""

from typing import Any

from mcengine._model import model, number, replace
from mcengine._spelling import near, numbered
from mcengine.instrument import AbstractSlot, Target
from mcengine.market import Signals
from mcengine.policy.base import AbstractStage, Kind, Setting
from mcengine.policy.fund import Fund
from mcengine.policy.ladder import Ladder
from mcengine.policy.seen import Seen
from mcengine.policy.when import When

AFTER: dict[Kind, tuple[Kind, ...]] = {
    "allocator": ("filter", "hedge", "overlay"),
    "scaler": ("filter", "hedge", "overlay"),
    "overlay": ("filter", "hedge"),
    "hedge": ("filter",),
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

    def signals(self) -> Signals:
        return tuple(pair for stage in self.stages.values() for pair in stage.signals())

    def validate(self, setting: Setting) -> None:
        for stage in self.stages.values():
            stage.validate(setting)

    def remarks(self, setting: Setting) -> tuple[str, ...]:
        return tuple(line for stage in self.stages.values() for line in stage.remarks(setting))

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

    A chain that starts with an allocator pays for its overlays together: ``Fund`` is added after the last of them, and taken out of chains inside.

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
    return Chain(numbered(_funded(stages)))


def _funded(stages: tuple[Any, ...]) -> tuple[Any, ...]:
    """With one ``Fund`` after the last overlay, where the chain starts with an allocator: the outermost chain pays for all."""
    stages = tuple(_unfunded(stage) for stage in stages if not isinstance(stage, Fund))
    overlays = [k for k, stage in enumerate(stages) if "overlay" in kinds(stage)]
    if stages[0].kind != "allocator" or not overlays:
        return stages
    last = overlays[-1]
    if "hedge" in kinds(stages[last]):
        raise ValueError(
            f"chain: expected hedges after the overlays and what pays for them, got one inside {type(stages[last]).__name__}; put it after"
        )
    if isinstance(stages[0], When | Ladder):
        raise ValueError(f"chain: expected an allocator that acts on every date before overlays, got {type(stages[0]).__name__}")
    return (*stages[: last + 1], Fund(), *stages[last + 1 :])


def _unfunded(stage: Any) -> Any:
    if isinstance(stage, When):
        return replace(stage, stage=_unfunded(stage.stage))
    if isinstance(stage, Ladder):
        return replace(stage, rungs={name: replace(rung, stage=_unfunded(rung.stage)) for name, rung in stage.rungs.items()})
    if isinstance(stage, Chain):
        return Chain({name: _unfunded(one) for name, one in stage.stages.items() if not isinstance(one, Fund)})
    return stage


def kinds(stage: Any) -> tuple[Kind, ...]:
    """Kinds of a stage and of all inside it, in the order in which they act.

    Args:
        stage: Any stage; a ``Fund`` has none.
    """
    if isinstance(stage, When):
        return kinds(stage.stage)
    if isinstance(stage, Chain | Ladder):
        return tuple(kind for one in stage.stages.values() for kind in kinds(one))
    return () if isinstance(stage, Fund) else (stage.kind,)


def _check_order(stages: tuple[AbstractStage, ...]) -> None:
    """Every kind against all before it; an allocator comes first, or under a trigger."""
    before: list[tuple[Kind, str]] = []
    for k, stage in enumerate(stages):
        name = type(stage).__name__
        if stage.kind == "allocator" and k and not isinstance(stage, When | Ladder):
            raise ValueError(f"chain: expected an allocator first, or under a When, got {name} after {type(stages[k - 1]).__name__}")
        for kind in kinds(stage):
            wrong = next(((other, whose) for other, whose in before if other in AFTER[kind]), None)
            if wrong is not None:
                raise ValueError(f"chain: expected the {kind} {name} before the {wrong[0]} {wrong[1]}, got it after")
        before += [(kind, name) for kind in kinds(stage)]
