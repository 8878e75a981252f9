"""The Greeks of a book along its path, in the units of limits on them."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from mcengine._model import Scalar
from mcengine._spelling import near
from mcengine.engine.recorder import AbstractRecorder, Day
from mcengine.instrument import BUCKETS, OF_BOOK, POWERS


class _Kept(NamedTuple):
    today: dict[str, Scalar]
    sum: dict[str, Scalar]
    most: dict[str, Scalar]


@dataclass(frozen=True)
class BookGreeks(AbstractRecorder):
    """``<greek>_<asset>``, the mean over dates of S^k G / V of what is held after each trade, as ``GreekLimit`` measures it, and
    ``most_<greek>_<asset>``, its largest absolute value; ``theta`` and ``rho`` of the whole book. By expiry also ``<greek>_<asset>_<bucket>`` of the
    contracts alone. In a trace every date's.

    Args:
        greeks: Names among ``instrument.POWERS``.
        by_expiry: Whether sums by years to expiry are kept too (see ``instrument.BUCKETS``).

    Raises:
        ValueError: For another Greek.

    Example:
        >>> import mcengine as mc
        >>> rule = mc.policy.chain(mc.policy.Mix(equity=0.6), mc.policy.RolledPut(0.95))
        >>> market = mc.market.Market({"equity": mc.market.GBM(spot=100.0, sigma=0.2)}, rate=0.03)
        >>> study = mc.Study(market, rule, steps=12, recorders=(mc.engine.BookGreeks(("vega",)),))
        >>> sorted(study.run(64, progress=False)["policy"])
        ['most_vega_equity', 'vega_equity']
    """

    greeks: tuple[str, ...] = ("delta", "gamma", "vega", "theta", "vanna", "volga")
    by_expiry: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "greeks", (self.greeks,) if isinstance(self.greeks, str) else tuple(self.greeks))
        for name in self.greeks:
            if name not in POWERS:
                raise ValueError(f"BookGreeks.greeks: unknown Greek {name!r}{near(name, POWERS)}")

    @property
    def needs(self) -> tuple[str, ...]:  # type: ignore[override]
        return self.greeks

    def start(self, day: Day) -> _Kept:
        zero = jnp.zeros_like(day.account.wealth)
        names = [n if n in OF_BOOK else f"{n}_{asset}" for n in self.greeks for asset in (day.quotes if n not in OF_BOOK else ("",))]
        nothing = dict.fromkeys([f"{name}{tail}" for name in names for tail in ("", *self._tails())], zero)
        return _Kept(nothing, nothing, nothing)

    def step(self, state: _Kept, day: Day) -> _Kept:
        today = {}
        for tail in ("", *self._tails()):
            found = day.traded_greeks(tail.removeprefix("_"))
            for name in self.greeks:
                greek = getattr(found, name)
                if name in OF_BOOK:
                    today[f"{name}{tail}"] = greek
                    continue
                for asset, quote in day.earlier.items():
                    today[f"{name}_{asset}{tail}"] = greek.get(asset, 0.0) * quote.spot ** POWERS[name]
        today = {name: value * day.per_wealth + jnp.zeros_like(day.account.wealth) for name, value in today.items()}
        most = {name: jnp.maximum(state.most[name], jnp.abs(value)) for name, value in today.items()}
        return _Kept(today, jax.tree.map(jnp.add, state.sum, today), most)

    def finish(self, state: _Kept, day: Day) -> dict[str, Scalar]:
        return {name: total / day.steps for name, total in state.sum.items()} | {f"most_{name}": value for name, value in state.most.items()}

    def columns(self, state: _Kept) -> dict[str, Any]:
        return state.today

    def _tails(self) -> list[str]:
        return [f"_{bucket}" for bucket in BUCKETS] if self.by_expiry else []
