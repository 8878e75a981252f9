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
# # How does one get small errors?
#
# Ten times the paths make an error three times as small. Better numbers may do it for nothing: antithetic pairs, Sobol points, hedge gains as control
# variates, paths that are pushed towards the floor. None is best for every figure, so all are measured, and their errors are tested.

# %%
import numpy as np
import pandas as pd

import mcengine as mc
from mcengine import report

mc.cache()
PATHS, FLOOR, SEEDS = 65_536, 0.90, 24

# %% [markdown]
# ## One study, five estimators
#
# CPPI with a multiplier of 5 that is traded once a week: three figures, of which the breach of the floor is a rare one.

# %%
market = mc.market.Market({"equity": mc.market.GBM(spot=100.0, sigma=0.2, drift=0.07)}, rate=0.02)
study = mc.Study(market, {"cppi": mc.policy.presets.cppi({"equity": 1.0}, FLOOR, multiplier=5.0)}, mc.ledger.Proportional(5e-4), steps=52)
names = {"cppi/mean_return": "mean return", "cppi/p20": "20th percentile", "cppi/breach_any_day": "P(any day below)"}
figures = {name: figure for name, figure in mc.objective.figures(study, FLOOR, benchmark=None).items() if name in names}
methods = {}
for method in mc.variance_reduction.METHODS:
    methods[method] = mc.variance_reduction.reduce(study, method, figures=figures, floor=FLOOR, book="cppi", pilot=8192)
    print(methods[method].note or "none: plain paths")

# %% [markdown]
# ## What each gains, over many seeds
#
# Every estimator runs with several seeds. Its printed error should be the spread of its values. Of points that are spread evenly the textbook's error
# is not, which is why mcengine takes the error of Sobol runs from independent randomisations, and of pairs from the pairs.

# %%
found = {method: {name: [] for name in names} for method in methods}
for method, reduced in methods.items():
    for seed in range(1, SEEDS + 1):
        result = reduced.study.run(PATHS, seed=seed)
        for name, figure in figures.items():
            found[method][name].append(reduced.estimate(result, figure, name))
errors = pd.DataFrame({m: {what: float(np.mean([e.error for e in row[name]])) for name, what in names.items()} for m, row in found.items()}).T
spread = pd.DataFrame({m: {what: float(np.std([e.value for e in row[name]], ddof=1)) for name, what in names.items()} for m, row in found.items()}).T
gain = (errors.loc["none"] / errors) ** 2
print(f"printed error of one run, %\n{(100.0 * errors).to_string(float_format='{:.4f}'.format)}\n")
print(f"plain paths that would be as good as one\n{gain.to_string(float_format='{:.2f}'.format)}\n")
print(f"spread over {SEEDS} seeds over the printed error\n{(spread / errors).to_string(float_format='{:.2f}'.format)}")

# %%
figure, axes = report.panels((10.0, 4.0), columns=2)
at, width = np.arange(len(names)), 0.16
for k, method in enumerate(methods):
    colour = report.PALETTE[k]
    axes[0].bar(at + (k - 2) * width, gain.loc[method], width, color=colour, label=method)
    half = 1.96 * (spread / errors).loc[method] / np.sqrt(2.0 * (SEEDS - 1))
    axes[1].errorbar(at + (k - 2) * width, (spread / errors).loc[method], yerr=half, color=colour, marker="o", linestyle="none", capsize=3)
axes[0].set_yscale("log")
axes[0].axhline(1.0, color="#999999", linewidth=0.8)
axes[0].set_ylabel("plain paths that one path replaces")
axes[1].axhline(1.0, color="#999999", linewidth=0.8)
axes[1].set_ylim(bottom=0.0)
axes[1].set_ylabel("spread over seeds / printed error", fontsize=9)
for axis in axes:
    axis.set_xticks(at, list(names.values()), fontsize=9)
    report.grid(axis)
figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=5, fontsize=9, frameon=False)
report.titled(figure, "What an estimator gains, and whether its error is true (bars: 95 % intervals)", mc.engine.summarise(study, result.paths))

# %% [markdown]
# ## More paths, the other way
#
# A run may stop by itself when one figure is known well enough.

# %%
wanted = 2e-4
stopped = study.run(4_000_000, until={"metric": "cppi/p20", "error": wanted}, figures=mc.objective.figures(study, FLOOR, benchmark=None))
print(stopped.stopped)
print(f"20th percentile after {stopped.paths:,} paths: {stopped.estimate(figures['cppi/p20'], 'cppi/p20')}")

# %% [markdown]
# ## The answer

# %%
best = gain.idxmax()
told = "; ".join(f"{what} by {best[what]}, as {gain.loc[best[what], what]:.1f} plain paths" for what in names.values())
off = spread / errors
print(
    f"Each figure has its own best estimator: {told}. Their printed errors are true: over {SEEDS} seeds values spread by {off.min().min():.2f} to "
    f"{off.max().max():.2f} of them, where {1 - 2 / np.sqrt(2 * (SEEDS - 1)):.2f} to {1 + 2 / np.sqrt(2 * (SEEDS - 1)):.2f} is chance for one."
)
