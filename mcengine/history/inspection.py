"""What may be wrong with prices that were read: returns in their place, splits and changes of unit, quotes that stand still."""

from collections.abc import Collection

import numpy as np

from mcengine.history import checks, frequency
from mcengine.history.body import Body

KINDS = ("prices", "returns", "percent_returns")
_FRACTION = 0.25
"""Below it for all of history, what should be percents is likelier fractions."""

_LISTED = 3
"""Jumps of a column that have a line each."""


def inspect(body: Body, kind: str | None, adjust: bool, rate: float, levels: Collection[str]) -> tuple[dict[str, np.ndarray], list[str]]:
    """(prices, what may be wrong with them, a line each).

    Args:
        body: What was read.
        kind: Of ``KINDS``, or None.
        adjust: Whether jumps are mended.
        rate: Rows a year.
        levels: Headings of columns that are no prices.

    Raises:
        ValueError: A column has returns, it seems, where prices are expected, or returns of -100 % and below.
    """
    out: dict[str, np.ndarray] = {}
    warnings: list[str] = []
    for n, v in body.values.items():
        title = body.titles[n]
        if n in levels or title in levels:
            out[n] = v
            if 0.0 < float(np.max(v)) < _FRACTION:
                warnings.append(f"{title} is {np.max(v):g} at most, which is read as percent: a yield of 5 % is 5, a volatility of 20 % is 20")
            continue
        if kind in KINDS[1:]:
            v, said = _compounded(v, f"{body.name} column {title}", kind == "percent_returns", rate)
            warnings += said
        elif kind is None and checks.looks_like_returns(v):
            offered = "percent_returns" if checks.are_percent(v, rate) else "returns"
            raise ValueError(
                f"data: {body.name} column {title} has returns, it seems, not prices ({np.mean(v < 0.0):.0%} of {len(v):,} are below 0, "
                f"{frequency.called(rate)}): data.kind={offered} makes prices of them, data.kind=prices takes them as they are"
            )
        days = body.days if len(v) == len(body.days) else np.concatenate([body.days[:1], body.days])
        out[n], said = _mended(v, title, days, adjust)
        warnings += [*said, *_stands(out[n], title, days, rate)]
    return out, warnings


def _mended(values: np.ndarray, title: str, days: np.ndarray, adjust: bool) -> tuple[np.ndarray, list[str]]:
    """(prices, mended where ``adjust`` says so; their jumps)."""
    found = checks.jumps(values)
    said = [_jump(title, values, days, jump, adjust) for jump in found[:_LISTED]]
    if len(found) > _LISTED:
        said.append(f"{title}: {len(found) - _LISTED} more rows like that")
    return checks.mended(values, found) if adjust else values, said


def _stands(values: np.ndarray, title: str, days: np.ndarray, rate: float) -> list[str]:
    """Prices that are none, or stand still."""
    said, none, stretch = [], values <= 0.0, checks.standstill(values)
    if none.any():
        k = int(np.argmax(none))
        said.append(f"{title} is {values[k]:g} on {days[k]}, not above 0, as on {int(none.sum())} of {len(values)} days")
    if checks.still(values, rate):
        said.append(f"{title} does not move, or hardly: {values[0]:g} to {values[-1]:g}")
    elif stretch is not None:
        first, last = stretch
        said.append(f"{title} stands at {values[first]:g} for {last - first + 1} rows, from {days[first]} to {days[last]}")
    return said


def _jump(title: str, values: np.ndarray, days: np.ndarray, jump: checks.Jump, adjusted: bool) -> str:
    times = f"{jump.factor:g} times" if jump.factor > 1.0 else f"one part in {1.0 / jump.factor:g} of"
    if adjusted:
        return f"{title} on {days[jump.row]} was {times} the row before, as a split or a change of unit makes it: mended"
    return (
        f"{title} on {days[jump.row]} is some {times} the row before ({values[jump.row - 1]:g}, then {values[jump.row]:g}), "
        "as a split or a change of unit makes it; data.adjust=true mends it"
    )


def _compounded(values: np.ndarray, where: str, percent: bool, rate: float) -> tuple[np.ndarray, list[str]]:
    """(prices from 100 on, one row more than returns; what may be wrong)."""
    returns = values / 100.0 if percent else values
    if (returns <= -1.0).any():
        hint = "" if percent else "; data.kind=percent_returns, if they are percents"
        raise ValueError(f"data: {where}: expected returns above -100 %, got {returns.min():.4g} as a fraction{hint}")
    said = []
    if checks.are_percent(returns, rate):
        said = [f"{where.rpartition(' ')[2]} moves {returns.std() * rate**0.5:.0%} a year; data.kind=percent_returns, if its returns are percents"]
    return 100.0 * np.concatenate([[1.0], np.cumprod(1.0 + returns)]), said
