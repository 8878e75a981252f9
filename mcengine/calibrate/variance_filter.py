"""Heston's or Bates's variance filtered from returns: the density of each day's, and its derivatives by the model's numbers.

y = 2 sqrt(v)/xi has noise of 1, so v lives on a grid even in y, and the likelihood is Hamilton's filter over it: a sum over (v, v') of
    p(v) q(v'|v) f(r | v, v'),   q normal in y, its drift (2 kappa theta/xi^2 - 1/2)/y - kappa y/2,   z_v = (y' - y - drift dt)/sqrt(dt).
The grid's step is a fraction of sqrt(dt), where such sums are exact to many digits; a vol of vol that needs more nodes than there are is not looked
for (the step is at most twice that fraction: three digits), nor a kappa under which a day is no small step. Each v' is reached from a window of v
alone; how many those are, and how many nodes the grid has, is rounded up to a few sizes, each one program: a fit compiles once or twice, and all
assets share it. Derivatives go forward with the days, so that each day has its own.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from mcengine.calibrate.jumps import MOST_A_YEAR

FASTEST = 126.0
"""kappa at most, a year: half of the distance to the mean in two trading days."""
_STEP, _REACH = 0.8, 6.0  # of the grid, and how far a day moves, in standard deviations of y
_NODES, _WINDOWS = (64, 128, 240), (18, 32, 64)


class Numbers(NamedTuple):
    """What is searched, in the units in which it is read."""

    kappa: Any
    xi: Any
    rho: Any
    intensity: Any
    mean: Any
    sd: Any

    @property
    def jump_variance(self) -> Any:
        return self.intensity * (self.mean**2 + self.sd**2)

    @property
    def jump_mean(self) -> Any:
        """What of the mean log return plus half the whole variance is not that of the diffusion, a year."""
        return self.intensity * self.mean + 0.5 * self.jump_variance


def numbers(x: Any, least_xi: Any = 0.0, of: Any = np) -> Numbers:
    """From free coordinates: three of Heston, three more of jumps; ``of`` is NumPy or its like."""
    jumps = (MOST_A_YEAR / (1.0 + of.exp(-x[3])), x[4], of.exp(x[5])) if x.shape[0] > 3 else (0.0, 0.0, 1.0)
    return Numbers(FASTEST / (1.0 + of.exp(-x[0])), least_xi + of.exp(x[1]), of.tanh(x[2]), *jumps)


class Moments(NamedTuple):
    """Of the returns: years of a step, mean square and drift a year, the largest volatility the grid holds."""

    dt: float
    total: float
    growth: float
    top: float

    @property
    def least_xi(self) -> Any:
        """The vol of vol for which the largest grid has a step of twice the usual."""
        return self.top / (_STEP * self.dt**0.5 * _NODES[-1])


class Filtered(NamedTuple):
    """By day: log density, probability of a return below the day's given those before, of a jump given it, variance known the day before.
    ``last`` is the variance now.
    """

    logs: Any
    below: Any
    jump: Any
    variance: Any
    last: Any


def moments(r: np.ndarray, dt: float, total: float, growth: float) -> Moments:
    """Of log returns ``r``; the grid holds half as much again as the volatility of the worst fortnight."""
    window = np.convolve(r**2, np.full(10, 0.1 / dt), mode="valid") if r.size >= 10 else r**2 / dt
    return Moments(dt, total, growth, 1.5 * max(float(np.sqrt(window.max())), 2.0 * total**0.5))


def scored(x: np.ndarray, r: np.ndarray, m: Moments) -> tuple[np.ndarray, np.ndarray]:
    """(log density a day, its derivative by each coordinate [k, days])."""
    with jax.enable_x64(True):
        logs, slopes = _scored(jnp.asarray(x), jnp.asarray(r), m, _sources(x, m))
        return np.asarray(logs), np.asarray(slopes).T


def filtered(x: np.ndarray, r: np.ndarray, m: Moments) -> tuple[Filtered, int]:
    """(what is known of each day, nodes of the grid)."""
    sources = _sources(x, m)
    with jax.enable_x64(True):
        found = _filtered(jnp.asarray(x), jnp.asarray(r), m, sources)
        return Filtered._make(np.asarray(one) for one in found), sources.shape[1]


def _grid(n: Numbers, m: Moments, nodes: int, of: Any) -> tuple[Any, Any]:
    """(y, z of every move [to, from])."""
    root = m.dt**0.5
    y = of.maximum(_STEP * root, 2.0 * m.top / n.xi / nodes) * (of.arange(nodes) + 0.5)
    pull = 2.0 * n.kappa * _theta(n, m, of) / n.xi**2
    # Held below the y that a day's pull would double: nobody is there, and a day maps no two of the others onto one.
    drift = (pull - 0.5) / of.maximum(y, of.sqrt(of.maximum(4.0, 1.5 * pull) * m.dt)) - 0.5 * n.kappa * y
    return y, (y[:, None] - y - drift * m.dt) / root


def _theta(n: Numbers, m: Moments, of: Any) -> Any:
    return of.maximum(m.total - n.jump_variance, 1e-6)


def _sources(x: np.ndarray, m: Moments) -> np.ndarray:
    """From where each node is reached [window, nodes]: those about the one that comes nearest to it."""
    n = numbers(x, m.least_xi)
    wanted = 2.0 * m.top / n.xi / (_STEP * m.dt**0.5)
    nodes = next((size for size in _NODES if size >= wanted), _NODES[-1])
    z = _grid(n, m, nodes, np)[1]
    nearest = np.argmin(np.abs(z), axis=1)
    near = np.abs(z) < _REACH
    far = np.max(np.where(near, np.abs(np.arange(nodes) - nearest[:, None]), 0))
    window = next((size for size in _WINDOWS if size >= 2 * far), nodes)
    first = np.clip(nearest - window // 2, 0, nodes - window)
    return (first + np.arange(window)[:, None]).astype(np.int32)


class _Densities(NamedTuple):
    """Of the days' returns between nodes [window, nodes]: means and variances with and without a jump, logs of what they are weighted by."""

    mean: Any
    spread: Any
    calm: Any
    far: Any
    jumpy: Any


def _densities(n: Numbers, m: Moments, sources: Any) -> tuple[Any, Any, _Densities]:
    """(weights of the nodes before the first day, their variances, densities)."""
    y, z = _grid(n, m, sources.shape[1], jnp)
    nodes = jnp.arange(sources.shape[1])
    log_q = jax.nn.log_softmax(-0.5 * z**2, axis=0)[nodes, sources]
    v = (0.5 * n.xi * y) ** 2
    before = v[sources]
    mean = (m.growth - n.jump_mean - 0.5 * before) * m.dt + n.rho * jnp.sqrt(before * m.dt) * z[nodes, sources]
    spread = (1.0 - n.rho**2) * before * m.dt
    far = spread + n.sd**2
    chance = -jnp.expm1(-n.intensity * m.dt)
    middle = 2.0 * _theta(n, m, jnp) ** 0.5 / n.xi
    start = jax.nn.softmax(-0.5 * ((y - middle) / (0.5 * middle + m.dt**0.5)) ** 2)
    weight = lambda share, variance: log_q + jnp.log(share) - 0.5 * jnp.log(2.0 * jnp.pi * variance)  # noqa: E731
    return start, v, _Densities(mean, spread, weight(1.0 - chance, spread), far, weight(chance, far))


def _day(r: Any, n: Numbers, d: _Densities, jumps: bool) -> tuple[Any, Any]:
    """(density of a day's return by move, its part with a jump)."""
    calm = jnp.exp(d.calm - 0.5 * (r - d.mean) ** 2 / d.spread)
    if not jumps:
        return calm, 0.0
    jumpy = jnp.exp(d.jumpy - 0.5 * (r - d.mean - n.mean) ** 2 / d.far)
    return calm + jumpy, jumpy


@jax.jit
def _scored(x: Any, r: Any, m: Moments, sources: Any) -> tuple[Any, Any]:
    def logs(x: Any) -> tuple[Any, Any]:
        n = numbers(x, m.least_xi, jnp)
        start, _, d = _densities(n, m, sources)

        def day(p: Any, r: Any) -> tuple[Any, Any]:
            reached = (p[sources] * _day(r, n, d, x.shape[0] > 3)[0]).sum(axis=0)
            likelihood = reached.sum()
            return reached / likelihood, jnp.log(likelihood)

        found = jax.lax.scan(day, start, r)[1]
        return found, found

    slopes, found = jax.jacfwd(logs, has_aux=True)(x)
    return found, slopes


@jax.jit
def _filtered(x: Any, r: Any, m: Moments, sources: Any) -> Filtered:
    from jax.scipy.special import ndtr

    n, jumps = numbers(x, m.least_xi, jnp), x.shape[0] > 3
    start, v, d = _densities(n, m, sources)
    q = jnp.exp(d.calm + 0.5 * jnp.log(2.0 * jnp.pi * d.spread)), jnp.exp(d.jumpy + 0.5 * jnp.log(2.0 * jnp.pi * d.far))

    def day(p: Any, r: Any) -> tuple[Any, Any]:
        before = p[sources]
        density, jumpy = _day(r, n, d, jumps)
        below = q[0] * ndtr((r - d.mean) / jnp.sqrt(d.spread))
        if jumps:
            below += q[1] * ndtr((r - d.mean - n.mean) / jnp.sqrt(d.far))
        reached = (before * density).sum(axis=0)
        likelihood = reached.sum()
        return reached / likelihood, (jnp.log(likelihood), (before * below).sum(), (before * jumpy).sum() / likelihood, p @ v)

    last, by_day = jax.lax.scan(day, start, r)
    return Filtered._make((*by_day, last @ v))
