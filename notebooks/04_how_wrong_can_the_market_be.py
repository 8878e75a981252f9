# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # How wrong can the market be?
#
# Every simulated number rests on a market that somebody chose. Here one rule, CPPI at 90 %, meets many of them: models with and without jumps,
# regimes, history drawn anew. Then the calibrated market's own parameters are moved by their standard errors. What matters more, the model or its
# numbers?

# %%
import pandas as pd

import mcengine as mc
from mcengine import config, report

mc.cache()
PATHS, FLOOR = 50_000, 0.90

# %% [markdown]
# ## One rule, all markets
#
# Each market is a yaml of `conf/market`; the rule, the costs and the random numbers stay. Drifts do not: an unhedged mix earns more in one market
# than in another, and so does the rule. Beside its own market's mix, held at the rule's mean exposure, that is taken out: the figure
# `difference_at_equal_leverage` is what the rule itself adds or costs.

# %%
MARKETS = ("history", "lognormal", "bates", "gjr_garch", "regimes", "bootstrap")
calibration = mc.calibrate.fit_history()  # what market=history is
benchmark = mc.policy.presets.unhedged({"equity": 0.6, "bond": 0.3, "commodity": 0.1})
columns = ["mean_return", "difference", "difference_at_equal_leverage", "volatility", "breach_any_day", "cvar_95"]
found, studies = {}, {}
for name in MARKETS:
    chosen = mc.load_config([f"market={name}", "policy=cppi", "policy.multiplier=5"], "hedge")
    alone = config.study(chosen, market=calibration.market if name == "history" else None)
    studies[name] = mc.Study(alone.market, {"unhedged": benchmark, "cppi": alone.policy}, alone.costs)
    table = mc.objective.table(studies[name].run(PATHS), FLOOR)
    found[name] = table[columns].T
by_market = {book: pd.DataFrame({name: one[book] for name, one in found.items()}).T for book in ("unhedged", "cppi")}
for book, table in by_market.items():
    shown = table.dropna(axis=1).map(lambda e: str(e.scaled(100))).rename(columns={"difference_at_equal_leverage": "at_equal_leverage"})
    print(f"{book}, %\n{shown.to_string()}\n")

# %%
breach = pd.DataFrame({book: table["breach_any_day"] for book, table in by_market.items()}).T
breach.attrs["about"] = f"1 y in 252 steps · {PATHS:,} paths a market at most · seed 0"
report.plot_heat(breach, f"P(any day below {FLOOR:g}) by market", unit="%", factor=100.0, colours="RdBu_r")

# %%
figure, axes = report.panels((11.0, 3.8), columns=3, sharey=True)
titles = {
    "mean_return": "mean return, %",
    "difference_at_equal_leverage": "to the mix at equal exposure, %",
    "cvar_95": "mean loss of the worst 5 %, %",
}
for axis, (column, title) in zip(axes, titles.items(), strict=True):
    for book, table in by_market.items():
        if table[column].isna().any():
            continue  # the mix itself
        x = [100.0 * e.value for e in table[column]]
        look = {"color": report.colour(book), "marker": report.style(book).marker, "linestyle": "none", "capsize": 3}
        axis.errorbar(x, range(len(x)), xerr=[100.0 * e.half_width() for e in table[column]], label=book, **look)
    axis.set_xlabel(title)
    axis.set_yticks(range(len(MARKETS)), MARKETS)
    report.grid(axis)
axes[0].invert_yaxis()
axes[0].legend(fontsize=8, frameon=False)
report.titled(figure, "The same rule in every market (bars: 95 % intervals)", f"{PATHS:,} paths a market at most · seed 0")

# %% [markdown]
# ## The calibrated market, its numbers moved by their errors
#
# One program runs both books at every point, on the same paths: what a number changes is known far better than the figure itself.

# %%
study = studies["history"]
names = [f"equity.{name}" for name in ("drift", "theta", "kappa", "vol_of_vol", "rho")]
names += [f"{asset}.{name}" for asset in ("bond", "commodity") for name in ("drift", "sigma")]
values = {f"market.{name}": [calibration.parameters[name].value] * (2 * len(names) + 1) for name in names}
for k, name in enumerate(names):
    for side, sign in enumerate((-1.0, 1.0)):
        values[f"market.{name}"][1 + 2 * k + side] += sign * calibration.parameters[name].error
points = mc.grid(study, values, PATHS // 2)
figures = mc.objective.figures(study, FLOOR)
base = points[0]
moved = {
    "mean return": "cppi/mean_return",
    "at equal exposure": "cppi/difference_at_equal_leverage",
    "P(any day below)": "cppi/breach_any_day",
}
rows = {}
for k, name in enumerate(names):
    low, high = points[1 + 2 * k], points[2 + 2 * k]
    rows[name] = {what: low.difference(high, figures[key]).scaled(50.0) for what, key in moved.items()}  # half of the way from -1 to +1 error
effect = pd.DataFrame.from_dict(rows, orient="index")
print(effect.map(str).to_string())

# %%
figure, axes = report.panels((11.0, 3.8), columns=3, sharey=True)
for axis, what in zip(axes, effect, strict=True):
    axis.barh(range(len(names)), [e.value for e in effect[what]], xerr=[e.half_width() for e in effect[what]], color="#0072B2", capsize=3)
    axis.set_yticks(range(len(names)), names)
    axis.axvline(0.0, color="#999999", linewidth=0.8)
    axis.set_xlabel(f"{what}: points of %")
    report.grid(axis)
axes[0].invert_yaxis()
report.titled(
    figure, "What one standard error more of a parameter does to CPPI (bars: 95 % intervals)", mc.engine.summarise(study, base.paths, base.seed)
)

# %% [markdown]
# ## The answer

# %%
cppi, mix = by_market["cppi"], by_market["unhedged"]


def spread(column):
    """Points of % from the lowest market to the highest."""
    values = [100.0 * e.value for e in column]
    return max(values) - min(values)


def largest(what):
    """The number whose error moves a figure most, and by how much."""
    name = effect[what].map(lambda e: abs(e.value)).idxmax()
    return name, effect.loc[name, what]


(first, by_return), (_, by_own), (second, by_breach) = (largest(what) for what in moved)
worst = cppi["breach_any_day"].map(lambda e: e.value).idxmax()


def more(column, moves):
    """Which matters more: the spread of all markets, or the way from an error less to an error more."""
    return "the model" if spread(column) > 2.0 * abs(moves.value) else "its numbers"


own = cppi["difference_at_equal_leverage"]
print(
    f"What matters more is {more(cppi['mean_return'], by_return)} for the return, {more(own, by_own)} for what the rule adds to its own exposure, "
    f"{more(cppi['breach_any_day'], by_breach)} for the floor: CPPI returns {spread(cppi['mean_return']):.1f} % more a year in the kindest of "
    f"{len(MARKETS)} markets than in the harshest, and so does the mix, by {spread(mix['mean_return']):.1f} %, where the error of {first} alone "
    f"moves the return by {by_return} %; beside the mix at equal exposure markets differ by {spread(own):.2f} %, numbers move that by at most "
    f"{abs(by_own.value):.2f} %; the floor is broken on {cppi.loc[worst, 'breach_any_day'].scaled(100)} % of paths where it is worst ({worst}), on "
    f"{cppi.loc['history', 'breach_any_day'].scaled(100)} % in the market as calibrated, and numbers move that by at most "
    f"{abs(by_breach.value):.2f} % ({second})."
)
