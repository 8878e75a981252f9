"""Option quotes of one day as a surface: one volatility a strike and expiry, of calls and puts, volatilities or premia, mid or bid and ask.

Where a file gives no forward, it and the discount D are those of parity in each expiry, C - P = D (F - K): a line through the strikes whose calls and
puts are nearest in price. Of a call and a put at one strike the one out of the money is kept.
"""

from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mcengine.calibrate import arbitrage
from mcengine.calibrate.quote_file import QuoteFile
from mcengine.market import HullWhite

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
    file = QuoteFile(source, date)
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
    rows, said_forward = _rows(file, keep, numbers, prices, spot)
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


def _rows(file: QuoteFile, keep: np.ndarray, years: np.ndarray, prices: tuple[np.ndarray, ...], spot: float) -> tuple[_Rows, str]:
    """(the rows kept, in volatilities; where their forwards come from)."""
    years, strike = years[keep], file.numbers("strike")[keep]
    middle, low, high = (v[keep] for v in prices)
    kind = file.kinds()[keep]
    forward, discount, said = _forwards(file, keep, years, strike, spot, np.where(kind == 0, np.nan, middle), kind)
    if not file.by_volatility:
        k, start = np.log(strike / forward), 0.3 * np.sqrt(years)
        calls = [v / (discount * forward) + np.where(kind < 0, 1.0 - np.exp(k), 0.0) for v in (middle, low, high)]
        middle, low, high = (arbitrage.total_volatility(k, np.maximum(c, np.maximum(1.0 - np.exp(k), 0.0)), start) / np.sqrt(years) for c in calls)
    return _Rows(years, strike, forward, middle, np.minimum(low, middle), np.maximum(high, middle), kind), said


def _forwards(
    file: QuoteFile, keep: np.ndarray, years: np.ndarray, strike: np.ndarray, spot: float, price: np.ndarray, kind: np.ndarray
) -> tuple[np.ndarray, np.ndarray, str]:
    """(forward, discount, in words) by row."""
    known = {what: file.numbers(what)[keep] for what in ("zero_rate", "forward") if what in file.columns}
    if file.by_volatility and not known:
        raise ValueError(f"quotes: {file.name}: expected a column of zero_rate or forward, or premia of calls and puts to imply it, got none")
    forward, discount = np.full(years.size, np.nan), np.full(years.size, np.nan)
    for t in np.unique(years):
        here = years == t
        one = {what: _single(file, what, values[here], t) for what, values in known.items()}
        given = float(np.exp(-one["zero_rate"] * t)) if "zero_rate" in one else None
        if "forward" in one:
            forward[here], discount[here] = one["forward"], spot / one["forward"] if given is None else given
        elif given is not None and file.by_volatility:
            forward[here], discount[here] = spot / given, given
        else:
            forward[here], discount[here] = _parity(file.name, t, strike[here], price[here], kind[here], given)
    if "forward" in known:
        return forward, discount, f"forwards as given ({file.columns['forward']})"
    if file.by_volatility:
        return forward, discount, f"forwards from {file.columns['spot']} and {file.columns['zero_rate']}"
    return forward, discount, "forwards by parity" + ("" if "zero_rate" in known else ", and the discount")


def _single(file: QuoteFile, what: str, values: np.ndarray, years: float) -> float:
    found = np.unique(values)
    if found.size != 1 or not np.isfinite(found[0]):
        raise ValueError(f"quotes: {file.name} at {365.0 * years:g} days: expected one {file.columns[what]}, got {found.tolist()}")
    return float(found[0])


def _parity(name: str, years: float, strike: np.ndarray, price: np.ndarray, kind: np.ndarray, discount: float | None) -> tuple[float, float]:
    """(forward, discount) by C - P = D (F - K) at the strikes where the two are nearest."""
    both = np.intersect1d(strike[kind > 0], strike[kind < 0])
    gap = np.array([price[(strike == k) & (kind > 0)].mean() - price[(strike == k) & (kind < 0)].mean() for k in both])
    near = np.argsort(np.abs(gap))[:_PARITY_STRIKES]
    if near.size < (1 if discount is not None else 3):
        raise ValueError(
            f"quotes: {name} at {365.0 * years:g} days: expected a forward, or a zero_rate and a call and a put of one strike, or those of three "
            f"strikes to imply both by parity, got {near.size}"
        )
    if discount is not None:
        return float(np.median(both[near] + gap[near] / discount)), discount
    slope, level = np.polyfit(both[near], gap[near], 1)
    if not (-1.3 < slope < -0.3 and level > 0.0):
        raise ValueError(f"quotes: {name} at {365.0 * years:g} days: expected calls less puts that fall with the strike, got a slope of {slope:.3g}")
    return float(-level / slope), float(-slope)


def _one_a_strike(rows: _Rows, spot: float, name: str) -> tuple[Quotes, str]:
    """(one quote a strike and expiry, in words): of a call and a put the one out of the money; where it is not said which is which, their mean."""
    inverse = np.unique(np.stack([rows.years, rows.strike], axis=1), axis=0, return_inverse=True)[1].ravel()
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
