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
# # Can a floor be compiled?
#
# One says what must hold, not which multiplier: the highest mean return, with at most half a percent of paths below 90 % on any day, and no more
# trading than three times the wealth a year. A fit finds the numbers, says what binds, and what each constraint costs.

# %%
import numpy as np

import mcengine as mc
from mcengine import report

mc.cache()
FLOOR, PATHS = 0.90, 100_000
wish = mc.objective.Wish("mean_return", {"breach": {"most": 0.005}, "turnover": {"most": 3.0}}, floor=FLOOR)
print(wish)

# %% [markdown]
# ## A market, and a rule whose numbers are a guess

# %%
assets = {
    "equity": mc.market.GBM(spot=100.0, sigma=0.18, drift=0.08, dividend=0.019),
    "bond": mc.market.GBM(spot=100.0, sigma=0.07, drift=0.04),
}
market = mc.market.Market(assets, {"equity-bond": -0.2}, rate=0.02)
guess = mc.policy.chain(
    mc.policy.Mix(equity=0.7, bond=0.3), mc.policy.VolTarget(target=0.10, leverage=1.5), mc.policy.Cppi(FLOOR, multiplier=3.0, leverage=1.5)
)
study = mc.Study(market, guess, mc.ledger.Proportional(5e-4), steps=52)
train = ["policy.vol_target.target", "policy.cppi.multiplier"]
before = study.run(PATHS, seed=1)
print(report.text(mc.objective.table(before, FLOOR)[["mean_return", "breach_any_day", "cvar_95", "turnover"]]))

# %% [markdown]
# ## The fit
#
# It searches on fixed paths, and is judged under the hard rule on paths it has not seen: only that run may say that a constraint holds.

# %%
fit = mc.optimise.fit(study, wish, train=train, paths=8192, validation_paths=131_072)
print(fit.table().to_string(), "\n")
print(report.constraints(fit), "\n")
print("\n".join(fit.says()))

# %%
report.plot_fit(fit)

# %% [markdown]
# ## What protection costs
#
# The same wish at several limits of the breach, each fit begun at the last one's end and judged on paths of its own. That judges each, but errors
# between two of them are as large as what there is to see. So all four rules are run again on one set of fresh paths, where differences are paired.
#
# The price of a constraint, found in one fit, is the slope of this line there: between two limits the slope should be between their prices.

# %%
levels = [0.02, 0.01, 0.005, 0.0025]
fits = mc.optimise.frontier(study, wish, "breach", levels, train=train, paths=8192, validation_paths=131_072)
table = mc.optimise.frontier_table(fits, "breach", levels)
print(table[["mean_return", "price", "holds", *train]].map(str).to_string())

# %%
common = [one.study.run(PATHS, seed=2) for one in fits]
wealth = [one["policy"]["wealth"].astype(float) for one in common]
broke = [(one["policy"]["lowest"] < FLOOR).astype(float) for one in common]
prices = [one.constraints().loc["breach", "price"] for one in fits]
slopes = []  # (slope, the two prices) between neighbours
for k in range(len(levels) - 1):
    less, gap = wealth[k] - wealth[k + 1], broke[k] - broke[k + 1]
    if gap.mean() > 0.0:  # few paths may not tell two limits apart
        slope = less.mean() / gap.mean()
        error = mc.statistics.estimate.mean((less - slope * gap) / gap.mean(), common[k].sampling).error
        slopes.append((mc.Estimate(slope, error), *sorted(prices[k : k + 2])))
        print(f"from {levels[k + 1]:.2%} to {levels[k]:.2%}: slope {slopes[-1][0]}, prices {slopes[-1][1]:.3f} and {slopes[-1][2]:.3f}")

figure, (axis,) = report.panels((7.0, 4.2))
x, y = (np.array([100.0 * one.mean() for one in columns]) for columns in (broke, [one - 1.0 for one in wealth]))
bars = [100.0 * mc.statistics.estimate.mean(one - wealth[-1], common[0].sampling).half_width() for one in wealth]
axis.errorbar(x, y, yerr=bars, color="#0072B2", marker="o", capsize=3, label="on common paths (bars: to the leftmost)")
for k, (at, high) in enumerate(zip(x, y, strict=True)):
    reach = 0.3 * at
    ends = [high - prices[k] * reach, high + prices[k] * reach]
    axis.plot([at - reach, at + reach], ends, color="#D55E00", label=None if k else "its price as a slope")
axis.set_xlabel(f"paths below {FLOOR:g} on any day, %")
axis.set_ylabel("mean return, %")
axis.legend(fontsize=8, frameon=False)
report.grid(axis)
report.titled(figure, "What a looser limit brings", mc.engine.summarise(fits[0].study, common[0].paths, common[0].seed))

# %% [markdown]
# ## On paths that nobody has seen
#
# The rule before and after the fit on the same fresh paths, so that the difference carries a paired error.

# %%
after = fit.study.run(PATHS, seed=1)
key = mc.objective.figures(study, FLOOR, benchmark=None)
gained = before.difference(after, key["policy/mean_return"])
both = {"before": before, "after": after}
figure, axes = report.panels((10.0, 3.4), columns=2)
edges = np.linspace(0.85, 1.45, 80)
for name, one in both.items():
    axes[0].stairs(np.histogram(one.wealth, edges, density=True)[0], edges, color=report.colour(name), linewidth=1.5, label=name)
    lowest = np.sort(one["policy"]["lowest"])[: max(one.paths // 50, 2)]
    axes[1].plot(lowest, 100.0 * np.arange(1, lowest.size + 1) / one.paths, color=report.colour(name), linewidth=1.5, label=name)
axes[0].set_xlabel("wealth after 1 year / starting wealth")
axes[0].set_ylabel("density")
axes[1].axvline(FLOOR, color="#B22222", linestyle="--", linewidth=1.0)
axes[1].set_xlabel("lowest wealth of the year / start")
axes[1].set_ylabel("paths at or below it, %")
for axis in axes:
    axis.legend(fontsize=8, frameon=False)
    report.grid(axis)
report.titled(figure, f"Before and after the fit: the floor {FLOOR:g} dashed", mc.engine.summarise(study, after.paths, after.seed))

# %% [markdown]
# ## The answer

# %%
numbers = fit.table()["after"]
broken = after.estimate(key["policy/breach_any_day"]).scaled(100)
within = sum(low - 2.0 * slope.error <= slope.value <= high + 2.0 * slope.error for slope, low, high in slopes)
binds = ", ".join(term.name for term in fit.terms if term.binds) or "nothing"
breach = fit.constraints().loc["breach"]
told = f"{'Yes' if fit.feasible else 'Not for certain'}: with a volatility target of {numbers.iloc[0]:.3f} and a multiplier of {numbers.iloc[1]:.2f}"
holds = f"hold with {breach['confidence']:.0%} confidence" if fit.feasible else f"are not shown to hold with {breach['confidence']:.0%} confidence"
print(
    f"{told} the rule returns {fit.goal.scaled(100)} % a year, {gained.scaled(100)} % more than the guess on fresh paths, where {broken} % fall "
    f"below {FLOOR:.0%}; what binds is {binds}, one percent of paths more would bring {breach['price']:.2f} % a year (of {len(slopes)} slopes of the "
    f"frontier {within} lie between the prices at their ends, to two errors), and the limits {holds}."
)
