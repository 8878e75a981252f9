"""Hard and smooth rules, one program: the smooth outcome tends to the hard one, and its derivative does not grow with the number of dates.

``tests/gates_picture.py`` draws both. A new rule that decides by ``gate`` is a new row of ``rules``.
"""

import math
from types import SimpleNamespace
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import mcengine as mc
from mcengine._model import Scalar, model, number, parameters, with_parameters
from mcengine.engine import recorder
from mcengine.engine.path import Simulation
from mcengine.instrument import Barrier
from mcengine.market import Ewma
from mcengine.noise import Path, make_key
from mcengine.policy import (
    Above,
    AbstractStage,
    AnyOf,
    CostBudget,
    Cppi,
    Derisk,
    Drawdown,
    Drift,
    Every,
    GreekLimit,
    HighWater,
    Ladder,
    Mix,
    Not,
    Rebalance,
    Rung,
    Shock,
    StopLoss,
    StopLossReentry,
    Underwater,
    VarianceTrade,
    VolSpike,
    When,
    chain,
    gate,
)
from mcengine.pricing import Calendar

EQUITY, HALF = Mix(equity=1.0), Mix(equity=0.5)
FEW, MANY = 250, 2000
WIDTH = 0.03


@model
class ProductStop(AbstractStage):
    """A stop-loss by a product of gates: what must be found."""

    floor: Scalar = number()
    kind: ClassVar[str] = "scaler"

    def start(self, seen):
        return jnp.ones_like(seen.wealth)

    def act(self, target, seen, memory):
        kept = memory * gate(seen.wealth - seen.floor_value(self.floor), seen.width * seen.start_wealth)
        return seen.scale(target, kept), kept


def rules(steps):
    """``{name: (rule, its threshold)}``; memories are as long in years whatever the number of dates, but those of a day's volatility."""
    season = steps // 5
    rungs = {"derisk": Rung(0.04, 0.02, Derisk(0.5)), "stop": Rung(0.08, 0.03, Derisk(0.0))}
    return {
        "stop_loss": (chain(EQUITY, StopLoss(0.9)), "stop_loss.floor"),
        "trailing_stop": (chain(EQUITY, StopLoss(HighWater(0.88))), "stop_loss.floor.share"),
        "reentry": (chain(EQUITY, StopLossReentry(0.9, rise=0.05)), "stop_loss_reentry.floor"),
        "ladder": (chain(EQUITY, Ladder(rungs, Underwater(season))), "ladder.stop.enter"),
        "drawdown": (chain(EQUITY, When(Drawdown(0.08, season), HALF)), "when.trigger.depth"),
        "above": (chain(EQUITY, When(Above(Ewma("equity", 10.0), 0.25), HALF)), "when.trigger.level"),
        "shock": (chain(EQUITY, When(Shock(deviations=1.5), HALF)), "when.trigger.deviations"),
        "band": (chain(EQUITY, Cppi(0.9, 4.0), Rebalance(Drift(0.05))), "rebalance.trigger.tolerance"),
        "limit": (chain(EQUITY, Cppi(0.9, 4.0), Rebalance(GreekLimit("delta", 0.5, 0.2))), "rebalance.trigger.high"),
        "on_drawdown": (chain(HALF, Rebalance(Drawdown(0.04, season))), "rebalance.trigger.depth"),
        "on_spikes": (chain(HALF, Rebalance(AnyOf(Every(season), VolSpike(ratio=1.3, fast=3.0, slow=12.0)))), "rebalance.trigger.vol_spike.ratio"),
        "variance": (chain(HALF, VarianceTrade(Ewma("equity", 10.0), threshold=0.02, tenor=season, roll=season)), "variance_trade.threshold"),
        "budget": (chain(EQUITY, Cppi(0.9, 4.0), Rebalance(Not(CostBudget(2e-4, 5e-5)))), "rebalance.trigger.trigger.rate"),
        "product": (chain(EQUITY, ProductStop(0.9)), "product_stop.floor"),
        "cppi": (chain(EQUITY, Cppi(0.9, 4.0)), "cppi.floor"),
        "tipp": (chain(EQUITY, Cppi(HighWater(0.9), 4.0)), "cppi.floor.share"),
    }


RULES = tuple(name for name in rules(40) if name != "product")
DATED = tuple(name for name in RULES if name != "variance")
"""All but the one that decides on its roll dates alone, however many dates there are."""
UNGATED = ("cppi", "tipp")
"""A cap and a ratchet have a kink, no gate: the same rule at every width."""


def made(steps, width=0.0):
    """Every rule on one lognormal asset for a year."""
    market = mc.market.Market({"equity": mc.market.GBM(spot=100.0, sigma=0.2, drift=0.05)}, rate=0.02)
    books = {name: rule for name, (rule, _) in rules(steps).items()}
    return mc.Study(market, books, mc.ledger.Proportional(1e-4), steps=steps, width=width, recorders=(recorder.Wealth(),))


def gaps(widths, paths=8192, steps=40):
    """``{rule: mean distance of each path's wealth from the hard rule's, by width}``."""
    study = made(steps)
    results = {w: mc.replace(study, width=w).run(paths, seed=7, progress=False) for w in (0.0, *widths)}
    wealth = {w: {name: result[name]["wealth"].astype(float) for name in RULES} for w, result in results.items()}
    return {name: [float(np.abs(wealth[w][name] - wealth[0.0][name]).mean()) for w in widths] for name in RULES}


def slopes(steps, paths=512, width=WIDTH):
    """``{rule: derivative of each path's wealth by the rule's own threshold}``: all thresholds are moved at once, each book reads its own."""
    whole, key = made(steps, width), make_key(5)
    study = mc.replace(whole, policy={name: whole.books[name] for name in (*DATED, "product")})
    named = {name: f"policy.{name}.{rules(steps)[name][1]}" for name in study.books}
    known = {where: jnp.asarray(parameters(study)[where]) for where in named.values()}

    def wealth(thresholds, path):
        outcomes = Simulation(with_parameters(study, thresholds)).path(key, Path(path, 0))
        return {name: outcomes[name]["wealth"] for name in named}

    def derivative(path):
        return jax.jvp(lambda thresholds: wealth(thresholds, path), (known,), ({where: jnp.ones_like(x) for where, x in known.items()},))[1]

    return {name: np.asarray(x, float) for name, x in jax.jit(jax.vmap(derivative))(jnp.arange(paths)).items()}


@pytest.fixture(scope="module")
def narrowed():
    return gaps((3e-4, 3e-5, 3e-6))


@pytest.fixture(scope="module")
def spreads():
    return {steps: slopes(steps) for steps in (FEW, MANY)}


def assert_bounded(few, many):
    """Of eight times the dates the spread over paths is at most 1.3 times what it was; a product of gates makes it 1.6 to 2.2 times."""
    assert 0.0 < many.std() < 1.3 * few.std()


@pytest.mark.parametrize("rule", RULES)
def test_the_smooth_rule_tends_to_the_hard_one(narrowed, rule):
    """In proportion to the width: the narrower the gates, the fewer paths are near a threshold on one of the dates."""
    wide, narrow, least = narrowed[rule]
    if rule in UNGATED:
        assert wide == narrow == least == 0.0
    else:
        assert wide > 3.0 * narrow > 9.0 * least


@pytest.mark.parametrize("rule", DATED)
def test_the_derivative_does_not_grow_with_the_number_of_dates(spreads, rule):
    assert_bounded(spreads[FEW][rule], spreads[MANY][rule])


def test_a_product_of_gates_is_found(spreads):
    np.testing.assert_array_less(1.5 * spreads[FEW]["product"].std(), spreads[MANY]["product"].std())


def knocked_out(barrier, width, normals):
    """What a put pays on one path that is knocked out below ``barrier``, watched on dates."""
    steps = normals.shape[0]
    contract = Barrier("put", "down", "out", 1.0, barrier, 1.0, watch="daily", width=width)
    spots = jnp.exp(jnp.cumsum(0.2 * math.sqrt(1.0 / steps) * normals - 0.02 / steps))
    seen = lambda spot: {"asset": SimpleNamespace(spot=spot, variance=0.04)}  # noqa: E731

    def date(state, row):
        return contract.step(state, seen(row[0]), row[1], Calendar(1.0, steps))

    return jax.lax.scan(date, contract.start(seen(1.0)), (spots, jnp.arange(1, steps + 1)))[1].sum()


def drawn(steps, paths=4096):
    return jax.random.normal(jax.random.key(3), (paths, steps))


def test_a_barrier_watched_on_dates_tends_to_the_hard_one():
    paid = jax.jit(jax.vmap(knocked_out, (None, None, 0)))
    hard, *smooth = (np.asarray(paid(0.85, width, drawn(40)), float) for width in (0.0, 3e-2, 3e-3, 3e-4))
    wide, narrow, least = (np.abs(one - hard).mean() for one in smooth)
    assert wide > 3.0 * narrow > 9.0 * least


def test_the_derivative_by_a_barrier_does_not_change_with_the_number_of_dates():
    """(Knocked out by a product of gates, .076 becomes .024: the more dates, the further above its barrier the option dies.)"""
    slope = jax.jit(jax.vmap(jax.grad(knocked_out), (None, None, 0)))
    few, many = (np.asarray(slope(0.9, 0.06, drawn(steps)), float).std() for steps in (FEW, MANY))
    assert many == pytest.approx(few, rel=0.1)
