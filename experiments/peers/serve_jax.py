"""Plain JAX as one would write it: arrays with paths last, ``L @ z``, ``jax.random.normal`` in a scan, jit, JAX's own settings. Knows no mcengine."""

import json
import math
import sys
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

BLOCK = 65_536


@partial(jax.jit, static_argnames=("assets", "steps", "paths"))
def basket(key, factor, drift, scale, discount, strike, *, assets, steps, paths):
    def body(carry, key):
        prices, total = carry
        z = jax.random.normal(key, (assets, paths))
        prices = prices * jnp.exp(drift + scale * (factor @ z))
        return (prices, total + prices.mean(axis=0)), None

    (prices, total), _ = jax.lax.scan(body, (jnp.ones((assets, paths)), jnp.zeros(paths)), jax.random.split(key, steps))
    return discount * jnp.maximum(prices.mean(axis=0) - strike, 0.0), discount * jnp.maximum(total / steps - strike, 0.0), prices


def run(task):
    n, dt = task["assets"], task["years"] / task["steps"]
    factor = np.linalg.cholesky(np.full((n, n), task["correlation"]) + (1.0 - task["correlation"]) * np.eye(n)).astype(np.float32)
    drift, scale = (task["rate"] - 0.5 * task["sigma"] ** 2) * dt, task["sigma"] * math.sqrt(dt)
    discount, block = math.exp(-task["rate"] * task["years"]), min(BLOCK, task["paths"])
    keys = jax.random.split(jax.random.key(task["seed"]), -(-task["paths"] // block))
    made = [
        jax.tree.map(np.asarray, basket(k, factor, drift, scale, discount, task["strike"], assets=n, steps=task["steps"], paths=block)) for k in keys
    ]
    out = {}
    for i, name in enumerate(("end", "average")):
        call = np.concatenate([one[i] for one in made])[: task["paths"]].astype(np.float64)
        out[name] = (call.mean(), call.std(ddof=1) / math.sqrt(call.size))
    return out


if __name__ == "__main__":
    print("ready", flush=True)
    for line in sys.stdin:
        print(json.dumps(run(json.loads(line))), flush=True)
