"""Named policies. Each is only a chain; ``weights`` is the mix it protects."""

from collections.abc import Mapping

from mcengine._model import Scalar
from mcengine._spelling import near
from mcengine.instrument import Rolled
from mcengine.instrument.base import AbstractContract
from mcengine.market import RealisedCorrelation, Trend
from mcengine.market.volatility import AbstractVolatility
from mcengine.policy.adaptive_hedge import AdaptiveHedge, Lean
from mcengine.policy.chain import Chain, chain
from mcengine.policy.contract_overlay import ContractOverlay
from mcengine.policy.cppi import Cppi
from mcengine.policy.delta_hedge import DeltaHedge
from mcengine.policy.derisk import Derisk
from mcengine.policy.floors import Floor
from mcengine.policy.forecast_vol_target import ForecastVolTarget
from mcengine.policy.forward_overlay import ForwardOverlay
from mcengine.policy.gauge import Underwater
from mcengine.policy.ladder import Ladder
from mcengine.policy.mix import Mix
from mcengine.policy.puts import DeltaPut, RolledPut, StaticPut
from mcengine.policy.rebalance import Band
from mcengine.policy.rung import Rung
from mcengine.policy.stop_loss import StopLoss
from mcengine.policy.vol_target import VolTarget

Weights = Mapping[str, Scalar]


def unhedged(weights: Weights) -> Chain:
    """The mix alone: benchmark A.

    Args:
        weights: Fraction of wealth by asset.
    """
    return chain(Mix(dict(weights)))


def static_put(weights: Weights, floor: Scalar, coverage: Scalar = 1.0, asset: str = "equity") -> Chain:
    """The mix and puts on one of its assets, bought at the start: benchmark B.

    Args:
        weights: Fraction of wealth by asset.
        floor: Strike as a fraction of the spot at the start.
        coverage: Puts for each unit of the asset held.
        asset: The asset insured.
    """
    return chain(Mix(dict(weights)), StaticPut(floor, coverage, asset))


def rolled_put(weights: Weights, moneyness: Scalar, coverage: Scalar = 1.0, tenor: int = 63, roll: int = 63, asset: str = "equity") -> Chain:
    """The mix and shorter puts on one of its assets, rolled.

    Args:
        weights: Fraction of wealth by asset.
        moneyness: Strike as a fraction of the spot on the roll date.
        coverage: Puts for each unit of the asset held.
        tenor: Steps from a roll to the expiry.
        roll: Steps from one roll to the next, at most the tenor.
        asset: The asset insured.
    """
    return chain(Mix(dict(weights)), RolledPut(moneyness, coverage, tenor, roll, asset))


def delta_put(weights: Weights, delta: Scalar, coverage: Scalar = 1.0, tenor: int = 63, roll: int = 63, asset: str = "equity") -> Chain:
    """The mix and puts of one delta on one of its assets, rolled.

    Args:
        weights: Fraction of wealth by asset.
        delta: Of the put bought, without its sign.
        coverage: Puts for each unit of the asset held.
        tenor: Steps from a roll to the expiry.
        roll: Steps from one roll to the next, at most the tenor.
        asset: The asset insured.
    """
    return chain(Mix(dict(weights)), DeltaPut(delta, coverage, tenor, roll, asset))


def stop_loss(weights: Weights, floor: Floor, buffer: Scalar = 0.0) -> Chain:
    """The mix until it meets the floor's present value, then cash.

    Args:
        weights: Fraction of wealth by asset.
        floor: Fraction of the starting wealth, due at the horizon; or any floor.
        buffer: Fraction of the floor's present value by which it sells early.
    """
    return chain(Mix(dict(weights)), StopLoss(floor, buffer))


def cppi(weights: Weights, floor: Floor, multiplier: Scalar = 4.0, tolerance: Scalar = 0.0) -> Chain:
    """The mix scaled to a multiple of the cushion.

    Args:
        weights: Fraction of wealth by asset.
        floor: Fraction of the starting wealth, due at the horizon; or any floor.
        multiplier: Of the cushion.
        tolerance: Of the no-trade band, fraction of wealth.
    """
    return chain(Mix(dict(weights)), Cppi(floor, multiplier), Band(tolerance))


def vol_target_cppi(
    weights: Weights,
    floor: Floor,
    target: Scalar = 0.10,
    halflife: Scalar = 20.0,
    multiplier: Scalar = 4.0,
    tolerance: Scalar = 0.01,
    initial: Scalar | None = None,
) -> Chain:
    """The mix at a volatility target, then scaled to a multiple of the cushion, traded outside a band.

    Args:
        weights: Fraction of wealth by asset.
        floor: Fraction of the starting wealth, due at the horizon; or any floor.
        target: Volatility a year.
        halflife: Of the weights of past returns, steps.
        multiplier: Of the cushion.
        tolerance: Of the no-trade band, fraction of wealth.
        initial: First estimate of the mix's volatility a year; None: the market's own.
    """
    return chain(Mix(dict(weights)), VolTarget(target, halflife, initial), Cppi(floor, multiplier), Band(tolerance))


def overlay_book(
    weights: Weights,
    floor: Floor,
    target: Scalar = 0.10,
    halflife: Scalar = 20.0,
    multiplier: Scalar = 4.0,
    moneyness: Scalar = 0.90,
    coverage: Scalar = 0.5,
    tolerance: Scalar = 0.01,
    tenor: int = 63,
    asset: str = "equity",
) -> Chain:
    """The mix at a volatility target, scaled to a multiple of the cushion, with rolled puts on what it holds against a jump through the floor.

    Args:
        weights: Fraction of wealth by asset.
        floor: Fraction of the starting wealth, due at the horizon; or any floor.
        target: Volatility a year.
        halflife: Of the weights of past returns, steps.
        multiplier: Of the cushion.
        moneyness: Strike of the puts as a fraction of the spot on the roll date.
        coverage: Puts for each unit of the asset held.
        tolerance: Of the no-trade band, fraction of wealth.
        tenor: Steps, 252 a year, from a roll to the expiry and to the next roll.
        asset: The asset insured.
    """
    stages = (Mix(dict(weights)), VolTarget(target, halflife), Cppi(floor, multiplier))
    return chain(*stages, RolledPut(moneyness, coverage, tenor, tenor, asset), Band(tolerance))


def hedged_put(
    weights: Weights, moneyness: Scalar, ratio: Scalar = 1.0, tenor: int = 63, roll: int = 63, asset: str = "equity", through: str = "underlying"
) -> Chain:
    """The mix and rolled puts on one of its assets whose delta is hedged, so that what they leave is gamma and vega.

    Args:
        weights: Fraction of wealth by asset.
        moneyness: Strike as a fraction of the spot on the roll date.
        ratio: Share of the delta that is hedged.
        tenor: Steps from a roll to the expiry.
        roll: Steps from one roll to the next, at most the tenor.
        asset: The asset insured.
        through: "underlying", "forward" or "future".
    """
    put = RolledPut(moneyness, 1.0, tenor, roll, asset)
    return chain(Mix(dict(weights)), put, DeltaHedge(ratio, asset=asset, through=through))


def forward_overlay(
    weights: Weights, ratio: Scalar = -0.5, tenor: int = 63, roll: int = 63, asset: str = "equity", through: str = "forward"
) -> Chain:
    """The mix with part of one asset's exposure sold forward.

    Args:
        weights: Fraction of wealth by asset.
        ratio: Forwards for each unit of the asset; negative sells them.
        tenor: Steps from a roll to the delivery.
        roll: Steps from one roll to the next, at most the tenor.
        asset: The asset overlaid.
        through: "forward" or "future".
    """
    return chain(Mix(dict(weights)), ForwardOverlay(ratio, asset, through, tenor=tenor, roll=roll))


def contract_overlay(
    weights: Weights, contract: AbstractContract, coverage: Scalar = 1.0, asset: str = "equity", roll: int = 63, approximate: bool = False
) -> Chain:
    """The mix and any contract on one of its assets, written on fractions of the spot and rolled when it expires.

    Args:
        weights: Fraction of wealth by asset.
        contract: Its expiry in years from each roll, its strikes and barriers as fractions of the spot then.
        coverage: Contracts for each unit of the asset held; negative sells them.
        asset: The asset covered.
        roll: Steps from one roll to the next, as long as the contract lives.
        approximate: Whether a formula that is not exact for the market may mark it.
    """
    overlay = ContractOverlay(contract, coverage, asset, schedule=Rolled(roll, roll), approximate=approximate)
    return chain(Mix(dict(weights)), overlay)


def ladder(
    weights: Weights,
    tighten: Scalar = 0.05,
    derisk: Scalar = 0.10,
    stop: Scalar = 0.15,
    recovered: Scalar = 0.5,
    halflife: Scalar = 63.0,
    kept: Mapping[str, Scalar] | None = None,
) -> Chain:
    """The mix by levels of its drawdown: at half of ``tighten`` it is watched, then three quarters, half and none of it are held. It recovers.

    Args:
        weights: Fraction of wealth by asset.
        tighten: Drawdown at which three quarters are held.
        derisk: Drawdown at which half of that is.
        stop: Drawdown at which all is sold.
        recovered: A level is left below this fraction of the drawdown that it was entered at, after 1, 5, 10 and 21 dates.
        halflife: Dates in which the high is half forgotten.
        kept: Share that a level leaves of what is held, by its name; 1 for a level that is left out, None for those above.

    Raises:
        ValueError: For a name that is no level's.
    """
    share = {"tighten": 0.75, "derisk": 0.5, "stop": 0.0}
    for name in kept or {}:
        if name not in share:
            raise ValueError(f"kept: unknown level {name!r}{near(name, share)}")
    share |= kept or {}
    rungs = {
        "watch": Rung(0.5 * tighten, 0.5 * recovered * tighten),
        "tighten": Rung(tighten, recovered * tighten, Derisk(share["tighten"]), cooldown=5),
        "derisk": Rung(derisk, recovered * derisk, Derisk(share["derisk"]), cooldown=10),
        "stop": Rung(stop, recovered * stop, Derisk(share["stop"]), cooldown=21),
    }
    return chain(Mix(dict(weights)), Ladder(rungs, Underwater(halflife)))


def vol_target(weights: Weights, volatility: AbstractVolatility, target: Scalar = 0.10, leverage: Scalar = 1.0, tolerance: Scalar = 0.01) -> Chain:
    """The mix at a volatility target, by any forecast of its volatility, traded outside a band.

    Args:
        weights: Fraction of wealth by asset.
        volatility: ``Rolling``, ``Garch``, ``Har`` or ``Own``.
        target: Volatility a year.
        leverage: Most that the mix is multiplied by.
        tolerance: Of the no-trade band, fraction of wealth.
    """
    return chain(Mix(dict(weights)), ForecastVolTarget(target, volatility, leverage=leverage), Band(tolerance))


def adaptive_hedge(
    weights: Weights, ratio: Scalar = 0.2, trend: Scalar = 2.0, correlation: Scalar = 0.3, asset: str = "equity", other: str = "bond"
) -> Chain:
    """The mix with a share of one asset sold that grows as its trend falls and as another asset stops to diversify it.

    Args:
        weights: Fraction of wealth by asset.
        ratio: Share sold where there is no trend and no correlation.
        trend: Added for each unit by which ln of the spot is below its mean of some 60 steps.
        correlation: Added for each unit of correlation between the two assets.
        asset: The asset sold.
        other: The asset that diversifies it.
    """
    leans = {"trend": Lean(Trend(asset), -1.0 * trend), "correlation": Lean(RealisedCorrelation(asset, other), correlation)}
    return chain(Mix(dict(weights)), AdaptiveHedge(ratio, leans, asset=asset))
