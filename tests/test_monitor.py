"""A policy in use: its decisions are those of a back-test, and no moment at which it is killed loses or repeats a day."""

import json

import numpy as np
import pytest

import mcengine as mc
from mcengine import _files
from mcengine.monitor import saved
from mcengine.monitor.day import AskForGreeks

START, STEPS = "2008-01-02", 40
ASSETS = {"equity": {"column": "spx", "dividend": 0.019, "volatility": "vix"}, "bond": {"column": "ust10y", "kind": "yield"}}
COSTS = mc.ledger.Proportional(5e-4, 0.02)


@pytest.fixture(scope="module")
def rule():
    drift = mc.policy.Rebalance(mc.policy.Drift(0.02))
    stages = (mc.policy.VolTarget(0.1, initial=0.1), mc.policy.Cppi(floor=0.9), mc.policy.RolledPut(0.95, 0.5, 21, 15), mc.policy.DeltaHedge())
    return mc.policy.chain(mc.policy.Mix(equity=0.6, bond=0.3), *stages, drift)


@pytest.fixture(scope="module")
def feed():
    return {day: mc.market.Replay.from_history(ASSETS, end=day) for day in ("2008-01-10", "2008-01-24", "2008-03-20")}


def monitor(rule, folder=None, **options):
    return mc.monitor.Monitor(rule, START, folder, costs=COSTS, years=STEPS / 252, steps=STEPS, **options)


@pytest.fixture(scope="module")
def followed(rule, feed):
    return monitor(rule).update(feed["2008-03-20"])


@pytest.mark.parametrize("delay", [0, 1])
def test_decisions_are_those_of_the_back_test(rule, feed, followed, delay):
    """Trade by trade, of the window that starts on the day: units, costs and wealth to the rounding of float32."""
    market = feed["2008-03-20"]
    days = followed if not delay else monitor(rule, delay=1).update(market)
    first = int(np.searchsorted(np.asarray(market.days.dates), int(np.datetime64(START, "D").astype(int))))
    study = mc.Study(market, rule, costs=COSTS, years=STEPS / 252, steps=STEPS, delay=delay, recorders=(AskForGreeks(),))
    trace = study.trace([first])
    assert [day["date"] for day in days] == [str(date)[:10] for date in trace["date"]]
    for name in ("equity", "bond", "rolled_put", "delta_hedge"):
        units = np.array([day["units"][name] for day in days[:-1]])
        np.testing.assert_allclose(units, trace[f"{name}.units"].to_numpy()[1:], rtol=2e-5, atol=1e-9)
        ordered = [abs(day["orders"][name].get("units", 1.0)) > 1e-6 for day in days[:-1] if name in day["orders"]]
        assert any(ordered)
    assert days[-1]["ended"]
    assert days[-1]["wealth"] == pytest.approx(trace["wealth"].iloc[-1], rel=1e-6)
    assert sum(day["cost"] for day in days[:-1]) == pytest.approx(trace.filter(like="cost_").iloc[-1].sum(), rel=1e-4)


def test_says_what_fires_and_what_is_held(followed):
    assert followed[0]["told"] == {"drift": 1.0}
    assert {0.0, 1.0} == {day["told"]["drift"] for day in followed[:-1]}
    assert set(followed[0]["greeks"]) == {"delta", "gamma", "vega", "theta", "vanna", "volga"}
    contracts = followed[0]["by_expiry"]
    assert set(contracts) == {"1m"}
    for name in ("gamma", "vega", "vanna", "volga"):
        assert contracts["1m"][name] == {"equity": followed[0]["greeks"][name]["equity"]}
    rolled = [day for day in followed[:-1] if "close" in day["orders"].get("rolled_put", {})]
    assert len(rolled) == 2
    assert rolled[0]["orders"]["rolled_put"]["strike"] == pytest.approx(0.95 * rolled[0]["prices"]["equity"], rel=1e-6)


def test_says_what_the_day_has_gained(followed):
    """The parts are the change of wealth from before one trade to before the next, which costs lie between."""
    assert "gained" not in followed[0]
    before = [day["wealth"] + day.get("cost", 0.0) for day in followed]
    gained = [sum(day["gained"].values()) for day in followed[1:]]
    np.testing.assert_allclose(gained, np.diff(before), atol=2e-7)
    assert all(day["gained"]["theta"] < 0.0 for day in followed[1:-1])


@pytest.mark.parametrize("at", ["before the state", "after the state", "within the line"])
def test_killed_at_any_moment_no_day_is_lost_or_repeated(rule, feed, followed, tmp_path, monkeypatch, at):
    """It dies on its fifth day, is started again, and has the lines of one that was never stopped."""
    watched, count = monitor(rule, tmp_path), 0
    write, append = _files.write_json, saved.Saved._append

    def dying(file, value):
        nonlocal count
        count += 1
        if count == 5 and at == "before the state":
            raise KeyboardInterrupt
        write(file, value)

    def dying_after(self, line):
        if count == 5 and at != "before the state":
            if at == "within the line":
                append(self, line[:20])
                lines = tmp_path / saved.LINES
                lines.write_bytes(lines.read_bytes()[:-1])
            raise KeyboardInterrupt
        append(self, line)

    monkeypatch.setattr(_files, "write_json", dying)
    monkeypatch.setattr(saved.Saved, "_append", dying_after)
    with pytest.raises(KeyboardInterrupt):
        watched.update(feed["2008-01-24"])
    monkeypatch.undo()
    watched.close()
    again = monitor(rule, tmp_path)
    again.update(feed["2008-01-24"])
    again.close()
    lines = [json.loads(line) for line in (tmp_path / saved.LINES).read_text().splitlines()]
    assert lines == followed[: len(lines)]
    assert lines[-1]["date"] == "2008-01-24"


def test_goes_on_as_the_feed_grows(rule, feed, followed, tmp_path):
    watched = monitor(rule, tmp_path)
    days = watched.update(feed["2008-01-10"])
    assert watched.update(feed["2008-01-10"]) == []
    with pytest.raises(ValueError, match="another process is at work"):
        monitor(rule, tmp_path)
    watched.close()
    again = monitor(rule, tmp_path)
    days += again.update(feed["2008-01-24"])
    again.close()
    assert days == followed[: len(days)]
    with pytest.raises(ValueError, match="expected the policy, costs and dates it was begun with"):
        mc.monitor.Monitor(rule, START, tmp_path)


def altered(market, change):
    days = market.days
    made = {key: np.array(getattr(days, key)) for key in ("moves", "closes", "dates")}
    change(**made)
    return mc.replace(market, days=mc.replace(days, **made))


def stood_still(moves, closes, dates):
    moves[-1, :2], closes[-1] = 0.0, closes[-2]


def late(moves, closes, dates):
    dates[-1] = dates[-2] + 30


def out_of_order(moves, closes, dates):
    dates[-1] = dates[-2] - 1


def rewritten(moves, closes, dates):
    moves[-8, 0] = 0.5


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (stood_still, "expected prices of 2008-01-24, got those of 2008-01-23 again"),
        (late, "expected a row at most 10 days after 2008-01-23, got 2008-02-22"),
        (out_of_order, "expected a row after 2008-01-23, got 2008-01-22"),
        (rewritten, "expected the rows up to 2008-01-23 as they were when they were followed, got others"),
    ],
)
def test_a_row_that_cannot_be_todays_does_not_move_the_book(rule, feed, followed, change, message):
    watched, market = monitor(rule), feed["2008-01-24"]
    count = len(watched.update(market, most=sum(day["date"] < "2008-01-24" for day in followed)))
    with pytest.raises(ValueError, match=message):
        watched.update(altered(market, change))
    assert watched.date == "2008-01-23"
    assert watched.update(market) == [followed[count]]


def test_the_book_as_it_really_is(rule, feed):
    watched = monitor(rule)
    with pytest.raises(ValueError, match="expected a book that has been followed"):
        watched.correct(cash=0.5)
    day = watched.update(feed["2008-01-10"])[-1]
    with pytest.raises(ValueError, match=r"unknown slot 'equty'; did you mean equity"):
        watched.correct(units={"equty": 0.0})
    half = day["units"]["equity"] / 2.0
    watched.correct(cash=day["cash"] + half * day["prices"]["equity"], units={"equity": half})
    following = watched.update(feed["2008-01-24"], most=1)[0]
    assert following["orders"]["equity"]["units"] == pytest.approx(following["units"]["equity"] - half, rel=1e-5)


def test_bad_input(rule, feed):
    with pytest.raises(ValueError, match=r"monitor.start: expected a date like 2008-01-02, got 'soon'"):
        mc.monitor.Monitor(rule, "soon")
    with pytest.raises(ValueError, match="expected at least 63 rows of the feed before 1990-01-10, got"):
        mc.monitor.Monitor(rule, "1990-01-10", years=STEPS / 252, steps=STEPS).update(feed["2008-01-10"])
