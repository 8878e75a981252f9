"""Option quotes of one day from a file, as people have them: calls and puts, volatilities or premia, mid or bid and ask, expiries as dates or days.

Where a file gives no forward, it and the discount D are those of parity in each expiry, C - P = D (F - K): a line through the strikes whose calls and
puts are nearest in price. Of a call and a put at one strike the one out of the money is kept. Nothing is guessed without a word: ``Quotes.notes``
says in a line what was taken for what, and where two readings fit the file is refused.
"""

import re
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mcengine.calibrate import arbitrage
from mcengine.market import HullWhite

_COLUMNS = {
    "days": "days dte daystoexpiry daystoexpiration daystomaturity",
    "years": "years t tau timetoexpiry yearstoexpiry",
    "expiry": "expiry expiration expirationdate expirydate expiredate exdate maturity maturitydate",
    "date": "date quotedate tradedate asof",
    "strike": "strike k strikeprice",
    "spot": "spot underlying underlyingprice underlyinglast stockprice",
    "forward": "forward forwardprice future futuresprice",
    "zero_rate": "zerorate rate riskfreerate interestrate",
    "kind": "type optiontype kind cp cpflag callput putcall right",
    "volatility": "impliedvol impliedvolatility iv vol volatility midiv midvol",
    "bid_volatility": "bidvol bidiv ivbid volbid bidimpliedvol bidvolatility",
    "ask_volatility": "askvol askiv ivask volask askimpliedvol askvolatility",
    "price": "price mid mark midprice premium settlement",
    "bid": "bid bidprice bestbid",
    "ask": "ask askprice offer bestoffer",
}
"""What each thing is called in files, by letters and digits alone."""
_DATES = ("%Y-%m-%d", "%Y%m%d", "%Y/%m/%d", "%d.%m.%Y", "%d-%b-%Y", "%d %b %Y", "%d/%m/%Y", "%m/%d/%Y")
_NAMED = 8  # quotes left out or refused are named up to so many
_PARITY_STRIKES = 10


@dataclass(frozen=True)
class Quotes:
    """Implied volatilities quoted on one day.

    Args:
        years: To expiry [quotes].
        strike: Currency [quotes].
        forward: Forward price for the expiry, currency [quotes].
        volatility: Implied volatility a year, a fraction [quotes].
        spot: Currency.
        name: What to call them in messages.
        low: Volatility at the bid [quotes], or None.
        high: Volatility at the ask [quotes], or None.
        notes: What a file was taken for, a line each.
    """

    years: np.ndarray
    strike: np.ndarray
    forward: np.ndarray
    volatility: np.ndarray
    spot: float
    name: str = "quotes"
    low: np.ndarray | None = None
    high: np.ndarray | None = None
    notes: tuple[str, ...] = ()

    @property
    def rate(self) -> HullWhite:
        """The curve on which spot grows to every forward quoted: zero rates by expiry, forward rates constant between, without volatility."""
        years, first = np.unique(self.years, return_index=True)
        zeros = np.log(self.forward[first] / self.spot) / years
        # Nothing reverts where nothing moves: any kappa is the same.
        return HullWhite(maturities=years, zeros=zeros, kappa=1.0, sigma=0.0)

    @property
    def warnings(self) -> list[str]:
        """What is odd in them and was let through."""
        said = []
        crossing = len(arbitrage.crossings(self))
        if crossing:
            said.append(f"{self.name}: {crossing} pairs of quotes cross arbitrage within their own bid and ask: kept")
        found = arbitrage.butterflies(self)
        by_expiry = ", ".join(f"{count} at {days:g} days" for days, count in found.items())
        if found:
            said.append(f"{self.name}: butterflies cost less than nothing at {sum(found.values())} strikes ({by_expiry}): kept")
        return said


class _Rows(NamedTuple):
    """Of the file, by row: years, strike, the volatility and its band; kind is 1 for a call, -1 for a put, 0 where it is not said."""

    years: np.ndarray
    strike: np.ndarray
    forward: np.ndarray
    middle: np.ndarray
    low: np.ndarray
    high: np.ndarray
    kind: np.ndarray


def read_quotes(
    data: str | Path | None = None, *, days_a_year: float = 365.0, clean: bool = False, date: str | None = None, unit: str | None = None
) -> Quotes:
    """Quotes from a CSV: a strike, a spot, an expiry and a volatility or a premium in each row, under the headings that such files have.

    Expiries are days, years, or dates with a day of the quotes; volatilities or premia a middle, or bid and ask; forwards are given, or made of
    zero_rate, or implied by parity. ``notes`` says what was taken for what.

    Args:
        data: The file, or None for the shipped DAX surface of 5 July 2002.
        days_a_year: By which days to expiry become years.
        clean: Whether rows that are no quotes, and quotes that cross arbitrage beyond their bid and ask, are left out; else they are refused.
        date: Day of the quotes, like 2002-07-05, where expiries are dates and the file has no column of it.
        unit: Of volatilities, percent or fraction; None: as their size says.

    Raises:
        ValueError: A column is missing or fits two readings; or rows are no quotes or an arbitrage, all of them named, and ``clean`` is not said.

    Example:
        >>> quotes = mc.calibrate.read_quotes()
        >>> quotes.strike.size
        104
    """
    source = files("mcengine.calibrate") / "data" / "dax_implied_vol.csv" if data is None else Path(data)
    if not source.is_file():
        raise ValueError(f"quotes: expected a CSV file, got {str(data)!r} which does not exist")
    file = _File(source, date)
    said: list[str] = []
    numbers, said_years = file.years(days_a_year)
    prices, said_values = file.values(unit)
    spot = file.spot()
    bad = file.faults({"strike": file.numbers("strike"), file.expiry: numbers, file.middle: prices[0]})
    keep = np.ones(len(file.frame), bool)
    if bad:
        _refuse_or_say(source.name, "rows are no quotes", list(bad.values()), len(keep), clean, said)
        keep[list(bad)] = False
    if not keep.any():
        raise ValueError(f"quotes: {source.name}: expected at least one quote, got none")
    rows, said_forward = file.rows(keep, numbers, prices, spot)
    quotes, said_pairs = _one_a_strike(rows, spot, source.name)
    note = f"{source.name}: {quotes.strike.size} quotes at {np.unique(quotes.years).size} expiries: {said_values}, {said_years}, {said_forward}"
    left, faults = arbitrage.without_crossings(quotes)
    if faults:
        _refuse_or_say(source.name, "quotes are an arbitrage with others", faults, quotes.strike.size, clean, said)
    return _taken(quotes, left, (note + said_pairs, *said))


def _refuse_or_say(name: str, what: str, faults: list[str], count: int, clean: bool, said: list[str]) -> None:
    named = "; ".join(faults[:_NAMED]) + (f"; and {len(faults) - _NAMED} more" if len(faults) > _NAMED else "")
    if not clean:
        raise ValueError(f"quotes: {name}: {len(faults)} of {count} {what}: {named}. quotes.clean=true leaves them out")
    said.append(f"{name}: {len(faults)} of {count} {what}, left out: {named}")


def _taken(q: Quotes, rows: np.ndarray, notes: tuple[str, ...]) -> Quotes:
    low, high = (None if v is None else v[rows] for v in (q.low, q.high))
    return Quotes(q.years[rows], q.strike[rows], q.forward[rows], q.volatility[rows], q.spot, q.name, low, high, notes)


class _File:
    """The table, and which of its columns is what."""

    def __init__(self, source: Any, date: str | None) -> None:
        import pandas as pd

        text = source.read_bytes().decode("utf-8-sig", errors="replace")
        head = text.partition("\n")[0]
        separator = max(",;\t", key=head.count)
        from io import StringIO

        self.frame = pd.read_csv(StringIO(text), sep=separator, decimal="," if separator == ";" else ".", skipinitialspace=True)
        self.name, self.date = source.name, date
        called = {re.sub(r"[^a-z0-9]", "", str(heading).lower()): heading for heading in self.frame.columns}
        self.columns = {}
        for what, names in _COLUMNS.items():
            found = next((called[name] for name in names.split() if name in called), None)
            if found is not None:
                self.columns[what] = found
        self.expiry = next((c for c in ("days", "years", "expiry") if c in self.columns), "")
        has = self.columns.__contains__
        # Bid and ask of what is no call and no put are volatilities.
        if has("bid") and has("ask") and not has("kind"):
            self.columns |= {"bid_volatility": self.columns.pop("bid"), "ask_volatility": self.columns.pop("ask")}
        self.by_volatility = has("volatility") or has("bid_volatility") and has("ask_volatility")
        self.middle = "volatility" if self.by_volatility else "price"
        missing = [what for what in ("strike", "spot") if not has(what)]
        missing += [] if self.expiry else ["days (or years, or expiry as a date)"]
        if not self.by_volatility and not (has("price") or has("bid") and has("ask")):
            missing.append("implied_vol (or bid_vol and ask_vol, or price, or bid and ask, with the type of option)")
        if missing:
            raise ValueError(f"quotes: {self.name} lacks columns {', '.join(missing)}")
        if not self.by_volatility and not has("kind"):
            raise ValueError(f"quotes: {self.name}: expected a column type, call or put, beside premia, got none")

    def numbers(self, what: str) -> np.ndarray:
        import pandas as pd

        column = self.frame[self.columns[what]]
        if not pd.api.types.is_numeric_dtype(column):
            column = column.astype(str).str.replace(r"[%,\s]", "", regex=True)
        return np.asarray(pd.to_numeric(column, errors="coerce"), float)

    def faults(self, positive: dict[str, np.ndarray]) -> dict[int, str]:
        """What is wrong with rows, by row."""
        found: dict[int, str] = {}
        for what, values in positive.items():
            heading = self.columns.get(what, what)
            for k in np.flatnonzero(~(np.isfinite(values) & (values > 0.0))):
                given = self.frame[heading].iloc[k] if heading in self.frame else values[k]
                found.setdefault(int(k), f"row {k + 2} column {heading}: expected a number above 0, got {given!s}")
        return dict(sorted(found.items()))

    def spot(self) -> float:
        spots = self.numbers("spot")
        found = np.unique(spots[np.isfinite(spots)])
        if found.size != 1 or found[0] <= 0.0:
            raise ValueError(f"quotes: {self.name}: expected one spot above 0, got {found.size if found.size != 1 else found[0]}")
        return float(found[0])

    def years(self, days_a_year: float) -> tuple[np.ndarray, str]:
        if self.expiry == "years":
            return self.numbers("years"), f"expiries in years ({self.columns['years']})"
        if self.expiry == "days":
            return self.numbers("days") / days_a_year, f"expiries in days ({self.columns['days']})"
        given = self.frame[self.columns["date"]] if "date" in self.columns else None
        if self.date is None and given is None:
            raise ValueError(f"quotes: {self.name}: expected the day of the quotes beside expiries as dates, a column date or quotes.date=, got none")
        expiry, form = self._dates(self.frame[self.columns["expiry"]], self.columns["expiry"])
        quoted = np.datetime64(self.date) if self.date is not None else self._dates(given, self.columns["date"])[0]
        if np.unique(quoted).size != 1:
            raise ValueError(f"quotes: {self.name}: expected quotes of one day, got {np.unique(quoted).size} in {self.columns['date']}")
        return (expiry - quoted).astype("timedelta64[D]").astype(float) / days_a_year, f"expiries as dates ({form}, from {np.unique(quoted)[0]})"

    def _dates(self, column: Any, heading: str) -> tuple[np.ndarray, str]:
        """(days, the form in which all are written)."""
        import pandas as pd

        text = column.astype(str).str.strip().str.slice(0, 11).str.replace(r"[T ]\d.*$", "", regex=True).str.replace(r"\.0$", "", regex=True)
        read = {form: pd.to_datetime(text, format=form, errors="coerce") for form in _DATES}
        forms = [form for form, dates in read.items() if dates.notna().all()]
        if not forms:
            raise ValueError(f"quotes: {self.name} column {heading}: expected dates of one form such as 2002-07-05, got {text.iloc[0]!r}")
        if len(forms) > 1 and not read[forms[0]].equals(read[forms[1]]):
            raise ValueError(
                f"quotes: {self.name} column {heading}: {text.iloc[0]!r} is {read[forms[0]].iloc[0]:%Y-%m-%d} or {read[forms[1]].iloc[0]:%Y-%m-%d}, and "
                "all rows fit both; write dates as 2002-07-05"
            )
        return read[forms[0]].to_numpy().astype("datetime64[D]"), forms[0]

    def values(self, unit: str | None) -> tuple[tuple[np.ndarray, np.ndarray, np.ndarray], str]:
        """(middle, bid and ask of what is quoted; in words)."""
        word = "_volatility" if self.by_volatility else ""
        sides = [f"{side}{word}" for side in ("bid", "ask")]
        two = all(s in self.columns for s in sides)
        low, high = (self.numbers(s) for s in sides) if two else (None, None)
        if self.middle in self.columns:
            middle, of = self.numbers(self.middle), str(self.columns[self.middle])
        else:
            assert low is not None and high is not None
            middle, of = 0.5 * (low + high), f"mean of {self.columns[sides[0]]} and {self.columns[sides[1]]}"
        low, high = (middle if v is None else np.where(np.isfinite(v), v, middle) for v in (low, high))
        if not self.by_volatility:
            return (middle, low, high), f"premia ({of})"
        scale, word = self._unit(middle, unit)
        return (scale * middle, scale * low, scale * high), f"volatilities in {word} ({of})"

    def _unit(self, middle: np.ndarray, unit: str | None) -> tuple[float, str]:
        if unit not in (None, "percent", "fraction"):
            raise ValueError(f"quotes.unit: expected percent or fraction, got {unit!r}")
        typical = float(np.nanmedian(middle)) if np.isfinite(middle).any() else np.nan
        if unit is None and 1.5 < typical < 4.0:
            raise ValueError(
                f"quotes: {self.name}: a volatility of {typical:.3g} is {typical:.3g} % or {100.0 * typical:.3g} %; "
                "say which by quotes.unit=percent or quotes.unit=fraction"
            )
        percent = unit == "percent" or (unit is None and typical >= 4.0)
        return (0.01, "percent") if percent else (1.0, "fractions")

    def rows(self, keep: np.ndarray, years: np.ndarray, prices: tuple[np.ndarray, ...], spot: float) -> tuple[_Rows, str]:
        """(the rows kept, in volatilities; where their forwards come from)."""
        years, strike = years[keep], self.numbers("strike")[keep]
        middle, low, high = (v[keep] for v in prices)
        kind = self._kinds()[keep]
        forward, discount, said = self._forwards(keep, years, strike, spot, np.where(kind == 0, np.nan, middle), kind)
        if not self.by_volatility:
            k, start = np.log(strike / forward), 0.3 * np.sqrt(years)
            calls = [v / (discount * forward) + np.where(kind < 0, 1.0 - np.exp(k), 0.0) for v in (middle, low, high)]
            middle, low, high = (arbitrage.total_volatility(k, np.maximum(c, np.maximum(1.0 - np.exp(k), 0.0)), start) / np.sqrt(years) for c in calls)
        return _Rows(years, strike, forward, middle, np.minimum(low, middle), np.maximum(high, middle), kind), said

    def _kinds(self) -> np.ndarray:
        if "kind" not in self.columns:
            return np.zeros(len(self.frame))
        first = self.frame[self.columns["kind"]].astype(str).str.strip().str.lower().str.slice(0, 1).map({"c": 1.0, "p": -1.0})
        if first.isna().any():
            k = int(np.argmax(first.isna()))
            heading = self.columns["kind"]
            raise ValueError(f"quotes: {self.name} row {k + 2} column {heading}: expected call or put, got {self.frame[heading].iloc[k]!s}")
        return first.to_numpy(float)

    def _forwards(
        self, keep: np.ndarray, years: np.ndarray, strike: np.ndarray, spot: float, price: np.ndarray, kind: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, str]:
        """(forward, discount, in words) by row."""
        known = {what: self.numbers(what)[keep] for what in ("zero_rate", "forward") if what in self.columns}
        forward, discount = np.full(years.size, np.nan), np.full(years.size, np.nan)
        for t in np.unique(years):
            here = years == t
            one = {}
            for what, values in known.items():
                found = np.unique(values[here])
                if found.size != 1 or not np.isfinite(found[0]):
                    raise ValueError(f"quotes: {self.name} at {365.0 * t:g} days: expected one {self.columns[what]}, got {found.tolist()}")
                one[what] = float(found[0])
            given = np.exp(-one["zero_rate"] * t) if "zero_rate" in one else None
            if self.by_volatility and not known:
                raise ValueError(f"quotes: {self.name}: expected a column of zero_rate or forward, or premia of calls and puts to imply it, got none")
            if "forward" in one or (given is not None and self.by_volatility):
                forward[here] = one.get("forward", spot / given if given is not None else np.nan)
                discount[here] = given if given is not None else spot / forward[here]
                continue
            forward[here], discount[here] = self._parity(t, strike[here], price[here], kind[here], given)
        if "forward" in known:
            return forward, discount, f"forwards as given ({self.columns['forward']})"
        if self.by_volatility:
            return forward, discount, f"forwards from {self.columns['spot']} and {self.columns['zero_rate']}"
        return forward, discount, "forwards by parity" + ("" if "zero_rate" in known else ", and the discount")

    def _parity(self, years: float, strike: np.ndarray, price: np.ndarray, kind: np.ndarray, discount: float | None) -> tuple[float, float]:
        """(forward, discount) by C - P = D (F - K) at the strikes where the two are nearest."""
        both = np.intersect1d(strike[kind > 0], strike[kind < 0])
        gap = np.array([price[(strike == k) & (kind > 0)].mean() - price[(strike == k) & (kind < 0)].mean() for k in both])
        near = np.argsort(np.abs(gap))[:_PARITY_STRIKES]
        if near.size < (1 if discount is not None else 3):
            raise ValueError(
                f"quotes: {self.name} at {365.0 * years:g} days: expected a forward, or a zero_rate and a call and a put of one strike, or those of three "
                f"strikes to imply both by parity, got {near.size}"
            )
        if discount is not None:
            return float(np.median(both[near] + gap[near] / discount)), discount
        slope, level = np.polyfit(both[near], gap[near], 1)
        if not (-1.3 < slope < -0.3 and level > 0.0):
            raise ValueError(f"quotes: {self.name} at {365.0 * years:g} days: expected calls less puts that fall with the strike, got a slope of {slope:.3g}")
        return float(-level / slope), float(-slope)


def _one_a_strike(rows: _Rows, spot: float, name: str) -> tuple[Quotes, str]:
    """(one quote a strike and expiry, in words): of a call and a put the one out of the money; where it is not said which is which, their mean."""
    pairs, inverse = np.unique(np.stack([rows.years, rows.strike], axis=1), axis=0, return_inverse=True)
    inverse = inverse.ravel()
    first = np.unique(inverse, return_index=True)[1]
    picked, apart, chosen = [], 0.0, 0
    for g in inverse[np.sort(first)]:  # in the order of the file
        at = np.flatnonzero(inverse == g)
        most = 2 if at.size == 2 and (not rows.kind[at].any() or rows.kind[at].sum() == 0.0) else 1
        if at.size > most:
            raise ValueError(
                f"quotes: {name} at {365.0 * rows.years[at[0]]:g} days: expected each strike once, or as a call and a put, got "
                f"{rows.strike[at[0]]:g} {at.size} times"
            )
        if at.size == 2 and rows.kind[at].any():
            out = 1.0 if rows.strike[at[0]] >= rows.forward[at[0]] else -1.0
            at, chosen = at[rows.kind[at] == out], chosen + 1
        if at.size == 2:
            apart = max(apart, float(np.ptp(rows.middle[at])))
        picked.append((rows.years[at[0]], rows.strike[at[0]], rows.forward[at[0]], rows.middle[at].mean(), rows.low[at].min(), rows.high[at].max()))
    years, strike, forward, middle, low, high = np.array(picked).T
    band = bool((high > low).any())
    said = f", two rows a strike averaged (apart by at most {100.0 * apart:.2g} points)" if apart > 0.0 else ""
    said += f", the option out of the money at {chosen} strikes with a call and a put" if chosen else ""
    said += ", with bid and ask" if band and not apart else ""
    return Quotes(years, strike, forward, middle, spot, name, low if band else None, high if band else None), said
