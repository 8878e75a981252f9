"""Triggers, signals and what acts on them, from numbers worked out by hand; what is refused. A new one is a new row."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from precision import double_precision

import mcengine as mc
from mcengine._model import Scalar, model, number
from mcengine.engine import recorder
from mcengine.market import Ewma, Fall, RealisedCorrelation, Trend
from mcengine.policy import (
    Above,
    AbstractTrigger,
    AllOf,
    AnyOf,
    Band,
    CostBudget,
    Cppi,
    Drawdown,
    Drift,
    Every,
    Mix,
    NearEvent,
    Not,
    Rebalance,
    RolledPut,
    Shock,
    VolSpike,
    When,
    chain,
)

STEPS = 24


@model
class Fixed(AbstractTrigger):
    """Fires with one weight, always."""

    weight: Scalar = number(default=1.0, low=0.0, high=1.0)

    def fires(self, seen: Any, memory: Any):
        return self.weight, memory


NOWHERE = SimpleNamespace()


@pytest.mark.parametrize(
    ("trigger", "weight"),
    [
        (Not(Fixed(0.3)), 0.7),
        (AnyOf(Fixed(0.5), Fixed(0.2)), 1.0 - 0.5 * 0.8),
        (AllOf(Fixed(0.5), Fixed(0.2)), 0.1),
        (AnyOf(Fixed(0.0), Fixed(1.0)), 1.0),
        (AllOf(Fixed(0.0), Fixed(1.0)), 0.0),
        (Not(AnyOf(Fixed(0.5), Not(Fixed(0.9)))), 0.5 * 0.9),
    ],
)
def test_weights(trigger, weight, float64):
    found, _ = trigger.fires(NOWHERE, trigger.start(NOWHERE))
    assert float(found) == pytest.approx(weight, rel=1e-12)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: AnyOf(), "AnyOf: expected at least one trigger, got none"),
        (lambda: AllOf(Drift(0.1), 0.5), "AllOf: expected a trigger such as Drift, got float"),
        (lambda: Not(Cppi(0.9)), "Not.trigger: expected a trigger such as Drift, got Cppi"),
        (lambda: When(0.5, Cppi(0.9)), "When.trigger: expected a trigger such as Drift, got float"),
        (lambda: When(Drift(0.1), "cppi"), "When.stage: expected a stage, got str"),
        (lambda: Rebalance(Cppi(0.9)), "Rebalance.trigger: expected a trigger such as Drift, got Cppi"),
        (lambda: Above(0.2, 0.1), "Above.signal: expected a signal such as Ewma, got float"),
        (lambda: Drift(-0.1), "Drift.tolerance: expected a number not below 0"),
        (lambda: Ewma("equity", halflife=0.0), "Ewma.halflife: expected a number above 0"),
        (lambda: Every(0), "Every.steps: expected a whole number of at least 1, got 0"),
        (lambda: Every(5, first=-1), "Every.first: expected a whole number of at least 0, got -1"),
        (lambda: Every(2.5), r"Every.steps: expected a whole number of at least 1, got 2\.5"),
        (lambda: NearEvent("vote", before=0), "NearEvent.before: expected a date before or after the event to fire on, got 0 and 0"),
        (lambda: VolSpike(fast=60.0, slow=20.0), "VolSpike.fast: expected a halflife below slow = 20, got 60"),
        (lambda: Shock(side="sideways"), "Shock.side: expected 'down', 'up' or 'either', got 'sideways'"),
        (lambda: Shock(deviations=0.0), "Shock.deviations: expected a number above 0"),
        (lambda: Drawdown(1.5), "Drawdown.depth: expected a number below 1"),
        (lambda: CostBudget(allowance=0.0), "CostBudget.allowance: expected a number above 0"),
    ],
)
def test_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_a_signal_of_an_asset_the_market_lacks(gbm_market):
    with pytest.raises(ValueError, match=r"signals.ewma_equty: unknown asset 'equty'; did you mean equity"):
        mc.Study(gbm_market, chain(Mix(equity=1.0), When(Above(Ewma("equty"), 0.2), Cppi(0.9))), steps=STEPS)


@pytest.mark.parametrize(
    ("trigger", "message"),
    [
        (NearEvent("vot"), "NearEvent.event: expected one that the market announces, got 'vot'; did you mean vote"),
        (NearEvent("vote"), f"NearEvent.event: expected an event by the horizon, step {STEPS}, got 'vote' on step 30"),
        (Shock("equty"), "Shock.asset: unknown asset 'equty'; did you mean equity"),
        (VolSpike("equty"), "VolSpike.asset: unknown asset 'equty'"),
    ],
)
def test_a_trigger_that_does_not_fit_the_study(gbm_market, trigger, message):
    market = mc.replace(gbm_market, events={"vote": mc.market.Event(date=30 / 252, sd={"equity": 0.03})})
    with pytest.raises(ValueError, match=message):
        mc.Study(market, chain(Mix(equity=1.0), When(Not(trigger), Cppi(0.9))), steps=STEPS, years=STEPS / 252)


def fired(trigger, dates):
    """Dates on which a trigger fires, of what is seen on each."""
    memory, found = trigger.start(dates[0]), []
    for k, seen in enumerate(dates):
        weight, memory = trigger.fires(seen, memory)
        found += [k] if float(weight) == 1.0 else []
        assert float(weight) in (0.0, 1.0)
    return found


def dates(n=12, **columns):
    """What is seen on n dates, hard gates: each column is a list."""
    return [SimpleNamespace(step=k, width=0.0, start_wealth=1.0, **{name: column[k] for name, column in columns.items()}) for k in range(n)]


def test_triggers_of_the_calendar():
    assert fired(Every(3), dates()) == [0, 3, 6, 9]
    assert fired(Every(4, first=2), dates()) == [2, 6, 10]
    coming = dates(until=[lambda event, k=k: {"vote": 6}[event] - k for k in range(12)], since=[lambda event, k=k: k - 6 for k in range(12)])
    assert fired(NearEvent("vote", before=2), coming) == [4, 5]
    assert fired(NearEvent("vote", before=1, after=3), coming) == [5, 6, 7, 8]
    assert fired(NearEvent("vote", before=0, after=1), coming) == [6]


def test_a_drawdown_is_forgotten_where_it_is_told_to(float64):
    """10 % down from date 2 on: for good, or until the fall that is remembered, 1 - V/H with H - V halved each date, is below 3 %."""
    fallen = dates(wealth=[1.0, 1.0] + [0.9] * 10)
    assert fired(Drawdown(0.03), fallen) == list(range(2, 12))
    gaps = 0.1 * 0.5 ** np.arange(1, 11)
    assert fired(Drawdown(0.03, halflife=1.0), fallen) == [2 + k for k in range(10) if gaps[k] / (0.9 + gaps[k]) >= 0.03]


def test_a_cost_budget_accrues(float64):
    """.004 paid at once of an allowance of .001 and .004 a quarter: it fires until .75 years have passed."""
    seen = dates(costs=[{"fee": 0.003, "spread": 0.001}] * 12, time=list(np.arange(12) / 4.0))
    assert fired(CostBudget(rate=0.004, allowance=0.001), seen) == [0, 1, 2, 3]


def test_a_shock_is_a_move_of_so_many_deviations_of_the_day(float64):
    """At 1 % a day a fall of 5 % is one of 5; on the date of an event announced with 4 % it is 5 / sqrt(17) = 1.2."""

    def days(event):
        """The spot falls on date 5; announced for date 5 or not."""
        quotes = [
            {"equity": SimpleNamespace(spot=100.0 * np.exp(-0.05 * (k >= 5)), variance=0.0252, event_variance=lambda to: event * (to == 5))}
            for k in range(12)
        ]
        return dates(quotes=quotes, dt=[1.0 / 252] * 12)

    assert fired(Shock(deviations=4.9), days(0.0)) == [5]
    assert fired(Shock(deviations=5.1), days(0.0)) == []
    assert fired(Shock(deviations=4.9, side="up"), days(0.0)) == []
    assert fired(Shock(deviations=4.9, side="either"), days(0.0)) == [5]
    assert fired(Shock(deviations=1.3), days(0.04**2)) == []
    assert fired(Shock(deviations=1.2), days(0.04**2)) == [5]


def test_two_signals_of_one_name(gbm_market):
    """One name, one signal: two that differ are refused, and a name of its own tells them apart."""
    quick, slow = (When(Above(Ewma("equity", halflife), 0.2), Cppi(0.9)) for halflife in (5.0, 50.0))
    with pytest.raises(ValueError, match=r"signals.ewma_equity: expected one signal of this name, got .*; give one a name of its own"):
        mc.Study(gbm_market, {"a": chain(Mix(equity=1.0), quick), "b": chain(Mix(equity=1.0), slow)}, steps=STEPS)
    both = AnyOf(Above(Ewma("equity", 5.0), 0.3), Above(Ewma("equity", 60.0), 0.2))
    with pytest.raises(ValueError, match=r"signals.ewma_equity: expected one signal of this name"):
        mc.Study(gbm_market, chain(Mix(equity=1.0), When(both, Cppi(0.9))), steps=STEPS)
    mc.Study(gbm_market, chain(Mix(equity=1.0), quick, When(Above(Ewma("equity", 50.0), 0.2, name="slow"), Cppi(0.8))), steps=STEPS)


@pytest.fixture(scope="module")
def books(gbm_market, weights):
    """Rules on triggers beside those they must equal."""
    mix, put = Mix(weights), RolledPut(0.98, tenor=6, roll=4)
    rules = {
        "mix": mix,
        "cppi": chain(mix, Cppi(0.95, 3.0)),
        "always": chain(mix, When(Fixed(1.0), Cppi(0.95, 3.0))),
        "never": chain(mix, When(Fixed(0.0), Cppi(0.95, 3.0))),
        "half": chain(mix, When(Fixed(0.5), Cppi(0.95, 3.0))),
        "band": chain(mix, Band(0.02)),
        "rebalance": chain(mix, Rebalance(Drift(0.02))),
        "bought_once": chain(mix, Rebalance(Fixed(0.0))),
        "put": chain(mix, put),
        "put_always": chain(mix, When(Fixed(1.0), put)),
        "put_never": chain(mix, When(Fixed(0.0), put)),
        "nested": chain(mix, chain(When(Fixed(1.0), chain(Cppi(0.95, 3.0))))),
        "signals": chain(
            mix,
            When(AllOf(Above(Ewma("equity", 5.0), 0.2), Above(Trend("equity", 10.0), 0.0)), Cppi(0.9)),
            When(Above(RealisedCorrelation("equity", "bond", 10.0), 0.0), Cppi(0.9)),
            When(AllOf(VolSpike(fast=3.0, slow=10.0), Above(Fall("equity", 20.0), 0.02), Above(Fall("equity"), 0.05, name="fall")), Cppi(0.9)),
        ),
    }
    study = mc.Study(gbm_market, rules, steps=STEPS, costs=mc.ledger.Proportional(5e-4, 0.01), recorders=(recorder.Wealth(),))
    with double_precision():
        table = study.trace(range(8), seed=5)
    return lambda name: table[name].to_numpy().reshape(8, STEPS + 1)


@pytest.mark.parametrize(
    ("one", "other"),
    [("always", "cppi"), ("never", "mix"), ("rebalance", "band"), ("put_always", "put"), ("put_never", "mix"), ("nested", "cppi")],
)
def test_rules_that_are_one(books, one, other):
    np.testing.assert_allclose(books(f"{one}.wealth"), books(f"{other}.wealth"), rtol=1e-13)


def test_the_first_date_trades_whatever_fires(books):
    units = books("bought_once.equity.units")
    assert (units[:, 1] > 0.0).all()
    np.testing.assert_array_equal(units[:, 1:], np.repeat(units[:, 1:2], STEPS, axis=1))


def test_units_blend(books):
    """On the first date, where both start from the same wealth: half of the way between."""
    units = {name: books(f"{name}.equity.units")[:, 1] for name in ("mix", "cppi", "half")}
    np.testing.assert_allclose(units["half"], 0.5 * (units["mix"] + units["cppi"]), rtol=1e-13)
    assert (units["cppi"] < 0.9 * units["mix"]).all()


def test_signals(books):
    """The recursions once more in NumPy, from the traced spots."""
    returns = {n: np.diff(np.log(books(f"{n}.spot")), axis=1) for n in ("equity", "bond")}
    decay = {h: 2.0 ** (-1.0 / h) for h in (5.0, 10.0)}
    variance, trend = np.full(8, 0.04), np.zeros(8)
    moments = [np.full(8, 1e-4), np.full(8, 1e-4), np.zeros(8)]
    fast, slow, spots, faded = np.full(8, 0.04), np.full(8, 0.04), books("equity.spot"), np.zeros(8)
    for k in range(STEPS):
        x, y = returns["equity"][:, k], returns["bond"][:, k]
        variance = decay[5.0] * variance + (1.0 - decay[5.0]) * x**2 * STEPS
        trend = decay[10.0] * (trend + x)
        moments = [decay[10.0] * old + (1.0 - decay[10.0]) * new for old, new in zip(moments, (x * x, y * y, x * y), strict=True)]
        np.testing.assert_allclose(books("signal.ewma_equity")[:, k + 1], np.sqrt(variance), rtol=1e-12)
        np.testing.assert_allclose(books("signal.trend_equity")[:, k + 1], trend, rtol=1e-9, atol=1e-14)
        correlation = moments[2] / np.sqrt(moments[0] * moments[1])
        np.testing.assert_allclose(books("signal.realisedcorrelation_equity_bond")[:, k + 1], correlation, rtol=1e-9, atol=1e-12)
        fast, slow = (h * old + (1.0 - h) * x**2 * STEPS for h, old in ((2.0 ** (-1 / 3), fast), (decay[10.0], slow)))
        np.testing.assert_allclose(books("signal.volratio_equity")[:, k + 1], np.sqrt(fast / slow), rtol=1e-9)
        faded = 2.0 ** (-1 / 20) * np.maximum(faded - x, 0.0)
        np.testing.assert_allclose(books("signal.fall_equity")[:, k + 1], 1.0 - np.exp(-faded), rtol=1e-9, atol=1e-14)
        np.testing.assert_allclose(books("signal.fall")[:, k + 1], 1.0 - spots[:, k + 1] / spots[:, : k + 2].max(axis=1), rtol=1e-9, atol=1e-14)
