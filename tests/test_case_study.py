"""The study of record: its figures beside independent facts, on half a year; its rule on several dates; the script run small."""

import importlib
import json
import sys
from pathlib import Path
from types import SimpleNamespace

import jax
import numpy as np
import pytest
from reference import black
from scipy.stats import norm

import mcengine as mc
from mcengine.engine import recorder
from mcengine.policy import DeltaHedge, EventOverlay, Mix, chain
from mcengine.statistics import Estimate, Sampling

SCRIPTS = Path(__file__).resolve().parent.parent / "experiments"
sys.path.append(str(SCRIPTS))
claim = importlib.import_module("claim")

YEARS, PATHS, MOVE = 0.5, 4096, 0.01
TERMS = claim.Terms(tenor=63, move=MOVE)
A = claim.Assumptions
GIVEN = {
    "fair": A(cost=0.0),
    "variance": A(variance=1.4, cost=0.0),
    "event": A(event=1.4, cost=0.0),
    "cheap": A(variance=0.6, cost=0.0),
    "skew": A(skew=1.0, cost=0.0),
    "cost": A(),
    "levered": A(cost=0.0, leverage=1.5),
}


@pytest.fixture(scope="module")
def base():
    assets = {
        "equity": mc.market.GBM(spot=100.0, sigma=0.18, drift=0.10, dividend=0.019),
        "bond": mc.market.GBM(spot=100.0, sigma=0.07, drift=0.06),
    }
    on = claim.dates(YEARS, 8)
    market = claim.announced(mc.market.Market(assets, {"equity-bond": -0.2}, rate=0.025), on, {"equity": MOVE}, 8)
    return claim.study(market, claim.books({"equity": 0.6, "bond": 0.4}, TERMS, on), mc.ledger.Proportional(5e-4, 0.02), YEARS)


@pytest.fixture(scope="module")
def found(base):
    sizes = {f"size {size:g}": claim.Point(A(event=1.4, cost=0.0), {"event_overlay.vega": size}) for size in (0.0, 10.0)}
    points = {name: claim.Point(one) for name, one in GIVEN.items()} | sizes
    found = claim.evaluated(base, list(points.values()), PATHS, 0.7, size=len(points))
    return found.assign(name=[name for name in points for _ in claim.READINGS]).set_index(["name", "book"])


@pytest.fixture(scope="module")
def table(found):
    return found["at_equal_exposure"]


@pytest.fixture(scope="module")
def paid(found):
    return found["cost_over_mix"]


@pytest.mark.parametrize("book", claim.READINGS)
class TestDifference:
    def test_fair_options_without_costs_bring_nothing(self, table, book):
        """Neither does leverage: the mix at equal exposure has it too."""
        for name in ("fair", "levered"):
            assert abs(table[name, book].z(0.0)) < 3.0
            assert table[name, book].error < 3e-4

    def test_what_is_dear_costs_and_what_is_cheap_brings(self, table, book):
        """Each by far more than its error, on common paths."""
        fair = table["fair", book]
        for name, sign in (("variance", -1.0), ("event", -1.0), ("skew", -1.0), ("cost", -1.0), ("cheap", 1.0)):
            assert sign * (table[name, book].value - fair.value) > 4.0 * fair.error, name


def test_an_event_premium_costs_what_blacks_formula_says(table):
    """Straddles of a vega are bought at the priced event and bring what is realised: units x the excess price is lost, eight times a year, on wealth
    that grows. To 5 %, for what is of second order."""
    years, rate, dividend = TERMS.expiry / 252, 0.025, 0.019
    forward, discount = np.exp((rate - dividend) * years), np.exp(-rate * years)

    def straddle(event):
        total = np.sqrt((0.18**2 - 8 * MOVE**2) * years + event * MOVE**2)
        d1 = np.log(forward) / total + 0.5 * total
        price = black("call", forward, 1.0, total, discount) + black("put", forward, 1.0, total, discount)
        return price, 2.0 * discount * forward * norm.pdf(d1) * np.sqrt(years)

    (dear, vega), (fair, _) = straddle(1.4), straddle(1.0)
    for size, name in ((TERMS.vega, "event"), (10.0, "size 10")):
        units = size * MOVE / vega
        units /= 1.0 + units * dear
        lost = 8 * units * (dear - fair)
        without = table["size 0", "delta_hedged"]
        got = table[name, "delta_hedged"]
        assert got.value - without.value == pytest.approx(-1.1 * lost, abs=0.05 * lost + 3.0 * np.hypot(got.error, without.error))


def test_costs_are_what_was_paid(table, paid):
    """What costs take at equal exposure is what the book pays more than the mix does, to what it would have grown by."""
    for book in claim.READINGS:
        taken = table["fair", book].value - table["cost", book].value
        assert taken == pytest.approx(paid["cost", book].value, rel=0.1)
        assert paid["fair", book].value == 0.0


def test_a_rule_for_several_dates_is_one_for_each(base):
    """Two events by one pair of slots, and by two rules with slots of their own: the same trades."""
    step = 1.0 / 252
    events = {f"vote_{k}": mc.market.Event(date=date * step, sd={"equity": 0.02}) for k, date in enumerate((6, 14), 1)}
    market = mc.replace(base.market, events=events)
    overlay = lambda *given: EventOverlay(*given, vega=2.0, before=3, after=1, tenor=6)  # noqa: E731
    both = chain(Mix(equity=0.6), overlay("vote", [6, 14]), DeltaHedge())
    each = chain(Mix(equity=0.6), overlay("vote_1", 6), overlay("vote_2", 14), DeltaHedge())
    study = mc.Study(market, {"both": both, "each": each}, years=20 * step, steps=20, recorders=(recorder.Wealth(), recorder.Trading()))
    result = study.run(64, progress=False)
    for name in ("wealth", "turnover"):
        np.testing.assert_allclose(result["both"][name], result["each"][name], rtol=2e-5)
    assert np.std(result["both"]["wealth"]) > 0.0


@pytest.mark.parametrize(
    ("date", "message"),
    [
        ([6, 9], "EventOverlay.date: expected dates of which one is over before the next is bought, later than 10, got 9"),
        ([], "EventOverlay.date: expected at least one date, got none"),
        ([6, 0.5], "EventOverlay.date: expected a whole number of steps, at least 1, got 0.5"),
        ([2, 14], "EventOverlay.before: expected at most date = 2 steps, got 3"),
    ],
)
def test_dates_that_meet_are_refused(date, message):
    with pytest.raises(ValueError, match=message):
        EventOverlay("vote", date, before=3, after=1, tenor=6)


def test_dates_are_the_markets_events(base):
    overlay = EventOverlay("announced", [16, 40], before=3, tenor=6)
    with pytest.raises(ValueError, match=r"EventOverlay.date: expected 47, the step of 'announced_2' in the market, got 40"):
        mc.Study(base.market, chain(Mix(equity=0.6), overlay), steps=126, years=0.5)
    with pytest.raises(ValueError, match=r"EventOverlay.event: expected one that the market announces, got 'vote_1'"):
        mc.Study(base.market, chain(Mix(equity=0.6), mc.replace(overlay, event="vote")), steps=126, years=0.5)


def test_events_keep_a_years_variance(base):
    """And are as many as asked, evenly."""
    assert float(base.market["equity"].sigma) ** 2 + 8 * MOVE**2 == pytest.approx(0.18**2, rel=1e-5)
    on = claim.dates(5.0, 8)
    assert len(on) == 40
    assert {int(gap) for gap in np.diff(on)} == {31, 32}
    with pytest.raises(ValueError, match=r"case.moves.equity: expected a move whose variance over a year's events is below 0.03"):
        claim.announced(mc.replace(base.market, events=None), on, {"equity": 0.07}, 8)


def test_a_difference_and_its_error_by_hand():
    """Of annual growth; the error is that of resampled paths."""
    rng = np.random.default_rng(3)
    mix = np.exp(0.1 * rng.standard_normal(4000) + 0.2)
    book = mix * np.exp(0.05 * rng.standard_normal(4000) + 0.05)
    found = claim.difference(book, mix, 5.0, Sampling())
    assert found.value == pytest.approx(book.mean() ** 0.2 - mix.mean() ** 0.2, rel=1e-12)
    picks = rng.integers(0, 4000, (400, 4000))
    again = book[picks].mean(axis=1) ** 0.2 - mix[picks].mean(axis=1) ** 0.2
    assert found.error == pytest.approx(again.std(), rel=0.12)  # 3 errors of a deviation of 400


@pytest.mark.slow
def test_an_error_is_the_spread_over_seeds(base):
    """Benchmark C's exposures are of the same paths. Where equity drifts by .5 a year the error that takes them as known is 1.6 times the spread. To
    3 errors of a deviation of 64."""
    market = mc.replace(base.market, assets=base.market.assets | {"equity": mc.replace(base.market["equity"], drift=0.5)})
    rule = {"vol_target": claim.alternatives({"equity": 0.6, "bond": 0.4}, TERMS)["vol_target"]}
    study, found, known = claim.study(market, rule, base.costs, YEARS), [], []
    for seed in range(64):
        result = study.run(2048, seed=seed, progress=False)
        benchmark = claim.at_exposure(result).run(2048, seed=seed, progress=False)
        found.append(claim.figures(result, benchmark, "vol_target", 0.7))
        known.append(claim.difference(result["vol_target"]["wealth"], benchmark["vol_target"]["wealth"], YEARS, result.sampling).error)
    sure = 3.0 / np.sqrt(2.0 * 63.0)
    for key in ("at_equal_exposure", "equity_held"):
        spread = np.std([one[key].value for one in found], ddof=1)
        assert spread == pytest.approx(np.sqrt(np.mean([one[key].error ** 2 for one in found])), rel=sure), key
    assert np.std([one["at_equal_exposure"].value for one in found], ddof=1) < (1.0 - sure) * np.mean(known)


def test_costs_grow_by_prices_and_not_by_terms(base):
    """What a market trades in a day, or the least that is a trade, is no cost."""
    ledger = mc.ledger.Total(mc.ledger.Impact(volume=100.0), mc.ledger.Fixed(1e-7), mc.ledger.Financing(0.01))
    study = mc.replace(base, costs=ledger)
    before, after = (claim.under(study, A(cost=times)).costs for times in (1.0, 0.0))
    assert [float(one.volume) for one in (before.costs["impact"], after.costs["impact"])] == [100.0, 100.0]
    assert [float(one.coefficient) for one in (before.costs["impact"], after.costs["impact"])] == [1.0, 0.0]
    assert float(after.costs["fixed"].fee) == float(after.costs["financing"].spread) == 0.0
    assert float(after.costs["fixed"].least) == float(before.costs["fixed"].least) > 0.0


def said(floor, mix=0.98, **changes):
    """Verdicts on a table of four books, by numbers of the reading that is delta hedged."""
    import pandas as pd

    row = {"to_unhedged": -0.01, "to_static_put": -0.01, "to_delta_hedged": 0.01, "to_locked_floor": 0.01, "at_equal_exposure": -0.01}
    row |= {"p20_year": 0.97, "breach_any_day": 0.02}
    rows = {name: {key: Estimate(value, 1e-3) for key, value in row.items()} for name in ("unhedged", "static_put", *claim.READINGS)}
    rows["unhedged"]["p20_year"], rows["static_put"]["breach_any_day"] = Estimate(mix, 1e-3), Estimate(0.01, 1e-3)
    rows["delta_hedged"] |= changes
    return "\n".join(claim.verdicts(pd.DataFrame.from_dict(rows, orient="index"), floor))


def test_words_follow_the_numbers():
    """Each branch: inside, below and neither; holds, does not and undecided; an error of 0."""
    assert said(0.7).count("the percentile is slack") == 2
    assert (
        "delta_hedged: the 20th percentile of a year is 0.970, below the floor 0.98; the unhedged mix's is 0.980, not told apart from the floor. P"
        in said(0.98)
    )
    assert "slack" not in said(0.98)
    assert "0.970, not told apart from the floor 0.97; the unhedged mix's is 0.980, inside the floor. P" in said(0.97)
    assert "does not hold, 2.50 points short, 25 standard errors" in said(0.7)
    assert "holds, 15 standard errors" in said(0.7, at_equal_exposure=Estimate(0.03, 1e-3))
    assert "is not decided by these paths" in said(0.7, at_equal_exposure=Estimate(0.016, 1e-3))
    assert "does not hold, 1.50 points short, the same on every path" in said(0.7, at_equal_exposure=Estimate(0.0, 0.0))
    assert "Books that return more than delta_hedged at a lower P(any day below 0.7): static_put." in said(0.7)


def test_what_history_says_of_events():
    """The variance of three days of 4 % among quiet ones."""
    rng = np.random.default_rng(1)
    moves = 0.001 * rng.standard_normal((500, 2))
    moves[[9, 49, 99], 0] = 0.04
    days = SimpleNamespace(names=("equity", "bond"), moves=moves, count=501)
    base = SimpleNamespace(market=SimpleNamespace(days=days, event_rows=lambda event: np.array([10, 50, 100, 1 << 30])))
    found = claim.event_move(base)
    assert found.value == pytest.approx(0.04**2, rel=0.002)
    assert found.count == 3


def test_the_line_of_a_plane():
    """Where a - b v - c e is the level, to rounding, and nowhere beyond the map; its slopes are the plane's."""
    import pandas as pd

    rows = [
        {"book": "one", "cost": cost, "skew": skew, "event": e, "variance": v}
        | {"at_equal_exposure": Estimate(0.02 - 0.05 * (v - 1.0) - 0.02 * (e - 1.0) - 0.01 * cost - 0.003 * skew, 1e-4)}
        for cost in (0.0, 1.0)
        for skew in (0.0, 1.0)
        for e in (0.5, 1.0)
        for v in (0.6, 1.0, 1.4)
    ]
    lines = claim.line(pd.DataFrame(rows), "one", 0.015).set_index(["cost", "skew", "event"])["variance"]
    assert lines[0.0, 0.0, 1.0].value == pytest.approx(1.1)
    assert lines[0.0, 0.0, 1.0].error == pytest.approx(1e-4 / 0.05)
    assert lines[1.0, 1.0, 0.5].value == pytest.approx(1.04)
    assert claim.line(pd.DataFrame(rows), "one", 0.2)["variance"].isna().all()
    slopes = claim.slopes(pd.DataFrame(rows), "one")
    assert [slopes[key] for key in ("fair", "variance", "event", "skew", "cost")] == pytest.approx([0.02, -0.05, -0.02, -0.003, -0.01])
    assert slopes["r2"] == pytest.approx(1.0)


@pytest.fixture
def script(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MC_SMALL", "1")
    before = jax.config.jax_enable_x64
    yield lambda *words: importlib.import_module("case_study").main(["market=lognormal", *words])
    jax.config.update("jax_enable_x64", before)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["steps=500"], "steps: expected 252 a year, 1260, got 500"),
        (["case.parts=[maps]"], "case.parts: expected some of map, bands, fit, model, history, got maps"),
        (["paths=3e6", "precision=float32"], "paths: expected at most 2,000,000, for all are kept, got 3,000,000"),
        (["~case.moves.equity"], "weights: expected equity among them, and among case.moves: options are on it"),
        (["market=replay"], "market: expected models, to which events and prices are given, got Replay; history is a part of its own"),
        (["case.map.varianc=[1.0]"], "case.map.varianc"),
        (["market=merton"], "market.equity: expected GBM or Heston, whose mean variance events are part of, got Merton"),
        (["market=bates"], "market.equity: expected GBM or Heston, whose mean variance events are part of, got Bates"),
        (["market=gjr_garch", "case.lognormal=false"], "market.equity: expected GBM or Heston, whose mean variance events are part of, got GJRGARCH"),
        (["market=hull_white"], "market.bond: expected GBM or Heston, whose mean variance events are part of, got BondIndex"),
        (["market=schwartz"], "market.commodity: expected an asset whose drift is a number, got Schwartz"),
        (["market=events"], "market.events: expected none, for case.per_year gives the study's, got rates, election"),
        (["~market.assets.bond", "~market.correlation"], "weights: expected assets of the market, equity, commodity, got bond"),
        (
            ["weights={equity: 0.6}", "~market.assets.bond", "~market.correlation"],
            "case.moves: expected assets of the market, equity, commodity, got bond",
        ),
        (["ledger.rate=0.6"], "Proportional.rate: expected a number below 1, got 1.2"),
    ],
)
def test_a_study_that_cannot_be_is_refused(script, capsys, monkeypatch, words, message):
    if "paths=3e6" in words:
        monkeypatch.delenv("MC_SMALL")
    assert script(*words) == 2
    assert message in capsys.readouterr().err
    assert not list(Path("outputs").rglob("config.yaml"))


@pytest.mark.slow
def test_the_whole_study_small(script, capsys, tmp_path):
    """A year: every part, its tables and pictures; stopped and started again it computes nothing twice."""
    words = ["years=1.0", "steps=252", "case.map.variance=[0.6,1.0,1.4]", f"hydra.run.dir={tmp_path / 'one'}"]
    assert script(*words) == 0
    out = capsys.readouterr().out
    folder = tmp_path / "one"
    metrics = json.loads((folder / "metrics.json").read_text())
    assert set(metrics) == {"assumptions", "books", "map", "bands", "fit", "model", "history"}
    tables = {"claim", "assumptions", "map", "line_delta_hedged", "line_locked_floor", "bands", "fit", "model", "history", "history_windows"}
    assert tables <= {file.stem for file in folder.glob("*.csv")}
    assert {file.stem for file in folder.glob("*.png")} == {"protection_cost", "wealth", "bands", "history"}
    assert metrics["books"]["delta_hedged"]["at_equal_exposure"]["value"] < 0.015
    assert "does not hold" in out
    assert metrics["assumptions"]["variance"] == 1.0  # lognormal: no premium, and no wings to take off
    assert "inside the floor: the percentile is slack" in out
    (folder / "metrics.json").unlink()
    assert script(f"resume={folder}") == 0
    assert json.loads((folder / "metrics.json").read_text()) == metrics
