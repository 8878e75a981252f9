"""Regimes of several assets by EM: Hamilton's filter (Econometrica 57(2), 1989), Kim's smoother, Baum & Welch's updates.

The day's log returns of all assets are normal with a mean vector and covariance matrix of the regime in force; regimes follow a Markov chain.
    E  P(s_t = i | all days) and P(s_t = i, s_{t+1} = j | all days), forwards and backwards
    M  means, covariances and transition frequencies weighted by them
The likelihood never falls; it is iterated until it rises by less than 1e-8 a day, from returns sorted by their recent volatility. Regimes are
named from the calmest on. Errors: the inverse of the sum of the scores' outer products (Berndt, Hall, Hall & Hausman, 1974).
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from mcengine.calibrate.asset_fit import gaussianise
from mcengine.market import RegimeGBM, Regimes, from_transition
from mcengine.statistics import Estimate

NAMES = {2: ("calm", "stress"), 3: ("calm", "usual", "stress"), 4: ("calm", "usual", "nervous", "stress")}
_ROUNDS, _TOLERANCE = 300, 1e-8
_LEAST_DAYS = 20.0  # of a regime: below that its covariance is one crash


class _Chain(NamedTuple):
    means: np.ndarray  # [regime, asset], of a day's log return
    covariances: np.ndarray  # [regime, asset, asset]
    transition: np.ndarray  # [from, to], a day


class RegimeFit(NamedTuple):
    """Regimes found in the returns of several assets.

    Args:
        regimes: The Markov chain.
        assets: Asset models by name.
        parameters: Fitted numbers by dotted name.
        log_likelihood: Of all days.
        coordinates: Free parameters.
        probabilities: Of each regime given all days [days, regimes].
        known: Of each regime given the days before [days, regimes].
        residuals: N^{-1} of each day's probability given those before [days, assets].
        notes: What else to know, a line each.
    """

    regimes: Regimes
    assets: dict[str, RegimeGBM]
    parameters: dict[str, Estimate]
    log_likelihood: float
    coordinates: int
    probabilities: np.ndarray
    known: np.ndarray
    residuals: np.ndarray
    notes: list[str]


def fit_regimes(prices: Mapping[str, np.ndarray], dt: float, *, count: int = 2, dividends: Mapping[str, float] | None = None) -> RegimeFit:
    """Fit regimes that several assets share, by EM (Hamilton 1989).

    Args:
        prices: Positive, by asset, on common days [days].
        dt: Years between rows.
        count: Number of regimes, 2 to 4.
        dividends: Yield a year by asset, added to the drift.

    Raises:
        ValueError: A regime holds fewer than 20 days, or the chain leaves one for good: it is then not stationary.
    """
    from scipy.special import ndtr

    if count not in NAMES:
        raise ValueError(f"regimes: expected 2, 3 or 4, got {count!r}")
    names, given = NAMES[count], dict(dividends or {})
    r = np.stack([np.diff(np.log(p)) for p in prices.values()], axis=1)
    chain, logs, smooth, known = _em(r, count)
    order = np.argsort([np.trace(c / np.cov(r.T).reshape(c.shape).diagonal().mean()) for c in chain.covariances])
    chain = _Chain(chain.means[order], chain.covariances[order], chain.transition[np.ix_(order, order)])
    smooth, known = smooth[:, order], known[:, order]
    days = smooth.sum(axis=0)
    if days.min() < _LEAST_DAYS:
        raise ValueError(
            f"regimes: expected at least {_LEAST_DAYS:g} days in each, got {days.min():.1f} in {names[int(days.argmin())]}; ask for fewer"
        )
    leaving = 1.0 - np.diag(chain.transition)
    if leaving.min() < 1e-6 or np.abs(np.linalg.eigvals(chain.transition) - 1.0).min() > 1e-6:
        stays = names[int(leaving.argmin())]
        raise ValueError(f"regimes: expected a stationary chain, got one that never leaves {stays}; the history holds one change only, or none")
    labels = list(prices)
    read = _read(chain, labels, names, dt, given)
    errors = _errors(chain, r, labels, names, dt, given)
    parameters = {k: Estimate(v, e, len(r)) for (k, v), e in zip(read.items(), errors, strict=True)}
    intensity_note, regimes = _regimes(names, chain.transition, dt, smooth[-1], labels, chain)
    assets = {
        name: RegimeGBM(
            spot=float(prices[name][-1]),
            sigma={s: read[f"{name}.sigma.{s}"] for s in names},
            drift={s: read[f"{name}.drift.{s}"] for s in names},
            dividend=given.get(name, 0.0),
        )
        for name in labels
    }
    deviations = np.sqrt(np.stack([np.diag(c) for c in chain.covariances]))  # [regime, asset]
    z = (r[:, None, :] - chain.means[None]) / deviations[None]
    residuals = gaussianise(np.einsum("tk,tka->ta", known, ndtr(z)))
    n = len(labels)
    coordinates = count * (n + n * (n + 1) // 2) + count * (count - 1)
    shares = ", ".join(f"{s} {share:.0%}" for s, share in zip(names, smooth.mean(axis=0), strict=True))
    lasts = ", ".join(f"{s} {dt * 252 / x:.0f}" for s, x in zip(names, leaving, strict=True))
    notes = [f"share of days: {shares}; they last {lasts} days on average; in force now: {regimes.start}", *intensity_note]
    return RegimeFit(regimes, assets, parameters, float(logs.sum()), coordinates, smooth, known, residuals, notes)


def _em(r: np.ndarray, count: int) -> tuple[_Chain, np.ndarray, np.ndarray, np.ndarray]:
    """(chain, log density a day, smoothed, predicted probabilities)."""
    recent = np.convolve(((r - r.mean(axis=0)) ** 2 / r.var(axis=0)).mean(axis=1), np.full(21, 1.0 / 21.0), mode="same")
    rank = np.argsort(np.argsort(recent)) / len(r)
    # Calm regimes hold most days: a half, and of the rest a half again.
    edges = 1.0 - 0.5 ** np.arange(1, count)
    own = np.eye(count)[np.searchsorted(edges, rank)]
    chain = _chain(r, own, np.full((count, count), 0.02) + (1.0 - 0.02 * count) * np.eye(count))
    before = -np.inf
    for _ in range(_ROUNDS):
        logs, known, filtered = _forward(chain, r)
        smooth, pairs = _backward(chain, known, filtered)
        total = float(np.mean(logs))
        if total - before < _TOLERANCE:
            break
        before = total
        chain = _chain(r, smooth, pairs / pairs.sum(axis=1, keepdims=True))
    return chain, logs, smooth, known


def _chain(r: np.ndarray, weights: np.ndarray, transition: np.ndarray) -> _Chain:
    total = weights.sum(axis=0)
    means = (weights.T @ r) / total[:, None]
    apart = r[None] - means[:, None]
    covariances = np.einsum("tk,kta,ktb->kab", weights, apart, apart) / total[:, None, None]
    return _Chain(means, covariances + 1e-12 * np.eye(r.shape[1]), transition)


def _forward(chain: _Chain, r: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(log density of the day, P(s_t | days before), P(s_t | days to t))."""
    root = np.linalg.cholesky(chain.covariances)
    z = np.linalg.solve(root, (r[None] - chain.means[:, None]).transpose(0, 2, 1))  # [k, a, t]
    log_det = np.log(np.diagonal(root, axis1=1, axis2=2)).sum(axis=1)
    exponent = -0.5 * (z**2).sum(axis=1).T - log_det - 0.5 * r.shape[1] * 1.8378770664093453
    top = exponent.max(axis=1)
    density = np.exp(exponent - top[:, None])
    p = np.full(len(chain.means), 1.0 / len(chain.means))
    known, filtered, sums = np.empty_like(density), np.empty_like(density), np.empty(len(r))
    for t in range(len(r)):
        known[t] = p
        joint = p * density[t]
        sums[t] = joint.sum()
        filtered[t] = joint / sums[t]
        p = filtered[t] @ chain.transition
    return np.log(sums) + top, known, filtered


def _backward(chain: _Chain, known: np.ndarray, filtered: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(P(s_t | all days), sum over t of P(s_t, s_{t+1} | all days))."""
    smooth = np.empty_like(filtered)
    smooth[-1] = filtered[-1]
    back = chain.transition.T
    for t in range(len(filtered) - 2, -1, -1):
        smooth[t] = filtered[t] * ((smooth[t + 1] / known[t + 1]) @ back)
    pairs = chain.transition * (filtered[:-1].T @ (smooth[1:] / known[1:]))
    return smooth, pairs


def _read(chain: _Chain, labels: list[str], names: tuple[str, ...], dt: float, dividends: Mapping[str, float]) -> dict[str, float]:
    """What is reported: volatilities, drifts, correlations by regime, chances a day of leaving."""
    out: dict[str, float] = {}
    for a, name in enumerate(labels):
        for k, s in enumerate(names):
            variance = float(chain.covariances[k, a, a]) / dt
            out[f"{name}.sigma.{s}"] = variance**0.5
            out[f"{name}.drift.{s}"] = float(chain.means[k, a]) / dt + 0.5 * variance + dividends.get(name, 0.0)
    for k, s in enumerate(names):
        for b, second in enumerate(labels):
            for a, first in enumerate(labels[:b]):
                c = chain.covariances[k]
                out[f"correlation.{s}.{first}-{second}"] = float(c[a, b] / np.sqrt(c[a, a] * c[b, b]))
    for i, before in enumerate(names):
        out |= {f"chance a day.{before}-{after}": float(chain.transition[i, j]) for j, after in enumerate(names) if i != j}
    return out


def _errors(chain: _Chain, r: np.ndarray, labels: list[str], names: tuple[str, ...], dt: float, dividends: Mapping[str, float]) -> np.ndarray:
    """Standard errors of what ``_read`` reports."""
    count, n = chain.means.shape
    lower = np.tril_indices(n)
    sizes = [count * n, count * len(lower[0]), count * (count - 1)]
    roots = np.linalg.cholesky(chain.covariances)
    unit = np.sqrt(np.diagonal(chain.covariances, axis1=1, axis2=2).mean(axis=0))

    def build(x: np.ndarray) -> _Chain:
        mean, root, chances = np.split(x, np.cumsum(sizes)[:-1])
        means = chain.means + unit * mean.reshape(count, n)
        factors = roots.copy()
        factors[:, lower[0], lower[1]] += (unit[lower[0]] * root.reshape(count, -1)).reshape(count, -1)
        log_odds = np.log(chain.transition + 1e-12)
        off = ~np.eye(count, dtype=bool)
        log_odds[off] += chances
        matrix = np.exp(log_odds)
        # The chance of staying takes up what the others leave.
        return _Chain(means, factors @ factors.transpose(0, 2, 1), matrix / matrix.sum(axis=1, keepdims=True))

    h, x0 = 1e-4, np.zeros(sum(sizes))
    values = lambda x: np.array(list(_read(build(x), labels, names, dt, dividends).values()))  # noqa: E731
    scores, jacobian = [], []
    for e in h * np.eye(x0.size):
        scores.append((_forward(build(e), r)[0] - _forward(build(-e), r)[0]) / (2.0 * h))
        jacobian.append((values(e) - values(-e)) / (2.0 * h))
    s, j = np.stack(scores), np.stack(jacobian, axis=1)
    covariance = np.linalg.pinv(s @ s.T)
    return np.sqrt(np.maximum(np.einsum("ik,kl,il->i", j, covariance, j), 0.0))


def _regimes(
    names: tuple[str, ...], transition: np.ndarray, dt: float, now: np.ndarray, labels: list[str], chain: _Chain
) -> tuple[list[str], Regimes]:
    start = names[int(now.argmax())]
    correlation: dict[str, Any] | None = None
    if len(labels) > 1:
        correlation = {}
        for k, s in enumerate(names):
            c = chain.covariances[k]
            d = np.sqrt(np.diag(c))
            correlation[s] = {f"{a}-{b}": float(c[i, j] / d[i] / d[j]) for j, b in enumerate(labels) for i, a in enumerate(labels[:j])}
    try:
        return [], from_transition(names, transition, dt, start=start, correlation=correlation)
    except ValueError:
        pairs = {f"{a}-{b}": float(transition[i, j]) / dt for i, a in enumerate(names) for j, b in enumerate(names) if i != j}
        note = "the chain a day has no continuous one: intensities are chances a day over its length"
        return [note], Regimes(names, pairs, start, correlation)
