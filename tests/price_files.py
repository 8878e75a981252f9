"""Made files of prices, as people have them and as they come damaged: dialect x form of dates x layout x fault, from a seed, with what is right."""

import gzip
import io
import lzma
import zipfile
from typing import NamedTuple

import numpy as np
import pandas as pd

DATES = {
    "%Y-%m-%d": "iso",
    "%Y/%m/%d": "slashes",
    "%Y.%m.%d": "points",
    "%Y%m%d": "compact",
    "%d/%m/%Y": "dmy",
    "%d.%m.%Y": "dmy",
    "%d-%m-%Y": "dmy",
    "%m/%d/%Y": "mdy",
    "%d-%b-%Y": "named",
    "%b %d, %Y": "named",
    "%d %B %Y": "named",
    "%Y-%m-%d 00:00:00-05:00": "stamped",
    "%Y-%m-%dT16:30:00Z": "stamped",
    "%m/%d/%Y 4:00 PM": "mdy",
    "excel": "serial",
    "seconds": "serial",
}
RHYTHMS = {"B": 261, "D": 365, "W-FRI": 52, "ME": 12}
LAYOUTS = ("wide", "ohlcv", "long", "row_numbers", "row_names", "levels")
HARMLESS = ("none", "none", "preamble", "footer", "repeated", "trailing", "missing", "newest", "text_column", "percent_column", "crlf", "blank_lines")
FAULTS = ("number", "date", "twice", "unsorted", "short_row", "mixed_dates", "within_day", "hole", "cut_archive", "zeros", "nothing", "currency")
PACKED = ("", "", "", "", "bom", "utf-16", "cp1252", "gz", "xz", "zip")


class Made(NamedTuple):
    """A file, the table that is right where one is, and whether it may be refused."""

    name: str
    content: bytes
    right: pd.DataFrame
    may_refuse: bool
    must_refuse: bool
    what: str


def made(seed: int) -> Made:
    random = np.random.default_rng(seed)
    pick = lambda options: options[random.integers(len(options))]  # noqa: E731
    rhythm, layout, pattern = pick(list(RHYTHMS)), pick(LAYOUTS), pick(list(DATES))
    separator = pick([",", ",", ";", "\t", "|"])
    decimal = pick(".,") if separator != "," else pick("..,")
    group = pick(["", "", "," if decimal == "." else ".", " ", "'", "\u00a0"])
    places, sign = pick([2, 2, 4, 3]), pick(["", "", "", "$ {}", "{} €", "USD {}"])
    harmless = pick(HARMLESS)
    fault = pick(FAULTS) if random.random() < 0.4 else "none"
    packed = pick(PACKED) if fault != "cut_archive" else "gz"
    if harmless == "trailing" and fault == "short_row":  # which then has all its cells
        fault = "none"
    if harmless == "missing" and fault == "zeros":
        harmless = "none"
    assets = 1 if layout in ("ohlcv", "row_names") else int(random.integers(1, 4))
    rows = int(random.integers(30, 90))
    days = pd.date_range(pick(["2018-11-05", "2020-01-01", "1999-03-01"]), periods=rows, freq=rhythm)
    level = np.exp(np.cumsum(0.01 * random.standard_normal((rows, assets)), axis=0)) * pick([1.0, 90.0, 1500.0, 25000.0])
    prices = np.round(level, places)
    names = [f"fund {chr(65 + k)}" for k in range(assets)]

    def number(x: float) -> str:
        whole, _, part = f"{x:,.{places}f}".partition(".")
        return (sign or "{}").format(whole.replace(",", group) + decimal + part)

    def day(d: pd.Timestamp) -> str:
        if pattern == "excel":
            return str((d - pd.Timestamp("1899-12-30")).days)
        return str(int(d.timestamp())) if pattern == "seconds" else d.strftime(pattern)

    head = pick(["Date", "date", "DATE", "timestamp"]) if layout != "row_names" else ""
    text = [day(d) for d in days]
    cells = [[number(x) for x in row] for row in prices]
    if harmless == "missing":
        cells[rows // 2][0] = pick(["", ".", "N/A", "null", "-", "#N/A", "NaN"])
    if layout == "ohlcv":
        header = [[head, "Open", "High", "Low", "Close", "Adj Close", "Volume"]]
        body = [
            [d, number(2 * p), number(2.2 * p), number(1.9 * p), number(2 * p), c[0], "12345678"]
            for d, c, (p,) in zip(text, cells, prices, strict=True)
        ]
    elif layout == "long":
        header = [[head, "Ticker", "Close"]]
        body = [[d, n, c] for d, row in zip(text, cells, strict=True) for n, c in zip(names, row, strict=True)]
        if assets == 1:
            names = ["Close"]
    elif layout == "levels":
        header = [["Price", *["Close"] * assets, *["Volume"] * assets], ["Ticker", *names, *names], [head, *[""] * (2 * assets)]]
        body = [[d, *row, *["1000"] * assets] for d, row in zip(text, cells, strict=True)]
    else:
        header = [[head, *names]]
        body = [[d, *row] for d, row in zip(text, cells, strict=True)]
    if layout == "row_numbers":
        header, body = [["", *header[0]]], [[str(k + 1), *row] for k, row in enumerate(body)]
    if layout == "row_names":
        header = [header[0][1:]]
    if harmless == "text_column" and layout in ("wide", "row_numbers"):
        header, body = [[*header[0], "Note"]], [[*row, "ok"] for row in body]
    if harmless == "percent_column" and layout in ("wide", "row_numbers"):
        header, body = [[*header[0], "Change %"]], [[*row, f"0{decimal}15%"] for row in body]
    if harmless == "newest":
        body = body[::-1]
    at = 1 if layout == "row_numbers" else 0
    k, value = len(body) // 3, len(header[0]) - 1 if layout == "long" else at + (5 if layout == "ohlcv" else 1)
    value = value if layout != "row_names" else 1
    right = pd.DataFrame(prices, index=days, columns=names)
    if harmless == "missing":
        right = right.drop(index=days[rows // 2])
    must = fault in ("number", "date", "short_row", "mixed_dates", "within_day", "cut_archive", "nothing", "currency")
    if fault == "number":
        body[k][value] = pick(["12..5", "1,2,3.4.5", "abc", "inf", "1_000", "0x1F", "5 5 5"])
    elif fault == "date":
        body[k][at] = pick(["yesterday", "2019-02-30", "32/13/2019", "99999999", ""])
    elif fault == "twice":
        body.insert(k, list(body[k]))
    elif fault == "unsorted":
        body[k], body[k + 9] = body[k + 9], body[k]
        must = layout != "long"
    elif fault == "short_row":
        body[k] = body[k][: -1 if len(body[k]) > 2 else 1]
    elif fault == "mixed_dates":
        body[k][at] = "2 Jan 2001" if DATES[pattern] != "named" else "2001-01-02"
    elif fault == "within_day":
        body = [[*row[:at], f"2019-03-0{1 + j // 40} {j % 24:02d}:30:00", *row[at + 1 :]] for j, row in enumerate(body)]
    elif fault == "hole":
        gone = days[rows // 4 : 3 * rows // 4]
        body = [row for row in body if row[at] not in {day(d) for d in gone}]
        right = right.drop(index=gone, errors="ignore")
    elif fault == "zeros":
        body = [[*row[:value], number(0.0), *row[value + 1 :]] for row in body]
        right = right.assign(**dict.fromkeys(names if layout == "long" else names[:1], 0.0))
    elif fault == "nothing":
        body = body[: pick([0, 1])]
    elif fault == "currency":
        body[k][value], body[k + 1][value] = f"£ 1{decimal}55", f"¥ 1{decimal}55"
    must = must or fault == "twice"
    lines = [_line(row, separator) for row in [*header, *body]]
    if harmless == "preamble":
        lines = ["Provided for information only; see terms, conditions", *lines]
    if harmless == "footer":
        lines += ["", "Source: somebody"]
    if harmless == "repeated" and len(header) == 1 and layout != "row_names":
        lines.insert(len(lines) // 2, lines[0])
    if harmless == "trailing" and layout != "row_names":
        lines = [lines[0], *(line + separator for line in lines[1:])] if len(header) == 1 else [line + separator for line in lines]
    if harmless == "blank_lines":
        lines = ["", *lines[:5], "", *lines[5:]]
    content = ("\r\n" if harmless == "crlf" else "\n").join(lines) + "\n"
    encoding = {"bom": "utf-8-sig", "utf-16": "utf-16", "cp1252": "cp1252"}.get(packed, "utf-8")
    raw = content.encode(encoding, errors="replace")
    if packed in ("gz", "xz"):
        raw = {"gz": gzip, "xz": lzma}[packed].compress(raw)
    if packed == "zip":
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            archive.writestr("prices.csv", raw)
        raw = buffer.getvalue()
    if fault == "cut_archive":
        raw = raw[: len(raw) // 2]
    order = DATES[pattern] in ("dmy", "mdy") and rhythm in ("ME",) and all(d.day <= 12 for d in days)
    unclear = places == 3 or order or fault in ("hole", "zeros", "unsorted")
    what = f"{seed}: {layout}, {pattern}, {rhythm}, {separator!r} {decimal!r} {group!r} {sign!r} {places}, {harmless}, {fault}, {packed}"
    return Made(f"made.csv{f'.{packed}' if packed in ('gz', 'xz', 'zip') else ''}", raw, right, unclear or must, must, what)


def _line(row: list[str], separator: str) -> str:
    return separator.join(f'"{cell}"' if separator in cell else cell for cell in row)
