"""How dear insurance is where volatility has a skew: what a put far out of the money costs over its price at one flat volatility."""

from typing import Any

import numpy as np

from mcengine.calibrate import Quotes, arbitrage
from mcengine.pricing import SurfacePricer
from mcengine.pricing.surface import LONGEST, SHORTEST, WIDEST

SKEWS = (0.0, 1.0, 1.5)
"""Of the slope fitted to the DAX surface: none, as fitted, half as much again."""


def put_dearness(quotes: Quotes, *, moneyness: float = 0.76, skews: tuple[float, ...] = SKEWS) -> Any:
    """A put's price over that at the volatility at the money, as quoted and on ``SurfacePricer`` at each skew.

    Expiries are left out that have no quotes on both sides, or for which the surface is not stated.

    Args:
        quotes: Of one underlying's options; the surface is given their volatility at the money.
        moneyness: Strike over forward.
        skews: Multiples of the surface's fitted slope.

    Returns:
        A pandas table, one row an expiry.
    """
    import pandas as pd

    rows, k, put_at = {}, np.log(quotes.strike / quotes.forward), float(np.log(moneyness))
    for years in np.unique(quotes.years):
        at = np.flatnonzero(quotes.years == years)
        at = at[np.argsort(k[at])]
        sigma, quoted = (float(x) for x in np.interp([0.0, put_at], k[at], quotes.volatility[at]))
        if not (k[at[0]] <= put_at < 0.0 <= k[at[-1]] and SHORTEST <= years <= LONGEST and -put_at <= WIDEST * sigma * years**0.5):
            continue
        volatilities = {"quoted": quoted}
        for skew in skews:
            surface = SurfacePricer(skew=skew)
            # A VIX at its long-run level stays there: total variance at the money is sigma^2 T.
            vix = sigma * float(surface.vix_over_atm)
            volatilities[f"x{skew:g}"] = SurfacePricer(level=vix**2, skew=skew).volatility(moneyness, 1.0, float(years), vix)
        flat = _put(put_at, sigma * years**0.5)
        own = {"at the money, %": 100.0 * sigma, "flat price, % of forward": 100.0 * flat}
        rows[f"{365.0 * years:.0f} days"] = own | {name: _put(put_at, v * years**0.5) / flat for name, v in volatilities.items()}
    return pd.DataFrame.from_dict(rows, orient="index")


def _put(k: float, total_volatility: float) -> float:
    return float(arbitrage.call(np.array(k), np.array(total_volatility))) - 1.0 + float(np.exp(k))
