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
# # Does it hold in history?
#
# A model is an opinion; 2008, 2020 and 2022 happened. The same rules are led through every year that began on any trading day since 1990 (replay),
# and through years drawn from those days in blocks (bootstrap). How sure can one be of what overlapping years show?
#
# WTI ends in 2019 in the shipped history, so this is 60 % equities and 40 % bonds. Decisions are traded on the next day.

# %%
import os

import numpy as np
import pandas as pd

import mcengine as mc
from mcengine import report

mc.cache()
FLOOR, DRAWN = 0.90, 50_000
FIRST = "2006-01-01" if os.environ.get("MC_SMALL") == "1" else None  # a small run keeps the last falls

# %%
series = {"equity": {"column": "spx", "dividend": 0.019, "volatility": "vix"}, "bond": {"column": "ust10y", "kind": "yield"}}
weights, presets = {"equity": 0.6, "bond": 0.4}, mc.policy.presets
rules = {
    "unhedged": presets.unhedged(weights),
    "static_put": presets.static_put(weights, FLOOR),
    "stop_loss": presets.stop_loss(weights, FLOOR),
    "cppi": presets.cppi(weights, FLOOR, multiplier=4.0),
    "vol_target_cppi": presets.vol_target_cppi(weights, FLOOR),
}
costs = mc.ledger.Proportional(rate=5e-4, option_spread=0.02)
replay = mc.Study(mc.market.Replay.from_history(series, start=FIRST), rules, costs, delay=1)
came = replay.run(replay.available(10**6))
starts = pd.to_datetime([replay.market.start_date(path) for path in range(came.paths)])
span = (starts[-1] - starts[0]).days / 365.25 + 1.0
print(f"{came.paths:,} overlapping windows of a year in {span:.0f} years, the first from {starts[0]:%Y-%m-%d}, the last from {starts[-1]:%Y-%m-%d}")

# %% [markdown]
# ## Every year there was
#
# Each point is a year's lowest wealth, by the day on which it began.

# %%
lowest = pd.DataFrame({book: came[book]["lowest"] for book in rules}, index=starts)
figure, (axis,) = report.panels((10.0, 4.2))
for book in rules:
    look = report.style(book)
    axis.plot(lowest.index, lowest[book], color=look.colour, linestyle=look.dash, linewidth=1.0, label=book.replace("_", " "))
axis.axhline(FLOOR, color="#B22222", linewidth=1.2, linestyle="--")
axis.set_xlabel("a year that begins on this day")
axis.set_ylabel("lowest wealth of the year / its start")
axis.set_ylim(0.95 * lowest.min().min(), 1.01)
axis.legend(fontsize=8, frameon=False, ncols=5, loc="lower center")
report.grid(axis)
report.titled(figure, f"Lowest wealth of every year: the floor {FLOOR:g} dashed", mc.engine.summarise(replay, came.paths))

# %% [markdown]
# ## 2008, 2020, 2022
#
# The worst year that began within half a year before each fall or in it, by rule: the lowest wealth of any day.

# %%
falls = {"2008": ("2007-04", "2009-03"), "2020": ("2019-08", "2020-03"), "2022": ("2021-07", "2022-12"), "all years": (None, None)}
worst = pd.DataFrame({name: lowest.sort_index().loc[slice(*ends)].min() for name, ends in falls.items()})
worst.attrs["about"] = mc.engine.summarise(replay, came.paths)
report.plot_heat(worst, f"Lowest wealth from any start, % of it (white: the floor {FLOOR:g})", unit="%", centre=100.0 * FLOOR, factor=100.0)

# %% [markdown]
# ## Years that might have been
#
# The bootstrap draws blocks of days, each begun at a day of like volatility: as many years as one wants, none longer in memory than a block.

# %%
bootstrap = mc.Study(mc.market.Bootstrap.from_history(series, start=FIRST), rules, costs, delay=1)
drawn = bootstrap.run(DRAWN)
print(report.text(mc.objective.table(drawn, FLOOR)[["mean_return", "difference", "breach_any_day", "cvar_95"]]))

# %% [markdown]
# ## Which error is honest?
#
# Years that overlap are one another's neighbours: of n of them, some n/252 are independent. The error of the mean, and of the share that broke the
# floor, once as if they were independent, once by the long-run variance of the sequence of windows, which is what mcengine prints for a replay.

# %%
rows = {}
for book in rules:
    honest = mc.objective.table(came, FLOOR, [book]).iloc[0]
    returns, broke = came[book]["wealth"] - 1.0, came[book]["lowest"] < FLOOR
    for figure, x in (("mean_return", returns), ("breach_any_day", broke)):
        rows[(book, figure)] = {"as if independent": 100.0 * float(np.std(x)) / np.sqrt(x.size), "by windows": 100.0 * honest[figure].error}
errors = pd.DataFrame.from_dict(rows, orient="index")
figure, axes = report.panels((10.0, 3.4), columns=2)
for axis, (name, title) in zip(axes, {"mean_return": "mean return", "breach_any_day": "P(any day below)"}.items(), strict=True):
    part = errors.xs(name, level=1)
    at = np.arange(len(part))
    axis.bar(at - 0.2, part["as if independent"], 0.4, color="#BBBBBB", label="as if independent")
    axis.bar(at + 0.2, part["by windows"], 0.4, color=[report.colour(book) for book in part.index], label="by windows")
    axis.set_xticks(at, [book.replace("_", " ") for book in part.index], fontsize=8, rotation=20, ha="right")
    axis.set_ylabel(f"error of {title}, %", fontsize=9)
    report.grid(axis)
axes[0].legend(fontsize=8, frameon=False)
report.titled(figure, "The same years, two errors", mc.engine.summarise(replay, came.paths))

# %% [markdown]
# ## The answer

# %%
kept = {book: f"{worst.loc[book, 'all years']:.3f}" for book in rules}
ratio = errors.xs("mean_return", level=1).loc["unhedged"]
times = ratio["by windows"] / ratio["as if independent"]
broken = mc.objective.table(drawn, FLOOR)["breach_any_day"].map(lambda e: e.scaled(100))
mean = mc.objective.table(came, FLOOR)["mean_return"]["unhedged"].scaled(100)
print(
    f"In {came.paths:,} overlapping windows of a year, of {span:.0f} years of history, the unhedged mix fell to {kept['unhedged']}, the stop to "
    f"{kept['stop_loss']}, the put to {kept['static_put']} and CPPI to {kept['cppi']} of the start; in drawn years CPPI is below {FLOOR:g} on "
    f"{broken['cppi']} % of paths and the mix on {broken['unhedged']} %. The honest error of the mix's mean is {times:.0f} times that of independent "
    f"years: history says {mean} % a year, no more precisely."
)
