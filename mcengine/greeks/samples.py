"""Paths to estimate derivatives from, of a study's book or of a contract under Q: outcomes at other numbers, and outcomes with their derivatives."""

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any

import numpy as np

from mcengine._model import parameters, replace, with_parameters
from mcengine._spelling import near
from mcengine.engine import Study, payoffs, tangent
from mcengine.engine.prepared import PreparedStudy
from mcengine.engine.price import check_market, market_of, underlyings
from mcengine.engine.tangent import Moved, PathDerivatives
from mcengine.instrument import make_calendar
from mcengine.noise import Counter, make_key
from mcengine.statistics import Sampling


class StudyPaths:
    """Paths of one book of a study, by a counter's numbers whatever the study's noise.

    Args:
        study: What is simulated.
        book: Name of the policy; None for the first.
        names: Dotted names of the numbers.
        outcomes: Names of the outcomes that are read.

    Raises:
        ValueError: For an unknown book or outcome, or a number that is none of the study's.
    """

    def __init__(self, study: Study, book: str | None, names: Iterable[str], outcomes: Iterable[str]) -> None:
        self.book = book or next(iter(study.books))
        if self.book not in study.books:
            raise ValueError(f"unknown book {self.book!r}{near(self.book, study.books)}")
        # One counter's numbers: others are drawn by pairs or points, whose slopes no error here knows.
        self.model = study if isinstance(study.noise, Counter) else replace(study, noise=Counter())
        self.names, self.outcomes = checked(self.model, names), tuple(outcomes)
        known = PreparedStudy(self.model, make_key(0, "pilot")).columns[self.book]
        for outcome in self.outcomes:
            if outcome not in known:
                raise ValueError(f"Derivable.outcome: unknown outcome {outcome!r} of {self.book}{near(outcome, known)}")

    @property
    def sampling(self) -> Sampling:
        """How paths depend on each other."""
        return self.model.sampling

    @cached_property
    def _derivatives(self) -> PathDerivatives:
        return PathDerivatives(self.names, tangent.of_study(self.book, self.outcomes), ("study", self.book, self.outcomes))

    def available(self, paths: int, first: int) -> int:
        """How many of the paths asked for there are.

        Args:
            paths: Asked for.
            first: Id of the first.
        """
        return self.model.available(paths, first)

    def check(self, values: Mapping[str, float]) -> None:
        """Raise ``ValueError`` for numbers that are refused.

        Args:
            values: By dotted name.
        """
        with_parameters(self.model, values)

    def at(self, values: Mapping[str, float], paths: int, first: int, *, seed: int, stream: str) -> dict[str, np.ndarray]:
        """Outcomes [paths] of the rule as it is, at other numbers.

        Args:
            values: By dotted name.
            paths: How many.
            first: Id of the first.
            seed: Of the random numbers.
            stream: Of the random numbers.
        """
        moved = with_parameters(self.model, values)
        return moved.run(paths, seed=seed, stream=stream, first=first, keep=paths, progress=False).outcomes[self.book]

    def moved(self, name: str, width: float | None, share: float, paths: int, first: int, *, seed: int, stream: str) -> Moved:
        """Outcomes, slopes and score [paths] by one number.

        Args:
            name: Of the number.
            width: Of the gates; None as they are.
            share: 0: prices move; 1: their density does.
            paths: How many.
            first: Id of the first.
            seed: Of the random numbers.
            stream: Of the random numbers.
        """
        model = self.model if width is None else replace(self.model, width=width)
        return self._derivatives(model, name, paths, make_key(seed, stream), first, share)


class ContractPaths:
    """Paths of a contract under Q.

    Args:
        contract: Any contract.
        asset: Model of its underlying, or a whole ``Market``.
        names: Dotted names of the numbers, ``market.asset.spot``; None for spots, volatilities, correlations, intensities and the rate.
        rate: Annual, of a contract on one asset.
        steps: To the last expiry; None for daily ones.
    """

    def __init__(self, contract: Any, asset: Any, names: Iterable[str] | None, rate: float = 0.0, steps: int | None = None) -> None:
        market = market_of(contract, asset, rate)
        check_market(contract, market)
        calendar = make_calendar({"contract": contract}, steps, events=market.events)
        market.risk_neutral().check_steps(calendar.years, calendar.steps)
        self.model = {"market": market, "contract": contract, "calendar": calendar, "noise": Counter()}
        self.names = checked(self.model, self._default() if names is None else names)
        self.outcomes = ("cash",)
        self.sampling = Sampling()

    def _default(self) -> list[str]:
        assets = underlyings(self.model["contract"])
        known = parameters(self.model)
        own = [f"market.{asset}.{number}" for asset in assets for number in ("spot", "sigma", "v0", "intensity")]
        pairs = [f"market.correlation.{pair}" for pair in self.model["market"].correlation if set(pair.split("-")) <= set(assets)]
        return [name for name in [*own, *pairs, "market.rate.rate"] if name in known and np.ndim(known[name]) == 0]

    @cached_property
    def _derivatives(self) -> PathDerivatives:
        return PathDerivatives(self.names, tangent.of_contract(), "contract")

    def available(self, paths: int, first: int) -> int:
        """All of them.

        Args:
            paths: Asked for.
            first: Id of the first.
        """
        return paths

    def check(self, values: Mapping[str, float]) -> None:
        """Raise ``ValueError`` for numbers that are refused.

        Args:
            values: By dotted name.
        """
        model = with_parameters(self.model, values)
        check_market(model["contract"], model["market"])
        model["market"].risk_neutral().check_steps(model["calendar"].years, model["calendar"].steps)

    def at(self, values: Mapping[str, float], paths: int, first: int, *, seed: int, stream: str) -> dict[str, np.ndarray]:
        """Discounted cash [paths] of the contract as it is, at other numbers; arguments as of ``StudyPaths.at``.

        Args:
            values: By dotted name.
            paths: How many.
            first: Id of the first.
            seed: Of the random numbers.
            stream: Of the random numbers.
        """
        model = with_parameters(self.model, values)
        found = payoffs(
            {"cash": model["contract"]},
            model["market"],
            paths=paths,
            steps=model["calendar"].steps,
            seed=seed,
            stream=stream,
            first=first,
            noise=model["noise"],
            keep=paths,
        )
        return found.cash

    def moved(self, name: str, width: float | None, share: float, paths: int, first: int, *, seed: int, stream: str) -> Moved:
        """Cash, slopes and score [paths] by one number; a contract without a width ignores it.

        Args:
            name: Of the number.
            width: Of the contract's smoothed decisions; None as they are.
            share: 0: prices move; 1: their density does.
            paths: How many.
            first: Id of the first.
            seed: Of the random numbers.
            stream: Of the random numbers.
        """
        contract = self.model["contract"]
        if width is not None and hasattr(contract, "width"):
            contract = replace(contract, width=width)
        return self._derivatives(self.model | {"contract": contract}, name, paths, make_key(seed, stream), first, share)


def checked(model: Any, names: Iterable[str]) -> tuple[str, ...]:
    """Names of numbers of a model.

    Args:
        model: A study, or a dict of models.
        names: Dotted names.

    Raises:
        ValueError: For one that is unknown, or of an array.
    """
    known, names = parameters(model), listed("names", names)
    for name in names:
        if name not in known:
            raise ValueError(f"names: unknown parameter {name!r}{near(name, known)}")
        if np.ndim(known[name]):
            raise ValueError(f"names: expected a number, got {name!r}, an array of shape {np.shape(known[name])}")
    return tuple(dict.fromkeys(names))


def listed(field: str, names: Iterable[str]) -> list[str]:
    """Names as a list; a text, which is letters to Python, is refused.

    Args:
        field: That they were given as.
        names: As given.

    Raises:
        ValueError: For a text.
    """
    if isinstance(names, str):
        raise ValueError(f"{field}: expected a list of names, got the text {names!r}")
    return list(names)
