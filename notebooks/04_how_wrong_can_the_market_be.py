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
# Every number above rests on a market that somebody chose. Here one rule, CPPI at 90 %, meets all of them: models with and without jumps, regimes,
# history drawn anew. Then the calibrated market's own parameters are moved by their standard errors. What matters more, the model or its numbers?

# %%
import pandas as pd

import mcengine as mc
from mcengine import config, report

mc.cache()
PATHS, FLOOR = 50_000, 0.90

# %% [markdown]
# ## One rule, all markets
#
# Each market is a yaml of `conf/market`; the rule, the costs and the random numbers stay.

# %%
MARKETS = ("history", "lognormal", "bates", "gjr_garch", "regimes", "bootstrap")
calibration = mc.calibrate.fit_history()  # what market=history is
benchmark = mc.policy.presets.unhedged({"equity": 0.6, "bond": 0.3, "commodity": 0.1})
columns = ["mean_return", "volatility", "breach_any_day", "cvar_95"]
found, studies = {}, {}
for name in MARKETS:
    chosen = mc.load_config([f"market={name}", "policy=cppi", "policy.multiplier=5"], "hedge")
    alone = config.study(chosen, market=calibration.market if name == "history" else None)
    studies[name] = mc.Study(alone.market, {"unhedged": benchmark, "cppi": alone.policy}, alone.costs)
    table = mc.objective.table(studies[name].run(PATHS), FLOOR)
    found[name] = table[columns].T
by_market = {book: pd.DataFrame({name: one[book] for name, one in found.items()}).T for book in ("unhedged", "cppi")}
for book, table in by_market.items():
    print(f"{book}, %\n{table.map(lambda e: str(e.scaled(100))).to_string()}\n")

# %%
breach = pd.DataFrame({book: table["breach_any_day"] for book, table in by_market.items()}).T
breach.attrs["about"] = f"1 y in 252 steps · {PATHS:,} paths a market at most · seed 0"
report.plot_heat(breach, f"P(any day below {FLOOR:g}) by market", unit="%", factor=100.0, colours="RdBu_r")

# %%
figure, axes = report.panels((10.0, 3.8), columns=2, sharey=True)
for axis, column, title in ((axes[0], "mean_return", "mean return, %"), (axes[1], "cvar_95", "mean loss of the worst 5 % of paths, %")):
    for book, table in by_market.items():
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
# One program runs the rule at every point, on the same paths: what a number changes is known far better than the figure itself.

# %%
study = mc.Study(calibration.market, studies["history"].books["cppi"], studies["history"].costs)
names = [f"equity.{name}" for name in ("drift", "theta", "kappa", "vol_of_vol", "rho")]
names += [f"{asset}.{name}" for asset in ("bond", "commodity") for name in ("drift", "sigma")]
values = {f"market.{name}": [calibration.parameters[name].value] * (2 * len(names) + 1) for name in names}
for k, name in enumerate(names):
    for side, sign in enumerate((-1.0, 1.0)):
        values[f"market.{name}"][1 + 2 * k + side] += sign * calibration.parameters[name].error
points = mc.grid(study, values, PATHS // 2)
figures = mc.objective.figures(study, FLOOR, benchmark=None)
base = points[0]
rows = {}
for k, name in enumerate(names):
    low, high = points[1 + 2 * k], points[2 + 2 * k]
    moved = {"mean return": "policy/mean_return", "P(any day below)": "policy/breach_any_day"}
    rows[name] = {what: low.difference(high, figures[key]).scaled(50.0) for what, key in moved.items()}  # half of the way from -1 to +1 error
effect = pd.DataFrame.from_dict(rows, orient="index")
print(effect.map(str).to_string())

# %%
figure, axes = report.panels((10.0, 3.8), columns=2, sharey=True)
for axis, what in zip(axes, effect, strict=True):
    axis.barh(range(len(names)), [e.value for e in effect[what]], xerr=[e.half_width() for e in effect[what]], color="#0072B2", capsize=3)
    axis.set_yticks(range(len(names)), names)
    axis.axvline(0.0, color="#999999", linewidth=0.8)
    axis.set_xlabel(f"{what}: points of % by one standard error more")
    report.grid(axis)
axes[0].invert_yaxis()
report.titled(figure, "What a parameter's own error does to CPPI (bars: 95 % intervals)", mc.engine.summarise(study, base.paths, base.seed))

# %% [markdown]
# ## The answer

# %%
cppi = by_market["cppi"]
spread = 100.0 * (cppi["mean_return"].map(lambda e: e.value).max() - cppi["mean_return"].map(lambda e: e.value).min())
most = effect["mean return"].map(lambda e: abs(e.value)).idxmax()
worst = cppi["breach_any_day"].map(lambda e: e.value).idxmax()
worst_share = cppi.loc[worst, "breach_any_day"].scaled(100)
print(
    f"CPPI returns {spread:.1f} % more a year in the kindest of {len(MARKETS)} markets than in the harshest, and of the calibrated market's own "
    f"numbers, each moved by its error, {most} moves it most, by {effect.loc[most, 'mean return']} %; the floor is broken on {worst_share} % of "
    f"paths where it is worst ({worst}), on {cppi.loc['history', 'breach_any_day'].scaled(100)} % in the market as calibrated."
)
