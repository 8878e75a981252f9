"""Every figure that can be a goal or a constraint, by name.

Wealth W is final over starting wealth, A that of the benchmark, R = e^{rT} that of cash, F the floor; all over the whole horizon of T years, means
over paths. ``measure(name, setting)`` makes one; a name with a number, as ``p20`` or ``cvar_95``, stands for all of its kind.

| name | figure |
|---|---|
| ``mean_return``, ``annualised_return`` | E W - 1; (E W)^{1/T} - 1 |
| ``difference``, ``difference_at_equal_leverage`` | E[W - A]; E[W - A(e)], A held at the book's mean exposure e (``at_exposure``) |
| ``mean_shortfall``, ``squared_shortfall`` | E max(F - W, 0); E max(F - W, 0)^2 |
| ``breach_at_end``, ``breach_any_day`` (``breach``), ``ruined`` | P(W < F); P(wealth < F on any date); P(wealth <= 0 on any date) |
| ``p<k>``, ``p<k>_year_<n>`` | k-th percentile of W; of wealth at a year's end over its start |
| ``lowest_p<k>`` | k-th percentile of the lowest wealth: the floor kept on 100 - k % of paths |
| ``cvar_<k>`` | mean loss 1 - W of the worst 100 - k % of paths (Rockafellar & Uryasev 2000) |
| ``cdar_<k>`` | mean largest drawdown of the worst 100 - k % (Chekhlov, Uryasev & Zabarankin 2005, of the maximum) |
| ``entropic_<a>``, ``power_<g>`` | certainty equivalent - 1 of -e^{-a W}; of W^{1-g} / (1-g), the logarithm for g = 1 |
| ``mean_variance_<l>`` | E W - 1 - l/2 Var W |
| ``deviation`` | sd(W) / sqrt(T) |
| ``sharpe``, ``sortino`` | E[W - R] over sd(W), over sqrt(E min(W - R, 0)^2); a year: over sqrt(T) |
| ``information_ratio``, ``tracking_error`` | E[W - A] / sd(W - A) / sqrt(T); sd(W - A) / sqrt(T) |
| ``omega`` | E max(W - R, 0) / E max(R - W, 0) (Keating & Shadwick 2002) |
| ``upside_capture`` | E[W - 1; A > 1] / E[A - 1; A > 1] |
| ``volatility_deviation``, ``share_in_band`` | of the 3-month volatility along a path (``engine.RollingVolatility``) |
| ``cost``, ``cost_<kind>``, ``turnover``, ``exposure``, ``drawdown``, ``volatility`` | means of outcomes |
"""

import math
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from mcengine._spelling import near
from mcengine.engine import RollingVolatility
from mcengine.objective.measure import Measure, Own
from mcengine.objective.setting import Setting
from mcengine.statistics import Figure, Outcomes, estimate
from mcengine.statistics.figure import path_weights

QUARTER = 0.25
"""Years of the window of a rolling volatility."""
LEAST = 1e-6
"""Of wealth, below which a utility is that of this: no rule is so bad that it needs telling apart."""


def measure(name: str, setting: Setting) -> Measure:
    """The measure of a name.

    Args:
        name: Of the list above.
        setting: Of the study.

    Raises:
        ValueError: For an unknown name, with the near ones, or one that the study has no outcomes for.
    """
    for pattern, make in PATTERNS.items():
        found = re.fullmatch(pattern, name)
        if found is not None:
            return replace(make(name, setting, *(float(group) for group in found.groups())), origin=setting)
    if name.startswith("cost_") and name.removeprefix("cost_") in setting.costs:
        return replace(_outcome(name, name), origin=setting)
    known = [*NAMES, *(f"cost_{kind}" for kind in setting.costs)]
    raise ValueError(f"unknown figure {name!r}{near(name, known)}")


def _mean(key: str, column: Callable[[Own], Any], needs: tuple[str, ...] = ("wealth",), **more: Any) -> Measure:
    return Measure(key, lambda o, _: (column(o),), needs=needs, **more)


def _outcome(key: str, outcome: str, **more: Any) -> Measure:
    return Measure(key, lambda o, _: (o[outcome],), needs=(outcome,), plain=True, **more)


def _positive(x: Any) -> Any:
    return x.__array_namespace__().maximum(x, 0.0)


def _return(key: str, s: Setting) -> Measure:
    return _mean(key, lambda o: o["wealth"] - 1.0, annual=1.0 / s.years)


def _annualised(key: str, s: Setting) -> Measure:
    return Measure(key, lambda o, _: (o["wealth"],), combine=lambda m: math.copysign(abs(m) ** (1.0 / s.years), m) - 1.0)


def _difference(key: str, s: Setting) -> Measure:
    return Measure(key, lambda o, a: (_wide(o["wealth"]) - a["wealth"],), of_benchmark=("wealth",), annual=1.0 / s.years)


def _equal_leverage(key: str, s: Setting) -> Measure:
    def columns(o: Own, a: Own) -> tuple[Any, ...]:
        # The mean over the paths at hand is part of the column: so its derivative is too.
        return (o["wealth"] - at_exposure(a, o["exposure"].mean(), s.rate, s.years),)

    def figure(book: str, benchmark: str) -> Figure:
        def adapt(outcomes: Outcomes) -> Callable[[Outcomes], np.ndarray]:
            exposure = estimate.mean(outcomes[book]["exposure"], weights=path_weights(outcomes)).value
            return lambda o: o[book]["wealth"] - at_exposure(o[benchmark], exposure, s.rate, s.years)

        return Figure(adapt=adapt)

    reads = ("wealth", "exposure")
    return Measure(key, columns, needs=reads, of_benchmark=("wealth", "volatility"), own_figure=figure, annual=1.0 / s.years)


def at_exposure(a: Own, exposure: Any, rate: float, years: float) -> Any:
    """A(e), the benchmark held at a constant fraction e and the rest in cash: no second run. A benchmark that was ruined counts as worth nothing.

    ln A(e) = e ln A + (1 - e)(r T + e QV / 2) with QV the realised variance of the benchmark's returns (Ito; exact in continuous time, and to O(dt)
    on dates). The error of a mean exposure e is left out.

    Args:
        a: Outcomes of the benchmark.
        exposure: e.
        rate: r, annual, continuously compounded.
        years: T, to the horizon.
    """
    xp = a["wealth"].__array_namespace__()
    variation = xp.square(_wide(a["volatility"])) * years
    gone = a["wealth"] <= 0.0
    growth = xp.log(_wide(xp.where(gone, 1.0, a["wealth"])))
    scaled = exposure * growth + (1.0 - exposure) * (rate * years + 0.5 * exposure * variation)
    return xp.where(gone, 0.0, xp.exp(xp.where(gone, 0.0, scaled)))


def _wide(x: Any) -> Any:
    """In float64 on the host, where a sum is taken."""
    return x.astype(np.float64) if isinstance(x, np.ndarray) else x


def _shortfall(key: str, s: Setting) -> Measure:
    return _mean(key, lambda o: _positive(s.floor - o["wealth"]))


def _squared_shortfall(key: str, s: Setting) -> Measure:
    return _mean(key, lambda o: _positive(s.floor - o["wealth"]) ** 2)


def _below(outcome: str, level: Callable[[Setting], float]) -> Callable[[str, Setting], Measure]:
    return lambda key, s: Measure(key, lambda o, _: (o[outcome],), "probability", level(s), needs=(outcome,))


def _percentile(key: str, s: Setting, k: float, year: float | None = None) -> Measure:
    if year is not None and year != int(year):
        raise ValueError(f"{key}: expected a year that is a whole number, got {year:g}")
    outcome = "wealth" if year is None else f"year_{year:.0f}"
    if year is not None and not 1 <= year <= s.yearly:
        raise ValueError(f"{key}: expected one of {s.yearly} whole years that end on a step, got year {year:.0f}")
    return Measure(key, lambda o, _: (o[outcome],), "quantile", _share(key, k), needs=(outcome,), plain=True)


def _lowest(key: str, s: Setting, k: float) -> Measure:
    return Measure(key, lambda o, _: (o["lowest"],), "quantile", _share(key, k), needs=("lowest",), plain=True)


def _cvar(key: str, s: Setting, k: float) -> Measure:
    return Measure(key, lambda o, _: (o["wealth"] - 1.0,), "tail_mean", 1.0 - _share(key, k), factor=-1.0)


def _cdar(key: str, s: Setting, k: float) -> Measure:
    return Measure(key, lambda o, _: (-o["drawdown"],), "tail_mean", 1.0 - _share(key, k), factor=-1.0, needs=("drawdown",))


def _entropic(key: str, s: Setting, a: float) -> Measure:
    _above_zero(key, a)
    return Measure(key, lambda o, _: (o["wealth"].__array_namespace__().exp(-a * (o["wealth"] - 1.0)),), combine=lambda m: -math.log(m) / a)


def _power(key: str, s: Setting, g: float) -> Measure:
    if g == 1.0:
        return Measure(key, lambda o, _: (_log(o["wealth"]),), combine=lambda m: math.exp(m) - 1.0)
    exponent = 1.0 - g
    column = lambda o: o["wealth"].__array_namespace__().exp(exponent * _log(o["wealth"]))  # noqa: E731
    return Measure(key, lambda o, _: (column(o),), combine=lambda m: m ** (1.0 / exponent) - 1.0)


def _mean_variance(key: str, s: Setting, aversion: float) -> Measure:
    return _moments(key, lambda o, a: o["wealth"] - 1.0, lambda m, v: m - 0.5 * aversion * v)


def _log(x: Any) -> Any:
    np_ = x.__array_namespace__()
    return np_.log(np_.maximum(x, LEAST))


def _moments(key: str, column: Callable[[Own, Own], Any], of: Callable[[float, float], float], benchmark: bool = False) -> Measure:
    """``of(mean, variance)`` of one column."""

    def columns(o: Own, a: Own) -> tuple[Any, ...]:
        x = column(o, a)
        return x, x * x

    return Measure(key, columns, combine=lambda m, square: of(m, max(square - m * m, 1e-18)), of_benchmark=("wealth",) if benchmark else ())


def _sharpe(key: str, s: Setting) -> Measure:
    return _moments(key, lambda o, a: o["wealth"] - s.cash, lambda m, v: m / math.sqrt(v * s.years))


def _sortino(key: str, s: Setting) -> Measure:
    columns = lambda o, _: (o["wealth"] - s.cash, _positive(s.cash - o["wealth"]) ** 2)  # noqa: E731
    return Measure(key, columns, combine=lambda m, below: m / math.sqrt(max(below, 1e-18) * s.years))


def _information(key: str, s: Setting) -> Measure:
    return _moments(key, lambda o, a: o["wealth"] - a["wealth"], lambda m, v: m / math.sqrt(v * s.years), benchmark=True)


def _tracking(key: str, s: Setting) -> Measure:
    return _moments(key, lambda o, a: o["wealth"] - a["wealth"], lambda m, v: math.sqrt(v / s.years), benchmark=True)


def _omega(key: str, s: Setting) -> Measure:
    columns = lambda o, _: (_positive(o["wealth"] - s.cash), _positive(s.cash - o["wealth"]))  # noqa: E731
    return Measure(key, columns, combine=lambda up, down: up / max(down, 1e-18))


def _upside(key: str, s: Setting) -> Measure:
    def columns(o: Own, a: Own) -> tuple[Any, ...]:
        rose = a["wealth"] > 1.0
        return (o["wealth"] - 1.0) * rose, (a["wealth"] - 1.0) * rose

    return Measure(key, columns, combine=lambda own, theirs: own / max(theirs, 1e-18), of_benchmark=("wealth",))


def _stability(outcome: str) -> Callable[[str, Setting], Measure]:
    def make(key: str, s: Setting) -> Measure:
        window = max(2, round(QUARTER * s.steps / s.years))
        if window > s.steps:
            raise ValueError(f"{key}: expected a horizon of three months or more, got {s.years:g} years")
        if outcome == "share_in_band" and s.band is None:
            raise ValueError(f"{key}: expected a band of volatility, as band=[0.08,0.12], got none")
        low, high = s.band or (0.0, 1.0)
        return _outcome(key, outcome, recorders=(RollingVolatility(window, low, high),))

    return make


def _cost(key: str, s: Setting) -> Measure:
    names = tuple(f"cost_{kind}" for kind in s.costs)
    return _mean(key, lambda o: sum((o[name] for name in names[1:]), start=o[names[0]]), names, annual=1.0 / s.years)


def _share(key: str, k: float) -> float:
    if not 0.0 < k < 100.0:
        raise ValueError(f"{key}: expected a percentage above 0 and below 100, got {k:g}")
    return k / 100.0


def _above_zero(key: str, x: float) -> None:
    if not x > 0.0:
        raise ValueError(f"{key}: expected a number above 0, got {x:g}")


_NUMBER = r"(\d+(?:\.\d+)?)"
_NAMED: dict[str, Callable[..., Measure]] = {
    "mean_return": _return,
    "annualised_return": _annualised,
    "difference": _difference,
    "difference_at_equal_leverage": _equal_leverage,
    "mean_shortfall": _shortfall,
    "squared_shortfall": _squared_shortfall,
    "breach_at_end": _below("wealth", lambda s: s.floor),
    "breach_any_day": _below("lowest", lambda s: s.floor),
    "breach": lambda key, s: _below("lowest", lambda s: s.floor)("breach_any_day", s),
    "ruined": _below("lowest", lambda s: float(np.nextafter(np.float32(0.0), np.float32(1.0)))),
    "deviation": lambda key, s: _moments(key, lambda o, a: o["wealth"], lambda m, v: math.sqrt(v / s.years)),
    "sharpe": _sharpe,
    "sortino": _sortino,
    "information_ratio": _information,
    "omega": _omega,
    "tracking_error": _tracking,
    "upside_capture": _upside,
    "volatility_deviation": _stability("volatility_deviation"),
    "share_in_band": _stability("share_in_band"),
    "cost": _cost,
    **{name: lambda key, s, name=name: _outcome(key, name) for name in ("turnover", "exposure", "drawdown", "volatility")},
}
_OF_A_NUMBER: dict[str, Callable[..., Measure]] = {
    "p<k>": _percentile,
    "p<k>_year_<n>": _percentile,
    "lowest_p<k>": _lowest,
    "cvar_<k>": _cvar,
    "cdar_<k>": _cdar,
    "entropic_<a>": _entropic,
    "power_<g>": _power,
    "mean_variance_<l>": _mean_variance,
}
NAMES = (*_NAMED, *_OF_A_NUMBER)
"""Of all figures, a number they take as a letter in brackets."""
PATTERNS = _NAMED | {re.sub(r"<\w>", lambda _: _NUMBER, name): make for name, make in _OF_A_NUMBER.items()}
