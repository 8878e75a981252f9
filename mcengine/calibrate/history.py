"""A three-asset market from daily history: equity (Heston or GBM), a constant-maturity bond and a commodity (GBM), their correlation.

How, with n days of dt = 1 / (days a year):
  drift        mean log return / dt + sigma^2 / 2, dividends added; sigma^2 the mean squared log return / dt
  premium      p = mean VIX^2 / mean realised variance: implied over expected variance
  variance     v_k = VIX_k^2 / p, whose mean is the realised one: theta
  kappa        regression of dv / sqrt(v) on dt / sqrt(v) and sqrt(v) dt (the CIR drift with its own noise made even)
  vol of vol   standard deviation of that regression's residual / sqrt(dt), over b: VIX is a 30-day mean of variance, which moves
               b = (1 - e^{-30 kappa / 365}) / (30 kappa / 365) as much as the variance itself
  rho          correlation of r / sqrt(v_{k-1}) and the residual
  v0           the last VIX^2 / p
  correlation  of log returns divided by their volatility of the day before (sqrt(v); for bond and commodity exponentially weighted, half-life
               42 days): of Brownian increments, that is, not of returns
  rate         the last 3-month bill, continuously compounded
Standard errors: a circular block bootstrap of the days (63-day blocks, all columns together).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from mcengine._spelling import near
from mcengine.calibrate.asset_fit import ewma_volatility
from mcengine.engine.sample import sample
from mcengine.history import Prices, bond_index, shipped
from mcengine.market import GBM, Heston, Market
from mcengine.statistics import Estimate

MODELS = {"equity": ("heston", "gbm"), "bond": ("gbm",), "commodity": ("gbm",)}
_BLOCK, _DRAWS, _SEED, _VIX_YEARS = 63, 200, 1, 30.0 / 365.0
MINIMUM_DAYS = 504
"""Two years: below that neither kappa nor a correlation is known to one digit."""


@dataclass(frozen=True)
class Calibration:
    """A market calibrated to daily history, with errors.

    Args:
        market: The market.
        parameters: Fitted numbers by dotted name.
        notes: What was used and assumed, a line each.
        history: The days calibrated to.
    """

    market: Market
    parameters: dict[str, Estimate]
    notes: list[str]
    history: Prices

    @property
    def remarks(self) -> list[str]:
        """What is to be said before the market is used: of a file of one's own what it was taken to be, and what may be wrong with it."""
        return [] if self.history.taken.startswith(shipped.FILE) else self.history.notes

    def table(self) -> Any:
        """One row a parameter, value ± standard error (pandas)."""
        import pandas as pd

        rows = {name: {"value": e.value, "standard_error": e.error, "shown": str(e)} for name, e in self.parameters.items()}
        return pd.DataFrame.from_dict(rows, orient="index")

    @property
    def correlation(self) -> Any:
        """Target correlation between the prices' Brownian motions (pandas)."""
        import pandas as pd

        from mcengine.market.correlation import to_matrix

        names = list(self.market.assets)
        return pd.DataFrame(to_matrix(self.market.correlation, names), names, names)

    def realised_correlation(self, paths: int = 512) -> Any:
        """Target correlation, and that of simulated standardised daily returns: what the scheme makes of the target.

        Days on which a variance is under 5 % of its mean are left out: there the day's return is not made by the variance it began with.

        Args:
            paths: Simulated paths.

        Returns:
            pandas table, one row a pair.
        """
        import pandas as pd

        spots, variances = sample(self.market, paths)
        unit = {n: (np.diff(np.log(spots[n]), axis=1) / np.sqrt(np.maximum(variances[n][:, :-1], 1e-12))).ravel() for n in spots}
        usual = {n: (v[:, :-1] >= 0.05 * v.mean()).ravel() for n, v in variances.items()}
        rows = {}
        for pair, target in self.market.correlation.items():
            a, b = pair.split("-")
            both = usual[a] & usual[b]
            c, n = float(np.corrcoef(unit[a][both], unit[b][both])[0, 1]), int(both.sum())
            rows[pair] = {"target": float(target), "realised": Estimate(c, (1.0 - c * c) / np.sqrt(n), n)}
        return pd.DataFrame.from_dict(rows, orient="index")


def from_history(assets: Mapping[str, str] | None = None, **options: Any) -> Market:
    """The market of ``fit_history``, without its errors and notes.

    Args:
        assets: Model by asset, ``{"equity": "heston", "bond": "gbm"}``; None: heston for equity, gbm for bond and commodity.
        **options: Further arguments of ``fit_history``.
    """
    return fit_history(assets, **options).market


def fit_history(
    assets: Mapping[str, str] | None = None,
    *,
    data: Any = None,
    start: Any = None,
    end: Any = None,
    dividend: float = 0.019,
    rate: float | None = None,
) -> Calibration:
    """Calibrate a market to daily history: equity (Heston or GBM), a constant-maturity bond and a commodity (GBM), and their correlation.

    Args:
        assets: Model by asset, any of equity, bond and commodity; None: heston for equity, gbm for the others.
        data: File, table, dict of the arguments of ``history.read``, or ``Prices``, with the shipped one's columns; None: that.
        start: First date, like 2001-09-10, or None for the first there is.
        end: Last date, or None.
        dividend: Yield a year that the equity index leaves out, added to its drift.
        rate: Continuously compounded rate a year; None: the last 3-month bill's.

    Raises:
        ValueError: The data are not as expected, there are fewer than 504 days, or a name is unknown.
    """
    chosen = dict(assets or {"equity": "heston", "bond": "gbm", "commodity": "gbm"})
    for name, model in chosen.items():
        if name not in shipped.COLUMNS:
            raise ValueError(f"assets: unknown asset {name!r}{near(name, shipped.COLUMNS)}")
        if model not in MODELS[name]:
            raise ValueError(f"assets.{name}: expected one of {', '.join(MODELS[name])}, got {model!r}")
    columns = tuple(
        dict.fromkeys(
            [*(shipped.COLUMNS[name] for name in chosen), *(["vix"] if "equity" in chosen else []), *([] if rate is not None else ["ust3m"])]
        )
    )
    history = shipped.load(data, start=start, end=end, columns=columns)
    if len(history.frame) < MINIMUM_DAYS:
        raise ValueError(f"data: expected at least {MINIMUM_DAYS} days to calibrate from, got {len(history.frame)}")
    days = _Days(history, tuple(chosen))
    point = _estimate(days, np.arange(days.count))
    draws = _bootstrap(days)
    errors = {name: float(np.std([d[name] for d in draws], ddof=1)) for name in point}
    estimates = {name: Estimate(value, errors[name], days.count, "windows") for name, value in point.items()}
    bill = float(np.log1p(history.frame["ust3m"].iloc[-1] / 100.0)) if rate is None else float(rate)
    models = {name: _asset(name, model, point, days, dividend) for name, model in chosen.items()}
    pairs = {name.removeprefix("correlation."): value for name, value in point.items() if name.startswith("correlation.")}
    market = Market(models, pairs, rate=bill)
    shown = {name: e for name, e in estimates.items() if not (name.startswith("equity.") and chosen.get("equity") == "gbm" and name in _HESTON_ONLY)}
    return Calibration(market, shown, _notes(history, days, dividend, bill, rate is None, market), history)


_HESTON_ONLY = ("equity.kappa", "equity.theta", "equity.vol_of_vol", "equity.rho")


class _Days:
    """Arrays over days: log returns, variances of the day before, standardised returns."""

    def __init__(self, history: Prices, names: tuple[str, ...]) -> None:
        frame = history.frame
        self.dt = 1.0 / history.rows_per_year
        self.names = names
        self.last: dict[str, float] = {}
        self.returns: dict[str, np.ndarray] = {}
        for name in names:
            level = frame[shipped.COLUMNS[name]].to_numpy(float)
            if name == "bond":
                elapsed = np.diff(frame.index.to_numpy()).astype("timedelta64[D]").astype(float) / 365.25
                level = bond_index(level / 100.0, elapsed)
            self.last[name] = float(level[-1])
            self.returns[name] = np.diff(np.log(level))
        self.count = len(frame) - 1
        self.implied = (frame["vix"].to_numpy(float) / 100.0) ** 2 if "equity" in names else None
        self.volatility = {n: ewma_volatility(self.returns[n], self.dt) for n in names if n != "equity"}


def _estimate(days: _Days, rows: np.ndarray) -> dict[str, float]:
    """All parameters from the chosen days (each a day's return with the states before and after it)."""
    out: dict[str, float] = {}
    dt, unit = days.dt, {}
    for name in days.names:
        r = days.returns[name][rows]
        variance = float(np.mean(r**2)) / dt
        if name != "equity":
            out[f"{name}.sigma"] = np.sqrt(variance)
            unit[name] = r / days.volatility[name][rows]
        out[f"{name}.drift"] = float(np.mean(r)) / dt + 0.5 * variance
        if name == "equity":
            assert days.implied is not None
            before, after = days.implied[:-1][rows], days.implied[1:][rows]
            premium = float(np.mean(before)) / variance
            v, change = before / premium, (after - before) / premium
            x = np.stack([dt / np.sqrt(v), np.sqrt(v) * dt], axis=1)
            y = change / np.sqrt(v)
            coefficients = np.linalg.solve(x.T @ x, x.T @ y)
            residual = y - x @ coefficients
            kappa = max(-float(coefficients[1]), 1e-3)
            damping = (1.0 - np.exp(-kappa * _VIX_YEARS)) / (kappa * _VIX_YEARS)
            unit[name] = r / np.sqrt(v)
            out |= {
                "equity.sigma": np.sqrt(variance),
                "equity.kappa": kappa,
                "equity.theta": float(np.mean(v)),
                "equity.vol_of_vol": float(np.std(residual)) / np.sqrt(dt) / damping,
                "equity.rho": float(np.corrcoef(unit[name], residual)[0, 1]),
                "equity.variance_premium": premium,
            }
    for j, b in enumerate(days.names):
        for a in days.names[:j]:
            out[f"correlation.{a}-{b}"] = float(np.corrcoef(unit[a], unit[b])[0, 1])
    return out


def _bootstrap(days: _Days) -> list[dict[str, float]]:
    random = np.random.default_rng(_SEED)
    blocks = -(-days.count // _BLOCK)
    draws = []
    for _ in range(_DRAWS):
        starts = random.integers(0, days.count, blocks)
        rows = (starts[:, None] + np.arange(_BLOCK)[None, :]).ravel()[: days.count] % days.count
        draws.append(_estimate(days, rows))
    return draws


def _asset(name: str, model: str, p: Mapping[str, float], days: _Days, dividend: float) -> Any:
    spot, drift = days.last[name], p[f"{name}.drift"]
    if name != "equity":
        return GBM(spot=spot, sigma=p[f"{name}.sigma"], drift=drift)
    premium = p["equity.variance_premium"]
    if model == "gbm":
        return GBM(spot=spot, sigma=p["equity.sigma"], drift=drift + dividend, dividend=dividend, variance_premium=premium)
    assert days.implied is not None
    return Heston(
        spot=spot,
        v0=float(days.implied[-1]) / premium,
        kappa=p["equity.kappa"],
        theta=p["equity.theta"],
        vol_of_vol=p["equity.vol_of_vol"],
        rho=p["equity.rho"],
        drift=drift + dividend,
        dividend=dividend,
        variance_premium=premium,
    )


def _notes(history: Prices, days: _Days, dividend: float, rate: float, from_bill: bool, market: Market) -> list[str]:
    notes = list(history.notes)
    if "equity" in days.names:
        notes.append(f"equity is a price index: a dividend yield of {dividend:.1%} is added to its drift and paid into the account")
        equity = market.assets["equity"]
        if isinstance(equity, Heston):
            feller = float(equity.feller)
            notes.append(
                f"v0 is the last VIX squared over the premium: {float(equity.v0):.4f}; 2 kappa theta / xi^2 = {feller:.2f}"
                + ("" if feller >= 1.0 else ", below 1: the variance touches zero, which QE-M handles")
            )
    notes.append(f"rate {rate:.2%}: " + (f"the 3-month bill of {history.frame.index[-1]:%Y-%m-%d}" if from_bill else "as given"))
    notes.append(f"{history.rows_per_year:.1f} days a year; errors by a block bootstrap of the days ({_BLOCK}-day blocks, {_DRAWS} draws)")
    return notes
