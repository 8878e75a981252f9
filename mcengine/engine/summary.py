"""What was run, in a line: the market by its models, how many paths, the seed."""

from typing import Any


def summarise(study: Any, paths: int | None = None, seed: int | None = None, drawn: int | None = None) -> str:
    """Market, paths, horizon and seed in a line, as titles of pictures have it.

    Args:
        study: What was simulated.
        paths: How many; None where single ones were traced.
        seed: Of the random numbers; None: not said.
        drawn: How many of them are shown; None for all.

    Example:
        >>> import mcengine as mc
        >>> market = mc.market.Market({"equity": mc.market.GBM(spot=100.0, sigma=0.2), "bond": mc.market.GBM(spot=50.0, sigma=0.06)})
        >>> mc.engine.summarise(mc.Study(market, mc.policy.Mix(equity=0.6), steps=12), 1000, seed=3)
        'GBM equity, bond · 1 y in 12 steps · 1,000 paths · seed 3'
        >>> mc.engine.summarise(mc.Study(market, mc.policy.Mix(equity=0.6), steps=12), 1000, drawn=200)
        'GBM equity, bond · 1 y in 12 steps · 200 of 1,000 paths'
    """
    market, drawn_anew = study.market, not hasattr(study.market, "windows")
    if hasattr(market, "days"):
        kind = type(market).__name__.lower()
        what = f"{kind} of {getattr(market, 'period', '') or f'{market.days.day(0)[:4]} to {market.days.day(market.days.count - 1)[:4]}'}"
    else:
        models: dict[str, list[str]] = {}
        for name, asset in market.assets.items():
            models.setdefault(type(asset).__name__, []).append(name)
        what = "; ".join(f"{model} {', '.join(names)}" for model, names in models.items())
        what += "".join(f", {word}" for word in ("regimes", "events", "scenarios") if getattr(market, word))
    part = f"{drawn:,} of " if drawn is not None and drawn != paths else ""
    sized = [] if paths is None else [f"{part}{paths:,} {'paths' if drawn_anew else 'windows'}"]
    told = [f"seed {seed}"] if drawn_anew and seed is not None else []
    return " · ".join([what, f"{float(study.years):g} y in {study.steps} steps", *sized, *told])
