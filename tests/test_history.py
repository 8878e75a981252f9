"""Loading market history: facts of the shipped file, and one clear message for each way a file can be wrong."""

import gzip
from importlib.resources import files

import numpy as np
import pandas as pd
import pytest

from mcengine.history import bond_index, shipped

GOOD = pd.DataFrame(
    {
        "date": pd.bdate_range("2001-01-01", periods=40).strftime("%Y-%m-%d"),
        "spx": np.linspace(1300, 1310, 40),
        "vix": np.full(40, 20.0),
        "ust3m": np.full(40, 3.0),
        "ust10y": np.full(40, 5.0),
        "wti": np.full(40, 30.0),
    }
)


def test_the_shipped_file_is_the_team_s():
    text = gzip.decompress((files("mcengine.history") / "data" / "us_daily.csv.gz").read_bytes()).decode()
    assert text.count("\n") == 8701
    loaded = shipped.load(columns=("spx", "vix", "ust10y"))
    assert len(loaded.frame) == 8238
    assert str(loaded.frame.index[0])[:10] == "1990-01-02"
    assert str(loaded.frame.index[-1])[:10] == "2022-12-28"


def test_dates_used_and_missing_are_said():
    loaded = shipped.load()
    assert str(loaded.frame.index[-1])[:10] == "2019-01-03"
    assert "7,214 rows from 1990-01-02 to 2019-01-03" in loaded.notes[0]
    assert "dropped for an empty cell" in loaded.notes[1]
    assert "wti ends on 2019-01-03" in loaded.notes[2]


@pytest.mark.parametrize(
    ("first", "last", "base", "index", "bond", "correlation"),
    [("2000", "2002", "1999", -0.395, 0.425, -0.37), ("2008", "2008", "2007", -0.376, 0.205, -0.48), ("2022", "2022", "2021", -0.211, -0.164, 0.17)],
)
def test_bond_index_against_known_years(first, last, base, index, bond, correlation):
    frame = shipped.load(columns=("spx", "ust10y")).frame
    elapsed = np.diff(frame.index.to_numpy()).astype("timedelta64[D]").astype(float) / 365.25
    level = pd.Series(bond_index(frame["ust10y"].to_numpy() / 100.0, elapsed), frame.index)
    assert level.loc[last].iloc[-1] / level.loc[base].iloc[-1] - 1 == pytest.approx(bond, abs=0.001)
    spx = frame["spx"].loc[first:last]
    assert spx.iloc[-1] / spx.iloc[0] - 1 == pytest.approx(index, abs=0.001)
    daily = np.diff(np.log(level.loc[first:last])), np.diff(np.log(spx))
    assert np.corrcoef(*daily)[0, 1] == pytest.approx(correlation, abs=0.015)


@pytest.mark.parametrize(("first", "last", "correlation"), [("1990", "1997", 0.40), ("2000", "2021", -0.37), ("2022", "2022", 0.17)])
def test_stocks_and_bonds_were_not_always_opposed(first, last, correlation):
    """Daily returns: what a single correlation for all years would hide."""
    frame = shipped.load(columns=("spx", "ust10y")).frame
    elapsed = np.diff(frame.index.to_numpy()).astype("timedelta64[D]").astype(float) / 365.25
    level = pd.Series(bond_index(frame["ust10y"].to_numpy() / 100.0, elapsed), frame.index)
    daily = (np.diff(np.log(series.loc[first:last])) for series in (level, frame["spx"]))
    assert np.corrcoef(*daily)[0, 1] == pytest.approx(correlation, abs=0.01)


def test_a_bond_at_an_unchanged_yield_earns_that_yield():
    dt = np.full(504, 1.0 / 252.0)
    level = bond_index(np.full(505, 0.05), dt)
    assert level[-1] / level[0] == pytest.approx((1 + 0.05 / 2) ** 4, rel=1e-12)


def _broken(**changes):
    frame = GOOD.copy().astype({"spx": object, "wti": object})
    for column, (row, value) in changes.items():
        frame.loc[row, column] = value
    return frame


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (GOOD.drop(columns=["wti", "vix"]), "has no columns vix, wti; it has spx, ust3m, ust10y"),
        (GOOD.iloc[[0, 2, 1, *range(3, 40)]], "row 4: expected dates in order, each once, got 2001-01-02 after 2001-01-03"),
        (GOOD.iloc[[0, 1, 1, *range(2, 40)]], "row 4: expected dates in order, each once, got 2001-01-02 after 2001-01-02"),
        (GOOD.drop(index=range(4, 36)), "has a hole of 47 days from 2001-01-04 to 2001-02-20; expected at most 40"),
        (_broken(spx=(5, "many")), "row 7 column spx: expected a number, got 'many'"),
        (_broken(spx=(5, "inf")), "row 7 column spx: expected a number, got 'inf'"),
        (_broken(wti=(5, -37.63)), "column wti on 2001-01-08: expected a positive number, for the model of it is lognormal, got -37.63"),
        (_broken(spx=(5, 0.0)), "column spx on 2001-01-08: expected a positive number"),
        (_broken(date=(5, "08/01/2001")), "row 7 column date: expected a date as '2001-01-01' in row 2, got '08/01/2001'"),
        (GOOD.assign(wti=""), "has no wti between"),
    ],
)
def test_a_wrong_file_ends_in_one_clear_message(tmp_path, frame, message):
    file = tmp_path / "mine.csv"
    frame.to_csv(file, index=False)
    with pytest.raises(ValueError, match=r"^data: ") as error:
        shipped.load(file)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_single_empty_cells_are_dropped_and_counted(tmp_path):
    frame = GOOD.astype({"wti": object})
    frame.loc[[4, 9], "wti"] = ""
    frame.to_csv(tmp_path / "mine.csv", index=False)
    loaded = shipped.load(tmp_path / "mine.csv")
    assert len(loaded.frame) == 38
    assert "2 rows inside the range were dropped for an empty cell (wti: 2)" in loaded.remarks


def test_a_missing_or_unreadable_file_is_said(tmp_path):
    with pytest.raises(ValueError, match="does not exist"):
        shipped.load(tmp_path / "none.csv")
    (tmp_path / "empty.csv").write_text("")
    with pytest.raises(ValueError, match=r"data: empty\.csv is empty"):
        shipped.load(tmp_path / "empty.csv")
    with pytest.raises(ValueError, match="has no day between 2030"):
        shipped.load(start="2030-01-01")


def test_negative_bill_yields_are_allowed(tmp_path):
    GOOD.assign(ust3m=-0.1).to_csv(tmp_path / "mine.csv", index=False)
    assert float(shipped.load(tmp_path / "mine.csv").frame["ust3m"].iloc[0]) == -0.1
