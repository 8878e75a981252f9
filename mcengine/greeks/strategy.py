"""Greeks of a whole study: pathwise derivatives of the mean final wealth by the market's and the rule's numbers.

Delta is the derivative by an asset's ``shock``, a log-return right after the first trade; vega by ``v0``, ``theta`` or ``sigma``; rho by the
rate. They are derivatives of the smooth program: with a hard trigger the pathwise derivative misses what the trigger's flip is worth.
``of_study`` chooses among estimators, and takes other figures; this is one of them for one figure, by one program for all numbers.
Errors come from independent batches of paths.
"""

import math
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import numpy as np

from mcengine._model import parameters, replace
from mcengine._runtime import capped
from mcengine._spelling import near
from mcengine.engine import BatchGradient, Study
from mcengine.noise import Counter, make_key
from mcengine.statistics import Estimate

_BATCHES = 32


def default_names(study: Study) -> list[str]:
    """Shocks (delta), volatilities and variances (vega) and the rate (rho)."""
    wanted = ("shock", "sigma", "v0", "theta", "rate.rate")
    return [n for n in parameters(study) if n.startswith("market.") and n.endswith(wanted) and ".correlation" not in n]


def study(
    study: Study,
    names: Iterable[str] | None = None,
    *,
    paths: int = 262_144,
    width: float = 0.005,
    seed: int = 0,
    book: str | None = None,
    journal: Callable[[Callable[[], Any]], Any] | None = None,
) -> Any:
    """Derivatives of E[final / starting wealth], on independent paths whatever the study's noise.

    Args:
        study: What is simulated.
        names: Dotted names of the numbers; None for shocks (delta), volatilities and variances (vega) and the rate (rho).
        paths: Number of paths.
        width: Smooths the rule's gates; 0 keeps the rule, whose derivative then leaves triggers out.
        seed: Of the random numbers.
        book: Name of the policy; None for the first.
        journal: An ``engine.Journal`` that keeps every batch, so that a run that was killed goes on.

    Returns:
        A pandas table of Estimates by parameter name.

    Raises:
        ValueError: For an unknown book or name, or a number without a pathwise derivative.
    """
    import pandas as pd

    book = book or next(iter(study.books))
    if book not in study.books:
        raise ValueError(f"unknown book {book!r}{near(book, study.books)}")
    known = parameters(study)
    chosen = tuple(default_names(study) if names is None else names)
    for name in chosen:
        if name not in known:
            raise ValueError(f"names: unknown parameter {name!r}{near(name, known)}")
    # Batches of consecutive ids are independent, and unweighted, only with a counter's numbers.
    noise = study.noise if isinstance(study.noise, Counter) else Counter()
    smooth = replace(study, width=width, noise=noise)

    def loss(outcomes: Any, extra: Any) -> Any:
        return outcomes[book]["wealth"], {}

    paths = capped(paths, 8192)
    gradient = BatchGradient(smooth, loss, chosen, label=("greeks", book), batch=max(1, paths // _BATCHES))
    values = {name: known[name] for name in chosen}
    batches = max(8, round(paths / gradient.paths))
    key = make_key(seed, "pilot")
    recall = journal or (lambda compute: compute())

    def batch(k: int) -> dict[str, float]:
        found = gradient(values, smooth, key, k)
        gradient.check(found, values, smooth, k, seed=seed, stream="pilot")
        return {name: float(x) for name, x in found[2].items()}

    rows = [recall(partial(batch, k)) for k in range(batches)]
    table = {}
    for name in chosen:
        x = np.array([float(row[name]) for row in rows])
        table[name] = Estimate(float(x.mean()), float(x.std(ddof=1)) / math.sqrt(batches), batches, "batches")
    return pd.DataFrame({"derivative": table})
