"""Heston and Bates from quoted implied volatilities: least squares in volatility points, every quote alike.

A price is Lewis' integral ("Option valuation under stochastic volatility", 2000) less that of Black at the expected variance w, whose pole it shares:
    call/F = Black(w) + sqrt(K/F)/pi int_0^inf Re{e^{-iuk} [phi_w(u - i/2) - phi(u - i/2)]} du/(u^2 + 1/4),   k = ln K/F,
by one Gauss-Legendre rule, and its volatility follows by Newton's method. The sum of squared errors has long flat valleys (kappa against vol of
vol): the best of several starts is kept, and errors are those of the linearised fit, s^2 (J'J)^{-1}.
"""

from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from mcengine.calibrate import arbitrage
from mcengine.market import Bates, Heston, HullWhite, Market
from mcengine.statistics import Estimate

_NODES, _SCALE = 256, 6.0
NEEDED = ("days", "zero_rate", "spot", "strike", "implied_vol")
_LOWER = {"v0": 1e-4, "kappa": 1e-2, "theta": 1e-4, "vol_of_vol": 1e-2, "rho": -0.999, "intensity": 1e-4, "jump_mean": -1.0, "jump_sd": 1e-3}
_UPPER = {"v0": 2.0, "kappa": 30.0, "theta": 2.0, "vol_of_vol": 6.0, "rho": 0.999, "intensity": 20.0, "jump_mean": 0.5, "jump_sd": 1.0}
_STARTS = {
    "heston": ([0.1, 1.0, 0.1, 0.5, -0.5], [0.15, 5.0, 0.08, 1.5, -0.6]),
    "bates": ([0.1, 1.0, 0.1, 0.5, -0.5, 0.3, -0.1, 0.1], [0.12, 2.0, 0.07, 0.5, -0.6, 1.0, -0.05, 0.1], [0.1, 1.0, 0.1, 0.4, -0.6, 0.1, -0.3, 0.2]),
}


@dataclass(frozen=True)
class Quotes:
    """Implied volatilities quoted on one day.

    Args:
        years: To expiry [quotes].
        strike: Currency [quotes].
        forward: Forward price for the expiry, currency [quotes].
        volatility: Implied volatility a year, a fraction [quotes].
        spot: Currency.
        name: What to call them in messages.
    """

    years: np.ndarray
    strike: np.ndarray
    forward: np.ndarray
    volatility: np.ndarray
    spot: float
    name: str = "quotes"

    @property
    def rate(self) -> HullWhite:
        """The curve on which spot grows to every forward quoted: zero rates by expiry, forward rates constant between, without volatility."""
        years, first = np.unique(self.years, return_index=True)
        zeros = np.log(self.forward[first] / self.spot) / years
        # Nothing reverts where nothing moves: any kappa is the same.
        return HullWhite(maturities=years, zeros=zeros, kappa=1.0, sigma=0.0)

    @property
    def warnings(self) -> list[str]:
        """What is odd in them and was let through."""
        found = arbitrage.butterflies(self)
        by_expiry = ", ".join(f"{count} at {days:g} days" for days, count in found.items())
        said = f"{self.name}: butterflies cost less than nothing at {sum(found.values())} strikes ({by_expiry}): kept"
        return [said] if found else []


@dataclass(frozen=True)
class SurfaceFit:
    """A model fitted to quoted volatilities.

    Args:
        model: heston or bates.
        asset: The model fitted, under Q (drift 0).
        parameters: Fitted numbers by name.
        quotes: The quotes.
        fitted: The model's volatilities [quotes].
        squares: Sum of squared errors, volatility points squared.
    """

    model: str
    asset: Any
    parameters: dict[str, Estimate]
    quotes: Quotes
    fitted: np.ndarray
    squares: float

    @property
    def market(self) -> Market:
        """The asset as ``equity`` under Q, on the curve of the quotes: forwards, and so prices, are those fitted."""
        return Market({"equity": self.asset}, rate=self.quotes.rate, measure="Q")

    @property
    def root_mean_square(self) -> float:
        """Typical error in points."""
        return float(np.sqrt(self.squares / self.fitted.size))

    def table(self) -> Any:
        """One row a quote (pandas): years, strike, quoted and fitted volatility, error in points."""
        import pandas as pd

        q = self.quotes
        columns = {
            "years": q.years,
            "strike": q.strike,
            "quoted": q.volatility,
            "fitted": self.fitted,
            "points": 100.0 * (self.fitted - q.volatility),
        }
        return pd.DataFrame(columns)


def read_quotes(data: str | Path | None = None, *, days_a_year: float = 365.0) -> Quotes:
    """Quotes from a CSV with columns days, zero_rate, spot, strike, implied_vol.

    Args:
        data: The file, or None for the shipped DAX surface of 5 July 2002.
        days_a_year: By which days to expiry become years.

    Raises:
        ValueError: Quotes are no positive numbers, a call rises with its strike, or total variance falls with expiry; row and column are named.

    Example:
        >>> quotes = mc.calibrate.read_quotes()
        >>> quotes.strike.size
        104
    """
    import pandas as pd

    source = files("mcengine.calibrate") / "data" / "dax_implied_vol.csv" if data is None else Path(data)
    if not source.is_file():
        raise ValueError(f"quotes: expected a CSV file, got {str(data)!r} which does not exist")
    with source.open("rb") as stream:
        frame = pd.read_csv(stream)
    missing = [c for c in NEEDED if c not in frame.columns]
    if missing:
        raise ValueError(f"quotes: {source.name} lacks columns {', '.join(missing)}")
    for c in NEEDED:
        values = np.asarray(pd.to_numeric(frame[c], errors="coerce"), float)
        bad = ~np.isfinite(values) | ((values <= 0.0) & (c != "zero_rate"))
        if bad.any():
            k = int(np.argmax(bad))
            raise ValueError(f"quotes: {source.name} row {k + 2} column {c}: expected a number above 0, got {frame[c].iloc[k]!r}")
    if frame["spot"].nunique() != 1:
        raise ValueError(f"quotes: {source.name}: expected one spot, got {frame['spot'].nunique()}")
    for days, rows in frame.groupby("days"):
        if rows["zero_rate"].nunique() != 1:
            raise ValueError(f"quotes: {source.name} at {days:g} days: expected one zero_rate, got {sorted(map(float, set(rows['zero_rate'])))}")
        twice = rows["strike"][rows["strike"].duplicated()]
        if len(twice):
            raise ValueError(f"quotes: {source.name} at {days:g} days: expected each strike once, got {twice.iloc[0]:g} again")
    years = frame["days"].to_numpy(float) / days_a_year
    spot = float(frame["spot"].iloc[0])
    forward = spot * np.exp(frame["zero_rate"].to_numpy(float) * years)
    quotes = Quotes(years, frame["strike"].to_numpy(float), forward, frame["implied_vol"].to_numpy(float), spot, source.name)
    arbitrage.check(quotes)
    return quotes


def fit_quotes(model: str = "heston", quotes: Quotes | None = None) -> SurfaceFit:
    """Fit Heston's or Bates's model to quoted volatilities by least squares, every quote alike.

    Args:
        model: heston or bates.
        quotes: The quotes, or None for the shipped ones.

    Raises:
        ValueError: The model is neither, or there are fewer quotes than twice its parameters.
    """
    from scipy.optimize import least_squares

    if model not in _STARTS:
        raise ValueError(f"model: expected heston or bates, got {model!r}")
    q = read_quotes() if quotes is None else quotes
    names = list(_LOWER)[: len(_STARTS[model][0])]
    if q.strike.size < 2 * len(names):
        raise ValueError(f"quotes: expected at least {2 * len(names)} for {model}, got {q.strike.size}")
    bounds = ([_LOWER[n] for n in names], [_UPPER[n] for n in names])
    errors = lambda x: 100.0 * (implied(x, q) - q.volatility)  # noqa: E731
    scale = np.array([0.05, 1.0, 0.05, 0.5, 0.3, 0.3, 0.1, 0.1])[: len(names)]
    tried = [least_squares(errors, start, bounds=bounds, x_scale=scale, xtol=1e-10, ftol=1e-10) for start in _STARTS[model]]
    best = min(tried, key=lambda t: t.cost)
    squares = float(2.0 * best.cost)
    slopes = np.asarray(best.jac, float)
    curvature = slopes.T @ slopes
    covariance = np.linalg.pinv(curvature) * squares / max(q.strike.size - len(names), 1)
    point = dict(zip(names, (float(v) for v in best.x), strict=True))
    parameters = {n: Estimate(v, float(e), q.strike.size) for (n, v), e in zip(point.items(), np.sqrt(np.diag(covariance)), strict=True)}
    asset: Any = {"heston": Heston, "bates": Bates}[model]
    asset = asset(spot=q.spot, **point)
    return SurfaceFit(model, asset, parameters, q, implied(best.x, q), squares)


def implied(x: Any, q: Quotes) -> np.ndarray:
    """Volatilities of all quotes under (v0, kappa, theta, vol_of_vol, rho[, intensity, jump_mean, jump_sd])."""
    k = np.log(q.strike / q.forward)
    years, which = np.unique(q.years, return_inverse=True)
    full = np.concatenate([np.asarray(x, float), np.array([0.0, 0.0, 0.1])[: 8 - len(x)] if len(x) < 8 else []])
    v0, kappa, theta, _, _, intensity, mean, sd = full
    w = theta * years - (v0 - theta) * np.expm1(-kappa * years) / kappa + intensity * years * (mean**2 + sd**2)
    total_volatility = np.sqrt(w)
    z, weight = _rule()
    u = z[None, :] / total_volatility[:, None]
    phi = _phi(full, u - 0.5j, years[:, None])
    gap = (np.exp(-0.5 * (z**2 + 0.25 * w[:, None])) - phi) * weight / (total_volatility[:, None] * (u**2 + 0.25))
    wave = np.real(np.exp(-1j * u[which] * k[:, None]) * gap[which]).sum(axis=1)
    price = arbitrage.call(k, total_volatility[which]) + np.exp(0.5 * k) / np.pi * wave
    return arbitrage.total_volatility(k, price, total_volatility[which]) / np.sqrt(q.years)


def _phi(x: np.ndarray, u: np.ndarray, years: np.ndarray) -> np.ndarray:
    import jax

    from mcengine.pricing import characteristic

    with jax.enable_x64(True):
        v0, kappa, theta, xi, rho, intensity, mean, sd = (float(value) for value in x)
        a, b = characteristic.heston(u, years, kappa, theta, xi, rho)
        return np.asarray(np.exp(np.asarray(a) + np.asarray(b) * v0 + intensity * years * np.asarray(characteristic.normal_jumps(u, mean, sd))))


@lru_cache(maxsize=1)
def _rule() -> tuple[np.ndarray, np.ndarray]:
    t, weight = np.polynomial.legendre.leggauss(_NODES)
    t = 0.5 * (t + 1.0)
    return _SCALE * t / (1.0 - t), 0.5 * _SCALE * weight / (1.0 - t) ** 2
