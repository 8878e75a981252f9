"""What a book does in each regime of a market that switches between them: sums over the days on which each is in force."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax.numpy as jnp

from mcengine._model import Scalar
from mcengine.engine.recorder import AbstractRecorder, Day


class _Sums(NamedTuple):
    time: Scalar
    gain: Scalar
    square: Scalar
    drawdown: Scalar


@dataclass(frozen=True)
class InRegimes(AbstractRecorder):
    """By regime k, in force over a day where it is at its start: ``regime_<k>_time``, its share of the horizon; ``regime_<k>_gain`` and ``_square``,
    the sums of the daily returns and of their squares; ``regime_<k>_drawdown``, the mean over all days of the fall from the highest wealth so far,
    0 on those of other regimes. What is a year, or a mean over the days of k, is a ratio of their means (``objective.by_regime``).

    Args:
        regimes: Names of the market's, in their order.

    Example:
        >>> regimes = mc.market.Regimes(("calm", "crash"), {"calm-crash": 0.5, "crash-calm": 2.0})
        >>> market = mc.market.Market({"a": mc.market.RegimeGBM(100.0, {"calm": 0.1, "crash": 0.4})}, regimes=regimes)
        >>> mc.engine.InRegimes.of(market)
        (InRegimes(regimes=('calm', 'crash')),)
    """

    regimes: tuple[str, ...]

    @classmethod
    def of(cls, market: Any) -> "tuple[InRegimes, ...]":
        """The recorder for a market; none where it does not switch.

        Args:
            market: Of a study.

        Returns:
            One, or none: to be added to a study's recorders.
        """
        regimes = getattr(market, "regimes", None)
        return (cls(regimes.names),) if regimes is not None and len(regimes.names) > 1 else ()

    def check(self, study: Any) -> None:
        found = getattr(study.market, "regimes", None)
        if found is None:
            raise ValueError("InRegimes.regimes: expected a market with regimes, got one without")
        if tuple(self.regimes) != found.names:
            known, given = ", ".join(found.names), ", ".join(self.regimes)
            raise ValueError(f"InRegimes.regimes: expected the market's regimes in their order ({known}), got {given}")

    def start(self, day: Day) -> tuple[_Sums, ...]:
        return (_Sums(*(jnp.zeros_like(day.account.wealth),) * 4),) * len(self.regimes)

    def step(self, state: tuple[_Sums, ...], day: Day) -> tuple[_Sums, ...]:
        change = jnp.where(day.ruined, 0.0, day.account.wealth * day.per_wealth - 1.0)
        today = (1.0 / day.steps, change, change * change, (1.0 - day.account.wealth / day.account.high_water) / day.steps)
        added = lambda k, one: _Sums(*(total + jnp.where(day.regime == float(k), x, 0.0) for total, x in zip(one, today, strict=True)))  # noqa: E731
        return tuple(added(k, one) for k, one in enumerate(state))

    def finish(self, state: tuple[_Sums, ...], day: Day) -> dict[str, Scalar]:
        return {f"regime_{name}_{what}": x for name, one in zip(self.regimes, state, strict=True) for what, x in one._asdict().items()}
