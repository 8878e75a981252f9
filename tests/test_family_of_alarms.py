"""The family's contract for triggers of alarm, the ladder and volatility rules: rows of their own, since a larger program is rounded otherwise."""

import numpy as np
import pytest
import test_family as family
from haste import compiled_in_haste
from test_family import MIX, PUT

import mcengine as mc
from mcengine.ledger import Proportional
from mcengine.market import Ewma, Forecast, Garch, Har, Implied, RealisedCorrelation, Rolling, Trend
from mcengine.policy import (
    Above,
    AdaptiveHedge,
    AllOf,
    AnyOf,
    CostBudget,
    Derisk,
    Drawdown,
    Drift,
    Every,
    ForecastVolTarget,
    GreekLimit,
    Ladder,
    Lean,
    Mix,
    Not,
    Rebalance,
    Reduce,
    Rung,
    Shock,
    Underwater,
    VarianceTrade,
    VolSpike,
    VolTarget,
    When,
    chain,
)

RULES = {
    "alarms": chain(
        MIX,
        When(AnyOf(Shock(deviations=1.0), AllOf(VolSpike(ratio=1.1, fast=2.0, slow=4.0), Every(2))), Derisk(0.5)),
        When(Drawdown(0.01, halflife=4.0), Derisk(0.8, asset="equity")),
        Rebalance(AnyOf(Not(CostBudget(0.01, 4.6e-4)), Drift(0.01))),
    ),
    "ladder": chain(
        MIX,
        Ladder(
            {
                "tighten": Rung(0.005, 0.002, VolTarget(0.1, halflife=3.0)),
                "derisk": Rung(0.01, 0.005, Derisk(0.5), Shock(deviations=1.5)),
                "stop": Rung(0.015, 0.01, chain(Mix(equity=0.1), PUT)),
            },
            Underwater(20.0),
        ),
    ),
    "volatility": chain(
        MIX,
        ForecastVolTarget(0.1, Har(0.02, 0.1, 0.3, 0.4), leverage=2.0),
        ForecastVolTarget(0.15, Garch(0.05, 0.04, 0.88, 0.06, ahead=3), asset="equity", leverage=2.0),
        ForecastVolTarget(0.15, Implied(3), asset="equity"),
        AdaptiveHedge(
            0.2, {"trend": Lean(Trend("equity", 4.0), -2.0), "both": Lean(RealisedCorrelation("equity", "bond", 4.0), 0.1)}, low=-0.5, asset="equity"
        ),
        When(Above(Forecast("bond", Rolling(2)), 0.06), Derisk(0.5, asset="bond")),
    ),
    "limits": chain(MIX, PUT, When(AnyOf(GreekLimit("vega", 0.025, bucket="1m"), GreekLimit("vanna", 0.62)), Reduce(0.6))),
    "variance_swap": chain(
        MIX,
        VarianceTrade(
            Ewma("equity", 3.0, initial=0.2), size=2.0, cap=0.1, tenor=3, roll=2, swap=mc.instrument.VarianceSwap(0.03, 3.0 / 252.0, "equity")
        ),
    ),
}


@pytest.fixture(scope="module")
def study(gbm_market):
    return mc.Study(gbm_market, RULES, costs=Proportional(5e-4, 0.01), steps=family.STEPS, years=family.STEPS / 252, recorders=family.RECORDERS)


influence = family.influence


def test_nothing_is_seen_early(influence):
    family.test_nothing_is_seen_early(influence)


def test_derivatives_are_those_of_the_smooth_program(study, float64):
    family.test_derivatives_are_those_of_the_smooth_program(study, None)


def test_on_history_a_date_late(study):
    """Unchanged on days as they were."""
    assets = {"equity": {"column": "spx", "volatility": "vix"}, "bond": {"column": "ust10y", "kind": "yield"}}
    past = mc.replace(study, market=mc.market.Replay.from_history(assets=assets), delay=1)
    with compiled_in_haste():
        outcome = past.run(256, progress=False, keep=1e9)
    for name in RULES:
        assert np.isfinite(outcome[name]["wealth"]).all()


def test_blocks_and_devices(study):
    """To rounding: an option priced on every date and sums of products may be rounded otherwise as the compiler fuses them."""
    whole, small = study.run(256, seed=3, progress=False), study.run(256, seed=3, block=64, devices=2, progress=False)
    for name in RULES:
        np.testing.assert_allclose(small[name]["wealth"], whole[name]["wealth"], rtol=3e-7, err_msg=name)
