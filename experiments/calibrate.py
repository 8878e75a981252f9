"""A market from prices or from option quotes: parameters with errors, how well they fit, and the market as a file for the other experiments.

python experiments/calibrate.py
python experiments/calibrate.py data=my.csv 'models={SPY: gjr_garch, GLD: merton}' rate=0.03
python experiments/calibrate.py quotes.model=bates quotes.file=my_chain.csv quotes.clean=true
python experiments/hedge.py market=from_file market.file=<run folder>/market.yaml
"""

import math
import shlex
import sys
from collections.abc import Sequence
from typing import Any

import _main
import numpy as np
from _command_line import quoted
from tqdm import tqdm

import mcengine as mc
from mcengine import config as configuration
from mcengine import report
from mcengine._console import command
from mcengine.calibrate.asset_fit import shown
from mcengine.report import calibration_plots as plots
from mcengine.report import market_plots

_WORDS = ("true", "false", "null", "nan", "inf")
_FITTED = ("data", "model", "models", "columns", "start", "end", "implied", "dividends", "rate", "yields", "regimes", "innovations")
MOST = 20
"""Rows of a table of pairs that are printed."""


@_main.main("calibrate")
def main(config: Any, folder: report.RunFolder) -> tuple[dict[str, Any], dict[str, Any]]:
    chosen = configuration.plain(config)
    quotes = chosen["quotes"] if isinstance(chosen["quotes"], dict) else {"model": chosen["quotes"]}
    if quotes["model"] is not None or quotes.get("file") is not None:
        return _surface(quotes, chosen["plots"], folder)
    fitted = mc.calibrate.fit_prices(**{key: chosen[key] for key in _FITTED}, say=tqdm.write)
    table, diagnostics = fitted.table(), fitted.diagnostics()
    pairs = table.index.str.startswith("correlation.")
    print(f"\n{table['shown'][~pairs].to_string()}")
    if pairs.any():
        print(f"\n{_ends(table[pairs], 'value', 'parameters')[['shown']].to_string(header=False)}")
    labelled = diagnostics.rename(columns=lambda key: mc.engine.metric(key).label).round(3)
    print(f"\n{(labelled.T if len(labelled) <= MOST // 2 else labelled).to_string()}\n")
    for note in fitted.notes:
        print(note)
    realised = fitted.realised_correlation()
    if len(realised):
        print("\ncorrelation of Brownian motions, target and as simulated standardised steps realise it")
        print(_ends(realised.round(4), "target", "correlation").to_string())
    folder.write_table("parameters", table)
    if len(diagnostics):
        folder.write_table("diagnostics", diagnostics)
    if len(realised):
        folder.write_table("correlation", realised)
    file = _write(folder, fitted.market, "\n".join(["Made by experiments/calibrate.py.", *fitted.notes]))
    if config.plots:
        for name, figure in (plots.pictures(fitted) | market_plots.pictures(fitted, chosen["yields"])).items():
            folder.write_picture(name, figure)
    _say_how_to_use(file, fitted.market)
    return {name: {"value": e.value, "error": e.error} for name, e in fitted.parameters.items()}, {}


def _ends(table: Any, column: str, file: str) -> Any:
    """The table; of a long one the lowest and the highest by a column, and where the rest is."""
    if len(table) <= MOST:
        return table
    ordered = table.sort_values(column)
    print(f"\nthe {MOST // 2} lowest and the {MOST // 2} highest of {len(table):,} pairs; all are in {file}.csv")
    return ordered.iloc[[*range(MOST // 2), *range(-MOST // 2, 0)]]


def _surface(chosen: dict[str, Any], plots_wanted: bool, folder: report.RunFolder) -> tuple[dict[str, Any], dict[str, Any]]:
    """The market of one asset, as quotes price it: under Q."""
    quotes = mc.calibrate.read_quotes(chosen.get("file"), **{key: chosen[key] for key in ("clean", "date", "unit") if key in chosen})
    for text in [*quotes.notes, *(f"warning: {warning}" for warning in quotes.warnings)]:
        print(text)
    fitted = mc.calibrate.fit_quotes(chosen["model"] or "heston", quotes)
    for name, value in fitted.parameters.items():
        print(f"{name:12s} {shown(value)}")
    said = f"{fitted.quotes.name}: {fitted.model}, sum of squared errors {fitted.squares:.1f}, {fitted.root_mean_square:.2f} points a quote"
    zeros = 100.0 * np.asarray(fitted.market.rate.zeros)
    curve = (
        f"rate: the quotes' zero rates as a curve without volatility, {zeros.min():.2f} to {zeros.max():.2f} % a year, on which the equity drifts (Q)"
    )
    print(f"\n{said} ({fitted.fitted.size} quotes)\n{curve}")
    folder.write_table("quotes", fitted.table())
    dear = report.put_dearness(quotes)
    if len(dear):
        print("\na put at 76 % of the forward over its price at the volatility at the money: as quoted, and on the surface for history by skew")
        print(dear.round(3).to_string())
        folder.write_table("put_dearness", dear)
    file = _write(folder, fitted.market, f"Made by experiments/calibrate.py, under Q.\n{said}\n{curve}")
    if plots_wanted:
        folder.write_picture("smile", plots.plot_smile(fitted))
    _say_how_to_use(file, fitted.market)
    found = {name: {"value": e.value, "error": e.error} for name, e in fitted.parameters.items()}
    return found | {"squares": fitted.squares}, {}


def _say_how_to_use(file: Any, market: mc.market.Market) -> None:
    words = ["market=from_file", f"market.file={quoted(str(file))}"]
    own = [] if set(market.assets) >= {"equity", "bond", "commodity"} else equal_weights(list(market.assets))
    print(f"\nmarket.yaml: {shlex.join([*command('hedge'), *words, *own])}\n")


def equal_weights(assets: Sequence[str]) -> list[str]:
    """Overrides that give every asset the same weight, rounded down, so that all together are no more than the wealth."""
    each = f"{math.floor(1e4 / len(assets)) / 1e4:g}"
    if any(name.lower() in _WORDS for name in assets):  # as a key in braces Hydra reads no text
        return ["weights={}", *(f"+weights.{name}={each}" for name in assets)]
    return [f"weights={{{','.join(f'{name}:{each}' for name in assets)}}}"]


def _write(folder: report.RunFolder, market: mc.market.Market, comment: str) -> Any:
    return folder.write_text("market.yaml", mc.calibrate.to_yaml(market, comment=comment))


if __name__ == "__main__":
    sys.exit(main())
