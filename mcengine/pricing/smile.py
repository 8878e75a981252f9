"""A smile as a polynomial: implied over expected volatility, tabulated over moneyness, variance and time, for prices in the loop.

Where w(v, T) is the expected variance to expiry, k = ln K/F and x = k / sqrt(w), the ratio r = implied volatility / sqrt(w/T) is smooth in x, in
the variance v now and in T. It is found on Chebyshev nodes of
    X = x / sqrt(x^2 + b^2)   (a smile bends most at the money; r is flat beyond the last nodes, where hardly any time value is left),
    Y = v / (v + 4 theta)     (v from 0 to 1, or 9 theta if that is more),   sqrt(T),
once a program; time to expiry, common to all paths, is folded once a step, and a path is left with one polynomial in X and Y. Prices on the nodes
are Lewis' integral ("Option valuation under stochastic volatility", 2000) less that of Black at w, whose pole it shares, by one Gauss-Legendre rule:
    call/F = Black(w) + sqrt(K/F)/pi int_0^inf Re{e^{-iuk} [phi_w(u - i/2) - phi(u - i/2)]} du / (u^2 + 1/4),   u = z / sqrt(w).
"""

from collections.abc import Callable
from functools import lru_cache, reduce
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.custom_derivatives import SymbolicZero

from mcengine._kernel import in_one_kernel
from mcengine._model import Scalar

_T, _T_INTEGER, _Z = 10, 14, 192
_BEND = 2.0
_Z_SCALE = 4.0
_NEWTON = 12
_LEAST, _MOST = 0.3, 8.0
"""Ratios looked for."""


class Smile(NamedTuple):
    """``knots`` [T, X, Y] are coefficients at nodes of time, ``spread[j]`` [T] their shares j steps before expiry; X runs from ``low`` to ``high``,
    Y from 0 to ``top``.
    """

    knots: Scalar
    spread: Scalar
    low: Scalar
    high: Scalar
    scale: Scalar
    top: Scalar

    def place(self, x: Scalar, variance: Scalar) -> tuple[Scalar, Scalar]:
        """Where in the table standardised moneyness ``x`` and ``variance`` are, each from -1 to 1."""
        bent = x * lax.rsqrt(x * x + _BEND * _BEND)
        first = (2.0 * bent - self.low - self.high) / (self.high - self.low)
        second = 2.0 / self.top * variance / (variance + self.scale) - 1.0
        return jnp.clip(first, -1.0, 1.0), jnp.clip(second, -1.0, 1.0)


def chebyshev(x: Scalar, count: int) -> list[Scalar]:
    """T_0(x) ... T_{count-1}(x)."""
    out, twice = [lax.full_like(x, 1.0), x], 2.0 * x
    while len(out) < count:
        out.append(lax.sub(lax.mul(twice, out[-1]), out[-2]))
    return out[:count]


def _slopes(x: Scalar, values: list[Scalar]) -> list[Scalar]:
    """T_i'(x) from T_i(x): T_{i+1}' = 2 T_i + 2 x T_i' - T_{i-1}'."""
    out, two = [lax.full_like(x, 0.0), lax.full_like(x, 1.0)], lax.full_like(x, 2.0)
    while len(out) < len(values):
        out.append(lax.sub(lax.mul(two, lax.add(values[len(out) - 1], lax.mul(x, out[-1]))), out[-2]))
    return out[: len(values)]


@jax.custom_jvp
def polynomial(coefficients: Scalar, x: Scalar, y: Scalar) -> Scalar:
    """sum c_ij T_i(x) T_j(y), ``coefficients`` [X, Y] common to all paths: written out, in scalars, it becomes one kernel with all around it."""
    return _dot(chebyshev(x, coefficients.shape[0]), _inner(_written_out(coefficients), chebyshev(y, coefficients.shape[1])))


def _written_out(coefficients: Scalar) -> list[list[Scalar]]:
    return [list(jnp.unstack(row)) for row in jnp.unstack(coefficients)]


def _inner(rows: list[list[Scalar]], second: list[Scalar]) -> list[Scalar]:
    return [_dot(row, second) for row in rows]


def _dot(a: list[Scalar], b: list[Scalar]) -> Scalar:
    # By lax: this is traced some hundred times a price.
    return reduce(lax.add, map(lax.mul, a, b))


def bilinear(coefficients: Scalar, x: Scalar, y: Scalar) -> Scalar:
    """The same sum as a product of matrices: over many paths its derivative by the coefficients is one product as well, not a sum for each."""
    return _waves(x, coefficients.shape[0]) @ (coefficients @ _waves(y, coefficients.shape[1]))


def _waves(x: Scalar, count: int) -> Scalar:
    """T_0(x) ... T_{count-1}(x), an array."""
    return lax.scan(lambda two, _: ((two[1], 2.0 * x * two[1] - two[0]), two[0]), (jnp.ones_like(x), x), length=count)[1]


def _polynomial_jvp(primals: tuple[Scalar, ...], tangents: tuple[Any, ...]) -> tuple[Scalar, Scalar]:
    """Only what moves is differentiated: a delta costs little more than the price."""
    coefficients, x, y = primals
    moved, dx, dy = (None if isinstance(t, SymbolicZero) else t for t in tangents)
    rows, first, second = _written_out(coefficients), chebyshev(x, coefficients.shape[0]), chebyshev(y, coefficients.shape[1])
    inner = _inner(rows, second)
    parts = [_dot(first, inner)]
    if dx is not None:
        parts.append(_dot(_slopes(x, first), inner))
    if dy is not None:
        parts.append(_dot(first, _inner(rows, _slopes(y, second))))
    value, *slopes = in_one_kernel(tuple(parts))
    moves = [t for t in (dx, dy) if t is not None]
    slope = sum((s * t for s, t in zip(slopes, moves, strict=True)), start=jnp.zeros_like(x))
    return value, slope if moved is None else slope + bilinear(moved, x, y)


polynomial.defjvp(_polynomial_jvp, symbolic_zeros=True)


def nodes(count: int) -> np.ndarray:
    return np.cos(np.pi * (np.arange(count) + 0.5) / count)


def fit(count: int) -> np.ndarray:
    """Values on the nodes to coefficients, [count, count]."""
    rows = 2.0 / count * np.cos(np.outer(np.arange(count), np.pi * (np.arange(count) + 0.5) / count))
    rows[0] *= 0.5
    return rows


@lru_cache(maxsize=4)
def _rule(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights for int_0^inf f(z) dz, by z = scale t/(1 - t)."""
    t, weight = np.polynomial.legendre.leggauss(count)
    t = 0.5 * (t + 1.0)
    return _Z_SCALE * t / (1.0 - t), 0.5 * _Z_SCALE * weight / (1.0 - t) ** 2


def top(level: Scalar) -> Scalar:
    """Y at the largest variance: 1, or 9 times the usual one if that is more."""
    most = jnp.maximum(1.0, 9.0 * level)
    return most / (most + 4.0 * level)


def tabulate(
    ratios: Callable[[Scalar, Scalar, Scalar, Scalar], Scalar],
    level: Scalar,
    lean: Scalar,
    dt: Scalar,
    steps: int,
    size: tuple[int, int],
    *,
    integer: bool = False,
) -> Smile:
    """The table of a law for 1 to ``steps`` steps of ``dt`` years to expiry.

    ``ratios(x, variance, counts, dt)`` gives r [T, Y, X] so many steps before expiry (``whole``: whole numbers), ``level`` is the law's usual
    variance; ``lean`` in [-1, 1] shifts the range of x, [-5, 5], by 1.5 standard deviations towards the heavier tail.
    """
    # The nodes stand still where a parameter is differentiated: what the table gives between them does not depend on where they are.
    level, lean = lax.stop_gradient((level, lean))
    ends = [-5.0 + 1.5 * lean, 5.0 + 1.5 * lean]
    low, high = (e / jnp.sqrt(e * e + _BEND * _BEND) for e in ends)
    bent = 0.5 * (high - low) * nodes(size[0]) + 0.5 * (high + low)
    x = _BEND * bent / jnp.sqrt(1.0 - bent * bent)
    scale, most = 4.0 * level, top(level)
    y = 0.5 * most * (nodes(size[1]) + 1.0)
    every = np.arange(1.0, steps + 1.0)
    if steps <= (_T_INTEGER if integer else _T):
        counts, spread = every, np.eye(steps)
    else:
        at = np.cos(np.pi * np.arange(_T_INTEGER) / (_T_INTEGER - 1)) if integer else nodes(_T)  # whole numbers reach both ends
        counts = (0.5 * (np.sqrt(steps) - 1.0) * at + 0.5 * (np.sqrt(steps) + 1.0)) ** 2
        counts = np.unique(np.round(counts)) if integer else counts
        waves = lambda n: np.cos(np.arange(len(counts)) * np.arccos(np.clip(_place(n, steps), -1.0, 1.0))[:, None])  # noqa: E731
        spread = waves(every) @ np.linalg.inv(waves(counts))
    knots = jnp.einsum("tyx,ix,jy->tij", ratios(x, scale * y / (1.0 - y), counts, dt), fit(size[0]), fit(size[1]))
    return Smile(knots, jnp.asarray(np.concatenate([spread[:1], spread])), low, high, scale, most)


def _place(count: np.ndarray, steps: int) -> np.ndarray:
    """The root of a number of steps, from -1 (1) to 1 (``steps``)."""
    return (2.0 * np.sqrt(count) - 1.0 - np.sqrt(steps)) / (np.sqrt(steps) - 1.0)


def affine_ratios(law: Any, x: Scalar, variance: Scalar, counts: Scalar, dt: Scalar) -> Scalar:
    """r on the nodes, [T, Y, X], of a law with ``exponents(u, years)`` and ``expected(variance, years)``."""
    z, weight = _rule(_Z)
    t, v = dt * counts[:, None], variance[None, :]
    w = law.expected(v, t)
    total_volatility = jnp.sqrt(w)
    u = z / total_volatility[..., None]
    place = u - 0.5j
    a, b = law.exponents(place, t[..., None])
    gap = jnp.exp(-0.5 * (z * z + 0.25 * w[..., None])) - jnp.exp(a + b * v[..., None])
    gap = gap * weight / (total_volatility[..., None] * (u * u + 0.25))
    phase = z[:, None] * x[None, :]
    total = jnp.real(gap) @ jnp.cos(phase) + jnp.imag(gap) @ jnp.sin(phase)
    k = x * total_volatility[..., None]
    return implied(k, total_volatility[..., None], jnp.exp(0.5 * k) / jnp.pi * total)


def implied(k: Scalar, total_volatility: Scalar, excess: Scalar) -> Scalar:
    """Ratio of the implied to this ``total_volatility`` of a price on a forward of 1 that is ``excess`` over Black's.

    Out of the money: puts below the forward, calls above; both differ from Black's by the same.
    """
    return _implied(k, _black(k, total_volatility) + excess, total_volatility)


def _black(k: Scalar, total_volatility: Scalar) -> Scalar:
    """Out-of-the-money price on a forward of 1."""
    d1 = -k / total_volatility + 0.5 * total_volatility
    side = jnp.where(k > 0.0, 1.0, -1.0)
    cdf = jax.scipy.special.ndtr
    return side * (cdf(side * d1) - jnp.exp(k) * cdf(side * (d1 - total_volatility)))


def _implied(k: Scalar, price: Scalar, total_volatility: Scalar) -> Scalar:
    """Total volatility with this out-of-the-money price, over ``total_volatility``: Newton on the price's logarithm, in a bracket that closes."""
    goal = jax.lax.stop_gradient(jnp.log(jnp.maximum(price, 1e-30)))
    at_k, unit = jax.lax.stop_gradient((k, total_volatility))

    def vega(s: Scalar) -> Scalar:
        d1 = -at_k / s + 0.5 * s
        return jnp.exp(-0.5 * d1 * d1) * 0.3989422804014327

    def body(_: int, state: tuple[Scalar, Scalar, Scalar]) -> tuple[Scalar, Scalar, Scalar]:
        s, below, above = state
        now = jnp.maximum(_black(at_k, s), 1e-300)
        short = jnp.log(now) < goal
        below, above = jnp.where(short, s, below), jnp.where(short, above, s)
        step = s + (goal - jnp.log(now)) * now / jnp.maximum(vega(s), 1e-300)
        inside = (step >= below) & (step <= above)  # equal once it has converged
        return jnp.where(inside, step, 0.5 * (below + above)), below, above

    start = unit * jnp.ones_like(k)
    s, _, _ = jax.lax.fori_loop(0, _NEWTON, body, (start, _LEAST * start, _MOST * start))
    s = jax.lax.stop_gradient(s)
    # One step more carries the derivatives, ds = (dprice - dBlack/dk dk) / vega, unless there is hardly any time value left to divide by.
    slope = vega(s)
    known = jnp.exp(goal) > 1e-13
    return (s + jnp.where(known, price - _black(k, s), 0.0) / jnp.where(known, slope, 1.0)) / total_volatility
