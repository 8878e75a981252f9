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
# # How high a multiplier, how often traded?
#
# CPPI holds m times the cushion. A higher m earns more and falls through the floor more often; trading less often saves costs and lets prices run
# further between two dates. A sweep runs every combination, each in a folder of its own; here it is launched, collected and drawn.

# %%
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import mcengine as mc
from mcengine import report

FLOOR, LIMIT = 0.90, 0.005
small = os.environ.get("MC_SMALL") == "1"
PATHS = 4096 if small else 50_000
MULTIPLIERS = [2, 5, 10] if small else [2, 3, 4, 5, 6, 8, 10, 12]
EVERY = [1, 21] if small else [1, 5, 10, 21, 63]  # trading days from one date to the next

# %% [markdown]
# ## The sweep, as one types it

# %%
folder = Path(tempfile.mkdtemp()) / "sweep"
words = [
    "experiments/hedge.py",
    "-m",
    "policy=cppi_on_dates",
    f"policy.multiplier={','.join(map(str, MULTIPLIERS))}",
    f"policy.every={','.join(map(str, EVERY))}",
    "policy.leverage=2",
    "weights={equity: 1.0}",
    "market=lognormal",
    f"paths={PATHS}",
    "plots=false",
]
print("python", " ".join(f"'{word}'" if " " in word else word for word in words))
done = subprocess.run([sys.executable, *words, f"hydra.sweep.dir={folder}"], cwd="..", capture_output=True, text=True)
print(f"exit code {done.returncode}, {len(list(folder.rglob('metrics.json')))} runs")
assert done.returncode == 0, done.stderr[-2000:]

# %% [markdown]
# ## Collected: a row a run
#
# Only what varies, then every figure with its error.

# %%
runs = mc.collect(folder)
shown = ["policy.multiplier", "policy.every", "mean_return", "mean_return_error", "breach_any_day", "breach_any_day_error"]
runs[shown].reset_index(drop=True).round(5)

# %% [markdown]
# ## The response

# %%
report.plot_response(runs, "mean_return")

# %%
report.plot_response(runs, "breach_any_day")

# %% [markdown]
# What trading costs is paid out of the return: along one multiplier, the mean return by how often it is traded.

# %%
middle = MULTIPLIERS[len(MULTIPLIERS) // 2]
report.plot_response(runs[runs["policy.multiplier"] == middle], "mean_return")

# %% [markdown]
# ## The answer

# %%
held = runs[runs["breach_any_day"] + 1.96 * runs["breach_any_day_error"] <= LIMIT]
best = held.loc[held["mean_return"].astype(float).idxmax()]
bolder = runs.loc[runs["mean_return"].astype(float).idxmax()]
estimates = [(best, "mean_return"), (best, "breach_any_day"), (bolder, "breach_any_day")]
earns, breaks, more = (mc.Estimate(100 * row[key], 100 * row[f"{key}_error"]) for row, key in estimates)
print(
    f"Of {len(runs)} combinations {len(held)} break {FLOOR:.0%} on at most {LIMIT:.1%} of paths; the best of them has a multiplier of "
    f"{best['policy.multiplier']:g} and trades every {best['policy.every']:g} days: it earns {earns} % a year and breaks the floor on {breaks} %. "
    f"The highest return of all, at {bolder['policy.multiplier']:g} and every {bolder['policy.every']:g} days, comes with {more} %."
)
