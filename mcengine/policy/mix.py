"""Constant mix: every date back to fixed fractions of wealth, the rest in cash."""

from typing import Any, ClassVar

from mcengine._model import Scalar, model, number
from mcengine.instrument import Target
from mcengine.policy.base import AbstractStage, Kind, Setting, validate_asset
from mcengine.policy.seen import Seen


@model
class Mix(AbstractStage):
    """Constant mix: fixed fractions of wealth, w_i V in asset i, the rest in cash; assets not named get none.

    Overlays make room for what their options are worth (see ``Fund``).

    Args:
        weights: Fraction of wealth by asset.
        leverage: Most that the weights may be in sum, in absolute value.
        named: Weights by name, beside those of ``weights``.

    Raises:
        ValueError: For weights beyond the leverage, or of an asset that the market lacks.

    Example:
        >>> import mcengine as mc
        >>> mc.policy.Mix(equity=0.6, bond=0.3)
        Mix(weights={equity: 0.6, bond: 0.3}, leverage=1)
    """

    weights: dict[str, Scalar] = number(term=True)
    leverage: Scalar = number(default=1.0, above=0.0, term=True)

    kind: ClassVar[Kind] = "allocator"

    def __init__(self, weights: dict[str, Scalar] | None = None, /, leverage: Scalar = 1.0, **named: Scalar) -> None:
        object.__setattr__(self, "weights", {**(weights or {}), **named})
        object.__setattr__(self, "leverage", leverage)
        self.__post_init__()  # type: ignore[attr-defined]

    def check(self) -> None:
        total = sum(abs(float(w)) for w in self.weights.values())
        if total > float(self.leverage) + 1e-9:
            raise ValueError(f"Mix.weights: expected at most leverage = {float(self.leverage):g} in sum (the rest is cash), got {total:g}")

    def validate(self, setting: Setting) -> None:
        for name in self.weights:
            validate_asset("Mix.weights", name, setting.assets)

    def act(self, target: Target, seen: Seen, memory: Any) -> tuple[Target, Any]:
        return target | {name: self.weights.get(name, 0.0) * seen.wealth / seen.prices[name] for name in seen.risky}, memory
