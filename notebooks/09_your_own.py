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
# # How do I use it for my own assets, with my own rule and market?
#
# A file of prices to a report in twenty lines; then a stage of one's own, and a model of a price of one's own, each a class of some ten lines.
# Nothing in mcengine is changed for any of it.

# %%
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

here = Path(tempfile.mkdtemp())  # a folder of yours

# %% [markdown]
# Here is a file to follow with: twelve years of two funds, drawn from a seed. Yours may have any columns, dates and separators: see
# `mc.history.read`.

# %%
draw = np.random.default_rng(7)
days = pd.bdate_range("2012-01-02", periods=3000)
variance = np.empty(days.size)
shocks = draw.standard_t(6, days.size) * np.sqrt(4 / 6)
variance[0] = 1e-4
for k in range(1, days.size):
    variance[k] = 2e-6 + 0.90 * variance[k - 1] + (0.03 + 0.09 * (shocks[k - 1] < 0)) * variance[k - 1] * shocks[k - 1] ** 2
world = 100 * np.exp(np.cumsum(4e-4 + np.sqrt(variance) * shocks))
bonds = 50 * np.exp(np.cumsum(1.2e-4 + 0.0035 * (0.98 * draw.standard_normal(days.size) - 0.2 * shocks)))
pd.DataFrame({"world": world, "bonds": bonds}, index=days.rename("date")).round(4).to_csv(here / "funds.csv")
print((here / "funds.csv").read_text()[:120])

# %% [markdown]
# ## A file to a report in twenty lines

# %%
import mcengine as mc
from mcengine import report

mc.cache()
FLOOR, PATHS, weights = 0.90, 100_000, {"world": 0.6, "bonds": 0.4}
fitted = mc.calibrate.fit_prices(here / "funds.csv", models={"world": "gjr_garch", "bonds": "gbm"}, rate=0.02)
rules = {
    "unhedged": mc.policy.presets.unhedged(weights),
    "stop_loss": mc.policy.presets.stop_loss(weights, FLOOR),
    "cppi": mc.policy.presets.cppi(weights, FLOOR, multiplier=5.0),
}
study = mc.Study(fitted.market, rules, mc.ledger.Proportional(5e-4))
result = study.run(PATHS)
table = mc.objective.table(result, FLOOR)
folder = report.RunFolder(here / "report")
folder.begin("floor: 0.9")
folder.write_table("figures", table)
folder.write_picture("protection_cost", report.plot_protection_cost(table, FLOOR))
folder.write_picture("wealth", report.plot_wealth(result, FLOOR))
folder.finish({"floor": FLOOR, "weights": weights}, report.metrics(table.loc["cppi"]), {**report.provenance(), "choices": {"policy": "cppi"}})
page = report.write_page(folder.path)

# %%
print("\n".join(fitted.notes), f"\n\n{report.text(table)}\n")
print(f"{page.name}, {page.stat().st_size // 1000} kB, beside {', '.join(sorted(file.name for file in here.glob('report/*.csv')))}")
report.plot_wealth(result, FLOOR)

# %% [markdown]
# From the command line it is one line: `mcengine study market=prices data=funds.csv` reports every policy at every floor, and
# `mcengine hedge market=prices data=funds.csv policy=cppi 'weights={world: 0.6, bonds: 0.4}' market.rate=0.02` one of them.
#
# ## A stage of your own
#
# A stage is asked on every date what it wants held: `target` is what the stages before it want, by slot; a scaler multiplies it. Numbers are fields,
# so that they have bounds, derivatives and can be fitted. This one sells in May. On the command line it is
# `policy=seasonal` once a yaml of that name builds it: [your_stage](guide/your_stage.md) has one.

# %%
from typing import ClassVar

import jax.numpy as jnp


@mc.model
class Seasonal(mc.policy.AbstractStage):
    """Holds ``share`` of the sleeve between two times of a year.

    Args:
        share: Of what the stages before want, in the season.
        begins: Of the season, years from the start.
        ends: Of the season, years from the start.
    """

    share: mc.Scalar = mc.number(default=0.5, low=0.0, high=1.0)
    begins: mc.Scalar = mc.number(default=1 / 3, low=0.0, term=True)
    ends: mc.Scalar = mc.number(default=5 / 6, low=0.0, term=True)

    kind: ClassVar[mc.policy.Kind] = "scaler"

    def act(self, target, seen, memory):
        away = (seen.time >= self.begins) & (seen.time < self.ends)
        return seen.scale(target, jnp.where(away, self.share, 1.0)), memory


seasonal = mc.policy.chain(mc.policy.Mix(weights), Seasonal(0.25), mc.policy.Cppi(FLOOR, 5.0))
both = mc.Study(fitted.market, {"unhedged": rules["unhedged"], "cppi": rules["cppi"], "seasonal": seasonal}, mc.ledger.Proportional(5e-4))
trace = both.trace([0])
report.plot_exposure(trace, 0, ["unhedged", "cppi", "seasonal"], FLOOR)

# %% [markdown]
# ## A market of your own
#
# A model says how one price moves, for one path, in scalars: a table of what depends on time only, a step, and what can be seen. Here Cox's constant
# elasticity of variance (1975): the volatility is $\sigma (S/S_0)^{\beta-1}$ and rises as the price falls. mcengine correlates it, trades it and
# differentiates it as it does its own.

# %%
from mcengine.market.base import AbstractStandaloneAsset


@mc.model
class CEV(AbstractStandaloneAsset):
    """dS/S = mu dt + sigma (S/S_0)^{beta - 1} dW, by steps that are lognormal.

    Args:
        spot: Price today, currency.
        sigma: Volatility a year at today's price.
        beta: Elasticity; 1 is the lognormal model, 0 the normal one.
        drift: Expected return a year.
    """

    spot: mc.Scalar = mc.number(above=0.0, term=True)
    sigma: mc.Scalar = mc.number(low=0.0)
    beta: mc.Scalar = mc.number(default=0.5, low=0.0)
    drift: mc.Scalar = mc.number(default=0.0)

    n_factors: ClassVar[int] = 1
    n_uniforms: ClassVar[int] = 0

    def loadings(self):
        return (1.0,)

    def table(self, times, dt):
        return dt

    def start(self):
        return self.spot

    def observe(self, state):
        return state, (self.sigma * (state / self.spot) ** (self.beta - 1.0)) ** 2

    def step(self, state, row, normals, uniforms=()):
        variance = self.observe(state)[1]
        return state * jnp.exp((self.drift - 0.5 * variance) * row + jnp.sqrt(variance * row) * normals[0])

    def pricer(self):
        return mc.pricing.BlackPricer(variance=self.sigma**2)

    @property
    def mean_volatility(self):
        return self.sigma

    def risk_neutral(self, rate):
        return mc.replace(self, drift=rate)


# %%
sigma = float(np.std(np.diff(np.log(world))) * np.sqrt(fitted.prices.rows_per_year))
own = mc.market.Market(
    {"world": CEV(spot=100.0, sigma=sigma, beta=0.0, drift=0.08), "bonds": fitted.market["bonds"]}, fitted.market.correlation, rate=0.02
)
mine = mc.Study(own, both.policy, mc.ledger.Proportional(5e-4)).run(PATHS)
mine_table = mc.objective.table(mine, FLOOR)
print(report.text(mine_table[["mean_return", "volatility", "breach_any_day", "cvar_95"]]))
report.plot_protection_cost(mine_table, FLOOR)

# %% [markdown]
# Is the new model right? At an elasticity of 1 it must be the lognormal one, path by path; and under Q, where every asset earns the rate, the mean of
# its price is the forward.


# %%
def alone(asset):
    market = mc.market.Market({"world": asset}, rate=0.02)
    return mc.Study(market, mc.policy.Mix(world=1.0), mc.ledger.Proportional(0.0)).run(PATHS // 4)


lognormal, limit = alone(mc.market.GBM(100.0, sigma, drift=0.08)), alone(CEV(100.0, sigma, beta=1.0, drift=0.08))
apart = float(np.max(np.abs(limit.wealth / lognormal.wealth - 1.0)))
fair = alone(CEV(100.0, sigma, beta=0.0, drift=0.02))
forward = mc.statistics.estimate.mean(fair["market"]["price_world"].astype(float))
print(f"apart from the lognormal model by {apart:.0e} at most; mean price under Q {forward}, forward {100 * np.exp(0.02):.3f}")

# %% [markdown]
# ## The answer

# %%
cost = mine_table["difference"].map(lambda e: str(e.scaled(-100)), na_action="ignore")
off = abs(forward.z(100 * np.exp(0.02)))
print(
    f"Twenty lines took {len(days):,} days of two funds to a report of {result.paths:,} paths, in which CPPI breaks {FLOOR:.0%} on "
    f"{table.loc['cppi', 'breach_any_day'].scaled(100)} % of them; in the market of one's own it costs {cost['cppi']} % a year and the seasonal rule "
    f"of one's own {cost['seasonal']} %, and that market is the lognormal one to {apart:.0e} where it should be, its forward {off:.1f} errors off."
)
