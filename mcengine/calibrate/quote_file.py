"""A file of option quotes as people have them: which of its columns is what, in which units, and dates of one form.

Nothing is guessed without a word: what was taken for what is said, and where two readings fit the file is refused.
"""

import re
from io import StringIO
from typing import Any

import numpy as np

from mcengine._noted import note_file

_COLUMNS = {
    "days": "days dte daystoexpiry daystoexpiration daystomaturity",
    "years": "years t tau timetoexpiry yearstoexpiry",
    "expiry": "expiry expiration expirationdate expirydate expiredate expdate exdate maturity maturitydate",
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


class QuoteFile:
    """The table, and which of its columns is what."""

    def __init__(self, source: Any, date: str | None) -> None:
        import pandas as pd

        content = source.read_bytes()
        note_file(source, content)
        text = content.decode("utf-8-sig", errors="replace")
        head = text.partition("\n")[0]
        separator = max(",;\t", key=head.count)
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
        self.by_volatility = has("volatility") or (has("bid_volatility") and has("ask_volatility"))
        self.middle = "volatility" if self.by_volatility else "price"
        missing = [what for what in ("strike", "spot") if not has(what)]
        missing += [] if self.expiry else ["days (or years, or expiry as a date)"]
        if not self.by_volatility and not (has("price") or (has("bid") and has("ask"))):
            missing.append("implied_vol (or bid_vol and ask_vol, or price, or bid and ask, with the type of option)")
        if missing:
            raise ValueError(f"quotes: {self.name} lacks columns {', '.join(missing)}")
        if not self.by_volatility and not has("kind"):
            raise ValueError(f"quotes: {self.name}: expected a column type, call or put, beside premia, got none")

    def numbers(self, what: str) -> np.ndarray:
        """A column's, NaN where there is none; percent signs and separators of thousands are dropped."""
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
        """The one spot."""
        spots = self.numbers("spot")
        found = np.unique(spots[np.isfinite(spots)])
        if found.size != 1 or found[0] <= 0.0:
            raise ValueError(f"quotes: {self.name}: expected one spot above 0, got {found.size if found.size != 1 else found[0]}")
        return float(found[0])

    def years(self, days_a_year: float) -> tuple[np.ndarray, str]:
        """(years to expiry by row, in words)."""
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

        text = column.astype(str).str.strip().str.replace(r"^(\d{4}-\d\d-\d\d)[T ].*|\.0$", r"\1", regex=True)
        read = {form: pd.to_datetime(text, format=form, errors="coerce") for form in _DATES}
        forms = [form for form, dates in read.items() if dates.notna().all()]
        if not forms:
            raise ValueError(f"quotes: {self.name} column {heading}: expected dates of one form such as 2002-07-05, got {text.iloc[0]!r}")
        if len(forms) > 1 and not read[forms[0]].equals(read[forms[1]]):
            two = " or ".join(f"{read[form].iloc[0]:%Y-%m-%d}" for form in forms[:2])
            raise ValueError(f"quotes: {self.name} column {heading}: {text.iloc[0]!r} is {two}, and all rows fit both; write dates as 2002-07-05")
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
            assert low is not None
            assert high is not None
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

    def kinds(self) -> np.ndarray:
        """1 for a call, -1 for a put, 0 where it is not said."""
        if "kind" not in self.columns:
            return np.zeros(len(self.frame))
        first = self.frame[self.columns["kind"]].astype(str).str.strip().str.lower().str.slice(0, 1).map({"c": 1.0, "p": -1.0})
        if first.isna().any():
            k = int(np.argmax(first.isna()))
            heading = self.columns["kind"]
            raise ValueError(f"quotes: {self.name} row {k + 2} column {heading}: expected call or put, got {self.frame[heading].iloc[k]!s}")
        return first.to_numpy(float)
