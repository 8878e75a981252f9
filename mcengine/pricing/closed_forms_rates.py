"""Closed forms of rates, commodities and variance.

Vasicek (1977) and Hull-White (1990): dr = a (b - r) dt + s dW, whose bond prices at a later date are lognormal; options on zero bonds are Black's
on the forward bond, options on coupon bonds a sum of them (Jamshidian, J. Finance 44, 1989). Schwartz (1997): d ln S = k (alpha* - ln S) dt + s dW
under Q. Variance swaps by replication (Carr & Madan 1998; Demeterfi, Derman, Kamal & Zou 1999).
"""

from collections.abc import Callable, Sequence
from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np

from mcengine._model import Scalar
from mcengine.pricing.black import black

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(64)
_REACH = 8.0  # log-strikes to this many total volatilities either side
_ITERATIONS = 8  # Newton's steps on a logarithm of a sum of exponentials: convex, and nearly a line


def fading(speed: Scalar, years: Scalar) -> Scalar:
    """B(T) = (1 - e^{-aT})/a, T where a = 0."""
    x = speed * years
    small = jnp.abs(x) < 1e-6
    safe = jnp.where(small, 1.0, x)
    return years * jnp.where(small, 1.0 - 0.5 * x, -jnp.expm1(-safe) / safe)


def vasicek_bond(rate: Scalar, speed: Scalar, level: Scalar, volatility: Scalar, years: Scalar) -> Scalar:
    """P(T) = exp(ln A - B r), ln A = (b - s^2/(2a^2)) (B - T) - s^2 B^2/(4a); ``speed`` a > 0."""
    b = fading(speed, years)
    return jnp.exp((level - 0.5 * (volatility / speed) ** 2) * (b - years) - 0.25 * volatility**2 * b * b / speed - b * rate)


def rate_variance(speed: Scalar, volatility: Scalar, years: Scalar) -> Scalar:
    """Variance of the short rate in T: s^2 (1 - e^{-2aT})/(2a)."""
    return volatility**2 * fading(2.0 * speed, years)


def bond_option(
    kind: str, strike: Scalar, to_expiry: Scalar, to_maturity: Scalar, discounts: tuple[Scalar, Scalar], rate: tuple[Scalar, Scalar]
) -> Scalar:
    """Option expiring in ``to_expiry`` years on the zero bond that pays 1 in ``to_maturity`` years.

    ``discounts`` are P(expiry), P(maturity) today; ``rate`` is (speed a, volatility s). The curve is the model's own (Vasicek) or given (Hull-White).
    """
    speed, volatility = rate
    total_volatility = fading(speed, to_maturity - to_expiry) * _root(rate_variance(speed, volatility, to_expiry))
    return black(kind, discounts[1] / discounts[0], strike, total_volatility, discounts[0])


def coupon_bond_option(
    kind: str, strike: Scalar, to_expiry: Scalar, payments: Sequence[tuple[Scalar, Scalar, Scalar]], discount: Scalar, rate: tuple[Scalar, Scalar]
) -> Scalar:
    """Option on a bond of ``payments`` (years from now, amount, discount from now), all after expiry: Jamshidian's sum of zero-bond options.

    At expiry P_i = F_i exp(-B_i x - B_i^2 V/2) with one normal x of variance V; the strikes are the P_i at the x where the bond is worth ``strike``.
    """
    speed, volatility = rate
    variance = rate_variance(speed, volatility, to_expiry)
    parts = [(amount, d / discount, fading(speed, years - to_expiry)) for years, amount, d in payments]

    def prices(x: Scalar) -> list[Scalar]:
        return [f * jnp.exp(-b * x - 0.5 * b * b * variance) for _, f, b in parts]

    def newton(_: Scalar, x: Scalar) -> Scalar:
        at = [a * p for (a, _, _), p in zip(parts, prices(x), strict=True)]
        worth = sum(at)
        return x + jnp.log(worth / strike) * worth / sum(p * b for p, (_, _, b) in zip(at, parts, strict=True))

    x = jax.lax.fori_loop(0, _ITERATIONS, newton, jnp.zeros_like(jnp.asarray(parts[-1][1] * 1.0, jnp.result_type(float))))
    return sum(a * black(kind, f, k, b * _root(variance), discount) for (a, f, b), k in zip(parts, prices(x), strict=True))


def _root(variance: Scalar) -> Scalar:
    alive = variance > 0.0
    return jnp.where(alive, jnp.sqrt(jnp.where(alive, variance, 1.0)), 0.0)


def schwartz_future(spot: Scalar, speed: Scalar, level: Scalar, volatility: Scalar, years: Scalar) -> Scalar:
    """F(T) = exp[e^{-kT} ln S + (1 - e^{-kT}) alpha* + s^2 (1 - e^{-2kT})/(4k)]; ``level`` is alpha*, the mean log price under Q."""
    decay = jnp.exp(-speed * years)
    return jnp.exp(decay * jnp.log(spot) + (1.0 - decay) * level + 0.5 * rate_variance(speed, volatility, years))


def schwartz_deviation(speed: Scalar, volatility: Scalar, to_expiry: Scalar, to_delivery: Scalar) -> Scalar:
    """Total volatility to an option's expiry of the future for a later delivery: e^{-k (delivery - expiry)} sqrt(s^2 (1 - e^{-2k expiry})/(2k))."""
    return jnp.exp(-speed * (to_delivery - to_expiry)) * _root(rate_variance(speed, volatility, to_expiry))


def heston_variance(v0: Scalar, kappa: Scalar, theta: Scalar, years: Scalar) -> Scalar:
    """Mean variance a year over T: theta + (v0 - theta) (1 - e^{-kappa T})/(kappa T)."""
    alive = years > 0.0
    safe = jnp.where(alive, years, 1.0)
    return jnp.where(alive, theta + (v0 - theta) * fading(kappa, safe) / safe, v0)


def replicated_variance(option: Callable[[str, Scalar], Scalar], forward: Scalar, total_volatility: Scalar, discount: Scalar) -> Scalar:
    """-2 E[ln S_T/F], the total variance to expiry of an asset without jumps: (2/D) int OTM(K)/K^2 dK, by 64 Gauss nodes a side in ln K.

    ``option(kind, strike)`` prices options; ``total_volatility`` only scales the range, eight of it either side.
    """
    x, weights = 0.5 * (1.0 + _NODES), 0.5 * _WEIGHTS
    nodes = jnp.asarray(np.stack([x, weights], axis=1), jnp.result_type(float))
    total: Scalar = jnp.zeros_like(jnp.asarray(forward * total_volatility, nodes.dtype))
    for kind, sign in (("put", -1.0), ("call", 1.0)):

        def with_node(total: Scalar, node: Scalar, kind: str = kind, sign: float = sign) -> tuple[Scalar, None]:
            strike = forward * jnp.exp(sign * _REACH * total_volatility * node[0])
            return total + node[1] * option(kind, strike) / strike, None

        # A loop, not 64 copies of the pricer: in a book's step those take a minute to compile.
        total, _ = jax.lax.scan(with_node, total, nodes)
    return 2.0 * _REACH * total_volatility * total / discount


def strip_variance(
    puts: Sequence[tuple[float, float]], calls: Sequence[tuple[float, float]], spot: float, boundary: float, rate: float, years: float
) -> float:
    """Fair variance a year from a strip of options, (strike, volatility) each: puts downwards and calls upwards from ``boundary``.

    Weights are the slope changes of the broken line through f(K) = (2/T) [(K - boundary)/boundary - ln(K/boundary)], the last strike on each side
    only ending it;
    fair variance = (2/T) [rT - (S e^{rT}/boundary - 1) - ln(boundary/S)] + e^{rT} (value of the strip) (Demeterfi et al., eqs 26, A4).
    """
    growth = np.exp(rate * years)
    f = lambda k: 2.0 / years * ((k - boundary) / boundary - np.log(k / boundary))  # noqa: E731
    total = 0.0
    for kind, side in (("put", puts), ("call", calls)):
        line = sorted(side, reverse=kind == "put")
        before = 0.0
        for (k, vol), (following, _) in pairwise(line):
            slope = (f(following) - f(k)) / abs(following - k)
            price = float(black(kind, spot * growth, k, vol * np.sqrt(years), 1.0 / growth))
            total += (slope - before) * price
            before = slope
    return float(2.0 / years * (rate * years - (spot * growth / boundary - 1.0) - np.log(boundary / spot)) + growth * total)
