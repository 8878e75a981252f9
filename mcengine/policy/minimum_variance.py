"""Minimum-variance hedge under stochastic volatility, through the asset itself or others.

An option on A moves by dC = delta dS_A + C_v dv. Of hedges in B_1..B_n those that leave the least variance hold -h of them,
    h = Sigma^{-1} c,   Sigma_ij = cov(dS_i, dS_j),   c_i = (delta + rho xi / S_A C_v) cov(dS_A, dS_i),
C_v the derivative by the variance, rho xi v dt = cov(dS_A / S_A, dv): the normal equations of a regression of dC on all dS_i, which leave 1 - R^2 of
its variance. (Bakshi, Cao & Chen, "Empirical performance of alternative option pricing models", J. Finance 52(5), 1997; Hull & White, "Optimal delta
hedging for options", J. Banking & Finance 82, 2017; several hedges: Ederington, J. Finance 34(1), 1979; Anderson & Danthine, J. Finance 36(5), 1981.)
"""

from typing import Any, ClassVar

from mcengine._model import Scalar, model, number, static
from mcengine.instrument import AbstractSlot, Target, Underlying
from mcengine.policy.base import AbstractStage, Kind, Setting, positive_ratio, validate_asset
from mcengine.policy.greek_targets import solved
from mcengine.policy.seen import Seen
from mcengine.pricing.black import root

MOST = 3
"""Assets to hedge through: what correlations of more say of each other is noise."""

RIDGE = 1e-4
"""Added to correlations' diagonal: two assets that move as one share the hedge, and neither is held by the thousand."""


@model
class MinimumVariance(AbstractStage):
    """Hedges the options and other contracts on one asset by the units of it, of another, or of several that leave the least variance over a step.

    Args:
        rho: Correlation of the asset's price with its variance.
        vol_of_vol: xi of dv = ... + xi sqrt(v) dW, a year.
        ratio: Share of the hedge that is held.
        asset: Whose contracts are hedged.
        through: The asset that hedges them, or up to three together; empty for the same.
        slot: Name of the hedge's slot; of several each is named ``<slot>_<asset>``.

    Raises:
        ValueError: For an asset that the market lacks, more than three or one twice, or a book without contracts on it.

    Example:
        >>> import mcengine as mc
        >>> hedge = mc.policy.MinimumVariance(rho=-0.7, vol_of_vol=0.5)
        >>> list(mc.policy.chain(mc.policy.Mix(equity=1.0), mc.policy.RolledPut(0.95), hedge).stages)
        ['mix', 'rolled_put', 'fund', 'minimum_variance']
        >>> list(mc.policy.MinimumVariance(asset="commodity", through=("equity", "bond")).slots())
        ['minimum_variance_equity', 'minimum_variance_bond']
    """

    rho: Scalar = number(default=0.0, low=-1.0, high=1.0, term=True)
    vol_of_vol: Scalar = number(default=0.0, low=0.0, term=True)
    ratio: Scalar = number(default=1.0, low=0.0)
    asset: str = static(default="equity")
    through: str | tuple[str, ...] = static(default="")
    slot: str = static(default="minimum_variance")

    kind: ClassVar[Kind] = "hedge"
    needs: ClassVar[tuple[str, ...]] = ("delta", "variance_vega")

    def canonical(self) -> dict[str, Any]:
        through = self.through or self.asset
        if isinstance(through, str):
            return {"through": through}
        named = isinstance(through, list | tuple) and all(isinstance(one, str) for one in through)
        if not named or len(through) > MOST or len(set(through)) < len(through):
            raise ValueError(f"MinimumVariance.through: expected up to {MOST} assets, each once, got {through!r}")
        return {"through": tuple(through) if len(through) > 1 else through[0]}

    @property
    def _slots(self) -> dict[str, str]:
        """Assets by slot."""
        if isinstance(self.through, str):
            return {self.slot: self.through}
        return {f"{self.slot}_{asset}": asset for asset in self.through}

    def slots(self) -> dict[str, AbstractSlot]:
        return {slot: Underlying(asset) for slot, asset in self._slots.items()}

    def validate(self, setting: Setting) -> None:
        validate_asset("MinimumVariance.asset", self.asset, setting.assets)
        for asset in self._slots.values():
            validate_asset("MinimumVariance.through", asset, setting.assets)
        if not self._hedged(setting.slots):
            raise ValueError(f"MinimumVariance.asset: expected a book with options or contracts on {self.asset!r}, got none")

    def act(self, target: Target, seen: Seen, memory: Any) -> tuple[Target, Any]:
        spot = seen.quotes[self.asset].spot
        greeks = seen.greeks(target, of=self._hedged(seen.slots))
        exposure = greeks.delta[self.asset] + self.rho * self.vol_of_vol / spot * greeks.variance_vega[self.asset]
        return target | {slot: -self.ratio * exposure * beta for slot, beta in self._betas(seen).items()}, memory

    def _betas(self, seen: Seen) -> dict[str, Scalar]:
        """Units by slot for a unit of the asset, by the market's own variances and correlations."""
        if self.through == self.asset:
            return {self.slot: 1.0}
        one, others = self.asset, tuple(self._slots.values())
        variance = {name: seen.variance_of({n: 1.0 * (n == name) for n in seen.risky}) for name in dict.fromkeys((one, *others))}

        def covariance(a: str, b: str) -> Scalar:
            both = {n: 1.0 * (n == a) + 1.0 * (n == b) for n in seen.risky}
            return variance[a] if a == b else 0.5 * (seen.variance_of(both) - variance[a] - variance[b])

        if len(others) == 1:
            betas = [positive_ratio(covariance(one, others[0]), variance[others[0]])]
        else:
            scale = {name: positive_ratio(1.0, root(variance[name])) for name in others}
            between = [[covariance(a, b) * scale[a] * scale[b] for b in others] for a in others]
            shares = solved(between, [covariance(one, name) * scale[name] for name in others], RIDGE)
            betas = [share * scale[name] for share, name in zip(shares, others, strict=True)]
        spot = seen.quotes[one].spot
        return {slot: beta * spot / seen.quotes[name].spot for (slot, name), beta in zip(self._slots.items(), betas, strict=True)}

    def _hedged(self, slots: Any) -> tuple[str, ...]:
        return tuple(name for name, slot in slots.items() if slot.premium and self.asset in slot.assets)
