"""A market from a table of prices: a model for each column, a rate, and the correlation of their Brownian motions.

Correlations are of each row's increment divided by the volatility known the row before, rows likelier than not to hold a jump left out. With x and y
standardised a correlation c moves by the mean of x y - c (x^2 + y^2)/2, and its error is of that mean: by the long-run variance, over as many rows as
the data depend on themselves (Politis & Romano 1995, see ``statistics.dependence``). Where single pairs do not make a positive definite matrix
together, the nearest is taken. Assets of model ``regime_gbm`` share hidden regimes, found together, and have a correlation in each.
"""

import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from typing import Any

import numpy as np
from tqdm import tqdm

from mcengine._model import replace
from mcengine.calibrate import curve, garch, jumps, reverting, stochastic_volatility
from mcengine.calibrate.asset_fit import Fit, check_enough, ewma_volatility, log_prices, shown
from mcengine.calibrate.inputs import RATES, Known, choose_models, of_file, of_shipped
from mcengine.calibrate.regimes import RegimeFit, fit_regimes
from mcengine.engine import correlations
from mcengine.history import Prices, shipped
from mcengine.history.days import LEAST_POINTS
from mcengine.history.reader import is_shipped
from mcengine.market import Market
from mcengine.statistics import Estimate
from mcengine.statistics.dependence import long_run_variance

_NO_RATE = "rate 0, for a file names none: give rate= (market.rate= where a run makes the market) a number, or a model and the columns of yields"


@dataclass(frozen=True)
class MarketFit:
    """A market fitted to prices, and what it was made of.

    Args:
        market: The market.
        fits: Fits by asset, and of ``rate``.
        regimes: Fit of the regimes, or None.
        curve: Fit of the yield curve, or None.
        correlations: Between Brownian motions, by pair.
        prices: The table fitted to.
        notes: What was used and assumed, a line each.
    """

    market: Market
    fits: dict[str, Fit]
    regimes: RegimeFit | None
    curve: curve.CurveFit | None
    correlations: dict[str, Estimate]
    prices: Prices
    notes: list[str]

    @property
    def remarks(self) -> list[str]:
        """What is to be said before the market is used: what the data was taken to be, and where cash earns nothing for want of a rate."""
        if self.prices.taken.startswith(shipped.FILE):
            return [f"data: the shipped {self.prices.taken.partition(', daily')[0]}; data=my.csv is a file of yours"]
        return [*self.prices.notes, *(note for note in self.notes if note == _NO_RATE)]

    @property
    def parameters(self) -> dict[str, Estimate]:
        """Every fitted number by dotted name."""
        out = {f"{name}.{key}": e for name, fit in self.fits.items() for key, e in fit.parameters.items()}
        out |= self.regimes.parameters if self.regimes else {}
        out |= {f"rate.{key}": e for key, e in self.curve.parameters.items()} if self.curve else {}
        return out | {f"correlation.{pair}": e for pair, e in self.correlations.items()}

    def table(self) -> Any:
        """One row a parameter, value ± standard error (pandas)."""
        import pandas as pd

        rows = {
            name: {"value": e.value, "standard_error": e.error, "shown": str(e) if name.startswith("correlation.") else shown(e)}
            for name, e in self.parameters.items()
        }
        return pd.DataFrame.from_dict(rows, orient="index")

    def diagnostics(self) -> Any:
        """One row a fit (pandas): its model, log likelihood, AIC and moments of its residuals."""
        import pandas as pd

        rows = {name: {"model": fit.model} | fit.diagnostics() for name, fit in self.fits.items()}
        if self.regimes is not None:  # their likelihood is of all assets together
            found = self.regimes
            for e, (name, asset) in zip(found.residuals.T, found.assets.items(), strict=True):
                one = Fit("regime_gbm", asset, {}, found.log_likelihood, found.coordinates, e, e, e)
                rows[name] = {"model": one.model} | one.diagnostics()
        return pd.DataFrame.from_dict(rows, orient="index")

    def realised_correlation(self, paths: int = 256) -> Any:
        """Target correlation between Brownian motions, and that realised by simulated standardised steps without jumps.

        Args:
            paths: Simulated paths.

        Returns:
            pandas table, one row a pair, of each regime (see ``engine.correlations``).
        """
        import pandas as pd

        quiet = {n: replace(a, intensity=0.0) if hasattr(a, "intensity") else a for n, a in self.market.assets.items()}
        days = next((int(float(a.days)) for a in quiet.values() if hasattr(a, "days")), 252)
        found = correlations(replace(self.market, assets=quiet), paths, steps=days)
        tables = {regime: c.table() for regime, c in found.items() if len(c.names) > 1}
        if len(tables) < 2:
            return next(iter(tables.values()), pd.DataFrame())
        return pd.concat([t.rename(index=lambda pair, r=regime: f"{r}: {pair}") for regime, t in tables.items()])


def fit_prices(
    data: Any = None,
    *,
    models: Mapping[str, str] | None = None,
    model: str | None = None,
    columns: Any = None,
    start: Any = None,
    end: Any = None,
    implied: Mapping[str, str] | None = None,
    dividends: Mapping[str, float] | None = None,
    rate: float | str | None = None,
    yields: Mapping[str, float] | None = None,
    regimes: int = 2,
    innovations: str = "normal",
    say: Callable[[str], None] = lambda text: None,
) -> MarketFit:
    """Fit a model to each column of a file of prices, a rate, and the correlation of their Brownian motions.

    Args:
        data: File, table, dict of the arguments of ``history.read``, or ``Prices``; None: the shipped history's equity, bond and commodity.
        models: Model by column: gbm, heston, merton, kou, bates, gjr_garch, schwartz or regime_gbm.
        model: For the other columns; None: heston, gbm and schwartz for the shipped ones, else heston where there are rows enough, else gbm.
        columns: Headings to use, or None for all.
        start: First date, like 2001-09-10, or None for the first there is.
        end: Last date, or None.
        implied: For a heston or bates column the column of its quoted 30-day volatility in points.
        dividends: Yield a year by column, added to the drift.
        rate: Continuously compounded rate a year, or vasicek (fitted to the shortest of ``yields``) or hull_white (to all of them).
        yields: Maturity in years of each column of yields (percent).
        regimes: Number of regimes of regime_gbm columns, 2 to 4.
        innovations: Of gjr_garch, normal or t.
        say: Called with a line of text before each fit.

    Raises:
        ValueError: The data are not as expected, there are too few for a model, or a name is unknown.
    """
    given, span = Known(dict(implied or {}), dict(dividends or {}), dict(yields or {}), dict(models or {})), (start, end)
    table, known = of_shipped(columns, span, rate, given, model, implied is None) if is_shipped(data) else of_file(data, columns, span, rate, given)
    chosen = choose_models(table, known, model)
    names = list(chosen)
    frame, dt, rows = table.frame, 1.0 / table.rows_per_year, len(table.frame)
    for name in names:
        check_enough(name, chosen[name], rows, table.rows_per_year)
        log_prices(name, chosen[name], frame[name].to_numpy(), frame.index)
    fits = _fit_each({n: m for n, m in chosen.items() if m != "regime_gbm"}, frame, dt, known, innovations, say)
    hidden = [n for n in names if chosen[n] == "regime_gbm"]
    found = None
    if hidden:
        say(f"{', '.join(hidden)}: {regimes} regimes from {rows:,} rows")
        found = fit_regimes({n: frame[n].to_numpy() for n in hidden}, dt, count=regimes, dividends=known.dividends)
    interest, fitted_curve, notes = _rate(rate, known.yields, table, dt, fits, say)
    units = {n: fits[n].unit for n in names if n in fits} | _hidden_units(found, hidden, frame)
    units = {n: units[n] for n in names}
    if interest is not None and not isinstance(interest, float):
        units["rate"] = fits["rate"].unit if "rate" in fits else _changes(frame, known.yields, dt)
    pairs = _correlations(units)
    market, distance = _market(names, fits, found, pairs, interest)
    if distance > 0.0:
        notes.append(f"the pairs' correlations make no positive definite matrix: the nearest was taken, {distance:.2g} away")
    notes = [*table.notes, *notes, f"{table.rows_per_year:.1f} rows a year; errors of correlations by their long-run variance"]
    notes += [f"{n}: {note}" for n, fit in fits.items() for note in fit.notes]
    notes += [note for one in (found, fitted_curve) if one is not None for note in one.notes]
    return MarketFit(market, fits, found, fitted_curve, pairs, table, notes)


def _fit_each(models: Mapping[str, str], frame: Any, dt: float, known: Known, innovations: str, say: Callable[[str], None]) -> dict[str, Fit]:
    """By asset, as many at a time as there are processors: what takes long runs outside Python's lock. A bar says how far it is."""
    found: dict[str, Fit] = {}
    with ThreadPoolExecutor(os.cpu_count()) as pool, tqdm(total=len(models), desc="calibrate", unit="asset", disable=None, leave=False) as bar:
        waiting = {pool.submit(_fit_one, name, model, frame, dt, known, innovations): name for name, model in models.items()}
        try:
            for done in as_completed(waiting):
                name = waiting[done]
                found[name] = done.result()
                bar.update()
                say(f"{name}: {models[name]} from {len(frame):,} rows ({len(found)} of {len(models)})")
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return {name: found[name] for name in models}


def _fit_one(name: str, model: str, frame: Any, dt: float, known: Known, innovations: str) -> Fit:
    quoted, dividend = known.implied.get(name), known.dividends.get(name, 0.0)
    prices = frame[name].to_numpy(float)
    if model == "schwartz":
        return reverting.fit_schwartz(prices, dt, name=name)
    if model in ("heston", "bates"):
        implied = None if quoted is None else frame[quoted].to_numpy(float) / 100.0
        if implied is not None and not (np.all(implied > 0.0) and 100.0 * implied.max() >= LEAST_POINTS):
            span = f"{100.0 * implied.min():g} to {100.0 * implied.max():g}"
            raise ValueError(f"implied.{name}: expected volatilities above 0 in points, as 20 for 20 %, got {span} in {quoted}")
        fit = stochastic_volatility.fit_heston if model == "heston" else stochastic_volatility.fit_bates
        return fit(prices, dt, implied=implied, dividend=dividend)
    if model == "gjr_garch":
        return garch.fit_gjr_garch(prices, dt, dividend=dividend, innovations=innovations)
    return {"gbm": jumps.fit_gbm, "merton": jumps.fit_merton, "kou": jumps.fit_kou}[model](prices, dt, dividend=dividend)


def _rate(
    rate: Any, yields: Mapping[str, float], table: Prices, dt: float, fits: dict[str, Fit], say: Callable[[str], None]
) -> tuple[Any, Any, list[str]]:
    """(the market's rate, the curve's fit, notes)."""
    if isinstance(rate, str):
        if rate not in RATES:
            raise ValueError(f"rate: expected a number, vasicek or hull_white, got {rate!r}")
        check_enough("rate", rate, len(table.frame), table.rows_per_year)
        by_maturity = sorted(yields, key=lambda c: yields[c])
        say(f"rate: {rate} from {', '.join(by_maturity)}")
        if rate == "vasicek":
            short = by_maturity[0]
            fits["rate"] = reverting.fit_vasicek(np.log1p(table.frame[short].to_numpy(float) / 100.0), dt)
            return fits["rate"].asset, None, [f"rate: the yield {short}, continuously compounded; theta is the mean under P, no term premium"]
        found = curve.fit_hull_white(table.frame[by_maturity].to_numpy(float) / 100.0, [yields[c] for c in by_maturity], dt)
        return found.rate, found, []
    if rate is None:
        bill = table.frame.attrs.get("bill")
        if bill is None:
            return 0.0, None, [_NO_RATE]
        return bill, None, [f"rate {bill:.2%}: the last 3-month bill"]
    return float(rate), None, [f"rate {float(rate):.2%}, as given"]


def _changes(frame: Any, yields: Mapping[str, float], dt: float) -> np.ndarray:
    moved = np.diff(frame[min(yields, key=lambda c: yields[c])].to_numpy(float))
    return moved / (ewma_volatility(moved, dt) * dt**0.5)


def _hidden_units(found: RegimeFit | None, hidden: list[str], frame: Any) -> dict[str, np.ndarray]:
    """Returns over the expected volatility of the day's regime."""
    if found is None:
        return {}
    out = {}
    for name in hidden:
        sigma = np.array([float(s) for s in found.assets[name].sigma.values()])
        out[name] = np.diff(np.log(frame[name].to_numpy(float))) / np.sqrt(found.known @ sigma**2)
    return out


def _correlations(units: Mapping[str, np.ndarray]) -> dict[str, Estimate]:
    """Estimates by pair, each from the rows both have."""
    names = list(units)
    return {f"{a}-{b}": correlation(units[a], units[b]) for j, b in enumerate(names) for a in names[:j]}


def correlation(x: np.ndarray, y: np.ndarray) -> Estimate:
    """Of two series [rows], NaN where one is not seen; its error counts how they depend on themselves."""
    both = np.isfinite(x) & np.isfinite(y)
    x, y = ((v[both] - v[both].mean()) / v[both].std() for v in (x, y))
    value = float(np.mean(x * y))
    variance, _ = long_run_variance(x * y - 0.5 * value * (x**2 + y**2))
    return Estimate(value, float(np.sqrt(variance / x.size)), x.size, "windows")


def _market(
    names: list[str], fits: Mapping[str, Fit], found: RegimeFit | None, between: Mapping[str, Estimate], interest: Any
) -> tuple[Market, float]:
    """(the market, how far its correlations had to be moved)."""
    hidden: Mapping[str, Any] = found.assets if found is not None else {}
    assets = {n: fits[n].asset if n in fits else hidden[n] for n in names}
    pairs = {pair: e.value for pair, e in between.items()}
    shared = None
    if found is not None:
        by_regime = found.regimes.correlation
        shared = replace(found.regimes, correlation={s: pairs | given for s, given in by_regime.items()} if by_regime else None)
    market = Market(assets, pairs, rate=interest, regimes=shared, repair=True)
    return Market(assets, market.correlation, rate=interest, regimes=market.regimes), float(market.repaired)
