"""What a fit of one series leaves: the model, its parameters with errors, and how well it explains what was seen."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mcengine.history.bond_index import bond_index
from mcengine.history.ewma import ewma
from mcengine.statistics import Estimate

MINIMUM = {
    "gbm": 126,
    "merton": 504,
    "kou": 756,
    "gjr_garch": 756,
    "heston": 504,
    "bates": 1008,
    "schwartz": 504,
    "vasicek": 504,
    "regime_gbm": 504,
    "hull_white": 252,
}
"""Rows below which a model's parameters are not known to one digit: half a year for a volatility, two years for a reversion, more for tails."""

DAILY = ("gjr_garch", "heston", "bates", "kou")
"""Models whose likelihood wants a row a day."""


@dataclass(frozen=True)
class Fit:
    """A model fitted to one series, and how well it explains it.

    Args:
        model: Name of the model.
        asset: The model fitted, an asset of a market or its rate.
        parameters: Fitted numbers by name.
        log_likelihood: Of the whole series.
        coordinates: Free parameters.
        residuals: N^{-1} of each day's probability given those before [days]: independent standard normals if the model is true.
        unit: Standardised Brownian increment of each day [days], NaN where a jump was likelier than none; correlations are taken of it.
        volatility: Volatility a year known the day before [days].
        notes: What else to know, a line each.
    """

    model: str
    asset: Any
    parameters: dict[str, Estimate]
    log_likelihood: float
    coordinates: int
    residuals: np.ndarray
    unit: np.ndarray
    volatility: np.ndarray
    notes: list[str] = field(default_factory=list)

    @property
    def aic(self) -> float:
        """Akaike's criterion: twice the number of parameters less twice the log likelihood."""
        return 2.0 * self.coordinates - 2.0 * self.log_likelihood

    def diagnostics(self) -> dict[str, float]:
        """Log likelihood, AIC, moments of the residuals (0, 1, 0, 0 of a true model), autocorrelation of their squares a day later."""
        e = self.residuals - self.residuals.mean()
        sd = float(e.std())
        square = e**2 - np.mean(e**2)
        return {
            "days": float(e.size),
            "log_likelihood": self.log_likelihood,
            "aic": self.aic,
            "residual_mean": float(self.residuals.mean()),
            "residual_sd": sd,
            "residual_skewness": float(np.mean(e**3)) / sd**3,
            "residual_excess_kurtosis": float(np.mean(e**4)) / sd**4 - 3.0,
            "autocorrelation_of_squares": float(np.mean(square[1:] * square[:-1]) / np.mean(square**2)),
        }


def shown(e: Estimate) -> str:
    """An estimate in print; one whose error is not a number ended where the model, or what is looked for, ends."""
    return str(e) if np.isfinite(e.error) else f"{e.value:.4g} (at a limit: no error)"


def check_enough(name: str, model: str, rows: int, days_per_year: float) -> None:
    """Raise ``ValueError`` where there is too little history, or too coarse, for a model."""
    if rows < MINIMUM[model]:
        raise ValueError(f"{name}: expected at least {MINIMUM[model]} rows of history for {model}, got {rows}")
    if model in DAILY and days_per_year < 200.0:
        raise ValueError(f"{name}: expected daily prices for {model}, got {days_per_year:.1f} rows a year")


def log_prices(name: str, model: str, prices: np.ndarray, dates: Any = None) -> np.ndarray:
    """ln S. Raises ``ValueError``, with the day, for a price that no lognormal model has."""
    bad = ~(prices > 0.0)
    if bad.any():
        k = int(np.argmax(bad))
        day = f" on {str(dates[k])[:10]}" if dates is not None else f" in row {k + 1}"
        raise ValueError(
            f"{name}: expected prices above 0, for {model} is a model of their logarithm, got {prices[k]:g}{day}; choose days by start= and end="
        )
    return np.log(prices)


def gaussianise(probability: np.ndarray) -> np.ndarray:
    """N^{-1}, of probabilities kept inside (0, 1)."""
    from scipy.special import ndtri

    return ndtri(np.clip(probability, 1e-15, 1.0 - 1e-15))


def ewma_volatility(returns: np.ndarray, dt: float) -> np.ndarray:
    """Volatility a year known the day before, exponentially weighted from the whole sample's level."""
    level = float(np.mean(returns**2))
    before = np.concatenate([[level], ewma(returns**2, level)[:-1]])
    return np.sqrt(np.maximum(before, 1e-12 * level + 1e-300) / dt)


def bond_prices(frame: Any, column: str) -> np.ndarray:
    """Total-return index of a constant-maturity 10-year par bond from its yield in percent."""
    elapsed = np.diff(frame.index.to_numpy()).astype("timedelta64[D]").astype(float) / 365.25
    return bond_index(frame[column].to_numpy(float) / 100.0, elapsed)
