"""Derivatives of simulated figures, each by the estimator that a pilot found best: of a study's hedged outcome, or of a contract by Monte Carlo."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from mcengine._model import field_metadata, parameters
from mcengine._spelling import near
from mcengine.engine import Study
from mcengine.greeks.derivatives import Derivatives
from mcengine.greeks.figures import Derivable, standard
from mcengine.greeks.piloted import derivatives
from mcengine.greeks.samples import ContractPaths, StudyPaths, listed
from mcengine.greeks.strategy import default_names


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
    return derivatives(subject, chosen, paths=paths, pilot=pilot, width=width, tolerance=tolerance, seed=seed, journal=journal)


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
    return derivatives(subject, figures, paths=paths, pilot=pilot, width=width, tolerance=tolerance, seed=seed, journal=None)


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
