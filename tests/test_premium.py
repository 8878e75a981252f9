"""P and Q apart: buying fairly priced puts under Q gains nothing on average; with a premium it costs what the premium says."""

import jax
import numpy as np
import pytest
from reference import quote

import mcengine as mc
from mcengine._model import replace

RATE, DIVIDEND = 0.03, 0.01
MARKETS = {  # every asset drifts at the rate
    "heston": mc.market.Heston(spot=100.0, v0=0.05, kappa=3.0, theta=0.04, vol_of_vol=0.4, rho=-0.6, drift=RATE, dividend=DIVIDEND),
    "bates": mc.market.Bates(
        spot=100.0,
        v0=0.04,
        kappa=3.0,
        theta=0.03,
        vol_of_vol=0.4,
        rho=-0.6,
        intensity=0.5,
        jump_mean=-0.1,
        jump_sd=0.1,
        drift=RATE,
        dividend=DIVIDEND,
    ),
}
CASES = ["heston", pytest.param("bates", marks=pytest.mark.slow)]
PUTS = 50.0
"""Puts a unit of the asset, of which 1 % of wealth is held: puts on half of wealth, the rest in cash."""


def discounted_gain(asset, puts):
    """(mean, its error) of e^{-rT} V_T / V_0 - 1 over a year, without costs."""
    policy = mc.policy.chain(mc.policy.Mix(equity=0.01), puts)
    study = mc.Study(mc.market.Market({"equity": asset}, rate=RATE), policy, mc.ledger.Proportional(0.0), steps=64)
    wealth = np.asarray(study.run(paths=1 << 16, seed=3, progress=False).outcomes["policy"]["wealth"], np.float64)
    gain = wealth * np.exp(-RATE) - 1.0
    return gain.mean(), gain.std(ddof=1) / np.sqrt(gain.size)


@pytest.mark.parametrize("name", CASES)
def test_fairly_priced_puts_gain_nothing(name):
    """No premium, so that P is Q: puts rolled each quarter at the prices of the table, marked and sold before they end."""
    mean, error = discounted_gain(MARKETS[name], mc.policy.RolledPut(moneyness=0.95, coverage=PUTS, tenor=16, roll=12))
    assert abs(mean) < 4.0 * error
    assert error < 2e-4


PREMIA = {"heston": {"variance_premium": 1.3}, "bates": {"intensity_premium": 2.0, "jump_mean_premium": -0.05}}


@pytest.mark.parametrize("name", CASES)
def test_with_a_premium_puts_cost_what_it_says(name):
    """A put held to its end loses, discounted and on average, its price less that without the premium, for each one bought."""
    asset = MARKETS[name]
    dear = replace(asset, **PREMIA[name])

    def put(pricer):
        return float(jax.jit(lambda p: p.option("put", 95.0, 1, quote(100.0, 1.0, variance=asset.v0, rate=RATE, dividend=DIVIDEND)))(pricer))

    asked, fair = put(dear.pricer()), put(asset.pricer())
    mean, error = discounted_gain(dear, mc.policy.StaticPut(floor=0.95, coverage=PUTS))
    bought = PUTS * 0.01 / 100.0 / (1.0 + PUTS * 0.01 / 100.0 * asked)  # what wealth pays for, the mix scaled down
    assert abs(mean + bought * (asked - fair)) < 4.0 * error
    assert bought * (asked - fair) > 15.0 * error
