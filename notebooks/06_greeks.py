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
# # Greeks, and how we know
#
# A derivative that is wrong looks like one that is right. So each is known twice: of contracts by formula and by simulation, of a rule by several
# estimators held to bumps on the same paths, of a book by the profit that its Greeks must explain.

# %%
import numpy as np

import mcengine as mc
from mcengine import report
from mcengine.statistics import estimate

mc.cache()
PATHS = 200_000

# %% [markdown]
# ## A call and a digital, by formula and by simulation
#
# The digital's payoff jumps, so that its derivative along a path is 0 and of no use. Every estimator that is possible is held to bumps on common
# paths in a pilot, path by path, and the one with the least total error, what its bias may hide within, is taken.

# %%
equity = mc.market.GBM(spot=100.0, sigma=0.2)
contracts = {"call": mc.instrument.Call(strike=100.0, expiry=0.5), "digital": mc.instrument.Digital("call", strike=100.0, expiry=0.5)}
numbers = {"delta": "market.asset.spot", "vega": "market.asset.sigma"}
rows = {}
for name, contract in contracts.items():
    exact = mc.greeks.of(contract, equity, rate=0.02)
    found = mc.greeks.of_contract(contract, equity, list(numbers.values()), rate=0.02, steps=1, paths=PATHS, pilot=8192)
    for choice, value in zip(found.choices, found.values, strict=True):
        greek = next(key for key, number in numbers.items() if number == choice.number)
        rows[f"{name} {greek}"] = (exact[greek], value, choice)
        print(f"{name} {greek}: by formula {exact[greek]:.4f}, by simulation {value} ({choice.taken}), {value.z(exact[greek]):+.1f} errors")

# %%
figure, axes = report.panels((10.0, 3.6), columns=len(rows))
for axis, (title, (exact, _, choice)) in zip(axes, rows.items(), strict=True):
    shown = [c for c in choice.candidates if c.value is not None]
    for k, one in enumerate(shown):
        colour = "#0072B2" if one.estimator == choice.taken else "#999999"
        axis.errorbar([k], [one.value.value], yerr=[one.value.half_width()], marker="o", color=colour, capsize=3)
    axis.axhline(exact, color="#D55E00", linewidth=1.2)
    axis.set_xticks(range(len(shown)), [one.estimator for one in shown], rotation=45, ha="right", fontsize=8)
    axis.set_title(title, fontsize=10)
    report.grid(axis)
axes[0].set_ylabel("on the pilot (bars: 95 % intervals)")
report.titled(figure, "Every estimator, the one taken in blue, and the formula as a line", "GBM asset · half a year · pilot of 8,192 paths · seed 0")

# %% [markdown]
# ## A rule has Greeks too
#
# What more multiplier does to CPPI's mean and to the probability that it breaks its floor: no formula, so the estimators judge each other.

# %%
market = mc.market.Market({"equity": mc.market.GBM(spot=100.0, sigma=0.25, drift=0.07)}, rate=0.02)
study = mc.Study(market, mc.policy.presets.cppi({"equity": 1.0}, 0.9, multiplier=6.0), steps=52)
derived = mc.greeks.of_study(study, ["mean_return", "breach_any_day"], ["policy.cppi.multiplier"], floor=0.9, paths=PATHS, pilot=8192)
print("\n\n".join(map(str, derived.choices)))
for choice, value in zip(derived.choices, derived.values, strict=True):
    print(f"\n{choice.figure} by {choice.number}: {value} ({choice.taken})")

# %% [markdown]
# ## What a book gained, explained by its Greeks
#
# Straddles held for their gamma, their delta traded: if the Greeks are right, delta, gamma, theta and vega explain what the book gained from day to
# day, and what is left over is small.

# %%
scalping = mc.policy.option_presets.gamma_scalping({"equity": 0.0}, coverage=1.0, width=0.0, tenor=63, roll=21)
dear = mc.market.Market({"equity": mc.market.GBM(spot=100.0, sigma=0.2, drift=0.05, variance_premium=1.2)}, rate=0.02)
costs, explained = mc.ledger.Proportional(5e-4), mc.engine.Explained()
result = mc.Study(dear, {"gamma_scalping": scalping}, costs, recorders=(mc.engine.recorder.Wealth(), explained)).run(PATHS // 4)
print(report.text(mc.objective.explained(result, ["gamma_scalping"])))

# %%
path = int(np.argmin(result["gamma_scalping"]["wealth"]))
traced = mc.Study(dear, scalping, costs, recorders=(explained, mc.engine.BookGreeks(by_expiry=True))).trace([path])
report.plot_greeks(traced, path)

# %%
report.plot_explained(traced, path)

# %% [markdown]
# ## The answer

# %%
z = {title: value.z(exact) for title, (exact, value, _) in rows.items()}
taken = ", ".join(f"{title} by {choice.taken}" for title, (_, _, choice) in rows.items())
total = estimate.mean(np.abs(result["gamma_scalping"]["wealth"] - 1.0)).scaled(100)
rest = estimate.mean(np.abs(result["gamma_scalping"]["explained_rest"])).scaled(100)
print(
    f"By formula and by simulation {len(z)} Greeks agree, the farthest {max(map(abs, z.values())):.1f} standard errors apart ({taken}); and a year "
    f"of a scalped straddle, which moves wealth by {total} % on average, is explained by its Greeks up to {rest} %."
)
