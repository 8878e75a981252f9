"""Cells to numbers: the decimal mark decided by all cells together, thousands grouped, signs of currency and percent, what is not quoted.

A cell tells the decimal mark unless it has one mark with three digits behind it (1,234 is 1234 or 1.234).
"""

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

MISSING = frozenset({"", ".", "-", "--", "na", "n/a", "#n/a", "#n/a n/a", "n.a.", "nan", "null", "none", "nil", "<na>", "nat", "nd"})
"""What stands for a price that was not quoted, in lower case."""

_GROUPS = r"[\u00a0\u2009\u202f '’]"  # spaces of several widths, and the Swiss apostrophe
_CURRENCY = r"(?:(?:US|C|A|HK|S)?\$|[€£¥₹]|[A-Z]{3}(?![A-Za-z]))"
_LOOSE = re.compile(rf"\(?[-+−]?\s?{_CURRENCY}?\s?[-+−]?(?:\d[\d.,\u00a0\u2009\u202f '’]*|[.,]\d+)(?:[eE][-+]?\d+)?\s?{_CURRENCY}?\s?%?\)?")
_BETWEEN = re.compile(rf"(?<=\d){_GROUPS}(?=\d)")
_CORE = re.compile(r"[\d.,]*\d[\d.,]*")


def _pattern(decimal: str) -> re.Pattern[str]:
    mark, group = re.escape(decimal), re.escape("," if decimal == "." else ".")
    whole = rf"\d{{1,3}}(?:{group}\d{{3}})+|\d{{1,3}}(?:{_GROUPS}\d{{3}})+|\d+"
    number = rf"(?P<whole>{whole})?(?:{mark}(?P<part>\d*))?(?P<power>[eE][-+]?\d+)?"
    signed = rf"(?P<open>\()?(?P<sign>[-+−])?\s?(?P<before>{_CURRENCY})?\s?(?P<sign2>[-+−])?"
    return re.compile(rf"{signed}{number}\s?(?P<after>{_CURRENCY})?\s?(?P<percent>%)?(?P<close>\))?")


_PATTERNS = {mark: _pattern(mark) for mark in ".,"}


class Numbers(NamedTuple):
    """A column as numbers.

    Args:
        values: As written, percent signs aside; NaN where nothing is quoted [rows].
        percent: Whether all have a percent sign.
        currency: Their sign of currency, or nothing.
    """

    values: np.ndarray
    percent: bool
    currency: str


def is_missing(cell: str) -> bool:
    """Whether a cell says that nothing is quoted."""
    return cell.lower() in MISSING


def share(cells: Sequence[str]) -> float:
    """Share of a column's quoted cells that look like numbers, whatever the decimal mark; NaN where there are none."""
    quoted = [c for c in cells if c.lower() not in MISSING]
    return sum(bool(_LOOSE.fullmatch(c)) for c in quoted) / len(quoted) if quoted else float("nan")


def decimal_mark(columns: Iterable[Sequence[str]], name: str, separator: str = "") -> str:
    """The decimal mark, by the first cell that tells it: cells that do not fit it are found as they are parsed.

    Raises:
        ValueError: All cells can be read either way.
    """
    either = ""
    for cells in columns:
        for cell in cells:
            found = _mark(cell) if ("." in cell or "," in cell) else ""
            if found in (".", ","):
                return found
            either = either or (cell if found else "")
    if either and not (separator == "," and "," not in either):  # a file of cells between commas has points, unless it says otherwise
        core = _CORE.search(either)
        shown = core[0] if core else either
        raise ValueError(
            f"data: {name}: {either!r} can be read as {re.sub('[.,]', '', shown)} and as {shown.replace(',', '.')}, here and in every cell; "
            "say which by data.format=decimal_comma or data.format=decimal_point"
        )
    return "."


def _mark(cell: str) -> str:
    """``.`` or ``,`` where a cell tells the decimal mark, ``either`` where it does not, nothing where it is no number."""
    if not _LOOSE.fullmatch(cell):
        return ""
    joined = _BETWEEN.sub("", cell)
    found = _CORE.search(joined)
    core = found[0] if found else ""
    dots, commas = core.count("."), core.count(",")
    if dots and commas:
        return "," if core.rfind(",") > core.rfind(".") else "."
    if not dots + commas:
        return ""
    mark = "." if dots else ","
    if dots + commas > 1:
        return "," if dots else "."
    head, _, tail = core.partition(mark)
    grouped = len(tail) == 3 and 1 <= len(head) <= 3 and not head.startswith("0") and "e" not in cell.lower() and joined == cell
    return "either" if grouped else mark


def parse(cells: Sequence[str], decimal: str, where: str, lines: Sequence[int]) -> Numbers:
    """A column as numbers.

    Raises:
        ValueError: A cell is no number, percent signs or signs of currency differ; ``where`` (the file, and ``column ...``) and the row are named.
    """
    file, _, column = where.partition("|")
    at = lambda k: f"data: {file} row {lines[k]} column {column}"  # noqa: E731
    plain = _plain(cells, decimal)
    if plain is not None:
        return Numbers(plain, False, "")
    values, percent = np.full(len(cells), np.nan), []
    currencies: dict[str, int] = {}
    for k, cell in enumerate(cells):
        if cell.lower() in MISSING:
            continue
        found = _PATTERNS[decimal].fullmatch(cell)
        digits = found and (found["whole"] or found["part"])
        if not found or not digits or bool(found["open"]) != bool(found["close"]) or (found["sign"] and found["sign2"]):
            raise ValueError(f"{at(k)}: expected a number, got {cell!r}")
        whole = re.sub(r"\D", "", found["whole"] or "0")
        number = float(f"{whole}.{found['part'] or '0'}{found['power'] or ''}")
        negative = bool(found["open"]) or "-" in (sign := (found["sign"] or "") + (found["sign2"] or "")) or "−" in sign
        values[k] = -number if negative else number
        if not np.isfinite(values[k]):
            raise ValueError(f"{at(k)}: expected a number, got {cell!r}")
        percent.append(bool(found["percent"]))
        currencies.setdefault(found["before"] or found["after"] or "", k)
        if len(currencies) > 1:
            raise ValueError(f"{at(k)}: expected one currency in the column, got {cell!r} after {cells[next(iter(currencies.values()))]!r}")
        if percent[-1] != percent[0]:
            raise ValueError(f"{at(k)}: expected a percent sign in every cell or in none, got {cell!r}")
    return Numbers(values, any(percent), next(iter(currencies), ""))


def _plain(cells: Sequence[str], decimal: str) -> np.ndarray | None:
    """A column of plain numbers with a decimal point, read at once; None for any other."""
    if decimal != "." and any("." in c or "," in c for c in cells):
        return None
    quoted = ["nan" if c.lower() in MISSING else c for c in cells]
    try:
        values = np.array([float(c) for c in quoted], float)
    except ValueError:
        return None
    strange = np.count_nonzero(~np.isfinite(values)) != quoted.count("nan") or "_" in "".join(quoted)
    return None if strange else values
