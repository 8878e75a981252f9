"""Triggers: when a rule acts. Each gives a weight between 0 and 1, 0 or 1 where gates are hard.

Any of several fires with 1 - prod(1 - w), all with prod w, not with 1 - w: smooth where the weights are.
"""

import abc
from typing import Any

import jax.numpy as jnp

from mcengine._model import Scalar, model, number
from mcengine._spelling import numbered
from mcengine.market import Signals
from mcengine.policy.base import AbstractPart, Setting
from mcengine.policy.seen import Seen


class AbstractTrigger(AbstractPart, abc.ABC):
    """Fires or not at a date, from what is seen at it and before. A new one: one file, one line in ``__init__``, one row in the test table."""

    @abc.abstractmethod
    def fires(self, seen: Seen, memory: Any) -> tuple[Scalar, Any]:
        """Whether it fires today.

        Args:
            seen: What is known today; its ``target`` is what the stages before want.
            memory: From the date before.

        Returns:
            (weight in [0, 1], memory for the next date).
        """


def check_trigger(where: str, trigger: Any) -> None:
    """Raise ``ValueError`` for what is no trigger.

    Args:
        where: What the message begins with.
        trigger: What was given.
    """
    if not isinstance(trigger, AbstractTrigger):
        raise ValueError(f"{where}: expected a trigger such as Drift, got {type(trigger).__name__}")


@model
class Not(AbstractTrigger):
    """Fires when ``trigger`` does not.

    Args:
        trigger: Any trigger.
    """

    trigger: Any

    def canonical(self) -> dict[str, Any]:
        check_trigger("Not.trigger", self.trigger)
        return {}

    @property
    def needs(self) -> tuple[str, ...]:  # type: ignore[override]
        return self.trigger.needs

    def signals(self) -> Signals:
        return self.trigger.signals()

    def validate(self, setting: Setting) -> None:
        self.trigger.validate(setting)

    def start(self, seen: Seen) -> Any:
        return self.trigger.start(seen)

    def fires(self, seen: Seen, memory: Any) -> tuple[Scalar, Any]:
        weight, memory = self.trigger.fires(seen, memory)
        return 1.0 - weight, memory


class _Several(AbstractTrigger):
    triggers: dict[str, Any]

    def __init__(self, *triggers: AbstractTrigger) -> None:
        if not triggers:
            raise ValueError(f"{type(self).__name__}: expected at least one trigger, got none")
        for trigger in triggers:
            check_trigger(type(self).__name__, trigger)
        object.__setattr__(self, "triggers", numbered(triggers))
        self.__post_init__()  # type: ignore[attr-defined]

    @property
    def needs(self) -> tuple[str, ...]:  # type: ignore[override]
        return tuple(dict.fromkeys(name for trigger in self.triggers.values() for name in trigger.needs))

    def signals(self) -> Signals:
        return tuple(pair for trigger in self.triggers.values() for pair in trigger.signals())

    def validate(self, setting: Setting) -> None:
        for trigger in self.triggers.values():
            trigger.validate(setting)

    def start(self, seen: Seen) -> dict[str, Any]:
        return {name: trigger.start(seen) for name, trigger in self.triggers.items()}

    def _weights(self, seen: Seen, memory: dict[str, Any]) -> tuple[list[Scalar], dict[str, Any]]:
        fired = {name: trigger.fires(seen, memory[name]) for name, trigger in self.triggers.items()}
        return [weight for weight, _ in fired.values()], {name: after for name, (_, after) in fired.items()}


@model
class AnyOf(_Several):
    """Fires when one of several does.

    Args:
        triggers: Triggers, each named after its class.
    """

    triggers: dict[str, Any] = number(flat=True)

    __init__ = _Several.__init__

    def fires(self, seen: Seen, memory: dict[str, Any]) -> tuple[Scalar, dict[str, Any]]:
        weights, memory = self._weights(seen, memory)
        return 1.0 - jnp.prod(jnp.stack([1.0 - jnp.asarray(w, jnp.result_type(float)) for w in weights])), memory


@model
class AllOf(_Several):
    """Fires when all of several do.

    Args:
        triggers: Triggers, each named after its class.
    """

    triggers: dict[str, Any] = number(flat=True)

    __init__ = _Several.__init__

    def fires(self, seen: Seen, memory: dict[str, Any]) -> tuple[Scalar, dict[str, Any]]:
        weights, memory = self._weights(seen, memory)
        return jnp.prod(jnp.stack([jnp.asarray(w, jnp.result_type(float)) for w in weights])), memory
