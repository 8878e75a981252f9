"""Triggers, signals and what acts on them, from numbers worked out by hand; what is refused. A new one is a new row."""

from types import SimpleNamespace
from typing import Any

import jax
import numpy as np
import pytest

import mcengine as mc
from mcengine._model import Scalar, model, number
from mcengine.engine import recorder
from mcengine.market import Ewma, RealisedCorrelation, Trend
from mcengine.policy import Above, AbstractTrigger, AllOf, AnyOf, Band, Cppi, Drift, Mix, Not, Rebalance, RolledPut, When, chain

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
    ],
)
def test_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_a_signal_of_an_asset_the_market_lacks(gbm_market):
    with pytest.raises(ValueError, match=r"signals.ewma_equty: unknown asset 'equty'; did you mean equity"):
        mc.Study(gbm_market, chain(Mix(equity=1.0), When(Above(Ewma("equty"), 0.2), Cppi(0.9))), steps=STEPS)


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
        ),
    }
    study = mc.Study(gbm_market, rules, steps=STEPS, costs=mc.ledger.Proportional(5e-4, 0.01), recorders=(recorder.Wealth(),))
    before = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", True)
    try:
        table = study.trace(range(8), seed=5)
    finally:
        jax.config.update("jax_enable_x64", before)
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
    for k in range(STEPS):
        x, y = returns["equity"][:, k], returns["bond"][:, k]
        variance = decay[5.0] * variance + (1.0 - decay[5.0]) * x**2 * STEPS
        trend = decay[10.0] * (trend + x)
        moments = [decay[10.0] * old + (1.0 - decay[10.0]) * new for old, new in zip(moments, (x * x, y * y, x * y), strict=True)]
        np.testing.assert_allclose(books("signal.ewma_equity")[:, k + 1], np.sqrt(variance), rtol=1e-12)
        np.testing.assert_allclose(books("signal.trend_equity")[:, k + 1], trend, rtol=1e-9, atol=1e-14)
        correlation = moments[2] / np.sqrt(moments[0] * moments[1])
        np.testing.assert_allclose(books("signal.realisedcorrelation_equity_bond")[:, k + 1], correlation, rtol=1e-9, atol=1e-12)
