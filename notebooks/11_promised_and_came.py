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
# # What did the simulation promise, and what came?
#
# Every year the market is calibrated on the days before it, the rules are simulated on that market, and then the year itself is traded, with what
# really happened. So each year has a promise, a distribution, and one outcome. If promises are true, the rank of what came is uniform over the years.

# %%
import os

import numpy as np

import mcengine as mc
from mcengine import report

mc.cache()
FLOOR, PATHS = 0.90, 16_384
YEARS = range(2007, 2010) if os.environ.get("MC_SMALL") == "1" else range(1996, 2019)

# %%
plan = mc.backtest.Plan(
    history=mc.backtest.History(None),
    books=lambda weights: {
        "unhedged": mc.policy.presets.unhedged(weights),
        "stop_loss": mc.policy.presets.stop_loss(weights, FLOOR),
        "cppi": mc.policy.presets.cppi(weights, FLOOR, multiplier=4.0, tolerance=0.01),
    },
    calibrate=lambda assets, end: mc.calibrate.from_history({name: "heston" if name == "equity" else "gbm" for name in assets}, end=end),
    weights={"equity": 0.6, "bond": 0.3, "commodity": 0.1},
    costs=mc.ledger.Proportional(5e-4),
    floor=FLOOR,
    paths=PATHS if len(YEARS) > 3 else 1024,
)
walk = mc.backtest.walk_forward(plan, list(YEARS), progress=False)
print(f"{len(walk.years)} years, {walk.years[0]['year']} to {walk.years[-1]['year']}")

# %% [markdown]
# ## Year by year
#
# Bars: 5 to 95 % of the promised returns. To the right the ranks of what came, which should lie on the diagonal.

# %%
report.plot_promises(walk.table("unhedged"), "unhedged")

# %%
report.plot_promises(walk.table("cppi"), "cppi")

# %% [markdown]
# ## How far off, and can that be told from chance?
#
# The gap of the mean return falls into what came of drifts that were other than expected, and the rest.

# %%
gaps = mc.backtest.sim_to_real.gaps(walk, "cppi")
print(gaps.map(lambda e: str(e.scaled(100)) if isinstance(e, mc.Estimate) else f"{100 * e:.2f}").to_string())
ranks = mc.backtest.sim_to_real.ranks(walk, "cppi")
ranks.round(3)

# %% [markdown]
# ## The years as one
#
# Wealth of every rule, how far it is under its highest, and its volatility: each year begins anew with its own floor.

# %%
returns, rows = walk.returns[walk.books], walk.per_year // 4
under = returns.apply(mc.backtest.tear_sheet.underwater)
volatility = mc.backtest.tear_sheet.rolling_volatility(returns, walk.per_year, rows)
report.plot_growth(returns, under, volatility, rows, FLOOR)

# %% [markdown]
# ## The answer

# %%
lowest = {book: walk.values(book, "lowest") for book in walk.books}
kept = {book: int(np.sum(low >= FLOOR)) for book, low in lowest.items()}
worst = walk.years[int(np.argmin(lowest["unhedged"]))]["year"]
came, promised = (100.0 * float(np.mean(walk.values("cppi", "return", kind))) for kind in ("came", "promised"))
rank = mc.Estimate(*ranks.loc["return", ["mean", "error"]])
gap = gaps.loc["return", "gap"]
error = f" ± {100 * gap.error:.1f}" if np.isfinite(gap.error) else ""
print(
    f"In {len(walk.years)} years CPPI kept {FLOOR:.0%} in {kept['cppi']}, the stop in {kept['stop_loss']} and the unhedged mix in "
    f"{kept['unhedged']}, which fell to {lowest['unhedged'].min():.3f} in {worst}; CPPI was promised {promised:.1f} % a year and brought "
    f"{came:.1f} %, a gap of {100 * gap.value:.1f}{error} %, at a mean rank of {rank} where a half is expected of promises that are true."
)
