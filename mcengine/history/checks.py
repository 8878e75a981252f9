"""What is looked for in prices before anything is computed from them: order, holes, splits, quotes that stand still, returns in place of prices."""

from typing import NamedTuple

import numpy as np

LONGEST_HOLE = 40
"""Days without a row, of daily ones: more than a month is a gap in the data, not a holiday. Of others three rows that are missing."""

_WHOLE = (*range(2, 21), 25, 30, 40, 50, 100, 1000)
_SCALE = 1.4826  # of the median distance: a standard deviation of normals
_LEAST_JUMP, _JUMP, _USUAL = np.log(1.4), 6.0, 4.0  # the last two in standard deviations of the asset's own moves
_STILL = 10
_STANDS = 1e-5
"""Volatility a year below which prices do not move."""


class Jump(NamedTuple):
    """A row whose price is near a whole multiple, or fraction, of the one before.

    Args:
        row: Its index.
        factor: What the price was multiplied by.
    """

    row: int
    factor: float


def order(days: np.ndarray, name: str, lines: list[int], timed: bool) -> bool:
    """Whether dates run from the newest to the oldest.

    Raises:
        ValueError: They run both ways, or one comes twice; the row is named.
    """
    steps = np.diff(days).astype("timedelta64[D]").astype(int)
    backwards = int((steps < 0).sum()) > int((steps > 0).sum())
    wrong = steps >= 0 if backwards else steps <= 0
    if not wrong.any():
        return backwards
    k = int(np.argmax(wrong))
    if timed and (steps == 0).any():
        count = int(np.unique(days, return_counts=True)[1].max())
        raise ValueError(f"data: {name}: expected one row a day, got {count} on one: prices within the day; keep the last of each")
    raise ValueError(f"data: {name} row {lines[k + 1]}: expected dates in order, each once, got {days[k + 1]} after {days[k]}")


def are_a_day_early(days: np.ndarray) -> bool:
    """Whether dates fall on Sundays and on no Friday, as midnights east of Greenwich do where they are written in UTC."""
    weekday = (days.astype("datetime64[D]").astype(int) + 3) % 7  # 1970 began on a Thursday
    return len(days) >= 10 and bool((weekday == 6).any()) and not bool((weekday == 4).any())


def holes(days: np.ndarray, name: str) -> None:
    """Raise ``ValueError`` for a hole in the dates, with its ends."""
    gaps = np.diff(days).astype("timedelta64[D]").astype(int)
    most = max(LONGEST_HOLE, int(4.0 * np.median(gaps)))
    if gaps.max() > most:
        k = int(np.argmax(gaps))
        raise ValueError(
            f"data: {name} has a hole of {gaps[k]} days from {days[k]} to {days[k + 1]}; expected at most {most}: choose days by start= and end="
        )


def still(values: np.ndarray, rate: float) -> bool:
    """Whether prices do not move, or hardly.

    Args:
        values: Prices [rows].
        rate: Rows a year.
    """
    if np.ptp(values) == 0.0:
        return True
    return len(values) >= 8 and bool((values > 0.0).all()) and float(np.diff(np.log(values)).std()) * rate**0.5 < _STANDS


def looks_like_returns(values: np.ndarray) -> bool:
    """Whether a column has both signs and no memory of its level, as returns have and neither prices nor yields."""
    negative = float(np.mean(values < 0.0))
    if len(values) < 8 or not 0.1 < negative < 0.9 or values.std() == 0.0:
        return False
    centred = values - values.mean()
    return bool(np.mean(centred[1:] * centred[:-1]) < 0.5 * np.mean(centred**2))


def are_percent(returns: np.ndarray, rate: float) -> bool:
    """Whether returns are likelier percents than fractions: as fractions they would move more than 150 % a year."""
    return float(returns.std()) * rate**0.5 > 1.5


def jumps(values: np.ndarray) -> list[Jump]:
    """Rows on which a price is a whole multiple of the one before, or one part in that many, but for an ordinary move: a split or a change of unit.

    A move is a jump where it is beyond 40 % and six standard deviations of the asset's own moves (by their median, which jumps do not reach).
    """
    if not (values > 0.0).all() or len(values) < 8:
        return []
    moves = np.diff(np.log(values))
    usual = max(_SCALE * float(np.median(np.abs(moves - np.median(moves)))), 1e-3)
    whole = np.array(_WHOLE, float)
    found = []
    for k in np.flatnonzero(np.abs(moves) > max(_LEAST_JUMP, _JUMP * usual)):
        distance = np.abs(np.log(whole) - abs(moves[k]))
        nearest = int(np.argmin(distance))
        if distance[nearest] < _USUAL * usual:
            found.append(Jump(int(k) + 1, float(whole[nearest] if moves[k] > 0.0 else 1.0 / whole[nearest])))
    return found


def mended(values: np.ndarray, found: list[Jump]) -> np.ndarray:
    """Prices with all before each jump put on the scale of what follows."""
    out = values.copy()
    for jump in found:
        out[: jump.row] *= jump.factor
    return out


def standstill(values: np.ndarray) -> tuple[int, int] | None:
    """(first, last) row of the longest stretch of ten rows or more without a move."""
    same = np.concatenate([[False], np.diff(values) == 0.0, [False]])
    begins, ends = np.flatnonzero(~same[:-1] & same[1:]), np.flatnonzero(same[:-1] & ~same[1:])
    if not len(begins):
        return None
    k = int(np.argmax(ends - begins))
    return (int(begins[k]), int(ends[k])) if ends[k] - begins[k] >= _STILL - 1 else None
