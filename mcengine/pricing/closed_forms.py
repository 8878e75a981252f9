"""Closed forms of contracts on one lognormal asset: digitals, barriers, lookbacks, averages.

All are written in ``spot``, ``forward``, ``total_volatility`` s = sigma sqrt(T) and ``discount`` D: a rate, a carry and a time enter only through
F = S e^{bT}, w = s^2 and D = e^{-rT}. m = ln(F/S) - w/2 is the mean log-return. Sources: Reiner & Rubinstein, "Breaking down the barriers",
Risk 4(8), 1991 (here by the reflection principle: a path from S that meets H is a path from H^2/S, weighted by (H/S)^{2m/w});
Goldman, Sosin & Gatto, J. Finance 34, 1979, and Conze & Viswanathan, J. Finance 46, 1991 (lookbacks); Kemna & Vorst, J. Banking & Finance 14,
1990 (geometric average); Levy, J. Int. Money & Finance 11, 1992 (a sum of lognormals by its first two moments: an approximation);
Broadie, Glasserman & Kou, Math. Finance 7, 1997 and Finance & Stochastics 3, 1999 (dates instead of continuous watching: an approximation).
"""

import jax.numpy as jnp
import numpy as np
from jax.scipy.special import log_ndtr, ndtri

from mcengine._model import Scalar
from mcengine.pricing.black import black, normal_cdf

WATCH_SHIFT = 0.5825971579390106
"""-zeta(1/2)/sqrt(2 pi): a level watched on dates acts as one this many standard deviations of a step further away (Broadie, Glasserman & Kou)."""

_NODES, _WEIGHTS = (a.tolist() for a in np.polynomial.legendre.leggauss(6))
_SMALL = 0.05  # below this the difference quotient of a lookback loses digits; there six nodes give it to 1e-13
_DEEP = -1e4  # logarithms of probabilities are held above this: e^_DEEP is 0 and its derivative finite


def _sign(kind: str) -> float:
    if kind not in ("call", "put"):
        raise ValueError(f"kind: expected 'call' or 'put', got {kind!r}")
    return 1.0 if kind == "call" else -1.0


def _alive(total_volatility: Scalar) -> tuple[Scalar, Scalar]:
    """(whether there is any total volatility, a total volatility safe to divide by)."""
    alive = total_volatility > 0.0
    return alive, jnp.where(alive, total_volatility, 1.0)


def _tail(power: Scalar, x: Scalar) -> Scalar:
    """e^power N(x) where neither factor alone need be representable."""
    return jnp.exp(jnp.maximum(power + log_ndtr(x), _DEEP))


def digital(kind: str, forward: Scalar, strike: Scalar, total_volatility: Scalar, discount: Scalar, pays: str = "cash") -> Scalar:
    """1 in ``cash``, or one unit of the ``asset``, if it ends beyond the strike: D N(±d2) or D F N(±d1)."""
    sign = _sign(kind)
    if pays not in ("cash", "asset"):
        raise ValueError(f"pays: expected 'cash' or 'asset', got {pays!r}")
    alive, s = _alive(total_volatility)
    d = jnp.log(forward / strike) / s + (0.5 if pays == "asset" else -0.5) * s
    inside = jnp.where(alive, normal_cdf(sign * d), 1.0 * (sign * (forward - strike) > 0.0))
    return discount * inside * (forward if pays == "asset" else 1.0)


def implied_total_volatility(price: Scalar, forward: Scalar, discount: Scalar) -> Scalar:
    """The total volatility of an option struck at its forward: C = D F (2 N(s/2) - 1), so s = 2 N^{-1}((1 + C/(D F))/2)."""
    share = price / (discount * forward)
    alive = share > 0.0
    return jnp.where(alive, 2.0 * ndtri(0.5 + 0.5 * jnp.where(alive, jnp.minimum(share, 0.999), 0.5)), 0.0)


def knocked_out(
    kind: str, direction: str, spot: Scalar, strike: Scalar, barrier: Scalar, forward: Scalar, total_volatility: Scalar, discount: Scalar
) -> Scalar:
    """A call or put that dies when the spot first meets the barrier, watched continuously; no rebate.

    V(S) - (H/S)^{2m/w} V(H^2/S), V the European price of the payoff cut off at the barrier. 0 for a spot beyond it.
    """
    sign, below = _sign(kind), _below(direction)
    alive, s = _alive(total_volatility)
    inside = (spot > barrier) if below else (spot < barrier)
    w = s * s
    image = 2.0 * jnp.log(barrier / spot)  # ln of H^2/S over S
    weight = image * (jnp.log(forward / spot) / w - 0.5)
    # The payoff lives between two levels; None stands for 0 and for infinity.
    low, high = (barrier, None) if below else (None, barrier)
    if sign > 0.0:
        low = strike if low is None else jnp.maximum(strike, low)
    else:
        high = strike if high is None else jnp.minimum(strike, high)

    def above(level: Scalar | None, at_zero: bool, shift: Scalar, power: Scalar) -> tuple[Scalar, Scalar]:
        """e^power (F' P^S(S_T > level), P(S_T > level)) of an asset started e^shift higher."""
        if level is None:
            share = 1.0 if at_zero else 0.0
            return forward * jnp.exp(jnp.minimum(power + shift, 80.0)) * share, jnp.exp(jnp.minimum(power, 80.0)) * share
        d2 = (jnp.log(forward / level) + shift) / s - 0.5 * s
        return forward * _tail(power + shift, d2 + s), _tail(power, d2)

    def cut(shift: Scalar, power: Scalar) -> Scalar:
        if low is None:
            # A put that dies above: P(S_T < level) by the other tail, which keeps its digits.
            d2 = (jnp.log(forward / high) + shift) / s - 0.5 * s
            return strike * _tail(power, -d2) - forward * _tail(power + shift, -d2 - s)
        asset_low, cash_low = above(low, True, shift, power)
        asset_high, cash_high = above(high, False, shift, power)
        value = sign * (asset_low - asset_high - strike * (cash_low - cash_high))
        return value if high is None else jnp.where(high > low, value, 0.0)

    value = jnp.where(alive, jnp.maximum(cut(0.0, 0.0) - cut(image, weight), 0.0), jnp.maximum(sign * (forward - strike), 0.0))
    forward_inside = (forward > barrier) if below else (forward < barrier)
    return discount * jnp.where(inside & (alive | forward_inside), value, 0.0)


def survival(direction: str, spot: Scalar, barrier: Scalar, forward: Scalar, total_volatility: Scalar) -> Scalar:
    """Probability under Q that the barrier is not met before expiry, watched continuously."""
    side = 1.0 if _below(direction) else -1.0
    alive, s = _alive(total_volatility)
    distance, mean = jnp.log(spot / barrier), jnp.log(forward / spot) - 0.5 * s * s
    met = _tail(-2.0 * distance * mean / (s * s), side * (mean - distance) / s)
    value = jnp.where(alive, jnp.clip(normal_cdf(side * (distance + mean) / s) - met, 0.0, 1.0), 1.0 * (side * (forward - barrier) > 0.0))
    return jnp.where(side * distance > 0.0, value, 0.0)


def touch(direction: str, spot: Scalar, barrier: Scalar, forward: Scalar, total_volatility: Scalar, discount: Scalar) -> Scalar:
    """1 paid when the spot first meets the barrier, if before expiry.

    (H/S)^{p+l} N(±z) + (H/S)^{p-l} N(±(z - 2 l s)), p = m/w, l = sqrt(p^2 + 2 rT/w), z = ln(H/S)/s + l s. Defined where l is real.
    """
    side = 1.0 if _below(direction) else -1.0
    alive, s = _alive(total_volatility)
    w, gap = s * s, jnp.log(barrier / spot)
    p = jnp.log(forward / spot) / w - 0.5
    root = jnp.sqrt(jnp.maximum(p * p - 2.0 * jnp.log(discount) / w, 1e-12))
    z = gap / s + root * s
    value = _tail(gap * (p + root), side * z) + _tail(gap * (p - root), side * (z - 2.0 * root * s))
    met = side * (forward - barrier) <= 0.0
    return jnp.where(side * gap >= 0.0, 1.0, jnp.where(alive, value, discount * met))


def _below(direction: str) -> bool:
    if direction not in ("down", "up"):
        raise ValueError(f"direction: expected 'down' or 'up', got {direction!r}")
    return direction == "down"


def extreme(side: str, spot: Scalar, level: Scalar, forward: Scalar, total_volatility: Scalar) -> Scalar:
    """E[max(level, highest S)] for side "max" (level >= S), E[min(level, lowest S)] for "min" (level <= S), over continuous time.

    level ± B + (S/q) [(F/S) N(±d1) - e^{ql} N(∓(l + m)/s)], B Black's undiscounted call (put) struck at the level,
    l = ln(level/S), q = 2 ln(F/S)/w; the bracket over q by its mean slope where q is near 0.
    """
    if side not in ("max", "min"):
        raise ValueError(f"side: expected 'max' or 'min', got {side!r}")
    sign = 1.0 if side == "max" else -1.0
    alive, s = _alive(total_volatility)
    w, gap, growth = s * s, jnp.log(level / spot), jnp.log(forward / spot)
    q = 2.0 * growth / w

    def bracket(q: Scalar) -> Scalar:
        middle = -gap / s + 0.5 * s
        return _tail(0.5 * q * w, sign * (middle + 0.5 * q * s)) - _tail(q * gap, sign * (middle - 0.5 * q * s))

    def slope(q: Scalar) -> Scalar:
        a, c = (-gap / s + 0.5 * s + k * 0.5 * q * s for k in (1.0, -1.0))
        up, down = jnp.exp(0.5 * q * w), jnp.exp(q * gap)
        density = 0.3989422804014327 * (up * jnp.exp(-0.5 * a * a) + down * jnp.exp(-0.5 * c * c))
        return 0.5 * w * up * normal_cdf(sign * a) - gap * down * normal_cdf(sign * c) + sign * 0.5 * s * density

    small = jnp.abs(q) < _SMALL
    near = jnp.where(small, q, 0.0)
    mean_slope = sum(0.5 * weight * slope(0.5 * (1.0 + x) * near) for x, weight in zip(_NODES, _WEIGHTS, strict=True))
    far = jnp.where(small, 1.0, q)
    ratio = jnp.where(small, mean_slope, bracket(far) / far)
    vanilla = black("call" if sign > 0.0 else "put", forward, level, s, 1.0)
    extended = jnp.maximum(forward, level) if sign > 0.0 else jnp.minimum(forward, level)
    return jnp.where(alive, level + sign * vanilla + spot * ratio, extended)


def fixed_lookback(kind: str, spot: Scalar, seen: Scalar, strike: Scalar, forward: Scalar, total_volatility: Scalar, discount: Scalar) -> Scalar:
    """max(highest - K, 0) of a call, max(K - lowest, 0) of a put; ``seen`` is the extreme so far."""
    if _sign(kind) > 0.0:
        return discount * (extreme("max", spot, jnp.maximum(seen, strike), forward, total_volatility) - strike)
    return discount * (strike - extreme("min", spot, jnp.minimum(seen, strike), forward, total_volatility))


def floating_lookback(kind: str, spot: Scalar, seen: Scalar, forward: Scalar, total_volatility: Scalar, discount: Scalar) -> Scalar:
    """S - lowest of a call, highest - S of a put; ``seen`` is the extreme so far."""
    if _sign(kind) > 0.0:
        return discount * (forward - extreme("min", spot, seen, forward, total_volatility))
    return discount * (extreme("max", spot, seen, forward, total_volatility) - forward)


def geometric_asian(kind: str, mean_log: Scalar, variance_log: Scalar, strike: Scalar, discount: Scalar) -> Scalar:
    """max(±(G - K), 0) on a lognormal average G: Black at F = E[G] = e^{mean_log + variance_log/2}."""
    alive = variance_log > 0.0
    total_volatility = jnp.where(alive, jnp.sqrt(jnp.where(alive, variance_log, 1.0)), 0.0)
    return black(kind, jnp.exp(mean_log + 0.5 * variance_log), strike, total_volatility, discount)


def two_moments(kind: str, mean: Scalar, square: Scalar, strike: Scalar, discount: Scalar) -> Scalar:
    """max(±(A - K), 0) on a positive A taken for lognormal with E[A] = ``mean``, E[A^2] = ``square``: an approximation.

    A strike at or below 0, as an average leaves when what is already fixed exceeds it, is exercised for certain.
    """
    sign = _sign(kind)
    uncertain = (strike > 0.0) & (mean > 0.0)
    mean_safe = jnp.where(uncertain, mean, 1.0)
    spread = jnp.log(jnp.where(uncertain, square, 1.0) / (mean_safe * mean_safe))
    alive = spread > 0.0
    total_volatility = jnp.where(alive, jnp.sqrt(jnp.where(alive, spread, 1.0)), 0.0)
    certain = discount * jnp.maximum(sign * (mean - strike), 0.0)
    return jnp.where(uncertain, black(kind, mean_safe, jnp.where(uncertain, strike, 1.0), total_volatility, discount), certain)
