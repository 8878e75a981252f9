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
# # Which rule holds 90 %, and what does it cost?
#
# You hold 60 % equities, 30 % bonds and 10 % commodities, and must not fall below 90 % of where you start, on any day of a year. Which rule protects
# you, what does it cost, and how sure are we?
#
# With `MC_SMALL=1` in the environment no run has more than 4,096 paths: the figures are then rough, and their errors say so.

# %%
import numpy as np

import mcengine as mc
from mcengine import report

mc.cache()  # compiled programs are kept for the next time
PATHS, FLOOR, LIMIT = 200_000, 0.90, 0.005

# %% [markdown]
# ## The market, from history
#
# Equity moves by Heston's model, whose variance and its mean come from VIX and from returns; bond and commodity are lognormal. Each number
# comes with a standard error from a block bootstrap of the days.

# %%
calibration = mc.calibrate.fit_history()
print("\n".join(calibration.notes))
calibration.table()["shown"].to_frame()

# %% [markdown]
# The correlation we ask for is between Brownian motions.

# %%
report.plot_correlation(calibration.correlation, "Correlation of Brownian motions, from history")

# %% [markdown]
# ## Rules are chains of stages
#
# A mix, a volatility target, a multiple of the cushion above the floor, a band within which nothing is traded. A named preset is only such a
# chain. All rules below run on the same paths, so their differences carry paired errors.

# %%
weights = {"equity": 0.6, "bond": 0.3, "commodity": 0.1}
presets = mc.policy.presets
rules = {
    "unhedged": presets.unhedged(weights),
    "static_put": presets.static_put(weights, FLOOR),
    "stop_loss": presets.stop_loss(weights, FLOOR),
    "cppi": presets.cppi(weights, FLOOR, multiplier=4.0),
    "vol_target_cppi": mc.policy.chain(
        mc.policy.Mix(weights), mc.policy.VolTarget(target=0.10), mc.policy.Cppi(floor=FLOOR, multiplier=4.0), mc.policy.Band(0.01)
    ),
}
study = mc.Study(calibration.market, rules, mc.ledger.Proportional(rate=5e-4, option_spread=0.02))
result = study.run(PATHS)
table = mc.objective.table(result, FLOOR)
print(report.text(table))

# %% [markdown]
# What tests the floor, the end of the year or the days on the way?

# %%
print("\n".join(mc.objective.binding(table, FLOOR, probability=LIMIT)))

# %% [markdown]
# ## What each buys, and what it takes

# %%
report.plot_wealth(result, FLOOR)

# %%
report.plot_protection_cost(table, FLOOR)

# %% [markdown]
# ## Show me the worst paths
#
# A path is an address: the worst ones are run again, bit for bit, with everything recorded.

# %%
lowest = {book: [int(path) for path in np.argsort(result[book]["wealth"])[:10]] for book in ("unhedged", "cppi")}
trace = study.trace(sorted({*range(200), *lowest["unhedged"], *lowest["cppi"]}))
worst = lowest["unhedged"][0]
print(f"path {worst}: {result['unhedged']['wealth'][worst]:.6f} in the run, {trace.loc[worst, 'unhedged.wealth'].iloc[-1]:.6f} in the trace")
report.plot_fan(trace, ["unhedged", "cppi"], lowest, FLOOR, result.kept)

# %%
report.plot_exposure(trace, worst, list(rules), FLOOR)

# %% [markdown]
# ## The answer

# %%
holds = table[[e.value + e.half_width() <= LIMIT for e in table["breach_any_day"]]]
ranked = holds["mean_return"].map(lambda e: e.value).sort_values(ascending=False).index
best = holds.loc[ranked[0]]
wealth = {name: result[name]["wealth"].astype(float) for name in ranked[:2]}
ahead = {other: mc.statistics.estimate.mean(wealth[ranked[0]] - wealth[other], result.sampling) for other in ranked[1:2]}
more = "".join(f"{lead.scaled(100)} % more than {other} on the same paths, " for other, lead in ahead.items())
print(
    f"Of {len(rules)} rules {', '.join(holds.index)} hold {FLOOR:.0%} on all but {LIMIT:.1%} of the paths; the one that returns most, {best.name}, "
    f"earns {best['mean_return'].scaled(100)} % a year, {more}{best['difference'].scaled(-100)} % less than the unhedged mix, and breaks the floor "
    f"on {best['breach_any_day'].scaled(100)} % of the paths where the mix does on {table.loc['unhedged', 'breach_any_day'].scaled(100)} %."
)
