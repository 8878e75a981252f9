"""The escalation ladder: what it refuses, its levels, that it recovers, and what each rung changes."""

from itertools import groupby
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mcengine as mc
from mcengine._model import with_parameters
from mcengine.engine import recorder
from mcengine.market import Fall
from mcengine.policy import Cppi, Derisk, Drawdown, Ladder, Mix, RolledPut, Rung, Shock, Underwater, chain

STEPS = 48


def rungs(**changes):
    """Watch, tighten, de-risk, stop, of a drawdown; None takes one out."""
    made = {
        "watch": Rung(0.01, 0.005),
        "tighten": Rung(0.02, 0.012, Derisk(0.75), cooldown=2),
        "derisk": Rung(0.04, 0.02, Derisk(0.5), cooldown=3),
        "stop": Rung(0.06, 0.03, Derisk(0.0), cooldown=4),
    }
    return {name: rung for name, rung in (made | changes).items() if rung is not None}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Rung(0.05, 0.05), r"Rung.leave: expected a number below enter = 0\.05, got 0\.05"),
        (lambda: Rung(0.05, 0.02, 0.5), "Rung.stage: expected a stage, got float"),
        (lambda: Rung(0.05, 0.02, alarm=Cppi(0.9)), "Rung.alarm: expected a trigger such as Drift, got Cppi"),
        (lambda: Rung(0.05, 0.02, cooldown=0), "Rung.cooldown: expected a whole number of at least 1, got 0"),
        (lambda: Ladder({"watch": Rung(0.05, 0.02)}), "Ladder.rungs: expected at least one with a stage, got none"),
        (lambda: Ladder({"stop": Derisk(0.0)}), "Ladder.rungs.stop: expected a Rung, got Derisk"),
        (lambda: Ladder(rungs(), gauge=Drawdown(0.1)), "Ladder.gauge: expected a gauge such as Underwater or a signal, got Drawdown"),
        (lambda: Ladder(rungs(stop=Rung(0.03, 0.021))), r"Ladder.stop.enter: expected a number above derisk.enter = 0\.04, got 0\.03"),
        (lambda: Ladder(rungs(stop=Rung(0.07, 0.01))), r"Ladder.stop.leave: expected a number above derisk.leave = 0\.02, got 0\.01"),
        (lambda: with_parameters(Ladder(rungs()), {"stop.enter": 0.035}), r"Ladder.stop.enter: expected a number above derisk.enter"),
        (lambda: Derisk(-0.1), "Derisk.share: expected a number not below 0"),
    ],
)
def test_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_its_kinds_and_slots_are_those_of_its_stages():
    put = Ladder(rungs(stop=Rung(0.06, 0.03, RolledPut(0.9))))
    assert list(put.slots()) == ["rolled_put"]
    assert list(chain(Mix(equity=1.0), put).stages) == ["mix", "ladder", "fund"]
    with pytest.raises(ValueError, match="chain: expected the scaler Cppi before the overlay Ladder, got it after"):
        chain(Mix(equity=1.0), put, Cppi(0.9))
    mix = Ladder(rungs(stop=Rung(0.06, 0.03, chain(Mix(equity=0.1), RolledPut(0.9)))))
    assert list(chain(Mix(equity=1.0), mix)["ladder"].rungs["stop"].stage.stages) == ["mix", "rolled_put"]
    with pytest.raises(ValueError, match="expected an allocator that acts on every date before overlays, got Ladder"):
        chain(Ladder(rungs(tighten=Rung(0.02, 0.012, Mix(equity=0.1)))), RolledPut(0.9))


def climbed(ladder, gauge, alarms, width=0.0):
    """Weights by rung [dates], all dates in one program."""
    start = ladder.start(SimpleNamespace(wealth=jnp.ones(()), **QUOTED)).levels

    def date(levels, row):
        levels = ladder.climb(row[0], {"derisk": row[1]}, levels, width)
        return levels, {name: level.weight for name, level in levels.items()}

    return jax.lax.scan(date, start, (gauge, alarms))[1]


QUOTED = {"step": 0, "dt": 1.0, "quotes": {"equity": SimpleNamespace(spot=1.0, variance=0.04, event_variance=lambda to: 0.0)}}
HARD = jax.jit(climbed)


def in_force(made, gauge, alarms):
    """Declared, not stepped: a rung is in force from a date that asks for it until ``cooldown`` dates in a row are calm."""
    after, above = {}, np.zeros(len(gauge), bool)
    for name, rung in reversed(made.items()):
        asked = (gauge >= float(rung.enter)) | above | (alarms > 0.0 if name == "derisk" else False)
        calm = ~asked & (gauge < float(rung.leave))
        above = np.zeros(len(gauge), bool)
        for k in range(len(gauge)):
            dates = np.flatnonzero(asked[: k + 1])
            since = calm[dates[-1] + 1 : k + 1] if dates.size else calm[:0]
            longest = max((len(list(run)) for quiet, run in groupby(since) if quiet), default=0)
            above[k] = dates.size > 0 and (rung.latch or longest < rung.cooldown)
        after[name] = above
    return after


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from([0.0, 0.007, 0.015, 0.025, 0.035, 0.05, 0.07]), min_size=24, max_size=24), st.integers(0, 40), st.booleans())
def test_levels_are_as_declared(gauge, loud, latch):
    made = rungs(derisk=Rung(0.04, 0.02, Derisk(0.5), Shock(), cooldown=3), stop=Rung(0.06, 0.03, Derisk(0.0), cooldown=4, latch=latch))
    gauge, alarms = np.array(gauge), (np.arange(24) == loud).astype(float)
    found = HARD(Ladder(made), gauge, alarms)
    for name, expected in in_force(made, gauge, alarms).items():
        np.testing.assert_array_equal(np.asarray(found[name]), expected, err_msg=name)


def test_a_level_is_left_after_its_dates_and_one_by_one():
    """Straight to the top, then calm: stop is left on the 4th calm date, which is the first of de-risk's 3; so on to tighten's 2 and watch's 1."""
    gauge = np.array([0.0, 0.07] + [0.0] * 22)
    found = HARD(Ladder(rungs()), gauge, np.zeros(24))
    assert {name: int(weight.sum()) for name, weight in found.items()} == {"watch": 7, "tighten": 7, "derisk": 6, "stop": 4}


SHOCKED = {"shock": mc.market.Scenario(date=10 / 252, moves={"equity": -0.15})}
ABLATED = ("watch", "tighten", "derisk", "stop")


@pytest.fixture(scope="module")
def study(gbm_market):
    """The whole ladder, each rung left out, one that latches, one that never forgets, none; every path is shocked on date 10."""
    mix = Mix(equity=0.6, bond=0.3)
    ladders = {"ladder": Ladder(rungs(), Underwater(10.0))}
    ladders |= {f"no_{name}": Ladder(rungs(**{name: None}), Underwater(10.0)) for name in ABLATED}
    ladders["latched"] = Ladder(rungs(stop=Rung(0.06, 0.03, Derisk(0.0), latch=True)), Underwater(10.0))
    ladders["remembers"] = Ladder(rungs(), Underwater())
    per_sleeve = {"stop": Rung(0.1, 0.05, Derisk(0.0, asset="equity"))}
    books = {"none": mix} | {name: chain(mix, one) for name, one in ladders.items()}
    books["sleeve"] = chain(mix, Ladder(per_sleeve, Fall("equity", 10.0)))
    market = mc.replace(gbm_market, scenarios=SHOCKED)
    return mc.Study(market, books, steps=STEPS, years=STEPS / 252, recorders=(recorder.Wealth(), recorder.Trading()))


@pytest.fixture(scope="module")
def trace(study):
    table = study.trace(range(64), seed=4)
    return lambda name: table[name].to_numpy().reshape(64, STEPS + 1)


def test_it_recovers(trace):
    """All is sold on the date of the shock, and bought back on every path; a rung that latches, or a high that is never forgotten, holds cash."""
    units = {name: trace(f"{name}.equity.units") for name in ("none", "ladder", "latched", "remembers")}
    assert (units["ladder"][:, 11] == 0.0).all()
    assert (units["ladder"][:, -1] > 0.0).all()
    assert np.mean(units["ladder"][:, -1] > 0.7 * units["none"][:, -1]) > 0.9
    assert (units["latched"][:, 11:] == 0.0).all()
    assert (units["remembers"][:, 11:] == 0.0).all()


def test_what_each_rung_changes(trace):
    """On the same paths: a rung without a stage nothing; one with a stage lowers what is held, on the mean path by more than four errors."""
    held = {name: trace(f"{name}.equity.units").mean(axis=1) for name in ("ladder", *(f"no_{rung}" for rung in ABLATED))}
    np.testing.assert_array_equal(held["no_watch"], held["ladder"])
    for rung in ("tighten", "derisk", "stop"):
        assert mc.statistics.estimate.mean(held[f"no_{rung}"] - held["ladder"]).z(0.0) > 4.0, rung


def test_a_sleeve_of_its_own(trace):
    """The equity is sold, the bond is not."""
    assert (trace("sleeve.equity.units")[:, 11] == 0.0).all()
    np.testing.assert_allclose(trace("sleeve.bond.units")[:, 11] * trace("bond.spot")[:, 10], 0.3 * trace("sleeve.wealth")[:, 10], rtol=1e-5)
