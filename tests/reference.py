"""Oracles the engine has no part in: NumPy and SciPy only, float64, formulas from the papers named.

And the one simulation the tests of the lower rooms share: a market alone, scanned by hand.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from scipy.special import ndtr

from mcengine.market import Market
from mcengine.noise import Counter, Path, make_key, path_ids
from mcengine.pricing import Calendar, Quote

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(1000)  # prices to 1e-7 of spot down to a total deviation of 2 %


def black(kind, forward, strike, deviation, discount=1.0):
    """Black (1976), by scipy's normal."""
    d1 = np.log(forward / strike) / deviation + 0.5 * deviation
    sign = 1.0 if kind == "call" else -1.0
    return discount * sign * (forward * ndtr(sign * d1) - strike * ndtr(sign * (d1 - deviation)))


def heston_call(forward, strike, years, *, v0, kappa, theta, vol_of_vol, rho, discount=1.0):
    """Lewis (2000): D [F - sqrt(F K)/pi int_0^inf Re(e^{iu ln(F/K)} phi(u - i/2)) / (u^2 + 1/4) du], phi of ln(S_T/F).

    phi by Albrecher et al. (2007), "The little Heston trap". Arguments broadcast; u = x/(1-x) takes [0, 1) to [0, inf).
    """
    x = 0.5 * (_NODES + 1.0)
    u, jacobian = x / (1.0 - x), 0.5 * _WEIGHTS / (1.0 - x) ** 2
    forward, strike, years, v0, kappa, theta, xi, rho = (
        np.asarray(a, float)[..., None] for a in (forward, strike, years, v0, kappa, theta, vol_of_vol, rho)
    )
    z = u - 0.5j
    b = kappa - 1j * rho * xi * z
    d = np.sqrt(b * b + xi**2 * (1j * z + z * z))
    g = (b - d) / (b + d)
    fade = np.exp(-d * years)
    c = kappa * theta / xi**2 * ((b - d) * years - 2.0 * np.log((1.0 - g * fade) / (1.0 - g)))
    phi = np.exp(c + v0 * (b - d) / xi**2 * (1.0 - fade) / (1.0 - g * fade))
    integral = (np.real(np.exp(1j * u * np.log(forward / strike)) * phi) / (u * u + 0.25) * jacobian).sum(-1)
    return discount * (forward[..., 0] - np.sqrt(forward * strike)[..., 0] / np.pi * integral)


def cir_moments(years, *, v0, kappa, theta, vol_of_vol):
    """(mean, variance) of v_T, dv = kappa (theta - v) dt + xi sqrt(v) dW."""
    decay = np.exp(-kappa * years)
    mean = theta + (v0 - theta) * decay
    spread = v0 * vol_of_vol**2 * decay * (1.0 - decay) / kappa + theta * vol_of_vol**2 * (1.0 - decay) ** 2 / (2.0 * kappa)
    return mean, spread


def quote(spot, years, *, variance=0.0, rate=0.0, dividend=0.0):
    """A two-date view: now, and in ``years``."""
    times = jnp.stack([jnp.zeros_like(jnp.asarray(years, float)), jnp.asarray(years, float)])
    discounts = jnp.exp(-rate * times)
    return Quote(spot, variance, 0, times, discounts, jnp.exp(-dividend * times) / discounts)


@partial(jax.jit, static_argnames=("paths", "whole"))
def _simulate(market, calendar, key, first, paths, whole):
    ready = market.prepare(calendar)
    rows = ready.rows | {"step": jnp.arange(calendar.steps)}

    def one(high, low):
        source = Counter().begin(key, Path(high, low), calendar.steps, ready.n_factors)

        def body(states, row):
            uniforms = source.uniforms(row["step"], ready.n_uniforms) if ready.n_uniforms else ()
            states = ready.step(states, row, source.normals(row["step"], ready.n_factors), uniforms)
            return states, (states if whole else None)

        last, every = jax.lax.scan(body, ready.start(), rows)
        return every if whole else last

    ids = path_ids(0, paths)
    return jax.vmap(one)(ids.high, ids.low + first)


def simulate(market: Market, years, steps, paths, *, seed=1, whole=False):
    """Last state of each asset on every path, [paths]; with ``whole`` the state after each step, [paths, steps]."""
    out = _simulate(market, Calendar(years, steps), make_key(seed), np.uint32(0), paths, whole)
    return jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), out)


def z_score(sample, expected):
    """Standard errors between a sample's mean and what it should be."""
    sample = np.asarray(sample, np.float64)
    return (sample.mean() - expected) / (sample.std(ddof=1) / np.sqrt(sample.size))
