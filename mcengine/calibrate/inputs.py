"""What ``fit_prices`` fits: a table of prices, of the shipped history or the user's file, and what is known of its columns."""

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any, NamedTuple

import numpy as np

from mcengine._spelling import near
from mcengine.calibrate.asset_fit import MINIMUM, bond_prices
from mcengine.history import Prices, shipped
from mcengine.history.checks import still
from mcengine.history.reader import given as read_given
from mcengine.market import Market

MODELS = ("gbm", "heston", "merton", "kou", "bates", "gjr_garch", "schwartz", "regime_gbm")
RATES = ("vasicek", "hull_white")
_SHIPPED_MODELS = {"equity": "heston", "bond": "gbm", "commodity": "schwartz"}


class Known(NamedTuple):
    """By column: ``implied`` the column of its quoted volatility, ``dividends`` a year, ``yields`` the maturity in years of a column of yields,
    ``models`` by name.
    """

    implied: Mapping[str, str]
    dividends: Mapping[str, float]
    yields: Mapping[str, float]
    models: Mapping[str, str]


def of_file(data: Any, columns: Any, span: tuple[Any, Any], rate: Any, given: Known) -> tuple[Prices, Known]:
    """The user's file between two dates: (all columns used, what is known of them by name)."""
    implied, dividends, yields, models = given
    if rate in RATES and not yields:
        raise ValueError(f"yields: expected the maturity in years of each column of yields for rate={rate}, such as {{DGS3MO: 0.25}}, got none")
    levels = [*implied.values(), *yields]
    wanted = None if columns is None else list(dict.fromkeys([*columns, *levels]))
    table = _apart(read_given(data, start=span[0], end=span[1], columns=wanted, levels=levels))
    called = {title: name for name, title in table.titles.items()}  # headings serve as well as names
    known = list(table.titles)

    def column(given: str, what: str) -> str:
        name = called.get(str(given), str(given))
        if name not in known:
            raise ValueError(f"{what}: the file has no column {given!r}{near(name, known)}")
        return name

    return table, Known(
        {column(k, "implied"): column(v, "implied") for k, v in implied.items()},
        {column(k, "dividends"): v for k, v in dividends.items()},
        {column(k, "yields"): v for k, v in yields.items()},
        {column(k, "models"): v for k, v in models.items()},
    )


def _apart(table: Prices) -> Prices:
    """Prices of which none has the name of a part of a market: one that does gets an underscore at its end."""
    new = {name: f"{name}_" for name in table.titles if name in {f.name for f in fields(Market)}}
    if not new:
        return table
    titles = {new.get(name, name): title for name, title in table.titles.items()}
    said = "; ".join(f"{name} is called {other}" for name, other in new.items())
    return replace(table, frame=table.frame.rename(columns=new), titles=titles, remarks=[*table.remarks, said])


def of_shipped(columns: Any, span: tuple[Any, Any], rate: Any, given: Known, model: str | None, vix: bool) -> tuple[Prices, Known]:
    """The shipped history between two dates: (equity, bond and commodity, or those of ``columns``; what is known of them).

    With ``vix`` the index is the implied volatility of an equity whose model reads one.
    """
    names = list(columns or shipped.COLUMNS)
    for name in names:
        if name not in shipped.COLUMNS:
            raise ValueError(f"columns: the shipped history has {', '.join(shipped.COLUMNS)}, got {name!r}")
    dividends = {"equity": shipped.DIVIDEND} | dict(given.dividends) if "equity" in names else dict(given.dividends)
    yields = dict(given.yields or (shipped.YIELDS if rate in RATES else {}))
    models = (_SHIPPED_MODELS if model is None else {}) | dict(given.models)
    seen = "equity" in names and models.get("equity", model) in ("heston", "bates") and vix
    needed = dict.fromkeys([*(shipped.COLUMNS[n] for n in names), *(["vix"] if seen else []), *yields, "ust3m"])
    history = shipped.load(None, start=span[0], end=span[1], columns=tuple(needed))
    frame = history.frame
    out = frame[[]].copy()
    for name in names:
        out[name] = bond_prices(frame, shipped.COLUMNS["bond"]) if name == "bond" else frame[shipped.COLUMNS[name]]
    for extra in (["vix"] if seen else []) + list(yields):
        out[extra] = frame[extra]
    notes = list(history.remarks)
    if rate is None:
        out.attrs["bill"] = float(np.log1p(frame["ust3m"].iloc[-1] / 100.0))
    if "equity" in names:
        notes.append(f"equity is a price index: a dividend yield of {dividends['equity']:.1%} is added to its drift and paid into the account")
    unknown = [n for n in models if n not in shipped.COLUMNS]
    if unknown:
        raise ValueError(f"models: unknown asset {unknown[0]!r}{near(unknown[0], names)}")
    models = {n: m for n, m in models.items() if n in names}
    implied = {"equity": "vix"} if seen else dict(given.implied)
    return Prices(out, dict(shipped.COLUMNS), history.taken, notes), Known(implied, dividends, yields, models)


def choose_models(table: Prices, known: Known, model: str | None) -> dict[str, str]:
    """The model of every column of prices: its own, else ``model``, else heston where there are rows enough, else gbm."""
    used_as = {*known.implied.values(), *known.yields}
    names, models = [n for n in table.frame.columns if n not in used_as], known.models
    if not names:
        raise ValueError("data: expected at least one column of prices beside yields and implied volatilities, got none")
    for name, chosen in [*models.items(), *([("model", model)] if model is not None else [])]:
        if name not in names and name != "model":
            raise ValueError(f"models: unknown asset {name!r}{near(name, names)}")
        if chosen not in MODELS:
            raise ValueError(f"models.{name}: expected one of {', '.join(MODELS)}, got {chosen!r}")
    for name in names:
        prices = table.frame[name].to_numpy(float)
        if still(prices, table.rows_per_year):
            raise ValueError(f"{name}: expected prices that move, got {prices[0]:g} in every row, or nearly")
    enough = len(table.frame) >= 1.5 * MINIMUM["heston"] and table.rows_per_year >= 200.0
    usual = model or ("heston" if enough else "gbm")
    for given, what in ((known.implied, "implied"), (known.dividends, "dividends")):
        for name in given:
            if name not in names:
                raise ValueError(f"{what}.{name}: expected one of the assets{near(name, names)}")
    return {n: models.get(n, usual) for n in names}
