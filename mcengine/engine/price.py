"""A market alone: contract prices by Monte Carlo.

A contract is worth the mean of its discounted cash flows under Q. ``payoffs`` follows any number of contracts on the same paths; ``price`` is
the mean of one of them. An instrument is ``start(quotes) -> I`` and ``step(I, quotes, step, calendar) -> (I, cash)``, in scalars of one path,
where ``quotes`` holds every asset of the market: a basket reads several, an average or a barrier carries what it has seen in I.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from mcengine._model import Scalar, replace
from mcengine.engine import program
from mcengine.engine.checks import check_paths
from mcengine.engine.memory import default_block
from mcengine.engine.path import unrolled
from mcengine.instrument import Hedged, joint, make_calendar
from mcengine.market import Market
from mcengine.market.historical import AbstractHistory
from mcengine.noise import Counter, Path, draw, make_key
from mcengine.pricing import Calendar
from mcengine.statistics.accumulators import Layout, Piece, Sums
from mcengine.statistics.estimate import Estimate


@dataclass(frozen=True)
class Payoffs:
    """Discounted cash of contracts.

    Args:
        estimates: Prices by contract, over all paths.
        cash: Discounted cash of each kept path by contract, [kept], currency.
        prices: Last price of each kept path by asset, [kept], currency.
        paths: Number of paths.
        kept: How many of them are kept, the first ones.
        timings: Seconds, by name.
    """

    estimates: dict[str, Estimate]
    cash: dict[str, np.ndarray]
    prices: dict[str, np.ndarray]
    paths: int
    kept: int
    timings: dict[str, float]


def price(
    instrument: Any,
    asset: Any,
    *,
    rate: Scalar = 0.0,
    paths: int = 1_000_000,
    steps: int | None = None,
    seed: int = 0,
    noise: Any = Counter(),  # noqa: B008 (frozen)
    control: str | None = None,
) -> Estimate:
    """Price of a contract today by Monte Carlo: the mean of its discounted cash flows under Q.

    Args:
        instrument: Any contract.
        asset: Model of its underlying, or a whole ``Market``, which brings its own rate.
        rate: Annual, continuously compounded; of a contract on one asset.
        paths: Number of paths.
        steps: To the last expiry; None for daily ones, or more where the contract's own dates ask for it.
        seed: Of the random numbers.
        noise: How they are drawn.
        control: "delta" takes out the gains of its delta hedge, by a coefficient fitted on the pilot stream (see ``instrument.Hedged``).

    Raises:
        ValueError: For another control, or terms that do not fit the market.
        ArithmeticError: For a path that is not finite.

    Example:
        >>> import mcengine as mc
        >>> call = mc.instrument.Call(strike=100.0, expiry=1.0)
        >>> found = mc.price(call, mc.market.GBM(spot=100.0, sigma=0.2), paths=256, steps=1)
        >>> found.count, abs(found.z(7.97)) < 3.0
        (256, True)
    """
    if control not in (None, "delta"):
        raise ValueError(f"control: expected 'delta' or none, got {control!r}")
    market = market_of(instrument, asset, rate)
    if control == "delta":
        hedged = Hedged(instrument, joint(market.risk_neutral()), make_calendar({"contract": instrument}, steps, events=market.events))
        pilot = payoffs({"plain": instrument, "hedged": hedged}, market, paths=16_384, steps=steps, seed=seed, stream="pilot").cash
        gain = pilot["plain"] - pilot["hedged"]
        covariance = np.cov(pilot["plain"], gain, dtype=np.float64)
        instrument = replace(hedged, coefficient=covariance[0, 1] / max(covariance[1, 1], 1e-30))
    return payoffs({"price": instrument}, market, paths=paths, steps=steps, seed=seed, noise=noise, keep=0).estimates["price"]


def payoffs(
    instruments: Mapping[str, Any],
    market: Market,
    *,
    paths: int = 1_000_000,
    steps: int | None = None,
    seed: int = 0,
    stream: str = "test",
    first: int = 0,
    noise: Any = Counter(),  # noqa: B008 (frozen)
    keep: float = 2e6,
    block: int | None = None,
    devices: int | None = None,
) -> Payoffs:
    """Several contracts on the same paths of a market under Q, all followed to the last expiry.

    Args:
        instruments: Contracts by name.
        market: With every asset that they read.
        paths: Number of paths.
        steps: To the last expiry; None for daily ones, or more where the contracts' own dates ask for it.
        seed: Of the random numbers.
        stream: Of the random numbers (``noise.STREAMS``).
        first: Id of the first path.
        noise: How they are drawn.
        keep: Paths whose cash is kept, the first ones.
        block: Paths a device handles at a time; None for a size that is fast.
        devices: Number of devices of this host; None for all.

    Raises:
        ValueError: For an asset the market lacks, or a number of paths the noise cannot make.
        ArithmeticError: For a path that is not finite.
    """
    if not instruments:
        raise ValueError("payoffs.instruments: expected at least one contract, got none")
    for instrument in instruments.values():
        check_market(instrument, market)
    calendar = make_calendar(instruments, steps, events=market.events)
    market.risk_neutral().check_steps(calendar.years, calendar.steps)
    paths, devices, key = check_paths(paths), program.check_devices(devices), make_key(seed, stream)
    noise.sampling.check_run(paths, first)
    if block is None:
        block = default_block(noise, calendar.steps, market.n_factors)
    block = program.padded(paths, block, devices)
    arguments = program.as_arrays((market, dict(instruments), calendar, noise))
    executable = _compiled(arguments, key, block, devices)
    gathered = _Gathered(Layout(noise.sampling, first), min(paths, int(keep)))
    timings: dict[str, float] = {"compile_seconds": executable.seconds}
    clock, (numbers, placed_key) = time.perf_counter(), program.placed((arguments, key), devices)
    call = lambda i: executable.call(*numbers, placed_key, i)  # noqa: E731
    for start, (paid, last) in program.blocks(call, range(first, first + paths), block * devices, timings):
        gathered.add(start - first, paid, last)
    timings["run_seconds"] = time.perf_counter() - clock
    estimates = {name: one.mean(paths) for name, one in gathered.sums.items()}
    return Payoffs(estimates, gathered.cash, gathered.prices, paths, gathered.kept, timings)


def _compiled(arguments: tuple[Any, ...], key: Any, block: int, devices: int) -> program.Compiled:
    """The program that follows ``arguments`` (market, contracts, calendar, noise) along ``block`` paths on every device."""

    def fn(market: Market, instruments: Any, calendar: Calendar, noise: Any, key: Any, first: Any) -> Any:
        def on_device(market: Market, instruments: Any, calendar: Calendar, noise: Any, key: Any, first: Any) -> Any:
            prepared = market.risk_neutral().prepare(calendar)
            instruments = {name: i.prepare() if hasattr(i, "prepare") else i for name, i in instruments.items()}

            def one_path(high: Any, low: Any) -> Any:
                source = noise.begin(key, Path(high, low), calendar.steps, prepared.n_factors)
                return follow(prepared, calendar, instruments, source)[:2]

            return jax.vmap(one_path)(*program.local_ids(first, block))

        return program.over_devices(on_device, devices)(market, instruments, calendar, noise, key, first)

    return program.compiled(("payoffs", block, devices), fn, *arguments, key, program.words(0))


class _Gathered:
    """What blocks leave: ``sums`` of every contract's cash, and of the first ``kept`` paths the ``cash`` and the last ``prices``."""

    def __init__(self, layout: Layout, kept: int) -> None:
        self.layout, self.kept = layout, kept
        self.sums: dict[str, Sums] = {}
        self.cash: dict[str, np.ndarray] = {}
        self.prices: dict[str, np.ndarray] = {}

    def add(self, at: int, paid: Mapping[str, np.ndarray], last: Mapping[str, np.ndarray]) -> None:
        """The block after the first ``at`` paths."""
        count = len(next(iter(paid.values())))
        piece = Piece(self.layout, at, count, None)
        for name, values in paid.items():
            if not np.isfinite(np.sum(values, dtype=np.float64)):
                ids = self.layout.first + at + np.flatnonzero(~np.isfinite(values))
                raise ArithmeticError(f"{name}: not a finite number on paths {ids[:10].tolist()}")
            if name not in self.sums:
                self.sums[name] = Sums(self.layout, float(np.mean(values, dtype=np.float64)), 2)
            self.sums[name].add(values, piece)
        stored = max(0, min(count, self.kept - at))
        for into, columns in ((self.cash, paid), (self.prices, last)) if stored else ():
            for name, values in columns.items():
                into.setdefault(name, np.empty(self.kept, values.dtype))[at : at + stored] = values[:stored]


def market_of(instrument: Any, asset: Any, rate: Scalar = 0.0) -> Market:
    """A market as it is, or one of the contract's only asset; history is none."""
    if isinstance(asset, Market):
        return asset
    if isinstance(asset, AbstractHistory):
        asset.risk_neutral()
    names = underlyings(instrument)
    if len(names) != 1:
        raise ValueError(f"asset: expected a whole Market for a contract on {' and '.join(names) or 'the rate'}, got {type(asset).__name__}")
    return Market({names[0]: asset}, rate=rate)


def check_market(instrument: Any, market: Market) -> None:
    """Raise ``ValueError`` for an asset the market lacks, or terms that do not fit it."""
    for name in underlyings(instrument):
        market[name]
    if hasattr(instrument, "check_market"):
        instrument.check_market(market)


def underlyings(instrument: Any) -> tuple[str, ...]:
    """The assets a contract reads: its ``assets``, or its only ``asset``."""
    return tuple(instrument.assets) if hasattr(instrument, "assets") else (instrument.asset,)


def follow(prepared: Any, calendar: Calendar, instruments: Mapping[str, Any], source: Any) -> tuple[dict[str, Scalar], dict[str, Scalar], Any]:
    """(discounted cash of each contract, last price of each asset, last states) of one path."""

    drawn_by_contracts = max(getattr(instrument, "n_uniforms", 0) for instrument in instruments.values())

    def body(carry: Any, row: Any) -> tuple[Any, None]:
        states, inside, total = carry
        normals, uniforms = draw(source.at(row["noise"]), row["step"], prepared.n_factors, prepared.n_uniforms + drawn_by_contracts)
        uniforms, own = uniforms[: prepared.n_uniforms], uniforms[prepared.n_uniforms :]
        states = prepared.step(states, row, normals, uniforms)
        now = row["step"] + 1
        quotes, after, paid = prepared.quotes(states, now), {}, {}
        for name, instrument in instruments.items():
            drawn = (own[: instrument.n_uniforms],) if getattr(instrument, "n_uniforms", 0) else ()
            after[name], cash = instrument.step(inside[name], quotes, now, calendar, *drawn)
            paid[name] = total[name] + cash * prepared.bank_discount(states, row["discount"])
        return (states, after, paid), None

    states = prepared.start()
    quotes = prepared.quotes(states, 0)
    inside = {name: instrument.start(quotes) for name, instrument in instruments.items()}
    carry = (states, inside, {name: jnp.zeros((), jnp.result_type(float)) for name in instruments})
    rows = prepared.rows | {"step": jnp.arange(calendar.steps), "discount": prepared.discounts[1 : calendar.steps + 1], "noise": source.rows}
    (states, _, total), _ = jax.lax.scan(body, carry, rows, unroll=unrolled())
    return total, {name: quote.spot for name, quote in prepared.quotes(states, calendar.steps).items()}, states
