"""Cells to dates: one form for the whole column. Where day and month can be either, only one order may make dates that run one way.

A time of day and a zone are dropped: the date is the one written, which is the exchange's own.
"""

import re
from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple, TypeAlias

import numpy as np

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
FORMATS = ("dmy", "mdy", "excel")
"""What ``format`` may say of dates, beside a pattern such as %d.%m.%y."""

_CLOCK = r"(?P<time>[T ]\s*\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?(?:\s?[AaPp][Mm])?\s?(?P<zone>Z|[A-Z]{3,4}|[+-]\d{2}(?::?\d{2})?)?)?"
_NAME, _WEEKDAY = r"(?P<name>[A-Za-z]{3,9})\.?", r"(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*,?\s+)?"
_FORMS = {
    "yyyy-mm-dd": re.compile(rf"(?P<year>\d{{4}})(?P<mark>[-/.])(?P<month>\d{{1,2}})(?P=mark)(?P<day>\d{{1,2}}){_CLOCK}"),
    "yyyymmdd": re.compile(r"(?P<year>(?:1[789]|20)\d\d)(?P<month>0[1-9]|1[0-2])(?P<day>0[1-9]|[12]\d|3[01])(?:\.0)?"),
    "numbers": re.compile(rf"(?P<first>\d{{1,2}})(?P<mark>[-/.])(?P<second>\d{{1,2}})(?P=mark)(?P<year>\d{{4}}){_CLOCK}"),
    "short": re.compile(r"\d{1,2}([-/.])\d{1,2}\1\d{2}"),
    "dd month yyyy": re.compile(rf"{_WEEKDAY}(?P<day>\d{{1,2}})[- ]{_NAME}[-, ]+(?P<year>\d{{4}}|\d{{2}})"),
    "month dd, yyyy": re.compile(rf"{_WEEKDAY}{_NAME}\s+(?P<day>\d{{1,2}}),?\s+(?P<year>\d{{4}})"),
    "yyyy-mm": re.compile(r"(?P<year>\d{4})[-/M](?P<month>\d{2})"),
}
_UTC = ("Z", "UTC", "GMT", "+0000", "+00")
_MIDNIGHT = re.compile(r"[T ]\s*0?0:00(?::00(?:[.,]0+)?)?(?![:.,\d]|\s?[Pp])")
_EXCEL = re.compile(r"[2-7]\d{4}(?:\.\d+)?")  # 1954 to 2119
_SECONDS = re.compile(r"(?P<seconds>1?\d{9})(?:\d{3})?(?:\.0)?")
_EXCEL_START, _UNIX_START = date(1899, 12, 30), date(1970, 1, 1)
Refuse: TypeAlias = Callable[[int, str], ValueError]
"""The error of a cell: its index, and what was expected of it."""

_CENTURY = 70  # two digits from here on are of the 1900s, as POSIX has it (69)


class Dates(NamedTuple):
    """A column of dates.

    Args:
        days: As numpy days [rows].
        form: How they are written, in words.
        timed: Whether a time of day stands with them.
        utc: Whether it is that of Greenwich.
    """

    days: np.ndarray
    form: str
    timed: bool = False
    utc: bool = False


def looks_like(cell: str, given: str | None = None) -> bool:
    """Whether a cell is written as a date, serials aside; or as the pattern that is given."""
    if given is None or "%" not in given:
        return any(form.fullmatch(cell) for form in _FORMS.values())
    try:
        datetime.strptime(cell, given)
    except ValueError:
        return False
    return True


def is_serial(cell: str) -> bool:
    """Whether a cell may be Excel's number of a day, or seconds since 1970."""
    return bool(_EXCEL.fullmatch(cell) or _SECONDS.fullmatch(cell))


def serials(cells: Sequence[str]) -> bool:
    """Whether most cells may be serials, all of one kind and running one way."""
    kinds = [[c for c in cells if form.fullmatch(c)] for form in (_EXCEL, _SECONDS)]
    most = max(kinds, key=len)
    return len(most) > 1 and 2 * len(most) > len(cells) and _runs_one_way(np.array([float(c) for c in most]))


def parse(cells: Sequence[str], name: str, heading: str, lines: Sequence[int], given: str | None = None) -> Dates:
    """A column of dates, as the form that all are written in says, or as ``given`` does (``FORMATS``, or a pattern).

    Raises:
        ValueError: A cell is no date, the forms differ, or day and month can be either.
    """
    first = {cell: k for k, cell in reversed(list(enumerate(cells)))}
    once = sorted(first, key=first.__getitem__)
    found = _parse(once, name, heading, [lines[first[cell]] for cell in once], given)
    place = {cell: k for k, cell in enumerate(once)}
    return found._replace(days=found.days[[place[cell] for cell in cells]])


def _parse(cells: Sequence[str], name: str, heading: str, lines: Sequence[int], given: str | None) -> Dates:
    """``parse`` of cells that differ from each other."""

    def refuse(k: int, why: str = "") -> ValueError:
        expected = why or "expected a date like 2001-09-10"
        return ValueError(f"data: {name} row {lines[k]} column {heading or 'of dates'}: {expected}, got {cells[k]!r}")

    if given is not None and "%" in given:
        return Dates(_days(cells, lambda c: datetime.strptime(c, given).date(), refuse, f"expected a date as {given}"), given)
    if given == "excel" or (not looks_like(cells[0]) and is_serial(cells[0])):
        if given != "excel" and not _EXCEL.fullmatch(cells[0]):
            return Dates(_days(cells, _from_seconds, refuse), "seconds since 1970, in UTC", True)
        return Dates(_days(cells, _from_excel, refuse, "expected Excel's number of a day"), "days as Excel counts them")
    form = next((form for form, pattern in _FORMS.items() if pattern.fullmatch(cells[0])), None)
    if form is None:
        raise refuse(0)
    found = [_FORMS[form].fullmatch(c) for c in cells]
    for k, match in enumerate(found):
        if match is None:
            raise refuse(k, f"expected a date as {cells[0]!r} in row {lines[0]}" if looks_like(cells[k]) else "")
    matches = [m for m in found if m is not None]
    if form == "short":
        mark = matches[0][1]
        orders = [f"%d{mark}%m{mark}%y (day first)", f"%m{mark}%d{mark}%y (month first)", f"%y{mark}%m{mark}%d (year first)"]
        raise refuse(0, f"expected a year of four digits; say which by data.format={' or '.join(orders)}")
    timed = form in ("yyyy-mm-dd", "numbers") and any(m["time"] and not _MIDNIGHT.match(m["time"]) for m in matches)
    utc = timed and all((m["zone"] or "").replace(":", "") in _UTC for m in matches)
    days, form = _ordered(matches, refuse, name, given) if form == "numbers" else (_days(matches, _of_match, refuse), form)
    return Dates(days, form, timed, utc)


def _ordered(matches: list[re.Match[str]], refuse: Refuse, name: str, given: str | None) -> tuple[np.ndarray, str]:
    """(days, form) of dates that begin with two numbers, day and month in the order that fits all of them."""
    first, second = (np.array([int(m[part]) for m in matches]) for part in ("first", "second"))
    mark = matches[0]["mark"]
    orders = {"dmy": ("second", "first", f"dd{mark}mm{mark}yyyy"), "mdy": ("first", "second", f"mm{mark}dd{mark}yyyy")}

    def read(order: str) -> np.ndarray:
        month, day, words = orders[order]
        return _days(matches, lambda m: date(int(m["year"]), int(m[month]), int(m[day])), refuse, f"expected a date as {words}")

    fits = [order for order, months in (("dmy", second), ("mdy", first)) if (months <= 12).all()] if given not in orders else [str(given)]
    if not fits:
        early = first if first[0] <= 12 else second
        k = int(np.argmax(early > 12))
        raise refuse(k, f"expected day and month in the order of {matches[0][0]!r}" if k else "")
    days = {order: read(order) for order in fits}
    one_way = [order for order in fits if _runs_one_way(days[order].astype(int))]
    fits = one_way if len(one_way) == 1 else fits
    if len(fits) > 1 and (days["dmy"] != days["mdy"]).any():
        k = int(np.argmax(days["dmy"] != days["mdy"]))
        raise ValueError(
            f"data: {name}: {matches[k][0]!r} can be read as {days['dmy'][k]} and as {days['mdy'][k]}, here and in the whole column; "
            "say which by data.format=dmy or data.format=mdy"
        )
    return days[fits[0]], orders[fits[0]][2]


def _runs_one_way(numbers: np.ndarray) -> bool:
    """Never back, or never forth; several rows of one date (of several tickers) allowed."""
    steps = np.diff(numbers)
    return bool((steps >= 0).all() or (steps <= 0).all())


def _of_match(match: re.Match[str]) -> date:
    parts = match.groupdict()
    month = MONTHS.index(parts["name"][:3].lower()) + 1 if parts.get("name") else int(parts["month"])
    year = int(parts["year"])
    if len(parts["year"]) == 2:
        year += 1900 if year >= _CENTURY else 2000
    if "day" not in parts:  # a month stands for its last day
        return date(year + month // 12, month % 12 + 1, 1) - timedelta(days=1)
    return date(year, month, int(parts["day"]))


def _from_excel(cell: str) -> date:
    if not _EXCEL.fullmatch(cell):
        raise ValueError
    return _EXCEL_START + timedelta(days=int(float(cell)))


def _from_seconds(cell: str) -> date:
    match = _SECONDS.fullmatch(cell)
    if match is None:
        raise ValueError
    return _UNIX_START + timedelta(seconds=int(match["seconds"]))


def _days(items: Sequence[Any], read: Callable[[Any], date], refuse: Refuse, why: str = "") -> np.ndarray:
    """Each item read as a date; ``refuse(k, why)`` is raised for one that is none."""
    out = np.empty(len(items), "datetime64[D]")
    for k, item in enumerate(items):
        try:
            out[k] = read(item)
        except (ValueError, OverflowError):
            raise refuse(k, why) from None
    return out
