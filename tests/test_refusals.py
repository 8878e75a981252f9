"""Nonsense in every field of every stage, trigger, gauge and floor: one line that names the field, what was expected and what was given.

A new class of ``mcengine.policy`` is a new row of ``SPECIMENS``. What fields mean together is refused in the tests of their rules, and below.
"""

import dataclasses
import importlib
import math
from pathlib import Path
from typing import Any, get_args, get_origin

import pytest

import mcengine as mc
from mcengine import policy as rules
from mcengine._kinds import kinds
from mcengine._model import Scalar
from mcengine.engine import program
from mcengine.instrument import AbstractSchedule
from mcengine.market import Ewma, Har
from mcengine.policy import Cppi, Derisk, Drift, Mix, OptionLeg, RolledPut, Rung, chain

SPECIMENS: dict[str, Any] = {
    one.__class__.__name__: one
    for one in (
        rules.Above(Ewma("equity"), 0.3),
        rules.AdaptiveHedge(0.2, {"volatility": rules.Lean(Ewma("equity"), 1.0)}, asset="equity"),
        rules.AllOf(Drift(0.1)),
        rules.AnyOf(Drift(0.1)),
        rules.Band(0.01),
        chain(Mix(equity=0.5)),
        rules.Collar(0.95, 1.05),
        rules.ContractOverlay(mc.instrument.VarianceSwap(0.04, 1.0, "equity"), relative=False),
        rules.CostBudget(),
        Cppi(0.9),
        rules.DeltaHedge(),
        rules.DeltaPut(0.25),
        Derisk(0.5, "equity"),
        rules.Drawdown(0.1),
        rules.DrawdownControl(0.1, 0.02),
        Drift(0.1),
        rules.EventOverlay("report", 6),
        rules.Every(5),
        rules.ForecastVolTarget(0.1, Har(0.04, 0.1, 0.2, 0.3), "equity"),
        rules.ForwardOverlay(),
        rules.Fund(),
        rules.GreekLimit("delta", 0.5),
        rules.GreekTargets({"gamma": 0.0}, ("context",)),
        rules.HedgeBand(0.01, "context"),
        rules.HighWater(0.9),
        rules.Implied(),
        rules.Ladder({"stop": Rung(0.1, 0.05, Derisk(0.0))}),
        rules.Lean(Ewma("equity"), 1.0),
        rules.LegTarget({"equity": 0.15}),
        rules.Leland(0.2),
        rules.Level(0.9),
        rules.Liability(mc.instrument.Call(1.0, 1.0, "equity")),
        rules.MinimumVariance(through="equity"),
        Mix({"equity": 0.6}),
        rules.NearEvent("report"),
        rules.Neural(Cppi(0.9)),
        rules.NeuralHedge({"equity": 1.0}),
        rules.Reduce(0.5),
        rules.Not(Drift(0.1)),
        rules.Obpi(0.9),
        rules.OptionBook({"put": OptionLeg()}),
        OptionLeg(),
        rules.PutSpread(0.95, 0.85),
        rules.RatchetPut(),
        rules.Realised(Ewma("equity")),
        rules.Rebalance(Drift(0.1)),
        rules.Relative(0.9, {"equity": 1.0}),
        RolledPut(0.95),
        Rung(0.1, 0.05, Derisk(0.0)),
        rules.Shock(),
        rules.SignalGauge(Ewma("equity")),
        rules.StaticPut(0.9),
        rules.Stepped((0.8, 0.9), (0, 6)),
        rules.StopLoss(0.9),
        rules.StopLossReentry(0.9),
        rules.SyntheticPut(0.9),
        rules.Underwater(),
        rules.VarianceTrade(Ewma("equity")),
        rules.VolSpike(),
        rules.VolTarget(0.1),
        rules.WhalleyWilmott(),
        rules.When(Drift(0.1), Derisk(0.5)),
    )
}

NO_MODELS = {"LadderMemory", "Seen", "Setting"}
"""Public names that nobody builds from numbers."""

SIGNED = {
    *("Above.level", "Lean.weight", "Lean.normal", "AdaptiveHedge.ratio", "AdaptiveHedge.low", "AdaptiveHedge.high", "ContractOverlay.coverage"),
    *("DeltaHedge.target", "ForwardOverlay.ratio", "GreekLimit.high", "GreekLimit.low", "GreekTargets.targets", "MinimumVariance.rho"),
    *("Mix.weights", "Relative.weights", "OptionLeg.coverage", "Rung.enter", "Rung.leave", "Neural.first", "Neural.last"),
    *("NeuralHedge.first", "NeuralHedge.second", "NeuralHedge.last", "Liability.units"),
}
"""Numbers that may be below 0."""

ZERO = {
    *("Cppi.floor", "Level.level", "Stepped.levels", "StopLoss.floor", "StopLossReentry.floor", "SyntheticPut.floor", "HighWater.share"),
    *("Relative.share", "RatchetPut.floor"),
    *("Cppi.multiplier", "Derisk.share", "Reduce.share", "Drift.tolerance", "Band.tolerance", "HedgeBand.width", "DrawdownControl.begins"),
    *("StopLoss.buffer", "StopLossReentry.buffer", "StopLossReentry.rise", "CostBudget.rate", "Leland.cost", "RatchetPut.ratchet"),
    *("DeltaHedge.ratio", "MinimumVariance.ratio", "MinimumVariance.vol_of_vol", "EventOverlay.vega", "EventOverlay.move", "EventOverlay.after"),
    *("VarianceTrade.size", "VarianceTrade.cap", "VarianceTrade.threshold", "VarianceTrade.strangle", "DeltaPut.iterations", "Neural.seed"),
    *("NeuralHedge.seed", "Liability.received"),
    *("Collar.coverage", "PutSpread.coverage", "StaticPut.coverage", "RolledPut.coverage", "DeltaPut.coverage", "RatchetPut.coverage"),
    *("Every.first", "RatchetPut.since", "NearEvent.before", "NearEvent.after"),
}
"""Numbers of which 0 says something."""

ARRAYS = {"Neural.first", "Neural.last", "NeuralHedge.first", "NeuralHedge.second", "NeuralHedge.last", "Stepped.levels"}
"""Lists of numbers."""

OPEN = {"Above.name", "Realised.name", "SignalGauge.name", "VolSpike.name", "MinimumVariance.through", "DeltaHedge.volatility"}
"""Fields that say something of their own where they are left out."""

MARKET = mc.market.Market(
    {"equity": mc.market.GBM(spot=100.0, sigma=0.2), "bond": mc.market.GBM(spot=100.0, sigma=0.06)},
    rate=0.02,
    events={"report": mc.market.Event(date=6 / 12, sd={"equity": 0.03})},
)
STEPS = 12


def study(*stages, market=MARKET, steps=STEPS, **options):
    return mc.Study(market, chain(Mix(equity=0.6), *stages), steps=steps, **options)


def test_every_part_has_a_row():
    models = {name for name in rules.__all__ if isinstance(getattr(rules, name), type) and not name.startswith("Abstract")}
    assert models - NO_MODELS == set(SPECIMENS)


def nonsense(where, kind, default):
    """Values that a field cannot have, by its annotation."""
    members = [kind] if not (parts := get_args(kind)) or kind == Scalar or get_origin(kind) in (dict, tuple) else list(parts)
    wrong: list[Any] = []
    if Scalar in members:
        wrong += [math.nan, math.inf, "high", True, [0.1, 0.2], {"equity": 0.1}]
        wrong += [-1.0] if where not in SIGNED else []
        wrong += [0.0] if where not in SIGNED | ZERO else []
    elif int in members:
        wrong += [-1, 1.5, True, "high"]
        wrong += [0] if where not in ZERO else []
    elif bool in members:
        wrong += [2, "yes"]
    elif str in members:
        wrong += [3, 0.5]
    elif get_origin(kind) is tuple:
        wrong += [3, (0.5,)]
    elif get_origin(kind) is dict:
        wrong += [3, [0.5], {"equity": "high"}]
    elif AbstractSchedule in members:
        wrong += ["monthly", 21]
    else:  # a part: a signal, a stage, a floor
        wrong += ["high", {"equity": 0.1}, *([] if where in ARRAYS else [object()])]
    return wrong + ([None] if default is not None and where not in OPEN else [])


@pytest.mark.parametrize("name", SPECIMENS)
def test_nonsense_in_every_field(name):
    """By Python: a value of another kind, not finite, negative or 0 where that has no meaning."""
    specimen = SPECIMENS[name]
    for field in dataclasses.fields(specimen):
        where = f"{name}.{field.name}"
        if where in ("Chain.stages", "AllOf.triggers", "AnyOf.triggers"):
            continue  # made by functions that take them one by one
        for value in nonsense(where, kinds(type(specimen))[field.name], field.default):
            said = "(roll|tenor)" if field.name in ("roll", "tenor") else field.name
            with pytest.raises(ValueError, match=rf"^{name}\.{said}(\.\w+|\[\d\])?: (expected .*, got |unknown slot )") as refused:
                mc.replace(specimen, **{field.name: value})
            assert "\n" not in str(refused.value)


def fitted(part):
    """Stages of a rule in which a part stands where it may, beside options that it may read."""
    if isinstance(part, rules.AbstractTrigger):
        return RolledPut(0.95, tenor=6, roll=6, slot="context"), rules.Rebalance(part)
    if isinstance(part, rules.AbstractFloor):
        return (Cppi(part),)
    context = RolledPut(0.95, tenor=6, roll=6, slot="context")
    return (part, context) if part.kind == "scaler" else (context, part)


NAMING = {
    f"{name}.{field.name}": field.name for name, one in SPECIMENS.items() for field in dataclasses.fields(one) if field.name in ("asset", "weights")
}
NAMING = {**NAMING, "LegTarget.targets": "targets", "MinimumVariance.through": "through"}
"""Fields that name an asset."""


@pytest.mark.parametrize("where", NAMING)
def test_an_asset_that_the_market_lacks(where):
    """Before anything is compiled."""
    name, field = where.split(".")
    wrong = mc.replace(SPECIMENS[name], **{field: "equty" if field in ("asset", "through") else {"equty": 0.1}})
    stages = () if name == "Mix" else fitted(wrong)
    with pytest.raises(ValueError, match=rf"^{name}\.{field}: unknown asset 'equty'; did you mean equity\?$"):
        mc.Study(MARKET, chain(wrong if name == "Mix" else Mix(equity=0.6), *stages), steps=STEPS)


@pytest.mark.parametrize(
    ("stages", "message"),
    [
        (
            (rules.Rebalance(rules.GreekLimit("theta", 0.1)),),
            "GreekLimit.greek: expected a Greek that the book has, got 'theta' of a book without contr",
        ),
        ((rules.Rebalance(rules.Every(5, first=12)),), "Every.first: expected a date before the horizon, step 12, got 12"),
        ((rules.RatchetPut(tenor=6, roll=6, since=12),), "RatchetPut.since: expected a date before the horizon, step 12, got 12"),
        ((rules.StopLoss(0.9, buffer=0.2),), r"StopLoss.buffer: expected a number below 0\.1336, which a floor worth 0\.8822 leaves, got 0\.2"),
        ((rules.StopLossReentry(rules.HighWater(0.9), 0.2),), r"StopLossReentry.buffer: expected a number below 0\.1111, .*, got 0\.2"),
        ((rules.EventOverlay("report", 12, before=6),), "EventOverlay.date: expected a date before the horizon, step 12, got 12"),
    ],
)
def test_what_does_not_fit_a_study(stages, message):
    with pytest.raises(ValueError, match=message):
        study(*stages)


def test_an_event_after_the_horizon_or_of_another_market():
    late = mc.replace(MARKET, events={"report": mc.market.Event(date=2.0, sd={"equity": 0.03})})
    with pytest.raises(ValueError, match=r"NearEvent\.event: expected an event by the horizon, step 12, got 'report' on step 24"):
        study(rules.When(rules.NearEvent("report"), Derisk(0.5)), market=late)
    with pytest.raises(ValueError, match=r"NearEvent\.event: expected one that the market announces, got 'report', and this market announces none"):
        study(rules.When(rules.NearEvent("report"), Derisk(0.5)), market=mc.replace(MARKET, events={}))


@pytest.mark.parametrize(
    ("rungs", "message"),
    [
        ({"stop": Rung(0.1, 0.0, Derisk(0.0))}, r"Ladder.stop.leave: expected a drawdown above 0, or the level is never left, got 0"),
        ({"stop": Rung(1.0, 0.5, Derisk(0.0))}, r"Ladder.stop.enter: expected a drawdown below 1, which is never reached, got 1"),
        (
            {"low": Rung(0.1, 0.05, RolledPut(0.9)), "high": Rung(0.2, 0.1, RolledPut(0.8))},
            "Ladder.rungs: expected each slot in one rung, got rolled_put twice",
        ),
    ],
)
def test_a_ladder_that_cannot_work(rungs, message):
    with pytest.raises(ValueError, match=message):
        rules.Ladder(rungs)


def test_options_that_nobody_can_price():
    with pytest.raises(ValueError, match=r"Study\.pricers: expected one for 'equity', on which rolled_put holds options, got bond"):
        study(RolledPut(0.9), pricers={"bond": mc.pricing.BlackPricer(0.2)})
    replay = mc.market.Replay.from_history({"equity": "spx", "bond": {"column": "ust10y", "kind": "yield"}})
    for contract in (mc.instrument.Exchange("equity", "bond", 1.0), mc.instrument.BondOption("call", 0.9, 1.0, 2.0)):
        with pytest.raises(ValueError, match=f"{type(contract).__name__}: expected a model of a market, .*, got history"):
            study(rules.ContractOverlay(contract, approximate=True), market=replay, steps=252)


IN_A_FILE = [
    (
        "{_target_: mcengine.policy.Rebalance, trigger: {_target_: mcengine.policy.GreekLimit, greek: delta, high: 0.1, low: 0.5}}",
        [],
        "GreekLimit.low: expected a number below high = 0.1, got 0.5; no book is within both",
    ),
    (
        "{_target_: mcengine.policy.When, trigger: {_target_: mcengine.policy.GreekLimit, greek: vega, high: 0.1},"
        " stage: {_target_: mcengine.policy.Derisk}}",
        [],
        "GreekLimit.greek: expected a Greek that the book has, got 'vega' of a book without options",
    ),
    (
        "{_target_: mcengine.policy.Ladder, rungs: {low: {_target_: mcengine.policy.Rung, enter: 0.1, leave: 0.05},"
        " high: {_target_: mcengine.policy.Rung, enter: 0.08, leave: 0.06, stage: {_target_: mcengine.policy.Derisk}}}}",
        [],
        "Ladder.high.enter: expected a number above low.enter = 0.1, got 0.08",
    ),
    ("{_target_: mcengine.policy.Ladder, rungs: {}}", [], "Ladder.rungs: expected at least one with a stage, got none"),
    (
        "{_target_: mcengine.policy.Ladder, rungs: {one: {_target_: mcengine.policy.Rung, enter: 0.1, leave: 0.05, cooldown: -1}}}",
        [],
        "Rung.cooldown: expected a whole number of at least 1, got -1",
    ),
    (
        "{_target_: mcengine.policy.When, trigger: {_target_: mcengine.policy.NearEvent, event: election},"
        " stage: {_target_: mcengine.policy.Derisk}}",
        ["market=events", "years=0.25", "steps=63"],
        "NearEvent.event: expected an event by the horizon, step 63, got 'election' on step 126",
    ),
    (
        "{_target_: mcengine.policy.EventOverlay, event: election, date: 126}",
        ["market=events", "years=0.25", "steps=63"],
        "EventOverlay.date: expected a date before the horizon, step 63, got 126",
    ),
    ("{_target_: mcengine.policy.VolTarget, target: 0.1, leverage: -1}", [], "VolTarget.leverage: expected a number above 0, got -1"),
    ("{_target_: mcengine.policy.Cppi, floor: 0.9, multiplier: -4}", [], "Cppi.multiplier: expected a number not below 0, got -4"),
    ("{_target_: mcengine.policy.Cppi, floor: high}", [], "policy._args_[1].floor: expected a number or a Floor, as {_target_: ...}, got 'high'"),
    ("{_target_: mcengine.policy.Collar, floor: 0.95, cap: 0.9}", [], "Collar.cap: expected a number above floor = 0.95, got 0.9"),
    ("{_target_: mcengine.policy.RolledPut, moneyness: 0.9, tenor: 5, roll: 6}", [], "RolledPut.roll: expected whole numbers of steps, roll from 1"),
    (
        "{_target_: mcengine.policy.Rebalance, trigger: {_target_: mcengine.policy.Drift}, only: [hedge]}",
        [],
        "Rebalance.only: unknown slot 'hedge'; known: equity, bond, commodity",
    ),
    (
        "{_target_: mcengine.policy.ContractOverlay, contract: {_target_: mcengine.instrument.Exchange, receive: equity, give: bond, expiry: 1.0}}",
        ["market=replay"],
        "Exchange: expected a model of a market, which knows a rate's law and correlations that its formula reads, got history",
    ),
    (
        "{_target_: mcengine.policy.ContractOverlay, contract: {_target_: mcengine.instrument.Basket, kind: put, strike: 1.0, expiry: 1.0,"
        " weights: {equity: 0.5, bond: 0.5}}}",
        [],
        "Basket: expected a contract with an exact price formula, got one whose formula is an approximation",
    ),
]
"""A stage of a policy of one's own, other overrides, and the one line that refuses it."""


@pytest.mark.parametrize(("stage", "words", "message"), IN_A_FILE, ids=[message.split(":")[0] for _, _, message in IN_A_FILE])
def test_a_policy_in_a_file(stage, words, message, tmp_path, monkeypatch, capsys):
    """From the command line: exit code 2, one line, nothing compiled and nothing left behind."""
    folder, work = tmp_path / "mine" / "policy", tmp_path / "work"
    folder.mkdir(parents=True)
    work.mkdir()
    mix = "{_target_: mcengine.policy.Mix, equity: 0.6, bond: 0.3}"
    (folder / "bad.yaml").write_text(f"_target_: mcengine.policy.chain\n_args_:\n  - {mix}\n  - {stage}\n")
    monkeypatch.chdir(work)
    monkeypatch.syspath_prepend(str(Path(__file__).parents[1] / "experiments"))
    monkeypatch.setattr(program, "compiled", lambda *_: pytest.fail("compiled"))
    known = [] if any(word.startswith("market=") for word in words) else ["market=lognormal"]
    assert importlib.import_module("hedge").main(["--config-dir", str(tmp_path / "mine"), "policy=bad", *known, *words]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    assert message in err
    assert len(err.splitlines()) == 1
    assert list(work.iterdir()) == []
