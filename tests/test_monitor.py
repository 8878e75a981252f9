"""A policy in use: its decisions are those of a back-test, and no moment at which it is killed loses or repeats a day."""

import contextlib
import importlib
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import mcengine as mc
from mcengine import _files
from mcengine.monitor import saved
from mcengine.monitor.day import AskForGreeks, ahead
from mcengine.policy import Derisk, Ladder, OptionLeg, Rung, Underwater

START, STEPS = "2008-01-02", 252
SCRIPTS = Path(__file__).parents[1] / "experiments"
ASSETS = {"equity": {"column": "spx", "dividend": 0.019, "volatility": "vix"}, "bond": {"column": "ust10y", "kind": "yield"}}
COSTS = mc.ledger.Proportional(5e-4, 0.02)
WEALTH = 1e6


@pytest.fixture(scope="module")
def rule():
    """A ladder, a book of options on dates of their own, a hedge within a limit of delta, bands: all that remembers something."""
    rungs = {"watch": Rung(0.01, 0.005), "derisk": Rung(0.03, 0.015, Derisk(0.5), cooldown=3), "stop": Rung(0.04, 0.02, Derisk(0.0), cooldown=5)}
    legs = {"put": OptionLeg("put", 0.95, 0.5, 42, 21), "low": OptionLeg("put", 0.88, -0.25, 64, 63)}
    stages = (mc.policy.VolTarget(0.1, initial=0.1), Ladder(rungs, Underwater(20.0)), mc.policy.OptionBook(legs))
    hedge = mc.policy.When(mc.policy.GreekLimit("delta", 0.25), mc.policy.DeltaHedge(0.5))
    filters = (mc.policy.HedgeBand(0.01), mc.policy.Rebalance(mc.policy.Drift(0.02)))
    return mc.policy.chain(mc.policy.Mix(equity=0.6, bond=0.3), *stages, hedge, *filters)


@pytest.fixture(scope="module")
def feed():
    return {day: mc.market.Replay.from_history(ASSETS, end=day) for day in ("2008-01-10", "2008-01-24", "2009-01-15")}


def monitor(rule, folder=None, steps=STEPS, **options):
    return mc.monitor.Monitor(rule, START, folder, costs=COSTS, years=steps / 252, steps=steps, wealth=WEALTH, **options)


@pytest.fixture(scope="module")
def followed(rule, feed):
    return monitor(rule).update(feed["2009-01-15"])


@pytest.mark.parametrize(("delay", "steps"), [(0, STEPS), (1, 40)])
def test_decisions_are_those_of_the_back_test(rule, feed, followed, delay, steps):
    """A year, trade by trade, of the window that starts on the day: units, levels, costs and wealth to the rounding of float32."""
    market = feed["2009-01-15"]
    days = followed if not delay else monitor(rule, delay=1, steps=steps).update(market)
    first = int(np.searchsorted(np.asarray(market.days.dates), int(np.datetime64(START, "D").astype(int))))
    options = {"years": steps / 252, "steps": steps, "delay": delay, "wealth": WEALTH, "recorders": (AskForGreeks(),)}
    trace = mc.Study(market, rule, costs=COSTS, **options).trace([first])
    assert [day["date"] for day in days] == [str(date)[:10] for date in trace["date"]]
    for name, asset in (("equity", "equity"), ("bond", "bond"), ("put", "equity"), ("low", "equity"), ("delta_hedge", "equity")):
        units, price = trace[f"{name}.units"].to_numpy()[1:], market.days.level(asset, first) / 100.0
        found = np.array([day["units"][name] for day in days[:-1]]) * price
        np.testing.assert_allclose(found, units, rtol=5e-5, atol=1e-6 * np.abs(units).max(), err_msg=name)
        assert any(abs(day["orders"][name].get("units", 1.0)) > 1e-6 for day in days[:-1] if name in day["orders"])
    assert days[-1]["ended"]
    assert days[-1]["wealth"] == pytest.approx(trace["wealth"].iloc[-1], rel=1e-5)
    assert sum(day["cost"] for day in days[:-1]) == pytest.approx(trace.filter(like="cost_").iloc[-1].sum(), rel=1e-4)


def test_says_what_fires_and_what_is_held(followed):
    told = [day["told"] for day in followed[:-1]]
    assert {"drift", "gauge", "greek_limit", "delta_limit", "level_watch", "level_derisk", "level_stop"} == set(told[0])
    for name in ("drift", "greek_limit", "level_watch", "level_derisk", "level_stop"):
        assert {one[name] for one in told} == {0.0, 1.0}, name
    assert set(followed[0]["greeks"]) == {"delta", "gamma", "vega", "theta", "vanna", "volga"}
    for name in ("gamma", "vega", "vanna", "volga"):  # of contracts alone: they are in one bucket or another
        inside = sum(part[name]["equity"] for part in followed[0]["by_expiry"].values())
        assert inside == pytest.approx(followed[0]["greeks"][name]["equity"], rel=1e-5)
    for one in told:
        limit = one["delta_limit"]
        assert limit["headroom"] == pytest.approx(min(0.25 - limit["share"], limit["share"] + 0.25), abs=1e-6)
        assert one["greek_limit"] == float(limit["headroom"] <= 0.0)


def test_prices_are_those_of_the_feed(followed):
    """The S&P 500 closed at 1447.16 on the first day, 1411.63 on the third; what is ordered is paid for in cash."""
    day = followed[0]
    assert day["prices"]["equity"] == pytest.approx(1447.16, rel=1e-6)
    assert followed[2]["prices"]["equity"] == pytest.approx(1411.63, rel=1e-6)
    assert day["orders"]["put"]["strike"] == pytest.approx(0.95 * 1447.16, rel=1e-6)
    for name, order in day["orders"].items():
        assert order["value"] == pytest.approx(day["units"][name] * day["prices"][name], rel=1e-6), name
    assert day["cash"] == pytest.approx(WEALTH - day["cost"] - sum(order["value"] for order in day["orders"].values()), rel=1e-5)
    rolled = [one for one in followed[:-1] if "close" in one["orders"].get("put", {})]
    assert 8 <= len(rolled) < STEPS // 21
    for one in rolled:
        order = one["orders"]["put"]
        assert order["strike"] == pytest.approx(0.95 * one["prices"]["equity"], rel=1e-5)
        assert order["open"] == pytest.approx(one["units"]["put"], abs=1e-6)
        assert one["cash"] + sum(one["units"][n] * one["prices"][n] for n in one["units"]) == pytest.approx(one["wealth"], rel=1e-5)


def test_says_what_the_day_has_gained(followed):
    """The parts are the change of wealth from before one trade to before the next, which costs lie between."""
    assert "gained" not in followed[0]
    before = [day["wealth"] + day.get("cost", 0.0) for day in followed]
    gained = [sum(day["gained"].values()) for day in followed[1:]]
    np.testing.assert_allclose(gained, np.diff(before), atol=4e-7 * WEALTH)
    assert np.std(gained) > 1e-3 * WEALTH
    assert all(day["gained"]["theta"] != 0.0 for day in followed[1:-1])


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


POLICY = """
_target_: mcengine.policy.chain
_args_:
  - {_target_: mcengine.policy.Mix, equity: 0.6, bond: 0.3}
  - _target_: mcengine.policy.Ladder
    rungs:
      watch: {_target_: mcengine.policy.Rung, enter: 0.01, leave: 0.005}
      stop: {_target_: mcengine.policy.Rung, enter: 0.02, leave: 0.01, cooldown: 3, stage: {_target_: mcengine.policy.Derisk, share: 0.5}}
  - _target_: mcengine.policy.OptionBook
    legs: {put: {_target_: mcengine.policy.OptionLeg, kind: put, moneyness: 0.95, tenor: 10, roll: 5}}
  - {_target_: mcengine.policy.DeltaHedge}
  - {_target_: mcengine.policy.Rebalance, trigger: {_target_: mcengine.policy.GreekLimit, greek: delta, high: 0.6}}
"""


@pytest.mark.slow
def test_killed_by_the_system_it_goes_on(tmp_path, monkeypatch, capsys):
    """``kill -9`` of the script as its lines come in, three times; the book then has the lines of one that was never stopped."""
    (tmp_path / "mine" / "policy").mkdir(parents=True)
    (tmp_path / "mine" / "policy" / "book.yaml").write_text(POLICY)
    dates = ["monitor.start=2008-01-02", "market.end=2008-02-20", "years=0.11904762", "steps=30", "~market.assets.commodity"]
    words = ["--config-dir", str(tmp_path / "mine"), "policy=book", *dates, "monitor.wealth=1e6"]
    command = [sys.executable, str(SCRIPTS / "monitor.py"), *words, "monitor.folder=killed"]
    lines = tmp_path / "killed" / saved.LINES
    for most in (3, 11, 20):
        running = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        while running.poll() is None and not (lines.exists() and lines.read_bytes().count(b"\n") >= most):
            time.sleep(0.002)
        running.kill()
        assert running.wait() == -signal.SIGKILL, running.stderr.read()
        running.stderr.close()
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(SCRIPTS))
    main = importlib.import_module("monitor").main
    assert main([*words, "monitor.folder=killed"]) == 0
    assert main([*words, "monitor.folder=whole"]) == 0
    assert lines.read_text() == (tmp_path / "whole" / saved.LINES).read_text()
    assert lines.read_bytes().count(b"\n") == 31
    out = capsys.readouterr().out
    assert "delta_limit" in out
    assert "headroom" in out


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
    flat = mc.replace(feed["2008-01-24"], surface=None)
    early, late = (mc.replace(feed["2008-01-24"], announced={"fed": [date]}) for date in ("2008-01-08", "2008-03-18"))
    with contextlib.closing(monitor(rule, tmp_path)) as third:
        for other in (flat, early):
            with pytest.raises(ValueError, match="expected the assets, surface and events announced up to 2008-01-24 as they were when followed"):
                third.update(other)
        assert third.update(late) == []
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
    for following in watched.update(feed["2008-01-24"]):
        if "equity" in following["orders"]:
            break
    assert following["orders"]["equity"]["units"] == pytest.approx(following["units"]["equity"] - half, rel=1e-5)


def test_options_on_dates_of_the_calendar_are_in_a_bucket():
    """Straddles about an announced event: every one is in the bucket of its expiry."""
    market = mc.market.Replay.from_history(ASSETS, end="2008-02-05", announced={"fed": ["2008-01-30"]})
    event = mc.policy.EventOverlay("fed", None, move=0.02, before=3, after=1, tenor=8)
    rule = mc.policy.chain(mc.policy.Mix(equity=0.6, bond=0.3), event)
    days = monitor(rule, steps=30).update(market)
    held = [day for day in days if day["units"]["fed_call"]]
    assert len(held) == 4
    for day in held:
        assert day["greeks"]["gamma"]["equity"] > 0.0
        assert day["by_expiry"]["1m"]["gamma"]["equity"] == pytest.approx(day["greeks"]["gamma"]["equity"], rel=1e-5)


def test_contracts_on_prices_of_the_window_are_refused(feed):
    """A strike of 95 is not of the feed, whose index is at 1447."""
    mix = mc.policy.Mix(equity=0.6, bond=0.3)
    put = mc.instrument.Digital("put", 95.0, 40 / 252, asset="equity")
    message = "monitor: slot 'contract': expected a contract of relative strikes, as the feed's prices do not begin at 100, got Digital"
    with pytest.raises(ValueError, match=message):
        monitor(mc.policy.chain(mix, mc.policy.ContractOverlay(put, relative=False)), steps=40).update(feed["2008-01-10"])


def table(file, rows):
    """A feed of two prices, on weekdays from 2020-01-01 on."""
    file.write_text("Date,one,two\n" + "".join(f"{day},{','.join(map(str, prices))}\n" for day, prices in rows))


def test_a_file_that_grows(tmp_path, monkeypatch, capsys):
    """From the command line: a row out of order, twice, without a price or unchanged is refused or waited for, and does not move the book."""
    days = np.busday_offset("2020-01-01", np.arange(300), roll="forward")
    levels = np.round([50.0, 200.0] * np.exp(np.cumsum(np.random.default_rng(1).normal(0.0, 0.01, (300, 2)), axis=0)), 4)
    rows = [(str(day), list(prices)) for day, prices in zip(days, levels.tolist(), strict=True)]
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(SCRIPTS))
    script = importlib.import_module("monitor")
    file, lines = tmp_path / "feed.csv", tmp_path / "book" / saved.LINES
    words = ["policy=unhedged", "weights={one: 0.5, two: 0.2}", "data=feed.csv", "market.assets=null", "market.rate=0.02", "steps=20"]
    words += [f"years={20 / 261}", f"monitor.start={rows[280][0]}", "monitor.folder=book", "monitor.wealth=1000", "monitor.gap=4"]

    def follow(some):
        table(file, some)
        code = script.main(words)
        return code, capsys.readouterr()

    assert follow(rows[:285])[0] == 0
    before = lines.read_text()
    assert before.count("\n") == 5
    first = json.loads(before.splitlines()[0])
    assert first["prices"] == {"one": pytest.approx(rows[280][1][0], rel=1e-6), "two": pytest.approx(rows[280][1][1], rel=1e-6)}
    assert first["orders"]["one"]["value"] == pytest.approx(500.0, rel=1e-3)
    late = str(np.datetime64(rows[284][0]) + 6)
    for extra, message in (
        ([(rows[283][0], rows[285][1])], rows[283][0]),
        ([(rows[285][0], rows[284][1])], f"expected prices of {rows[285][0]}, got those of {rows[284][0]} again"),
        ([(late, rows[285][1])], f"expected a row at most 4 days after {rows[284][0]}, got {late}"),
        ([(rows[285][0], [rows[285][1][0], ""])], ""),
    ):
        code, said = follow([*rows[:285], *extra])
        assert code == (2 if message else 0)
        assert message in said.err
        assert lines.read_text() == before
    assert follow(rows[:286])[0] == 0
    assert lines.read_text().startswith(before)
    assert lines.read_text().count("\n") == 6
    (tmp_path / "real.yaml").write_text("units: {one: 9.0}\n")
    words.append("monitor.book=real.yaml")
    assert "was put in" not in follow(rows[:286])[1].out
    assert f"real.yaml was put in on {rows[285][0]}, and is left out now" in follow(rows[:287])[1].out
    corrected = [json.loads(line) for line in lines.read_text().splitlines() if "corrected" in line]
    assert [one["corrected"]["units"] for one in corrected] == [{"one": 9.0}]
    assert lines.read_text().count("\n") == 8


def test_rows_to_come():
    """Weekdays where the rows are, equally far apart where they are not: by these an event of the calendar is ahead."""
    friday = np.datetime64("2024-03-01").astype(int)
    assert [str(np.datetime64(int(day), "D")) for day in ahead(friday, 3, 252)] == ["2024-03-01", "2024-03-04", "2024-03-05"]
    assert [str(np.datetime64(int(day), "D")) for day in ahead(friday, 3, 365)] == ["2024-03-01", "2024-03-02", "2024-03-03"]
    assert [str(np.datetime64(int(day), "D")) for day in ahead(friday, 3, 52)] == ["2024-03-01", "2024-03-08", "2024-03-15"]


def test_bad_input(rule, feed):
    with pytest.raises(ValueError, match=r"monitor.start: expected a date like 2008-01-02, got 'soon'"):
        mc.monitor.Monitor(rule, "soon")
    with pytest.raises(ValueError, match="expected at least 63 rows of the feed before 1990-01-10, got"):
        mc.monitor.Monitor(rule, "1990-01-10", years=STEPS / 252, steps=STEPS).update(feed["2008-01-10"])
