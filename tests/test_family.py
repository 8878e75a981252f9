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
from mcengine.instrument import Barrier, Rolled, RollSchedule
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


RULES: dict[str, Any] = {
    "hedged_put": chain(MIX, RolledPut(0.97, schedule=RollSchedule((0, 3), (4, 7))), DeltaHedge(0.9, through="forward", tenor=4, roll=2)),
    "future_overlay": chain(MIX, PUT, DeltaHedge(), ForwardOverlay(-0.5, through="future", tenor=3, roll=3)),
    "three_overlays": chain(
        MIX,
        VolTarget(0.1, halflife=3.0),
        StaticPut(0.95, 0.5),
        PUT,
        ContractOverlay(Barrier("put", "down", "out", 0.98, 0.9, 3 / 252, "equity"), schedule=Rolled(3, 3), approximate=True),
    ),
    "when": chain(MIX, When(AnyOf(Above(Ewma("equity", 3.0), 0.15), Drift(0.5)), Cppi(0.97, 8.0)), Rebalance(Drift(0.002))),
    "all_of": chain(MIX, When(AllOf(Above(Trend("equity", 4.0), -0.01), Not(Above(RealisedCorrelation("equity", "bond"), 0.03))), PUT)),
    "rungs": chain(MIX, When(Above(Ewma("equity", 3.0), 0.15, name="rung"), chain(Mix(equity=0.2, bond=0.3), PUT))),
}
HISTORICAL = ("hedged_put", "three_overlays", "when")
"""Rules that between them have every kind of part but futures, whose price is not the forward's where the rate moves."""

FORMULAS = ("three_overlays",)
"""Rules that hold contracts marked by formulas of their own."""

COSTS = Total(
    HalfSpread(5e-4, 1e-4, 0.005, 1e-4), Fixed(1e-7), Impact(100.0), Financing(0.01), Borrow(0.005), Margin(0.005), Exit(Proportional(5e-4, 0.01))
)
COSTLY = chain(Mix(equity=1.3, bond=-0.1, leverage=1.5), PUT, ForwardOverlay(-0.5, through="future", tenor=3, roll=3))
"""Levered, short and on margin: what every cost is paid on."""

RECORDERS = (recorder.Wealth(), recorder.Trading())


@pytest.fixture(scope="module")
def study(gbm_market):
    return mc.Study(gbm_market, RULES, costs=Proportional(5e-4, 0.01), steps=STEPS, years=STEPS / 252, recorders=RECORDERS)


@pytest.fixture(scope="module")
def costly(study):
    return mc.replace(study, policy={"costly": COSTLY}, costs=COSTS)


@pytest.fixture(scope="module")
def result(study):
    return study.run(2048, seed=3, progress=False)


@pytest.mark.parametrize("name", RULES)
def test_it_runs_and_pays(result, name):
    assert np.isfinite(result[name]["wealth"]).all()
    assert result[name]["wealth"].std() > 1e-3
    assert (result[name]["cost_underlying"] > 0.0).all()


class TestBits:
    def test_blocks_and_devices(self, study, result):
        """A contract's formula, a sum of products, may be rounded otherwise as the compiler fuses it: to rounding on another number of devices."""
        for devices, marked in ((2, 0.0), (1, 3e-7)):
            small = study.run(256, seed=3, block=64, devices=devices, progress=False)
            for name in RULES:
                rounding = marked if name in FORMULAS else 0.0
                np.testing.assert_allclose(small[name]["wealth"], result[name]["wealth"][:256], rtol=rounding, err_msg=name)

    def test_trace(self, study, result):
        table = study.trace([5, 77], seed=3)
        for name in RULES:
            last = table[f"{name}.wealth"].to_numpy().reshape(2, -1)[:, -1]
            rounding = 3e-7 if name in FORMULAS else 0.0
            np.testing.assert_allclose(last.astype(np.float32), result[name]["wealth"][[5, 77]], rtol=rounding, err_msg=name)


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


@pytest.mark.parametrize("market", ["Replay", "Bootstrap"])
def test_on_history(study, market):
    """Unchanged on days as they were and resampled, delayed by a date as a back-test has it."""
    assets = {"equity": {"column": "spx", "volatility": "vix"}, "bond": {"column": "ust10y", "kind": "yield"}}
    made = getattr(mc.market, market).from_history(assets=assets)
    past = mc.replace(study, market=made, delay=1, policy={name: RULES[name] for name in HISTORICAL})
    outcome = past.run(256, progress=False, keep=1e9)
    for name in HISTORICAL:
        assert np.isfinite(outcome[name]["wealth"]).all()
        assert 0.5 < outcome[name]["lowest"].min() < 1.0


def test_wealth_has_no_scale(study, costly, float64):
    """Ten times the wealth, ticket fees and market volume are ten times everything, to rounding."""
    scaled = {"wealth": 10.0, "costs.fixed.fee": 1e-6, "costs.fixed.least": 1e-8, "costs.impact.volume": 1000.0}
    for one, other in ((study, {"wealth": 10.0}), (costly, scaled)):
        small, large = (s.run(64, block=64, devices=1, progress=False) for s in (one, with_parameters(one, other)))
        for name in one.books:
            np.testing.assert_allclose(large[name]["wealth"], small[name]["wealth"], rtol=1e-12, err_msg=name)


@pytest.mark.parametrize("which", ["study", "costly"])
def test_derivatives_are_those_of_the_smooth_program(which, request, float64):
    """By every number of every rule and cost, against central differences over the same 64 paths; a ticket's fee moves by steps and has none."""
    smooth = mc.replace(request.getfixturevalue(which), width=WIDTH)
    if which == "costly":
        smooth = with_parameters(smooth, {"costs.fixed.fee": 0.0})
    names = [n for n in trainable(smooth) if n.startswith(("policy.", "costs.")) and ".fixed." not in n]
    assert len(names) > 10
    books = list(smooth.books)

    def loss(outcomes, extra):
        return sum(outcomes[book]["wealth"] for book in books), {}

    gradient = mc.engine.BatchGradient(smooth, loss, names, batch=64, block=64, devices=1, label=f"family {which}")
    known = parameters(smooth)
    slopes = gradient({n: known[n] for n in names}, smooth, mc.noise.make_key(3, "test"), 0)[2]
    total = lambda s: sum(np.mean(s.run(64, seed=3, block=64, devices=1, progress=False)[b]["wealth"]) for b in books)  # noqa: E731
    for name in names:
        bump = 1e-6 * max(abs(float(known[name])), 0.1)  # costs have a kink where a trade turns: few paths are that near
        up, down = (total(with_parameters(smooth, {name: float(known[name]) + sign * bump})) for sign in (1.0, -1.0))
        numeric, own = (up - down) / (2.0 * bump), float(slopes[name])
        assert math.isfinite(own), name
        assert own != 0.0, name
        assert own == pytest.approx(numeric, rel=1e-4, abs=1e-8), name


@pytest.mark.parametrize("kind", COSTS.names)
def test_every_cost_is_paid(costly, kind):
    outcome = costly.run(64, seed=3, block=64, devices=1, progress=False)["costly"]
    assert (outcome[f"cost_{kind}"] > 0.0).all()


def test_what_is_seen_of_announced_events(gbm_market):
    """Half the sleeve on the two dates before the event, none the wiser after it."""
    event = mc.market.Event(date=4 / 252, sd={"equity": 0.03})
    market = mc.replace(gbm_market, events={"report": event})
    table = mc.Study(market, chain(MIX, BeforeEvent()), steps=STEPS, years=STEPS / 252).trace([0])
    np.testing.assert_allclose(table["exposure"].to_numpy()[1:], [0.9, 0.9, 0.45, 0.45, 0.9, 0.9], rtol=0.05)
    with pytest.raises(ValueError, match="until: unknown event 'report'"):
        mc.Study(gbm_market, chain(MIX, BeforeEvent()), steps=STEPS).run(64, progress=False)
