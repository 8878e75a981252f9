"""The one reader of prices: files as people have them have their right value, files that can be read in two ways or not at all one line."""

import bz2
import gzip
import io
import lzma
import tarfile
import time
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from price_files import made

import mcengine as mc
from mcengine import config
from mcengine.history import checks, frequency, read

FILES = Path(__file__).with_name("data")
DRESSED = ("ddmmyyyy", "newest_first", "preamble", "percent_column", "r_row_names", "compact_dates", "semicolon_decimal_comma", "investing")
"""The same 300 prices."""


def sigma(prices, name):
    moves = np.diff(np.log(prices.frame[name]))
    return float(moves.std() * prices.rows_per_year**0.5)


def refused(data, **options):
    with pytest.raises(ValueError, match=r"^[a-z.]+: ") as error:
        read(data, **options)
    assert "\n" not in str(error.value)
    return str(error.value)


def table(rows=40, seed=1, columns=("SPY", "GLD")):
    random = np.random.default_rng(seed)
    prices = np.round(100.0 * np.exp(np.cumsum(0.01 * random.standard_normal((rows, len(columns))), axis=0)), 2)
    return pd.DataFrame(prices, columns=list(columns), index=pd.bdate_range("2019-01-02", periods=rows))


def csv(day="%Y-%m-%d", separator=",", frame=None):
    frame = table(columns=("Close",)) if frame is None else frame
    return frame.rename_axis("Date").to_csv(sep=separator, date_format=day)


@pytest.fixture
def file(tmp_path):
    def write(content, name="my.csv"):
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


# --- files as people have them


@pytest.mark.parametrize("name", DRESSED)
def test_the_same_prices_in_other_dress(name):
    found = read(FILES / f"{name}.csv")
    assert len(found.frame.columns) == 1
    assert sigma(found, found.frame.columns[0]) == pytest.approx(0.1879, abs=5e-5)
    assert len(found.frame) == 300
    assert found.taken.startswith(f"{name}.csv: 300 rows from 2019-01-02 to 2020-02-25 ")
    assert found.warnings == []


@pytest.mark.parametrize(
    ("name", "rows", "column", "value", "a_year"),
    [
        ("fred_dot", 294, "SP500", 0.1861, 256.0),
        ("yfinance_three_headers", 300, "XYZ", 0.1879, 260.6),
        ("yahoo_old", 300, "Adj_Close", 0.1876, 260.6),
        ("long_format", 300, "AAA", 0.1863, 260.6),
        ("long_format", 300, "BBB", 0.1960, 260.6),
        ("weekly", 800, "fund", 0.1999, 52.2),
        ("crypto_7_days", 1200, "coin", 0.7180, 365.25),
    ],
)
def test_frequency_and_volatility(name, rows, column, value, a_year):
    found = read(FILES / f"{name}.csv")
    assert len(found.frame) == rows
    assert found.rows_per_year == pytest.approx(a_year, abs=0.05)
    assert sigma(found, column) == pytest.approx(value, abs=5e-4)


def test_local_dates_are_kept_across_a_change_to_summer_time():
    assert [str(d)[:10] for d in read(FILES / "timezone.csv").frame.index] == ["2019-03-07", "2019-03-08", "2019-03-11", "2019-03-12"]


def test_stamps_in_utc_of_an_exchange_east_of_it_are_no_dates():
    """Midnight in Tokyo is 15:00 of the day before; in New York it is 5:00 of the same day."""
    frame = table()
    assert "got Sundays and no Friday" in refused(frame.tz_localize("Asia/Tokyo").tz_convert("UTC"))
    assert list(read(frame.tz_localize("Asia/Tokyo")).frame.index) == list(frame.index)
    assert list(read(frame.tz_localize("America/New_York").tz_convert("UTC")).frame.index) == list(frame.index)


def test_columns_that_were_not_asked_for_may_hold_anything(file):
    found = read(FILES / "text_column.csv")
    assert (list(found.frame), found.remarks) == (["Close"], ["left out: Symbol (text)"])
    assert list(read(FILES / "text_column.csv", columns=["Close"]).frame) == ["Close"]
    assert "column Symbol: expected a number, got 'XYZ'" in refused(FILES / "text_column.csv", columns=["Symbol"])
    broken = csv(frame=table()).replace("\n2019-01-03,", "\n2019-01-03,many")
    assert "row 3 column SPY: expected a number, got 'many1" in refused(file(broken))
    assert list(read(file(broken), columns=["GLD"]).frame) == ["GLD"]
    assert read(FILES / "date_capital.csv").frame["fund"].tolist() == [100, 101, 100, 102, 101, 100]


def test_what_is_taken_of_open_high_low_close_is_said(file):
    found = read(FILES / "yahoo_old.csv")
    assert "left out: Volume (no price), Open, High, Low, Close (the adj close is taken)" in found.remarks
    assert list(read(FILES / "yahoo_old.csv", columns=["High", "Close"]).frame) == ["High", "Close"]
    frame = table(columns=("AAPL.Open", "AAPL.High", "AAPL.Low", "AAPL.Close", "AAPL.Volume", "AAPL.Adjusted"))
    assert read(file(csv(frame=frame))).titles == {"AAPL_Adjusted": "AAPL.Adjusted"}


def test_returns_are_offered_their_kind_and_compounded():
    name = FILES / "monthly_returns.csv"
    assert "column fund_a has returns, it seems" in refused(name)
    assert "monthly): data.kind=returns makes prices of them" in refused(name)
    found = read(name, kind="returns")
    raw = pd.read_csv(name, index_col=0)
    assert found.rows_per_year == pytest.approx(12.0, abs=0.01)
    np.testing.assert_allclose(found.frame.to_numpy()[1:] / found.frame.to_numpy()[:-1] - 1.0, raw.to_numpy(), atol=1e-12)
    assert "expected returns above -100 %" in refused(table() - 101.0, kind="returns")
    percents = 100.0 * raw
    assert "data.kind=percent_returns makes prices" in refused(percents)
    np.testing.assert_allclose(read(percents, kind="percent_returns").frame, found.frame, rtol=1e-12)
    assert "expected returns above -100 %, got -8.211 as a fraction" in refused(percents, kind="returns")
    daily = pd.Series(np.where(np.arange(40) % 2, 0.2, -0.15), pd.bdate_range("2019-01-02", periods=40), name="bonds")
    assert read(daily, kind="returns").warnings == ["bonds moves 283% a year; data.kind=percent_returns, if its returns are percents"]
    assert "expected a return in every row" in refused(raw.replace({"fund_a": {raw["fund_a"].iloc[9]: np.nan}}), kind="returns")


@pytest.mark.parametrize(("name", "part"), [("split_4_for_1", 4), ("pence_to_pounds", 100)])
def test_a_split_and_a_change_of_unit_are_seen_and_mended(name, part):
    (warning,) = read(FILES / f"{name}.csv").warnings
    assert f"close on 2019-07-31 is some one part in {part} of the row before" in warning
    assert "data.adjust=true" in warning
    mended = read(FILES / f"{name}.csv", adjust=True)
    assert sigma(mended, "close") == pytest.approx(0.188, abs=5e-4)
    assert mended.warnings == [f"close on 2019-07-31 was one part in {part} of the row before, as a split or a change of unit makes it: mended"]


def test_an_ordinary_crash_is_no_split():
    """The S&P 500 has none in 33 years, nor has WTI in 2008; a share that loses 40 % in a day has none either, one that halves may."""
    shipped = mc.history.shipped.load(columns=("spx", "wti")).frame
    assert checks.jumps(shipped["spx"].to_numpy()) == checks.jumps(shipped["wti"].to_numpy()) == []
    random = np.random.default_rng(3)
    level = 100.0 * np.exp(np.cumsum(0.012 * random.standard_normal(500)))
    assert checks.jumps(np.where(np.arange(500) < 250, level, 0.6 * level)) == []
    assert [jump.row for jump in checks.jumps(np.where(np.arange(500) < 250, level, 0.5 * level))] == [250]


def test_prices_that_stand_still_are_said_and_refused():
    frame = table()
    frame.iloc[10:25, 0] = 99.0
    assert read(frame).warnings == ["SPY stands at 99 for 15 rows, from 2019-01-16 to 2019-02-05"]
    assert "GLD does not move, or hardly: 5 to 5" in read(frame.assign(GLD=5.0)).warnings
    for constant in (5.0, 5.0 + 1e-9 * np.arange(40)):
        with pytest.raises(ValueError, match="GLD: expected prices that move, got 5"):
            mc.calibrate.fit_prices(frame.assign(GLD=constant), model="gbm")
        with pytest.raises(ValueError, match="GLD of GLD: expected prices that move, got 5"):
            mc.market.Replay.from_history(data=frame.assign(GLD=constant), rate=0.0)


def test_yields_in_fractions_are_said():
    frame = table().assign(bill=0.02 + 0.001 * np.arange(40))
    assert read(frame, levels=["bill"]).warnings == [
        "bill is 0.059 at most, which is read as percent: a yield of 5 % is 5, a volatility of 20 % is 20"
    ]


SOURCES = {
    "crypto exchange": "https://www.example.org\nunix,date,symbol,open,high,low,close,Volume BTC\n{ms},{d} 00:00:00,BTC/USDT,9,9,9,{p},12.5",
    "vendor, adjusted": "Date,Open,High,Low,Close,Volume,Ex-Dividend,Split Ratio,Adj. Open,Adj. High,Adj. Low,Adj. Close,Adj. Volume\n"
    "{d},9,9,9,9,1,0.0,1.0,9,9,9,{p},1",
    "service, snake case": "timestamp,open,high,low,close,adjusted_close,volume,dividend_amount,split_coefficient\n{d},9,9,9,9,{p},1,0.0,1.0",
    "service, camel case": "date,close,high,low,open,volume,adjClose,adjHigh,adjLow,adjOpen,adjVolume,divCash,splitFactor\n"
    "{d}T00:00:00.000Z,9,9,9,9,1,{p},9,9,9,1,0.0,1.0",
    "terminal": "Security,SPX Index,\nStart Date,2019-01-02,\n,,\nDate,PX_LAST,PX_VOLUME\n{d},{p},1000",
    "library": "This file was made by a program.\n\n,Mkt,RF\n{c},{p},0.02",
    "central bank": 'DATE,"TIME PERIOD","Euro (EXR.D.USD)"\n"{d}","{d}","{p}"',
    "exchange": "Date,Close/Last,Volume,Open,High,Low\n{us},${p},1000,$9,$9,$9",
}


@pytest.mark.parametrize("source", SOURCES)
def test_headings_of_well_known_sources(file, source):
    """The one column of prices, and nothing beside it but what was asked for."""
    *header, row = SOURCES[source].split("\n")
    frame = table(columns=("Close",))
    fields = [{"d": f"{d:%Y-%m-%d}", "c": f"{d:%Y%m%d}", "us": f"{d:%m/%d/%Y}", "ms": f"{int(d.timestamp())}000"} for d in frame.index]
    rows = [row.format(p=p, **of) for p, of in zip(frame["Close"], fields, strict=True)]
    found = read(file("\n".join([*header, *rows])), columns=["Mkt"] if source == "library" else None)
    assert found.frame.shape == (40, 1)
    np.testing.assert_array_equal(found.frame.to_numpy(), frame.to_numpy())
    assert list(found.frame.index) == list(frame.index)


# --- two readings


def test_day_and_month_are_decided_by_the_whole_column_or_not_at_all(file):
    days = pd.date_range("2019-02-01", periods=12)
    text = "Date,Close\n" + "".join(f"{d:%d/%m/%Y},{100 + d.day}\n" for d in days)
    assert refused(file(text)) == (
        "data: my.csv: '01/02/2019' can be read as 2019-02-01 and as 2019-01-02, here and in the whole column; say which by data.format=dmy or "
        "data.format=mdy"
    )
    assert list(read(file(text), format="dmy").frame.index) == list(days)
    assert read(file(text), format="mdy").rows_per_year == pytest.approx(12.0, abs=0.1)
    assert list(read(file(text), format="%d/%m/%Y").frame.index) == list(days)
    assert "expected day and month in the order of '13/01/2019', got '01/15/2019'" in refused(
        file("Date,a\n13/01/2019,5\n14/01/2019,6\n01/15/2019,6\n")
    )
    assert "data.format=%d.%m.%y (day first) or %m.%d.%y" in refused(file(csv("%d.%m.%y")))


def test_a_mark_before_three_digits_is_decided_by_other_cells_or_not_at_all(file):
    dates = pd.bdate_range("2019-01-02", periods=3)
    rows = lambda cells: "Date;a\n" + "".join(f"{d:%Y-%m-%d};{c}\n" for d, c in zip(dates, cells, strict=True))  # noqa: E731
    assert "'1.234' can be read as 1234 and as 1.234" in refused(file(rows(["1.234", "1.240", "1.250"])))
    assert read(file(rows(["1.234", "1.240", "1.250"])), format="decimal_point").frame["a"].tolist() == [1.234, 1.24, 1.25]
    assert read(file(rows(["1.234", "1.240", "1.250"])), format=["decimal_comma"]).frame["a"].tolist() == [1234.0, 1240.0, 1250.0]
    assert read(file(rows(["1.234", "987,5", "1.250"]))).frame["a"].tolist() == [1234.0, 987.5, 1250.0]
    assert "column a: expected a number, got '1.234,5'" in refused(file(rows(["0.5", "1.234,5", "3"])))
    assert "expected one currency in the column, got '€ 6' after '$ 5'" in refused(file(rows(["$ 5", "€ 6", "$ 7"])))


def test_two_columns_of_dates_need_a_choice(file):
    text = "Traded,Settled,Close\n" + "".join(f"{d:%Y-%m-%d},{d:%Y-%m-%d},{p}\n" for d, p in table()["SPY"].items())
    assert "has 2 columns of dates, Traded, Settled; say which by data.date=" in refused(file(text))
    assert "in Settled" in read(file(text), date="Settled").taken


def test_a_file_without_a_header_needs_a_choice_where_it_has_several_columns(file):
    text = csv(frame=table()).split("\n", 1)[1]
    assert "has no header and several columns of numbers; say which are prices by data.columns, as [column_2]" in refused(file(text))
    np.testing.assert_array_equal(read(file(text), columns=["column_3"]).frame["column_3"], table()["GLD"])
    assert list(read(file(csv().split("\n", 1)[1])).frame) == ["column_2"]


def test_prices_that_are_not_above_zero_are_said():
    frame = table()
    frame.iloc[7, 1] = 0.0
    assert read(frame).warnings == ["GLD is 0 on 2019-01-11, not above 0, as on 1 of 40 days"]


# --- damage, and what is no file of prices


def archives():
    plain = csv().encode()
    packed = {"gz": gzip.compress(plain), "xz": lzma.compress(plain), "bz2": bz2.compress(plain)}
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("prices.csv", plain)
    return packed | {"zip": stream.getvalue()}


@pytest.mark.parametrize("kind", ["gz", "xz", "bz2", "zip"])
def test_archives_are_read_or_refused_wherever_they_are_cut(file, kind):
    whole = archives()[kind]
    assert len(read(file(whole, f"my.csv.{kind}")).frame) == 40
    assert len(read(file(whole)).frame) == 40  # by its first bytes
    for at in (3, 20, len(whole) // 2, len(whole) - 4):
        assert kind in refused(file(whole[:at], f"my.csv.{kind}"))
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 0xFF
    assert f"is a damaged {kind} file" in refused(file(bytes(flipped)))


def test_what_is_no_table_of_prices(file, tmp_path):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        archive.add(file(csv()), "my.csv")
    cases = {
        "is a tar archive": stream.getvalue(),
        "is a zst archive": b"\x28\xb5\x2f\xfd rest",
        "is a web page": "<!doctype html><p>a,b",
        "is JSON": '{"a": [1, 2]}',
        "is empty": "\n",
        "it is binary": csv().replace("100", "1\0000"),
        "at least two a row": "2019-01-02\n2019-01-03\n",
        "expected a column of dates": "a,b\n1,2\n3,4\n",
        "has 1 rows": "Date,Close\n2019-01-02,5\n",
        "field larger": "Date,Close\n2019-01-02," + "1" * 200_000 + "\n",
        "expected a date like 2001-09-10, got '0000-01-02'": csv().replace("2019-", "0000-"),
        "expected a number, got '1e999'": "Date,a\n2019-01-02,1e999\n2019-01-03,2\n2019-01-04,2\n",
        "prices within the day": "Date,a\n" + "".join(f"2019-01-02 {k:02d}:30,{k}\n" for k in range(24)),
        "expected rows at one interval": _two_rhythms(),
    }
    for message, content in cases.items():
        assert message in refused(file(content)), message
    assert "is a tar archive" in refused(file(gzip.compress(stream.getvalue()), "my.tgz"))
    assert "does not exist or is no file" in refused(tmp_path)
    assert "expected a file or a pandas table, got int" in refused(5)
    assert "expected a column of dates" in refused(table().reset_index(drop=True))


def _two_rhythms():
    days = pd.date_range("2000-01-31", periods=30, freq="ME").append(pd.bdate_range("2002-08-01", periods=40))
    return "Date,a\n" + "".join(f"{d:%Y-%m-%d},{100 + k % 7}\n" for k, d in enumerate(days))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"start": "05/09/2019"}, "start: expected a date like 2001-09-10, got '05/09/2019'"),
        ({"start": "foo"}, "start: expected a date like 2001-09-10, got 'foo'"),
        ({"end": True}, "end: expected a date like 2001-09-10, got True"),
        ({"start": "2019-02-30"}, "start: expected a date"),
        ({"start": 2025}, "data: the table has no day between 2025-01-01 and None; it runs from 2019-01-02 to 2019-02-26"),
        ({"start": "2019-02", "end": "2019-01"}, "end: expected a date after start, 2019-02-01, got 2019-01-31"),
        ({"columns": "SPY"}, r"columns: expected a list of headings, as \[SPY,TLT\], got 'SPY'"),
        ({"columns": ["SPX"]}, "has no column 'SPX'; did you mean SPY"),
        ({"format": "ymd"}, "data.format: expected any of dmy, mdy, excel, decimal_point, decimal_comma, or a pattern"),
        ({"kind": "yields"}, "data.kind: expected one of prices, returns, percent_returns"),
        ({"adjust": "yes"}, "data.adjust: expected true or false"),
        ({"date": "Datum"}, "data.date: the table has no column 'Datum'; known: date, SPY, GLD"),
    ],
)
def test_arguments_are_refused_by_name(options, message):
    with pytest.raises(ValueError, match=message):
        read(table(), **options)


def test_a_year_and_a_month_are_ranges():
    frame = table(300)
    assert str(read(frame, start=2020).frame.index[0])[:10] == "2020-01-01"
    assert str(read(frame, end="2019").frame.index[-1])[:10] == "2019-12-31"
    assert str(read(frame, start="2019-03", end="2019-04").frame.index[-1])[:10] == "2019-04-30"


# --- tables


def test_pandas_tables_of_every_shape_are_the_same_prices():
    frame = table()
    dated = frame.rename_axis("when")
    levels = pd.concat({"Close": frame, "Volume": 0.0 * frame + 1000.0}, axis=1)
    long = pd.concat({"SPY": frame["SPY"], "GLD": frame["GLD"]}).rename_axis(["ticker", "date"]).rename("close")
    for shape in (
        frame,
        frame.tz_localize("America/New_York"),
        dated.reset_index(),
        frame.set_index(frame.index.strftime("%d.%m.%Y")),
        frame.set_index(frame.index.to_period("D")),
        frame.astype(object),
        levels,
        levels.swaplevel(axis=1),
        long.reset_index(),
        long.to_frame(),
        frame.iloc[::-1],
    ):
        found = read(shape)
        np.testing.assert_array_equal(found.frame[["SPY", "GLD"]].to_numpy(), frame.to_numpy())
        assert list(found.frame.index) == list(frame.index)
    assert list(read(frame["SPY"]).frame) == ["SPY"]
    assert "two columns that are called SPY" in refused(pd.concat([frame, frame], axis=1))


@pytest.mark.parametrize("named", [True, False])
def test_parquet_with_a_named_index_or_none_and_two_rows_of_columns(tmp_path, named):
    pytest.importorskip("pyarrow", reason="needs the extra mcengine[parquet]")
    frame = table().rename_axis("Date") if named else table()
    levels = pd.concat({"Close": frame, "Volume": 0.0 * frame + 1000.0}, axis=1)
    for shape in (frame, frame.reset_index(names="Date"), levels):
        shape.to_parquet(tmp_path / "my.parquet")
        np.testing.assert_array_equal(read(tmp_path / "my.parquet").frame.to_numpy(), frame.to_numpy())


# --- made files


def read_right(one, path):
    """Whether a made file is read, and then right; else it is refused in one line, and may be."""
    path.write_bytes(one.content)
    if one.must_refuse:
        return not refused(path)
    try:
        found = read(path).frame
    except ValueError:
        return not (one.may_refuse and refused(path))
    found = found.rename(columns=lambda c: {"Adj_Close": "fund A"}.get(c, c.replace("_", " ")))
    assert sorted(found) == sorted(one.right)
    np.testing.assert_array_equal(found.index.to_numpy().astype("datetime64[D]"), one.right.index.to_numpy().astype("datetime64[D]"))
    np.testing.assert_allclose(found[list(one.right)].to_numpy(), one.right.to_numpy(), rtol=1e-12)
    return True


def test_three_hundred_made_files_are_read_right_or_refused_in_one_line(tmp_path):
    """Dialect x form of dates x layout x fault. Three in five are honest, and of these nearly all are read."""
    right = 0
    for seed in range(300):
        one = made(seed)
        try:
            right += read_right(one, tmp_path / one.name)
        except BaseException as error:
            error.add_note(f"made file {one.what}")
            raise
    assert right > 170


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 299), cuts=st.lists(st.tuples(st.floats(0, 1), st.binary(max_size=4), st.integers(0, 30)), min_size=1, max_size=6))
def test_whatever_a_file_holds_ends_in_a_table_or_in_one_line(tmp_path, seed, cuts):
    """Bytes put in the place of others, anywhere in a made file."""
    content = bytearray(made(seed).content)
    for at, put, out in cuts:
        k = int(at * len(content))
        content[k : k + out] = put
    path = tmp_path / "mutated.csv"
    path.write_bytes(bytes(content))
    try:
        assert np.isfinite(read(path).frame.to_numpy()).all()
    except ValueError:
        refused(path)


def test_a_wide_file_is_read_in_time(tmp_path):
    """3,000 days x 60 assets in under 2 s of one core."""
    days = pd.bdate_range("2010-01-01", periods=3000)
    values = 100.0 * np.exp(np.cumsum(0.01 * np.random.default_rng(0).standard_normal((3000, 60)), axis=0))
    pd.DataFrame(values, index=days, columns=[f"A{k}" for k in range(60)]).to_csv(tmp_path / "wide.csv", float_format="%.4f")
    begin = time.process_time()
    assert read(tmp_path / "wide.csv").frame.shape == (3000, 60)
    assert time.process_time() - begin < 2.0


# --- rows a year


def test_a_year_is_as_many_steps_as_there_are_rows():
    rates = {248.7: 252, 252.5: 252, 260.9: 261, 243.0: 243, 365.2: 365, 52.2: 52, 12.0: 12, 4.0: 4, 1.0: 1, 100.0: 100}
    assert {rate: frequency.steps_per_year(rate) for rate in rates} == rates
    assert read(table(5)).steps_per_year == 261  # a week of weekdays


@pytest.mark.parametrize(
    ("market", "name", "column", "steps", "volatility"), [("Replay", "weekly", "fund", 52, 0.2), ("Bootstrap", "crypto_7_days", "coin", 365, 0.718)]
)
def test_a_year_of_a_file_has_the_files_volatility(market, name, column, steps, volatility):
    """By the engine's own account of every path; a bootstrapped year moves as history did on average."""
    history = getattr(mc.market, market).from_history(data=FILES / f"{name}.csv", rate=0.0)
    assert history.remarks[0].startswith(f"{name}.csv: ")
    mix = mc.policy.presets.unhedged({column: 1.0})
    with pytest.raises(ValueError, match=f"expected a step a row, {steps} a year, for 1 years of this history, got 252; give steps={steps}"):
        mc.Study(history, mix)
    run = mc.Study(history, mix, steps=steps, costs=mc.ledger.Proportional(0.0, 0.0)).run(1024, progress=False)
    found = run["policy"]["volatility"]
    assert found.mean() == pytest.approx(volatility, rel=0.03)


def test_data_is_a_node_of_what_the_reader_takes():
    few = ["market=replay", "market.assets=null", "market.rate=0.01", "steps=12"]
    made = mc.load_config([f"data={FILES / 'monthly_returns.csv'}", "data.kind=returns", "data.columns=[fund_b]", *few], "hedge")
    market = config.build(made.market)
    assert list(market.assets) == ["fund_b"]
    assert market.days.per_year == 12
    with pytest.raises(ValueError, match="data: unknown key 'kinds'"):
        mc.market.Replay.from_history(data={"file": "a.csv", "kinds": "returns"})


def test_prices_once_read_are_taken_by_all():
    prices = read(FILES / "crypto_7_days.csv")
    fitted = mc.calibrate.fit_prices(prices, model="gbm")
    assert float(fitted.market["coin"].sigma) == pytest.approx(0.718, abs=5e-4)
    assert mc.market.Bootstrap.from_history(data=prices, rate=0.0).days.per_year == 365
    with pytest.raises(ValueError, match="the prices have no column 'gold'; they have coin"):
        mc.market.Replay.from_history({"gold": "gold"}, data=prices, rate=0.0)


def test_a_column_named_like_a_part_of_a_market_gets_an_underscore():
    fitted = mc.calibrate.fit_prices(table(200, columns=("rate", "S&P 500")), model="gbm")
    assert list(fitted.market.assets) == ["rate_", "S_P_500"]
    assert {"rate is called rate_", "S&P 500 is called S_P_500"} <= set(fitted.notes)
