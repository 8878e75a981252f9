"""Fitting the numbers of a rule with optax under a constraint.

Each trainable number x is moved through an unconstrained u that keeps it in its range: x = low + (x_0 - low) e^u for a number with a
lower bound, x_0 + u max(|x_0|, 1) for a free one. Adam descends the smooth program's loss; the price of the constraint follows
lambda <- lambda exp(rate (breach / limit - 1)), so it rises while the constraint is broken. The result is the mean of the last quarter's
iterates, pulled back towards the start until the hard constraint holds on paths that the fit has not seen (stream ``validate``).
"""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import astuple, dataclass
from functools import cache, partial
from typing import Any

import jax.numpy as jnp
import numpy as np
import optax
from tqdm import tqdm

from mcengine._model import field_metadata, parameters, replace, trainable, with_parameters
from mcengine._runtime import capped
from mcengine._spelling import near
from mcengine.engine import BatchGradient, Study
from mcengine.noise import make_key
from mcengine.statistics import Estimate

_PULL_BACK = np.linspace(1.0, 0.0, 11)
"""Shares of the way from the start to the optimiser's end that are tried until the constraint holds."""


@dataclass(frozen=True)
class Fit:
    """A fitted study, and what happened on the way.

    Args:
        study: With the fitted numbers.
        before: The study it started from.
        names: Of the fitted numbers.
        rows: Of each step loss, what is maximised, what is constrained, price and every fitted number.
        chosen: Share of the way from the start to the optimiser's end.
        value: What is maximised, on the validation paths.
        constraint: What is limited, on the validation paths.
        limit: Of the constraint.
        timings: Seconds, by name.
    """

    study: Study
    before: Study
    names: tuple[str, ...]
    rows: list[dict[str, float]]
    chosen: float
    value: Estimate
    constraint: Estimate
    limit: float
    timings: dict[str, float]

    @property
    def feasible(self) -> bool:
        """Whether the constraint holds on the validation paths, one standard error included."""
        return self.constraint.value + self.constraint.error <= self.limit

    @property
    def history(self) -> Any:
        """A pandas table, one row a step: loss, what is maximised and constrained by their keys, price, and every fitted number."""
        import pandas as pd

        return pd.DataFrame(self.rows).set_index("step")

    def table(self) -> Any:
        """Every fitted number before and after (pandas)."""
        import pandas as pd

        old, new = ({n: parameters(study)[n] for n in self.names} for study in (self.before, self.study))
        return pd.DataFrame({"before": _one_by_one(old), "after": _one_by_one(new)})


def default_names(study: Study) -> list[str]:
    """Numbers of the policy that a fit moves by default: not terms, and not at the end of their range (a tolerance of 0 means no band).

    Args:
        study: Whose policy is to be fitted.

    Returns:
        Dotted names.
    """
    names = []
    for name in trainable(study):
        if name.startswith("policy."):
            low = _low(study, name)
            if low is None or np.all(parameters(study)[name] > low):
                names.append(name)
    return names


def fit(
    study: Study,
    objective: Any,
    *,
    steps: int = 200,
    paths: int = 8192,
    learning_rate: float = 0.05,
    price: float = 1.0,
    price_rate: float = 0.05,
    train: Iterable[str] | None = None,
    width: float = 0.002,
    validation_paths: int = 65_536,
    seed: int = 0,
    journal: Callable[[Callable[[], Any]], Any] | None = None,
    progress: bool | None = None,
) -> Fit:
    """Fit the numbers of a rule to an objective under its constraint.

    Args:
        study: Of one policy.
        objective: What is maximised and limited, such as ``FloorProtection``.
        steps: Of the optimiser.
        paths: Of each step.
        learning_rate: Of Adam, in the unconstrained numbers.
        price: At the start, of the constraint: return for one unit of probability.
        price_rate: By which the price grows in a step, for a breach of twice its limit.
        train: Dotted names of the numbers that move; None for ``default_names``.
        width: Smooths the rule's gates, as a fraction of wealth.
        validation_paths: On which the hard constraint is checked.
        seed: Of the random numbers.
        journal: An ``engine.Journal`` that keeps every gradient and validation, so that a fit that was killed goes on with the same bits.
        progress: Whether to show a bar; None for on a terminal only.

    Raises:
        ValueError: For unknown names, or where nothing can move.
    """
    started = time.perf_counter()
    for name, value in (("steps", steps), ("paths", paths), ("validation_paths", validation_paths)):
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ValueError(f"optimise.{name}: expected a whole number of at least 1, got {value!r}")
    steps, paths = capped(steps, 4), capped(paths, 512)
    if len(study.books) != 1:
        raise ValueError(f"fit: expected a study of one policy, got {', '.join(study.books)}")
    book = next(iter(study.books))
    names = tuple(default_names(study) if train is None else train)
    known = parameters(study)
    for name in names:
        if name not in known:
            raise ValueError(f"train: unknown parameter {name!r}{near(name, trainable(study))}")
    if not names:
        raise ValueError("train: expected at least one number that may move, got none; name one")
    smooth = replace(study, width=width)
    start = {name: np.asarray(known[name], np.float64) for name in names}
    lows = {name: _low(study, name) for name in names}

    def loss(outcomes: Any, extra: Any) -> Any:
        return extra["objective"].loss(outcomes[book], extra["price"])

    extra = {"objective": objective, "price": price}

    @cache
    def program() -> BatchGradient:  # a fit whose journal has every step compiles nothing
        return BatchGradient(smooth, loss, names, extra=extra, label=("fit", book), batch=paths)

    def differentiate(values: Mapping[str, Any], step: int) -> tuple[float, dict[str, float], dict[str, Any]]:
        value, more, gradient = found = program()(values, smooth, key, step, extra)
        program().check(found, values, smooth, step, seed=seed, stream="train")
        # Numbers that a journal can keep: float32 in float64 and back is the same.
        return float(value), {k: float(x) for k, x in more.items()}, {k: np.asarray(x, np.float64).tolist() for k, x in gradient.items()}

    optimiser = optax.adam(learning_rate)
    moved = {name: jnp.zeros(np.shape(start[name])) for name in names}
    state = optimiser.init(moved)
    key, limit = make_key(seed, "train"), objective.limit
    recall = journal or (lambda compute: compute())
    rows: list[dict[str, float]] = []
    trail: list[dict[str, Any]] = []
    for step in tqdm(range(steps), desc="fit", unit="step", disable=None if progress is None else not progress, leave=False):
        values = {name: _value(np.asarray(moved[name], np.float64), start[name], lows[name]) for name in names}
        extra["price"] = price
        value, more, gradient = recall(partial(differentiate, values, step))
        chained = {name: jnp.asarray(gradient[name], jnp.result_type(float)) * _slope(values[name], start[name], lows[name]) for name in names}
        updates, state = optimiser.update(chained, state)
        moved = optax.apply_updates(moved, updates)
        parts = {name: float(more[name]) for name in (objective.maximised, objective.constrained, *more)}
        rows.append({"step": step, "loss": float(value), **parts, "price": price, **_one_by_one(values)})
        trail.append({name: np.asarray(moved[name], np.float64) for name in names})
        price = float(np.clip(price * np.exp(price_rate * np.clip(parts[objective.constrained] / limit - 1.0, -1.0, 3.0)), 1e-4, 1e4))

    def validate(after: Study) -> list[tuple[Any, ...]]:
        result = after.run(validation_paths, seed=seed, stream="validate", progress=False)
        return [astuple(result.estimate(figure)) for figure in (objective.value(book), objective.constraint(book))]

    tail = trail[-max(1, steps // 4) :]
    end = {name: np.mean([t[name] for t in tail], axis=0) for name in names}
    for share in _PULL_BACK:
        after = with_parameters(study, {name: _value(share * end[name], start[name], lows[name]) for name in names})
        gain, breach_hard = (Estimate(*fields) for fields in recall(partial(validate, after)))
        if breach_hard.value + breach_hard.error <= limit:
            break
    timings = {"compile_seconds": program().compiled.seconds if program.cache_info().currsize else 0.0, "seconds": time.perf_counter() - started}
    return Fit(after, study, names, rows, float(share), gain, breach_hard, limit, timings)


def _low(study: Study, name: str) -> float | None:
    bounds: Mapping[str, float] = field_metadata(study, name).get("bounds", {})
    return bounds.get("above", bounds.get("low"))


def _value(u: Any, start: Any, low: float | None) -> Any:
    return start + u * np.maximum(np.abs(start), 1.0) if low is None else low + (start - low) * np.exp(u)


def _slope(value: Any, start: Any, low: float | None) -> Any:
    return np.maximum(np.abs(start), 1.0) if low is None else value - low


def _one_by_one(values: Mapping[str, Any]) -> dict[str, float]:
    """Numbers by name, those of an array with their places: ``first[0,2]``."""
    out = {}
    for name, value in values.items():
        for place, x in np.ndenumerate(np.asarray(value)):
            out[name + (f"[{','.join(map(str, place))}]" if place else "")] = float(x)
    return out
