"""What every rule must be, whatever it is made of: a new stage, trigger, signal, slot or cost is a new row of ``RULES`` or ``COSTS``.

No look-ahead, derivatives equal to central differences of the smooth program, no scale, the same bits for blocks, devices and traces, trades delayed,
history replayed and resampled.
"""

import math
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import mcengine as mc
from mcengine._model import model, parameters, trainable, with_parameters
from mcengine.engine import recorder
from mcengine.engine.path import Simulation
from mcengine.instrument import Barrier, Digital, Rolled, RollSchedule
from mcengine.ledger import Borrow, Exit, Financing, Fixed, HalfSpread, Impact, Margin, Proportional, Total
from mcengine.market import Ewma, RealisedCorrelation, Trend
from mcengine.noise import Path
from mcengine.policy import (
    Above,
    AbstractStage,
    AllOf,
    AnyOf,
    ContractOverlay,
    Cppi,
    DeltaHedge,
    Drift,
    ForwardOverlay,
    Mix,
    Not,
    Rebalance,
    RolledPut,
    StaticPut,
    VolTarget,
    When,
    chain,
)

STEPS, WIDTH = 6, 0.02
MIX = Mix(equity=0.6, bond=0.3)
PUT = RolledPut(0.98, tenor=3, roll=2)


@model
class BeforeEvent(AbstractStage):
    """Half of the sleeve on the two dates before the announced event, by what is seen of the calendar."""

    kind: ClassVar[str] = "scaler"

    def act(self, target, seen, memory):
        until = seen.until("report")
        return seen.scale(target, jnp.where((until > 0) & (until <= 2), 0.5, 1.0)), memory


def barrier(tenor):
    return Barrier("put", "down", "out", strike=0.98, barrier=0.9, expiry=tenor / 252, asset="equity")


RULES: dict[str, Any] = {
    "hedged_put": chain(MIX, PUT, DeltaHedge(0.9)),
    "hedged_by_forwards": chain(MIX, PUT, DeltaHedge(through="forward", tenor=4, roll=2)),
    "listed_puts": chain(MIX, RolledPut(0.97, schedule=RollSchedule((0, 3), (4, 7)))),
    "future_overlay": chain(Mix(equity=0.6, bond=-0.1), ForwardOverlay(-0.5, through="future", tenor=3, roll=3)),
    "barrier_put": chain(MIX, ContractOverlay(barrier(3), schedule=Rolled(3, 3), approximate=True)),
    "three_overlays": chain(
        MIX,
        VolTarget(0.1, halflife=3.0),
        StaticPut(0.95, 0.5),
        PUT,
        ContractOverlay(Digital("put", 0.97, expiry=2 / 252, pays="asset", asset="equity"), 0.1, schedule=Rolled(2, 2), approximate=True),
    ),
    "when": chain(MIX, When(AnyOf(Above(Ewma("equity", 3.0), 0.15), Drift(0.5)), Cppi(0.97, 8.0)), Rebalance(Drift(0.002))),
    "all_of": chain(MIX, When(AllOf(Above(Trend("equity", 4.0), -0.01), Not(Above(RealisedCorrelation("equity", "bond"), 0.03))), PUT)),
    "rungs": chain(MIX, When(Above(Ewma("equity", 3.0), 0.15, name="rung"), chain(Mix(equity=0.2, bond=0.3), PUT))),
}
HISTORICAL = ("hedged_put", "barrier_put", "when")
"""Rules that between them have every kind of part but futures, whose price is not the forward's where the rate moves."""

COSTS = Total(
    HalfSpread(5e-4, 1e-4, 0.005, 2e-4), Fixed(1e-7), Impact(100.0), Financing(0.01), Borrow(0.005), Margin(0.005), Exit(Proportional(5e-4, 0.01))
)
RECORDERS = (recorder.Wealth(), recorder.Trading())


@pytest.fixture(scope="module")
def study(gbm_market):
    return mc.Study(gbm_market, RULES, costs=COSTS, steps=STEPS, years=STEPS / 252, recorders=RECORDERS)


@pytest.fixture(scope="module")
def result(study):
    return study.run(2048, seed=3, progress=False)


@pytest.mark.parametrize("name", RULES)
def test_it_runs_and_pays(result, study, name):
    assert np.isfinite(result[name]["wealth"]).all()
    assert result[name]["wealth"].std() > 1e-3
    assert {f"cost_{kind}" for kind in study.costs.names} <= set(result[name])
    assert (result[name]["cost_exit"] > 0.0).all()


class TestBits:
    def test_blocks_and_devices(self, study, result):
        small = study.run(256, seed=3, block=64, devices=1, progress=False)
        apart = {name: int((small[name]["wealth"] != result[name]["wealth"][:256]).sum()) for name in RULES}
        assert not any(apart.values()), apart

    def test_trace(self, study, result):
        table = study.trace([5, 77], seed=3)
        for name in RULES:
            last = table[f"{name}.wealth"].to_numpy().reshape(2, -1)[:, -1]
            np.testing.assert_array_equal(last.astype(np.float32), result[name]["wealth"][[5, 77]], err_msg=name)


@pytest.fixture(scope="module")
def influence(study):
    """Of every rule d(held over step k) / d(normals of step j), [steps, steps, factors] a slot; gates are smooth, so triggers count."""
    before = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", True)
    try:
        smooth = mc.replace(study, width=WIDTH)
        draws = jnp.asarray(np.random.default_rng(2).standard_normal((STEPS, study.market.n_factors)))

        def held(draws):
            simulation = Simulation(mc.replace(smooth, noise=mc.noise.Given(draws)))
            _, _, (_, _, books) = simulation.path(None, Path(0, 0), trace=True)
            return {name: {slot: position.units for slot, position in book.account.held.items()} for name, book in books.items()}

        return jax.tree.map(np.asarray, jax.jit(jax.jacfwd(held))(draws))
    finally:
        jax.config.update("jax_enable_x64", before)


@pytest.mark.parametrize("name", RULES)
def test_nothing_is_seen_early(influence, name):
    """Exactly zero, not small: a holding is no function of a draw that comes later. What came before does move it."""
    jacobian = np.stack([np.abs(j).max(axis=2) for j in influence[name].values()])
    later = np.triu(np.ones(jacobian.shape[1:], bool))
    assert np.isfinite(jacobian).all()
    assert np.all(jacobian[:, later] == 0.0)
    assert np.all(jacobian.max(axis=0)[~later] > 0.0)


@pytest.mark.parametrize("market", ["replay", "bootstrap"])
def test_on_history(study, market):
    """Unchanged on days as they were and resampled, delayed by a date as a back-test has it."""
    made = getattr(mc.market, market.capitalize()).from_history(
        assets={"equity": {"column": "spx", "volatility": "vix"}, "bond": {"column": "ust10y", "kind": "yield"}}
    )
    past = mc.replace(study, market=made, delay=1, policy={name: RULES[name] for name in HISTORICAL})
    outcome = past.run(256, progress=False, keep=1e9)
    for name in HISTORICAL:
        assert np.isfinite(outcome[name]["wealth"]).all()
        assert 0.5 < outcome[name]["lowest"].min() < 1.0


def test_wealth_has_no_scale(study, float64):
    """Ten times the wealth, ticket fees and market volume are ten times everything, to rounding."""
    scaled = {"wealth": 10.0, "costs.fixed.fee": 1e-6, "costs.fixed.least": 1e-8, "costs.impact.volume": 1000.0}
    one, ten = (s.run(64, block=64, devices=1, progress=False) for s in (study, with_parameters(study, scaled)))
    for name in RULES:
        np.testing.assert_allclose(ten[name]["wealth"], one[name]["wealth"], rtol=1e-12, err_msg=name)


def test_derivatives_are_those_of_the_smooth_program(study, float64):
    """By every number of every rule, against central differences over the same 64 paths; ticket fees are left out, whose steps have no derivative."""
    smooth = with_parameters(mc.replace(study, width=WIDTH), {"costs.fixed.fee": 0.0})
    names = [n for n in trainable(smooth) if n.startswith(("policy.", "costs.")) and ".fixed." not in n]
    assert len(names) > 25
    books = list(RULES)

    def loss(outcomes, extra):
        return sum(outcomes[book]["wealth"] for book in books), {}

    gradient = mc.engine.BatchGradient(smooth, loss, names, batch=64, block=64, devices=1, label="family")
    known = parameters(smooth)
    key = mc.noise.make_key(3, "test")
    slopes = gradient({n: known[n] for n in names}, smooth, key, 0)[2]
    total = lambda s: sum(np.mean(s.run(64, seed=3, block=64, devices=1, progress=False)[b]["wealth"]) for b in books)  # noqa: E731
    flat = []
    for name in names:
        bump = 1e-5 * max(abs(float(known[name])), 0.1)
        up, down = (total(with_parameters(smooth, {name: float(known[name]) + sign * bump})) for sign in (1.0, -1.0))
        numeric, own = (up - down) / (2.0 * bump), float(slopes[name])
        assert math.isfinite(own), name
        assert own == pytest.approx(numeric, rel=1e-4, abs=1e-8), name
        flat += [name] if own == 0.0 else []
    assert not flat


def test_what_is_seen_of_announced_events(gbm_market):
    """Half the sleeve on the two dates before the event, none the wiser after it."""
    event = mc.market.Event(date=4 / 252, sd={"equity": 0.03})
    market = mc.replace(gbm_market, events={"report": event})
    table = mc.Study(market, chain(MIX, BeforeEvent()), steps=STEPS, years=STEPS / 252).trace([0])
    np.testing.assert_allclose(table["exposure"].to_numpy()[1:], [0.9, 0.9, 0.45, 0.45, 0.9, 0.9], rtol=0.05)
    with pytest.raises(ValueError, match="until: unknown event 'report'"):
        mc.Study(gbm_market, chain(MIX, BeforeEvent()), steps=STEPS).run(64, progress=False)
