"""Minimum-variance hedge under stochastic volatility and through another asset.

An option on A moves by dC = delta dS_A + C_v dv. Of hedges in B that which leaves the least variance holds -beta of them,
    beta = cov(dC, dS_B) / var(dS_B) = (delta + rho xi / S_A C_v) cov(dS_A, dS_B) / var(dS_B),
C_v the derivative by the variance, rho xi v dt = cov(dS_A / S_A, dv). (Bakshi, Cao & Chen, "Empirical performance of alternative option pricing
models", J. Finance 52(5), 1997; Hull & White, "Optimal delta hedging for options", J. Banking & Finance 82, 2017.)
"""

from typing import Any, ClassVar

from mcengine._model import Scalar, model, number, static
from mcengine.instrument import AbstractSlot, Target, Underlying
from mcengine.policy.base import AbstractStage, Kind, Setting, positive_ratio, validate_asset
from mcengine.policy.seen import Seen


@model
class MinimumVariance(AbstractStage):
    """Hedges the options and other contracts on one asset by the units of it, or of another, that leave the least variance over the next step.

    Args:
        rho: Correlation of the asset's price with its variance.
        vol_of_vol: xi of dv = ... + xi sqrt(v) dW, a year.
        ratio: Share of the hedge that is held.
        asset: Whose contracts are hedged.
        through: The asset that hedges them; empty for the same.
        slot: Name of the hedge's slot.

    Raises:
        ValueError: For an asset that the market lacks, or a book without contracts on it.

    Example:
        >>> import mcengine as mc
        >>> hedge = mc.policy.MinimumVariance(rho=-0.7, vol_of_vol=0.5)
        >>> list(mc.policy.chain(mc.policy.Mix(equity=1.0), mc.policy.RolledPut(0.95), hedge).stages)
        ['mix', 'rolled_put', 'fund', 'minimum_variance']
    """

    rho: Scalar = number(default=0.0, low=-1.0, high=1.0, term=True)
    vol_of_vol: Scalar = number(default=0.0, low=0.0, term=True)
    ratio: Scalar = number(default=1.0, low=0.0)
    asset: str = static(default="equity")
    through: str = static(default="")
    slot: str = static(default="minimum_variance")

    kind: ClassVar[Kind] = "hedge"
    needs: ClassVar[tuple[str, ...]] = ("delta", "variance_vega")

    def canonical(self) -> dict[str, Any]:
        return {"through": self.through or self.asset}

    def slots(self) -> dict[str, AbstractSlot]:
        return {self.slot: Underlying(self.through)}

    def validate(self, setting: Setting) -> None:
        validate_asset("MinimumVariance.asset", self.asset, setting.assets)
        validate_asset("MinimumVariance.through", self.through, setting.assets)
        if not self._hedged(setting.slots):
            raise ValueError(f"MinimumVariance.asset: expected a book with options or contracts on {self.asset!r}, got none")

    def act(self, target: Target, seen: Seen, memory: Any) -> tuple[Target, Any]:
        spot = seen.quotes[self.asset].spot
        greeks = seen.greeks(target, of=self._hedged(seen.slots))
        exposure = greeks.delta[self.asset] + self.rho * self.vol_of_vol / spot * greeks.variance_vega[self.asset]
        return target | {self.slot: -self.ratio * exposure * self._beta(seen)}, memory

    def _beta(self, seen: Seen) -> Scalar:
        """cov(dS_A, dS_B) / var(dS_B), by the market's own variances and correlation."""
        if self.through == self.asset:
            return 1.0
        one, other = self.asset, self.through
        variance = lambda a, b: seen.variance_of({n: a * (n == one) + b * (n == other) for n in seen.risky})  # noqa: E731
        covariance = 0.5 * (variance(1.0, 1.0) - variance(1.0, 0.0) - variance(0.0, 1.0))
        return positive_ratio(covariance, variance(0.0, 1.0)) * seen.quotes[one].spot / seen.quotes[other].spot

    def _hedged(self, slots: Any) -> tuple[str, ...]:
        return tuple(name for name, slot in slots.items() if slot.premium and self.asset in slot.assets)
