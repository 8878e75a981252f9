"""Files of option quotes as people have them: what they are taken for, what parity implies, what crosses arbitrage; fits that end on a bound."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import reference
from hypothesis import given, settings
from hypothesis import strategies as st

from mcengine import calibrate
from mcengine.calibrate.asset_fit import shown

DATA = Path(__file__).parent / "data"
DAY = pd.Timestamp("2024-03-15")
SPOT, RATE, DIVIDEND = 100.0, 0.03, 0.01
DAYS, STRIKES = (30, 91, 365), np.arange(80.0, 125.0, 5.0)


def surface(days=DAYS, strikes=STRIKES):
    """Days, strike, forward, discount and volatility of a smile without arbitrage."""
    rows = [(d, k) for d in days for k in strikes]
    d, k = np.array(rows, float).T
    t = d / 365.0
    forward = SPOT * np.exp((RATE - DIVIDEND) * t)
    return pd.DataFrame({"days": d, "strike": k, "forward": forward, "discount": np.exp(-RATE * t), "vol": 0.2 - 0.08 * np.log(k / forward)})


def premia(q):
    """Calls and puts, one a row, by Black's formula."""
    out = []
    for kind in ("call", "put"):
        one = q.assign(type=kind)
        columns = zip(q.forward, q.strike, q.vol * np.sqrt(q.days / 365.0), q.discount, strict=True)
        one["price"] = [float(reference.black(kind, f, k, s, d)) for f, k, s, d in columns]
        out.append(one)
    return pd.concat(out, ignore_index=True)


def written(folder, frame, **options):
    file = folder / "chain.csv"
    frame.to_csv(file, index=False, **options)
    return file


def test_volatilities_in_percent_are_said():
    q = calibrate.read_quotes(DATA / "quotes_in_percent.csv")
    assert q.volatility[(q.strike == 100.0)].tolist() == pytest.approx([0.2] * 4)
    assert q.notes[0].endswith(
        "36 quotes at 4 expiries: volatilities in percent (implied_vol), expiries in days (days), forwards from spot and zero_rate"
    )
    assert q.warnings == []


def test_two_rows_a_strike_are_one_quote_with_a_band():
    q = calibrate.read_quotes(DATA / "quotes_calls_and_puts.csv")
    assert q.strike.size == 36
    at = (q.strike == 100.0) & (q.years == 30.0 / 365.0)
    assert [float(v[at][0]) for v in (q.low, q.volatility, q.high)] == pytest.approx([0.2, 0.2005, 0.201])
    assert q.notes[0].endswith("two rows a strike averaged (apart by at most 0.1 points)")


def test_parity_gives_forward_and_discount(tmp_path):
    """Premia in bid and ask, expiries as dates, no rate and no forward: all three come back."""
    truth = surface()
    chain = premia(truth)
    chain["Expiration Date"] = (DAY + pd.to_timedelta(chain.days, "D")).dt.strftime("%m/%d/%Y")
    chain = chain.assign(spot=SPOT, bid=0.99 * chain.price, ask=1.01 * chain.price).drop(columns=["days", "forward", "discount", "vol", "price"])
    q = calibrate.read_quotes(written(tmp_path, chain), date="2024-03-15")
    order = np.lexsort((q.strike, q.years))
    assert np.allclose(q.forward[order], truth.forward, rtol=1e-9)
    assert np.allclose(q.volatility[order], truth.vol, atol=1e-7)
    assert np.all((q.low < q.volatility) & (q.volatility < q.high))
    assert "forwards by parity, and the discount" in q.notes[0]
    assert "%m/%d/%Y" in q.notes[0]


FORMS = {"days": "days", "years": "years", "expiry": "%Y-%m-%d", "Expiry": "%Y%m%d", "EXPIRATION": "%d-%b-%Y", "Exp Date": "%Y-%m-%dT16:00:00Z"}


@settings(max_examples=12, deadline=None, derandomize=True)
@given(
    form=st.sampled_from(list(FORMS)),
    percent=st.booleans(),
    sides=st.booleans(),
    dialect=st.sampled_from([",", ";", "\t"]),
    known=st.sampled_from(["zero_rate", "Forward"]),
    both=st.booleans(),
    mark=st.booleans(),
)
def test_one_surface_in_any_dress(tmp_path_factory, form, percent, sides, dialect, known, both, mark):
    truth = surface()
    frame = pd.DataFrame({"Strike Price": truth.strike, "Underlying": SPOT})
    if form in ("days", "years"):
        frame[form] = truth.days if form == "days" else truth.days / 365.0
    else:
        frame[form] = (DAY + pd.to_timedelta(truth.days, "D")).dt.strftime(FORMS[form])
        frame["quote_date"] = DAY.strftime("%Y-%m-%d")
    frame[known] = RATE - DIVIDEND if known == "zero_rate" else truth.forward
    for name, width in {"bid_iv": -0.004, "ask_iv": 0.004}.items() if sides else {"IV": 0.0}.items():
        frame[name] = (100.0 if percent else 1.0) * (truth.vol + width)
        if mark and percent and dialect != ";":
            frame[name] = frame[name].map("{:.10f}%".format)
    if both:
        frame = pd.concat([frame.assign(cp="C"), frame.assign(cp="P")])
    file = written(
        tmp_path_factory.mktemp("dress"), frame, sep=dialect, decimal="," if dialect == ";" else ".", encoding="utf-8-sig" if mark else None
    )
    q = calibrate.read_quotes(file)
    order = np.lexsort((q.strike, q.years))
    assert np.allclose(q.volatility[order], truth.vol, atol=1e-9)
    assert np.allclose(q.forward[order], truth.forward, rtol=1e-12)
    assert np.allclose(q.years[order], truth.days / 365.0)


def plain(q):
    return pd.DataFrame({"days": q.days, "forward": q.forward, "spot": SPOT, "strike": q.strike, "implied_vol": q.vol})


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        (lambda f: f.assign(implied_vol=2.5), {}, r"a volatility of 2\.5 is 2\.5 % or 250 %; say which by quotes\.unit"),
        (lambda f: f.drop(columns="forward"), {}, "expected a column of zero_rate or forward, or premia"),
        (lambda f: f.drop(columns=["days", "spot"]), {}, r"lacks columns spot, days \(or years, or expiry as a date\)"),
        (lambda f: f.drop(columns="days").assign(expiry="2024-06-01"), {}, "expected the day of the quotes"),
        (lambda f: f.drop(columns="days").assign(expiry="05/06/2024"), {"date": "2024-03-15"}, "is 2024-06-05 or 2024-05-06, and all rows fit both"),
        (lambda f: pd.concat([f, f, f]), {}, "at 30 days: expected each strike once, or as a call and a put, got 80 3 times"),
        (lambda f: f.assign(type="straddle"), {}, "row 2 column type: expected call or put, got straddle"),
        (lambda f: f.drop(columns="implied_vol").assign(price=1.0), {}, "expected a column type, call or put, beside premia"),
        (lambda f: f.assign(forward=np.arange(len(f)) + 90.0), {}, "at 30 days: expected one forward"),
        (lambda f: f, {"unit": "points"}, "quotes.unit: expected percent or fraction, got 'points'"),
    ],
)
def test_what_fits_no_reading_or_two_is_refused(change, options, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        calibrate.read_quotes(written(tmp_path, change(plain(surface()))), **options)


def test_all_that_cross_are_named_at_once_and_left_out_on_request(tmp_path):
    frame = plain(surface())
    frame.loc[[4, 13, 22], "implied_vol"] = [0.45, 0.05, 0.6]  # 100 at each expiry
    frame.loc[8, "implied_vol"] = np.nan
    file = written(tmp_path, frame)
    with pytest.raises(
        ValueError, match=r"1 of 27 rows are no quotes: row 10 column implied_vol: expected a number above 0, got nan\. quotes\.clean=true"
    ):
        calibrate.read_quotes(file)
    frame.loc[8, "implied_vol"] = 0.18
    file = written(tmp_path, frame)
    with pytest.raises(ValueError, match="3 of 27 quotes are an arbitrage with others: ") as caught:
        calibrate.read_quotes(file)
    assert all(f"strike 100 at {days} days (" in str(caught.value) for days in DAYS)
    q = calibrate.read_quotes(file, clean=True)
    assert q.strike.size == 24
    assert not (q.strike == 100.0).any()
    assert "3 of 27 quotes are an arbitrage with others, left out" in q.notes[1]


def test_what_crosses_within_bid_and_ask_is_kept_and_counted(tmp_path):
    frame = plain(surface())
    frame["bid_vol"], frame["ask_vol"] = frame.implied_vol - 0.03, frame.implied_vol + 0.03
    frame.loc[21, "implied_vol"] -= 0.028  # a year at 95, near its bid: less total variance than at 91 days it is not, but a slope it is
    frame.loc[22, "implied_vol"] += 0.028
    frame.loc[[0, 9], "implied_vol"] = [0.246, 0.188]
    narrow = written(tmp_path, frame.drop(columns=["bid_vol", "ask_vol"]).assign(strike=frame.strike / 10.0 + 90.0))
    with pytest.raises(ValueError, match="quotes are an arbitrage with others"):
        calibrate.read_quotes(narrow)
    q = calibrate.read_quotes(written(tmp_path, frame.assign(strike=frame.strike / 10.0 + 90.0)))
    assert q.strike.size == 27
    assert "pairs of quotes cross arbitrage within their own bid and ask: kept" in q.warnings[0]


def test_a_number_at_its_bound_has_no_error(tmp_path, monkeypatch):
    """Quotes without a smile: Heston's vol of vol ends at the least that is looked for."""
    monkeypatch.setitem(calibrate.quotes._STARTS, "heston", [[0.04, 1.0, 0.04, 0.05, 0.0]])
    flat = plain(surface()).assign(implied_vol=0.2)
    found = calibrate.fit_quotes("heston", calibrate.read_quotes(written(tmp_path, flat)))
    at = found.parameters["vol_of_vol"]
    assert math.isnan(at.error)
    assert shown(at) == f"{at.value:.4g} (at a limit: no error)"
    assert at.value == pytest.approx(0.01, abs=1e-3)
    assert math.isfinite(found.parameters["v0"].error)
