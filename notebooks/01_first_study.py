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
# # A first study
#
# You hold 60 % equities, 30 % bonds and 10 % commodities, and must not fall below 90 % of where you start. Which rule protects you,
# what does it cost, and how sure are we? This notebook asks the engine, one question at a time.
#
# With `MC_SMALL=1` in the environment no run has more than 4,096 paths: the figures are then rough, and their errors say so.

# %%
import matplotlib.pyplot as plt
import numpy as np

import mcengine as mc
from mcengine import report

PATHS = 200_000
FLOOR = 0.90

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
# The correlation we ask for is between Brownian motions. What comes out of the simulation, measured on standardised daily returns:

# %%
calibration.realised_correlation()

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
costs = mc.ledger.Proportional(rate=5e-4, option_spread=0.02)
study = mc.Study(calibration.market, rules, costs)
result = study.run(PATHS)
table = mc.objective.table(result, FLOOR)
print(report.text(table))

# %% [markdown]
# What tests the floor, the end of the year or the days on the way?

# %%
print("\n".join(mc.objective.binding(table, FLOOR)))

# %%
report.plot_wealth(result, FLOOR)
report.plot_protection_cost(table, FLOOR)
plt.show()

# %% [markdown]
# ## Show me the worst paths
#
# A path is an address: the ten worst are run again, bit for bit, with everything recorded.

# %%
wealth = result["cppi"]["wealth"]
worst = [int(path) for path in np.argsort(wealth)[:10]]
trace = study.trace(worst)
print(f"worst path {worst[0]}: {wealth[worst[0]]:.4f} in the run, {trace.loc[worst[0], 'cppi.wealth'].iloc[-1]:.4f} in the trace")
trace.loc[worst[0]][["time", "equity.spot", "equity.variance", "cppi.wealth", "cppi.exposure", "cppi.cash"]].iloc[::42]

# %%
report.plot_exposure(trace, worst[0], ["unhedged", "stop_loss", "cppi", "vol_target_cppi"], FLOOR)
plt.show()

# %% [markdown]
# ## Fit the rule
#
# The highest mean return with at most 0.5 % probability of a single day below the floor. The fit searches on one stream of numbers, is
# judged on a second, and is compared here on a third.

# %%
alone = mc.Study(calibration.market, rules["vol_target_cppi"], costs)
fit = mc.optimise.fit(alone, mc.objective.Wish("mean_return", {"breach": {"most": 0.005}}, floor=FLOOR))
print("\n".join(fit.says()))
fit.table()

# %%
before, after = alone.run(PATHS), fit.study.run(PATHS)
before.compare(after)

# %% [markdown]
# ## What is it sensitive to?
#
# Derivatives of the mean final wealth: by a shock to each asset right after the first trade (delta), by variance and volatility (vega), by the
# rate (rho).

# %%
mc.greeks.study(fit.study, paths=131_072)["derivative"].map(str).to_frame()

# %% [markdown]
# ## Contracts
#
# A put at the floor for a year, by formula with its Greeks, and by Monte Carlo under Q. The formula is an approximation for Heston (first order in
# the vol of vol); the simulation is not.

# %%
equity = calibration.market["equity"]
put = mc.instrument.Put(strike=FLOOR * float(equity.spot), expiry=1.0, asset="equity")
print(mc.greeks.of(put, equity, rate=float(calibration.market.rate.rate)))
print("Monte Carlo:", mc.price(put, calibration.market, paths=PATHS))
