"""Weights that meet targets of delta, gamma and vega at least cost, over options held in slots of stages before and the asset itself.

With x0 the units held, A the Greeks of one unit of each hedge (rows: delta, S gamma, vega / S), b what is missing and C the costs of a unit,
    min 1/2 (x - x0)' C (x - x0) + |A (x - x0) - b|^2 / (2 e^2)   gives   x = x0 + C^{-1} A' (A C^{-1} A' + e^2)^{-1} b,
one small linear system, eliminated by hand; e = 0 would meet every target at whatever size.
"""

from typing import Any, ClassVar

import jax.numpy as jnp

from mcengine._model import Scalar, model, number, static
from mcengine._spelling import near
from mcengine.instrument import AbstractSlot, OptionSlot, Target, Underlying
from mcengine.instrument.base import check_word
from mcengine.policy.base import AbstractStage, Kind, Setting, slot_names, validate_asset
from mcengine.policy.seen import Seen

POWERS = {"delta": 0, "gamma": 1, "vega": -1}
"""Of the spot, which make a Greek of one option a plain number."""


@model
class GreekTargets(AbstractStage):
    """Holds the hedges' slots at the units that bring the Greeks of options and contracts on one asset to targets; the sleeve itself is left alone.

    Cash pays for the hedges. An ``OptionBook`` with coverage 0 holds slots to hedge with. Near expiry, far from the strike, an option has next to no
    gamma and vega: ``ridge`` keeps such a one from being held by the thousand.

    Args:
        targets: Of "delta", "gamma", "vega", any of them, as fractions of wealth (see ``GreekLimit``): delta S / V, gamma S^2 / V, vega / V.
        through: Slots of options that stages before hold on the asset, to hedge with.
        costs: Of trading one unit, relative to each other, by slot; 1 where not named, .01 of the asset itself.
        ridge: e, the Greek of a unit that is worth hedging with.
        asset: The asset.
        slot: Name of a slot of the asset itself, which is traded where there is a target of delta.

    Raises:
        ValueError: For an unknown target or slot, or more targets than hedges.

    Example:
        >>> import mcengine as mc
        >>> hedge = mc.policy.OptionBook({"hedge": mc.policy.OptionLeg("call", coverage=0.0, tenor=126)})
        >>> rule = mc.policy.chain(mc.policy.Mix(equity=1.0), mc.policy.RolledPut(0.95), hedge, mc.policy.GreekTargets({"vega": 0.0}, ("hedge",)))
        >>> list(rule.stages)
        ['mix', 'rolled_put', 'option_book', 'fund', 'greek_targets']
    """

    targets: dict[str, Scalar] = number()
    through: tuple[str, ...] = static(default=())
    costs: dict[str, Scalar] | None = number(default=None, above=0.0)
    ridge: Scalar = number(default=1e-3, above=0.0)
    asset: str = static(default="equity")
    slot: str = static(default="greek_hedge")

    kind: ClassVar[Kind] = "hedge"

    def canonical(self) -> dict[str, Any]:
        if not isinstance(self.targets, dict) or not self.targets:
            raise ValueError(f"GreekTargets.targets: expected a dict of targets by Greek, got {self.targets!r}")
        for name in self.targets:
            check_word("GreekTargets.targets", name, tuple(POWERS))
        through = slot_names("GreekTargets.through", self.through)
        for name in self.costs or ():
            if name not in (*through, self.slot):
                raise ValueError(f"GreekTargets.costs: unknown slot {name!r}{near(name, (*through, self.slot))}")
        if len(through) + ("delta" in self.targets) < len(self.targets):
            raise ValueError(f"GreekTargets.through: expected as many slots as targets beside delta ({', '.join(self.targets)}), got {len(through)}")
        return {"through": through}

    @property
    def needs(self) -> tuple[str, ...]:  # type: ignore[override]
        return tuple(self.targets)

    def slots(self) -> dict[str, AbstractSlot]:
        return {self.slot: Underlying(self.asset)} if "delta" in self.targets else {}

    def validate(self, setting: Setting) -> None:
        validate_asset("GreekTargets.asset", self.asset, setting.assets)
        for name in self.through:
            if name not in setting.slots:
                raise ValueError(f"GreekTargets.through: unknown slot {name!r}{near(name, setting.slots)}")
            if not isinstance(setting.slots[name], OptionSlot) or setting.slots[name].asset != self.asset:
                raise ValueError(f"GreekTargets.through: expected slots of options on {self.asset!r}, got {name}")

    def act(self, target: Target, seen: Seen, memory: Any) -> tuple[Target, Any]:
        spot, hedges = seen.quotes[self.asset].spot, (*self.through, *self.slots())
        book = tuple(name for name, slot in seen.slots.items() if slot.premium and self.asset in slot.assets)
        unit = {name: {"delta": {self.asset: 1.0}} if name == self.slot else seen.on_offer(name).mark.greeks for name in hedges}  # type: ignore[union-attr]
        held = seen.greeks(target, of=(*book, *self.slots()))
        rows, missing = [], []
        for greek, wanted in self.targets.items():
            power = spot ** POWERS[greek]
            rows.append([power * unit[name].get(greek, {}).get(self.asset, 0.0) for name in hedges])
            missing.append(wanted * seen.wealth / spot - power * getattr(held, greek)[self.asset])
        costs = [(self.costs or {}).get(name, 0.01 if name == self.slot else 1.0) for name in hedges]
        normal = [[sum(a * b / c for a, b, c in zip(one, other, costs, strict=True)) for other in rows] for one in rows]
        duals = solved(normal, missing, self.ridge**2)
        moves = [sum(row[k] * dual for row, dual in zip(rows, duals, strict=True)) / cost for k, cost in enumerate(costs)]
        return target | {name: target[name] + move for name, move in zip(hedges, moves, strict=True)}, memory


def solved(matrix: list[list[Scalar]], right: list[Scalar], ridge: Scalar) -> list[Scalar]:
    """x of (A + ridge) x = b, A symmetric and not negative, by elimination: its pivots are never below the ridge but for rounding.

    Args:
        matrix: A, by row.
        right: b.
        ridge: Added to the diagonal, above 0.
    """
    n = len(right)
    a = [[matrix[i][j] + (ridge if i == j else 0.0) for j in range(n)] for i in range(n)]
    b = list(right)
    for k in range(n):
        a[k][k] = jnp.maximum(a[k][k], ridge)
        for i in range(k + 1, n):
            factor = a[i][k] / a[k][k]
            a[i] = [x - factor * y for x, y in zip(a[i], a[k], strict=True)]
            b[i] = b[i] - factor * b[k]
    for k in reversed(range(n)):
        b[k] = (b[k] - sum(a[k][j] * b[j] for j in range(k + 1, n))) / a[k][k]
    return b
