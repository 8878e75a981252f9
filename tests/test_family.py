"""What every rule must be, whatever it is made of: a new stage, trigger, signal, slot or cost is a new row of ``RULES`` or ``COSTS``.

No look-ahead, derivatives equal to central differences of the smooth program, no scale, the same bits for blocks, devices and traces, trades delayed,
history replayed and resampled.
"""

import math
from contextlib import nullcontext
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from haste import HASTE, compiled_in_haste
from precision import double_precision

import mcengine as mc
from mcengine._model import model, parameters, trainable, with_parameters
from mcengine.engine import recorder
from mcengine.engine.path import Simulation
from mcengine.instrument import Barrier, Call, Rolled, RollSchedule
from mcengine.ledger import Borrow, Exit, Financing, Fixed, HalfSpread, Impact, Margin, Proportional, Total
from mcengine.market import Ewma, RealisedCorrelation, Trend
from mcengine.noise import Path
from mcengine.policy import (
    Above,
    AbstractStage,
    AllOf,
    AnyOf,
    Collar,
    ContractOverlay,
    Cppi,
    DeltaHedge,
    DrawdownControl,
    Drift,
    EventOverlay,
    Every,
    ForwardOverlay,
    GreekLimit,
    GreekTargets,
    HedgeBand,
    HighWater,
    LegTarget,
    Leland,
    Liability,
    MinimumVariance,
    Mix,
    Neural,
    NeuralHedge,
    Not,
    Obpi,
    OptionBook,
    OptionLeg,
    PutSpread,
    RatchetPut,
    Realised,
    Rebalance,
    Relative,
    RolledPut,
    StaticPut,
    Stepped,
    StopLossReentry,
    SyntheticPut,
    VarianceTrade,
    VolTarget,
    WhalleyWilmott,
    When,
    chain,
)

STEPS, WIDTH = 6, 0.02
LEGS = {"bought": OptionLeg("put", 0.98, 0.8, 4, 3), "hedge": OptionLeg("call", 1.01, -0.1, 7, 4)}
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
    "option_book": chain(MIX, OptionBook(LEGS), DeltaHedge(volatility=Leland(Realised(Ewma("equity", 3.0)))), HedgeBand(WhalleyWilmott(1e-4, 9.0))),
    "greek_targets": chain(
        MIX,
        OptionBook(LEGS),
        GreekTargets({"gamma": 1.0, "delta": 0.1}, ("hedge",), {"hedge": 2.0}, ridge=0.5),
        When(GreekLimit("delta", 0.69, 0.66, "equity"), MinimumVariance(-0.6, 0.4, 0.9, through=("bond", "equity"))),
    ),
    "rungs": chain(MIX, When(Above(Ewma("equity", 3.0), 0.15, name="rung"), chain(Mix(equity=0.2, bond=0.3), PUT))),
    "insured": chain(MIX, Cppi(HighWater(0.96), 8.0), DrawdownControl(0.05, 0.002, 10.0), Rebalance(AnyOf(Every(4), Drift(0.002)))),
    "stops": chain(MIX, StopLossReentry(Stepped((0.97, 0.98), (0, 4)), 0.001, 0.002), SyntheticPut(Relative(0.95, {"bond": 0.5}))),
    "spreads": chain(MIX, Collar(0.97, tenor=3, roll=2), PutSpread(0.98, 0.95, 0.5, tenor=3, roll=2), Obpi(0.97)),
}
OPPORTUNITY = chain(
    MIX,
    LegTarget({"equity": 0.15, "bond": 0.05}, halflife=3.0),
    Neural(Cppi(0.97, 8.0), {"trend": Trend("equity", 3.0)}, hidden=1, last=[0.4, 0.1]),
    EventOverlay("report", 3, vega=0.5, move=0.02, before=2, after=1, tenor=4),
    RatchetPut(0.98, floor=0.97, tenor=3, roll=2, ratchet=0.7),
    VarianceTrade(Ewma("equity", 3.0, initial=0.2), size=2.0, cap=0.1, strangle=0.01, tenor=3, roll=2),
    DeltaHedge(),
    Liability(Call(1.0, STEPS / 252, "equity"), 0.1),
    NeuralHedge({"equity": 0.1, "bond": 0.1}, hidden=1, last=[[0.5, 0.3], [0.2, 0.1]]),
)
RULES["opportunity"] = OPPORTUNITY
TOGETHER = [
    {name: RULES[name] for name in names}
    for names in (
        ("hedged_put", "future_overlay", "three_overlays", "when", "all_of", "rungs"),
        ("insured", "stops", "spreads"),
        ("option_book", "greek_targets"),
        ("opportunity",),
    )
]
"""Rules that are one program: more of them would take longer to compile than each alone, and the compiler fuses a rule as those beside it let it."""
assert sorted(name for some in TOGETHER for name in some) == sorted(RULES)

HISTORICAL = ("hedged_put", "three_overlays", "when", "stops", "option_book", "opportunity")
"""Rules that between them have every kind of part but futures, whose price is not the forward's where the rate moves."""

FORMULAS = ("three_overlays", "spreads", "option_book", "greek_targets", "opportunity")
"""Rules with formulas of their own: contracts are marked by them, struck where a sum of prices is nothing, deltas taken, a linear system solved."""

COSTS = Total(
    HalfSpread(5e-4, 1e-4, 0.005, 1e-4), Fixed(1e-7), Impact(100.0), Financing(0.01), Borrow(0.005), Margin(0.005), Exit(Proportional(5e-4, 0.01))
)
COSTLY = chain(Mix(equity=1.3, bond=-0.1, leverage=1.5), PUT, ForwardOverlay(-0.5, through="future", tenor=3, roll=3))
"""Levered, short and on margin: what every cost is paid on."""

RECORDERS = (recorder.Wealth(), recorder.Trading())


@pytest.fixture(scope="module", params=TOGETHER, ids="+".join)
def study(request, gbm_market):
    return mc.Study(gbm_market, request.param, costs=Proportional(5e-4, 0.01), steps=STEPS, years=STEPS / 252, recorders=RECORDERS)


@pytest.fixture(scope="module")
def costly(gbm_market):
    return mc.Study(gbm_market, {"costly": COSTLY}, costs=COSTS, steps=STEPS, years=STEPS / 252, recorders=RECORDERS)


@pytest.fixture(scope="module")
def result(study):
    return study.run(2048, seed=3, progress=False)


def test_it_runs_and_pays(result):
    for name in result.study.books:
        assert np.isfinite(result[name]["wealth"]).all(), name
        assert result[name]["wealth"].std() > 1e-3, name
        assert (result[name]["cost_underlying"] > 0.0).all(), name


class TestBits:
    def test_blocks_and_devices(self, study, result):
        """A rule's own formula, sums of products, may be rounded otherwise as the compiler fuses it: to rounding on another number of devices."""
        for devices, marked in ((2, 0.0), (1, 3e-7)):
            small = study.run(256, seed=3, block=64, devices=devices, progress=False)
            for name in study.books:
                rounding = marked * (2.0 if name == "opportunity" else 1.0) if name in FORMULAS else 0.0  # nine stages of them
                np.testing.assert_allclose(small[name]["wealth"], result[name]["wealth"][:256], rtol=rounding, err_msg=name)

    def test_trace(self, study, result):
        table = study.trace([5, 77], seed=3)
        for name in study.books:
            last = table["wealth" if len(study.books) == 1 else f"{name}.wealth"].to_numpy().reshape(2, -1)[:, -1]
            rounding = 3e-7 if name in FORMULAS else 0.0
            np.testing.assert_allclose(last.astype(np.float32), result[name]["wealth"][[5, 77]], rtol=rounding, err_msg=name)


@pytest.fixture(scope="module")
def influence(study):
    """Of every rule d(held over step k) / d(normals of step j), [steps, steps, factors] a slot; gates are smooth, so triggers count."""
    with double_precision():
        smooth = mc.replace(study, width=WIDTH)
        draws = jnp.asarray(np.random.default_rng(2).standard_normal((STEPS, study.market.n_factors)))

        def held(draws):
            simulation = Simulation(mc.replace(smooth, noise=mc.noise.Given(draws)))
            _, _, (_, _, books) = simulation.path(None, Path(0, 0), trace=True)
            return {name: {slot: position.units for slot, position in book.account.held.items()} for name, book in books.items()}

        return jax.tree.map(np.asarray, jax.jit(jax.jacfwd(held), compiler_options=HASTE)(draws))


def test_nothing_is_seen_early(influence):
    """Exactly zero, not small: a holding is no function of a draw that comes later. What came before does move it."""
    for name, slots in influence.items():
        jacobian = np.stack([np.abs(j).max(axis=2) for j in slots.values()])
        later = np.triu(np.ones(jacobian.shape[1:], bool))
        assert np.isfinite(jacobian).all(), name
        assert np.all(jacobian[:, later] == 0.0), name
        assert np.all(jacobian.max(axis=0)[~later] > 0.0), name


@pytest.mark.parametrize("market", ["Replay", "Bootstrap"])
def test_on_history(study, market):
    """Unchanged on days as they were and resampled, delayed by a date as a back-test has it."""
    assets = {"equity": {"column": "spx", "volatility": "vix"}, "bond": {"column": "ust10y", "kind": "yield"}}
    made = getattr(mc.market, market).from_history(assets=assets)
    past = mc.replace(study, market=made, delay=1, policy={name: rule for name, rule in study.books.items() if name in HISTORICAL})
    with compiled_in_haste():
        outcome = past.run(256, progress=False, keep=1e9)
    for name in past.books:
        assert np.isfinite(outcome[name]["wealth"]).all()
        assert 0.5 < outcome[name]["lowest"].min() < 1.0


def assert_no_scale(one, other):
    with compiled_in_haste():
        small, large = (s.run(64, block=64, devices=1, progress=False) for s in (one, with_parameters(one, other)))
    for name in one.books:
        np.testing.assert_allclose(large[name]["wealth"], small[name]["wealth"], rtol=1e-12, err_msg=name)


def test_wealth_has_no_scale(study, float64):
    """Ten times the wealth is ten times everything, to rounding."""
    assert_no_scale(study, {"wealth": 10.0})


def test_costs_have_no_scale(costly, float64):
    """With ticket fees and market volume ten times what they are."""
    assert_no_scale(costly, {"wealth": 10.0, "costs.fixed.fee": 1e-6, "costs.fixed.least": 1e-8, "costs.impact.volume": 1000.0})


def test_derivatives_are_those_of_the_smooth_program(study, float64):
    """By every number of every rule and cost, against central differences over the same 64 paths. Three rules at most are one gradient: of more of
    them it takes longer to compile than in parts.
    """
    books = list(study.books.items())
    with compiled_in_haste():
        for first in range(0, len(books), 3):
            assert_derivatives(mc.replace(study, policy=dict(books[first : first + 3]), width=WIDTH))


def test_derivatives_by_costs(costly, float64):
    """A ticket's fee moves by steps and has none."""
    with compiled_in_haste():
        assert_derivatives(with_parameters(mc.replace(costly, width=WIDTH), {"costs.fixed.fee": 0.0}))


@pytest.fixture
def at_leisure(monkeypatch):
    """With the options of every run, for haste leaves out passes of the compiler."""
    monkeypatch.setitem(globals(), "compiled_in_haste", nullcontext)


@pytest.mark.slow
def test_derivatives_as_users_compile_them(study, float64, at_leisure):
    test_derivatives_are_those_of_the_smooth_program(study, None)


@pytest.mark.slow
def test_derivatives_by_costs_as_users_compile_them(costly, float64, at_leisure):
    test_derivatives_by_costs(costly, None)


def assert_derivatives(smooth):
    names = [n for n in trainable(smooth) if n.startswith(("policy.", "costs.")) and ".fixed." not in n]
    assert len(names) > 10
    books = list(smooth.books)

    def loss(outcomes, extra):
        return sum(outcomes[book]["wealth"] for book in books), {}

    gradient = mc.engine.BatchGradient(smooth, loss, names, batch=64, block=64, devices=1, label=f"family {'+'.join(books)}")
    known = parameters(smooth)
    slopes = gradient({n: known[n] for n in names}, smooth, mc.noise.make_key(3, "test"), 0)[2]
    total = lambda s: sum(np.mean(s.run(64, seed=3, block=64, devices=1, progress=False)[b]["wealth"]) for b in books)  # noqa: E731
    for name in names:
        bump = 1e-6 * max(np.max(np.abs(known[name])), 0.1)  # costs have a kink where a trade turns: few paths are that near
        up, down = (total(with_parameters(smooth, {name: known[name] + sign * bump})) for sign in (1.0, -1.0))
        numeric, own = (up - down) / (2.0 * bump), float(np.sum(slopes[name]))  # all numbers of an array moved together
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
