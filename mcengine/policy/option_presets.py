"""Named policies that hold books of options and hedge them. Each is only a chain; ``weights`` is the mix they stand beside."""

from collections.abc import Mapping
from typing import Any

from mcengine._model import Scalar
from mcengine.policy.chain import Chain, chain
from mcengine.policy.delta_hedge import DeltaHedge
from mcengine.policy.greek_targets import GreekTargets
from mcengine.policy.hedge_band import HedgeBand, WhalleyWilmott
from mcengine.policy.minimum_variance import MinimumVariance
from mcengine.policy.mix import Mix
from mcengine.policy.option_book import OptionBook, OptionLeg
from mcengine.policy.puts import RolledPut

Weights = Mapping[str, Scalar]


def option_book(
    weights: Weights, legs: Mapping[str, OptionLeg], ratio: Scalar = 1.0, asset: str = "equity", through: str = "underlying", volatility: Any = None
) -> Chain:
    """The mix and a book of options on one of its assets, net delta held at zero.

    Args:
        weights: Fraction of wealth by asset.
        legs: An ``OptionLeg`` by name of its slot.
        ratio: Share of the delta that is hedged.
        asset: The asset that they are on.
        through: "underlying", "forward" or "future".
        volatility: At which deltas are taken: a number a year, ``Implied``, ``Realised`` or ``Leland``; None: the market's own deltas.
    """
    return chain(Mix(dict(weights)), OptionBook(dict(legs), asset), DeltaHedge(ratio, asset=asset, through=through, volatility=volatility))


def gamma_scalping(
    weights: Weights,
    coverage: Scalar = 1.0,
    width: Scalar | WhalleyWilmott = 0.0,
    tenor: int = 63,
    roll: int = 21,
    asset: str = "equity",
    volatility: Any = None,
) -> Chain:
    """Straddles at the money, bought for their gamma, whose delta is traded in a band.

    Args:
        weights: Fraction of wealth by asset.
        coverage: Straddles for each unit of the asset that the wealth would buy.
        width: Half-width of the band, the value of that much hedge as a fraction of wealth, or ``WhalleyWilmott``.
        tenor: Steps from a roll to the expiry.
        roll: Steps from one roll to the next, at most the tenor.
        asset: The asset that they are on.
        volatility: At which deltas are taken: a number a year, ``Implied``, ``Realised`` or ``Leland``; None: the market's own deltas.
    """
    legs = {f"straddle_{kind}": OptionLeg(kind, 1.0, coverage, tenor, roll) for kind in ("call", "put")}
    book = OptionBook(legs, asset, per="wealth")
    return chain(Mix(dict(weights)), book, DeltaHedge(asset=asset, volatility=volatility), HedgeBand(width))


def greek_targets(
    weights: Weights,
    moneyness: Scalar,
    targets: Mapping[str, Scalar],
    legs: Mapping[str, OptionLeg],
    coverage: Scalar = -1.0,
    tenor: int = 63,
    asset: str = "equity",
) -> Chain:
    """The mix and rolled puts, sold unless ``coverage`` is positive, whose delta, gamma and vega are held at targets by other options and the asset.

    Args:
        weights: Fraction of wealth by asset.
        moneyness: Strike of the puts as a fraction of the spot on the roll date.
        targets: Of "delta", "gamma", "vega", any of them (see ``GreekTargets``).
        legs: Options to hedge with, an ``OptionLeg`` of coverage 0 by name of its slot.
        coverage: Puts for each unit of the asset held; negative sells them.
        tenor: Steps from a roll to the expiry, when the next are sold.
        asset: The asset that they are on.
    """
    book = OptionBook({"put": OptionLeg("put", moneyness, coverage, tenor, tenor), **legs}, asset)
    return chain(Mix(dict(weights)), book, GreekTargets(dict(targets), tuple(legs), asset=asset))


def minimum_variance(
    weights: Weights, moneyness: Scalar, rho: Scalar, vol_of_vol: Scalar, tenor: int = 63, roll: int = 63, asset: str = "equity", through: str = ""
) -> Chain:
    """The mix and rolled puts, hedged so that the least variance is left of them.

    Args:
        weights: Fraction of wealth by asset.
        moneyness: Strike as a fraction of the spot on the roll date.
        rho: Correlation of the asset's price with its variance.
        vol_of_vol: Of the variance, a year.
        tenor: Steps from a roll to the expiry.
        roll: Steps from one roll to the next, at most the tenor.
        asset: The asset insured.
        through: The asset that hedges; empty for the same.
    """
    put = RolledPut(moneyness, 1.0, tenor, roll, asset)
    return chain(Mix(dict(weights)), put, MinimumVariance(rho, vol_of_vol, asset=asset, through=through))
