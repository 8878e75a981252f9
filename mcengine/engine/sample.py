"""Paths of a market alone, under P, to look at."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from mcengine.engine import program
from mcengine.engine.checks import check_paths
from mcengine.market import Market
from mcengine.noise import Counter, Path, draw, make_key, path_ids
from mcengine.pricing import Calendar


def sample(market: Market, paths: int, *, years: float = 1.0, steps: int = 252, seed: int = 0) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Paths of a market alone under P, all kept in memory, for looking at.

    Args:
        market: A ``Market``.
        paths: Number of paths.
        years: To the horizon.
        steps: To the horizon.
        seed: Of the random numbers.

    Returns:
        (spots, variances a year) by asset, arrays [paths, steps + 1]; a stochastic rate under ``rate``, the index of the regime under ``regimes``.
    """
    calendar = Calendar(years, steps)
    market.check_steps(years, steps)

    def fn(market: Market, calendar: Calendar, key: Any, ids: Path) -> Any:
        prepared = market.prepare(calendar)

        def one_path(high: Any, low: Any) -> Any:
            source = Counter().begin(key, Path(high, low), steps, prepared.n_factors)

            def body(states: Any, row: Any) -> tuple[Any, Any]:
                normals, uniforms = draw(source, row["step"], prepared.n_factors, prepared.n_uniforms)
                return prepared.step(states, row, normals, uniforms), states

            last, before = jax.lax.scan(body, prepared.start(), prepared.rows | {"step": jnp.arange(steps)})
            whole = jax.tree.map(lambda a, b: jnp.concatenate([a, b[None]]), before, last)
            seen = {name: market.observe(name, whole) for name in market.assets}
            if market.rate.n_factors:
                seen["rate"] = market.rate.forwards(prepared.times) + whole["rate"].deviation, market.rate.sigma**2
            if market.regimes is not None:
                seen["regimes"] = whole["regimes"], 0.0
            ones = jnp.ones(steps + 1)
            return {name: spot for name, (spot, _) in seen.items()}, {name: variance * ones for name, (_, variance) in seen.items()}

        return jax.vmap(one_path)(*ids)

    arguments = program.as_arrays((market, calendar))
    ids = path_ids(0, check_paths(paths))
    key = make_key(seed, "pilot")
    spots, variances = program.compiled(("sample", paths, steps), fn, *arguments, key, ids).call(*arguments, key, ids)
    return {k: np.asarray(v) for k, v in spots.items()}, {k: np.asarray(v) for k, v in variances.items()}
