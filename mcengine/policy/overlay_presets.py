"""Named policies of overlays and several assets. Each is only a chain; ``weights`` is the mix that it protects."""

from collections.abc import Mapping

from mcengine._model import Scalar
from mcengine.instrument import FutureOption, Rolled, VarianceSwap
from mcengine.instrument.base import STEPS_PER_YEAR, AbstractContract
from mcengine.market import Ewma
from mcengine.policy.base import AbstractStage
from mcengine.policy.chain import Chain, chain
from mcengine.policy.contract_overlay import ContractOverlay
from mcengine.policy.cppi import Cppi
from mcengine.policy.delta_hedge import DeltaHedge
from mcengine.policy.event_overlay import EventOverlay
from mcengine.policy.floors import Floor
from mcengine.policy.forward_overlay import ForwardOverlay
from mcengine.policy.greek_limit import GreekLimit
from mcengine.policy.leg_target import LegTarget
from mcengine.policy.liability import Liability
from mcengine.policy.mix import Mix
from mcengine.policy.neural import Neural
from mcengine.policy.neural_hedge import NeuralHedge
from mcengine.policy.puts import RolledPut
from mcengine.policy.ratchet_put import RatchetPut
from mcengine.policy.reduce import Reduce
from mcengine.policy.variance_trade import VarianceTrade
from mcengine.policy.when import When

Weights = Mapping[str, Scalar]


def event_overlay(weights: Weights, event: str, date: int | None, move: Scalar | None = None, vega: Scalar = 0.5, floor: Scalar = 0.9) -> Chain:
    """The mix with straddles on its equity over an announced event; after it puts that tighten in a rally.

    Args:
        weights: Fraction of wealth by asset.
        event: Name of the event in the market.
        date: Steps from the start to the event; None: history's own dates, and puts from the start.
        move: Log-move that the event is priced at; None: the market's own.
        vega: Gain for a volatility higher by 1 and a move of 1, fraction of wealth.
        floor: From which the cushion of the puts counts, fraction of the starting wealth.
    """
    return chain(Mix(dict(weights)), EventOverlay(event, date, vega, move), RatchetPut(0.95, floor, since=date or 0))


def variance_swap(
    weights: Weights, swap: VarianceSwap, size: Scalar = 5.0, cap: Scalar = 0.2, threshold: Scalar = 0.01, halflife: Scalar = 20.0, tenor: int = 21
) -> Chain:
    """The mix and a variance swap, bought where its fair volatility is below what was realised of late, sold where it is above.

    Args:
        weights: Fraction of wealth by asset.
        swap: Its expiry in years from each roll.
        size: Vega for a gap of 1, as a fraction of wealth.
        cap: Most vega, long or short, as a fraction of wealth.
        threshold: Least gap that is traded, a volatility a year.
        halflife: Of the weights of past returns in the forecast, steps.
        tenor: Steps from a roll to the expiry and to the next roll.
    """
    return chain(
        Mix(dict(weights)), VarianceTrade(Ewma(swap.asset, halflife), size, cap, threshold, tenor=tenor, roll=tenor, asset=swap.asset, swap=swap)
    )


def variance_trade(
    weights: Weights, size: Scalar = 5.0, cap: Scalar = 0.2, threshold: Scalar = 0.01, halflife: Scalar = 20.0, asset: str = "equity"
) -> Chain:
    """The mix and delta-hedged straddles, bought where their volatility is below what was realised of late, sold where it is above.

    Args:
        weights: Fraction of wealth by asset.
        size: Vega for a gap of 1, as a fraction of wealth.
        cap: Most vega, long or short, as a fraction of wealth.
        threshold: Least gap that is traded, a volatility a year.
        halflife: Of the weights of past returns in the forecast, steps.
        asset: The asset they are written on.
    """
    trade = VarianceTrade(Ewma(asset, halflife), size, cap, threshold, asset=asset)
    return chain(Mix(dict(weights)), trade, DeltaHedge(asset=asset))


def neural_cppi(weights: Weights, floor: Floor, multiplier: Scalar = 4.0, hidden: int = 8, seed: int = 0) -> Chain:
    """CPPI and a network that a fit makes correct it; untrained it is CPPI.

    Args:
        weights: Fraction of wealth by asset.
        floor: Fraction of the starting wealth, due at the horizon; or any floor.
        multiplier: Of the cushion.
        hidden: Units of the hidden layer.
        seed: Of the first layer's numbers.
    """
    return chain(Mix(dict(weights)), Neural(Cppi(floor, multiplier), hidden=hidden, seed=seed))


def deep_hedge(contract: AbstractContract, sizes: Weights, received: Scalar = 0.0, hidden: int = 16, seed: int = 0) -> Chain:
    """A contract owed on the whole wealth, and a network that hedges it, which holds nothing until trained (Buehler, Gonon, Teichmann & Wood 2019).

    Args:
        contract: Owed at the horizon; strikes and payoffs are fractions of the asset's spot at the start.
        sizes: By asset hedged with, share of wealth that 1 of the network's output holds at the start.
        received: For the contract, a fraction of the spot.
        hidden: Units of each hidden layer.
        seed: Of the hidden layers' numbers.
    """
    return chain(Mix(), Liability(contract, received=received), NeuralHedge(dict(sizes), hidden=hidden, seed=seed))


def cross_asset(
    weights: Weights,
    targets: Weights,
    hedged: Weights,
    options: Scalar = 0.5,
    moneyness: Scalar = 0.95,
    tenor: int = 63,
    deliveries: Weights | None = None,
    limits: Mapping[str, Weights] | None = None,
    share: Scalar = 0.5,
) -> Chain:
    """Legs on several assets, each at a volatility of its own, each hedged by puts and by forwards sold; on a commodity by puts on futures.

    Limits hold for the whole book: while a Greek is outside, all that is wanted is held at ``share``.

    Args:
        weights: Fraction of wealth by asset.
        targets: Volatility a year of each leg, by asset.
        hedged: Share of each leg that is hedged, by asset.
        options: Share of that by puts; the rest is sold forward.
        moneyness: Strike of the puts as a fraction of the spot on the roll date.
        tenor: Steps, 252 a year, from a roll to the expiry and to the next roll.
        deliveries: Of the futures that puts are written on, years from each roll, by asset; other puts are on the asset itself.
        limits: ``high`` and, where it is not -high, ``low`` by Greek, as ``GreekLimit`` measures them.
        share: Of the book that is held while a limit is broken.

    Raises:
        ValueError: For limits that exclude each other, or that less of the book does not lead to.
    """

    def put(asset: str, coverage: Scalar) -> AbstractStage:
        if asset not in (deliveries or {}):
            return RolledPut(moneyness, coverage, tenor, tenor, asset, f"{asset}_put")
        contract = FutureOption("put", moneyness, tenor / STEPS_PER_YEAR, (deliveries or {})[asset], asset)
        return ContractOverlay(contract, coverage, asset, f"{asset}_put", Rolled(tenor, tenor))

    puts = [put(asset, options * share) for asset, share in hedged.items()]
    sold = [ForwardOverlay(-(1.0 - options) * share, asset, "forward", f"{asset}_forward", tenor, tenor) for asset, share in hedged.items()]
    return chain(Mix(dict(weights)), LegTarget(dict(targets)), *puts, *sold, *_limited(limits or {}, share))


def _limited(limits: Mapping[str, Weights], share: Scalar) -> list[AbstractStage]:
    """A stage for each limit, in order: one that is met after another has been kept sees what is left."""
    for greek, given in limits.items():
        where = f"cross_asset.limits.{greek}"
        if not isinstance(given, Mapping) or "high" not in given or not set(given) <= {"high", "low"}:
            raise ValueError(f"{where}: expected high, and low where it is not -high, got {given!r}")
        known = [x for x in (given["high"], given.get("low")) if x is not None]
        if given["high"] is None or not all(isinstance(x, int | float) and not isinstance(x, bool) for x in known):
            raise ValueError(f"{where}: expected numbers, got {given!r}")
        low, high = known[-1] if len(known) == 2 else -known[0], known[0]
        if low < high and not low <= 0.0 <= high:
            raise ValueError(f"{where}: expected limits on either side of 0, which less of the book leads to, got {low:g} and {high:g}")
    return [When(GreekLimit(greek, given["high"], given.get("low")), Reduce(share)) for greek, given in limits.items()]
