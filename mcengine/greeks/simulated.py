"""Derivatives of simulated figures, each by the estimator that a pilot found best: of a study's hedged outcome, or of a contract by Monte Carlo."""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from mcengine._model import field_metadata, parameters
from mcengine._runtime import capped
from mcengine._spelling import near
from mcengine.engine import NotFiniteError, Study
from mcengine.engine.checks import check_paths
from mcengine.greeks.bumps import differences, outcomes_at, stencil
from mcengine.greeks.choose import AT_LEVEL, BUMPS, Candidate, Choice, Plan, choose, first_of_pilot, least_error
from mcengine.greeks.figures import Derivable, standard
from mcengine.greeks.samples import ContractPaths, StudyPaths, listed
from mcengine.greeks.strategy import default_names
from mcengine.statistics import Sampling, estimate
from mcengine.statistics.estimate import Estimate


@dataclass(frozen=True)
class Derivatives:
    """Derivatives with their errors, and what the pilot found of every estimator; printed, it is the chooser's table.

    Args:
        choices: By figure and number, in order.
        values: Of the derivatives, in the same order; None where no estimator was taken.
        paths: Of each derivative.
        pilot: Paths of the pilot.
        sampling: How paths depend on each other.
    """

    choices: tuple[Choice, ...]
    values: tuple[Estimate | None, ...]
    paths: int
    pilot: int
    sampling: Sampling

    def __getitem__(self, key: tuple[str, str]) -> Estimate:
        """The derivative of a figure by a number, its error with the bias that its estimator may hide."""
        for choice, value in zip(self.choices, self.values, strict=True):
            if (choice.figure, choice.number) == key:
                if value is None:
                    raise ValueError(f"{key[0]} by {key[1]}: {choice.why}")
                return value
        known = [f"{c.figure} by {c.number}" for c in self.choices]
        raise ValueError(f"unknown derivative {f'{key[0]} by {key[1]}'!r}{near(f'{key[0]} by {key[1]}', known)}")

    def choice(self, figure: str, number: str) -> Choice:
        """What the pilot found.

        Args:
            figure: Its name.
            number: Dotted name of the number.
        """
        return next(c for c in self.choices if (c.figure, c.number) == (figure, number))

    def table(self) -> Any:
        """One row a figure and number: the derivative, the estimator, its bias on the pilot, whether it is within the tolerance.

        Returns:
            A pandas table.
        """
        import pandas as pd

        rows = [
            {
                "figure": choice.figure,
                "number": choice.number,
                "derivative": value,
                "estimator": choice.taken or "none",
                "bias": None if choice.chosen is None else choice.chosen.bias,
                "within": choice.within,
            }
            for choice, value in zip(self.choices, self.values, strict=True)
        ]
        return pd.DataFrame(rows).set_index(["figure", "number"])

    def __str__(self) -> str:
        windows = self.sampling.kind == "windows"
        apart = f"{self.paths:,} windows, the pilot's among them" if windows else f"{self.paths:,} of their own"
        head = f"derivatives: each estimator on a pilot of {self.pilot:,} {'windows' if windows else 'paths'}, then the one taken on {apart}\n\n"
        return head + "\n\n".join(f"{c}\n  derivative: {v}" for c, v in zip(self.choices, self.values, strict=True))


def of_study(
    study: Study,
    figures: Mapping[str, Derivable] | Iterable[str] | None = None,
    names: Iterable[str] | None = None,
    *,
    floor: float = 0.9,
    book: str | None = None,
    paths: int = 262_144,
    pilot: int = 8_192,
    width: float = 0.005,
    tolerance: float = 0.1,
    seed: int = 0,
    journal: Callable[[Callable[[], Any]], Any] | None = None,
) -> Derivatives:
    """Derivatives of figures of a hedged outcome, each by the estimator that a pilot found best (``greeks.choose``).

    The pilot's paths are others than those of the derivatives. Of windows of history there are no others: there, the same windows choose and tell, so
    that errors do not hold what the choice among estimators adds.

    Args:
        study: What is simulated, with its gates as they are.
        figures: By name, or names among ``figures.standard``; None for all of these.
        names: Dotted names of the numbers; None for those of ``numbers_of``.
        floor: Of the standard figures, a fraction of the starting wealth.
        book: Name of the policy; None for the first.
        paths: Of each derivative.
        pilot: Paths on which estimators are compared.
        width: Of the gates where they are smoothed.
        tolerance: Of an error, a fraction of the derivative: what is not within is said.
        seed: Of the random numbers.
        journal: An ``engine.Journal`` that keeps every number's derivatives, so that a run that was killed goes on.

    Raises:
        ValueError: For an unknown book, figure or number.
        NotFiniteError: For a path that breaks.

    Example:
        >>> import mcengine as mc
        >>> market = mc.market.Market({"equity": mc.market.GBM(spot=100.0, sigma=0.2, drift=0.07)}, rate=0.03)
        >>> study = mc.Study(market, mc.policy.Mix(equity=1.0), steps=1)
        >>> found = mc.greeks.of_study(study, ["mean_return"], ["market.equity.shock"], paths=4096, pilot=4096)
        >>> found.choice("mean_return", "market.equity.shock").taken, abs(found["mean_return", "market.equity.shock"].z(1.0725)) < 4.0
        ('pathwise', True)
    """
    chosen = _figures(figures, floor)
    names = numbers_of(study, book) if names is None else listed("names", names)
    subject = StudyPaths(study, book, names, dict.fromkeys(one.outcome for one in chosen.values()))
    return _derivatives(subject, chosen, paths=paths, pilot=pilot, width=width, tolerance=tolerance, seed=seed, journal=journal)


def of_contract(
    contract: Any,
    asset: Any,
    names: Iterable[str] | None = None,
    *,
    rate: float = 0.0,
    steps: int | None = None,
    paths: int = 262_144,
    pilot: int = 16_384,
    width: float = 0.01,
    tolerance: float = 0.1,
    seed: int = 0,
) -> Derivatives:
    """Derivatives of a contract's price by Monte Carlo under Q, each by the estimator that a pilot found best: those of the figure ``price``.

    Args:
        contract: Any contract.
        asset: Model of its underlying, or a whole ``Market``, which brings its own rate.
        names: Dotted names of the numbers, as ``market.asset.spot``; None for spots, volatilities, intensities, correlations and the rate.
        rate: Annual, continuously compounded; of a contract on one asset.
        steps: To the last expiry; None for daily ones.
        paths: Of each derivative.
        pilot: Paths on which estimators are compared.
        width: Of the contract's decisions where they are smoothed, and it has a ``width``.
        tolerance: Of an error, a fraction of the derivative: what is not within is said.
        seed: Of the random numbers.

    Raises:
        ValueError: For an unknown number, or terms that do not fit the market.

    Example:
        >>> import mcengine as mc
        >>> digital, asset = mc.instrument.Digital("put", strike=90.0, expiry=1.0), mc.market.GBM(spot=100.0, sigma=0.2)
        >>> found = mc.greeks.of_contract(digital, asset, ["market.asset.spot"], steps=1, paths=65_536)
        >>> found.choice("price", "market.asset.spot").taken, abs(found["price", "market.asset.spot"].z(-0.01821)) < 4.0
        ('likelihood', True)
    """
    subject = ContractPaths(contract, asset, names, rate, steps)
    figures = {"price": Derivable("cash")}
    return _derivatives(subject, figures, paths=paths, pilot=pilot, width=width, tolerance=tolerance, seed=seed, journal=None)


def numbers_of(study: Study, book: str | None = None) -> list[str]:
    """What a book is differentiated by where nothing else is asked: shocks (delta), volatilities and variances (vega), correlations, the rate (rho),
    intensities and probabilities, and every number of its rule.

    Args:
        study: What is simulated.
        book: Name of the policy; None for the first.
    """
    own = f"policy.{book or next(iter(study.books))}." if isinstance(study.policy, Mapping) else "policy."
    known = parameters(study)
    single = [name for name in known if np.ndim(known[name]) == 0 and known[name] is not None]
    whole = [name for name in single if name.startswith("market.") and not field_metadata(study, name).get("pathwise", True)]
    pairs = [name for name in single if name.startswith("market.correlation.")]
    rule = [name for name in single if name.startswith(own)]
    return list(dict.fromkeys([*(n for n in default_names(study) if n in single), *pairs, *whole, *rule]))


def _figures(figures: Mapping[str, Derivable] | Iterable[str] | None, floor: float) -> dict[str, Derivable]:
    known = standard(floor)
    if figures is None:
        return known
    if isinstance(figures, Mapping):
        return dict(figures)
    for name in (wanted := listed("figures", figures)):
        if name not in known:
            raise ValueError(f"figures: unknown figure {name!r}{near(name, known)}")
    return {name: known[name] for name in wanted}


def _derivatives(
    subject: Any, figures: Mapping[str, Derivable], *, paths: int, pilot: int, width: float, tolerance: float, seed: int, journal: Any
) -> Derivatives:
    if not figures or not subject.names:
        raise ValueError(f"{'names' if figures else 'figures'}: expected at least one, got none")
    if not width > 0.0:
        raise ValueError(f"width: expected a number above 0, of the gates where they are smoothed, got {width!r}")
    if not tolerance > 0.0:
        raise ValueError(f"tolerance: expected a number above 0, a fraction of a derivative, got {tolerance!r}")
    plan = Plan(capped(check_paths(pilot, "pilot"), 2048), capped(check_paths(paths), 8192), width, tolerance, seed)
    plan = plan._replace(paths=subject.available(plan.paths, 0), pilot=subject.available(plan.pilot, first_of_pilot(subject)))
    recall = journal or (lambda compute: compute())
    choices: list[Choice] = []
    values: list[Estimate | None] = []
    for name in subject.names:
        for row in recall(partial(_by_number, subject, figures, name, plan)):
            choices.append(_choice_of(row))
            values.append(_estimate_of(row["value"]))
    order = sorted(range(len(choices)), key=lambda k: list(figures).index(choices[k].figure))
    return Derivatives(tuple(choices[k] for k in order), tuple(values[k] for k in order), plan.paths, plan.pilot, subject.sampling)


def _by_number(subject: Any, figures: Mapping[str, Derivable], name: str, plan: Plan) -> list[dict[str, Any]]:
    """Choices and derivatives by one number, as rows that a journal can keep."""
    found = choose(subject, figures, name, plan)
    values = _run(subject, figures, name, plan, found)
    found = [_sitting(c, plan) if c.taken and c.figure not in values else c for c in found]
    rows = []
    for choice in found:
        listed = [{**vars(c), "value": _as_row(c.value), "bias": _as_row(c.bias), "total": _finite(c.total)} for c in choice.candidates]
        rows.append({**vars(choice), "candidates": listed, "value": _as_row(values.get(choice.figure))})
    return rows


def _sitting(choice: Choice, plan: Plan) -> Choice:
    """None: of the pilot's few paths the kernel reached past those at the level, of all paths it does not."""
    return replace(choice, taken="", why=f"{AT_LEVEL}: seen on {plan.paths:,} paths, not on the pilot's", within=False)


def _run(subject: Any, figures: Mapping[str, Derivable], name: str, plan: Plan, choices: Iterable[Choice]) -> dict[str, Estimate]:
    """Each figure's derivative by the estimator taken; none where paths sit at its level."""
    options = {"seed": plan.seed, "stream": "pilot"}
    taken = {choice.figure: choice for choice in choices if choice.taken}
    samples: dict[tuple[float | None, float], Any] = {}

    def sample(estimator: str) -> Any:
        at = (plan.width if estimator == "smoothed" else None, 1.0 if estimator == "likelihood" else 0.0)
        if at not in samples:
            samples[at] = subject.moved(name, *at, plan.paths, 0, **options)
        return samples[at]

    weights: dict[str, dict[int, float]] = {}
    found, score = None, np.zeros(plan.paths)
    if any(choice.taken in BUMPS for choice in taken.values()):
        found = stencil(subject.model, name, subject.check)
        for title, choice in taken.items():
            if choice.taken in BUMPS:
                weights[title] = found.single if choice.taken == "bump" else found.extrapolated
        offsets = sorted({k for each in weights.values() for k in each})
        bumped = outcomes_at(lambda values: subject.at(values, plan.paths, 0, **options), subject.model, name, found, offsets)
    values = {}
    for title, choice in taken.items():
        figure = figures[title]
        if title in weights:
            y = differences(figure, {k: columns[figure.outcome] for k, columns in bumped.items()}, weights[title])
        else:
            one = sample(choice.taken)
            slope, score = one.slopes[figure.outcome], one.score
            if choice.taken == "likelihood" and choice.chosen is not None and choice.chosen.exact:
                slope = np.zeros_like(slope)
            y = figure.slopes(one.outcomes[figure.outcome], slope, one.score)
        moved = bumped.values() if title in weights else [one.outcomes, one.slopes]
        if figure.steps and not np.any(np.isfinite(y)) and all(np.all(np.isfinite(columns[figure.outcome])) for columns in moved):
            continue
        if not np.all(np.isfinite(y)):
            ids = np.flatnonzero(~np.isfinite(y)).tolist()
            raise NotFiniteError(ids, f"in the derivative of {title} by {name}", plan.seed, "pilot")
        value = estimate.mean(y, subject.sampling)
        hidden = 0.0 if choice.chosen is None else choice.chosen.hidden
        error = max(value.error, least_error(choice.taken, figure, found, score))
        values[title] = Estimate(value.value, math.hypot(error, hidden), value.count, value.sampling)
    return values


def _as_row(value: Estimate | None) -> list[Any] | None:
    return None if value is None else [value.value, _finite(value.error), value.count, value.sampling]


def _estimate_of(row: list[Any] | None) -> Estimate | None:
    return None if row is None else Estimate(row[0], math.nan if row[1] is None else row[1], *row[2:])


def _finite(x: float) -> float | None:
    return x if math.isfinite(x) else None


def _choice_of(row: Mapping[str, Any]) -> Choice:
    read = lambda c: {  # noqa: E731
        **c,
        "value": _estimate_of(c["value"]),
        "bias": _estimate_of(c["bias"]),
        "total": math.inf if c["total"] is None else c["total"],
    }
    candidates = tuple(Candidate(**read(c)) for c in row["candidates"])
    return Choice(**{key: value for key, value in row.items() if key not in ("candidates", "value")}, candidates=candidates)
