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
# # Events, gamma, and the claim of 1.5 % a year
#
# The claim: a mix with delta-hedged options around a floor of 70 %, more short-dated ones ahead of announced events, tightened after a rally, beats
# its benchmark by 1.5 % a year. Bought options gain by gamma and pay theta for it. So the claim is one about prices: how much cheaper than what comes
# must options and events be?
#
# This is the study of record of `experiments/`, made of the same functions, on one year in place of five and without its fits and history.

# %%
import os
import sys

import mcengine as mc
from mcengine import report
from mcengine.report import claim_plots

sys.path.insert(0, "../experiments")
import claim

mc.cache()
small = os.environ.get("MC_SMALL") == "1"
PATHS, POINT_PATHS = (1024, 512) if small else (16_384, 4096)
FLOOR, PER_YEAR, YEARS = 0.70, 8, 1.0
weights, moves = {"equity": 0.6, "bond": 0.3, "commodity": 0.1}, {"equity": 0.01, "bond": 0.003}

# %% [markdown]
# ## The market and the book
#
# Assets as calibrated to history, equity lognormal at its mean variance, so that fair prices are known exactly; eight events a year, each of which
# moves equity by 1 % (one standard deviation) and leaves a year's variance what it was. Puts at the floor are struck anew at each event, higher after
# a rally and never lower; straddles are bought five days before it and sold on its date. *Delta hedged* and *locks a floor* exclude each other, so
# there are two books.

# %%
calibration, on = mc.calibrate.fit_history(), claim.dates(YEARS, PER_YEAR)
market = claim.announced(claim.lognormal(calibration.market), on, moves, PER_YEAR)
books = {name: book for name, book in claim.books(weights, claim.Terms(floor=FLOOR), on).items() if name in claim.READINGS}
study = claim.study(market, books, mc.ledger.Proportional(rate=5e-4, option_spread=0.02), YEARS)
for name, book in books.items():
    print(f"{name}: {', '.join(book.stages)}")

# %% [markdown]
# ## What options cost
#
# In history VIX squared was a multiple of the variance that came. VIX reads all strikes, the wings included, so the options at the money cost less
# than that, and the wings more by the surface's skew. What events cost beside what they move was not measured: they are assumed alike.

# %%
over = float(calibration.market["equity"].variance_premium)
at_money = over / float(mc.pricing.SurfacePricer().vix_over_atm) ** 2
stated = claim.Assumptions(variance=at_money, event=at_money, skew=1.0)
print(f"VIX squared over realised variance {over:.2f}, wings included: at the money {at_money:.2f}, and assumed so of events")

# %% [markdown]
# ## What gamma brought, and what it cost
#
# Both books explained by their Greeks, at those prices. Gamma and theta do not cancel even where options are fair: theta is what a day of the clock
# takes, and an option over an event loses the event's variance too, at once, on its date. That loss is no Greek's, so it is in the **rest**, beside
# what moves too large for gamma bring. At fair prices gamma, theta and the rest cancel; what they miss by is the premium. Trading takes the cost.

# %%
explained = (*study.recorders, mc.engine.Explained(cross=False))
result = mc.replace(claim.under(study, stated), recorders=explained).run(PATHS)
gained = mc.objective.explained(result)
print(report.text(gained))
figure, (axis,) = report.panels((9.0, 3.6))
parts = [name for name in gained if name != "mean_return" and any(e.value for e in gained[name])]
for k, book in enumerate(gained.index):
    bars = [e.scaled(100.0 / YEARS) for e in gained.loc[book, parts]]
    at = [place + 0.4 * k - 0.2 for place in range(len(parts))]
    look = {"color": report.colour(book), "alpha": 0.8, "capsize": 3, "label": book.replace("_", " ")}
    axis.bar(at, [e.value for e in bars], 0.4, yerr=[e.half_width() for e in bars], **look)
axis.axhline(0.0, color="#999999", linewidth=0.8)
axis.set_xticks(range(len(parts)), [name.removeprefix("explained_") for name in parts])
axis.set_ylabel("gained, % of wealth a year")
axis.legend(fontsize=8, frameon=False)
report.grid(axis)
about = mc.engine.summarise(result.study, result.paths, result.seed)
report.titled(figure, "What the books gained, by Greek (bars: 95 % intervals)", about)

# %% [markdown]
# ## At which prices would the claim hold?
#
# The difference is to the mix that holds the book's own exposure, deltas included, on the same dates at the same costs: what is left is what the
# options bring, not what more equity would have. One program values the books at every point, on the same paths.

# %%
named = {
    name: one for name, one in claim.scenarios(stated).items() if name.startswith(("fair", "options")) or name in ("as stated", "all strikes at VIX")
}
variance, event = ([0.2, 0.8, 1.4], [0.2, 1.4]) if small else ([0.2, 0.4, 0.6, 0.8, 1.0, 1.2, 1.4], [0.2, 0.6, 1.0, 1.4])
points = [claim.Point(one) for one in named.values()]
points += claim.map_points(variance, event, skew=[1.0] if small else [0.0, 1.0], cost=[1.0])
table = claim.evaluated(study, points, POINT_PATHS, FLOOR, size=min(len(points), 16))
first, rest = table.iloc[: 2 * len(named)], table.iloc[2 * len(named) :]
first = first.assign(prices=[name for name in named for _ in books], gain=first["at_equal_exposure"].map(claim.percent))
print(first.pivot(index="prices", columns="book", values="gain").reindex(list(named)).to_string())

# %%
hedged = rest[rest["book"] == "delta_hedged"]
title = f"Delta-hedged book: difference a year at equal exposure, {YEARS:g} year"
claim_plots.plot_map(hedged, "at_equal_exposure", ("variance", "event"), ("cost", "skew"), claim.CLAIMED, title)

# %% [markdown]
# ## The answer

# %%
by_name = first[first["book"] == "delta_hedged"].set_index("prices")["at_equal_exposure"]
short = [(claim.CLAIMED - by_name[name].value) / by_name[name].error for name in ("as stated", "fair")]  # in standard errors
word = "No" if min(short) > 2.33 else "Yes" if max(short) < -2.33 else "Not decided by these paths"
best = hedged.loc[max(hedged.index, key=lambda k: hedged.loc[k, "at_equal_exposure"].value)]
most = best["at_equal_exposure"]
far = (most.value - claim.CLAIMED) / most.error
met = "is met" if far > 2.33 else "is not met" if far < -2.33 else "is not decided"
part = {name: gained.loc["delta_hedged", f"explained_{name}"].scaled(100.0 / YEARS) for name in ("gamma", "theta", "rest", "cost")}
print(
    f"{word}: at equal exposure the delta-hedged book gains {by_name['as stated'].scaled(100)} % a year where options at the money cost "
    f"{at_money:.2f} of the variance that comes, events assumed alike, and {by_name['fair'].scaled(100)} % at fair prices; its gamma brings "
    f"{part['gamma']} %, theta takes {part['theta'].scaled(-1)} %, the rest, mostly the variance of events that have passed, "
    f"{part['rest'].scaled(-1)} % and trading {part['cost'].scaled(-1)} %; at the cheapest prices tried, options at {best['variance']:g} and events "
    f"at {best['event']:g} of fair, it gains {most.scaled(100)} %: the claim of {claim.CLAIMED:.1%} {met} there."
)
