"""Named policies of static and portfolio insurance. Each is only a chain; ``weights`` is the mix it insures."""

from collections.abc import Mapping

from mcengine._model import Scalar
from mcengine.policy.calendar import Every
from mcengine.policy.chain import Chain, chain
from mcengine.policy.collar import Collar
from mcengine.policy.cppi import Cppi
from mcengine.policy.drawdown_control import DrawdownControl
from mcengine.policy.floors import Floor, HighWater
from mcengine.policy.mix import Mix
from mcengine.policy.obpi import Obpi, SyntheticPut
from mcengine.policy.put_spread import PutSpread
from mcengine.policy.rebalance import Rebalance
from mcengine.policy.stop_loss_reentry import StopLossReentry
from mcengine.policy.trigger import Not

Weights = Mapping[str, Scalar]


def buy_and_hold(weights: Weights) -> Chain:
    """The mix bought on the first date and held.

    Args:
        weights: Fraction of wealth by asset.
    """
    return chain(Mix(dict(weights)), Rebalance(Not(Every(1))))


def rebalanced(weights: Weights, every: int = 63) -> Chain:
    """The mix, brought back to its weights every so many dates.

    Args:
        weights: Fraction of wealth by asset.
        every: Steps from one date to the next.
    """
    return chain(Mix(dict(weights)), Rebalance(Every(every)))


def collar(weights: Weights, floor: Scalar, cap: Scalar | None = None, tenor: int = 63, roll: int = 63, asset: str = "equity") -> Chain:
    """The mix, and on one of its assets puts bought and calls sold, rolled.

    Args:
        weights: Fraction of wealth by asset.
        floor: Strike of the put as a fraction of the spot on the roll date.
        cap: Strike of the call; None: where it brings in what the put costs.
        tenor: Steps from a roll to the expiry.
        roll: Steps from one roll to the next, at most the tenor.
        asset: The asset insured.
    """
    return chain(Mix(dict(weights)), Collar(floor, cap, 1.0, tenor, roll, asset))


def put_spread(weights: Weights, upper: Scalar, lower: Scalar, tenor: int = 63, roll: int = 63, asset: str = "equity") -> Chain:
    """The mix, and on one of its assets puts bought and lower ones sold, rolled.

    Args:
        weights: Fraction of wealth by asset.
        upper: Strike of the put bought as a fraction of the spot on the roll date.
        lower: Strike of the put sold.
        tenor: Steps from a roll to the expiry.
        roll: Steps from one roll to the next, at most the tenor.
        asset: The asset insured.
    """
    return chain(Mix(dict(weights)), PutSpread(upper, lower, 1.0, tenor, roll, asset))


def stop_loss_reentry(weights: Weights, floor: Floor, buffer: Scalar = 0.0, rise: Scalar = 0.05) -> Chain:
    """The mix until it meets the floor, then cash until the mix has recovered.

    Args:
        weights: Fraction of wealth by asset.
        floor: Fraction of the starting wealth, due at the horizon; or any floor.
        buffer: Fraction of the floor by which it sells early.
        rise: Of the mix since it was sold at which it is bought again.
    """
    return chain(Mix(dict(weights)), StopLossReentry(floor, buffer, rise))


def cppi_on_dates(weights: Weights, floor: Floor, multiplier: Scalar = 4.0, leverage: Scalar = 1.0, every: int = 21) -> Chain:
    """The mix set to a multiple of the cushion on some dates only; what happens between them is the gap.

    Args:
        weights: Fraction of wealth by asset.
        floor: Fraction of the starting wealth, due at the horizon; or any floor.
        multiplier: Of the cushion.
        leverage: Most that the mix may be, as a multiple of wealth.
        every: Steps from one date to the next.
    """
    return chain(Mix(dict(weights)), Cppi(floor, multiplier, leverage, "set"), Rebalance(Every(every)))


def tipp(weights: Weights, floor: Scalar, multiplier: Scalar = 4.0) -> Chain:
    """Time-invariant portfolio protection: the mix scaled to a multiple of the cushion over a share of the highest wealth.

    Args:
        weights: Fraction of wealth by asset.
        floor: Share of the highest wealth.
        multiplier: Of the cushion.
    """
    return chain(Mix(dict(weights)), Cppi(HighWater(floor), multiplier))


def obpi(weights: Weights, floor: Scalar, asset: str = "equity") -> Chain:
    """The mix, and on one of its assets puts to the horizon that leave a share of what asset and puts cost.

    Args:
        weights: Fraction of wealth by asset.
        floor: Share that is left at the horizon.
        asset: The asset insured.
    """
    return chain(Mix(dict(weights)), Obpi(floor, asset))


def synthetic_put(weights: Weights, floor: Floor, volatility: Scalar | None = None) -> Chain:
    """The mix and cash as a put on the mix would have them.

    Args:
        weights: Fraction of wealth by asset.
        floor: Fraction of the starting wealth, due at the horizon; or any floor.
        volatility: Of the mix, a year; None: the market's own.
    """
    return chain(Mix(dict(weights)), SyntheticPut(floor, volatility))


def drawdown_control(weights: Weights, limit: Scalar, begins: Scalar = 0.0, halflife: Scalar | None = None) -> Chain:
    """The mix, less of it the further wealth has fallen from its recent highest.

    Args:
        weights: Fraction of wealth by asset.
        limit: Drawdown at which none is held.
        begins: Drawdown at which it begins to shrink.
        halflife: Of the mark's distance to wealth, steps; None: it never fades.
    """
    return chain(Mix(dict(weights)), DrawdownControl(limit, begins, halflife))
