"""How often rows come, from their dates: what a year is of any annual figure."""

import numpy as np

USUAL = {"trading days": 252, "weekdays": 261, "all days of the week": 365, "weekly": 52, "monthly": 12, "quarterly": 4, "yearly": 1}
"""Rows a year by name."""

_NEAR = 0.025  # of a usual number of rows a year: holidays, and years begun
_YEAR, _WEEKDAYS = 365.25, 365.25 * 5.0 / 7.0


def rows_per_year(days: np.ndarray) -> float:
    """Rows a year on average: over the time between the first and the last, of less than a year of weekdays over the weekdays between them.

    Args:
        days: Dates in order [rows].
    """
    days = days.astype("datetime64[D]")
    rows, span = len(days) - 1, int((days[-1] - days[0]).astype(int))
    weekday = (days.astype(int) + 3) % 7  # 1970 began on a Thursday
    if span < _YEAR and np.median(np.diff(days).astype(int)) == 1.0 and (weekday < 5).all():
        return rows / int(np.busday_count(days[0], days[-1])) * _WEEKDAYS
    return rows / (span / _YEAR)


def called(rate: float) -> str:
    """What rows of so many a year are called.

    Args:
        rate: Rows a year.
    """
    name = min(USUAL, key=lambda n: abs(np.log(rate / USUAL[n])))
    if name in ("trading days", "weekdays") and 200.0 < rate < 300.0:
        return "daily"
    return name if abs(rate / USUAL[name] - 1.0) < 4.0 * _NEAR else "irregular"


def steps_per_year(rate: float) -> int:
    """Steps of one row each that make a year: the usual number where ``rate`` is near one, else ``rate`` rounded.

    Args:
        rate: Rows a year.
    """
    usual = min(USUAL.values(), key=lambda n: abs(np.log(rate / n)))
    return usual if abs(rate / usual - 1.0) < _NEAR else max(1, round(rate))


def check_even(days: np.ndarray, name: str) -> None:
    """Raise ``ValueError`` where rows come twice as often in one half of them as in the other: then no number of rows a year fits both."""
    if len(days) < 40:
        return
    middle = len(days) // 2
    rates = [float(np.median(np.diff(half).astype("timedelta64[D]").astype(int))) for half in (days[:middle], days[middle:])]
    if max(rates) > 2.0 * min(rates):
        shown = [f"{rate:g}" for rate in rates]
        raise ValueError(
            f"data: {name}: expected rows at one interval, got one in {shown[0]} days until {days[middle]} or so and one in {shown[1]} after it; "
            "choose by start= or end="
        )
