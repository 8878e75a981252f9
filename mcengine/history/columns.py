"""Which columns of a table are prices: those that are asked for; else all but volumes, percent changes, text and row numbers, and of an open, high,
low and close the adjusted close where there is one.
"""

import re
from collections.abc import Collection, Sequence
from typing import NamedTuple

from mcengine._spelling import near
from mcengine.history import numbers
from mcengine.history.layout import Table, plain_heading

CLOSES = ("adj close", "adj. close", "adjclose", "adjusted close", "adjusted", "close/last", "close", "settle", "px last", "price", "last")
"""Headings of a close, the best first, in lower case."""

_RANGE = re.compile(r"(adj\.? ?|px )?(open|high|low)")
_NO_PRICE = re.compile(
    r"(adj\.? ?|px )?volume.*|vol\.?|tickvol|open ?int(erest)?|trades|turnover|spread|market ?cap|(ex-)?div(idend.*| ?cash)|split.*|stock splits"
    r"|capital gains|(% )?change( ?%)?|chg ?%?|unix( timestamp)?|time(stamp)?"
)
TICKERS = ("ticker", "symbol", "tic", "asset", "instrument", "ric", "isin", "coin", "code", "permno", "security", "name", "cusip")
_SUFFIX = re.compile(r"(.+?)[._ ](open|high|low|close|volume|adjusted|adj close)", re.IGNORECASE)


class Column(NamedTuple):
    """One column of a table.

    Args:
        title: Its heading.
        field: What it holds where the heading says so (close, volume), in lower case.
        group: The ticker it belongs to, or nothing.
        cells: Its text [rows].
        share: Of its quoted cells those that look like numbers; NaN where nothing is quoted.
    """

    title: str
    field: str
    group: str
    cells: list[str]
    share: float

    @property
    def is_no_price(self) -> bool:
        return bool(_NO_PRICE.fullmatch(self.field))

    @property
    def is_percent(self) -> bool:
        quoted = [c for c in self.cells if not numbers.is_missing(c)]
        return bool(quoted) and all(c.endswith(("%", "%)")) for c in quoted)


def described(table: Table) -> list[Column]:
    """The columns of a table beside its dates, each with what its headings say."""
    others = [j for j in range(len(table.columns)) if j != table.dates]
    if not table.levels:
        return [_column(f"column_{j + 1}", "", "", table.columns[j]) for j in others]
    plain = [[plain_heading(c) for c in level] for level in table.levels]
    if len(table.levels) > 1:
        fields = next((k for k, level in enumerate(plain) if sum(map(_says_what, (level[j] for j in others))) * 2 > len(others)), None)
        out = []
        for j in others:
            rest = [level[j] for k, level in enumerate(table.levels) if k != fields and level[j]]
            field = "" if fields is None else plain[fields][j]
            out.append(_column(" ".join(rest) or (table.levels[fields][j] if fields is not None else ""), field, " ".join(rest), table.columns[j]))
        return out
    titles = table.levels[0]
    found = [_column(titles[j].strip(" <>"), plain[0][j], "", table.columns[j]) for j in others]
    parts = [None if _says_what(c.field) else _SUFFIX.fullmatch(c.title) for c in found]
    of = [p[1] if p else "" for p in parts]
    many = {g for g in of if g and len({p[2].lower() for p in parts if p and p[1] == g} & {"open", "high", "low", "close"}) >= 3}
    return [c._replace(field=p[2].lower(), group=p[1]) if p and p[1] in many else c for c, p in zip(found, parts, strict=True)]


def _says_what(heading: str) -> bool:
    return heading in CLOSES or bool(_RANGE.fullmatch(heading) or _NO_PRICE.fullmatch(heading))


def _column(title: str, field: str, group: str, cells: list[str]) -> Column:
    return Column(title, field, group, cells, numbers.share(cells))


def choose(columns: list[Column], asked: Sequence[str] | None, beside: Collection[str], name: str) -> tuple[list[Column], list[str]]:
    """(the columns asked for, or all of prices and those named ``beside``; what was left out and why).

    Raises:
        ValueError: One that is asked for is not there, or nothing is left.
    """
    if asked is not None:
        missing = [one for one in asked if not _found(columns, one)]
        if len(missing) > 1:
            raise ValueError(f"data: {name} has no columns {', '.join(missing)}; it has {', '.join(c.title for c in columns)}")
        return [_find(columns, one, name) for one in dict.fromkeys(asked)], []
    kept, out = [], []
    percents = [c for c in columns if c.is_percent]
    some_plain = any(not c.is_percent and c.share >= 0.5 and not c.is_no_price for c in columns)
    for c in columns:
        if c.title in beside or name_of(c.title) in beside:
            kept.append(c)
        elif c.share != c.share:
            out.append(f"{c.title or 'a column without a heading'} (empty)")
        elif c.share < 0.5:
            out.append(f"{c.title or 'a column without a heading'} (text)")
        elif c.is_no_price:
            out.append(f"{c.title} (no price)" if not c.group else f"{c.field} of {c.group}")
        elif some_plain and c in percents:
            out.append(f"{c.title} (percent)")
        elif _counts_rows(c):
            out.append(f"{c.title or 'a column without a heading'} (row numbers)")
        else:
            kept.append(c)
    kept, more = _closes(kept)
    if not kept:
        why = f"; left out: {', '.join(out)}" if out else ""
        raise ValueError(f"data: {name} has no column of prices beside its dates{why}")
    return kept, out + more


def _closes(kept: list[Column]) -> tuple[list[Column], list[str]]:
    """Of every open, high, low and close the close, adjusted where there is one."""
    out, chosen = [], []
    for group in dict.fromkeys(c.group for c in kept):
        ours = [c for c in kept if c.group == group]
        fields = {c.field for c in ours}
        closes = sorted((c for c in ours if c.field in CLOSES), key=lambda c: CLOSES.index(c.field))
        if closes and (any(map(_RANGE.fullmatch, fields)) or len(closes) > 1):
            others = [c for c in ours if (c.field in CLOSES or _RANGE.fullmatch(c.field)) and c is not closes[0]]
            said = ", ".join(c.field if group else c.title for c in others)
            out.append(f"{said}{f' of {group}' if group else ''} (the {closes[0].field} is taken)")
            ours = [c for c in ours if c not in others]
        chosen += ours
    return chosen, out


def _found(columns: list[Column], asked: str) -> list[Column]:
    """Those that a heading may mean: by itself, by the name made of it, by ticker and field, by field alone."""
    exact = [c for c in columns if c.title == asked]
    named = exact or [c for c in columns if asked in (name_of(c.title), f"{c.group} {c.field}".strip())]
    return named or [c for c in columns if c.field == asked.lower()]


def _find(columns: list[Column], asked: str, name: str) -> Column:
    found = _found(columns, asked)
    if len(found) > 1:
        found, _ = _closes([c for c in found if not c.is_no_price])
    if not found:
        raise ValueError(f"data: {name} has no column {asked!r}{near(asked, [c.title for c in columns])}")
    if len(found) > 1:
        raise ValueError(f"data: {name} has {len(found)} columns {asked!r}; say which by data.columns, as {found[0].group} {found[0].field}")
    return found[0]


def _counts_rows(column: Column) -> bool:
    """Row numbers as R and pandas write them: no heading of its own, and whole numbers that differ."""
    if column.title.lower() not in ("", "index", "row") and not column.title.lower().startswith("unnamed"):
        return False
    try:
        values = [int(c) for c in column.cells]
    except ValueError:
        return False
    return len(set(values)) == len(values)


def tickers(columns: list[Column]) -> Column | None:
    """The column that tells which asset a row is of, where there is one: by its heading, else the only one of text."""
    called = [c for c in columns if c.field in TICKERS]
    text = [c for c in columns if c.share < 0.5]
    return called[0] if called else text[0] if len(text) == 1 else None


def name_of(title: str) -> str:
    """A heading as a name of letters, digits and underscores."""
    name = re.sub(r"\W+", "_", title.strip(), flags=re.ASCII).strip("_") or "unnamed"
    return f"_{name}" if name[0].isdigit() else name
