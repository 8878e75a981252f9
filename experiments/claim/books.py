"""The claim under test, as plain functions of the engine: the book that is claimed, its benchmarks, what the one gains over the others.

The claim: a mix with delta-hedged equity options around a 70 % floor, more short-dated options of high vega ahead of announced events, tightened in
the rally after, beats its benchmark by 1.5 % a year while the 20th-percentile loss stays inside the floor.

A difference a year is (E W)^{1/T} - (E W_C)^{1/T} on the same paths. W_C is benchmark C, the mix that holds in every asset the book's mean exposure
(deltas of options included) on the same dates at the same costs: what is left is what the options bring, and not what more equity would have. The
error is that of the mean of (E W)^{1/T - 1} W / T - (E W_C)^{1/T - 1} W_C / T - (E W_C)^{1/T} sum_a (mu_a - r) (H_a - w_a M) / E M: the last sum
is for the exposures w_a = E H_a / E M, which are known from the same paths only (H_a held in an asset, M wealth, each a mean over dates).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np

import mcengine as mc
from mcengine import policy as rules
from mcengine.engine.recorder import DEFAULT, AbstractRecorder, Day
from mcengine.instrument import AroundEvent, RollSchedule
from mcengine.statistics import Estimate, estimate

CLAIMED = 0.015
"""A year."""
EVENT = "announced"
READINGS = {"delta_hedged": True, "locked_floor": False}
"""Both readings of the claim, and whether their options are delta hedged: what is delta hedged locks no floor."""
STEPS_PER_YEAR = 252
_LEVERAGE = 1e3  # the mix at a book's exposure may hold whatever the book did


@dataclass(frozen=True)
class Dollars(AbstractRecorder):
    """``held_<asset>``, the mean over dates of what is held in an asset, deltas of options included, and ``mean_wealth``; both over starting wealth.

    Their ratio is an exposure weighted by wealth, the one by which E W grows. A book that holds less where it is poorer would seem to beat a mix that
    holds the plain mean of its exposures: by .08 % a year for the floor that is locked, at fair prices and without costs.
    """

    needs: ClassVar[tuple[str, ...]] = ("delta",)

    def start(self, day: Day) -> dict[str, Any]:
        zero = jnp.zeros_like(day.account.wealth)
        return dict.fromkeys((*(f"held_{asset}" for asset in day.quotes), "mean_wealth"), zero)

    def step(self, state: dict[str, Any], day: Day) -> dict[str, Any]:
        delta = day.traded_greeks().delta
        today = {f"held_{asset}": delta.get(asset, 0.0) * quote.spot for asset, quote in day.earlier.items()} | {"mean_wealth": day.wealth_before}
        return {name: total + today[name] for name, total in state.items()}

    def finish(self, state: dict[str, Any], day: Day) -> dict[str, Any]:
        return {name: total / (day.steps * day.start_wealth) for name, total in state.items()}


@dataclass(frozen=True)
class Terms:
    """Of the book that is claimed.

    Args:
        floor: Strike of the puts over the spot, and floor of the claim over the starting wealth.
        coverage: Puts for each unit of equity.
        tenor: Steps to the expiry of the puts from an event's date, on which they are struck higher where the spot has risen.
        vega: Of the straddles over an event: gain for a volatility higher by 1 and a move of 1, fraction of wealth (see ``EventOverlay``).
        before: Steps from their purchase to the event, on whose date they are sold.
        expiry: Steps from their purchase to their expiry.
        move: Log-move of equity that an event is reckoned with.
        band: No-trade band of the mix, fraction of wealth; benchmarks have it too.
        hedge_band: Of the delta hedge, fraction of wealth.
    """

    floor: float = 0.7
    coverage: float = 1.0
    tenor: int = 126
    vega: float = 5.0
    before: int = 5
    expiry: int = 10
    move: float = 0.01
    band: float = 0.0
    hedge_band: float = 0.0


@dataclass(frozen=True)
class Assumptions:
    """What the claim depends on.

    Args:
        variance: Variance that equity options are priced at, at the money, over that of the paths.
        event: The same of an event's own variance.
        skew: Slope of implied volatility by strike, over that fitted to the DAX surface.
        cost: Multiple of what the ledger takes.
        leverage: Multiple of the weights.
        drift: Added to equity's expected return a year.
    """

    variance: float = 1.0
    event: float = 1.0
    skew: float = 0.0
    cost: float = 1.0
    leverage: float = 1.0
    drift: float = 0.0


def dates(years: float, per_year: int) -> list[int]:
    """Steps of the events: ``per_year`` in each year, evenly, the first half an interval from the start."""
    return [round((k + 0.5) * STEPS_PER_YEAR / per_year) for k in range(round(years * per_year))]


def check(market: Any, weights: Mapping[str, float], moves: Mapping[str, float]) -> None:
    """Raise ``ValueError`` for a market that the study cannot be of: no models, events of its own, no one number as an asset's variance or drift."""
    if not hasattr(market, "events"):
        raise ValueError(f"market: expected models, to which events and prices are given, got {type(market).__name__}; history is a part of its own")
    if market.events:
        raise ValueError(f"market.events: expected none, for case.per_year gives the study's, got {', '.join(market.events)}")
    for where, names in (("weights", weights), ("case.moves", moves)):
        if unknown := [name for name in names if name not in market.assets]:
            raise ValueError(f"{where}: expected assets of the market, {', '.join(market.assets)}, got {', '.join(unknown)}")
    for name in ("equity", *moves):
        if type(market[name]) not in (mc.market.GBM, mc.market.Heston):
            raise ValueError(f"market.{name}: expected GBM or Heston, whose mean variance events are part of, got {type(market[name]).__name__}")
    for name, asset in market.assets.items():
        if np.ndim(asset.drift) or asset.drift is None or isinstance(asset.drift, Mapping):
            raise ValueError(f"market.{name}: expected an asset whose drift is a number, got {type(asset).__name__}")


def lognormal(market: mc.market.Market) -> mc.market.Market:
    """The market with equity, GBM or Heston (see ``check``), lognormal at its mean variance, so that fair prices of its options are known exactly."""
    equity = market["equity"]
    if isinstance(equity, mc.market.GBM):
        return market
    kept = {name: getattr(equity, name) for name in ("spot", "drift", "dividend", "variance_premium")}
    return mc.replace(market, assets=market.assets | {"equity": mc.market.GBM(sigma=float(equity.theta) ** 0.5, **kept)})


def announced(market: mc.market.Market, on: Sequence[int], moves: Mapping[str, float], per_year: float) -> mc.market.Market:
    """The market with events on these steps that move assets by these standard deviations; the variance of a year stays what it was.

    Raises ``ValueError`` where the events have more variance than an asset has in all.
    """
    assets = dict(market.assets)
    for name, move in moves.items():
        asset = market[name]
        lognormal = isinstance(asset, mc.market.GBM)
        variance = float(asset.sigma) ** 2 if lognormal else float(asset.theta)
        left = 1.0 - per_year * move**2 / variance
        if not left > 0.0:
            raise ValueError(f"case.moves.{name}: expected a move whose variance over a year's events is below {variance:.3g}, got {move:g}")
        changes = {"sigma": float(asset.sigma) * left**0.5} if lognormal else {"v0": asset.v0 * left, "theta": asset.theta * left}
        assets[name] = mc.replace(asset, **changes)
    events = {f"{EVENT}_{k}": mc.market.Event(date=step / STEPS_PER_YEAR, sd=dict(moves)) for k, step in enumerate(on, 1)}
    return mc.replace(market, assets=assets, events=events)


def book(weights: Mapping[str, float], terms: Terms, on: Sequence[int] | None, *, hedged: bool) -> rules.Chain:
    """The book that is claimed: the mix, puts that are struck anew on each event's date but never lower, straddles held over each event.

    ``on`` are the steps of the events, None for those that history announces. ``hedged`` is the reading in which all options are delta hedged; in the
    other their deltas lock the floor.
    """
    struck = AroundEvent(EVENT, 0, terms.tenor) if on is None else RollSchedule((0, *on), tuple(step + terms.tenor for step in (0, *on)))
    # So much cushion as no book has: puts for all of the equity.
    puts = rules.RatchetPut(terms.floor, terms.floor, 1e6, coverage=terms.coverage, tenor=terms.tenor, roll=terms.tenor, schedule=struck)
    over = rules.EventOverlay(EVENT, None if on is None else list(on), terms.vega, terms.move, before=terms.before, tenor=terms.expiry)
    hedge = (rules.DeltaHedge(), rules.HedgeBand(terms.hedge_band)) if hedged else ()
    return rules.chain(_mix(weights), puts, over, *hedge, rules.Band(terms.band))


def books(weights: Mapping[str, float], terms: Terms, on: Sequence[int] | None) -> dict[str, rules.Chain]:
    """Benchmark A (``unhedged``), benchmark B (``static_put``, to the horizon), and both readings of the claim."""
    out = {"unhedged": rules.chain(_mix(weights), rules.Band(terms.band))}
    out["static_put"] = rules.chain(_mix(weights), rules.StaticPut(terms.floor), rules.Band(terms.band))
    return out | {name: book(weights, terms, on, hedged=hedged) for name, hedged in READINGS.items()}


def alternatives(weights: Mapping[str, float], terms: Terms) -> dict[str, rules.Chain]:
    """Plain ways to keep the same floor, at the same dates and costs."""
    floor, mix, band = terms.floor, _mix(weights), rules.Band(terms.band)
    stages = {
        "obpi": rules.Obpi(floor),
        "rolled_put": rules.RolledPut(0.85),
        "collar": rules.Collar(0.85),
        "synthetic_put": rules.SyntheticPut(floor),
        "stop_loss": rules.StopLoss(floor),
        "cppi_3": rules.Cppi(floor, 3.0),
        "cppi_5": rules.Cppi(floor, 5.0),
        "tipp": rules.Cppi(rules.HighWater(floor), 4.0),
        "vol_target": rules.VolTarget(0.09),
        "cppi_levered": rules.Cppi(floor, 4.0, 1.25, "set"),
    }
    return {name: rules.chain(mix, stage, band) for name, stage in stages.items()}


def study(market: Any, books: Mapping[str, Any], costs: Any, years: float, delay: int = 0) -> mc.Study:
    """Of some rules on one market. Equity's options are priced on a surface whose level and slope are numbers; in history on history's own."""
    pricers = None
    if hasattr(market, "events"):
        equity = market["equity"]
        level, kappa = (float(equity.sigma) ** 2, 1.0) if isinstance(equity, mc.market.GBM) else (float(equity.theta), float(equity.kappa))
        pricers = market.pricers() | {"equity": mc.pricing.SurfacePricer(level=level, kappa=kappa, vix_over_atm=1.0, skew=0.0)}
    steps = round(years * STEPS_PER_YEAR)
    return mc.Study(market, dict(books), costs=costs, years=years, steps=steps, delay=delay, pricers=pricers, recorders=(*DEFAULT, Dollars()))


def exposures(result: mc.Result, name: str) -> dict[str, float]:
    """A book's exposure by asset: what is held of it over what there is, each a mean over paths and dates."""
    mean = lambda key: float(np.mean(result[name][key], dtype=np.float64))  # noqa: E731
    return {asset: mean(f"held_{asset}") / mean("mean_wealth") for asset in result.study.market.assets}


def at_exposure(result: mc.Result, names: Sequence[str] | None = None) -> mc.Study:
    """Benchmark C: for each book, under its name, the mix that holds its exposures, on the same dates at the same costs."""
    mixes = {}
    for name in names or result.books:
        mixes[name] = rules.chain(_mix(exposures(result, name)), result.study.books[name]["band"])
    return mc.replace(result.study, policy=mixes, pricers=None)


def difference(wealth: Any, benchmark: Any, years: float, sampling: Any, moved: Any = 0.0) -> Estimate:
    """(E W)^{1/T} - (E B)^{1/T}, with the paired error; ``moved`` is the influence of each path on ln E B / T by numbers B has from the paths."""
    w, b = (np.asarray(x, np.float64) for x in (wealth, benchmark))
    own, theirs = (x.mean() ** (1.0 / years) for x in (w, b))
    found = estimate.mean((own / w.mean() * w - theirs / b.mean() * b) / years - theirs * moved, sampling)
    return Estimate(own - theirs, found.error, found.count, found.sampling)


def held(result: mc.Result, name: str) -> dict[str, np.ndarray]:
    """By asset the influence of each path on the exposure: (H - w M) / E M."""
    own = {key: np.asarray(result[name][key], np.float64) for key in result[name] if key.startswith("held_") or key == "mean_wealth"}
    wealth = own["mean_wealth"]
    return {asset: (own[f"held_{asset}"] - w * wealth) / wealth.mean() for asset, w in exposures(result, name).items()}


def _moved(result: mc.Result, name: str) -> Any:
    """The influence of each path, by the exposures, on what benchmark C grows by; 0 on history, whose assets have no drift."""
    market = result.study.market
    if not hasattr(market, "events"):
        return 0.0
    rate = -np.log(result.study.discount) / float(result.study.years)
    return sum((float(market[asset].drift) - rate) * each for asset, each in held(result, name).items())


def paid(result: mc.Result, name: str) -> Any:
    """Costs of all kinds by path, over starting wealth."""
    return sum(np.asarray(x, np.float64) for key, x in result[name].items() if key.startswith("cost_"))


def figures(result: mc.Result, benchmark: mc.Result, name: str, floor: float) -> dict[str, Estimate]:
    """Of one book beside its benchmark C: a year's difference and what more it pays in costs; P(below the floor on any day), the lowest
    20th percentile of a year, equity held."""
    own, sampling = result[name], result.sampling
    yearly = [own[key] for key in own if key.startswith("year_")] or [own["wealth"]]
    return {
        "at_equal_exposure": difference(own["wealth"], benchmark[name]["wealth"], float(result.study.years), sampling, _moved(result, name)),
        "cost_over_mix": estimate.mean((paid(result, name) - paid(benchmark, name)) / float(result.study.years), sampling),
        "breach_any_day": estimate.probability(own["lowest"] < floor, sampling),
        "p20_year": min((estimate.quantile(x, 0.20, sampling) for x in yearly), key=lambda one: one.value),
        "equity_held": Estimate(exposures(result, name)["equity"], estimate.mean(held(result, name)["equity"], sampling).error),
    }


def _mix(weights: Mapping[str, float]) -> rules.Mix:
    return rules.Mix(dict(weights), leverage=_LEVERAGE)
