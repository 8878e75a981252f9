"""The hedged workload in PyTorch, eager: Heston equity by QE-M, two lognormal assets, volatility target, CPPI, a rolled put, costs.

The same formulas as the engine's, arrays over paths, one tensor operation at a time; the gradient by ``backward`` through all steps.
"""

import math
from typing import Any

import torch

from peers.terms import HedgedTerms

FORWARD, BACKWARD = 16_384, 4_096  # paths of a block: backward keeps every step's tensors, about 1 GB
_TINY = 1e-15


def forward(terms: HedgedTerms, paths: int, seed: int) -> dict[str, Any]:
    """Final wealth of every path."""
    draws, out = torch.Generator().manual_seed(seed), []
    with torch.no_grad():
        n = {name: torch.tensor(x) for name, x in terms.numbers.items()}
        for at in range(0, paths, FORWARD):
            out.append(_block(terms, n, min(FORWARD, paths - at), draws))
    return {"wealth": torch.cat(out).numpy()}


def gradient(terms: HedgedTerms, paths: int, seed: int) -> dict[str, Any]:
    """Mean final wealth, its error, its derivatives by name."""
    draws = torch.Generator().manual_seed(seed)
    n = {name: torch.tensor(x, requires_grad=name in terms.names) for name, x in terms.numbers.items()}
    total = square = 0.0
    for at in range(0, paths, BACKWARD):
        wealth = _block(terms, n, min(BACKWARD, paths - at), draws)
        (wealth.sum() / paths).backward()
        total += float(wealth.detach().double().sum()) / paths
        square += float(wealth.detach().double().square().sum()) / paths
    slopes = {name: 0.0 if n[name].grad is None else float(n[name].grad) for name in terms.names}
    return {"wealth": (total, math.sqrt(max(square - total**2, 0.0) / paths)), "gradient": slopes, "paths": paths}


def _block(terms: HedgedTerms, n: dict[str, Any], paths: int, draws: torch.Generator) -> Any:
    assets = ("equity", "bond", "commodity")
    rate, years, spread, cost = n["market.rate.rate"], n["years"], n["costs.option_spread"], n["costs.rate"]
    dt = years / terms.steps
    factor = _factor(n)
    price = {a: n[f"market.{a}.spot"] * torch.ones(paths) for a in assets}
    variance = n["market.equity.v0"] * torch.ones(paths)
    income = {a: torch.expm1(n[f"market.{a}.dividend"] * dt) for a in assets}
    cash = wealth = start = n["wealth"] * torch.ones(paths)
    units = {a: torch.zeros(paths) for a in assets}
    put_units, put_mark, strike = torch.zeros(paths), torch.zeros(paths), price["equity"]
    estimate, basket = n["policy.vol_target.initial"] ** 2 * torch.ones(paths), None
    forget = 1.0 - torch.exp2(-1.0 / n["policy.vol_target.halflife"])
    expiry, interest = 0, torch.exp(rate * dt) - 1.0
    for k in range(terms.steps):
        # The mix, the volatility target on the mix as it would have been held, the cushion over the floor's present value.
        if basket is not None:
            value = sum(basket[a] * price[a] for a in assets)
            estimate = estimate + forget * ((value - 1.0) ** 2 / dt - estimate)
        mix = {a: n[f"policy.mix.weights.{a}"] * wealth / price[a] for a in assets}
        sleeve = sum(mix[a] * price[a] for a in assets)
        basket = {a: mix[a] / sleeve for a in assets}
        scale = torch.minimum(n["policy.vol_target.target"] / torch.sqrt(estimate), n["policy.vol_target.leverage"] * wealth / sleeve)
        floor = n["policy.cppi.floor"] * start * torch.exp(-rate * dt * (terms.steps - k))
        wanted = n["policy.cppi.multiplier"] * torch.clamp(wealth - floor, min=0.0)
        scale = scale * torch.clamp(wanted / (sleeve * scale), max=1.0)
        target = {a: mix[a] * scale for a in assets}
        # The put: bought anew on rolling dates, else held; the mix pays for it.
        if k % terms.roll == 0:
            new_strike, expiry = n["policy.rolled_put.moneyness"] * price["equity"], k + terms.tenor
            ask = _put(n, price["equity"], variance, new_strike, dt * terms.tenor)
            wanted_puts = n["policy.rolled_put.coverage"] * target["equity"]
            shrink = wealth / (wealth + wanted_puts * ask * (1.0 + spread))
            wanted_puts = wanted_puts * shrink
            fee = spread * (put_units.abs() * put_mark + wanted_puts.abs() * ask)
            cash = cash + put_units * put_mark - wanted_puts * ask
            put_units, put_mark, strike = wanted_puts, ask, new_strike
        else:
            shrink, fee = 1.0 - put_units * put_mark / wealth, 0.0
        for a in assets:
            bought = (target[a] * shrink - units[a]) * price[a]
            cash, fee, units[a] = cash - bought, fee + cost * bought.abs(), target[a] * shrink
        cash = (cash - fee) * (1.0 + interest)
        price, variance = _move(n, price, variance, factor, dt, draws)
        cash = cash + sum(units[a] * price[a] * income[a] for a in assets)
        if k + 1 == expiry:
            cash = cash + put_units * torch.clamp(strike - price["equity"], min=0.0)
            put_units, put_mark = torch.zeros(paths), torch.zeros(paths)
        else:
            put_mark = _put(n, price["equity"], variance, strike, dt * (expiry - k - 1))
        wealth = cash + sum(units[a] * price[a] for a in assets) + put_units * put_mark
    return wealth / start


def _factor(n: dict[str, Any]) -> Any:
    """Cholesky factor over (variance's normal, the equity's own, bond, commodity)."""
    rho = n["market.equity.rho"]
    side = torch.sqrt(1.0 - rho**2)
    eb, ec, bc = (n[f"market.correlation.{pair}"] for pair in ("equity-bond", "equity-commodity", "bond-commodity"))
    one, zero = torch.tensor(1.0), torch.tensor(0.0)
    rows = [[one, zero, eb * rho, ec * rho], [zero, one, eb * side, ec * side], [eb * rho, eb * side, one, bc], [ec * rho, ec * side, bc, one]]
    return torch.linalg.cholesky(torch.stack([torch.stack(row) for row in rows]))


def _move(n: dict[str, Any], price: dict[str, Any], variance: Any, factor: Any, dt: Any, draws: torch.Generator) -> tuple[dict[str, Any], Any]:
    z = factor @ torch.randn(4, variance.numel(), generator=draws)
    kappa, theta, xi, rho = (n[f"market.equity.{name}"] for name in ("kappa", "theta", "vol_of_vol", "rho"))
    decay = torch.exp(-kappa * dt)
    mean = torch.clamp(theta * (1.0 - decay) + decay * variance, min=_TINY)
    spread = theta * xi**2 * (1.0 - decay) ** 2 / (2.0 * kappa) + xi**2 * decay * (1.0 - decay) / kappa * variance
    inverse = mean * mean / spread
    k2, k34 = 0.5 * dt * (kappa * rho / xi - 0.5) + rho / xi, 0.5 * dt * (1.0 - rho**2)
    weight, quadratic = k2 + 0.5 * k34, inverse >= 1.0 / 1.5

    twice = 2.0 * torch.where(quadratic, inverse, 1.0)
    b2 = twice - 1.0 + torch.sqrt(twice * (twice - 1.0))
    a = mean / (1.0 + b2)
    root = torch.sqrt(b2) + z[0]
    low = torch.where(quadratic, 0.5, inverse)
    upper = torch.clamp(0.5 - 0.5 * torch.erf(z[0] * math.sqrt(0.5)), min=3e-8)
    share = 1.0 / ((1.0 + low) * upper)
    survive, life = 2.0 * low * share * upper, 0.5 * mean * (1.0 + low) / low
    tail = torch.clamp(torch.log(2.0 * low * share), min=0.0) * life
    after = torch.where(quadratic, a * root * root, tail)

    spare = 1.0 - weight * torch.where(quadratic, 2.0 * a, life)
    log = torch.log(torch.where(quadratic, spare, 1.0 - survive + survive / spare))
    moment = torch.where(quadratic, weight * a * b2 / spare - 0.5 * log, log)
    step = (n["market.equity.drift"] - n["market.equity.dividend"]) * dt - moment - 0.5 * k34 * variance + k2 * after
    step = step + torch.sqrt(torch.clamp(k34 * (variance + after), min=_TINY**2)) * z[1]
    moved = {"equity": price["equity"] * torch.exp(step)}
    for name, normal in (("bond", z[2]), ("commodity", z[3])):
        sigma, drift = n[f"market.{name}.sigma"], n[f"market.{name}.drift"] - n[f"market.{name}.dividend"]
        moved[name] = price[name] * torch.exp((drift - 0.5 * sigma**2) * dt + sigma * torch.sqrt(dt) * normal)
    return moved, after


def _put(n: dict[str, Any], spot: Any, variance: Any, strike: Any, t: Any) -> Any:
    """Black at the second-order implied volatility of Bergomi & Guyon (2012), as the engine's pricer has it."""
    kappa, xi, rho, premium = (n[f"market.equity.{name}"] for name in ("kappa", "vol_of_vol", "rho", "variance_premium"))
    decay = torch.exp(-kappa * t)
    h, h2 = (1.0 - decay) / kappa, (1.0 - decay * decay) / (2.0 * kappa)
    theta, gap = premium * n["market.equity.theta"], premium * (variance - n["market.equity.theta"])
    drive, spread = rho * xi * torch.sqrt(premium), premium * xi**2
    inner = (h - t * decay) / kappa
    w = torch.clamp(theta * t + gap * h, min=1e-8)
    a = drive * (theta * (t - h) / kappa + gap * inner) / w
    b = spread * (theta * (t - 2.0 * h + h2) + gap * (h - 2.0 * t * decay + decay * h)) / (kappa**2 * w)
    c = drive**2 * (theta * (t - 2.0 * h + t * decay) / kappa**2 + gap * (inner - 0.5 * decay * t * t) / kappa) / w
    discount, forward = torch.exp(-n["market.rate.rate"] * t), spot * torch.exp((n["market.rate.rate"] - n["market.equity.dividend"]) * t)
    y = torch.log(strike / forward) / w
    level = 1.0 + 0.25 * a + (12.0 * a * a - (w + 4.0) * b + 4.0 * (w - 4.0) * c) / (32.0 * w)
    tilt = level + y * (0.5 * a + 0.125 * (4.0 * c - 3.0 * a * a)) + y * y * 0.125 * (4.0 * c + b - 6.0 * a * a)
    deviation = torch.sqrt(w) * torch.clamp(tilt, 0.5, 2.0)
    d1 = torch.log(forward / strike) / deviation + 0.5 * deviation
    below = lambda x: 0.5 * (1.0 - torch.erf(x * math.sqrt(0.5)))  # noqa: E731
    return discount * (strike * below(d1 - deviation) - forward * below(d1))
