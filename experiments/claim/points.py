"""The claim at many points: assumptions and the book's own numbers as array leaves, so that hundreds of points are one program; where the line of the
claim lies among them; what history offered.
"""

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np

import mcengine as mc
from claim.books import CLAIMED, EVENT, READINGS, STEPS_PER_YEAR, Assumptions, Terms, at_exposure, books, figures, study
from mcengine._model import field_metadata, parameters, with_parameters
from mcengine.statistics import Estimate, Sampling, estimate

MOVED = ("event_overlay.vega", "hedge_band.width", "band.tolerance")
"""The book's own numbers that a point may have in place of its terms'."""


@dataclass(frozen=True)
class Point:
    """A point at which books are valued: assumptions, and numbers of the book in place of its terms'."""

    given: Assumptions
    book: Mapping[str, float] = field(default_factory=dict)


def numbers(base: mc.Study, point: Point) -> dict[str, float]:
    """Numbers of a study at a point, by dotted name. All are array leaves, the same ones at every point: any points are one program.

    The surface's variance at the money is that of the paths over vix_over_atm^2. Costs grow by the prices of the ledger, not by its terms (what
    a market trades in a day, the least that counts as a trade).
    """
    given, known = point.given, {name: float(value) for name, value in parameters(base).items() if np.ndim(value) == 0}
    out = {"pricers.equity.vix_over_atm": given.variance**-0.5, "pricers.equity.skew": given.skew} if base.pricers else {}
    out["market.equity.drift"] = known["market.equity.drift"] + given.drift
    out |= {name: given.event for name in known if name.startswith("market.events.") and name.endswith(".variance_premium")}
    prices = [name for name in known if name.startswith("costs.") and not field_metadata(base, name).get("term", False)]
    out |= {name: known[name] * given.cost for name in prices}
    out |= {name: value * given.leverage for name, value in known.items() if ".mix.weights." in name}
    out |= {name: value for name, value in known.items() if name.endswith(tuple(f".{one}" for one in MOVED))}
    return out | {name: value for end, value in point.book.items() for name in known if name.endswith(f".{end}")}


def under(base: mc.Study, given: Assumptions) -> mc.Study:
    """The study under some assumptions."""
    return with_parameters(base, numbers(base, Point(given)))


def evaluate(base: mc.Study, points: Sequence[Point], names: Sequence[str], paths: int, floor: float, seed: int = 0) -> list[dict[str, Any]]:
    """By point and book the ``figures``, on common paths. Two programs, one for the books and one for their benchmarks, whatever the points."""
    alone = mc.replace(base, policy={name: base.books[name] for name in names})
    own = mc.engine.grid(alone, _columns([numbers(alone, point) for point in points]), paths, seed=seed)
    there = [at_exposure(result, names) for result in own]
    mixes = [numbers(one, Point(Assumptions())) for one in there]
    shared = [
        {key: value for key, value in numbers(one.study, Point(Assumptions())).items() if key in mixes[0] and "weights" not in key} for one in own
    ]
    theirs = mc.engine.grid(there[0], _columns([{**a, **b} for a, b in zip(mixes, shared, strict=True)]), paths, seed=seed)
    return [{name: figures(a, b, name, floor) for name in names} for a, b in zip(own, theirs, strict=True)]


def evaluated(
    base: mc.Study,
    points: Sequence[Point],
    paths: int,
    floor: float,
    *,
    names: Sequence[str] = tuple(READINGS),
    size: int = 16,
    seed: int = 0,
    recall: Callable[[Any], Any] | None = None,
) -> Any:
    """A table, a row a point and book: its assumptions, its numbers of the book, and the ``figures``.

    Points go in chunks of one size, so that all are one program; ``recall`` (a ``Journal``) keeps each chunk.
    """
    import pandas as pd

    rows = []
    for at in range(0, len(points), size):
        some = list(points[at : at + size])
        full = [*some, *[some[-1]] * (size - len(some))]
        found = (recall or (lambda compute: compute()))(lambda full=full: _as_lists(evaluate(base, full, names, paths, floor, seed)))
        for point, by_book in zip(some, found, strict=False):
            given = {one.name: getattr(point.given, one.name) for one in fields(point.given)}
            for name, values in by_book.items():
                rows.append({"book": name, **given, **point.book, **{key: Estimate(*value) for key, value in values.items()}})
    return pd.DataFrame(rows)


def map_points(variance: Sequence[float], event: Sequence[float], skew: Sequence[float], cost: Sequence[float]) -> list[Point]:
    """Each with each."""
    return [Point(Assumptions(v, e, s, c)) for c, s, v, e in itertools.product(cost, skew, variance, event)]


def line(table: Any, book: str, level: float = CLAIMED) -> Any:
    """Where the line "``level`` a year at equal exposure" lies in a map: by cost, skew and event premium the variance premium at which it is met.

    By interpolation between the two points about it; the error is that of the difference over the slope. Empty where it is met at none of them.
    """
    import pandas as pd

    rows = []
    for (cost, skew, event), some in table[table["book"] == book].groupby(["cost", "skew", "event"]):
        some = some.sort_values("variance")
        x, y, e = (
            some["variance"].to_numpy(float),
            *(np.array([getattr(one, key) for one in some["at_equal_exposure"]]) for key in ("value", "error")),
        )
        met = [k for k in range(len(x) - 1) if (y[k] - level) * (y[k + 1] - level) <= 0.0 and y[k] != y[k + 1]]
        found = None
        if met:
            k = met[0]
            slope = (y[k + 1] - y[k]) / (x[k + 1] - x[k])
            found = Estimate(float(x[k] + (level - y[k]) / slope), float(max(e[k], e[k + 1]) / abs(slope)))
        rows.append({"cost": cost, "skew": skew, "event": event, "variance": found, "at_the_lowest": some["at_equal_exposure"].iloc[0]})
    return pd.DataFrame(rows)


def slopes(table: Any, book: str) -> dict[str, float]:
    """By least squares over a map: what a difference a year changes by for 1 of each assumption, its value at fair prices without skew or costs
    (``fair``), and the share of the variance that these five numbers explain (``r2``)."""
    some = table[table["book"] == book]
    names = ["variance", "event", "skew", "cost"]
    x = np.column_stack([np.ones(len(some)), *(some[name].to_numpy(float) - (name in ("variance", "event")) for name in names)])
    y = np.array([one.value for one in some["at_equal_exposure"]])
    found, *_ = np.linalg.lstsq(x, y, rcond=None)
    rest = y - x @ found
    return {"fair": float(found[0]), **dict(zip(names, map(float, found[1:]), strict=True)), "r2": float(1.0 - rest.var() / y.var())}


def replayed(weights: Mapping[str, float], terms: Terms, costs: Any, on: Sequence[str], *, data: Any = None, years: float = 5.0) -> mc.Study:
    """The same books on history, a day between decision and trade: all windows, events on their own dates, options at the volatility implied then."""
    assets = {name: mc.history.SHIPPED[name] for name in weights}
    market = mc.market.Replay.from_history(assets, data=data, announced={EVENT: list(on)})
    return study(market, books(weights, terms, None), costs, years, delay=1)


def on_history(base: mc.Study, skews: Sequence[float], floor: float) -> tuple[Any, Any]:
    """(a table, a row a skew and book; by the day that windows start the difference of each window, % a year).

    Differences of five years have no error: windows overlap, and there are five or so that do not. ``first_year`` is the mean difference over the
    first year of each window, of which there are some twenty; its error is by the long-run variance.
    """
    import pandas as pd

    paths, years = base.available(1 << 30), float(base.years)
    own = mc.engine.grid(base, {"market.surface.skew": list(skews)}, paths)
    there = [at_exposure(result) for result in own]
    keys = [key for key in parameters(there[0]) if ".mix.weights." in key]
    theirs = mc.engine.grid(there[0], {key: [float(parameters(one)[key]) for one in there] for key in keys}, paths)
    rows, by_start = [], {}
    for skew, result, benchmark in zip(skews, own, theirs, strict=True):
        for name in result.books:
            a, b = ({key: np.asarray(values, np.float64) for key, values in one[name].items()} for one in (result, benchmark))
            each = a["wealth"] ** (1.0 / years) - b["wealth"] ** (1.0 / years)
            row = {key: one.value for key, one in figures(result, benchmark, name, floor).items()}
            first = estimate.mean(a["year_1"] - b["year_1"], Sampling("windows", base.year_steps)) if "year_1" in a else None
            more = {"worst": each.min(), "best": each.max(), "claim_met": np.mean(each >= CLAIMED), "lowest": a["lowest"].min()}
            rows.append({"skew": skew, "book": name, **row, "first_year": first, **more})
            by_start[f"{name} x{skew:g}"] = 100.0 * each
    starts = [base.market.start_date(path) for path in range(own[0].paths)]
    return pd.DataFrame(rows), pd.DataFrame(by_start, index=pd.Index(starts, name="start"))


def event_move(base: mc.Study) -> Estimate:
    """By how much equity's squared log-moves on the days of the events exceed those on others, over the whole of a study's history.

    The error is the hypotenuse of both, that of the other days by the long-run variance: volatility stays high for months.
    """
    days, events = base.market.days, np.asarray(base.market.event_rows(EVENT))
    squares = np.square(np.asarray(days.moves, np.float64)[:, days.names.index("equity")])
    on = np.zeros(len(squares), bool)
    on[events[(events > 0) & (events <= len(squares))].astype(int) - 1] = True
    first, second = estimate.mean(squares[on]), estimate.mean(squares[~on], Sampling("windows", STEPS_PER_YEAR // 4))
    return Estimate(first.value - second.value, float(np.hypot(first.error, second.error)), first.count)


def _columns(rows: Sequence[Mapping[str, float]]) -> dict[str, list[float]]:
    return {name: [row[name] for row in rows] for name in rows[0]}


def _as_lists(found: list[dict[str, dict[str, Estimate]]]) -> list[Any]:
    """As JSON keeps them."""
    return [{n: {k: [e.value, e.error, int(e.count), e.sampling] for k, e in one.items()} for n, one in by.items()} for by in found]
