"""A trigger on the Greeks of the whole book."""

from typing import Any

import jax.numpy as jnp

from mcengine._model import Scalar, model, number, static
from mcengine.instrument import OF_BOOK, POWERS, gate
from mcengine.instrument.base import check_word
from mcengine.instrument.expiries import BUCKETS, reached
from mcengine.policy.base import Setting, validate_asset
from mcengine.policy.seen import Seen
from mcengine.policy.trigger import AbstractTrigger


@model
class GreekLimit(AbstractTrigger):
    """Fires while a Greek of what is wanted so far lies outside its limits, as a fraction of wealth: sum over assets of S^k G / V.

    delta S / V is the exposure; gamma S^2 / V what a relative move of 1 adds to it; vega / V what volatility up by 1 brings, theta / V a year,
    rho / V a rate up by 1; vanna S / V what volatility up by 1 adds to the exposure, volga / V what it adds to the vega. Smoothed by ``Study.width``
    in the same units.

    Args:
        greek: "delta", "gamma", "vega", "theta", "rho", "vanna" or "volga".
        high: Upper limit.
        low: Lower limit; None: -high.
        asset: Whose delta, gamma, vega, vanna or volga; empty for the sum over all.
        bucket: Contracts that count, by their years to expiry: "1m", "3m", "1y" or "longer" (see ``instrument.BUCKETS``); empty for the whole book.

    Raises:
        ValueError: For limits that exclude each other, an asset that the market lacks, or a Greek that the book does not have.

    Example:
        >>> import mcengine as mc
        >>> mc.policy.GreekLimit("delta", high=0.8, low=0.2).needs
        ('delta',)
    """

    greek: str = static()
    high: Scalar = number()
    low: Scalar | None = number(default=None)
    asset: str = static(default="")
    bucket: str = static(default="")

    def canonical(self) -> dict[str, Any]:
        check_word("GreekLimit.greek", self.greek, tuple(POWERS))
        if self.asset and self.greek in OF_BOOK:
            raise ValueError(f"GreekLimit.asset: expected no asset, as {self.greek} is of the whole book, got {self.asset!r}")
        if self.bucket:
            check_word("GreekLimit.bucket", self.bucket, tuple(BUCKETS))
        return {}

    def check(self) -> None:
        low = -self.high if self.low is None else self.low
        if not low < self.high:
            raise ValueError(f"GreekLimit.low: expected a number below high = {float(self.high):g}, got {float(low):g}; no book is within both")

    @property
    def needs(self) -> tuple[str, ...]:  # type: ignore[override]
        return (self.greek,)

    def validate(self, setting: Setting) -> None:
        if self.asset:
            validate_asset("GreekLimit.asset", self.asset, setting.assets)
        contracts = {n: slot for n, slot in setting.slots.items() if slot.schedule is not None and (not self.asset or self.asset in slot.assets)}
        where, of_book = f" on {self.asset!r}" if self.asset else "", self.greek in OF_BOOK
        if self.greek != "delta" and not (contracts if of_book else any(slot.premium for slot in contracts.values())):
            lacking = "contracts" if of_book else "options"
            raise ValueError(f"GreekLimit.greek: expected a Greek that the book has, got {self.greek!r} of a book without {lacking}{where}")
        known = reached(contracts, setting.steps, setting.dt) if self.bucket else ()
        if self.bucket and self.bucket not in known:
            has = f"those of {', '.join(known)}" if known else "no contracts"
            raise ValueError(f"GreekLimit.bucket: expected expiries that the book has, got {self.bucket!r} of a book with {has}")

    def fires(self, seen: Seen, memory: Any) -> tuple[Scalar, Any]:
        value, high, low = self.share(seen), self.high, -self.high if self.low is None else self.low
        seen.tell(f"{self.greek}_limit", {"share": value, "low": low, "high": high, "headroom": jnp.minimum(high - value, value - low)})
        over, under = gate(value - high, seen.width), gate(low - value, seen.width)
        return 1.0 - (1.0 - over) * (1.0 - under), memory

    def share(self, seen: Seen) -> Scalar:
        """The Greek as a fraction of wealth.

        Args:
            seen: What is known today; of its ``target`` where there is one, else of what is held.
        """
        found = getattr(seen.greeks(seen.target, bucket=self.bucket), self.greek)
        if self.greek in OF_BOOK:
            return found / seen.wealth
        names = (self.asset,) if self.asset else tuple(found)
        return sum((found[name] * seen.quotes[name].spot ** POWERS[self.greek] for name in names), start=0.0) / seen.wealth
