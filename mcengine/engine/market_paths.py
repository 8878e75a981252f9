"""A market alone: contract prices by Monte Carlo, and sampled paths to look at."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from mcengine._model import Scalar
from mcengine.engine import estimate, program
from mcengine.engine.estimate import Estimate
from mcengine.engine.run import check_paths
from mcengine.market import Market
from mcengine.noise import Counter, Path, make_key, path_ids
from mcengine.pricing import Calendar


def price(instrument: Any, asset: Any, *, rate: Scalar = 0.0, paths: int = 1_000_000, steps: int | None = None, seed: int = 0) -> Estimate:
    """Price of a contract today: the mean of its discounted cash flows under Q.

    ``asset`` is the model of its underlying, or a whole ``Market`` (which brings its own rate). ``steps`` defaults to 252 a year.
    """
    market = asset if isinstance(asset, Market) else Market({instrument.asset: asset}, rate=rate)
    market[instrument.asset]
    years = float(instrument.expiry)
    calendar = Calendar(years, steps or max(1, round(252 * years)))
    paths, devices, key = check_paths(paths), program.check_devices(None), make_key(seed, "test")
    block = program.padded(paths, program.default_block(), devices)

    def one_path(prepared: Any, calendar: Calendar, instrument: Any, source: Any) -> Scalar:
        def body(carry: Any, row: Any) -> tuple[Any, None]:
            states, inside, total = carry
            states = prepared.step(states, row, source.normals(row["step"], prepared.n_factors))
            now = row["step"] + 1
            inside, cash = instrument.step(inside, prepared.quotes(states, now), now, calendar)
            return (states, inside, total + cash * prepared.discounts[now]), None

        states = prepared.start()
        carry = (states, instrument.start(prepared.quotes(states, 0)), jnp.zeros((), jnp.result_type(float)))
        return jax.lax.scan(body, carry, prepared.rows | {"step": jnp.arange(calendar.steps)})[0][2]

    def fn(market: Market, instrument: Any, calendar: Calendar, key: Any, first: Any) -> Any:
        def on_device(market: Market, instrument: Any, calendar: Calendar, key: Any, first: Any) -> Any:
            prepared = market.risk_neutral().prepare(calendar)
            ids = program.local_ids(first, block)
            begin = lambda high, low: Counter().begin(key, Path(high, low), calendar.steps, prepared.n_factors)  # noqa: E731
            return jax.vmap(lambda high, low: one_path(prepared, calendar, instrument, begin(high, low)))(*ids)

        return program.over_devices(on_device, devices)(market, instrument, calendar, key, first)

    arguments = program.as_arrays((market, instrument, calendar))
    executable = program.compiled(("price", block, devices), fn, *arguments, key, program.words(0))
    size = block * devices
    values = [np.asarray(executable.call(*arguments, key, program.words(at)))[: min(size, paths - at)] for at in range(0, paths, size)]
    return estimate.mean(np.concatenate(values))


def sample(market: Market, paths: int, *, years: float = 1.0, steps: int = 252, seed: int = 0) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """(spots, variances) by asset, arrays [paths, steps + 1], under P. For looking: everything is kept in memory."""
    calendar = Calendar(years, steps)

    def fn(market: Market, calendar: Calendar, key: Any, ids: Path) -> Any:
        prepared = market.prepare(calendar)

        def one_path(high: Any, low: Any) -> Any:
            source = Counter().begin(key, Path(high, low), steps, prepared.n_factors)

            def body(states: Any, row: Any) -> tuple[Any, Any]:
                new = prepared.step(states, row, source.normals(row["step"], prepared.n_factors))
                return new, states

            last, before = jax.lax.scan(body, prepared.start(), prepared.rows | {"step": jnp.arange(steps)})
            whole = jax.tree.map(lambda a, b: jnp.concatenate([a, b[None]]), before, last)
            quotes = prepared.quotes(whole, 0)
            ones = jnp.ones(steps + 1)
            return {name: q.spot for name, q in quotes.items()}, {name: q.variance * ones for name, q in quotes.items()}

        return jax.vmap(one_path)(*ids)

    arguments = program.as_arrays((market, calendar))
    ids = path_ids(0, check_paths(paths))
    key = make_key(seed, "pilot")
    spots, variances = program.compiled(("sample", paths, steps), fn, *arguments, key, ids).call(*arguments, key, ids)
    return {k: np.asarray(v) for k, v in spots.items()}, {k: np.asarray(v) for k, v in variances.items()}
