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
# # Are the rules right?
#
# A simulated rule is worth what it was checked against. On one lognormal asset the outcome of the classic rules is known exactly: some by path, some
# in distribution. This notebook runs CPPI, TIPP, OBPI and puts as they are, and sets the law beside each.
#
# The market: mu = 8 % a year, sigma = 20 %, r = 2 %, a year, nothing costs anything.

# %%
import math

import numpy as np
from scipy.optimize import brentq
from scipy.stats import norm

import mcengine as mc
from mcengine import report
from mcengine.engine.recorder import Wealth
from mcengine.policy import Cppi, Every, HighWater, Mix, Rebalance, RolledPut, chain, insurance
from mcengine.statistics import estimate

mc.cache()
PATHS, MU, R, S = 200_000, 0.08, 0.02, 0.20
all_in, equity = {"equity": 1.0}, Mix(equity=1.0)
unbound = {"leverage": 1e9, "exposure": "set"}  # textbooks borrow as they please

# %% [markdown]
# ## All rules on the same paths

# %%
rules = {
    "cppi": chain(equity, Cppi(0.9, 5.0, **unbound)),
    "cppi_on_dates": chain(equity, Cppi(0.9, 5.0, **unbound), Rebalance(Every(63))),
    "obpi": insurance.obpi(all_in, 0.9),
    "synthetic_put": insurance.synthetic_put(all_in, 0.9),
    "rolled_put": chain(equity, RolledPut(0.95, tenor=21, roll=21)),
}
market = mc.market.Market({"equity": mc.market.GBM(spot=100.0, sigma=S, drift=MU)}, rate=R)
study = mc.Study(market, rules, mc.ledger.Proportional(0.0), recorders=(Wealth(),))
result = study.run(PATHS)
wealth = {name: result[name]["wealth"].astype(float) for name in rules}
spot = result["market"]["price_equity"].astype(float) / 100.0

# %% [markdown]
# ## What the laws say
#
# - **CPPI**, traded all the time: $V_T = F + (V_0 - F e^{-rT})\, (S_T/S_0)^m\, e^{(r - m(r - \sigma^2/2) - m^2\sigma^2/2)T}$
#   (Bertrand & Prigent 2005). On dates each path is off by an error that falls as the root of the step.
# - **CPPI on n dates**: from date to date the cushion is multiplied by $A = m S'/S - (m-1) e^{r\,dt}$, until it is negative and earns interest
#   (Balder, Brandl & Mahayni 2009): $P(V_T < F) = 1 - P(A > 0)^n$, and the mean is a geometric sum.
# - **OBPI** ends at $q \max(S_T, K)$ on every path, with $q = 1 / (1 + P(K))$ and $qK$ the floor. The **synthetic put** trades towards the same.
# - **Rolled puts** at their fair price: each month is worth $(e^{\mu/12} + E[(K - S)^+]) / (1 + P(K))$ in the mean.


# %%
def put(strike, years, drift, discount):
    """The discounted mean of (K - S)^+ where S drifts; Black's price where both are the rate."""
    total = S * math.sqrt(years)
    d = (drift * years - math.log(strike)) / total + 0.5 * total
    return math.exp(-discount * years) * (strike * norm.cdf(total - d) - math.exp(drift * years) * norm.cdf(-d))


def cppi_on_dates(floor, m, n):
    """(probability of a shortfall, mean) of CPPI on n dates, however much it borrows."""
    dt = 1.0 / n
    d = (math.log(m / (m - 1.0)) + (MU - R - 0.5 * S * S) * dt) / (S * math.sqrt(dt))
    up = m * math.exp(MU * dt) * norm.cdf(d + S * math.sqrt(dt)) - (m - 1.0) * math.exp(R * dt) * norm.cdf(d)  # E[A; A > 0]
    down = m * math.exp(MU * dt) - (m - 1.0) * math.exp(R * dt) - up
    cushion = up**n + down * sum(up**k * math.exp(R * dt * (n - 1 - k)) for k in range(n))
    return 1.0 - norm.cdf(d) ** n, floor + (1.0 - floor * math.exp(-R)) * cushion


def cppi_by_path(spot):
    return 0.9 + (1.0 - 0.9 * math.exp(-R)) * spot**5 * math.exp(R - 5.0 * (R - 0.5 * S * S) - 12.5 * S * S)


strike = brentq(lambda k: k - 0.9 * (1.0 + put(k, 1.0, R, R)), 0.5, 2.0)
units, month = 1.0 / (1.0 + put(strike, 1.0, R, R)), 1.0 / 12.0
short, mean_on_dates = cppi_on_dates(0.9, 5.0, 4)
insured = units * (math.exp(MU) + put(strike, 1.0, MU, 0.0))
checks = {  # by simulation, by law
    "CPPI on 4 dates, P(shortfall)": (estimate.mean(wealth["cppi_on_dates"] < 0.9), short),
    "CPPI on 4 dates, mean": (estimate.mean(wealth["cppi_on_dates"]), mean_on_dates),
    "OBPI, mean": (estimate.mean(wealth["obpi"]), insured),
    "synthetic put, mean": (estimate.mean(wealth["synthetic_put"]), insured),
    "rolled puts, mean": (
        estimate.mean(wealth["rolled_put"]),
        ((math.exp(MU * month) + put(0.95, month, MU, 0.0)) / (1.0 + put(0.95, month, R, R))) ** 12,
    ),
}
for what, (found, law) in checks.items():
    print(f"{what:>30}  {found!s:>20}   law {law:.6f}   {found.z(law):+.1f} errors")

# %% [markdown]
# ## Path by path
#
# Where the law is one of paths, every dot should lie on the line. The put bought once does, to rounding; what trades towards its law is off by its
# dates.

# %%
figure, axes = report.panels((10.0, 4.0), columns=3, sharey=True)
laws = {"cppi": cppi_by_path(spot), "obpi": units * np.maximum(spot, strike), "synthetic_put": units * np.maximum(spot, strike)}
order, shown = np.argsort(spot), slice(0, 600)
for axis, (name, law) in zip(axes, laws.items(), strict=True):
    axis.plot(spot[shown], wealth[name][shown], ".", color=report.colour(name), markersize=4, alpha=0.6, label="simulated")
    axis.plot(spot[order][:: len(spot) // 400], law[order][:: len(spot) // 400], color="#222222", linewidth=1.0, label="law")
    axis.set_title(name.replace("_", " "), fontsize=10)
    axis.set_xlabel("asset at the horizon / start")
    axis.set_xlim(0.6, 1.6)
    axis.set_ylim(0.8, 2.0)
    axis.legend(fontsize=8, frameon=False, loc="upper left")
    report.grid(axis)
axes[0].set_ylabel("wealth / starting wealth")
report.titled(figure, "Wealth by the asset's last price, and the law of each path", mc.engine.summarise(study, result.paths, result.seed))

# %% [markdown]
# Four times as many dates should halve the distance (root mean square, relative to the cushion for CPPI).

# %%
few = mc.Study(market, rules, mc.ledger.Proportional(0.0), steps=63, recorders=(Wealth(),)).run(PATHS // 4)
last = few["market"]["price_equity"].astype(float) / 100.0
ratios = {}
for name, law in {"cppi": cppi_by_path, "synthetic_put": lambda s: units * np.maximum(s, strike)}.items():
    off = []
    for found, s in ((few[name]["wealth"], last), (result[name]["wealth"], spot)):
        scale = law(s) - 0.9 if name == "cppi" else 1.0
        off.append(float(np.sqrt(np.mean(((found - law(s)) / scale) ** 2))))
    on_63, on_252 = off
    ratios[name] = on_63 / on_252
    print(f"{name:>14}: {on_63:.4f} on 63 dates, {on_252:.4f} on 252: {ratios[name]:.2f} times as far")

# %% [markdown]
# ## TIPP, by path
#
# Without interest TIPP with floor $a$ of the highest wealth and multiplier $m$ follows from $N_t = (S_t/S_0)^m e^{-m(m-1)\sigma^2 t/2}$ and its
# highest $N'$: $V = a N'^{1-a} + (1-a) N'^{-a} N$ (Azéma & Yor 1979). A trace has every date of a path.

# %%
share, multiplier = 0.7, 3.0
still = mc.market.Market({"equity": mc.market.GBM(spot=100.0, sigma=S, drift=MU)}, rate=0.0)
trace = mc.Study(still, chain(equity, Cppi(HighWater(share), multiplier, **unbound)), mc.ledger.Proportional(0.0)).trace(range(64))
wide = {name: trace[name].to_numpy().reshape(64, -1) for name in ("time", "wealth", "equity.spot")}
time = wide["time"][0]
grown = (wide["equity.spot"] / 100.0) ** multiplier * np.exp(-0.5 * multiplier * (multiplier - 1.0) * S * S * time)
highest = np.maximum.accumulate(grown, axis=1)
law = share * highest ** (1.0 - share) + (1.0 - share) * highest**-share * grown
tipp_gap = float(np.sqrt(np.mean((wide["wealth"] - law) ** 2)))
figure, (axis,) = report.panels((9.0, 4.0))
for k in range(5):
    axis.plot(time, wide["wealth"][k], color=report.colour("tipp"), linewidth=1.6, label="TIPP on 252 dates" if k == 0 else None)
    axis.plot(time, law[k], color="#222222", linewidth=0.8, linestyle="--", label="its law" if k == 0 else None)
axis.set_xlabel("time, years")
axis.set_ylabel("wealth / starting wealth")
axis.legend(fontsize=8, frameon=False)
report.grid(axis)
report.titled(figure, f"TIPP and its law along five paths, {tipp_gap:.4f} apart (root mean square of 64 paths)", trace.attrs["about"])

# %% [markdown]
# ## The answer

# %%
far = max(abs(found.z(law)) for found, law in checks.values())
by_path = float(np.max(np.abs(wealth["obpi"] / laws["obpi"] - 1.0)))
halved = all(1.8 < ratio < 2.2 for ratio in ratios.values())
agree = "Yes, as far as" if far < 3.0 and by_path < 1e-4 and halved else "Not in all, as far as"
print(
    f"{agree} {result.paths:,} paths can tell: of {len(checks)} laws in distribution the one farthest off is {far:.1f} standard errors "
    f"away, OBPI is within {by_path:.0e} of its law on every path, and four times as many dates bring CPPI {ratios['cppi']:.2f} times and the "
    f"synthetic put {ratios['synthetic_put']:.2f} times as near to theirs, where 2 is expected."
)
