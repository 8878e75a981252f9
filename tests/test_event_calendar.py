"""Events of history on dates of the calendar: every window has steps of its own, in one program."""

import re
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

import mcengine as mc
from mcengine.engine import recorder
from mcengine.instrument import AroundEvent, RollSchedule
from mcengine.policy import Derisk, EventOverlay, Mix, NearEvent, When, chain

ASSETS = {"equity": {"column": "spx", "volatility": "vix"}, "bond": {"column": "ust10y", "kind": "yield"}}
FED = ("2007-12-11", "2008-01-30", "2008-03-18", "2012-01-25")
STEPS, BEFORE, AFTER, TENOR = 30, 3, 1, 8


@pytest.fixture(scope="module")
def replay():
    return mc.market.Replay.from_history(ASSETS, start="2007-09-04", end="2008-06-30", announced={"fed": list(FED)})


@pytest.fixture(scope="module")
def rows(replay):
    """At whose close each date is known; the last is not within the data."""
    days = [replay.days.day(k) for k in range(replay.days.count)]
    return [days.index(day) for day in FED[:-1]]


def overlay(date=None):
    return chain(Mix(equity=0.6, bond=0.3), EventOverlay("fed", date, move=0.02, before=BEFORE, after=AFTER, tenor=TENOR))


def study(market, books, delay=0):
    costs, recorders = mc.ledger.Proportional(5e-4, 0.01), (recorder.Wealth(),)
    return mc.Study(market, books, costs=costs, steps=STEPS, years=STEPS / 252, delay=delay, recorders=recorders)


@pytest.mark.parametrize("delay", [0, 1])
def test_a_window_is_that_of_its_step(replay, rows, delay):
    """The window in which the event comes on step 20 has the outcome of the rule that counts 20 steps from its start, to the bit."""
    result = study(replay, {"calendar": overlay(), "counted": overlay(20)}, delay).run(200, progress=False)
    calendar, counted = (np.asarray(result[name]["wealth"]) for name in ("calendar", "counted"))
    alone = [row - 20 for row in rows]
    np.testing.assert_array_equal(calendar[alone], counted[alone])
    assert np.mean(calendar == counted) < 0.1


def test_options_are_held_about_each_date(replay, rows):
    """Bought ``before`` rows ahead and sold ``after`` rows past it, by windows that hold the day of the purchase; a trigger sees the same dates."""
    near = chain(Mix(equity=0.6, bond=0.3), When(NearEvent("fed", before=2, after=1), Derisk(0.0)))
    starts = [rows[0] - 2 * BEFORE, rows[1] - 1, rows[1] - BEFORE, 10]
    table = study(replay, {"overlay": overlay(), "near": near}).trace(starts)
    for start in starts:
        held = table.loc[start, "overlay.fed_call.units"].to_numpy()[1:] > 0.0
        sold = table.loc[start, "near.equity.units"].to_numpy()[1:] == 0.0
        expiry = table.loc[start, "overlay.fed_call.expiry"].to_numpy()[1:]
        for k in range(STEPS):
            row = start + k
            bought = [e for e in rows if e - BEFORE >= start and e - BEFORE <= row < e + AFTER]
            assert held[k] == bool(bought), (start, k)
            assert sold[k] == any(e - 2 <= row < e + 1 for e in rows), (start, k)
            if bought:
                assert expiry[k] == bought[0] - BEFORE + TENOR - start


@pytest.mark.parametrize("delay", [0, 1])
def test_its_schedule_is_that_of_the_same_steps(delay):
    """Of a window from row 100 on that meets purchases on its steps 4 and 15: what a ``RollSchedule`` of these steps says, once they are met."""
    counted = RollSchedule((0, 4, 15), (TENOR, 4 + TENOR, 15 + TENOR)).dates(STEPS, delay)
    calendar = AroundEvent("fed", BEFORE, TENOR)
    rows = np.array([90, 104 + BEFORE, 115 + BEFORE, 200])
    for step in range(STEPS):
        found = calendar.on_path(rows, 100 + step, step, delay)
        assert (found.rolls, found.trades) == (counted.rolls[step], counted.trades[step])
        assert (found.chosen.expiry, found.held.expiry) == (counted.chosen.expiry[step], counted.held.expiry[step])
        if step >= 4 + delay:
            assert (found.chosen.opened, found.held.opened) == (counted.chosen.opened[step], counted.held.opened[step])


def test_what_is_run_is_said(replay):
    (said,) = study(replay, overlay()).remarks
    assert said.startswith("fed: window by window, on its dates in the calendar: 3 of 4 dates are within the data, ")
    meets, windows, most = map(int, re.findall(r"(\d+) of (\d+) windows meet one or more, (\d+) at most", said)[0])
    assert (most, windows) == (1, replay.windows(STEPS))
    assert meets == 3 * STEPS
    assert study(replay, overlay(20)).remarks == ("fed: window by window, on step 20 of each, counted from its start",)


@pytest.mark.parametrize(
    ("dates", "message"),
    [
        (["soon"], "Replay.announced.fed: expected dates like 2008-01-30, got soon"),
        (["2008-03-18", "2008-01-30"], "Replay.announced.fed: expected dates that rise, got 2008-01-30 after 2008-03-18"),
        ([], r"Replay.announced.fed: expected a list of dates like 2008-01-30, got \[\]"),
        ("2008-03-18", "Replay.announced.fed: expected a list of dates like 2008-01-30, got '2008-03-18'"),
    ],
)
def test_what_are_no_dates(replay, dates, message):
    with pytest.raises(ValueError, match=message):
        mc.replace(replay, announced={"fed": dates})


def test_what_does_not_fit(replay, gbm_market):
    with pytest.raises(
        ValueError, match=r"EventOverlay.event: expected one that the market announces, got 'ecb'; known: fed; or a date of each window"
    ):
        study(replay, chain(Mix(equity=0.6), EventOverlay("ecb", move=0.02)))
    with pytest.raises(ValueError, match=r"EventOverlay.date: expected the step of 'fed', as only a replay has dates of the calendar, got None"):
        study(gbm_market, chain(Mix(equity=0.6), EventOverlay("fed", move=0.02)))
    close = mc.replace(replay, announced={"fed": ["2008-01-22", "2008-01-25"]})
    with pytest.raises(ValueError, match=r"EventOverlay.before: expected more than before \+ after = 4 rows from 2008-01-22 to 2008-01-25, got 3"):
        study(close, overlay())
    with pytest.raises(ValueError, match=r"NearEvent.event: expected one that the market announces, got 'ecb'; known: fed"):
        study(replay, chain(Mix(equity=0.6), When(NearEvent("ecb"), Derisk(0.0))))


def test_from_the_command_line(tmp_path, monkeypatch, capsys):
    """One line says what is run, before it is."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(Path(__file__).parents[1] / "experiments"))
    words = ["policy=event_overlay", "policy.event=fed", "policy.date=null", "market=replay", "market.announced={fed: [2008-01-30, 2008-03-18]}"]
    dates = ["market.start=2007-10-01", "market.end=2008-09-01", "steps=63", "years=0.25", "paths=64", "plots=false"]
    assert import_module("hedge").main([*words, *dates]) == 0
    assert "fed: window by window, on its dates in the calendar: 2 of 2 dates are within the data, " in capsys.readouterr().out
