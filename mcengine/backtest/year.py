"""One year of a back-test: calibrated, fitted and promised on what came before it, then traded as it came."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from mcengine._model import replace
from mcengine.backtest.at_rows import FIGURES, AtRows
from mcengine.backtest.history import Window
from mcengine.backtest.plan import Plan
from mcengine.engine import trace
from mcengine.engine.trace import outcomes

Books = Mapping[str, Any]


def one_year(plan: Plan, window: Window, record: AtRows, first: int) -> dict[str, Any]:
    """What a year was, was promised and came to.

    Args:
        plan: What is done.
        window: The year.
        record: What reads it at its last row.
        first: Id of the first path of its promise.

    Returns:
        JSON values by name.
    """
    market = plan.calibrate(window.assets, window.start)
    given, numbers, before = plan.rules(window), None, None
    if plan.fit is not None and plan.fitted is not None:
        alone = plan.study(market, {plan.fitted: given[plan.fitted]})
        numbers, before = plan.numbers(plan.fit(alone)), plan.numbers(alone)
    books = plan.with_numbers(market, given, numbers)
    run = {"seed": plan.seed, "first": first, "progress": False}
    promised = plan.study(market, books, recorders=(record,)).run(plan.paths, **run)
    drifts = _drifts(plan, window, market)
    drifted = None
    if drifts:
        moved = {name: replace(one, drift=drifts[name]) if name in drifts else one for name, one in market.assets.items()}
        drifted = plan.study(replace(market, assets=moved), books, recorders=(record,)).run(plan.paths, **run)
    came, days = _reality(plan, window, books, record)
    rows, floor = window.rows, plan.floor
    return {
        "year": int(window.name),
        "assets": list(window.assets),
        "start": window.start,
        "end": window.end,
        "rows": rows,
        "notes": list(window.notes),
        "weights": plan.weights_at(window),
        "numbers": numbers,
        "given": before,
        "drifts": {name: [float(market.assets[name].drift), drift] for name, drift in drifts.items()},
        "promised": {book: _promised(promised[book], rows, floor) for book in books},
        "drifted": {book: None if drifted is None else _promised(drifted[book], rows, floor) for book in books},
        "came": {book: _came(came[book], rows, floor) | {"cost": days["cost"][book]} for book in books},
        "rank": {book: _ranks(came[book], promised[book], rows) for book in books},
        "days": {key: value for key, value in days.items() if key != "cost"},
    }


def _drifts(plan: Plan, window: Window, market: Any) -> dict[str, float]:
    """By asset of a model with a drift, the one by which its expectation over the year is what it returned, dividends included."""
    days = plan.history.days(window.assets)
    moves = np.asarray(days.moves)[window.first : window.first + window.rows]
    models, years = getattr(market, "assets", {}), window.rows / days.per_year
    grown = {name: float(np.sum(np.log1p(moves[:, i]))) / years + days.series[i].dividend for i, name in enumerate(days.names)}
    return {name: drift for name, drift in grown.items() if hasattr(models.get(name), "drift")}


def _reality(plan: Plan, window: Window, books: Books, record: AtRows) -> tuple[Any, dict[str, Any]]:
    """(outcomes of the year as it came, its days)."""
    study, days = plan.study(plan.history.replay(window, plan.steps), books, recorders=(record,)), plan.history.days(window.assets)
    table, rows = trace(study, [0]).iloc[: window.rows + 1], slice(window.first, window.first + window.rows)
    prefix = {book: f"{book}." if len(books) > 1 else "" for book in books}
    spent = {book: table[[key for key in table if key.startswith(f"{prefix[book]}cost_")]] for book in books}
    return outcomes(study, [0]), {
        "dates": [str(date)[:10] for date in table["date"].to_numpy()],
        "cash": np.expm1(np.asarray(days.closes)[rows, -1] / days.per_year).tolist(),
        "cost": {book: float(one.to_numpy()[-1].sum()) for book, one in spent.items()},
        **{key: {book: table[prefix[book] + key].tolist() for book in books} for key in ("wealth", "exposure")},
    }


def _figures(found: Mapping[str, np.ndarray], rows: int) -> dict[str, np.ndarray]:
    one = {name: np.asarray(found[f"{name}_{rows}"], np.float64) for name in FIGURES}
    return {"return": one["wealth"] - 1.0, "volatility": one["volatility"], "drawdown": one["drawdown"], "lowest": one["lowest"]}


def _promised(found: Mapping[str, np.ndarray], rows: int, floor: float) -> dict[str, float]:
    """Means, the tails that are shown, and P(any day below the floor)."""
    figures = _figures(found, rows)
    out = {name: float(np.mean(x)) for name, x in figures.items()}
    out |= {f"{name}_error": float(np.std(x, ddof=1)) / math.sqrt(x.size) for name, x in figures.items()}
    out |= {f"{name}_p{100 * q:02.0f}": float(np.quantile(x, q)) for name, x in figures.items() for q in (0.05, 0.5, 0.95)}
    return out | {"breach": float(np.mean(figures["lowest"] < floor))}


def _came(found: Mapping[str, np.ndarray], rows: int, floor: float) -> dict[str, float]:
    out = {name: float(x[0]) for name, x in _figures(found, rows).items()}
    return out | {"breach": float(out["lowest"] < floor)}


def _ranks(came: Mapping[str, np.ndarray], promised: Mapping[str, np.ndarray], rows: int) -> dict[str, float]:
    """Of each figure the share of simulated paths below what came, equal ones counted half: uniform where the promise is true."""
    real, simulated = _figures(came, rows), _figures(promised, rows)
    return {name: float(np.mean(x < real[name][0]) + 0.5 * np.mean(x == real[name][0])) for name, x in simulated.items()}
