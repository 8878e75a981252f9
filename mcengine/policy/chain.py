"""``chain``: a rule from stages, each handing its target to the next."""

import re
from typing import Any, ClassVar

from mcengine._model import model, number
from mcengine._spelling import near
from mcengine.instrument import Slot
from mcengine.policy.base import AbstractStage, Kind, Seen, Target


@model
class Chain(AbstractStage):
    """Stages by name, acting in order. Made by ``chain``."""

    stages: dict[str, Any] = number(flat=True)

    kind: ClassVar[Kind] = "allocator"

    def __getitem__(self, name: str) -> Any:
        if name not in self.stages:
            raise ValueError(f"policy: no stage {name!r}{near(name, self.stages)}")
        return self.stages[name]

    def slots(self) -> dict[str, Slot]:
        return {name: slot for stage in self.stages.values() for name, slot in stage.slots().items()}

    def beyond(self) -> int:
        return max(stage.beyond() for stage in self.stages.values())

    def validate(self, assets: tuple[str, ...], discount: float) -> None:
        for stage in self.stages.values():
            stage.validate(assets, discount)

    def start(self, seen: Seen) -> dict[str, Any]:
        return {name: stage.start(seen) for name, stage in self.stages.items()}

    def act(self, target: Target, seen: Seen, memory: dict[str, Any]) -> tuple[Target, dict[str, Any]]:
        after = {}
        for name, stage in self.stages.items():
            target, after[name] = stage.act(target, seen, memory[name])
        return target, after


def chain(*stages: AbstractStage) -> Chain:
    """Compose stages. The first must be an allocator; a stage met twice is named with a number.

    Raises ``ValueError`` when there is no allocator first, or two stages use one slot.
    """
    if not stages or stages[0].kind != "allocator":
        got = type(stages[0]).__name__ if stages else "nothing"
        raise ValueError(f"chain: expected an allocator (such as Mix) first, got {got}")
    named: dict[str, Any] = {}
    for stage in stages:
        base = re.sub(r"(?<!^)(?=[A-Z])", "_", type(stage).__name__).lower()
        copies = sum(name.rstrip("0123456789").rstrip("_") == base for name in named)
        named[base if not copies else f"{base}_{copies + 1}"] = stage
    slots = [name for stage in stages for name in stage.slots()]
    twice = sorted({name for name in slots if slots.count(name) > 1})
    if twice:
        raise ValueError(f"chain: expected each slot in one stage, got {', '.join(twice)} twice; give one a slot name of its own")
    return Chain(named)
